"""Views as flat lists, arrays or series of strings or dicts."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import _num_samples

from skcrl._views._dense import Dense
from skcrl._views._values import is_missing


class Texts(Dense):
    """Flat lists, arrays and series with strings or dicts among their items."""

    def recognises(self, view):
        """Whether a view is flat, and one of its items is a string or a dict."""
        return holds(view, str) or holds(view, Mapping)

    def gaps(self, view):
        """Which items are missing; None if no item is missing."""
        missing = self.missing_rows(view)
        return missing if missing.any() else None

    def missing_rows(self, view):
        """Which items are missing."""
        return np.fromiter(map(is_missing, view), bool, _num_samples(view))


def holds(view, kind):
    """Whether a view is a flat array, series or list, with items of type `kind`."""
    if not isinstance(view, (list, tuple)):
        dtype_kind = getattr(getattr(view, "dtype", None), "kind", "O")
        if len(getattr(view, "shape", ())) != 1 or dtype_kind not in "OSTU":
            return False
    return any(isinstance(item, kind) for item in view)
