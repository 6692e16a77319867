"""Can a classifier trained on left halves of digits read right halves?

Each method learns a common space of the two halves without labels. A LinearSVC is then
trained on the codes of one half and tested on those of the other, over five contiguous
folds of held-out images; each half is reconstructed from the other. The first row needs
no common space: it trains and tests on the pixels of the left, then of the right half.

    python benchmarks/transfer_halves.py --data digits
    python benchmarks/transfer_halves.py --data mnist --seeds 5 --csv out/mnist.csv
    python benchmarks/transfer_halves.py --losses

With ``--losses`` the rows are the Deep CorrNet of the blog post, on four losses: L1
reconstructs both halves from both, L2 and L3 reconstruct both from the left and from
the right alone, and L4 is the correlation. That is what the post's code does; its text
has L1 reconstruct each half from itself. The last row stacks greedily: each layer is
first a CorrNet of its own, of the codes of the one before it, and then all of them are
trained on, by L2+L3-L4.

Columns
-------
pearson   sum over dimensions of the Pearson correlation of test codes (CorrNet)
canonical total correlation of test codes under a CCA fitted on training codes (DCCA)
rank      effective rank of the test codes of the left half
l->r, r->l  accuracy in percent, trained on the first half named, tested on the second
error     squared error of each half reconstructed from the other, by its variance
seconds   wall time of fit
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score
from sklearn.svm import LinearSVC
from torch import nn

from skcrl import CorrNet, DeepCCA, KernelCCA, LinearCCA, transfer_score
from skcrl.datasets import fetch_mnist_halves, load_digits_halves
from skcrl.deep.augment import RandomShift
from skcrl.metrics import (
    canonical_total,
    effective_rank,
    pearson_sum,
    reconstruction_error,
)

COLUMNS = ("pearson", "canonical", "rank", "l->r", "r->l", "error", "seconds")

# Terms and share of the correlation of each loss.
LOSSES = {
    "L1+L2+L3-L4": (("joint", "from_x", "from_y"), 1),
    "L2+L3-L4": (("from_x", "from_y"), 1),
    "L1+L2+L3": (("joint", "from_x", "from_y"), 0),
    "L2+L3": (("from_x", "from_y"), 0),
}

# Chosen on the last 10,000 training images, like the networks below.
SHIFTED = {
    "augment": RandomShift((28, 14), (28, 14)),
    "lr": 3e-3,
    "lr_schedule": "one_cycle",
    "max_epochs": 20,
    "reg": 1e-4,
}


def seeded(make, seed):
    """A network whose weights torch draws from `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def dense_net():
    """The dense network of the other methods."""
    return nn.Sequential(
        nn.Linear(392, 500),
        nn.ReLU(),
        nn.Linear(500, 300),
        nn.ReLU(),
        nn.Linear(300, 50),
    )


def conv_net():
    """Two layers of convolutions and one hidden layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 14)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 3, 200),
        nn.ReLU(),
        nn.Linear(200, 50),
    )


def mnist_methods():
    """Methods at the settings of their papers; DeepCCA with the same dense nets."""
    dense, conv = (
        {f"{side}_encoder": seeded(net, seed) for seed, side in enumerate("xy")}
        for net in (dense_net, conv_net)
    )
    return {
        "LinearCCA": LinearCCA(50),
        # Width and ridge chosen on the last 10,000 training images.
        "KernelCCA, Nyström": KernelCCA(
            50,
            gamma=0.03,
            reg=3e-5,
            approximation="nystroem",
            approximation_size=2000,
        ),
        "CorrNet (paper)": CorrNet.paper(),
        "CorrNet, no correlation": CorrNet.paper(correlation_weight=0.0),
        "Deep CorrNet (blog)": CorrNet.blog(),
        "DeepCCA": DeepCCA(50),
        "DeepCCA, shifted": DeepCCA(50, **dense, batch_size=2000, **SHIFTED),
        "DeepCCA, conv, shifted": DeepCCA(50, **conv, batch_size=1000, **SHIFTED),
    }


def digits_methods():
    """The same methods with nets for halves of 32 pixels and 1,000 images."""
    shallow = {"lr": 0.02, "batch_size": 50, "max_epochs": 100}
    deep = {"lr": 3e-3, "batch_size": 20, "max_epochs": 100}
    return {
        "LinearCCA": LinearCCA(20),
        # Width and ridge chosen on the last 200 training images.
        "KernelCCA": KernelCCA(20, gamma=0.5, reg=1e-3),
        "CorrNet (paper)": CorrNet.paper(20, **shallow, correlation_weight=1.0),
        "CorrNet, no correlation": CorrNet.paper(20, **shallow, correlation_weight=0.0),
        "Deep CorrNet (blog)": CorrNet.blog(
            20, **deep, hidden_layer_sizes=(128,), correlation_weight=0.1 / 16
        ),
        "DeepCCA": DeepCCA(
            20,
            hidden_layer_sizes=(128, 64),
            reg=1e-4,
            input_dropout=0.0,
            lr=2e-3,
            standardize=False,
            batch_size=250,
            max_epochs=50,
        ),
    }


def by_loss(deep):
    """The same network trained on each of LOSSES, and stacked."""
    methods = {
        name: clone(deep).set_params(
            terms=terms, correlation_weight=share * deep.correlation_weight
        )
        for name, (terms, share) in LOSSES.items()
    }
    return {**methods, "L2+L3-L4, stacked": Stacked(**deep.get_params())}


class Stacked(CorrNet):
    """Deep CorrNet whose layers are first shallow CorrNets, one on top of another."""

    def fit(self, X, y):
        """Fit layer after layer, then all together."""
        params = {**self.get_params(), "hidden_layer_sizes": ()}
        views, stacks = (X, y), {"x_encoder": [], "y_encoder": []}
        for width in (*self.hidden_layer_sizes, self.n_components):
            layer = CorrNet(**params).set_params(n_components=width).fit(*views)
            for side, stack in stacks.items():
                stack.append(layer.view(side[0]).module())
            views = layer.transform_pair(*views)
        encoders = {side: nn.Sequential(*stack) for side, stack in stacks.items()}
        whole = CorrNet(**params).set_params(**encoders).fit(X, y)
        self.__dict__ = whole.__dict__
        return self


def load(data, n_train):
    """Training and test views, and the test labels."""
    if data == "mnist":
        m = fetch_mnist_halves()
        train = m.x_train[:n_train], m.y_train[:n_train]
        return train, (m.x_test, m.y_test), m.labels_test
    left, right, labels = load_digits_halves()
    n_train = n_train or 1000
    return (
        (left[:n_train], right[:n_train]),
        (left[n_train:], right[n_train:]),
        labels[n_train:],
    )


def measure(estimator, train, test, labels):
    """Fit, and return one number for each of COLUMNS."""
    start = time.perf_counter()
    estimator.fit(*train)
    seconds = time.perf_counter() - start
    codes, train_codes = (estimator.transform_pair(*views) for views in (test, train))
    left, right = test
    return (
        pearson_sum(*codes),
        canonical_total(*codes, *train_codes),
        effective_rank(codes[0]),
        *(
            100 * transfer_score(estimator, *test, labels, **views).mean()
            for views in (
                {"fit_view": "x", "predict_view": "y"},
                {"fit_view": "y", "predict_view": "x"},
            )
        ),
        np.mean(
            [
                reconstruction_error(right, estimator.reconstruct(left, to="y")),
                reconstruction_error(left, estimator.reconstruct(y=right, to="x")),
            ]
        ),
        seconds,
    )


def single_view(test, labels):
    """Accuracy of a classifier of pixels, trained and tested on the same half."""
    svc = LinearSVC(random_state=0)
    left, right = (
        100 * cross_val_score(svc, view, labels, cv=KFold(5)).mean() for view in test
    )
    return (np.nan, np.nan, np.nan, left, right, np.nan, np.nan)


def describe(runs):
    """Mean of each column and, of several seeds, half its 95 % interval."""
    runs = np.asarray(runs)
    mean = runs.mean(axis=0)
    if len(runs) == 1:
        return mean, np.zeros_like(mean)
    spread = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)
    return mean, spread


def print_row(name, mean, spread, width):
    """One line of the table; a method without randomness has no spread."""
    cells = [
        "-" if np.isnan(m) else f"{m:.2f}" + (f" ±{s:.2f}" if s > 0 else "")
        for m, s in zip(mean, spread, strict=True)
    ]
    print(f"{name:24}" + "".join(f"{cell:>{width}}" for cell in cells), flush=True)


def draw(estimator, test, path):
    """Picture of eight test images, each half reconstructed from the other."""
    import matplotlib.pyplot as plt

    from skcrl.plotting import ReconstructionDisplay

    left, right = (view[:8] for view in test)
    height = round((2 * left.shape[1]) ** 0.5)
    shape = height, height // 2
    figure, axes = plt.subplots(2, 1, figsize=(7, 6), layout="constrained")
    for ax, to in zip(axes, ("y", "x"), strict=True):
        ReconstructionDisplay.from_estimator(
            estimator, left, right, to=to, shape=shape, cmap="gray_r", ax=ax
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"\nReconstructions by Deep CorrNet: {path}")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
    parser.add_argument("--seeds", type=int, default=1, help="fits of each method")
    parser.add_argument(
        "--train",
        type=int,
        help="how many training images; by default 1000 of digits, 50000 of MNIST",
    )
    parser.add_argument("--only", help="methods whose name holds this text")
    parser.add_argument(
        "--losses", action="store_true", help="Deep CorrNet by what it is trained on"
    )
    parser.add_argument("--epochs", type=int, help="fewer epochs, for a quick look")
    parser.add_argument("--csv", type=Path, help="write every run to this file")
    parser.add_argument("--picture", type=Path, help="write reconstructions here")
    args = parser.parse_args(argv)
    if args.picture and args.only and args.only not in "Deep CorrNet (blog)":
        parser.error("--picture is drawn by Deep CorrNet, which --only leaves out")
    if args.picture and args.losses:
        parser.error("--picture is drawn by the methods without --losses")

    is_mnist = args.data == "mnist"
    train, test, labels = load(args.data, args.train or (50_000 if is_mnist else 1000))
    methods = mnist_methods() if is_mnist else digits_methods()
    if args.losses:
        methods = by_loss(methods["Deep CorrNet (blog)"])
    print(f"{len(train[0])} training images, {len(labels)} test images, 5 folds")
    width = 16 if args.seeds > 1 else 11
    print(f"{'':24}" + "".join(f"{column:>{width}}" for column in COLUMNS))
    records = []
    if not args.only:
        print_row("single view", *describe([single_view(test, labels)]), width)
    for name, estimator in methods.items():
        if args.only and args.only not in name:
            continue
        is_deep = "max_epochs" in estimator.get_params()
        if is_deep and args.epochs:
            estimator.set_params(max_epochs=args.epochs)
        runs = []
        is_random = is_deep or isinstance(estimator, KernelCCA)
        for seed in range(args.seeds if is_random else 1):
            if is_random:
                estimator.set_params(random_state=seed)
            runs.append(measure(estimator, train, test, labels))
            records.append((name, seed, *runs[-1]))
        print_row(name, *describe(runs), width)
    if args.csv:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("method", "seed", *COLUMNS), *records])
    if args.picture:
        draw(methods["Deep CorrNet (blog)"], test, args.picture)


if __name__ == "__main__":
    main()
