"""Views as data frames and series of pandas, polars or similar libraries."""

from reprlib import repr as short_repr

import numpy as np
from sklearn.utils import _safe_indexing

from skcrl._views._dense import Dense
from skcrl._views._values import as_numbers


class Table(Dense):
    """Data frames with named columns, and series, which are one column."""

    def recognises(self, view):
        """Whether a view is a frame or a series."""
        return hasattr(view, "columns") or _is_series(view)

    def values(self, view):
        """The frame as it is."""
        return view

    def numbers(self, view, name):
        """The frame itself if all columns are numbers, else an array of numbers."""
        if _is_series(view):
            return _column(view, name)
        if all(map(_is_plain, _dtypes(view))):
            return view
        columns = [
            _column(_safe_indexing(view, i, axis=1), f"Column {label!r} of {name}")
            for i, label in enumerate(view.columns)
        ]
        return np.column_stack(columns)

    def holds_integers(self, view):
        """Whether all columns hold integers."""
        types = [view.dtype] if _is_series(view) else _dtypes(view)
        return all(map(_is_integer, types))

    def gaps(self, view):
        """Which rows of an unchecked view are missing; None if no row is missing."""
        if _is_series(view):
            return Dense().gaps(np.asarray(view))
        missing = self.missing_rows(view)
        return missing if missing.any() else None

    def missing_rows(self, view):
        """Which rows of a frame are missing: all of their cells are."""
        gaps = np.ones(len(view), dtype=bool)
        for i in range(len(view.columns)):
            if not gaps.any():
                break
            column = np.asarray(_safe_indexing(view, i, axis=1))
            gaps &= super().missing_rows(column)
        return gaps


def require_rows(view, name):
    """Raise ValueError if a view has no rows, or has to be computed first."""
    module, kind = type(view).__module__, type(view).__name__
    if kind == "LazyFrame" and module.startswith("polars"):
        raise ValueError(
            f"{name} is a polars LazyFrame, which has no rows yet. Call its collect()."
        )
    if kind in ("DataFrame", "Series") and module.startswith("dask"):
        raise ValueError(
            f"{name} is a Dask {kind}, whose rows are not in memory. Call its "
            "compute() or, if the estimator takes Dask arrays, its "
            "to_dask_array(lengths=True)."
        )
    if view is not None and _is_single(view):
        raise ValueError(
            f"{name} must be array-like, got {short_repr(view)} of type {kind}."
        )


def _is_single(view):
    if isinstance(view, (str, bytes)) or getattr(view, "shape", None) == ():
        return True
    return not any(hasattr(view, name) for name in ("__len__", "__array__", "shape"))


def _is_series(view):
    return len(getattr(view, "shape", ())) == 1 and hasattr(view, "to_frame")


def _dtypes(frame):
    dtypes = getattr(frame, "dtypes", ())
    return dtypes() if callable(dtypes) else dtypes


def _is_plain(dtype):
    """Whether NumPy can turn a column of this type into numbers by itself."""
    if hasattr(dtype, "is_numeric"):  # a type of polars
        return dtype.is_numeric()
    return getattr(dtype, "kind", "O") in "fiub"


def _is_integer(dtype):
    """Whether a column of this type holds integers."""
    if hasattr(dtype, "is_integer"):  # a type of polars
        return dtype.is_integer()
    return getattr(dtype, "kind", "O") in "iu"


def _column(column, name):
    """Numbers (n,) of one column."""
    if getattr(column.dtype, "tz", None) is not None and hasattr(column, "dt"):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = np.asarray(column)
    if values.ndim != 1:
        raise ValueError(
            f"{name} is of type {column.dtype}, with several values in a row. Make one "
            "column for each value."
        )
    return as_numbers(values, name)
