"""Widths of hidden layers: the same for both views, or others for each view."""

from numbers import Integral

import numpy as np

_SEQUENCES = (list, tuple, range, np.ndarray)


def hidden_layers(sizes):
    """Hidden layers of each view, by its side.

    Parameters
    ----------
    sizes : sequence of int or (x, y) pair of sequences
        Widths for both views, or for each. A sequence is a pair if it contains
        sequences.

    Returns
    -------
    hidden : dict of "x" and "y" to tuple of int

    Raises
    ------
    ValueError
        If these are not valid widths.
    """
    pair = tuple(sizes) if is_pair(sizes) else (sizes, sizes)
    if len(pair) != 2 or not all(map(_are_widths, pair)):
        raise ValueError(
            "hidden_layer_sizes must contain positive integers, or be an (x, y) pair "
            f"of sequences of positive integers, such as ((), (64,)), got {sizes!r}."
        )
    return {
        side: tuple(int(width) for width in widths)
        for side, widths in zip(("x", "y"), pair, strict=True)
    }


def is_pair(sizes):
    """Whether each view has sizes of its own."""
    return any(isinstance(size, _SEQUENCES) for size in sizes)


def _are_widths(widths):
    return np.iterable(widths) and all(
        isinstance(width, Integral) and not isinstance(width, bool) and int(width) > 0
        for width in widths
    )
