"""Rows that miss a view, and codes from the views that are not missing."""

from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import _num_samples

from skcrl._validation import NAMES
from skcrl._views import kind_of


def rows_there(views):
    """Masks of the rows of each view that are not missing, by side.

    None means that no row is missing. `views` are the given views, by side, as arrays,
    tables or lists.
    """
    gaps = {s: kind_of(view, NAMES[s]).gaps(view) for s, view in views.items()}
    if all(missing is None for missing in gaps.values()):
        return None
    nowhere = np.zeros(_num_samples(next(iter(views.values()))), dtype=bool)
    return {
        s: nowhere if s not in gaps else ~nowhere if gaps[s] is None else ~gaps[s]
        for s in NAMES
    }


def encode_there(encode, views, there):
    """Codes of the rows that have a view, each from the views that it has.

    Parameters
    ----------
    encode : callable
        Function of the first and the second view, without missing rows, that returns
        codes. One of the views may be None.
    views : dict of str to view
        The given views, by side.
    there : dict of str to ndarray of bool of shape (n_rows,)
        Result of `rows_there`.

    Returns
    -------
    codes : ndarray of shape (n_rows_there, n_components)
        Codes in the order of the rows. The shape is (0, 0) if no row has a view.
    """
    has_x, has_y = there["x"], there["y"]
    parts, places = [], []
    for sides in ("xy", "x", "y"):
        rows = np.flatnonzero(
            (has_x == ("x" in sides)) & (has_y == ("y" in sides)) & (has_x | has_y)
        )
        if len(rows):
            taken = {s: _taken(views[s], rows, len(has_x)) for s in sides}
            with _counted_without(len(has_x) - len(rows)):
                parts.append(encode(taken.get("x"), taken.get("y")))
            places.append(rows)
    if not parts:
        return np.empty((0, 0))
    if len({part.shape[1] for part in parts}) > 1:
        raise ValueError(
            "Codes of all rows must have the same number of components, got "
            f"{[p.shape[1] for p in parts]} for rows with different views."
        )
    codes = np.concatenate(parts)
    order = np.argsort(np.concatenate(places))
    return codes if len(parts) == 1 else codes[order]


def _taken(view, rows, n_rows):
    return view if len(rows) == n_rows else kind_of(view).take(view, rows)


@contextmanager
def _counted_without(n_others):
    """Add a note to errors: the row numbers in them do not count all rows."""
    try:
        yield
    except ValueError as error:
        if n_others:
            error.add_note(
                f"Row numbers leave out {n_others} rows that have only other views."
            )
        raise
