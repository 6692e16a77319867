"""Principal components of two views, from their covariances or from their rows."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from skcrl import _linalg, _moments
from skcrl._origins import about_medians
from skcrl.linear._fit import require_finite
from skcrl.linear._rows import Rows, rows_of

# Largest distance from 1 of the correlation of columns that are multiples of another.
_ROUNDING = 1e-9


class Spectrum(NamedTuple):
    """Spectrum of the covariance of a view, V diag(l) V', normalised by n - 1."""

    mean: np.ndarray  # (p,)
    var: np.ndarray  # (p,), 0 for a constant
    values: np.ndarray  # (r,), l, largest first, all above rounding
    vectors: np.ndarray  # V (p, r), or for `ByRows` left singular vectors (n, r)
    n_distinct: int  # columns that are not constant, equal ones counted once


@dataclass(frozen=True)
class ByCovariance:
    """Principal components from p x p matrices, whose size does not depend on n."""

    n: int
    spectra: tuple[Spectrum, Spectrum]
    xy: Any  # (p, q), covariances between the views, may be sparse

    @classmethod
    def of(cls, moments):
        """Make it from moments of both views."""
        cov = _moments.covariances(moments)
        require_finite(float(cov.xx.diagonal().sum() + cov.yy.diagonal().sum()))
        n = int(moments.n)
        spectra = (
            _spectrum(mean, c.diagonal(), _moments.dense(c), n, _n_distinct(c))
            for mean, c in ((moments.x_mean, cov.xx), (moments.y_mean, cov.yy))
        )
        return cls(n, tuple(spectra), cov.xy)

    def axes(self, i, n_components):
        """Leading principal axes (p, n_components) of one view."""
        return self.spectra[i].vectors[:, :n_components]

    def correlations(self, x_rank, y_rank):
        """Correlations (x_rank, y_rank) of the leading principal components."""
        x_roots = self.spectra[0].values[:x_rank] ** 0.5
        y_roots = self.spectra[1].values[:y_rank] ** 0.5
        cross = self.axes(0, x_rank).T @ (self.xy @ self.axes(1, y_rank))
        return cross / x_roots[:, None] / y_roots


@dataclass(frozen=True)
class ByRows:
    """Principal components from n x n matrices, for more columns than rows."""

    n: int
    spectra: tuple[Spectrum, Spectrum]
    rows: tuple[Rows, Rows]

    @classmethod
    def of(cls, X, y):
        """Make it from the checked views themselves."""
        (x_rows, x), (y_rows, y) = (_of_rows(view) for view in (X, y))
        return cls(X.shape[0], (x, y), (x_rows, y_rows))

    def axes(self, i, n_components):
        """Leading principal axes (p, n_components) of one view."""
        spectrum = self.spectra[i]
        lengths = ((self.n - 1) * spectrum.values[:n_components]) ** 0.5
        return self.rows[i].back(spectrum.vectors[:, :n_components]) / lengths

    def correlations(self, x_rank, y_rank):
        """Correlations (x_rank, y_rank) of the leading principal components."""
        x, y = self.spectra
        return x.vectors[:, :x_rank].T @ y.vectors[:, :y_rank]


def _of_rows(view):
    """Centred rows of a view, and their spectrum."""
    n, p = view.shape
    view, origin = about_medians(view, np.ones(n))
    rows = rows_of(view, np.zeros(p), np.ones(p), np.ones(n))
    rows = replace(rows, mean=rows.weighted_sums() / n)
    var = rows.sums_of_squares() / (n - 1)
    require_finite(var.sum())
    # What is left of a constant column is rounding error.
    rows = replace(rows, scale=(var > 0).astype(np.float64))
    gram = rows.gram() / (n - 1)
    return rows, _spectrum(
        origin + rows.mean, var, gram, n, _n_distinct_of_rows(rows, var)
    )


def _n_distinct(cov):
    """Number of columns that vary, without multiples of earlier columns."""
    var = cov.diagonal()
    scale = _linalg.unit_scale(var)
    correlations = abs(_moments.dense(cov) * scale[:, None] * scale)
    is_repeated = (np.triu(correlations, 1) > 1 - _ROUNDING).any(axis=0)
    return int(((var > 0) & ~is_repeated).sum())


def _n_distinct_of_rows(rows, var):
    """Number of distinct columns, by products of the columns with two random vectors.

    Multiples of a column have multiples of its products, and other columns do not.
    """
    vectors = np.random.RandomState(0).standard_normal((rows.view.shape[0], 2))
    products = rows.back(vectors) * _linalg.unit_scale(var)[:, None]
    products = products[var > 0] / (rows.n - 1) ** 0.5
    products *= np.where(products[:, :1] < 0, -1.0, 1.0)
    products = products[np.argsort(products[:, 0])]
    is_repeated = (abs(np.diff(products, axis=0)) < _ROUNDING).all(axis=1)
    return len(products) - int(is_repeated.sum())


def _spectrum(mean, var, products, n, n_distinct):
    """Spectrum from the covariance of the columns, or from the products of the rows."""
    values, vectors = linalg.eigh(products, check_finite=False)
    rounding = 10 * len(products) * np.finfo(np.float64).eps * values[-1]
    live = np.flatnonzero(values > max(rounding, _linalg.LEAST_VARIANCE))
    # Beyond n - 1 there is only rounding error.
    order = live[::-1][: n - 1]
    return Spectrum(mean, var, values[order], vectors[:, order], n_distinct)
