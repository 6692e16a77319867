"""Does a test with covariates find noise as often as it says, and what is real?

Views of two columns depend on six covariates, twice as much as they vary otherwise.

rows      40 free rows
heavy     the same, with errors of Student's t of 3 degrees of freedom
one view  the same as rows, where the covariates are taken out of X alone
within    12 sites of 5 rows, which differ between sites
whole     20 subjects of 5 rows, which differ between subjects with deviation 1 and
          within with .2; three covariates are of subjects, three differ within them too
series    the same, where rows of a subject are AR(1) with coefficient .8 and deviation
          1 around its own

In each the views share nothing else, or their first columns one factor of that kind
with correlation "real". The table shows the share of p-values of at most 0.05 of each
dimension, and of adjusted p-values of the second, by `covariates=` and by residuals of
least squares, permuted as if they were data. Where nothing is real all should be at
most 0.05; behind a real first dimension those of the second should.

    python benchmarks/covariates.py
"""

import argparse

import numpy as np
from scipy.signal import lfilter

from skcrl.inspection import permutation_test

SITE, SUBJECT = np.repeat(np.arange(12), 5), np.repeat(np.arange(20), 5)


def rows(rng, real):
    """Errors and covariates of 40 rows."""
    return _correlated(rng.standard_normal((2, 40, 2)), real), _covariates(rng, 40)


def heavy(rng, real):
    """Errors of heavy tails, and covariates of 40 rows."""
    return _correlated(rng.standard_t(3, (2, 40, 2)), real), _covariates(rng, 40)


def within(rng, real):
    """Errors and covariates of sites that differ in both."""
    errors = _correlated(rng.standard_normal((2, 60, 2)), real)
    errors += 2 * rng.standard_normal((2, 12, 2))[:, SITE]
    return errors, _covariates(rng, 60) + _covariates(rng, 12)[SITE]


def whole(rng, real):
    """Errors and covariates of subjects, whose rows hang together alike."""
    errors = _correlated(rng.standard_normal((2, 20, 2)), real)[:, SUBJECT]
    return errors + 0.2 * rng.standard_normal((2, 100, 2)), _of_subjects(rng)


def series(rng, real):
    """Errors and covariates of subjects, whose rows hang together with neighbours."""
    noise = rng.standard_normal((2, 20, 25, 2))
    errors = _correlated(rng.standard_normal((2, 20, 2)), real)[:, SUBJECT]
    steps = 0.6 * lfilter([1], [1, -0.8], noise, axis=2)[:, :, 20:]
    return errors + steps.reshape(2, 100, 2), _of_subjects(rng)


def _of_subjects(rng):
    covariates = _covariates(rng, 20)[SUBJECT]
    covariates[:, 3:] += rng.standard_normal((100, 3))
    return covariates


def _covariates(rng, n):
    return rng.standard_normal((n, 6))


def _correlated(errors, real):
    """Errors (2, n, 2) whose first columns get correlation `real`."""
    X, y = errors
    y[:, 0] = real * X[:, 0] + np.sqrt(1 - real**2) * y[:, 0]
    return errors


def confounded(make, rng, real):
    """Views that depend on covariates as well, and these."""
    errors, covariates = make(rng, real)
    X, y = errors + 2 * covariates @ rng.standard_normal((2, 6, 2))
    return X, y, covariates


def by_covariates(X, y, covariates, **parameters):
    """The test with its own `covariates`."""
    return permutation_test(X, y, covariates=covariates, **parameters)


def by_residuals(X, y, covariates, adjust="both", **parameters):
    """The test of residuals, as if they were data."""
    Z = np.column_stack([np.ones(len(X)), covariates])
    X = X - Z @ np.linalg.lstsq(Z, X)[0]
    if adjust == "both":
        y = y - Z @ np.linalg.lstsq(Z, y)[0]
    return permutation_test(X, y, **parameters)


# Name to the function that makes errors and covariates, and the design.
CASES = {
    "rows": (rows, {}),
    "heavy": (heavy, {}),
    "one view": (rows, {"adjust": "x"}),
    "within": (within, {"groups": SITE}),
    "whole": (whole, {"groups": SUBJECT, "permute": "whole"}),
    "series": (series, {"groups": SUBJECT, "permute": "whole"}),
}


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000, help="of each kind")
    parser.add_argument("--permutations", type=int, default=199)
    args = parser.parse_args(argv)

    print(f"{args.sets} sets of each kind, {args.permutations} permutations")
    print(f"{'':10}{'real':>5}  {'test':12}{'dim 1':>7}{'dim 2':>7}{'adj. 2':>8}")
    for name, (make, design) in CASES.items():
        for real in (0.0, 0.9):
            for test in (by_covariates, by_residuals):
                small = np.zeros((args.sets, 3))
                for seed in range(args.sets):
                    result = test(
                        *confounded(make, np.random.default_rng(seed), real),
                        n_permutations=args.permutations,
                        random_state=seed,
                        **design,
                    )
                    p = [*result.pvalues, result.adjusted_pvalues[1]]
                    small[seed] = np.array(p) <= 0.05
                shares = small.mean(axis=0)
                print(
                    f"{name:10}{real:5}  {test.__name__[3:]:12}{shares[0]:7.3f}"
                    f"{shares[1]:7.3f}{shares[2]:8.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
