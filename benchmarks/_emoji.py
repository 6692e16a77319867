"""Emoji as pictures and words, for retrieval.py: views, methods, and zero-shot search.

Pictures are (3, 32, 32) of ink, 0 where white; texts are names and keywords as the
leading singular vectors of their TF-IDF, fitted to the training rows.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skcrl import CCALRanker, DeepCCA, LinearCCA, make_view_pipeline
from skcrl.datasets import class_disjoint_split, load_emoji
from skcrl.deep.augment import RandomShift
from skcrl.deep.modules import Dropout
from skcrl.metrics import average_precision_at_k, class_codes

# Chosen on validation splits, like all that follows. LinearCCA did best with most of
# the principal components, and much shrinkage of both views.
FEATURES, CODE = 900, 256
SHRINKAGE = {"shrinkage": (0.25, 0.5)}
SHARED = (
    "x_encoder",
    "y_encoder",
    "lr",
    "lr_schedule",
    "max_epochs",
    "batch_size",
    "reg",
    "input_dropout",
    "augment",
    "random_state",
)


class Pairs(NamedTuple):
    """Pictures and numbers of their texts, to learn from and to search."""

    train: tuple
    test: tuple
    train_classes: np.ndarray
    test_classes: np.ndarray


def held_out_pairs(split="test", share=100.0, seed=0):
    """A fifth of the emoji held out; for "val" a fifth of the others in its place.

    `seed` draws the `share` percent of training pairs to learn from.
    """
    rows = np.arange(len(load_emoji().names))
    train, test = train_test_split(rows, test_size=0.2, random_state=0)
    if split == "val":
        train, test = train_test_split(train, test_size=0.2, random_state=1)
    n_train = max(20, round(len(train) * share / 100))
    train = np.random.default_rng(seed).permutation(train)[:n_train]
    return _pairs(train, test)


def zero_shot_pairs(split="test", k=10, n_train=None):
    """Twenty subgroups of at least `k` emoji held out; for "val" 15 of the others.

    Of the rest `n_train` at random are to learn from, or all of them.
    """
    classes = load_emoji().subgroups
    names, sizes = np.unique(classes, return_counts=True)
    large = np.isin(classes, names[sizes >= k])
    rows = np.arange(len(classes))
    train, test, _, _ = class_disjoint_split(
        rows[large], classes=classes[large], test_size=20, random_state=0
    )
    if split == "val":
        train, test, _, _ = class_disjoint_split(
            train, classes=classes[train], test_size=15, random_state=1
        )
    train = np.concatenate([train, rows[~large]])
    if n_train is not None:
        train = np.random.default_rng(0).permutation(train)[:n_train]
    return _pairs(train, test)


def _pairs(train, test):
    emoji = load_emoji()
    ink = (255 - emoji.images.astype(np.float32)).transpose(0, 3, 1, 2) / 64
    texts = np.array(
        [f"{n} | {k}" for n, k in zip(emoji.names, emoji.keywords, strict=True)]
    )
    features = make_pipeline(
        TfidfVectorizer(sublinear_tf=True),
        TruncatedSVD(min(FEATURES, len(train) - 1), random_state=0),
    )
    fitted = features.fit_transform(texts[train])
    mean, scale = fitted.mean(axis=0), np.sqrt(fitted.var(axis=0).mean())
    numbers = ((features.transform(texts) - mean) / scale).astype(np.float32)
    return Pairs(
        (ink[train], numbers[train]),
        (ink[test], numbers[test]),
        emoji.subgroups[train],
        emoji.subgroups[test],
    )


def make_methods(pairs, max_epochs, seed):
    """LinearCCA on principal components, and one conv net under several objectives."""
    n_train, width = pairs.train[1].shape
    n_pixels = min(400, n_train - 1)
    linear = make_view_pipeline(
        LinearCCA(min(CODE, n_pixels, width), **SHRINKAGE),
        x=(FunctionTransformer(_flatten), PCA(n_pixels, random_state=0)),
    )
    k = min(CODE, n_train // 3)
    net = CCALRanker(
        k,
        objective="infonce",
        reg=1.0,
        input_dropout=0.0,
        augment=RandomShift((32, 32), pixels=2),
        x_encoder=conv_net(k, seed),
        y_encoder=words_net(width, k, seed),
        lr=3e-3,
        lr_schedule="one_cycle",
        batch_size=max(k + 1, min(500, n_train)),
        max_epochs=max_epochs,
        random_state=seed,
    )
    shared = {name: net.get_params(deep=False)[name] for name in SHARED}
    return {
        "LinearCCA": linear,
        "DeepCCA": DeepCCA(k, **shared),
        "Learned, ranking": clone(net).set_params(
            projection="learned", objective="ranking"
        ),
        "CCALRanker": clone(net).set_params(objective="ranking"),
        "InfoNCE": clone(net).set_params(projection="learned", batch_size=250),
        "InfoNCE, CCA layer": net,
        "InfoNCE, then LinearCCA": ThenLinearCCA(
            2048,
            projection="learned",
            objective="infonce",
            **{
                **shared,
                "batch_size": 250,
                "x_encoder": conv_net(None, seed),
                "y_encoder": words_net(width, 2048, seed),
            },
        ),
    }


class ThenLinearCCA(CCALRanker):
    """CCALRanker, and LinearCCA of its codes of pictures with the numbers of texts."""

    def fit(self, X, y):
        """Fit the networks, then LinearCCA."""
        super().fit(X, y)
        codes = super().transform(X)
        self.closing_ = LinearCCA(min(CODE, len(y) - 1), **SHRINKAGE).fit(codes, y)
        self.correlations_ = self.closing_.correlations_
        self.singular_values_ = self.closing_.singular_values_
        return self

    def transform(self, X):
        """Codes of pictures."""
        return self.closing_.transform(super().transform(X))

    def transform_y(self, y):
        """Codes of texts."""
        return self.closing_.transform_y(y)

    def transform_pair(self, X, y):
        """Codes of both."""
        return self.transform(X), self.transform_y(y)


def conv_net(n_components, seed):
    """Three layers of convolutions.

    With None their 2,048 outputs are the code.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers, before = [], 3
        for channels in (32, 64, 128):
            layers += [
                nn.Conv2d(before, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            before = channels
        layers.append(nn.Flatten())
        if n_components is not None:
            layers.append(nn.Linear(2048, n_components))
        return nn.Sequential(*layers)


def words_net(width, n_components, seed):
    """A linear map of texts of which a third of the numbers is dropped."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(Dropout(0.3), nn.Linear(width, n_components))


def search_classes(estimator, pairs, k=10, power=0.0):
    """Precision of the first `k` pictures for the mean code of a class' texts.

    Classes of `pairs` were never seen in training, and have at least `k` pictures.
    """
    x, y = estimator.transform_pair(*pairs.test)
    if power:
        x, y = (codes * estimator.correlations_.clip(0) ** power for codes in (x, y))
    queries, names = class_codes(y, pairs.test_classes)
    return average_precision_at_k(queries, x, names, pairs.test_classes, k=k)


def _flatten(pictures):
    return pictures.reshape(len(pictures), -1)
