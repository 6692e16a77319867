"""What must leave a fit unchanged, and the methods that its limits must equal."""

import numpy as np
import pytest
from scipy.linalg import block_diag
from sklearn.base import clone
from sklearn.cross_decomposition import CCA, PLSSVD
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from skcrl import KernelCCA, LinearCCA, LinearCommonIndividual, ProbabilisticCCA
from skcrl.datasets import make_correlated_views

UNPENALISED = [
    LinearCCA(3, reg=0),
    LinearCCA(3, reg=0, solver="gram"),
]
LINEAR = [
    *UNPENALISED,
    LinearCCA(3, reg=(0, 2.0)),
    LinearCCA(3, reg=0.3, solver="gram"),
    LinearCCA(3, reg=0.3, solver="lanczos", random_state=0),
    LinearCCA(3, reg=0, shrinkage=(0.2, 0.9)),
    LinearCCA(3, reg=0, shrinkage=0.5, solver="gram"),
    LinearCCA(3, reg=0, shrinkage="oas"),
    LinearCCA(3, reg=0.1, scale=True),
]
RBF = KernelCCA(3, kernel="rbf", gamma=0.1, reg=0.1, random_state=0)
KERNEL = [
    KernelCCA(3, kernel="linear", reg=0.3, random_state=0),
    RBF,
    # Every row is a landmark, so that their choice changes nothing.
    clone(RBF).set_params(approximation="nystroem"),
]
ALL = LINEAR + KERNEL
PROBABILISTIC = ProbabilisticCCA(3, reg=0.1)
PARTS = LinearCommonIndividual(1, n_individual=1, n_signal=2, random_state=0)


def over(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=repr)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        120, 6, 5, correlations=(0.9, 0.7, 0.4), random_state=0
    )


@pytest.fixture(scope="module")
def new_views():
    return make_correlated_views(40, 6, 5, correlations=(0.9, 0.7, 0.4), random_state=1)


def codes(estimator, views, new_views, **weights):
    """Codes of new views, side by side, by an estimator that is fitted to views.

    The sign of a component of approximate kernels depends on the order of the rows.
    Here both codes of the first new row add up to something positive.
    """
    Zx, Zy = clone(estimator).fit(*views, **weights).transform_pair(*new_views)
    return np.hstack([Zx, Zy]) * np.tile(np.sign(Zx[0] + Zy[0]), 2)


@over(ALL)
def test_codes_of_different_components_are_uncorrelated(estimator, views):
    est = clone(estimator).fit(*views)
    cross = np.cov(*map(np.transpose, est.transform_pair(*views)))[:3, 3:]
    np.testing.assert_allclose(cross, np.diag(est.singular_values_), atol=1e-6)
    assert (np.diff(est.singular_values_) < 0).all()


@over(UNPENALISED)
def test_codes_of_one_view_are_white(estimator, views):
    for Z in clone(estimator).fit(*views).transform_pair(*views):
        np.testing.assert_allclose(np.cov(Z.T), np.eye(3), atol=1e-6)


def with_ridge_times(estimator, factors):
    """The same estimator for covariances that are so many times as large."""
    reg = np.multiply(np.broadcast_to(estimator.reg, 2), factors)
    scaled = estimator.get_params().get("scale")  # columns have no units then
    return clone(estimator).set_params(**({} if scaled else {"reg": reg}))


def in_units(estimator, units):
    """The same estimator for views whose columns are so many times as large."""
    if estimator.get_params().get("kernel") == "rbf":  # has no units, but distances do
        return clone(estimator).set_params(gamma=estimator.gamma / np.square(units))
    return with_ridge_times(estimator, np.square(units))


# How much "oas" shrinks depends on the number of rows on purpose.
@over([e for e in ALL if e.get_params().get("shrinkage") != "oas"])
def test_stacking_the_data_twice_changes_the_scale_alone(estimator, views, new_views):
    # Penalties do not grow with n: covariances over n - 1 shrink by this, no more.
    share = 238 / 239
    once = codes(estimator, views, new_views)
    stacked = [np.vstack([view, view]) for view in views]
    twice = codes(with_ridge_times(estimator, share), stacked, new_views)
    np.testing.assert_allclose(twice * np.sqrt(share), once, atol=1e-8)


@over(
    [
        LinearCCA(3, reg=0.1, scale=True),
        *UNPENALISED,
        LinearCCA(3, reg=0, scale=True, shrinkage=0.3),
    ]
)
def test_units_of_a_column_do_not_matter(estimator, views, new_views):
    units = np.logspace(-3, 3, 6)
    in_other_units = [(X * units, y / units[:5]) for X, y in (views, new_views)]
    np.testing.assert_allclose(
        codes(estimator, *in_other_units),
        codes(estimator, views, new_views),
        atol=1e-8,
    )


@over(UNPENALISED)
def test_without_penalty_it_is_cca(estimator, views, new_views):
    expected = CCA(3, scale=False, tol=1e-14, max_iter=10_000).fit(*views)
    assert_same_directions(
        clone(estimator).fit(*views).transform_pair(*new_views),
        expected.transform(*new_views),
    )


@over(
    [
        LinearCCA(3, reg=0, shrinkage=1.0, solver=solver, random_state=0)
        for solver in ("covariance", "gram", "lanczos")
    ]
)
def test_fully_shrunk_it_is_partial_least_squares(estimator, views, new_views):
    expected = PLSSVD(3, scale=False).fit(*views)
    assert_same_directions(
        clone(estimator).fit(*views).transform_pair(*new_views),
        expected.transform(*new_views),
    )


def assert_same_directions(found, expected):
    """Codes that differ in sign and scale alone."""
    for Z, T in zip(found, expected, strict=True):
        np.testing.assert_allclose(abs(correlation(Z, T)), 1, atol=1e-9)


def correlation(Z, T):
    """Of column with column."""
    return np.diag(np.corrcoef(Z.T, T.T)[: Z.shape[1], Z.shape[1] :])


@over([*ALL, PROBABILISTIC])
def test_weights_are_repetitions(estimator, views, new_views, rng):
    counts = rng.integers(0, 4, 120)
    np.testing.assert_allclose(
        codes(estimator, views, new_views, sample_weight=counts),
        codes(estimator, [np.repeat(view, counts, 0) for view in views], new_views),
        atol=1e-8,
    )


@over([*ALL, PROBABILISTIC])
def test_weights_of_one_change_nothing(estimator, views, new_views):
    np.testing.assert_allclose(
        codes(estimator, views, new_views, sample_weight=np.ones(120)),
        codes(estimator, views, new_views),
        atol=1e-10,
    )


@over([*ALL, PROBABILISTIC, PARTS])
def test_first_component_follows_the_shared_factor(estimator, rng):
    shared, *private = rng.standard_normal((3, 500, 1))
    X, y = (
        np.hstack([shared, 3 * own]) @ np.linalg.qr(rng.standard_normal((4, 2)))[0].T
        + 0.1 * rng.standard_normal((500, 4))
        for own in private
    )
    Z = clone(estimator).fit(X, y).transform(X)
    assert abs(correlation(Z[:, :1], shared)) > 0.85
    assert abs(correlation(PCA(1).fit_transform(X), shared)) < 0.1


@over([*ALL, PROBABILISTIC, PARTS])
def test_a_second_fit_forgets_the_first(estimator, views, new_views):
    est = clone(estimator).fit(views[0][:50, :4], views[1][:50, :4]).fit(*views)
    fresh = clone(estimator).fit(*views)
    assert set(vars(est)) == set(vars(fresh))
    for found, expected in zip(
        est.transform_pair(*new_views), fresh.transform_pair(*new_views), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@over([*ALL, PROBABILISTIC, PARTS])
def test_the_training_views_are_not_shared(estimator, views, new_views):
    X, y = (view.copy() for view in views)
    est = clone(estimator).fit(X, y)
    expected = est.transform_pair(*new_views)
    X[:], y[:] = 0, 0
    np.testing.assert_array_equal(est.transform_pair(*new_views), expected)


@over([*ALL, PROBABILISTIC, PARTS])
def test_more_components_than_there_can_be(estimator, views):
    with pytest.raises(ValueError, match="`n_components` upper bound is"):
        clone(estimator).set_params(n_components=121).fit(*views)


@pytest.mark.parametrize("reg", [0.01, 0.5, (1.0, 0.0)])
def test_a_linear_kernel_gives_linear_cca(reg, views, new_views):
    found = KernelCCA(3, kernel="linear", reg=reg, random_state=0)
    expected = LinearCCA(3, reg=reg)
    assert_same_directions(
        found.fit(*views).transform_pair(*new_views),
        expected.fit(*views).transform_pair(*new_views),
    )
    np.testing.assert_allclose(
        found.singular_values_, expected.singular_values_, atol=1e-8
    )


@over([RBF, clone(RBF).set_params(approximation="nystroem")])
def test_kernel_cca_is_linear_cca_of_features_that_span_the_rows(
    estimator, views, new_views
):
    maps = [Nystroem(gamma=0.1, n_components=120).fit(view) for view in views]
    features, new_features = (
        [nystroem.transform(view) for nystroem, view in zip(maps, pair, strict=True)]
        for pair in (views, new_views)
    )
    expected = LinearCCA(3, reg=0.1).fit(*features)
    found = clone(estimator).fit(*views)
    np.testing.assert_allclose(
        found.singular_values_, expected.singular_values_, atol=1e-8
    )
    assert_same_directions(
        found.transform_pair(*new_views), expected.transform_pair(*new_features)
    )


def test_codes_are_centred_kernels_times_dual_weights(views, new_views):
    kcca = clone(RBF).fit(*views)
    duals = kcca.x_dual_coef_, kcca.y_dual_coef_
    for view, new, dual, Z in zip(
        views, new_views, duals, kcca.transform_pair(*new_views), strict=True
    ):
        centerer = KernelCenterer().fit(rbf_kernel(view, gamma=0.1))
        kernel = centerer.transform(rbf_kernel(new, view, gamma=0.1))
        np.testing.assert_allclose(Z, kernel @ dual, atol=1e-10)


def test_clusters_far_from_each_other_keep_their_digits(views, new_views):
    # No origin is near all rows, so that differences must be.
    (X, y), (new_X, _) = (
        [np.round(v * 2**16) / 2**16 for v in pair] for pair in (views, new_views)
    )
    X = np.vstack([X, X[:40] + 1e9])
    y = np.vstack([y, y[:40] + 1e9])
    grams = [rbf_kernel(v[:120], gamma=0.1) for v in (X, y)]
    grams = [block_diag(gram, gram[:40, :40]) for gram in grams]
    given = clone(RBF).set_params(kernel="precomputed").fit(*grams)
    new = np.hstack([np.zeros((40, 120)), rbf_kernel(new_X, X[:40], gamma=0.1)])
    found = clone(RBF).fit(X, y).transform(new_X + 1e9)
    np.testing.assert_allclose(found, given.transform(new), atol=1e-9)
