"""Pairs of pictures for which it is known what they have in common, and where."""

from numbers import Integral
from typing import Literal, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skcrl._numbers import check_numbers
from skcrl._typing import Rows, Seed
from skcrl._validation import random_source
from skcrl.datasets._emoji import load_emoji

_OBJECT, _HALF = 16, 24  # length of their sides, in pixels
_DIGITS = "zero one two three four five six seven eight nine".split()


class Collages(NamedTuple):
    """Pairs of pictures, row by row."""

    x: np.ndarray  # (n_samples, 3, 24, 48) float32, red, green and blue
    y: np.ndarray  # (n_samples, 3, 24, 48)
    x_common: np.ndarray  # (n_samples, 24, 48) bool
    y_common: np.ndarray  # (n_samples, 24, 48)
    x_names: np.ndarray  # (n_samples, 2) of str
    y_names: np.ndarray  # (n_samples, 2)


class _Objects(NamedTuple):
    """Pictures from which objects are drawn, and the names of what they show."""

    pictures: np.ndarray  # (n, 3, 16, 16)
    names: np.ndarray  # (n,)


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "objects": [StrOptions({"digits-emoji", "emoji-emoji"})],
        "common": ["boolean"],
        "digit_rows": ["array-like", None],
        "emoji_rows": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_collages(
    n_samples: int = 1000,
    *,
    objects: Literal["digits-emoji", "emoji-emoji"] = "digits-emoji",
    common: bool = True,
    digit_rows: Rows | None = None,
    emoji_rows: Rows | None = None,
    random_state: Seed = None,
) -> Collages:
    """Make pairs of pictures that share one object and each have another of their own.

    Use the pairs to measure whether a method finds what is common and what is
    individual: masks say where the common object is. Each picture has two halves. One
    half, chosen at random, holds the object that both pictures of the pair show. The
    other half holds an object that only this picture shows. The position of an object
    within its half is random.

    The names of the objects are texts. So a picture and the name of one of its objects
    are also two views. What they have in common is that object.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of pairs.
    objects : {"digits-emoji", "emoji-emoji"}, default="digits-emoji"
        The objects. With "digits-emoji", both pictures show the same digit (in two
        handwritings), and each shows another emoji. With "emoji-emoji", both pictures
        show the same emoji, and each shows another one.
    common : bool, default=True
        If False, the pictures of a pair have nothing in common: instead of the common
        object they show two different digits or emoji.
    digit_rows : array-like of int or None, default=None
        Rows of ``sklearn.datasets.load_digits()`` from which digits are drawn. None
        means all. Use different rows for training and test pairs.
    emoji_rows : array-like of int or None, default=None
        Rows of :func:`load_emoji` from which emoji are drawn. None means all.
    random_state : int, RandomState instance or None, default=None
        Seed for the objects and their positions.

    Returns
    -------
    collages : Collages
        Named tuple of arrays with the same rows:

        x, y : ndarray of float32 of shape (n_samples, 3, 24, 48)
            Pictures. The axes are samples, colours (red, green and blue), rows and
            columns. Pixels are from 0 to 1, and 0 where there is no object. Emoji have
            inverted colours.
        x_common, y_common : ndarray of bool of shape (n_samples, 24, 48)
            True on the half with the common object, and False elsewhere.
        x_names, y_names : ndarray of str of shape (n_samples, 2)
            Names of the two objects of each picture: first the common object (or what
            is in its place), then the individual one. Names are "zero" to "nine", or
            the English short names of emoji.

    Raises
    ------
    ValueError
        If a parameter is invalid, rows do not exist, or they show too few objects.

    See Also
    --------
    skcrl.metrics.saliency_precision : Share of a map that lies on an object.

    Examples
    --------
    >>> from skcrl.datasets import make_collages
    >>> collages = make_collages(3, random_state=0)
    >>> collages.x.shape
    (3, 3, 24, 48)
    >>> print(collages.x_names[0], collages.y_names[0])
    ['seven' 'flag: Uruguay'] ['seven' 'man bowing']
    """
    if digit_rows is not None and objects == "emoji-emoji":
        raise ValueError(
            'digit_rows can only be used with objects="digits-emoji", because '
            'objects="emoji-emoji" shows no digits. Leave it out.'
        )
    rng = random_source(random_state)
    emoji = _emoji(emoji_rows)
    first = _digits(digit_rows) if objects == "digits-emoji" else emoji
    views, masks, names = [], [], []
    for a, b in zip(*_drawn(n_samples, first, emoji, common, rng), strict=True):
        view, mask = _collage(first.pictures[a], emoji.pictures[b], rng)
        views.append(view)
        masks.append(mask & common)
        names.append(np.column_stack([first.names[a], emoji.names[b]]))
    return Collages(*views, *masks, *names)


def _digits(rows):
    digits = load_digits()
    rows = _check_rows(rows, "digit_rows", len(digits.target))
    # The digits are (n, 8, 8), with pixels from 0 to 16. Each pixel becomes 2 x 2
    # pixels in 3 channels.
    pictures = np.kron(digits.images[rows][:, None] / 16, np.ones((3, 2, 2)))
    return _Objects(pictures, np.array(_DIGITS)[digits.target[rows]])


def _emoji(rows):
    emoji = load_emoji()
    rows = _check_rows(rows, "emoji_rows", len(emoji.names))
    ink = 1 - emoji.images[rows].transpose(0, 3, 1, 2) / np.float32(255)
    # Means of 2 x 2 pixels
    pictures = ink.reshape(-1, 3, _OBJECT, 2, _OBJECT, 2).mean(axis=(3, 5))
    return _Objects(pictures, emoji.names[rows])


def _check_rows(rows, name, n_rows):
    if rows is None:
        return np.arange(n_rows)
    is_mask = np.asarray(rows).dtype == bool
    rows = check_numbers(rows, name, ensure_2d=False, ensure_min_samples=0)
    is_sequence = rows.ndim == 1 and len(rows) > 0 and not is_mask
    if not is_sequence or not np.isin(rows, np.arange(n_rows)).all():
        raise ValueError(
            f"{name} must be a sequence of one or more whole numbers from 0 to "
            f"{n_rows - 1}{'. Pass numpy.flatnonzero of a mask' * is_mask}."
        )
    return np.unique(rows.astype(int))


def _drawn(n_samples, first, emoji, common, rng):
    """Draw rows of the objects of both views: first the common ones, then their own.

    Both results have the shape (2, n_samples). If the views have nothing in common, the
    first holds different objects.
    """
    n_first = 1 if common else 2
    if first is emoji:
        kinds = _different(n_samples, n_first + 2, emoji, "emoji_rows", rng)
        kinds, own = kinds[:n_first], kinds[n_first:]
    else:
        kinds = _different(n_samples, n_first, first, "digit_rows", rng)
        own = _different(n_samples, 2, emoji, "emoji_rows", rng)
    firsts = [_row_of(first, kind, rng) for kind in (kinds[0], kinds[-1])]
    return firsts, [_row_of(emoji, kind, rng) for kind in own]


def _different(n_samples, k, objects, parameter, rng):
    """Draw numbers (k, n_samples) of names; the k numbers of a sample all differ."""
    n_names = len(np.unique(objects.names))
    if n_names < k:
        raise ValueError(
            f"{parameter} must show at least {k} different objects, got {n_names}."
        )
    chosen = np.empty((0, n_samples), dtype=np.intp)
    for i in range(k):
        number = rng.randint(n_names - i, size=n_samples)
        for earlier in np.sort(chosen, axis=0):
            number += number >= earlier
        chosen = np.vstack([chosen, number])
    return chosen


def _row_of(objects, numbers, rng):
    """Draw a row for each number, among the rows with the name of this number."""
    _, starts, counts = np.unique(
        np.sort(objects.names), return_index=True, return_counts=True
    )
    at = starts[numbers] + rng.randint(counts[numbers])
    return np.argsort(objects.names, kind="stable")[at]


def _collage(firsts, own, rng):
    """Pictures with two objects each, and masks of the half with the first."""
    n_samples = len(firsts)
    sides = rng.randint(2, size=n_samples)
    canvas = np.zeros((n_samples, 3, _HALF, 2 * _HALF), dtype=np.float32)
    for objects, side in ((firsts, sides), (own, 1 - sides)):
        top, left = rng.randint(_HALF - _OBJECT + 1, size=(2, n_samples))
        _paste(canvas, objects, top, left + _HALF * side)
    mask = np.arange(2 * _HALF) // _HALF == sides[:, None, None]
    return canvas, np.repeat(mask, _HALF, axis=1)


def _paste(canvas, objects, top, left):
    along = np.arange(_OBJECT)
    samples = np.arange(len(canvas))[:, None, None]
    rows = top[:, None, None] + along[:, None]
    columns = left[:, None, None] + along
    # NumPy puts the axis of a slice between index arrays last.
    canvas[samples, :, rows, columns] = objects.transpose(0, 2, 3, 1)
