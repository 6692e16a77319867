"""The problem of sparse CCA, stored as the rows of both views or as covariances."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from skcrl import _linalg
from skcrl._covariates import require_freedom
from skcrl.linear._by_covariance import (
    CovarianceViews,
    adjusted_views,
    fit_by_covariance,
    fit_of_weights,
    fourth_moments,
    moments_of,
)
from skcrl.linear._by_gram import (
    GramView,
    covariate_bases,
    fit_of_codes,
    gram_views,
    solve_views,
)
from skcrl.linear._fit import require_finite
from skcrl.linear._sparse_sides import ByCovariance, ByRows, covariance_side, rows_side


class RowsProblem(NamedTuple):
    """The problem as rows: the covariances within the views are never computed."""

    x: ByRows
    y: ByRows
    x_scale: np.ndarray  # (p,), factors of the columns; 0 for a constant column
    y_scale: np.ndarray  # (q,)
    views: tuple[GramView, GramView]
    row_weights: np.ndarray  # (n,)

    @classmethod
    def of(cls, X, y, covariates, row_weights, settings, adjust):
        """Problem of checked views, and the `Adjustment` (None without covariates)."""
        if row_weights is None:
            row_weights = np.ones(X.shape[0])
        bases, adjustment = covariate_bases(
            X, y, covariates, row_weights, settings.center, adjust
        )
        lost = 0 if adjustment is None else adjustment.rank
        require_freedom(row_weights.sum() - settings.center, lost)
        views = gram_views(X, y, row_weights, settings, bases, lost)
        rows = [_rescaled(view, settings.scale) for view in views]
        x, y = (
            rows_side(r, view.freedom, view.penalty)
            for r, view in zip(rows, views, strict=True)
        )
        problem = cls(x, y, rows[0].scale, rows[1].scale, views, row_weights)
        return problem, adjustment

    def dense_weights(self, n_components):
        """Weights (p, k) and (q, k) of dense CCA, of the scaled columns."""
        solution, _ = solve_views(*self.views, n_components)
        return (
            solution.x_weights * _inverse(self.x_scale)[:, None],
            solution.y_weights * _inverse(self.y_scale)[:, None],
        )

    def fit(self, x_weights, y_weights):
        """The `Fit` of weights of the scaled columns."""
        variances = self.x_scale**2 * self.views[0].var
        x_weights, y_weights = _signed(x_weights, y_weights, variances, self.x)
        codes = [self.x.codes(w) for w in x_weights.T]
        codes += [self.y.codes(w) for w in y_weights.T]
        solution = _solution(
            x_weights * self.x_scale[:, None], y_weights * self.y_scale[:, None]
        )
        return fit_of_codes(
            *self.views, self.row_weights, solution, np.column_stack(codes)
        )


class CovarianceProblem(NamedTuple):
    """The problem as covariances: the rows are needed only once, to compute them."""

    x: ByCovariance
    y: ByCovariance
    views: CovarianceViews

    @classmethod
    def of(cls, X, y, covariates, row_weights, settings, adjust):
        """Problem of checked views, and the `Adjustment` (None without covariates)."""
        m, n_covariates = moments_of(X, y, covariates, row_weights)
        require_finite(float(m.xx.diagonal().sum() + m.yy.diagonal().sum()))
        fourth = fourth_moments(X, y, row_weights, covariates)
        views, adjustment = adjusted_views(m, n_covariates, settings, adjust, fourth)
        lost = 0 if adjustment is None else adjustment.rank
        require_freedom(m.n - settings.center, lost)
        within = views.within
        problem = cls(
            covariance_side(within.xx, within.xy, views.x_penalty),
            covariance_side(within.yy, within.xy.T, views.y_penalty),
            views,
        )
        return problem, adjustment

    def dense_weights(self, n_components):
        """Weights (p, k) and (q, k) of dense CCA, of the scaled columns."""
        solution = fit_by_covariance(self.views, n_components, None).solution
        x_scale, y_scale = self.views.x_scale, self.views.y_scale
        return solution[0] / x_scale[:, None], solution[1] / y_scale[:, None]

    def fit(self, x_weights, y_weights):
        """The `Fit` of weights of the scaled columns."""
        weights = _signed(x_weights, y_weights, self.x.within.diagonal(), self.x)
        return fit_of_weights(self.views, _solution(*weights))


def _rescaled(view, scale):
    """Rows of a view in the units in which its penalty is given."""
    unit = _linalg.unit_scale(view.var) if scale else np.ones_like(view.var)
    return replace(view.rows, scale=unit * (view.var > 0))


def _inverse(scale):
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)


def _signed(x_weights, y_weights, x_variances, x):
    """Weights of scaled columns with signs by the rule of LinearCCA."""
    sign = _linalg.signs(x_weights, (x_variances + x.penalty.ridge) ** 0.5)
    return x_weights * sign, y_weights * sign


def _solution(x_weights, y_weights):
    """Solution made of these weights; it has no singular values."""
    k = x_weights.shape[1]
    return _linalg.CCASolution(x_weights, y_weights, np.zeros(k), k)
