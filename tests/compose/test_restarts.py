"""Several trainings whose codes stand side by side."""

import numpy as np
import pytest
from joblib import parallel_config
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer

from skcrl import (
    CorrNet,
    DeepCCA,
    LinearCCA,
    ProbabilisticCCA,
    Restarts,
    SelfLearning,
    make_view_pipeline,
)
from skcrl.compose._correlation_weights import correlation_weights
from skcrl.datasets import load_digits_halves, make_correlated_views

DEEP = DeepCCA(3, hidden_layer_sizes=(8,), max_epochs=2)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(80, 6, 5, correlations=(0.9, 0.8), random_state=0)


@pytest.fixture(scope="module")
def trained(views):
    return Restarts(DEEP, 3, random_state=0).fit(*views)


def test_cosines_are_the_mean_of_those_of_the_clones(views, trained):
    Zx, Zy = trained.transform_pair(*views)
    assert trained.n_components_ == 9
    np.testing.assert_allclose(np.linalg.norm(Zx, axis=1), 1, rtol=1e-6)
    cosines = [
        1 - cdist(Zx * one.correlations_, Zy * one.correlations_, "cosine")
        for one in trained.estimators_
        for Zx, Zy in [one.transform_pair(*views)]
    ]
    np.testing.assert_allclose(Zx @ Zy.T, np.mean(cosines, axis=0), atol=1e-6)
    plain = Restarts(DEEP, 3, correlation_power=0, random_state=0).fit(*views)
    cosines = [
        1 - cdist(*one.transform_pair(*views), "cosine") for one in plain.estimators_
    ]
    Zx, Zy = plain.transform_pair(*views)
    np.testing.assert_allclose(Zx @ Zy.T, np.mean(cosines, axis=0), atol=1e-6)


def test_clones_differ_by_seeds_that_are_drawn_alike(views, trained):
    X, y = views
    first, second, _ = (one.transform(X) for one in trained.estimators_)
    assert abs(first - second).max() > 0.01
    with parallel_config(backend="threading"):
        again = Restarts(DEEP, 3, n_jobs=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(again.transform(X), trained.transform(X))
    seed = trained.estimators_[1].random_state
    alone = DeepCCA(**{**DEEP.get_params(), "random_state": seed}).fit(X, y)
    np.testing.assert_array_equal(alone.transform(X), second)


def test_what_is_reconstructed_is_the_mean_of_the_clones(views, trained):
    X, y = views
    for method, arguments in (
        ("reconstruct", (X, y)),
        ("predict", (X,)),
        ("score", (X, y)),
    ):
        of_clones = [getattr(one, method)(*arguments) for one in trained.estimators_]
        np.testing.assert_allclose(
            getattr(trained, method)(*arguments), np.mean(of_clones, axis=0), atol=1e-6
        )
    X_gaps = X.copy()
    X_gaps[:5] = np.nan
    filled, _ = trained.impute(X_gaps, y)
    np.testing.assert_array_equal(filled[5:], X[5:])
    np.testing.assert_array_equal(filled[:5], trained.reconstruct(y=y[:5], to="x"))


def test_codes_of_the_length_of_training_codes_are_decoded_as_these(views):
    X, y = views
    model = Restarts(DEEP, 2, random_state=0).fit(X, y)
    view = model.view("x")
    reconstructed = view.inverse_transform(view.transform(X))
    expected = []
    for one in model.estimators_:
        codes = one.transform(X)
        lengths = np.linalg.norm(codes * one.correlations_, axis=1, keepdims=True)
        codes = codes * np.sqrt(np.mean(lengths**2)) / lengths
        expected.append(one.view("x").inverse_transform(codes))
    np.testing.assert_allclose(reconstructed, np.mean(expected, axis=0), atol=1e-5)


def test_joint_codes_are_those_of_the_clones(views):
    X, y = views
    model = Restarts(CorrNet(2, hidden_layer_sizes=(), max_epochs=1), 2).fit(X, y)
    y_gaps = y.copy()
    y_gaps[40:] = np.nan
    parts = [one.transform_joint(X, y_gaps) for one in model.estimators_]
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    np.testing.assert_allclose(
        model.transform_joint(X, y_gaps), np.hstack(parts) / np.sqrt(2), atol=1e-6
    )


def test_seeds_reach_steps_and_texts_go_through_those_of_each_clone():
    rng = np.random.default_rng(0)
    bags = [" ".join(rng.choice(list("abcdefgh"), 4)) for _ in range(60)]
    steps = CountVectorizer(token_pattern="[a-h]"), TruncatedSVD(3, n_iter=1)
    model = Restarts(
        make_view_pipeline(LinearCCA(2, reg=0.1), x=steps, y=steps),
        2,
        correlation_power=0,
        random_state=0,
    ).fit(bags, bags[::-1])
    first, second = model.estimators_
    assert first.x_[-1].random_state != second.x_[-1].random_state
    joint = model.transform_joint(bags[:9], [None, *bags[1:9]])
    assert joint.shape == (9, 4)
    np.testing.assert_allclose(
        model.transform(bags) @ model.transform(bags).T,
        np.mean(
            [
                1 - cdist(Z, Z, "cosine")
                for Z in (one.transform(bags) for one in model.estimators_)
            ],
            axis=0,
        ),
        atol=1e-9,
    )


def test_an_estimator_that_is_not_random_is_refused(views):
    with pytest.raises(ValueError, match="ProbabilisticCCA has no random_state, so"):
        Restarts(ProbabilisticCCA(2)).fit(*views)


def test_fit_params_and_metadata_routing(views):
    X, y = views
    weights = np.r_[np.ones(40), np.zeros(40)]
    model = Restarts(LinearCCA(2), 1).fit(X, y, sample_weight=weights)
    half = LinearCCA(2).fit(X[:40], y[:40])
    np.testing.assert_allclose(model.estimators_[0].transform(X), half.transform(X))
    with config_context(enable_metadata_routing=True):
        asks = LinearCCA(2).set_fit_request(sample_weight=True)
        routed = Restarts(asks, 1).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(routed.transform(X), model.transform(X))


def test_covariates_are_refused(views):
    X, y = views
    model = Restarts(LinearCCA(2), 1).fit(X, y)
    kept = model.estimators_
    with pytest.raises(ValueError, match="Restarts takes no covariates"):
        model.fit(X, y, covariates=X[:, :1])
    assert model.estimators_ is kept
    model.fit(X, y, covariates=None)


def test_weights_are_singular_values_of_what_is_wrapped_or_correlations(views):
    X, y = views
    ridge = LinearCCA(2, reg=1.0).fit(X, y)
    singular = ridge.singular_values_ / ridge.singular_values_[0]
    np.testing.assert_allclose(correlation_weights(ridge, 2), singular**2)
    wrapped = SelfLearning(make_view_pipeline(LinearCCA(2, reg=1.0))).fit(X, y)
    np.testing.assert_allclose(correlation_weights(wrapped, 2), singular**2)
    deep = DeepCCA(**{**DEEP.get_params(), "random_state": 0}).fit(X, y)
    np.testing.assert_allclose(
        correlation_weights(deep, 1),
        deep.correlations_.clip(0) / deep.correlations_.max(),
    )
    assert correlation_weights(deep, 0) is None
    assert correlation_weights(CorrNet(2, max_epochs=1).fit(X, y), 1) is None


def test_dask_arrays_train_as_arrays_do(views):
    da = pytest.importorskip("dask.array")
    model = Restarts(LinearCCA(2, solver="covariance"), 2, random_state=0)
    expected = model.fit(*views).transform_pair(*views)
    lengths = model._lengths
    chunked = [da.from_array(view, chunks=(20, -1)) for view in views]
    found = model.fit(*chunked).transform_pair(*chunked)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(model._lengths["y"], lengths["y"])


@pytest.fixture(scope="module")
def closed(views):
    return Restarts(DEEP, 3, closing_cca=True, random_state=0).fit(*views)


def test_a_closing_cca_is_that_of_the_codes_side_by_side(views, closed, trained):
    X, y = views
    pairs = [one.transform_pair(X, y) for one in closed.estimators_]
    np.testing.assert_array_equal(pairs[0][0], trained.estimators_[0].transform(X))
    stacked = [np.hstack(codes) for codes in zip(*pairs, strict=True)]
    cca = LinearCCA(3, shrinkage="ledoit_wolf").fit(*stacked)
    expected = cca.transform_pair(*stacked)
    for found, codes in zip(closed.transform_pair(X, y), expected, strict=True):
        np.testing.assert_allclose(found, codes, atol=1e-6)
    assert closed.n_components_ == 3
    np.testing.assert_allclose(closed.correlations_, cca.correlations_)
    np.testing.assert_allclose(closed.score(X, y), cca.score(*stacked), rtol=1e-6)
    np.testing.assert_allclose(
        closed.transform_joint(X, y), np.mean(expected, axis=0), atol=1e-6
    )
    assert list(closed.get_feature_names_out()) == [f"restarts{i}" for i in range(3)]
    parts = np.split(cca.view("x").inverse_transform(expected[0]), 3, axis=1)
    decoded = [
        one.view("x").inverse_transform(part)
        for one, part in zip(closed.estimators_, parts, strict=True)
    ]
    view = closed.view("x")
    np.testing.assert_allclose(
        view.inverse_transform(view.transform(X)), np.mean(decoded, axis=0), atol=1e-5
    )
    np.testing.assert_allclose(closed.predict(X), trained.predict(X))


def test_a_closing_cca_uses_rows_that_have_both_views(views, tmp_path):
    X, y = (view.copy() for view in views)
    X[:20], y[20:30] = np.nan, np.nan
    weights = [1.0] * 40 + [3.0] * 40
    deep = DeepCCA(**{**DEEP.get_params(), "reconstruction_weight": 0.1})
    model = Restarts(deep, 2, closing_cca=True, random_state=0)
    model.fit(X, y, sample_weight=weights)
    stacked = [
        np.hstack(codes)
        for codes in zip(
            *(one.transform_pair(X[30:], y[30:]) for one in model.estimators_),
            strict=True,
        )
    ]
    cca = LinearCCA(3, shrinkage="ledoit_wolf")
    cca.fit(*stacked, sample_weight=weights[30:])
    np.testing.assert_allclose(model.correlations_, cca.correlations_)
    model.save(tmp_path / "model")
    again = Restarts.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X[30:]), model.transform(X[30:]))
    plain = model.set_params(closing_cca=False).fit(X, y)
    assert plain.n_components_ == 6
    assert not hasattr(plain, "correlations_")


def test_a_closing_cca_counts_rows_as_the_clones_do(views):
    X, y = views
    weights = [1.0] * 40 + [0.0] * 40
    expected = Restarts(make_view_pipeline(LinearCCA(2)), 2, closing_cca=True)
    expected.fit(X, y, sample_weight=weights)
    with config_context(enable_metadata_routing=True):
        asks = make_view_pipeline(LinearCCA(2).set_fit_request(sample_weight="w"))
        model = Restarts(asks, 2, closing_cca=True).fit(X, y, w=weights)
    np.testing.assert_allclose(model.correlations_, expected.correlations_)

    X = X.copy()
    X[:20] = np.nan
    model = Restarts(CorrNet(2, max_epochs=1), 2, closing_cca=True, random_state=0)
    of_list = model.fit(X, y, sample_weight=[2.0] * 80).correlations_
    of_number = model.fit(X, y, sample_weight=2.0).correlations_
    np.testing.assert_array_equal(of_number, of_list)


def test_a_closing_cca_keeps_the_best_components(views):
    X, y = views
    model = Restarts(DEEP, 2, closing_cca=True, n_components=5, random_state=0)
    five = model.fit(X, y).transform_pair(X, y)
    two = model.set_params(n_components=2).fit(X, y)
    assert two.n_components_ == 2
    for few, more in zip(two.transform_pair(X, y), five, strict=True):
        np.testing.assert_allclose(few, more[:, :2], atol=1e-6)
    assert two.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="n_components=7, but .* only 6 components"):
        model.set_params(n_components=7).fit(X, y)
    assert model.n_components_ == 2


def test_several_trainings_have_a_higher_correlation_than_each():
    left, right, _ = load_digits_halves()
    deep = DeepCCA(5, hidden_layer_sizes=(64,), max_epochs=30)
    model = Restarts(deep, 5, closing_cca=True, random_state=0)
    model.fit(left[:1000], right[:1000])
    held_out = left[1000:], right[1000:]
    alone = [one.score(*held_out) for one in model.estimators_]
    assert model.score(*held_out) > max(alone) + 0.05
