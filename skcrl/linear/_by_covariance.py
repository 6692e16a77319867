"""Linear CCA through the covariances of the columns."""

from skcrl import _arrays, _linalg, _moments
from skcrl._degenerate import free_rank_of
from skcrl.linear._fit import Fit, constant_views, require_finite
from skcrl.linear._shrinkage import ESTIMATED, Scatter, penalty


def fit_by_covariance(m, n_components, settings, fourth, random_state):
    """Solve from moments `m`; the top components by Lanczos, given a RandomState.

    `fourth(side, mean, scale)` adds up the fourth powers of the lengths of the rows.
    """
    cov = _moments.covariances(m)
    x_scale, y_scale = (
        _linalg.unit_scale(c.diagonal()) if settings.scale else c.diagonal() ** 0
        for c in (cov.xx, cov.yy)
    )
    x_mean, y_mean, centred = m.x_mean, m.y_mean, cov
    if not settings.center:
        cov = _moments.uncentred(cov, m)
        require_finite(float(cov.xx.diagonal().sum() + cov.yy.diagonal().sum()))
        x_mean, y_mean = 0 * x_mean, 0 * y_mean
    within = _moments.scaled(cov, x_scale, y_scale) if settings.scale else cov

    def penalised(i, side, c, mean, scale):
        shrinkage = settings.shrinkage[i]
        scatter = Scatter(
            m.n,
            c.shape[0],
            float(c.diagonal().sum()),
            float(_moments.square_norm(c)) if shrinkage in ESTIMATED else None,
            fourth(side, mean, scale) if shrinkage == "ledoit_wolf" else None,
        )
        return penalty(settings.reg[i], shrinkage, scatter)

    x = penalised(0, "x", within.xx, x_mean, x_scale)
    y = penalised(1, "y", within.yy, y_mean, y_scale)
    solution = _linalg.cca(
        within, n_components, (x.ridge, y.ridge), (x.keep, y.keep), random_state
    )
    x_weights = solution.x_weights * x_scale[:, None]
    y_weights = solution.y_weights * y_scale[:, None]
    join = _arrays.join_columns
    x_cross_cov = join(cov.xx @ x_weights, cov.xy @ y_weights).T
    y_cross_cov = join(cov.xy.T @ x_weights, cov.yy @ y_weights).T
    code_cov = join(x_cross_cov @ x_weights, y_cross_cov @ y_weights)
    if settings.center:
        correlations = _linalg.pair_correlations(code_cov)
    else:
        correlations = _linalg.code_correlations(centred, x_weights, y_weights)
    return Fit(
        solution._replace(x_weights=x_weights, y_weights=y_weights),
        x_mean,
        y_mean,
        cov.xx.diagonal(),
        cov.yy.diagonal(),
        correlations,
        code_cov,
        x_cross_cov,
        y_cross_cov,
        constant_views(centred.xx.diagonal(), centred.yy.diagonal()),
        lambda: (
            free_rank_of(within.xx, x.ridge, x.keep),
            free_rank_of(within.yy, y.ridge, y.keep),
        ),
    )
