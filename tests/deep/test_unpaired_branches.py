"""Rows of one view, in estimators of two encoders whose decoders pull at them."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skcrl import CCALRanker, DeepCCA
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairDataset
from skcrl.deep.losses import infonce, noi, pairwise_ranking, trace_norm
from skcrl.deep.modules import TwoBranchOutput

SMALL = {
    "hidden_layer_sizes": (6,),
    "activation": "tanh",
    "input_dropout": 0.0,
    "reconstruction_weight": 0.3,
    "max_epochs": 2,
    "random_state": 0,
}
RANKING = {"margin": 0.5, "symmetric": True, "hard_negatives": False}
# Estimators, and their objective of codes (x, y) as their last layer gives them.
ESTIMATORS = {
    "trace_norm": (
        DeepCCA(2, **SMALL),
        lambda module, codes: trace_norm(TwoBranchOutput(*codes), reg=0.02),
    ),
    "noi": (
        DeepCCA(2, objective="noi", running_momentum=0.0, **SMALL),
        lambda module, codes: noi(
            TwoBranchOutput(
                *codes, None, None, *(module.moments[s](z) for s, z in codes_of(codes))
            ),
            reg=0.02,
        ),
    ),
    "ranking": (
        CCALRanker(2, **SMALL),
        lambda module, codes: pairwise_ranking(
            TwoBranchOutput(*module.projection(*codes)), **RANKING
        ),
    ),
    "infonce": (
        CCALRanker(2, projection="learned", objective="infonce", **SMALL),
        lambda module, codes: infonce(
            TwoBranchOutput(*module.projection(*codes)), temperature=0.1, symmetric=True
        ),
    ),
}


def codes_of(codes):
    return zip("xy", codes, strict=True)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(90, 6, 5, correlations=(0.9, 0.6), random_state=0)


def with_gaps(X, y):
    """20 rows without an x, and 13 without a y."""
    X, y = X.copy(), y.copy()
    X[:20], y[20:33] = np.nan, np.nan
    return X, y


def dataset(X, y, weights=None):
    return PairDataset.from_arrays(
        np.nan_to_num(X),
        np.nan_to_num(y),
        ~np.isnan(X[:, 0]),
        ~np.isnan(y[:, 0]),
        weights,
    )


def rows_of(view):
    return torch.from_numpy(view.astype(np.float32)).double()


def gradient_of(loss, module):
    module.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in module.parameters()])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_gradient_is_that_of_the_objective_of_pairs_and_the_errors_of_all(
    views, name, weighted
):
    est, objective = ESTIMATORS[name]
    X, y = with_gaps(*views)
    net = clone(est).fit(X, y).net_
    module = net.module_.double().train()
    # Of pairs all alike: what objectives make of weights is tested with them.
    weights = np.where(np.arange(90) < 33, np.linspace(0.5, 2, 90), 1)
    every = slice(None)
    batch = dataset(X, y, weights if weighted else None).batch(
        "cpu", every, every, every
    )
    batch.views = {side: view.double() for side, view in batch.views.items()}
    loss = net.get_loss(net.infer(batch), None, X=batch)

    by_hand = objective(
        module,
        [
            module.encoders[side](rows_of(view[33:]))
            for side, view in (("x", X), ("y", y))
        ],
    )
    for side, view in (("x", X), ("y", y)):
        there = ~np.isnan(view[:, 0])
        rows = rows_of(view[there])
        reconstructed = module.decoders[side](module.encoders[side](rows))
        errors = (rows - reconstructed).square().sum(1)
        of_rows = torch.from_numpy(weights[there] if weighted else np.ones(there.sum()))
        by_hand = by_hand + 0.3 * (of_rows @ errors) / of_rows.sum()
    torch.testing.assert_close(loss, by_hand, rtol=1e-6, atol=0)
    expected = gradient_of(by_hand, module)
    difference = gradient_of(loss, module) - expected
    assert difference.norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("name", ["trace_norm", "ranking"])
def test_without_gaps_and_with_unpaired_rows_of_weight_0_nothing_changes(
    views, name, monkeypatch
):
    est = clone(ESTIMATORS[name][0]).set_params(batch_size=90)
    X, y = with_gaps(*views)
    pairs = X[33:], y[33:]
    by_gaps = clone(est).fit(X, y, sample_weight=np.arange(90) >= 33)
    ones = clone(est).fit(*pairs, sample_weight=np.ones(57))
    np.testing.assert_array_equal(by_gaps.transform(X[33:]), ones.transform(X[33:]))
    taken = clone(est).fit(*pairs)
    monkeypatch.setattr(type(est), "_trains_on_unpaired", False)
    refused = clone(est).fit(*pairs)
    np.testing.assert_array_equal(taken.transform(X[33:]), refused.transform(X[33:]))


@pytest.mark.parametrize("name", ["trace_norm", "ranking"])
def test_what_follows_the_training_is_of_pairs(views, name):
    X, y = with_gaps(*views)
    est = clone(ESTIMATORS[name][0]).fit(X, y)
    for side, view in (("x", X[33:]), ("y", y[33:])):
        outputs = est.net_.evaluate("encode", view, side=side)
        np.testing.assert_allclose(getattr(est, f"{side}_mean_"), outputs.mean(axis=0))
    codes = est.transform_pair(X[33:], y[33:])
    total = sum(np.corrcoef(codes[0][:, j], codes[1][:, j])[0, 1] for j in range(2))
    assert est.score(X, y) == pytest.approx(total)
    np.testing.assert_allclose(est.correlations_.sum(), total, rtol=1e-6)


def manifold(seed):
    """Two noisy maps of a square, 300 rows to train on and 500 others."""
    rng = np.random.default_rng(seed)
    square = rng.uniform(-1, 1, (800, 2))
    return [
        np.sin(square @ rng.normal(0, 1.5, (2, 40)) + rng.uniform(0, 6, 40))
        + rng.standard_normal((800, 40))
        for _ in range(2)
    ]


@pytest.mark.parametrize("kind", [DeepCCA, CCALRanker])
def test_single_views_show_the_manifold_that_few_pairs_do_not(kind):
    """A tenth of the rows are pairs."""
    settings = {
        "hidden_layer_sizes": (32,),
        "lr": 5e-3,
        "max_epochs": 60,
        "tol": 0,
        "random_state": 0,
    }
    scores = []
    for seed in range(3):
        X, y = manifold(seed)
        gaps = X[:300].copy(), y[:300].copy()
        gaps[0][30:165], gaps[1][165:] = np.nan, np.nan
        scores.append(
            [
                kind(2, reconstruction_weight=weight, **settings)
                .fit(*rows)
                .score(X[300:], y[300:])
                for weight, rows in (
                    (0.0, (X[:30], y[:30])),
                    (0.3, (X[:30], y[:30])),
                    (0.3, gaps),
                )
            ]
        )
    alone, decoded, with_others = np.mean(scores, axis=0)
    assert with_others > 1.15 * max(alone, decoded)


def test_batches_hold_as_many_pairs_as_without_unpaired_rows():
    X, y = make_correlated_views(3000, 6, 5, correlations=(0.9, 0.8), random_state=0)
    y[800:] = np.nan
    est = DeepCCA(2, reconstruction_weight=0.1, max_epochs=1, random_state=0).fit(X, y)
    assert 3000 // est.net_.batch_size == 4  # of 200 pairs


def test_epochs_of_partial_fit_are_those_of_fit(views):
    X, y = with_gaps(*views)
    est = clone(ESTIMATORS["trace_norm"][0]).set_params(batch_size=45)
    whole = clone(est).fit(X, y)
    parts = clone(est).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(parts.transform(X[33:]), whole.transform(X[33:]))


@pytest.mark.parametrize(
    ("kind", "parameters", "n_pairs", "message"),
    [
        (
            DeepCCA,
            {},
            57,
            "X contains NaN.*raise reconstruction_weight above 0, or use CorrNet.*"
            "SelfLearning, which finds pairs among such rows and fits DeepCCA",
        ),
        (CCALRanker, {}, 57, "raise reconstruction_weight above 0, or use CorrNet"),
        (
            DeepCCA,
            {"reconstruction_weight": 0.1, "n_components": 4, "batch_size": 10},
            20,
            "at least 5 complete rows, but with 20 complete and 33 unpaired rows a "
            "batch has 4 complete rows, got batch_size=10: use 13 or more",
        ),
        (
            CCALRanker,
            {"reconstruction_weight": 0.1, "n_components": 4},
            4,
            "batches of at least 5 rows, got training samples=4",
        ),
        (
            DeepCCA,
            {"reconstruction_weight": 0.1},
            0,
            "All 33 samples are missing one view: DeepCCA needs some that have both",
        ),
        (CCALRanker, {"reconstruction_weight": -1.0}, 57, "'reconstruction_weight'"),
    ],
)
def test_refused(views, kind, parameters, n_pairs, message):
    X, y = (view[: 33 + n_pairs] for view in with_gaps(*views))
    with pytest.raises(ValueError, match=message):
        kind(**parameters).fit(X, y)
