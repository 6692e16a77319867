"""Trainings without a length end by themselves, and say so where they do not."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skcrl import CCALRanker, CorrNet, DeepCCA, LinearCCA, MultimodalAutoencoder
from skcrl.datasets import make_correlated_views
from skcrl.deep._callbacks import is_falling
from skcrl.deep._data import PairDataset
from skcrl.deep._plan import plan_of


def planned(est, n_rows, n_columns=5, is_part=False):
    rows = np.broadcast_to(np.float32(0), (n_rows, n_columns))
    return plan_of(est, PairDataset.from_arrays(rows, rows), is_part)


def test_few_rows_are_regularised_and_train_to_convergence():
    found = planned(DeepCCA(3), 200)
    assert (found.batch_size, found.n_epochs) == (200, 300)
    assert (found.stops_at_convergence, found.stops_early) == (True, False)
    assert (found.validation_fraction, found.input_dropout) == (0.0, 0.2)
    assert planned(DeepCCA(3), 200, n_columns=201).input_dropout == 0.5
    assert planned(DeepCCA(3, hidden_layer_sizes=()), 200).input_dropout == 0
    assert planned(CorrNet(3), 200).weight_decay == 0.1
    # 1,000 rows are few for 20 components.
    assert planned(DeepCCA(20), 1000).stops_at_convergence


def test_many_rows_end_training_by_those_set_aside():
    found = planned(DeepCCA(3), 60_000)
    assert (found.batch_size, found.n_epochs) == (600, 30)
    assert (found.stops_at_convergence, found.stops_early) == (False, True)
    assert (found.validation_fraction, found.input_dropout) == (0.1, 0.0)
    assert planned(CorrNet(3), 60_000).weight_decay == 0
    assert planned(DeepCCA(3), 1000).n_epochs == 250  # 4 steps an epoch
    assert planned(DeepCCA(50), 60_000).batch_size == 1000
    assert planned(CCALRanker(1000), 10**6).batch_size == 4000
    assert planned(DeepCCA(3, objective="noi"), 60_000).batch_size == 100
    assert planned(DeepCCA(200, objective="noi"), 60_000).batch_size == 400


def test_the_rate_falls_where_training_stops_early():
    def schedule(n_rows, **options):
        found = planned(DeepCCA(3, **options), n_rows)
        return found.lr_schedule, found.stops_early

    assert schedule(60_000) == ("refine", True)
    assert schedule(200) == ("constant", False)
    assert schedule(60_000, lr_schedule="constant") == ("constant", True)
    assert schedule(200, lr_schedule="refine") == ("refine", True)
    assert schedule(200, early_stopping=True) == ("refine", True)
    assert schedule(60_000, validation_fraction=0.0) == ("constant", False)
    assert planned(DeepCCA(3, validation_fraction=0.0), 60_000).stops_at_convergence


@pytest.mark.parametrize("options", [{"max_epochs": 7}, {"lr_schedule": "one_cycle"}])
def test_who_says_how_long_is_obeyed(options):
    found = planned(DeepCCA(3, **options), 60_000)
    assert not found.stops_at_convergence
    assert not found.stops_early
    assert found.validation_fraction == 0
    assert found.n_epochs == options.get("max_epochs", 30)


def test_a_part_is_one_epoch():
    found = planned(DeepCCA(3, early_stopping=True), 60_000, is_part=True)
    assert (found.n_epochs, found.stops_early, found.validation_fraction) == (
        1,
        False,
        0,
    )


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        ([9, 5, 1, 1, 1, 1], False),
        ([9, 8, 7, 6, 5, 4], True),
        ([9, 5, 1, 1.2, 0.9, 1.1], False),  # not by a tenth of the whole
        ([1, 2, 3, 4], False),
        ([2, 1], True),
    ],
)
def test_is_falling(losses, falls):
    assert is_falling(losses, 2, 0.1) == falls


def test_training_that_is_cut_short_warns():
    views = make_correlated_views(200, 6, 5, correlations=(0.9, 0.8), random_state=0)
    est = CorrNet(2, max_epochs=4, random_state=0)
    with pytest.warns(ConvergenceWarning, match="CorrNet ended after 4 epochs, but"):
        est.fit(*views)
    est.set_params(max_epochs=None, warm_start=True).fit(*views)
    assert 30 < est.n_iter_ < 304


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_training_that_early_stopping_ends_does_not_warn():
    views = make_correlated_views(200, 6, 5, correlations=(0.9, 0.8), random_state=0)
    est = CorrNet(2, early_stopping=True, max_epochs=500, random_state=0).fit(*views)
    assert est.n_iter_ < 500
    est.set_params(max_epochs=est.n_iter_).fit(*views)


def test_a_score_is_watched_where_rows_are_set_aside():
    views = make_correlated_views(120, 6, 5, correlations=(0.9, 0.8), random_state=0)
    est = DeepCCA(2, monitor="score", random_state=0).fit(*views)
    assert "valid_score" not in est.history_[0]
    est.set_params(early_stopping=True).fit(*views)
    assert "valid_score" in est.history_[0]


def test_batches_hold_enough_complete_rows():
    X, y = make_correlated_views(300, 6, 5, correlations=(0.9, 0.8), random_state=0)
    y[20:] = np.nan
    est = CorrNet(2, max_epochs=2, random_state=0).fit(X, y)
    assert est.net_.batch_size >= 30


@pytest.mark.parametrize(
    "kind",
    [DeepCCA, CCALRanker, CorrNet, MultimodalAutoencoder],
    ids=lambda kind: kind.__name__,
)
def test_defaults_come_near_linear_cca_on_linear_data(kind):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((1200, 3))
    X, y = (
        Z @ rng.standard_normal((3, d)) + rng.standard_normal((1200, d))
        for d in (20, 15)
    )
    best = LinearCCA(3).fit(X[:200], y[:200]).score(X[200:], y[200:])
    est = kind(3, random_state=0).fit(X[:200], y[:200])
    assert est.score(X[200:], y[200:]) > 0.97 * best
