"""Classes with a hierarchy and attributes, for semantic_labels.py: emoji and digits."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MultiLabelBinarizer

from skcrl.datasets import load_emoji

# Emoji of a class, at least.
LEAST = 8
# Five digits each, so that the nearest five of a digit are its group.
DIGITS = {
    **dict.fromkeys("12457", "group: with a straight stroke"),
    **dict.fromkeys("03689", "group: round"),
}
# What a digit is written of, and which digits have it.
PARTS = {
    "loop": "0689",
    "loop above": "89",
    "loop below": "68",
    "horizontal stroke": "2457",
    "upright stroke": "1479",
    "bow to the right above": "23",
    "bow to the right below": "35",
}


class Source(NamedTuple):
    """All samples, and what is known of their classes.

    `attributes` gives those of the sorted classes, an array (n_classes, n_attributes),
    for the numbers of the rows that it may look at.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    hierarchy: dict
    attributes: Callable


class Task(NamedTuple):
    """Samples to learn from and to classify, the classes sorted."""

    train: np.ndarray
    own: np.ndarray  # numbers of the classes of `train`
    test: np.ndarray
    truth: np.ndarray  # the same of `test`
    classes: np.ndarray
    hierarchy: dict
    attributes: np.ndarray  # (n_classes, n_attributes)


def emoji(quick):
    """Pictures of emoji; classes are subgroups, attributes are keywords."""
    every = load_emoji()
    names, sizes = np.unique(every.subgroups, return_counts=True)
    names = names[sizes >= LEAST][: 12 if quick else None]
    rows = np.flatnonzero(np.isin(every.subgroups, names))
    y = every.subgroups[rows]
    keywords = [line.split(" | ") for line in every.keywords[rows]]
    words = MultiLabelBinarizer().fit_transform(keywords)

    def attributes(seen):
        shares = [words[seen][y[seen] == c].mean(axis=0) for c in np.unique(y[seen])]
        shares = np.array(shares)
        return shares[:, (shares > 0).sum(axis=0) > 1]

    return Source(
        f"emoji, {len(names)} subgroups",
        (255.0 - every.images[rows].reshape(len(rows), -1)) / 255,
        y,
        {c: f"group: {g}" for c, g in zip(y, every.groups[rows], strict=True)},
        attributes,
    )


def mfeat(quick):
    """Pictures of digits: those of mfeat if they are there, else scikit-learn's."""
    path = Path(os.environ.get("SKCRL_DATA", ".")) / "mfeat" / "mfeat.npz"
    if path.exists():
        with np.load(path) as views:
            name, X, y = "mfeat, pixels", views["pix"].astype(float), views["y"]
    else:
        name = f"load_digits of scikit-learn, as there is no {path}"
        X, y = load_digits(return_X_y=True)
    step = 6 if quick else 1
    X, y = X[::step], y[::step].astype(int).astype(str)
    has = [[float(c in digits) for digits in PARTS.values()] for c in sorted(DIGITS)]
    return Source(name, X, y, DIGITS, lambda seen: np.array(has))


SOURCES = {"emoji": emoji, "mfeat": mfeat}


def of_table(source, samples, seed):
    """30 % of the rows for test, of the half on which nothing was chosen.

    The others are to learn from, or `samples` of them from each class.
    """
    chosen_on, others = halves(source)
    train, test = train_test_split(
        others, test_size=0.6, random_state=seed, stratify=source.y[others]
    )
    train = np.concatenate([chosen_on, train])
    return task(source, some_of(source, train, samples, seed), test)


def for_choice(source, samples, seed):
    """The other half: a fifth for validation, or all but the few to learn from."""
    rows = halves(source)[0]
    if samples is None:
        train, test = train_test_split(
            rows, test_size=0.2, random_state=seed, stratify=source.y[rows]
        )
    else:
        train = some_of(source, rows, samples, seed)
        test = np.setdiff1d(rows, train)
    return task(source, train, test)


def halves(source):
    """Rows to choose hyper-parameters on, and the others; no seed changes them."""
    return train_test_split(
        np.arange(len(source.y)), test_size=0.5, random_state=0, stratify=source.y
    )


def some_of(source, rows, samples, seed):
    """So many rows of each class, at random, or all for None."""
    if samples is None:
        return rows
    rows = np.random.default_rng(seed).permutation(rows)
    y = source.y[rows]
    return np.concatenate([rows[y == c][:samples] for c in np.unique(y)])


def task(source, train, test):
    """Columns are centred, and divided by one number for all."""
    mean = source.X[train].mean(axis=0)
    scale = np.sqrt(source.X[train].var(axis=0).mean())
    classes, own = np.unique(source.y[train], return_inverse=True)
    return Task(
        (source.X[train] - mean) / scale,
        own,
        (source.X[test] - mean) / scale,
        np.searchsorted(classes, source.y[test]),
        classes,
        source.hierarchy,
        source.attributes(train),
    )
