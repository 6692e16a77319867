"""Drawn maps against the gradients that they are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch import nn

from skcrl import LinearCCA, LinearCommonIndividual, make_view_pipeline
from skcrl.datasets import load_digits_halves
from skcrl.inspection import gradient_map
from skcrl.plotting import SaliencyDisplay


@pytest.fixture(scope="module")
def halves():
    left, right, _ = load_digits_halves()
    return left[:400], right[:400]


def drawn(images):
    return np.stack([image.get_array() for image in images])


def test_maps_of_a_linear_estimator_are_those_of_the_formula(halves):
    left, right = halves
    cca = LinearCCA(4, reg=1.0).fit(left, right)
    display = SaliencyDisplay.from_estimator(cca, left[:3], right[:3], shape=(8, 4))
    z, v = cca.transform(left[:3]), cca.transform_y(right[:3])
    lengths = np.linalg.norm(z, axis=1), np.linalg.norm(v, axis=1)
    cosine = ((z * v).sum(axis=1) / (lengths[0] * lengths[1]))[:, None]
    unit = z / lengths[0][:, None]
    along = unit * (unit * v).sum(axis=1, keepdims=True)
    # Equation 8 of MUC2M, as the docstring of gradient_map has it.
    expected = cosine * (2 * v - along) @ cca.x_weights_.T
    assert_allclose(drawn(display.images_[0]), left[:3].reshape(3, 8, 4))
    assert_allclose(drawn(display.images_[1]), expected.reshape(3, 8, 4), rtol=1e-5)
    assert len(display.images_) == 2
    limits = [image.get_clim() for image in display.images_[1]]
    assert_allclose(limits, np.abs(expected).max() * np.array([[-1, 1]] * 3))


def test_individual_maps_come_below_the_common_ones(halves):
    parts = LinearCommonIndividual(4, n_individual=4).fit(*halves)
    rows = [half[:2] for half in halves]
    shared = {"side": "y", "method": "gradient_times_input"}
    display = SaliencyDisplay.from_estimator(parts, *rows, shape=(8, 4), **shared)
    for row, score in zip(display.images_[1:], ("common", "individual"), strict=True):
        expected = gradient_map(parts, *rows, score=score, **shared)
        assert_allclose(drawn(row), expected.reshape(2, 8, 4))
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == ["image", "common", "individual"]
    alone = SaliencyDisplay.from_estimator(
        parts, *rows, shape=(8, 4), scores=["individual"], **shared
    )
    assert_allclose(drawn(alone.images_[1]), drawn(display.images_[2]))


def test_maps_of_images_in_front_of_an_extractor(halves):
    left, right = halves
    cca = LinearCCA(4, reg=1.0).fit(left, right)
    images = left[:2].reshape(2, 1, 8, 4)
    display = SaliencyDisplay.from_estimator(
        cca, images, right[:2], extractor=nn.Flatten()
    )
    flat = SaliencyDisplay.from_estimator(cca, left[:2], right[:2], shape=(8, 4))
    for row, expected in zip(display.images_, flat.images_, strict=True):
        assert_allclose(drawn(row), drawn(expected), rtol=1e-5)


def test_channels_of_maps_are_added_up_and_rows_have_one_scale():
    rng = np.random.default_rng(0)
    images, gradients = rng.random((2, 3, 6, 5)), rng.random((2, 3, 6, 5))
    display = SaliencyDisplay.from_maps(images, {"common": gradients})
    assert_allclose(drawn(display.images_[0]), np.moveaxis(images, 1, -1))
    assert_allclose(drawn(display.images_[1]), gradients.sum(axis=1))
    most = gradients.sum(axis=1).max()
    for image in display.images_[1]:
        assert_allclose(image.get_clim(), (0, most))


def test_what_does_not_fit_is_refused(halves):
    left, right = (half[:2] for half in halves)
    cca = LinearCCA(2, reg=1.0).fit(*halves)
    draw = SaliencyDisplay.from_estimator
    with pytest.raises(ValueError, match=r"draws images, .* pass shape=\(height"):
        draw(cca, left, right)
    with pytest.raises(ValueError, match="side must be 'x' or 'y', got 'z'"):
        draw(cca, left, right, side="z", shape=(8, 4))
    with pytest.raises(ValueError, match="LinearCCA has common codes only"):
        draw(cca, left, right, shape=(8, 4), scores=["individual"])
    pipeline = make_view_pipeline(LinearCCA(2, reg=1.0)).fit(*halves)
    with pytest.raises(ValueError, match="ViewPipeline has none. Use its estimator_"):
        draw(pipeline, left, right, shape=(8, 4))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SaliencyDisplay.from_maps(np.ones((3, 4, 4)), {"common": np.ones((2, 4, 4))})


def test_maps_have_names():
    rows = np.ones((2, 3, 4))
    with pytest.raises(
        ValueError, match="maps must be a dict from names to maps. Got list"
    ):
        SaliencyDisplay.from_maps(rows, [rows])
