"""Staffs and spectrograms of melodies, for retrieval.py: views, methods, an oracle."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skcrl import CCALRanker, DeepCCA, LinearCCA, make_view_pipeline
from skcrl.datasets import make_audio_sheet

CODE, MARGIN = 32, 0.7  # those of the paper
# Passes over all pairs; of fewer pairs there are at least so many steps.
BATCH, EPOCHS, STEPS = 100, 6, 120
SLOTS = 8
# Frequencies of the 11 pitches of make_audio_sheet, in bins.
PITCHES = 6 + 2 * np.array([0, 2, 3, 5, 7, 9, 10, 12, 14, 15, 17])


class Sizes(NamedTuple):
    """How many pairs there are to search, to choose parameters by, to learn from."""

    test: int
    val: int
    train: int


ALL, FEW = Sizes(1000, 500, 3000), Sizes(60, 40, 120)


class Pairs(NamedTuple):
    """Staffs and spectrograms, to learn from and to search."""

    train: tuple
    test: tuple


def held_out_pairs(split="test", share=100.0, seed=0, sizes=ALL):
    """Pairs to learn from, and those of "test" or "val".

    `seed` draws the `share` percent of training pairs to learn from.
    """
    made = drawn(sum(sizes))
    first = {"test": 0, "val": sizes.test}[split]
    held_out = np.arange(first, first + getattr(sizes, split))
    n_train = max(2 * CODE, round(sizes.train * share / 100))
    rows = np.random.default_rng(seed).permutation(sizes.train)[:n_train]
    train = sizes.test + sizes.val + rows
    return Pairs(*((made.images[r], made.spectrograms[r]) for r in (train, held_out)))


@lru_cache(maxsize=1)
def drawn(n_samples):
    """The pairs, always the same."""
    return make_audio_sheet(n_samples, random_state=0)


def make_methods(pairs, max_epochs, seed):
    """LinearCCA on principal components, and conv nets under several objectives."""
    n_train = len(pairs.train[0])
    if max_epochs is None:
        max_epochs = max(EPOCHS, STEPS * BATCH // n_train)
    flat = make_pipeline(
        FunctionTransformer(_flatten), PCA(min(300, n_train // 2), random_state=0)
    )
    shared = {
        "x_encoder": conv_net(seed),
        "y_encoder": conv_net(seed + 1000),
        "lr": 6e-3,
        "lr_schedule": "one_cycle",
        "batch_size": BATCH,
        "max_epochs": max_epochs,
        "input_dropout": 0.0,
        "reg": 0.1,
    }
    ranker = CCALRanker(CODE, margin=MARGIN, **shared)
    learned = clone(ranker).set_params(projection="learned")
    return {
        "oracle": Oracle(),
        "LinearCCA": make_view_pipeline(
            LinearCCA(CODE, shrinkage=0.1), x=(flat,), y=(flat,)
        ),
        # Few settings were tried on the validation pairs. DeepCCA: batches of 100, 250
        # and 500, at rate 6e-3 with ridge 0.1 or at rate 1.5e-2 with ridge 0.01.
        # Learned projections: rates 6e-3 and 1.5e-2. CCALRanker: rate 6e-3, with
        # ridges 0.01 and 0.1.
        "DeepCCA": DeepCCA(
            CODE, **{**shared, "lr": 1.5e-2, "batch_size": 500, "reg": 0.01}
        ),
        "Learned, ranking": clone(learned).set_params(lr=1.5e-2),
        "CCALRanker": ranker,
        "InfoNCE": clone(learned).set_params(objective="infonce"),
        "CCALRanker, shuffled pairs": OfShuffledPairs(CODE, margin=MARGIN, **shared),
    }


def conv_net(seed):
    """Convolutions, a last one of 1 x 1 to the code, and the mean over all places."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers, before = [], 1
        for width, stride in ((16, 2), (32, 2), (48, 1), (64, 1)):
            layers += [
                nn.Conv2d(before, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ELU(),
            ]
            if stride == 1:
                layers.append(nn.MaxPool2d(2))
            before = width
        layers += [nn.Conv2d(before, CODE, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        return nn.Sequential(*layers)


def read_staff(image):
    """Melody that stands on a staff, as make_audio_sheet has it, from its pixels."""
    # Lines are what most columns share; their rows tell how high the staff stands.
    lines = np.median(image[:, image.max(axis=0) > 0.4], axis=1)
    top = max(range(8, 18), key=lambda top: lines[top : top + 17 : 4].sum())
    # A bar line crosses all spaces at once, which no head does.
    bars = image[top + 2 : top + 17 : 4].min(axis=0)
    left, right = _middle(bars[:50]), 50 + _middle(bars[50:])
    slot = (right - left) / SLOTS
    rows = top + 18 - 2 * np.arange(11)
    melody = np.full(SLOTS, -1)
    for i in range(SLOTS):
        middle = round(left + slot * (i + 0.5))
        # A head is five columns wide and three rows high, and lies a column aside.
        near = image[:, middle - 3 : middle + 4]
        inks = [near[row - 1 : row + 2].sum() for row in rows]
        pitch = np.argmax(inks)
        around = slice(rows[pitch] - 1, rows[pitch] + 2)
        if inks[pitch] - near.shape[1] * lines[around].sum() > 3:
            melody[i] = pitch
    return melody


def _middle(bar):
    """Of a bar line of a column or two, in fractions of a column."""
    ink = np.where(bar > bar.max() / 3, bar, 0)
    return ink @ np.arange(len(bar)) / ink.sum()


def read_spectrogram(spectrogram):
    """Melody that sounds in a spectrogram, in the same way."""
    sounds = spectrogram[PITCHES] > 0.2
    # Harmonics lie above the fundamental: that is the lowest pitch that sounds.
    pitch = np.where(sounds.any(axis=0), sounds.argmax(axis=0), -1)
    before = np.append(-1, pitch[:-1])
    (begins,) = np.nonzero((pitch >= 0) & (before < 0))
    end = np.flatnonzero(pitch >= 0)[-1] + 2  # the last frame of a note is silent
    slots = np.rint((begins - begins[0]) / (end - begins[0]) * SLOTS).astype(int)
    melody = np.full(SLOTS, -1)
    melody[slots] = pitch[begins]
    return melody


class Oracle(BaseEstimator):
    """Reads the melody of either view, and compares slot by slot."""

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def transform_pair(self, X, y):
        """Which of 11 pitches, or none, begins in which slot."""
        read = ((read_staff, X), (read_spectrogram, y))
        return tuple(
            np.eye(12)[[reader(view[0]) for view in views]].reshape(len(views), -1)
            for reader, views in read
        )


class OfShuffledPairs(CCALRanker):
    """CCALRanker that learns from pairs that do not belong together."""

    def fit(self, X, y):
        """Shuffle the second view, and fit."""
        return super().fit(X, np.random.default_rng(0).permutation(y))


def _flatten(views):
    return views.reshape(len(views), -1)
