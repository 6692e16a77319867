"""Linear CCA through the covariances of the columns."""

from functools import partial
from typing import NamedTuple

from skcrl import _arrays, _linalg, _moments
from skcrl._arrays import Array
from skcrl._covariates import adjusted_moments, beside
from skcrl._degenerate import free_rank_of
from skcrl._moments import Covariances
from skcrl._views import common_kind, kind_of
from skcrl.linear._fit import Fit, constant_views, require_finite
from skcrl.linear._rows import fourth_moment
from skcrl.linear._shrinkage import ESTIMATED, Penalty, Scatter, penalty


class CovarianceViews(NamedTuple):
    """Covariances of two views, as the solvers take them."""

    x_mean: Array  # (p,), zero if the views are not centred
    y_mean: Array  # (q,)
    x_scale: Array  # (p,), factors of the columns
    y_scale: Array  # (q,)
    centred: Covariances  # about the means of the columns
    cov: Covariances  # about x_mean and y_mean
    within: Covariances  # of the scaled columns
    x_penalty: Penalty  # of the scaled columns
    y_penalty: Penalty


def adjusted_views(m, n_covariates, settings, adjust, fourth):
    """`CovarianceViews` from moments of [X, covariates] and y, and the `Adjustment`.

    The adjustment is None without covariates. `fourth` is None, or a function that
    ``fourth_moments`` returned.
    """
    adjustment, lost = None, 0
    if n_covariates:
        m, adjustment = adjusted_moments(m, n_covariates, adjust, settings.center)
        lost = adjustment.rank
        fourth = fourth and partial(fourth, adjustment=adjustment)
    return covariance_views(m, settings, fourth, lost), adjustment


def covariance_views(m, settings, fourth, lost=0):
    """`CovarianceViews` from moments `m`; `fourth` comes from ``fourth_moments``.

    `lost` is the number of degrees of freedom that the covariates take.
    """
    cov = _moments.covariances(m, lost)
    x_scale, y_scale = (
        _linalg.unit_scale(c.diagonal()) if settings.scale else c.diagonal() ** 0
        for c in (cov.xx, cov.yy)
    )
    x_mean, y_mean, centred = m.x_mean, m.y_mean, cov
    if not settings.center:
        cov = _moments.uncentred(cov, m, lost)
        require_finite(float(cov.xx.diagonal().sum() + cov.yy.diagonal().sum()))
        x_mean, y_mean = 0 * x_mean, 0 * y_mean
    within = _moments.scaled(cov, x_scale, y_scale) if settings.scale else cov

    def penalised(i, side, c, mean, scale):
        shrinkage = settings.shrinkage[i]
        scatter = Scatter(
            m.n - lost,
            c.shape[0],
            float(c.diagonal().sum()),
            float(_moments.square_norm(c)) if shrinkage in ESTIMATED else None,
            fourth(side, mean, scale) if shrinkage == "ledoit_wolf" else None,
        )
        return penalty(settings.reg[i], shrinkage, scatter)

    return CovarianceViews(
        x_mean,
        y_mean,
        x_scale,
        y_scale,
        centred,
        cov,
        within,
        penalised(0, "x", within.xx, x_mean, x_scale),
        penalised(1, "y", within.yy, y_mean, y_scale),
    )


def fit_by_covariance(views, n_components, random_state):
    """Solve CCA from covariances, by Lanczos iterations if `random_state` is given."""
    x, y = views.x_penalty, views.y_penalty
    solution = _linalg.cca(
        views.within, n_components, (x.ridge, y.ridge), (x.keep, y.keep), random_state
    )
    return fit_of_weights(views, solution)


def fit_of_weights(views, solution):
    """The `Fit` of weights of the scaled columns, in the units of the views."""
    x, y, cov, within = views.x_penalty, views.y_penalty, views.cov, views.within
    x_weights = solution.x_weights * views.x_scale[:, None]
    y_weights = solution.y_weights * views.y_scale[:, None]
    join = _arrays.join_columns
    x_cross_cov = join(cov.xx @ x_weights, cov.xy @ y_weights).T
    y_cross_cov = join(cov.xy.T @ x_weights, cov.yy @ y_weights).T
    code_cov = join(x_cross_cov @ x_weights, y_cross_cov @ y_weights)
    if views.cov is views.centred:
        correlations = _linalg.pair_correlations(code_cov)
    else:
        correlations = _linalg.code_correlations(views.centred, x_weights, y_weights)
    return Fit(
        solution._replace(x_weights=x_weights, y_weights=y_weights),
        views.x_mean,
        views.y_mean,
        cov.xx.diagonal(),
        cov.yy.diagonal(),
        correlations,
        code_cov,
        x_cross_cov,
        y_cross_cov,
        (x.share, y.share),
        constant_views(views.centred.xx.diagonal(), views.centred.yy.diagonal()),
        lambda: (
            free_rank_of(within.xx, x.ridge, x.keep),
            free_rank_of(within.yy, y.ridge, y.keep),
        ),
    )


def moments_of(X, y, C, weights):
    """Moments of [X, C] and y, and how many covariates C are among them."""
    if C is None:
        return common_kind(X, y).moments(X, y, weights), 0
    joined = beside(X, _arrays.following(C, X))
    return common_kind(X, y).moments(joined, y, weights), C.shape[1]


def fourth_moments(X, y, weights, covariates=None):
    """Make a function that sums the fourth powers of the lengths of the rows.

    The rows are centred and scaled. With `covariates` and an `adjustment`, they are the
    residuals.
    """

    def total(side, mean, scale, adjustment=None):
        view, adjust = X if side == "x" else y, None
        slopes = getattr(adjustment, f"{side}_slopes", None)
        if slopes is not None:
            view, adjust = beside(view, covariates), (adjustment.mean, slopes)
        moment = partial(fourth_moment, mean=mean, scale=scale, adjust=adjust)
        return kind_of(view).total(moment, view, weights)

    return total
