"""Ridge CCA in the feature spaces of two centred kernels."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from skcrl import _linalg
from skcrl._degenerate import free_rank, warn_of_constant, warn_without_freedom
from skcrl._eigen import top_eigenpairs
from skcrl._moments import Covariances
from skcrl.kernel._kernels import NOISE, range_eigenpairs

# In units of the trace. A larger shift would lose the kernel to rounding.
_LARGEST_SHIFT = 1e4
# Keeps the metric of the eigenproblem positive if the kernel is singular.
_JITTER = 1e-11
# Residuals of the squared correlations. The correlations have errors of about 1e-12.
_TOL = 1e-8
# Correlations that differ by less, by the rounding of kernels, count as equal.
_TIED = 1e-9
# The remedy if kernels correlate for any data.
LARGER_RIDGE = "Set a larger reg"
# The remedy if a kernel hardly varies.
NO_MEAN = (
    "pass a view that varies between samples. If its mean is far larger than its "
    "variation, centre it first, by StandardScaler in a ViewPipeline"
)


class KernelSolution(NamedTuple):
    """Dual weights and training codes, a column for each component, and the rest."""

    x_weights: np.ndarray  # (n, k)
    y_weights: np.ndarray  # (n, k)
    x_codes: np.ndarray  # (n, k)
    y_codes: np.ndarray  # (n, k)
    singular_values: np.ndarray  # (k,), largest first
    rank: int


def kernel_cca(Kx, Ky, sizes, n_components, ridge, random_state, weights=None):
    r"""Kernel CCA with a ridge on each view.

    With shifts c = (n - 1) ridge and hat matrices :math:`G = K (K + c I)^{-1}`, the
    codes :math:`s = K_x a` and :math:`t = K_y b` satisfy

    .. math:: G_x t = \rho s, \qquad G_y s = \rho t,

    so t are eigenvectors of :math:`G_y G_x`, which is symmetric in the inner product
    of :math:`G_x`. A product with :math:`G = I - c (K + c I)^{-1}` needs only a
    Cholesky factor, so the kernels are factorised in place. If a ridge is smaller than
    the rounding error of its kernel, or so large that the kernel is lost to rounding,
    full eigendecompositions are computed instead.

    A row of weight w counts as w rows. In all formulas above, kernels and codes are
    then multiplied by :math:`\sqrt{w}`, and so is the constant vector, to which they
    are orthogonal.

    Parameters
    ----------
    Kx, Ky : ndarray of shape (n, n)
        Centred kernels, overwritten.
    sizes : pair of float
        Weighted traces of the kernels before they were centred.
    n_components : int
        At most n.
    ridge : pair of float
    random_state : RandomState
    weights : ndarray of shape (n,) or None, default=None
        Weights of the rows, all above 0. The kernels are centred with them.

    Returns
    -------
    solution : KernelSolution
        Each column of weights adds up to 0. Columns beyond the rank are 0.
    """
    n = len(Kx)
    root = np.ones(n) if weights is None else np.sqrt(weights)
    if weights is not None:
        for K in (Kx, Ky):
            K *= root
            K *= root[:, None]
    n_samples = float(root @ root)
    traces = Kx.trace(), Ky.trace()
    shifts = [(n_samples - 1) * float(r) for r in ridge]
    if min(traces) <= 0:
        views = zip(("X", "y"), traces, strict=True)
        flat = [f"The kernel of {name}" for name, trace in views if trace <= 0]
        warn_of_constant(flat, NO_MEAN)
        nothing = np.zeros((2, n, n_components))
        return _solution(nothing, nothing, np.zeros(n_components), 0, root)
    if not all(
        NOISE * size <= shift <= _LARGEST_SHIFT * trace
        for size, shift, trace in zip(sizes, shifts, traces, strict=True)
    ):
        return _by_features(Kx, Ky, sizes, n_components, ridge, root)
    # Kx is singular along the constant vector, which would have length 0 in its metric.
    # Adding a constant gives it a length. It stays an eigenvector without correlation.
    constant = traces[0] / n / n_samples
    constant = constant if weights is None else constant * np.outer(root, root)
    Kx += constant
    diagonals = Kx.diagonal().copy(), Ky.diagonal().copy()
    try:
        x_factor, y_factor = _factor(Kx, shifts[0]), _factor(Ky, shifts[1])
    except linalg.LinAlgError:
        # The kernel is indefinite: leave out its negative part.
        for K, diagonal in zip((Kx, Ky), diagonals, strict=True):
            K.flat[:: n + 1] = diagonal
        Kx -= constant
        return _by_features(Kx, Ky, sizes, n_components, ridge, root)
    # Upper bounds of the norms of the hat matrices.
    norms = [t / (t + c) for c, t in zip(shifts, traces, strict=True)]
    # In a direction of rounding error, the hat matrix has this error / shift.
    rounding = max(size / shift for size, shift in zip(sizes, shifts, strict=True))
    least = 10 * max(_JITTER, np.finfo(np.float64).eps * rounding)
    return _by_factors(
        x_factor, y_factor, shifts, norms, least, n_components, random_state, root
    )


def _factor(K, shift):
    """Cholesky factor of K + shift I, in the upper triangle and diagonal of K."""
    K.flat[:: len(K) + 1] += shift
    factor, info = lapack.dpotrf(K.T, lower=1, overwrite_a=1, clean=0)
    if info:
        raise linalg.LinAlgError("not positive definite")
    return factor


def _solve(factor, block):
    return lapack.dpotrs(factor, block, lower=1)[0]


def _by_factors(
    x_factor, y_factor, shifts, norms, least, n_components, random_state, root
):
    """Leading components, without those of squared correlations below `least`."""
    n = len(x_factor)
    x_shift, y_shift = shifts

    def x_metric(block):
        hat = block - x_shift * _solve(x_factor, block)
        return hat / norms[0] + _JITTER * block

    def y_hat(block):
        return (block - y_shift * _solve(y_factor, block)) / norms[1]

    squares, V = top_eigenpairs(
        y_hat, n, n_components, random_state, tol=_TOL, metric=x_metric
    )
    determined = squares > least
    squares = np.where(determined, squares * norms[0] * norms[1], 1.0)
    rho = np.sqrt(squares.clip(0.0, 1.0))
    V /= norms[0] ** 0.5
    # s = Gx t / rho for t = rho V. The part of V that has length 0 in the metric is not
    # determined, so compute t again: G t = K (K + c)^-1 t = t - c (K + c)^-1 t.
    s = V - x_shift * _solve(x_factor, V)
    b = _solve(y_factor, s) / rho
    t = s / rho - y_shift * b
    a = _solve(x_factor, t) / rho
    s = t / rho - x_shift * a
    n_samples = root @ root
    scale = determined * np.sqrt(n_samples - 1)
    weights = np.stack([a, b]) * scale
    codes = np.stack([s, t]) * scale
    return _solution(weights, codes, rho * determined, int(determined.sum()), root)


def _by_features(Kx, Ky, sizes, n_components, ridge, root):
    """Linear CCA of the principal components of both kernels."""
    x_values, x_vectors = range_eigenpairs(Kx, sizes[0])
    y_values, y_vectors = range_eigenpairs(Ky, sizes[1])
    Fx, Fy = x_vectors * x_values**0.5, y_vectors * y_values**0.5
    share = 1 / (root @ root - 1)
    cov = Covariances(
        np.diag(x_values * share), np.diag(y_values * share), Fx.T @ Fy * share
    )
    rank = min(len(x_values), len(y_values))
    solution = _linalg.cca(cov, max(rank, n_components), ridge)
    warn_without_freedom(
        solution.singular_values[0],
        (len(Kx), len(Ky)),
        lambda: (
            free_rank(x_values * share, ridge[0]),
            free_rank(y_values * share, ridge[1]),
        ),
        len(Kx) - 1,
        LARGER_RIDGE,
    )
    solution = _ties_broken(solution)
    Wx, Wy, correlations = (part[..., :n_components] for part in solution[:3])
    weights = np.stack(
        [x_vectors * x_values**-0.5 @ Wx, y_vectors * y_values**-0.5 @ Wy]
    )
    codes = np.stack([Fx @ Wx, Fy @ Wy])
    rank = min(solution.rank, n_components)
    return _solution(weights, codes, correlations, rank, root)


def _ties_broken(solution):
    """Order components of equal correlations as an infinitely small ridge would.

    A ridge lowers a correlation by the squared lengths of both weights. Without a
    ridge, kernels of full rank have many components with equal correlations.
    """
    weights = np.vstack(solution[:2])[:, : solution.rank]
    steps = np.diff(solution.singular_values[: solution.rank], prepend=2.0)
    starts = np.flatnonzero(steps < -_TIED)
    for start, stop in pairwise([*starts, solution.rank]):
        tied = weights[:, start:stop]
        weights[:, start:stop] = tied @ np.linalg.eigh(tied.T @ tied)[1]
    x_weights, y_weights = (W.copy() for W in solution[:2])
    x_weights[:, : solution.rank], y_weights[:, : solution.rank] = np.split(
        weights, [len(x_weights)]
    )
    return solution._replace(x_weights=x_weights, y_weights=y_weights)


def _solution(weights, codes, singular_values, rank, root):
    """Weights that add up to 0, with signs that make the largest x weight positive.

    The given weights and codes are multiplied by the square roots of the row weights. A
    dual weight belongs to all samples that its row stands for, so the comparison is by
    sample.
    """
    # The constant vector changes no code. Without it, new kernels need no centring.
    weights = weights - root[:, None] * (root @ weights / (root @ root))[:, None]
    codes = codes / root[:, None]
    a = weights[0] / root[:, None]
    sign = np.sign(a[abs(a).argmax(axis=0), np.arange(a.shape[1])])
    (a, b), (s, t) = weights * root[:, None] * sign, codes * sign
    return KernelSolution(a, b, s, t, singular_values, rank)
