"""Does LinearCCA stay lean on input that is too large to be one dense array?

Three kinds of it, each in a process of its own on one thread. Memory is the peak above
what was there before the fit.

sparse    TF-IDF of the English and German captions of Multi30k: no dense copy is made
stream    rows generated block by block, for partial_fit: memory is constant
dask      a Dask array on two worker processes: its rows are never gathered. NumPy's
          answer is that of partial_fit on the same blocks, one at a time

    python benchmarks/linear_scale.py --data /path/to/multi30k
"""

import argparse
import os
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _fresh_process import in_fresh_process, measured, peak_mb, reset_peak, resident_mb
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from skcrl import LinearCCA

# Rows, and features (sparse) or rows of a block.
SIZES = {
    "sparse": [(29_000, 5_000)],
    "stream": [(10**6, 10**4), (10**7, 10**4)],
    "dask": [(2 * 10**6, 2 * 10**4)],
}
QUICK = {
    "sparse": [(1_000, 200)],
    "stream": [(4_000, 200)],
    "dask": [(4_000, 400)],
}


def measure_sparse(X, Y):
    """Cost of sparse views, and the distance from the dense answer on smaller ones."""
    (n_rows, features), ridge = X.shape, 1e-3
    k = min(256, features // 10)
    LinearCCA(2, reg=ridge).fit(X[:50, :9], Y[:50, :9])
    _, seconds, mb = measured(lambda: LinearCCA(k, reg=ridge).fit(X, Y))
    bound = 4 * (size(X) + size(Y)) + 4 * features**2 * 8
    print(
        f"sparse: {n_rows} rows, {features} + {features} features, k={k}: "
        f"{seconds:.1f} s CPU, {mb:.0f} MB\n"
        f"  4 x input + 4 p^2 floats are {bound / 2**20:.0f} MB, dense copies "
        f"{2 * n_rows * features * 8 / 2**20:.0f} MB"
    )
    twin = [view[:3000, frequent(view, 400)] for view in (X, Y)]
    dense = [view.toarray() for view in twin]
    found, expected = (
        np.hstack(LinearCCA(8, reg=ridge).fit(*views).transform_pair(*views))
        for views in (twin, dense)
    )
    off = abs(found - expected).max() / abs(expected).max()
    rows, columns = twin[0].shape
    print(f"  off the dense answer by {off:.0e} on {rows} x ({columns} + {columns})")


def caption_features(data, n_rows, max_features):
    """TF-IDF of the training captions of either language."""
    return [
        TfidfVectorizer(max_features=max_features).fit_transform(
            (data / f"train.{language}.txt").read_text("utf-8").splitlines()[:n_rows]
        )
        for language in ("en", "de")
    ]


def made_captions(n_rows, n_features):
    """Random sparse rows, of which the views share a half."""
    rng = np.random.default_rng(0)
    shared, *own = (
        sparse.random_array(
            (n_rows, n_features), density=0.02, format="csr", random_state=rng
        )
        for _ in range(3)
    )
    return [shared + view for view in own]


def size(view):
    """Bytes of a CSR matrix."""
    return view.data.nbytes + view.indices.nbytes + view.indptr.nbytes


def frequent(view, n):
    """The n columns that most rows have, in their order."""
    rows_of_column = np.bincount(view.indices, minlength=view.shape[1])
    return np.sort(np.argsort(-rows_of_column, kind="stable")[:n])


def measure_stream(n_rows, block_rows, n_features=64):
    """Cost of rows that come in blocks."""

    def block(i):
        rng = np.random.default_rng([0, i])
        factors = rng.standard_normal((block_rows, 8))
        return [
            factors @ mixing + rng.standard_normal((block_rows, n_features))
            for mixing in np.random.default_rng(1).standard_normal((2, 8, n_features))
        ]

    def fitted(n_blocks):
        cca = LinearCCA(8)
        for i in range(n_blocks):
            cca.partial_fit(*block(i))
        return cca

    fitted(2)
    _, seconds, mb = measured(lambda: fitted(n_rows // block_rows))
    print(
        f"stream: {n_rows} rows, {n_features} + {n_features} features: {seconds:.1f} s "
        f"CPU with their generation, {mb:.1f} MB"
    )
    X, Y = (np.vstack(view) for view in zip(*map(block, range(20)), strict=True))
    found, expected = (
        np.hstack(cca.transform_pair(X, Y))
        for cca in (fitted(20), LinearCCA(8).fit(X, Y))
    )
    off = abs(found - expected).max()
    print(f"  off the one-shot answer by {off:.0e} on {len(X)} rows")


def measure_dask(n_rows, block_rows, n_features=100):
    """Memory of the client and the workers, and the distance from NumPy."""
    import dask
    import dask.array as da
    from dask.distributed import Client, LocalCluster

    rng = da.random.default_rng(0)
    factors = rng.standard_normal((n_rows, 8), chunks=(block_rows, 8))
    X, Y = (
        factors @ mixing
        + rng.standard_normal((n_rows, n_features), chunks=(block_rows, n_features))
        for mixing in np.random.default_rng(0).standard_normal((2, 8, n_features))
    )
    with (
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        LinearCCA(2).fit(X[:block_rows], Y[:block_rows])
        client.run(reset_peak)
        before, begin = client.run(resident_mb), time.perf_counter()
        cca, _, mb = measured(lambda: LinearCCA(8).fit(X, Y))
        seconds = time.perf_counter() - begin
        workers = [
            f"{peak - before[name]:.0f}" for name, peak in client.run(peak_mb).items()
        ]
        print(
            f"dask: {n_rows} rows, {n_features} + {n_features} features, 2 processes: "
            f"{seconds:.1f} s wall\n"
            f"  {mb:.0f} MB in the client, {' and '.join(workers)} MB in the workers; "
            f"the rows are {(X.nbytes + Y.nbytes) / 2**20:.0f} MB"
        )
        expected = LinearCCA(8)
        for blocks in zip(*(v.to_delayed().ravel() for v in (X, Y)), strict=True):
            expected.partial_fit(*dask.compute(*blocks))
    off = max(
        abs(getattr(cca, name) - getattr(expected, name)).max()
        for name in ("x_weights_", "y_weights_", "correlations_")
    )
    print(f"  off NumPy's answer by {off:.0e}")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SKCRL_DATA", ".")) / "multi30k",
        help="folder with train.en.txt and train.de.txt ($SKCRL_DATA/multi30k)",
    )
    parser.add_argument("--part", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, made captions"
    )
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)

    if args.measure:
        part, rows, second = args.measure
        measure(part, int(rows), int(second), args)
        return
    flags = ["--data", args.data, *(["--quick"] if args.quick else [])]
    for part in args.part:
        for sizes in (QUICK if args.quick else SIZES)[part]:
            out = in_fresh_process(__file__, "--measure", part, *sizes, *flags)
            print(out, end="", flush=True)


def measure(part, n_rows, second, args):
    """Print what a part costs in this process, or why it cannot be run."""
    captions = args.data / "train.en.txt"
    if part == "sparse":
        if args.quick:
            measure_sparse(*made_captions(n_rows, second))
        elif captions.exists():
            measure_sparse(*caption_features(args.data, n_rows, second))
        else:
            print(
                f"sparse skipped: there is no {captions}. Pass as --data a folder with "
                "the first captions of task 2 of github.com/multi30k/dataset."
            )
    elif part == "stream":
        measure_stream(n_rows, second)
    elif find_spec("distributed") is None:
        print("dask skipped: distributed is not installed.")
    else:
        measure_dask(n_rows, second)


if __name__ == "__main__":
    main()
