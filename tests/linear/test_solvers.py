"""Every solver of LinearCCA against the documented problem and against the others."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf_shrinkage, oas
from sklearn.cross_decomposition import PLSSVD

from skcrl import LinearCCA
from skcrl._validation import check_pair
from skcrl.datasets import make_correlated_views

SOLVERS = ["covariance", "gram", "lanczos"]


def views_of(n, p, q, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 3))
    return tuple(
        shared @ rng.standard_normal((3, width)) + 2 * rng.standard_normal((n, width))
        for width in (p, q)
    )


SHAPES = {"tall": (120, 9, 7), "wide": (12, 30, 40), "mixed": (25, 60, 4)}


def documented_correlations(X, y, reg, shrinkage, scale):
    """Eigenvalues of the penalised problem, written out with dense matrices."""
    A, B = X - X.mean(0), y - y.mean(0)
    if scale:
        A, B = A / A.std(0, ddof=1), B / B.std(0, ddof=1)
    p, n = A.shape[1], len(A)
    S = np.cov(np.hstack([A, B]).T)
    within = np.zeros_like(S)
    for part, r, s in zip((slice(p), slice(p, None)), reg, shrinkage, strict=True):
        block = S[part, part]
        size = len(block)
        within[part, part] = (1 - s) * block + np.eye(size) * (
            s * block.trace() / size + r
        )
    between = S.copy()
    between[:p, :p] = between[p:, p:] = 0
    return eigh(between, within, eigvals_only=True)[::-1][: min(n - 1, p, len(S) - p)]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize(
    ("reg", "shrinkage"),
    [((0.5, 2.0), (0.0, 0.0)), ((0.0, 0.0), (0.3, 0.9)), ((0.1, 0.2), (0.5, 1.0))],
)
def test_the_documented_problem_is_solved(solver, shape, scale, reg, shrinkage):
    X, y = views_of(*shape)
    cca = LinearCCA(4, reg=reg, shrinkage=shrinkage, scale=scale, solver=solver)
    cca.fit(X, y)
    expected = documented_correlations(X, y, reg, shrinkage, scale)[:4]
    np.testing.assert_allclose(cca.singular_values_, expected, atol=1e-9)
    assert (cca.rank_, cca.solver_) == (4, solver)


@pytest.mark.parametrize("solver", ["gram", "lanczos"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"reg": 0},
        {"reg": 0, "scale": True},
        {"reg": 0.3, "scale": True},
        {"reg": 0.3, "center": False},
        {"reg": 0, "center": False},
        {"reg": 0, "shrinkage": 1.0},
        {"reg": 0, "shrinkage": "ledoit_wolf"},
        {"reg": 0, "shrinkage": ("oas", 0.2), "scale": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_solvers_agree(solver, shape, parameters, weighted):
    X, y = views_of(*shape)
    X = X * np.linspace(0.1, 10, X.shape[1]) + np.linspace(-3, 3, X.shape[1])
    X[:, 0] = 0.1  # constant, but its mean is not 0.1
    weights = np.linspace(0.5, 2, len(X)) if weighted else None
    exact = LinearCCA(3, solver="covariance", **parameters).fit(X, y, weights)
    other = LinearCCA(3, solver=solver, random_state=0, **parameters)
    other.fit(X, y, weights)
    assert other.rank_ == exact.rank_
    names = ["singular_values_", "x_mean_", "y_mean_", "x_var_", "y_var_"]
    if exact.singular_values_[0] < 0.999:  # else the components are all but arbitrary
        names += ["x_weights_", "y_weights_", "x_loadings_", "y_loadings_"]
        names += ["x_explained_variance_ratio_", "y_explained_variance_ratio_"]
        np.testing.assert_allclose(other.predict(X), exact.predict(X), atol=1e-7)
        np.testing.assert_allclose(
            other.reconstruct(X, y, to="x"), exact.reconstruct(X, y, to="x"), atol=1e-7
        )
    for name in names:
        np.testing.assert_allclose(
            getattr(other, name), getattr(exact, name), atol=1e-8, err_msg=name
        )


def test_gram_equals_the_dense_answer_when_features_abound():
    X, y = views_of(60, 900, 700)
    exact = LinearCCA(10, reg=1.0, solver="covariance").fit(X, y)
    gram = LinearCCA(10, reg=1.0).fit(X, y)
    assert gram.solver_ == "gram"
    for name in ("correlations_", "x_weights_", "y_weights_", "x_loadings_"):
        np.testing.assert_allclose(
            getattr(gram, name), getattr(exact, name), atol=1e-10
        )


@pytest.mark.parametrize(
    ("shape", "k", "expected"),
    [
        ((700, 500, 520), 20, "lanczos"),
        ((700, 500, 520), 60, "covariance"),
        ((700, 30, 600), 3, "covariance"),
        ((100, 150, 200), 3, "covariance"),
        ((100, 150, 201), 3, "gram"),
    ],
)
def test_auto_chooses_as_documented(shape, k, expected):
    assert LinearCCA(k).fit(*views_of(*shape)).solver_ == expected


def test_components_without_number_are_those_that_samples_determine():
    cca = LinearCCA().fit(*views_of(10, 300, 200))
    assert (cca.n_components_, cca.rank_) == (9, 9)
    assert cca.x_weights_.shape == (300, 9)


def test_lanczos_on_correlations_that_crowd_below_one():
    # As many samples as features: the leading correlations differ in the fourth digit.
    X, y = views_of(500, 520, 510)
    exact = LinearCCA(8, reg=0.1, solver="covariance").fit(X, y)
    lanczos = LinearCCA(8, reg=0.1, solver="lanczos", random_state=0).fit(X, y)
    assert exact.singular_values_[7] > 0.98
    np.testing.assert_allclose(
        lanczos.singular_values_, exact.singular_values_, atol=1e-12
    )
    np.testing.assert_allclose(lanczos.x_weights_, exact.x_weights_, atol=1e-7)
    other = LinearCCA(8, reg=0.1, solver="lanczos", random_state=1).fit(X, y)
    np.testing.assert_allclose(other.x_weights_, lanczos.x_weights_, atol=1e-7)


def test_shrinkage_of_one_is_partial_least_squares():
    X, y = views_of(80, 6, 5)
    cca = LinearCCA(3, reg=0, shrinkage=1.0).fit(X, y)
    pls = PLSSVD(3, scale=False).fit(X, y)
    for ours, theirs in (
        (cca.x_weights_, pls.x_weights_),
        (cca.y_weights_, pls.y_weights_),
    ):
        ours = ours / np.linalg.norm(ours, axis=0)
        np.testing.assert_allclose(abs((ours * theirs).sum(0)), 1, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("as_sparse", [False, True])
def test_estimated_shrinkage_is_scikit_learns(shape, as_sparse):
    X, y = views_of(*shape)
    shares = ledoit_wolf_shrinkage(X), oas(y)[1]
    assert 0 < shares[0] < 1
    expected = LinearCCA(3, reg=0, shrinkage=shares).fit(X, y)
    if as_sparse:
        X, y = sparse.csr_array(X), sparse.csr_array(y)
    cca = LinearCCA(3, reg=0, shrinkage=("ledoit_wolf", "oas")).fit(X, y)
    np.testing.assert_allclose(
        cca.singular_values_, expected.singular_values_, atol=1e-10
    )
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-8)


@pytest.mark.parametrize("shrinkage", ["ledoit_wolf", "oas"])
def test_estimated_shrinkage_of_one_column_and_of_none_that_varies(shrinkage):
    X, y = views_of(40, 1, 3)
    for first in (X, np.ones_like(X), np.ones((40, 2))):
        cca = LinearCCA(1, shrinkage=shrinkage).fit(first, y)
        assert np.isfinite(cca.transform(first)).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("as_sparse", [False, True])
def test_integer_weights_are_repeated_rows(solver, as_sparse):
    X, y = views_of(30, 8, 6)
    weights = np.arange(30) % 4
    parameters = {"solver": solver, "random_state": 0}
    repeated = LinearCCA(3, **parameters)
    repeated.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0))
    if as_sparse:
        X, y = sparse.csr_array(X), sparse.csr_array(y)
    weighted = LinearCCA(3, **parameters).fit(X, y, sample_weight=weights)
    for name in ("correlations_", "x_weights_", "y_weights_", "x_mean_", "y_var_"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), atol=1e-9
        )


def test_weights_must_count_samples():
    X, y = views_of(30, 3, 2)
    with pytest.raises(ValueError, match="The sum of sample_weight overflows"):
        LinearCCA().fit(X, y, sample_weight=np.full(30, 1e308))
    with pytest.raises(ValueError, match="The variances of X or y overflow"):
        LinearCCA(solver="covariance").fit(X * 1e200, y)
    with pytest.raises(ValueError, match=r"more than 1, got 0\.5: multiply it by"):
        LinearCCA().fit(X, y, sample_weight=np.full(30, 0.5 / 30))
    for solver in SOLVERS:
        with pytest.raises(ValueError, match="Found 1 sample.*a minimum of 2"):
            LinearCCA(solver=solver).fit(X, y, sample_weight=[7] + 29 * [0])
    streamed = LinearCCA()
    for rows in (slice(10), slice(10, None)):  # the first weigh half a sample
        streamed.partial_fit(X[rows], y[rows], np.full(30, 0.05)[rows])
    expected = LinearCCA().fit(X, y, sample_weight=np.full(30, 0.05))
    np.testing.assert_allclose(streamed.x_weights_, expected.x_weights_, atol=1e-10)
    with pytest.raises(ValueError, match="Negative values"):
        LinearCCA().fit(X, y, sample_weight=np.linspace(-1, 2, 30))
    with pytest.raises(ValueError, match="sample_weight.shape"):
        LinearCCA().fit(X, y, sample_weight=np.ones(29))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (10**400, "sample_weight holds 1000.*too large"),
        ([10**400, *[1] * 29], "sample_weight holds 1000.* in row 0, .*too large"),
        ([1.0, np.ma.masked] * 15, "Input sample_weight contains NaN"),
        (np.ma.array([1.0] * 30, mask=[True] + 29 * [False]), "sample_weight contai"),
        (1j, "Complex data not supported"),
        (object(), "sample_weight must be array-like"),
        (["a"] * 30, "sample_weight holds .*'a'.* in row 0"),
    ],
)
def test_weights_that_are_no_numbers_are_named(method, weights, message):
    X, y = views_of(30, 3, 2)
    with pytest.raises(ValueError, match=message):
        getattr(LinearCCA(), method)(X, y, sample_weight=weights)


def test_one_weight_is_that_of_each_row():
    X, y = views_of(30, 3, 2)
    one = LinearCCA().fit(X, y, sample_weight=2)
    each = LinearCCA().fit(X, y, sample_weight=[2] * 30)
    np.testing.assert_array_equal(one.x_weights_, each.x_weights_)


def sparse_views(n=300, p=40, q=30):
    """Counts, mostly zero, with an empty column and one that is always 1."""
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.2, 1.0, (n, 3))
    X, y = (rng.poisson(0.3 * rates @ rng.gamma(0.3, 1.0, (3, w))) for w in (p, q))
    X[:, 0], X[:, 1] = 0, 1
    return X.astype(float), y.astype(float)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sides", ["both", "x", "y"])
@pytest.mark.parametrize("reg", [0, 0.1])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_sparse_views_give_the_dense_answer(solver, sides, reg, center, scale):
    X, y = sparse_views(20 if solver == "gram" else 300)
    parameters = {"reg": reg, "center": center, "scale": scale, "solver": solver}
    dense = LinearCCA(3, random_state=0, **parameters).fit(X, y)
    given = (
        sparse.csr_array(X) if sides != "y" else X,
        sparse.csc_matrix(y) if sides != "x" else y,
    )
    cca = LinearCCA(3, random_state=0, **parameters).fit(*given)
    assert cca.rank_ == dense.rank_
    np.testing.assert_allclose(cca.singular_values_, dense.singular_values_, atol=1e-9)
    if dense.singular_values_[0] > 0.999:
        return  # any basis will do
    for name in ("x_weights_", "y_weights_", "x_loadings_", "y_loadings_"):
        np.testing.assert_allclose(
            getattr(cca, name), getattr(dense, name), atol=1e-7, err_msg=name
        )
    np.testing.assert_allclose(cca.transform(given[0]), dense.transform(X), atol=1e-7)
    np.testing.assert_allclose(
        cca.transform_y(given[1]), dense.transform_y(y), atol=1e-7
    )
    np.testing.assert_allclose(cca.predict(given[0]), dense.predict(X), atol=1e-7)
    assert cca.score(*given) == pytest.approx(dense.score(X, y), abs=1e-7)


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_blocks_of_sparse_columns_add_up(form, offset, monkeypatch):
    X, y = (view + offset for view in sparse_views(20))
    expected = LinearCCA(3, scale=True, solver="gram").fit(X, y)
    monkeypatch.setattr("skcrl.linear._rows._BLOCK_ENTRIES", 50)
    monkeypatch.setattr("skcrl.linear._rows._MOST_BLOCKS", 10**6)
    found = LinearCCA(3, scale=True, solver="gram")
    found.fit(*(sparse.csr_array(view).asformat(form) for view in (X, y)))
    for name in ("x_weights_", "y_weights_", "correlations_", "x_loadings_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-9
        )


def test_wide_sparse_views_are_not_copied_at_the_door():
    X, y = (sparse.csc_array(view) for view in sparse_views(20))
    for given, checked in zip(
        (X, y), check_pair(LinearCCA(), X, y, reset=True), strict=True
    ):
        assert checked.format == "csc"
        assert np.shares_memory(given.data, checked.data)


def test_sparse_chunks_of_partial_fit():
    X, y = sparse_views()
    cca = LinearCCA(4, reg=0.1)
    for rows in (slice(100), slice(100, 101), slice(101, None)):
        cca.partial_fit(sparse.csr_array(X[rows]), sparse.csr_array(y[rows]))
    expected = LinearCCA(4, reg=0.1).fit(X, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
    assert cca.n_samples_seen_ == 300


def test_sparse_views_are_never_dense():
    rng = np.random.default_rng(0)
    X, y = (
        sparse.random_array((20_000, 300), density=0.01, random_state=rng, format="csr")
        for _ in range(2)
    )
    tracemalloc.start()
    LinearCCA(5).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 20_000 * 300 * 8


def test_uncentred_moments_of_centred_views_are_the_same():
    X, y = views_of(50, 4, 3)
    X, y = X - X.mean(0), y - y.mean(0)
    expected = LinearCCA(reg=0.1).fit(X, y)
    cca = LinearCCA(reg=0.1, center=False).fit(X, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-12)
    np.testing.assert_array_equal(cca.x_mean_, 0)


def test_scale_makes_the_ridge_free_of_units():
    X, y = views_of(50, 4, 3)
    units = np.array([1e-3, 1.0, 10.0, 1e4])
    expected = LinearCCA(reg=0.5, scale=True).fit(X, y)
    cca = LinearCCA(reg=0.5, scale=True).fit(X * units, y)
    np.testing.assert_allclose(
        cca.singular_values_, expected.singular_values_, atol=1e-12
    )
    np.testing.assert_allclose(
        cca.x_weights_ * units[:, None], expected.x_weights_, atol=1e-10
    )
    assert LinearCCA(reg=0.5).fit(X, y).singular_values_[0] != pytest.approx(
        LinearCCA(reg=0.5).fit(X * units, y).singular_values_[0], abs=1e-4
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("parameters", [{"reg": 0}, {"reg": 2.0}, {"scale": True}])
def test_loadings_and_explained_variance(solver, parameters):
    X, y = views_of(90, 6, 5)
    cca = LinearCCA(3, solver=solver, **parameters).fit(X, y)
    Zx, Zy = cca.transform_pair(X, y)
    for Z, view, loadings, explained in (
        (Zx, X, cca.x_loadings_, cca.x_explained_variance_ratio_),
        (Zy, y, cca.y_loadings_, cca.y_explained_variance_ratio_),
    ):
        p = view.shape[1]
        R = np.corrcoef(view.T, Z.T)[:p, p:]
        np.testing.assert_allclose(loadings, R, atol=1e-9)
        expected = R**2 * view.var(0)[:, None] / view.var(0).sum()
        np.testing.assert_allclose(explained, expected.sum(0), atol=1e-9)


def test_variance_is_explained_whole_by_as_many_codes_as_columns():
    X, y = views_of(90, 4, 6)
    cca = LinearCCA(reg=0).fit(X, y)
    assert cca.x_explained_variance_ratio_.sum() == pytest.approx(1)
    assert cca.y_explained_variance_ratio_.sum() < 0.95


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shrinkage": 1.5}, "'shrinkage' parameter"),
        ({"shrinkage": "lw"}, "'shrinkage' parameter"),
        ({"shrinkage": (0.1, -0.1)}, "`shrinkage` must be a number from 0 to 1"),
        ({"shrinkage": (0.1, "lw")}, "`shrinkage` must be"),
        ({"shrinkage": (0.1, 0.1, 0.1)}, "`shrinkage` must be .* got"),
        ({"solver": "svd"}, "'solver' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        LinearCCA(**parameters).fit(*views_of(20, 3, 2))


def test_partial_fit_needs_moments():
    X, y = make_correlated_views(20, 60, 50, correlations=(0.9,), random_state=0)
    gram = LinearCCA(2).fit(X, y)
    with pytest.raises(
        ValueError, match="fitted with solver 'gram', which keeps no moments"
    ):
        gram.partial_fit(X, y)
    for parameters in (
        {"solver": "gram"},
        {"shrinkage": "ledoit_wolf"},
        {"shrinkage": (0.1, "ledoit_wolf")},
    ):
        cca = LinearCCA(2, **parameters)
        assert not hasattr(cca, "partial_fit")
        with pytest.raises(AttributeError) as error:
            cca.partial_fit(X, y)
        assert "needs all rows at once" in str(error.value.__cause__)
    streamed = LinearCCA(2, shrinkage="oas").partial_fit(X, y)
    expected = LinearCCA(2, shrinkage="oas", solver="covariance").fit(X, y)
    np.testing.assert_allclose(streamed.x_weights_, expected.x_weights_, atol=1e-10)
    with pytest.raises(ValueError, match="59 features"):
        streamed.partial_fit(X[:, :59], y)


@pytest.mark.parametrize("factor", [1e6, 1e8])
@pytest.mark.parametrize("as_sparse", [False, True])
@pytest.mark.parametrize(
    "parameters", [{"reg": 100.0}, {"reg": 1e-4}, {"shrinkage": 0.5}], ids=str
)
def test_gram_keeps_what_one_column_of_large_units_outweighs(
    factor, as_sparse, parameters
):
    X, y = views_of(40, 100, 90)
    X[:, 0] *= factor
    exact = LinearCCA(4, solver="covariance", **parameters).fit(X, y)
    if as_sparse:
        X, y = sparse.csr_array(X), sparse.csr_array(y)
    gram = LinearCCA(4, **parameters).fit(X, y)
    assert gram.solver_ == "gram"
    np.testing.assert_allclose(gram.singular_values_, exact.singular_values_, atol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_gram_gives_weights_of_columns_of_unlike_units(kind):
    X, y = views_of(20, 3, 1)
    X *= [1e6, 1e-2, 1e-3]
    exact = LinearCCA(1, reg=1e-4, solver="covariance").fit(X, y)
    gram = LinearCCA(1, reg=1e-4, solver="gram").fit(kind(X), y)
    expected = exact.transform(X)
    np.testing.assert_allclose(gram.transform(kind(X)), expected, atol=1e-8)


@pytest.mark.parametrize("mean", [1e4, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_dense_view_beside_a_sparse_one_keeps_its_digits(mean, weighted):
    X, y = sparse_views()
    rng = np.random.default_rng(0)
    X = X[:, 2:8] + rng.standard_normal((300, 6)) + mean
    weights = np.linspace(0.5, 2, 300) if weighted else None
    expected = LinearCCA(3).fit(X, y, weights)
    for given, swapped in (
        ((X, sparse.csr_array(y)), False),
        ((sparse.csr_array(y), X), True),
    ):
        cca = LinearCCA(3).fit(*given, weights)
        np.testing.assert_allclose(
            cca.singular_values_, expected.singular_values_, atol=1e-9
        )
        var = cca.y_var_ if swapped else cca.x_var_
        np.testing.assert_allclose(var, expected.x_var_, rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shrinkage", [0.1, "oas", "ledoit_wolf"])
@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_sparse_columns_far_from_zero_keep_their_digits(solver, shrinkage, offset):
    # Of few bits, so that the offset takes none of them away.
    X, y = (np.round(view * 2**16) / 2**16 for view in views_of(30, 4, 3))
    X[:, 1] = np.where(X[:, 1] > 0.5, X[:, 1], 0)  # a sparse column beside full ones
    far = sparse.csr_array(X + offset * np.array([1, 0, -1, 1]))
    parameters = {"shrinkage": shrinkage, "solver": solver, "random_state": 0}
    expected = LinearCCA(2, **parameters).fit(X, y)
    cca = LinearCCA(2, **parameters).fit(far, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-9)
    np.testing.assert_allclose(cca.transform(far), expected.transform(X), atol=1e-5)


def test_equal_correlations_are_all_found():
    # LAPACK's search for a few of many equal eigenvalues misses one now and then.
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 47))
        cca = LinearCCA(10, reg=0).fit(X, X @ rng.standard_normal((47, 47)))
        np.testing.assert_allclose(cca.singular_values_, 1, atol=1e-9)
        assert cca.x_weights_.any(axis=0).all()


@pytest.mark.parametrize("units", [3e-6, 1e-9])
def test_lanczos_leaves_tiny_correlations_to_the_exact_solver(units):
    X, y = (units * view for view in views_of(700, 520, 510))
    exact = LinearCCA(5, solver="covariance").fit(X, y)
    assert exact.singular_values_[0] < 1e-4
    auto = LinearCCA(5, random_state=0).fit(X, y)
    np.testing.assert_allclose(auto.singular_values_, exact.singular_values_, rtol=1e-9)
    np.testing.assert_allclose(auto.x_weights_, exact.x_weights_, atol=1e-6)


def test_lanczos_needs_penalties():
    X, y = views_of(700, 520, 510)
    for reg in (0, (0.1, 0)):
        assert LinearCCA(5, reg=reg).fit(X, y).solver_ == "covariance"
    assert LinearCCA(5, reg=0, shrinkage=0.1).fit(X, y).solver_ == "lanczos"


@pytest.mark.parametrize("solver", ["covariance", "gram"])
@pytest.mark.parametrize("shrinkage", [0.5, "oas", "ledoit_wolf"])
def test_units_beyond_squares_are_named_or_do_no_harm(solver, shrinkage):
    X, y = views_of(30, 5, 4)
    expected = LinearCCA(2, reg=0, shrinkage=shrinkage, solver=solver).fit(X, y)
    tiny = LinearCCA(2, reg=0, shrinkage=shrinkage, solver=solver)
    tiny.fit(X * 1e-70, y * 1e-70)
    np.testing.assert_allclose(
        tiny.singular_values_, expected.singular_values_, rtol=1e-9
    )
    if shrinkage != 0.5:
        with (
            np.errstate(over="ignore", invalid="ignore"),
            pytest.raises(ValueError, match="overflow. Scale the views down"),
        ):
            LinearCCA(2, shrinkage=shrinkage, solver=solver).fit(X * 1e100, y)
