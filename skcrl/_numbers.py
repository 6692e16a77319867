"""Checks of arrays of numbers."""

import numpy as np
from sklearn.utils.validation import check_array

from skcrl._views import kind_of


def check_numbers(array, name, *, remedy=None, **checks):
    """`array` in float64, after scikit-learn's checks, which warn of nothing here.

    Parameters
    ----------
    array : array-like or tensor
        Any container that a view may come in.
    name : str
        Name of the argument, for errors.
    remedy : str or None, default=None
        Sentence for the error that says what to do about NaN. With it, the error also
        says where the first NaN is.
    **checks : dict
        Arguments of :func:`sklearn.utils.check_array`.
    """
    # In these checks, large numbers of both signs may add up to NaN. scikit-learn then
    # looks at each number.
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
    """Raise ValueError if the sum of the squares of finite numbers is not finite."""
    with np.errstate(over="ignore"):
        if not np.isfinite(np.square(array).sum()):
            raise ValueError(
                f"The squares of {name} overflow float64: scale {name} down."
            )
