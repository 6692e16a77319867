"""The contract all two-view estimators share, on one linear and one deep."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skcrl import CorrNet, DeepCCA, LinearCCA, MultimodalAutoencoder
from skcrl.datasets import make_correlated_views
from skcrl.metrics import pearson_sum, reconstruction_error

ESTIMATORS = [
    LinearCCA(2),
    DeepCCA(hidden_layer_sizes=(8,), random_state=0, max_epochs=50),
    CorrNet(random_state=0, batch_size=20, lr=0.02),
]


@pytest.fixture(scope="module")
def views():
    # Equal widths: a mistaken view would go unnoticed.
    return make_correlated_views(
        100, 4, 4, correlations=(0.98, 0.9, 0.2), random_state=0
    )


@pytest.fixture(params=ESTIMATORS, ids=lambda e: type(e).__name__)
def est(request, views):
    return clone(request.param).fit(*views)


def test_view_encodes_its_own_side(est, views):
    # Trap 2: at equal width the weights of the other view fit silently.
    X, y = views
    np.testing.assert_array_equal(est.view("x").transform(X), est.transform(X))
    np.testing.assert_array_equal(est.view("y").transform(y), est.transform_y(y))
    assert abs(est.view("y").transform(y) - est.transform(y)).max() > 0.1


def test_view_outlives_a_refit(est, views):
    # Trap 16.
    X, y = views
    view = est.view("y")
    codes = view.transform(y)
    est.fit(y[::-1], X)
    np.testing.assert_array_equal(view.transform(y), codes)
    np.testing.assert_array_equal(view.fit(X).transform(y), codes)
    assert clone(view) is view
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(view)).transform(y), codes)


def test_view_reconstructs_itself(est, views):
    X, _ = views
    view = est.view("x")
    reconstructed = view.inverse_transform(view.transform(X))
    np.testing.assert_allclose(reconstructed, est.reconstruct(X, to="x"), atol=1e-12)
    pipeline = make_pipeline(StandardScaler(), view).fit(X)
    assert pipeline.inverse_transform(pipeline.transform(X)).shape == X.shape
    with pytest.raises(ValueError, match=r"\(n_samples, 2\), got \(100, 3\)"):
        view.inverse_transform(X[:, :3])
    with pytest.raises(ValueError, match="contains NaN"):
        view.inverse_transform(X[:, :2] * np.nan)
    with pytest.raises(ValueError, match="X must be array-like, got 1000"):
        est.reconstruct(10**400)
    with pytest.raises(ValueError, match="X must be array-like, got 1000"):
        view.inverse_transform(10**400)
    with pytest.raises(ValueError, match="X holds 1000.* in row 1, column 0, .*too la"):
        view.inverse_transform([[1.0, 2.0], [10**400, 0.0]])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        view.inverse_transform([[1.0, np.ma.masked]])


def test_views_transfer_a_classifier(est, views):
    X, y = views
    labels = X @ [1, -1, 1, -1] > 0
    classifier = make_pipeline(est.view("x"), LinearSVC()).fit(X, labels)[-1]
    other = make_pipeline(est.view("y"), classifier)
    assert other.score(y, labels) == np.mean(
        classifier.predict(est.transform_y(y)) == labels
    )
    columns = ColumnTransformer(
        [("x", est.view("x"), slice(0, 4)), ("y", est.view("y"), slice(4, 8))]
    )
    np.testing.assert_array_equal(
        columns.fit_transform(np.hstack([X, y])), np.hstack(est.transform_pair(X, y))
    )


def test_side_must_be_x_or_y(est):
    with pytest.raises(ValueError, match="side must be 'x' or 'y', got 'z'"):
        est.view("z")


def test_missing_views(est, views):
    X, y = (view[:6].copy() for view in views)
    X[2:4], y[4:] = np.nan, np.nan
    joint = est.transform_joint(X, y)
    np.testing.assert_array_equal(joint[:2], est.transform_joint(X[:2], y[:2]))
    np.testing.assert_array_equal(joint[2:4], est.transform_joint(y=y[2:4]))
    np.testing.assert_array_equal(joint[4:], est.transform_joint(X[4:]))
    for to in ("x", "y"):
        reconstructed = est.reconstruct(X, y, to=to)
        np.testing.assert_array_equal(
            reconstructed[:2], est.reconstruct(X[:2], y[:2], to=to)
        )
        np.testing.assert_array_equal(
            reconstructed[2:4], est.reconstruct(y=y[2:4], to=to)
        )
        np.testing.assert_array_equal(reconstructed[4:], est.reconstruct(X[4:], to=to))
    both = est.reconstruct(X, y, to="both")
    np.testing.assert_array_equal(both[1], est.reconstruct(X, y, to="y"))


def test_missing_views_that_cannot_be(est, views):
    X, y = (view[:6].copy() for view in views)
    with pytest.raises(ValueError, match="X and y are both None"):
        est.transform_joint()
    with pytest.raises(ValueError, match="both None"):
        est.reconstruct(to="x")
    with pytest.raises(ValueError, match="to must be 'x', 'y' or 'both', got 'z'"):
        est.reconstruct(X, to="z")
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="X has rows that are partly NaN.* row 3"):
        est.transform_joint(X, y)
    X[3], y[3] = np.nan, np.nan
    with pytest.raises(ValueError, match="1 samples are missing in both.* row 3"):
        est.reconstruct(X, y)
    with pytest.raises(ValueError, match="must be paired"):
        est.transform_joint(X, y[:-1])


def test_reconstruction_beats_the_mean(est, views):
    X, y = views
    for given, to, target in (
        ({"X": X}, "y", y),
        ({"y": y}, "x", X),
        ({"X": X}, "x", X),
        ({"X": X, "y": y}, "y", y),
    ):
        reconstructed = est.reconstruct(**given, to=to)
        assert reconstruction_error(target, reconstructed) < 0.9
    np.testing.assert_array_equal(est.predict(X), est.reconstruct(X, to="y"))


def test_score_is_the_pearson_sum_of_the_codes(est, views):
    assert est.score(*views) == pytest.approx(pearson_sum(*est.transform_pair(*views)))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        est.score(views[0][:1], views[1][:1])


def test_unfitted_estimators_say_so(est):
    new = clone(est)
    for call in (
        lambda: new.transform([[0.0]]),
        lambda: new.transform_y([[0.0]]),
        lambda: new.transform_pair([[0.0]], [[0.0]]),
        lambda: new.transform_joint([[0.0]]),
        lambda: new.reconstruct([[0.0]]),
        lambda: new.predict([[0.0]]),
        lambda: new.score([[0.0]], [[0.0]]),
        lambda: new.view("x"),
    ):
        with pytest.raises(NotFittedError):
            call()


@pytest.mark.parametrize(
    ("frame", "output"), [(pd.DataFrame, "pandas"), (pl.DataFrame, "polars")]
)
def test_data_frames(views, frame, output):
    x_names, y_names = ["a", "b", "c", "d"], ["e", "f", "g", "h"]
    X = frame(dict(zip(x_names, views[0].T, strict=True)))
    y = frame(dict(zip(y_names, views[1].T, strict=True)))
    est = LinearCCA(2).set_output(transform=output).fit(X, y)
    assert list(est.feature_names_in_) == x_names
    assert list(est.y_feature_names_in_) == y_names
    out_names = ["linearcca0", "linearcca1"]
    view = est.view("y").set_output(transform=output)
    assert list(view.feature_names_in_) == y_names
    assert view.n_features_in_ == 4
    for Z, expected in (
        (est.transform(X), LinearCCA(2).fit(*views).transform(views[0])),
        (est.transform_y(y), LinearCCA(2).fit(*views).transform_y(views[1])),
        (est.transform_pair(X, y)[1], est.transform_y(y).to_numpy()),
        (est.transform_joint(X, y), est.transform_joint(X, y).to_numpy()),
        (view.transform(y), est.transform_y(y).to_numpy()),
    ):
        assert isinstance(Z, frame)
        assert list(Z.columns) == out_names
        np.testing.assert_allclose(Z.to_numpy(), expected, atol=1e-12)
    with pytest.raises(ValueError, match=r"names of y should match.*got \['h', 'g'"):
        est.transform_y(y[y_names[::-1]])


def test_pandas_index_is_kept(views):
    index = [f"row{i}" for i in range(100)]
    X, y = (pd.DataFrame(view, index).add_prefix("v") for view in views)
    est = LinearCCA(2).set_output(transform="pandas").fit(X, y)
    assert list(est.transform_y(y).index) == index
    assert list(est.transform_joint(y=y).index) == index


def test_refit_on_arrays_forgets_names(views):
    est = LinearCCA(2).fit(*(pd.DataFrame(v).add_prefix("v") for v in views))
    est.fit(*views)
    assert not hasattr(est, "y_feature_names_in_")
    assert not hasattr(est, "feature_names_in_")


def test_grid_search_and_cross_val_predict(views):
    X, y = views
    pipeline = make_pipeline(StandardScaler(), LinearCCA())
    grid = {"linearcca__n_components": [1, 2, 3], "linearcca__reg": [1e-4, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=4).fit(*views)
    by_hand = [
        clone(pipeline)
        .set_params(**search.best_params_)
        .fit(X[train], y[train])
        .score(X[test], y[test])
        for train, test in KFold(4).split(X)
    ]
    assert search.best_score_ == pytest.approx(np.mean(by_hand))
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    predicted = cross_val_predict(pipeline, *views, cv=4)
    assert reconstruction_error(views[1], predicted) < 0.9


@pytest.mark.parametrize("estimator", [LinearCCA(1), MultimodalAutoencoder(1)])
def test_the_quick_look_at_arrays_refuses_what_scikit_learn_does(estimator):
    X, y = np.random.default_rng(0).standard_normal((2, 20, 3))
    estimator.fit(X, y)
    with pytest.raises(ValueError, match="X must be array-like, got array"):
        estimator.transform(np.array(1.0))
    if estimator.__class__ is MultimodalAutoencoder:
        with pytest.raises(ValueError, match="a minimum of 2 is required"):
            estimator.partial_fit(X[:1], y[:1])
