"""Correlations of components on samples to which the estimator was not fitted."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.utils.validation import _check_method_params, _num_samples

from skcrl._arrays import to_numpy
from skcrl._columns import column_correlations, matched_components
from skcrl._views import kind_of

# Fewer rows say nothing about a correlation: a line goes through any two points.
_LEAST_ROWS = 3


def held_out_correlations(estimator, fitted, X, y, n_folds, fit_params):
    """Mean over folds of the correlations (n_components,) of held-out rows.

    Each fold is encoded by a clone of `estimator` that is fitted to the other folds.
    The components of the clone are matched with those of `fitted`, one to one and with
    signs, by the codes of the rows that both were fitted to. Parameters in `fit_params`
    that have one entry per row are divided as the rows are.
    """
    n = _num_samples(X)
    if n < _LEAST_ROWS * n_folds:
        raise ValueError(
            f"cv={n_folds} folds need at least {_LEAST_ROWS} samples each, so "
            f"{_LEAST_ROWS * n_folds} in all, got {n}: use fewer folds."
        )
    codes = _codes(fitted, X, y)
    x_kind, y_kind = kind_of(X, "X"), kind_of(y, "y")
    total = np.zeros(codes[0].shape[1])
    for train, test in KFold(n_folds).split(np.zeros(n)):
        X_train, y_train = x_kind.take(X, train), y_kind.take(y, train)
        params = _check_method_params(np.zeros(n), fit_params, indices=train)
        clone_ = clone(estimator).fit(X_train, y_train, **params)
        here = tuple(Z[train] for Z in codes)
        match, sign = matched_components(here, _codes(clone_, X_train, y_train))
        Zx, Zy = _codes(clone_, x_kind.take(X, test), y_kind.take(y, test))
        # Signs cancel, because both codes of a pair have the same. A sign of 0 means
        # that the clone has fewer components.
        found = column_correlations(Zx[:, match], Zy[:, match]) * (sign != 0)
        total += found * len(test)
    return total / n


def _codes(estimator, X, y):
    return tuple(
        np.asarray(to_numpy(Z), dtype=np.float64)
        for Z in (estimator.transform(X), estimator.transform_y(y))
    )
