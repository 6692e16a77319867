"""`correlations_` are the Pearson correlations of the training codes, always."""

import numpy as np
import pytest
import torch
from scipy import sparse

from skcrl import CCALRanker, DeepCCA, KernelCCA, LinearCCA, SparseCCA, ViewPipeline

NET = {"hidden_layer_sizes": (6,), "max_epochs": 2, "random_state": 0}
PENALTIES = [
    {"reg": 0},
    {"reg": 10.0},
    {"reg": (0, 2.0)},
    {"shrinkage": 0.9},
    {"shrinkage": (0.2, 0.9), "scale": True},
    {"shrinkage": "oas"},
    {"shrinkage": "ledoit_wolf"},
    {"reg": 1.0, "center": False},
]
ESTIMATORS = [
    *(LinearCCA(3, **penalty, solver="covariance") for penalty in PENALTIES),
    *(LinearCCA(3, **penalty, solver="gram") for penalty in PENALTIES),
    LinearCCA(3, reg=1.0, solver="lanczos", random_state=0),
    SparseCCA(3, n_nonzero=2),
    SparseCCA(2, alpha=0.1, shrinkage="oas", scale=False),
    KernelCCA(3, reg=0.1, random_state=0),
    KernelCCA(3, reg=(1e-3, 1.0), kernel=("rbf", "linear"), random_state=0),
    KernelCCA(3, reg=0, kernel="linear", random_state=0),
    KernelCCA(3, approximation="nystroem", approximation_size=20, random_state=0),
    KernelCCA(3, approximation="rbf_sampler", approximation_size=20, random_state=0),
    DeepCCA(3, **NET),
    DeepCCA(3, **NET, reg=1.0),
    DeepCCA(3, **NET, closing_cca=False),
    DeepCCA(3, **NET, objective="noi"),
    CCALRanker(3, **NET),
    CCALRanker(3, **NET, projection="learned"),
    ViewPipeline(LinearCCA(3, shrinkage=0.5)),
]


def pearson(Zx, Zy, weights=None):
    """Correlations by NumPy's own formula."""
    return np.array(
        [
            np.cov(x, y, aweights=weights)[0, 1]
            / np.sqrt(np.cov(x, aweights=weights) * np.cov(y, aweights=weights))
            for x, y in zip(np.float64(Zx.T), np.float64(Zy.T), strict=True)
        ]
    )


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 4))
    return tuple(
        3 + z @ rng.standard_normal((4, p)) + rng.standard_normal((60, p))
        for p in (8, 7)
    )


@pytest.mark.parametrize("est", ESTIMATORS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_they_are_pearson_correlations(views, est, dtype):
    X, y = (view.astype(dtype) for view in views)
    est.fit(X, y)
    expected = pearson(*est.transform_pair(X, y))
    atol = 1e-8 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(est.correlations_, expected, atol=atol)
    assert (abs(est.correlations_) <= 1).all()


def test_of_weighted_sparse_streamed_and_tensor_views(views):
    X, y = views
    weights = np.arange(60) % 4
    for est in (
        LinearCCA(3, reg=2.0).fit(X, y, weights),
        LinearCCA(3, reg=2.0, center=False).fit(X, y, weights),
        LinearCCA(3, shrinkage=0.5, solver="gram").fit(X, y, weights),
    ):
        expected = pearson(*est.transform_pair(X, y), weights)
        np.testing.assert_allclose(est.correlations_, expected, atol=1e-8)
    est = LinearCCA(3, shrinkage=0.5)
    few = sparse.csr_array(np.where(X > 3, X, 0))
    np.testing.assert_allclose(
        est.fit(few, y).correlations_, pearson(*est.transform_pair(few, y)), atol=1e-8
    )
    for rows in (slice(30), slice(30, None)):
        est = (LinearCCA(3, reg=2.0) if rows.start is None else est).partial_fit(
            X[rows], y[rows]
        )
    np.testing.assert_allclose(
        est.correlations_, pearson(*est.transform_pair(X, y)), atol=1e-8
    )
    by_tensors = LinearCCA(3, reg=2.0).fit(torch.tensor(X), torch.tensor(y))
    np.testing.assert_allclose(by_tensors.correlations_, est.correlations_, atol=1e-10)


@pytest.mark.parametrize("reg", [0, 1e-3])
@pytest.mark.parametrize("kernel", ["poly", ("poly", "rbf"), ("rbf", "poly")])
def test_of_kernels_that_vary_little_beside_their_size(kernel, reg):
    # Weights that add up to rounding, or features of rounding, would be its multiples.
    for seed in range(10):
        z = np.random.default_rng(seed).standard_normal((20, 3))
        X, y = z[:, :1] - 50, z @ [[1, 0], [0, 1], [1, 1]]
        est = KernelCCA(2, kernel=kernel, reg=reg).fit(X, y)
        expected = pearson(*(Z[:, : est.rank_] for Z in est.transform_pair(X, y)))
        found = est.correlations_[: est.rank_]
        np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("far", [1e2, 1e3, 1e4])
@pytest.mark.parametrize("kernel", ["poly", "cosine"])
@pytest.mark.parametrize("reg", [0, 1e-3])
def test_of_kernels_far_from_zero(views, far, kernel, reg):
    X, y = views[0][:, :3] + far, views[1][:, :3] + far
    est = KernelCCA(3, kernel=kernel, reg=reg).fit(X, y)
    assert est.rank_ < 3 or far < 1e4
    assert est.score(X, y) == pytest.approx(est.correlations_.sum(), abs=1e-6)


def test_components_without_variance_have_none(views):
    X, y = views
    constant = np.hstack([X[:, :1], np.ones((60, 2))])
    for est in (
        LinearCCA(3, reg=1.0),
        LinearCCA(3, reg=1.0, solver="gram"),
        KernelCCA(3, kernel="linear", reg=1.0),
    ):
        est.fit(constant, y)
        assert est.correlations_[0] > 0.1
        np.testing.assert_array_equal(est.correlations_[1:], 0.0)


def test_singular_values_are_those_of_the_penalised_problem(views):
    cca = LinearCCA(3, shrinkage=0.9).fit(*views)
    assert cca.singular_values_[0] > 1  # of which a correlation would be no more
    assert (np.diff(cca.singular_values_) < 0).all()
    plain = LinearCCA(3, reg=0).fit(*views)
    np.testing.assert_allclose(plain.singular_values_, plain.correlations_, atol=1e-12)
