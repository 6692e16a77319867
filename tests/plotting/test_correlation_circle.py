"""Drawn points, arrows and names against correlations that NumPy computes."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from skcrl import DeepCCA, KernelCCA, LinearCCA, make_view_pipeline
from skcrl.plotting import CorrelationCircleDisplay
from skcrl.plotting._variables import spread


def correlations(view, codes):
    """Correlation of each column with each code, one by one."""
    view, codes = np.asarray(view), np.asarray(codes)
    return [[np.corrcoef(v, z)[0, 1] for z in codes.T] for v in view.T]


def test_points_and_arrows_are_the_loadings(cca, frames):
    display = CorrelationCircleDisplay.from_estimator(
        cca, *frames, components=(2, 0), top=2
    )
    codes = cca.transform_pair(*frames)
    for side, view, Z in zip("xy", frames, codes, strict=True):
        expected = np.array(correlations(view, Z[:, [2, 0]]))
        assert_allclose(display.points_[side].get_offsets(), expected)
        farthest = np.argsort(-np.hypot(*expected.T))[:2]
        arrows = display.arrows_[side]
        assert_allclose(np.c_[arrows.U, arrows.V], expected[farthest])
        assert_allclose(arrows.XY, 0)
        texts = display.texts_[side]
        assert [text.get_text() for text in texts] == list(view.columns[farthest])
        assert_allclose([text.xy for text in texts], expected[farthest])
    assert display.ax_.get_xlabel() == "linearcca2"
    assert display.ax_.get_ylabel() == "linearcca0"
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["first view", "second view"]


@pytest.mark.parametrize(
    "estimator",
    [
        DeepCCA(max_epochs=1, validation_fraction=None, random_state=0),
        KernelCCA(2),
        make_view_pipeline(LinearCCA(2), x=(PCA(2),)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_variables_of_any_two_view_estimator_are_drawn(estimator, frames):
    X, y = (np.asarray(view, dtype=np.float64) for view in frames)
    estimator.fit(X, y)
    display = CorrelationCircleDisplay.from_estimator(estimator, X, y)
    expected = correlations(X, estimator.transform(X)[:, :2])
    assert_allclose(display.points_["x"].get_offsets(), expected, atol=1e-6)
    assert {text.get_text() for text in display.texts_["y"]} == {"y0", "y1", "y2"}


def test_codes_at_hand_are_drawn_as_the_estimator_is(cca, frames):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    display = CorrelationCircleDisplay.from_codes(
        *cca.transform_pair(*frames), *frames, ax=ax
    )
    other = CorrelationCircleDisplay.from_estimator(cca, *frames)
    assert display.ax_ is ax
    assert ax.get_xlabel() == "component0"
    assert_allclose(display.x_loadings, other.x_loadings)
    assert_allclose(display.y_loadings, other.y_loadings)


def test_sparse_views_are_drawn_as_dense_ones_are(frames):
    X, y = (csr_array(view.to_numpy()) for view in frames)
    cca = LinearCCA(2).fit(X, y)
    display = CorrelationCircleDisplay.from_estimator(cca, X, y)
    expected = correlations(frames[1], cca.transform_y(y))
    assert_allclose(display.points_["y"].get_offsets(), expected)


def test_a_constant_variable_is_in_the_centre(cca, frames):
    X = frames[0].assign(Weight=3.0)
    display = CorrelationCircleDisplay.from_codes(
        *cca.transform_pair(*frames), X, frames[1]
    )
    assert_allclose(display.points_["x"].get_offsets()[0], 0)


def test_names_of_many_variables_do_not_overlap():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(60, 2))
    X, y = (
        pd.DataFrame(
            shared @ rng.normal(size=(2, 200)) + rng.normal(size=(60, 200)),
            columns=[f"a variable with a long name {stem}{i}" for i in range(200)],
        )
        for stem in "xy"
    )
    display = CorrelationCircleDisplay.from_codes(shared, shared, X, y, top=25)
    figure = display.figure_
    figure.canvas.draw()
    boxes = [
        # Of the text alone, without its line.
        super(type(text), text).get_window_extent()
        for side in "xy"
        for text in display.texts_[side]
    ]
    assert len(boxes) == 50
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1
        shrunk = box.padded(-1.5)  # letters are lower than their lines
        assert not any(shrunk.overlaps(other.padded(-1.5)) for other in boxes[:i])


def test_spread_heights_are_the_nearest_that_are_apart():
    places, gap = spread(np.array([0.0, 0.05, 0.9, 0.0]), 0.2, -1.0, 1.0)
    # The three lowest keep their order about their mean, 1/60; the other stays.
    assert_allclose(places, [1 / 60 - 0.2, 1 / 60 + 0.2, 0.9, 1 / 60])
    assert gap == 0.2
    places, gap = spread(np.full(6, 5.0), 0.5, 0.0, 1.0)
    assert_allclose(places, np.linspace(0, 1, 6))
    assert_allclose(gap, 0.2)


def test_all_names_may_stand_on_one_side(frames):
    bodies, exercises = frames
    codes = bodies[["Waist", "Weight"]].to_numpy(float)
    display = CorrelationCircleDisplay.from_codes(
        codes, codes, bodies, exercises, components=(0, 0), top=1
    )
    (x_text,), (y_text,) = display.texts_["x"], display.texts_["y"]
    assert [x_text.get_text(), y_text.get_text()] == ["Waist", "Situps"]
    rest = {"x": 1, "y": -1}  # Waist with itself, and Situps with fewer
    for side, text in (("x", x_text), ("y", y_text)):
        assert text.xyann[0] * rest[side] > 0


def test_what_does_not_fit_is_refused(cca, frames):
    draw = CorrelationCircleDisplay.from_estimator
    with pytest.raises(ValueError, match=r"integer of 1 or more. Got 0\."):
        draw(cca, *frames, top=0)
    with pytest.raises(ValueError, match="integers from 0 to 2, .* Got 3"):
        draw(cca, *frames, components=(0, 3))
    with pytest.raises(ValueError, match="CorrelationCircleDisplay .* PCA does not"):
        draw(PCA().fit(frames[0]), *frames)
    with pytest.raises(NotFittedError):
        draw(LinearCCA(), *frames)
    codes = cca.transform_pair(*frames)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        CorrelationCircleDisplay.from_codes(codes[0][:5], codes[1][:5], *frames)
    gap = frames[0].astype(float)
    gap.loc[4] = np.nan
    with pytest.raises(ValueError, match="X contains NaN, first in row 4, .*Weight"):
        CorrelationCircleDisplay.from_codes(*codes, gap, frames[1])
    codes[0][1] = np.nan
    with pytest.raises(ValueError, match="x_codes contains NaN"):
        CorrelationCircleDisplay.from_codes(*codes, *frames)
