"""Rows that share a partner, and so are no negatives of each other."""

import hashlib

import numpy as np
from scipy import sparse


class Partners:
    """Which rows of y belong to which rows of x beside the one each comes with.

    Row k is a partner of row i if the data set holds a pair whose x equals that of i
    and whose y equals that of k, or if both are of one group.

    Parameters
    ----------
    x_numbers, y_numbers : ndarray of int, shape (n_samples,)
        Equal where rows of that view are.
    groups : ndarray of int, shape (n_samples,), or None
        Groups of the rows.
    """

    def __init__(self, x_numbers, y_numbers, groups=None):
        self.x_numbers = x_numbers
        self.y_numbers = y_numbers
        self.groups = groups
        pairs = np.ones(len(x_numbers), dtype=bool), (x_numbers, y_numbers)
        self.pairs = sparse.coo_array(pairs).tocsr()

    @classmethod
    def find(cls, X, y, groups=None):
        """Partners in a data set, or None if each row has its own alone.

        Parameters
        ----------
        X, y : Tensor of shape (n_samples, ...) or CSR array
            The views in float32, as they are trained on.
        groups : ndarray of int, shape (n_samples,), or None, default=None
            Groups of the rows.
        """
        x_numbers, y_numbers = _numbers_of_equal_rows(X), _numbers_of_equal_rows(y)
        n_fewest = 1 + min(x_numbers.max(), y_numbers.max())
        if n_fewest == len(x_numbers) and groups is None:
            return None
        return cls(x_numbers, y_numbers, groups)

    def among(self, rows):
        """CSR of bool (n_rows, n_rows): whether the y of a column is partner of an x.

        Parameters
        ----------
        rows : ndarray of int, shape (n_rows,)
            Rows of the data set.
        """
        found = self.pairs[self.x_numbers[rows]][:, self.y_numbers[rows]]
        if self.groups is None:
            return found
        _, members = np.unique(self.groups[rows], return_inverse=True)
        n = len(rows)
        of_group = sparse.csr_array((np.ones(n, dtype=bool), members, np.arange(n + 1)))
        return found + of_group @ of_group.T.tocsr()


def _numbers_of_equal_rows(view):
    """A number for each row, the same for equal rows, in the order they appear in."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in _digests(view)])


def _digests(view):
    """A digest of each row: 16 bytes are the same for rows that are equal alone."""
    if not sparse.issparse(view):
        for row in view.reshape(len(view), -1).numpy():
            yield _digest(row)
        return
    view = view.copy()
    view.sum_duplicates()
    view.eliminate_zeros()
    for start, stop in zip(view.indptr[:-1], view.indptr[1:], strict=True):
        columns = view.indices[start:stop].astype(np.int64)
        yield _digest(view.data[start:stop], columns)


def _digest(values, columns=None):
    # The sum makes 0 of -0, which equals it and has other bytes.
    digest = hashlib.blake2b((values + 0.0).tobytes(), digest_size=16)
    if columns is not None:
        digest.update(columns.tobytes())
    return digest.digest()
