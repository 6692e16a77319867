"""Kernels of one view, how they are centred, and codes from kernels."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import blas
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.utils.extmath import row_norms

from skcrl._origins import column_medians, shifted

# Memory for kernel rows of new samples that are held at once.
_BLOCK_BYTES = 2**25
# Kernels for which the origin of the rows does not matter after centring.
_WITHOUT_ORIGIN = "rbf", "laplacian", "linear"
# As a share of the trace of a kernel before centring. Codes in directions with smaller
# eigenvalues have a relative rounding error above the square root of eps.
NOISE = np.finfo(np.float64).eps ** 0.5
# If no rows are alike, the Frobenius norm of a kernel over the norm of its diagonal is
# at most this.
_NEXT_TO = 1.005
# If gamma times a squared length is larger, its rounding error is not far below 1.
_LONG = 1e5


class Kernel(NamedTuple):
    """A kernel of scikit-learn or of the user, with its parameters."""

    metric: Any  # name or callable
    params: dict
    origin: Any = None  # (n_features,), for kernels in `_WITHOUT_ORIGIN`

    def about(self, view, weights=None):
        """The kernel with the medians of a view as origin, if its origin is arbitrary.

        Far from 0, rounding errors of squared lengths would be larger than squared
        distances. The median of a column that is mostly 0 is 0, so sparse views stay
        sparse.
        """
        is_free = isinstance(self.metric, str) and self.metric in _WITHOUT_ORIGIN
        return self._replace(origin=column_medians(view, weights)) if is_free else self

    def __call__(self, A, B=None):
        """Kernel (len(A), len(B)) in float64; without B it is that of A with A."""
        with np.errstate(over="ignore", invalid="ignore"):  # overflow raises below
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
                f"The kernel {self.metric!r} overflows on these samples. Scale the "
                "view down, or change the parameters of the kernel."
            )
        return K

    def _mend(self, K, A, B):
        """Compute the rbf kernel of long rows again, from differences of rows."""
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
    """Features of a sample: its kernel with fixed rows, or its own precomputed row."""

    kernel: Kernel | None  # None for a precomputed kernel
    rows: Any  # (m, n_features)

    def __call__(self, view):
        """Kernel (len(view), m) in float64."""
        return view if self.kernel is None else self.kernel(view, self.rows)


class Encoder(NamedTuple):
    """Maps a view to features and these to linear codes, a block of rows at a time."""

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
                f"Codes of the view overflow {codes.dtype}. Scale the view down."
            )
        return codes


def is_diagonal(K):
    """Whether a kernel, before centring, is almost 0 outside its diagonal."""
    # BLAS avoids overflow of squares. It counts entries in 32 bits, so go row by row.
    of_diagonal = blas.dnrm2(K.diagonal())
    of_all = blas.dnrm2([blas.dnrm2(row) for row in K])
    return of_all <= _NEXT_TO * of_diagonal


def centre(K, weights=None):
    """Centre the kernel of training samples in feature space, in place.

    A kernel that is constant up to rounding becomes exactly 0. Returns the weighted
    means of the columns, and the weighted trace before centring.
    """
    mean, trace = np.average(K, axis=0, weights=weights), _trace(K, weights)
    deviation = (mean - np.average(mean, weights=weights))[:, None]
    step = max(1, 2**16 // len(K))  # number of rows that stay in the cache
    for i in range(0, len(K), step):
        K[i : i + step] -= mean
        K[i : i + step] -= deviation[i : i + step]
    if _trace(K, weights) <= NOISE * trace:
        K[:] = 0.0
    return mean, trace


def _trace(K, weights):
    return K.trace() if weights is None else K.diagonal() @ weights


def range_eigenpairs(K, trace):
    """Eigenvalues (r,) of a kernel that are above rounding, and eigenvectors (n, r).

    `trace` is the trace of the kernel before it was centred.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(K)
    keep = eigenvalues > NOISE * max(trace, 0.0)
    return eigenvalues[keep], eigenvectors[:, keep]


def _blocks(rows, columns, n_features):
    """Blocks of rows and columns that fit into memory when dense."""
    step = max(1, _BLOCK_BYTES // (8 * n_features))
    for i in range(0, len(rows), step):
        for j in range(0, len(columns), step):
            yield rows[i : i + step], columns[j : j + step]


def _dense(view):
    return view.toarray() if sparse.issparse(view) else view
