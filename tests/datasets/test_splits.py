"""Splits in which no class is on both sides."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.model_selection import GroupShuffleSplit

from skcrl import TwoView
from skcrl.datasets import class_disjoint_split

CLASSES = np.repeat(list("abcdefghij"), 7)
ROWS = np.arange(70)


@pytest.mark.parametrize(("test_size", "n_test"), [(0.2, 2), (0.25, 3), (4, 4)])
def test_classes_are_on_one_side_and_rows_on_one(test_size, n_test):
    classes = np.random.default_rng(0).permutation(CLASSES)
    train, test, seen, unseen = class_disjoint_split(
        ROWS, classes=classes, test_size=test_size, random_state=0
    )
    assert len(set(unseen)) == n_test
    assert not set(seen) & set(unseen)
    np.testing.assert_array_equal(np.sort(np.r_[train, test]), ROWS)
    for rows, part in ((train, seen), (test, unseen)):
        np.testing.assert_array_equal(rows, np.sort(rows))
        np.testing.assert_array_equal(classes[rows], part)


def test_classes_drawn_are_scikit_learns():
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=5)
    expected = next(splitter.split(ROWS, groups=CLASSES))
    found = class_disjoint_split(ROWS, classes=CLASSES, test_size=0.3, random_state=5)
    for part, rows in zip(found[:2], expected, strict=True):
        np.testing.assert_array_equal(part, rows)


def test_whatever_has_rows_is_split_alike():
    frame = pd.DataFrame({"row": ROWS})
    arrays = (
        frame,
        sparse.csr_array(ROWS[:, None]),
        [f"row {i}" for i in ROWS],
        TwoView(ROWS[:, None], frame),
    )
    parts = class_disjoint_split(*arrays, classes=CLASSES.tolist(), random_state=0)
    assert len(parts) == 10
    for i in (0, 1):
        rows = parts[i]["row"].to_numpy()
        np.testing.assert_array_equal(parts[2 + i].toarray()[:, 0], rows)
        assert parts[4 + i] == [f"row {row}" for row in rows]
        np.testing.assert_array_equal(parts[6 + i].x[:, 0], rows)
        np.testing.assert_array_equal(parts[6 + i].y["row"], rows)
        assert parts[8 + i] == CLASSES[rows].tolist()


def test_the_seed_decides_and_the_global_one_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    drawn = [
        class_disjoint_split(classes=CLASSES, random_state=seed)[1].tolist()
        for seed in (0, 0, 1, None)
    ]
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test_size": 10}, "takes 10 of the 10 different classes .* none for train"),
        ({"test_size": 0.95}, "test_size=0.95 takes 10 of the 10"),
        ({"test_size": 0}, "'test_size' parameter"),
        ({"test_size": 1.5}, "'test_size' parameter"),
        ({"classes": CLASSES[:69]}, r"inconsistent numbers of samples: \[70, 69\]"),
        ({"classes": np.zeros(70)}, "takes 1 of the 1 different classes"),
        ({"classes": np.where(ROWS, 1, np.nan)}, "classes holds no label in row 0"),
        ({"classes": ["a", 1] * 35}, "classes holds labels of different kinds"),
    ],
)
def test_splits_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        class_disjoint_split(ROWS, **({"classes": CLASSES} | arguments))
