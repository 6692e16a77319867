"""How well do the first view's codes show the digit that two noisy views share?

The protocol of Wang et al. (2016) on noisy MNIST: the first view is a rotated digit,
the second another image of the same digit under noise. Representations are learned
without labels on 50,000 pairs; then a linear one-against-one SVM is trained on the
codes of the first view, and the test codes are clustered into ten groups.

    python benchmarks/noisy_mnist.py
    python benchmarks/noisy_mnist.py --quick

Columns
-------
accuracy  of clusters, each named after the digit that fits best, in percent
nmi       normalised mutual information of clusters and digits, in percent
error     of the SVM on test codes, in percent
seconds   wall time of fit
published accuracy, nmi and error of the same method in the paper
"""

import argparse
import time
import warnings

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import SpectralClustering
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, normalized_mutual_info_score
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import LinearSVC

from skcrl import DeepCCA, LinearCCA
from skcrl.datasets import fetch_mnist_halves, make_noisy_mnist

PUBLISHED = {
    "pixels": (47.0, 50.6, 13.1),
    "LinearCCA": (72.9, 56.0, 19.6),
    "DeepCCA": (97.0, 92.0, 2.9),
    "DCCAE": (97.5, 93.4, 2.2),
}


def methods(width, epochs, batch_size):
    """Our estimators, with the paper's three hidden layers and ten components."""
    deep = DeepCCA(
        10,
        hidden_layer_sizes=(width,) * 3,
        reg=1e-4,
        input_dropout=0.0,
        standardize=False,
        batch_size=batch_size,
        max_epochs=epochs,
        lr_schedule="one_cycle",
        weight_decay=1e-4,
        optimizer="adamw",
        random_state=0,
    )
    return {
        "LinearCCA": LinearCCA(10),
        "DeepCCA": deep,
        "DCCAE": clone(deep).set_params(reconstruction_weight=1e-3),
    }


def mnist_images(is_test=True):
    """Training and test images of MNIST with their digits.

    With ``is_test=False`` the last 10,000 training images stand for the test images.
    """
    m = fetch_mnist_halves()

    def whole(left, right):
        return np.concatenate([h.reshape(-1, 28, 14) for h in (left, right)], axis=2)

    images = whole(m.x_train, m.y_train)
    train = images[:50_000], m.labels_train[:50_000]
    if is_test:
        return train, (whole(m.x_test, m.y_test), m.labels_test)
    return train, (images[50_000:], m.labels_train[50_000:])


def digit_images():
    """A small stand-in for MNIST: scikit-learn's digits."""
    digits = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.3, random_state=0
    )
    return (X_train, y_train), (X_test, y_test)


def measure(codes, labels, test_codes, test_labels):
    """Clustering accuracy, mutual information and SVM error, in percent."""
    svm = OneVsOneClassifier(LinearSVC(dual=False)).fit(codes, labels)
    error = 100 * (1 - svm.score(test_codes, test_labels))
    with warnings.catch_warnings():
        # Digits that share no neighbours make graphs of several parts.
        warnings.filterwarnings("ignore", "Graph is not fully connected")
        clusters = SpectralClustering(
            10, affinity="nearest_neighbors", n_neighbors=20, random_state=0
        ).fit_predict(test_codes)
    table = confusion_matrix(test_labels, clusters)
    accuracy = 100 * table[linear_sum_assignment(-table)].sum() / len(test_labels)
    return accuracy, 100 * normalized_mutual_info_score(test_labels, clusters), error


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--width", type=int, default=1024, help="of the hidden layers")
    parser.add_argument("--only", default="", help="methods whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="small digits, small nets")
    args = parser.parse_args(argv)

    if args.quick:
        train, test = digit_images()
        settings = (64, args.epochs, 250)
    else:
        train, test = mnist_images()
        settings = (args.width, args.epochs, 1000)
    X, y = make_noisy_mnist(*train, random_state=0)
    X_test, _ = make_noisy_mnist(*test, random_state=1)
    print(f"{len(X)} training pairs, {len(X_test)} test images of the first view")
    print(f"{'':12}{'accuracy':>9}{'nmi':>7}{'error':>7}{'seconds':>9}   published")
    for name, estimator in {"pixels": None, **methods(*settings)}.items():
        if args.only not in name:
            continue
        start = time.perf_counter()
        if estimator is None:
            codes, test_codes = X, X_test
        else:
            codes = estimator.fit(X, y).transform(X)
            test_codes = estimator.transform(X_test)
        seconds = time.perf_counter() - start
        found = measure(codes, train[1], test_codes, test[1])
        published = " / ".join(f"{value:.1f}" for value in PUBLISHED[name])
        print(
            f"{name:12}{found[0]:9.1f}{found[1]:7.1f}{found[2]:7.1f}{seconds:9.0f}"
            f"   {published}",
            flush=True,
        )


if __name__ == "__main__":
    main()
