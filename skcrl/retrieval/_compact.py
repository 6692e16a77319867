r"""Compressed codes, which propose the items near a query.

Both kinds are made block by block, so that codes on disk are never all in memory.

With ``int8`` a component :math:`c` of a code is stored as the integer nearest to
:math:`(c - o) / s`, where :math:`o` is the middle of the component's range and
:math:`254\,s` its width. Codes with few components use two bytes per component.

With ``binary`` a code is stored as the signs of its products with random directions,
which are orthogonal within sets. For each direction the signs of two codes differ with
a probability of their angle divided by :math:`\pi`, so few signs differ for codes with
a large cosine (Ji, Li, Yan, Zhang and Tian, Super-bit locality-sensitive hashing,
NeurIPS 2012).
"""

import numpy as np
from sklearn.utils import gen_batches

# Largest numbers of items, and of values of items, that are compared at a time: these
# stay in the cache.
_ITEMS, _COMPARED = 2**14, 2**19
# Number of values of codes that are compressed at a time.
_MADE = 2**18
# Number of queries that are compared at a time.
_QUERIES = 256
# Largest number of directions whose signs are kept, which makes 64 bytes for each item,
# and largest number for each component.
_N_BITS, _BITS_OF_A_COMPONENT = 512, 64
_SEED = 0
# Codes with fewer components than this take two bytes for each component.
_NARROW = 16
# Largest distance of a query from the items, in steps of a component.
_FARTHEST = 1e300


class _Compact:
    """Stand-ins that propose items; a subclass scores them against queries."""

    n_items: int

    def among(self, queries, n):
        """Yield the positions (n,) of the best items for each query, in any order.

        If items are equally good, the first ones are taken.
        """
        if n >= self.n_items:
            yield from [np.arange(self.n_items)] * len(queries)
            return
        for few in gen_batches(len(queries), _QUERIES):
            prepared = self._prepared(queries[few])
            best = [_Best(n) for _ in queries[few]]
            for items in gen_batches(self.n_items, self._n_compared()):
                for kept, scores in zip(
                    best, self._scores(prepared, items), strict=True
                ):
                    kept.take(scores, items.start)
            for kept in best:
                yield kept.positions

    def _n_compared(self):
        """Number of items to compare at a time."""
        return _ITEMS

    def extended(self, codes):
        """Stand-ins of more items.

        `codes` are those of all items, and begin with those of the present ones.
        """
        raise NotImplementedError

    def _prepared(self, queries):
        """Queries in the form that `_scores` takes."""
        raise NotImplementedError

    def _scores(self, prepared, items):
        """One array for each query: the scores of a slice of the items."""
        raise NotImplementedError


class Int8(_Compact):
    """Stand-ins of one byte for each component, or of two if there are few components.

    Items are compared by their distance from the rounded codes, for both metrics: among
    codes of length one, the nearest have the largest cosine. Cosines of rounded codes
    would prefer codes that rounding has made longer.

    Parameters
    ----------
    codes : ndarray of shape (n_items, n_components)
        Finite codes.
    metric : {"cosine", "euclidean"}
        Metric that compares the codes.
    """

    def __init__(self, codes, metric):
        self.n_items = len(codes)
        self._metric = metric
        low, high = _ranges(codes)
        self._origin = low + (high - low) / 2
        # With few components, one byte for each would make many codes equal.
        is_narrow = codes.shape[1] < _NARROW
        self._numbers = np.empty(codes.shape, np.int16 if is_narrow else np.int8)
        self._float = np.float64 if is_narrow else np.float32
        most = np.iinfo(self._numbers.dtype).max
        step = (high - low) / (2 * most)
        step[step == 0] = step.max() or 1  # a constant component may have any step
        # Squares of numbers of largest steps stay in range.
        self._unit = step.max()
        self._steps = step / self._unit
        self._squares = np.empty(len(codes), self._float)
        for rows in _parts(codes):
            numbers = np.rint((codes[rows] - self._origin) / step)
            # If a range is so small that its step is rounded, it may have more steps.
            numbers = np.clip(numbers, -most, most)
            self._numbers[rows] = numbers
            numbers *= self._steps
            self._squares[rows] = np.einsum("ij,ij->i", numbers, numbers)
            is_zero = ~codes[rows].any(axis=1)
            if metric == "cosine" and is_zero.any():
                # A code of zeros is orthogonal to all queries, and so counts as farther
                # away than its distance says.
                self._squares[rows] += is_zero / self._unit**2

    def extended(self, codes):
        return Int8(codes, self._metric)

    def _n_compared(self):
        return min(max(_COMPARED // self._numbers.shape[1], 1), _ITEMS)

    def _prepared(self, queries):
        with np.errstate(over="ignore"):
            queries = (queries - self._origin) / self._unit
        queries = np.clip(queries, -_FARTHEST, _FARTHEST)
        # Only the direction of a far query counts: its squares may be out of range.
        far = np.maximum(1, abs(queries).max(axis=1, keepdims=True))
        queries = queries / far * self._steps
        return queries.astype(self._float), (0.5 / far).astype(self._float)

    def _scores(self, prepared, items):
        queries, shares = prepared
        scores = queries @ self._numbers[items].astype(self._float).T
        scores -= shares * self._squares[items]
        return scores


class Binary(_Compact):
    """Stand-ins of one bit for each of some directions.

    Parameters
    ----------
    codes : ndarray of shape (n_items, n_components)
        Finite codes, which are compared by cosines.
    """

    def __init__(self, codes):
        self.n_items = len(codes)
        self._directions = _directions(codes.shape[1], _n_bits(codes))
        self._bits = self._signs(codes)

    def extended(self, codes):
        if self._directions.shape[1] < _n_bits(codes):
            return Binary(codes)
        other = object.__new__(Binary)
        other.n_items, other._directions = len(codes), self._directions
        new = self._signs(codes[self.n_items :])
        other._bits = np.concatenate([self._bits, new], axis=1)
        return other

    def _signs(self, codes):
        """Signs of products with the directions, 64 in a word: (n_words, n_codes)."""
        n_words = -(-self._directions.shape[1] // 64)
        words = np.empty((n_words, len(codes)), np.uint64)
        for rows in _parts(codes):
            signs = codes[rows].astype(np.float32) @ self._directions > 0
            packed = np.packbits(signs, axis=1)
            packed = np.pad(packed, ((0, 0), (0, 8 * n_words - packed.shape[1])))
            words[:, rows] = packed.view(np.uint64).T
        return words

    def _prepared(self, queries):
        return self._signs(queries).T

    def _scores(self, prepared, items):
        bits = self._bits[:, items]
        differ = np.empty_like(bits[0])
        count = np.empty(len(differ), np.uint8)
        scores = np.empty(len(differ), np.int16)
        for query in prepared:
            scores[:] = 0
            for word, of_query in zip(bits, query, strict=True):
                np.bitwise_xor(word, of_query, out=differ)
                scores -= np.bitwise_count(differ, out=count)
            yield scores


class _Best:
    """The best items for a query, from scores that come block by block.

    Of items that are equally good, the first ones are taken.
    """

    def __init__(self, n):
        self._n = n
        self._scores = None
        self._lowest = -np.inf  # scores up to this are not among the best
        self.positions = np.empty(0, dtype=np.int64)

    def take(self, scores, start):
        """Take the scores of the next items, which begin at position `start`."""
        near = np.flatnonzero(scores > self._lowest)
        if len(near) == 0:
            return
        positions, scores = start + near, scores[near]
        if self._scores is not None:
            positions = np.concatenate([self.positions, positions])
            scores = np.concatenate([self._scores, scores])
        if len(scores) >= self._n:
            best = _first_of_largest(scores, self._n)
            scores, positions = scores[best], positions[best]
            self._lowest = scores.min()
        self._scores, self.positions = scores, positions


def _first_of_largest(scores, n):
    """Ascending positions of the n largest scores; of equal ones the first count."""
    last = np.partition(scores, len(scores) - n)[len(scores) - n]
    better, equal = scores > last, scores == last
    equal[np.flatnonzero(equal)[n - np.count_nonzero(better) :]] = False
    return np.flatnonzero(better | equal)


def _n_bits(codes):
    """Number of bits for each code.

    Neither the bits nor their directions may take more memory than the codes.
    """
    return min(_N_BITS, len(codes), _BITS_OF_A_COMPONENT * codes.shape[1])


def _parts(codes):
    """Slices of the rows of codes that are handled together."""
    return gen_batches(len(codes), max(_MADE // codes.shape[1], 1))


def _ranges(codes):
    """Smallest and largest entry of each column, in float64."""
    low, high = np.full((2, codes.shape[1]), [[np.inf], [-np.inf]])
    for rows in _parts(codes):
        low = np.minimum(low, codes[rows].min(axis=0))
        high = np.maximum(high, codes[rows].max(axis=0))
    return low, high


def _directions(n_components, n_bits):
    """Columns of length one (n_components, n_bits), orthogonal within sets."""
    rng = np.random.default_rng(_SEED)
    sets = []
    for start in range(0, n_bits, n_components):
        size = min(n_components, n_bits - start)
        drawn = rng.standard_normal((n_components, size))
        sets.append(np.linalg.qr(drawn)[0].astype(np.float32))
    return np.hstack(sets)
