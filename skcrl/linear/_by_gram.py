"""Linear CCA through the Gram matrices of the rows: no p x p matrix is ever made."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import linalg

from skcrl import _linalg
from skcrl._covariates import ROUNDING, Adjustment, covariate_basis
from skcrl._degenerate import free_rank
from skcrl.linear._fit import Fit, constant_views, require_finite
from skcrl.linear._rows import Rows, origin_of, rows_of, slopes_by_rows
from skcrl.linear._shrinkage import ESTIMATED, Penalty, Scatter, penalty


def fit_by_gram(X, Y, weights, n_components, settings, bases=(None, None), lost=0):
    """Solve CCA from the rows themselves, in time n² (p + q) + n³.

    `bases` and `lost` are those of ``gram_views``.
    """
    x, y = gram_views(X, Y, weights, settings, bases, lost)
    solution, codes = solve_views(x, y, n_components)
    x, y = x.without_vectors(), y.without_vectors()
    return fit_of_codes(x, y, weights, solution, codes)


def gram_views(X, Y, weights, settings, bases=(None, None), lost=0):
    """Spectra of the Gram matrices of both views.

    `bases` holds, for each view, orthonormal columns (n, r) that span its covariates.
    `lost` is the number of degrees of freedom that they take.
    """
    return (
        side_of(X, weights, settings, 0, bases[0], lost),
        side_of(Y, weights, settings, 1, bases[1], lost),
    )


def covariate_bases(X, Y, covariates, weights, center, adjust):
    """The `bases` of ``gram_views``, and the `Adjustment`; None without covariates."""
    if covariates is None:
        return (None, None), None
    basis = covariate_basis(covariates, weights, center)
    x_slopes, y_slopes = (
        slopes_by_rows(view, basis, weights, center)
        if adjust in ("both", side)
        else None
        for side, view in (("x", X), ("y", Y))
    )
    bases = tuple(
        None if slopes is None else basis.columns for slopes in (x_slopes, y_slopes)
    )
    rank = basis.columns.shape[1]
    return bases, Adjustment(basis.mean, x_slopes, y_slopes, rank)


def solve_views(x, y, n_components):
    """Solve CCA for the views from ``gram_views``; also return the codes."""
    left, singular_values, right, rank = directions(x, y, n_components)
    x_weights, y_weights = x.weights(left), y.weights(right)
    sign = _linalg.signs(x_weights, x.deviations())
    codes = np.hstack([x.whitened() @ (left * sign), y.whitened() @ (right * sign)])
    codes *= x.freedom**0.5
    x_weights *= sign
    y_weights *= sign
    return _linalg.CCASolution(x_weights, y_weights, singular_values, rank), codes


def fit_of_codes(x, y, weights, solution, codes):
    """The `Fit` of a solution with codes (n, 2k), multiplied by sqrt(weights)."""
    return Fit(
        solution,
        x.origin + x.rows.mean,
        y.origin + y.rows.mean,
        x.var,
        y.var,
        _correlations(codes, weights),
        codes.T @ codes / x.freedom,
        x.cross_cov(codes),
        y.cross_cov(codes),
        (x.penalty.share, y.penalty.share),
        constant_views(x.var_about_mean, y.var_about_mean),
        lambda: (x.free_rank(), y.free_rank()),
    )


def directions(x, y, n_components):
    """Directions (r, k) of the whitened rows in which the two sides agree most.

    Returns
    -------
    left, singular_values, right : singular triplets of the product of whitened rows
        Components beyond the rank are zero.
    rank : int
    """
    T = x.whitened().T @ y.whitened()
    rank = min(n_components, *T.shape)
    left, singular_values, right = _linalg.top_svd(T, rank)
    most = 1.0 if min(x.penalty.keep, y.penalty.keep) == 1 else None
    missing = n_components - rank
    left, right = (np.pad(v, ((0, 0), (0, missing))) for v in (left, right))
    singular_values = np.pad(singular_values.clip(0.0, most), (0, missing))
    return left, singular_values, right, rank


def _correlations(codes, weights):
    """Correlations of pairs of codes, whose rows are multiplied by sqrt(weights)."""
    root, squares = weights[:, None] ** 0.5, (codes * codes).sum(axis=0)
    codes = codes - root * (root.T @ codes / weights.sum())
    # A code is constant if hardly anything is left of it after centring.
    rounding = (100 * np.finfo(np.float64).eps) ** 2 * squares
    codes *= (codes * codes).sum(axis=0) > rounding
    return _linalg.pair_correlations(codes.T @ codes)


class GramView(NamedTuple):
    """Spectral decomposition AA' / freedom = U diag(l) U' of one view A."""

    rows: Rows
    freedom: float  # n - 1, less what covariates take
    origin: np.ndarray | float  # (p,) or 0, subtracted from the rows
    var: np.ndarray  # (p,), of the columns of the view
    var_about_mean: np.ndarray  # (p,), the same but for views that are not centred
    values: np.ndarray  # (r,), l, all above 0
    vectors: np.ndarray  # (n, r), U
    penalty: Penalty

    def whitened(self):
        """Whitened rows over sqrt(freedom): U sqrt(l / (keep l + ridge))."""
        return self.vectors * (self.values**0.5 / self._penalised() ** 0.5)

    def weights(self, M):
        """Weights (p, k) of the view for directions M (r, k) of the whitened rows."""
        rows, U = self.rows, self.vectors
        variances = (self.freedom * self.values)[:, None]
        M = M / (variances * self._penalised()[:, None]) ** 0.5
        W = rows.back(U @ M)
        # The rounding errors of large columns are larger than what small columns need,
        # and they change the codes. Here they are corrected once.
        missing = U @ (variances * M) - rows.forward(W)
        W += rows.back(U @ (U.T @ missing / variances))
        W *= rows.scale[:, None]
        return W

    def without_vectors(self):
        """A copy without the n x n matrix of vectors, to save memory."""
        return self._replace(vectors=np.empty((0, 0)))

    def free_rank(self):
        """Number of directions that the penalty hardly changes."""
        return free_rank(self.values, self.penalty.ridge, self.penalty.keep)

    def deviations(self):
        """Deviations of the columns, with the ridge, that standardise weights."""
        scale = np.where(self.var > 0, self.rows.scale, 1.0)
        return (self.var + self.penalty.ridge / scale**2) ** 0.5

    def cross_cov(self, codes):
        """Covariances (k, p) of codes with the columns of the view."""
        plain = replace(self.rows, scale=np.ones_like(self.var))
        return plain.back(codes / self.freedom).T

    def _penalised(self):
        return self.penalty.keep * self.values + self.penalty.ridge


def side_of(view, weights, settings, i, basis=None, lost=0, **taken):
    """`GramView` of view `i`; `taken` is passed on to :func:`rows_of`.

    `basis` holds orthonormal columns (n, r) that are projected out. `lost` is the
    number of degrees of freedom that the covariates take.
    """
    p, freedom = view.shape[1], weights.sum() - 1 - lost
    reg, shrinkage = settings.reg[i], settings.shrinkage[i]
    if settings.center and not taken:
        taken = origin_of(view, weights)
    rows = rows_of(view, np.zeros(p), np.ones(p), weights**0.5, **taken)
    rows = replace(rows, mean=rows.weighted_sums() / weights.sum())
    var = var_about_mean = rows.sums_of_squares() / freedom
    scale = _linalg.unit_scale(var) if settings.scale else rows.scale
    if not settings.center:
        rows = replace(rows, mean=0 * rows.mean)
        var = rows.sums_of_squares() / freedom
    require_finite(var.sum())
    if basis is not None:
        rows = replace(rows, basis=basis)
        left = rows.sums_of_squares() / freedom
        var = var_about_mean = np.where(left > ROUNDING * var, left, 0.0)
        if not settings.center:
            sums = rows.back(rows.root_weights[:, None])[:, 0]
            left = var - sums**2 / (rows.n * freedom)
            var_about_mean = np.where(left > ROUNDING * var, left, 0.0)
        scale = _linalg.unit_scale(var_about_mean) if settings.scale else scale
    if reg == 0 and shrinkage == 0:
        # Without a penalty, weights lie in the range of the standardised columns.
        scale = _linalg.unit_scale(var)
    # What is left of a constant column is rounding error.
    rows = replace(rows, scale=scale * (var > 0))
    gram = rows.gram() / freedom
    lengths = gram.diagonal() * freedom / weights
    estimated = shrinkage in ESTIMATED
    scatter = Scatter(
        freedom + 1,
        p,
        gram.trace(),
        (gram * gram).sum() if estimated else None,
        (weights * lengths**2).sum() if estimated else None,
    )
    values, vectors = _spectrum(rows, gram, freedom)
    drawn = penalty(reg, shrinkage, scatter)
    origin = taken.get("origin")
    origin = 0.0 if origin is None else origin
    return GramView(rows, freedom, origin, var, var_about_mean, values, vectors, drawn)


def _spectrum(rows, gram, freedom):
    """Eigenvalues (r,) of the Gram matrix above rounding, and eigenvectors (n, r)."""
    eps = 10 * len(gram) * np.finfo(np.float64).eps
    # Centring makes one eigenvalue 0, and each direction of the covariates another.
    n_taken = 1 if rows.basis is None else 1 + rows.basis.shape[1]
    if len(rows.mean) >= len(gram) > n_taken:
        values, vectors = linalg.eigh(gram, check_finite=False)
        # If further ones are small too, squaring has lost too many digits.
        if values[n_taken] > 1e-8 * values[-1]:
            live = values > max(eps * values[-1], _linalg.LEAST_VARIANCE)
            return values[live], vectors[:, live]
    root = rows.triangle().T / freedom**0.5
    left, roots, _ = np.linalg.svd(root, full_matrices=False)
    live = roots > np.maximum(eps * roots[:1], _linalg.LEAST_VARIANCE**0.5)
    return roots[live] ** 2, left[:, live]
