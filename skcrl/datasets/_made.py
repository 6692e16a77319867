"""Simulated views with known properties."""

import numpy as np
from scipy.ndimage import rotate

from skcrl._labels import check_labels
from skcrl._numbers import check_numbers
from skcrl._typing import Rows, Seed
from skcrl._validation import random_source


def make_correlated_views(
    n_samples: int = 1000,
    n_features_x: int = 10,
    n_features_y: int = 8,
    *,
    correlations: Rows = (0.9, 0.6, 0.3),
    random_state: Seed = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Make Gaussian views whose population canonical correlations are known.

    Use them to test a method against the truth. The coordinates :math:`a_j, b_j` have
    :math:`\mathrm{corr}(a_j, b_j) = \rho_j`, and all other pairs are independent. The
    coordinates of each view are then mixed by a random invertible matrix, which does
    not change canonical correlations.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of paired rows.
    n_features_x, n_features_y : int, default=10, 8
        Numbers of features, at least ``len(correlations)``.
    correlations : sequence of float in [0, 1], default=(0.9, 0.6, 0.3)
        Population canonical correlations. All further ones are 0.
    random_state : int, RandomState instance or None, default=None
        Seed for the data.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features_x)
        First view.
    y : ndarray of shape (n_samples, n_features_y)
        Second view.

    Raises
    ------
    ValueError
        If a view is too narrow, or a correlation is not in [0, 1].

    Examples
    --------
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> X, y = make_correlated_views(100_000, correlations=(0.9, 0.5), random_state=0)
    >>> LinearCCA(3).fit(X, y).correlations_.round(1)
    array([0.9, 0.5, 0. ])
    """
    rho = check_numbers(
        correlations, "correlations", ensure_2d=False, ensure_min_samples=0
    )
    if rho.ndim != 1:
        raise ValueError(
            f"correlations must be a sequence of numbers, got shape {rho.shape}."
        )
    k = len(rho)
    if min(n_features_x, n_features_y) < k:
        raise ValueError(
            f"Both views need at least {k} features, one for each correlation, "
            f"got {n_features_x} and {n_features_y}."
        )
    if not ((rho >= 0) & (rho <= 1)).all():
        raise ValueError(f"correlations must lie in [0, 1], got {correlations!r}.")
    rng = random_source(random_state)
    a = rng.standard_normal((n_samples, n_features_x))
    b = rng.standard_normal((n_samples, n_features_y))
    b[:, :k] = rho * a[:, :k] + np.sqrt(1 - rho**2) * b[:, :k]
    return a @ _mixing(n_features_x, rng), b @ _mixing(n_features_y, rng)


def make_noisy_mnist(
    images: Rows, labels: Rows, *, random_state: Seed = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make noisy two-view MNIST, by the recipe of Wang et al. [1]_.

    The two views share only the digit. The first view is each image, rotated by a
    random angle between -45 and 45 degrees. The second view is a random image of the
    same digit with noise: a random number between 0 and 1 is added to each pixel, and
    the sum is clipped to [0, 1].

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width)
        Images, with pixels from 0 to 1.
    labels : array-like of shape (n_samples,)
        Digits that the images show.
    random_state : int, RandomState instance or None, default=None
        Seed for angles, partners and noise.

    Returns
    -------
    X, y : ndarray of float32 of shape (n_samples, height * width)
        Rotated images and their noisy partners.

    Raises
    ------
    ValueError
        If images and labels do not match, or pixels are not between 0 and 1.

    References
    ----------
    .. [1] Wang, Arora, Livescu and Bilmes (2016). On deep multi-view representation
       learning: objectives and optimization. arXiv:1602.01024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skcrl.datasets import make_noisy_mnist
    >>> digits = load_digits()
    >>> X, y = make_noisy_mnist(digits.images / 16, digits.target, random_state=0)
    >>> X.shape, y.shape
    ((1797, 64), (1797, 64))
    """
    images = check_numbers(images, "images", ensure_2d=False, allow_nd=True)
    labels = check_labels(labels, "labels")
    if images.ndim != 3 or labels.shape != (len(images),):
        raise ValueError(
            "images must be of shape (n_samples, height, width) and labels of shape "
            f"(n_samples,), got {images.shape} and {labels.shape}."
        )
    if not ((images >= 0) & (images <= 1)).all():
        raise ValueError("Pixels must lie in [0, 1]: divide by their largest value.")
    images = images.astype(np.float32)
    rng = random_source(random_state)
    angles = rng.uniform(-45, 45, len(images))
    rotated = np.stack(
        [
            rotate(image, angle, reshape=False, order=1)
            for image, angle in zip(images, angles, strict=True)
        ]
    )
    partners = np.empty(len(images), dtype=np.intp)
    for label in np.unique(labels):
        same = np.flatnonzero(labels == label)
        partners[same] = rng.choice(same, len(same))
    noisy = images[partners] + rng.uniform(size=images.shape)
    return tuple(
        np.clip(view, 0, 1).astype(np.float32).reshape(len(images), -1)
        for view in (rotated, noisy)
    )


def _mixing(n_features, rng):
    """Random matrix with singular values in [0.5, 2], so that no column is tiny."""
    u, _, v = np.linalg.svd(rng.standard_normal((n_features, n_features)))
    return u * rng.uniform(0.5, 2.0, n_features) @ v
