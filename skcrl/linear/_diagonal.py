"""Diagonal CCA: singular vectors of the products of two views of standardised rows."""

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from skcrl._linalg import LEAST_VARIANCE, signs, unit_scale
from skcrl._origins import shifted
from skcrl.linear._by_gram import directions, side_of
from skcrl.linear._fit import Settings, require_finite

# Full shrinkage replaces the covariance within a view by a multiple of the identity.
_DIAGONAL = Settings(center=True, scale=True, reg=(0.0, 0.0), shrinkage=(1.0, 1.0))

# If the squared mean of a row is larger than this times its variance, sparse products
# would lose the variance to rounding.
_FAR = 1e4
_ENTRIES = 2**20  # entries of a sparse view that are read at a time


def diagonal_cca(X, Y, n_components):
    """Leading singular triplets of A'B, with A and B the standardised views.

    First the rows of each view are standardised, and then its columns.

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
        Zero beyond the rank. On each side only the directions of the rows are exact:
        their lengths are not scaled.
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
    """View with rows of mean 0 and variance 1; a sparse view stays sparse."""
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
    """Mean and variance of each row (n,), the variance normalised by n_columns - 1.

    The variance is 0 for a row that is constant up to rounding.
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
    """Rows minus their means, twice, to remove the rounding error of the first time."""
    rows = view - mean[:, None]
    rows -= rows.mean(axis=1, keepdims=True)
    return rows


def _sparse_moments(view):
    p = view.shape[1]
    n_missing = p - _entry_sums(view, lambda entries, _: np.ones(len(entries)))
    mean = _entry_sums(view, lambda entries, _: entries) / p
    # A sum of many entries has a rounding error, which the residuals correct.
    rest = _entry_sums(view, lambda entries, rows: entries - mean[rows])
    mean += (rest - n_missing * mean) / p
    squares = _entry_sums(view, lambda entries, rows: (entries - mean[rows]) ** 2)
    return mean, (squares + n_missing * mean**2) / (p - 1)


def _entry_sums(view, function):
    """Sums over each row of function(stored entries, row numbers of the entries)."""
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
