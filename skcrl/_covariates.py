"""Covariates, such as age or sex: what least squares takes out of two views.

From moments of [X, C] and y come those of the residuals, from rows the projection that
makes residuals of them. Either way slopes come along, by which new rows lose the same.
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

# Of a column's variance, what rounding leaves where covariates explain it all.
ROUNDING = 1e4 * np.finfo(np.float64).eps
# Of covariates of length one, what they differ by where they span nothing more.
_COLLINEAR = 1e-10


class Adjustment(NamedTuple):
    """A view less its covariates is view - (C - mean) @ slopes."""

    mean: Array  # (c,), 0 without centring
    x_slopes: Array | None  # (c, p), None for a view that stays as it is
    y_slopes: Array | None  # (c, q)
    rank: int  # degrees of freedom that the covariates take


class CovariateBasis(NamedTuple):
    """Orthonormal columns that span the covariates, whose rows are weighted by roots.

    R = I - Q Q' makes residuals of weighted, centred rows.
    """

    mean: np.ndarray  # (c,), 0 without centring
    columns: np.ndarray  # (n, r), Q
    turn: np.ndarray  # (c, r), root_weights (C - mean) @ turn = Q


def check_covariates(covariates, X=None, y=None):
    """Covariates (n_samples, c) in float64, paired with the rows of the views given.

    They may be a Dask array if the views are; a one-dimensional array is a column.
    """
    views = {name: v for name, v in (("X", X), ("y", y)) if v is not None}
    name, view = next(iter(views.items()))
    of_dask = [kind_of(a).library == "dask" for a in (view, covariates)]
    if of_dask[1]:
        if not of_dask[0]:
            raise ValueError(
                f"covariates are a Dask array, and {name} is of type "
                f"{type(view).__name__}: compute() them first."
            )
        column = covariates[:, None] if covariates.ndim == 1 else covariates
        check_dask(column, "covariates")
        return aligned(view, column, (name, "covariates"))
    array = check_numbers(
        untensored(covariates),
        "covariates",
        remedy="Leave such rows out, of the views too, or fill the gaps before.",
        ensure_2d=False,
    )
    if not of_dask[0]:
        for name, view in views.items():
            check_paired(view, covariates, (name, "covariates"))
    elif len(array) != view.shape[0]:
        raise ValueError(
            f"covariates have {len(array)} rows and {name} {view.shape[0]}: rows must "
            "be paired, and chunks of known lengths, by compute_chunk_sizes()."
        )
    return array.reshape(len(array), -1)


def beside(view, covariates):
    """The columns [view, covariates] of a checked view, in its container."""
    return kind_of(view).beside(view, covariates)


def apart(joined, n_features):
    """The view and the covariates, dense, of which ``beside`` made one."""
    covariates = joined[:, n_features:]
    if sparse.issparse(covariates):
        covariates = covariates.toarray()
    return joined[:, :n_features], covariates


def adjusted_moments(m, n_covariates, adjust, center):
    """Moments of views less their covariates, from moments of [X, C] and y.

    Parameters
    ----------
    m : Moments
    n_covariates : int
        Last columns of the first view that are C.
    adjust : {"both", "x", "y"}
        View that C is taken out of.
    center : bool
        Whether with an intercept; else sums of products are about 0.

    Returns
    -------
    moments : Moments
        As many samples, on n - 1 - rank degrees of freedom.
    adjustment : Adjustment
    """
    adjustment = _least_squares(m, n_covariates, adjust, center)
    return moments_of_residuals(m, n_covariates, adjustment), adjustment


def moments_of_residuals(m, n_covariates, adjustment):
    """Moments of views less their covariates by slopes that are known."""
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
    """Slopes of the views on covariates, about the means or about 0."""
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
    """Raise ValueError if covariates leave none of the degrees of freedom."""
    if lost and n_free - lost < 1:
        raise ValueError(
            f"The covariates vary in {lost} directions, which of {n_free:.3g} degrees "
            "of freedom leave nothing of the views: use fewer covariates, or more "
            "samples."
        )


def covariate_basis(covariates, weights=None, center=True):
    """The :class:`CovariateBasis` of an array (n, c); weights None are one each."""
    weights = np.ones(len(covariates)) if weights is None else weights
    mean = weights @ covariates / weights.sum() if center else 0 * covariates[0]
    columns = weights[:, None] ** 0.5 * (covariates - mean)
    largest = abs(columns).max(axis=0)
    # Adding up rows errs by this much: what is no larger is constant.
    rounding = 8 * len(columns) ** 0.5 * np.finfo(np.float64).eps * abs(mean)
    scale = np.where(largest > rounding, 1 / np.where(largest > 0, largest, 1), 0)
    lengths = ((columns * scale) ** 2).sum(axis=0) ** 0.5
    scale = scale / np.where(lengths > 0, lengths, 1)
    left, s, right = np.linalg.svd(columns * scale, full_matrices=False)
    live = s > _COLLINEAR
    turn = scale[:, None] * right[live].T / s[live]
    return CovariateBasis(mean, left[:, live], turn)


def _white(cc, live):
    """Directions V (c, r) of covariates, white under their sums of products."""
    scale = unit_scale(cc.diagonal()) * live
    values, vectors = namespace(cc).linalg.eigh(cc * scale[:, None] * scale)
    live = values > _COLLINEAR**2 + 10 * len(cc) * np.finfo(np.float64).eps
    return scale[:, None] * vectors[:, live] * values[live] ** -0.5


def _less_slopes(products, with_covariates, cc, slopes):
    """Centred sums of products of columns less (C - mean) @ slopes."""
    half = with_covariates - slopes.T @ cc / 2
    left = less(less(products, half, slopes.T), slopes.T, half)
    if not isinstance(left, SparseProducts):  # whose diagonal is without rounding
        xp = namespace(left)
        rounding = ROUNDING * products.diagonal()
        diagonal = xp.einsum("ii->i", left)
        diagonal[:] = xp.where(diagonal > rounding, diagonal, 0 * diagonal)
    return left
