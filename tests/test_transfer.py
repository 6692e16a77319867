"""Transfer of a classifier, against loops written by hand."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.svm import LinearSVC

from skcrl import CrossViewClassifier, DeepCCA, LinearCCA, TwoView, transfer_score

FOLDS = KFold(5)


def by_hand(digits, fit_view="x", predict_view="y", k=10, C=1.0):
    left, right, labels = digits
    scores = []
    for train, test in FOLDS.split(left):
        cca = LinearCCA(k).fit(left[train], right[train])
        encode = {
            "x": lambda rows, cca=cca: cca.transform(left[rows]),
            "y": lambda rows, cca=cca: cca.transform_y(right[rows]),
        }
        svc = LinearSVC(C=C).fit(encode[fit_view](train), labels[train])
        scores.append(svc.score(encode[predict_view](test), labels[test]))
    return np.array(scores)


@pytest.mark.parametrize("fit_view", ["x", "y"])
@pytest.mark.parametrize("predict_view", ["x", "y"])
def test_cross_val_score_is_the_loop_by_hand(digits, fit_view, predict_view):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        LinearCCA(10), LinearSVC(), fit_view=fit_view, predict_view=predict_view
    )
    scores = cross_val_score(transfer, TwoView(left, right), labels, cv=FOLDS)
    np.testing.assert_allclose(scores, by_hand(digits, fit_view, predict_view))


def containers(left, right):
    names = [f"{side}{i}" for side in "lr" for i in range(32)]
    both = np.hstack([left, right])
    slices = {"x_columns": slice(0, 32), "y_columns": slice(32, None)}
    return {
        "array": (both, slices),
        "lists of columns": (
            both,
            {"x_columns": list(range(32)), "y_columns": list(range(32, 64))},
        ),
        "data frame": (
            pd.DataFrame(both, columns=names),
            {"x_columns": names[:32], "y_columns": names[32:]},
        ),
        "two view of frames": (
            TwoView(*(pd.DataFrame(v).add_prefix("v") for v in (left, right))),
            {},
        ),
    }


@pytest.mark.parametrize("kind", containers(*np.zeros((2, 1, 32))))
def test_containers(digits, kind):
    left, right, labels = digits
    X, columns = containers(left, right)[kind]
    transfer = CrossViewClassifier(LinearCCA(10), LinearSVC(), **columns)
    scores = cross_val_score(transfer, X, labels, cv=FOLDS)
    np.testing.assert_allclose(scores, by_hand(digits))


def test_grid_search_over_everything(digits):
    left, right, labels = digits
    grid = {
        "representation__n_components": [5, 10],
        "classifier__C": [0.1, 1.0],
        "predict_view": ["x", "y"],
    }
    transfer = CrossViewClassifier(LinearCCA(), LinearSVC())
    search = GridSearchCV(transfer, grid, cv=FOLDS, n_jobs=2)
    search.fit(TwoView(left, right), labels)
    table = dict(
        zip(
            map(str, search.cv_results_["params"]),
            search.cv_results_["mean_test_score"],
            strict=True,
        )
    )
    for params in search.cv_results_["params"]:
        expected = by_hand(
            digits,
            predict_view=params["predict_view"],
            k=params["representation__n_components"],
            C=params["classifier__C"],
        ).mean()
        assert table[str(params)] == pytest.approx(expected)


def test_prediction_needs_one_view_only(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(10), LinearSVC())
    transfer.fit(TwoView(left, right), labels)
    both = transfer.predict(TwoView(left, right))
    np.testing.assert_array_equal(transfer.predict(TwoView(y=right)), both)
    with pytest.raises(ValueError, match="TwoView holds no y, which is needed"):
        transfer.predict(TwoView(left))
    with pytest.raises(ValueError, match="TwoView holds no x, which is needed"):
        clone(transfer).fit(TwoView(y=right), labels)


def test_text_labels_and_deep_representations(digits):
    left, right, labels = digits
    names = np.array([f"digit {label}" for label in labels])
    deep = DeepCCA(5, hidden_layer_sizes=(16,), max_epochs=2, random_state=0)
    transfer = CrossViewClassifier(deep, LinearSVC()).fit(TwoView(left, right), names)
    assert set(transfer.predict(TwoView(left, right))) <= set(names)
    assert list(transfer.classes_) == sorted(set(names))
    assert not hasattr(deep, "net_")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X, y: (np.hstack([X.x, X.y]), y), "name the columns of each"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, None), "y are the labels"),
        (lambda X, y: (X, y * 0.37), "Unknown label type"),
        (lambda X, y: (TwoView(X.x * np.nan, X.y), y), "Input X contains NaN"),
    ],
)
def test_bad_input_changes_nothing(digits, spoil, message):
    left, right, labels = digits
    views = TwoView(left, right)
    transfer = CrossViewClassifier(LinearCCA(5), LinearSVC()).fit(views, labels)
    predicted = transfer.predict(views)
    with pytest.raises(ValueError, match=message):
        transfer.fit(*spoil(views, labels))
    np.testing.assert_array_equal(transfer.predict(views), predicted)


def test_unfitted(digits):
    with pytest.raises(NotFittedError):
        CrossViewClassifier(LinearCCA(), LinearSVC()).predict(TwoView(digits[0]))


@pytest.mark.parametrize("fit_view", ["x", "y"])
@pytest.mark.parametrize("predict_view", ["x", "y"])
def test_transfer_score_is_the_papers_protocol(digits, fit_view, predict_view):
    left, right, labels = digits
    cca = LinearCCA(10).fit(left[:800], right[:800])
    left, right, labels = left[800:], right[800:], labels[800:]
    codes = {"x": cca.transform(left), "y": cca.transform_y(right)}
    # Five contiguous folds, the first ones longer by one.
    bounds = np.cumsum([0, 200, 200, 199, 199, 199])
    expected = []
    for start, stop in pairwise(bounds):
        train = np.r_[0:start, stop:997]
        svc = LinearSVC().fit(codes[fit_view][train], labels[train])
        test = codes[predict_view][start:stop]
        expected.append(svc.score(test, labels[start:stop]))
    scores = transfer_score(
        cca, left, right, labels, fit_view=fit_view, predict_view=predict_view
    )
    np.testing.assert_allclose(scores, expected)


def test_transfer_score_takes_a_classifier_and_a_splitter(digits):
    left, right, labels = digits
    cca = LinearCCA(10).set_output(transform="pandas").fit(left, right)
    svc = LinearSVC(C=1e-3)
    scores = transfer_score(
        cca, left, right, labels, classifier=svc, cv=KFold(3, shuffle=True)
    )
    assert scores.shape == (3,)
    assert not hasattr(svc, "classes_")


def test_transfer_score_takes_any_integer_and_no_global_generator(digits):
    left, right, labels = digits
    cca = LinearCCA(10).fit(left, right)
    before = np.random.get_state()[1].copy()
    scores = [
        transfer_score(cca, left, right, labels, cv=cv) for cv in (3, np.int64(3))
    ]
    np.testing.assert_array_equal(*scores)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_refit_on_a_two_view_forgets_the_columns(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        LinearCCA(3), LinearSVC(), x_columns=slice(32), y_columns=slice(32, None)
    ).fit(np.hstack([left, right]), labels)
    assert transfer.n_features_in_ == 64
    transfer.fit(TwoView(left, right), labels)
    assert not hasattr(transfer, "n_features_in_")


def test_transfer_score_names_bad_input(digits):
    left, right, labels = digits
    cca = LinearCCA(3).fit(left, right)
    with pytest.raises(ValueError, match="fit_view must be 'x' or 'y', got 'z'"):
        transfer_score(cca, left, right, labels, fit_view="z")
    with pytest.raises(ValueError, match="same number of rows, got 1797 and 1796"):
        transfer_score(cca, left, right[:-1], labels)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transfer_score(cca, left, right, labels[:-1])


def test_sparse_columns_are_refused_in_words(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        LinearCCA(3), LinearSVC(), x_columns=slice(32), y_columns=slice(32, None)
    )
    with pytest.raises(TypeError, match="[Ss]parse"):
        transfer.fit(sp.csr_array(np.hstack([left, right])), labels)
