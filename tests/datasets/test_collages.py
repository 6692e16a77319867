"""Collages: what they show, where, and that views share what the names say."""

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skcrl.datasets import load_emoji, make_collages

NUMBERS = "zero one two three four five six seven eight nine".split()
KINDS = [(o, c) for o in ("digits-emoji", "emoji-emoji") for c in (True, False)]


@cache
def pictures_of(name):
    """Every picture of 16 x 16 pixels that goes by a name."""
    if name in NUMBERS:
        digits = load_digits()
        images = digits.images[digits.target == NUMBERS.index(name)] / 16
        twice = images.repeat(2, axis=1).repeat(2, axis=2)
        return np.stack([twice] * 3, axis=1)
    emoji = load_emoji()
    image = 1 - emoji.images[emoji.names == name][0].transpose(2, 0, 1) / 255
    quarters = [image[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return np.mean(quarters, axis=0)[None]


def shows(half, name):
    """Whether half a collage holds one such picture, and nothing beside it."""
    for top, left in np.ndindex(9, 9):
        part = half[:, top : top + 16, left : left + 16]
        if np.isclose(part.sum(), half.sum(), rtol=1e-4):
            off = abs(pictures_of(name) - part).max(axis=(1, 2, 3))
            if off.min() < 1e-5:
                return True
    return False


@pytest.mark.parametrize(("objects", "common"), KINDS)
def test_pictures_show_what_the_names_say_where_the_masks_say(objects, common):
    made = make_collages(8, objects=objects, common=common, random_state=0)
    views = (made.x, made.x_common, made.x_names), (made.y, made.y_common, made.y_names)
    for pictures, masks, names in views:
        assert pictures.shape == (8, 3, 24, 48)
        assert pictures.dtype == np.float32
        assert (pictures.min(), masks.dtype) == (0, bool)
        assert pictures.max() <= 1
        for picture, mask, (first, own) in zip(pictures, masks, names, strict=True):
            left, right = picture[:, :, :24], picture[:, :, 24:]
            if not common:
                assert not mask.any()
                assert (shows(left, first) and shows(right, own)) or (
                    shows(left, own) and shows(right, first)
                )
                continue
            assert mask[:, :24].all() != mask[:, 24:].all()
            assert mask.sum() == 24 * 24
            halves = (left, right) if mask[0, 0] else (right, left)
            assert shows(halves[0], first)
            assert shows(halves[1], own)


@pytest.mark.parametrize(("objects", "common"), KINDS)
def test_a_pair_shares_one_object_or_none(objects, common):
    made = make_collages(3000, objects=objects, common=common, random_state=1)
    firsts, own = zip(made.x_names.T, made.y_names.T, strict=True)
    pairs = [(firsts[0], own[0]), (firsts[0], own[1]), (firsts[1], own[1]), own]
    for a, b in pairs:
        assert (a != b).all()
    assert ((firsts[0] == firsts[1]) == common).all()
    if objects == "digits-emoji":
        _, counts = np.unique(firsts[1], return_counts=True)
        assert len(counts) == 10
        assert abs(counts / 3000 - 0.1).max() < 0.03
    together = np.column_stack([v.reshape(3000, -1) for v in (made.x, made.y)])
    assert len({row.tobytes() for row in together}) == 3000


def test_views_draw_sides_places_and_digits_of_their_own():
    made = make_collages(2000, random_state=0)
    x_left, y_left = made.x_common[:, 0, 0], made.y_common[:, 0, 0]
    together = np.array(
        [[(x_left == a) & (y_left == b) for a in (0, 1)] for b in (0, 1)]
    )
    assert abs(together.mean(axis=2) - 0.25).max() < 0.03
    digits = [
        view.transpose(0, 2, 3, 1)[mask].reshape(2000, -1)
        for view, mask in ((made.x, made.x_common), (made.y, made.y_common))
    ]
    assert (digits[0] == digits[1]).all(axis=1).mean() < 0.01


def test_rows_are_those_asked_for():
    digits, emoji = load_digits(), load_emoji()
    rows, others = np.arange(20), [5, 9, 3]
    made = make_collages(200, digit_rows=rows, emoji_rows=others, random_state=0)
    for names in (made.x_names, made.y_names):
        assert set(names[:, 1]) == set(emoji.names[others])
    sums = digits.images[rows].sum(axis=(1, 2)) / 4
    ink = (made.x * made.x_common[:, None]).sum(axis=(1, 2, 3)) / 3
    assert np.isclose(ink[:, None], sums).any(axis=1).all()


def test_the_seed_decides_and_the_global_one_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first, second, other, _ = (
        make_collages(20, random_state=seed) for seed in (0, 0, 1, None)
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.x, other.x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "'n_samples' parameter"),
        ({"objects": "dogs"}, "'objects' parameter"),
        ({"emoji_rows": [3]}, "emoji_rows must show at least 2 different .* got 1"),
        (
            {"objects": "emoji-emoji", "common": False, "emoji_rows": [3, 4, 4, 5]},
            "emoji_rows must show at least 4 different objects, got 3",
        ),
        (
            {"common": False, "digit_rows": [0, 10]},
            "digit_rows must show at least 2 different objects, got 1",
        ),
        ({"digit_rows": [1797]}, "digit_rows must be .* from 0 to 1796"),
        ({"emoji_rows": [-1, 2]}, "emoji_rows must be .* from 0 to 1848"),
        ({"emoji_rows": [0.5, 2]}, "emoji_rows must be .* whole numbers"),
        ({"emoji_rows": [[1, 2]]}, "emoji_rows must be a sequence"),
        ({"digit_rows": np.ones(1797, bool)}, "flatnonzero of a mask"),
        (
            {"objects": "emoji-emoji", "digit_rows": [1]},
            "shows no digits. Leave it out",
        ),
        ({"digit_rows": []}, "digit_rows must be .* one or more"),
    ],
)
def test_collages_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_collages(**{"n_samples": 2, **arguments})
