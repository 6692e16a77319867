"""Drawn points and arrows against the codes they stand for."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import DeepCCA, LinearCCA, make_view_pipeline
from skcrl.plotting import ScoresDisplay


def test_points_and_arrows_are_the_codes(cca, frames):
    display = ScoresDisplay.from_estimator(cca, *frames, components=(2, 0))
    x_codes, y_codes = (codes[:, [2, 0]] for codes in cca.transform_pair(*frames))
    assert_allclose(display.points_["x"][0].get_offsets(), x_codes)
    assert_allclose(display.points_["y"][0].get_offsets(), y_codes)
    arrows = display.arrows_
    assert_allclose(arrows.XY, x_codes)
    assert_allclose(np.c_[arrows.U, arrows.V], y_codes - x_codes)
    assert display.ax_.get_xlabel() == "linearcca2"
    assert display.ax_.get_ylabel() == "linearcca0"


def test_classes_are_told_apart_by_colours_and_named(cca, frames):
    labels = np.repeat(["a", "b"], 10)
    display = ScoresDisplay.from_estimator(cca, *frames, labels=labels, arrows=False)
    x_codes = cca.transform(frames[0])
    for points, label in zip(display.points_["x"], "ab", strict=True):
        assert_allclose(points.get_offsets(), x_codes[labels == label, :2])
    (first, second), (again, _) = display.points_["x"], display.points_["y"]
    assert_array_equal(first.get_facecolor(), again.get_facecolor())
    assert (first.get_facecolor() != second.get_facecolor()).any()
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["a", "b"]
    assert display.arrows_ is None


def test_every_one_of_many_classes_has_a_colour_of_its_own():
    codes = np.random.default_rng(0).normal(size=(40, 2))
    display = ScoresDisplay.from_codes(codes, codes, labels=np.arange(40) // 2)
    colors = {tuple(points.get_facecolor()[0]) for points in display.points_["x"]}
    assert len(colors) == 20


def test_real_numbers_get_a_colour_bar(cca, frames):
    weight = frames[0]["Weight"] / 7
    display = ScoresDisplay.from_estimator(cca, *frames, labels=weight)
    assert_allclose(display.points_["y"][0].get_array(), weight)
    assert len(display.figure_.axes) == 2


def test_a_missing_view_has_no_point_and_no_arrow():
    codes = np.random.default_rng(0).normal(size=(5, 2))
    with_gap = codes + 1
    with_gap[3] = np.nan
    display = ScoresDisplay.from_codes(codes, with_gap)
    assert_allclose(display.arrows_.XY, codes[[0, 1, 2, 4]])
    display.figure_.canvas.draw()


@pytest.mark.parametrize("kind", ["pipeline", "frames", "deep"])
def test_any_two_view_estimator_is_drawn(kind, frames):
    if kind == "deep":
        estimator = DeepCCA(max_epochs=1, validation_fraction=None, random_state=0)
    else:
        estimator = make_view_pipeline(
            LinearCCA(2), x=(StandardScaler(),), y=(StandardScaler(),)
        )
    if kind == "frames":
        estimator.set_output(transform="pandas")
    estimator.fit(*frames)
    display = ScoresDisplay.from_estimator(estimator, *frames)
    expected = np.asarray(estimator.transform(frames[0]))
    assert_allclose(display.points_["x"][0].get_offsets(), expected)


def test_axes_that_are_given_are_drawn_on(cca, frames):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert ScoresDisplay.from_estimator(cca, *frames, ax=ax).ax_ is ax


def test_what_does_not_fit_is_refused(cca, frames):
    with pytest.raises(ValueError, match="integers from 0 to 2, .* Got 3"):
        ScoresDisplay.from_estimator(cca, *frames, components=(0, 3))
    with pytest.raises(
        ValueError, match=r"must be 2 numbers in a list or tuple\. Got \(0,\)"
    ):
        ScoresDisplay.from_estimator(cca, *frames, components=(0,))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ScoresDisplay.from_estimator(cca, *frames, labels=[1, 2])
    with pytest.raises(ValueError, match=r"same shape.*Got \(3, 2\) and \(4, 2\)"):
        ScoresDisplay.from_codes(np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(ValueError, match="PCA does not give them: .* transform_pair"):
        ScoresDisplay.from_estimator(PCA().fit(frames[0]), *frames)
    with pytest.raises(NotFittedError):
        ScoresDisplay.from_estimator(LinearCCA(), *frames)
    pipeline = make_pipeline(StandardScaler(), LinearCCA()).fit(*frames)
    with pytest.raises(ValueError, match="use make_view_pipeline"):
        ScoresDisplay.from_estimator(pipeline, *frames)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.array(["a", None, "b"], dtype=object), "labels holds no label in row 1"),
        (np.array([0.5, 0.2, np.nan]), "labels holds no label in row 2"),
        (np.array([0.5, np.inf, 0.1]), "labels holds a float in row 1"),
        (np.array(["a", 1, "b"], dtype=object), "labels of different kinds, 'a' and 1"),
        (np.eye(3, dtype=int), "y should be a 1d array"),
        (["a", "b"], "inconsistent numbers of samples"),
    ],
)
def test_labels_that_colour_nothing_are_refused_before_a_figure_is_made(
    labels, expected
):
    codes = np.random.default_rng(0).normal(size=(3, 2))
    with pytest.raises(ValueError, match=expected):
        ScoresDisplay.from_codes(codes, codes, labels=labels)
    assert plt.get_fignums() == []


def test_labels_of_a_column_are_labels():
    codes = np.random.default_rng(0).normal(size=(4, 2))
    labels = np.array([[0], [1], [0], [1]])
    display = ScoresDisplay.from_codes(codes, codes, labels=labels)
    assert_allclose(display.points_["x"][1].get_offsets(), codes[[1, 3]])
