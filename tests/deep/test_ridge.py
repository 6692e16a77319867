"""A ridge for either view, in objectives, the CCA layer and the closing CCA."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.autograd import gradcheck

from skcrl import CCALRanker, DeepCCA, LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.deep.losses import noi, trace_norm
from skcrl.deep.modules import CCALayer, CodeMoments, TwoBranchOutput

PAIR = (0.5, 0.01)
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
ESTIMATORS = [
    DeepCCA(**SMALL),
    DeepCCA(**SMALL, objective="noi"),
    CCALRanker(**SMALL),
]


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(200, 6, 4, correlations=(0.9, 0.8), random_state=0)


@pytest.fixture
def codes():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 30, 3, dtype=torch.float64, generator=generator)
    return x, x + 2 * y


def power(matrix, exponent):
    """Power of a symmetric matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * values**exponent @ vectors.T


def test_trace_norm_is_that_of_the_whitened_cross_covariance(codes):
    x, y = (z.numpy() for z in codes)
    cov = np.cov(x.T, y.T)
    eye = np.eye(3)
    x_root = power(cov[:3, :3] + PAIR[0] * eye, -0.5)
    y_root = power(cov[3:, 3:] + PAIR[1] * eye, -0.5)
    T = x_root @ cov[:3, 3:] @ y_root
    loss = trace_norm(TwoBranchOutput(*codes), reg=PAIR)
    assert loss.item() == pytest.approx(-np.linalg.norm(T, "nuc"), rel=1e-12)
    swapped = trace_norm(TwoBranchOutput(*codes), reg=PAIR[::-1])
    assert abs(loss - swapped) > 1e-3


def test_noi_whitens_each_view_by_its_ridge(codes):
    x, y = (z.numpy() for z in codes)
    cov = [np.cov(z.T, bias=True) for z in (x, y)]
    running = [
        CodeMoments(z.mean(0), torch.from_numpy(c))
        for z, c in zip(codes, cov, strict=True)
    ]
    ridges = (r * np.trace(c) / 3 * np.eye(3) for r, c in zip(PAIR, cov, strict=True))
    f_white = (x - x.mean(0)) @ power(cov[0] + next(ridges), -0.5)
    g_white = (y - y.mean(0)) @ power(cov[1] + next(ridges), -0.5)
    gains = (x * (2 * g_white - x)).sum() + (y * (2 * f_white - y)).sum()
    expected = 2 * 3 - gains / len(x)
    outputs = TwoBranchOutput(*codes, x_running=running[0], y_running=running[1])
    loss = noi(outputs, reg=PAIR)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_the_layer_is_linear_cca_of_the_batch(codes):
    layer = CCALayer(3, 3, reg=PAIR).double()
    cca = LinearCCA(3, reg=PAIR).fit(*(z.numpy() for z in codes))
    expected = cca.transform_pair(*(z.numpy() for z in codes))
    for code, of_cca in zip(layer(*codes), expected, strict=True):
        np.testing.assert_allclose(code, of_cca, atol=1e-8)


def test_gradients(codes):
    x, y = (z[:12].clone().requires_grad_() for z in codes)

    def loss(x, y):
        return trace_norm(TwoBranchOutput(x, y), reg=PAIR)

    def projected(x, y):
        return CCALayer(3, 3, reg=PAIR).double()(x, y)

    assert gradcheck(loss, (x, y))
    assert gradcheck(projected, (x, y))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_pair_of_equal_ridges_is_that_ridge(estimator, views):
    one, pair, unlike = (
        clone(estimator).set_params(reg=reg).fit(*views)
        for reg in (0.1, [0.1, 0.1], (0.1, 1.0))
    )
    for a, b, c in zip(
        *(est.transform_pair(*views) for est in (one, pair, unlike)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert abs(a - c).max() > 1e-3


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_what_closes_the_training_has_a_ridge_for_each_view(estimator, views):
    est = clone(estimator).set_params(reg=PAIR).fit(*views)
    outputs = [
        est.net_.evaluate("encode", view, side=side)
        for view, side in zip(views, "xy", strict=True)
    ]
    closing = LinearCCA(2, reg=PAIR).fit(*outputs)
    for code, expected in zip(
        est.transform_pair(*views), closing.transform_pair(*outputs), strict=True
    ):
        np.testing.assert_allclose(code, expected, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_files_and_trainings_that_go_on(estimator, views, tmp_path):
    est = clone(estimator).set_params(reg=PAIR).fit(*views)
    est.save(tmp_path / "model.skcrl")
    loaded = type(est).load(tmp_path / "model.skcrl")
    assert loaded.reg == PAIR
    np.testing.assert_array_equal(loaded.transform(views[0]), est.transform(views[0]))
    # One epoch, and one more, are two.
    steps = clone(est).partial_fit(*views).partial_fit(*views)
    np.testing.assert_array_equal(steps.transform(views[0]), est.transform(views[0]))
    kept = clone(est).set_params(checkpoint=tmp_path / "training").fit(*views)
    with pytest.raises(ValueError, match=r"reg was \[0.5, 0.01\] and is 0.5 now"):
        kept.set_params(reg=0.5).fit(*views)


@pytest.mark.parametrize("reg", [(0.1, 0), (0.1, -1.0), (1, 2, 3), (1,), (0.1, "a")])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_other_ridges_are_refused(estimator, reg, views):
    with pytest.raises(
        ValueError, match="`reg` must be a finite positive number, or an .x, y. pair"
    ):
        clone(estimator).set_params(reg=reg).fit(*views)


@pytest.mark.parametrize("reg", [0.0, (1.0, 0.0), (1.0, 1.0, 1.0)])
def test_the_layer_refuses_other_ridges(reg):
    with pytest.raises(ValueError, match="reg must be positive, or an .x, y. pair of"):
        CCALayer(3, 3, reg=reg)


def test_divergence_names_both_ridges(views):
    est = DeepCCA(reg=PAIR, optimizer="sgd", lr=1e30, **SMALL)
    with pytest.raises(FloatingPointError, match=r"or raise reg=\(0.5, 0.01\)\."):
        est.fit(*views)
