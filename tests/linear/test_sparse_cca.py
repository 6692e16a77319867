"""SparseCCA against scikit-learn's elastic net, PMD written out, planted columns."""

import re
from contextlib import nullcontext
from operator import itemgetter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from skcrl import LinearCCA, SparseCCA
from skcrl.exceptions import DegenerateFitWarning
from skcrl.linear._elastic_net import elastic_net
from skcrl.linear._fit import Settings
from skcrl.linear._shrinkage import Penalty
from skcrl.linear._sparse_problem import CovarianceProblem, RowsProblem
from skcrl.linear._sparse_sides import covariance_side, rows_side

# Exact up to where the turns stop.
SHARP = {"tol": 1e-10, "max_iter": 5000}


def planted(n=100, p=300, q=200, k=8, seed=0):
    """Views of which k columns each load on a common factor, and those columns."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 1))
    X, y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
    in_x, in_y = (np.sort(rng.choice(m, k, replace=False)) for m in (p, q))
    X[:, in_x] += z
    y[:, in_y] += z
    return X * np.logspace(-2, 2, p) + 7, y - 3, in_x, in_y


def standardised(view):
    return (view - view.mean(0)) / view.std(0, ddof=1)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(60, 15), (30, 80)])
@pytest.mark.parametrize("alpha", [0.02, 0.2, 0.6])
def test_one_turn_is_an_elastic_net(shape, alpha, positive):
    rng = np.random.default_rng(1)
    n, p = shape
    A = standardised(rng.standard_normal(shape) + rng.standard_normal((n, 1)))
    code = A[:, :5].sum(axis=1) + rng.standard_normal(n)
    keep, ridge = 0.7, 0.3
    rows = SimpleNamespace(
        view=A,
        mean=np.zeros(p),
        scale=np.ones(p),
        root_weights=np.ones(n),
        basis=None,
        sums_of_squares=lambda: (A**2).sum(0),
    )
    sides = (
        rows_side(rows, n - 1, Penalty(1 - keep, ridge)),
        covariance_side(A.T @ A / (n - 1), np.zeros((p, 1)), Penalty(1 - keep, ridge)),
    )
    # keep |code / keep - A w|^2 / 2 (n - 1) has the same gradient.
    total = (alpha + ridge) / keep * (n - 1) / n
    net = ElasticNet(
        total,
        l1_ratio=alpha / (alpha + ridge),
        positive=positive,
        fit_intercept=False,
        tol=1e-14,
        max_iter=100_000,
    ).fit(A, code / keep)
    for side in sides:
        for start in (
            np.zeros(p),
            rng.standard_normal(p).clip(0 if positive else -np.inf),
        ):
            w = elastic_net(side, A.T @ code / (n - 1), alpha, start, positive)
            np.testing.assert_allclose(w, net.coef_, atol=1e-7)
            np.testing.assert_array_equal(w == 0, net.coef_ == 0)


def thresholded(b, delta):
    w = np.sign(b) * np.maximum(abs(b) - delta, 0)
    return w / np.linalg.norm(w)


def of_length(b, bound):
    """Unit vector of this L1 norm at most, and the threshold Delta that gives it."""
    low, high = 0.0, abs(b).max() * (1 - 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        longer = abs(thresholded(b, middle)).sum() > bound
        low, high = (middle, high) if longer else (low, middle)
    return thresholded(b, high), high


@pytest.mark.parametrize("n", [40, 300])  # through the rows, and through covariances
def test_fully_shrunk_it_is_pmd(n):
    X, y, *_ = planted(n, 120, 90, 6, seed=3)
    C = standardised(X).T @ standardised(y) / (n - 1)
    # Algorithm 3 of Witten et al. (2009) with bounds c_1 and c_2 of the L1 norms.
    v = np.linalg.svd(C)[2][0]
    for _ in range(60):
        u, x_delta = of_length(C @ v, 3.0)
        v, y_delta = of_length(C.T @ u, 2.5)
    assert abs(u).sum() == pytest.approx(3.0)
    est = SparseCCA(alpha=(x_delta, y_delta), shrinkage=1.0, reg=0, **SHARP)
    assert_weights(est.fit(X, y), X, y, u[:, None], v[:, None])


@pytest.mark.parametrize("n", [40, 300])
def test_fully_shrunk_its_pairs_are_those_of_pmd(n):
    X, y, *_ = planted(n, 120, 90, 6, seed=3)
    C = standardised(X).T @ standardised(y) / (n - 1)
    us, vs = [], []
    for dense_start in np.linalg.svd(C)[2][:3]:
        ends = []
        for v in (dense_start, np.eye(90)[abs(C).max(axis=0).argmax()]):
            for _ in range(1000):
                u = thresholded(C @ v, 0.1)
                v = thresholded(C.T @ u, 0.15)
            ends.append((u @ C @ v - 0.1 * abs(u).sum() - 0.15 * abs(v).sum(), u, v))
        _, u, v = max(ends, key=itemgetter(0))
        us.append(u)
        vs.append(v)
        C = C - u @ C @ v * np.outer(u, v)
    est = SparseCCA(3, alpha=(0.1, 0.15), shrinkage=1.0, reg=0, **SHARP).fit(X, y)
    assert_weights(est, X, y, np.column_stack(us), np.column_stack(vs))


def assert_weights(est, X, y, u, v):
    """That the weights of standardised columns are u and v, but for their signs."""
    u_found = est.x_weights_ * X.std(0, ddof=1)[:, None]
    v_found = est.y_weights_ * y.std(0, ddof=1)[:, None]
    sign = np.sign((u_found * u).sum(axis=0))
    np.testing.assert_allclose(u_found * sign, u, atol=1e-6)
    np.testing.assert_allclose(v_found * sign, v, atol=1e-6)


@pytest.mark.parametrize(
    "penalty",
    [{}, {"shrinkage": 0.0}, {"shrinkage": (0.2, "oas")}, {"reg": (0.5, 2.0)}],
    ids=repr,
)
@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("scale", [True, False])
def test_without_alpha_it_is_linear_cca(penalty, n, scale):
    X, y, *_ = planted(n, 90, 70, seed=1)
    penalty = {"shrinkage": 0.5, "scale": scale, **penalty}
    sparse_cca = SparseCCA(3, alpha=0.0, tol=1e-6, **penalty).fit(X, y)
    dense = LinearCCA(3, **penalty).fit(X, y)
    for found, expected in zip(
        sparse_cca.transform_pair(X, y), dense.transform_pair(X, y), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_it_finds_planted_columns():
    X, y, in_x, in_y = planted()
    est = SparseCCA(n_nonzero=8).fit(X, y)
    np.testing.assert_array_equal(est.x_selected_, in_x)
    np.testing.assert_array_equal(est.y_selected_, in_y)
    # The same by the penalties that this came to.
    again = SparseCCA(alpha=(est.x_alpha_[0], est.y_alpha_[0])).fit(X, y)
    np.testing.assert_allclose(again.x_weights_, est.x_weights_, rtol=1e-4, atol=1e-9)
    # On new rows, which dense weights hardly tell from noise.
    rng = np.random.default_rng(5)
    shared = rng.standard_normal((1000, 1))
    new_X, new_y = rng.standard_normal((1000, 300)), rng.standard_normal((1000, 200))
    new_X[:, in_x] += shared
    new_y[:, in_y] += shared
    new_X = new_X * np.logspace(-2, 2, 300) + 7
    dense = LinearCCA(1, shrinkage=0.5, scale=True).fit(X, y)
    assert est.score(new_X, new_y) > 0.8 > dense.score(new_X, new_y)


def test_no_turn_lowers_the_objective():
    X, y, *_ = planted(seed=2)
    A, B, alpha = standardised(X), standardised(y), 0.15

    def objective(est):
        u = est.x_weights_[:, 0] * X.std(0, ddof=1)
        v = est.y_weights_[:, 0] * y.std(0, ddof=1)
        for w, view in ((u, A), (v, B)):
            within = 0.5 * (view @ w) @ (view @ w) / 99 + 0.5 * (w @ w) + 1e-4 * w @ w
            assert within == pytest.approx(1)
        return (A @ u) @ (B @ v) / 99 - alpha * (abs(u).sum() + abs(v).sum())

    values = []
    for turns in (1, 2, 3, 5, 8, 50):
        est = SparseCCA(alpha=alpha, max_iter=turns, tol=1e-12)
        with pytest.warns(ConvergenceWarning) if turns < 50 else nullcontext():
            values.append(objective(est.fit(X, y)))
    assert (np.diff(values) >= -1e-12).all()
    assert values[-1] > values[0] + 1e-4


@pytest.mark.parametrize("weights", [None, np.arange(50) % 3])
@pytest.mark.parametrize("covariates", [False, True])
def test_rows_and_covariances_give_the_same(weights, covariates):
    X, y, *_ = planted(50, 60, 40)
    rng = np.random.default_rng(0)
    if weights is not None:
        kept = weights > 0
        X, y, weights = X[kept], y[kept], weights[kept].astype(float)
    settings = Settings(True, True, (1e-4, 1e-4), (0.3, "oas"))
    C = rng.standard_normal((len(X), 2)) if covariates else None
    by_rows, by_covariance = (
        kind.of(X, y, C, weights, settings, "both")[0]
        for kind in (RowsProblem, CovarianceProblem)
    )
    u, v = (rng.standard_normal((m, 2)) * (rng.random((m, 1)) < 0.2) for m in (60, 40))
    for by_one, by_other in zip(
        by_rows.fit(u, v)[1:9], by_covariance.fit(u, v)[1:9], strict=True
    ):
        np.testing.assert_allclose(by_one, by_other, atol=1e-9, rtol=1e-9)
    np.testing.assert_allclose(
        by_rows.x.product(u[:, 0]), by_covariance.x.product(u[:, 0]), atol=1e-10
    )
    some = np.arange(3, 17)
    target = rng.standard_normal(14)
    np.testing.assert_allclose(
        by_rows.y.solve(some, target), by_covariance.y.solve(some, target), atol=1e-9
    )


@pytest.mark.parametrize("n", [40, 300])
def test_sparse_views(n):
    X, y, *_ = planted(n, 100, 90)
    X, y = (np.where(standardised(view) > 0.8, view, 0) for view in (X, y))
    dense = SparseCCA(2, **SHARP).fit(X, y)
    kept = SparseCCA(2, **SHARP).fit(sparse.csr_array(X), sparse.csc_matrix(y))
    np.testing.assert_allclose(kept.x_weights_, dense.x_weights_, atol=1e-7)
    np.testing.assert_allclose(kept.y_weights_, dense.y_weights_, atol=1e-7)


@pytest.mark.parametrize("n", [40, 300])
def test_weights_are_repetitions(n):
    X, y, *_ = planted(n, 100, 90)
    counts = np.random.default_rng(0).integers(0, 4, n)
    weighted = SparseCCA(2, alpha=0.1, **SHARP).fit(X, y, sample_weight=counts)
    repeated = SparseCCA(2, alpha=0.1, **SHARP).fit(
        np.repeat(X, counts, 0), np.repeat(y, counts, 0)
    )
    np.testing.assert_allclose(weighted.x_weights_, repeated.x_weights_, atol=1e-7)


@pytest.mark.parametrize("n", [40, 300])
@pytest.mark.parametrize("adjust", ["both", "x", "y"])
@pytest.mark.parametrize("few", [False, True])
def test_covariates_leave_their_residuals(n, adjust, few):
    X, y, *_ = planted(n, 100, 90)
    rng = np.random.default_rng(1)
    C = rng.standard_normal((n, 3))
    X, y = (view + C @ rng.standard_normal((3, view.shape[1])) for view in (X, y))
    if few:
        X = np.where(standardised(X) > 0.8, X, 0)
    design = np.column_stack([np.ones(n), C])
    residuals = [view - design @ np.linalg.lstsq(design, view)[0] for view in (X, y)]
    left = [
        residual if adjust in ("both", side) else view
        for residual, view, side in zip(residuals, (X, y), "xy", strict=True)
    ]
    settings = {"alpha": 0.1, "shrinkage": 0.5, "reg": 0, **SHARP}
    est = SparseCCA(2, adjust=adjust, **settings)
    est.fit(sparse.csr_array(X) if few else X, y, covariates=C)
    expected = SparseCCA(2, **settings).fit(*left)
    # Variances are over three degrees of freedom less.
    share = ((n - 4) / (n - 1)) ** 0.5
    np.testing.assert_allclose(est.x_weights_, expected.x_weights_ * share, atol=1e-7)
    np.testing.assert_allclose(
        est.transform_y(y, covariates=C),
        expected.transform_y(left[1]) * share,
        atol=1e-6,
    )
    assert est.score(X, y, covariates=C) == pytest.approx(expected.score(*left))
    if adjust != "y":
        with pytest.raises(ValueError, match="was fitted with covariates, but got no"):
            est.transform(X)


def test_weights_that_may_not_be_negative():
    X, y, in_x, _ = planted()
    X[:, in_x[::2]] *= -1
    est = SparseCCA(n_nonzero=8, positive=True).fit(X, y)
    assert (est.x_weights_ >= 0).all()
    assert set(in_x[1::2]) <= set(est.x_selected_)
    assert not set(in_x[::2]) & set(est.x_selected_)
    assert est.correlations_[0] > 0.7


@pytest.mark.parametrize("n", [40, 300])
def test_no_weight_is_negative_wherever_it_starts(n):
    X, y, *_ = planted(n, 120, 90)
    X[:, 3] = 5.0  # no start has a weight of it
    X[:, ::2] *= -1
    est = SparseCCA(2, alpha=0.1, positive=True).fit(X, y)
    assert est.x_weights_.any()
    path = est.path(X, y, [0.05, 0.1, 0.2])
    for weights in (est.x_weights_, est.y_weights_, path.x_weights, path.y_weights):
        assert weights.min() == 0


@pytest.mark.parametrize("positive", [False, True, (True, False), (False, True)])
@pytest.mark.parametrize("n", [20, 200])
def test_one_column_each(n, positive):
    X, y, *_ = planted(n, 45, 40)
    correlations = standardised(X).T @ standardised(-y) / (n - 1)
    sizes = correlations if positive is True else abs(correlations)
    est = SparseCCA(n_nonzero=1, positive=positive).fit(X, -y)
    found = est.x_selected_[0], est.y_selected_[0]
    assert found == np.unravel_index(sizes.argmax(), sizes.shape)


@pytest.mark.parametrize("n", [20, 200])
def test_columns_that_no_penalty_tells_apart(n):
    X, y, *_ = planted(n, 60, 50)
    X, y = np.repeat(X[:, :1], 50, axis=1), np.repeat(y[:, :1], 45, axis=1)
    est = SparseCCA(n_nonzero=(3, 1)).fit(X, y)
    assert (len(est.x_selected_), len(est.y_selected_)) == (3, 1)
    expected = abs(np.corrcoef(X[:, 0], y[:, 0])[0, 1])
    assert est.correlations_[0] == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("n", [4, 60])
def test_past_the_rank_there_is_nothing(n, alpha):
    rng = np.random.default_rng(0)
    z = rng.standard_normal((n, 1))
    X, y = z * rng.standard_normal(12), z * rng.standard_normal(9)
    with nullcontext() if alpha == 0 else pytest.warns(DegenerateFitWarning):
        est = SparseCCA(3, alpha=alpha, shrinkage=0.0, reg=0).fit(X, y)
    np.testing.assert_allclose(est.correlations_, [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("n", [4, 30])
def test_it_ends_where_weights_underflow(n):
    X, y, *_ = planted(n, 20, 30)
    est = SparseCCA(reg=1e300).fit(X, y)
    assert np.isfinite(est.transform(X)).all()


def test_path():
    X, y, *_ = planted()
    est = SparseCCA(2)
    path = est.path(X, y, [0.3, 0.1, 0.2])
    assert not hasattr(est, "x_weights_")
    np.testing.assert_array_equal(path.alphas, [0.1, 0.2, 0.3])
    for i, alpha in enumerate(path.alphas):
        fit = clone(est).set_params(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(
            path.x_weights[i, :, 0], fit.x_weights_[:, 0], atol=1e-4
        )
        np.testing.assert_allclose(
            path.correlations[i, 0], fit.correlations_[0], atol=1e-4
        )
        assert path.y_n_selected[i] == (path.y_weights[i] != 0).any(axis=1).sum()
    whole = SparseCCA().path(X, y)
    assert len(whole.alphas) == 20
    assert (np.diff(whole.x_n_selected) <= 2).all()  # fewer and fewer, more or less
    assert whole.x_n_selected[0] > 50
    for wrong in (0, -1, [-0.1], [np.nan], True):
        with pytest.raises(ValueError, match="alphas must be a list of finite numbers"):
            est.path(X, y, wrong)


def test_names_of_selected_columns():
    X, y, in_x, in_y = planted()
    names = [f"gene {i}" for i in range(X.shape[1])]
    est = SparseCCA(n_nonzero=8).fit(pd.DataFrame(X, columns=names), y)
    assert list(est.x_selected_) == [names[i] for i in in_x]
    np.testing.assert_array_equal(est.y_selected_, in_y)


def test_a_penalty_that_leaves_nothing():
    X, y, *_ = planted()
    message = "All weights of component 0 are 0, because no column correlates"
    with pytest.warns(DegenerateFitWarning, match=message):
        est = SparseCCA(alpha=1.0).fit(X, y)
    assert not est.transform(X).any()
    assert est.correlations_ == [0.0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"alpha": 0.1, "n_nonzero": 3},
            "X has both alpha=0.1 and n_nonzero=3. Either of them decides how many "
            "columns are selected: give one of them, and None for the other.",
        ),
        ({"alpha": (0.1, -1)}, "`alpha` must be a finite number that is not negative"),
        ({"n_nonzero": (0, 1)}, "`n_nonzero` must be a whole number from 1 on"),
        ({"positive": (1, True)}, "`positive` must be a bool"),
        ({"n_components": 201}, "`n_components` upper bound is 200"),
    ],
    ids=str,
)
def test_bad_parameters(parameters, message):
    X, y, *_ = planted()
    est = SparseCCA().fit(X, y)
    before = vars(est).copy()
    with pytest.raises(ValueError, match=re.escape(message)):
        est.set_params(**parameters).fit(X, y)
    assert est.x_weights_ is before["x_weights_"]
