"""CCALRanker: what it projects by, watches, and finds."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from torch import nn

from skcrl import CCALRanker, LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairDataset
from skcrl.metrics import mean_reciprocal_rank

SMALL = {"hidden_layer_sizes": (16,), "max_epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 12, 10, correlations=(0.95, 0.9, 0.8, 0.7), random_state=0
    )


def both_ways(est, X, y):
    x_code, y_code = est.transform_pair(X, y)
    return (
        mean_reciprocal_rank(x_code, y_code) + mean_reciprocal_rank(y_code, x_code)
    ) / 2


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_codes_are_linear_cca_of_the_encoded_training_set(views, momentum):
    est = CCALRanker(4, **SMALL, running_momentum=momentum).fit(*views)
    outputs = [
        est.net_.evaluate("encode", view, side=side)
        for view, side in zip(views, "xy", strict=True)
    ]
    cca = LinearCCA(4, reg=est.reg).fit(*outputs)
    np.testing.assert_allclose(est.correlations_, cca.correlations_)
    codes = est.transform_pair(*views), cca.transform_pair(*outputs)
    for code, expected in zip(*codes, strict=True):
        np.testing.assert_allclose(code, expected, atol=1e-8)


def test_dense_encoders_end_with_the_learned_projection(views):
    X, y = views
    est = CCALRanker(4, **SMALL, projection="learned").fit(X, y)
    outputs = est.net_.evaluate("encode", X, side="x")
    np.testing.assert_allclose(
        est.transform(X), outputs - outputs.mean(axis=0), atol=1e-5
    )
    np.testing.assert_array_equal(est.x_weights_, np.eye(4))
    Zx, Zy = est.transform_pair(X, y)
    pairs = [np.corrcoef(a, b)[0, 1] for a, b in zip(Zx.T, Zy.T, strict=True)]
    np.testing.assert_allclose(est.correlations_, pairs, atol=1e-6)


def test_learned_projections_follow_encoders_of_yours(views):
    X, y = views
    encoder = nn.Sequential(nn.Linear(X.shape[1], 4), nn.Tanh())
    est = CCALRanker(4, **SMALL, projection="learned", x_encoder=encoder).fit(X, y)
    outputs = est.net_.evaluate("encode", X, side="x")
    weights = est.net_.module_.projection.maps["x"].weight.detach().numpy().T
    expected = (outputs - outputs.mean(axis=0)) @ weights
    np.testing.assert_allclose(est.transform(X), expected, atol=1e-5)
    np.testing.assert_array_equal(est.x_weights_, weights)
    np.testing.assert_array_equal(est.y_weights_, np.eye(4))


@pytest.mark.parametrize("projection", ["cca", "learned"])
@pytest.mark.parametrize("objective", ["ranking", "infonce"])
@pytest.mark.parametrize("options", [{}, {"symmetric": False}])
def test_training_makes_pairs_easier_to_find(views, projection, objective, options):
    train = [view[:300] for view in views]
    held_out = [view[300:] for view in views]
    est = CCALRanker(
        4,
        projection=projection,
        objective=objective,
        batch_size=100,
        lr=1e-2,
        **{**SMALL, "max_epochs": 1, **options},
    )
    start = both_ways(est.fit(*train), *held_out)
    end = both_ways(est.set_params(max_epochs=20).fit(*train), *held_out)
    assert end > 1.2 * start
    assert est.history_[-1]["train_loss"] < est.history_[0]["train_loss"]


def test_linear_encoders_come_near_linear_cca(views):
    train = [view[:300] for view in views]
    held_out = [view[300:] for view in views]
    est = CCALRanker(
        4,
        hidden_layer_sizes=(),
        objective="infonce",
        reg=1e-3,
        input_dropout=0.0,
        lr=1e-2,
        max_epochs=300,
        random_state=0,
    ).fit(*train)
    best = both_ways(LinearCCA(4).fit(*train), *held_out)
    assert both_ways(est, *held_out) > 0.85 * best


def test_watched_figures_are_those_under_projections_refitted(views):
    est = CCALRanker(4, **SMALL, standardize=False, validation_fraction=0.25)
    est.fit(*views)
    train, valid = (
        [
            est.net_.evaluate("encode", view, side=side)
            for view, side in zip(part.first(10**6), "xy", strict=True)
        ]
        for part in est.net_.train_split(PairDataset.from_arrays(*views))
    )
    # The weights are those of the last epoch, as nothing stopped early.
    x_code, y_code = (
        code / np.linalg.norm(code, axis=1)[:, None]
        for code in LinearCCA(4, reg=est.reg).fit(*train).transform_pair(*valid)
    )
    ranks = mean_reciprocal_rank(x_code, y_code), mean_reciprocal_rank(y_code, x_code)
    assert est.history_[-1]["valid_mrr"] == pytest.approx(np.mean(ranks))
    similarity = x_code @ y_code.T
    others = ~np.eye(len(similarity), dtype=bool)
    costs = [
        np.maximum(0, 0.5 - np.diag(s)[:, None] + s)[others].mean()
        for s in (similarity, similarity.T)
    ]
    assert est.history_[-1]["valid_loss"] == pytest.approx(np.mean(costs), rel=1e-4)
    assert all("valid_mrr" in row for row in est.history_)


def test_early_stopping_goes_by_the_mean_reciprocal_rank(views):
    est = CCALRanker(
        4,
        **{**SMALL, "max_epochs": 100},
        validation_fraction=0.25,
        early_stopping=True,
        n_iter_no_change=5,
        lr=0.05,
        lr_schedule="refine",
    ).fit(*views)
    assert est.n_iter_ < 100
    ranks = [row["valid_mrr"] for row in est.history_]
    assert np.argmax(ranks) < est.n_iter_ - 1


@pytest.mark.parametrize("options", [{}, {"net_params": {"optimizer__fused": True}}])
def test_sparse_views_are_not_made_dense_and_train_the_same(
    views, options, monkeypatch
):
    gaps = np.random.default_rng(0).random(views[0].shape) < 0.5
    X, y = np.where(gaps, 0.0, views[0]), views[1]
    options = {**SMALL, **options, "standardize": False, "input_dropout": 0.0}
    dense, est = (CCALRanker(4, **options) for _ in range(2))
    dense.fit(X, y)
    with monkeypatch.context() as patched:
        patched.setattr(sparse.csr_array, "toarray", None, raising=False)
        est.fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(
        est.transform(sparse.csr_array(X)), dense.transform(X), atol=1e-3
    )
    np.testing.assert_array_equal(
        est.transform(sparse.csr_array(X)), est.transform(sparse.csr_matrix(X))
    )
    np.testing.assert_allclose(est.transform(X), est.transform(sparse.csr_array(X)))


def test_users_encoders_and_decoders(views):
    X, y = views
    est = CCALRanker(
        4,
        x_encoder=nn.Linear(12, 4),
        x_decoder=nn.Linear(4, 12),
        **{**SMALL, "max_epochs": 60},
        lr=1e-2,
    ).fit(X, y)
    by_decoder = est.reconstruct(X, to="x")
    by_ridge = est.reconstruct(y=y, to="y")
    for reconstructed, view in ((by_decoder, X), (by_ridge, y)):
        assert np.mean((reconstructed - view) ** 2) < 0.9 * view.var()


def test_equal_codes_of_all_samples_are_no_pairs():
    X = np.ones((40, 3))
    est = CCALRanker(2, **SMALL).fit(X, X)
    assert np.isfinite(est.transform(X)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"margin": 0.0}, "The 'margin' parameter"),
        ({"temperature": -1}, "The 'temperature' parameter"),
        ({"projection": "pca"}, "The 'projection' parameter"),
        ({"monitor": "score"}, "The 'monitor' parameter"),
        ({"n_components": 30, "batch_size": 20}, "batches of at least 31 rows"),
        ({"early_stopping": True, "validation_fraction": 0}, "needs validation data"),
        (
            {"optimizer": "lbfgs", "running_momentum": 0.5},
            "running_momentum=0.5 updates running moments",
        ),
    ],
)
def test_bad_parameters(views, parameters, message):
    est = CCALRanker(**{**SMALL, **parameters})
    with pytest.raises(ValueError, match=message):
        est.fit(*views)
    assert not hasattr(est, "net_")


def test_line_search_on_sparse_views(views):
    X, y = sparse.csr_array(views[0] * (views[0] > 0)), views[1]
    options = {**SMALL, "max_epochs": 2, "lr": 0.1}
    est = CCALRanker(4, optimizer="lbfgs", **options).fit(X, y)
    first, last = (row["train_loss"] for row in est.history_)
    assert last < first


@pytest.mark.parametrize("fused", [False, True])
def test_sparse_training_goes_on_bit_for_bit(views, fused):
    X, y = sparse.csr_array(views[0] * (views[0] > 0)), views[1]
    parameters = {**SMALL, "net_params": {"optimizer__fused": fused}}
    whole = CCALRanker(4, **{**parameters, "max_epochs": 3}).fit(X, y)
    parts = CCALRanker(4, **parameters)
    for _ in range(3):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, y)))
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


def test_watching_does_not_change_what_is_learned(views, monkeypatch):
    options = {**SMALL, "validation_fraction": 0.2, "running_momentum": 0.5}
    watched = CCALRanker(4, **options).fit(*views)
    monkeypatch.setattr("skcrl.deep._ccal_ranker._refit", lambda *args, **_: None)
    unwatched = CCALRanker(4, **options).fit(*views)
    np.testing.assert_array_equal(
        watched.transform(views[0]), unwatched.transform(views[0])
    )


def test_validation_rows_are_watched_by_an_even_share_of_many(views, monkeypatch):
    options = {**SMALL, "validation_fraction": 0.2}
    by_all = CCALRanker(4, **options).fit(*views)
    monkeypatch.setattr("skcrl.deep._ccal_ranker._ROWS_TO_WATCH", 80)
    monkeypatch.setattr("skcrl.deep._ccal_ranker._ROWS_TO_WATCH_PER_COMPONENT", 10)
    by_some = CCALRanker(4, **options).fit(*views)
    np.testing.assert_array_equal(
        by_all.transform(views[0]), by_some.transform(views[0])
    )
    ranks, others = (
        np.array([row["valid_mrr"] for row in est.history_])
        for est in (by_all, by_some)
    )
    assert (ranks != others).any()
    np.testing.assert_allclose(ranks, others, atol=0.1)


def test_few_validation_rows_will_do(views):
    est = CCALRanker(8, **SMALL, validation_fraction=0.01).fit(*views)
    assert 0 < est.history_[-1]["valid_mrr"] <= 1


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_divergence_is_named_when_validation_rows_are_watched(views):
    est = CCALRanker(
        4, **{**SMALL, "lr": 1e30}, activation="relu", validation_fraction=0.2
    )
    with pytest.raises(FloatingPointError, match="Training diverged in epoch"):
        est.fit(*views)
    assert not hasattr(est, "net_")
