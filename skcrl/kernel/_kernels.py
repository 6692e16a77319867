"""Kernels of one view, their centring, and the codes that they give."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels

# Kernel rows of new samples that are held at once.
_BLOCK_BYTES = 2**25


class Kernel(NamedTuple):
    """One of scikit-learn's kernels, or the user's, with its parameters."""

    metric: Any  # name or callable
    params: dict

    def __call__(self, A, B=None):
        """Kernel (len(A), len(B)) in float64; B is A if it is not given."""
        K = pairwise_kernels(
            _in_float64(A),
            None if B is None else _in_float64(B),
            metric=self.metric,
            filter_params=True,
            **self.params,
        )
        if not np.isfinite(K.sum()):
            raise ValueError(
                f"The kernel {self.metric!r} is not finite on these samples: scale "
                "the view down or change the parameters of the kernel."
            )
        return K


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
            codes[i : i + step] = block @ self.weights
        return codes


def centre(K):
    """Centre the kernel of a sample with itself in feature space, in place.

    What is constant up to rounding becomes exactly 0. Returns the means of the columns
    before.
    """
    mean, trace = K.mean(axis=0), K.trace()
    deviation = (mean - mean.mean())[:, None]
    step = max(1, 2**16 // len(K))  # rows that stay in the cache
    for i in range(0, len(K), step):
        K[i : i + step] -= mean
        K[i : i + step] -= deviation[i : i + step]
    if K.trace() <= _rounding(K) * trace:
        K[:] = 0.0
    return mean


def range_eigenpairs(K):
    """Eigenvalues (r,) of a kernel that are not rounding, and their vectors (n, r)."""
    eigenvalues, eigenvectors = np.linalg.eigh(K)
    keep = eigenvalues > _rounding(K) * max(eigenvalues[-1], 0.0)
    return eigenvalues[keep], eigenvectors[:, keep]


def _rounding(K):
    """Relative rounding error of the eigenvalues of a kernel."""
    return 10 * len(K) * np.finfo(np.float64).eps


def _in_float64(view):
    return view.astype(np.float64, copy=False)
