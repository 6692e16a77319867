"""Views as arrays, and as anything else that NumPy can turn into an array."""

import numpy as np
from sklearn.utils import _safe_indexing

from skcrl import _moments
from skcrl._arrays import copied, join_columns, namespace, to_numpy
from skcrl._views._values import as_numbers, is_missing, with_gaps_marked


class Dense:
    """Arrays of numbers, and lists of them.

    The other kinds are subclasses, which define what is different for them.
    """

    # Library of the arrays that are computed with. Both views must have the same.
    library = "numpy"

    def recognises(self, view):
        """Whether a view is of this kind."""
        return True

    def values(self, view):
        """The view, with NaN or None in cells that are masked."""
        return with_gaps_marked(view)

    def numbers(self, view, name):
        """The view with numbers instead of dates, and with NaN in missing cells.

        If a cell is not a number, this raises an error that says where it is and what
        to do, or the view is left to scikit-learn's own check. `name` is the name of
        the view.
        """
        return as_numbers(np.asarray(with_gaps_marked(view)), name)

    def holds_integers(self, view):
        """Whether all numbers of a view are integers by their type."""
        return np.asarray(view).dtype.kind in "iu"

    def take(self, view, rows):
        """Rows of the view by an array of positions or a slice, in its container."""
        return _safe_indexing(view, rows)

    def take_columns(self, view, columns):
        """Columns of the view by names, positions or a slice, in its container."""
        return _safe_indexing(view, columns, axis=1)

    def gaps(self, view):
        """Which rows of an unchecked view are missing; None if no row is missing."""
        is_list = isinstance(view, (list, tuple))
        if not is_list and not hasattr(view, "shape"):
            return None  # a Dataset
        try:
            rows = np.asarray(self.values(view))
        except ValueError:  # a list of rows with different lengths
            return None
        if rows.ndim == 0 or rows.size == 0:
            return None
        missing = self.missing_rows(rows)
        return missing if missing.any() else None

    def missing_rows(self, view):
        """Which rows of an array of any type are missing: all of their cells are."""
        rows = view.reshape(len(view), -1)
        if rows.dtype.kind in "fmM":
            # Usually the first column already shows that no row is missing.
            missing = np.isnan(rows[:, 0])
            missing[missing] = np.isnan(rows[missing]).all(axis=1)
            return missing
        if rows.dtype.kind != "O":
            return np.zeros(len(rows), dtype=bool)
        return np.array([all(map(is_missing, row)) for row in rows], dtype=bool)

    def present_rows(self, view, name):
        """Which rows of a checked view are present.

        Raises ValueError if only a part of a row is missing.
        """
        rows = view.reshape(view.shape[0], -1)
        # The minimum of a row is NaN if any cell is. It needs no copy of the view.
        gaps = np.flatnonzero(np.isnan(to_numpy(namespace(rows).amin(rows, 1))))
        partly = gaps[~np.isnan(to_numpy(rows[gaps])).all(axis=1)]
        if len(partly):
            raise ValueError(
                f"{name} has rows that are partly NaN, the first is row {partly[0]}. A "
                "row must be complete, or hold only NaN if that view is missing."
            )
        present = np.ones(view.shape[0], dtype=bool)
        present[gaps] = False
        return present

    def copied(self, view):
        """A copy of a checked view."""
        return copied(view)

    def beside(self, view, columns):
        """The columns of a checked view, then those of an array, in one container."""
        return join_columns(view, columns)

    def moments(self, X, y, weights=None):
        """Moments of two checked views, of their common kind."""
        return _moments.moments(X, y, weights=weights)

    def total(self, function, view, weights):
        """Sum over all rows, computed by ``function(rows, weights of the rows)``."""
        return function(view, weights)

    def project(self, view, mean, weights, name):
        """Linear codes (view - mean) @ weights of a checked view, in its container."""
        return _moments.project(view, mean, weights)
