"""Pairs of sparse weights, one after another, by alternating elastic nets."""

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from skcrl.linear._elastic_net import elastic_net

# Penalties that differ by less, as a share of the largest, leave the same columns.
_RESOLUTION = 1e-3
# Turns after which the penalties found for a number of columns no longer fall: columns
# that come and go in turn could go on for ever.
_FREE_TURNS = 30
# Of covariances, less than this share that is left is rounding.
_ROUNDING = 1e-10
# Columns whose covariances with those of the other view are there at a time.
_COLUMNS = 256


class Limits(NamedTuple):
    """How few columns of one view have a weight: by penalty, or by number."""

    alpha: float | None
    n_nonzero: int | None
    positive: bool


class Pair(NamedTuple):
    """Weights of a pair of codes, each of variance 1 under its penalised covariance."""

    x_weights: np.ndarray  # (p,)
    y_weights: np.ndarray  # (q,)
    alphas: tuple[float, float]  # penalties of both views in the last step
    n_iter: int
    converged: bool


class Removed(NamedTuple):
    """Part rho (Sx u)(Sy v)' of the covariance between the views."""

    covariance: float  # rho
    x_covariances: np.ndarray  # (p,), Sx u
    y_covariances: np.ndarray  # (q,), Sy v


def sparse_pairs(x, y, starts, limits, max_iter, tol, fresh):
    """One pair for each of `starts`, each of what the pairs before it leave.

    A pair u, v takes rho (Sx u)(Sy v)' from the covariance between the views, rho being
    their covariance and S the penalised covariances within: for dense pairs these are
    the terms of the decomposition that CCA is, for S = I the deflation of [1]_.

    Parameters
    ----------
    x, y : ByRows or ByCovariance
    starts : list of Pair
    limits : list of Limits
        Of x and y.
    max_iter : int
    tol : float
    fresh : bool
        Whether to start from the two columns that covary most, too, and take the better
        end. A dense start may be blind to what few columns share, and these to what
        many do.

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
    """The other sign of a start, which weights that may not be negative tell apart."""
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
    # So that the weight of x is positive, where that of y may be either.
    weights[column] = -1.0 if covariance < 0 and not limits[1].positive else 1.0
    weights /= (weights @ y.product(weights)) ** 0.5
    return Pair(np.zeros(x.n_features), weights, (0.0, 0.0), 0, True)


def _value(x, y, removed, limits, pair):
    """What a pair is to maximise: the covariance of its codes, less the penalties."""
    value = pair.x_weights @ _target(x, y, removed, pair.y_weights)
    for limit, weights in zip(limits, pair[:2], strict=True):
        value -= (limit.alpha or 0.0) * abs(weights).sum()
    return value


def _alternate(x, y, removed, start, limits, max_iter, tol):
    """Fit the weights of each view to the code of the other until they stay."""
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
    """Covariances (p,) of the columns with the other view's code that are left."""
    target = whole = side.covariances(other, weights)
    for covariance, of_side, of_other in removed:
        target = target - covariance * (of_other @ weights) * of_side
    is_rounding = abs(target).max() <= _ROUNDING * abs(whole).max()
    return 0 * target if is_rounding else target


def _step(side, target, limits, weights, alpha, falls):
    """Best weights of one view for a target, of variance 1, and their penalty."""
    if limits.n_nonzero is not None:
        weights, alpha = _of_number(side, target, limits, weights, alpha, falls)
    else:
        alpha = limits.alpha
        weights = elastic_net(side, target, alpha, weights, limits.positive)
    variance = weights @ side.product(weights)
    return (weights / variance**0.5 if variance > 0 else 0 * weights), alpha


def _of_number(side, target, limits, weights, alpha, falls):
    """Weights of `n_nonzero` columns by bisecting the penalty, and that penalty.

    Where no penalty leaves as many, of the largest number that is smaller, or, if that
    is none, of those of the largest targets. The penalty may be below `alpha`, that of
    the last turn, only if it `falls`.
    """
    if limits.n_nonzero >= len(target):
        return elastic_net(side, target, 0.0, weights, limits.positive), 0.0
    largest = (target if limits.positive else abs(target)).max().clip(0.0)
    low, high, best = 0.0, largest, 0 * weights
    # It rarely changes from one turn to the next.
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
        # The first columns come together, as equal ones do under any penalty.
        order = -target if limits.positive else -abs(target)
        first = np.argsort(order, kind="stable")[: limits.n_nonzero]
        best[first] = target[first].clip(0.0 if limits.positive else None)
    return best, high
