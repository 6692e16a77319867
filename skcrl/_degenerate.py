"""Warnings of fits whose correlations say nothing about the views."""

import warnings

import numpy as np

from skcrl._arrays import namespace
from skcrl._linalg import unit_scale
from skcrl._moments import dense
from skcrl.exceptions import DegenerateFitWarning

# A ridge that is a smaller share of a variance hardly changes it. A smaller shrinkage
# hardly changes anything.
_NEGLIGIBLE = 0.01
# Training codes with a larger correlation count as perfectly correlated: no penalty has
# lowered it much.
_AS_GOOD_AS_ONE = 0.999


def free_rank(values, ridge=0.0, keep=1.0):
    """Count the eigenvalues of a covariance S that the penalty hardly changes.

    The shrinkage is 1 - keep. It changes all eigenvalues, unless it is negligible. A
    ridge changes the eigenvalues of which it is more than a negligible share.
    """
    if 1 - keep >= _NEGLIGIBLE:
        return 0
    return int((_NEGLIGIBLE * keep * values > ridge).sum())


def free_rank_of(cov, ridge=0.0, keep=1.0):
    """`free_rank` of a covariance (p, p)."""
    cov = dense(cov)
    if ridge == 0:
        # Without a penalty the rank does not depend on the units of the columns.
        scale = unit_scale(cov.diagonal())
        cov = cov * scale[:, None] * scale
    values = namespace(cov).linalg.eigvalsh(cov)
    rounding = 10 * len(cov) * np.finfo(np.float64).eps * values[-1]
    return free_rank(values[values > rounding], ridge, keep)


def warn_without_freedom(largest, widths, free_ranks, n_free, remedy):
    """Warn if views with hardly any penalty correlate perfectly for any data.

    In a space of `n_free` dimensions, two subspaces have a direction in common if their
    ranks add up to more than `n_free`. The function `free_ranks` returns the ranks. It
    may take as long as the fit, so it is called only if the `widths` of the views are
    large enough and the `largest` correlation is about 1.
    """
    fits = sum(min(width, n_free) for width in widths) <= n_free
    if fits or not largest > _AS_GOOD_AS_ONE:
        return
    x_rank, y_rank = free_ranks()
    if x_rank + y_rank > n_free:
        warnings.warn(
            f"The views vary in {x_rank} and {y_rank} directions that no penalty "
            f"affects, but there are only {n_free} degrees of freedom. So the first "
            f"correlations_ are 1 for any data. {remedy}, and judge the fit by "
            "its score on held-out views, or by "
            "skcrl.inspection.held_out_permutation_test.",
            DegenerateFitWarning,
            stacklevel=2,
        )


def warn_of_constant(names, remedy="pass a view that varies between samples"):
    """Warn of each constant view, by name."""
    for name in names:
        warnings.warn(
            f"{name} is constant, so all codes and correlations are 0: {remedy}.",
            DegenerateFitWarning,
            stacklevel=2,
        )


def warn_of_unlike_rows(names):
    """Warn of each view, by name, in which the kernel finds no similar rows."""
    for name in names:
        warnings.warn(
            f"No two rows of {name} are alike for its kernel, which is almost 0 "
            "outside its diagonal. So correlations_ are 1 for any data. Bring the "
            "columns to one scale, with StandardScaler in a ViewPipeline, or lower "
            "gamma.",
            DegenerateFitWarning,
            stacklevel=2,
        )
