"""Each of scikit-learn's tools around a two-view estimator is the loop by hand."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skcrl import CorrNet, DeepCCA, LinearCCA, ViewPipeline
from skcrl.metrics import get_scorer, mean_reciprocal_rank, pearson_sum

FOLDS = KFold(3)
NET = {"hidden_layer_sizes": (8,), "batch_size": 100, "random_state": 0}


@pytest.fixture(scope="module")
def halves(digits):
    """Left and right halves."""
    return digits[:2]


@pytest.fixture(scope="module")
def few(digits):
    """As many as small nets are trained on in a moment."""
    return digits[0][:300], digits[1][:300]


def scores_by_hand(estimator, X, y, **parameters):
    """Total correlation on each fold of a fit to the other folds."""
    scores = []
    for train, test in FOLDS.split(X):
        est = clone(estimator).set_params(**parameters).fit(X[train], y[train])
        scores.append(pearson_sum(est.transform(X[test]), est.transform_y(y[test])))
    return scores


def fold_scores(search):
    """Scores (n_candidates, n_folds) that a search found."""
    results = search.cv_results_
    return np.column_stack([results[f"split{i}_test_score"] for i in range(3)])


def test_first_step_of_a_pipeline(halves):
    X, y = halves
    pipeline = make_pipeline(LinearCCA(10), Ridge()).fit(X, y)
    cca = LinearCCA(10).fit(X, y)
    ridge = Ridge().fit(cca.transform(X), y)
    np.testing.assert_array_equal(pipeline.predict(X), ridge.predict(cca.transform(X)))


def test_middle_step_of_a_pipeline(halves):
    X, y = halves
    pipeline = make_pipeline(StandardScaler(), LinearCCA(10), Ridge()).fit(X, y)
    scaler = StandardScaler().fit(X)
    cca = LinearCCA(10).fit(scaler.transform(X), y)
    codes = cca.transform(scaler.transform(X))
    expected = Ridge().fit(codes, y).predict(codes)
    np.testing.assert_array_equal(pipeline.predict(X), expected)


def test_last_step_of_a_pipeline(halves):
    X, y = halves
    pipeline = make_pipeline(PCA(20), LinearCCA(10)).fit(X, y)
    pca = PCA(20).fit(X)
    inner = pca.transform(X)
    cca = LinearCCA(10).fit(inner, y)
    np.testing.assert_array_equal(pipeline.transform(X), cca.transform(inner))
    np.testing.assert_array_equal(pipeline.predict(X), cca.predict(inner))
    assert pipeline.score(X, y) == cca.score(inner, y)
    fitted = clone(pipeline)
    np.testing.assert_array_equal(fitted.fit_transform(X, y), cca.transform(inner))


def test_feature_union(halves):
    X, y = halves
    union = make_union(LinearCCA(10), PCA(5)).fit(X, y)
    codes = LinearCCA(10).fit(X, y).transform(X)
    expected = np.hstack([codes, PCA(5).fit_transform(X)])
    np.testing.assert_array_equal(union.transform(X), expected)
    names = list(union.get_feature_names_out())
    assert names[:2] == ["linearcca__linearcca0", "linearcca__linearcca1"]


def test_column_transformer_of_both_views(halves):
    X, y = halves
    both = np.hstack([X, y])
    cca = LinearCCA(10).fit(X, y)
    columns = ColumnTransformer(
        [("x", cca.view("x"), slice(32)), ("y", cca.view("y"), slice(32, 64))]
    )
    expected = np.hstack(cca.transform_pair(X, y))
    np.testing.assert_array_equal(columns.fit_transform(both), expected)
    # In a fold it stays as it was fitted: nothing of it is fitted again.
    np.testing.assert_array_equal(
        clone(columns).fit(both[:100]).transform(both), expected
    )
    of_some = ColumnTransformer([("cca", LinearCCA(3), slice(16))]).fit(X, y)
    expected = LinearCCA(3).fit(X[:, :16], y).transform(X[:, :16])
    np.testing.assert_array_equal(of_some.transform(X), expected)


def test_grid_search(halves):
    X, y = halves
    grid = {"n_components": [5, 10], "reg": [1e-4, 1.0]}
    search = GridSearchCV(LinearCCA(), grid, cv=FOLDS).fit(X, y)
    expected = [scores_by_hand(LinearCCA(), X, y, **p) for p in ParameterGrid(grid)]
    np.testing.assert_allclose(fold_scores(search), expected, atol=1e-10)
    best = ParameterGrid(grid)[int(np.mean(expected, axis=1).argmax())]
    assert search.best_params_ == best
    np.testing.assert_array_equal(
        search.transform(X), LinearCCA(**best).fit(X, y).transform(X)
    )
    np.testing.assert_array_equal(
        search.predict(X), LinearCCA(**best).fit(X, y).predict(X)
    )


def test_randomized_search(halves):
    X, y = halves
    space = {"n_components": range(1, 33), "reg": [1e-4, 1e-2, 1.0, (1e-4, 1.0)]}
    search = RandomizedSearchCV(
        LinearCCA(), space, n_iter=4, cv=FOLDS, random_state=0
    ).fit(X, y)
    drawn = list(ParameterSampler(space, 4, random_state=0))
    assert search.cv_results_["params"] == drawn
    expected = [scores_by_hand(LinearCCA(), X, y, **p) for p in drawn]
    np.testing.assert_allclose(fold_scores(search), expected, atol=1e-10)


def test_halving_search_over_epochs(few):
    X, y = few
    grid = {"lr": [1e-4, 1e-2], "n_components": [2, 4]}
    search = HalvingGridSearchCV(
        CorrNet(**NET),
        grid,
        resource="max_epochs",
        min_resources=2,
        max_resources=4,
        factor=2,
        cv=FOLDS,
        random_state=0,
    ).fit(X, y)
    candidates, expected = list(ParameterGrid(grid)), []
    for n_epochs in (2, 4):
        scores = [
            scores_by_hand(CorrNet(**NET), X, y, max_epochs=n_epochs, **parameters)
            for parameters in candidates
        ]
        expected += scores
        order = np.argsort(np.mean(scores, axis=1))
        candidates = [candidates[i] for i in order[-len(candidates) // 2 :]]
    np.testing.assert_allclose(fold_scores(search), expected, atol=1e-10)
    assert search.best_params_ == {**candidates[-1], "max_epochs": 4}


def test_deep_estimators_in_grid_search(few):
    X, y = few
    est = DeepCCA(**NET, max_epochs=3)
    grid = {"hidden_layer_sizes": [(8,), (4, 4)], "objective": ["trace_norm", "soft"]}
    search = GridSearchCV(est, grid, cv=FOLDS).fit(X, y)
    expected = [scores_by_hand(est, X, y, **p) for p in ParameterGrid(grid)]
    np.testing.assert_allclose(fold_scores(search), expected, atol=1e-10)
    best = clone(est).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.transform(X), best.transform(X))


def test_cross_val_predict(halves):
    X, y = halves
    predicted = cross_val_predict(LinearCCA(10), X, y, cv=FOLDS)
    for train, test in FOLDS.split(X):
        cca = LinearCCA(10).fit(X[train], y[train])
        np.testing.assert_array_equal(predicted[test], cca.predict(X[test]))


@pytest.mark.xdist_group("processes")
def test_cross_validate_in_processes(halves):
    X, y = halves
    scoring = {
        "error": "neg_mean_squared_error",
        "rank": get_scorer("mean_reciprocal_rank"),
    }
    results = cross_validate(
        LinearCCA(10), X, y, cv=FOLDS, scoring=scoring, return_estimator=True, n_jobs=2
    )
    for i, (train, test) in enumerate(FOLDS.split(X)):
        by_hand = LinearCCA(10).fit(X[train], y[train])
        error = -np.mean((y[test] - by_hand.predict(X[test])) ** 2)
        Zx, Zy = by_hand.transform_pair(X[test], y[test])
        rank = (mean_reciprocal_rank(Zx, Zy) + mean_reciprocal_rank(Zy, Zx)) / 2
        assert results["test_error"][i] == pytest.approx(error, abs=1e-10)
        assert results["test_rank"][i] == pytest.approx(rank, abs=1e-10)
        np.testing.assert_allclose(
            results["estimator"][i].transform_y(y[test]), Zy, atol=1e-10
        )


def test_learning_curve(halves):
    X, y = halves
    sizes, on_train, on_test = learning_curve(
        LinearCCA(10), X, y, train_sizes=[100, 400, 1000], cv=FOLDS
    )
    for j, (train, test) in enumerate(FOLDS.split(X)):
        for i, n in enumerate(sizes):
            first = train[:n]
            cca = LinearCCA(10).fit(X[first], y[first])
            assert on_train[i, j] == pytest.approx(
                cca.score(X[first], y[first]), abs=1e-10
            )
            assert on_test[i, j] == pytest.approx(
                cca.score(X[test], y[test]), abs=1e-10
            )


def test_permutation_test_score(few):
    X, y = few
    score, permuted, pvalue = permutation_test_score(
        LinearCCA(2), X, y, cv=FOLDS, n_permutations=9, random_state=0
    )
    assert score == pytest.approx(np.mean(scores_by_hand(LinearCCA(2), X, y)))
    rng = np.random.RandomState(0)
    expected = [
        np.mean(scores_by_hand(LinearCCA(2), X, y[rng.permutation(len(y))]))
        for _ in range(9)
    ]
    np.testing.assert_allclose(permuted, expected, atol=1e-10)
    assert pvalue == (1 + sum(np.array(expected) >= score)) / 10 == 0.1


def test_frozen_estimator(halves):
    X, y = halves
    cca = LinearCCA(10).fit(X[:500], y[:500])
    pipeline = make_pipeline(FrozenEstimator(cca), Ridge()).fit(X[500:], y[500:])
    expected = Ridge().fit(cca.transform(X[500:]), y[500:])
    np.testing.assert_array_equal(
        pipeline.predict(X), expected.predict(cca.transform(X))
    )
    assert FrozenEstimator(cca).score(X, y) == cca.score(X, y)


@pytest.mark.parametrize("width", [None, 20, 1])
def test_transformed_target_regressor(halves, width):
    # Of one column, y is flat before scikit-learn makes it one, and flat after.
    X, y = halves
    y = y[:, 8] if width == 1 else y
    scaler = PCA(20) if width == 20 else StandardScaler()
    cca = LinearCCA(1 if width == 1 else 10)
    est = TransformedTargetRegressor(cca, transformer=scaler, check_inverse=False)
    est.fit(X, y)
    columns = y.reshape(len(y), -1)
    scaled = scaler.fit_transform(columns)
    by_hand = scaler.inverse_transform(cca.fit(X, scaled).predict(X))
    np.testing.assert_allclose(est.predict(X), by_hand.reshape(y.shape), atol=1e-10)
    if width is None:  # the same, with all else that two views offer
        pipeline = ViewPipeline(LinearCCA(10), y=StandardScaler()).fit(X, y)
        np.testing.assert_allclose(pipeline.predict(X), by_hand, atol=1e-10)


def test_bagging_over_predictions(halves):
    X, y = halves
    bag = BaggingRegressor(LinearCCA(10), n_estimators=5, random_state=0).fit(X, y)
    expected = np.mean(
        [
            LinearCCA(10).fit(X[rows], y[rows]).predict(X)
            for rows in bag.estimators_samples_
        ],
        axis=0,
    )
    np.testing.assert_allclose(bag.predict(X), expected, atol=1e-10)


def test_bagged_nets_differ_by_their_seeds(few):
    X, y = few
    est = CorrNet(hidden_layer_sizes=(8,), max_epochs=1)
    bag = BaggingRegressor(est, 2, bootstrap=False, random_state=0).fit(X, y)
    seeds = [fitted.random_state for fitted in bag.estimators_]
    assert len(set(seeds)) == 2
    expected = np.mean(
        [clone(est).set_params(random_state=s).fit(X, y).predict(X) for s in seeds],
        axis=0,
    )
    np.testing.assert_allclose(bag.predict(X), expected, atol=1e-10)
