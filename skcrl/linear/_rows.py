"""A view with few rows and many columns, centred in products and never as a whole.

In the same way, covariates are projected out in every product, with the basis that they
span.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg, sparse

from skcrl._covariates import apart
from skcrl._origins import about_medians, column_medians, shifted

_BLOCK_ENTRIES = 2**20
# Each block costs a pass over all entries of a CSR array.
_MOST_BLOCKS = 16


@dataclass(frozen=True)
class Rows:
    """The matrix A of n rows: a view with columns centred and scaled, rows weighted."""

    view: Any  # (n, p)
    mean: np.ndarray  # (p,)
    scale: np.ndarray  # (p,), factors of the centred columns
    root_weights: np.ndarray  # (n,), factors of the rows
    basis: np.ndarray | None = None  # (n, r), which is projected out of the columns

    @property
    def n(self):
        """Number of samples that the rows stand for."""
        return self.root_weights @ self.root_weights

    def weighted_sums(self):
        """Weighted sum of each column of the view."""
        # einsum converts float32 in pieces, not as a whole.
        return np.einsum("i,ij->j", self.root_weights**2, self.view)

    def gram(self):
        """Product AA' (n, n)."""
        return sum(block @ block.T for _, block in self._column_blocks())

    def triangle(self):
        """Matrix R with R'R = AA' and at most n rows, computed from A itself.

        It keeps the digits that the product AA' loses, and takes about five times as
        long.
        """
        R = np.zeros((0, self.view.shape[0]))
        for _, block in self._column_blocks():
            R = linalg.qr(np.vstack([R, block.T]), mode="r", check_finite=False)[0]
            R = R[: R.shape[1]]
        return R

    def back(self, M):
        """Product A'M (p, k)."""
        back = np.empty((self.view.shape[1], M.shape[1]))
        for columns, block in self._column_blocks():
            back[columns] = block.T @ M
        return back

    def forward(self, W):
        """Product A W (n, k)."""
        return sum(block @ W[columns] for columns, block in self._column_blocks())

    def sums_of_squares(self):
        """Sum of the squares of each column of A; 0 if it is only rounding."""
        sums = np.empty(len(self.mean))
        for columns, block in self._column_blocks():
            sums[columns] = np.einsum("ij,ij->j", block, block)
        mean = self.mean * self.scale
        rounding = self.n * (self.n * np.finfo(np.float64).eps * mean) ** 2
        return _without_rounding(sums, rounding)

    def squared_lengths(self):
        """Sum of the squares of each row of A, without row weights."""
        return (((self.view - self.mean) * self.scale) ** 2).sum(1)

    def _column_blocks(self):
        n, p = self.view.shape
        width = max(1, _BLOCK_ENTRIES // n)
        for start in range(0, p, width):
            columns = slice(start, start + width)
            block = self._columns(columns) - self.mean[columns]
            block *= self.scale[columns]
            block *= self.root_weights[:, None]
            if self.basis is not None:
                block -= self.basis @ (self.basis.T @ block)
            yield columns, block

    def _columns(self, columns):
        return self.view[:, columns]


@dataclass(frozen=True)
class SparseRows(Rows):
    """The matrix A of a sparse view, which is centred after each product.

    Without row weights, A is B - L R'. Here B is sparse, and L and R have one or two
    columns. Only a block of columns of B exists at a time.
    """

    origin: np.ndarray | None = None  # (p,), subtracted from the columns first of all
    row_mean: np.ndarray | None = None  # (n,), subtracted from rows after `row_scale`
    row_scale: np.ndarray | None = None  # (n,), factors of the rows

    def weighted_sums(self):
        """Weighted sum of each column of the view."""
        return self.back(self.root_weights[:, None])[:, 0]

    def gram(self):
        """Product AA' (n, n)."""
        L, R = self._taken_away()
        n = len(L)
        gram, along = np.zeros((n, n)), np.zeros_like(L)
        for columns, block in self._blocks():
            gram += (block.tocsr() @ block.T).toarray()
            along += block @ R[columns]
        along = along @ L.T
        gram -= along
        gram -= along.T
        gram += L @ (R.T @ R) @ L.T
        gram *= self.root_weights[:, None]
        gram *= self.root_weights
        return self._residuals(self._residuals(gram).T)

    def back(self, M):
        """Product A'M (p, k)."""
        L, R = self._taken_away()
        M = self.root_weights[:, None] * self._residuals(M)
        taken_away = L.T @ M
        back = np.empty((self.view.shape[1], M.shape[1]))
        for columns, block in self._blocks():
            back[columns] = block.T @ M - R[columns] @ taken_away
        return back

    def forward(self, W):
        """Product A W (n, k)."""
        L, R = self._taken_away()
        product = sum(block @ W[columns] for columns, block in self._blocks())
        return self._residuals(self.root_weights[:, None] * (product - L @ (R.T @ W)))

    def sums_of_squares(self):
        """Sum of the squares of each column of A; 0 if it is only rounding."""
        L, R = self._taken_away()
        weights = self.root_weights**2
        weighted = weights[:, None] * L
        sums = np.empty(len(self.mean))
        for columns, block in self._blocks():
            r = R[columns]
            squares = block.power(2).T @ weights
            products = 2 * (block.T @ weighted) - r @ (L.T @ weighted)
            rounding = 1e4 * np.finfo(np.float64).eps * squares
            sums[columns] = _without_rounding(squares - (r * products).sum(1), rounding)
        if self.basis is not None:
            along = replace(self, basis=None).back(self.basis)
            sums -= (along * along).sum(axis=1)
        return sums

    def squared_lengths(self):
        """Sum of the squares of each row of A, without row weights."""
        L, R = self._taken_away()
        squares, along = np.zeros(len(L)), np.zeros_like(L)
        for columns, block in self._blocks():
            squares += block.power(2).sum(axis=1)
            along += block @ R[columns]
        return squares - ((2 * along - L @ (R.T @ R)) * L).sum(axis=1)

    def _residuals(self, M):
        return M if self.basis is None else M - self.basis @ (self.basis.T @ M)

    def _taken_away(self):
        """Matrices L (n, r) and R (p, r); subtracting L R' centres the rows."""
        L, R = np.ones((self.view.shape[0], 1)), self.mean * self.scale
        if self.row_mean is None:
            return L, R[:, None]
        return np.column_stack([L, self.row_mean]), np.column_stack([R, self.scale])

    def _blocks(self):
        """Slices of the columns of the view, and these columns of B in float64."""
        (_, p), n_entries = self.view.shape, self.view.nnz
        at_once = max(_BLOCK_ENTRIES, n_entries // _MOST_BLOCKS)
        width = max(1, p * at_once // max(n_entries, 1))
        for start in range(0, p, width):
            columns = slice(start, start + width)
            block = self._of_columns(columns)
            block.data *= np.repeat(self.scale[columns], np.diff(block.indptr))
            yield columns, block

    def _of_columns(self, columns):
        """CSC array of columns in float64; the caller may change its data."""
        block = sparse.csc_array(self.view[:, columns], dtype=np.float64)
        if self.row_scale is not None:
            block.data *= self.row_scale[block.indices]
        if self.origin is None:
            return block
        return shifted(block, self.origin[columns]).tocsc()

    def _columns(self, columns):
        block = self._of_columns(columns).toarray()
        return block if self.row_mean is None else block - self.row_mean[:, None]


def rows_of(view, mean, scale, root_weights, **taken):
    """`Rows` of a checked view; `taken` holds further fields of `SparseRows`."""
    kind = SparseRows if sparse.issparse(view) else Rows
    return kind(view, mean, scale, root_weights, **taken)


def origin_of(view, weights):
    """Origin to subtract from a sparse view first, as a dict for :func:`rows_of`."""
    if not sparse.issparse(view):
        return {}
    origin = column_medians(view, weights)
    return {"origin": origin if origin.any() else None}


def slopes_by_rows(view, basis, weights, center):
    """Slopes (c, p) of a view on covariates with this :class:`CovariateBasis`."""
    p = view.shape[1]
    taken = origin_of(view, weights) if center else {}
    rows = rows_of(view, np.zeros(p), np.ones(p), weights**0.5, **taken)
    if center:
        rows = replace(rows, mean=rows.weighted_sums() / rows.n)
    return basis.turn @ rows.back(basis.columns).T


def fourth_moment(view, weights, mean, scale, adjust=None, block_rows=8192):
    """Weighted sum over centred, scaled rows of the fourth power of their lengths.

    `adjust` is None, or the mean and the slopes of the covariates. In the second case
    `view` holds the columns [view, covariates], and the rows are residuals.
    """
    total = 0.0
    if adjust is not None:
        view, covariates = apart(view, len(mean))
        covariates, slopes = covariates - adjust[0], adjust[1] * scale
    view = view.tocsr() if sparse.issparse(view) else view
    view, origin = about_medians(view, weights)
    for i in range(0, view.shape[0], block_rows):
        rows = slice(i, i + block_rows)
        ones = np.ones(view[rows].shape[0])
        block = rows_of(view[rows], mean - origin, scale, ones)
        lengths = block.squared_lengths()
        if adjust is not None:
            # |a - c B|² = |a|² - (2 a B' - c B B') c'
            C = covariates[rows]
            along = 2 * block.forward(slopes.T) - C @ (slopes @ slopes.T)
            lengths = lengths - (along * C).sum(axis=1)
        lengths = lengths**2
        total += float((lengths if weights is None else lengths * weights[rows]).sum())
    return total


def _without_rounding(sums, rounding):
    # What overflowed stays, so that `require_finite` finds it.
    return np.where((sums <= rounding) & np.isfinite(sums), 0.0, sums)
