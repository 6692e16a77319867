"""Do deep estimators train at their defaults, whatever the size and units of the data?

Linear factors: two views of the same normal factors and as much noise, for which
linear CCA is the best there is. The table has the held-out score of each estimator as a
share of LinearCCA's, or of LinearCCA(shrinkage=0.5)'s where columns outnumber rows. The
codes of TiedBidirectional's two views are not meant to be alike: its figure is the
share that it explains of one view by the other, here and below.

Raw units: views of wine and of breast cancer, whose columns differ by a factor of a
thousand or more, and of time stamps, 1.7e9 seconds and more from zero, against the same
with StandardScaler in front of estimators that leave views as they come.

Pictures: held-out scores of halves of digits and seconds of CPU, at the defaults and at
those before version 0.1 had `standardize` and chose its own steps; with --mnist, of
halves of MNIST, 60,000 rows of which are trained on.

    python benchmarks/deep_defaults.py
    python benchmarks/deep_defaults.py --mnist
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    make_view_pipeline,
)
from skcrl.datasets import fetch_mnist_halves, load_digits_halves

KINDS = DeepCCA, CCALRanker, CorrNet, MultimodalAutoencoder, TiedBidirectional
# What the defaults were, where they were others.
OLD = {
    DeepCCA: {"reg": 1e-4, "input_dropout": 0.0, "batch_size": 2000, "max_epochs": 30},
    CCALRanker: {
        "activation": "relu",
        "reg": 1e-3,
        "lr": 1e-3,
        "input_dropout": 0.0,
        "batch_size": 1000,
        "max_epochs": 30,
    },
    CorrNet: {
        "correlation_weight": 2.0,
        "lr": 1e-3,
        "weight_decay": 0.0,
        "max_epochs": 40,
    },
    MultimodalAutoencoder: {"lr": 1e-3, "weight_decay": 0.0, "max_epochs": 40},
    TiedBidirectional: {
        "hidden_layer_sizes": (200,),
        "activation": "tanh",
        "dropout": 0.2,
        "input_dropout": 0.0,
        "optimizer": "nesterov",
        "lr": 0.1,
        "batch_size": 128,
        "max_epochs": 40,
    },
}
N_TEST = 2000
N_FACTORS = 3
# Rows, columns of either view.
SIZES = (200, 20, 15), (2000, 20, 15), (20_000, 20, 15), (150, 200, 200)


def linear_factors(n, p, q, seed):
    """Two views of the same factors: training rows, and N_TEST others."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n + N_TEST, N_FACTORS))
    views = (
        Z @ rng.standard_normal((N_FACTORS, d)) + rng.standard_normal((len(Z), d))
        for d in (p, q)
    )
    return tuple(zip(*((view[:n], view[n:]) for view in views), strict=True))


def figure(kind, estimator, X, y):
    """Held-out score, or how well the views tell each other."""
    if kind is TiedBidirectional:
        return explained(estimator, X, y)
    return estimator.score(X, y)


def explained(estimator, X, y):
    """Mean share of the variance of one view that is reconstructed from the other."""
    return (
        r2_score(y, estimator.reconstruct(X, to="y"))
        + r2_score(X, estimator.reconstruct(None, y, to="x"))
    ) / 2


def fitted(estimator, train):
    """The estimator, fitted, with its seconds of CPU and the names of its warnings."""
    begin = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(*train)
    names = sorted({warning.category.__name__ for warning in caught})
    return estimator, time.process_time() - begin, " ".join(names)


def print_linear_factors(seeds, sizes=SIZES):
    """Figures as shares of those of linear CCA."""
    for n, p, q in sizes:
        reference = LinearCCA(N_FACTORS, shrinkage=0.5 if p > n else 0.0)
        print(f"\n{n} rows of {p} and {q} columns, shares of {reference}")
        for kind in KINDS:
            shares, seconds, warned = [], [], set()
            for seed in range(seeds):
                train, test = linear_factors(n, p, q, seed)
                linear = clone(reference).fit(*train)
                est, spent, names = fitted(kind(N_FACTORS, random_state=seed), train)
                shares.append(figure(kind, est, *test) / figure(kind, linear, *test))
                seconds.append(spent)
                warned |= {names}
            print(
                f"{kind.__name__:22}" + "".join(f"{share:7.3f}" for share in shares),
                f"{np.mean(seconds):6.1f} s  {' '.join(sorted(warned))}",
                flush=True,
            )


def raw_units():
    """Names of data sets, and their two views in the units that they come in."""
    for load in (load_wine, load_breast_cancer):
        X = load().data
        half = X.shape[1] // 2
        yield load.__name__.removeprefix("load_"), X[:, :half], X[:, half:]
    (X, y), _ = linear_factors(500, 5, 5, 0)
    yield "time stamps", 1.7e9 + 3600 * X, 1.7e9 + 86_400 * y


def print_raw_units():
    """Figures on raw units, and behind StandardScaler."""
    print(f"\n{'raw units':40}{'raw':>7}{'scaled':>8}")
    for name, X, y in raw_units():
        rows = np.random.default_rng(0).permutation(len(X))
        train, test = np.array_split(rows, 2)
        for kind in KINDS:
            raw = kind(2, random_state=0)
            plain = kind(2, standardize=False, random_state=0)
            scaled = make_view_pipeline(plain, x=StandardScaler(), y=StandardScaler())
            (raw, _, names), (scaled, _, _) = (
                fitted(est, (X[train], y[train])) for est in (raw, scaled)
            )
            scores = (figure(kind, est, X[test], y[test]) for est in (raw, scaled))
            print(
                f"{name:16}{kind.__name__:24}"
                + "".join(f"{score:8.2f}" for score in scores),
                names,
                flush=True,
            )


def digits():
    """Halves of 1,000 digits in [0, 1] to train on, and of 797 others."""
    left, right, _ = load_digits_halves()
    left, right = left / 16, right / 16
    return (left[:1000], right[:1000]), (left[1000:], right[1000:])


def mnist():
    """Halves of 60,000 images to train on, and of 10,000 others."""
    m = fetch_mnist_halves()
    return (m.x_train, m.y_train), (m.x_test, m.y_test)


def print_pictures(name, train, test, n_components=10):
    """Scores and seconds at the defaults of now and of before."""
    print(f"\n{name:24}{'now':>8}{'':14}{'before':>8}")
    for kind in KINDS[:-1]:
        cells = []
        for options in ({}, {"standardize": False, "tol": 0, **OLD[kind]}):
            est, spent, _ = fitted(kind(n_components, random_state=0, **options), train)
            cells.append(f"{est.score(*test):8.2f}{spent:8.1f} s")
        print(f"{kind.__name__:24}{'    '.join(cells)}", flush=True)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="of each size")
    parser.add_argument("--quick", action="store_true", help="the smallest size alone")
    parser.add_argument("--mnist", action="store_true", help="MNIST alone")
    args = parser.parse_args(argv)

    if args.mnist:
        print_pictures("MNIST", *mnist())
        return
    print_linear_factors(args.seeds, SIZES[:1] if args.quick else SIZES)
    if args.quick:
        return
    print_raw_units()
    print_pictures("digits", *digits())


if __name__ == "__main__":
    main()
