"""Search by cosines minus a bias of each item, which is large for hubs."""

from typing import NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches
from sklearn.utils.validation import _num_samples

from skcrl._hubs import mean_of_largest, mean_of_nearest
from skcrl.metrics._hubness import bank_codes
from skcrl.retrieval._backends import Exact, similarities_of_pairs
from skcrl.retrieval._gaps import rows_there

# Number of queries that are compared with a block of items at a time, and number of
# similarities of a block: these stay in the cache.
_QUERIES, _CELLS = 256, 2**19
# Largest number of similarities of all queries with a block of items.
_CELLS_OF_ALL = 2**21
# Number of candidates from other backends for each item that is to be found, and
# smallest number of candidates: the items that the correction brings to the top should
# be among them.
_TIMES, _LEAST = 5, 100
# Number of similarities in a group, of which only the largest is looked at first.
_GROUP = 16


class ByBank(NamedTuple):
    """Correction by the mean cosines with a bank, which the index holds."""

    weight: float
    shares: np.ndarray  # (n_queries, 2): weight of each view's bank

    def nearest(self, search, queries, codes, hubs, k, n_threads):
        """Similarities and positions (n_queries, k), best first."""
        similarities = np.empty((len(queries), k))
        positions = np.empty((len(queries), k), dtype=np.int64)
        kinds, of_kind = np.unique(self.shares, axis=0, return_inverse=True)
        for kind, share in enumerate(kinds):
            rows = np.flatnonzero(of_kind == kind)
            bias = self.weight * (hubs @ share.astype(hubs.dtype))
            similarities[rows], positions[rows] = nearest_less(
                search, queries[rows], codes, bias, k, n_threads
            )
        return similarities, positions

    def taken_from(self, queries, code, hubs):
        """What is subtracted from the cosine of one query (1, n_components)."""
        return self.weight * float(hubs @ self.shares[0].astype(hubs.dtype))


class ByQueries(NamedTuple):
    """Correction by the queries of the same call, which is CSLS."""

    weight: float
    n_neighbors: int

    def nearest(self, search, queries, codes, hubs, k, n_threads):
        """Similarities and positions (n_queries, k), best first."""
        if isinstance(search, Exact):
            return self._nearest_of_all(queries, codes, k)
        proposed = _proposed(search, queries, len(codes), k, n_threads)
        bias = np.zeros(len(codes), dtype=codes.dtype)
        for some in _batches(np.unique(proposed[proposed >= 0])):
            near = codes[some].astype(queries.dtype, copy=False)
            r = mean_of_nearest(near, queries, self.n_neighbors)
            bias[some] = self.weight * r
        return _best_of(queries, codes, proposed, bias, k)

    def taken_from(self, queries, code, hubs):
        """What is subtracted from the cosine of one query (1, n_components)."""
        near = code[None].astype(queries.dtype, copy=False)
        return self.weight * float(mean_of_nearest(near, queries, self.n_neighbors)[0])

    def _nearest_of_all(self, queries, codes, k):
        bias = np.zeros(len(codes), dtype=codes.dtype)
        best = _BestCorrected(queries, codes, bias, k, self.weight)
        # Memory for the similarities, and for ordering the largest ones.
        budget = int(get_config()["working_memory"] * 2**20) // (3 * codes.itemsize)
        step = max(min(_CELLS_OF_ALL, budget) // len(queries), 1)
        for block in gen_batches(len(codes), min(step, len(codes))):
            cosines = best.cosines(block)
            bias[block] = self.weight * mean_of_largest(cosines, self.n_neighbors)
            best.look_at(cosines, block)
        return best.found()


def nearest_less(search, queries, codes, bias, k, n_threads):
    """Find the items with the largest cosine minus their bias.

    Parameters
    ----------
    search : search over the items by cosine
        If the search is exact, it is not used, and all items are compared. Any other
        search proposes more items than are to be found.
    queries : ndarray of shape (n_queries, n_components)
        Queries of length one or zero.
    codes : ndarray of shape (n_items, n_components)
        Codes of the items, of length one or zero.
    bias : ndarray of shape (n_items,)
    k : int
    n_threads : int

    Returns
    -------
    similarities : ndarray of float64 of shape (n_queries, k)
        Cosines minus the bias, best first.
    positions : ndarray of int64 of shape (n_queries, k)
    """
    largest = max(bias.max(), -bias.min())
    found = []
    for rows in gen_batches(len(queries), _QUERIES):
        few = queries[rows]
        if isinstance(search, Exact):
            found.append(_nearest_of_all(few, codes, bias, k, largest))
        else:
            proposed = _proposed(search, few, len(codes), k, n_threads)
            found.append(_best_of(few, codes, proposed, bias, k))
    similarities, positions = map(np.concatenate, zip(*found, strict=True))
    return similarities, positions


def shares_of(views):
    """Weight of each view of a query: (n_queries, 2), with rows that sum to 1.

    Parameters
    ----------
    views : dict of str to view
        The given views, by side.
    """
    there = rows_there(views)
    if there is None:
        n_rows = _num_samples(next(iter(views.values())))
        there = {side: np.full(n_rows, side in views) for side in "xy"}
    has = np.column_stack([there["x"], there["y"]])
    return has / has.sum(axis=1, keepdims=True)


def hubs_of(codes, hubness):
    """Mean cosines of items with the nearest x and y codes of the bank: (n_items, 2).

    They have the precision of the codes, which are of length one or zero.
    """
    return np.column_stack(
        [
            mean_of_nearest(
                codes, bank_codes(hubness, side, codes), hubness.n_neighbors
            )
            for side in (0, 1)
        ]
    )


def _nearest_of_all(queries, codes, bias, k, largest):
    """Similarities and positions of the best of all items.

    No bias has a larger absolute value than `largest`.
    """
    best = _BestCorrected(queries, codes, bias, k, largest)
    step = max(_CELLS // len(queries), 1)
    for block in gen_batches(len(codes), min(step, len(codes))):
        best.look_at(best.cosines(block), block)
    return best.found()


class _BestCorrected:
    """The best items for some queries, from blocks of items that come in turn.

    Candidates are chosen by similarities in the precision of the items. If an item may
    be among the best in spite of rounding, its similarity is computed again in float64.
    """

    def __init__(self, queries, codes, bias, k, largest):
        self._queries, self._codes, self._bias, self._k = queries, codes, bias, k
        self._transposed = queries.astype(codes.dtype, copy=False).T
        # More than twice the largest rounding error of a product of codes of length one
        # minus a bias.
        eps = np.finfo(codes.dtype).eps
        self._margin = 4 * (codes.shape[1] + 2 + largest) * eps
        self._similarities = np.full((len(queries), k), -np.inf)
        self._positions = np.full((len(queries), k), len(codes))
        self._cut = None  # for each query, what a similarity must reach
        self._pending = []  # pairs that may be good: numbers of queries, and positions
        self._n_pending = 0

    def cosines(self, block):
        """Rough cosines of the items of a slice with all queries."""
        return self._codes[block] @ self._transposed

    def look_at(self, cosines, block):
        """Take the items of a slice into account; `cosines` is overwritten."""
        bias = self._bias[block].astype(cosines.dtype, copy=False)
        cosines -= bias[:, None]
        if self._cut is None:
            self._cut = _low_bounds(cosines, self._k) - 2 * self._margin
        cells = np.flatnonzero(cosines >= self._cut)
        items, queries = np.divmod(cells, cosines.shape[1])
        self._pending.append((queries, items + block.start))
        self._n_pending += len(cells)
        if self._n_pending > max(self._similarities.size, _CELLS // 8):
            self._settle()

    def found(self):
        """Similarities and positions (n_queries, k), best first."""
        if self._n_pending:
            self._settle()
        return self._similarities, self._positions

    def _settle(self):
        """Keep the best of the pending pairs and of those that were best before."""
        queries, positions = map(np.concatenate, zip(*self._pending, strict=True))
        self._pending, self._n_pending = [], 0
        similarities = similarities_of_pairs(
            self._queries, self._codes, queries, positions, "cosine"
        )
        similarities -= self._bias[positions]
        n, k = self._similarities.shape
        queries = np.concatenate([np.repeat(np.arange(n), k), queries])
        similarities = np.concatenate([self._similarities.ravel(), similarities])
        positions = np.concatenate([self._positions.ravel(), positions])
        order = np.lexsort((positions, -similarities, queries))
        counts = np.bincount(queries, minlength=n)
        first = np.cumsum(counts) - counts
        best = order[first[:, None] + np.arange(k)]
        self._similarities, self._positions = similarities[best], positions[best]
        cut = self._similarities[:, -1] - self._margin
        self._cut = cut.astype(self._codes.dtype)


def _low_bounds(similarities, k):
    """For each column, a number that is not larger than its k-th largest value.

    It is -inf if a column has fewer values.
    """
    n_groups = len(similarities) // _GROUP
    if n_groups > 2 * k:
        # The largest values of k groups are k values, so their smallest is a bound.
        groups = similarities[: _GROUP * n_groups].reshape(_GROUP, n_groups, -1)
        similarities = groups.max(axis=0)
    last = len(similarities) - k
    if last < 0:
        return np.full(similarities.shape[1], -np.inf, similarities.dtype)
    return np.partition(similarities, last, axis=0)[last]


def _proposed(search, queries, n_items, k, n_threads):
    """Positions of more items than `k`; -1 for those that are not found."""
    n = min(n_items, max(_TIMES * k, _LEAST))
    try:
        return search.proposed(queries, n, k, n_threads)
    except ValueError:  # asked for too many, a package may find none at all
        return search.proposed(queries, k, k, n_threads)


def _best_of(queries, codes, proposed, bias, k):
    """Similarities and positions of the best of the proposed items, best first."""
    of_query = np.repeat(np.arange(len(queries)), proposed.shape[1])
    flat = proposed.ravel()
    similarities = similarities_of_pairs(queries, codes, of_query, flat, "cosine")
    similarities -= bias[flat]
    similarities[flat < 0] = -np.inf
    similarities = similarities.reshape(proposed.shape)
    order = np.lexsort((proposed, -similarities))[:, :k]
    return (
        np.take_along_axis(similarities, order, 1),
        np.take_along_axis(proposed, order, 1),
    )


def _batches(positions):
    for batch in gen_batches(len(positions), 4096):
        yield positions[batch]
