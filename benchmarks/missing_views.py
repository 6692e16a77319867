"""Does training on unpaired rows help to fill in the view they miss?

Halves of digits; 30 % of the training images have lost one half. Each method fills
in the halves that are missing. The error is the squared error of the halves filled in,
as a share of what filling in the mean costs.

    python benchmarks/missing_views.py --seeds 5

Rows
----
mean                 the mean of the halves that are there
regression           linear regression from the other half, fitted to complete rows
complete rows alone  the estimator named, without the unpaired rows
all rows             the same, trained on the unpaired rows too
"""

import argparse

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from skcrl import CorrNet, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import load_digits_halves


def methods(epochs):
    """Estimators that train on unpaired rows."""
    common = {
        "optimizer": "adam",
        "lr": 1e-3,
        "weight_decay": 0.0,
        "standardize": False,
        "batch_size": 50,
        "max_epochs": epochs,
    }
    return {
        "CorrNet": CorrNet(
            32,
            hidden_layer_sizes=(256,),
            activation="relu",
            decoder="mirrored",
            correlation_weight=0.1,
            **common,
        ),
        "MultimodalAutoencoder": MultimodalAutoencoder(
            32, hidden_layer_sizes=(256,), activation="relu", **common
        ),
        "TiedBidirectional": TiedBidirectional(
            32, hidden_layer_sizes=(256,), activation="relu", **common
        ),
    }


def with_gaps(views, share, rng):
    """The views with one of the two lost in a share of the rows, and which it was."""
    X, y = (view.copy() for view in views)
    lost = rng.choice(len(X), round(share * len(X)), replace=False)
    lost_x, lost_y = np.array_split(lost, 2)
    X[lost_x], y[lost_y] = np.nan, np.nan
    return X, y, lost_x, lost_y


def errors(views, share, seed, epochs):
    """Error of each method for one choice of gaps."""
    X, y, lost_x, lost_y = with_gaps(views, share, np.random.default_rng(seed))
    complete = np.setdiff1d(np.arange(len(X)), np.r_[lost_x, lost_y])

    def error(fill_x, fill_y):
        def squares(fill_x, fill_y):
            return np.sum((views[0][lost_x] - fill_x) ** 2) + np.sum(
                (views[1][lost_y] - fill_y) ** 2
            )

        means = np.nanmean(X, axis=0), np.nanmean(y, axis=0)
        return squares(fill_x, fill_y) / squares(*means)

    to_x = LinearRegression().fit(y[complete], X[complete])
    to_y = LinearRegression().fit(X[complete], y[complete])
    found = {
        "mean": 1.0,
        "regression": error(to_x.predict(y[lost_x]), to_y.predict(X[lost_y])),
    }
    for name, estimator in methods(epochs).items():
        estimator = clone(estimator).set_params(random_state=seed)
        for rows, label in (
            (complete, "complete rows alone"),
            (slice(None), "all rows"),
        ):
            X_full, y_full = estimator.fit(X[rows], y[rows]).impute(X, y)
            found[f"{name}, {label}"] = error(X_full[lost_x], y_full[lost_y])
    return found


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="choices of gaps")
    parser.add_argument("--share", type=float, default=0.3, help="of rows with a gap")
    parser.add_argument("--epochs", type=int, default=100)
    args = parser.parse_args(argv)

    left, right, _ = load_digits_halves()
    runs = [
        errors((left, right), args.share, seed, args.epochs)
        for seed in range(args.seeds)
    ]
    print(f"{len(left)} digits, {args.share:.0%} of them without one half")
    print(f"{'':44}error, 95 % interval of {args.seeds} choices of gaps")
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        half = (
            stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
            if len(values) > 1
            else 0.0
        )
        print(f"{name:44}{values.mean():.3f} ±{half:.3f}")


if __name__ == "__main__":
    main()
