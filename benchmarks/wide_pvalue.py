"""Is the held-out p-value right where in-sample correlations are 1 whatever the data?

Data sets of 40 rows and 200 + 200 columns that share nothing, and others that share one
factor of the given loading a column, are tested by ``held_out_permutation_test`` with
``LinearCCA(1, shrinkage=0.5)``. P-values are multiples of 1 / (permutations + 1). For
the Kolmogorov-Smirnov test ties are broken at random: a uniform number of that
width is taken off each, which makes exact p-values uniform from 0 to 1.

    python benchmarks/wide_pvalue.py
"""

import argparse
import time

import numpy as np
from scipy import stats

from skcrl import LinearCCA
from skcrl.inspection import held_out_permutation_test

LOADINGS = (0.0, 0.1, 0.2, 0.3)


def pvalue(loading, args, seed):
    """P-value of one data set of a shared factor of that loading."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((2, args.rows, args.features))
    factor = rng.standard_normal((args.rows, 1))
    return held_out_permutation_test(
        LinearCCA(1, shrinkage=0.5),
        X + loading * factor,
        y + loading * factor,
        cv=args.folds,
        n_permutations=args.permutations,
        random_state=seed,
    ).pvalue


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="that share nothing")
    parser.add_argument("--planted", type=int, default=100, help="of each loading")
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--features", type=int, default=200)
    args = parser.parse_args(argv)

    print(f"{args.rows} rows, {args.features} + {args.features} columns")
    print(f"{args.folds} folds, {args.permutations} permutations")
    header = f"{'p <= .05':>10}{'p <= .2':>9}{'KS p':>8}{'s/set':>7}"
    print(f"{'loading':>8}{'sets':>6}{header}")
    for loading in LOADINGS:
        n_sets = args.planted if loading else args.sets
        start = time.perf_counter()
        p = np.array([pvalue(loading, args, seed) for seed in range(n_sets)])
        seconds = (time.perf_counter() - start) / n_sets
        untied = p - np.random.default_rng(0).random(n_sets) / (args.permutations + 1)
        uniform = stats.kstest(untied, "uniform").pvalue
        shares = f"{np.mean(p <= 0.05):10.3f}{np.mean(p <= 0.2):9.3f}"
        print(f"{loading:8}{n_sets:6}{shares}{uniform:8.3f}{seconds:7.2f}", flush=True)


if __name__ == "__main__":
    main()
