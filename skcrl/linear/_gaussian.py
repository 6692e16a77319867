"""Rows of a Gaussian in which some cells are missing.

Let P be the inverse of the covariance, and v a centred row with 0 in its missing cells
m. Given the observed cells, the missing ones have mean -P_mm^-1 (P v)_m and covariance
P_mm^-1. So the matrix to invert is as large as the number of missing cells of a row,
and not as the number of observed cells.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from skcrl import _linalg

# Number of entries of covariances of missing cells that are held at one time.
_ENTRIES = 2**21


class Batch(NamedTuple):
    """Patterns of gaps with equally many missing cells and equally many rows each."""

    rows: np.ndarray  # (n_patterns, n_rows)
    cells: np.ndarray  # (n_patterns, n_missing)


class Gaussian(NamedTuple):
    """A Gaussian, and matrices for columns divided by their standard deviations."""

    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)
    unit: np.ndarray  # (d,), standard deviations
    root: np.ndarray  # (d, d), L^-1 for the correlations L L'
    precision: np.ndarray  # (d, d), inverse of the correlations
    log_det: float  # of the correlations

    @classmethod
    def of(cls, mean, cov):
        """Gaussian with a covariance that rounding may have made singular."""
        unit = cov.diagonal() ** 0.5
        lower = _linalg.factor(cov / unit / unit[:, None])
        root = solve_triangular(lower, np.eye(len(lower)), lower=True)
        log_det = 2 * np.log(lower.diagonal()).sum()
        return cls(mean, cov, unit, root, root.T @ root, float(log_det))

    def fill(self, centred, batches):
        """Write expected values into centred rows, in place of the 0 of missing cells.

        Yields each batch with the covariances (n_patterns, n_missing, n_missing) of its
        missing cells, and the logarithms (n_patterns,) of their determinants.
        """
        for batch in batches:
            rows, cells = batch.rows[:, :, None], batch.cells[:, None, :]
            among = self.precision[cells.transpose(0, 2, 1), cells]
            cov = np.linalg.inv(among)
            pulls = centred[batch.rows.ravel()] @ self.precision
            pulls = pulls.reshape(*batch.rows.shape, -1)
            pulls = np.take_along_axis(pulls, cells, axis=2)
            centred[rows, cells] = -pulls @ cov
            yield batch, cov, -np.linalg.slogdet(among)[1]

    def centred(self, V):
        """Rows minus the mean, in standard deviations, with 0 for missing cells."""
        return np.where(np.isnan(V), 0.0, (V - self.mean) / self.unit)

    def expected(self, V):
        """Rows with the expected values of their missing cells."""
        filled = self.centred(V)
        for _ in self.fill(filled, batches_of(np.isnan(V))):
            pass
        return filled * self.unit + self.mean

    def log_densities(self, filled, missing, log_dets):
        """Log-densities (n,) of the observed cells of centred, filled rows.

        Parameters
        ----------
        filled : ndarray of shape (n, d)
            Rows after `fill`: the density of a whole row is largest at these values.
        missing : ndarray of bool of shape (n, d)
        log_dets : ndarray of shape (n,)
            Of the covariances of the missing cells, given the observed ones.
        """
        squares = np.square(filled @ self.root.T).sum(axis=1)
        units = ~missing @ (np.log(2 * np.pi) + 2 * np.log(self.unit))
        return -0.5 * (units + self.log_det - log_dets + squares)


def batches_of(missing):
    """Rows with missing cells, grouped by pattern, in batches that fit into memory."""
    rows = np.flatnonzero(missing.any(axis=1))
    if rows.size == 0:
        return []
    _, pattern, n_rows = np.unique(
        np.packbits(missing[rows], axis=1),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    rows = rows[np.argsort(pattern.ravel(), kind="stable")]
    starts = np.cumsum(n_rows) - n_rows
    n_missing = missing[rows[starts]].sum(axis=1)
    batches = []
    for m, c in np.unique(np.column_stack([n_missing, n_rows]), axis=0):
        alike = starts[(n_missing == m) & (n_rows == c)]
        size = max(1, _ENTRIES // (max(m, c) * missing.shape[1]))
        for i in range(0, len(alike), size):
            of_batch = rows[alike[i : i + size, None] + np.arange(c)]
            cells = np.nonzero(missing[of_batch[:, 0]])[1].reshape(-1, m)
            batches.append(Batch(of_batch, cells))
    return batches


def log_densities(gaussian, V):
    """Logarithm (n,) of the density of the cells of each row that are not NaN."""
    missing = np.isnan(V)
    filled, log_dets = gaussian.centred(V), np.zeros(len(V))
    for batch, _, log_det in gaussian.fill(filled, batches_of(missing)):
        log_dets[batch.rows] = log_det[:, None]
    return gaussian.log_densities(filled, missing, log_dets)
