"""The principal components of two views, by their covariances or by their rows."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg

from skcrl import _linalg, _moments
from skcrl._origins import about_medians
from skcrl.linear._fit import require_finite
from skcrl.linear._rows import Rows, rows_of, spectrum


class Spectrum(NamedTuple):
    """A view by the spectrum of its covariance over n - 1, V diag(l) V'."""

    mean: np.ndarray  # (p,)
    var: np.ndarray  # (p,), 0 for a constant
    values: np.ndarray  # (r,), l, largest first, all above rounding
    vectors: np.ndarray  # (p, r), V, or of rows (n, r), their left singular vectors

    @property
    def n_varying(self):
        """Number of columns that are not constant."""
        return int((self.var > 0).sum())


@dataclass(frozen=True)
class ByCovariance:
    """Through p x p matrices, whose sums of products do not grow with the rows."""

    n: int
    spectra: tuple[Spectrum, Spectrum]
    xy: Any  # (p, q), covariances between the views, sparse perhaps

    @classmethod
    def of(cls, moments):
        """From moments of both views."""
        cov = _moments.covariances(moments)
        require_finite(float(cov.xx.diagonal().sum() + cov.yy.diagonal().sum()))
        n = int(moments.n)
        x = _covariance_spectrum(moments.x_mean, _moments.dense(cov.xx), n)
        y = _covariance_spectrum(moments.y_mean, _moments.dense(cov.yy), n)
        return cls(n, (x, y), cov.xy)

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
    """Through n x n matrices, for views of more columns than rows."""

    n: int
    spectra: tuple[Spectrum, Spectrum]
    rows: tuple[Rows, Rows]

    @classmethod
    def of(cls, X, y):
        """From the checked views themselves."""
        x_rows, y_rows = _centred_rows(X), _centred_rows(y)
        spectra = _row_spectrum(*x_rows), _row_spectrum(*y_rows)
        return cls(X.shape[0], spectra, (x_rows[0], y_rows[0]))

    def axes(self, i, n_components):
        """Leading principal axes (p, n_components) of one view."""
        spectrum = self.spectra[i]
        lengths = ((self.n - 1) * spectrum.values[:n_components]) ** 0.5
        return self.rows[i].back(spectrum.vectors[:, :n_components]) / lengths

    def correlations(self, x_rank, y_rank):
        """Correlations (x_rank, y_rank) of the leading principal components."""
        x, y = self.spectra
        return x.vectors[:, :x_rank].T @ y.vectors[:, :y_rank]


def _covariance_spectrum(mean, cov, n):
    values, vectors = linalg.eigh(cov, check_finite=False)
    rounding = 10 * len(cov) * np.finfo(np.float64).eps * values[-1]
    live = values > max(rounding, _linalg.LEAST_VARIANCE)
    return _largest_first(mean, cov.diagonal(), values[live], vectors[:, live], n)


def _centred_rows(view):
    """Rows of a view, and the origin that was taken from them."""
    n, p = view.shape
    view, origin = about_medians(view, np.ones(n))
    rows = rows_of(view, np.zeros(p), np.ones(p), np.ones(n))
    return replace(rows, mean=rows.weighted_sums() / n), origin


def _row_spectrum(rows, origin):
    n = len(rows.root_weights)
    var = rows.sums_of_squares() / (n - 1)
    require_finite(var.sum())
    # A constant column is there in rounding alone.
    varying = replace(rows, scale=(var > 0).astype(np.float64))
    values, vectors = spectrum(varying, varying.gram() / (n - 1))
    return _largest_first(origin + rows.mean, var, values, vectors, n)


def _largest_first(mean, var, values, vectors, n):
    # Past n - 1 there is rounding alone.
    order = np.argsort(-values, kind="stable")[: n - 1]
    return Spectrum(mean, var, values[order], vectors[:, order])
