"""The algebra of two views, written once for NumPy arrays and torch tensors.

Arrays in give arrays out; tensors in give tensors out, on their device and with
their gradient. This module never imports torch: whoever passes a tensor has.
"""

import sys
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

Array = Any  # np.ndarray or torch.Tensor

_BLOCK_ROWS = 8192


class Moments(NamedTuple):
    """Means and centred sums of products of n paired rows."""

    n: int
    x_mean: Array  # (p,)
    y_mean: Array  # (q,)
    xx: Array  # (p, p)
    yy: Array  # (q, q)
    xy: Array  # (p, q)


class Covariances(NamedTuple):
    """Covariances within and between two views, normalised by n - 1."""

    xx: Array  # (p, p)
    yy: Array  # (q, q)
    xy: Array  # (p, q)


class CCASolution(NamedTuple):
    """Canonical weights, one column a component, and their correlations."""

    x_weights: Array  # (p, k)
    y_weights: Array  # (q, k)
    correlations: Array  # (k,), largest first
    rank: int  # components that the views span; the columns past it are zero


def moments(X, Y, block_rows=_BLOCK_ROWS):
    """Moments of paired rows in float64, in blocks: memory does not grow with n.

    Each block is centred on its own mean before it is squared, so a column with
    mean 1e6 and deviation 1 loses nothing to cancellation.
    """
    starts = range(0, len(X), block_rows)
    return reduce(
        merge_moments,
        (_block_moments(X[i : i + block_rows], Y[i : i + block_rows]) for i in starts),
    )


def merge_moments(a, b):
    """Moments of two disjoint sets of rows together.

    Chan, Golub and LeVeque (1979): the sums of products add up but for
    the outer product of the difference of the means.
    """
    n = a.n + b.n
    dx, dy = b.x_mean - a.x_mean, b.y_mean - a.y_mean
    weight = a.n * b.n / n
    return Moments(
        n,
        a.x_mean + dx * (b.n / n),
        a.y_mean + dy * (b.n / n),
        a.xx + b.xx + weight * dx[:, None] * dx,
        a.yy + b.yy + weight * dy[:, None] * dy,
        a.xy + b.xy + weight * dx[:, None] * dy,
    )


def covariances(m):
    """Unbiased covariances; a column that is constant up to rounding has exactly 0."""
    x_varies = _varies(m.n, m.x_mean, m.xx) / max(m.n - 1, 1) ** 0.5
    y_varies = _varies(m.n, m.y_mean, m.yy) / max(m.n - 1, 1) ** 0.5
    return Covariances(
        m.xx * x_varies[:, None] * x_varies,
        m.yy * y_varies[:, None] * y_varies,
        m.xy * x_varies[:, None] * y_varies,
    )


def whitening(cov, ridge=0.0):
    """Matrix W of shape (p, rank) with W'(cov + ridge I)W = I, in the range of cov.

    Constant, duplicated or collinear columns, and more columns than rows, only lower
    the rank; a ridge does not lend weight to directions without variance.
    """
    basis = _range_basis(cov)
    if basis is None:
        return _inverse_root(_add_ridge(cov, ridge))
    if basis.shape[1] == 0:
        return basis
    if ridge > 0:
        # The basis spans the range in units of the columns, where W lies without a
        # ridge; the ridge knows no units, and W lies in the range itself.
        basis = _namespace(cov).linalg.qr(cov @ basis)[0]
    return basis @ _inverse_root(basis.T @ cov @ basis + ridge * basis.T @ basis)


def inverse_square_root(cov, ridge):
    """Symmetric inverse square root of cov + ridge I, for a positive ridge.

    Of all W with W'(cov + ridge I)W = I the one that turns no direction, and so
    changes little when cov does.
    """
    eigenvalues, eigenvectors = _namespace(cov).linalg.eigh(cov)
    # Rounding may leave an eigenvalue of a singular covariance below 0.
    return eigenvectors * (eigenvalues.clip(0.0) + ridge) ** -0.5 @ eigenvectors.T


def standardise(Z):
    """Columns with mean 0 and variance 1 over n rows; dead ones come out as 0."""
    Z = Z - Z.mean(0)
    # Far below the variance of codes: it keeps gradients of dead columns finite.
    return Z * ((Z * Z).mean(0) + 1e-8) ** -0.5


def cca(cov, n_components, ridge=(0.0, 0.0)):
    """Ridge CCA: weights whose codes are white under the ridged covariances.

    Singular vectors of T = Sxx^-1/2 Sxy Syy^-1/2, where the ridge of each view is
    added to its covariance. Each pair of weights has the sign that makes the
    largest standardised x weight positive.
    """
    xp = _namespace(cov.xx)
    x_white, y_white = whitening(cov.xx, ridge[0]), whitening(cov.yy, ridge[1])
    left, correlations, right = xp.linalg.svd(
        x_white.T @ cov.xy @ y_white, full_matrices=False
    )
    k = min(n_components, len(correlations))
    x_weights, y_weights = x_white @ left[:, :k], y_white @ right[:k].T
    standardised = x_weights * (xp.diagonal(cov.xx) + ridge[0])[:, None] ** 0.5
    largest = abs(standardised).argmax(0)
    sign = xp.sign(standardised[largest, xp.arange(k)])
    return CCASolution(
        _pad_columns(x_weights * sign, n_components),
        _pad_columns(y_weights * sign, n_components),
        _pad_columns(xp.clip(correlations[None, :k], 0.0, 1.0), n_components)[0],
        k,
    )


def matched(cov):
    """Columns paired as they are and scaled to variance 1: CCA without its rotation.

    A constant column gets weights of 0.
    """
    xp = _namespace(cov.xx)
    x_scale, y_scale = (
        _unit_diagonal(c)[1] * (xp.diagonal(c) > 0) for c in (cov.xx, cov.yy)
    )
    rank = int(((x_scale > 0) & (y_scale > 0)).sum())
    correlations = xp.diagonal(cov.xy) * x_scale * y_scale
    return CCASolution(xp.diag(x_scale), xp.diag(y_scale), correlations, rank)


def canonical_correlations(cov, ridge):
    """Every canonical correlation of ridge CCA, largest first, for gradients.

    The gradient is that of Andrew et al. (2013): it goes through the
    singular values alone, so equal correlations do not blow it up, and through
    Cholesky factors, which the ridges make safe for covariances of any rank.
    """
    xp = _namespace(cov.xx)
    x_white = _inverse_root(_add_ridge(cov.xx, ridge[0]))
    y_white = _inverse_root(_add_ridge(cov.yy, ridge[1]))
    return xp.linalg.svdvals(x_white.T @ cov.xy @ y_white)


def regression(cov_zz, cov_zt, ridge=0.0):
    """Coefficients (k, p) of the ridge regression of t on z, from covariances."""
    white = whitening(cov_zz, ridge)
    return white @ (white.T @ cov_zt)


def project(X, mean, weights, out=None, block_rows=_BLOCK_ROWS):
    """(X - mean) @ weights in float64, in blocks, returned in the dtype of X.

    Centring first costs a copy of a block and saves the digits that
    X @ weights - mean @ weights would lose when a mean is large. `out` may be X itself
    if the weights are square.
    """
    if out is None:
        out = np.empty((len(X), weights.shape[1]), dtype=X.dtype)
    for i in range(0, len(X), block_rows):
        out[i : i + block_rows] = (X[i : i + block_rows] - mean) @ weights
    return out


def inner(A, B, block_rows=_BLOCK_ROWS):
    """A'B in float64, in blocks: neither array is copied whole."""
    starts = range(0, len(A), block_rows)
    return sum(
        A[i : i + block_rows].astype(np.float64).T @ B[i : i + block_rows]
        for i in starts
    )


def _block_moments(X, Y):
    xp = _namespace(X)
    x_mean = xp.mean(X, 0, dtype=xp.float64)
    y_mean = xp.mean(Y, 0, dtype=xp.float64)
    Xc, Yc = X - x_mean, Y - y_mean
    return Moments(len(X), x_mean, y_mean, Xc.T @ Xc, Yc.T @ Yc, Xc.T @ Yc)


def _varies(n, mean, sums_of_products):
    """1.0 for each column whose spread exceeds the rounding of its mean, else 0.0."""
    xp = _namespace(mean)
    # Adding up a block errs by this much at most, a constant column's above all.
    rounding = min(n, _BLOCK_ROWS) * np.finfo(np.float64).eps * mean
    varies = xp.diagonal(sums_of_products) > n * rounding**2
    return xp.where(varies, xp.ones_like(mean), xp.zeros_like(mean))


def _add_ridge(cov, ridge):
    return cov + ridge * _eye_like(cov)


def _range_basis(cov):
    """Basis (p, rank) of the range of `cov`, white under it; None at full rank."""
    xp = _namespace(cov)
    unit, scale = _unit_diagonal(cov)
    if _cholesky(unit) is not None:
        return None
    eigenvalues, eigenvectors = xp.linalg.eigh(unit)
    keep = eigenvalues > _rounding(cov) * eigenvalues[-1]
    return scale[:, None] * eigenvectors[:, keep] * eigenvalues[keep] ** -0.5


def _inverse_root(cov):
    """Matrix W with W' cov W = I, from Cholesky."""
    unit, scale = _unit_diagonal(cov)
    lower = _cholesky(unit)
    if lower is None:
        # Singular up to rounding: the least that makes it positive definite.
        lower = _cholesky(_add_ridge(unit, 4 * _rounding(cov)))
    if lower is None:
        raise FloatingPointError("a covariance is not finite")
    return scale[:, None] * _solve_triangular(lower, _eye_like(cov)).T


def _unit_diagonal(cov):
    """`cov` in units of its columns' deviations, so that its rank ignores theirs.

    A column without variance keeps a row and column of zeros.
    """
    xp = _namespace(cov)
    variances = xp.diagonal(cov)
    scale = xp.where(variances > 0, variances, xp.ones_like(variances)) ** -0.5
    return cov * scale[:, None] * scale, scale


def _rounding(cov):
    """Relative rounding error of the eigenvalues of a covariance."""
    return 10 * len(cov) * np.finfo(np.float64).eps


def _pad_columns(a, n_columns):
    """Zero columns on the right of `a`, up to `n_columns`."""
    xp = _namespace(a)
    missing = n_columns - a.shape[1]
    if missing == 0:
        return a
    zeros = xp.zeros((a.shape[0], missing), dtype=a.dtype, **_device(a))
    return xp.concatenate([a, zeros], 1)


def _namespace(a):
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(a, torch.Tensor) else np


def _eye_like(a):
    return _namespace(a).eye(len(a), dtype=a.dtype, **_device(a))


def _device(a):
    return {} if isinstance(a, np.ndarray) else {"device": a.device}


def _cholesky(unit):
    """Lower Cholesky factor, or None where that is no safe inverse.

    The square of a pivot is the share of a column that those before it leave.
    """
    xp = _namespace(unit)
    if isinstance(unit, np.ndarray):
        try:
            lower = np.linalg.cholesky(unit)
        except np.linalg.LinAlgError:
            return None
    else:
        lower, info = xp.linalg.cholesky_ex(unit)
        if info != 0:
            return None
    return lower if (xp.diagonal(lower) ** 2 > _rounding(unit)).all() else None


def _solve_triangular(lower, b):
    if isinstance(lower, np.ndarray):
        return linalg.solve_triangular(lower, b, lower=True, check_finite=False)
    return _namespace(lower).linalg.solve_triangular(lower, b, upper=False)
