r"""Find the items that may be nearest by Euclidean distance, by means of products.

With an origin in the middle of the items, the items nearest to a query :math:`a` have
the largest :math:`2 a^\top b - \lVert b \rVert^2`. In :math:`d` dimensions and with
rounding by :math:`u = \varepsilon / 2`, the error of this is at most
:math:`(d + 6)\,u\,(\lVert a \rVert + \lVert b \rVert)^2`, including the rounding of the
codes about their origin, which is no more than
:math:`(d + 6)\,\varepsilon\,(\lVert a \rVert^2 + \lVert b \rVert^2)`. The bounds below
are at least three times that, so items that are left out are certainly farther away.
"""

import numpy as np
from sklearn.utils import gen_batches

# Number of values in a block, of which only the largest is looked at first.
_BLOCK = 256
# Number of products that are held at a time, 32 MB in float64. With fewer queries at a
# time they take twice as long.
_PRODUCTS = 2**22
# Codes are scaled so that this is the exponent of their largest number. Then squares of
# small numbers do not become 0, and squares of large ones stay in the range of float32.
_EXPONENT = 50


def middle_of(codes):
    """A middle entry of each column, in float64, which outliers do not move."""
    half = len(codes) // 2
    return np.partition(codes, half, axis=0)[half].astype(np.float64)


class Candidates:
    """Proposes the items that may be the nearest.

    Parameters
    ----------
    codes : ndarray of shape (n_items, n_components)
        Finite codes.
    """

    def __init__(self, codes):
        self._origin = middle_of(codes)
        points = codes - self._origin.astype(codes.dtype)
        self._shift = _EXPONENT - int(np.frexp(abs(points).max())[1])
        self._points = np.ldexp(points, self._shift, out=points)
        squares = np.einsum("ij,ij->i", points, points)
        info, width = np.finfo(codes.dtype), codes.shape[1]
        self._margin = 4 * (width + 4) * info.eps
        # The error for numbers that are so small that their products become 0.
        self._least = 4 * (width + 4) * info.tiny
        self._far = squares * (1 + self._margin)
        self._near = squares * (1 - self._margin)

    def among(self, queries, k):
        """Yield the positions of candidates of each query.

        The k nearest items of the query are among them.
        """
        step = max(_PRODUCTS // len(self._points), 1)
        for rows in gen_batches(len(queries), step):
            yield from self._among_of_few(queries[rows] - self._origin, k)

    # If the squares of a query overflow, every item is a candidate of it.
    @np.errstate(over="ignore", invalid="ignore")
    def _among_of_few(self, queries, k):
        queries = np.ldexp(queries, self._shift).astype(self._points.dtype)
        slack = self._margin * np.einsum("ij,ij->i", queries, queries) + self._least
        candidates = []
        products = (2 * queries) @ self._points.T
        for product, margin in zip(products, slack, strict=True):
            surely = low_bound(product - self._far, k) - 2 * margin
            values = np.subtract(product, self._near, out=product)
            candidates.append(np.flatnonzero(~(values < surely)))
        return candidates


def low_bound(values, k):
    """A number that is not larger than the k-th largest value."""
    n_blocks = len(values) // _BLOCK
    if n_blocks < 2 * k:
        return kth_largest(values, k)
    # The largest values of k blocks are k values, so only these need to be ordered.
    blocks = values[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK)
    return kth_largest(blocks.max(axis=1), k)


def kth_largest(values, k):
    """The k-th largest value."""
    return np.partition(values, len(values) - k)[len(values) - k]
