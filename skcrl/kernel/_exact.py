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

# In units of the trace. Above, a kernel is lost in the rounding of the shift.
_LARGEST_SHIFT = 1e4
# Keeps the metric of the eigenproblem positive where the kernel is singular.
_JITTER = 1e-11
# Residuals of the squared correlations: the correlations themselves err by 1e-12 or so.
_TOL = 1e-8
# Correlations that differ by no more than the rounding of kernels are equal.
_TIED = 1e-9
# What to do about kernels that correlate anything with everything.
LARGER_RIDGE = "Set a larger reg"
# What to do about a kernel that hardly varies.
NO_MEAN = (
    "pass a view that varies between samples, and take its mean away first where that "
    "is far larger, by StandardScaler in a ViewPipeline"
)


class KernelSolution(NamedTuple):
    """Dual weights, one column a component, training codes and singular values."""

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
    of :math:`G_x`. A product with :math:`G = I - c (K + c I)^{-1}` takes a Cholesky
    factor and nothing else, so the kernels are factorised in place. A kernel without
    a ridge that exceeds its rounding, or with one that drowns it, is decomposed in
    full instead.

    A row of weight w counts as w rows. Kernels and codes are multiplied by
    :math:`\sqrt{w}` in all of the above, and so is the constant vector, which they are
    orthogonal to.

    Parameters
    ----------
    Kx, Ky : ndarray of shape (n, n)
        Centred kernels, overwritten.
    sizes : pair of float
        Traces of the kernels before they were centred, by the weights.
    n_components : int
        At most n.
    ridge : pair of float
    random_state : RandomState
    weights : ndarray of shape (n,) or None, default=None
        Of the rows, all above 0; the kernels are centred by them.

    Returns
    -------
    solution : KernelSolution
        Each column of weights adds up to 0, and is 0 past the rank.
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
    # Kx is singular along the constant vector, which would have no length in its
    # metric. This gives it some, and leaves it an eigenvector of no correlation.
    constant = traces[0] / n / n_samples
    constant = constant if weights is None else constant * np.outer(root, root)
    Kx += constant
    diagonals = Kx.diagonal().copy(), Ky.diagonal().copy()
    try:
        x_factor, y_factor = _factor(Kx, shifts[0]), _factor(Ky, shifts[1])
    except linalg.LinAlgError:
        # An indefinite kernel: its negative part is left out.
        for K, diagonal in zip((Kx, Ky), diagonals, strict=True):
            K.flat[:: n + 1] = diagonal
        Kx -= constant
        return _by_features(Kx, Ky, sizes, n_components, ridge, root)
    # No less than the norm of either hat matrix.
    norms = [t / (t + c) for c, t in zip(shifts, traces, strict=True)]
    # A direction of rounding, which is a share of the size, has a hat of that / shift.
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
    """Leading components, but for those of squared correlations below the `least`."""
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
    # s = Gx t / rho for t = rho V. What of V vanishes in the metric is undetermined,
    # so t is computed afresh: G t = K (K + c)^-1 t = t - c (K + c)^-1 t.
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
    """Linear CCA of the principal components of either kernel."""
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
    """Components of equal correlations, as an infinitely small ridge parts them.

    It lowers a correlation by the squared lengths of both weights. Without one,
    kernels of full rank correlate in many components alike.
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
    """Weights that add up to 0, the largest of each x component positive.

    Weights and codes come multiplied by the roots of the weights of the rows. A weight
    is compared by the sample, since it is that of all samples that a row stands for.
    """
    # The constant vector changes no code, and without it kernels need no centring.
    weights = weights - root[:, None] * (root @ weights / (root @ root))[:, None]
    codes = codes / root[:, None]
    a = weights[0] / root[:, None]
    sign = np.sign(a[abs(a).argmax(axis=0), np.arange(a.shape[1])])
    (a, b), (s, t) = weights * root[:, None] * sign, codes * sign
    return KernelSolution(a, b, s, t, singular_values, rank)
