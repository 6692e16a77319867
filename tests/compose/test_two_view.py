"""TwoView as scikit-learn handles it."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
import torch
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import resample, shuffle

from skcrl import CrossViewClassifier, LinearCCA, TwoView

X = np.arange(12).reshape(6, 2)
TEXTS = list("abcdef")

# Each makes its container of a (6, 2) table.
CONTAINERS = {
    "ndarray": np.asarray,
    "list of lists": np.ndarray.tolist,
    "tensor": torch.as_tensor,
    "pandas": lambda a: pd.DataFrame(a, columns=["p", "q"], index=list("uvwxyz")),
    "polars": lambda a: pl.DataFrame(a, schema=["p", "q"]),
    "series": lambda a: pd.Series(a[:, 0], index=list("uvwxyz")),
    "polars series": lambda a: pl.Series(a[:, 0]),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "dok": sp.dok_array,
    "csr_matrix": sp.csr_matrix,
}
ROWS = [
    [4, 0, -1],
    np.array([4, 0]),
    slice(1, 3),
    slice(-3, None),
    slice(None, None, -1),
    slice(5, 0, -2),
    np.arange(6) % 2 == 0,
    [True, False, False, False, True, False],
    pd.Series([True, False] * 3, index=list("uvwxyz")),
    [],
]


def dense(view):
    return view.toarray() if sp.issparse(view) else np.asarray(view)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_any_rows_of_any_container(kind):
    views = TwoView(CONTAINERS[kind](X), TEXTS)
    whole = dense(views.x)
    for rows in ROWS:
        part = views[rows]
        expected = np.arange(6)[rows]
        assert dense(part.x).tolist() == whole[expected].tolist()
        assert part.y == [TEXTS[row] for row in expected]
        assert part.shape == (len(expected),)
        if kind not in ("coo", "dok"):  # which cannot be sliced, and become CSR
            assert type(part.x) is type(views.x)


def test_indices_and_masks_of_frames_keep_their_names():
    part = TwoView(CONTAINERS["pandas"](X), CONTAINERS["series"](X))[[5, 1]]
    assert list(part.x.index) == list(part.y.index) == ["z", "v"]
    assert list(part.x.columns) == ["p", "q"]


def paired(views):
    return [TEXTS[row[0] // 2] for row in views.x] == views.y


def test_splitters_and_resampling():
    views = TwoView(X, TEXTS)
    train, test = train_test_split(views, test_size=2, random_state=0)
    assert (len(train), len(test)) == (4, 2)
    assert sorted(train.y + test.y) == TEXTS
    assert paired(train)
    assert paired(test)
    folds = [
        *KFold(3).split(views),
        *GroupKFold(3).split(views, groups=[0, 0, 1, 1, 2, 2]),
        *ShuffleSplit(3, test_size=2, random_state=0).split(views),
    ]
    assert len(folds) == 9
    for train_rows, test_rows in folds:
        assert sorted(views[train_rows].y + views[test_rows].y) == TEXTS
    more = resample(views, n_samples=20, random_state=0)
    assert len(more) == 20
    assert paired(more)
    mixed, labels = shuffle(views, np.arange(6), random_state=1)
    assert mixed.y == [TEXTS[label] for label in labels] != TEXTS


def test_splits_of_tensors_under_array_api(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(5), LinearSVC())
    expected = cross_val_score(transfer, TwoView(left, right), labels, cv=3)
    for kind in (np.asarray, torch.as_tensor):
        views = TwoView(kind(left), kind(right))
        for dispatch in (False, True):
            with sklearn.config_context(array_api_dispatch=dispatch):
                scores = cross_val_score(transfer, views, labels, cv=3)
                train, test = train_test_split(views, test_size=97, random_state=0)
            np.testing.assert_allclose(scores, expected)
            assert (len(train), len(test)) == (1700, 97)
            assert type(test.x) is type(views.x)


def test_two_views_are_not_one_array(digits):
    left, right, _ = digits
    views = TwoView(left, right)
    for use in (
        np.asarray,
        np.mean,
        list,
        StandardScaler().fit,
        lambda views: LinearCCA().fit(views, right),
    ):
        for dispatch in (False, True):
            with sklearn.config_context(array_api_dispatch=dispatch):
                with pytest.raises(TypeError, match="holds two views.*ViewPipeline"):
                    use(views)


def test_a_missing_view_stays_missing():
    views = TwoView(y=TEXTS)
    assert views[[1]].x is None
    assert views[[1]].y == ["b"]
    assert repr(views) == "TwoView(x=None, y=list of 6)"
    assert repr(TwoView(X, TEXTS)) == "TwoView(x=(6, 2), y=list of 6)"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies(copied):
    views = copied(TwoView(X, TEXTS))
    assert len(views) == 6
    assert views.shape == (6,)
    np.testing.assert_array_equal(views[2:].x, X[2:])
    assert views[2:].y == TEXTS[2:]


def test_bad_views():
    with pytest.raises(ValueError, match="both None"):
        TwoView()
    with pytest.raises(ValueError, match="same number of rows, got 6 and 5"):
        TwoView(X, TEXTS[:-1])
    for bad in ("abcdef", {"a": X}, set(TEXTS)):
        with pytest.raises(ValueError, match=r"y must have one row per sample, got a"):
            TwoView(X, bad)
    for bad in (6, 10**400, np.ma.masked, object()):
        with pytest.raises(ValueError, match="y must be array-like, got"):
            TwoView([[None]] * 6, bad)


def test_bad_rows():
    views = TwoView(X, TEXTS)
    for bad in (0, np.int64(0), [[0, 1]], X):
        with pytest.raises(TypeError, match="a slice or an array of rows, got"):
            views[bad]
    for bad in (np.s_[:3, :1], ([0, 1], [3]), np.s_[:3, None]):
        with pytest.raises(TypeError, match="can be indexed by rows only, got"):
            views[bad]
    assert views[[1, 0], ...].y == ["b", "a"]
    with pytest.raises(IndexError, match="out of bounds"):
        views[[6]]
    with pytest.raises(IndexError, match="boolean"):
        views[[True, False]]


TABLE = np.arange(24.0).reshape(6, 4)
NAMES = list("pqrs")
TABLES = {
    "ndarray": np.asarray,
    "tensor": torch.as_tensor,
    "pandas": lambda a: pd.DataFrame(a, columns=NAMES),
    "polars": lambda a: pl.DataFrame(a, schema=NAMES),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "csr_matrix": sp.csr_matrix,
}
POSITIONS = [
    slice(1, 3),
    slice(None),
    slice(None, None, -1),
    slice(-1, 0, -2),
    [3, 0],
    [np.int64(2), 1],
    (0, -1),
    np.array([2]),
    [True, False, False, True],
    np.array([False, True, True, False]),
]


@pytest.mark.parametrize("kind", TABLES)
def test_views_from_columns_by_position(kind):
    table = TABLES[kind](TABLE)
    for columns in POSITIONS:
        expected = TABLE[:, list(columns) if isinstance(columns, tuple) else columns]
        views = TwoView.from_columns(table, x=columns, y=[1])
        np.testing.assert_array_equal(dense(views.x), expected)
        np.testing.assert_array_equal(dense(views.y), TABLE[:, [1]])
    for column in (2, -1, np.int64(2)):
        part = TwoView.from_columns(table, y=column)
        assert part.x is None
        is_table = sp.issparse(table)  # there are no sparse vectors
        assert part.y.shape == ((6, 1) if is_table else (6,))
        np.testing.assert_array_equal(dense(part.y).ravel(), TABLE[:, column])


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_views_from_columns_by_name(kind):
    table = TABLES[kind](TABLE)
    for columns in (["s", "p"], np.array(["s", "p"]), pd.Index(["s", "p"])):
        views = TwoView.from_columns(table, x=columns, y="q")
        assert list(views.x.columns) == ["s", "p"]
        np.testing.assert_array_equal(views.x, TABLE[:, [3, 0]])
        assert views.y.shape == (6,)
        np.testing.assert_array_equal(views.y, TABLE[:, 1])
    between = TwoView.from_columns(table, x=slice("q", "r"), y=slice("s", None))
    assert [*between.x.columns, *between.y.columns] == ["q", "r", "s"]


@pytest.mark.parametrize(
    ("kind", "columns", "message"),
    [
        (
            "pandas",
            "z",
            r"x names .* X does not have: \['z'\]. The columns of X are \['p'",
        ),
        ("polars", ["p", "z"], r"x names columns that X does not have: \['z'\]"),
        ("pandas", slice("p", "zz"), r"x names columns that X does not have: \['zz'\]"),
        ("ndarray", "p", "by name, but X, a ndarray, has no column names"),
        ("csr", ["p"], "by name, but X, a csr_array, has no column names"),
        ("ndarray", [7], r"x=\[7\] are not valid positions, .* for the 4 columns of X"),
        (
            "ndarray",
            2**63,
            r"x=9223.* are not valid positions, .* for the 4 columns of X",
        ),
        ("tensor", -5, "x=-5 are not valid positions, .* for the 4 columns of X"),
        ("coo", [True], "not a valid mask, for the 4 columns of X: boolean"),
        ("pandas", [1.5], "not a valid mask, for the 4 columns of X: only integers"),
        ("ndarray", True, "x=True is not a column: pass a name or position"),
        ("tensor", np.bool_(False), "x=False is not a column"),
        ("pandas", ["p", 1], "all integers or all strings"),
        ("polars", [], r"x=\[\] selects 0 feature\(s\) of X with n_features = 4"),
        ("ndarray", slice(4, None), r"selects 0 feature\(s\) of X"),
    ],
)
def test_columns_that_are_not_there(kind, columns, message):
    with pytest.raises(ValueError, match=message):
        TwoView.from_columns(TABLES[kind](TABLE), x=columns, y=slice(None))


def test_columns_of_what_is_no_table():
    with pytest.raises(ValueError, match="X must be a table, .* got a list"):
        TwoView.from_columns(TABLE.tolist(), x=[0], y=[1])
    with pytest.raises(ValueError, match=r"got a ndarray of shape \(4,\)"):
        TwoView.from_columns(TABLE[0], x=[0], y=[1])
    with pytest.raises(ValueError, match="both None"):
        TwoView.from_columns(TABLE)
