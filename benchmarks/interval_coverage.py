"""How often do intervals of correlations hold the truth, and how wide are they?

Data sets with known population correlations are made; each is given

percentiles  of the correlations of resamples, the simplest bootstrap
skcrl        ``bootstrap_intervals``

For every component, the last of which is noise, the table shows the share of data sets
whose interval holds the population correlation, which should be 95 %, and the mean
width. The truth of penalised estimators is the correlation of the codes of each fitted
one on new samples, computed from its weights and the covariances of the population;
percentiles are those of the out-of-bag correlations there.

    python benchmarks/interval_coverage.py
"""

import argparse

import numpy as np

from skcrl import LinearCCA
from skcrl.inspection import bootstrap_intervals

FEATURES = 10
POPULATIONS = ((0.6,), (0.9, 0.5, 0.2))
NOISE = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "exponential": lambda rng, size: rng.exponential(size=size) - 1,
}


def make_views(rng, n, population, law="normal"):
    """Views whose first columns are the pairs of canonical variates."""
    X, y = NOISE[law](rng, (2, n, FEATURES))
    k, rho = len(population), np.array(population)
    y[:, :k] = rho * X[:, :k] + np.sqrt(1 - rho**2) * y[:, :k]
    return X, y


def canonical_correlations(X, y):
    """Of stacks of views, by the singular values of products of orthonormal bases."""
    qx, qy = (np.linalg.qr(v - v.mean(axis=-2, keepdims=True))[0] for v in (X, y))
    return np.linalg.svdvals(qx.mT @ qy)


def percentiles(X, y, n_components, n_resamples, rng):
    """Ends of the interval of the leading components: percentiles of resamples."""
    rows = rng.integers(0, len(X), (n_resamples, len(X)))
    r = canonical_correlations(X[rows], y[rows])[:, :n_components]
    return np.quantile(r, [0.025, 0.975], axis=0)


def held_out_percentiles(estimator, X, y, n_resamples, rng):
    """Ends of the interval of each component: percentiles out of bag."""
    r = []
    for _ in range(n_resamples):
        rows = rng.integers(0, len(X), len(X))
        out = np.setdiff1d(np.arange(len(X)), rows)
        Zx, Zy = estimator.fit(X[rows], y[rows]).transform_pair(X[out], y[out])
        r.append(np.corrcoef(Zx.T, Zy.T).diagonal(Zx.shape[1]))
    return np.quantile(r, [0.025, 0.975], axis=0)


def on_new_samples(fitted, population):
    """Correlations of the codes in the population, where features have variance 1."""
    covariance = np.zeros((FEATURES, FEATURES))
    np.fill_diagonal(covariance[: len(population), : len(population)], population)
    wx, wy = fitted.x_weights_, fitted.y_weights_
    scale = np.linalg.norm(wx, axis=0) * np.linalg.norm(wy, axis=0)
    return np.sum(wx * (covariance @ wy), axis=0) / scale


def print_row(name, truth, low, high):
    """One line of the table from arrays (data sets, components)."""
    covered = 100 * np.mean((low <= truth) & (truth <= high), axis=0)
    width = np.mean(high - low, axis=0)
    cells = zip(covered, width, strict=True)
    print(f"{name:12}" + "".join(f"{c:9.1f} %{w:7.3f}" for c, w in cells), flush=True)


def print_title(n, law, population, what, n_components):
    """Heading of a table."""
    print(f"\nn = {n}, {law}, population {(*population, 0)}: {what}")
    cells = "".join(f"{f'covers {k + 1}':>11}{'width':>7}" for k in range(n_components))
    print(f"{'':12}{cells}")


def print_outside(own):
    """Line below a table, from whether each interval holds its own estimate."""
    print(f"skcrl's estimates outside of their own interval: {np.sum(~np.array(own))}")


def of_population(n, population, law, n_sets, n_resamples):
    """Table of one kind of data set, for LinearCCA without a penalty to speak of."""
    k = len(population) + 1
    ends, own = {"percentiles": [], "skcrl": []}, []
    for seed in range(n_sets):
        rng = np.random.default_rng(seed)
        X, y = make_views(rng, n, population, law)
        ends["percentiles"].append(percentiles(X, y, k, n_resamples, rng))
        # Intervals of population correlations do not use the resamples.
        found = bootstrap_intervals(
            LinearCCA(k), X, y, n_resamples=2, random_state=seed
        )
        value, low, high = found.correlations
        ends["skcrl"].append((low, high))
        own.append((low <= value) & (value <= high))
    print_title(n, law, population, "correlations of the population", k)
    for name, pairs in ends.items():
        print_row(name, np.array([*population, 0]), *np.array(pairs).swapaxes(0, 1))
    print_outside(own)


def of_new_samples(n, population, estimator, n_sets, n_resamples):
    """Table of one kind of data set, for an estimator with a penalty."""
    k = estimator.n_components
    truth, own, ends = [], [], {"percentiles": [], "skcrl": []}
    for seed in range(n_sets):
        rng = np.random.default_rng(seed)
        X, y = make_views(rng, n, population)
        ends["percentiles"].append(
            held_out_percentiles(estimator, X, y, n_resamples, rng)
        )
        found = bootstrap_intervals(
            estimator, X, y, n_resamples=n_resamples, random_state=seed
        )
        value, low, high = found.correlations
        ends["skcrl"].append((low, high))
        own.append((low <= value) & (value <= high))
        truth.append(on_new_samples(estimator.fit(X, y), population))
    print_title(n, "normal", population, f"new samples, {estimator}", k)
    for name, pairs in ends.items():
        print_row(name, np.array(truth), *np.array(pairs).swapaxes(0, 1))
    print(f"true correlations, mean: {np.mean(truth, axis=0).round(3)}")
    print_outside(own)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="of each kind")
    parser.add_argument("--penalised-sets", type=int, default=200, help="of each kind")
    parser.add_argument("--resamples", type=int, default=50)
    parser.add_argument("--rows", type=int, nargs="+", default=(60, 100, 300))
    args = parser.parse_args(argv)

    print(f"{args.sets} sets of {FEATURES} + {FEATURES} features a table")
    for population in POPULATIONS:
        for n in args.rows:
            of_population(n, population, "normal", args.sets, args.resamples)
    for population in POPULATIONS:
        of_population(
            args.rows[-1], population, "exponential", args.sets, args.resamples
        )
    print(f"\n{args.penalised_sets} sets a table from here on")
    for population in POPULATIONS:
        estimator = LinearCCA(len(population) + 1, shrinkage=0.5)
        for n in args.rows:
            of_new_samples(
                n, population, estimator, args.penalised_sets, args.resamples
            )


if __name__ == "__main__":
    main()
