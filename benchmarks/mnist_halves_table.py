"""What do the published tables on MNIST halves look like when each measure has a name?

Correlation and recognition for growing numbers of components k, beside the figures
published under the name "correlation" in the sources' tables (MUC2M, tables 1 and 5).
Those mix measures; ours are named.

    python benchmarks/mnist_halves_table.py
    python benchmarks/mnist_halves_table.py --train 10000 --only gap --weight 1e-3 0.1
    python benchmarks/mnist_halves_table.py --quick

The correlation gap has a row for each ``--weight`` of the correlations within a view;
below it stands what the smallest of them buys, and at what price.

Columns
-------
pearson   sum over dimensions of the Pearson correlation of test codes
within    mean over pairs of dimensions of their absolute correlation in one view
canonical total correlation of test codes under a CCA fitted on training codes
refitted  canonical correlations of the test codes themselves
rank      effective rank of the test codes of the left half
l->r, r->l  accuracy in percent of an SVM trained on the first half named, tested on the
          second, five contiguous folds of the test images
seconds   wall time of fit
published correlation and recognition in the sources
"""

import argparse
import time

import numpy as np

from skcrl import CorrNet, DeepCCA, LinearCCA, transfer_score
from skcrl.datasets import fetch_mnist_halves, load_digits_halves
from skcrl.metrics import (
    canonical_total,
    effective_rank,
    pearson_sum,
    refitted_canonical_total,
)

COMPONENTS = (50, 100, 200, 500, 1000)
HIDDEN = (500, 300)

# Correlation and recognition by number of components.
PUBLISHED = {
    "LinearCCA": {50: (28.3, 70), 100: (34.2, 70), 200: (48.7, 70), 500: (74.0, 70)},
    "CorrNet": {50: (44.5, 80)},
    "DeepCCA": {50: (29.5, 72), 100: (44.9,), 200: (59.0,), 500: (84.7,)},
    "DCCAE": {50: (29.3, 71), 100: (44.2, 75), 200: (58.1, 76), 500: (84.4, 79)},
    "NOI": {50: (46.4, 80), 100: (89.5, 80), 200: (166.1, 81), 500: (307.4, 82)},
    "Soft CCA": {
        50: (45.5, 82),
        100: (87.0, 84),
        200: (166.3, 85),
        500: (356.8, 86),
        1000: (437.7, 87),
    },
    "correlation gap": {
        50: (46.1, 87.1),
        100: (89.8, 88.3),
        200: (169.8, 88.8),
        500: (422.3, 90.1),
        1000: (638.2, 90.9),
    },
}

# Of the correlations within a view: the one that the published sums are reached with,
# and DeepCCA's own.
WEIGHTS = (1e-3, 0.1)

RANK_NOTE = f"""\
The published networks end in a layer from {HIDDEN[-1]} units to k outputs. These span
at most {HIDDEN[-1]} dimensions, so their canonical correlations add up to at most
{HIDDEN[-1]}: the figures above that (307.4, 356.8, 422.3, 437.7 and 638.2) cannot be
canonical. A sum of Pearson correlations counts a dimension as often as the outputs
repeat it; the rank beside it says how many there are."""


def methods(k, epochs, weights=WEIGHTS, lr=1e-3, batch=2048):
    """Estimators with the published dense networks; None where k is out of reach.

    CorrNet has one layer, as in its paper. Settings were chosen on the last 10,000
    training images; `lr` and `batch` are those of Soft CCA and the correlation gap.
    """
    common = {
        "hidden_layer_sizes": HIDDEN,
        "reg": 1e-4,
        "input_dropout": 0.0,
        "standardize": False,
        "max_epochs": epochs,
        "random_state": 0,
    }
    # With many components the trace norm fits the noise of its batches.
    full_rank = {"batch_size": 2000, **common}
    if k > 50:
        full_rank = {
            **common,
            "batch_size": 5000,
            "lr": 2e-3,
            "input_dropout": 0.2,
            "validation_fraction": 1 / 6,
            "early_stopping": True,
            "monitor": "score",
        }
    matched = {"batch_size": batch, "lr": lr, "closing_cca": False, **common}
    return {
        "LinearCCA": LinearCCA(k) if k <= 392 else None,
        "CorrNet": CorrNet.paper(k, max_epochs=epochs, random_state=0),
        "DeepCCA": DeepCCA(k, **full_rank) if k <= 200 else None,
        "DCCAE": (
            DeepCCA(k, reconstruction_weight=1e-2, **full_rank) if k <= 200 else None
        ),
        "NOI": DeepCCA(
            k,
            objective="noi",
            lr=3e-3,
            lr_schedule="one_cycle",
            **{**common, "batch_size": 2 * k, "max_epochs": -(-2 * epochs // 5)},
        ),
        "Soft CCA": DeepCCA(k, objective="soft", **matched),
        **{
            gap_name(weight): DeepCCA(
                k, objective="correlation_gap", decorrelation_weight=weight, **matched
            )
            for weight in sorted(weights)
        },
    }


def gap_name(weight):
    """Row of the correlation gap at a weight of the correlations within a view."""
    return f"gap, weight {weight:g}"


def load(quick, n_train):
    """Training and test views, and the test labels."""
    if quick:
        left, right, labels = load_digits_halves()
        train, test = slice(1000), slice(1000, None)
        return (left[train], right[train]), (left[test], right[test]), labels[test]
    m = fetch_mnist_halves()
    train = m.x_train[:n_train], m.y_train[:n_train]
    return train, (m.x_test, m.y_test), m.labels_test


def recognition(estimator, test, labels):
    """Accuracy in percent of a classifier moved from one half to the other."""
    return [
        100 * transfer_score(estimator, *test, labels, **views).mean()
        for views in (
            {"fit_view": "x", "predict_view": "y"},
            {"fit_view": "y", "predict_view": "x"},
        )
    ]


def within_views(codes):
    """Mean absolute correlation of two dimensions of a view, over both views."""
    k = codes[0].shape[1]
    of_pairs = np.triu_indices(k, 1)
    with np.errstate(invalid="ignore"):  # of dead units
        correlations = [np.corrcoef(code, rowvar=False)[of_pairs] for code in codes]
    return np.nanmean(np.abs(correlations))


def say_what_the_weight_buys(k, found):
    """Print what the smallest weight does beside the largest."""
    high, low = max(found), min(found)
    changes = (
        f"{what} from {before:{spec}} to {after:{spec}}"
        for what, before, after, spec in zip(
            ("the sum", "the correlation within a view", "recognition"),
            found[high],
            found[low],
            (".1f", ".3f", ".1f"),
            strict=True,
        )
    )
    print(f"k={k}: weight {low:g} in place of {high:g} takes", ", ".join(changes))


def measure(estimator, train, test, labels):
    """Fit, and return one number for each column; without labels no recognition."""
    start = time.perf_counter()
    estimator.fit(*train)
    seconds = time.perf_counter() - start
    codes, train_codes = (estimator.transform_pair(*views) for views in (test, train))
    return (
        pearson_sum(*codes),
        within_views(codes),
        canonical_total(*codes, *train_codes),
        refitted_canonical_total(*codes),
        effective_rank(codes[0]),
        *((np.nan, np.nan) if labels is None else recognition(estimator, test, labels)),
        seconds,
    )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--components", type=int, nargs="+", default=COMPONENTS)
    parser.add_argument("--train", type=int, default=60_000, help="training images")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(
        "--weight",
        type=float,
        nargs="+",
        default=WEIGHTS,
        help="of the correlations within a view, a row of the correlation gap for each",
    )
    of_both = "of Soft CCA and the correlation gap"
    parser.add_argument("--lr", type=float, default=1e-3, help=f"rate {of_both}")
    parser.add_argument("--batch", type=int, default=2048, help=f"rows {of_both}")
    parser.add_argument("--only", default="", help="methods whose name holds this text")
    parser.add_argument(
        "--correlation", action="store_true", help="leave recognition out: it is slow"
    )
    parser.add_argument("--quick", action="store_true", help="small digits, k = 8")
    args = parser.parse_args(argv)

    train, test, labels = load(args.quick, args.train)
    if args.correlation:
        labels = None
    components = (8,) if args.quick else args.components
    print(f"{len(train[0])} training pairs, {len(test[0])} test pairs")
    print(
        f"{'':18}{'k':>5}{'pearson':>9}{'within':>8}{'canonical':>10}{'refitted':>9}"
        f"{'rank':>7}{'l->r':>7}{'r->l':>7}{'seconds':>8}   published"
    )
    for k in components:
        gaps = {gap_name(weight): weight for weight in args.weight}
        found = {}
        rows = methods(k, args.epochs, args.weight, args.lr, args.batch)
        for name, estimator in rows.items():
            if estimator is None or args.only not in name:
                continue
            pearson, within, canonical, refitted, rank, lr, rl, seconds = measure(
                estimator, train, test, labels
            )
            of_paper = PUBLISHED["correlation gap" if name in gaps else name]
            published = " / ".join(map(str, of_paper.get(k, ())))
            print(
                f"{name:18}{k:5}{pearson:9.1f}{within:8.3f}{canonical:10.1f}"
                f"{refitted:9.1f}{rank:7.1f}{lr:7.1f}{rl:7.1f}{seconds:8.0f}"
                f"   {published}",
                flush=True,
            )
            if name in gaps:
                found[gaps[name]] = pearson, within, (lr + rl) / 2
        if len(found) > 1 and labels is not None:
            say_what_the_weight_buys(k, found)
    print(f"\n{RANK_NOTE}")


if __name__ == "__main__":
    main()
