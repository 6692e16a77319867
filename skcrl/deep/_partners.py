"""Rows that share a partner, and so are not negatives of each other."""

import hashlib
from copy import copy

import numpy as np
from scipy import sparse


class Partners:
    """Which rows of y belong to a row of x, apart from the one that it is paired with.

    Row k is a partner of row i if the data set holds a pair whose x equals that of i
    and whose y equals that of k, or if both are of one group.

    Parameters
    ----------
    x_numbers, y_numbers : ndarray of int, shape (n_samples,)
        Number of each row of a view: equal rows have equal numbers.
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
        """Partners in a data set, or None if each row has only its own.

        Parameters
        ----------
        X, y : Tensor of shape (n_samples, ...) or CSR array
            The views in float32, as they are trained on.
        groups : ndarray of int, shape (n_samples,), or None, default=None
            Groups of the rows.
        """
        return cls.in_blocks([(X, y)], groups)

    @classmethod
    def in_blocks(cls, blocks, groups=None):
        """Partners as from `find`, for two views that come block by block."""
        seen: tuple[dict[bytes, int], ...] = ({}, {})
        numbers: tuple[list[int], ...] = ([], [])
        for block in blocks:
            for view, known, found in zip(block, seen, numbers, strict=True):
                # Rows are numbered as they first appear; equal rows get equal numbers.
                found += [known.setdefault(key, len(known)) for key in _digests(view)]
        if min(map(len, seen)) == len(numbers[0]) and groups is None:
            return None
        x_numbers, y_numbers = map(np.array, numbers)
        return cls(x_numbers, y_numbers, groups)

    def numbered(self, rows, n_samples):
        """The same partners, if rows have these numbers in a set of `n_samples`."""
        if len(rows) == n_samples:
            return self
        found = copy(self)
        for name in ("x_numbers", "y_numbers", "groups"):
            of_rows = getattr(self, name)
            if of_rows is not None:
                spread = np.zeros(n_samples, dtype=int)
                spread[rows] = of_rows
                setattr(found, name, spread)
        return found

    def among(self, rows):
        """Which y are partners of an x, as a CSR array of bool (n_rows, n_rows).

        There is a row for each x, and a column for each y.

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


def may_repeat(view):
    """Whether some rows of a tensor may be equal; finding out which takes longer."""
    rows = view.reshape(len(view), -1).numpy() + 0  # turns -0 into 0
    sums = rows.view(np.int32).sum(axis=1, dtype=np.int64)
    return len(np.unique(sums)) < len(rows)


def _digests(view):
    """Yield a digest of 16 bytes for each row; only equal rows have the same."""
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
    # The sum turns -0 into 0: they are equal, but their bytes differ.
    digest = hashlib.blake2b((values + 0.0).tobytes(), digest_size=16)
    if columns is not None:
        digest.update(columns.tobytes())
    return digest.digest()
