"""A view of few rows and many columns, centred in every product and never whole."""

from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, sparse

_BLOCK_ENTRIES = 2**20


class Rows(NamedTuple):
    """The matrix A of n rows: a view with columns centred and scaled, rows weighted."""

    view: Any  # (n, p), an ndarray or a CSR array
    mean: np.ndarray  # (p,)
    scale: np.ndarray  # (p,), that the centred columns are multiplied by
    root_weights: np.ndarray  # (n,), that the rows are multiplied by

    @property
    def n(self):
        """Number of samples that the rows stand for."""
        return self.root_weights @ self.root_weights

    def gram(self):
        """Product AA' (n, n)."""
        if not sparse.issparse(self.view):
            return sum(block @ block.T for _, block in self._column_blocks())
        view, mean = self.view.multiply(self.scale).tocsr(), self.mean * self.scale
        along = view @ mean
        gram = (view @ view.T).toarray() - along[:, None] - along + mean @ mean
        return gram * self.root_weights[:, None] * self.root_weights

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
        if sparse.issparse(self.view):
            M = self.root_weights[:, None] * M
            back = self.view.T @ M - self.mean[:, None] * M.sum(axis=0)
            return self.scale[:, None] * back
        back = np.empty((self.view.shape[1], M.shape[1]))
        for columns, block in self._column_blocks():
            back[columns] = block.T @ M
        return back

    def sums_of_squares(self):
        """Sum of the squares of each column of A; 0 where it is rounding."""
        n, mean = self.n, self.mean * self.scale
        if sparse.issparse(self.view):
            view, weights = self.view.multiply(self.scale).tocsr(), self.root_weights**2
            squares = view.multiply(view).T @ weights
            sums = squares - mean * (2 * (view.T @ weights) - n * mean)
            rounding = 1e4 * np.finfo(np.float64).eps * squares
        else:
            sums = np.empty(len(mean))
            for columns, block in self._column_blocks():
                sums[columns] = np.einsum("ij,ij->j", block, block)
            rounding = n * (n * np.finfo(np.float64).eps * mean) ** 2
        return np.where((sums > rounding) | np.isinf(sums), sums, 0.0)

    def _column_blocks(self):
        n, p = self.view.shape
        width = max(1, _BLOCK_ENTRIES // n)
        for start in range(0, p, width):
            columns = slice(start, start + width)
            block = self.view[:, columns]
            block = block.toarray() if sparse.issparse(block) else block
            block = block - self.mean[columns]
            block *= self.scale[columns]
            block *= self.root_weights[:, None]
            yield columns, block


def fourth_moment(view, weights, mean, scale, block_rows=8192):
    """Sum over weighted rows of the fourth power of their centred, scaled lengths."""
    total = 0.0
    for i in range(0, view.shape[0], block_rows):
        rows = slice(i, i + block_rows)
        lengths = _squared_lengths(view[rows], mean, scale) ** 2
        total += float((lengths if weights is None else lengths * weights[rows]).sum())
    return total


def _squared_lengths(view, mean, scale):
    if not sparse.issparse(view):
        return (((view - mean) * scale) ** 2).sum(1)
    view, mean = view.multiply(scale).tocsr(), mean * scale
    return view.multiply(view).sum(axis=1) - 2 * (view @ mean) + mean @ mean
