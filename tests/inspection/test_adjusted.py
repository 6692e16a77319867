"""Summaries, intervals and selections with covariates, against residuals by lstsq."""

import numpy as np
import pandas as pd
import pytest
from least_squares import residuals
from sklearn.preprocessing import StandardScaler

from skcrl import (
    KernelCCA,
    LinearCCA,
    SparseCCA,
    ViewPipeline,
    make_view_pipeline,
)
from skcrl.inspection import (
    bootstrap_intervals,
    gradient_map,
    multivariate_tests,
    permutation_test,
    stability_selection,
    summary,
)
from skcrl.inspection._bootstrap import _heaviness
from skcrl.inspection._canonical import canonical_form
from skcrl.inspection._population import population_intervals


@pytest.fixture
def views():
    """Views (90, 4) and (90, 3) of which one component is real, and two covariates."""
    rng = np.random.default_rng(5)
    C = rng.standard_normal((90, 2)) * [1, 10] + [40, 0]
    X, y = rng.standard_normal((90, 4)), rng.standard_normal((90, 3))
    y[:, 0] += X[:, 0]
    effect = C @ rng.standard_normal((2, 7))
    return X + effect[:, :4], y + effect[:, 4:], C


def assert_same(report, expected, rtol=1e-9):
    np.testing.assert_allclose(report.correlations, expected.correlations, rtol)
    for found, wanted in ((report.x, expected.x), (report.y, expected.y)):
        for name in wanted._fields[1:]:
            entries = getattr(found, name), getattr(wanted, name)
            np.testing.assert_allclose(*entries, rtol, 1e-9)


@pytest.mark.parametrize("adjust", ["both", "x", "y"])
def test_a_summary_is_that_of_residuals(views, adjust):
    X, y, C = views
    cca = LinearCCA(3, reg=0, adjust=adjust).fit(X, y, covariates=C)
    left = X if adjust == "y" else residuals(X, C), y
    left = left[0], y if adjust == "x" else residuals(y, C)
    expected = summary(LinearCCA(3, reg=0).fit(*left), *left)
    assert_same(summary(cca, X, y, covariates=C), expected)
    np.testing.assert_allclose(expected.y.loadings, cca.y_loadings_, atol=1e-9)


def test_new_rows_lose_the_effect_that_fit_estimated(views):
    X, y, C = views
    cca = LinearCCA(2, reg=0).fit(X[:60], y[:60], covariates=C[:60])
    report = summary(cca, X[60:], y[60:], covariates=C[60:])
    Z = np.column_stack([np.ones(90), C])
    left = y - Z @ np.linalg.lstsq(Z[:60], y[:60])[0]
    codes = cca.transform_y(y[60:], C[60:])
    expected = np.corrcoef(left[60:].T, codes.T)[:3, 3:]
    np.testing.assert_allclose(report.y.loadings, expected, atol=1e-9)
    assert report.y.coefficients is not None


def test_columns_before_the_steps_of_a_pipeline_lose_their_own_effect(views):
    X, y, C = views
    pipeline = make_view_pipeline(LinearCCA(2, reg=0), x=StandardScaler())
    X = X * [1, 10, 100, 1000]
    nested = ViewPipeline(pipeline).fit(X, y, covariates=C)
    left = residuals(X, C), residuals(y, C)
    expected = summary(LinearCCA(2, reg=0).fit(*left), *left)
    assert_same(summary(nested, X, y, covariates=C), expected)


def test_a_column_that_covariates_explain_has_no_loading(views):
    X, y, C = views
    X = np.column_stack([X, 1e3 + C @ [2, 3]])
    for model in (LinearCCA(2), make_view_pipeline(LinearCCA(2), x=StandardScaler())):
        report = summary(model.fit(X, y, covariates=C), X, y, covariates=C)
        np.testing.assert_array_equal(report.x.loadings[4], 0)


def test_intervals_are_those_of_resamples_by_hand(views):
    X, y, C = views
    found = bootstrap_intervals(
        LinearCCA(1, reg=0), X, y, covariates=C, n_resamples=9, random_state=3
    )
    left = residuals(X, C), residuals(y, C)
    all_rows = LinearCCA(1, reg=0).fit(*left)
    loadings = []
    for seed in np.random.RandomState(3).randint(2**31 - 1, size=9):
        rows = np.random.default_rng(seed).integers(0, 90, 90)
        drawn = residuals(X[rows], C[rows]), residuals(y[rows], C[rows])
        codes = LinearCCA(1, reg=0).fit(*drawn).transform(drawn[0])[:, 0]
        # The component of the resample gets the sign of that of all rows.
        codes *= np.sign(codes @ all_rows.transform(left[0])[rows, 0])
        loadings.append([np.corrcoef(column, codes)[0, 1] for column in drawn[0].T])
    value = all_rows.x_loadings_[:, 0]
    low, high = np.quantile(loadings, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(found.x_loadings.value[:, 0], value, atol=1e-9)
    np.testing.assert_allclose(
        found.x_loadings.low[:, 0], np.minimum(low, value), atol=1e-9
    )
    np.testing.assert_allclose(
        found.x_loadings.high[:, 0], np.maximum(high, value), atol=1e-9
    )


def test_population_intervals_are_those_of_fewer_rows(views):
    X, y, C = views
    found = bootstrap_intervals(
        LinearCCA(reg=0), X, y, covariates=C, n_resamples=2, random_state=3
    )
    left = residuals(X, C), residuals(y, C)
    codes = LinearCCA(reg=0).fit(*left).transform_pair(*left)
    source = np.random.RandomState(3)
    source.randint(2**31 - 1, size=2)
    expected = population_intervals(
        canonical_form(*left),
        90 - 2,
        _heaviness(*codes),
        0.95,
        np.random.default_rng(source.randint(2**31 - 1)),
    )
    assert found.of == "population"
    np.testing.assert_allclose(found.correlations, expected, atol=1e-9)
    one_sided = LinearCCA(1, reg=0, adjust="x")
    found = bootstrap_intervals(one_sided, X, y, covariates=C, n_resamples=2)
    assert found.of == "held_out"


def test_intervals_cover_partial_correlations_with_many_covariates():
    covered = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        C = rng.standard_normal((60, 20))
        a, b = rng.standard_normal((2, 60, 3))
        b[:, 0] = 0.6 * a[:, 0] + 0.8 * b[:, 0]
        effect = 3 * C @ rng.standard_normal((20, 6))
        r = bootstrap_intervals(
            LinearCCA(reg=0),
            a + effect[:, :3],
            b + effect[:, 3:],
            covariates=C,
            n_resamples=2,
            random_state=0,
        ).correlations
        covered.append([r.low[0] <= 0.6 <= r.high[0], r.low[1] == 0])
    assert np.mean(covered, axis=0).min() >= 0.84


def test_a_penalised_estimator_has_held_out_intervals_with_covariates(views):
    X, y, C = views
    found, without = (
        bootstrap_intervals(
            SparseCCA(1), X, y, n_resamples=5, random_state=0, **covariates
        )
        for covariates in ({"covariates": C}, {})
    )
    assert found.of == "held_out"
    # Without the covariates the views share what depends on them, which is nearly all.
    assert without.correlations.low[0] > 0.9
    assert 0.4 < found.correlations.low[0] < found.correlations.high[0] < 0.9


def test_columns_of_a_confounder_are_not_selected():
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 80, 100)
    X, y = rng.standard_normal((100, 40)), rng.standard_normal((100, 30))
    shared = rng.standard_normal(100)
    X[:, 3] += 2 * shared
    y[:, 7] += 2 * shared
    X[:, [5, 6]] += 0.2 * age[:, None]
    y[:, [1, 2]] += 0.2 * age[:, None]
    frame = pd.DataFrame({"age": age})
    model = ViewPipeline(SparseCCA(1, n_nonzero=2), x=StandardScaler())
    settings = {"n_subsamples": 10, "random_state": 0}
    plain = stability_selection(model, X, y, **settings)
    found = stability_selection(model, X, y, covariates=frame, **settings)
    assert set(np.flatnonzero(plain.x_frequencies > 0.8)) == {5, 6}
    assert set(np.flatnonzero(found.x_frequencies > 0.8)) == {3}
    assert set(np.flatnonzero(found.y_frequencies > 0.8)) == {7}
    assert found.x_frequencies[[5, 6]].max() < 0.5
    sides = []
    for seed in np.random.RandomState(0).randint(2**31 - 1, size=5):
        order = np.random.default_rng(seed).permutation(100)
        for rows in (order[:50], order[50:]):
            half = SparseCCA(1, n_nonzero=2).fit(X[rows], y[rows], covariates=age[rows])
            sides.append(half.y_weights_.any(axis=1))
    np.testing.assert_allclose(found.y_frequencies, np.mean(sides, axis=0))


def test_covariates_of_dask_give_the_same(views):
    da = pytest.importorskip("dask.array")
    X, y, C = views
    dask_X, dask_y, dask_C = (da.from_array(v, chunks=(30, -1)) for v in views)
    cca = LinearCCA(2, reg=0).fit(X, y, covariates=C)
    of_dask = LinearCCA(2, reg=0).fit(dask_X, dask_y, covariates=dask_C)
    report = summary(of_dask, dask_X, dask_y, covariates=dask_C)
    assert isinstance(report.x.loadings, np.ndarray)
    assert_same(report, summary(cca, X, y, covariates=C))
    settings = {"n_resamples": 3, "random_state": 0}
    found, expected = (
        bootstrap_intervals(LinearCCA(1), *given, covariates=covariates, **settings)
        for given, covariates in (((dask_X, dask_y), dask_C), ((X, y), C))
    )
    np.testing.assert_allclose(found.x_loadings, expected.x_loadings, atol=1e-12)
    settings = {"n_subsamples": 2, "random_state": 0}
    found, expected = (
        stability_selection(
            SparseCCA(1, n_nonzero=2), *given, covariates=covariates, **settings
        )
        for given, covariates in (((dask_X, dask_y), dask_C), ((X, y), C))
    )
    np.testing.assert_array_equal(found.x_frequencies, expected.x_frequencies)


def test_tests_take_covariates_of_dask(views):
    da = pytest.importorskip("dask.array")
    X, y, C = views
    dask_X, dask_y, dask_C = (da.from_array(v, chunks=(30, -1)) for v in views)
    found = permutation_test(dask_X, dask_y, covariates=dask_C, random_state=0)
    expected = permutation_test(X, y, covariates=C, random_state=0)
    np.testing.assert_allclose(found.pvalues, expected.pvalues)
    found = multivariate_tests(dask_X, dask_y, covariates=dask_C)
    expected = multivariate_tests(X, y, covariates=C)
    np.testing.assert_allclose(found.correlations, expected.correlations, atol=1e-9)


def test_covariates_that_leave_nothing_are_refused(views):
    X, y, _ = views
    C = np.random.default_rng(0).standard_normal((90, 46))
    expected = "46 directions, but intervals need at most 45, half the number of sampl"
    with pytest.raises(ValueError, match=expected):
        bootstrap_intervals(LinearCCA(1), X, y, covariates=C, n_resamples=2)
    pipeline = make_view_pipeline(LinearCCA(1), x=StandardScaler())
    pipeline.fit(X, y, covariates=C[:, :2])
    with pytest.raises(ValueError, match="2 directions, but there are only 2 degrees"):
        summary(pipeline, X[:3], y[:3], covariates=C[:3, :2])


def test_errors_say_where_covariates_belong(views):
    X, y, C = views
    cca = LinearCCA(2).fit(X, y, covariates=C)
    expected = "with covariates, but summary got none. Pass .* covariates= of summary"
    for model in (cca, ViewPipeline(LinearCCA(2)).fit(X, y, covariates=C)):
        with pytest.raises(ValueError, match=expected):
            summary(model, X, y)
    with pytest.raises(ValueError, match="was fitted without covariates"):
        summary(LinearCCA(2).fit(X, y), X, y, covariates=C)
    with pytest.raises(ValueError, match="covariates contains NaN"):
        summary(cca, X, y, covariates=np.full_like(C, np.nan))
    with pytest.raises(ValueError, match="gradient_map takes no covariates"):
        gradient_map(cca, X, y, side="x")
    for model in (KernelCCA(1), ViewPipeline(KernelCCA(1))):
        expected = "^KernelCCA takes no covariates, but LinearCCA and SparseCCA do"
        with pytest.raises(ValueError, match=expected):
            summary(model.fit(X, y), X, y, covariates=C)
        for function in (bootstrap_intervals, stability_selection):
            with pytest.raises(ValueError, match=expected):
                function(model, X, y, covariates=C)
    for function in (bootstrap_intervals, stability_selection):
        with pytest.raises(ValueError, match="90, 80]. Rows of X and covariates must"):
            function(LinearCCA(1), X, y, covariates=C[:80])
