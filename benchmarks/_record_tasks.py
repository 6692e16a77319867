"""Tasks of records.py: their data, and what is measured."""

from typing import Any, NamedTuple

import noisy_mnist
import numpy as np
from sklearn.linear_model import LinearRegression

from skcrl import transfer_score
from skcrl.datasets import fetch_mnist_halves, make_noisy_mnist
from skcrl.metrics import canonical_total

CHOSEN_ON = 10_000  # last images of the training set, on which settings are chosen


class Data(NamedTuple):
    """Training pairs, and held-out pairs with what is measured on them."""

    train: tuple
    train_truth: Any  # labels, or latents of both views
    held_out: tuple
    truth: Any

    def arrays(self):
        """All of it, by name."""
        x, y = self.train
        x_held_out, y_held_out = self.held_out
        truth = np.asarray(self.train_truth), np.asarray(self.truth)
        named = "x", "y", "x held out", "y held out", "train truth", "truth"
        arrays = x, y, x_held_out, y_held_out, *truth
        return dict(zip(named, arrays, strict=True))


class Task(NamedTuple):
    """What is measured, and on what."""

    name: str
    measures: tuple  # names
    make: Any  # (is_test, seed) -> Data
    measure: Any  # (fitted estimator, Data) -> one number for each measure


def halves_of_digits(is_test, seed):
    """Halves of MNIST; all seeds have the same."""
    m = fetch_mnist_halves()
    n = len(m.x_train) - (0 if is_test else CHOSEN_ON)
    train, labels = (m.x_train[:n], m.y_train[:n]), m.labels_train[:n]
    if is_test:
        return Data(train, labels, (m.x_test, m.y_test), m.labels_test)
    return Data(train, labels, (m.x_train[n:], m.y_train[n:]), m.labels_train[n:])


def left_and_labels(is_test, seed):
    """Left halves, and the digits as columns of zeros and ones."""
    return _with_labels(halves_of_digits(is_test, seed), "x")


def right_and_labels(is_test, seed):
    """The same of right halves."""
    return _with_labels(halves_of_digits(is_test, seed), "y")


def _with_labels(data, half):
    train, held_out = (
        ((x if half == "x" else y), np.eye(10)[labels])
        for (x, y), labels in (
            (data.train, data.train_truth),
            (data.held_out, data.truth),
        )
    )
    return Data(train, data.train_truth, held_out, data.truth)


def noisy_digits(is_test, seed):
    """Pairs of noisy MNIST, made of the first 50,000 training images."""
    (images, labels), test = noisy_mnist.mnist_images(is_test)
    train = make_noisy_mnist(images, labels, random_state=seed)
    return Data(train, labels, make_noisy_mnist(*test, random_state=seed + 1), test[1])


def mixed_latents(is_test, seed):
    """Correlated Gaussian latents of two views, each mixed by an invertible network."""
    # The squares are smaller than all of these, so the leading canonical functions are
    # linear in the latents.
    correlations = np.array([0.95, 0.94, 0.93, 0.92])
    n, k = 60_000, len(correlations)
    rng = np.random.default_rng([seed, is_test])
    shared = rng.standard_normal((n, k))
    latents = [
        correlations**0.5 * shared
        + (1 - correlations) ** 0.5 * rng.standard_normal((n, k))
        for _ in range(2)
    ]
    views = [_mixed(z, rng) for z in latents]
    train, held_out = slice(n - 10_000), slice(n - 10_000, None)
    return Data(
        tuple(view[train] for view in views),
        np.stack([z[train] for z in latents]),
        tuple(view[held_out] for view in views),
        np.stack([z[held_out] for z in latents]),
    )


def _mixed(latents, rng):
    """Rotations and leaky rectifiers, which can be undone."""
    k = latents.shape[1]
    for _ in range(2):
        latents = latents @ np.linalg.qr(rng.standard_normal((k, k)))[0]
        latents = np.where(latents > 0, latents, 0.3 * latents)
    return latents @ np.linalg.qr(rng.standard_normal((k, k)))[0]


def correlation_and_transfer(estimator, data):
    """Canonical total, transfer both ways, and accuracy within each half."""
    codes = estimator.transform_pair(*data.held_out)
    total = canonical_total(*codes, *estimator.transform_pair(*data.train))
    ways = ("x", "y"), ("y", "x"), ("x", "x"), ("y", "y")
    return total, *(accuracy(estimator, data, *way) for way in ways)


def accuracy_within_half(estimator, data):
    """Accuracy of a classifier of the codes of the first view."""
    return [accuracy(estimator, data, "x", "x")]


def accuracy(estimator, data, fit_view, predict_view):
    """Accuracy in percent of a classifier of codes, in folds of the held-out rows."""
    scores = transfer_score(
        estimator,
        *data.held_out,
        data.truth,
        fit_view=fit_view,
        predict_view=predict_view,
    )
    return 100 * scores.mean()


def classes_of_first_view(estimator, data):
    """Accuracy and mutual information of clusters, and the error of an SVM."""
    return noisy_mnist.measure(
        estimator.transform(data.train[0]),
        data.train_truth,
        estimator.transform(data.held_out[0]),
        data.truth,
    )


def recovered_latents(estimator, data):
    """R2 of the latents of a view by linear regression on its codes, for each view."""
    return [
        LinearRegression().fit(codes, z).score(held_out, z_held_out)
        for codes, z, held_out, z_held_out in zip(
            estimator.transform_pair(*data.train),
            data.train_truth,
            estimator.transform_pair(*data.held_out),
            data.truth,
            strict=True,
        )
    ]


TASKS = {
    task.name: task
    for task in (
        Task(
            "halves",
            ("canonical", "l->r", "r->l", "l->l", "r->r"),
            halves_of_digits,
            correlation_and_transfer,
        ),
        Task(
            "left half and labels",
            ("l->l",),
            left_and_labels,
            accuracy_within_half,
        ),
        Task(
            "right half and labels",
            ("r->r",),
            right_and_labels,
            accuracy_within_half,
        ),
        Task(
            "noisy digits",
            ("accuracy", "nmi", "error"),
            noisy_digits,
            classes_of_first_view,
        ),
        Task("latents", ("r2 of x", "r2 of y"), mixed_latents, recovered_latents),
    )
}
