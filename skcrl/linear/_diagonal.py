"""Diagonal CCA: singular vectors of the products of two views of standardised rows."""

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from skcrl._linalg import LEAST_VARIANCE, signs, unit_scale
from skcrl._origins import shifted
from skcrl.linear._by_gram import directions, side_of
from skcrl.linear._fit import Settings, require_finite

# Full shrinkage takes the covariance within a view for a multiple of the identity.
_DIAGONAL = Settings(center=True, scale=True, reg=(0.0, 0.0), shrinkage=(1.0, 1.0))

# Of the variance: a square of the mean that would drown it in sparse products.
_FAR = 1e4
_ENTRIES = 2**20  # of a sparse view at a time


def diagonal_cca(X, Y, n_components):
    """Leading singular triplets of A'B, whose rows and then columns are standardised.

    Parameters
    ----------
    X : ndarray, CSR or CSC array of shape (n, p)
        Floats, no row of which is constant.
    Y : ndarray, CSR or CSC array of shape (n, q)
    n_components : int
        Below n.

    Returns
    -------
    left : ndarray of shape (p, n_components)
        Zero past the rank. Either side may be multiplied by a number a row and one for
        all: its rows are right in direction alone.
    singular_values : ndarray of shape (n_components,)
        Divided by the largest.
    right : ndarray of shape (q, n_components)
    """
    ones = np.ones(X.shape[0])
    x, y = (_standardised(view, ones, i) for i, view in enumerate((X, Y)))
    left, singular_values, right, _ = directions(x, y, n_components)
    left, right = x.weights(left), y.weights(right)
    sign = signs(left, np.ones(len(left)))
    left *= sign
    right *= sign
    largest = singular_values[0]
    return left, singular_values * (1 / largest if largest > 0 else 0.0), right


def _standardised(view, weights, i):
    """Rows of mean 0 and variance 1, a sparse view by its products."""
    mean, var = row_moments(view)
    if not sparse.issparse(view):
        rows = _about(view, mean)
        rows *= unit_scale(var)[:, None]
        return side_of(rows, weights, _DIAGONAL, i)
    far = mean**2 > _FAR * var
    if far.any():
        view = shifted(view.T, np.where(far, mean, 0.0)).T
        mean, var = row_moments(view)
    scale = unit_scale(var)
    taken = {"row_mean": mean * scale, "row_scale": scale}
    return side_of(view, weights, _DIAGONAL, i, **taken)


def row_moments(view):
    """Mean and variance of each row (n,), the variance over one less than columns.

    It is 0 for a row that is constant up to rounding.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        moments = _sparse_moments if sparse.issparse(view) else _dense_moments
        mean, var = moments(view)
        require_finite(var.sum())
    rounding = (8 * np.finfo(np.float64).eps * mean) ** 2
    return mean, np.where(var > np.maximum(rounding, LEAST_VARIANCE), var, 0.0)


def _dense_moments(view):
    mean = view.mean(axis=1, dtype=np.float64)
    rows = _about(view, mean)
    return mean, np.einsum("ij,ij->i", rows, rows) / (view.shape[1] - 1)


def _about(view, mean):
    """Rows without their mean, nor what its rounding leaves of it."""
    rows = view - mean[:, None]
    rows -= rows.mean(axis=1, keepdims=True)
    return rows


def _sparse_moments(view):
    p = view.shape[1]
    n_missing = p - _entry_sums(view, lambda entries, _: np.ones(len(entries)))
    mean = _entry_sums(view, lambda entries, _: entries) / p
    # Adding up many entries errs; adding up their residuals does not.
    rest = _entry_sums(view, lambda entries, rows: entries - mean[rows])
    mean += (rest - n_missing * mean) / p
    squares = _entry_sums(view, lambda entries, rows: (entries - mean[rows]) ** 2)
    return mean, (squares + n_missing * mean**2) / (p - 1)


def _entry_sums(view, function):
    """Sum over each row of a function of its stored entries, and of their rows."""
    n = view.shape[0]
    sums = np.zeros(n)
    for part in gen_batches(view.nnz, _ENTRIES):
        if view.format == "csr":
            n_stored = np.diff(view.indptr.clip(part.start, part.stop))
            rows = np.repeat(np.arange(n), n_stored)
        else:
            rows = view.indices[part]
        entries = view.data[part].astype(np.float64)
        sums += np.bincount(rows, function(entries, rows), n)
    return sums
