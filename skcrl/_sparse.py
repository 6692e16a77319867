"""Products of sparse views, which are centred without becoming dense."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dgemm


class SparseProducts(NamedTuple):
    """The matrix products - left right', of which `products` is large and sparse.

    If `products` is A'B, `left` is n times the means of A and `right` is the means of
    B, this is the matrix of the centred products of A and B. Centring would fill a
    sparse matrix with numbers, so it is done in each product with a dense matrix.
    """

    products: sparse.csr_array  # (p, q)
    left: np.ndarray  # (p, r), with few columns
    right: np.ndarray  # (q, r)

    @property
    def shape(self):
        """Shape of the matrix."""
        return self.products.shape

    @property
    def T(self):
        """The transpose."""
        return SparseProducts(self.products.T.tocsr(), self.right, self.left)

    def __matmul__(self, dense):
        return self.products @ dense - self.left @ (self.right.T @ dense)

    def __mul__(self, number):
        return SparseProducts(self.products * number, self.left * number, self.right)

    def block(self, rows, columns):
        """Block of these rows and columns, both of which are slices."""
        return SparseProducts(
            self.products[rows, columns], self.left[rows], self.right[columns]
        )

    def plus(self, left, right):
        """Sum with left right', which have few columns each."""
        return SparseProducts(
            self.products,
            np.column_stack([self.left, -left]),
            np.column_stack([self.right, right]),
        )

    def scaled(self, left, right):
        """Product diag(left) M diag(right)."""
        return SparseProducts(
            (sparse.diags_array(left) @ self.products @ sparse.diags_array(right)),
            self.left * left[:, None],
            self.right * right[:, None],
        )

    def diagonal(self):
        """Diagonal; an entry is 0 if it is only rounding error."""
        products = self.products.diagonal()
        diagonal = products - (self.left * self.right).sum(axis=1)
        rounding = 1e4 * np.finfo(np.float64).eps * products
        # What overflowed stays, so that `require_finite` finds it.
        return np.where(diagonal <= rounding, 0.0, diagonal)

    def square_norm(self):
        """Sum of the squares of all entries."""
        outer = np.sum((self.left.T @ self.left) * (self.right.T @ self.right))
        crossed = np.sum(self.left * (self.products @ self.right))
        return sparse.linalg.norm(self.products) ** 2 - 2 * crossed + outer

    def toarray(self):
        """The matrix as a new dense array."""
        dense = self.products.toarray(order="C")
        return dgemm(
            -1.0, self.right, self.left.T, beta=1.0, c=dense.T, overwrite_c=True
        ).T
