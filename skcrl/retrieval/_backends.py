"""Search behind one call: scikit-learn's, and those of other packages."""

from importlib import import_module
from inspect import signature

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches

# Numbers in an array of codes of the items found: 512 kB in float64 stay in the cache.
_CELLS = 2**16


class _Search:
    """Search by another package, which proposes positions.

    A subclass builds in its constructor, and answers `add` and `_propose`.
    Similarities are computed here from the codes, so that they mean the same whoever
    proposed.
    """

    def add(self, codes):
        """Take in items: `codes` are those of all, of which the first are known."""
        raise NotImplementedError

    def nearest(self, queries, codes, k):
        """Similarities and positions, best first."""
        positions = self._propose(queries, k)
        if (positions < 0).any():
            missed = np.flatnonzero((positions < 0).any(axis=1))
            raise ValueError(
                f"{type(self).__name__} found fewer than n_neighbors={k} items for "
                f"{len(missed)} queries, the first is row {missed[0]}: ask for fewer, "
                "or let it look further by backend_params."
            )
        similarities = _products(queries, codes, positions)
        order = np.lexsort((positions, -similarities))
        return (
            np.take_along_axis(similarities, order, 1),
            np.take_along_axis(positions, order, 1),
        )

    def _propose(self, queries, k):
        """Positions (n_queries, k) of near items, -1 where there are no more."""
        raise NotImplementedError


class Exact(_Search):
    """Brute force: of rows of length one the nearest have the largest cosine."""

    def __init__(self, codes):
        self.add(codes)

    def add(self, codes):
        """Take in items: `codes` are those of all."""
        # The distance of a query to a code of zeros is 1, which would be a cosine of
        # 1/2. A one in a column of zeros makes it orthogonal to all instead.
        zero = ~codes.any(axis=1, keepdims=True)
        self._padding = int(zero.any())
        if self._padding:
            codes = np.hstack([codes, zero.astype(codes.dtype)])
        self._neighbors = NearestNeighbors(algorithm="brute", metric="euclidean")
        self._neighbors.fit(codes)
        self._dtype = codes.dtype

    def _propose(self, queries, k):
        # Of two types it would be several times slower.
        queries = np.pad(
            queries.astype(self._dtype, copy=False), ((0, 0), (0, self._padding))
        )
        return self._neighbors.kneighbors(queries, k, return_distance=False)


class Faiss(_Search):
    """Any index that faiss can build from a description."""

    def __init__(self, codes, *, factory="Flat", search=""):
        faiss = _imported("faiss", "faiss-cpu")
        codes = _as_float32(codes)
        self._index = faiss.index_factory(
            codes.shape[1], factory, faiss.METRIC_INNER_PRODUCT
        )
        if search:
            faiss.ParameterSpace().set_index_parameters(self._index, search)
        self._index.train(codes)
        self._index.add(codes)

    def add(self, codes):
        """Take in items: `codes` are those of all, of which the first are known."""
        self._index.add(_as_float32(codes[self._index.ntotal :]))

    def _propose(self, queries, k):
        return self._index.search(_as_float32(queries), k)[1]


class Hnswlib(_Search):
    """A graph of near neighbours."""

    def __init__(
        self,
        codes,
        *,
        M=16,
        ef_construction=200,
        ef=50,
        random_seed=100,
        num_threads=-1,
    ):
        hnswlib = _imported("hnswlib", "hnswlib")
        self._ef = ef
        self._index = hnswlib.Index(space="ip", dim=codes.shape[1])
        self._index.init_index(
            len(codes), M=M, ef_construction=ef_construction, random_seed=random_seed
        )
        self._index.set_num_threads(num_threads)
        self._index.add_items(_as_float32(codes))

    def add(self, codes):
        """Take in items: `codes` are those of all, of which the first are known."""
        known = self._index.get_current_count()
        self._index.resize_index(len(codes))
        self._index.add_items(_as_float32(codes[known:]))

    def _propose(self, queries, k):
        self._index.set_ef(max(self._ef, k))
        try:
            return self._index.knn_query(_as_float32(queries), k)[0].astype(np.int64)
        except RuntimeError:  # it found fewer than k for some query
            return np.full((len(queries), k), -1)


class Usearch(_Search):
    """A graph of near neighbours."""

    def __init__(
        self,
        codes,
        *,
        dtype="f32",
        connectivity=None,
        expansion_add=None,
        expansion_search=None,
        threads=0,
    ):
        index = _imported("usearch.index", "usearch")
        self._index = index.Index(
            ndim=codes.shape[1],
            metric="ip",
            dtype=dtype,
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        self._threads = threads
        self.add(codes)

    def add(self, codes):
        """Take in items: `codes` are those of all, of which the first are known."""
        known = len(self._index)
        self._index.add(
            np.arange(known, len(codes)),
            _as_float32(codes[known:]),
            threads=self._threads,
        )

    def _propose(self, queries, k):
        answers = self._index.search(_as_float32(queries), k, threads=self._threads)
        # It answers a single query without the dimension of queries.
        answers = [answers] if len(queries) == 1 else list(answers)
        positions = np.full((len(queries), k), -1)
        for row, answer in zip(positions, answers, strict=True):
            row[: len(answer.keys)] = answer.keys
        return positions


_REFUSALS = (
    AssertionError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)

BACKENDS = {"exact": Exact, "faiss": Faiss, "hnswlib": Hnswlib, "usearch": Usearch}


def build(backend, params, codes):
    """Search over `codes`, with parameters of that backend alone."""
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {list(BACKENDS)}, got {backend!r}.")
    make = BACKENDS[backend]
    known = [name for name in signature(make).parameters if name != "codes"]
    unknown = sorted(set(params) - set(known), key=str)
    if unknown:
        raise ValueError(
            f"backend={backend!r} takes the backend_params {known}, got {unknown}."
        )
    try:
        return make(codes, **params)
    except _REFUSALS as error:
        raise ValueError(
            f"{backend} refuses backend_params={params}: {error}"
        ) from error


def _imported(module, install):
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"backend={module.partition('.')[0]!r} needs a package that cannot be "
            f"imported ({error}): pip install {install}"
        ) from error


def _products(queries, codes, positions):
    """Products in float64 of each query with the codes at its positions."""
    n_queries, k = positions.shape
    products = np.empty(n_queries * k)
    step = max(_CELLS // codes.shape[1], 1)
    for pairs in gen_batches(n_queries * k, step):
        of_query = np.arange(pairs.start, pairs.stop) // k
        products[pairs] = np.einsum(
            "ij,ij->i",
            queries[of_query].astype(np.float64, copy=False),
            codes[positions.ravel()[pairs]].astype(np.float64, copy=False),
        )
    return products.reshape(n_queries, k)


def _as_float32(codes):
    return np.ascontiguousarray(codes, dtype=np.float32)
