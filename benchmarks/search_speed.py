"""What does search cost beside the bare matrix product and a partition of its rows?

Codes of items and queries are given; every search runs in a process of its own on one
thread, the methods in turn. Printed are medians over the rounds: CPU seconds of all
queries at once; their ratio to ours and to the bare product, round by round; the peak
of the memory above the codes and the index; CPU seconds and MB of making the index,
which for ours holds a copy of the codes, and the MB that it keeps, without what is
mapped from a file; and the recall, the share of the true neighbours that were found,
true by products in float64. The bare product is taken for 100 queries at a time: for
all at once its similarities and their order would fill 12 GB.

Methods with "bank" and "csls" correct hubs, by the 10 nearest of 2,000 training rows of
the queries' view, or of all queries, with a weight of 0.5. True is what is best by all
cosines less half the mean of their 10 largest, in float64.

    python benchmarks/search_speed.py
    python benchmarks/search_speed.py --case million --only exact bare

Packages that are not installed are left out with a word.
"""

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _fresh_process import held_mb, measured
from _peers import print_table, rounds
from sklearn.base import BaseEstimator

N_COMPONENTS = 128
# Of canonical codes weighted by correlations: some components count more.
SCALES = np.linspace(1, 0.1, N_COMPONENTS, dtype=np.float32)
N_TRUE = 100
N_BANK = 2000
CORRECTION = {"n_neighbors": 10, "weight": 0.5}


class Given(BaseEstimator):
    """Two-view estimator whose codes are the views."""

    def fit(self, X, y):
        """Nothing to learn."""
        self.fitted_ = True
        return self

    def transform(self, X):
        """Codes as they are."""
        return X

    transform_y = transform


def made_index(codes, k, backend, hubness=None, **params):
    """Retriever over the codes."""
    from skcrl import CrossViewRetriever

    made = CrossViewRetriever(
        Given(),
        hubness=hubness,
        hubness_params=CORRECTION,
        n_neighbors=k,
        backend=backend,
        backend_params=params,
        n_jobs=1,
    )
    rows = beside(codes, min(N_BANK, len(codes)), seed=1)
    return made.fit(rows, rows).fit_index(codes)


def retriever(codes, k, backend="exact", **params):
    """Ours."""
    made = made_index(codes, k, backend, **params)
    return lambda queries: made.kneighbors(queries)[1]


def mapped(codes, k, backend):
    """Ours, with the codes left in a file."""
    made = made_index(codes, k, backend)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.npz"
        made.save_index(path)
        made.load_index(path, mmap_mode="r")  # what is mapped outlives the name
    return lambda queries: made.kneighbors(queries)[1]


def bare(codes, k):
    """Product and partition, with neither similarities nor order of what is found."""

    def search(queries, size=100):
        blocks = [
            np.argpartition(queries[i : i + size] @ codes.T, -k, axis=1)[:, -k:].copy()
            for i in range(0, len(queries), size)
        ]
        return np.concatenate(blocks)

    return search


def scikit_learn_cosine(codes, k):
    """Brute force by another metric than ours, which is Euclidean."""
    from sklearn.neighbors import NearestNeighbors

    made = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="cosine")
    made.fit(codes)
    return lambda queries: made.kneighbors(queries)[1]


EXACT = {
    "exact": retriever,
    "bare": bare,
    "sklearn cosine": scikit_learn_cosine,
    "faiss Flat": partial(retriever, backend="faiss"),
}
COMPACT = {
    "int8": partial(retriever, backend="int8"),
    "binary": partial(retriever, backend="binary"),
    "int8, codes on disk": partial(mapped, backend="int8"),
    "binary, codes on disk": partial(mapped, backend="binary"),
}
METHODS = {
    **EXACT,
    **COMPACT,
    "faiss HNSW32": partial(retriever, backend="faiss", factory="HNSW32"),
    "faiss HNSW32, ef 200": partial(
        retriever, backend="faiss", factory="HNSW32", search="efSearch=200"
    ),
    "hnswlib": partial(retriever, backend="hnswlib"),
    "hnswlib, ef 200": partial(retriever, backend="hnswlib", ef=200),
    "usearch": partial(retriever, backend="usearch"),
    "usearch, ef 200": partial(retriever, backend="usearch", expansion_search=200),
    **{
        f"{backend}, {hubness}": partial(retriever, backend=backend, hubness=hubness)
        for backend in ("exact", "hnswlib", "usearch")
        for hubness in ("bank", "csls")
    },
    **{
        f"faiss HNSW32, {hubness}": partial(
            retriever, backend="faiss", hubness=hubness, factory="HNSW32"
        )
        for hubness in ("bank", "csls")
    },
}


class Case(NamedTuple):
    """Sizes, and who is asked."""

    n_items: int
    n_queries: int
    k: int
    methods: tuple


CASES = {
    "million": Case(
        1_000_000, 1_000, 10, (*EXACT, "exact, bank", "exact, csls", *COMPACT)
    ),
    "hundred neighbours": Case(100_000, 1_000, 100, tuple(EXACT)),
    "approximate": Case(100_000, 1_000, 10, tuple(METHODS)),
}


def make_codes(case, folder):
    """Items, queries, and which items are nearest to the first of these."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((case.n_items, N_COMPONENTS), dtype=np.float32)
    items *= SCALES
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    queries = beside(items, case.n_queries, seed=0)
    np.save(folder / "items.npy", items)
    np.save(folder / "queries.npy", queries)
    rows = beside(items, min(N_BANK, case.n_items), seed=1)
    for hubness, near in (("none", None), ("bank", rows), ("csls", queries)):
        true = true_neighbours(queries[:N_TRUE], items, case.k, near)
        np.save(folder / f"true {hubness}.npy", true)


def beside(items, n, seed):
    """Codes near some of the items, as another view's codes would be."""
    rng = np.random.default_rng(seed)
    codes = items[rng.choice(len(items), n)]
    noise = rng.standard_normal(codes.shape, dtype=np.float32)
    codes += noise * (SCALES / np.linalg.norm(SCALES))
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


def true_neighbours(queries, items, k, near=None):
    """Positions of the nearest items, in float64; less what `near` says of hubs."""
    queries = queries.astype(np.float64)
    products = np.empty((len(queries), len(items)))
    for i in range(0, len(items), 10_000):
        block = items[i : i + 10_000].astype(np.float64)
        products[:, i : i + 10_000] = queries @ block.T
        if near is not None:
            n = min(CORRECTION["n_neighbors"], len(near))
            largest = np.partition(block @ near.T.astype(np.float64), -n, axis=1)
            bias = CORRECTION["weight"] * largest[:, -n:].mean(axis=1)
            products[:, i : i + 10_000] -= bias
    return np.argpartition(products, -k, axis=1)[:, -k:]


def measure(method, k, folder):
    """Print what one search costs, and what it finds of the true neighbours."""
    hubness = method.rpartition(", ")[2]
    if hubness not in ("bank", "csls"):
        hubness = "none"
    items, queries, true = (
        np.load(Path(folder) / f"{name}.npy")
        for name in ("items", "queries", f"true {hubness}")
    )
    make = partial(METHODS[method], k=k)
    try:
        # So that imports and set-up do not count.
        make(items[:1000])(queries[:10])
        before = held_mb()
        search, index_seconds, index_mb = measured(lambda: make(items))
        kept = held_mb() - before
    except ImportError as error:
        print(json.dumps({"absent": str(error)}))
        return
    positions, seconds, mb = measured(lambda: search(queries))
    recall = np.mean([np.isin(*pair).mean() for pair in zip(true, positions)])  # noqa: B905
    print(
        json.dumps(
            {
                "seconds": seconds,
                "mb": mb,
                "index": index_seconds,
                "index_mb": index_mb,
                "kept_mb": kept,
                "recall": recall,
            }
        )
    )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--only", nargs="+", choices=METHODS, metavar="METHOD")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    parser.set_defaults(python=[])
    args = parser.parse_args(argv)
    if args.measure:
        method, k, folder = args.measure
        measure(method, int(k), folder)
        return
    columns = {
        "index s": lambda one, bare: f"{one['index']:.1f}",
        "index MB": lambda one, bare: f"{one['index_mb']:.0f}",
        "keeps MB": lambda one, bare: f"{one['kept_mb']:.0f}",
        "recall": lambda one, bare: f"{one['recall']:.4f}",
    }
    for name in args.case:
        case = CASES[name]
        if args.quick:
            case = case._replace(n_items=case.n_items // 500, n_queries=100)
        print(
            f"\n{name}: {case.n_queries} queries, {case.n_items} items of "
            f"{N_COMPONENTS} components, {case.k} neighbours"
        )
        with tempfile.TemporaryDirectory() as folder:
            make_codes(case, Path(folder))
            runs = rounds(__file__, case.methods, [case.k, folder], args)
        print_table(runs, "exact", columns)


if __name__ == "__main__":
    main()
