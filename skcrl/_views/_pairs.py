"""Which rows of two views belong together: those in one place, with one label."""

import numpy as np
from sklearn.utils.validation import _num_samples

from skcrl._views._kinds import kind_of
from skcrl._views._values import is_missing


def _row_labels(view):
    """Index of a pandas data frame or series, or None if rows have no labels.

    An index that only counts the rows from 0 says nothing, and is None, too.
    """
    if not hasattr(view, "iloc"):
        return None
    index = view.index
    counts = type(index).__name__ == "RangeIndex" and index.start == 0
    return None if counts and index.step == 1 else index


def check_paired(X, y, names=("X", "y")):
    """Raise ValueError unless X and y have the same number of rows and equal labels."""
    n_x, n_y = _num_samples(X), _num_samples(y)
    x_labels, y_labels = _row_labels(X), _row_labels(y)
    are_labelled = x_labels is not None and y_labels is not None
    x, y = names
    if n_x != n_y:
        by_label = f" {_by_label(x_labels, y_labels, x, y)}" if are_labelled else ""
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[n_x, n_y]}. Rows of {x} and {y} must be paired.{by_label}"
        )
    if not are_labelled or x_labels.equals(y_labels):
        return
    difference = _first_difference(x_labels, y_labels)
    if difference is None:
        return
    row, x_label, y_label = difference
    raise ValueError(
        f"Rows of {x} and {y} are paired by their place, but the index of {x} differs "
        f"from that of {y}: row {row} is {x_label!r} in {x} and {y_label!r} in {y}. "
        f"{_by_label(x_labels, y_labels, x, y)} If places say it, pass "
        "reset_index(drop=True) of both."
    )


def rows_with_both(X, y):
    """Positions of the rows in which both views are present; None if all are.

    The views are paired, but not checked. A row is missing if it is None, or if all of
    its cells are missing.
    """
    gaps = [kind_of(X, "X").gaps(X), kind_of(y, "y").gaps(y)]
    gaps = [missing for missing in gaps if missing is not None]
    return np.flatnonzero(~np.logical_or.reduce(gaps)) if gaps else None


def check_beside(view, given, name, name_of_view="X"):
    """Raise ValueError if a series, such as weights, has other labels than the view."""
    are_pandas = hasattr(view, "iloc") and hasattr(given, "iloc")
    if are_pandas and len(view) == len(given):
        check_paired(view, given, (name_of_view, name))


def _by_label(x_labels, y_labels, x, y):
    """How to pair rows by their labels."""
    if set(x_labels) == set(y_labels):
        remedy = f"{y}.loc[{x}.index]"
    else:
        rows = f"rows = {x}.index.intersection({y}.index)"
        remedy = f"{x}.loc[rows] and {y}.loc[rows], with {rows}"
    return f"If labels say what belongs together, pass {remedy}."


def _first_difference(x_labels, y_labels):
    """Row of the first labels that differ, and both labels; None if none do."""
    pairs = enumerate(zip(x_labels, y_labels, strict=True))
    differences = (
        (row, a, b)
        for row, (a, b) in pairs
        if not np.array_equal(a, b) and not (is_missing(a) and is_missing(b))
    )
    return next(differences, None)
