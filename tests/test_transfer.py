"""Transfer of a classifier, against loops written by hand."""

import datetime as dt
from itertools import pairwise, product

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC, OneClassSVM

from skcrl import (
    CrossViewClassifier,
    DeepCCA,
    LinearCCA,
    ProbabilisticCCA,
    TwoView,
    ViewPipeline,
    make_view_pipeline,
    transfer_score,
)
from skcrl.datasets import load_emoji

FOLDS = KFold(5)


def by_hand(digits, fit_view="x", predict_view="y", k=10, classifier=None, folds=FOLDS):
    left, right, labels = digits
    scores = []
    for train, test in folds.split(left):
        cca = LinearCCA(k).fit(left[train], right[train])
        encode = {
            "x": lambda rows, cca=cca: cca.transform(left[rows]),
            "y": lambda rows, cca=cca: cca.transform_y(right[rows]),
            "joint": lambda rows, cca=cca: cca.transform_joint(left[rows], right[rows]),
        }
        fitted = clone(classifier or LinearSVC())
        fitted.fit(encode[fit_view](train), labels[train])
        scores.append(fitted.score(encode[predict_view](test), labels[test]))
    return np.array(scores)


VIEWS = [*product("xy", "xy"), ("joint", "joint"), ("joint", "y")]


@pytest.mark.parametrize(("fit_view", "predict_view"), VIEWS)
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
        "classifier__alpha": [0.1, 1.0],
        "fit_view": ["x", "joint"],
        "predict_view": ["y", "joint"],
    }
    transfer = CrossViewClassifier(LinearCCA(), RidgeClassifier())
    search = GridSearchCV(transfer, grid, cv=FOLDS)
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
            params["fit_view"],
            params["predict_view"],
            k=params["representation__n_components"],
            classifier=RidgeClassifier(params["classifier__alpha"]),
        ).mean()
        assert table[str(params)] == pytest.approx(expected)


def test_prediction_needs_one_view_only(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(10), LinearSVC())
    transfer.fit(TwoView(left, right), labels)
    both = transfer.predict(TwoView(left, right))
    np.testing.assert_array_equal(transfer.predict(TwoView(y=right)), both)
    with pytest.raises(ValueError, match="TwoView has no y, which is needed"):
        transfer.predict(TwoView(left))
    with pytest.raises(ValueError, match="TwoView has no x, which is needed"):
        clone(transfer).fit(TwoView(y=right), labels)


@pytest.mark.parametrize(
    "representation", [LinearCCA(10), ProbabilisticCCA(10, reg=0.1)], ids=repr
)
def test_joint_codes_predict_from_whichever_view_is_there(digits, representation):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        representation, LinearSVC(), fit_view="joint", predict_view="joint"
    ).fit(TwoView(left[:900], right[:900]), labels[:900])
    cca = clone(representation).fit(left[:900], right[:900])
    svc = LinearSVC().fit(cca.transform_joint(left[:900], right[:900]), labels[:900])
    x, y = left[900:].copy(), right[900:].copy()
    for views in ((x, None), (None, y), (x, y)):
        expected = svc.predict(cca.transform_joint(*views))
        np.testing.assert_array_equal(transfer.predict(TwoView(*views)), expected)
    x[:100], y[100:200] = np.nan, np.nan
    found = transfer.predict(TwoView(x, y))
    np.testing.assert_array_equal(found[:100], transfer.predict(TwoView(y=y[:100])))
    np.testing.assert_array_equal(found[100:200], transfer.predict(TwoView(x[100:200])))
    np.testing.assert_array_equal(found[200:], expected[200:])
    # The same from one table.
    table = clone(transfer).set_params(x_columns=slice(32), y_columns=slice(32, None))
    table.fit(np.hstack([left, right])[:900], labels[:900])
    np.testing.assert_array_equal(table.predict(np.hstack([x, y])), found)


def test_gaps_in_training_rows(digits):
    left, right, labels = (part[:600] for part in digits)
    rng = np.random.default_rng(0)
    left = np.where(rng.random(left.shape) < 0.1, np.nan, left)
    transfer = CrossViewClassifier(
        ProbabilisticCCA(5, reg=0.5), LinearSVC(), fit_view="joint"
    ).fit(TwoView(left, right), labels)
    cca = ProbabilisticCCA(5, reg=0.5).fit(left, right)
    svc = LinearSVC().fit(cca.transform_joint(left, right), labels)
    found = transfer.predict(TwoView(y=right))
    np.testing.assert_array_equal(found, svc.predict(cca.transform_y(right)))


def test_joint_codes_that_a_representation_has_not(digits):
    class Apart(BaseEstimator):
        fit = transform = transform_y = LinearCCA.transform

    left, right, labels = digits
    message = r"'joint' needs joint codes .*, but Apart\(\) has no .* choose 'x'"
    for views in ({"fit_view": "joint"}, {"predict_view": "joint"}):
        with pytest.raises(ValueError, match=message):
            CrossViewClassifier(Apart(), LinearSVC(), **views).fit(
                TwoView(left, right), labels
            )
        with pytest.raises(ValueError, match=message):
            transfer_score(Apart(), left, right, labels, **views)


def test_text_labels_and_deep_representations(digits):
    left, right, labels = (part[:500] for part in digits)
    names = np.array([f"digit {label}" for label in labels])
    deep = DeepCCA(5, hidden_layer_sizes=(16,), max_epochs=2, random_state=0)
    transfer = CrossViewClassifier(deep, RidgeClassifier())
    transfer.fit(TwoView(left, right), names)
    assert set(transfer.predict(TwoView(left, right))) <= set(names)
    assert list(transfer.classes_) == sorted(set(names))
    assert not hasattr(deep, "net_")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X, y: (np.hstack([X.x, X.y]), y), "set x_columns and y_columns"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, None), "pass the labels as y"),
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


@pytest.mark.parametrize(
    ("fit_view", "predict_view"), [*product("xy", "xy"), ("joint", "x")]
)
def test_transfer_score_is_the_papers_protocol(digits, fit_view, predict_view):
    left, right, labels = digits
    cca = LinearCCA(10).fit(left[:800], right[:800])
    left, right, labels = left[800:], right[800:], labels[800:]
    codes = {
        "x": cca.transform(left),
        "y": cca.transform_y(right),
        "joint": cca.transform_joint(left, right),
    }
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
    with pytest.raises(
        ValueError, match="fit_view must be 'x', 'y' or 'joint', got 'z'"
    ):
        transfer_score(cca, left, right, labels, fit_view="z")
    with pytest.raises(ValueError, match="same number of rows, got 1797 and 1796"):
        transfer_score(cca, left, right[:-1], labels)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        transfer_score(cca, left, right, labels[:-1])


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (Ridge(), "regressor"),
        (GridSearchCV(Ridge(), {"alpha": [1.0]}), "regressor"),
        (KMeans(2), "clusterer"),
        (OneClassSVM(), "outlier detector"),
    ],
)
def test_what_is_no_classifier(digits, other, kind):
    left, right, labels = digits
    cca = LinearCCA(3).fit(left, right)
    with pytest.raises(ValueError, match=rf"got the {kind} {type(other).__name__}\("):
        transfer_score(cca, left, right, labels, classifier=other)
    with pytest.raises(ValueError, match=rf"got the {kind} {type(other).__name__}\("):
        CrossViewClassifier(cca, other).fit(TwoView(left, right), labels)


def test_transfer_score_takes_classes_only(digits):
    left, right, labels = digits
    cca = LinearCCA(3).fit(left, right)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        transfer_score(cca, left, right, labels + 0.5, classifier=DummyClassifier())


def test_a_classifier_that_predicts_only_when_fitted(digits):
    left, right, labels = digits
    stack = StackingClassifier([("ridge", RidgeClassifier())], cv=3)
    transfer = CrossViewClassifier(LinearCCA(5), stack)
    transfer.fit(TwoView(left[:300], right[:300]), labels[:300])
    fit_codes, codes = codes_by_hand(digits, np.arange(300), np.arange(300), k=5)
    np.testing.assert_array_equal(
        transfer.predict(TwoView(y=right[:300])),
        stack.fit(fit_codes, labels[:300]).predict(codes),
    )


def fitting(monkeypatch, cls, name="fit"):
    """Calls of a method, which go on as they were, as a list that grows."""
    calls = []
    method = getattr(cls, name)

    def counted(self, *args, **kwargs):
        calls.append(type(self).__name__)
        return method(self, *args, **kwargs)

    monkeypatch.setattr(cls, name, counted)
    return calls


@pytest.mark.parametrize("kind", [None, "path", "joblib"])
def test_memory_fits_once_per_fold_and_setting(digits, tmp_path, monkeypatch, kind):
    left, right, labels = digits
    memory = {
        None: None,
        "path": tmp_path,
        "joblib": joblib.Memory(tmp_path, verbose=0),
    }[kind]
    grid = {
        "representation__n_components": [5, 10],
        "classifier__alpha": [1.0, 10.0],
        "fit_view": ["x", "y"],
        "predict_view": ["x", "y"],
    }
    transfer = CrossViewClassifier(LinearCCA(), RidgeClassifier(), memory=memory)
    fits = fitting(monkeypatch, LinearCCA)
    search = GridSearchCV(transfer, grid, cv=KFold(3))
    search.fit(TwoView(left, right), labels)
    # In each of three folds for each width, and on all rows at last.
    assert len(fits) == (16 * 3 + 1 if kind is None else 2 * 3 + 1)
    best = by_hand(
        digits,
        search.best_params_["fit_view"],
        search.best_params_["predict_view"],
        search.best_params_["representation__n_components"],
        classifier=RidgeClassifier(search.best_params_["classifier__alpha"]),
        folds=KFold(3),
    )
    assert search.best_score_ == best.mean()


@pytest.mark.parametrize("dispatch", [False, True])
def test_memory_knows_tensors_again(digits, tmp_path, monkeypatch, dispatch):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(5), RidgeClassifier())
    expected = transfer.fit(TwoView(left, right), labels).predict(TwoView(y=right))
    transfer.set_params(memory=tmp_path)
    fits = fitting(monkeypatch, LinearCCA)
    with sklearn.config_context(array_api_dispatch=dispatch):
        for _ in range(2):
            views = TwoView(torch.tensor(left), torch.tensor(right))
            predicted = clone(transfer).fit(views, labels).predict(views)
            np.testing.assert_array_equal(predicted, expected)
    assert len(fits) == 1


@pytest.mark.xdist_group("processes")
def test_processes_share_the_memory(digits, tmp_path, monkeypatch):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(), RidgeClassifier(), memory=str(tmp_path))
    grid = {"representation__n_components": [5, 10], "classifier__alpha": [1.0, 10.0]}
    search = GridSearchCV(transfer, grid, cv=KFold(3), n_jobs=2)
    in_processes = search.fit(TwoView(left, right), labels).cv_results_
    assert len(list(tmp_path.rglob("output.pkl"))) == 2 * 3 + 1
    fits = fitting(monkeypatch, LinearCCA)
    alone = search.set_params(n_jobs=None).fit(TwoView(left, right), labels).cv_results_
    assert fits == []  # all of them were in the files of the processes
    np.testing.assert_array_equal(
        alone["mean_test_score"], in_processes["mean_test_score"]
    )


def test_memory_of_texts_their_steps_and_labels(tmp_path, monkeypatch):
    emoji = load_emoji()
    rows = np.random.default_rng(0).permutation(len(emoji.names))[:200]
    pictures = emoji.images[rows, ::8, ::8].reshape(len(rows), -1) / 255
    frame = pd.DataFrame(pictures).add_prefix("pixel")
    frame["keywords"] = emoji.keywords[rows]
    groups = emoji.groups[rows]
    transfer = CrossViewClassifier(
        make_view_pipeline(
            LinearCCA(5), x=PCA(10), y=TfidfVectorizer(), memory=tmp_path
        ),
        RidgeClassifier(),
        x_columns=list(frame.columns[:-1]),
        y_columns="keywords",
        memory=tmp_path,
    )
    grid = {
        "representation__y__tfidfvectorizer__max_features": [50, 100],
        "representation__estimator__reg": [0.01, 1.0],
        "classifier__alpha": [0.1, 1.0, 10.0],
    }
    of_texts = fitting(monkeypatch, TfidfVectorizer, "fit_transform")
    of_pixels = fitting(monkeypatch, PCA, "fit_transform")
    of_both = fitting(monkeypatch, LinearCCA)
    search = GridSearchCV(transfer, grid, cv=FOLDS).fit(frame, groups)
    # Twelve candidates, five folds, and at last all rows.
    assert len(of_texts) == 2 * 5 + 1
    assert len(of_pixels) == 5 + 1
    assert len(of_both) == 4 * 5 + 1
    best = search.best_params_
    scores = []
    for train, test in FOLDS.split(frame):
        texts = TfidfVectorizer(
            max_features=best["representation__y__tfidfvectorizer__max_features"]
        )
        cca = LinearCCA(5, reg=best["representation__estimator__reg"]).fit(
            PCA(10).fit_transform(pictures[train]),
            texts.fit_transform(emoji.keywords[rows][train]),
        )
        codes = cca.transform(PCA(10).fit_transform(pictures[train]))
        ridge = RidgeClassifier(best["classifier__alpha"]).fit(codes, groups[train])
        codes = cca.transform_y(texts.transform(emoji.keywords[rows][test]))
        scores.append(ridge.score(codes, groups[test]))
    assert search.best_score_ == pytest.approx(np.mean(scores))


def codes_by_hand(digits, train, test, k=10):
    left, right, _ = digits
    cca = LinearCCA(k).fit(left[train], right[train])
    return cca.transform(left[train]), cca.transform_y(right[test])


@pytest.mark.parametrize(
    "classifier",
    [
        LinearDiscriminantAnalysis(),
        CalibratedClassifierCV(RidgeClassifier(), cv=3),
    ],
    ids=["its own", "calibrated"],
)
def test_probabilities_and_their_scorers(digits, classifier):
    left, right, labels = digits
    transfer = CrossViewClassifier(LinearCCA(10), classifier)
    result = cross_validate(
        transfer,
        TwoView(left, right),
        labels,
        cv=FOLDS,
        scoring=["roc_auc_ovr", "neg_log_loss", "accuracy"],
    )
    for fold, (train, test) in enumerate(FOLDS.split(left)):
        fit_codes, codes = codes_by_hand(digits, train, test)
        by_hand = clone(classifier).fit(fit_codes, labels[train])
        p = by_hand.predict_proba(codes)
        auc = roc_auc_score(labels[test], p, multi_class="ovr")
        assert result["test_roc_auc_ovr"][fold] == pytest.approx(auc)
        loss = log_loss(labels[test], p)
        assert -result["test_neg_log_loss"][fold] == pytest.approx(loss)
        accuracy = np.mean(by_hand.predict(codes) == labels[test])
        assert result["test_accuracy"][fold] == pytest.approx(accuracy)


def test_methods_are_those_of_the_classifier(digits):
    left, right, labels = digits
    views = TwoView(left, right)
    lda = LinearDiscriminantAnalysis()
    transfer = CrossViewClassifier(LinearCCA(5), lda)
    assert hasattr(transfer, "predict_proba")
    transfer.fit(views, labels)
    everything = np.arange(len(left))
    fit_codes, codes = codes_by_hand(digits, everything, everything, k=5)
    lda.fit(fit_codes, labels)
    for method in (
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    ):
        np.testing.assert_array_equal(
            getattr(transfer, method)(TwoView(y=right)), getattr(lda, method)(codes)
        )
    ridge = CrossViewClassifier(LinearCCA(5), RidgeClassifier())
    for model in (ridge, clone(ridge).fit(views, labels)):
        assert hasattr(model, "decision_function")
        assert not hasattr(model, "predict_log_proba")
        with pytest.raises(AttributeError, match="no attribute 'predict_proba'"):
            model.predict_proba(views)


def several_labels(labels):
    """What digits are, as indicators, and two labels of three and two classes each."""
    indicators = np.column_stack([labels % 2, labels > 4, np.isin(labels, (0, 6, 8))])
    return indicators.astype(int), np.column_stack([labels % 3, labels > 4])


@pytest.mark.parametrize(
    ("classifier", "kind"),
    [
        (KNeighborsClassifier(), "indicators"),
        (RidgeClassifier(), "indicators"),
        (OneVsRestClassifier(RidgeClassifier()), "indicators"),
        (MultiOutputClassifier(LinearDiscriminantAnalysis()), "outputs"),
        (ClassifierChain(LinearDiscriminantAnalysis()), "indicators"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_several_labels(digits, classifier, kind):
    left, right, labels = digits
    indicators, outputs = several_labels(labels)
    targets = {"indicators": indicators, "outputs": outputs}[kind]
    transfer = CrossViewClassifier(LinearCCA(10), classifier)
    scores = cross_val_score(transfer, TwoView(left, right), targets, cv=FOLDS)
    for score, (train, test) in zip(scores, FOLDS.split(left), strict=True):
        fit_codes, codes = codes_by_hand(digits, train, test)
        by_hand = clone(classifier).fit(fit_codes, targets[train])
        assert score == by_hand.score(codes, targets[test])
    transfer.fit(TwoView(left[train], right[train]), targets[train])
    np.testing.assert_array_equal(
        transfer.predict(TwoView(y=right[test])), by_hand.predict(codes)
    )
    np.testing.assert_equal(transfer.classes_, by_hand.classes_)
    if kind == "indicators":
        f1 = cross_val_score(
            transfer, TwoView(left, right), targets, cv=FOLDS, scoring="f1_macro"
        )
        assert f1.min() > 0.4


def test_sparse_indicators(digits):
    left, right, labels = digits
    views = TwoView(left, right)
    indicators, _ = several_labels(labels)
    transfer = CrossViewClassifier(LinearCCA(5), OneVsRestClassifier(RidgeClassifier()))
    expected = clone(transfer).fit(views, indicators).predict(views)
    predicted = transfer.fit(views, sp.csr_array(indicators)).predict(views)
    np.testing.assert_array_equal(predicted.toarray(), expected)


def test_several_labels_that_the_classifier_does_not_learn(digits):
    left, right, labels = digits
    views = TwoView(left, right)
    transfer = CrossViewClassifier(LinearCCA(5), LinearSVC()).fit(views, labels)
    predicted = transfer.predict(views)
    with pytest.raises(ValueError, match="should be a 1d array"):
        transfer.fit(views, several_labels(labels)[0])
    np.testing.assert_array_equal(transfer.predict(views), predicted)


@pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.coo_array])
def test_sparse_columns(digits, container):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        LinearCCA(10), LinearSVC(), x_columns=slice(32), y_columns=slice(32, None)
    )
    both = container(np.hstack([left, right]))
    # csr, since scikit-learn's splits need rows that can be sliced
    scores = cross_val_score(transfer, both.tocsr(), labels, cv=FOLDS)
    np.testing.assert_allclose(scores, by_hand(digits))
    assert transfer.fit(both, labels).score(both, labels) > 0.6


def test_sparse_columns_are_refused_in_words(digits):
    left, right, labels = digits
    transfer = CrossViewClassifier(
        make_view_pipeline(LinearCCA(3), x=MinMaxScaler()),
        LinearSVC(),
        x_columns=slice(32),
        y_columns=slice(32, None),
    )
    with pytest.raises(TypeError, match="[Ss]parse"):
        transfer.fit(sp.csr_array(np.hstack([left, right])), labels)


@pytest.mark.parametrize("library", [pd, pl])
def test_a_column_by_its_name_is_one_dimensional(library):
    texts = ["a dog runs", "a cat sleeps", "the dog sleeps", "the cat runs"] * 10
    labels = np.array([0, 1, 0, 1] * 10)
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((40, 3)) + labels[:, None]
    frame = library.DataFrame(
        {"p": numbers[:, 0], "q": numbers[:, 1], "text": texts, "r": numbers[:, 2]}
    )
    transfer = CrossViewClassifier(
        make_view_pipeline(LinearCCA(1), y=TfidfVectorizer()),
        RidgeClassifier(),
        x_columns=["p", "q", "r"],
        y_columns="text",
    )
    expected = cross_val_score(
        clone(transfer).set_params(x_columns=None, y_columns=None),
        TwoView(numbers, texts),
        labels,
        cv=FOLDS,
    )
    scores = cross_val_score(transfer, frame, labels, cv=FOLDS)
    np.testing.assert_array_equal(scores, expected)
    assert scores.mean() > 0.9
    by_position = clone(transfer).set_params(x_columns=[0, 1, 3], y_columns=2)
    scores = cross_val_score(by_position, frame, labels, cv=FOLDS)
    np.testing.assert_array_equal(scores, expected)


def test_columns_that_are_not_there(digits):
    left, right, labels = digits
    both = pd.DataFrame(np.hstack([left, right])).add_prefix("v")
    transfer = CrossViewClassifier(
        LinearCCA(3), LinearSVC(), x_columns=slice(32), y_columns=["v40", "w"]
    )
    with pytest.raises(
        ValueError, match="y_columns names columns that X does not have"
    ):
        transfer.fit(both, labels)
    assert not hasattr(transfer, "n_features_in_")
    transfer.set_params(y_columns=[64])
    with pytest.raises(ValueError, match=r"y_columns=\[64\] are not valid positions"):
        transfer.fit(both, labels)
    transfer.set_params(y_columns=slice(64, None))
    with pytest.raises(ValueError, match=r"selects 0 feature\(s\)"):
        transfer.fit(both, labels)


def test_weights_go_where_they_were_requested(digits):
    left, right, labels = digits
    views = TwoView(left, right)
    weights = np.where(labels < 5, 1.0, 0.1)
    with sklearn.config_context(enable_metadata_routing=True):
        for to_cca, to_ridge in ((False, True), (True, True), (True, False)):
            transfer = CrossViewClassifier(
                LinearCCA(5).set_fit_request(sample_weight=to_cca),
                RidgeClassifier()
                .set_fit_request(sample_weight=to_ridge)
                .set_score_request(sample_weight=True),
            ).fit(views, labels, sample_weight=weights)
            cca = LinearCCA(5).fit(left, right, weights if to_cca else None)
            ridge = RidgeClassifier()
            ridge.fit(cca.transform(left), labels, weights if to_ridge else None)
            codes = cca.transform_y(right)
            np.testing.assert_array_equal(transfer.predict(views), ridge.predict(codes))
            score = transfer.score(views, labels, sample_weight=weights)
            assert score == ridge.score(codes, labels, weights)
        scores = cross_val_score(
            transfer, views, labels, cv=FOLDS, params={"sample_weight": weights}
        )
        assert np.isfinite(scores).all()
    transfer = CrossViewClassifier(LinearCCA(5), RidgeClassifier())
    with pytest.raises(ValueError, match="enable_metadata_routing=True.*sample_weight"):
        transfer.fit(views, labels, sample_weight=weights)
    assert not hasattr(transfer, "classes_")
    transfer.fit(views, labels)
    assert transfer.score(views, labels, sample_weight=weights) == np.average(
        transfer.predict(views) == labels, weights=weights
    )


def test_weights_reach_nested_estimators_that_requested_them(digits):
    left, right, labels = digits
    weights = np.where(labels < 5, 1.0, 0.1)
    steps = {"x": MinMaxScaler(), "y": MinMaxScaler()}
    expected = ViewPipeline(LinearCCA(5), **steps).fit(
        left, right, sample_weight=weights
    )
    with sklearn.config_context(enable_metadata_routing=True):
        cca = LinearCCA(5).set_fit_request(sample_weight=True)
        transfer = CrossViewClassifier(
            ViewPipeline(ViewPipeline(cca), **steps), RidgeClassifier()
        )
        with pytest.raises(TypeError, match="unexpected .*'weights'"):
            transfer.fit(TwoView(left, right), labels, weights=weights)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            clone(transfer).fit(TwoView(left, right), labels, sample_weight=weights)
        transfer.classifier.set_fit_request(sample_weight=False)
        transfer.fit(TwoView(left, right), labels, sample_weight=weights)
        np.testing.assert_array_equal(
            transfer.representation_.transform(left), expected.transform(left)
        )
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            ViewPipeline(LinearCCA(5)).fit(left, right, sample_weight=weights)


def test_a_frozen_representation_stays(digits):
    left, right, labels = digits
    cca = LinearCCA(10).fit(left[:900], right[:900])
    transfer = CrossViewClassifier(FrozenEstimator(cca), RidgeClassifier())
    scores = cross_val_score(
        transfer, TwoView(left[900:], right[900:]), labels[900:], cv=FOLDS
    )
    np.testing.assert_array_equal(
        scores,
        transfer_score(
            cca, left[900:], right[900:], labels[900:], classifier=RidgeClassifier()
        ),
    )


@pytest.mark.parametrize(
    "classifier", [StandardScaler(), None, LinearSVC, 3, "svc"], ids=repr
)
def test_what_is_no_classifier_is_named(classifier):
    X, y = np.random.default_rng(0).standard_normal((2, 30, 3))
    labels = [0, 1] * 15
    transfer = CrossViewClassifier(LinearCCA(2), classifier)
    with pytest.raises(ValueError, match="classifier"):
        transfer.fit(TwoView(X, y), labels)
    with pytest.raises(NotFittedError):
        transfer.predict(TwoView(X, y))
    if classifier is not None:
        with pytest.raises(ValueError, match="classifier must be a classifier"):
            transfer_score(LinearCCA(2).fit(X, y), X, y, labels, classifier=classifier)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", 1] * 15,
        [np.nan] * 30,
        ["a", None] * 15,
        [np.ma.masked, 1] * 15,
        np.ma.array([0, 1] * 15, mask=[False] * 29 + [True]),
        [0.0, np.inf] * 15,
        [0.0, 2**63] * 15,
        np.array([0, -np.inf] * 15, dtype=object),
        [0, 1j] * 15,
        [dt.date(2020, 1, 1), dt.datetime(2020, 1, 2)] * 15,
    ],
)
def test_labels_that_are_none_are_named(labels):
    X, y = np.random.default_rng(0).standard_normal((2, 30, 3))
    transfer = CrossViewClassifier(LinearCCA(2), LinearSVC())
    match = "labels of different kinds|holds no label|float in row|of type complex"
    with pytest.raises(ValueError, match=match):
        transfer.fit(TwoView(X, y), labels)
    with pytest.raises(ValueError, match=match):
        transfer_score(LinearCCA(2).fit(X, y), X, y, labels)
    with pytest.raises(ValueError, match=match):
        transfer.fit(TwoView(X, y), [0, 1] * 15).score(TwoView(X, y), labels)
