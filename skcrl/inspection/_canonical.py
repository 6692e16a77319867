"""The canonical variates of two arrays, from which the tests here start."""

from typing import NamedTuple

import numpy as np

from skcrl._columns import unit_columns
from skcrl._numbers import check_numbers
from skcrl._views import check_paired

_REMEDY = (
    "Leave such rows out of both views, or fill the gaps of each view by itself, for "
    "example by SimpleImputer: values filled in from the other view would make the two "
    "views more similar."
)


class CanonicalForm(NamedTuple):
    """Canonical variates of paired rows, including variates that have no partner."""

    x_variates: np.ndarray  # (n, rank of X), orthonormal, the paired ones first
    y_variates: np.ndarray  # (n, rank of y), orthonormal, the paired ones first
    correlations: np.ndarray  # (min of the ranks,), largest first


def check_arrays(X, y, min_samples=2):
    """Paired arrays of finite float64; a one-dimensional `y` is a column."""
    x_array, y_array = (
        check_numbers(
            view,
            name,
            remedy=_REMEDY,
            ensure_2d=name == "X",
            ensure_min_samples=min_samples,
        )
        for name, view in (("X", X), ("y", y))
    )
    check_paired(X, y)
    return x_array, y_array.reshape(len(y_array), -1)


def canonical_form(X, y):
    """Canonical form of validated arrays of any rank."""
    x_basis, y_basis = orthonormal_basis(X), orthonormal_basis(y)
    left, correlations, right = np.linalg.svd(x_basis.T @ y_basis)
    return CanonicalForm(
        x_basis @ left, y_basis @ right.T, np.clip(correlations, 0.0, 1.0)
    )


def orthonormal_basis(view):
    """Basis (n, rank) of the centred columns, whatever their units."""
    largest = abs(view).max(axis=0)
    # Scaled first: whatever the units, squares neither overflow nor become 0.
    view = unit_columns(view / np.where(largest > 0, largest, 1.0))
    left, singular_values, _ = np.linalg.svd(view, full_matrices=False)
    rounding = 10 * max(view.shape) * np.finfo(np.float64).eps
    return left[:, singular_values > rounding * singular_values[0]]
