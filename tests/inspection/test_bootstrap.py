"""Bootstrap intervals cover the truth, whatever sign and order components have."""

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator

from skcrl import KernelCCA, LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.inspection import bootstrap_intervals
from skcrl.inspection._population import _DRAWS, _simulator, _unbiased


@pytest.fixture
def views():
    return make_correlated_views(80, 4, 3, correlations=(0.9, 0.6), random_state=0)


class Turned(LinearCCA):
    """LinearCCA whose components have another order and sign for all other data."""

    def fit(self, X, y):
        super().fit(X, y)
        rng = np.random.default_rng(int(abs(X[:, 0]).sum() * 1e9))
        order = rng.permutation(self.n_components_)
        sign = rng.choice([-1, 1], self.n_components_)
        self.x_weights_ = (self.x_weights_ * sign)[:, order]
        self.y_weights_ = (self.y_weights_ * sign)[:, order]
        return self


def test_sign_and_order_of_components_do_not_matter(views):
    X, y = views
    expected = bootstrap_intervals(LinearCCA(), X, y, n_resamples=30, random_state=0)
    found = bootstrap_intervals(Turned(), X, y, n_resamples=30, random_state=0)
    match = found.x_loadings.value.T @ expected.x_loadings.value
    order = abs(match).argmax(axis=0)
    sign = np.sign(match[order, range(3)])
    assert (order != range(3)).any() or (sign < 0).any()
    for name in ("correlations", "x_loadings", "y_loadings"):
        signs = 1 if name == "correlations" else sign
        value, low, high = (part[..., order] * signs for part in getattr(found, name))
        np.testing.assert_allclose(value, getattr(expected, name).value, atol=1e-9)
        low, high = np.minimum(low, high), np.maximum(low, high)
        np.testing.assert_allclose(low, getattr(expected, name).low, atol=1e-9)
        np.testing.assert_allclose(high, getattr(expected, name).high, atol=1e-9)
    np.testing.assert_allclose(found.out_of_bag[order], expected.out_of_bag)


def test_nearly_equal_correlations_do_not_cancel(rng):
    # Features are the canonical variates, of which the first two exchange places.
    a, b = rng.standard_normal((2, 400, 3))
    b[:, :2] = 0.8 * a[:, :2] + 0.6 * b[:, :2]
    intervals = bootstrap_intervals(
        LinearCCA(2, reg=0), a, b, n_resamples=60, random_state=0
    )
    assert (intervals.correlations.low > 0.7).all()
    matched = intervals.x_loadings.high - intervals.x_loadings.low
    unmatched = []
    for _ in range(60):
        rows = rng.integers(0, 400, 400)
        Zx = LinearCCA(2, reg=0).fit(a[rows], b[rows]).transform(a[rows])
        unmatched.append(np.corrcoef(a[rows].T, Zx.T)[:3, 3:])
    unmatched = np.ptp(np.quantile(unmatched, [0.025, 0.975], axis=0), axis=0)
    # The sign of half of the loadings is told apart, and yet the two hardly are.
    assert matched[:2].mean() < 0.75 * unmatched[:2].mean()
    assert matched[:2].mean() > 0.25


def test_intervals_cover_planted_correlations_and_loadings():
    rho = np.array([0.8, 0.5])
    r_covered, loadings_covered, out_of_bag = [], [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, 80, 4))
        b[:, :2] = rho * a[:, :2] + np.sqrt(1 - rho**2) * b[:, :2]
        x_mixing, y_mixing = rng.standard_normal((2, 4, 4)) + 2 * np.eye(4)
        X, y = a @ x_mixing, b @ y_mixing
        found = bootstrap_intervals(
            LinearCCA(2, reg=0), X, y, n_resamples=40, random_state=seed
        )
        _, low, high = found.correlations
        r_covered.append((low < rho) & (rho < high))
        truth = (x_mixing / np.linalg.norm(x_mixing, axis=0)).T[:, :2]
        truth = truth * np.sign(np.sum(truth * found.x_loadings.value, axis=0))
        low, high = found.x_loadings.low, found.x_loadings.high
        loadings_covered.append((low < truth) & (truth < high))
        out_of_bag.append(found.out_of_bag)
    # 0.95 is the aim: 40 correlations, and 160 loadings of which four go together.
    assert np.mean(r_covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 40)
    assert np.mean(loadings_covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 40)
    # Codes of samples that were not drawn correlate less.
    assert (np.mean(out_of_bag, axis=0) < rho).all()


def test_higher_confidence_is_wider(views):
    narrow, wide = (
        bootstrap_intervals(
            LinearCCA(2),
            *views,
            n_resamples=50,
            confidence_level=level,
            random_state=0,
        )
        for level in (0.5, 0.9)
    )
    for a, b in zip(narrow[:3], wide[:3], strict=True):
        np.testing.assert_array_equal(a.value, b.value)
        assert (b.low < a.low).all()
        assert (a.high < b.high).all()


def test_noise_is_not_taken_for_a_correlation():
    held = []
    for seed in range(8):
        X, y = make_correlated_views(300, correlations=(0.6,), random_state=seed)
        _, low, high = bootstrap_intervals(
            LinearCCA(2), X, y, n_resamples=2, random_state=0
        ).correlations
        held.append((low[1] <= 0) & (0 <= high[1]))
        assert low[0] > 0
    assert sum(held) >= 6


def test_one_column_a_view_has_fishers_interval(rng):
    X, y = rng.standard_normal((2, 200, 1))
    y = 0.6 * X + 0.8 * y
    found = bootstrap_intervals(LinearCCA(1), X, y, n_resamples=2, random_state=0)
    z = np.arctanh(abs(np.corrcoef(X.T, y.T)[0, 1]))
    steps = np.array([-1, 1]) * stats.norm.ppf(0.975) / np.sqrt(len(X) - 3)
    ends = np.concatenate([found.correlations.low, found.correlations.high])
    # The standard deviation of 200 draws is 5 % off, and a codes' tails may add.
    np.testing.assert_allclose(ends, np.tanh(z + steps), atol=0.03)


def test_simulated_samples_are_those_of_views(rng):
    n, p, q, rho = 40, 3, 5, np.array([0.8, 0.5])
    simulated = np.tanh(_simulator(n, p, q, 2, rng)(np.arctanh(rho)))
    X, y = rng.standard_normal((_DRAWS, n, p)), rng.standard_normal((_DRAWS, n, q))
    y[..., :2] = rho * X[..., :2] + np.sqrt(1 - rho**2) * y[..., :2]
    qx, qy = (np.linalg.qr(v - v.mean(axis=1, keepdims=True))[0] for v in (X, y))
    drawn = np.linalg.svdvals(qx.mT @ qy)
    assert simulated.shape == drawn.shape
    for k in range(p):
        assert stats.ks_2samp(simulated[:, k], drawn[:, k]).pvalue > 0.01


def test_estimate_for_large_views_takes_the_bias_away(rng):
    n, p, q, rho = 2000, 200, 300, 0.8
    X, y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
    y[:, 0] = rho * X[:, 0] + np.sqrt(1 - rho**2) * y[:, 0]
    qx, qy = (np.linalg.qr(v - v.mean(axis=0))[0] for v in (X, y))
    r = np.linalg.svdvals(qx.T @ qy)
    found = _unbiased(r, n, p, q)
    assert r[0] > rho + 0.03
    np.testing.assert_allclose(found[0], rho, atol=0.02)
    assert found[1:].max() < 0.5 < r[1]


@pytest.mark.parametrize(
    ("estimator", "of"),
    [
        (LinearCCA(2), "population"),
        (LinearCCA(2, reg=0, scale=True), "population"),
        (KernelCCA(2, kernel="linear", reg=1e-6), "population"),
        (LinearCCA(2, reg=1.0), "held_out"),
        (LinearCCA(2, shrinkage=(0, "oas")), "held_out"),
        (KernelCCA(2, kernel="rbf"), "held_out"),
    ],
)
def test_what_the_interval_is_of(views, estimator, of):
    found = bootstrap_intervals(estimator, *views, n_resamples=3, random_state=0)
    assert found.of == of
    value, low, high = found.correlations
    assert ((low <= value) & (value <= high)).all()


def test_views_without_degrees_of_freedom_have_held_out_intervals(rng):
    X, y = rng.standard_normal((2, 30, 15))
    found = bootstrap_intervals(LinearCCA(1), X, y, n_resamples=5, random_state=0)
    assert found.of == "held_out"
    assert found.in_sample[0] > 0.99
    assert found.correlations.low[0] < 0 < found.correlations.high[0]


class Leading(BaseEstimator):
    """Singular vectors of the products of centred views: no CCA, and fast."""

    def fit(self, X, y):
        U, _, Vt = np.linalg.svd((X - X.mean(axis=0)).T @ (y - y.mean(axis=0)))
        self.weights_ = U[:, :2], Vt[:2].T
        return self

    def transform_pair(self, X, y):
        return X @ self.weights_[0], y @ self.weights_[1]


class Given(BaseEstimator):
    """Two columns of either view, whatever the training set."""

    def fit(self, X, y):
        return self

    def transform_pair(self, X, y):
        return X[:, :2], y[:, :2]


def test_held_out_intervals_hold_the_correlation_on_new_samples():
    rho, covered = np.array([0.8, 0, 0, 0, 0, 0]), []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((2, 100, 6))
        y = rho * X + np.sqrt(1 - rho**2) * y
        found = bootstrap_intervals(Leading(), X, y, n_resamples=8, random_state=0)
        assert found.of == "held_out"
        wx, wy = Leading().fit(X, y).weights_  # of length one, as variances are
        truth = rho @ (wx * wy)
        value, low, high = found.correlations
        assert ((low <= value) & (value <= high)).all()
        covered.append((low < truth) & (truth < high))
    # The second component is noise. Fisher's interval holds 0.71 of its correlations.
    assert (np.mean(covered, axis=0) > 0.95 - 2 * np.sqrt(0.05 * 0.95 / 24)).all()


def test_codes_that_all_training_sets_give_have_fishers_interval(rng):
    X, y = rng.standard_normal((2, 500, 4))
    y[:, :2] = 0.6 * X[:, :2] + 0.8 * y[:, :2]
    found = bootstrap_intervals(Given(), X, y, n_resamples=5, random_state=0)
    z = np.arctanh(np.corrcoef(X.T, y.T).diagonal(4)[:2])
    reach = stats.norm.ppf(0.975) / np.sqrt(len(X) - 3)
    assert found.of == "held_out"
    # Folds have units of their own, and the tails of codes may add.
    np.testing.assert_allclose(found.correlations.low, np.tanh(z - reach), atol=0.01)
    np.testing.assert_allclose(found.correlations.high, np.tanh(z + reach), atol=0.01)


def test_loadings_hold_the_value_of_all_samples(rng):
    X, y = rng.standard_normal((2, 40, 8))
    found = bootstrap_intervals(LinearCCA(3), X, y, n_resamples=5, random_state=0)
    for value, low, high in (found.x_loadings, found.y_loadings):
        assert ((low <= value) & (value <= high)).all()


def test_frames_carry_the_names_of_features_and_components(views):
    X = pd.DataFrame(views[0], columns=["a", "b", "c", "d"])
    found = bootstrap_intervals(LinearCCA(2), X, views[1], n_resamples=5)
    table = found.to_frame()
    assert list(table.index) == ["linearcca0", "linearcca1"]
    assert list(table.columns) == ["value", "low", "high", "in_sample", "out_of_bag"]
    np.testing.assert_array_equal(table["high"], found.correlations.high)
    loadings = found.to_frame("x")
    assert loadings.loc[("c", "linearcca1"), "low"] == found.x_loadings.low[2, 1]
    assert found.to_frame("y").index[-1] == ("y2", "linearcca1")
    with pytest.raises(
        ValueError, match="part must be 'components', 'x' or 'y', got 'r'"
    ):
        found.to_frame("r")
    assert "x_loadings=Estimate(value=<array of shape (4, 2)>" in repr(found)


def test_values_are_those_of_all_samples(views):
    X, y = views
    found = bootstrap_intervals(LinearCCA(2), X, y, n_resamples=5, random_state=0)
    Zx, Zy = LinearCCA(2).fit(X, y).transform_pair(X, y)
    R = np.corrcoef(np.hstack([Zx, Zy, X, y]).T)
    np.testing.assert_allclose(found.in_sample, [R[0, 2], R[1, 3]])
    np.testing.assert_allclose(found.x_loadings.value, R[4:8, :2])
    np.testing.assert_allclose(found.y_loadings.value, R[8:, 2:4])


def test_numbers_do_not_depend_on_n_jobs(views):
    with joblib.parallel_config(backend="threading"):
        one, two = (
            bootstrap_intervals(
                LinearCCA(2), *views, n_resamples=10, n_jobs=n_jobs, random_state=0
            )
            for n_jobs in (1, 2)
        )
    np.testing.assert_array_equal(one.x_loadings.low, two.x_loadings.low)
    np.testing.assert_array_equal(one.out_of_bag, two.out_of_bag)


def test_degenerate_views_are_finite(rng):
    X = rng.standard_normal((30, 2))
    X = np.column_stack([X, X[:, 0], np.ones(30)])
    found = bootstrap_intervals(
        LinearCCA(3, reg=0), X, X[:, :3], n_resamples=20, random_state=0
    )
    for part in (*found.correlations, *found.x_loadings, *found.y_loadings):
        assert np.isfinite(part).all()
    np.testing.assert_allclose(found.correlations.value, [1, 1, 0], atol=1e-9)
    np.testing.assert_allclose(found.correlations.low[:2], 1)
    np.testing.assert_array_equal(found.x_loadings.high[3], 0)


def test_the_estimator_is_left_alone(views):
    cca = LinearCCA(2)
    bootstrap_intervals(cca, *views, n_resamples=2, random_state=0)
    assert not hasattr(cca, "n_components_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_resamples": 1}, "'n_resamples' parameter"),
        ({"confidence_level": 1}, "'confidence_level' parameter"),
        ({"confidence_level": 0.0}, "'confidence_level' parameter"),
        ({"estimator": "cca"}, "'estimator' parameter"),
        ({"estimator": LinearCCA(scale="yes")}, "'scale' parameter"),
    ],
)
def test_bad_parameters(views, parameters, message):
    X, y = views
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(**{"estimator": LinearCCA(), "X": X, "y": y, **parameters})


def test_bad_views(views):
    X, y = views
    for X_bad, y_bad, message in (
        (X[1:], y, "must be paired"),
        (X * np.nan, y, "Input X contains NaN"),
        (X[:9], y[:9], "9 sample.*minimum of 10"),
    ):
        with pytest.raises(ValueError, match=message):
            bootstrap_intervals(LinearCCA(), X_bad, y_bad)
