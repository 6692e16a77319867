"""ProbabilisticCCA against LinearCCA, Gaussian conditioning, and planted factors."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.linalg import subspace_angles
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.preprocessing import StandardScaler

from skcrl import LinearCCA, ProbabilisticCCA, ViewPipeline
from skcrl.exceptions import DegenerateFitWarning
from skcrl.inspection import gradient_map


def planted(n, widths=(6, 5), k=2, seed=0):
    """Views of k shared factors, two of their own each, and noise."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, k))
    return tuple(
        z @ rng.standard_normal((k, p))
        + rng.standard_normal((n, 2)) @ rng.standard_normal((2, p))
        + 0.5 * rng.standard_normal((n, p))
        for p in widths
    )


def with_gaps(views, share=0.1, seed=0, whole_rows=5):
    """Views that have lost a share of their cells, and some rows throughout."""
    rng = np.random.default_rng(seed)
    X, y = (np.where(rng.random(v.shape) < share, np.nan, v) for v in views)
    no_x, no_y = np.arange(2 * whole_rows).reshape(2, -1)
    X[no_x], y[no_y] = np.nan, np.nan
    y[no_x], X[no_y] = views[1][no_x], views[0][no_y]
    return X, y


@pytest.fixture(scope="module")
def views():
    return planted(200)


@pytest.fixture(scope="module")
def gaps(views):
    return with_gaps(views)


@pytest.fixture(scope="module")
def fitted(gaps):
    return ProbabilisticCCA(2).fit(*gaps)


@pytest.fixture(scope="module")
def conditional(fitted, gaps):
    """Function that gives mean and covariance of a row of (x, y, z), by the book.

    Of z the loadings are those of Bach and Jordan.
    """
    p = fitted.n_features_in_
    cov, n = fitted.covariance_, len(gaps[0])
    weights = (n / (n - 1)) ** 0.5 * np.vstack([fitted.x_weights_, fitted.y_weights_])
    within = cov.copy()
    within[:p, p:] = within[p:, :p] = 0
    W = within @ weights * fitted.correlations_**0.5
    joint = np.block([[cov, W], [W.T, np.eye(2)]])
    mean = np.r_[fitted.x_mean_, fitted.y_mean_, 0, 0]

    def of(row):
        seen = np.flatnonzero(~np.isnan(row))
        rest = np.setdiff1d(np.arange(len(mean)), seen)
        gain = np.linalg.solve(joint[np.ix_(seen, seen)], joint[np.ix_(seen, rest)]).T
        expected = np.r_[row, 0, 0]
        expected[rest] = mean[rest] + gain @ (row[seen] - mean[seen])
        left = joint[np.ix_(rest, rest)] - gain @ joint[np.ix_(seen, rest)]
        return expected, left[-2:, -2:]

    return of


@pytest.mark.parametrize(
    ("reg", "scale"), [(0, False), (1e-4, False), ((0.5, 0.1), True)]
)
def test_without_gaps_it_is_linear_cca(views, reg, scale):
    X, y = (v * np.logspace(-3, 3, v.shape[1]) + 1e6 for v in views)
    linear = LinearCCA(2, reg=reg, scale=scale).fit(X, y)
    found = ProbabilisticCCA(2, reg=reg, scale=scale).fit(X, y)
    np.testing.assert_allclose(found.transform(X), linear.transform(X), atol=1e-8)
    np.testing.assert_allclose(found.transform_y(y), linear.transform_y(y), atol=1e-8)
    np.testing.assert_allclose(found.correlations_, linear.singular_values_, atol=1e-10)
    if reg == 0:
        np.testing.assert_allclose(found.predict(X), linear.predict(X), rtol=1e-8)


def test_em_of_rows_without_gaps_is_the_closed_form(views):
    # One cell of a row of weight 0.001 is missing: EM has next to nothing to fill.
    X, y = (np.vstack([v, v[:1]]) for v in views)
    weights = np.r_[np.ones(200), 1e-3]
    whole = ProbabilisticCCA(2, reg=0).fit(X, y, sample_weight=weights)
    X[-1, 0] = np.nan
    em = ProbabilisticCCA(2, reg=0, tol=1e-9).fit(X, y, sample_weight=weights)
    assert subspace_angles(em.x_weights_, whole.x_weights_)[0] < 1e-4
    assert subspace_angles(em.y_weights_, whole.y_weights_)[0] < 1e-4
    np.testing.assert_allclose(em.correlations_, whole.correlations_, atol=1e-5)
    np.testing.assert_allclose(em.loglike_[-1], whole.loglike_[-1], atol=1e-4)


def test_the_closed_form_is_the_largest_likelihood(views):
    X, y = views
    found = ProbabilisticCCA(2, reg=0).fit(X, y)
    largest = found.score_samples(X, y).sum()
    assert largest / 200 == pytest.approx(found.loglike_[-1])
    r = LinearCCA(2, reg=0).fit(X, y).correlations_
    dets = sum(np.linalg.slogdet(np.cov(v.T, bias=True))[1] for v in views)
    per_row = 11 * np.log(2 * np.pi) + dets + np.log(1 - r**2).sum() + 11
    assert largest == pytest.approx(-100 * per_row)
    rng = np.random.default_rng(0)
    for _ in range(20):  # other models of rank 2
        est = ProbabilisticCCA(2).fit(
            *(v + 0.05 * rng.standard_normal(v.shape) for v in views)
        )
        assert est.score_samples(X, y).sum() < largest


def test_log_likelihood_is_that_of_the_seen_cells(fitted, gaps):
    V, mean = np.hstack(gaps), np.r_[fitted.x_mean_, fitted.y_mean_]
    expected = []
    for row in V:
        o = ~np.isnan(row)
        model = stats.multivariate_normal(mean[o], fitted.covariance_[np.ix_(o, o)])
        expected.append(model.logpdf(row[o]))
    np.testing.assert_allclose(fitted.score_samples(*gaps), expected, rtol=1e-9)
    total = np.sum(expected)
    assert fitted.n_parameters_ == 11 + 6 * 7 // 2 + 5 * 6 // 2 + 2 * (6 + 5 - 2)
    assert fitted.aic(*gaps) == pytest.approx(2 * fitted.n_parameters_ - 2 * total)
    assert fitted.bic(*gaps) == pytest.approx(
        np.log(200) * fitted.n_parameters_ - 2 * total
    )
    x_alone = fitted.score_samples(gaps[0][5:])
    no_y = np.full((195, 5), np.nan)
    np.testing.assert_allclose(x_alone, fitted.score_samples(gaps[0][5:], no_y))


def test_everything_expected_is_by_gaussian_conditioning(fitted, gaps, conditional):
    means, covariances = zip(*map(conditional, np.hstack(gaps)), strict=True)
    means = np.array(means)
    filled = np.hstack(fitted.impute(*gaps))
    np.testing.assert_allclose(filled, means[:, :-2], atol=1e-10)
    mean, covariance = fitted.posterior(*gaps)
    np.testing.assert_allclose(mean, means[:, -2:], atol=1e-10)
    np.testing.assert_allclose(covariance, covariances, atol=1e-10)
    np.testing.assert_allclose(fitted.transform_joint(*gaps), mean, atol=1e-10)
    # From one view, with gaps of its own.
    X = gaps[0][5:]
    no_y = np.full((len(X), 5), np.nan)
    means = np.array([conditional(row)[0] for row in np.hstack([X, no_y])])
    np.testing.assert_allclose(fitted.predict(X), means[:, 6:-2], atol=1e-10)
    np.testing.assert_allclose(fitted.transform_joint(X), means[:, -2:], atol=1e-10)
    codes = (means[:, :6] - fitted.x_mean_) @ fitted.x_weights_
    np.testing.assert_allclose(fitted.transform(X), codes, atol=1e-10)
    roots = fitted.correlations_**0.5
    np.testing.assert_allclose(
        means[:, -2:], codes * roots * (200 / 199) ** 0.5, atol=1e-10
    )


def test_posterior_of_what_was_seen_in_full(fitted, views):
    r = fitted.correlations_
    for given, left in ((views, (1 - r) / (1 + r)), ((None, views[1]), 1 - r)):
        covariance = fitted.posterior(*given).covariance
        np.testing.assert_allclose(covariance[7], np.diag(left), atol=1e-10)


@pytest.mark.parametrize("k", [1, 2, None])
@pytest.mark.parametrize("reg", [0, 1e-4, (1.0, 0.1)])
def test_no_step_lowers_the_likelihood(views, k, reg):
    est = ProbabilisticCCA(k, reg=reg).fit(*with_gaps(views, share=0.4))
    assert est.n_iter_ == len(est.loglike_) > 5
    assert np.diff(est.loglike_).min() > -1e-10


def test_the_limit_of_em_is_a_maximum(views):
    # Changes of the model that keep its rank do not raise the penalised likelihood.
    X, y = with_gaps(views, share=0.3)
    est = ProbabilisticCCA(5, reg=0.1, tol=1e-12).fit(X, y)  # any covariance
    V, cov = np.hstack([X, y]), est.covariance_
    mean = np.r_[est.x_mean_, est.y_mean_]

    def objective(mean, cov):
        total = -199 / 2 * 0.1 * np.trace(np.linalg.inv(cov))
        for row in V:
            o = ~np.isnan(row)
            model = stats.multivariate_normal(mean[o], cov[np.ix_(o, o)])
            total += model.logpdf(row[o])
        return total / 200

    largest = objective(mean, cov)
    assert largest == pytest.approx(est.loglike_[-1], abs=1e-5)  # but for the 1e-8
    rng = np.random.default_rng(0)
    for _ in range(3):
        change = rng.standard_normal((11, 11))
        change = 1e-4 * (change + change.T)
        for sign in (1, -1):
            assert objective(mean, cov + sign * change) < largest
            assert objective(mean + 1e-2 * sign * change[0] / 1e-4, cov) < largest


def test_weights_are_repetitions(gaps):
    counts = np.random.default_rng(1).integers(0, 4, 200)
    repeated = [np.repeat(v, counts, axis=0) for v in gaps]
    once = ProbabilisticCCA(2).fit(*gaps, sample_weight=counts)
    twice = ProbabilisticCCA(2).fit(*repeated)
    np.testing.assert_allclose(once.covariance_, twice.covariance_, atol=1e-8)
    np.testing.assert_allclose(once.loglike_, twice.loglike_)


def test_planted_codes_are_found_better_than_by_filling_in_means():
    views = planted(400, (8, 8), seed=3)
    X, y = with_gaps(views, share=0.3)
    means = [np.where(np.isnan(v), np.nanmean(v, axis=0), v) for v in (X, y)]
    whole = LinearCCA(2, reg=0).fit(*views)
    angles = [
        subspace_angles(est.x_weights_, whole.x_weights_)[0]
        for est in (ProbabilisticCCA(2).fit(X, y), LinearCCA(2).fit(*means))
    ]
    assert angles[0] < 0.7 * angles[1]


@pytest.mark.parametrize("seed", range(3))
def test_gaps_are_filled_better_than_from_one_table(seed):
    views = planted(300, (8, 7), k=3, seed=seed)
    gaps = with_gaps(views, whole_rows=0, seed=seed)

    def error(filled):
        return sum(np.sum((f - v) ** 2) for f, v in zip(filled, views, strict=True))

    ours = error(ProbabilisticCCA(3).fit(*gaps).impute(*gaps))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = error([IterativeImputer(random_state=0).fit_transform(v) for v in gaps])
    means = error([np.where(np.isnan(v), np.nanmean(v, 0), v) for v in gaps])
    assert ours < 0.9 * alone
    assert ours < 0.5 * means


@pytest.mark.parametrize("k", [1, 2, 3])
def test_bic_finds_the_planted_number_of_components(k):
    gaps = with_gaps(planted(500, (7, 6), k=k, seed=k))
    criteria = [ProbabilisticCCA(i).fit(*gaps).bic(*gaps) for i in range(1, 6)]
    assert np.argmin(criteria) + 1 == k


def test_columns_far_from_zero_and_in_other_units(gaps):
    units = np.logspace(-3, 3, 6)
    X, y = gaps
    est = ProbabilisticCCA(2, scale=True).fit(X, y)
    far = ProbabilisticCCA(2, scale=True).fit(X * units + 1e4 * units, y + 1e8)
    np.testing.assert_allclose(far.correlations_, est.correlations_, atol=1e-5)
    found = far.impute(X * units + 1e4 * units, y + 1e8)[0] / units - 1e4
    np.testing.assert_allclose(found, est.impute(X, y)[0], atol=1e-4)


def test_constant_and_collinear_columns_and_float32(gaps):
    X, y = (v.astype(np.float32) for v in gaps)
    constant = np.where(np.isnan(X[:, :1]), np.nan, 3).astype(np.float32)
    X = np.hstack([X, 2 * X[:, :1], constant])
    est = ProbabilisticCCA(2, reg=0).fit(X, y)
    X_full, y_full = est.impute(X, y)
    np.testing.assert_allclose(X_full[:, -1], 3, rtol=1e-6)
    np.testing.assert_allclose(X_full[:, -2], 2 * X_full[:, 0], atol=1e-2)
    assert np.isfinite(est.score_samples(X, y)).all()
    for out in (
        X_full,
        y_full,
        est.transform(X[5:]),
        est.transform_joint(X, y),
        est.predict(X[5:]),
    ):
        assert out.dtype == np.float32


def test_few_rows_and_wide_views_stay_finite():
    gaps = with_gaps(planted(15, (12, 10)), whole_rows=2)
    for reg in (0, 0.1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            est = ProbabilisticCCA(2, reg=reg, max_iter=20).fit(*gaps)
        kinds = {warning.category for warning in caught}
        assert kinds <= {ConvergenceWarning, DegenerateFitWarning}
        assert np.isfinite(np.hstack(est.impute(*gaps))).all()
        assert np.isfinite(est.posterior(*gaps).covariance).all()


def test_too_few_steps_warn(gaps):
    message = "converge in max_iter=2 steps.* more than tol=1e-05. Raise max_iter"
    with pytest.warns(ConvergenceWarning, match=message):
        est = ProbabilisticCCA(2, max_iter=2).fit(*gaps)
    assert est.n_iter_ == 2


def test_a_constant_view_warns(gaps):
    X = np.where(np.isnan(gaps[0]), np.nan, 1.0)
    with pytest.warns(DegenerateFitWarning, match="X is constant"):
        est = ProbabilisticCCA(1).fit(X, gaps[1])
    np.testing.assert_allclose(est.correlations_, 0, atol=1e-6)


def test_what_cannot_be_filled_is_named(fitted, gaps):
    X, y = (v.copy() for v in gaps)
    X[:, 2] = np.nan
    frame = pd.DataFrame(X).add_prefix("gene ")
    message = "All cells of column 'gene 2' of X are missing .NaN.. There are 1 such"
    with pytest.raises(ValueError, match=message):
        ProbabilisticCCA(1).fit(frame, y)
    X, y = (v.copy() for v in gaps)
    X[9], y[9] = np.nan, np.nan
    message = "1 samples are missing in both views, the first is row 9: drop them"
    for call in (fitted.fit, fitted.impute, fitted.posterior, fitted.score_samples):
        with pytest.raises(ValueError, match=message):
            call(X, y)
    message = "6 rows of X hold only NaN, the first is row 0, so they have no codes"
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted.transform(X)
    with pytest.raises(
        ValueError, match="`n_components` upper bound is 5, the number of feat"
    ):
        ProbabilisticCCA(6).fit(*gaps)
    with pytest.raises(ValueError, match="contains infinity"):
        ProbabilisticCCA(1).fit(np.where(np.isnan(gaps[0]), np.inf, 1), gaps[1])


def test_modules_and_maps_are_of_whole_rows(fitted, views, gaps):
    X, y = (v.astype(np.float32) for v in views)
    codes = fitted.view("y").module()(torch.from_numpy(y))
    np.testing.assert_allclose(codes.detach(), fitted.transform_y(y), atol=1e-4)
    maps = gradient_map(fitted, X[:3], gaps[1][:3], side="x")
    assert np.isfinite(maps).all()
    with pytest.raises(
        ValueError, match="X has gaps .NaN., for which there is no gradient"
    ):
        gradient_map(fitted, gaps[0][5:], gaps[1][5:], side="x")


def test_gaps_of_frames_and_behind_steps(fitted, gaps):
    frames = [pd.DataFrame(v).add_prefix("c") for v in gaps]
    est = ProbabilisticCCA(2).set_output(transform="pandas").fit(*frames)
    X_full, y_full = est.impute(*frames)
    expected = fitted.impute(*gaps)
    pd.testing.assert_frame_equal(X_full, pd.DataFrame(expected[0]).add_prefix("c"))
    pd.testing.assert_frame_equal(y_full, pd.DataFrame(expected[1]).add_prefix("c"))
    pipeline = ViewPipeline(
        ProbabilisticCCA(2), x=StandardScaler(), y=StandardScaler()
    ).fit(*gaps)
    scalers = pipeline.x_, pipeline.y_
    scaled = [scaler.transform(v) for scaler, v in zip(scalers, gaps, strict=True)]
    inner = ProbabilisticCCA(2).fit(*scaled)
    expected = zip(scalers, inner.impute(*scaled), strict=True)
    for found, (scaler, filled) in zip(pipeline.impute(*gaps), expected, strict=True):
        np.testing.assert_allclose(found, scaler.inverse_transform(filled), atol=1e-10)
