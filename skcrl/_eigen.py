"""Largest eigenpairs of a symmetric operator, from its products with blocks."""

import numpy as np
from scipy import linalg

# A random block that is only as wide as an eigenspace may miss a part of it. With two
# more columns it does not.
_OVERSAMPLING = 2
# Narrower blocks save no time, because BLAS spends its time on reading the operator.
_MIN_WIDTH = 16
# Number of blocks in the basis before a restart. The memory is this times (size, k).
_MAX_BLOCKS = 8
# Number of blocks between two checks of the residuals. Each check solves an
# eigenproblem that is as large as the basis is wide.
_CHECK_EVERY = 2
# After this number of multiplied columns, in units of size, LAPACK is as fast.
_MAX_PASSES = 2
# A unit vector whose squared length in the metric is below this is only rounding error.
_METRIC_ROUNDING = 1e-12


def top_eigenpairs(multiply, size, k, random_state, tol=1e-10, metric=None):
    r"""Largest eigenpairs of a symmetric positive semidefinite operator A.

    The method is block Lanczos with full reorthogonalisation and thick restarts [1]_. A
    block has more columns than the number of pairs, so that equal eigenvalues are all
    found. The pairs are returned when the residuals :math:`\|A v - \theta v\|` of all k
    are at most `tol` times the largest eigenvalue. The error of each eigenvalue has the
    same bound. Let `gap` be the distance to the neighbouring eigenvalues, also in units
    of the largest. Then the error of an eigenvalue is of the order of ``tol**2 / gap``,
    and the error of its vector is of the order of ``tol / gap``.

    Small operators are written out as a matrix (size, size) and solved by LAPACK. So
    are operators whose eigenvalues decay so slowly that LAPACK is as fast.

    Parameters
    ----------
    multiply : callable
        Maps an ndarray B of shape (size, b) to A B, a new ndarray of float64.
    size : int
        Rows of the operator.
    k : int
        Number of pairs, from 1 to `size`.
    random_state : RandomState
        Draws the first block.
    tol : float, default=1e-10
        Bound on the residuals. Set it above about 1e-14, which rounding leaves.
    metric : callable or None, default=None
        Maps a block B to M B, for a symmetric M with eigenvalues from 1e-11 to about 1.
        The pairs are then those of the product AM, which is symmetric in the inner
        product of M. Norms are taken in this inner product, too.

    Returns
    -------
    eigenvalues : ndarray of shape (k,)
        Largest first. Eigenvalues of 0 may be computed as +-1e-16 times the largest.
    eigenvectors : ndarray of shape (size, k)
        Columns that are orthonormal in the metric.

    References
    ----------
    .. [1] Wu and Simon (2000). Thick-restart Lanczos method for large symmetric
       eigenvalue problems. SIAM Journal on Matrix Analysis and Applications 22.
    """
    width = max(k + _OVERSAMPLING, _MIN_WIDTH)
    if size <= _MAX_BLOCKS * width:
        return _dense(multiply, size, k, metric)
    V = np.empty((size, _MAX_BLOCKS * width), order="F")
    MV = V if metric is None else np.empty_like(V)
    T = np.zeros((V.shape[1], V.shape[1]))  # V'MAMV
    block = random_state.standard_normal((size, width))
    block, image, _ = _orthonormal(block, V[:, :0], MV[:, :0], metric)
    end = 0
    for _ in range(int(_MAX_PASSES * size) // width):
        start, end = end, end + width
        V[:, start:end], MV[:, start:end] = block, image
        block = multiply(image)
        T[:end, start:end] = MV[:, :end].T @ block
        T[start:end, :start] = T[:start, start:end].T
        block -= V[:, :end] @ T[:end, start:end]
        block, image, R = _orthonormal(block, V[:, :end], MV[:, :end], metric)
        if end // width % _CHECK_EVERY:
            continue
        full = end == V.shape[1]
        theta, S = largest_eigenpairs(T[:end, :end], end // 2 if full else k)
        # A M V = V T + block R E', where E' picks the last `width` rows.
        residuals = np.linalg.norm(R @ S[start:end, :k], axis=0)
        if (residuals <= tol * theta[0]).all():
            return theta[:k], V[:, :end] @ S[:, :k]
        if full:
            # Continue with the leading Ritz vectors. T is diagonal on them, and the
            # next block adds how it is coupled to them.
            end = len(theta)
            V[:, :end] = V @ S
            if metric is not None:
                MV[:, :end] = MV @ S
            T[:end, :end] = np.diag(theta)
    return _dense(multiply, size, k, metric)


def largest_eigenpairs(A, k):
    """The k largest eigenpairs of a matrix; only its lower triangle is read."""
    n = len(A)
    eigenvalues, eigenvectors = linalg.eigh(
        A, subset_by_index=(n - k, n - 1), check_finite=False
    )
    if len(eigenvalues) < k:
        # If LAPACK computes only some eigenvalues, it may miss one of several that are
        # almost equal.
        eigenvalues, eigenvectors = linalg.eigh(A, driver="evd", check_finite=False)
    return eigenvalues[: -k - 1 : -1], eigenvectors[:, : -k - 1 : -1]


def _orthonormal(W, V, MV, metric):
    """Orthonormal Q, MQ, and square R with W = QR, for W almost orthogonal to V.

    The second round removes from Q what rounding had left of V. If W has a lower rank,
    QR adds arbitrary columns. The second round makes these orthogonal to V as well.
    """
    Q, R = _qr(W)
    if metric is None:
        Q -= V @ (V.T @ Q)
        Q, S = _qr(Q)
        return Q, Q, S @ R
    MQ = metric(Q)
    for _ in range(2):
        overlap = MV.T @ Q
        Q -= V @ overlap
        MQ -= MV @ overlap
        root, inverse = _roots(Q.T @ MQ)
        Q, MQ, R = Q @ inverse, MQ @ inverse, root.T @ R
    return Q, MQ, R


def _roots(M):
    """F and G with FF' = M and G'MG = I; if M is singular, some columns are 0."""
    squares, U = np.linalg.eigh(M)
    root = np.sqrt(np.where(squares > _METRIC_ROUNDING, squares, 0.0))
    inverse = np.divide(1.0, root, out=np.zeros_like(root), where=root > 0)
    return U * root, U * inverse


def _qr(W):
    return linalg.qr(W, mode="economic", overwrite_a=True, check_finite=False)


def _dense(multiply, size, k, metric):
    if metric is None:
        return largest_eigenpairs(multiply(np.eye(size)), k)
    root, inverse = _roots(metric(np.eye(size)))
    theta, S = largest_eigenpairs(root.T @ multiply(root), k)
    return theta, inverse @ S
