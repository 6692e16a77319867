"""Are the p-values of every canonical correlation right, and what do they find?

Data sets with none, one or two real dimensions are made; each is tested by

simple       permuted rows, each correlation against the permuted one of its rank
stage-wise   Winkler et al. (2020): a dimension is tested on the variates from it on
skcrl        ``permutation_test``: that, without the earlier variates, and weighted

Of a dimension that is noise the table shows the share of p-values of at most 0.05,
which should be 0.05, and the p-value of a Kolmogorov-Smirnov test that they are
uniform; of one that is real, the share alone, which is power. "more" is the share of
data sets in which the step-down procedure finds more dimensions than there are.

    python benchmarks/permutation_power.py
"""

import argparse

import numpy as np
from scipy import stats

from skcrl.datasets import make_correlated_views
from skcrl.inspection import permutation_test

SHOWN = 3
SCENARIOS = ((), (0.3,), (0.5,), (0.7,), (0.9,), (0.9, 0.7))


def variates(X, y):
    """Canonical variates of two views of full rank, and their correlations."""
    qx, qy = (np.linalg.qr(view - view.mean(axis=0))[0] for view in (X, y))
    left, correlations, right = np.linalg.svd(qx.T @ qy)
    return qx @ left, qy @ right.T, correlations


def simple(X, y, n_permutations, rng):
    """P-values from all correlations of each permutation."""
    u, v, observed = variates(X, y)
    rows = rng.permuted(np.tile(np.arange(len(X)), (n_permutations, 1)), axis=1)
    permuted = np.linalg.svdvals(v.T @ u[rows])
    return (1 + (permuted >= observed).sum(axis=0)) / (1 + n_permutations)


def stage_wise(X, y, n_permutations, rng):
    """P-values from the largest correlation of the permuted variates k and later."""
    u, v, observed = variates(X, y)
    rows = rng.permuted(np.tile(np.arange(len(X)), (n_permutations, 1)), axis=1)
    inner = v.T @ u[rows]
    permuted = np.column_stack(
        [np.linalg.svdvals(inner[:, k:, k:])[:, 0] for k in range(len(observed))]
    )
    return (1 + (permuted >= observed).sum(axis=0)) / (1 + n_permutations)


def ours(X, y, n_permutations, rng):
    """P-values of ``permutation_test``."""
    seed = int(rng.integers(2**31))
    return permutation_test(
        X, y, n_permutations=n_permutations, random_state=seed
    ).pvalues


METHODS = {"simple": simple, "stage-wise": stage_wise, "skcrl": ours}


def print_row(name, pvalues, n_real):
    """One line of the table from p-values (data sets, dimensions)."""
    cells = []
    for k in range(SHOWN):
        share = np.mean(pvalues[:, k] <= 0.05)
        uniform = f" {stats.kstest(pvalues[:, k], 'uniform').pvalue:8.1e}"
        cells.append(f"{share:8.3f}" + (uniform if k >= n_real else " " * 9))
    adjusted = np.maximum.accumulate(pvalues, axis=1)
    more = np.mean(adjusted[:, n_real] <= 0.05)
    print(f"{name:12}" + "".join(cells) + f"{more:9.3f}", flush=True)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="of each kind")
    parser.add_argument("--permutations", type=int, default=499)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--features", type=int, nargs=2, default=(5, 5))
    args = parser.parse_args(argv)

    print(f"{args.sets} sets of {args.rows} rows, {args.features} features")
    header = "".join(f"{f'dim {k + 1}':>8}{'uniform':>9}" for k in range(SHOWN))
    for planted in SCENARIOS:
        print(f"\n{len(planted)} real dimensions {planted or ''}")
        print(f"{'':12}{header}{'more':>9}")
        pvalues = {name: [] for name in METHODS}
        for seed in range(args.sets):
            X, y = make_correlated_views(
                args.rows, *args.features, correlations=planted, random_state=seed
            )
            rng = np.random.default_rng(seed)
            for name, method in METHODS.items():
                pvalues[name].append(method(X, y, args.permutations, rng))
        for name in METHODS:
            print_row(name, np.array(pvalues[name]), len(planted))


if __name__ == "__main__":
    main()
