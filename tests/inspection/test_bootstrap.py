"""Bootstrap intervals cover the truth, whatever sign and order components have."""

import numpy as np
import pytest
from sklearn.base import clone

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.inspection import bootstrap_intervals


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
            LinearCCA(2, reg=0), X, y, n_resamples=50, random_state=seed
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


def test_values_are_those_of_all_samples(views):
    X, y = views
    found = bootstrap_intervals(LinearCCA(2), X, y, n_resamples=5, random_state=0)
    Zx, Zy = LinearCCA(2).fit(X, y).transform_pair(X, y)
    R = np.corrcoef(np.hstack([Zx, Zy, X, y]).T)
    np.testing.assert_allclose(found.in_sample, [R[0, 2], R[1, 3]])
    # Correlations of fitted samples are too large.
    assert (found.correlations.value < found.in_sample).all()
    np.testing.assert_allclose(found.x_loadings.value, R[4:8, :2])
    np.testing.assert_allclose(found.y_loadings.value, R[8:, 2:4])


def test_numbers_do_not_depend_on_n_jobs(views):
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


def test_a_component_that_is_noise_is_not_told_from_0():
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((2, 100, 5))
        y[:, 0] = 0.6 * X[:, 0] + 0.8 * y[:, 0]
        found = bootstrap_intervals(
            LinearCCA(2), X, y, n_resamples=2, random_state=seed
        )
        assert found.of == "population"
        value, low, high = found.correlations
        assert ((low <= value) & (value <= high)).all()
        held.append((low[0] <= 0.6 <= high[0], low[1] == 0))
    assert (np.mean(held, axis=0) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 20)).all()


@pytest.mark.parametrize(
    "estimator",
    [LinearCCA(2, shrinkage=0.5), LinearCCA(2, reg=10.0)],
    ids=repr,
)
def test_penalised_estimators_get_intervals_of_held_out_correlations(estimator):
    X, y = make_correlated_views(3000, 30, 20, correlations=(0.9,), random_state=0)
    found = bootstrap_intervals(
        estimator, X[:80], y[:80], n_resamples=10, random_state=0
    )
    assert found.of == "held_out"
    value, low, high = found.correlations
    assert ((low < value) & (value < high)).all()
    # What the fit is worth on samples that it has not seen.
    fitted = clone(estimator).fit(X[:80], y[:80])
    truth = pearson_of(*fitted.transform_pair(X[80:], y[80:]))
    assert low[0] < truth[0] < high[0]
    assert found.in_sample[0] > high[0]


def pearson_of(Zx, Zy):
    k = Zx.shape[1]
    return np.corrcoef(Zx.T, Zy.T)[:k, k:].diagonal()
