r"""Shrinkage by cross-validation: held-out pairs should stand out from other rows.

CCA of the training folds defines the similarity :math:`x^\top M y` of two rows x and y,
with :math:`M = \bar\Sigma_{xx}^{-1} \Sigma_{xy} \bar\Sigma_{yy}^{-1}`. It is the inner
product of their codes in all components, weighted by the singular values. Let C be the
covariances of the held-out fold. The mean similarity of its pairs exceeds that of any x
with any y by :math:`\operatorname{tr}(M^\top C_{xy})`. The similarity of any x with any
y has the variance :math:`\operatorname{tr}(M^\top C_{xx} M C_{yy})`. The criterion is
the first number divided by the square root of the second, and the best shrinkage
maximises it. In the basis of the eigenvectors of the training covariances, M is divided
by diagonal matrices, and only these change with the shrinkage. So one decomposition of
each view serves all shrinkages of a fold.
"""

from functools import reduce
from itertools import pairwise

import numpy as np

from skcrl import _linalg
from skcrl._arrays import following, to_numpy
from skcrl._covariates import adjusted_moments, beside, moments_of_residuals
from skcrl._moments import (
    Moments,
    about,
    covariances,
    dense,
    merge_moments,
    without_rows,
)
from skcrl._views import common_kind
from skcrl.linear._by_gram import gram_views
from skcrl.linear._fit import require_finite

# A finer grid would change the criterion little.
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97)
N_FOLDS = 5
_LEAST_ROWS = 2
# The criterion is about 1 for each shared component; differences below this are noise.
_ROUNDING = 1e-9


def check_folds(n_samples):
    """Raise ValueError for samples that do not fill the folds."""
    if n_samples < _LEAST_ROWS * N_FOLDS:
        raise ValueError(
            f"shrinkage='cv' divides the samples into {N_FOLDS} folds of at least "
            f"{_LEAST_ROWS}, and so needs {_LEAST_ROWS * N_FOLDS} samples. Got "
            f"{n_samples}. Set a number instead, such as shrinkage=0.5."
        )


def shrinkage_by_moments(X, y, covariates, weights, settings, adjust):
    """Best shrinkage for both views, computed with covariances of the columns.

    Covariates are regressed out with slopes from all rows. The `shrinkage` of the
    settings has no effect.
    """
    n_covariates = 0
    if covariates is not None:
        n_covariates = covariates.shape[1]
        X = beside(X, following(covariates, X))
    folds = list(_moments_of_folds(X, y, weights))
    total = reduce(merge_moments, folds)
    require_finite(total.xx.trace() + total.yy.trace())
    if n_covariates:
        total, adjustment = adjusted_moments(
            total, n_covariates, adjust, settings.center
        )
        folds = [moments_of_residuals(m, n_covariates, adjustment) for m in folds]
    widths = len(total.x_mean), len(total.y_mean)
    return _best(folds, total, widths, settings)


def shrinkage_by_gram(X, y, weights, settings, bases, lost):
    """Best shrinkage for views with more columns than rows.

    The arguments are those of ``gram_views``. The rows are rotated into the space that
    they span, which has fewer columns. Inner products of the rows do not change.
    """
    # side_of() scales columns to unit variance when reg == 0 and shrinkage == 0.
    settings = settings._replace(shrinkage=(0.5, 0.5))
    x_turned, y_turned = (
        view.vectors * (view.freedom * view.values / weights[:, None]) ** 0.5
        for view in gram_views(X, y, weights, settings, bases, lost)
    )
    folds = list(_moments_of_folds(x_turned, y_turned, weights))
    total = reduce(merge_moments, folds)
    widths = X.shape[1], y.shape[1]
    return _best(folds, total, widths, settings._replace(scale=False))


def _moments_of_folds(X, y, weights):
    n = X.shape[0]
    edges = np.linspace(0, n, N_FOLDS + 1).astype(int)
    for start, stop in pairwise(edges):
        rows = slice(start, stop)
        fold = None if weights is None else weights[rows]
        m = common_kind(X, y).moments(X[rows], y[rows], fold)
        yield Moments(m.n, *(to_numpy(dense(part)) for part in m[1:]))


def _best(folds, total, widths, settings):
    scales = [np.ones(len(mean)) for mean in (total.x_mean, total.y_mean)]
    if settings.scale:
        cov = covariances(total)
        scales = [_linalg.unit_scale(c.diagonal()) for c in (cov.xx, cov.yy)]
    found = np.mean(
        [
            _standing_out(without_rows(total, fold), fold, scales, widths, settings)
            for fold in folds
        ],
        axis=0,
    )
    # Take the largest of equally good values. All are equal up to rounding if the views
    # share nothing, or have one column each.
    return SHARES[np.flatnonzero(found >= found.max() - _ROUNDING)[-1]]


def _standing_out(train, test, scales, widths, settings):
    """The criterion for each shrinkage: how far held-out pairs stand out."""
    if not settings.center:
        train = about(train, 0 * train.x_mean, 0 * train.y_mean)
    freedom = max(train.n - 1, 1)
    x_values, x_vectors = _spectrum(train.xx / freedom, scales[0])
    y_values, y_vectors = _spectrum(train.yy / freedom, scales[1])
    joint = x_vectors.T @ train.xy @ y_vectors
    xx, yy = x_vectors.T @ test.xx @ x_vectors, y_vectors.T @ test.yy @ y_vectors
    xy = x_vectors.T @ test.xy @ y_vectors
    found = []
    for share in SHARES:
        x_drawn, y_drawn = (
            (1 - share) * values + share * values.sum() / width + reg
            for values, width, reg in zip(
                (x_values, y_values), widths, settings.reg, strict=True
            )
        )
        # Directions without variance are left out.
        M = joint / np.where(x_drawn > 0, x_drawn, np.inf)[:, None]
        M /= np.where(y_drawn > 0, y_drawn, np.inf)
        variance = np.sum((xx @ M) * (M @ yy))
        found.append(np.sum(M * xy) / variance**0.5 if variance > 0 else 0.0)
    return np.array(found)


def _spectrum(products, scale):
    """Eigenvalues of scaled columns, clipped at 0, and eigenvectors times the scale."""
    values, vectors = np.linalg.eigh(products * scale[:, None] * scale)
    return values.clip(0), vectors * scale[:, None]
