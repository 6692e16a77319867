"""Which rows of two views belong together: those in one place, of one label."""

import numpy as np
from sklearn.utils.validation import _num_samples

from skcrl._views._values import is_missing


def _row_labels(view):
    """Labels of the rows of a data frame or series, None where they are mere numbers.

    An index that counts the rows from 0 says nothing, and is None too.
    """
    if not hasattr(view, "iloc"):
        return None
    index = view.index
    counts = type(index).__name__ == "RangeIndex" and index.start == 0
    return None if counts and index.step == 1 else index


def check_paired(X, y, names=("X", "y")):
    """Raise ValueError unless X and y have equally many rows, of equal labels."""
    n_x, n_y = _num_samples(X), _num_samples(y)
    if n_x != n_y:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[n_x, n_y]}. Rows of {names[0]} and {names[1]} must be paired."
        )
    x_labels, y_labels = _row_labels(X), _row_labels(y)
    if x_labels is None or y_labels is None or x_labels.equals(y_labels):
        return
    difference = _first_difference(x_labels, y_labels)
    if difference is None:
        return
    row, x_label, y_label = difference
    x, y = names
    raise ValueError(
        f"Rows of {x} and {y} are paired by their place, but the index of {x} differs "
        f"from that of {y}: row {row} is {x_label!r} in {x} and {y_label!r} in {y}. If "
        f"labels say what belongs together, pass {y}.loc[{x}.index]; if places do, "
        "pass reset_index(drop=True) of both."
    )


def _first_difference(x_labels, y_labels):
    """Row of the first labels that differ, and both labels; None if none do."""
    pairs = enumerate(zip(x_labels, y_labels, strict=True))
    differences = (
        (row, a, b)
        for row, (a, b) in pairs
        if not np.array_equal(a, b) and not (is_missing(a) and is_missing(b))
    )
    return next(differences, None)
