"""A view of few rows and many columns, centred in every product and never whole."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse

from skcrl._linalg import LEAST_VARIANCE
from skcrl._origins import about_medians

_BLOCK_ENTRIES = 2**20


@dataclass(frozen=True)
class Rows:
    """The matrix A of n rows: a view with columns centred and scaled, rows weighted."""

    view: Any  # (n, p)
    mean: np.ndarray  # (p,)
    scale: np.ndarray  # (p,), that the centred columns are multiplied by
    root_weights: np.ndarray  # (n,), that the rows are multiplied by

    @property
    def n(self):
        """Number of samples that the rows stand for."""
        return self.root_weights @ self.root_weights

    def weighted_sums(self):
        """Weighted sum of each column of the view."""
        # einsum widens float32 by the piece, not whole.
        return np.einsum("i,ij->j", self.root_weights**2, self.view)

    def gram(self):
        """Product AA' (n, n)."""
        return sum(block @ block.T for _, block in self._column_blocks())

    def triangle(self):
        """Matrix R (n, n), or of fewer rows, with R'R = AA', from A itself.

        It keeps the digits that squaring costs, for some five times the time.
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
        """Sum of the squares of each column of A; 0 where it is rounding."""
        sums = np.empty(len(self.mean))
        for columns, block in self._column_blocks():
            sums[columns] = np.einsum("ij,ij->j", block, block)
        mean = self.mean * self.scale
        rounding = self.n * (self.n * np.finfo(np.float64).eps * mean) ** 2
        return _without_rounding(sums, rounding)

    def squared_lengths(self):
        """Sum of the squares of each row of A, of weight one."""
        return (((self.view - self.mean) * self.scale) ** 2).sum(1)

    def _column_blocks(self):
        n, p = self.view.shape
        width = max(1, _BLOCK_ENTRIES // n)
        for start in range(0, p, width):
            columns = slice(start, start + width)
            block = self._columns(columns) - self.mean[columns]
            block *= self.scale[columns]
            block *= self.root_weights[:, None]
            yield columns, block

    def _columns(self, columns):
        return self.view[:, columns]


class SparseRows(Rows):
    """The same of a sparse view, which is centred after its products."""

    def weighted_sums(self):
        """Weighted sum of each column of the view."""
        return self.view.T @ self.root_weights**2

    def gram(self):
        """Product AA' (n, n)."""
        view, mean = self._scaled()
        along = view @ mean
        gram = (view @ view.T).toarray() - along[:, None] - along + mean @ mean
        return gram * self.root_weights[:, None] * self.root_weights

    def back(self, M):
        """Product A'M (p, k)."""
        M = self.root_weights[:, None] * M
        back = self.view.T @ M - self.mean[:, None] * M.sum(axis=0)
        return self.scale[:, None] * back

    def forward(self, W):
        """Product A W (n, k)."""
        W = self.scale[:, None] * W
        return self.root_weights[:, None] * (self.view @ W - self.mean @ W)

    def sums_of_squares(self):
        """Sum of the squares of each column of A; 0 where it is rounding."""
        (view, mean), weights = self._scaled(), self.root_weights**2
        squares = view.multiply(view).T @ weights
        sums = squares - mean * (2 * (view.T @ weights) - self.n * mean)
        return _without_rounding(sums, 1e4 * np.finfo(np.float64).eps * squares)

    def squared_lengths(self):
        """Sum of the squares of each row of A, of weight one."""
        view, mean = self._scaled()
        return view.multiply(view).sum(axis=1) - 2 * (view @ mean) + mean @ mean

    def _scaled(self):
        return self.view.multiply(self.scale).tocsr(), self.mean * self.scale

    def _columns(self, columns):
        return self.view[:, columns].toarray()


def rows_of(view, mean, scale, root_weights):
    """Rows of a checked view."""
    kind = SparseRows if sparse.issparse(view) else Rows
    return kind(view, mean, scale, root_weights)


def spectrum(rows, gram):
    """Eigenvalues (r,) of the Gram matrix that rounding leaves, and vectors (n, r)."""
    eps = 10 * len(gram) * np.finfo(np.float64).eps
    if len(rows.mean) >= len(gram) > 1:
        values, vectors = linalg.eigh(gram, check_finite=False)
        # Centring takes the smallest. If others are small too, squares cost digits.
        if values[1] > 1e-8 * values[-1]:
            live = values > max(eps * values[-1], LEAST_VARIANCE)
            return values[live], vectors[:, live]
    root = rows.triangle().T / (rows.n - 1) ** 0.5
    left, roots, _ = np.linalg.svd(root, full_matrices=False)
    live = roots > np.maximum(eps * roots[:1], LEAST_VARIANCE**0.5)
    return roots[live] ** 2, left[:, live]


def fourth_moment(view, weights, mean, scale, block_rows=8192):
    """Sum over weighted rows of the fourth power of their centred, scaled lengths."""
    total = 0.0
    view, origin = about_medians(view, weights)
    for i in range(0, view.shape[0], block_rows):
        rows = slice(i, i + block_rows)
        ones = np.ones(view[rows].shape[0])
        lengths = rows_of(view[rows], mean - origin, scale, ones).squared_lengths() ** 2
        total += float((lengths if weights is None else lengths * weights[rows]).sum())
    return total


def _without_rounding(sums, rounding):
    # What overflowed stays, to be found.
    return np.where((sums <= rounding) & np.isfinite(sums), 0.0, sums)
