"""What does LinearCCA cost over covariances, Cholesky and SVD written bare?

Both are run in turn on one thread, in this process; the ratio is that of CPU times,
pair by pair. Memory is the peak above the data, by tracemalloc, in a run of its own.

    python benchmarks/linear_cca.py
"""

import argparse
import time
import tracemalloc

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from skcrl import LinearCCA
from skcrl.metrics import pearson_sum


def bare(X, Y, k, reg, block=4096):
    """Covariances in blocks, Cholesky, SVD: no checks, no rank rule, no decoder."""
    n, p = len(X), X.shape[1]
    mean_x, mean_y = X.mean(0), Y.mean(0)
    Sxx, Syy = np.zeros((p, p)), np.zeros((Y.shape[1], Y.shape[1]))
    Sxy = np.zeros((p, Y.shape[1]))
    for i in range(0, n, block):
        A, B = X[i : i + block] - mean_x, Y[i : i + block] - mean_y
        Sxx += A.T @ A
        Syy += B.T @ B
        Sxy += A.T @ B
    Lx = np.linalg.cholesky(Sxx / (n - 1) + reg * np.eye(p))
    Ly = np.linalg.cholesky(Syy / (n - 1) + reg * np.eye(len(Syy)))
    T = solve_triangular(Lx, Sxy / (n - 1), lower=True)
    T = solve_triangular(Ly, T.T, lower=True).T
    U, _, Vt = np.linalg.svd(T, full_matrices=False)
    return (
        mean_x,
        solve_triangular(Lx, U[:, :k], lower=True, trans=1),
        mean_y,
        solve_triangular(Ly, Vt[:k].T, lower=True, trans=1),
    )


def make_views(n, p, k, seed=0):
    """Two views of p features that share k factors."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, k))
    return tuple(
        shared @ rng.standard_normal((k, p)) + 3 * rng.standard_normal((n, p))
        for _ in range(2)
    )


def cpu_seconds(function):
    """CPU time of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def peak_mb(function):
    """Peak of what one call allocates, in MB."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--features", type=int, default=392, help="of each view")
    parser.add_argument("--repeats", type=int, default=11)
    args = parser.parse_args(argv)

    k, reg = min(50, args.features), 1e-4
    X, Y = make_views(args.rows, args.features, k)

    def ours():
        return LinearCCA(k, reg=reg).fit(X, Y)

    def reference():
        return bare(X, Y, k, reg)

    with threadpool_limits(1):
        mean_x, Wx, mean_y, Wy = reference()
        expected = pearson_sum((X - mean_x) @ Wx, (Y - mean_y) @ Wy)
        np.testing.assert_allclose(ours().score(X, Y), expected, rtol=1e-8)
        pairs = [
            (cpu_seconds(ours), cpu_seconds(reference)) for _ in range(args.repeats)
        ]
        memory = peak_mb(ours), peak_mb(reference)
    times = np.array(pairs)
    ratios = times[:, 0] / times[:, 1]
    print(f"{args.rows} rows, {args.features} + {args.features} features, k={k}")
    print(f"{'':12}{'CPU s':>8}{'MB':>8}")
    for i, name in enumerate(("LinearCCA", "bare")):
        print(f"{name:12}{np.median(times[:, i]):8.3f}{memory[i]:8.1f}")
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    print(f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
