"""KernelCCA against LinearCCA, its own objective and the properties CCA must have."""

import pickle

import numpy as np
import pytest
from scipy import linalg, sparse
from sklearn.base import clone
from sklearn.metrics.pairwise import (
    PAIRWISE_KERNEL_FUNCTIONS,
    pairwise_kernels,
    rbf_kernel,
)
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import PolynomialFeatures

from skcrl import KernelCCA, LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.kernel import _exact, _feature_maps, _kernels
from skcrl.metrics import reconstruction_error

N, K = 300, 3


@pytest.fixture(scope="module")
def all_views():
    return make_correlated_views(
        N + 40, 6, 5, correlations=(0.9, 0.6, 0.3), random_state=0
    )


@pytest.fixture(scope="module")
def views(all_views):
    return tuple(view[:N] for view in all_views)


@pytest.fixture(scope="module")
def new_views(all_views):
    return tuple(view[N:] for view in all_views)


def circle(n, rng):
    """An angle and noise; the cosine and sine of twice the angle."""
    angle = rng.uniform(0, 2 * np.pi, (n, 1))
    X = np.hstack([np.cos(angle), np.sin(angle), rng.standard_normal((n, 1))])
    y = np.hstack([np.cos(2 * angle), np.sin(2 * angle)])
    return X, y + 0.05 * rng.standard_normal(y.shape)


def centred(K):
    H = np.eye(len(K)) - 1 / len(K)
    return H @ K @ H


def assert_same_up_to_sign(A, B, atol):
    sign = np.sign((A * B).sum(axis=0))
    np.testing.assert_allclose(A * sign, B, rtol=0, atol=atol)


def assert_same_codes(a, b, views, atol=1e-8):
    joint = [np.vstack(est.transform_pair(*views)) for est in (a, b)]
    assert_same_up_to_sign(*joint, atol)


@pytest.mark.parametrize("reg", [0.0, 1e-4, 1e-2, 1.0, (0.3, 1e-3), 1e3, (1e9, 1)])
def test_a_linear_kernel_is_linear_cca(views, new_views, reg):
    kernel = KernelCCA(K, kernel="linear", reg=reg, random_state=0).fit(*views)
    linear = LinearCCA(K, reg=reg).fit(*views)
    assert_same_codes(kernel, linear, new_views)
    np.testing.assert_allclose(
        kernel.singular_values_, linear.singular_values_, atol=1e-9
    )
    assert kernel.rank_ == linear.rank_ == K


@pytest.mark.parametrize("reg", [1e-2, 1.0, (0.1, 3.0)])
def test_a_linear_kernel_of_more_features_than_samples(rng, reg):
    X, y = rng.standard_normal((40, 200)), rng.standard_normal((40, 100))
    kernel = KernelCCA(5, kernel="linear", reg=reg, random_state=0).fit(X, y)
    linear = LinearCCA(5, reg=reg).fit(X, y)
    new = rng.standard_normal((9, 200)), rng.standard_normal((9, 100))
    assert_same_codes(kernel, linear, new)


def test_a_polynomial_kernel_is_linear_cca_of_polynomial_features(views, new_views):
    # (x'z + 1)^2 is the inner product of monomials with these factors.
    def features(view):
        poly = PolynomialFeatures(2)
        monomials = poly.fit_transform(view)
        mixed = (poly.powers_ == 1).any(axis=1)
        return monomials * np.where(mixed, 2**0.5, 1.0)

    kernel = KernelCCA(
        K, kernel="poly", degree=2, gamma=1, coef0=1, reg=0.1, random_state=0
    ).fit(*views)
    linear = LinearCCA(K, reg=0.1).fit(*map(features, views))
    joint = [
        np.vstack(kernel.transform_pair(*new_views)),
        np.vstack(linear.transform_pair(*map(features, new_views))),
    ]
    assert_same_up_to_sign(*joint, 1e-7)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "linear", ("rbf", "poly")])
def test_the_documented_objective_is_stationary(views, kernel):
    kcca = KernelCCA(K, kernel=kernel, reg=(0.01, 0.02), random_state=0).fit(*views)
    names = (kernel, kernel) if isinstance(kernel, str) else kernel
    Kx, Ky = (
        centred(pairwise_kernels(view, metric=name))
        for view, name in zip(views, names, strict=True)
    )
    a, b = kcca.x_dual_coef_, kcca.y_dual_coef_
    Mx = Kx @ Kx / (N - 1) + 0.01 * Kx
    My = Ky @ Ky / (N - 1) + 0.02 * Ky
    between = Kx @ Ky / (N - 1)
    R = np.diag(kcca.singular_values_)
    # The constraints, each component apart from the others, and the value.
    np.testing.assert_allclose(a.T @ Mx @ a, np.eye(K), atol=1e-7)
    np.testing.assert_allclose(b.T @ My @ b, np.eye(K), atol=1e-7)
    np.testing.assert_allclose(a.T @ between @ b, R, atol=1e-8)
    # Lagrange's conditions.
    np.testing.assert_allclose(between @ b, Mx @ a @ R, atol=1e-6)
    np.testing.assert_allclose(between.T @ a, My @ b @ R, atol=1e-6)
    # The largest of all: the same by the definition, in full.
    roots = [linalg.sqrtm(M + 1e-12 * np.eye(N)).real for M in (Mx, My)]
    T = np.linalg.solve(roots[0], np.linalg.solve(roots[1], between.T).T)
    top = np.linalg.svd(T, compute_uv=False)[:K]
    np.testing.assert_allclose(kcca.singular_values_, top, atol=1e-5)


@pytest.mark.parametrize("reg", [1e-4, 1e-2, 1e2])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_factors_and_features_agree(views, kernel, reg):
    # Two routes that share nothing but the kernels, of rank 6 and 5 or in full.
    grams = [centred(pairwise_kernels(view, metric=kernel)) for view in views]
    sizes = [gram.trace() for gram in grams]
    by_factors = _exact.kernel_cca(
        *(gram.copy() for gram in grams),
        sizes,
        *(5, (reg, 2 * reg), np.random.RandomState(0)),
    )
    by_features = _exact._by_features(*grams, sizes, 5, (reg, 2 * reg), np.ones(N))
    np.testing.assert_allclose(
        by_factors.singular_values, by_features.singular_values, rtol=1e-8
    )
    for one, other in zip(by_factors[2:4], by_features[2:4], strict=True):
        assert_same_up_to_sign(one, other, 1e-7)
    for solution in (by_factors, by_features):
        for gram, weights, codes in zip(
            grams, solution[:2], solution[2:4], strict=True
        ):
            np.testing.assert_allclose(gram @ weights, codes, atol=1e-7)
            np.testing.assert_allclose(weights.sum(axis=0), 0, atol=1e-7)


def test_codes_are_kernels_centred_by_training_means(views, new_views):
    kcca = KernelCCA(K, random_state=0).fit(*views)
    new = rbf_kernel(new_views[0], views[0])
    train = rbf_kernel(views[0])
    new = new - new.mean(axis=1, keepdims=True) - train.mean(axis=0) + train.mean()
    expected = new @ kcca.x_dual_coef_
    np.testing.assert_allclose(kcca.transform(new_views[0]), expected, atol=1e-10)


@pytest.mark.parametrize(
    "settings",
    [{}, {"approximation": "nystroem"}, {"approximation": "rbf_sampler"}],
    ids=str,
)
def test_codes_are_uncorrelated_matched_and_ordered(views, settings):
    # Under a small ridge all but the variances are those of linear CCA.
    kcca = KernelCCA(4, reg=1e-3, gamma=0.05, random_state=0, **settings).fit(*views)
    assert (np.diff(kcca.singular_values_) <= 0).all()
    Zx, Zy = kcca.transform_pair(*views)
    between = (Zx - Zx.mean(0)).T @ Zy / (N - 1)
    np.testing.assert_allclose(between, np.diag(kcca.singular_values_), atol=1e-7)
    np.testing.assert_allclose([Zx.mean(0), Zy.mean(0)], 0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["rbf", "poly", "cosine", "laplacian"])
def test_a_precomputed_kernel_is_the_named_one(views, new_views, kernel):
    named = KernelCCA(K, kernel=kernel, random_state=0).fit(*views)
    grams = [pairwise_kernels(view, metric=kernel) for view in views]
    new = [
        pairwise_kernels(n, v, metric=kernel)
        for n, v in zip(new_views, views, strict=True)
    ]
    given = KernelCCA(K, kernel="precomputed", random_state=0)
    before = [gram.copy() for gram in grams]
    given.fit(*grams)
    assert_same_codes_of(named.transform_pair(*new_views), given.transform_pair(*new))
    for gram, copy in zip(grams, before, strict=True):
        np.testing.assert_array_equal(gram, copy)
    assert not hasattr(given, "X_fit_")


def test_rows_of_a_precomputed_kernel_are_reconstructed(rng):
    X, y = circle(500, rng)
    gram = rbf_kernel(y, y[:400])
    kcca = KernelCCA(2, kernel=("rbf", "precomputed"), random_state=0)
    kcca.fit(X[:400], gram[:400])
    assert reconstruction_error(gram[400:], kcca.predict(X[400:])) < 0.1


def assert_same_codes_of(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_a_callable_is_the_named_kernel(views, new_views):
    def kernel(a, b, scale):
        return np.exp(-scale * ((a - b) ** 2).sum())

    X, y = (view[:60] for view in views)
    given = KernelCCA(
        2, kernel=(kernel, "linear"), kernel_params={"scale": 0.3}, random_state=0
    ).fit(X, y)
    named = KernelCCA(2, kernel=("rbf", "linear"), gamma=0.3, random_state=0).fit(X, y)
    assert_same_codes_of(
        given.transform_pair(*new_views), named.transform_pair(*new_views)
    )


def test_parameters_of_either_view(views, new_views):
    X, y = views
    both = KernelCCA(
        2,
        kernel=("rbf", "poly"),
        gamma=(0.1, 0.2),
        degree=(9, 2),
        coef0=(9, 0.5),
        random_state=0,
    ).fit(X, y)
    grams = rbf_kernel(X, gamma=0.1), (0.2 * y @ y.T + 0.5) ** 2
    given = KernelCCA(2, kernel="precomputed", random_state=0).fit(*grams)
    np.testing.assert_allclose(both.transform(X), given.transform(grams[0]), atol=1e-9)
    np.testing.assert_allclose(
        both.transform_y(y), given.transform_y(grams[1]), atol=1e-9
    )


@pytest.mark.parametrize("reg", [1e-3, 1e-1])
def test_nystroem_with_every_landmark_is_exact(views, new_views, reg):
    exact = KernelCCA(K, reg=reg, random_state=0).fit(*views)
    nystroem = KernelCCA(
        K, reg=reg, approximation="nystroem", approximation_size=N, random_state=0
    ).fit(*views)
    np.testing.assert_allclose(
        nystroem.singular_values_, exact.singular_values_, atol=1e-9
    )
    assert_same_codes(nystroem, exact, new_views)


@pytest.mark.parametrize(
    "settings",
    [
        {"approximation": "nystroem"},
        {"approximation": "nystroem", "landmarks": "kmeans"},
        {"approximation": "rbf_sampler", "approximation_size": 1000},
    ],
    ids=str,
)
def test_approximations_come_close(settings, rng):
    X, y = circle(1500, rng)
    settings = {"approximation_size": 150, **settings}
    exact = KernelCCA(2, random_state=0).fit(X[:800], y[:800])
    close = KernelCCA(2, random_state=0, **settings).fit(X[:800], y[:800])
    held_out = X[800:], y[800:]
    assert exact.score(*held_out) > 1.9
    assert close.score(*held_out) > 0.98 * exact.score(*held_out)
    assert LinearCCA(2).fit(X[:800], y[:800]).score(*held_out) < 0.3


@pytest.mark.parametrize("approximation", ["nystroem", "rbf_sampler"])
def test_approximations_never_hold_a_wide_array(approximation, rng, monkeypatch):
    # Any division of the rows into blocks gives the same moments.
    X, y = circle(500, rng)
    settings = {"approximation": approximation, "approximation_size": 30}
    whole = KernelCCA(2, random_state=0, **settings).fit(X, y)
    monkeypatch.setattr("skcrl.kernel._kernel_cca._BLOCK_ROWS", 64)
    tall = []
    for cls in (_feature_maps.NystroemMap, _feature_maps.FourierMap):

        def watched(self, view, call=cls.__call__):
            tall.append(view.shape[0])
            return call(self, view)

        monkeypatch.setattr(cls, "__call__", watched)
    monkeypatch.setattr("skcrl.kernel._decoder._MAX_ROWS", 64)
    blocked = KernelCCA(2, random_state=0, **settings).fit(X, y)
    np.testing.assert_allclose(
        blocked.singular_values_, whole.singular_values_, atol=1e-10
    )
    assert max(tall) == 64


def test_codes_are_computed_in_blocks(views, monkeypatch):
    kcca = KernelCCA(2, random_state=0).fit(*views)
    whole = kcca.transform(views[0])
    monkeypatch.setattr(_kernels, "_BLOCK_BYTES", 8 * N * 7)
    np.testing.assert_allclose(kcca.transform(views[0]), whole, atol=1e-12)


def test_order_of_rows(views, new_views, rng):
    rows = rng.permutation(N)
    one = KernelCCA(K, random_state=0).fit(*views)
    other = KernelCCA(K, random_state=1).fit(*(view[rows] for view in views))
    assert_same_codes(one, other, new_views, atol=1e-7)


def test_equal_correlations_are_all_found(rng):
    # Four copies of one problem on features that do not overlap.
    z, noise = rng.standard_normal((2, 4 * 80))
    blocks = np.kron(np.eye(4), np.ones((80, 1)))
    z = np.tile(z[:80], 4)[:, None] * blocks
    y = z + 0.5 * np.tile(noise[:80], 4)[:, None] * blocks
    kcca = KernelCCA(4, kernel="linear", reg=0.01, random_state=0).fit(z, y)
    expected = LinearCCA(4, reg=0.01).fit(z, y).singular_values_
    np.testing.assert_allclose(kcca.singular_values_, expected, atol=1e-9)
    assert np.ptp(kcca.singular_values_) < 0.02


@pytest.mark.parametrize("approximation", [None, "nystroem", "rbf_sampler"])
@pytest.mark.parametrize("reg", [0.0, 1e-3])
def test_rows_twice_and_a_constant_view(approximation, reg, rng):
    X, y = (np.vstack([view, view]) for view in circle(60, rng))
    settings = {
        "approximation": approximation,
        "reg": reg,
        "approximation_size": 40,
        "random_state": 0,
    }
    kcca = KernelCCA(2, **settings).fit(X, y)
    assert np.isfinite(kcca.transform(X)).all()
    assert kcca.rank_ == 2
    # The mean of many 0.1 is not 0.1: rounding must not pass for variance.
    names = ("rbf", "linear") if approximation != "rbf_sampler" else "rbf"
    nothing = KernelCCA(2, kernel=names, **settings).fit(X, np.full_like(y, 0.1))
    assert nothing.rank_ == 0
    assert not nothing.singular_values_.any()
    assert not nothing.transform(X).any()
    np.testing.assert_allclose(nothing.predict(X), 0.1)
    if approximation != "rbf_sampler":
        zero = KernelCCA(2, kernel="linear", **settings).fit(X, np.zeros_like(y))
        assert zero.rank_ == 0
        assert not zero.transform_y(y).any()


def test_components_past_the_rank_are_zero(views):
    X, y = views
    for reg in (0.0, 0.1):
        kcca = KernelCCA(5, kernel="linear", reg=reg, random_state=0)
        kcca.fit(X[:, :2] @ [[1.0, 2, 3], [1, 0, 1]], y)
        assert kcca.rank_ == 2
        assert (kcca.singular_values_[:2] > 0.01).all()
        assert not kcca.singular_values_[2:].any()
        assert not kcca.x_dual_coef_[:, 2:].any()
        assert not kcca.y_dual_coef_[:, 2:].any()


def test_without_a_ridge_everything_correlates(views):
    kcca = KernelCCA(K, reg=0, gamma=2.0, random_state=0).fit(*views)
    np.testing.assert_allclose(kcca.singular_values_, 1.0, atol=1e-6)
    assert kcca.rank_ == K


def test_an_indefinite_kernel_loses_its_negative_part(rng):
    U = np.linalg.qr(centred(rng.standard_normal((60, 60))))[0]
    values = np.r_[np.linspace(3, 1, 20), np.zeros(30), np.full(10, -2.0)]
    indefinite, positive = U * values @ U.T, U * values.clip(0) @ U.T
    y = rbf_kernel(rng.standard_normal((60, 3)))
    settings = {"kernel": "precomputed", "reg": 1e-2, "random_state": 0}
    one = KernelCCA(K, **settings).fit(indefinite, y)
    other = KernelCCA(K, **settings).fit(positive, y)
    np.testing.assert_allclose(one.singular_values_, other.singular_values_, atol=1e-6)


def test_reconstruction_is_as_nonlinear_as_the_views(rng):
    X, y = circle(900, rng)
    kcca = KernelCCA(2, random_state=0).fit(X[:600], y[:600])
    X, y = X[600:], y[600:]
    codes = dict(zip("xy", kcca.transform_pair(X, y), strict=True))
    for source, to, view in (("x", "x", X), ("x", "y", y), ("y", "y", y)):
        given = {"X": X} if source == "x" else {"y": y}
        error = reconstruction_error(view, kcca.reconstruct(**given, to=to))
        Z = np.hstack([codes[source], np.ones((300, 1))])
        # A linear map fitted to the very rows it is judged on.
        linear = Z @ np.linalg.lstsq(Z, view, rcond=None)[0]
        assert error < 1.02 * reconstruction_error(view, linear), (source, to)
    assert reconstruction_error(y, kcca.predict(X)) < 0.1
    both = reconstruction_error(X, kcca.reconstruct(X, y, to="x"))
    assert both <= 1.02 * reconstruction_error(X, kcca.reconstruct(X, to="x"))


def test_reconstruction_of_linear_views_is_linear():
    X, y = make_correlated_views(
        1500, 6, 5, correlations=(0.9, 0.8, 0.7), random_state=0
    )
    linear = LinearCCA(K, reg=1e-3).fit(X[:1000], y[:1000])
    kernel = KernelCCA(K, kernel="linear", random_state=0).fit(X[:1000], y[:1000])
    new = X[1000:], y[1000:]
    for given in ((new[0], None), (None, new[1]), new):
        for to, view in zip("xy", new, strict=True):
            expected = reconstruction_error(view, linear.reconstruct(*given, to=to))
            error = reconstruction_error(view, kernel.reconstruct(*given, to=to))
            assert error < 1.05 * expected


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel": "rbf"},
        {"kernel": "cosine", "approximation": "nystroem"},
        {"landmarks": "kmeans", "approximation": "nystroem"},
        {"approximation": "rbf_sampler"},
        {"kernel": "linear"},
    ],
    ids=str,
)
def test_sparse_views_are_their_dense_twins(settings, rng):
    X = sparse.random_array((120, 30), density=0.2, random_state=rng, format="csr")
    y = X @ rng.standard_normal((30, 4))
    settings = {"approximation_size": 40, "random_state": 0, **settings}
    one = KernelCCA(2, **settings).fit(X, y)
    other = KernelCCA(2, **settings).fit(X.toarray(), y)
    np.testing.assert_allclose(
        one.transform(X), other.transform(X.toarray()), atol=1e-7
    )
    for to in "xy":
        np.testing.assert_allclose(
            one.reconstruct(X, y, to=to),
            other.reconstruct(X.toarray(), y, to=to),
            atol=1e-6,
        )


def test_cross_validation_slices_a_precomputed_kernel(views):
    X, y = views
    scores = cross_val_score(KernelCCA(2, random_state=0), X, y, cv=3)
    given = KernelCCA(2, kernel=("precomputed", "rbf"), random_state=0)
    np.testing.assert_allclose(
        cross_val_score(given, rbf_kernel(X), y, cv=3), scores, atol=1e-9
    )


def test_a_pickle_gives_the_same_codes(views, new_views):
    for settings in (
        {},
        {"approximation": "nystroem"},
        {"approximation": "rbf_sampler"},
    ):
        kcca = KernelCCA(2, random_state=0, **settings).fit(*views)
        again = pickle.loads(pickle.dumps(kcca))
        np.testing.assert_array_equal(
            again.transform(new_views[0]), kcca.transform(new_views[0])
        )


def test_a_second_fit_leaves_nothing_of_the_first(views):
    kcca = KernelCCA(2, random_state=0).fit(*views)
    kcca.set_params(approximation="nystroem").fit(*views)
    assert not hasattr(kcca, "x_dual_coef_")
    assert not hasattr(kcca, "X_fit_")
    kcca.set_params(approximation=None).fit(*views)
    assert not hasattr(kcca, "x_weights_")


BAD = {
    "not square": ({"kernel": "precomputed"}, "kernel of X must be square in fit"),
    "y not square": (
        {"kernel": ("rbf", "precomputed")},
        r"kernel of y must be square in fit, .*. Got \(300, 5\)",
    ),
    "no samples to map": (
        {"kernel": ("rbf", "precomputed"), "approximation": "nystroem"},
        "approximation='nystroem' needs the samples of y, but its kernel is",
    ),
    "sampler of another kernel": (
        {"kernel": ("rbf", "linear"), "approximation": "rbf_sampler"},
        "only with the kernel 'rbf', but the kernel of y is 'linear'",
    ),
    "unknown kernel": ({"kernel": "gauss"}, "`kernel` must be .* got 'gauss'"),
    "three kernels": (
        {"kernel": ("rbf", "rbf", "rbf")},
        r"`kernel` must be .* pair of these, got",
    ),
    "negative gamma of y": ({"gamma": (1, -1)}, "`gamma` must be None or a number"),
    "text for a degree": ({"degree": ("a", 1)}, "`degree` must be a number"),
    "infinite constant": ({"coef0": (np.inf, 1)}, "`coef0` must be a finite number"),
    "parameters that are none": (
        {"kernel_params": ("a", None)},
        "`kernel_params` must be None or a dict",
    ),
    "too many jobs": (
        {"kernel": rbf_kernel, "kernel_params": {"n_jobs": 10**29}},
        r"`kernel_params` must be .*n_jobs.*32768\]",
    ),
    "lists for kernels": ({"kernel": [["rbf"], ["rbf"]]}, "`kernel` must be .* got"),
    "three ridges": ({"reg": (1, 2, 3)}, "`reg` must be .* pair of these, got"),
    "ridge beyond float64": ({"reg": 10**400}, "`reg` must be a finite number"),
    "degree beyond float64": ({"degree": 10**400}, "`degree` must be a number"),
    "negative ridge": ({"reg": (1, -1)}, "`reg` must be a finite number that is not"),
    "more components than samples": (
        {"n_components": 301},
        "upper bound is 300, the number of samples. Got 301",
    ),
    "more components than landmarks": (
        {"n_components": 9, "approximation": "nystroem", "approximation_size": 8},
        "upper bound is 8, the number of landmarks. Got 9",
    ),
    "more components than features": (
        {"n_components": 9, "approximation": "rbf_sampler", "approximation_size": 8},
        "upper bound is 8, `approximation_size`. Got 9",
    ),
    "overflow": (
        {"kernel": "poly", "degree": 400, "gamma": 9},
        "kernel 'poly' overflows on these samples",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_named_and_change_nothing(views, case):
    settings, message = BAD[case]
    kcca = KernelCCA(**settings)
    with pytest.raises(ValueError, match=message):
        kcca.fit(*views)
    assert vars(kcca) == vars(KernelCCA(**settings))


def test_bad_kernels_are_named(views):
    gram = rbf_kernel(views[0])
    kcca = KernelCCA(2, kernel=("precomputed", "rbf"), random_state=0)
    kcca.fit(gram, views[1])
    with pytest.raises(ValueError, match="X has 299 features, but KernelCCA is expect"):
        kcca.transform(gram[:5, :299])
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense"):
        kcca.fit(sparse.csr_array(gram), views[1])


@pytest.mark.parametrize("name", sorted(PAIRWISE_KERNEL_FUNCTIONS))
def test_every_kernel_of_scikit_learn_has_defaults(name, rng):
    z = rng.random((60, 2))
    X, y = np.hstack([z, rng.random((60, 3))]), np.hstack([z, rng.random((60, 2))])
    for approximation in (None, "nystroem"):
        cca = KernelCCA(kernel=name, approximation=approximation, random_state=0)
        assert np.isfinite(cca.fit(X, y).transform(X)).all()
        assert cca.score(X, y) > 0.3


def test_parameters_of_a_callable_are_copied(rng):
    X, y = rng.standard_normal((2, 40, 3))
    parameters = {"power": 1.0}
    cca = KernelCCA(
        kernel=lambda a, b, power: (a @ b + 1) ** power, kernel_params=parameters
    ).fit(X, y)
    codes = cca.transform(X)
    parameters["power"] = 2.0
    np.testing.assert_array_equal(cca.transform(X), codes)


HUGE = {
    "one entry": lambda X: np.where(np.arange(X.size).reshape(X.shape) > 0, X, 1e200),
    "1e155": lambda X: X * 1e155,
    "all of float64": lambda X: np.sign(X) * 1.7e308,
}


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel": "rbf"},
        {"kernel": "laplacian"},
        {"kernel": "poly"},
        {"approximation": "nystroem", "landmarks": "kmeans"},
        {"approximation": "rbf_sampler"},
    ],
    ids=str,
)
def test_squares_that_overflow_are_named(views, settings, container, huge):
    X, y = (view[:30] for view in views)
    kcca = KernelCCA(2, random_state=0, approximation_size=10, **settings)
    view = HUGE[huge](X)
    # That 1.7e308 of both signs pass the check of a view is not for this test.
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="overflow"):
        kcca.fit(container(view), y)


def test_a_far_row_has_no_kernel_with_others(views):
    kcca = KernelCCA(2, kernel="rbf", random_state=0).fit(*views)
    far = np.full((1, 6), 1e200)
    none = KernelCCA(2, kernel="precomputed", random_state=0).fit(
        *(rbf_kernel(view) for view in views)
    )
    np.testing.assert_allclose(
        kcca.transform(far), none.transform(np.zeros((1, N))), atol=1e-9
    )


def test_weights_of_a_precomputed_kernel_are_repetitions(views, rng):
    counts = rng.integers(0, 3, 80)
    rows = np.repeat(np.arange(80), counts)
    grams = [rbf_kernel(view[:80], gamma=0.1) for view in views]
    kcca = KernelCCA(2, kernel="precomputed", reg=0.1, random_state=0)
    weighted = clone(kcca).fit(*grams, sample_weight=counts)
    repeated = kcca.fit(*(gram[np.ix_(rows, rows)] for gram in grams))
    assert_same_codes_of(
        weighted.transform_pair(*grams),
        repeated.transform_pair(*(gram[:, rows] for gram in grams)),
    )


def test_decoders_are_weighted(views, rng):
    counts = rng.integers(0, 3, 80)
    X, y = (view[:80] for view in views)
    kcca = KernelCCA(2, reg=0.1, gamma=0.1, random_state=0)
    weighted = clone(kcca).fit(X, y, sample_weight=counts)
    repeated = kcca.fit(*(np.repeat(view, counts, axis=0) for view in (X, y)))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-6)
    with pytest.raises(ValueError, match="more than 1, got 0.8"):
        kcca.fit(X, y, sample_weight=np.full(80, 0.01))


@pytest.mark.parametrize("kernel", ["rbf", "laplacian"])
def test_clusters_far_from_zero_are_those_near_it(kernel):
    X, y = (
        np.round(2**16 * np.random.default_rng(0).standard_normal((2, 20, 1))) / 2**16
    )
    kcca = KernelCCA(
        1,
        kernel=kernel,
        approximation="nystroem",
        approximation_size=3,
        landmarks="kmeans",
        random_state=0,
    )
    expected = kcca.fit(X, y).transform(X)
    np.testing.assert_allclose(
        kcca.fit(X + 1e9, y).transform(X + 1e9), expected, atol=1e-6
    )


@pytest.mark.parametrize("scale", [1.0, 1e3, 3e3])
def test_a_small_ridge_lends_rounding_no_component(scale):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((20, 1))
        y = x + rng.standard_normal((20, 1))
        kcca = KernelCCA(2, kernel=("linear", "rbf"), reg=0.1).fit(scale * x, y)
        assert kcca.rank_ == 1
