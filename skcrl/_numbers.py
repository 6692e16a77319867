"""Arrays of numbers that a measure is taken of."""

import numpy as np
from sklearn.utils.validation import check_array

from skcrl._views import kind_of


def check_numbers(array, name, **checks):
    """`array` in float64, by scikit-learn's checks, without a warning before an error.

    Parameters
    ----------
    array : array-like or tensor
        In any container that may be a view.
    name : str
        Name of the argument, for errors.
    **checks : dict
        For :func:`sklearn.utils.check_array`.
    """
    # Large numbers of both signs add up to NaN there, which is looked into.
    with np.errstate(over="ignore", invalid="ignore"):
        array = kind_of(array, name).numbers(array, name)
        return check_array(array, dtype=np.float64, input_name=name, **checks)


def require_squares(array, name):
    """Raise ValueError if the squares of finite numbers are not finite together."""
    with np.errstate(over="ignore"):
        if not np.isfinite(np.square(array).sum()):
            raise ValueError(
                f"The squares of {name} overflow float64: scale {name} down."
            )
