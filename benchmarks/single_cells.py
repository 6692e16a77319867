"""Cells of two data sets in one space: what does it cost, and do anchors fit?

cost      2,000 genes x (100,000 + 100,000) made cells, sparse and 5 % full, in a
          process of its own on one thread. Memory is the peak above what was there
          before, beside the bytes of both sparse matrices as they are given
anchors   counts of made cells of planted types, drawn anew for each batch with an
          effect on every gene: share of mutual nearest neighbours that are of one type,
          and their number. Codes of CCA beside those of PCA of both batches together,
          and beside no codes at all

    python benchmarks/single_cells.py
"""

import argparse
from types import SimpleNamespace

import numpy as np
from _fresh_process import in_fresh_process, measured
from scipy import sparse
from sklearn.decomposition import PCA

from skcrl import LinearCCA
from skcrl.retrieval import mutual_nearest_neighbors
from skcrl.singlecell import align

# Genes, cells of either data set, bits of a value.
SIZES = [(2_000, 100_000, 64), (2_000, 100_000, 32)]
QUICK = [(100, 300, 64)]
COMPONENTS = 30


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", nargs="+", choices=["cost", "anchors"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)

    if args.measure:
        what, *sizes = args.measure
        measure(what, *map(int, sizes))
        return
    parts = args.part or ["cost", "anchors"]
    if "cost" in parts:
        for size in QUICK if args.quick else SIZES:
            for what in COSTS:
                out = in_fresh_process(__file__, "--measure", what, *size)
                print(out, end="", flush=True)
    if "anchors" in parts:
        tell_anchors(args.seeds)


def measure(what, n_genes, n_cells, bits):
    """Print what one call costs in this process."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, size=(20, n_genes))
    x, y = (
        data_set(made_cells(rates, n_cells, f"float{bits}", rng), n_genes)
        for _ in range(2)
    )
    mb = sum(
        array.nbytes
        for data in (x, y)
        for array in (data.X.data, data.X.indices, data.X.indptr)
    )
    COSTS[what](*(data_set(data.X[:40], n_genes) for data in (x, y)), 2)
    _, seconds, peak = measured(lambda: COSTS[what](x, y, COMPONENTS))
    mb /= 2**20
    full = x.X.nnz / n_genes / n_cells
    print(
        f"{what}: {n_genes} genes x ({n_cells} + {n_cells}) cells, float{bits}, "
        f"{full:.0%} full, k={COMPONENTS}: {seconds:.1f} s CPU, {peak:.0f} MB, "
        f"{peak / mb:.2f} x the input of {mb:.0f} MB"
    )


def fit_linear_cca(x, y, k):
    """LinearCCA of views whose columns are cells."""
    return LinearCCA(k).fit(x.X.T, y.X.T)


def align_and_pair(x, y, k):
    """Codes, and mutual nearest neighbours by exact search."""
    align(x, y, k)
    return mutual_nearest_neighbors(*(data.obsm["X_cca"] for data in (x, y)))


COSTS = {
    "LinearCCA": fit_linear_cca,
    "align": align,
    "align, anchors": align_and_pair,
}


def made_cells(rates, n_cells, dtype, rng, share=0.05, block=2_000):
    """CSR array of cells of types, a row of `rates` each, that show few genes."""
    n_genes = rates.shape[1]
    seen = int(share * n_genes)
    genes = np.empty((n_cells, seen), dtype=np.int32)
    for start in range(0, n_cells, block):
        rows = genes[start : start + block]
        types = rng.integers(0, len(rates), len(rows))
        # The first arrivals: a gene of twice the rate comes first twice as often.
        arrivals = rng.standard_exponential((len(rows), n_genes)) / rates[types]
        rows[:] = np.sort(np.argpartition(arrivals, seen, axis=1)[:, :seen], axis=1)
    values = np.log1p(rng.gamma(2.0, size=n_cells * seen)).astype(dtype)
    starts = np.arange(0, n_cells * seen + 1, seen, dtype=np.int32)
    return sparse.csr_array((values, genes.ravel(), starts), shape=(n_cells, n_genes))


def data_set(cells, n_genes):
    """What `align` asks of an AnnData."""
    names = [f"gene {i}" for i in range(n_genes)]
    return SimpleNamespace(X=cells, var_names=names, layers={}, obsm={})


def two_batches(seed, n_cells=(300, 250), n_genes=600, n_types=6):
    """Logarithms of counts per 10,000 of cells in two batches, and their types."""
    rng = np.random.default_rng(seed)
    level = np.log(rng.gamma(0.5, size=n_genes) + 0.02)
    marks = rng.random((n_types, n_genes)) < 0.2
    level = level + 0.7 * marks * rng.standard_normal((n_types, n_genes))
    batches = []
    for n in n_cells:
        types = rng.integers(0, n_types, n)
        rates = np.exp(level[types] + 1.2 * rng.standard_normal(n_genes))
        counts = rng.poisson(1_000 * rates / rates.sum(axis=1, keepdims=True))
        per_10_000 = 1e4 * counts / counts.sum(axis=1, keepdims=True)
        batches.append((np.log1p(per_10_000), types))
    return batches


def tell_anchors(n_seeds):
    """Print how many anchors each method finds, and the share of one type."""
    print(f"Anchors of one type, mean and least of {n_seeds} seeds, and their number")
    found = {}
    for seed in range(n_seeds):
        (X, x_types), (Y, y_types) = two_batches(seed)
        for name, embed in EMBEDDINGS.items():
            pairs = mutual_nearest_neighbors(*embed(X, Y))
            share = (x_types[pairs.x] == y_types[pairs.y]).mean()
            found.setdefault(name, []).append((share, len(pairs.x)))
    for name, runs in found.items():
        shares, numbers = np.transpose(runs)
        print(
            f"  {name:34s} {100 * shares.mean():5.1f} % {100 * shares.min():5.1f} % "
            f"{numbers.mean():5.0f}"
        )


def by_cca(X, Y, **parameters):
    """Codes by CCA with cells as columns."""
    x, y = (data_set(sparse.csr_array(view), view.shape[1]) for view in (X, Y))
    align(x, y, COMPONENTS, **parameters)
    return x.obsm["X_cca"], y.obsm["X_cca"]


def by_pca(X, Y):
    """Principal components of the cells of both batches."""
    pca = PCA(COMPONENTS, random_state=0).fit(np.vstack([X, Y]))
    return pca.transform(X), pca.transform(Y)


EMBEDDINGS = {
    "align": by_cca,
    "align, weighted=False (Seurat's)": lambda X, Y: by_cca(X, Y, weighted=False),
    "PCA of both": by_pca,
    "none": lambda X, Y: (X, Y),
}


if __name__ == "__main__":
    main()
