"""Images cut into two views."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import fetch_openml, load_digits

from skcrl._typing import File


class MnistHalves(NamedTuple):
    """MNIST cut down the middle, pixels from 0 to 1."""

    x_train: np.ndarray  # (60000, 392) left halves, 28 rows of 14 pixels
    y_train: np.ndarray  # (60000, 392) right halves
    labels_train: np.ndarray  # (60000,)
    x_test: np.ndarray  # (10000, 392)
    y_test: np.ndarray  # (10000, 392)
    labels_test: np.ndarray  # (10000,)


def load_digits_halves() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load the left and right halves of scikit-learn's bundled digits.

    Use them as two small views that share the digit.

    Returns
    -------
    X : ndarray of shape (1797, 32)
        Left halves, 8 rows of 4 pixels from 0 to 1.
    y : ndarray of shape (1797, 32)
        Right halves.
    labels : ndarray of shape (1797,)
        The digits.

    Examples
    --------
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> left.shape, right.shape, labels.shape
    ((1797, 32), (1797, 32), (1797,))
    """
    digits = load_digits()
    left, right = cut_images(digits.images / 16.0)
    return left, right, digits.target


def fetch_mnist_halves(
    *, data_home: File | None = None, verbose: int = 1
) -> MnistHalves:
    """Load the left and right halves of the images of MNIST.

    If the environment variable ``SKCRL_DATA`` is set, the file
    ``$SKCRL_DATA/mnist/mnist.npz`` is read. It must hold the arrays `x_train`,
    `y_train`, `x_test` and `y_test`, as stored by Keras. Otherwise MNIST is downloaded
    from OpenML once, and cached by scikit-learn. The images are in their usual order.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Cache folder of ``sklearn.datasets.fetch_openml``.
    verbose : int, default=1
        If not 0, print a line before the download starts.

    Returns
    -------
    halves : MnistHalves
        Named tuple of float32 `x_train`, `y_train` of shape (60000, 392), `x_test`,
        `y_test` of shape (10000, 392), and the digits `labels_train`, `labels_test`.

    Raises
    ------
    FileNotFoundError
        If ``SKCRL_DATA`` is set, but the file does not exist.
    OSError
        If the download fails.

    Examples
    --------
    >>> from skcrl.datasets import fetch_mnist_halves
    >>> mnist = fetch_mnist_halves()  # doctest: +SKIP
    >>> mnist.x_train.shape  # doctest: +SKIP
    (60000, 392)
    """
    if "SKCRL_DATA" in os.environ:
        path = Path(os.environ["SKCRL_DATA"]) / "mnist" / "mnist.npz"
        if not path.exists():
            raise FileNotFoundError(
                f"SKCRL_DATA is set, but there is no {path}: put the file there, or "
                "unset the variable to fetch MNIST from OpenML."
            )
        with np.load(path) as data:
            images = np.concatenate([data["x_train"], data["x_test"]])
            labels = np.concatenate([data["y_train"], data["y_test"]])
    else:
        if verbose:
            print(
                "Reading MNIST from scikit-learn's cache, or once from OpenML (15 MB)"
            )
        images, labels = fetch_openml(
            "mnist_784",
            version=1,
            data_home=data_home,
            return_X_y=True,
            as_frame=False,
            parser="liac-arff",
        )
        images = images.reshape(-1, 28, 28)
    left, right = cut_images(images.astype(np.float32) / np.float32(255))
    labels = labels.astype(np.int64)
    train, test = slice(None, 60_000), slice(60_000, None)
    return MnistHalves(
        left[train], right[train], labels[train], left[test], right[test], labels[test]
    )


def cut_images(images):
    """Left and right halves of images (n, height, width), flattened by rows."""
    middle = images.shape[2] // 2
    return tuple(
        np.ascontiguousarray(half.reshape(len(images), -1))
        for half in (images[:, :, :middle], images[:, :, middle:])
    )
