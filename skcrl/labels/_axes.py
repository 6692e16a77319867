"""Samples in principal axes: a linear map on these is learned in few iterations."""

from typing import NamedTuple

import numpy as np
from scipy import linalg


class Axes(NamedTuple):
    """Principal axes of weighted rows, and the rows in coordinates along them.

    A map Q of coordinates is the map W = Q diag(1 / scale) V' of columns. With the mean
    variance v of a column, v ||W||^2 = sum_kj penalty_j Q_kj^2.
    """

    mean: np.ndarray  # (p,)
    units: np.ndarray  # (p,), divisors of the columns
    vectors: np.ndarray  # (p, r), V
    scale: np.ndarray  # (r,)
    penalty: np.ndarray  # (r,)
    coordinates: np.ndarray  # (n, r)
    weights: np.ndarray  # (n,), which add up to 1

    @classmethod
    def of(cls, X, weights, standardise):
        """Make it from finite rows (n, p) with positive weights (n,).

        With `standardise`, columns are scaled to variance 1 first.
        """
        weights = weights / weights.sum()
        mean = weights @ X
        X = X - mean
        rounding = 8 * np.finfo(np.float64).eps * abs(mean)
        X[:, abs(X).max(axis=0) <= rounding] = 0  # constant columns
        # Scale by powers of two, which is exact, so that squares stay in range.
        largest = abs(X).max(axis=0)
        largest = largest if standardise else np.full_like(largest, largest.max())
        units = np.ldexp(1.0, np.frexp(largest)[1])
        X = X / units
        if standardise:
            deviations = np.sqrt(weights @ X**2)
            deviations[deviations == 0] = 1
            X, units = X / deviations, units * deviations
        values, vectors = _eigenpairs(X * np.sqrt(weights)[:, None])
        v = values.sum() / X.shape[1]
        # Adding the mean variance v makes no direction much steeper than the others.
        scale = np.sqrt(values + v)
        return cls(
            mean, units, vectors, scale, v / scale**2, X @ (vectors / scale), weights
        )

    @property
    def variances(self):
        """Variances (r,) of the coordinates, which are uncorrelated."""
        return 1 - self.penalty

    def weights_of(self, Q):
        """Map W (k, p) of columns."""
        return (Q / self.scale) @ self.vectors.T / self.units

    def regression(self, targets, reg):
        """Map Q (m, r) from a ridge regression of centred targets (n, m).

        `reg` is a multiple of the mean variance of a column.
        """
        targets = targets - self.weights @ targets
        cross = (self.weights[:, None] * targets).T @ self.coordinates  # (m, r)
        return cross / (self.variances + reg * self.penalty)


def _eigenpairs(rows):
    """Eigenpairs of R'R whose eigenvalues are not only rounding error."""
    n, p = rows.shape
    if n < p:
        values, vectors = linalg.eigh(rows @ rows.T)
    else:
        values, vectors = linalg.eigh(rows.T @ rows)
    above = values > max(n, p) * np.finfo(np.float64).eps * values[-1]
    values, vectors = values[above], vectors[:, above]
    if n < p:
        vectors = rows.T @ (vectors / np.sqrt(values))
    return values, vectors
