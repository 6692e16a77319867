"""Fits that say nothing of the views warn, once, and no others do."""

import warnings

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from skcrl import KernelCCA, LinearCCA, ViewPipeline
from skcrl.exceptions import DegenerateFitWarning

PERFECT = "correlations_ are 1 for any data.*held-out views"
SOLVERS = pytest.mark.parametrize("solver", ["covariance", "gram"])


@SOLVERS
@pytest.mark.parametrize("reg", [0, 1e-4])
def test_a_fit_without_freedom_warns_once(reg, solver, rng):
    X, y = rng.standard_normal((40, 120)), rng.standard_normal((40, 21))
    with pytest.warns(DegenerateFitWarning, match=f"39 and 21 .*{PERFECT}") as caught:
        cca = LinearCCA(3, reg=reg, solver=solver).fit(X, y)
    assert len(caught) == 1
    assert "Set shrinkage" in str(caught[0].message)
    np.testing.assert_allclose(cca.correlations_, 1, atol=1e-3)


def test_it_warns_from_the_first_dimension_too_many(rng):
    X, y = rng.standard_normal((30, 20)), rng.standard_normal((30, 10))
    with pytest.warns(DegenerateFitWarning, match="20 and 10 .* only 29"):
        perfect = LinearCCA(1, reg=0).fit(X, y)
    assert perfect.correlations_[0] > 1 - 1e-12
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LinearCCA(1, reg=0).fit(X, y[:, :9]).correlations_[0] < 1 - 1e-6
        LinearCCA(1, reg=0, center=False).fit(X, y)
    weights = np.arange(30) < 28
    with pytest.warns(DegenerateFitWarning, match="20 and 9 .* only 27"):
        LinearCCA(1, reg=0).fit(X, y[:, :9], sample_weight=weights)


@SOLVERS
def test_views_that_are_equal_or_held_back_do_not_warn(solver, rng):
    low = rng.standard_normal((50, 3)) @ rng.standard_normal((3, 60))
    X, y = rng.standard_normal((2, 40, 60))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = LinearCCA(3, reg=0, solver=solver).fit(low, low)
        for params in ({"shrinkage": 0.5}, {"reg": 1.0}, {"shrinkage": "oas"}):
            LinearCCA(3, solver=solver, **params).fit(X, y)
        # The ridge of a shrinkage is small beside the variances of few, wide rows.
        LinearCCA(3, shrinkage=0.05, solver=solver).fit(X[:5], y[:5])
        # More rows may come.
        LinearCCA(2, reg=0).partial_fit(X[:2, :3], y[:2, :3])
    np.testing.assert_allclose(same.correlations_, 1, atol=1e-9)


@SOLVERS
@pytest.mark.parametrize("center", [True, False])
def test_a_constant_view_of_linear_cca(center, solver, rng):
    X, y = np.ones((20, 3)), rng.standard_normal((20, 3))
    cca = LinearCCA(3, solver=solver, center=center)
    with pytest.warns(DegenerateFitWarning, match="X is constant, so all codes"):
        cca.fit(X, y)
    np.testing.assert_array_equal(cca.correlations_, 0)


@pytest.mark.parametrize("approximation", [None, "nystroem"])
def test_kernels_without_freedom_and_constant_ones(approximation, rng):
    X, y = rng.standard_normal((2, 30, 3))
    kcca = KernelCCA(1, reg=0, approximation=approximation, random_state=0)
    with pytest.warns(DegenerateFitWarning, match=PERFECT) as caught:
        kcca.fit(X, y)
    assert len(caught) == 1
    with pytest.warns(DegenerateFitWarning, match="y is constant") as caught:
        kcca.set_params(reg=0.1).fit(X, np.ones(30))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kcca.fit(X, y)


@pytest.mark.parametrize("approximation", [None, "nystroem"])
def test_kernels_that_tell_no_rows_alike(approximation, rng):
    z = rng.standard_normal((200, 3))
    X, y = z * [10, 1e4, 3e3], z + rng.standard_normal((200, 3))
    kernel = KernelCCA(2, approximation=approximation, random_state=0)
    with pytest.warns(DegenerateFitWarning, match="No two rows of X are alike") as told:
        kernel.fit(X, y)
    assert len(told) == 1
    assert kernel.correlations_[0] > 0.99
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ViewPipeline(kernel, x=StandardScaler()).fit(X, y)
        kernel.set_params(gamma=1e-8).fit(X, y)


def test_a_kernel_whose_size_drowns_what_varies(rng):
    X, y = rng.standard_normal((2, 100, 3)) + 1e6
    with pytest.warns(DegenerateFitWarning, match="kernel of . is constant") as told:
        kernel = KernelCCA(2, kernel="poly").fit(X, y)
    assert [str(each.message)[:15] for each in told] == [
        "The kernel of X",
        "The kernel of y",
    ]
    assert "StandardScaler in a ViewPipeline" in str(told[0].message)
    np.testing.assert_array_equal(kernel.transform(X), 0)
