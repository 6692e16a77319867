"""RoutedView in pipelines, against loops written by hand."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import LinearCCA, RoutedView

FOLDS = KFold(3)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def pipeline(k=10, **options):
    return Pipeline(
        [("view", RoutedView(LinearCCA(k))), ("ridge", RidgeClassifier())], **options
    )


def by_hand(digits, k=10, alpha=1.0, scaled=False):
    left, right, labels = digits
    scores = []
    for train, test in FOLDS.split(left):
        X = StandardScaler().fit_transform(left[train]) if scaled else left[train]
        cca = LinearCCA(k).fit(X, right[train])
        ridge = RidgeClassifier(alpha).fit(cca.transform(X), labels[train])
        scores.append(ridge.score(cca.transform_y(right[test]), labels[test]))
    return np.array(scores)


def test_cross_val_score_is_the_loop_by_hand(digits, routing):
    left, right, labels = digits
    scores = cross_val_score(
        pipeline(), left, labels, cv=FOLDS, params={"second_view": right}
    )
    np.testing.assert_array_equal(scores, by_hand(digits))


def test_requests_by_hand_change_nothing(digits, routing):
    left, right, labels = digits
    for name, value in (("second_view", True), ("other_half", "other_half")):
        model = pipeline()
        model["view"].set_fit_request(second_view=value)
        model["view"].set_transform_request(second_view=value)
        scores = cross_val_score(model, left, labels, cv=FOLDS, params={name: right})
        np.testing.assert_array_equal(scores, by_hand(digits))


def test_steps_before_it_are_for_the_first_view(digits, routing):
    left, right, labels = digits
    model = make_pipeline(StandardScaler(), pipeline())
    scores = cross_val_score(
        model, left, labels, cv=FOLDS, params={"second_view": right}
    )
    np.testing.assert_array_equal(scores, by_hand(digits, scaled=True))


def test_grid_search_fits_once_per_fold_with_memory(
    digits, routing, tmp_path, monkeypatch
):
    left, right, labels = digits
    fits = []
    fit = LinearCCA.fit
    monkeypatch.setattr(
        LinearCCA, "fit", lambda self, X, y: fits.append(len(X)) or fit(self, X, y)
    )
    search = GridSearchCV(
        pipeline(memory=str(tmp_path)),
        {"view__representation__n_components": [5, 10], "ridge__alpha": [1.0, 9.0]},
        cv=FOLDS,
    ).fit(left, labels, second_view=right)
    assert fits == [1198] * 6 + [1797]
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        expected = by_hand(
            digits, params["view__representation__n_components"], params["ridge__alpha"]
        )
        assert score == expected.mean()
    best = search.best_estimator_
    assert search.score(left, labels, second_view=right) == np.mean(
        best.predict(left, second_view=right) == labels
    )


def test_learning_curve(digits, routing):
    left, right, labels = digits
    _, _, scores = learning_curve(
        pipeline(),
        left,
        labels,
        cv=FOLDS,
        train_sizes=[0.5, 1.0],
        params={"second_view": right},
    )
    np.testing.assert_array_equal(scores[-1], by_hand(digits))


def test_weights_go_where_they_were_requested(digits, routing):
    left, right, labels = digits
    weights = np.where(labels < 5, 1.0, 0.1)
    cca = LinearCCA(5).set_fit_request(sample_weight=True)
    expected = LinearCCA(5).fit(left, right, weights).transform_y(right)
    ridge = RidgeClassifier().set_fit_request(sample_weight=False)
    model = make_pipeline(RoutedView(cca), ridge)
    model.fit(left, labels, second_view=right, sample_weight=weights)
    alone = RoutedView(cca).fit(left, second_view=right, sample_weight=weights)
    for view in (model[0], alone):
        np.testing.assert_array_equal(view.transform(None, second_view=right), expected)
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        RoutedView(LinearCCA(5)).fit(left, second_view=right, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=False):
        with pytest.raises(ValueError, match="enable_metadata_routing=True"):
            RoutedView(cca).fit(left, second_view=right, sample_weight=weights)


def test_a_second_view_is_never_positional(digits):
    left, right, labels = digits
    for fit in (RoutedView(LinearCCA(2)).fit, RoutedView(LinearCCA(2)).fit_transform):
        with pytest.raises(TypeError, match="positional argument"):
            fit(left, right, labels)


SAME_VIEW = "fitted to predict from the second view, but transform got no second_view"


def test_the_same_view_is_never_scored_silently(digits, routing):
    left, right, labels = digits
    options = {"cv": FOLDS, "params": {"second_view": right}}
    with pytest.raises(ValueError, match=SAME_VIEW):
        cross_val_score(
            pipeline(), left, labels, scoring="accuracy", error_score="raise", **options
        )
    with pytest.raises(ValueError, match=SAME_VIEW):
        cross_val_predict(pipeline(), left, labels, **options)
    # scikit-learn makes NaN of errors in scoring, and a warning with their text.
    with pytest.warns(UserWarning, match=SAME_VIEW):
        result = cross_validate(
            pipeline(), left, labels, scoring=["accuracy", "f1_macro"], **options
        )
    assert np.isnan([result["test_accuracy"], result["test_f1_macro"]]).all()
    model = pipeline().fit(left, labels, second_view=right)
    for method in (model.predict, model.decision_function, model["view"].transform):
        with pytest.raises(ValueError, match=SAME_VIEW):
            method(left)


def test_without_routing_nothing_is_wrong_silently(digits):
    left, right, labels = digits
    with pytest.raises(ValueError, match="does not accept the second_view parameter"):
        cross_val_score(pipeline(), left, labels, params={"second_view": right})
    model = pipeline().fit(left, labels, view__second_view=right)
    with pytest.raises(ValueError, match=SAME_VIEW):
        model.score(left, labels)


def test_labels_are_not_taken_for_a_missing_second_view(digits, routing):
    left, _, labels = digits
    message = "requests second_view, but fit got none, and labels cannot replace it"
    with pytest.raises(ValueError, match=message):
        pipeline(1).fit(left, labels)
    with pytest.raises(ValueError, match=message):
        RoutedView(LinearCCA(1)).fit_transform(left, labels)
    requested = RoutedView(LinearCCA(1)).set_fit_request(second_view=True)
    refused = RoutedView(LinearCCA(1)).set_fit_request(second_view=False)
    refused.fit(left, labels)  # as it was told to
    with sklearn.config_context(enable_metadata_routing=False):
        with pytest.raises(ValueError, match=message):
            clone(requested).fit(left, labels)


def test_a_second_view_of_another_length(digits, routing):
    left, right, labels = digits
    with pytest.raises(ValueError, match=r"second_view has 1796 rows, but X has 1198"):
        cross_val_score(
            pipeline(),
            left,
            labels,
            cv=FOLDS,
            params={"second_view": right[:-1]},
            error_score="raise",
        )
    model = RoutedView(LinearCCA(2)).fit(left, labels, second_view=right)
    with pytest.raises(ValueError, match=r"second_view has 4 rows, but X has 5"):
        model.transform(left[:5], second_view=right[:4])


def test_codes(digits):
    left, right, labels = digits
    cca = LinearCCA(3).fit(left, right)
    view = RoutedView(LinearCCA(3)).fit(left, labels, second_view=right)
    assert view.needs_second_view_
    assert view.n_features_in_ == 32
    codes = view.transform(left, second_view=right)
    np.testing.assert_array_equal(codes, cca.transform_y(right))
    np.testing.assert_array_equal(view.transform(None, second_view=right), codes)
    np.testing.assert_array_equal(
        clone(view).fit_transform(left, labels, second_view=right), cca.transform(left)
    )
    np.testing.assert_array_equal(
        clone(view).fit_transform(left, second_view=right), cca.transform(left)
    )


def test_without_a_second_view_it_is_the_representation(digits):
    left, right, _ = digits
    cca = LinearCCA(3).fit(left, right)
    view = RoutedView(LinearCCA(3)).fit(left, right)
    assert not view.needs_second_view_
    np.testing.assert_array_equal(view.transform(left), cca.transform(left))
    np.testing.assert_array_equal(
        view.transform(left, second_view=right), cca.transform_y(right)
    )
    # Fitted again, it forgets what it was.
    view.fit(left, second_view=right)
    assert view.needs_second_view_
    assert not view.fit(left, right).needs_second_view_


def test_frames(digits):
    left, right, labels = digits
    frames = [pd.DataFrame(half).add_prefix("v") for half in (left, right)]
    view = RoutedView(LinearCCA(3)).set_output(transform="pandas")
    codes = view.fit_transform(frames[0], labels, second_view=frames[1])
    assert list(codes.columns) == ["routedview0", "routedview1", "routedview2"]
    assert list(view.feature_names_in_) == list(frames[0].columns)
    other = view.transform(frames[0][5:9], second_view=frames[1][5:9])
    assert list(other.columns) == list(codes.columns)
    assert list(other.index) == [5, 6, 7, 8]
    assert len(view.transform(None, second_view=frames[1][5:9])) == 4


def test_errors_change_nothing(digits):
    left, right, labels = digits
    view = RoutedView(LinearCCA(3)).fit(left, labels, second_view=right)
    codes = view.transform(None, second_view=right)
    for bad, message in (
        ((left, labels, right * np.nan), "Input y contains NaN"),
        ((left, labels, right[:-1]), "second_view has 1796 rows"),
        ((left, None, None), "y is the second view"),
        ((left, labels, None), "upper bound is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            view.fit(*bad[:2], second_view=bad[2])
        assert view.needs_second_view_
        np.testing.assert_array_equal(view.transform(None, second_view=right), codes)
    with pytest.raises(ValueError, match="y has 31 features"):
        view.transform(left, second_view=right[:, 1:])
    with pytest.raises(NotFittedError):
        clone(view).transform(left, second_view=right)
    with pytest.raises(ValueError, match="'representation' parameter of RoutedView"):
        RoutedView(StandardScaler()).fit(left, second_view=right)
