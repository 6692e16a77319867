"""Drawn correlations against those of codes, folds and permutations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold

from skcrl import DeepCCA, LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.inspection import held_out_permutation_test, permutation_test
from skcrl.plotting import CorrelationsDisplay


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(240, correlations=(0.9, 0.6), random_state=0)


@pytest.fixture(scope="module")
def fitted(views):
    return LinearCCA(3).fit(*(view[:160] for view in views))


def by_hand(codes):
    return [np.corrcoef(a, b)[0, 1] for a, b in zip(*(Z.T for Z in codes), strict=True)]


def ends(container):
    """Ends of the error bars, from the lowest to the highest."""
    return np.array(container.lines[2][0].get_segments())[:, :, 1]


def test_training_and_new_samples(fitted, views):
    train, new = (
        [view[rows] for view in views] for rows in (slice(160), slice(160, None))
    )
    display = CorrelationsDisplay.from_estimator(fitted, *train, held_out=new)
    expected = by_hand(fitted.transform_pair(*train))
    assert_allclose(display.training_.get_ydata(), expected)
    held_out = display.held_out_.lines[0]
    assert_allclose(held_out.get_ydata(), by_hand(fitted.transform_pair(*new)))
    assert_allclose(held_out.get_xdata(), [0, 1, 2])
    ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert ticks == ["linearcca0", "linearcca1", "linearcca2"]
    assert display.null_ is None

    again = CorrelationsDisplay.from_codes(
        *fitted.transform_pair(*train), held_out=fitted.transform_pair(*new)
    )
    assert_allclose(again.training_.get_ydata(), expected)
    assert_allclose(again.held_out_.lines[0].get_ydata(), held_out.get_ydata())


def test_folds_are_fitted_anew(fitted, views):
    X, y = (view[:160] for view in views)
    cv = KFold(4, shuffle=True, random_state=0)
    display = CorrelationsDisplay.from_estimator(fitted, X, y, cv=cv)
    # The two real components come in the same order in each fold.
    expected = np.array(
        [
            by_hand(LinearCCA(3).fit(X[a], y[a]).transform_pair(X[b], y[b]))[:2]
            for a, b in cv.split(X)
        ]
    )
    assert_allclose(display.held_out[:, :2], expected)
    line = display.held_out_.lines[0]
    assert_allclose(line.get_ydata()[:2], expected.mean(axis=0))
    assert_allclose(
        ends(display.held_out_)[:2],
        np.c_[expected.min(axis=0), expected.max(axis=0)],
    )


def test_components_that_change_places_are_matched():
    """Of two components of nearly equal correlation, folds find either one first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = 0.8 * X + 0.6 * rng.normal(size=(400, 2))
    display = CorrelationsDisplay.from_estimator(LinearCCA(2).fit(X, y), X, y, cv=4)
    assert (abs(display.held_out - 0.8) < 0.15).all()


def test_the_null_is_that_of_the_permutations(fitted, views):
    X, y = (view[:160] for view in views)
    null = permutation_test(X, y, n_permutations=60, random_state=0)
    display = CorrelationsDisplay.from_estimator(fitted, X, y, null=null)
    low, high = np.quantile(
        null.null_correlations[:, 0], (0.05, 0.95), method="inverted_cdf"
    )
    assert_allclose(ends(display.null_)[0], (low, high))
    assert len(ends(display.null_)) == 3
    # Of the later ones, a tenth of the weight lies outside.
    for k, (low, high) in enumerate(ends(display.null_)):
        values, weights = null.null_correlations[:, k], null.null_weights[:, k]
        inside = (values >= low) & (values <= high)
        strictly = (values > low) & (values < high)
        assert weights[strictly].sum() <= 0.9 * weights.sum() <= weights[inside].sum()


def test_a_held_out_test_is_drawn_as_the_mean_correlation(fitted, views):
    X, y = (view[:160] for view in views)
    null = held_out_permutation_test(
        LinearCCA(3), X, y, cv=3, n_permutations=19, random_state=0
    )
    display = CorrelationsDisplay.from_estimator(fitted, X, y, cv=3, null=null)
    ticks = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert ticks[-1] == "mean"
    low, high = np.sort(null.null_scores)[[0, 18]] / 3
    assert_allclose(ends(display.null_), [(low, high)])
    points = [line.get_xydata().tolist() for line in display.ax_.get_lines()]
    assert [[3, null.score / 3]] in points
    # Which is the mean of the held-out correlations that are drawn.
    assert_allclose(null.score / 3, display.held_out.mean(), rtol=1e-6)


def test_a_deep_estimator_is_drawn(frames):
    deep = DeepCCA(max_epochs=1, validation_fraction=None, random_state=0).fit(*frames)
    display = CorrelationsDisplay.from_estimator(deep, *frames)
    assert_allclose(display.training, by_hand(deep.transform_pair(*frames)), rtol=1e-4)


def test_samples_without_one_view_are_left_out():
    x_codes, y_codes = np.random.default_rng(0).normal(size=(2, 30, 2))
    expected = by_hand((x_codes[5:], y_codes[5:]))
    x_codes[:3], y_codes[3:5] = np.nan, np.nan
    display = CorrelationsDisplay.from_codes(x_codes, y_codes)
    assert_allclose(display.training, expected)


def test_what_does_not_fit_is_refused(fitted, views):
    X, y = (view[:20] for view in views)
    draw = CorrelationsDisplay.from_estimator
    with pytest.raises(ValueError, match="two ways .*: pass one of them"):
        draw(fitted, X, y, held_out=(X, y), cv=3)
    with pytest.raises(ValueError, match="a tuple of two: .* Got ndarray"):
        draw(fitted, X, y, held_out=X)
    with pytest.raises(ValueError, match="permutation_test returns. Got ndarray"):
        draw(fitted, X, y, null=np.ones(3))
    with pytest.raises(ValueError, match="CorrelationsDisplay .* PCA does not give"):
        draw(PCA().fit(X), X, y)
    codes = fitted.transform_pair(X, y)
    with pytest.raises(ValueError, match="have 2 components, but the others have 3"):
        CorrelationsDisplay.from_codes(*codes, held_out=[Z[:, :2] for Z in codes])
    with pytest.raises(ValueError, match="a tuple of two: .* Got ndarray"):
        CorrelationsDisplay.from_codes(*codes, held_out=codes[0])
    with pytest.raises(ValueError, match="at least 2 samples with both views, got 1"):
        CorrelationsDisplay.from_codes(*(Z[:1] for Z in codes))
    with pytest.raises(ValueError, match=r"cv gives no folds, .* Got \[\]"):
        draw(fitted, X, y, cv=[])
