"""Maximum likelihood of a Gaussian of two views whose cross-covariance has rank k.

Let S be the covariances of complete rows, normalised by n - 1, and R the diagonal
matrix of the ridges. The log-likelihood with the penalty -(n - 1)/2 tr(R Sigma^-1) has
its maximum where Sigma is (n - 1)/n times S + R, except that its covariances between
the views keep only the k leading canonical pairs of S + R. If rows have gaps, the
expected S takes the place of S, and the same formula is the M step of EM.
"""

from typing import NamedTuple

import numpy as np

from skcrl import _linalg, _moments
from skcrl.linear._by_covariance import covariance_views, fit_by_covariance
from skcrl.linear._fit import Settings, require_finite
from skcrl.linear._gaussian import Gaussian, batches_of

# Share of the variance of each column that is added if columns are collinear.
_LEAST = 1e-8
# Nothing is added if the other columns leave at least this share of each variance.
_SAFE = 1e-10


class Likeliest(NamedTuple):
    """The Gaussian with the largest likelihood, and its canonical pairs."""

    mean: np.ndarray  # (p + q,)
    cov: np.ndarray  # (p + q, p + q)
    solution: _linalg.CCASolution
    objectives: np.ndarray  # (n_steps,), penalised log-likelihood, mean over the rows
    converged: bool


class _Expected(NamedTuple):
    """Expected moments of the rows, from an E step."""

    n: float
    mean: np.ndarray  # (d,)
    products: np.ndarray  # (d, d), expected sums of products about the mean
    log_likelihood: float  # under the Gaussian of the E step


def fit_whole(V, p, weights, k, reg, scale):
    """Closed form for rows without gaps: the solution is that of linear CCA.

    Returns
    -------
    likeliest : Likeliest
    fit : Fit
        Of linear CCA.
    """
    m = _moments.moments(V[:, :p], V[:, p:], weights=weights)
    require_finite(float(m.xx.diagonal().sum() + m.yy.diagonal().sum()))
    settings = Settings(True, scale, reg, (0.0, 0.0))
    fit = fit_by_covariance(covariance_views(m, settings, None), k, None)
    ridges = _ridges(np.concatenate([fit.x_var, fit.y_var]), p, reg, scale)
    joint = _joint(_plus(_moments.covariances(m), ridges), fit.solution, m.n)
    mean = np.concatenate([m.x_mean, m.y_mean])
    gaussian = Gaussian.of(mean, _positive(joint))
    weights = np.ones(len(V)) if weights is None else weights
    objective = _objective(_expect(gaussian, V, [], weights), gaussian, ridges)
    likeliest = Likeliest(mean, gaussian.cov, fit.solution, np.array([objective]), True)
    return likeliest, fit


def fit_with_gaps(V, p, weights, k, reg, scale, tol, max_iter):
    """EM, starting from uncorrelated columns, until a step adds less than `tol`."""
    weights = np.ones(len(V)) if weights is None else weights
    batches = batches_of(np.isnan(V))
    origin, var = _seen_moments(V, weights)
    require_finite(float(var.sum()))
    V = V - origin  # else means far from 0 would cause large rounding errors
    ridges = _ridges(var, p, reg, scale)
    ridges += _LEAST * _or_one(var + ridges)
    start = Gaussian.of(np.zeros(len(var)), np.diag(var + ridges))
    expected = _expect(start, V, batches, weights)
    objectives: list[float] = []
    converged = False
    while not converged and len(objectives) < max_iter:
        n = expected.n
        cov = expected.products / (n - 1)
        cov = _moments.Covariances(cov[:p, :p], cov[p:, p:], cov[:p, p:])
        cov = _plus(cov, ridges)
        solution = _linalg.cca(cov, k)
        gaussian = Gaussian.of(expected.mean, _joint(cov, solution, n))
        expected = _expect(gaussian, V, batches, weights)
        objectives.append(_objective(expected, gaussian, ridges))
        converged = len(objectives) > 1 and objectives[-1] - objectives[-2] < tol
    mean = origin + gaussian.mean
    return Likeliest(mean, gaussian.cov, solution, np.array(objectives), converged)


def _seen_moments(V, weights):
    """Means and variances of the columns, each over its observed cells."""
    seen = weights[:, None] * ~np.isnan(V)
    total = seen.sum(axis=0)
    # Minus its smallest value, a constant column is exactly 0.
    origin = np.nanmin(V, axis=0)
    V = np.where(seen > 0, V - origin, 0.0)
    mean = (seen * V).sum(axis=0) / total
    var = (seen * (V - mean) ** 2).sum(axis=0) / total
    return origin + mean, var * (weights.sum() / (weights.sum() - 1))


def _ridges(var, p, reg, scale):
    """Ridge (d,) of each column, in the squared units of the column."""
    ridges = np.repeat(np.array(reg, dtype=float), [p, len(var) - p])
    return ridges * _or_one(var) if scale else ridges


def _or_one(variances):
    return np.where(variances > _linalg.LEAST_VARIANCE, variances, 1.0)


def _plus(cov, ridges):
    p = len(cov.xx)
    return cov._replace(
        xx=cov.xx + np.diag(ridges[:p]), yy=cov.yy + np.diag(ridges[p:])
    )


def _joint(cov, solution, n):
    """Covariance over n of both views, with these canonical pairs between them."""
    x_cov, y_cov = cov.xx @ solution.x_weights, cov.yy @ solution.y_weights
    xy = x_cov * solution.singular_values @ y_cov.T
    return np.block([[cov.xx, xy], [xy.T, cov.yy]]) * ((n - 1) / n)


def _positive(cov):
    """The covariance, with larger variances if columns are collinear or constant."""
    unit = _or_one(cov.diagonal()) ** 0.5
    try:
        left = np.linalg.cholesky(cov / unit / unit[:, None]).diagonal() ** 2
    except np.linalg.LinAlgError:
        left = np.zeros(1)
    # A squared pivot is the variance that the earlier columns leave of a column.
    return cov if left.min() > _SAFE else cov + np.diag(_LEAST * unit**2)


def _expect(gaussian, V, batches, weights):
    """E step: expected moments of rows with gaps, and their log-likelihood."""
    d = len(gaussian.mean)
    extra, log_dets = np.zeros((d, d)), np.zeros(len(V))
    filled = gaussian.centred(V)
    for batch, cov, log_det in gaussian.fill(filled, batches):
        log_dets[batch.rows] = log_det[:, None]
        total = weights[batch.rows].sum(axis=1)[:, None, None] * cov
        at = batch.cells[:, :, None], batch.cells[:, None, :]
        np.add.at(extra, at, total)
    densities = gaussian.log_densities(filled, np.isnan(V), log_dets)
    n = weights.sum()
    mean = weights @ filled / n
    rest = filled - mean
    products = (rest * weights[:, None]).T @ rest + (extra + extra.T) / 2
    return _Expected(
        n,
        gaussian.mean + mean * gaussian.unit,
        products * gaussian.unit * gaussian.unit[:, None],
        weights @ densities,
    )


def _objective(expected, gaussian, ridges):
    penalty = ridges @ (gaussian.precision.diagonal() / gaussian.unit**2)
    return (expected.log_likelihood - (expected.n - 1) / 2 * penalty) / expected.n
