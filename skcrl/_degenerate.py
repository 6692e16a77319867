"""Warnings of CCA that says nothing of the views, however large its correlations."""

import warnings

import numpy as np

from skcrl._arrays import namespace
from skcrl._linalg import unit_scale
from skcrl._moments import dense
from skcrl.exceptions import DegenerateFitWarning

# A ridge of this share of a variance, or such a shrinkage, is as good as none.
_NEGLIGIBLE = 0.01
# A correlation of training codes that no penalty to speak of has made smaller.
_AS_GOOD_AS_ONE = 0.999


def free_rank(values, ridge=0.0, keep=1.0):
    """Count the eigenvalues of a covariance S that no penalty holds back.

    A shrinkage 1 - keep that was asked for holds back all, a ridge those it reaches.
    """
    if 1 - keep >= _NEGLIGIBLE:
        return 0
    return int((_NEGLIGIBLE * keep * values > ridge).sum())


def free_rank_of(cov, ridge=0.0, keep=1.0):
    """As `free_rank`, of a covariance (p, p)."""
    cov = dense(cov)
    if ridge == 0:
        # Without a penalty the rank does not depend on the units of the columns.
        scale = unit_scale(cov.diagonal())
        cov = cov * scale[:, None] * scale
    values = namespace(cov).linalg.eigvalsh(cov)
    rounding = 10 * len(cov) * np.finfo(np.float64).eps * values[-1]
    return free_rank(values[values > rounding], ridge, keep)


def warn_without_freedom(largest, widths, free_ranks, n_free, remedy):
    """Warn if views without a penalty that matters must correlate perfectly.

    Two subspaces of `n_free` dimensions meet where their ranks add up to more.
    `free_ranks` gives the ranks, which may cost as much as the fit: it is called only
    where the `widths` of the views allow for that and the `largest` correlation is 1.
    """
    fits = sum(min(width, n_free) for width in widths) <= n_free
    if fits or not largest > _AS_GOOD_AS_ONE:
        return
    x_rank, y_rank = free_ranks()
    if x_rank + y_rank > n_free:
        warnings.warn(
            f"The views vary in {x_rank} and {y_rank} directions that no penalty holds "
            f"back, and the samples leave {n_free} degrees of freedom: the first "
            f"correlations_ are 1 whatever the data. {remedy}, and judge the fit by "
            "its score on held-out views, or by "
            "skcrl.inspection.held_out_permutation_test.",
            DegenerateFitWarning,
            stacklevel=2,
        )


def warn_of_constant(names, remedy="pass a view that varies between samples"):
    """Warn of each constant view, by name."""
    for name in names:
        warnings.warn(
            f"{name} is constant, so that every code and correlation is 0: {remedy}.",
            DegenerateFitWarning,
            stacklevel=2,
        )


def warn_of_unlike_rows(names):
    """Warn of each view whose kernel tells no two rows alike, by name."""
    for name in names:
        warnings.warn(
            f"No two rows of {name} are alike by its kernel, which has next to nothing "
            "beside its diagonal: correlations_ are then 1 whatever the data. Bring "
            "the columns to one scale, by StandardScaler in a ViewPipeline, or lower "
            "gamma.",
            DegenerateFitWarning,
            stacklevel=2,
        )
