"""Views as arrays, and as whatever NumPy makes an array of."""

import numpy as np
from sklearn.utils import _safe_indexing

from skcrl import _moments
from skcrl._arrays import copied, join_columns, namespace, to_numpy
from skcrl._views._values import as_numbers, is_missing, with_gaps_marked


class Dense:
    """Arrays of numbers, and lists of them.

    The other kinds say what differs for them.
    """

    # Whose arrays are computed with; those of one library go together.
    library = "numpy"

    def recognises(self, view):
        """Whether a view is of this kind."""
        return True

    def values(self, view):
        """The view with NaN or None for what is masked, else as it is."""
        return with_gaps_marked(view)

    def numbers(self, view, name):
        """The view with numbers for dates and NaN for what is missing.

        What holds no numbers raises a ValueError that says where it is and what to do,
        or is left to scikit-learn's own check. `name` is that of the view.
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
        """Rows of a view as it comes that are missing throughout, None if none is."""
        is_list = isinstance(view, (list, tuple))
        if not is_list and not hasattr(view, "shape"):
            return None  # a Dataset
        try:
            rows = np.asarray(self.values(view))
        except ValueError:  # of a list of rows of several lengths
            return None
        if rows.ndim == 0 or rows.size == 0:
            return None
        missing = self.missing_rows(rows)
        return missing if missing.any() else None

    def missing_rows(self, view):
        """Rows of an array of any type that are missing throughout."""
        rows = view.reshape(len(view), -1)
        if rows.dtype.kind in "fmM":
            # Most often the first column says that there are none.
            missing = np.isnan(rows[:, 0])
            missing[missing] = np.isnan(rows[missing]).all(axis=1)
            return missing
        if rows.dtype.kind != "O":
            return np.zeros(len(rows), dtype=bool)
        return np.array([all(map(is_missing, row)) for row in rows], dtype=bool)

    def present_rows(self, view, name):
        """Rows of a checked view that are there, and not missing.

        Raises ValueError for a row that is missing in part.
        """
        rows = view.reshape(view.shape[0], -1)
        # A row's minimum is NaN if any of it is, and costs no array as large as view.
        gaps = np.flatnonzero(np.isnan(to_numpy(namespace(rows).amin(rows, 1))))
        partly = gaps[~np.isnan(to_numpy(rows[gaps])).all(axis=1)]
        if len(partly):
            raise ValueError(
                f"{name} has rows that are NaN in part, the first is row {partly[0]}: "
                "a row is either complete or, if that view is missing, NaN throughout."
            )
        present = np.ones(view.shape[0], dtype=bool)
        present[gaps] = False
        return present

    def copied(self, view):
        """A copy of a checked view."""
        return copied(view)

    def beside(self, view, columns):
        """Columns of an array beside those of a checked view, in its container."""
        return join_columns(view, columns)

    def moments(self, X, y, weights=None):
        """Moments of two checked views, of their common kind."""
        return _moments.moments(X, y, weights=weights)

    def total(self, function, view, weights):
        """Sum over rows, which ``function(rows, weights of the rows)`` adds up."""
        return function(view, weights)

    def project(self, view, mean, weights, name):
        """Linear codes (view - mean) @ weights of a checked view, in its container."""
        return _moments.project(view, mean, weights)
