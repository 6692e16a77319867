"""Tasks of the results book: pairs of views to learn from, and others to be tested on.

The seed simulates the data, or divides real data into rows to learn from and rows to be
tested on. Columns of tables are standardised by the training rows. Pixels stay as they
are.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_linnerud,
)
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from skcrl.datasets import (
    load_digits_halves,
    load_emoji,
    make_audio_sheet,
    make_noisy_mnist,
)


class Data(NamedTuple):
    """Views of the training rows and of the test rows, and what is known of these."""

    train: tuple
    test: tuple
    labels: np.ndarray | None = None  # of the test rows
    truth: tuple | None = None  # what is common to both views: training and test rows

    def arrays(self):
        """All of it by name."""
        pairs = {"train": self.train, "test": self.test, "truth": self.truth or ()}
        named = {f"{k}{i}": v for k, pair in pairs.items() for i, v in enumerate(pair)}
        return named if self.labels is None else {**named, "labels": self.labels}


class Task(NamedTuple):
    """A page of the book."""

    make: object  # from a seed to Data
    n_components: int
    main: str  # measure that methods are ranked by
    about: str
    needs: tuple = ()  # files in $SKCRL_DATA
    search: bool = False  # test rows of one view are searched by those of the other


def divided(n_train, X, y, labels=None, *, seed, standardize=True):
    """Data of rows in random order."""
    rows = np.random.default_rng(seed).permutation(len(X))
    train, test = rows[:n_train], rows[n_train:]
    X, y = (np.asarray(view, float) for view in (X, y))
    if standardize:
        X, y = (scaled(view, view[train]) for view in (X, y))
    return Data(
        (X[train], y[train]),
        (X[test], y[test]),
        None if labels is None else np.asarray(labels)[test],
    )


def scaled(view, like):
    """In units of the mean and the deviation of each column of other rows."""
    deviation = like.std(axis=0)
    return (view - like.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def exercises(seed):
    """Three exercises and three measures of the body."""
    bunch = load_linnerud()
    return divided(14, bunch.data, bunch.target, seed=seed)


def body_and_blood(seed):
    """Diabetes."""
    X = load_diabetes(scaled=False).data
    return divided(300, X[:, :4], X[:, 4:], seed=seed)


def mean_and_worst(seed):
    """Breast cancer."""
    bunch = load_breast_cancer()
    X = bunch.data
    return divided(300, X[:, :10], X[:, 20:], bunch.target, seed=seed)


def planted(
    n_train, p, q, k, seed, *, noise=1.0, n_private=0, columns=None, tails=None
):
    """Views that are linear in k common factors.

    `n_private` stronger factors are of one view alone. Common ones load on so many
    `columns` of a view, or on all. Noise is normal, or Student's t with so many degrees
    of freedom as `tails` says.
    """
    rng = np.random.default_rng(seed)
    n = n_train + 1000
    Z = rng.standard_normal((n, k))
    views = []
    for width in (p, q):
        loadings = rng.standard_normal((k, width))
        if columns is not None:
            for row in loadings:
                row[rng.permutation(width)[columns:]] = 0
        private = rng.standard_normal((n, n_private))
        own = 2 * private @ rng.standard_normal((n_private, width))
        size = (n, width)
        error = (
            rng.standard_normal(size) if tails is None else rng.standard_t(tails, size)
        )
        views.append(Z @ loadings + own + noise * error)
    return with_truth(n_train, views, Z)


def with_truth(n_train, views, Z):
    """Made data, its views standardised."""
    X, y = (scaled(view, view[:n_train]) for view in views)
    train, test = slice(n_train), slice(n_train, None)
    return Data((X[train], y[train]), (X[test], y[test]), None, (Z[train], Z[test]))


def nonlinear(seed, n_train=1000):
    """Common factors under two invertible mixings that no linear map undoes."""
    rng = np.random.default_rng(seed)
    Z = rng.uniform(-1, 1, (n_train + 1000, 3))
    views = []
    for _ in range(2):
        hidden = Z
        for width in (8, 20):
            hidden = hidden @ rng.standard_normal((hidden.shape[1], width))
            hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
            hidden = hidden + 0.3 * np.sin(3 * hidden)
        views.append(hidden + 0.1 * rng.standard_normal(hidden.shape))
    return with_truth(n_train, views, Z)


def folded(seed, n_train=1000):
    """One view holds the factors, the other their squares and products, both noisy."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n_train + 1000, 2))
    bent = np.column_stack([Z[:, 0] ** 2, Z[:, 1] ** 2, Z[:, 0] * Z[:, 1]])
    views = [
        F @ rng.standard_normal((F.shape[1], 12))
        + 0.3 * rng.standard_normal((len(Z), 12))
        for F in (Z, bent)
    ]
    return with_truth(n_train, views, bent)


def missing_views(seed):
    """100 whole pairs; of 400 rows more the one view or the other is missing."""
    data = planted(500, 20, 15, 5, seed, noise=2.0)
    X, y = (view.copy() for view in data.train)
    X[100:300], y[300:] = np.nan, np.nan
    return data._replace(train=(X, y))


def cells(seed, n_train=800):
    """Counts of genes and of proteins of single cells of eight types."""
    rng = np.random.default_rng(seed)
    n, n_types = n_train + 1000, 8
    types = rng.integers(n_types, size=n)
    Z = rng.standard_normal((n_types, 6))[types] + 0.7 * rng.standard_normal((n, 6))
    views = []
    for width, depth in ((300, 1.0), (30, 20.0)):
        rates = 0.5 * Z @ rng.standard_normal((6, width)) + rng.standard_normal(width)
        size = rng.gamma(5, 0.2, (n, 1))
        views.append(np.log1p(rng.poisson(depth * size * np.exp(rates - 1))))
    data = with_truth(n_train, views, Z)
    return data._replace(labels=types[n_train:])


def digits_halves(seed):
    """Left and right halves of small digits."""
    left, right, labels = load_digits_halves()
    return divided(1000, left, right, labels, seed=seed, standardize=False)


def noisy_digits(seed):
    """Small digits turned, and others of the same class under noise."""
    digits = load_digits()
    X, y = make_noisy_mnist(digits.images / 16, digits.target, random_state=seed)
    return divided(1000, X, y, digits.target, seed=seed, standardize=False)


def mfeat(*names):
    """Two sets of features of handwritten numerals."""

    def make(seed):
        with np.load(Path(os.environ["SKCRL_DATA"]) / "mfeat/mfeat.npz") as data:
            X, y, labels = (data[name] for name in (*names, "y"))
        return divided(1000, X, y, labels, seed=seed)

    return make


def emoji_pictures(seed):
    """Pictures of 8 x 8 blocks in three colours, and names with keywords."""
    emoji = load_emoji()
    ink = (255 - emoji.images.astype(float)) / 255
    blocks = ink.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(ink), -1)
    texts = [f"{n} | {k}" for n, k in zip(emoji.names, emoji.keywords, strict=True)]
    return divided(1400, blocks, words(texts, 1400, seed, 200), seed=seed)


def emoji_names(seed):
    """Names in English and in German."""
    views = (
        words(load_emoji(language=language).names, 1400, seed, 300, parts=True)
        for language in ("en", "de")
    )
    return divided(1400, *views, seed=seed)


def words(texts, n_train, seed, width, *, parts=False):
    """Leading singular vectors of TF-IDF, fitted to the rows that `divided` trains on.

    Columns are whole words, or `parts` of them as well.
    """
    texts = np.asarray(texts)
    train = np.random.default_rng(seed).permutation(len(texts))[:n_train]
    kind = {"analyzer": "char_wb", "ngram_range": (2, 4), "min_df": 3} if parts else {}
    tfidf = TfidfVectorizer(sublinear_tf=True, **kind).fit(texts[train])
    table = tfidf.transform(texts)
    return TruncatedSVD(width, random_state=0).fit(table[train]).transform(table)


def audio_sheet(seed):
    """Staffs and spectrograms of the same melodies, in blocks of 2 x 2."""
    made = make_audio_sheet(1500, random_state=seed)
    X, y = (
        view.reshape(len(view), h // 2, 2, w // 2, 2)
        .mean(axis=(2, 4))
        .reshape(len(view), -1)
        for view, h, w in ((made.images, 40, 100), (made.spectrograms, 92, 42))
    )
    return divided(1000, X, y, seed=seed)


MFEAT = ("mfeat/mfeat.npz",)


# From quick to slow.
TASKS = {
    "exercises": Task(
        exercises, 1, "canonical_total",
        "Twenty people: how many chin-ups, sit-ups and jumps they do, and their "
        "weight, waist and pulse (Linnerud). There are only 14 rows to learn from, and "
        "6 to be tested on, so all numbers are very uncertain.",
    ),
    "body and blood": Task(
        body_and_blood, 2, "canonical_total",
        "Age, sex, body mass and blood pressure of 442 people with diabetes, and six "
        "values of their blood. There are 300 rows to learn from.",
    ),
    "mean and worst": Task(
        mean_and_worst, 5, "canonical_total",
        "Ten measurements of the cell nuclei of 569 tumours. The first view has their "
        "means over an image, the second view their worst values. There are 300 rows "
        "to learn from. The labels are benign and malignant.",
    ),
    "planted linear": Task(
        lambda seed: planted(500, 20, 15, 5, seed, noise=2.0), 5, "recovery",
        "Simulated: 500 rows of 20 and 15 columns, which are linear in five common "
        "factors, with normal noise. Linear CCA is the right model for these data.",
    ),
    "planted private": Task(
        lambda seed: planted(500, 40, 30, 3, seed, n_private=5), 3, "recovery",
        "Simulated: 500 rows of 40 and 30 columns with three common factors. Each view "
        "also has five factors of its own, which are twice as strong. So the common "
        "factors are not those with the largest variance.",
    ),
    "planted sparse": Task(
        lambda seed: planted(150, 200, 200, 2, seed, columns=10), 2, "recovery",
        "Simulated: 150 rows of 200 and 200 columns. Each of two common factors is in "
        "10 columns of each view. The other columns are noise.",
    ),
    "planted wide": Task(
        lambda seed: planted(100, 400, 300, 3, seed, noise=3.0), 3, "recovery",
        "Simulated: 100 rows of 400 and 300 columns, so there are more columns than "
        "rows. All columns depend a little on three common factors.",
    ),
    "planted few": Task(
        lambda seed: planted(60, 20, 15, 2, seed, noise=2.0), 2, "recovery",
        "Simulated: 60 rows of 20 and 15 columns with two common factors.",
    ),
    "planted heavy tails": Task(
        lambda seed: planted(500, 20, 15, 3, seed, tails=2.5), 3, "recovery",
        "Simulated: 500 rows of 20 and 15 columns with three common factors. The noise "
        "has Student's t distribution with 2.5 degrees of freedom, so a few values are "
        "very large.",
    ),
    "missing views": Task(
        missing_views, 5, "recovery",
        "Simulated: the data of the task \"planted linear\". Only 100 rows have both "
        "views, and 400 rows lack one view. Methods that cannot take such rows learn "
        "from the 100 rows.",
    ),
    "nonlinear": Task(
        nonlinear, 3, "recovery",
        "Simulated: 1,000 rows. Each view is computed from three common factors by two "
        "layers of nonlinear units with random weights.",
    ),
    "folded": Task(
        folded, 3, "recovery",
        "Simulated: 1,000 rows. The first view holds two factors, and the second view "
        "their squares and their product. So the linear correlation of the views is "
        "zero.",
    ),
    "digits halves": Task(
        digits_halves, 10, "accuracy",
        "Left and right halves of the small digits of scikit-learn. There are 1,000 "
        "images to learn from, and 797 to be tested on. This is the benchmark of the "
        "papers with smaller images.", search=True,
    ),
    "noisy digits": Task(
        noisy_digits, 10, "accuracy",
        "The first view shows small digits, turned by up to 45 degrees. The second "
        "view shows other images of the same digit, with noise. So the views share "
        "nothing but the digit.",
    ),
    "cells": Task(
        cells, 6, "recovery",
        "Simulated: logarithms of counts of 300 genes and 30 proteins in 800 cells of "
        "eight types. The counts depend on six common factors.",
    ),
    "numerals fou kar": Task(
        mfeat("fou", "kar"), 10, "accuracy",
        "Handwritten numerals (mfeat): 76 Fourier coefficients of their shapes, and 64 "
        "Karhunen-Loeve coefficients. There are 1,000 rows to learn from.", MFEAT,
        search=True,
    ),
    "numerals zer mor": Task(
        mfeat("zer", "mor"), 5, "accuracy",
        "The same numerals: 47 Zernike moments, and six numbers that describe the "
        "shape.", MFEAT,
    ),
    "emoji names": Task(
        emoji_names, 32, "mrr",
        "The names of 1,849 emoji in English and in German. Each language is a table "
        "of TF-IDF of parts of words, reduced to 300 columns. There are 1,400 rows to "
        "learn from.", search=True,
    ),
    "emoji pictures": Task(
        emoji_pictures, 32, "mrr",
        "Pictures of emoji as 192 blocks of colour, and their names and keywords as "
        "TF-IDF, reduced to 200 columns. There are 1,400 rows to learn from.",
        search=True,
    ),
    "audio sheet": Task(
        audio_sheet, 16, "mrr",
        "Simulated: 1,000 melodies as small pictures of staffs and as spectrograms.",
        search=True,
    ),
}  # fmt: skip
