"""Drawn bars, intervals and frequencies against what they stand for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skcrl import KernelCCA, LinearCCA, SparseCCA
from skcrl.inspection import bootstrap_intervals, stability_selection
from skcrl.plotting import LoadingsDisplay


def widths(display, side):
    return [bar.get_width() for bar in display.bars_[side]]


def names(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


@pytest.mark.parametrize("estimator", [LinearCCA(3), KernelCCA(3, kernel="rbf")])
def test_bars_are_the_largest_loadings(estimator, frames):
    estimator.fit(*frames)
    display = LoadingsDisplay.from_estimator(estimator, *frames, component=1, top=2)
    ticks = []
    for side, view, Z in zip(
        "xy", frames, estimator.transform_pair(*frames), strict=True
    ):
        expected = np.array(
            [np.corrcoef(view[name], Z[:, 1])[0, 1] for name in view.columns]
        )
        largest = np.argsort(-abs(expected))[:2]
        assert_allclose(widths(display, side), expected[largest])
        ticks += list(view.columns[largest])
    assert names(display) == ticks
    heights = [bar.get_y() for side in "xy" for bar in display.bars_[side]]
    assert heights == sorted(heights)  # the axis points down
    assert display.ax_.yaxis_inverted()
    name = estimator.get_feature_names_out()[1]
    assert display.ax_.get_xlabel() == f"loading on {name}"
    assert display.intervals_ is None
    assert display.texts_ is None


def test_codes_and_arrays_are_drawn_with_default_names(cca, frames):
    X, y = (view.to_numpy() for view in frames)
    display = LoadingsDisplay.from_codes(*cca.transform_pair(*frames), X, y[:, 0])
    codes = cca.transform(frames[0])
    expected = [np.corrcoef(column, codes[:, 0])[0, 1] for column in X.T]
    assert_allclose(sorted(widths(display, "x")), sorted(expected))
    assert names(display)[-1] == "y0"
    assert display.ax_.get_xlabel() == "loading on component0"


def test_intervals_are_those_of_the_bootstrap(frames):
    intervals = bootstrap_intervals(
        LinearCCA(2), *frames, n_resamples=20, random_state=0
    )
    display = LoadingsDisplay.from_intervals(intervals, component=1, top=2)
    for side, estimate in (("x", intervals.x_loadings), ("y", intervals.y_loadings)):
        largest = np.argsort(-abs(estimate.value[:, 1]))[:2]
        assert_allclose(widths(display, side), estimate.value[largest, 1])
        ends = np.array(display.intervals_[side].get_segments())[:, :, 0]
        assert_allclose(
            ends, np.c_[estimate.low[largest, 1], estimate.high[largest, 1]]
        )
        middles = [bar.get_y() + bar.get_height() / 2 for bar in display.bars_[side]]
        at = np.array(display.intervals_[side].get_segments())[:, 0, 1]
        assert_allclose(at, middles)


def test_frequencies_are_those_of_stability_selection(frames):
    sparse = SparseCCA(1, n_nonzero=1)
    stability = stability_selection(sparse, *frames, n_subsamples=8, random_state=0)
    assert 0 < stability.x_frequencies[1] < 1
    display = LoadingsDisplay.from_estimator(
        sparse.fit(*frames), *frames, stability=stability
    )
    frequencies = [
        dict(zip(stability.x_names, stability.x_frequencies, strict=True)),
        dict(zip(stability.y_names, stability.y_frequencies, strict=True)),
    ]
    expected = [
        f"{(frequencies[0] | frequencies[1])[name]:.0%}" for name in names(display)
    ]
    texts = [text.get_text() for side in "xy" for text in display.texts_[side]]
    assert texts == expected


def test_what_does_not_fit_is_refused(cca, frames):
    draw = LoadingsDisplay.from_estimator
    with pytest.raises(ValueError, match="integers from 0 to 2, .* Got -1"):
        draw(cca, *frames, component=-1)
    with pytest.raises(ValueError, match="integer of 1 or more. Got 1.5"):
        draw(cca, *frames, top=1.5)
    with pytest.raises(ValueError, match="LoadingsDisplay draws .* PCA does not"):
        draw(PCA().fit(frames[0]), *frames)
    with pytest.raises(ValueError, match="bootstrap_intervals returns. Got LinearCCA"):
        LoadingsDisplay.from_intervals(cca)
    with pytest.raises(ValueError, match="stability_selection returns. Got dict"):
        draw(cca, *frames, stability={})
    narrower = frames[0].iloc[:, :2]
    stability = stability_selection(
        SparseCCA(1), narrower, frames[1], n_subsamples=2, random_state=0
    )
    with pytest.raises(
        ValueError, match="have 3 and 3 variables, .* with 2 and 3: run"
    ):
        draw(cca, *frames, stability=stability)
