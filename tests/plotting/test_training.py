"""Drawn curves against what was recorded."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skcrl import CCALRanker, DeepCCA, LinearCCA, ProbabilisticCCA, make_view_pipeline
from skcrl.datasets import load_digits_halves, make_correlated_views
from skcrl.plotting import TrainingDisplay


@pytest.fixture(scope="module")
def halves():
    left, right, _ = load_digits_halves()
    return left[:300], right[:300]


def recorded(estimator, key):
    return [row[key] for row in estimator.history_]


def test_curves_are_the_history_and_the_best_epoch_is_marked(halves):
    dcca = DeepCCA(
        2, max_epochs=6, validation_fraction=0.3, early_stopping=False, random_state=0
    ).fit(*halves)
    display = TrainingDisplay.from_estimator(dcca)
    lines = display.lines_["DeepCCA"]
    assert set(lines) == {("loss", "training"), ("loss", "validation")}
    losses = recorded(dcca, "valid_loss")
    assert_allclose(lines["loss", "training"].get_ydata(), recorded(dcca, "train_loss"))
    assert_allclose(lines["loss", "validation"].get_ydata(), losses)
    assert_allclose(lines["loss", "training"].get_xdata(), range(1, 7))
    best = 1 + int(np.argmin(losses))
    assert display.curves["DeepCCA"].best == best
    panel = display.axes_[0, 0]
    texts = [text.get_text() for text in panel.get_legend().get_texts()]
    assert texts == ["training", "validation", f"best epoch: {best}"]
    assert_allclose(panel.lines[-1].get_xdata(), best)


@pytest.mark.parametrize("monitor", ["score", "mrr"])
def test_a_recorded_score_has_a_panel_of_its_own(monitor, halves):
    shared = {"max_epochs": 4, "early_stopping": True, "validation_fraction": 0.3}
    kind = CCALRanker if monitor == "mrr" else DeepCCA
    estimator = kind(2, monitor=monitor, random_state=0, **shared).fit(*halves)
    display = TrainingDisplay.from_estimator(estimator)
    line = display.lines_[kind.__name__][monitor, "validation"]
    scores = recorded(estimator, f"valid_{monitor}")
    assert_allclose(line.get_ydata(), scores)
    assert line.axes is display.axes_[1, 0]
    assert line.axes.get_ylabel() == monitor
    assert display.curves[kind.__name__].best == 1 + int(np.argmax(scores))


def test_estimators_are_side_by_side_and_without_validation_none_is_best(halves):
    X, y = make_correlated_views(80, 4, 3, correlations=(0.9,), random_state=0)
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    em = ProbabilisticCCA(1).fit(X, y)
    dcca = DeepCCA(2, max_epochs=2, validation_fraction=None, random_state=0)
    piped = make_view_pipeline(dcca, x=StandardScaler()).fit(*halves)
    display = TrainingDisplay.from_estimators({"tables": em, "halves": piped})
    assert display.axes_.shape == (1, 2)
    assert [ax.get_title() for ax in display.axes_[0]] == ["tables", "halves"]
    assert [ax.get_xlabel() for ax in display.axes_[0]] == ["iteration", "epoch"]
    likelihoods = display.lines_["tables"]["log-likelihood", "training"]
    assert_allclose(likelihoods.get_ydata(), em.loglike_)
    losses = display.lines_["halves"]["loss", "training"].get_ydata()
    assert_allclose(losses, recorded(piped.estimator_, "train_loss"))
    assert {of_one.best for of_one in display.curves.values()} == {None}


def test_panels_take_the_place_of_the_axes_that_are_given(halves):
    from matplotlib.figure import Figure

    dcca = DeepCCA(2, max_epochs=1, validation_fraction=None, random_state=0)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    display = TrainingDisplay.from_estimator(dcca.fit(*halves), ax=right)
    assert display.figure_ is figure
    assert display.axes_[0, 0].get_position().x0 > left.get_position().x1
    assert display.axes_[0, 0].lines[0].get_marker() == "o"  # of a single epoch


def test_estimators_without_a_history_are_refused(halves):
    with pytest.raises(ValueError, match="LinearCCA recorded nothing: .* no history_"):
        TrainingDisplay.from_estimator(LinearCCA(reg=1.0).fit(*halves))
    search = GridSearchCV(LinearCCA(1), {"reg": [1.0]}, cv=2).fit(*halves)
    with pytest.raises(ValueError, match="GridSearchCV made many. Pass its best_est"):
        TrainingDisplay.from_estimator(search)
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(DeepCCA())
    with pytest.raises(ValueError, match="estimators is empty: TrainingDisplay needs"):
        TrainingDisplay.from_estimators({})


def test_what_cannot_be_drawn_is_refused_in_words():
    X, y = make_correlated_views(40, correlations=(0.9,), random_state=0)
    fitted = ProbabilisticCCA(1).fit(X, y)
    free = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="axes in a grid, .* not in a grid"):
        TrainingDisplay.from_estimator(fitted, ax=free)
    with pytest.raises(
        ValueError, match="a dict from names to fitted estimators. Got list"
    ):
        TrainingDisplay.from_estimators([fitted])
    for wrong in (None, DeepCCA):
        with pytest.raises(ValueError, match="training of a fitted estimator. Got"):
            TrainingDisplay.from_estimator(wrong)
