"""Views as sparse matrices, which are centred in every product and never dense."""

import numpy as np
from scipy import sparse

from skcrl._arrays import like
from skcrl._moments import Moments
from skcrl._origins import about_medians
from skcrl._sparse import SparseProducts
from skcrl._views._dense import Dense

_BLOCK_ROWS = 8192
_MOST_IN_32_BITS = np.iinfo(np.int32).max


class Sparse(Dense):
    """SciPy's sparse matrices and arrays; a checked view is a CSR or CSC array."""

    def recognises(self, view):
        """Whether a view is sparse."""
        return sparse.issparse(view)

    def values(self, view):
        """The view as it is."""
        return view

    def numbers(self, view, name):
        """CSR array, or CSC array of a CSC matrix, in the form that scikit-learn takes.

        A matrix may store an entry as several numbers, whose sum it is. These are added
        up. It may also have indices of 64 bits, which parts of scikit-learn do not
        take. They become indices of 32 bits if they are small enough. The caller's
        matrix is not changed.
        """
        make = sparse.csc_array if view.format == "csc" else sparse.csr_array
        try:
            view = make(view)
            view.check_format(full_check=True)
        except (ValueError, IndexError) as error:
            raise ValueError(f"{name} is no valid sparse matrix: {error}") from None
        if not view.has_canonical_format:
            view = view.copy()
            view.sum_duplicates()
        if view.indices.dtype != np.int32 and max(*view.shape, view.nnz) <= (
            _MOST_IN_32_BITS
        ):
            indices, indptr = (a.astype(np.int32) for a in (view.indices, view.indptr))
            view = make((view.data, indices, indptr), shape=view.shape)
            view.has_canonical_format = True
        return view

    def holds_integers(self, view):
        """Always False, because entries that are not stored are the number 0."""
        return False

    def take(self, view, rows):
        """Rows of the matrix; some formats are converted first."""
        return super().take(_sliceable(view), rows)

    def take_columns(self, view, columns):
        """Columns of the matrix, always as a matrix."""
        if np.ndim(columns) == 0 and not isinstance(columns, slice):
            columns = [columns]
        return super().take_columns(_sliceable(view), columns)

    def gaps(self, view):
        """None: a gap cannot be marked in a sparse matrix."""
        return None

    def missing_rows(self, view):
        """No row: a gap cannot be marked in a sparse matrix."""
        return np.zeros(view.shape[0], dtype=bool)

    def present_rows(self, view, name):
        """All rows are present; NaN raises ValueError."""
        if np.isnan(view.data).any():
            raise ValueError(
                f"Input {name} contains NaN and is sparse. Missing rows can be marked "
                "only in a dense array."
            )
        return np.ones(view.shape[0], dtype=bool)

    def beside(self, view, columns):
        """The columns of the view, then those of an array, which become sparse."""
        return sparse.hstack([view, sparse.csr_array(columns)], format="csr")

    def moments(self, X, y, weights=None):
        """Moments of two views, of which one or both are sparse and stay sparse."""
        if weights is None:
            weights = np.ones(X.shape[0])
        X, y = (v.tocsr() if sparse.issparse(v) else v for v in (X, y))
        X, x_origin = about_medians(X, weights)
        y, y_origin = about_medians(y, weights)
        n = weights.sum()
        x_mean, y_mean = (view.T @ weights / n for view in (X, y))
        return Moments(
            n,
            x_mean + x_origin,
            y_mean + y_origin,
            _products(X, X, x_mean, x_mean, weights),
            _products(y, y, y_mean, y_mean, weights),
            _products(X, y, x_mean, y_mean, weights),
        )

    def project(self, view, mean, weights, name):
        """Linear codes, centred after the product."""
        return like(view @ weights - mean @ weights, view)


def _products(A, B, a_mean, b_mean, weights):
    """Centred sums of products of the columns of A with those of B."""
    if sparse.issparse(A) and sparse.issparse(B):
        sums = (A.T @ B.multiply(weights[:, None])).tocsr()
        return SparseProducts(sums, weights.sum() * a_mean[:, None], b_mean[:, None])
    if sparse.issparse(B):
        return _products(B, A, b_mean, a_mean, weights).T
    total, residual = 0.0, 0.0
    for i in range(0, len(B), _BLOCK_ROWS):
        rows = slice(i, i + _BLOCK_ROWS)
        centred = (B[rows] - b_mean) * weights[rows, None]
        part = A[rows] if sparse.issparse(A) else A[rows] - a_mean
        total = total + part.T @ centred
        residual = residual + centred.sum(axis=0)
    # B is centred, so A need not be, except for the rounding error of the means of B.
    return total - a_mean[:, None] * residual if sparse.issparse(A) else total


def _sliceable(view):
    """The matrix, converted if its format cannot be sliced."""
    return view if view.format in ("csr", "csc", "lil") else view.tocsr()
