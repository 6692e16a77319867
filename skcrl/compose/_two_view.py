"""Two row-aligned views in one container."""

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples


class TwoView:
    """Two views of the same samples that scikit-learn slices as one array.

    It takes the place of ``X`` in ``train_test_split``, ``cross_val_score`` and
    ``GridSearchCV`` around a :class:`~skcrl.CrossViewClassifier`.

    Parameters
    ----------
    x : array-like of n_samples rows or None, default=None
        First view: an array, a data frame, a sparse matrix or a list.
    y : array-like of n_samples rows or None, default=None
        Second view. One of the views may be missing.

    Attributes
    ----------
    shape : tuple
        ``(n_samples,)``.

    Raises
    ------
    ValueError
        If both views are missing, or they have different numbers of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import TwoView
    >>> views = TwoView(np.arange(6).reshape(3, 2), ["a", "b", "c"])
    >>> len(views), views[[2, 0]].y
    (3, ['c', 'a'])
    """

    def __init__(self, x=None, y=None):
        lengths = {_num_samples(view) for view in (x, y) if view is not None}
        if not lengths:
            raise ValueError("x and y are both None: pass at least one view.")
        if len(lengths) > 1:
            raise ValueError(
                "x and y must have the same number of rows, "
                f"got {_num_samples(x)} and {_num_samples(y)}."
            )
        self.x = x
        self.y = y
        self.shape = (lengths.pop(),)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        # scikit-learn asks arrays for [rows, ...].
        rows = key[0] if isinstance(key, tuple) else key
        if np.ndim(rows) == 0 and not isinstance(rows, slice):
            raise TypeError(f"TwoView takes slices and arrays of rows, got {rows!r}.")
        return TwoView(
            *(
                None if view is None else _safe_indexing(view, rows)
                for view in (self.x, self.y)
            )
        )

    def __repr__(self):
        def describe(view):
            return getattr(view, "shape", None) or type(view).__name__

        return f"TwoView(x={describe(self.x)}, y={describe(self.y)})"
