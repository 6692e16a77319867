"""Two views of the same rows in one container."""

from collections.abc import Mapping, Set
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import get_tags
from sklearn.utils._array_api import get_namespace
from sklearn.utils.validation import _num_samples, validate_data

from skcrl._typing import Rows
from skcrl._views import check_paired, kind_of


class TwoView:
    """Container of two views of the same samples, which scikit-learn can slice.

    Pass it as ``X`` to ``train_test_split``, ``cross_val_score`` or ``GridSearchCV``,
    for example with a :class:`~skcrl.CrossViewClassifier`. Indexing it with a slice, a
    mask or a list of rows returns a TwoView of these rows, in which each view keeps its
    type.

    Parameters
    ----------
    x : array-like of n_samples rows or None, default=None
        First view: an array, a data frame or series, a sparse matrix, a torch tensor
        or a list.
    y : array-like of n_samples rows or None, default=None
        Second view. One of the views may be missing.

    Attributes
    ----------
    shape : tuple
        The shape ``(n_samples,)``.

    Raises
    ------
    ValueError
        If both views are missing, have different numbers of rows, or do not consist of
        rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import TwoView
    >>> views = TwoView(np.arange(6).reshape(3, 2), ["a", "b", "c"])
    >>> len(views), views[[2, 0]].y
    (3, ['c', 'a'])
    """

    def __init__(self, x: Rows | None = None, y: Rows | None = None):
        for name, view in (("x", x), ("y", y)):
            # Sparse matrices in dok format are mappings too, but have a shape.
            if isinstance(view, (str, bytes, Mapping, Set)) and not hasattr(
                view, "shape"
            ):
                raise ValueError(
                    f"{name} must have one row per sample, got a "
                    f"{type(view).__name__}: {short_repr(view)}"
                )
        for name, view in (("x", x), ("y", y)):
            kind_of(view, name)  # refuses views that have no rows yet
        views = [view for view in (x, y) if view is not None]
        lengths = {_num_samples(view) for view in views}
        if not lengths:
            raise ValueError("x and y are both None: pass at least one view.")
        if len(lengths) > 1:
            raise ValueError(
                "x and y must have the same number of rows, "
                f"got {_num_samples(x)} and {_num_samples(y)}."
            )
        if len(views) == 2:
            check_paired(x, y, names=("x", "y"))
        self.x = x
        self.y = y
        self.shape = (lengths.pop(),)

    @classmethod
    def from_columns(
        cls,
        X: Rows,
        *,
        x: str | int | slice | ArrayLike | None = None,
        y: str | int | slice | ArrayLike | None = None,
    ) -> "TwoView":
        """Make two views from the columns of one table.

        Parameters
        ----------
        X : ndarray, data frame, sparse matrix or torch tensor, of two dimensions
            Table that holds both views.
        x, y : str, int, slice, list of str or int, mask or None, default=None
            Columns of each view, by name or position. A list or a slice selects a
            table. A single name or position selects the column itself, which is
            one-dimensional (as texts must be) unless `X` is sparse. None means that
            this view is missing.

        Returns
        -------
        views : TwoView
            Both views.

        Raises
        ------
        ValueError
            If `X` is not a table, or does not have these columns.

        Examples
        --------
        >>> import pandas as pd
        >>> from skcrl import TwoView
        >>> frame = pd.DataFrame(
        ...     {"width": [1.0, 2.0], "height": [3.0, 4.0], "title": ["a cat", "a dog"]}
        ... )
        >>> TwoView.from_columns(frame, x=["width", "height"], y="title")
        TwoView(x=(2, 2), y=(2,))
        """
        return cls(
            *(
                None if columns is None else select_columns(X, columns, name)
                for name, columns in (("x", x), ("y", y))
            )
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> "TwoView":
        rows = key
        if isinstance(key, tuple) and key:
            # scikit-learn indexes arrays by [rows, ...].
            rows, *others = key
            if any(other is not Ellipsis for other in others):
                raise TypeError(f"TwoView can be indexed by rows only, got {key!r}.")
        if not isinstance(rows, slice) and np.ndim(rows) != 1:
            raise TypeError(
                f"TwoView must be indexed by a slice or an array of rows, got {rows!r}."
            )
        if not isinstance(rows, slice) or (rows.step or 1) < 0:
            # Lists would ignore the length of a mask, and tensors cannot be sliced
            # backwards.
            rows = self._positions(rows)
        return TwoView(
            *(
                None if view is None else kind_of(view).take(view, rows)
                for view in (self.x, self.y)
            )
        )

    def _positions(self, rows):
        """Positions of the rows of a slice, a mask or an array of positions."""
        is_mask = not isinstance(rows, slice) and np.asarray(rows).dtype == bool
        if is_mask and len(rows) != len(self):
            raise IndexError(
                f"A boolean mask must have one entry per row, got {len(rows)} entries "
                f"for a TwoView of {len(self)} rows."
            )
        return np.arange(len(self))[rows].copy()

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "TwoView holds two views and cannot be converted to one array: put "
            "preprocessing into a ViewPipeline, or pass views.x and views.y."
        )

    __iter__ = __array__

    # With array_api_dispatch scikit-learn needs these to slice arrays.
    device = "cpu"

    def __array_namespace__(self, api_version=None):
        return get_namespace()[0]  # without arrays, this is that of NumPy

    def take(self, indices: ArrayLike, axis: int = 0, **_: Any) -> "TwoView":
        return self[indices]

    def __repr__(self):
        def describe(view):
            if isinstance(view, (list, tuple)):
                return f"{type(view).__name__} of {len(view)}"
            return None if view is None else getattr(view, "shape", type(view).__name__)

        return f"TwoView(x={describe(self.x)}, y={describe(self.y)})"


def views_of_table(estimator, X, *, reset):
    """Two views of a table, by `x_columns` and `y_columns` of an estimator.

    With `reset` the estimator learns the width and the column names of the table.
    Without it, these are compared with what the estimator has learned.
    """
    X = validate_data(
        estimator,
        kind_of(X, "X").values(X),
        reset=reset,
        dtype=None,
        ensure_all_finite="allow-nan",  # the estimator of the view decides on gaps
        accept_sparse=get_tags(estimator).input_tags.sparse and ("csr", "csc"),
        skip_check_array=hasattr(X, "columns"),
    )
    if estimator.x_columns is None or estimator.y_columns is None:
        raise ValueError(
            "X holds both views in one array: set x_columns and y_columns to the "
            "columns of each view, or pass a TwoView."
        )
    return TwoView(
        select_columns(X, estimator.x_columns, "x_columns"),
        select_columns(X, estimator.y_columns, "y_columns"),
    )


def select_columns(X, columns, name):
    """Select columns of a table; a single name or position selects the column itself.

    `name` is the name of the parameter `columns` in error messages.
    """
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) != 2:
        raise ValueError(
            "X must be a table, so that each view can be some of its columns, got a "
            f"{type(X).__name__}{f' of shape {shape}' if shape else ''}."
        )
    if isinstance(columns, (list, tuple)):
        # If there are strings among them, NumPy would turn numbers into strings.
        columns = [c.item() if isinstance(c, np.generic) else c for c in columns]
    elif not isinstance(columns, slice):
        columns = np.asarray(columns).tolist()
    _require_columns(X, columns, name)
    selected = kind_of(X).take_columns(X, columns)
    if 0 in selected.shape[1:]:
        raise ValueError(
            f"{name}={short_repr(columns)} selects 0 feature(s) of X with "
            f"n_features = {shape[1]}."
        )
    return selected


def _require_columns(X, columns, name):
    """Raise ValueError for columns that a table does not have."""
    if isinstance(columns, bool):
        raise ValueError(f"{name}={columns} is not a column: pass a name or position.")
    if isinstance(columns, slice):
        items = [columns.start, columns.stop]
    else:
        items = columns if isinstance(columns, list) else [columns]
    asked = [item for item in items if isinstance(item, str)]
    if not asked:
        try:
            np.arange(X.shape[1])[columns]
        except (IndexError, OverflowError) as error:
            raise ValueError(
                f"{name}={short_repr(columns)} are not valid positions, or not a valid "
                f"mask, for the {X.shape[1]} columns of X: {error}"
            ) from None
        return
    if not hasattr(X, "columns"):
        raise ValueError(
            f"{name}={short_repr(columns)} selects columns by name, but X, a "
            f"{type(X).__name__}, has no column names: pass a data frame, or positions."
        )
    there = list(X.columns)
    unknown = [item for item in asked if item not in there]
    if unknown:
        raise ValueError(
            f"{name} names columns that X does not have: {short_repr(unknown)}. The "
            f"columns of X are {short_repr(there)}."
        )
