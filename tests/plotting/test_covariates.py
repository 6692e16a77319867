"""Displays of fits with covariates, against residuals by lstsq and fits to them."""

import numpy as np
import pandas as pd
import pytest
from least_squares import residuals
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from skcrl import KernelCCA, LinearCCA
from skcrl.plotting import (
    CorrelationCircleDisplay,
    CorrelationsDisplay,
    HeatmapDisplay,
    LoadingsDisplay,
    NetworkDisplay,
    ReconstructionDisplay,
    ScoresDisplay,
)


@pytest.fixture(scope="module")
def views():
    """Frames with 80 rows and the columns abcd and efg, and two covariates."""
    rng = np.random.default_rng(1)
    C = rng.standard_normal((80, 2)) + 3
    X, y = rng.standard_normal((80, 4)), rng.standard_normal((80, 3))
    y[:, :2] += 1.5 * X[:, :2]
    effect = 4 * C @ rng.standard_normal((2, 7))
    return (
        pd.DataFrame(X + effect[:, :4], columns=list("abcd")),
        pd.DataFrame(y + effect[:, 4:], columns=list("efg")),
        pd.DataFrame(C, columns=["age", "dose"]),
    )


@pytest.fixture(scope="module")
def partial(views):
    X, y, C = views
    return LinearCCA(2, reg=0).fit(X, y, covariates=C)


@pytest.mark.parametrize(
    ("display", "drawn"),
    [
        (CorrelationCircleDisplay, ["x_loadings", "y_loadings", "x_names"]),
        (LoadingsDisplay, ["x_loadings", "y_loadings", "y_names"]),
        (NetworkDisplay, ["correlations", "x_names", "y_names"]),
        (HeatmapDisplay, ["correlations", "x_names", "y_names"]),
        (ScoresDisplay, ["x_codes", "y_codes"]),
        (CorrelationsDisplay, ["training"]),
    ],
)
def test_what_is_drawn_is_that_of_residuals(display, drawn, partial, views):
    X, y, C = views
    found = display.from_estimator(partial, X, y, covariates=C)
    left = residuals(X, C), residuals(y, C)
    expected = display.from_estimator(LinearCCA(2, reg=0).fit(*left), *left)
    for name in drawn:
        entries = getattr(found, name), getattr(expected, name)
        if name.endswith("names"):
            assert list(entries[0]) == list(entries[1])
        elif name.endswith("codes"):
            # Covariates take two degrees of freedom, by which codes are scaled.
            assert_allclose(entries[0], entries[1] * np.sqrt(77 / 79), atol=1e-9)
        else:
            assert_allclose(*entries, atol=1e-9)
    with pytest.raises(ValueError, match=f"covariates= of {display.__name__}.from_est"):
        display.from_estimator(partial, X, y)
    kernels = KernelCCA(2).fit(X, y)
    with pytest.raises(ValueError, match="KernelCCA takes no covariates"):
        display.from_estimator(kernels, X, y, covariates=C)


def test_sparse_views_lose_the_effect_too(views):
    X, y, C = (np.asarray(view) for view in views)
    cca = LinearCCA(2, reg=0).fit(csr_array(X), y, covariates=C)
    display = CorrelationCircleDisplay.from_estimator(
        cca, csr_array(X), y, covariates=C
    )
    left = residuals(X, C)
    expected = LinearCCA(2, reg=0).fit(left, residuals(y, C)).x_loadings_
    assert_allclose(display.x_loadings, expected, atol=1e-9)


def test_covariates_of_dask_give_the_same(partial, views):
    da = pytest.importorskip("dask.array")
    of_dask = [da.from_array(np.asarray(view), chunks=(20, -1)) for view in views]
    X, y, C = of_dask
    fitted = LinearCCA(2, reg=0).fit(X, y, covariates=C)
    found = LoadingsDisplay.from_estimator(fitted, X, y, covariates=C)
    X, y, C = views
    expected = LoadingsDisplay.from_estimator(partial, X, y, covariates=C)
    assert_allclose(found.x_loadings, expected.x_loadings, atol=1e-9)


def test_new_samples_and_folds_have_covariates_of_their_own(partial, views):
    X, y, C = (np.asarray(view) for view in views)

    def held_out(train, test):
        """Correlations of some rows, of a fit to the residuals of others."""
        Z = np.column_stack([np.ones(80), C])
        left = [v - Z @ np.linalg.lstsq(Z[train], v[train])[0] for v in (X, y)]
        cca = LinearCCA(2, reg=0).fit(*(v[train] for v in left))
        codes = cca.transform_pair(*(v[test] for v in left))
        return np.corrcoef(*(Z.T for Z in codes)).diagonal(2)

    rows = np.arange(80)
    first, last = rows[:40], rows[40:]
    draw = CorrelationsDisplay.from_estimator
    display = draw(partial, *views[:2], covariates=views[2], cv=2)
    expected = [held_out(last, first), held_out(first, last)]
    # A fold may find the two components in the other order.
    assert_allclose(np.sort(display.held_out), np.sort(expected), atol=1e-9)
    cca = LinearCCA(2, reg=0).fit(X[first], y[first], covariates=C[first])
    shown = X[first], y[first]
    new = X[last], y[last], C[last]
    display = draw(cca, *shown, covariates=C[first], held_out=new)
    assert_allclose(display.held_out, expected[1:], atol=1e-9)
    with pytest.raises(ValueError, match="tuple of three, .* Got 2 of them"):
        draw(cca, *shown, covariates=C[first], held_out=new[:2])
    with pytest.raises(ValueError, match="covariates in held_out are None"):
        draw(cca, *shown, covariates=C[first], held_out=(*new[:2], None))


def test_reconstructed_images_have_the_effect(views):
    X, y, C = (np.asarray(view) for view in views)
    cca = LinearCCA(2).fit(X, y, covariates=C)
    shown = X[:5], y[:5]
    settings = {"to": "x", "shape": [(2, 2), (1, 3)]}
    display = ReconstructionDisplay.from_estimator(
        cca, *shown, covariates=C[:5], **settings
    )
    expected = cca.reconstruct(y=y[:5], to="x", covariates=C[:5])
    assert_allclose(display.reconstructed.reshape(5, 4), expected)
    with pytest.raises(ValueError, match="covariates= of ReconstructionDisplay"):
        ReconstructionDisplay.from_estimator(cca, *shown, **settings)
