"""Scorers by name, in scikit-learn's searches and on their own."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.preprocessing import StandardScaler

from skcrl import LinearCCA, SelfLearning
from skcrl.metrics import (
    get_scorer,
    get_scorer_names,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    pearson_sum,
    recall_at_k,
)

DIRECTED = {
    "recall_at_1": lambda a, b: recall_at_k(a, b, k=1),
    "recall_at_5": lambda a, b: recall_at_k(a, b, k=5),
    "recall_at_10": lambda a, b: recall_at_k(a, b, k=10),
    "mean_reciprocal_rank": mean_reciprocal_rank,
    "neg_median_rank": lambda a, b: -median_rank(a, b),
}


def list_with_none(view):
    return [None if np.isnan(row).all() else row for row in view]


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((300, 4))
    return (
        z @ rng.standard_normal((4, 6)) + 0.5 * rng.standard_normal((300, 6)),
        z @ rng.standard_normal((4, 5)) + 0.5 * rng.standard_normal((300, 5)),
    )


@pytest.fixture(scope="module")
def fitted(views):
    return LinearCCA(3).fit(*views)


def test_names_are_those_of_the_measures():
    suffixes = "", "_x_to_y", "_y_to_x"
    names = [*DIRECTED, "mean_average_precision"]
    expected = [name + suffix for name in names for suffix in suffixes]
    assert get_scorer_names() == sorted([*expected, "pearson_sum"])


@pytest.mark.parametrize("name", DIRECTED)
def test_scores_are_the_measures_of_the_codes(fitted, views, name):
    Zx, Zy = fitted.transform_pair(*views)
    forth, back = DIRECTED[name](Zx, Zy), DIRECTED[name](Zy, Zx)
    assert get_scorer(f"{name}_x_to_y")(fitted, *views) == forth
    assert get_scorer(f"{name}_y_to_x")(fitted, *views) == back
    both = get_scorer(name)(fitted, *views)
    assert type(both) is float
    assert both == pytest.approx((forth + back) / 2, abs=1e-14)


def test_scores_by_distances(fitted, views):
    codes = fitted.transform_pair(*views)
    scorer = get_scorer("recall_at_5_x_to_y", metric="euclidean")
    expected = recall_at_k(*codes, k=5, metric="euclidean")
    assert scorer(fitted, *views) == expected != recall_at_k(*codes, k=5)
    assert eval(repr(scorer)) == scorer
    total = get_scorer("pearson_sum", metric="euclidean")(fitted, *views)
    assert total == pearson_sum(*codes)
    with pytest.raises(ValueError, match="metric must be one of .* got None"):
        get_scorer("recall_at_5", metric=None)


def test_pearson_sum_is_that_of_the_codes(fitted, views):
    expected = pearson_sum(*fitted.transform_pair(*views))
    assert get_scorer("pearson_sum")(fitted, *views) == expected


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_survive_pickling_and_show_where_they_come_from(fitted, views, name):
    scorer = get_scorer(name)
    again = pickle.loads(pickle.dumps(scorer))
    assert repr(again) == f"get_scorer({name!r})"
    assert {again} == {scorer}
    by_class = name.startswith("mean_average_precision")
    classes = {"classes": np.arange(300) % 7} if by_class else {}
    assert again(fitted, *views, **classes) == scorer(fitted, *views, **classes)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_data_frames_score_alike(fitted, views, container):
    framed = LinearCCA(3).set_output(transform=container).fit(*views)
    for name in ("mean_reciprocal_rank", "pearson_sum"):
        scorer = get_scorer(name)
        expected = scorer(fitted, *views)
        assert scorer(framed, *views) == pytest.approx(expected, abs=1e-12)


def test_any_object_with_transform_pair_is_scored(views):
    class Raw:
        def transform_pair(self, X, y):
            scaled = StandardScaler().fit_transform(X)
            return scaled.tolist(), np.float32(scaled)

    assert get_scorer("recall_at_1")(Raw(), *views) == 1


@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_finds_the_size_that_retrieves(views, routing):
    grid = {"n_components": [1, 4]}
    scoring = get_scorer("mean_reciprocal_rank")
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(LinearCCA(), grid, scoring=scoring, cv=3)
        search.fit(*views)
    assert search.best_params_ == {"n_components": 4}
    expected = np.mean(
        [
            scoring(
                LinearCCA(4).fit(views[0][train], views[1][train]),
                views[0][test],
                views[1][test],
            )
            for train, test in KFold(3).split(views[0])
        ]
    )
    assert search.best_score_ == pytest.approx(expected, abs=1e-14)
    assert search.score(*views) == scoring(search.best_estimator_, *views)


def test_several_scorers_in_cross_validation(views):
    names = ("recall_at_1_x_to_y", "neg_median_rank", "pearson_sum")
    scoring = {name: get_scorer(name) for name in names}
    found = cross_validate(LinearCCA(3), *views, scoring=scoring, cv=3)
    for name in names:
        alone = cross_validate(LinearCCA(3), *views, scoring=scoring[name], cv=3)
        np.testing.assert_array_equal(found[f"test_{name}"], alone["test_score"])


def test_unknown_names_are_refused_with_those_there_are():
    with pytest.raises(
        ValueError, match="no scorer 'mrr'. .*mean_reciprocal_rank.*pea"
    ):
        get_scorer("mrr")
    with pytest.raises(ValueError, match=r"no scorer \['mean_reciprocal_rank'\]"):
        get_scorer(["mean_reciprocal_rank"])


def test_folds_smaller_than_k_say_so(fitted, views):
    with pytest.raises(ValueError, match="from 1 to 8, the number of targets, got 10"):
        get_scorer("recall_at_10")(fitted, views[0][:8], views[1][:8])


def test_directions_differ():
    Zx = np.array([[1.0, 0], [1, 0.1], [0, 1]])
    Zy = np.array([[1.0, 0], [0, 1], [0, 1]])

    class Codes:
        def transform_pair(self, X, y):
            return X, y

    scores = {
        name: get_scorer("neg_median_rank" + name)(Codes(), Zx, Zy)
        for name in ("_x_to_y", "_y_to_x", "")
    }
    # Partners rank 1, 2.5 and 1.5 among the targets, 1, 2 and 1 among the queries.
    assert scores == {"_x_to_y": -1.5, "_y_to_x": -1, "": -1.25}


CLASSES = np.random.default_rng(1).integers(4, size=300)


def test_precision_by_classes(fitted, views):
    Zx, Zy = fitted.transform_pair(*views)
    both = (CLASSES, CLASSES)
    forth = mean_average_precision(Zx, Zy, relevant=both)
    back = mean_average_precision(Zy, Zx, relevant=both)
    for suffix, expected in (
        ("_x_to_y", forth),
        ("_y_to_x", back),
        ("", (forth + back) / 2),
    ):
        scorer = get_scorer(f"mean_average_precision{suffix}")
        found = scorer(fitted, *views, classes=CLASSES)
        assert type(found) is float
        assert found == pytest.approx(expected, abs=1e-14)
    by_distance = get_scorer("mean_average_precision_x_to_y", metric="euclidean")
    assert by_distance(fitted, *views, classes=CLASSES) == mean_average_precision(
        Zx, Zy, relevant=both, metric="euclidean"
    )


@pytest.mark.parametrize("name", ["classes", "labels"])
def test_searches_cut_classes_as_they_cut_rows(views, name):
    grid = {"n_components": [1, 4]}
    given = {name: [f"class {i}" for i in CLASSES]}
    scoring = get_scorer("mean_average_precision")
    with sklearn.config_context(enable_metadata_routing=True):
        if name != "classes":
            scoring.set_score_request(classes=name)
        search = GridSearchCV(LinearCCA(), grid, scoring=scoring, cv=3)
        search.fit(*views, **given)
        several = cross_validate(
            LinearCCA(4),
            *views,
            scoring={"precision": scoring, "rank": get_scorer("neg_median_rank")},
            cv=3,
            params=given,
        )
        on_all = search.score(*views, **given)
    by_hand = [
        scoring(
            LinearCCA(4).fit(views[0][train], views[1][train]),
            *(view[test] for view in views),
            classes=CLASSES[test],
        )
        for train, test in KFold(3).split(views[0])
    ]
    found = search.cv_results_["mean_test_score"][1]
    assert found == pytest.approx(np.mean(by_hand), abs=1e-14)
    np.testing.assert_allclose(several["test_precision"], by_hand, atol=1e-14)
    assert on_all == scoring(search.best_estimator_, *views, classes=CLASSES)


def test_classes_where_they_do_not_belong_or_are_missing(fitted, views):
    scorer = get_scorer("mean_average_precision")
    with pytest.raises(ValueError, match="needs the class of each row. .*set_config"):
        scorer(fitted, *views)
    with pytest.raises(ValueError, match="one class for each of 300 rows, got 2"):
        scorer(fitted, *views, classes=[1, 2])
    rank = get_scorer("recall_at_1")
    with pytest.raises(
        ValueError, match="takes no classes. The scorers that take classes are mean_av"
    ):
        rank(fitted, *views, classes=CLASSES)
    with pytest.raises(ValueError, match="so it cannot request any"):
        rank.set_score_request(classes=True)
    with pytest.raises(ValueError, match="alias"):
        scorer.set_score_request(classes=3)
    search = GridSearchCV(LinearCCA(), {"reg": [0.1]}, scoring=rank)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="classes"),
    ):
        search.fit(*views, classes=CLASSES)


@pytest.mark.parametrize("name", get_scorer_names())
@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, list_with_none])
def test_rows_that_miss_a_view_are_left_out(fitted, views, name, form):
    X, y = (view.copy() for view in views)
    X[::3], y[1::3] = np.nan, np.nan
    complete = slice(2, None, 3)
    scorer = get_scorer(name)
    by_class = name.startswith("mean_average_precision")
    whole = {"classes": CLASSES} if by_class else {}
    rest = {"classes": CLASSES[complete]} if by_class else {}
    expected = scorer(fitted, *(view[complete] for view in views), **rest)
    assert scorer(fitted, form(X), form(y), **whole) == expected
    none = np.arange(len(X)) % 3 != 2
    whole = {key: classes[none] for key, classes in whole.items()}
    with pytest.raises(ValueError, match=f"No row has both views, but {name} compares"):
        scorer(fitted, form(X[none]), form(y[none]), **whole)
    if by_class:
        with pytest.raises(ValueError, match="inconsistent"):
            scorer(fitted, form(X), form(y), classes=CLASSES[:9])


def test_a_search_around_self_learning_scores_what_is_paired_in_each_fold(views):
    X, y = (view.copy() for view in views)
    X[150:], y[100:150] = np.nan, np.nan
    learner = SelfLearning(LinearCCA(3), max_rounds=1, validation_fraction=None)
    folds = KFold(3, shuffle=True, random_state=0)
    scoring = get_scorer("mean_reciprocal_rank")
    grid = {"estimator__reg": [1e-3, 1e3]}
    search = GridSearchCV(learner, grid, cv=folds, scoring=scoring).fit(X, y)
    by_hand = []
    for train, test in folds.split(X):
        fit = learner.set_params(estimator__reg=1e-3).fit(X[train], y[train])
        codes = fit.transform_pair(*(view[test[test < 100]] for view in (X, y)))
        ways = mean_reciprocal_rank(*codes), mean_reciprocal_rank(*codes[::-1])
        by_hand.append(np.mean(ways))
    found = search.cv_results_["mean_test_score"][0]
    assert found == pytest.approx(np.mean(by_hand), abs=1e-14)
