"""What displays of variables share: correlations with codes, names and their places."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.isotonic import isotonic_regression
from sklearn.utils.validation import check_consistent_length

from skcrl._columns import unit_columns
from skcrl._numbers import require_squares
from skcrl.inspection._beside import adjusted_columns, covariates_in_memory
from skcrl.inspection._canonical import check_arrays, orthonormal_basis
from skcrl.inspection._results import feature_names
from skcrl.plotting._fitted import (
    check_codes_pair,
    check_component_names,
    check_components,
    codes_of,
)

# Colours of correlations in all displays. No view has one of these colours.
SIGN_MAP = "PRGn"
SIGN_COLORS = {"positive": "#1B7837", "negative": "#762A83"}


class Variables(NamedTuple):
    """Columns of both views and of their codes, all centred and of length one."""

    x: np.ndarray
    y: np.ndarray
    x_codes: np.ndarray
    y_codes: np.ndarray
    x_names: np.ndarray
    y_names: np.ndarray
    component_names: list

    def loadings(self):
        """Correlations of the columns of each view with the codes of the same view."""
        return self.x.T @ self.x_codes, self.y.T @ self.y_codes

    def similarities(self):
        """Correlations (n_features_x, n_features_y) of columns, through the codes."""
        basis = orthonormal_basis(self.x_codes + self.y_codes)
        return (self.x.T @ basis) @ (basis.T @ self.y)


def variables_of(estimator, X, y, covariates, components, display, n=None):
    """Variables of two views and of their codes, without the effect of covariates."""
    x_codes, y_codes, names = codes_of(estimator, X, y, display, covariates)
    views = unit_views(X, y, estimator, covariates)
    return _variables(x_codes, y_codes, views, components, names, n)


def variables(x_codes, y_codes, X, y, components, component_names, n=None):
    """Variables of two views, with `n` chosen components of their codes."""
    views = unit_views(X, y)
    return _variables(x_codes, y_codes, views, components, component_names, n)


def _variables(x_codes, y_codes, views, components, component_names, n):
    x_codes, y_codes = (
        codes.astype(np.float64)
        for codes in check_codes_pair(x_codes, y_codes, allow_missing=False)
    )
    x, y, x_names, y_names = views
    check_consistent_length(x, x_codes)
    names = check_component_names(component_names, x_codes.shape[1])
    chosen = check_components(components, x_codes.shape[1], n=n)
    return Variables(
        x,
        y,
        unit_columns(x_codes[:, chosen]),
        unit_columns(y_codes[:, chosen]),
        x_names,
        y_names,
        [names[i] for i in chosen],
    )


def unit_views(X, y, estimator=None, covariates=None):
    """Columns of both views, centred and of length one, and their names.

    They are without the effect of the covariates, if the estimator removes it.
    """
    X, y = (view.toarray() if issparse(view) else view for view in (X, y))
    x_array, y_array = check_arrays(X, y)
    for name, array in (("X", x_array), ("y", y_array)):
        require_squares(array, name)
    if covariates is not None:
        checked = covariates_in_memory(covariates, X, y)
        x_array = adjusted_columns(estimator, "x", x_array, checked)
        y_array = adjusted_columns(estimator, "y", y_array, checked)
    return (
        unit_columns(x_array),
        unit_columns(y_array),
        feature_names("x", X, x_array),
        feature_names("y", y, y_array),
    )


def check_top(top, what):
    """Raise ValueError if the number of variables (or of `what`) is below 1."""
    if not isinstance(top, Integral) or top < 1:
        raise ValueError(
            f"top is the number of {what}, an integer of 1 or more. Got {top!r}."
        )


def strongest(sizes, top):
    """Indices of the `top` largest sizes, the largest first; equal ones in order."""
    return np.argsort(-sizes, kind="stable")[:top]


def spread(heights, gap, low, high):
    """Heights from `low` to `high` that are at least `gap` apart, near the given ones.

    The heights and the gap are returned. The gap is smaller than the given one if there
    are too many heights.
    """
    n = len(heights)
    if n == 0:
        return heights, gap
    gap = min(gap, (high - low) / max(1, n - 1))
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(n)
    places = np.empty(n)
    places[order] = steps + isotonic_regression(
        heights[order] - steps, y_min=low, y_max=max(low, high - gap * (n - 1))
    )
    return places, gap
