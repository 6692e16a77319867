"""Pairs of views that are bundled, downloaded or simulated, and splits of them."""

from skcrl.datasets._audio_sheet import make_audio_sheet
from skcrl.datasets._collages import make_collages
from skcrl.datasets._emoji import load_emoji
from skcrl.datasets._halves import fetch_mnist_halves, load_digits_halves
from skcrl.datasets._made import make_correlated_views, make_noisy_mnist
from skcrl.datasets._splits import class_disjoint_split

__all__ = [
    "class_disjoint_split",
    "fetch_mnist_halves",
    "load_digits_halves",
    "load_emoji",
    "make_audio_sheet",
    "make_collages",
    "make_correlated_views",
    "make_noisy_mnist",
]
