"""Searches with the same methods: of skcrl, of scikit-learn and of other packages."""

import re
from contextlib import contextmanager
from copy import copy
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

from skcrl.retrieval import _compact
from skcrl.retrieval._bounds import check_params
from skcrl.retrieval._distances import (
    Candidates,
    kth_largest,
    low_bound,
    middle_of,
)

# Up to this number of queries, products with all codes are faster than scikit-learn.
_FEW_QUERIES = 16
# Smaller squares have lost digits, or have become 0.
_LEAST_SQUARE = 1e-280
# Largest number of values in an array of codes of found items: 512 kB in float64 stay
# in the cache.
_CELLS = 2**16
# Types of usearch that can hold codes of any length.
_WIDE_DTYPES = ("f64", "f32", "bf16", "float64", "float32", "bfloat16")


class _Search:
    """Search by another package, which proposes positions of items.

    A subclass builds its index in the constructor, from the codes, the number of
    threads, the metric, and parameters of its own. It implements `grown` and
    `_propose`. A search never changes after it is made, so some threads may use it
    while another thread makes a grown one. Similarities are computed here from the
    codes, so they mean the same for every package: cosines of codes of length one, or
    minus the Euclidean distances.

    If the number of threads is 0, the package decides on it.
    """

    _index: Any
    metric: str
    _origin: Any  # float64, in the middle of the first codes; for distances only

    def grown(self, codes, n_threads):
        """Return a search over more items.

        `codes` are those of all items, and begin with those of this search.
        """
        raise NotImplementedError

    def nearest(self, queries, codes, k, n_threads):
        """Similarities and positions (n_queries, k), best first."""
        positions = self.proposed(queries, k, k, n_threads)
        similarities = _similarities(queries, codes, positions, self.metric)
        order = np.lexsort((positions, -similarities))
        return (
            np.take_along_axis(similarities, order, 1),
            np.take_along_axis(positions, order, 1),
        )

    def proposed(self, queries, n, k, n_threads):
        """Positions (n_queries, n) of near items; at least k of each query are found.

        Positions that are not found are -1.
        """
        positions = self._propose(queries, n, n_threads)
        missed = np.flatnonzero(np.count_nonzero(positions >= 0, axis=1) < k)
        if len(missed):
            raise ValueError(
                f"{type(self).__name__} found fewer than n_neighbors={k} items for "
                f"{len(missed)} queries, the first is row {missed[0]}: ask for fewer "
                "items, or make it search further, by backend_params."
            )
        return positions

    def _propose(self, queries, k, n_threads):
        """Positions (n_queries, k) of near items, -1 for those that are not found."""
        raise NotImplementedError

    def _start(self, codes, metric):
        """Note the metric, and for distances an origin in the middle of these codes."""
        self.metric = metric
        if metric == "euclidean":
            self._origin = middle_of(codes)

    def _as_float32(self, codes):
        """Codes in float32, as packages take them.

        For distances they are centred first, so that codes far from 0 keep the digits
        in which they differ.
        """
        if self.metric == "euclidean":
            codes = codes - self._origin
        # Codes in a memory-mapped file may not be aligned.
        return np.require(codes, np.float32, ["C", "A"])

    def _over(self, index):
        """Copy of this search over another index of its package."""
        other = copy(self)
        other._index = index
        return other


class Exact(_Search):
    """Search by brute force.

    Among codes of length one, the nearest ones have the largest cosine.
    """

    def __init__(self, codes, n_threads, metric="cosine"):
        self.metric = metric
        if metric == "euclidean":
            self._candidates = Candidates(codes)
            return
        # A code of zeros has distance 1 to a query, as if its cosine were 1/2. Its
        # cosine must be 0: a 1 in a further column makes it orthogonal to all queries,
        # which have 0 there.
        zero = ~codes.any(axis=1, keepdims=True)
        self._padding = int(zero.any())
        if self._padding:
            codes = np.hstack([codes, zero.astype(codes.dtype)])
        self._neighbors = NearestNeighbors(algorithm="brute", metric="euclidean")
        self._neighbors.fit(codes)
        self._dtype = codes.dtype

    def grown(self, codes, n_threads):
        """Return a search over more items; `codes` are those of all items."""
        return Exact(codes, n_threads, self.metric)

    def nearest(self, queries, codes, k, n_threads):
        """Similarities and positions, best first."""
        if self.metric == "euclidean":
            candidates = self._candidates.among(queries, k)
        elif len(queries) > _FEW_QUERIES:
            return super().nearest(queries, codes, k, n_threads)
        else:
            candidates = (_near_in_angle(query, codes, k) for query in queries)
        return _best_of_each(queries, codes, candidates, k, self.metric)

    def _propose(self, queries, k, n_threads):
        # With queries and codes of different types it would be several times slower.
        queries = np.pad(
            queries.astype(self._dtype, copy=False), ((0, 0), (0, self._padding))
        )
        return self._neighbors.kneighbors(queries, k, return_distance=False)


class _Compact(_Search):
    """Search by small stand-ins for the codes; the codes rank what these propose."""

    _stand_ins: Any

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        other = copy(self)
        other._stand_ins = self._stand_ins.extended(codes)
        return other

    def nearest(self, queries, codes, k, n_threads):
        """Similarities and positions, best first."""
        n_candidates = min(k * self._oversampling, len(codes))
        candidates = self._stand_ins.among(queries, n_candidates)
        return _best_of_each(queries, codes, candidates, k, self.metric)

    def proposed(self, queries, n, k, n_threads):
        """Positions of `n` items near each query, or more if `k` items need more."""
        n = min(max(n, k * self._oversampling), self._stand_ins.n_items)
        return np.stack(list(self._stand_ins.among(queries, n)))

    def _start_compact(self, metric, oversampling, stand_ins):
        self.metric = metric
        self._oversampling = oversampling
        self._stand_ins = stand_ins


class Int8(_Compact):
    """Search that finds candidates by codes of one byte for each component."""

    def __init__(self, codes, n_threads, metric="cosine", *, oversampling=4):
        self._start_compact(metric, oversampling, _compact.Int8(codes, metric))


class Binary(_Compact):
    """Search that finds candidates by codes of bits."""

    def __init__(self, codes, n_threads, metric="cosine", *, oversampling=80):
        if metric != "cosine":
            raise ValueError(
                "bits represent directions but not lengths, and "
                f"metric={metric!r} compares both: use backend='int8', or "
                "metric='cosine'."
            )
        self._start_compact(metric, oversampling, _compact.Binary(codes))


class Faiss(_Search):
    """An index that faiss builds from a description."""

    def __init__(self, codes, n_threads, metric="cosine", *, factory="Flat", search=""):
        faiss = _imported("faiss", "faiss-cpu")
        self._start(codes, metric)
        codes = self._as_float32(codes)
        # Without "np", PQ takes minutes to learn what only Euclidean distances use.
        factory = re.sub(r"((?<!O)PQ\d+(?:x\d+)?)(?=[,_]|$)", r"\1np", factory)
        compare = {"cosine": faiss.METRIC_INNER_PRODUCT, "euclidean": faiss.METRIC_L2}
        self._index = faiss.index_factory(codes.shape[1], factory, compare[metric])
        if search:
            faiss.ParameterSpace().set_index_parameters(self._index, search)
        self._index.train(codes)
        self._index.add(codes)

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        index = import_module("faiss").clone_index(self._index)
        index.add(self._as_float32(codes[index.ntotal :]))
        return self._over(index)

    def _propose(self, queries, k, n_threads):
        return self._index.search(self._as_float32(queries), k)[1]


class Hnswlib(_Search):
    """A graph of near neighbours."""

    def __init__(
        self,
        codes,
        n_threads,
        metric="cosine",
        *,
        M=16,
        ef_construction=200,
        ef=50,
        random_seed=100,
    ):
        hnswlib = _imported("hnswlib", "hnswlib")
        self._start(codes, metric)
        self._seed = random_seed
        space = {"cosine": "ip", "euclidean": "l2"}[metric]
        self._index = hnswlib.Index(space=space, dim=codes.shape[1])
        self._index.init_index(
            len(codes), M=M, ef_construction=ef_construction, random_seed=random_seed
        )
        # A search for more than `ef` items uses their number instead of `ef`, so `ef`
        # need not be raised for it.
        self._index.set_ef(ef)
        self._index.add_items(self._as_float32(codes), num_threads=n_threads)

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        known = self._index.get_current_count()
        (state,) = self._index.__getstate__()
        # The copy starts its random numbers again: another seed makes them differ.
        state["seed"] = (self._seed + known) % 2**32
        kind: Any = type(self._index)
        index = kind.__new__(kind)
        index.__setstate__((state,))
        index.resize_index(len(codes))
        index.add_items(self._as_float32(codes[known:]), num_threads=n_threads)
        return self._over(index)

    def _propose(self, queries, k, n_threads):
        queries = self._as_float32(queries)
        try:
            positions, _ = self._index.knn_query(queries, k, num_threads=n_threads)
        except RuntimeError:  # it found fewer than k for some query
            return np.full((len(queries), k), -1)
        return positions.astype(np.int64)


class Usearch(_Search):
    """A graph of near neighbours."""

    def __init__(
        self,
        codes,
        n_threads,
        metric="cosine",
        *,
        dtype="f32",
        connectivity=None,
        expansion_add=None,
        expansion_search=None,
    ):
        index = _imported("usearch.index", "usearch")
        if metric == "euclidean" and dtype not in _WIDE_DTYPES:
            raise ValueError(
                f"dtype={dtype!r} can represent only codes of length one, but "
                "metric='euclidean' compares codes of any length: use one of "
                f"{list(_WIDE_DTYPES)}."
            )
        self._start(codes, metric)
        self._index = index.Index(
            ndim=codes.shape[1],
            metric={"cosine": "ip", "euclidean": "l2sq"}[metric],
            dtype=dtype,
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        self._add(self._index, codes, n_threads)

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        index = self._index.copy()
        self._add(index, codes, n_threads)
        return self._over(index)

    def _add(self, index, codes, n_threads):
        known = len(index)
        codes = self._as_float32(codes[known:])
        with _interrupts_of_usearch():
            index.add(np.arange(known, known + len(codes)), codes, threads=n_threads)

    def _propose(self, queries, k, n_threads):
        with _interrupts_of_usearch():
            answers = self._index.search(
                self._as_float32(queries), k, threads=n_threads
            )
        # The answer to a single query has no dimension of queries.
        answers = [answers] if len(queries) == 1 else list(answers)
        positions = np.full((len(queries), k), -1)
        for row, answer in zip(positions, answers, strict=True):
            row[: len(answer.keys)] = answer.keys
        return positions


_REFUSALS = (
    AssertionError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)

BACKENDS = {
    "exact": Exact,
    "int8": Int8,
    "binary": Binary,
    "faiss": Faiss,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
}


def build(backend, params, codes, n_threads, metric):
    """Search over `codes`; `params` must be parameters of this backend."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {list(BACKENDS)}, got {backend!r}.")
    make = BACKENDS[backend]
    known = [
        name
        for name in signature(make).parameters
        if name not in ("codes", "n_threads", "metric")
    ]
    unknown = sorted(set(params) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"backend={backend!r} takes the backend_params {known}, got {unknown}."
        )
    try:
        check_params(params, *codes.shape)
        return make(codes, n_threads, metric, **params)
    except _REFUSALS as error:
        raise ValueError(
            f"{backend} refuses backend_params={params!s:.300}: {error}"
        ) from error


@contextmanager
def _interrupts_of_usearch():
    """Turn the error that usearch raises for an interrupt into KeyboardInterrupt."""
    try:
        yield
    except RuntimeError as error:
        # Only an interrupt has this message: no callback is passed that could stop it.
        if "has been terminated" in str(error):
            raise KeyboardInterrupt from error
        raise


def _imported(module, install):
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"backend={module.partition('.')[0]!r} needs a package that cannot be "
            f"imported ({error}): pip install {install}"
        ) from error


def _near_in_angle(query, codes, k):
    """Positions of items that may have one of the k largest cosines with a query."""
    rough = codes @ query.astype(codes.dtype, copy=False)
    # More than twice the largest rounding error of a product of codes of length one.
    margin = 4 * (codes.shape[1] + 2) * np.finfo(codes.dtype).eps
    near = np.flatnonzero(rough >= low_bound(rough, k) - margin)
    return near[rough[near] >= kth_largest(rough[near], k) - margin]


def _best_of_each(queries, codes, candidates, k, metric):
    """Similarities and positions (n_queries, k) of each query's best candidates."""
    found = [
        _best(query, codes, near, k, metric)
        for query, near in zip(queries, candidates, strict=True)
    ]
    similarities, positions = map(np.stack, zip(*found, strict=True))
    return similarities, positions


def _best(query, codes, near, k, metric):
    """Similarities and positions (k,) of the best of some items, best first."""
    similarities = _similarities(query[None], codes, near[None], metric)[0]
    best = np.lexsort((near, -similarities))[:k]
    return similarities[best], near[best]


def _similarities(queries, codes, positions, metric):
    """Similarities in float64 of each query with the codes at its positions."""
    n_queries, k = positions.shape
    of_query = np.repeat(np.arange(n_queries), k)
    found = similarities_of_pairs(queries, codes, of_query, positions.ravel(), metric)
    return found.reshape(n_queries, k)


def similarities_of_pairs(queries, codes, of_query, positions, metric):
    """Similarities in float64 of pairs (n_pairs,) of a query and a code.

    `of_query` has the number of the query of each pair, `positions` that of the code.
    """
    found = np.empty(len(positions))
    step = max(_CELLS // codes.shape[1], 1)
    for pairs in gen_batches(len(positions), step):
        a = queries[of_query[pairs]].astype(np.float64, copy=False)
        b = codes[positions[pairs]].astype(np.float64, copy=False)
        if metric == "cosine":
            found[pairs] = np.einsum("ij,ij->i", a, b)
        else:
            found[pairs] = -_lengths(a - b)
    return found


def _lengths(gaps):
    """Lengths of rows in float64, also if their squares are too small for float64."""
    squares = np.einsum("ij,ij->i", gaps, gaps)
    lengths = np.sqrt(squares)
    small = np.flatnonzero(squares < _LEAST_SQUARE)
    if len(small):
        exponents = np.frexp(abs(gaps[small]).max(axis=1))[1]
        scaled = np.ldexp(gaps[small], -exponents[:, None])
        lengths[small] = np.ldexp(np.linalg.norm(scaled, axis=1), exponents)
    return lengths
