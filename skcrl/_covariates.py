"""Remove the effect of covariates, such as age or sex, from two views.

The effect is estimated by least squares. Solvers that work with moments get the moments
of the residuals, from the moments of [X, C] and y. Solvers that work with rows get the
projection that turns the rows into residuals. Both also get slopes, with which the same
effect is removed from new rows.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skcrl._arrays import Array, namespace, untensored
from skcrl._linalg import unit_scale
from skcrl._moments import Moments, dense, less, products_block, varies
from skcrl._numbers import check_numbers
from skcrl._sparse import SparseProducts
from skcrl._views import check_paired, kind_of
from skcrl._views._dask import aligned, check_dask

# Share of the variance of a column that rounding leaves if covariates explain it all.
ROUNDING = 1e4 * np.finfo(np.float64).eps
# Smallest singular value of covariates of length one that counts as a direction.
_COLLINEAR = 1e-10


class Adjustment(NamedTuple):
    """The adjusted view is view - (C - mean) @ slopes."""

    mean: Array  # (c,), 0 without centring
    x_slopes: Array | None  # (c, p), None for a view that stays as it is
    y_slopes: Array | None  # (c, q)
    rank: int  # degrees of freedom that the covariates take


class CovariateBasis(NamedTuple):
    """Orthonormal columns Q that span the covariates.

    The covariates are centred, and their rows are multiplied by the square roots of the
    row weights. For a view that is prepared in the same way, R = I - Q Q' turns its
    rows into residuals.
    """

    mean: np.ndarray  # (c,), 0 without centring
    columns: np.ndarray  # (n, r), Q
    turn: np.ndarray  # (c, r), root_weights (C - mean) @ turn = Q


def check_covariates(covariates, X=None, y=None):
    """Covariates (n_samples, c) in float64, paired with the rows of the given views.

    They may be a Dask array if the views are. A one-dimensional array becomes a column.
    """
    views = {name: v for name, v in (("X", X), ("y", y)) if v is not None}
    name, view = next(iter(views.items()))
    of_dask = [kind_of(a).library == "dask" for a in (view, covariates)]
    if of_dask[1]:
        if not of_dask[0]:
            raise ValueError(
                f"covariates are a Dask array, but {name} is of type "
                f"{type(view).__name__}. Call compute() on the covariates first."
            )
        column = covariates[:, None] if covariates.ndim == 1 else covariates
        check_dask(column, "covariates")
        return aligned(view, column, (name, "covariates"))
    array = check_numbers(
        untensored(covariates),
        "covariates",
        remedy="Drop such rows from the covariates and from both views, or fill the "
        "gaps first.",
        ensure_2d=False,
    )
    if not of_dask[0]:
        for name, view in views.items():
            check_paired(view, covariates, (name, "covariates"))
    elif len(array) != view.shape[0]:
        raise ValueError(
            f"covariates have {len(array)} rows, but {name} has {view.shape[0]}. Rows "
            "must be paired. If the lengths of chunks are not known, call "
            "compute_chunk_sizes() first."
        )
    return array.reshape(len(array), -1)


def beside(view, covariates):
    """The columns [view, covariates] of a checked view, in its container."""
    return kind_of(view).beside(view, covariates)


def apart(joined, n_features):
    """Split what ``beside`` returned: the view, and the covariates as a dense array."""
    covariates = joined[:, n_features:]
    if sparse.issparse(covariates):
        covariates = covariates.toarray()
    return joined[:, :n_features], covariates


def adjusted_moments(m, n_covariates, adjust, center):
    """Moments of the adjusted views, from moments of [X, C] and y.

    Parameters
    ----------
    m : Moments
    n_covariates : int
        Number of covariates C, which are the last columns of the first view.
    adjust : {"both", "x", "y"}
        The view or views from which the effect of C is removed.
    center : bool
        Whether the regression has an intercept. Without it, the regression uses sums of
        products about 0 instead of the means.

    Returns
    -------
    moments : Moments
        Of as many samples, but with n - 1 - rank degrees of freedom.
    adjustment : Adjustment
    """
    adjustment = _least_squares(m, n_covariates, adjust, center)
    return moments_of_residuals(m, n_covariates, adjustment), adjustment


def moments_of_residuals(m, n_covariates, adjustment):
    """Moments of the adjusted views, for an adjustment that is known."""
    mean, x_slopes, y_slopes, _ = adjustment
    p = len(m.x_mean) - n_covariates
    own, cov = slice(None, p), slice(p, None)
    xx, xc, cc = (
        products_block(m.xx, *b) for b in ((own, own), (own, cov), (cov, cov))
    )
    xy, cy = (products_block(m.xy, rows, slice(None)) for rows in (own, cov))
    xc, cc, cy = map(dense, (xc, cc, cy))
    x_mean, y_mean = m.x_mean[own], m.y_mean
    yy, y_left = m.yy, cy
    if y_slopes is not None:
        yy, y_left = _less_slopes(yy, cy.T, cc, y_slopes), cy - cc @ y_slopes
        xy = less(xy, xc, y_slopes.T)
        y_mean = y_mean - (m.x_mean[cov] - mean) @ y_slopes
    if x_slopes is not None:
        xx = _less_slopes(xx, xc, cc, x_slopes)
        xy = less(xy, x_slopes.T, y_left.T)
        x_mean = x_mean - (m.x_mean[cov] - mean) @ x_slopes
    return Moments(m.n, x_mean, y_mean, xx, yy, xy)


def _least_squares(m, n_covariates, adjust, center):
    """Regression of the views on the covariates, about the means or about 0."""
    p = len(m.x_mean) - n_covariates
    own, cov = slice(None, p), slice(p, None)
    mean = m.x_mean[cov]
    xc, cc = (dense(products_block(m.xx, rows, cov)) for rows in (own, cov))
    cy = dense(products_block(m.xy, cov, slice(None)))
    shift = m.n * (0 if center else 1)
    white = _white(
        cc + shift * mean[:, None] * mean,
        varies(m.n, mean, cc) if center else 1.0,
    )
    x_slopes = white @ (white.T @ (xc.T + shift * mean[:, None] * m.x_mean[own]))
    y_slopes = white @ (white.T @ (cy + shift * mean[:, None] * m.y_mean))
    return Adjustment(
        mean if center else 0 * mean,
        None if adjust == "y" else x_slopes,
        None if adjust == "x" else y_slopes,
        white.shape[1],
    )


def require_freedom(n_free, lost):
    """Raise ValueError if covariates take all degrees of freedom."""
    if lost and n_free - lost < 1:
        raise ValueError(
            f"The covariates vary in {lost} directions, but there are only "
            f"{n_free:.3g} degrees of freedom, so nothing of the views is left. Use "
            "fewer covariates, or more samples."
        )


def covariate_basis(covariates, weights=None, center=True):
    """The :class:`CovariateBasis` of an array (n, c), by default with weights of 1."""
    weights = np.ones(len(covariates)) if weights is None else weights
    mean = weights @ covariates / weights.sum() if center else 0 * covariates[0]
    columns = weights[:, None] ** 0.5 * (covariates - mean)
    largest = abs(columns).max(axis=0)
    # Rounding error of the mean. A column that varies by no more is constant.
    rounding = 8 * len(columns) ** 0.5 * np.finfo(np.float64).eps * abs(mean)
    scale = np.where(largest > rounding, 1 / np.where(largest > 0, largest, 1), 0)
    lengths = ((columns * scale) ** 2).sum(axis=0) ** 0.5
    scale = scale / np.where(lengths > 0, lengths, 1)
    left, s, right = np.linalg.svd(columns * scale, full_matrices=False)
    live = s > _COLLINEAR
    turn = scale[:, None] * right[live].T / s[live]
    return CovariateBasis(mean, left[:, live], turn)


def _white(cc, live):
    """Directions V (c, r) of covariates with V' cc V = I, cc their sums of products."""
    scale = unit_scale(cc.diagonal()) * live
    values, vectors = namespace(cc).linalg.eigh(cc * scale[:, None] * scale)
    live = values > _COLLINEAR**2 + 10 * len(cc) * np.finfo(np.float64).eps
    return scale[:, None] * vectors[:, live] * values[live] ** -0.5


def _less_slopes(products, with_covariates, cc, slopes):
    """Centred sums of products of the residuals, columns - (C - mean) @ slopes."""
    half = with_covariates - slopes.T @ cc / 2
    left = less(less(products, half, slopes.T), slopes.T, half)
    # SparseProducts remove rounding errors from their diagonal themselves.
    if not isinstance(left, SparseProducts):
        xp = namespace(left)
        rounding = ROUNDING * products.diagonal()
        diagonal = xp.einsum("ii->i", left)
        diagonal[:] = xp.where(diagonal > rounding, diagonal, 0 * diagonal)
    return left
