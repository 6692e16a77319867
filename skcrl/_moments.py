"""Moments of two views, and other functions that take their rows block by block.

Functions of arrays return arrays. Functions of tensors return tensors, on their device
and with their gradient.
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from skcrl._arrays import Array, empty, namespace
from skcrl._sparse import SparseProducts

_BLOCK_ROWS = 8192


class Moments(NamedTuple):
    """Means and centred sums of products of n paired rows."""

    n: float  # with weights, their sum
    x_mean: Array  # (p,)
    y_mean: Array  # (q,)
    xx: Array  # (p, p)
    yy: Array  # (q, q)
    xy: Array  # (p, q)


class CrossMoments(NamedTuple):
    """Means and centred products of two views of n paired rows."""

    n: float  # with weights, their sum
    a_mean: Array  # (p,)
    b_mean: Array  # (q,)
    ab: Array  # (p, q)


class Covariances(NamedTuple):
    """Covariances within and between two views, normalised by n - 1."""

    xx: Array  # (p, p)
    yy: Array  # (q, q)
    xy: Array  # (p, q)


def moments(X, Y, block_rows=_BLOCK_ROWS, weights=None):
    """Moments of paired rows in float64, in blocks, so memory does not grow with n.

    Each block is centred on its own mean before it is squared, so a column with
    mean 1e6 and deviation 1 loses nothing to cancellation. A row of weight w counts as
    w rows; weights are above 0.
    """
    blocks = [slice(i, i + block_rows) for i in range(0, len(X), block_rows)]
    return reduce(
        merge_moments,
        (
            _block_moments(X[b], Y[b], None if weights is None else weights[b])
            for b in blocks
        ),
    )


def merge_moments(a, b):
    """Moments of two disjoint sets of rows together.

    The formula is that of Chan, Golub and LeVeque (1979). The sums of products are
    added, and a multiple of the outer product of the difference of the means.
    """
    n = a.n + b.n
    dx, dy = b.x_mean - a.x_mean, b.y_mean - a.y_mean
    weight = a.n * b.n / n
    return Moments(
        n,
        a.x_mean + dx * (b.n / n),
        a.y_mean + dy * (b.n / n),
        dense(a.xx) + dense(b.xx) + weight * dx[:, None] * dx,
        dense(a.yy) + dense(b.yy) + weight * dy[:, None] * dy,
        dense(a.xy) + dense(b.xy) + weight * dx[:, None] * dy,
    )


def without_rows(m, part):
    """Moments of the rows of `m` without those of `part`, for dense views."""
    n = m.n - part.n
    dx, dy = part.x_mean - m.x_mean, part.y_mean - m.y_mean
    # This factor accounts for the difference between the mean of the part and the mean
    # of the rows that stay.
    share = m.n * part.n / n
    return Moments(
        n,
        m.x_mean - dx * (part.n / n),
        m.y_mean - dy * (part.n / n),
        m.xx - part.xx - share * dx[:, None] * dx,
        m.yy - part.yy - share * dy[:, None] * dy,
        m.xy - part.xy - share * dx[:, None] * dy,
    )


def cross_moments(A, B, weights=None):
    """Cross moments in float64 of two arrays, of which B may be sparse.

    Parameters
    ----------
    A : ndarray of shape (n_samples, p)
    B : ndarray or CSR array of shape (n_samples, q)
    weights : ndarray of shape (n_samples,) or None, default=None
    """
    if weights is None:
        weights = np.ones(len(A))
    n = float(weights.sum())
    a_mean = weights @ A / n
    b_mean = inner(weights[:, None], B)[0] / n
    # If one array is centred, the other need not be.
    return CrossMoments(n, a_mean, b_mean, inner((A - a_mean) * weights[:, None], B))


def merge_cross(a, b):
    """Cross moments of two disjoint sets of rows together."""
    n = a.n + b.n
    da, db = b.a_mean - a.a_mean, b.b_mean - a.b_mean
    # Products with wide sparse views are large, so they are added up in one array.
    ab = np.outer(da * (a.n * b.n / n), db)
    ab += a.ab
    ab += b.ab
    return CrossMoments(n, a.a_mean + da * (b.n / n), a.b_mean + db * (b.n / n), ab)


def covariances(m, lost=0):
    """Unbiased covariances; a column that is constant up to rounding has exactly 0.

    They are normalised by n - 1 - `lost`, where `lost` is the number of degrees of
    freedom that covariates take.
    """
    share = 1 / max(m.n - 1 - lost, 1)
    cov = Covariances(m.xx * share, m.yy * share, m.xy * share)
    x_varies, y_varies = varies(m.n, m.x_mean, m.xx), varies(m.n, m.y_mean, m.yy)
    if x_varies.all() and y_varies.all():
        return cov
    return scaled(cov, x_varies, y_varies)


def about(m, x_mean, y_mean):
    """Moments of the same rows about other means, for dense views."""
    dx, dy = m.x_mean - x_mean, m.y_mean - y_mean
    return Moments(
        m.n,
        x_mean,
        y_mean,
        m.xx + m.n * dx[:, None] * dx,
        m.yy + m.n * dy[:, None] * dy,
        m.xy + m.n * dx[:, None] * dy,
    )


def uncentred(cov, m, lost=0):
    """Mean products about 0 instead of the means, normalised as `cov` is."""
    share = m.n / max(m.n - 1 - lost, 1)
    return Covariances(
        _uncentred(cov.xx, share * m.x_mean, m.x_mean),
        _uncentred(cov.yy, share * m.y_mean, m.y_mean),
        _uncentred(cov.xy, share * m.x_mean, m.y_mean),
    )


def scaled(cov, x_scale, y_scale):
    """Covariances of views whose columns are multiplied by these scales."""
    return Covariances(
        _scaled(cov.xx, x_scale, x_scale),
        _scaled(cov.yy, y_scale, y_scale),
        _scaled(cov.xy, x_scale, y_scale),
    )


def square_norm(M):
    """Sum of the squares of all entries."""
    return M.square_norm() if isinstance(M, SparseProducts) else (M * M).sum()


def project(X, mean, weights, out=None, block_rows=_BLOCK_ROWS):
    """(X - mean) @ weights in float64, in blocks, returned in the dtype of X.

    Rows are centred before the product. This costs a copy of each block, but saves the
    digits that X @ weights - mean @ weights would lose if a mean is large. `out` may be
    X itself if the weights are square.
    """
    if out is None:
        out = empty((len(X), weights.shape[1]), X)
    for i in range(0, len(X), block_rows):
        out[i : i + block_rows] = (X[i : i + block_rows] - mean) @ weights
    return out


def inner(A, B, block_rows=_BLOCK_ROWS):
    """A'B in float64, in blocks, so neither array is copied as a whole."""
    blocks = (
        A[i : i + block_rows].astype(np.float64).T @ B[i : i + block_rows]
        for i in range(0, len(A), block_rows)
    )
    total = next(blocks)
    for block in blocks:
        total += block
    return total


def dense(M):
    """`M` as an array; a new one if it was sparse products."""
    return M.toarray() if isinstance(M, SparseProducts) else M


def varies(n, mean, sums_of_products):
    """1.0 for each column whose spread exceeds the rounding of its mean, else 0.0."""
    xp = namespace(mean)
    # The sum of a block has at most this rounding error. It is largest if the column is
    # constant.
    rounding = min(n, _BLOCK_ROWS) * np.finfo(np.float64).eps * mean
    spread = sums_of_products.diagonal() > n * rounding**2
    return xp.where(spread, xp.ones_like(mean), xp.zeros_like(mean))


def products_block(M, rows, columns):
    """Block of sums of products; sparse products stay sparse."""
    return M.block(rows, columns) if isinstance(M, SparseProducts) else M[rows, columns]


def less(M, left, right):
    """M - left right' as a new matrix; sparse products stay sparse."""
    if isinstance(M, SparseProducts):
        return M.plus(-left, right)
    return M - left @ right.T


def _block_moments(X, Y, weights):
    xp = namespace(X)
    if weights is None:
        n = float(len(X))
        x_mean = xp.mean(X, 0, dtype=xp.float64)
        y_mean = xp.mean(Y, 0, dtype=xp.float64)
        Xc, Yc = X - x_mean, Y - y_mean
    else:
        n = float(weights.sum())
        x_mean, y_mean = (
            xp.mean(weights[:, None] * view, 0) * (len(view) / n) for view in (X, Y)
        )
        root = weights[:, None] ** 0.5
        Xc, Yc = (X - x_mean) * root, (Y - y_mean) * root
    return Moments(n, x_mean, y_mean, Xc.T @ Xc, Yc.T @ Yc, Xc.T @ Yc)


def _scaled(M, left, right):
    """diag(left) M diag(right)."""
    if isinstance(M, SparseProducts):
        return M.scaled(left, right)
    return M * left[:, None] * right


def _uncentred(M, left, right):
    """M + left right'."""
    if isinstance(M, SparseProducts):
        return M.plus(left, right)
    return M + left[:, None] * right
