"""Weights: whole numbers are repeated rows, in every objective and what follows it."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.autograd import gradcheck

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    KernelCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep import losses
from skcrl.deep._data import PairDataset
from skcrl.deep._partners import Partners
from skcrl.deep.modules import (
    CorrNetOutput,
    ReconstructedViews,
    TwoBranchOutput,
    compared,
)

COUNTS = np.array([1, 3, 2, 1, 4, 1, 2, 5, 1, 2] * 3)
SMALL = {"hidden_layer_sizes": (6,), "activation": "tanh", "random_state": 0}
FULL = {**SMALL, "optimizer": "sgd", "lr": 0.02, "max_epochs": 4}

# Few steps, as line search in float32 makes much of the last digit in the long run.
LBFGS = {
    **SMALL,
    "optimizer": "lbfgs",
    "lr": 0.1,
    "max_epochs": 1,
    "net_params": {"optimizer__max_iter": 3},
}

# Encoders that drop no entries.
KEEPS_ALL = {"input_dropout": 0.0}

# One of every objective, without random layers.
ESTIMATORS = [
    DeepCCA(**FULL, **KEEPS_ALL),
    DeepCCA(**FULL, **KEEPS_ALL, reconstruction_weight=0.1),
    DeepCCA(**FULL, **KEEPS_ALL, objective="correlation_gap"),
    DeepCCA(**SMALL, **KEEPS_ALL, objective="soft", max_epochs=3),
    DeepCCA(**SMALL, **KEEPS_ALL, objective="noi", max_epochs=3),
    DeepCCA(
        **FULL,
        **KEEPS_ALL,
        pretraining_epochs=1,
        pretraining_noise=0,
        closing_cca=False,
    ),
    DeepCCA(
        **FULL,
        **KEEPS_ALL,
        batch_norm=True,
        reconstruction_weight=0.1,
        pretraining_epochs=1,
        pretraining_noise=0,
    ),
    CorrNet(**FULL),
    CorrNet(3, **FULL, correlation="sample", terms=["joint"]),
    MultimodalAutoencoder(**FULL, modality_dropout=0),
    TiedBidirectional(**FULL, **KEEPS_ALL),
    CCALRanker(**FULL, **KEEPS_ALL),
    CCALRanker(**FULL, **KEEPS_ALL, hard_negatives=True, symmetric=False),
    CCALRanker(**FULL, **KEEPS_ALL, objective="infonce", projection="learned"),
    CCALRanker(**FULL, **KEEPS_ALL, running_momentum=0.5),
    CCALRanker(**FULL, **KEEPS_ALL, batch_norm=True),
    DeepCCA(**LBFGS, **KEEPS_ALL),
    CorrNet(**LBFGS),
    TiedBidirectional(**LBFGS, **KEEPS_ALL),
]


def named(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=repr)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(30, 5, 4, correlations=(0.9, 0.7), random_state=0)


def with_gaps(X, y):
    X, y = X.copy(), y.copy()
    X[:4], y[4:7] = np.nan, np.nan
    return X, y


def repeated(*arrays):
    return tuple(np.repeat(a, COUNTS, axis=0) for a in arrays)


def loss_in_float64(net, data):
    """Loss of all rows in one batch, computed in double precision."""
    batch = next(iter(net.get_iterator(data)))[0]
    batch.views = {name: view.double() for name, view in batch.views.items()}
    net.module_.double().train()
    return net.get_loss(net.infer(batch), None, X=batch).item()


@named(ESTIMATORS)
def test_weighted_loss_is_that_of_repeated_rows(estimator, views):
    X, y = with_gaps(*views) if estimator._trains_on_unpaired else views
    losses_found = []
    for pair, weights in (((X, y), COUNTS.astype(float)), (repeated(X, y), None)):
        est = clone(estimator).set_params(max_epochs=1, batch_size=1000)
        net = est.fit(*views).net_
        present = [~np.isnan(view).any(axis=1) for view in pair]
        data = PairDataset.from_arrays(*pair, *present, weights=weights)
        if isinstance(est, CCALRanker):
            data.partners = Partners.find(data.x, data.y)
        losses_found.append(loss_in_float64(net, data))
    assert losses_found[0] == pytest.approx(losses_found[1], rel=1e-6)


@named(ESTIMATORS)
def test_fit_with_whole_weights_is_that_to_repeated_rows(estimator, views):
    X, y = with_gaps(*views) if estimator._trains_on_unpaired else views
    weights = COUNTS.copy()
    weights[10] = 0
    rows = np.repeat(np.arange(30), weights)
    weighted = clone(estimator).fit(X, y, sample_weight=weights)
    expected = clone(estimator).fit(X[rows], y[rows])
    plain = clone(estimator).fit(X, y)
    codes = [est.transform(views[0]) for est in (weighted, expected, plain)]
    np.testing.assert_allclose(codes[0], codes[1], atol=2e-3)
    assert abs(codes[2] - codes[1]).max() > 1e-2
    np.testing.assert_allclose(
        weighted.predict(views[0]), expected.predict(views[0]), atol=2e-3
    )


CODES = torch.randn(2, 9, 3, generator=torch.Generator().manual_seed(0)).double()
PARTNERS = torch.eye(9, dtype=torch.bool)
PARTNERS[0, 4] = PARTNERS[3, 7] = PARTNERS[7, 3] = True


@pytest.mark.parametrize(
    ("function", "hyper"),
    [
        (losses.trace_norm, {"reg": 1e-3}),
        (losses.correlation_gap, {"decorrelation_weight": 0.5}),
        (losses.pairwise_ranking, {"margin": 0.5, "hard_negatives": False}),
        (losses.pairwise_ranking, {"margin": 0.5, "hard_negatives": True}),
        (losses.infonce, {"temperature": 0.5}),
    ],
)
def test_gradcheck_of_weighted_losses(function, hyper):
    weights = torch.linspace(0.5, 2, 9).double()
    if function in (losses.pairwise_ranking, losses.infonce):
        hyper = {**hyper, "symmetric": True, "partners": PARTNERS}
    codes = [code.clone().requires_grad_() for code in CODES]
    assert gradcheck(
        lambda *z: function(
            TwoBranchOutput(*z),
            weights,
            **hyper,
        ),
        codes,
    )


def test_gradcheck_of_weighted_reconstruction():
    x, y, x_only = CODES[0], CODES[1], CODES[0, :4] + 1
    weights = torch.linspace(0.5, 2, 9).double()
    reconstructed = [view.clone().add(1).requires_grad_() for view in (x, y, x_only)]
    views = {"x": x, "y": y, "x_only": x_only}
    assert gradcheck(
        lambda *r: losses.reconstruction(
            compared(ReconstructedViews(*r), **views),
            weights,
            x_only_weights=weights[:4],
            factor=1 / 6,
        ),
        reconstructed,
    )
    codes = [code.clone().requires_grad_() for code in (x - y, x + y)]
    for correlation in ("batch", "sample"):
        assert gradcheck(
            lambda a, b, p, q, kind=correlation: losses.corrnet(
                compared(CorrNetOutput(a, b, p[:, None], q[:, None]), x=x, y=y),
                weights,
                correlation=kind,
                correlation_weight=0.5,
            ),
            (*codes, *reconstructed[:2]),
        )


def test_batches_and_validation_rows_carry_their_weights(views):
    weights = np.random.default_rng(0).uniform(0.5, 2, 30)
    options = {**SMALL, "max_epochs": 3, "batch_size": 8, "validation_fraction": 0.2}
    est = CorrNet(**options, monitor="score").fit(*views, sample_weight=weights)
    data = PairDataset.from_arrays(*views, weights=weights)
    train, valid = est.net_.train_split(data)
    seen = [
        batch.about["weights"]
        for batch, _ in est.net_.get_iterator(train, training=True)
    ]
    np.testing.assert_allclose(
        np.sort(np.concatenate(seen)), np.sort(weights[train.rows.numpy()])
    )
    rows = valid.rows.numpy()
    codes = est.transform_pair(*(view[rows].astype(np.float32) for view in views))
    w = weights[rows]
    expected = sum(
        c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])
        for c in (
            np.cov(a, b, aweights=w)
            for a, b in zip(codes[0].T, codes[1].T, strict=True)
        )
    )
    assert est.history_[-1]["valid_score"] == pytest.approx(expected, abs=1e-5)


def test_partial_fit_takes_weights(views):
    parts = DeepCCA(**{**FULL, "max_epochs": 1})
    for _ in range(4):
        parts.partial_fit(*views, sample_weight=COUNTS)
    whole = DeepCCA(**FULL).fit(*views, sample_weight=COUNTS)
    np.testing.assert_array_equal(parts.transform(views[0]), whole.transform(views[0]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(30), "Negative values in data passed to `sample_weight`"),
        (np.zeros(30), "at least one non-zero|must add up to more than 1, got 0"),
        (np.eye(30)[0], "sample_weight.* must add up to more than 1"),
        (np.ones(29), "sample_weight.shape"),
    ],
)
def test_bad_weights(views, weights, message):
    est = CorrNet(**SMALL)
    with pytest.raises(ValueError, match=message):
        est.fit(*views, sample_weight=weights)
    assert not hasattr(est, "net_")


def test_a_checkpoint_knows_weights_and_groups(views, tmp_path):
    est = CCALRanker(**SMALL, max_epochs=1, checkpoint=str(tmp_path / "training"))
    est.fit(*views, sample_weight=COUNTS, groups=COUNTS)
    est.fit(*views, sample_weight=COUNTS, groups=COUNTS)
    with pytest.raises(ValueError, match="another training: sample_weight was 'float"):
        est.fit(*views, groups=COUNTS)
    with pytest.raises(ValueError, match="another training: groups was 'int"):
        est.fit(*views, sample_weight=COUNTS)


def test_one_weight_for_all_rows_is_that_of_each():
    X, y = np.random.default_rng(0).standard_normal((2, 30, 3))
    gaps = X.copy()
    gaps[3] = np.nan
    for est, view in (
        (DeepCCA(1, hidden_layer_sizes=(4,), max_epochs=1, random_state=0), X),
        (CorrNet(1, max_epochs=1, random_state=0), gaps),
        (KernelCCA(1, kernel="linear"), X),
    ):
        one = clone(est).fit(view, y, sample_weight=2.0)
        each = clone(est).fit(view, y, sample_weight=np.full(30, 2.0))
        np.testing.assert_array_equal(one.transform(X), each.transform(X))
