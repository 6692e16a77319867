"""Checks after a training: codes must vary, and views must be reconstructed."""

import warnings

import numpy as np
from scipy import sparse

from skcrl.exceptions import DegenerateFitWarning

# Number of rows that are checked.
N_ROWS = 1000
# The spread of constant codes that rounding in float32 gives, as a share of their size.
_ROUNDING = 1e-5


def warn_of_constant_codes(estimator, views, codes):
    """Warn if all codes of a view are equal although the rows of the view are not.

    Parameters
    ----------
    estimator : BaseDeep
        Fitted estimator.
    views, codes : dict of str to array
        The views and their codes, by the names of the views.
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
    """Warn if the means of a view reconstruct it at least as well as the estimator."""
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
    """Largest range of a column: its largest minus its smallest number."""
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
