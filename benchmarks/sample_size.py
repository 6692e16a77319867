"""Are the samples that ``sample_size`` asks for the ones that data sets take?

In each setting the size at which a share of the data sets meets the target is searched
for by doubling and halving, with data sets made row by row, their columns mixed by a
random matrix, tested by ``multivariate_tests`` and fitted by ``LinearCCA``. None of
this is shared with ``sample_size``. The ratio of its answer to the one that was
searched for should be within 15 % of 1.

    python benchmarks/sample_size.py
"""

import argparse
from functools import partial
from time import process_time

import numpy as np

from skcrl import LinearCCA
from skcrl.inspection import multivariate_tests, sample_size

# Columns of both views, population correlations, degrees.
SETTINGS = (
    (5, 5, (0.3,), 30),
    (5, 5, (0.5,), 20),
    (5, 5, (0.8,), 15),
    (10, 10, (0.3,), 30),
    (10, 10, (0.5,), 30),
    (10, 10, (0.7,), 15),
    (20, 10, (0.3,), 40),
    (20, 10, (0.5,), 30),
    (3, 15, (0.4,), 25),
    (30, 30, (0.4,), 45),
    (10, 10, (0.6, 0.3), 30),
    (2, 40, (0.5,), 40),
)
POWER, ALPHA = 0.8, 0.05


def made(n, p, q, correlations, rng):
    """Two views with these correlations, and the matrices that mixed their columns."""
    k, rho = len(correlations), np.array(correlations)
    X, y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
    y[:, :k] = rho * X[:, :k] + np.sqrt(1 - rho**2) * y[:, :k]
    A, B = rng.standard_normal((p, p)), rng.standard_normal((q, q))
    return X @ A, y @ B, A, B


def off(mixed, weights):
    """Degrees between the weights, of columns that are not mixed, and the first."""
    w = mixed @ weights[:, 0]
    return np.degrees(np.arccos(min(1.0, abs(w[0]) / np.linalg.norm(w))))


def is_found(p, q, correlations, rng, n):
    """Whether the test of one data set is significant."""
    X, y, _, _ = made(n, p, q, correlations, rng)
    return multivariate_tests(X, y).wilks.pvalue <= ALPHA


def is_right(p, q, correlations, angle, rng, n):
    """Whether the weights of one data set are within the angle."""
    X, y, A, B = made(n, p, q, correlations, rng)
    cca = LinearCCA(1, reg=0).fit(X, y)
    return max(off(A, cca.x_weights_), off(B, cca.y_weights_)) <= angle


def searched(is_met, least, n_sets, tolerance):
    """Size at which POWER of the data sets meet the target."""

    def share(n, n_sets):
        return np.mean([is_met(n) for _ in range(n_sets)])

    low = high = least
    while share(high, n_sets // 4) < POWER:
        low, high = high, 2 * high
    while high - low > max(1, tolerance * low):
        middle = round(np.sqrt(low * high))
        if share(middle, n_sets) < POWER:
            low = middle
        else:
            high = middle
    return high


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000, help="of each size")
    parser.add_argument("--tolerance", type=float, default=0.02, help="of the search")
    parser.add_argument("--settings", type=int, default=len(SETTINGS))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    print(f"power {POWER:g}, alpha {ALPHA:g}, {args.sets} data sets of each size")
    print(
        f"{'columns':>9}{'correlation':>13}{'power: n':>10}{'searched':>10}{'ratio':>7}"
        f"{'angle':>7}{'n':>7}{'searched':>10}{'ratio':>7}{'CPU s':>7}{'s':>6}"
    )
    ratios = []
    for i, (p, q, correlations, angle) in enumerate(SETTINGS[: args.settings]):
        start = process_time()
        asked = sample_size(
            p, q, correlations, power=POWER, alpha=ALPHA, angle=angle, random_state=0
        )
        middle = process_time()
        rng = np.random.default_rng([args.seed, i])
        truth = [
            searched(is_met, p + q + 2, args.sets, args.tolerance)
            for is_met in (
                partial(is_found, p, q, correlations, rng),
                partial(is_right, p, q, correlations, angle, rng),
            )
        ]
        ratios += [asked.n_power / truth[0], asked.n_angle / truth[1]]
        print(
            f"{f'{p} + {q}':>9}{', '.join(map(str, correlations)):>13}"
            f"{asked.n_power:10}{truth[0]:10}{ratios[-2]:7.2f}"
            f"{angle:6}°{asked.n_angle:7}{truth[1]:10}{ratios[-1]:7.2f}"
            f"{middle - start:7.1f}{process_time() - middle:6.0f}",
            flush=True,
        )
    worst = max(abs(np.array(ratios) - 1))
    print(f"\nFurthest from 1: {100 * worst:.0f} %")


if __name__ == "__main__":
    main()
