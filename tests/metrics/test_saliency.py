"""Precision and magnitude of maps: loops, closed forms and extremes."""

import numpy as np
import pytest
import torch

from skcrl.metrics import saliency_magnitude, saliency_precision

rng = np.random.default_rng(0)
MAPS = rng.standard_normal((5, 3, 4, 6))
MASKS = rng.random((5, 4, 6)) < 0.4
FOREGROUND = rng.random((5, 4, 6)) < 0.6


def by_loops(maps, masks, foreground):
    """The share of each map on its mask, pixel by pixel."""
    shares = []
    for n in range(len(maps)):
        on_object = whole = 0.0
        for c, i, j in np.ndindex(maps.shape[1:]):
            if foreground[n, i, j]:
                whole += abs(maps[n, c, i, j])
                on_object += abs(maps[n, c, i, j]) * masks[n, i, j]
        shares.append(on_object / whole)
    return sum(shares) / len(shares)


def test_precision_is_that_of_loops():
    expected = by_loops(MAPS, MASKS, np.ones_like(MASKS))
    assert saliency_precision(MAPS, MASKS) == pytest.approx(expected)
    expected = by_loops(MAPS, MASKS, FOREGROUND)
    found = saliency_precision(MAPS, MASKS, foreground=FOREGROUND)
    assert found == pytest.approx(expected)
    found = saliency_precision(abs(MAPS).sum(1), MASKS.astype(int).tolist())
    assert found == pytest.approx(by_loops(MAPS, MASKS, np.ones_like(MASKS)))


def test_precision_of_a_map_that_is_the_same_everywhere_is_the_area():
    half = np.repeat([[[True, False]]], 4, axis=1).repeat(3, axis=2)
    assert saliency_precision(np.full((1, 4, 6), 0.3), half) == 0.5
    assert saliency_precision(np.ones((5, 4, 6)), MASKS) == pytest.approx(MASKS.mean())


def test_precision_of_a_map_on_the_object_is_1_and_of_zeros_0():
    assert saliency_precision(MASKS * 0.2, MASKS) == pytest.approx(1)
    assert saliency_precision(~MASKS * 0.2, MASKS) == 0
    assert saliency_precision(np.zeros((5, 4, 6)), MASKS) == 0
    # Dark where it counts.
    assert saliency_precision(1.0 * MASKS, MASKS, foreground=~MASKS) == 0
    with_zeros = np.concatenate([MAPS, np.zeros_like(MAPS)])
    found = saliency_precision(with_zeros, np.concatenate([MASKS, MASKS]))
    assert found == pytest.approx(saliency_precision(MAPS, MASKS) / 2)


@pytest.mark.parametrize("scale", [1e307, 1e-300])
def test_scale_of_maps_does_not_matter(scale):
    scales = np.array([1, scale, 1, -scale, scale])[:, None, None, None]
    found = saliency_precision(MAPS * scales, MASKS)
    assert found == pytest.approx(saliency_precision(MAPS, MASKS))
    found = saliency_magnitude(MAPS * scales)
    assert found == pytest.approx(saliency_magnitude(MAPS))
    found = saliency_magnitude(MAPS * scale, reference=MAPS * scale)
    assert found == pytest.approx(1)


def test_magnitude_is_the_papers_divided_by_the_pixels():
    sums = []
    for one in abs(MAPS).sum(axis=1):
        sums.append(sum(pixel / one.max() for pixel in one.ravel()))
    assert saliency_magnitude(MAPS) * 24 == pytest.approx(np.mean(sums))
    assert saliency_magnitude(np.zeros((2, 3, 3))) == 0
    assert saliency_magnitude(np.full((2, 3, 3), 0.1)) == pytest.approx(1)


def test_magnitude_beside_others_is_the_ratio_of_means():
    others = rng.standard_normal((7, 3, 4, 6))
    found = saliency_magnitude(MAPS, reference=others)
    assert found == pytest.approx(abs(MAPS).mean() / abs(others).mean())
    assert saliency_magnitude(0.3 * others, reference=others) == pytest.approx(0.3)
    assert saliency_magnitude(0 * others, reference=others) == 0


def test_magnitude_does_not_depend_on_the_size_of_the_picture():
    maps, reference = abs(MAPS[:, 0]), abs(MAPS[:, 1])
    large, large_reference = (np.kron(a, np.ones((3, 2))) for a in (maps, reference))
    assert saliency_magnitude(large) == pytest.approx(saliency_magnitude(maps))
    assert saliency_magnitude(large, reference=large_reference) == pytest.approx(
        saliency_magnitude(maps, reference=reference)
    )


def test_tensors_are_maps():
    maps, masks = torch.tensor(MAPS), torch.tensor(MASKS)
    found = saliency_precision(maps, masks, foreground=masks | True)
    assert found == saliency_precision(MAPS, MASKS)
    assert saliency_magnitude(maps, reference=maps) == 1


@pytest.mark.parametrize(
    ("maps", "masks", "foreground", "message"),
    [
        (MAPS[0, 0], MASKS, None, r"maps must be of shape .*, got \(4, 6\)"),
        (MAPS[:, :0], MASKS, None, r"maps must be of shape .*, got \(5, 0, 4, 6\)"),
        (MAPS[:4], MASKS, None, r"samples: \[4, 5\]. Rows of maps and masks"),
        (MAPS, MASKS[:, :3], None, r"masks must have .* \(5, 4, 6\), got \(5, 3, 6\)"),
        (MAPS, 0.5 * MASKS, None, "masks must hold only True and False"),
        (MAPS, MASKS, MASKS[:, :3], r"foreground must have .* got \(5, 3, 6\)"),
        (MAPS, MASKS, 3 * MASKS, "foreground must hold only True and False"),
        (MAPS * np.nan, MASKS, None, "maps contains NaN"),
    ],
)
def test_precision_refuses(maps, masks, foreground, message):
    with pytest.raises(ValueError, match=message):
        saliency_precision(maps, masks, foreground=foreground)


@pytest.mark.parametrize(
    ("maps", "reference", "message"),
    [
        (MAPS, 0 * MAPS, "reference is 0 everywhere, or too small"),
        (0 * MAPS, 0 * MAPS, "reference is 0 everywhere"),
        (MAPS * 1e300, MAPS * 1e-300, "too small compared with maps"),
        (MAPS, MAPS[:, :, :2], r"got \(4, 6\) and \(2, 6\)"),
        (MAPS, MAPS * np.inf, "reference contains infinity"),
        (MAPS[0, 0], None, "maps must be of shape"),
    ],
)
def test_magnitude_refuses(maps, reference, message):
    with pytest.raises(ValueError, match=message):
        saliency_magnitude(maps, reference=reference)
