"""Search behind one call: ours, scikit-learn's, and those of other packages."""

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

# So many queries are compared with all codes faster by products than by scikit-learn.
_FEW_QUERIES = 16
# Squares below it lose digits, or are 0 of what is not.
_LEAST_SQUARE = 1e-280
# Numbers in an array of codes of the items found: 512 kB in float64 stay in the cache.
_CELLS = 2**16
# Types of usearch that hold codes of any length.
_WIDE_DTYPES = ("f64", "f32", "bf16", "float64", "float32", "bfloat16")


class _Search:
    """Search by another package, which proposes positions.

    A subclass builds its index in the constructor, from codes, the number of threads,
    how codes are compared, and parameters of its own. It implements `grown` and
    `_propose`. It never changes after that, so threads may search it while another
    thread makes a grown one. Similarities are computed here from the codes, so they
    mean the same for every package: cosines of codes of length one, or minus the
    Euclidean distances.

    A number of threads of 0 lets the package decide.
    """

    _index: Any
    metric: str
    _origin: Any  # float64, amid the first codes if distances compare them

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        raise NotImplementedError

    def nearest(self, queries, codes, k, n_threads):
        """Similarities and positions, best first."""
        positions = self.proposed(queries, k, k, n_threads)
        similarities = _similarities(queries, codes, positions, self.metric)
        order = np.lexsort((positions, -similarities))
        return (
            np.take_along_axis(similarities, order, 1),
            np.take_along_axis(positions, order, 1),
        )

    def proposed(self, queries, n, k, n_threads):
        """Positions (n_queries, n) of near items, -1 where there are no more than k."""
        positions = self._propose(queries, n, n_threads)
        missed = np.flatnonzero(np.count_nonzero(positions >= 0, axis=1) < k)
        if len(missed):
            raise ValueError(
                f"{type(self).__name__} found fewer than n_neighbors={k} items for "
                f"{len(missed)} queries, the first is row {missed[0]}: ask for fewer "
                "items, or let it search further by backend_params."
            )
        return positions

    def _propose(self, queries, k, n_threads):
        """Positions (n_queries, k) of near items, -1 where there are no more."""
        raise NotImplementedError

    def _start(self, codes, metric):
        """Note how codes are compared, and the origin amid the first of them."""
        self.metric = metric
        if metric == "euclidean":
            self._origin = middle_of(codes)

    def _as_float32(self, codes):
        """Codes as packages take them: those far from 0 keep what they differ by."""
        if self.metric == "euclidean":
            codes = codes - self._origin
        # Those that are mapped from a file may not be aligned.
        return np.require(codes, np.float32, ["C", "A"])

    def _over(self, index):
        """Copy of this search over another index of its package."""
        other = copy(self)
        other._index = index
        return other


class Exact(_Search):
    """Brute force: of rows of length one the nearest have the largest cosine."""

    def __init__(self, codes, n_threads, metric="cosine"):
        self.metric = metric
        if metric == "euclidean":
            self._candidates = Candidates(codes)
            return
        # The distance of a query to a code of zeros is 1, which would be a cosine of
        # 1/2. A one in a column of zeros makes it orthogonal to all instead.
        zero = ~codes.any(axis=1, keepdims=True)
        self._padding = int(zero.any())
        if self._padding:
            codes = np.hstack([codes, zero.astype(codes.dtype)])
        self._neighbors = NearestNeighbors(algorithm="brute", metric="euclidean")
        self._neighbors.fit(codes)
        self._dtype = codes.dtype

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all."""
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
        # Of two types it would be several times slower.
        queries = np.pad(
            queries.astype(self._dtype, copy=False), ((0, 0), (0, self._padding))
        )
        return self._neighbors.kneighbors(queries, k, return_distance=False)


class _Compact(_Search):
    """Small stand-ins for the codes propose items, which the codes then rank."""

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
        """Positions of `n` items near each query, or of as many as rank `k`."""
        n = min(max(n, k * self._oversampling), self._stand_ins.n_items)
        return np.stack(list(self._stand_ins.among(queries, n)))

    def _start_compact(self, metric, oversampling, stand_ins):
        self.metric = metric
        self._oversampling = oversampling
        self._stand_ins = stand_ins


class Int8(_Compact):
    """Candidates by codes of one byte a component."""

    def __init__(self, codes, n_threads, metric="cosine", *, oversampling=4):
        self._start_compact(metric, oversampling, _compact.Int8(codes, metric))


class Binary(_Compact):
    """Candidates by codes of bits."""

    def __init__(self, codes, n_threads, metric="cosine", *, oversampling=80):
        if metric != "cosine":
            raise ValueError(
                f"bits represent directions but not lengths, which metric={metric!r} "
                "compares: use backend='int8', or metric='cosine'."
            )
        self._start_compact(metric, oversampling, _compact.Binary(codes))


class Faiss(_Search):
    """An index that faiss builds from a description."""

    def __init__(self, codes, n_threads, metric="cosine", *, factory="Flat", search=""):
        faiss = _imported("faiss", "faiss-cpu")
        self._start(codes, metric)
        codes = self._as_float32(codes)
        # Without "np" PQ learns, for minutes, what only Euclidean distances use.
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
        # A search for more takes that number instead: nothing is to be set for it.
        self._index.set_ef(ef)
        self._index.add_items(self._as_float32(codes), num_threads=n_threads)

    def grown(self, codes, n_threads):
        """Search over more items: `codes` are those of all, the first ones known."""
        known = self._index.get_current_count()
        (state,) = self._index.__getstate__()
        # Its random numbers start again, and are to be others than those before.
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
        # It answers a single query without the dimension of queries.
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
    """Search over `codes`, with parameters of that backend alone."""
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
    """Raise KeyboardInterrupt for the error that usearch makes of it."""
    try:
        yield
    except RuntimeError as error:
        # Nothing else ends it so, for it is given no callback.
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
    """Positions of all that may be among the k of largest cosine with one query."""
    rough = codes @ query.astype(codes.dtype, copy=False)
    # Twice what rounding can make of a product of codes of length one, and some more.
    margin = 4 * (codes.shape[1] + 2) * np.finfo(codes.dtype).eps
    near = np.flatnonzero(rough >= low_bound(rough, k) - margin)
    return near[rough[near] >= kth_largest(rough[near], k) - margin]


def _best_of_each(queries, codes, candidates, k, metric):
    """Similarities and positions (n_queries, k) of the best candidates of each."""
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
    """In float64, of each query with the codes at its positions."""
    n_queries, k = positions.shape
    of_query = np.repeat(np.arange(n_queries), k)
    found = similarities_of_pairs(queries, codes, of_query, positions.ravel(), metric)
    return found.reshape(n_queries, k)


def similarities_of_pairs(queries, codes, of_query, positions, metric):
    """In float64, of queries with codes, both by their numbers (n_pairs,)."""
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
    """Of rows in float64, of which the squares may vanish."""
    squares = np.einsum("ij,ij->i", gaps, gaps)
    lengths = np.sqrt(squares)
    small = np.flatnonzero(squares < _LEAST_SQUARE)
    if len(small):
        exponents = np.frexp(abs(gaps[small]).max(axis=1))[1]
        scaled = np.ldexp(gaps[small], -exponents[:, None])
        lengths[small] = np.ldexp(np.linalg.norm(scaled, axis=1), exponents)
    return lengths
