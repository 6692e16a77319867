"""A validation set of the user's, in place of rows that are set aside."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    make_view_pipeline,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairDataset, PairSplit
from skcrl.metrics import mean_reciprocal_rank, pearson_sum

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 3,
    "batch_size": 25,
    "random_state": 0,
    "standardize": False,
}
ESTIMATORS = [CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional]


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)


def set_aside(X, y, seed, fraction=0.3):
    """The parts that a fit of this seed trains on and watches."""
    parts = PairSplit(fraction, seed)(PairDataset.from_arrays(X, y))
    return [tuple(view[part.rows.numpy()] for view in (X, y)) for part in parts]


def without_times(history):
    return [{k: v for k, v in row.items() if k != "dur"} for row in history]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_passed_are_as_good_as_rows_set_aside(estimator, views):
    est = estimator(**SMALL, early_stopping=True)
    held_out = clone(est).set_params(validation_fraction=0.3).fit(*views)
    train, valid = set_aside(*views, held_out.net_.seed)
    assert len(valid[0]) == 30
    est.fit(*train, validation=valid)
    assert without_times(est.history_) == without_times(held_out.history_)
    # What follows the training is fitted to all that was passed as X and y.
    ours, theirs = (e.net_.get_state()["module"] for e in (est, held_out))
    names = {name for name in ours if "projection" not in name}
    assert len(names) > 3
    for name in names:
        np.testing.assert_array_equal(ours[name], theirs[name])


def rank_both_ways(x, y, relevant=None):
    ranks = (mean_reciprocal_rank(*p, relevant=relevant) for p in ((x, y), (y, x)))
    return sum(ranks) / 2


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_monitored_figure_is_that_of_these_rows(estimator, views):
    X, y = views
    est = estimator(**{**SMALL, "standardize": True}, early_stopping=True)
    name = "mrr" if estimator is CCALRanker else "score"
    valid = 3 * X[70:] + 1, y[70:] - 2
    est.set_params(monitor=name).fit(3 * X[:70] + 1, y[:70] - 2, validation=valid)
    assert est.n_iter_ == 3
    codes = est.transform_pair(*valid)
    expected = pearson_sum(*codes)
    if estimator is CCALRanker:
        expected = rank_both_ways(*codes)
    best = max(row[f"valid_{name}"] for row in est.history_)
    assert best == pytest.approx(expected, abs=1e-4)


def test_training_stops_early_by_it_and_trains_on_all_rows(views, monkeypatch):
    X, y = views
    n_rows = []
    original = PairDataset.batch

    def spy(data, *args, **kwargs):
        batch = original(data, *args, **kwargs)
        n_rows.append(len(batch))
        return batch

    monkeypatch.setattr(PairDataset, "batch", spy)
    est = DeepCCA(**{**SMALL, "max_epochs": None, "lr": 0.5}, n_iter_no_change=1)
    est.fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    # 60 rows are too few to set some aside: it would not stop early without.
    assert est.net_.optimizer_.param_groups[0]["lr"] < 0.5
    assert sum(n_rows) == est.n_iter_ * 100
    assert "valid_loss" in est.history_[0]


def test_warm_start_and_lbfgs(views):
    X, y = views
    est = CorrNet(**SMALL, optimizer="lbfgs", warm_start=True)
    est.fit(X[:60], y[:60]).fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    assert ["valid_loss" in row for row in est.history_] == [False] * 3 + [True] * 3


def test_sparse_views_frames_tensors_and_one_column(views):
    X, y = views
    est = DeepCCA(1, **SMALL)
    dense = clone(est).fit(X[:60], y[:60, 0], validation=(X[60:], y[60:, 0]))
    expected = without_times(dense.history_)
    held = sparse.csr_array(X[60:]), y[60:, :1].tolist()
    est.fit(X[:60], y[:60, 0], validation=held)
    for ours, theirs in zip(without_times(est.history_), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)
    frames = [pd.DataFrame(view, columns=list("abcdef")) for view in (X[:60], X[60:])]
    est.fit(frames[0], y[:60, 0], validation=[frames[1], y[60:, 0]])
    assert without_times(est.history_) == expected
    with pytest.raises(ValueError, match="validation is refused: .*feature names"):
        est.fit(frames[0], y[:60], validation=(frames[1].iloc[:, ::-1], y[60:]))
    with config_context(array_api_dispatch=True):
        X, y = map(torch.from_numpy, (X, y))
        est.fit(X[:60], y[:60, :1], validation=(X[60:], y[60:, :1]))
    assert without_times(est.history_) == expected


def test_partners_of_a_validation_set_count(views):
    X, y = views
    est = CCALRanker(**SMALL, monitor="mrr", early_stopping=True)
    twice = np.repeat(X[60:70], 2, axis=0), y[60:80]
    est.fit(X[:60], y[:60], groups=np.arange(60) // 2, validation=twice)
    relevant = np.kron(np.eye(10), np.ones((2, 2))).astype(bool)
    x, y = est.transform_pair(*twice)
    best = max(row["valid_mrr"] for row in est.history_)
    assert best == pytest.approx(rank_both_ways(x, y, relevant), abs=1e-4)


def test_checkpoints_tell_validation_sets_apart(views, tmp_path):
    X, y = views
    est = CorrNet(**SMALL, checkpoint=tmp_path / "training")
    held = X[60:], y[60:]
    expected = est.fit(X[:60], y[:60], validation=held).history_
    assert clone(est).fit(X[:60], y[:60], validation=held).history_ == expected
    with pytest.raises(ValueError, match="another training: X of validation was"):
        est.fit(X[:60], y[:60], validation=(X[60:] + 1, y[60:]))
    with pytest.raises(ValueError, match="y of validation was .* and is None now"):
        est.fit(X[:60], y[:60])


def test_pipelines_take_it_through_their_steps(views):
    X, y = views
    est = DeepCCA(**SMALL)
    scalers = [StandardScaler().fit(view[:60]) for view in views]
    pipeline = make_view_pipeline(est, x=(StandardScaler(),), y=(StandardScaler(),))
    pipeline.fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    ours, held = (
        [scaler.transform(v[rows]) for scaler, v in zip(scalers, views, strict=True)]
        for rows in (slice(60), slice(60, None))
    )
    expected = clone(est).fit(*ours, validation=held).history_
    assert without_times(pipeline.estimator_.history_) == without_times(expected)
    with pytest.raises(ValueError, match="validation must be a pair"):
        pipeline.fit(X[:60], y[:60], validation=3)


def test_searches_pass_it_to_every_fit(views):
    X, y = views
    search = GridSearchCV(CorrNet(**SMALL), {"lr": [0.1]}, cv=2, error_score="raise")
    search.fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    assert "valid_loss" in search.best_estimator_.history_[0]
    with config_context(enable_metadata_routing=True):
        search.estimator.set_fit_request(validation=True)
        search.fit(X[:60], y[:60], validation=(X[60:], y[60:]))
    assert "valid_loss" in search.best_estimator_.history_[0]


REFUSED = [
    (lambda X, y: (X[:, :5], y), "validation is refused: X has 5 features"),
    (lambda X, y: (X, y[:, :4]), "validation is refused: .*4 features"),
    (lambda X, y: (X[:9], y), "validation is refused: .*inconsistent"),
    (lambda X, y: (X, np.where(y > 1, np.nan, y)), "refused: Input y contains NaN"),
    (lambda X, y: (np.where(X > 1, np.inf, X), y), "refused: Input X contains inf"),
    (lambda X, y: (1e200 * X, y), "refused: X has values beyond 3.4e"),
    (lambda X, y: (X.astype(str).astype(object) + "a", y), "validation is refused"),
    (lambda X, y: (X[:0], y[:0]), "refused: Found array with 0 sample"),
    (lambda X, y: (X, None), "refused: .*requires y to be passed"),
    (lambda X, y: X, "must be a pair .* of pairs, got ndarray"),
    (lambda X, y: (X, y, y), "must be a pair .* of pairs, got tuple"),
    (lambda X, y: (X[:1], y[:1]), "got validation samples=1"),
]


@pytest.mark.parametrize(("made_into", "message"), REFUSED)
def test_what_is_refused_before_training(views, made_into, message, monkeypatch):
    est = CorrNet(**SMALL).fit(*views)
    codes = est.transform(views[0])
    monkeypatch.setattr(CorrNet, "_run_epochs", lambda *_: pytest.fail("it trains"))
    with pytest.raises(ValueError, match=message):
        est.fit(*views, validation=made_into(*views))
    np.testing.assert_array_equal(est.transform(views[0]), codes)


def test_a_fraction_beside_it_is_refused_but_for_none(views):
    est = DeepCCA(**SMALL, validation_fraction=0.2)
    with pytest.raises(ValueError, match="validation_fraction=0.2 sets rows aside"):
        est.fit(*views, validation=views)
    est.set_params(validation_fraction=0, early_stopping=True)
    with pytest.raises(ValueError, match="set it to 0.1, for example, or pass"):
        est.fit(*views)
    est.fit(*views, validation=views)
