"""Checks of the result of a training: codes that vary, views that are reconstructed."""

import warnings

import numpy as np
from scipy import sparse

from skcrl.exceptions import DegenerateFitWarning

# Rows that are looked at.
N_ROWS = 1000
# The spread of codes, beside their size, that rounding alone gives in float32.
_ROUNDING = 1e-5


def warn_of_constant_codes(estimator, views, codes):
    """Warn where all codes of a view are one, and the view is not.

    Parameters
    ----------
    estimator : BaseDeep
        Fitted.
    views, codes : dict of str to array
        Of either view, by its name.
    """
    constant = [name for name, view in views.items() if not _varies(view)]
    for name, view in views.items():
        if _varies(view) and not _vary(codes[name]):
            if constant:
                warnings.warn(
                    f"{constant[0]} is constant, so {type(estimator).__name__} has "
                    f"nothing to learn from, and the codes of {name} are constant too.",
                    DegenerateFitWarning,
                    stacklevel=2,
                )
            else:
                _warn(estimator, f"The codes of {name} are constant")


def warn_of_no_reconstruction(estimator, name, view, reconstructed):
    """Warn where a view was reconstructed no better than by its means."""
    if sparse.issparse(view) or not _varies(view):
        return
    view, reconstructed = (
        a.reshape(len(a), -1).astype(np.float64) for a in (view, reconstructed)
    )
    error = np.square(view - reconstructed).sum()
    if not error < np.square(view - view.mean(axis=0)).sum():
        _warn(estimator, f"{name} is reconstructed no better than by its mean")


def _vary(codes):
    return _spread(codes) > _ROUNDING * np.abs(codes).max()


def _varies(view):
    return view.shape[0] > 1 and _spread(view) > _ROUNDING * abs(view).max()


def _spread(view):
    """Largest minus smallest number of the column where these differ most."""
    if sparse.issparse(view):
        return float((view.max(axis=0) - view.min(axis=0)).max())
    return float(np.ptp(view, axis=0).max())


def _warn(estimator, what):
    remedy = "Train" if estimator.standardize else "Set standardize=True, or train"
    warnings.warn(
        f"{what}: {type(estimator).__name__} has learned nothing there. "
        f"{remedy} longer, with another activation, or with another lr than "
        f"{estimator.lr}.",
        DegenerateFitWarning,
        stacklevel=2,
    )
