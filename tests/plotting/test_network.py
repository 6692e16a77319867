"""Drawn lines against correlations through the space."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skcrl import LinearCCA, SparseCCA
from skcrl.plotting import HeatmapDisplay, NetworkDisplay


def drawn(display):
    """Pairs of names that lines join, each with its sign and width, read off."""
    place = {
        (side, round(float(height), 6)): text.get_text()
        for side in "xy"
        for (_, height), text in zip(
            display.points_[side].get_offsets(), display.texts_[side], strict=True
        )
    }
    return {
        (place["x", round(a[1], 6)], place["y", round(b[1], 6)]): (sign, width)
        for sign, lines in display.lines_.items()
        for (a, b), width in zip(
            lines.get_segments(), lines.get_linewidths(), strict=True
        )
    }


@pytest.mark.parametrize("estimator", [LinearCCA(2), SparseCCA(2)])
def test_lines_join_what_correlates_through_the_space(estimator, frames):
    estimator.fit(*frames)
    heatmap = HeatmapDisplay.from_estimator(estimator, *frames)
    display = NetworkDisplay.from_estimator(estimator, *frames, cutoff=0.1)
    expected = {
        (a, b): heatmap.correlations[i, j]
        for i, a in enumerate(frames[0].columns)
        for j, b in enumerate(frames[1].columns)
        if abs(heatmap.correlations[i, j]) >= 0.1
    }
    lines = drawn(display)
    assert lines.keys() == expected.keys()
    signs = {value > 0 for value in expected.values()}
    assert signs == {True, False}
    largest = max(map(abs, expected.values()))
    for pair, (sign, width) in lines.items():
        assert sign == ("positive" if expected[pair] > 0 else "negative")
        assert_allclose(width, 3 * abs(expected[pair]) / largest)


def test_only_the_strongest_lines_and_what_they_join_are_drawn(cca, frames):
    display = NetworkDisplay.from_codes(
        *cca.transform_pair(*frames), *frames, cutoff=0.1, components=[0], top=2
    )
    loadings = [
        np.corrcoef(view, sum(cca.transform_pair(*frames))[:, 0], rowvar=False)[-1, :3]
        for view in frames
    ]
    strengths = abs(np.outer(*loadings))
    best = np.argsort(-strengths, axis=None)[:2]
    names = {
        (frames[0].columns[i], frames[1].columns[j])
        for i, j in zip(*np.unravel_index(best, (3, 3)), strict=True)
    }
    assert drawn(display).keys() == names
    assert {text.get_text() for text in display.texts_["x"]} == {a for a, _ in names}


def test_groups_that_are_shuffled_are_drawn_without_crossings():
    """Variables of two groups, in a mixed order, whose lines need not cross."""
    rng = np.random.default_rng(0)
    Z = np.linalg.qr(rng.normal(size=(50, 4)))[0]
    Z -= Z.mean(axis=0)
    X, y = (Z[:, [0, 1, 2, 3]], Z[:, [3, 1, 0, 2]])
    display = NetworkDisplay.from_codes(Z, Z, X, y, cutoff=0.9)
    assert len(display.pairs_) == 4
    for lines in display.lines_.values():
        for (_, left), (_, right) in lines.get_segments():
            assert_allclose(left, right)


def test_legend_names_the_signs_that_are_drawn(cca, frames):
    display = NetworkDisplay.from_estimator(cca, *frames, cutoff=0.6)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["first view", "second view", "negative"]


def test_what_does_not_fit_is_refused(cca, frames):
    draw = NetworkDisplay.from_estimator
    strongest = abs(HeatmapDisplay.from_estimator(cca, *frames).correlations).max()
    with pytest.raises(
        ValueError, match=f"cutoff=0.99 or more: .* is {strongest:.2f}. Lower the"
    ):
        draw(cca, *frames, cutoff=0.99)
    with pytest.raises(ValueError, match="above 0 and at most 1. Got 0"):
        draw(cca, *frames, cutoff=0)
    with pytest.raises(ValueError, match="integer of 1 or more. Got 0"):
        draw(cca, *frames, top=0)
    with pytest.raises(ValueError, match="NetworkDisplay .* PCA does not give them"):
        draw(PCA().fit(frames[0]), *frames)
