"""Semantic matching, against classifiers fitted by hand."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skcrl import CrossViewRetriever, LinearCCA, SemanticMatching, TwoView
from skcrl.datasets import load_digits_halves
from skcrl.metrics import get_scorer, mean_average_precision


@pytest.fixture(scope="module")
def digits():
    left, right, labels = load_digits_halves()
    names = np.array([f"digit {label}" for label in labels])
    return left[:600], right[:600], names[:600]


TRAIN, TEST = slice(400), slice(400, 600)


def cut(digits, rows):
    return [part[rows] for part in digits]


def test_codes_are_probabilities_of_classifiers_of_codes(digits):
    X, y, labels = cut(digits, TRAIN)
    X_new, y_new, _ = cut(digits, TEST)
    made = SemanticMatching(
        LinearCCA(10), y_classifier=LinearDiscriminantAnalysis()
    ).fit(X, y, labels)
    cca = LinearCCA(10).fit(X, y)
    of_x = LogisticRegression(max_iter=1000).fit(cca.transform(X), labels)
    of_y = LinearDiscriminantAnalysis().fit(cca.transform_y(y), labels)
    Zx, Zy = made.transform_pair(X_new, y_new)
    np.testing.assert_array_equal(Zx, of_x.predict_proba(cca.transform(X_new)))
    np.testing.assert_array_equal(Zy, of_y.predict_proba(cca.transform_y(y_new)))
    np.testing.assert_array_equal(made.classes_, np.unique(labels))
    assert (made.n_components_, made.n_features_in_) == (10, 32)
    assert made.get_feature_names_out()[3] == "semanticmatching_digit 3"


def test_without_a_representation_classifiers_take_the_views(digits):
    X, y, labels = cut(digits, TRAIN)
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    words = np.array([f"word{label[-1]} here" for label in labels])
    texts = make_pipeline(TfidfVectorizer(), LogisticRegression())
    made = SemanticMatching(x_classifier=scaled, y_classifier=texts)
    made.fit(X, list(words), labels)
    expected = clone(scaled).fit(X, labels).predict_proba(X)
    np.testing.assert_array_equal(made.transform(X), expected)
    best = made.classes_[made.transform_y(list(words)).argmax(axis=1)]
    np.testing.assert_array_equal(best, labels)
    by_sparse = SemanticMatching().fit(sp.csr_array(X / 16), y / 16, labels)
    dense = SemanticMatching().fit(X / 16, y / 16, labels)
    np.testing.assert_allclose(
        by_sparse.transform(sp.csr_array(X / 16)), dense.transform(X / 16), atol=1e-3
    )
    both = sp.csr_array(np.hstack([X, y]) / 16)
    of_table = SemanticMatching(x_columns=slice(32), y_columns=slice(32, 64))
    found = of_table.fit(both, labels).transform(both)
    np.testing.assert_allclose(found, dense.transform(X / 16), atol=1e-3)


def test_it_finds_more_of_a_class_than_the_codes_themselves(digits):
    X_new, y_new, labels = cut(digits, TEST)
    new = {"X": X_new, "y": y_new, "classes": labels}
    precision = get_scorer("mean_average_precision")
    plain = precision(LinearCCA(10).fit(*cut(digits, TRAIN)[:2]), **new)
    made = SemanticMatching(LinearCCA(10)).fit(*cut(digits, TRAIN))
    assert precision(made, **new) > plain + 0.05
    assert made.score(X_new, y_new, labels) == precision(made, **new)
    Zx, Zy = made.transform_pair(X_new, y_new)
    relevant = (labels, labels)
    ways = [
        mean_average_precision(*pair, relevant=relevant)
        for pair in ((Zx, Zy), (Zy, Zx))
    ]
    assert made.score(X_new, y_new, labels) == pytest.approx(np.mean(ways))


def test_views_in_one_container_are_the_same_views(digits):
    X, y, labels = digits
    made = SemanticMatching(LinearCCA(5)).fit(X, y, labels)
    views, table = TwoView(X, y), np.hstack([X, y])
    frame = pd.DataFrame(table).rename(columns=str)
    names = frame.columns.tolist()
    for container, columns in (
        (views, {}),
        (table, {"x_columns": slice(32), "y_columns": slice(32, 64)}),
        (frame, {"x_columns": names[:32], "y_columns": names[32:]}),
    ):
        same = SemanticMatching(LinearCCA(5), **columns).fit(container, labels)
        for method in ("transform", "transform_y"):
            found = getattr(same, method)(container)
            view = X if method == "transform" else y
            np.testing.assert_allclose(found, getattr(made, method)(view), atol=1e-12)
        assert same.score(container, labels) == pytest.approx(made.score(*digits))


def test_a_fit_to_a_container_forgets_the_table_before_it(digits):
    X, y, labels = digits
    made = SemanticMatching(LinearCCA(5), x_columns=slice(32), y_columns=slice(32, 64))
    assert made.fit(np.hstack([X, y]), labels).n_features_in_ == 64
    assert not hasattr(made.fit(TwoView(X, y), labels), "n_features_in_")


def test_codes_are_named_in_frames(digits):
    X, y, labels = digits
    X = pd.DataFrame(X).rename(columns="pixel{}".format)
    made = SemanticMatching(LinearCCA(5)).set_output(transform="pandas")
    made.fit(X, y, labels)
    assert made.feature_names_in_[0] == "pixel0"
    for codes in (made.transform(X), made.transform_y(y)):
        assert codes.columns[0] == "semanticmatching_digit 0"


def test_searches_over_both_views(digits):
    X, y, labels = digits
    folds = StratifiedKFold(3)
    made = SemanticMatching(LinearCCA(5))
    scores = cross_val_score(made, TwoView(X, y), labels, cv=folds)
    by_hand = [
        clone(made).fit(*cut(digits, a)).score(*cut(digits, b))
        for a, b in folds.split(X, labels)
    ]
    np.testing.assert_allclose(scores, by_hand, atol=1e-14)
    grid = {"representation__n_components": [1, 10], "x_classifier": [None]}
    search = GridSearchCV(made, grid, cv=folds).fit(TwoView(X, y), labels)
    assert search.best_params_["representation__n_components"] == 10
    with sklearn.config_context(enable_metadata_routing=True):
        routed = cross_val_score(
            clone(made).set_fit_request(labels=True),
            X,
            y,
            cv=list(folds.split(X, labels)),
            scoring=get_scorer("mean_average_precision"),
            params={"labels": labels, "classes": labels},
        )
    np.testing.assert_allclose(routed, by_hand, atol=1e-14)


def test_a_retriever_passes_labels_on_and_searches_by_probabilities(digits):
    X, y, labels = cut(digits, TRAIN)
    made = SemanticMatching(LinearCCA(10))
    frozen = FrozenEstimator(clone(made).fit(X, y, labels))
    by_frozen = CrossViewRetriever(frozen, n_neighbors=5).fit(X, y)
    passed = CrossViewRetriever(made, n_neighbors=5).fit(X, y, labels=labels)
    with sklearn.config_context(enable_metadata_routing=True):
        requested = clone(made).set_fit_request(labels=True)
        routed = CrossViewRetriever(requested, n_neighbors=5)
        routed.fit(X, y, labels=labels)
    for retriever in (by_frozen, passed, routed):
        found = retriever.fit_index(y=y, ids=labels_of(labels)).search(X)
        right = [labels[int(i)] == a for a, row in zip(labels, found.ids, strict=True)
                 for i in row]  # fmt: skip
        assert np.mean(right) > 0.8
    why = passed.explain(X[:1], id="0")
    assert why.names[0] == f"semanticmatching_{labels[0]}"


def labels_of(rows):
    return [str(i) for i in range(len(rows))]


class WithRows(BaseEstimator):
    """Two-view estimator that insists on its rows of what is given beside them."""

    def fit(self, X, y, beside, alike):
        np.testing.assert_array_equal(beside, X[:, 0])
        assert alike == "the same for all"
        self.n_components_ = X.shape[1]
        return self

    def transform(self, X):
        return X

    transform_y = transform


def test_a_retriever_cuts_what_it_passes_on_as_it_cuts_rows(rng):
    Z = rng.standard_normal((30, 3))
    made = CrossViewRetriever(WithRows(), correlation_power=1, cv=3)
    made.fit(Z, Z, beside=Z[:, 0].tolist(), alike="the same for all")
    np.testing.assert_allclose(made.weights_, 1)
    with pytest.raises(TypeError, match="nonsense"):
        made.fit(Z, Z, nonsense=1)
    np.testing.assert_allclose(made.weights_, 1)


REFUSED = {
    "no labels": (lambda d: d[:2], {}, "or pass a TwoView"),
    "columns of one view": (
        lambda d: (np.hstack(d[:2]), d[2]),
        {"x_columns": slice(32)},
        "set x_columns and y_columns",
    ),
    "labels twice": (
        lambda d: (TwoView(*d[:2]), d[2], d[2]),
        {},
        "X holds both views, so y must be the labels, but labels were passed",
    ),
    "one view": (lambda d: (TwoView(d[0]), d[2]), {}, "TwoView has no y"),
    "no second view": (lambda d: (d[0], None, d[2]), {}, "requires y to be passed"),
    "fewer labels": (lambda d: (*d[:2], d[2][:5]), {}, "inconsistent numbers"),
    "numbers for labels": (
        lambda d: (*d[:2], np.linspace(0, 1, 600)),
        {},
        "Unknown label type: continuous",
    ),
    "unpaired": (lambda d: (d[0], d[1][:9], d[2]), {}, "same number of rows"),
    "a regressor": (
        lambda d: d,
        {"y_classifier": LinearRegression()},
        "y_classifier must be a classifier, got the regressor LinearRegression",
    ),
    "no probabilities": (
        lambda d: d,
        {"x_classifier": LinearSVC()},
        "x_classifier must have predict_proba, but LinearSVC.. has none",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(digits, case):
    arguments, params, message = REFUSED[case]
    made = SemanticMatching(LinearCCA(2)).fit(*digits)
    expected = made.transform(digits[0])
    with pytest.raises(ValueError, match=message):
        made.set_params(**params).fit(*arguments(digits))
    np.testing.assert_array_equal(made.transform(digits[0]), expected)


def test_a_score_without_labels_asks_for_them(digits):
    made = SemanticMatching(LinearCCA(2)).fit(*digits)
    with pytest.raises(ValueError, match="or pass a TwoView"):
        made.score(*digits[:2])


def test_calibrated_margins_have_probabilities(digits):
    margins = CalibratedClassifierCV(LinearSVC(), cv=2)
    made = SemanticMatching(LinearCCA(5), x_classifier=margins).fit(*digits)
    np.testing.assert_allclose(made.transform(digits[0]).sum(axis=1), 1)


def test_it_is_saved(digits, tmp_path):
    made = SemanticMatching(LinearCCA(5)).fit(*digits)
    made.save(tmp_path / "matching.skcrl")
    again = SemanticMatching.load(tmp_path / "matching.skcrl")
    np.testing.assert_array_equal(again.transform(digits[0]), made.transform(digits[0]))
    assert again.score(*digits) == made.score(*digits)
