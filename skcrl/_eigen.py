"""The largest eigenpairs of a symmetric operator that is known by its products."""

import numpy as np
from scipy import linalg

# A random block as wide as an eigenspace may miss some of it; two more will not.
_OVERSAMPLING = 2
# Narrower blocks save nothing: BLAS spends its time on reading the operator.
_MIN_WIDTH = 16
# Blocks in the basis before it is restarted: memory is this times (size, k).
_MAX_BLOCKS = 8
# Blocks between two looks at the residuals, each an eigenproblem of the basis' width.
_CHECK_EVERY = 2
# Columns multiplied, in units of size, after which LAPACK would not have been dearer.
_MAX_PASSES = 2


def top_eigenpairs(multiply, size, k, random_state, tol=1e-10):
    r"""Largest eigenpairs of a symmetric positive semidefinite operator.

    Block Lanczos with full reorthogonalisation and thick restarts [1]_. A block has more
    columns than pairs are asked for, so that equal eigenvalues are all found. The
    pairs are returned when the residuals :math:`\|A v - \theta v\|` of all k are at
    most `tol` times the largest eigenvalue. That bounds the error of each eigenvalue
    by the same; where neighbours are a gap away, also in units of the largest, the
    error of the eigenvalue is of the order of ``tol**2 / gap`` and that of the vector
    of ``tol / gap``.

    Small operators, and those whose eigenvalues decay so slowly that LAPACK is no
    dearer, are written out in (size, size) and solved by LAPACK.

    Parameters
    ----------
    multiply : callable
        Maps an ndarray of shape (size, b) to the operator times it, a new ndarray of
        float64.
    size : int
        Rows of the operator.
    k : int
        Number of pairs, from 1 to `size`.
    random_state : RandomState
        Draws the first block.
    tol : float, default=1e-10
        Bound on the residuals, above the 1e-14 or so that rounding leaves.

    Returns
    -------
    eigenvalues : ndarray of shape (k,)
        Largest first. Those of 0 may come out as +-1e-16 times the largest.
    eigenvectors : ndarray of shape (size, k)
        Orthonormal columns.

    References
    ----------
    .. [1] Wu and Simon (2000). Thick-restart Lanczos method for large symmetric
       eigenvalue problems. SIAM Journal on Matrix Analysis and Applications 22.
    """
    width = max(k + _OVERSAMPLING, _MIN_WIDTH)
    if size <= _MAX_BLOCKS * width:
        return _dense(multiply, size, k)
    V = np.empty((size, _MAX_BLOCKS * width), order="F")
    T = np.zeros((V.shape[1], V.shape[1]))  # V'AV
    block = _qr(random_state.standard_normal((size, width)))[0]
    end = 0
    for _ in range(int(_MAX_PASSES * size) // width):
        start, end = end, end + width
        V[:, start:end] = block
        block = multiply(block)
        T[:end, start:end] = V[:, :end].T @ block
        T[start:end, :start] = T[:start, start:end].T
        block -= V[:, :end] @ T[:end, start:end]
        block, R = _orthonormal(block, V[:, :end])
        if end // width % _CHECK_EVERY:
            continue
        full = end == V.shape[1]
        theta, S = _largest(T[:end, :end], end // 2 if full else k)
        # A V = V T + block R E', where E' picks the last `width` rows.
        residuals = np.linalg.norm(R @ S[start:end, :k], axis=0)
        if (residuals <= tol * theta[0]).all():
            return theta[:k], V[:, :end] @ S[:, :k]
        if full:
            # The leading Ritz vectors go on: T is diagonal on them, and the next
            # block fills in how it is coupled to them.
            end = len(theta)
            V[:, :end] = V @ S
            T[:end, :end] = np.diag(theta)
    return _dense(multiply, size, k)


def _orthonormal(W, V):
    """Orthonormal Q and square R with W = QR, for W orthogonal to V up to rounding.

    The second round removes from Q what rounding had left of V, and turns the columns
    that QR makes up for a W of lower rank away from V.
    """
    Q, R = _qr(W)
    Q -= V @ (V.T @ Q)
    Q, S = _qr(Q)
    return Q, S @ R


def _qr(W):
    return linalg.qr(W, mode="economic", overwrite_a=True, check_finite=False)


def _dense(multiply, size, k):
    return _largest(multiply(np.eye(size)), k)


def _largest(A, k):
    """The k largest eigenpairs of a matrix, of which the lower triangle counts."""
    n = len(A)
    eigenvalues, eigenvectors = linalg.eigh(
        A, subset_by_index=(n - k, n - 1), check_finite=False
    )
    return eigenvalues[::-1], eigenvectors[:, ::-1]
