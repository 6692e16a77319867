"""Collages for common_individual.py: pairs, and the frozen networks that see them.

A small convolutional network stands in for ResNet. It is trained on halves of the
pictures, each with one object: to name the object, or to reconstruct the half.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from skcrl import LinearCCA
from skcrl.datasets import make_collages

N_EMOJI, CHANNELS = 40, 128
# What networks are trained on.
PICTURES, BATCH, LR = 2000, 100, 3e-3


class Views(NamedTuple):
    """Pairs of pictures: to learn from, held out, and with nothing in common.

    Those held out show other pictures of digits, and the same emoji.
    """

    train: tuple
    test: tuple
    apart: tuple


def draw_views(n_train, n_test, seed):
    """Pairs with a digit in common and an emoji of each picture's own."""
    rng = np.random.RandomState(seed)
    digits, emoji = rng.permutation(1797), rng.permutation(1849)[:N_EMOJI]
    held_out = {"digit_rows": digits[1200:], "emoji_rows": emoji, "random_state": rng}
    return Views(
        make_collages(
            n_train, digit_rows=digits[:1200], emoji_rows=emoji, random_state=rng
        ),
        make_collages(n_test, **held_out),
        make_collages(n_test, common=False, **held_out),
    )


class Pooled(nn.Module):
    """Means over a picture of the last feature maps of a network."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, pictures):
        """Features (n_samples, CHANNELS)."""
        return self.layers(pictures).mean((2, 3))


def naming_network(views, n_epochs, seed):
    """A network trained to name the object of a half."""
    halves, names = _halves(views)
    classes, numbers = np.unique(names, return_inverse=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pooled, head = Pooled(_layers()), nn.Linear(CHANNELS, len(classes))

        def loss(rows):
            return cross_entropy(head(pooled(halves[rows])), numbers[rows])

        numbers = torch.from_numpy(numbers)
        _train([pooled, head], loss, len(halves), n_epochs)
    return pooled.eval().requires_grad_(False)


def reconstructing_network(views, n_epochs, seed):
    """First part of a network trained to reconstruct a half from its feature maps."""
    halves, _ = _halves(views)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = _layers()
        back = nn.Sequential(nn.Conv2d(CHANNELS, 48, 1), nn.PixelShuffle(4))

        def loss(rows):
            return mse_loss(back(layers(halves[rows])), halves[rows])

        _train([layers, back], loss, len(halves), n_epochs)
    return Pooled(layers).eval().requires_grad_(False)


@torch.no_grad()
def features(extractor, pictures):
    """What a network makes of pictures, as rows."""
    parts = torch.from_numpy(pictures).split(500)
    return np.concatenate([extractor(part).numpy() for part in parts])


class FeaturesThemselves(LinearCCA):
    """Features with mean 0 and variance 1, in place of codes."""

    def fit(self, X, y):
        """Keep means and deviations."""
        super().fit(X, y)
        for side, view in (("x", X), ("y", y)):
            scale = StandardScaler().fit(view).scale_
            setattr(self, f"{side}_weights_", np.diag(1 / scale))
        return self


def first_pairs(views, n):
    """The first `n` of pairs."""
    return type(views)(*(array[:n] for array in views))


def _halves(views):
    """Halves of the first pictures of pairs, and the names of what they show."""
    views = first_pairs(views, PICTURES)
    left_is_first = views.x_common[:, 0, 0]
    left, right = views.x[..., :24], views.x[..., 24:]
    first, own = views.x_names.T
    names = [np.where(left_is_first, first, own), np.where(left_is_first, own, first)]
    return torch.from_numpy(np.concatenate([left, right])), np.concatenate(names)


def _layers():
    """Three layers of convolutions: feature maps of a quarter of the size."""
    layers, before = [], 3
    for channels in (CHANNELS // 4, CHANNELS // 2, CHANNELS):
        layers += [
            nn.Conv2d(before, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        before = channels
    return nn.Sequential(*layers[:-1])


def _train(modules, loss, n_rows, n_epochs):
    parameters = nn.ModuleList(modules).parameters()
    n_batches = max(1, n_rows // BATCH)
    optimizer = torch.optim.Adam(parameters, LR)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LR, total_steps=n_epochs * n_batches
    )
    for _ in range(n_epochs):
        for rows in torch.randperm(n_rows).tensor_split(n_batches):
            optimizer.zero_grad()
            loss(rows).backward()
            optimizer.step()
            schedule.step()
