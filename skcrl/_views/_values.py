"""What the entries of a view mean: numbers, dates or gaps."""

from datetime import date
from numbers import Number
from reprlib import repr as short_repr

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan

_EPOCH, _SECOND = np.datetime64(0, "s"), np.timedelta64(1, "s")

# What to do with entries that are not numbers, by the name of their type.
_REMEDIES = {
    "Period": "convert it, for example with dt.to_timestamp()",
    "Interval": "replace each interval by one number, such as its middle",
}


def is_missing(item):
    """Whether an entry is None, NaN, NaT, pandas.NA or masked."""
    return (
        item is None
        or item is np.ma.masked
        or is_scalar_nan(item)
        or is_pandas_na(item)
        or type(item).__name__ == "NaTType"
        or (isinstance(item, (np.datetime64, np.timedelta64)) and np.isnat(item))
    )


def with_gaps_marked(view):
    """Arrays, or lists of arrays, with NaN or None in masked cells.

    In a list of rows of numbers, a row that is None becomes a row of NaN.
    """
    if isinstance(view, (list, tuple)):
        view = list(map(with_gaps_marked, view)) if _holds_masks(view) else view
        return _with_rows_of_nan(view)
    if view is np.ma.masked:
        return None
    if not isinstance(view, np.ma.MaskedArray):
        return _unmasked_objects(view)
    if not np.ma.is_masked(view):
        return view.data
    kind = view.dtype.kind
    if kind in "mM":
        return np.ma.filled(view, view.dtype.type("NaT"))
    if kind in "biu":
        return np.ma.filled(view.astype(np.float64), np.nan)
    if kind in "fc":
        return np.ma.filled(view, np.nan)
    return np.ma.filled(view.astype(object), None)


def _with_rows_of_nan(view):
    row = next((row for row in view if row is not None), None)
    if all(row is not None for row in view):
        return view
    is_row = isinstance(row, (list, tuple, np.ndarray))
    if not is_row or np.asarray(row).dtype.kind not in "biuf":
        return view  # texts, or lists of words
    gap = np.full_like(row, np.nan, dtype=np.float64)
    return [gap if row is None else row for row in view]


def _holds_masks(view):
    return any(
        isinstance(row, np.ma.MaskedArray)
        or (isinstance(row, (list, tuple)) and _holds_masks(row))
        for row in view
    )


def _unmasked_objects(view):
    if not isinstance(view, np.ndarray) or view.dtype != object:
        return view
    masked = np.frompyfunc(lambda item: item is np.ma.masked, 1, 1)(view)
    if not np.any(masked):
        return view
    view = view.copy()
    view[masked.astype(bool)] = None
    return view


def as_numbers(values, name):
    """Entries of an array as numbers, if they can be converted.

    Dates become seconds since 1970, and durations become seconds. So they have one
    unit, whether NumPy counts microseconds or days. Missing entries become NaN. Any
    other array is returned as it is.

    Parameters
    ----------
    values : ndarray
        Of any type.
    name : str
        Name of the array, for errors.
    """
    if values.dtype.kind in "mM":
        return _seconds(values, name)
    if values.dtype.kind in "OSU":
        return _floats(values, name)
    if values.dtype.names is not None:
        raise ValueError(
            f"{name} is a structured array with fields {values.dtype.names}: convert "
            "it with numpy.lib.recfunctions.structured_to_unstructured."
        )
    return values


def _seconds(values, name):
    try:
        if values.dtype.kind == "M":
            values = values - _EPOCH
        return values / _SECOND
    except (TypeError, OverflowError) as error:
        raise ValueError(
            f"{name} holds values of type {values.dtype}, which cannot be converted to "
            f"seconds: {error}"
        ) from None


def _floats(values, name):
    """Floats of an array of objects."""
    gaps = np.asarray(np.frompyfunc(is_missing, 1, 1)(values), dtype=bool)
    if gaps.any():
        values = np.where(gaps, np.nan, values)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        at, item = next(
            (at, item) for at, item in np.ndenumerate(values) if not _is_number(item)
        )
        row = f"row {at[0]}" if len(at) == 1 else f"row {at[0]}, column {at[1]}"
        # Like scikit-learn, raise TypeError for what cannot be a number.
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{name} holds {short_repr(item)} of type {type(item).__name__} in {row}, "
            f"which is not a number: {_remedy(item, name)}. ({error})"
        ) from None


def _is_number(item):
    try:
        float(item)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _remedy(item, name):
    if isinstance(item, Number):
        return (
            "scale down numbers that are too large for float64, and convert complex "
            "numbers to real ones"
        )
    if isinstance(item, date):  # and so a datetime, and pandas' Timestamp
        return "convert it with pandas.to_datetime or to numpy.datetime64"
    if isinstance(item, str):
        if name.endswith("covariates"):
            return (
                "encode categories, for example with "
                "pandas.get_dummies(covariates, drop_first=True, dtype=float)"
            )
        encode = (
            "encode categories with OneHotEncoder, and texts with TfidfVectorizer, in "
            "a ViewPipeline"
        )
        if name.startswith("Column"):
            encode += (
                ". If the column holds names of the rows, make it the index of the "
                "frame. If it should hold numbers, correct this cell, or set it to NaN"
            )
        return encode
    return _REMEDIES.get(type(item).__name__, "convert it to numbers")
