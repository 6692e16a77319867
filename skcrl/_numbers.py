"""Arrays of numbers that a measure is taken of."""

import numpy as np
from sklearn.utils.validation import check_array

from skcrl._views import kind_of


def check_numbers(array, name, *, remedy=None, **checks):
    """`array` in float64, by scikit-learn's checks, without a warning before an error.

    Parameters
    ----------
    array : array-like or tensor
        In any container that may be a view.
    name : str
        Name of the argument, for errors.
    remedy : str or None, default=None
        Sentence that says what to do about NaN, for the error, which then names the
        first cell, too.
    **checks : dict
        For :func:`sklearn.utils.check_array`.
    """
    # Large numbers of both signs add up to NaN there, which is looked into.
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = kind_of(array, name).numbers(array, name)
        try:
            return check_array(numbers, dtype=np.float64, input_name=name, **checks)
        except ValueError as error:
            if remedy is None or "contains NaN" not in str(error):
                raise
            where = _first_missing(numbers, getattr(array, "columns", None))
    raise ValueError(f"Input {name} contains NaN, first in {where}. {remedy}")


def _first_missing(numbers, columns):
    """Where the first NaN is, in words."""
    row, *place = np.argwhere(np.isnan(np.asarray(numbers, dtype=np.float64)))[0]
    if not place:
        return f"row {row}"
    at = int(place[0])
    return f"row {row}, column {at if columns is None else repr(str(columns[at]))}"


def require_squares(array, name):
    """Raise ValueError if the squares of finite numbers are not finite together."""
    with np.errstate(over="ignore"):
        if not np.isfinite(np.square(array).sum()):
            raise ValueError(
                f"The squares of {name} overflow float64: scale {name} down."
            )
