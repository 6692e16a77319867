"""LinearCCA against exact references and the properties CCA must have."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_linnerud
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.metrics import pearson_sum


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        300, 6, 5, correlations=(0.9, 0.6, 0.3), random_state=0
    )


def test_linnerud():
    cca = LinearCCA(reg=0).fit(*load_linnerud(return_X_y=True))
    expected = [0.7956081544, 0.2005560411, 0.0725702862]
    np.testing.assert_allclose(cca.correlations_, expected, atol=1e-9)
    assert cca.score(*load_linnerud(return_X_y=True)) == pytest.approx(sum(expected))


def test_codes_are_uncorrelated_matched_and_ordered(views):
    cca = LinearCCA(reg=0).fit(*views)
    codes = np.hstack(cca.transform_pair(*views))
    R = np.diag(cca.singular_values_)
    expected = np.block([[np.eye(5), R], [R, np.eye(5)]])
    np.testing.assert_allclose(np.cov(codes.T), expected, atol=1e-10)
    assert (np.diff(cca.singular_values_) < 0).all()


def test_planted_correlations_are_found():
    planted = (0.9, 0.6, 0.3)
    X, y = make_correlated_views(200_000, 6, 5, correlations=planted, random_state=1)
    found = LinearCCA(5).fit(X, y).correlations_
    np.testing.assert_allclose(found, [*planted, 0, 0], atol=0.01)


def test_first_component_follows_the_shared_factor(rng):
    shared, private_x, private_y = rng.standard_normal((3, 2000))
    X = np.column_stack([shared, 3 * private_x]) @ [[1, 1], [1, -1]]
    y = np.column_stack([shared, 3 * private_y]) @ [[2, 1], [1, 1]]
    z = LinearCCA(1).fit(X, y).transform(X)[:, 0]
    assert abs(np.corrcoef(z, shared)[0, 1]) > 0.999
    assert abs(np.corrcoef(PCA(1).fit_transform(X)[:, 0], shared)[0, 1]) < 0.1


def test_doubling_the_data_keeps_the_subspace(views):
    once = LinearCCA(3, reg=0).fit(*views)
    twice = LinearCCA(3, reg=0).fit(*(np.vstack([v, v]) for v in views))
    ratio = twice.x_weights_ / once.x_weights_
    # Only the n - 1 of the normalisation differs.
    np.testing.assert_allclose(ratio, np.sqrt(599 / 598), rtol=1e-9)


def test_ridge_solves_the_documented_problem(views):
    cca = LinearCCA(reg=(0.5, 2.0)).fit(*views)
    Sxx, Syy = (np.cov(v.T) for v in views)
    Sxy = np.cov(views[0].T, views[1].T)[:6, 6:]
    # Stationarity of max w'Sxy v under w'(Sxx + r I)w = v'(Syy + s I)v = 1.
    np.testing.assert_allclose(
        Sxy @ cca.y_weights_,
        (Sxx + 0.5 * np.eye(6)) @ cca.x_weights_ * cca.singular_values_,
        atol=1e-10,
    )
    np.testing.assert_allclose(
        Sxy.T @ cca.x_weights_,
        (Syy + 2.0 * np.eye(5)) @ cca.y_weights_ * cca.singular_values_,
        atol=1e-10,
    )


def test_cross_reconstruction_is_the_regression_of_y_on_x(views):
    # Trap 10: decoding the x code by the decoder of y without the correlation.
    X, y = views
    cca = LinearCCA(reg=0).fit(X, y)
    expected = LinearRegression().fit(X, y).predict(X)
    np.testing.assert_allclose(cca.predict(X), expected, atol=1e-9)
    ignoring_rho = cca.view("y").inverse_transform(cca.transform(X))
    assert np.mean((ignoring_rho - y) ** 2) > 1.1 * np.mean((expected - y) ** 2)


def test_joint_reconstruction_is_regression_on_both_codes(views):
    X, y = views
    cca = LinearCCA(2).fit(X, y)
    codes = np.hstack(cca.transform_pair(X, y))
    expected = LinearRegression().fit(codes, X).predict(codes)
    np.testing.assert_allclose(cca.reconstruct(X, y, to="x"), expected, atol=1e-9)
    np.testing.assert_allclose(
        cca.transform_joint(X, y), (codes[:, :2] + codes[:, 2:]) / 2
    )


@pytest.mark.parametrize("chunks", [[300], [1, 299], [7] * 42 + [6], [150, 1, 149]])
def test_partial_fit_is_fit(views, chunks):
    X, y = views
    cca = LinearCCA(reg=0.1)
    start = 0
    for size in chunks:
        cca.partial_fit(X[start : start + size], y[start : start + size])
        start += size
    expected = LinearCCA(reg=0.1).fit(X, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
    np.testing.assert_allclose(cca.predict(X), expected.predict(X), atol=1e-10)


def test_partial_fit_continues_fit_and_fit_starts_over(views):
    X, y = views
    cca = LinearCCA().fit(X[:100], y[:100]).partial_fit(X[100:], y[100:])
    expected = LinearCCA().fit(X, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
    cca.fit(X[:50], y[:50])
    expected = LinearCCA().fit(X[:50], y[:50])
    np.testing.assert_array_equal(cca.x_weights_, expected.x_weights_)


def test_float32_is_as_good_as_float64_far_from_zero(views):
    X, y = (np.round(v, 2) for v in views)
    shift = 4096.0  # float32 keeps three decimals here
    X32 = (X + shift).astype(np.float32)
    cca = LinearCCA(reg=0).fit(X32, y.astype(np.float32))
    expected = LinearCCA(reg=0).fit(X32.astype(np.float64), y.astype(np.float32))
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-9)
    np.testing.assert_allclose(
        cca.transform(X32), expected.transform(X32.astype(np.float64)), atol=1e-5
    )


def test_rank_is_reported(rng):
    X, y = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    X = np.hstack([X, X @ rng.standard_normal((2, 2))])
    for reg in (0, 1e-4):
        cca = LinearCCA(3, reg=reg).fit(X, y)
        assert (cca.n_components_, cca.rank_) == (3, 2)
        assert cca.transform(X)[:, 2].any() == 0
        determined = LinearCCA(reg=reg).fit(X, y)
        assert (determined.n_components_, determined.rank_) == (2, 2)
        np.testing.assert_array_equal(determined.transform(X), cca.transform(X)[:, :2])
        np.testing.assert_allclose(determined.predict(X), cca.predict(X), atol=1e-12)


def test_held_out_score_of_noise_is_near_zero(rng):
    X, y = rng.standard_normal((2, 5000, 3))
    cca = LinearCCA().fit(X[:2500], y[:2500])
    assert abs(cca.score(X[2500:], y[2500:])) < 0.15
    assert cca.score(X[2500:], y[2500:]) == pytest.approx(
        pearson_sum(*cca.transform_pair(X[2500:], y[2500:]))
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 6}, "upper bound is 5.*Got 6 instead. Reduce"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"reg": -1.0}, "'reg' parameter"),
        ({"reg": (0.1, -0.1)}, "`reg` must be a finite number.*pair"),
        ({"reg": (0.1, 0.1, 0.1)}, "`reg` must be"),
        ({"reg": ("a", 0.1)}, "`reg` must be"),
        ({"reg": (0.1, np.inf)}, "`reg` must be"),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        LinearCCA(**parameters).fit(*views)


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_overflow_is_named(views, solver):
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match="overflow. Scale the views down"),
    ):
        LinearCCA(solver=solver).fit(views[0] * 1e300, views[1])


@pytest.mark.parametrize("solver", ["covariance", "gram"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_what_overflows_is_said_and_nothing_else(solver, kind):
    X, y = make_correlated_views(30, 3, 3, correlations=(0.9,), random_state=0)
    huge = X.copy()
    huge[3, 1] = 1e200
    for view in (huge, np.sign(X) * 1e308, X * 1e160):
        with pytest.raises(ValueError, match="variances of X or y overflow"):
            LinearCCA(2, solver=solver).fit(kind(view), y)
        with pytest.raises(ValueError, match="variances of X or y overflow"):
            LinearCCA(2, solver=solver, shrinkage="oas").fit(y, kind(view))


def test_loadings_before_fit_and_weights_that_overflow(views):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        LinearCCA(2).x_loadings_  # noqa: B018
    assert not hasattr(LinearCCA(2), "y_explained_variance_ratio_")
    with pytest.raises(ValueError, match="sum of sample_weight overflows"):
        LinearCCA().fit(views[0][:2], views[1][:2], sample_weight=[1e308, 1e308])


def test_loadings_as_a_frame_with_names(views):
    X, y = pd.DataFrame(views[0]).add_prefix("gene "), views[1]
    cca = LinearCCA(2).fit(X, y)
    frame = cca.loadings_frame()
    assert list(frame.index) == list(X.columns)
    assert list(frame.columns) == ["linearcca0", "linearcca1"]
    expected = np.corrcoef(X["gene 3"], cca.transform(X)[:, 1])[0, 1]
    assert frame.loc["gene 3", "linearcca1"] == pytest.approx(expected)
    assert list(cca.loadings_frame("y").index) == ["y0", "y1", "y2", "y3", "y4"]
    with pytest.raises(ValueError, match="side must be 'x' or 'y', got 'z'"):
        cca.loadings_frame("z")


@pytest.mark.parametrize("tiny", [1e-100, 1e-160, 1e-310])
def test_tiny_views_give_finite_codes_and_reconstructions(views, tiny):
    X, y = views
    for reg in (0, 1e-4):
        cca = LinearCCA(2, reg=reg).fit(X * tiny, y)
        for found in (
            cca.transform(X * tiny),
            *cca.reconstruct(X * tiny, y, to="both"),
        ):
            assert np.isfinite(found).all()
