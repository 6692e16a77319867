"""TwoView as scikit-learn handles it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.model_selection import GroupKFold, train_test_split

from skcrl import TwoView

X = np.arange(12).reshape(6, 2)
TEXTS = list("abcdef")


@pytest.mark.parametrize("rows", [[4, 0], np.array([4, 0]), slice(1, 3)])
def test_slices_both_views(rows):
    part = TwoView(X, TEXTS)[rows]
    assert part.y == list(np.array(TEXTS)[rows])
    np.testing.assert_array_equal(part.x, X[rows])
    assert part.shape == (len(part.y),)


def test_masks():
    mask = np.arange(6) % 2 == 0
    assert TwoView(X, TEXTS)[mask].y == ["a", "c", "e"]


def test_frames_and_sparse_matrices_keep_their_kind():
    part = TwoView(pd.DataFrame(X, columns=["p", "q"]), sp.csr_array(X))[[1, 5]]
    assert list(part.x["q"]) == [3, 11]
    np.testing.assert_array_equal(part.y.toarray(), X[[1, 5]])


def test_train_test_split_and_groups():
    train, test = train_test_split(TwoView(X, TEXTS), test_size=2, random_state=0)
    assert (len(train), len(test)) == (4, 2)
    assert sorted(train.y + test.y) == TEXTS
    for part in (train, test):
        assert [TEXTS[row[0] // 2] for row in part.x] == part.y
    groups = [0, 0, 1, 1, 2, 2]
    folds = list(GroupKFold(3).split(TwoView(X, TEXTS), groups=groups))
    assert len(folds) == 3


def test_a_missing_view_stays_missing():
    views = TwoView(y=TEXTS)
    assert views[[1]].x is None
    assert views[[1]].y == ["b"]
    assert repr(views) == "TwoView(x=NoneType, y=list)"
    assert repr(TwoView(X, TEXTS)) == "TwoView(x=(6, 2), y=list)"


def test_bad_views():
    with pytest.raises(ValueError, match="both None"):
        TwoView()
    with pytest.raises(ValueError, match="same number of rows, got 6 and 5"):
        TwoView(X, TEXTS[:-1])
    with pytest.raises(TypeError, match="slices and arrays of rows, got 0"):
        TwoView(X, TEXTS)[0]
