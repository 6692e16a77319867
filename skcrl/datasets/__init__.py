"""Bundled, fetched and made pairs of views."""

from skcrl.datasets._emoji import load_emoji
from skcrl.datasets._halves import fetch_mnist_halves, load_digits_halves
from skcrl.datasets._made import make_correlated_views, make_noisy_mnist

__all__ = [
    "fetch_mnist_halves",
    "load_digits_halves",
    "load_emoji",
    "make_correlated_views",
    "make_noisy_mnist",
]
