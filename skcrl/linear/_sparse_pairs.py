"""Pairs of sparse weights, found one after another by alternating elastic nets."""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from skcrl.linear._elastic_net import elastic_net

# Resolution of the search for a penalty, as a share of the largest penalty.
_RESOLUTION = 1e-3
# After this number of iterations, the penalty found for a number of columns may only
# increase. Otherwise the same columns could be added and removed for ever.
_FREE_TURNS = 30
# If less than this share is left of covariances, it is rounding error.
_ROUNDING = 1e-10
# Number of columns whose covariances with the other view are computed at a time.
_COLUMNS = 256


class Limits(NamedTuple):
    """What limits the selected columns of one view: a penalty, or a number."""

    alpha: float | None
    n_nonzero: int | None
    positive: bool


class Pair(NamedTuple):
    """Weights of a pair of codes, with variance 1 under the penalised covariances."""

    x_weights: np.ndarray  # (p,)
    y_weights: np.ndarray  # (q,)
    alphas: tuple[float, float]  # penalties of both views in the last step
    n_iter: int
    converged: bool


class Removed(NamedTuple):
    """The part rho (Sx u)(Sy v)' of the cross-covariance that a pair explains."""

    covariance: float  # rho
    x_covariances: np.ndarray  # (p,), Sx u
    y_covariances: np.ndarray  # (q,), Sy v


def sparse_pairs(x, y, starts, limits, max_iter, tol, fresh):
    """Find one pair for each of `starts`, in what the earlier pairs leave.

    A pair u, v subtracts rho (Sx u)(Sy v)' from the covariance between the views. Here
    rho is the covariance of the two codes, and S are the penalised covariances within
    the views. For dense pairs these terms are the decomposition that CCA computes; for
    S = I they are the deflation of [1]_.

    Parameters
    ----------
    x, y : ByRows or ByCovariance
    starts : list of Pair
    limits : list of Limits
        Limits of x and of y.
    max_iter : int
    tol : float
    fresh : bool
        If True, also start from the two columns with the largest covariance, and keep
        the better result. The dense start may miss what a few columns share, and the
        start from two columns may miss what many columns share.

    References
    ----------
    .. [1] Witten, Tibshirani and Hastie (2009). A penalized matrix decomposition, with
       applications to sparse principal components and canonical correlation analysis.
       Biostatistics 10.
    """
    pairs: list[Pair] = []
    removed: list[Removed] = []
    for start in starts:
        tried = [start]
        if any(limit.positive for limit in limits):
            tried.append(_reversed(start))
        if fresh:
            tried.append(_of_two_columns(x, y, removed, limits))
        found = [_alternate(x, y, removed, one, limits, max_iter, tol) for one in tried]
        pair = max(found, key=partial(_value, x, y, removed, limits))
        pairs.append(pair)
        removed.append(
            Removed(
                pair.x_weights @ _target(x, y, removed, pair.y_weights),
                x.product(pair.x_weights),
                y.product(pair.y_weights),
            )
        )
    return pairs


def _reversed(start):
    """The start with the other sign, which differs if weights must be positive."""
    return start._replace(x_weights=-start.x_weights, y_weights=-start.y_weights)


def _of_two_columns(x, y, removed, limits):
    """Start from the column of y that covaries most with one of x."""
    largest, best = -1.0, (0, 1.0)
    for columns in gen_batches(x.n_features, _COLUMNS):
        block = x.between(y, np.arange(columns.start, columns.stop))
        for covariance, of_x, of_y in removed:
            block -= covariance * of_x[columns, None] * of_y
        sizes = block if all(limit.positive for limit in limits) else abs(block)
        at = np.unravel_index(sizes.argmax(), sizes.shape)
        if sizes[at] > largest:
            largest, best = sizes[at], (at[1], block[at])
    column, covariance = best
    weights = np.zeros(y.n_features)
    # The sign for which x gets a positive weight, if the weight of y may have any sign.
    weights[column] = -1.0 if covariance < 0 and not limits[1].positive else 1.0
    weights /= (weights @ y.product(weights)) ** 0.5
    return Pair(np.zeros(x.n_features), weights, (0.0, 0.0), 0, True)


def _value(x, y, removed, limits, pair):
    """The objective of a pair: the covariance of its codes minus the penalties."""
    value = pair.x_weights @ _target(x, y, removed, pair.y_weights)
    for limit, weights in zip(limits, pair[:2], strict=True):
        value -= (limit.alpha or 0.0) * abs(weights).sum()
    return value


def _alternate(x, y, removed, start, limits, max_iter, tol):
    """Fit the weights of each view to the code of the other until they converge."""
    swapped = [Removed(r, of_y, of_x) for r, of_x, of_y in removed]
    u, v, (x_alpha, y_alpha) = start[:3]
    for n_iter in range(1, max_iter + 1):
        before = u
        falls = n_iter <= _FREE_TURNS
        u, x_alpha = _step(x, _target(x, y, removed, v), limits[0], u, x_alpha, falls)
        v, y_alpha = _step(y, _target(y, x, swapped, u), limits[1], v, y_alpha, falls)
        if not (u.any() and v.any()):
            return Pair(0 * u, 0 * v, (x_alpha, y_alpha), n_iter, True)
        change = u - before
        if change @ x.product(change) <= tol**2:
            return Pair(u, v, (x_alpha, y_alpha), n_iter, True)
    return Pair(u, v, (x_alpha, y_alpha), max_iter, False)


def _target(side, other, removed, weights):
    """Covariances (p,) of the columns with the other code, less what was removed."""
    target = whole = side.covariances(other, weights)
    for covariance, of_side, of_other in removed:
        target = target - covariance * (of_other @ weights) * of_side
    is_rounding = abs(target).max() <= _ROUNDING * abs(whole).max()
    return 0 * target if is_rounding else target


def _step(side, target, limits, weights, alpha, falls):
    """Best weights of one view for a target, scaled to variance 1, and the penalty."""
    if limits.n_nonzero is not None:
        weights, alpha = _of_number(side, target, limits, weights, alpha, falls)
    else:
        alpha = limits.alpha
        weights = elastic_net(side, target, alpha, weights, limits.positive)
    variance = weights @ side.product(weights)
    return (weights / variance**0.5 if variance > 0 else 0 * weights), alpha


def _of_number(side, target, limits, weights, alpha, falls):
    """Weights of `n_nonzero` columns and the penalty, which is found by bisection.

    If no penalty selects this number, the next smaller possible number is taken. If
    that is 0, the columns with the largest targets are taken. The penalty may be
    smaller than `alpha`, the penalty of the last iteration, only if it `falls`.
    """
    if limits.n_nonzero >= len(target):
        return elastic_net(side, target, 0.0, weights, limits.positive), 0.0
    largest = (target if limits.positive else abs(target)).max().clip(0.0)
    low, high, best = 0.0, largest, 0 * weights
    # The penalty rarely changes from one iteration to the next.
    alpha = alpha if 0 < alpha < high else high / 2
    while high > 0:
        weights = elastic_net(side, target, alpha, weights, limits.positive)
        n_nonzero = np.count_nonzero(weights)
        if n_nonzero > limits.n_nonzero:
            low = alpha
        else:
            high, best = alpha, weights
            low = low if falls else max(low, alpha)
        if n_nonzero == limits.n_nonzero or high - low <= _RESOLUTION * largest:
            break
        alpha = (low + high) / 2
    if high > 0 and not best.any():
        # The first columns are selected together, as equal columns always are.
        order = -target if limits.positive else -abs(target)
        first = np.argsort(order, kind="stable")[: limits.n_nonzero]
        best[first] = target[first].clip(0.0 if limits.positive else -np.inf)
    return best, high
