"""The algebra of two views, written once for NumPy arrays and torch tensors.

Functions of arrays return arrays. Functions of tensors return tensors, on their device
and with their gradient.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, cholesky

from skcrl._arrays import Array, device, eye_like, is_tensor, namespace
from skcrl._eigen import largest_eigenpairs, top_eigenpairs
from skcrl._moments import Covariances, dense

# Shift of the eigenproblem, a little above the largest possible squared correlation. If
# it is closer, the inverted eigenvalues lie further apart, but the smallest of them
# keep fewer digits.
_SHIFT = 1 + 1e-3
# With residuals of 1e-10, Lanczos distinguishes larger squared correlations from 0.
_RESOLVED = 1e-8
# Columns of less variance count as constant, because the product of the scales of two
# such columns would overflow.
LEAST_VARIANCE = 1e-300


class Root(NamedTuple):
    """Inverse root W = basis L^-T of a covariance, W' cov W = I; W is not stored."""

    lower: Array  # (rank, rank), L
    basis: Array | None = None  # (p, rank), None for the identity

    @property
    def rank(self):
        """Number of columns of W."""
        return len(self.lower)

    def whiten(self, M):
        """Product W'M."""
        M = M if self.basis is None else self.basis.T @ M
        return _solve_triangular(self.lower, M)

    def weigh(self, M):
        """Product W M."""
        M = _solve_triangular(self.lower, M, transposed=True)
        return M if self.basis is None else self.basis @ M


class CCASolution(NamedTuple):
    """Canonical weights, one column for each component, and the singular values of T.

    Without a penalty the singular values are the correlations of the codes.
    """

    x_weights: Array  # (p, k)
    y_weights: Array  # (q, k)
    singular_values: Array  # (k,), largest first
    rank: int  # components that the views span; later columns are zero


def unit_scale(variances):
    """Factors that give columns of these variances variance 1; 1 for a constant."""
    xp = namespace(variances)
    varies = variances > LEAST_VARIANCE
    return xp.where(varies, variances, xp.ones_like(variances)) ** -0.5


def inverse_square_root(cov, ridge):
    """Symmetric inverse square root of cov + ridge I, for a positive ridge.

    Of all W with W'(cov + ridge I)W = I, this one does not rotate. So it changes little
    if cov changes little.
    """
    eigenvalues, eigenvectors = namespace(cov).linalg.eigh(cov)
    # Rounding may leave an eigenvalue of a singular covariance below 0.
    return eigenvectors * (eigenvalues.clip(0.0) + ridge) ** -0.5 @ eigenvectors.T


def ridge_pair(reg):
    """Ridges of both views from one for both, or from a pair."""
    return (reg, reg) if np.ndim(reg) == 0 else tuple(reg)


def standardise(Z, weights=None):
    """Columns with mean 0 and variance 1 over n rows; constant ones become 0."""
    return (Z - row_mean(Z, weights)) * inverse_deviation(Z, weights)


def inverse_deviation(Z, weights=None):
    """Factors by which ``standardise`` multiplies the centred columns."""
    Z = Z - row_mean(Z, weights)
    # The added number is far below the variance of codes. It keeps the gradients of
    # constant columns finite.
    return (row_mean(Z * Z, weights) + 1e-8) ** -0.5


def row_mean(Z, weights=None):
    """Mean of the rows; with weights, a row of weight w counts as w rows."""
    if weights is None:
        return Z.mean(0)
    return (weights / weights.sum()) @ Z


def cca(cov, n_components, ridge=(0.0, 0.0), keep=(1.0, 1.0), random_state=None):
    """Regularised CCA: weights whose codes are white under keep S + ridge I.

    The weights come from the singular vectors of T = Sxx^-1/2 Sxy Syy^-1/2, where the
    covariance S of each view is replaced by keep S + ridge I. Constant, duplicated or
    collinear columns, and more columns than rows, only lower the rank. A ridge does not
    give weight to directions without variance. Each pair of weights has the sign that
    makes the largest standardised x weight positive.

    With a RandomState, T is never computed. Its leading singular vectors are then found
    by iterations that start at random.
    """
    k = min(n_components, *cov.xy.shape)
    found = _ridged_cca(cov, ridge, keep, k, random_state)
    if found is None:
        x_root = _range_root(cov.xx, ridge[0], keep[0])
        y_root = _range_root(cov.yy, ridge[1], keep[1])
        k = min(k, x_root.rank, y_root.rank)
        found = _whitened_cca(cov.xy, x_root, y_root, k)
    x_weights, y_weights, singular_values = found
    # Singular values exceed 1 only by rounding, unless a covariance is shrunk.
    most = 1.0 if min(keep) == 1 else None
    sign = signs(x_weights, (cov.xx.diagonal() + ridge[0]) ** 0.5)
    return CCASolution(
        _pad_columns(x_weights * sign, n_components),
        _pad_columns(y_weights * sign, n_components),
        _pad_columns(singular_values[None, :].clip(0.0, most), n_components)[0],
        k,
    )


def matched(cov):
    """Columns in their given pairs, scaled to variance 1: CCA without its rotation.

    A constant column gets weights of 0.
    """
    xp = namespace(cov.xx)
    x_var, y_var = cov.xx.diagonal(), cov.yy.diagonal()
    x_scale, y_scale = unit_scale(x_var) * (x_var > 0), unit_scale(y_var) * (y_var > 0)
    rank = int(((x_scale > 0) & (y_scale > 0)).sum())
    correlations = cov.xy.diagonal() * x_scale * y_scale
    return CCASolution(xp.diag(x_scale), xp.diag(y_scale), correlations, rank)


def code_correlations(cov, x_weights, y_weights):
    """Pearson correlation of each pair of codes, from the covariances of the views."""
    x_var = (x_weights * (cov.xx @ x_weights)).sum(0)
    y_var = (y_weights * (cov.yy @ y_weights)).sum(0)
    return normalised((x_weights * (cov.xy @ y_weights)).sum(0), x_var, y_var)


def pair_correlations(code_cov):
    """Correlations (k,) of pairs from the covariance (2k, 2k) of [x codes, y codes]."""
    k, var = len(code_cov) // 2, code_cov.diagonal()
    return normalised(code_cov.diagonal(k), var[:k], var[k:])


def normalised(covariances, x_var, y_var):
    """Correlations of pairs with these covariances and variances; 0 for a constant."""
    varies = (x_var > 0) & (y_var > 0)
    return (covariances * unit_scale(x_var) * unit_scale(y_var) * varies).clip(-1, 1)


def canonical_correlations(cov, ridge):
    """All canonical correlations of ridge CCA, largest first, with their gradient.

    The gradient is that of Andrew et al. (2013). It goes only through the singular
    values, so it stays finite if correlations are equal.
    """
    _, _, T = _whitened(cov, ridge)
    return namespace(T).linalg.svdvals(T)


def cca_by(svd, cov, n_components, ridge):
    """Weights and correlations of ridge CCA by the caller's `svd`, with gradients.

    `svd` returns U (p, r), s (r,) and V (q, r) of T = U diag(s) V', with r = min(p, q).
    Components and signs are those of `cca` if both views have full rank.
    """
    x_root, y_root, T = _whitened(cov, ridge)
    left, singular, right = (part[..., :n_components] for part in svd(T))
    x_weights, y_weights = x_root.weigh(left), y_root.weigh(right)
    sign = signs(x_weights, (cov.xx.diagonal() + ridge[0]) ** 0.5)
    return x_weights * sign, y_weights * sign, singular


def _whitened(cov, ridge):
    """Roots of both views, and T. Ridges make the Cholesky factors safe."""
    x_root = Root(factor(_regularised(cov.xx, ridge[0])))
    y_root = Root(factor(_regularised(cov.yy, ridge[1])))
    return x_root, y_root, y_root.whiten(x_root.whiten(cov.xy).T).T


def inverse(cov, ridge=0.0):
    """Inverse of cov + ridge I, in the range of cov."""
    root = _range_root(cov, ridge)
    return root.weigh(root.whiten(eye_like(cov)))


def _ridged_cca(cov, ridge, keep, k, random_state):
    """CCA by Cholesky factors of keep S + ridge I; None if that might not be safe.

    A direction without variance has only the ridge, and the rounding errors of Sxy look
    like a correlation there. They may be at most a millionth of the correlations of the
    requested components.
    """
    scale = ridge[0] ** 0.5 * ridge[1] ** 0.5
    spread = cov.xx.diagonal().sum() ** 0.5 * cov.yy.diagonal().sum() ** 0.5
    rounding = 10 * np.finfo(np.float64).eps * spread
    if not rounding < 1e-6 * scale:
        return None
    found = None
    if random_state is not None:
        found = _lanczos_cca(cov, ridge, keep, k, random_state)
    if found is None:
        x_lower = _cholesky(_regularised(cov.xx, ridge[0], keep[0]), overwrite=True)
        y_lower = _cholesky(_regularised(cov.yy, ridge[1], keep[1]), overwrite=True)
        if x_lower is None or y_lower is None:
            return None
        found = _whitened_cca(cov.xy, Root(x_lower), Root(y_lower), k)
    return found if rounding < 1e-6 * scale * found[2][-1] else None


def _whitened_cca(cov_xy, x_root, y_root, k):
    """Leading k pairs of weights and singular values of the whitened T."""
    T = y_root.whiten(x_root.whiten(dense(cov_xy)).T).T
    left, singular, right = top_svd(T, k)
    return x_root.weigh(left), y_root.weigh(right), singular


def _lanczos_cca(cov, ridge, keep, k, random_state):
    """Leading k pairs of weights and correlations by shifted, inverted block Lanczos.

    Let A and B be the regularised covariances. Then rho² are the eigenvalues of
    Syx A^-1 Sxy - rho² B, which lie close together just below 1. With
    C = shift B - Syx A^-1 Sxy, the eigenvalues of B - theta C are
    theta = 1 / (shift - rho²), and these lie far apart there.

    The result is None if C is not positive, because rho may exceed 1 with keep < 1. It
    is also None if a rho² is so small that theta does not distinguish it from 0.
    """
    if cov.xy.shape[0] < cov.xy.shape[1]:
        swapped = Covariances(cov.yy, cov.xx, cov.xy.T)
        found = _lanczos_cca(swapped, ridge[::-1], keep[::-1], k, random_state)
        return found and (found[1], found[0], found[2])
    lower = _cholesky(_regularised(cov.xx, ridge[0], keep[0]), overwrite=True)
    if lower is None:
        return None
    x_root = Root(lower)
    M = x_root.whiten(dense(cov.xy))
    C = _regularised(cov.yy, _SHIFT * ridge[1], _SHIFT * keep[1])
    # Write into the triangle that _cholesky reads, so that no memory is needed for M'M.
    C = blas.dsyrk(-1.0, M.T, beta=1.0, c=C.T, overwrite_c=True).T
    del M
    lower = _cholesky(C, overwrite=True)
    del C
    if lower is None:
        return None

    def multiply(block):
        weights = _solve_triangular(lower, block, transposed=True)
        within = keep[1] * (cov.yy @ weights) + ridge[1] * weights
        return _solve_triangular(lower, within)

    theta, vectors = top_eigenpairs(multiply, len(lower), k, random_state)
    y_weights = _solve_triangular(lower, vectors, transposed=True) * theta**-0.5
    images = x_root.whiten(cov.xy @ y_weights)
    correlations = np.linalg.norm(images, axis=0)
    if not correlations[-1] ** 2 > _RESOLVED:
        return None
    return x_root.weigh(images / correlations), y_weights, correlations


def top_svd(T, k):
    """Leading k singular triplets of T."""
    if isinstance(T, np.ndarray) and 0 < 2 * k <= min(T.shape):
        if T.shape[0] < T.shape[1]:
            right, singular, left = top_svd(T.T, k)
            return left, singular, right
        squares, right = largest_eigenpairs(T.T @ T, k)
        triplets = _from_squares(T @ right, squares, right)
        # Squaring costs small singular values half of their digits.
        if triplets[1][-1] > 1e-3 * triplets[1][0]:
            return triplets
    left, singular, right = namespace(T).linalg.svd(T, full_matrices=False)
    return left[:, :k], singular[:k], right[:k].T


def _from_squares(images, squares, right):
    """Singular triplets from T V and the eigenpairs (squares, V) of T'T."""
    singular = squares.clip(0.0) ** 0.5
    return images / np.where(singular > 0, singular, 1.0), singular, right


def signs(weights, deviations):
    """1 or -1 for each column, to make its largest standardised weight positive."""
    xp = namespace(weights)
    standardised = weights * deviations[:, None]
    largest = abs(standardised).argmax(0)
    return xp.sign(standardised[largest, xp.arange(weights.shape[1])])


def _regularised(cov, ridge, keep=1.0):
    """The matrix keep cov + ridge I, as a new array."""
    regularised = dense(cov * keep)
    namespace(regularised).einsum("ii->i", regularised)[:] += ridge
    return regularised


def _range_root(cov, ridge=0.0, keep=1.0):
    """Inverse root of keep cov + ridge I in the range of cov, with the rank of cov."""
    cov = dense(cov)
    basis = _range_basis(cov)
    if basis is None:
        return Root(factor(_regularised(cov, ridge, keep)))
    if ridge > 0 and basis.shape[1] > 0:
        # Without a ridge, W lies in the span of the basis, which depends on the units
        # of the columns. A ridge ignores units. With it, W lies in the range of cov.
        basis = namespace(cov).linalg.qr(cov @ basis)[0]
    within = keep * (basis.T @ cov @ basis) + ridge * (basis.T @ basis)
    return Root(factor(within), basis)


def _range_basis(cov):
    """Basis W (p, rank) of the range of `cov`, W' cov W = I; None at full rank."""
    xp = namespace(cov)
    unit, scale = _unit_diagonal(cov)
    if _cholesky(unit) is not None:
        return None
    eigenvalues, eigenvectors = xp.linalg.eigh(unit)
    live = eigenvalues > _rounding(cov) * eigenvalues[-1]
    return scale[:, None] * eigenvectors[:, live] * eigenvalues[live] ** -0.5


def factor(cov):
    """Lower Cholesky factor of `cov`, which rounding may have made singular."""
    unit, scale = _unit_diagonal(cov)
    lower, shift = _cholesky(unit), 4 * _rounding(cov)
    # If it is singular up to rounding, add about the least that makes it positive
    # definite. If columns have very different units, the errors of their products are
    # larger than the size of the matrix tells.
    while lower is None and shift < 10 * len(cov):
        lower = _cholesky(_regularised(unit, shift), overwrite=True)
        shift *= 10
    if lower is None:
        raise FloatingPointError("a covariance is not finite")
    return lower / scale[:, None]


def _unit_diagonal(cov):
    """`cov` scaled to a diagonal of 1, so that its rank ignores units; and the scale.

    A column without variance has a row and a column of zeros.
    """
    scale = unit_scale(cov.diagonal())
    live = cov.diagonal() > LEAST_VARIANCE
    return cov * (scale * live)[:, None] * (scale * live), scale


def _rounding(cov):
    """Relative rounding error of the eigenvalues of a covariance."""
    return 10 * len(cov) * np.finfo(np.float64).eps


def _pad_columns(a, n_columns):
    """`a` with columns of zeros added on the right, `n_columns` in all."""
    xp = namespace(a)
    missing = n_columns - a.shape[1]
    if missing == 0:
        return a
    zeros = xp.zeros((a.shape[0], missing), dtype=a.dtype, **device(a))
    return xp.concatenate([a, zeros], 1)


def _cholesky(cov, overwrite=False):
    """Lower Cholesky factor, or None if it cannot be inverted safely."""
    variances = cov.diagonal() + 0.0
    if is_tensor(cov):
        lower, info = namespace(cov).linalg.cholesky_ex(cov)
        if info != 0:
            return None
    else:
        try:
            # LAPACK wants matrices by columns, as the transpose is. So it may overwrite
            # the transpose with the factor.
            lower = cholesky(cov.T, overwrite_a=overwrite, check_finite=False).T
        except np.linalg.LinAlgError:
            return None
    # A squared pivot is the variance that the earlier columns leave of a column.
    left = lower.diagonal() ** 2
    return lower if (left > _rounding(cov) * variances).all() else None


def _solve_triangular(lower, b, transposed=False):
    """L^-1 b, or L^-T b."""
    if not isinstance(lower, np.ndarray):
        triangle = lower.T if transposed else lower
        return namespace(lower).linalg.solve_triangular(triangle, b, upper=transposed)
    if b.size == 0:
        return b  # BLAS does not accept it
    # BLAS wants matrices by columns. To avoid copies, it gets the transposes. L' is an
    # upper triangle. It stands on the left, or on the right if b is transposed.
    if b.flags.f_contiguous:
        return blas.dtrsm(1.0, lower.T, b, trans_a=not transposed)
    return blas.dtrsm(1.0, lower.T, b.T, side=1, trans_a=transposed).T
