"""Drawn shares against those of the subsamples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcrl.inspection._stability import StabilitySelection
from skcrl.plotting import StabilityDisplay


@pytest.fixture
def result():
    return StabilitySelection(
        x_frequencies=np.array([0.1, 0.9, 0.75, 0.3]),
        y_frequencies=np.array([0.2, 0.4, 0.95]),
        x_n_selected=2.0,
        y_n_selected=1.0,
        x_jaccard=0.5,
        y_jaccard=0.5,
        x_names=np.array(["height", "weight", "age", "noise"]),
        y_names=np.arange(3),
    )


def test_marks_are_the_shares_largest_first(result):
    display = StabilityDisplay.from_result(result, threshold=0.75)
    assert_allclose(display.points_["x"].get_xdata(), [0.9, 0.75, 0.3, 0.1])
    assert_allclose(display.points_["y"].get_xdata(), [0.95, 0.4, 0.2])
    assert_allclose(display.points_["x_selected"].get_xdata(), [0.9, 0.75])
    assert_allclose(display.points_["y_selected"].get_xdata(), [0.95])
    assert_allclose(display.threshold_.get_xdata(), 0.75)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["weight", "age", "noise", "height", "2", "1", "0"]
    # A name stands beside its mark.
    heights = np.r_[display.points_["x"].get_ydata(), display.points_["y"].get_ydata()]
    assert_allclose(display.ax_.get_yticks(), heights)
    assert display.points_["x"].get_marker() != display.points_["y"].get_marker()


def test_the_legend_counts_all_variables_and_bounds_those_by_chance(result):
    display = StabilityDisplay.from_result(result, threshold=0.75, top=1)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    # q squared over (2 t - 1) p: 4 / (0.5 * 4) and 1 / (0.5 * 3).
    assert texts == [
        "first view: 2 of 4 selected,\nat most 2 expected by chance",
        "second view: 1 of 3 selected,\nat most 0.67 expected by chance",
        "threshold 0.75",
    ]
    assert_allclose(display.points_["x"].get_xdata(), [0.9])
    assert_allclose(display.points_["y"].get_xdata(), [0.95])


def test_what_does_not_fit_is_refused(result):
    with pytest.raises(ValueError, match=r"threshold must be in \(0.5, 1\], got 0.5"):
        StabilityDisplay.from_result(result, threshold=0.5)
    with pytest.raises(ValueError, match=r"top is the number .* 1 or more. Got 0"):
        StabilityDisplay.from_result(result, top=0)
    with pytest.raises(ValueError, match="draws what stability_selection .* got dict"):
        StabilityDisplay.from_result({"x_frequencies": [1.0]})


@pytest.mark.parametrize("top", [2.5, None, "a"])
def test_top_is_a_number(top, result):
    with pytest.raises(ValueError, match=r"an integer of 1 or more. Got"):
        StabilityDisplay.from_result(result, top=top)
