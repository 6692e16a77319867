"""Does permute= keep the level where rows hang together, and what does it find?

series    two columns a view of AR(1) with coefficient phi, exchanged freely and by
          cyclic shifts
subjects  20 subjects of 5 rows of two columns a view, which differ between subjects
          with deviation 1 and within with .2, exchanged freely, within subjects
          and by whole subjects

In each the views share nothing, or their first columns one factor of that kind
with correlation "real". The table shows the share of p-values of at most 0.05 of each
dimension, and of adjusted p-values of the second. Where nothing is real all
should be at most 0.05; behind a real first dimension those of the second should.

    python benchmarks/exchangeability.py
"""

import argparse

import numpy as np
from scipy.signal import lfilter

from skcrl.inspection import permutation_test

SUBJECT = np.repeat(np.arange(20), 5)


def series(rng, phi, n, real):
    """Views (n, 2) of stationary AR(1), and no groups."""
    noise = _correlated(rng, 200 + n, real)
    X, y = lfilter([1], [1, -phi], noise, axis=1)[:, 200:]
    return X, y


def subjects(rng, real):
    """Views (100, 2) of five rows a subject."""
    return _correlated(rng, 20, real)[:, SUBJECT] + 0.2 * rng.standard_normal(
        (2, 100, 2)
    )


def _correlated(rng, n, real):
    """White noise (2, n, 2) whose first columns have correlation `real`."""
    X, y = rng.standard_normal((2, n, 2))
    y[:, 0] = real * X[:, 0] + np.sqrt(1 - real**2) * y[:, 0]
    return np.stack([X, y])


def cases():
    """Name, function that makes views, and the designs to try, as parameters."""
    by_rows = {"rows": {}}
    by_shifts = {**by_rows, "shifts": {"permute": "shifts"}}
    by_groups = {
        **by_rows,
        **{p: {"groups": SUBJECT, "permute": p} for p in ("within", "whole")},
    }
    for real in (0.0, 0.8):
        for phi in (0.5, 0.9):
            for n in (100, 400):
                yield (
                    f"AR(1) {phi}, n={n}",
                    real,
                    lambda rng, phi=phi, n=n, real=real: series(rng, phi, n, real),
                    by_shifts,
                )
        yield (
            "20 subjects x 5",
            real,
            lambda rng, real=real: subjects(rng, real),
            by_groups,
        )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="of each kind")
    parser.add_argument("--permutations", type=int, default=99)
    args = parser.parse_args(argv)

    print(f"{args.sets} sets of each kind, {args.permutations} permutations")
    print(f"{'':20}{'real':>5}  {'permute':10}{'dim 1':>7}{'dim 2':>7}{'adj. 2':>8}")
    for name, real, make, designs in cases():
        for design, parameters in designs.items():
            small = np.zeros((args.sets, 3))
            for seed in range(args.sets):
                result = permutation_test(
                    *make(np.random.default_rng(seed)),
                    n_permutations=args.permutations,
                    random_state=seed,
                    **parameters,
                )
                p = [*result.pvalues, result.adjusted_pvalues[1]]
                small[seed] = np.array(p) <= 0.05
            shares = small.mean(axis=0)
            print(
                f"{name:20}{real:5}  {design:10}{shares[0]:7.3f}{shares[1]:7.3f}"
                f"{shares[2]:8.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
