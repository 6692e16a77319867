"""Kernels of one view, their centring, and the codes that they give."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.extmath import row_norms

from skcrl._origins import column_medians, shifted

# Kernel rows of new samples that are held at once.
_BLOCK_BYTES = 2**25
# Kernels that change with an origin by no more than what centring takes away again.
_WITHOUT_ORIGIN = "rbf", "laplacian", "linear"
# Of the trace of a kernel before it is centred: codes in directions of less err by more
# than the root of the rounding when they are computed again.
NOISE = np.finfo(np.float64).eps ** 0.5
# Frobenius norm of a kernel over that of its diagonal, where no rows are alike.
_NEXT_TO = 1.005
# Squares of lengths, times gamma, whose rounding is no longer far below 1.
_LONG = 1e5


class Kernel(NamedTuple):
    """One of scikit-learn's kernels, or the user's, with its parameters."""

    metric: Any  # name or callable
    params: dict
    origin: Any = None  # (n_features,), of kernels that need not be about 0

    def about(self, view, weights=None):
        """The kernel about the medians of a view, if its origin means nothing.

        Far from 0 the squares of lengths drown those of distances. A median of a
        column that is mostly 0 is 0, so that sparse views stay sparse.
        """
        is_free = isinstance(self.metric, str) and self.metric in _WITHOUT_ORIGIN
        return self._replace(origin=column_medians(view, weights)) if is_free else self

    def __call__(self, A, B=None):
        """Kernel (len(A), len(B)) in float64; B is A if it is not given."""
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is named
            A = shifted(A, self.origin)
            B = A if B is None else shifted(B, self.origin)
            K = pairwise_kernels(
                A,
                None if B is A else B,
                metric=self.metric,
                filter_params=True,
                **self.params,
            )
            if isinstance(self.metric, str) and self.metric == "rbf":
                self._mend(K, A, B)
            is_finite = np.isfinite(K.sum())
        if not is_finite:
            raise ValueError(
                f"The kernel {self.metric!r} is not finite on these samples, it "
                "overflows: scale the view down or change the parameters of the kernel."
            )
        return K

    def _mend(self, K, A, B):
        """Compute the rbf kernel of long rows by differences, not by products."""
        gamma = self.params.get("gamma", 1 / A.shape[1])
        a_long, b_long = (
            np.flatnonzero(~(gamma * row_norms(view, squared=True) <= _LONG))
            for view in (A, B)
        )
        for rows, columns in (
            (a_long, np.arange(K.shape[1])),
            (np.setdiff1d(np.arange(len(K)), a_long), b_long),
        ):
            for i, j in _blocks(rows, columns, A.shape[1]):
                squares = cdist(_dense(A[i]), _dense(B[j]), "sqeuclidean")
                K[np.ix_(i, j)] = np.exp(-gamma * squares)


class KernelRows(NamedTuple):
    """Features of a sample: its kernel with fixed rows, or the row as it came."""

    kernel: Kernel | None  # None if the user passes kernels
    rows: Any  # (m, n_features)

    def __call__(self, view):
        """Kernel (len(view), m) in float64."""
        return view if self.kernel is None else self.kernel(view, self.rows)


class Encoder(NamedTuple):
    """Linear codes of features that a view is mapped to, a block of rows at a time."""

    features: Any  # callable, (n, n_features) to (n, m)
    mean: np.ndarray  # (m,)
    weights: np.ndarray  # (m, n_components)

    def encode(self, view):
        """Codes (n, n_components) in the dtype of the view."""
        n = view.shape[0]
        codes = np.empty((n, self.weights.shape[1]), dtype=view.dtype)
        step = max(1, _BLOCK_BYTES // (8 * len(self.mean)))
        for i in range(0, n, step):
            block = self.features(view[i : i + step]) - self.mean
            with np.errstate(over="ignore", invalid="ignore"):
                codes[i : i + step] = block @ self.weights
        if not np.isfinite(codes).all():
            raise ValueError(
                f"Codes of the view overflow {codes.dtype}: scale it down."
            )
        return codes


def is_diagonal(K):
    """Whether a kernel before it is centred has next to nothing beside its diagonal."""
    # Squares of large entries would overflow; BLAS takes none. It counts in 32 bits.
    of_diagonal = blas.dnrm2(K.diagonal())
    of_all = blas.dnrm2([blas.dnrm2(row) for row in K])
    return of_all <= _NEXT_TO * of_diagonal


def centre(K, weights=None):
    """Centre the kernel of a sample with itself in feature space, in place.

    What rounding leaves of a constant becomes exactly 0. Returns the means of the
    columns and the trace before, by the weights of the rows.
    """
    mean, trace = np.average(K, axis=0, weights=weights), _trace(K, weights)
    deviation = (mean - np.average(mean, weights=weights))[:, None]
    step = max(1, 2**16 // len(K))  # rows that stay in the cache
    for i in range(0, len(K), step):
        K[i : i + step] -= mean
        K[i : i + step] -= deviation[i : i + step]
    if _trace(K, weights) <= NOISE * trace:
        K[:] = 0.0
    return mean, trace


def _trace(K, weights):
    return K.trace() if weights is None else K.diagonal() @ weights


def range_eigenpairs(K, trace):
    """Eigenvalues (r,) of a kernel that rounding leaves, and their vectors (n, r).

    `trace` is that of the kernel before it was centred.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(K)
    keep = eigenvalues > NOISE * max(trace, 0.0)
    return eigenvalues[keep], eigenvectors[:, keep]


def _blocks(rows, columns, n_features):
    """Blocks of rows and columns, of each as many as fit into memory when dense."""
    step = max(1, _BLOCK_BYTES // (8 * n_features))
    for i in range(0, len(rows), step):
        for j in range(0, len(columns), step):
            yield rows[i : i + step], columns[j : j + step]


def _dense(view):
    return view.toarray() if sparse.issparse(view) else view
