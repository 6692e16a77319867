"""One view as sparse CCA needs it, stored as rows or as covariances."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from skcrl._linalg import LEAST_VARIANCE
from skcrl._moments import dense
from skcrl._origins import shifted
from skcrl.linear._shrinkage import Penalty

# Smallest ridge, as a share of the mean variance. It makes the solution unique if
# columns are equal up to rounding.
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
    """The matrix A of a sparse view, which is centred by column, or after a product."""

    view: sparse.csc_array
    mean: np.ndarray  # (p,)
    scale: np.ndarray  # (p,)
    root_weights: np.ndarray  # (n,)
    basis: np.ndarray | None  # (n, r), which is projected out of the columns

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
    """A view stored as rows: no p x p matrix is ever made."""

    table: DenseTable | SparseTable
    freedom: float  # n - 1, minus the degrees of freedom of the covariates
    penalty: Penalty

    @property
    def n_features(self):
        """Number of columns, p."""
        return self.table.n_features

    def codes(self, weights):
        """Codes (n_rows,) for weights (p,), most of which are 0."""
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
    """A view stored as covariances, whose size does not depend on the rows."""

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
    """`ByRows` of the given `Rows`, with a penalty on their scaled columns."""
    kind = SparseTable if sparse.issparse(rows.view) else DenseTable
    mean_variance = rows.sums_of_squares().mean() / freedom
    return ByRows(kind.of(rows), freedom, _at_least(penalty, mean_variance))


def covariance_side(within, cross, penalty):
    """`ByCovariance` of covariances of scaled columns, which may be sparse."""
    within, cross = dense(within), dense(cross)
    mean_variance = within.diagonal().mean()
    return ByCovariance(within, cross, _at_least(penalty, mean_variance))


def _at_least(penalty, mean_variance):
    """The penalty, increased so that the penalised covariance is positive definite."""
    least = max(_LEAST_RIDGE * mean_variance, LEAST_VARIANCE)
    return penalty._replace(ridge=max(penalty.ridge, least))


def _solve(matrix, ridge, target):
    matrix[np.diag_indices_from(matrix)] += ridge
    return linalg.solve(matrix, target, assume_a="pos", check_finite=False)
