"""Rows of a Gaussian of which some cells are not seen.

Let P be the inverse of the covariance, and v a row, centred, with 0 for its missing
cells m. Given the others they have mean -P_mm^-1 (P v)_m and covariance P_mm^-1: a row
costs an inverse of the size of its gaps, and not of what is seen.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from skcrl import _linalg

# Entries of covariances of missing cells that are in memory at one time.
_ENTRIES = 2**21


class Batch(NamedTuple):
    """Patterns of gaps that miss as many cells, each in as many rows."""

    rows: np.ndarray  # (n_patterns, n_rows)
    cells: np.ndarray  # (n_patterns, n_missing)


class Gaussian(NamedTuple):
    """A Gaussian, and what is needed of it in units of its deviations."""

    mean: np.ndarray  # (d,)
    cov: np.ndarray  # (d, d)
    unit: np.ndarray  # (d,), deviations
    root: np.ndarray  # (d, d), L^-1 of the correlations L L'
    precision: np.ndarray  # (d, d), their inverse
    log_det: float  # of them

    @classmethod
    def of(cls, mean, cov):
        """Gaussian of a covariance, which rounding may have made singular."""
        unit = cov.diagonal() ** 0.5
        lower = _linalg.factor(cov / unit / unit[:, None])
        root = solve_triangular(lower, np.eye(len(lower)), lower=True)
        log_det = 2 * np.log(lower.diagonal()).sum()
        return cls(mean, cov, unit, root, root.T @ root, float(log_det))

    def fill(self, centred, batches):
        """Put the expected values into centred rows, where 0 stands for missing cells.

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
        """Rows about the mean, in deviations, with 0 for missing cells."""
        return np.where(np.isnan(V), 0.0, (V - self.mean) / self.unit)

    def expected(self, V):
        """Rows with the expected values of their missing cells."""
        filled = self.centred(V)
        for _ in self.fill(filled, batches_of(np.isnan(V))):
            pass
        return filled * self.unit + self.mean

    def log_densities(self, filled, missing, log_dets):
        """Logarithms (n,) of the densities of the seen cells of centred, filled rows.

        Parameters
        ----------
        filled : ndarray of shape (n, d)
            Rows as `fill` leaves them, at which the density of a whole row is largest.
        missing : ndarray of bool of shape (n, d)
        log_dets : ndarray of shape (n,)
            Of the covariances of the missing cells, given the seen ones.
        """
        squares = np.square(filled @ self.root.T).sum(axis=1)
        units = ~missing @ (np.log(2 * np.pi) + 2 * np.log(self.unit))
        return -0.5 * (units + self.log_det - log_dets + squares)


def batches_of(missing):
    """Rows with missing cells, by their patterns, in batches that fit into memory."""
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
