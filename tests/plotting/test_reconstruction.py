"""Drawn images against what the estimator reconstructs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skcrl import LinearCCA, make_view_pipeline
from skcrl.datasets import load_digits_halves
from skcrl.plotting import ReconstructionDisplay


@pytest.fixture(scope="module")
def halves():
    left, right, _ = load_digits_halves()
    return left[:300], right[:300]


def drawn(images):
    return np.stack([image.get_array() for image in images])


@pytest.mark.parametrize("kind", ["estimator", "pipeline"])
@pytest.mark.parametrize("to", ["x", "y"])
def test_rows_are_what_is_given_reconstructed_and_true(kind, to, halves):
    estimator = LinearCCA(5, reg=1.0)
    if kind == "pipeline":
        estimator = make_view_pipeline(estimator, x=PCA(10), y=PCA(10))
    left, right = (half[:4] for half in halves)
    estimator.fit(*halves)
    display = ReconstructionDisplay.from_estimator(
        estimator, left, right, to=to, shape=(8, 4)
    )
    given, truth = (right, left) if to == "x" else (left, right)
    source = {"y": right} if to == "x" else {"X": left}
    reconstructed = estimator.reconstruct(**source, to=to)
    for row, expected in zip(
        display.images_, (given, reconstructed, truth), strict=True
    ):
        assert_allclose(drawn(row), expected.reshape(4, 8, 4))
    # One scale: the range of the true pixels.
    assert display.images_[1, 2].get_clim() == (truth.min(), truth.max())
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    first, second = "first view", "second view"
    one, other = (second, first) if to == "x" else (first, second)
    assert names == [f"{one}, given", f"{other}, reconstructed", f"{other}, true"]


def test_images_lie_side_by_side_and_rows_one_below_the_other():
    images = np.random.default_rng(0).random((3, 6, 4))
    display = ReconstructionDisplay.from_arrays(images, images, images)
    boxes = np.array([[i.get_extent() for i in row] for row in display.images_])
    left, right, bottom, top = np.moveaxis(boxes, -1, 0)
    assert (left[:, 1:] > right[:, :-1]).all()
    assert (top[1:] > bottom[:-1]).all()  # the vertical axis points down
    assert_allclose((right - left) / (bottom - top), 4 / 6)
    low, high = display.ax_.get_ylim()[::-1]
    assert low < top.min()
    assert bottom.max() < high


def test_views_of_other_sizes_have_shapes_of_their_own():
    rng = np.random.default_rng(0)
    X, y = rng.random((50, 12)), rng.random((50, 8))
    cca = LinearCCA(2).fit(X, y)
    display = ReconstructionDisplay.from_estimator(
        cca, X[:2], y[:2], shape=((3, 4), (2, 4))
    )
    assert_allclose(drawn(display.images_[0]), X[:2].reshape(2, 3, 4))
    assert_allclose(drawn(display.images_[2]), y[:2].reshape(2, 2, 4))


@pytest.mark.parametrize("layout", ["flat", "channels first", "channels last"])
def test_reconstructed_colours_are_cut_off_where_they_leave_the_range(layout):
    colors = np.random.default_rng(0).random((2, 5, 4, 3))
    beyond = 2 * colors - 0.5
    arrays, shape = [colors, beyond, colors], None
    if layout == "flat":
        arrays, shape = [a.reshape(2, -1) for a in arrays], (5, 4, 3)
    elif layout == "channels first":
        arrays = [np.moveaxis(a, -1, 1) for a in arrays]
    display = ReconstructionDisplay.from_arrays(*arrays, shape=shape)
    assert_allclose(drawn(display.images_[0]), colors)
    assert_allclose(drawn(display.images_[1]), np.clip(beyond, 0, 1))


def test_axes_that_are_given_are_drawn_on(halves):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    left, right = (half[:2] for half in halves)
    display = ReconstructionDisplay.from_arrays(left, right, right, shape=(8, 4), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_what_does_not_fit_is_refused(halves):
    cca = LinearCCA(2, reg=1.0).fit(*halves)
    left, right = (half[:2] for half in halves)
    draw = ReconstructionDisplay.from_estimator
    with pytest.raises(ValueError, match=r"\(2, 32\). If its .* pass shape=\(height"):
        draw(cca, left, right)
    with pytest.raises(ValueError, match=r"rows of 36 numbers, but X has .* \(2, 32\)"):
        draw(cca, left, right, shape=(6, 6))
    with pytest.raises(ValueError, match="to must be 'x' or 'y', got 'both'"):
        draw(cca, left, right, to="both", shape=(8, 4))
    with pytest.raises(ValueError, match="PCA does not give them: .* reconstruct"):
        draw(PCA().fit(left), left, right, shape=(8, 4))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReconstructionDisplay.from_arrays(left, right[:1], right, shape=(8, 4))


@pytest.mark.parametrize("shape", [32, (), "ab", (-8, -4), (8.0, 4.0), (32,)])
def test_shapes_are_two_or_three_numbers(shape):
    rows = np.ones((2, 32))
    with pytest.raises(ValueError, match="shape must be the height and width"):
        ReconstructionDisplay.from_arrays(rows, rows, rows, shape=shape)


def test_what_is_reconstructed_has_the_shape_of_what_is_true():
    rows, turned = np.ones((2, 8, 4)), np.ones((2, 4, 8))
    expected = r"shape of the true ones. Got images of \(2, 4, 8\) and \(2, 8, 4\)"
    with pytest.raises(ValueError, match=expected):
        ReconstructionDisplay.from_arrays(rows, turned, rows)


def test_colours_are_drawn_alike_whatever_their_type():
    colors = np.random.default_rng(0).integers(40, 200, (2, 5, 4, 3))
    as_bytes = colors.astype(np.uint8)
    display = ReconstructionDisplay.from_arrays(as_bytes, as_bytes + 0.0, as_bytes)
    _, reconstructed, true = display.images_[:, 0]
    assert_allclose(reconstructed.get_array(), true.get_array() / 255)
    display = ReconstructionDisplay.from_arrays(*[colors * 10] * 3)
    low, high = colors.min(), colors.max()
    drawn = display.images_[2, 1].get_array()
    assert_allclose(drawn, (colors[1] - low) / (high - low))
