"""One of two views as sparse CCA computes with it: by its rows, or its covariances."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from skcrl._linalg import LEAST_VARIANCE
from skcrl._moments import dense
from skcrl._origins import shifted
from skcrl.linear._shrinkage import Penalty

# Ridge that is always there, as a share of the mean variance: columns that are equal up
# to rounding stay apart.
_LEAST_RIDGE = 1e-10


class DenseTable(NamedTuple):
    """The matrix A of a dense view: columns centred and scaled, rows weighted."""

    entries: np.ndarray  # (n, p)

    @classmethod
    def of(cls, rows):
        """Table of dense `Rows`."""
        entries = (rows.view - rows.mean) * rows.scale
        entries *= rows.root_weights[:, None]
        if rows.basis is not None:
            entries -= rows.basis @ (rows.basis.T @ entries)
        return cls(np.asfortranarray(entries))

    @property
    def n_features(self):
        """Number of columns, p."""
        return self.entries.shape[1]

    def columns(self, which):
        """Columns (n, len(which)) of A."""
        return self.entries[:, which]

    def back(self, codes):
        """Product A' codes, of one code or of some, (n,) or (n, k)."""
        return self.entries.T @ codes


class SparseTable(NamedTuple):
    """The same of a sparse view, which is centred by the column, or after a product."""

    view: sparse.csc_array
    mean: np.ndarray  # (p,)
    scale: np.ndarray  # (p,)
    root_weights: np.ndarray  # (n,)
    basis: np.ndarray | None  # (n, r), that the columns are orthogonal to

    @classmethod
    def of(cls, rows):
        """Table of sparse `Rows`."""
        view = shifted(rows.view, rows.origin).tocsc()
        return cls(view, rows.mean, rows.scale, rows.root_weights, rows.basis)

    @property
    def n_features(self):
        """Number of columns, p."""
        return len(self.mean)

    def columns(self, which):
        """Columns (n, len(which)) of A."""
        columns = self.view[:, which].toarray() - self.mean[which]
        columns *= self.scale[which] * self.root_weights[:, None]
        return self._residuals(columns)

    def back(self, codes):
        """Product A' codes, of one code or of some, (n,) or (n, k)."""
        codes = (self.root_weights * self._residuals(codes).T).T
        centred = self.view.T @ codes - np.multiply.outer(self.mean, codes.sum(axis=0))
        return (self.scale * centred.T).T

    def _residuals(self, M):
        return M if self.basis is None else M - self.basis @ (self.basis.T @ M)


class ByRows(NamedTuple):
    """A view by its rows: nothing of p x p entries is made."""

    table: DenseTable | SparseTable
    freedom: float  # n - 1, less what covariates take
    penalty: Penalty

    @property
    def n_features(self):
        """Number of columns, p."""
        return self.table.n_features

    def codes(self, weights):
        """Codes (n_rows,) of weights (p,), most of which are 0."""
        active = np.flatnonzero(weights)
        return self.table.columns(active) @ weights[active]

    def covariances(self, other, weights):
        """Covariances (p,) of the columns with the code of the other view."""
        return self.table.back(other.codes(weights)) / self.freedom

    def between(self, other, columns):
        """Covariances (len(columns), q) of some columns with those of the other."""
        codes = self.table.columns(columns)
        return other.table.back(codes).T / self.freedom

    def product(self, weights):
        """Penalised covariance S times weights (p,)."""
        keep, ridge = self.penalty.keep, self.penalty.ridge
        within = self.table.back(self.codes(weights)) / self.freedom
        return keep * within + ridge * weights

    def solve(self, active, target):
        """Weights w of the active columns with S w = target there."""
        keep, ridge = self.penalty.keep, self.penalty.ridge
        A = self.table.columns(active)
        share = keep / self.freedom
        if A.shape[1] <= A.shape[0]:
            return _solve(share * (A.T @ A), ridge, target)
        inner = _solve(share * (A @ A.T), ridge, share * (A @ target))
        return (target - A.T @ inner) / ridge


class ByCovariance(NamedTuple):
    """A view by its covariances, whose size does not grow with the rows."""

    within: np.ndarray  # (p, p)
    cross: np.ndarray  # (p, q), between the views
    penalty: Penalty

    @property
    def n_features(self):
        """Number of columns, p."""
        return len(self.within)

    def covariances(self, other, weights):
        """Covariances (p,) of the columns with the code of the other view."""
        active = np.flatnonzero(weights)
        return self.cross[:, active] @ weights[active]

    def between(self, other, columns):
        """Covariances (len(columns), q) of some columns with those of the other."""
        return self.cross[columns]

    def product(self, weights):
        """Penalised covariance S times weights (p,)."""
        keep, ridge = self.penalty.keep, self.penalty.ridge
        active = np.flatnonzero(weights)
        return keep * (self.within[:, active] @ weights[active]) + ridge * weights

    def solve(self, active, target):
        """Weights w of the active columns with S w = target there."""
        keep, ridge = self.penalty.keep, self.penalty.ridge
        return _solve(keep * self.within[np.ix_(active, active)], ridge, target)


def rows_side(rows, freedom, penalty):
    """Side of `Rows`, under a penalty of their scaled columns."""
    kind = SparseTable if sparse.issparse(rows.view) else DenseTable
    mean_variance = rows.sums_of_squares().mean() / freedom
    return ByRows(kind.of(rows), freedom, _at_least(penalty, mean_variance))


def covariance_side(within, cross, penalty):
    """Side of covariances of scaled columns, sparse products perhaps."""
    within, cross = dense(within), dense(cross)
    mean_variance = within.diagonal().mean()
    return ByCovariance(within, cross, _at_least(penalty, mean_variance))


def _at_least(penalty, mean_variance):
    """A penalty whose covariance is positive definite beyond rounding."""
    least = max(_LEAST_RIDGE * mean_variance, LEAST_VARIANCE)
    return penalty._replace(ridge=max(penalty.ridge, least))


def _solve(matrix, ridge, target):
    matrix[np.diag_indices_from(matrix)] += ridge
    return linalg.solve(matrix, target, assume_a="pos", check_finite=False)
