"""Diagonal CCA: singular vectors of the products of two views of standardised rows."""

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from skcrl._linalg import signs, unit_scale
from skcrl.linear._by_gram import directions, side_of
from skcrl.linear._fit import Settings, require_finite

# Full shrinkage takes the covariance within a view for a multiple of the identity.
_DIAGONAL = Settings(center=True, scale=True, reg=(0.0, 0.0), shrinkage=(1.0, 1.0))


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
    scale = unit_scale(var)
    if sparse.issparse(view):
        moments = {"row_mean": mean * scale, "row_scale": scale}
        return side_of(view, weights, _DIAGONAL, i, **moments)
    return side_of((view - mean[:, None]) * scale[:, None], weights, _DIAGONAL, i)


def row_moments(view):
    """Mean and variance of each row (n,), the variance over one less than columns."""
    p = view.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(view):
            mean, var = mean_variance_axis(view, axis=1)
            mean, var = mean.astype(np.float64), var.astype(np.float64) * (p / (p - 1))
        else:
            mean = view.mean(axis=1, dtype=np.float64)
            var = view.var(axis=1, dtype=np.float64, ddof=1)
        require_finite(var.sum())
    return mean, var
