"""The settings that the solvers of LinearCCA take, and the fit that they return."""

from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

import numpy as np

from skcrl._arrays import Array
from skcrl._linalg import CCASolution


class Settings(NamedTuple):
    """Parameters of LinearCCA that define the problem; pairs are for (x, y)."""

    center: bool
    scale: bool
    reg: tuple[float, float]
    shrinkage: tuple[float | str, float | str]


class Fit(NamedTuple):
    """Solution in the units of the views, and covariances of its codes."""

    solution: CCASolution
    x_mean: Array  # (p,), zero if the views were not centred
    y_mean: Array  # (q,)
    x_var: Array  # (p,), about that mean
    y_var: Array  # (q,)
    correlations: Array  # (k,), of the codes
    code_cov: Array  # (2k, 2k), of [x codes, y codes]
    x_cross_cov: Array  # (2k, p), of the codes with x
    y_cross_cov: Array  # (2k, q)
    shrinkage: tuple[float, float]  # of (x, y), as it was given, estimated or chosen
    constant: list[str]  # names of the views that do not vary about their means
    free_ranks: Callable  # returns the ranks of (x, y) that no penalty affects


def leading(fit, k):
    """The leading k components of a fit."""
    n = len(fit.correlations)
    codes = [*range(k), *range(n, n + k)]
    x_weights, y_weights, singular_values, rank = fit.solution
    return fit._replace(
        solution=CCASolution(
            x_weights[:, :k], y_weights[:, :k], singular_values[:k], rank
        ),
        correlations=fit.correlations[:k],
        code_cov=fit.code_cov[codes][:, codes],
        x_cross_cov=fit.x_cross_cov[codes],
        y_cross_cov=fit.y_cross_cov[codes],
    )


def constant_views(x_var, y_var):
    """Names of the views in which all columns are constant."""
    return [name for name, var in (("X", x_var), ("y", y_var)) if not (var > 0).any()]


def overflow_told_by_error():
    """Silence NumPy's warnings of overflow; ``require_finite`` raises an error."""
    return np.errstate(over="ignore", invalid="ignore")


def require_finite(total_variance):
    """Raise ValueError if the squares of finite views are not finite."""
    if not isfinite(total_variance):
        raise ValueError("The variances of X or y overflow. Scale the views down.")
