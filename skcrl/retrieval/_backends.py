"""Search behind one call: the exact one, and those of other packages."""

from importlib import import_module
from inspect import signature

import numpy as np

from skcrl.retrieval._exact import CELLS, nearest


class Exact:
    """Every item is looked at."""

    def __init__(self, codes):
        pass

    def add(self, codes):
        """Nothing to do: the codes are all it needs."""

    def nearest(self, queries, codes, k):
        """Similarities and positions, best first."""
        return nearest(queries, codes, k)


class _Package:
    """Search by another package, which proposes positions.

    A subclass names its package, builds in its constructor, and answers `add` and
    `_propose`. Similarities are computed here from the codes, so that they mean the
    same whoever proposed.
    """

    install: str

    def nearest(self, queries, codes, k):
        """Similarities and positions, best first."""
        positions = self._propose(_as_float32(queries), k)
        if (positions < 0).any():
            missed = np.flatnonzero((positions < 0).any(axis=1))
            raise ValueError(
                f"{type(self).__name__} found fewer than n_neighbors={k} items for "
                f"{len(missed)} queries, the first is row {missed[0]}: ask for fewer, "
                "or let it look further by backend_params."
            )
        similarities = np.empty(positions.shape)
        step = max(CELLS // (k * codes.shape[1]), 1)
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            similarities[rows] = np.einsum(
                "ij,ikj->ik",
                queries[rows].astype(np.float64),
                codes[positions[rows]].astype(np.float64),
            )
        order = np.lexsort((positions, -similarities))
        return (
            np.take_along_axis(similarities, order, 1),
            np.take_along_axis(positions, order, 1),
        )

    def _propose(self, queries, k):
        """Positions (n_queries, k) of near items, -1 where there are no more."""
        raise NotImplementedError


class Faiss(_Package):
    """Any index that faiss can build from a description."""

    install = "faiss-cpu"

    def __init__(self, codes, *, factory="Flat", search=""):
        faiss = _imported("faiss", self.install)
        codes = _as_float32(codes)
        self._index = faiss.index_factory(
            codes.shape[1], factory, faiss.METRIC_INNER_PRODUCT
        )
        if search:
            faiss.ParameterSpace().set_index_parameters(self._index, search)
        self._index.train(codes)
        self._index.add(codes)

    def add(self, codes):
        """Append items."""
        self._index.add(_as_float32(codes))

    def _propose(self, queries, k):
        return self._index.search(queries, k)[1]


class Hnswlib(_Package):
    """A graph of near neighbours."""

    install = "hnswlib"

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
        hnswlib = _imported("hnswlib", self.install)
        self._ef = ef
        self._index = hnswlib.Index(space="ip", dim=codes.shape[1])
        self._index.init_index(
            len(codes), M=M, ef_construction=ef_construction, random_seed=random_seed
        )
        self._index.set_num_threads(num_threads)
        self._index.add_items(_as_float32(codes))

    def add(self, codes):
        """Append items."""
        self._index.resize_index(self._index.get_current_count() + len(codes))
        self._index.add_items(_as_float32(codes))

    def _propose(self, queries, k):
        self._index.set_ef(max(self._ef, k))
        try:
            return self._index.knn_query(queries, k)[0].astype(np.int64)
        except RuntimeError:  # it found fewer than k for some query
            return np.full((len(queries), k), -1)


class Usearch(_Package):
    """A graph of near neighbours."""

    install = "usearch"

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
        index = _imported("usearch.index", self.install)
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
        """Append items."""
        start = len(self._index)
        self._index.add(
            np.arange(start, start + len(codes)),
            _as_float32(codes),
            threads=self._threads,
        )

    def _propose(self, queries, k):
        answers = self._index.search(queries, k, threads=self._threads)
        # It answers a single query without the dimension of queries.
        answers = [answers] if len(queries) == 1 else list(answers)
        positions = np.full((len(queries), k), -1)
        for row, answer in zip(positions, answers, strict=True):
            row[: len(answer.keys)] = answer.keys
        return positions


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
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
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


def _as_float32(codes):
    return np.ascontiguousarray(codes, dtype=np.float32)
