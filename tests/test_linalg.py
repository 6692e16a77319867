"""The algebra against closed forms and other solvers, on NumPy and torch."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, load_linnerud
from sklearn.linear_model import Ridge
from torch.autograd import gradcheck

from skcrl import _linalg, _moments


def solve(X, Y, k, ridge=(0.0, 0.0)):
    return _linalg.cca(_moments.covariances(_moments.moments(X, Y)), k, ridge)


def canonical_correlations(X, Y, ridge=(0.0, 0.0)):
    cov = _moments.covariances(_moments.moments(X, Y))
    return _linalg.canonical_correlations(cov, ridge)


def qr_correlations(X, Y):
    """Björck and Golub (1973): singular values between orthonormal bases."""
    qx, qy = (np.linalg.qr(view - view.mean(0))[0] for view in (X, Y))
    return np.linalg.svd(qx.T @ qy, compute_uv=False)


def iris_and_dummies():
    X, labels = load_iris(return_X_y=True)
    return X, np.eye(3)[labels][:, :2]


TOY = (
    np.vstack([np.eye(3), 2 * np.eye(3)]),
    np.vstack([np.fliplr(np.eye(3)), 0.1 * np.eye(3)]),
)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        # SAS PROC CANCORR's example, as statsmodels prints it.
        (
            load_linnerud(return_X_y=True),
            [0.7956081544, 0.2005560411, 0.0725702862],
        ),
        # One-way MANOVA is CCA on class dummies.
        (iris_and_dummies(), [0.98482089, 0.47119702]),
        # MATLAB's canoncorr.
        (TOY, [1.0, 0.533992991387982, 0.355995327591988]),
    ],
    ids=["linnerud", "iris", "canoncorr"],
)
def test_exact_references(views, expected, as_backend):
    X, Y = (as_backend(view) for view in views)
    k = len(expected)
    np.testing.assert_allclose(solve(X, Y, k).singular_values, expected, atol=5e-9)
    np.testing.assert_allclose(canonical_correlations(X, Y), expected, atol=5e-9)


def test_iris_gives_the_wilks_lambda_of_manova():
    X, Y = iris_and_dummies()
    wilks = np.prod(1 - solve(X, Y, 2).singular_values ** 2)
    assert wilks == pytest.approx(0.0234386307, abs=1e-10)


@pytest.mark.parametrize("ridge", [(0.0, 0.0), (0.3, 2.0)])
def test_codes_are_white_under_ridged_covariances(rng, as_backend, ridge):
    X = rng.standard_normal((60, 7))
    Y = X[:, :4] + rng.standard_normal((60, 4))
    cov = _moments.covariances(_moments.moments(as_backend(X), as_backend(Y)))
    s = _linalg.cca(cov, 4, ridge)
    for weights, within, r in (
        (s.x_weights, np.cov(X.T), ridge[0]),
        (s.y_weights, np.cov(Y.T), ridge[1]),
    ):
        weights = np.asarray(weights)
        gram = weights.T @ (within + r * np.eye(len(within))) @ weights
        np.testing.assert_allclose(gram, np.eye(4), atol=1e-12)
    cross = (
        np.asarray(s.x_weights).T @ np.cov(X.T, Y.T)[:7, 7:] @ np.asarray(s.y_weights)
    )
    np.testing.assert_allclose(
        cross, np.diag(np.asarray(s.singular_values)), atol=1e-12
    )


def test_agrees_with_qr(rng, as_backend):
    X = rng.standard_normal((50, 6))
    Y = X[:, :3] @ rng.standard_normal((3, 5)) + rng.standard_normal((50, 5))
    s = solve(as_backend(X), as_backend(Y), 5)
    np.testing.assert_allclose(s.singular_values, qr_correlations(X, Y), atol=1e-12)
    assert s.rank == 5


def test_sign_is_deterministic(rng, as_backend):
    X, Y = rng.standard_normal((2, 40, 4))
    s = solve(as_backend(X), as_backend(Y), 3)
    standardised = np.asarray(s.x_weights) * X.std(0)[:, None]
    largest = abs(standardised).argmax(0)
    assert (standardised[largest, range(3)] > 0).all()
    shuffled = rng.permutation(40)
    again = solve(as_backend(X[shuffled]), as_backend(Y[shuffled]), 3)
    np.testing.assert_allclose(s.x_weights, again.x_weights, atol=1e-10)
    np.testing.assert_allclose(s.y_weights, again.y_weights, atol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_useless_columns_change_nothing(rng, as_backend, ridge):
    X = rng.standard_normal((80, 4))
    Y = X[:, :3] + rng.standard_normal((80, 3))
    expected = solve(X, Y, 3, (ridge, ridge))
    constant = np.full((80, 1), 0.1)  # its mean is not 0.1 in floating point
    wide = np.hstack([X, constant, constant * 1e6])
    s = solve(as_backend(wide), as_backend(Y), 3, (ridge, ridge))
    np.testing.assert_allclose(s.singular_values, expected.singular_values, atol=1e-10)
    np.testing.assert_allclose(s.x_weights[4:], 0.0, atol=1e-10)


def test_duplicated_and_collinear_columns_only_lower_the_rank(rng, as_backend):
    X = rng.standard_normal((80, 3))
    Y = X + rng.standard_normal((80, 3))
    wide = np.hstack([X, X[:, :1], X @ rng.standard_normal((3, 2))])
    tall = np.hstack([Y, Y])
    s = solve(as_backend(wide), as_backend(tall), 5)
    assert s.rank == 3
    np.testing.assert_allclose(s.singular_values[:3], qr_correlations(X, Y), atol=1e-9)
    np.testing.assert_array_equal(s.singular_values[3:], 0.0)
    np.testing.assert_array_equal(s.x_weights[:, 3:], 0.0)
    assert np.isfinite(np.asarray(s.x_weights)).all()


def test_more_columns_than_rows(rng, as_backend):
    X, Y = rng.standard_normal((8, 20)), rng.standard_normal((8, 30))
    s = solve(as_backend(X), as_backend(Y), 20)
    assert s.rank == 7  # centring takes one of the eight
    np.testing.assert_allclose(s.singular_values[:7], 1.0, atol=1e-9)
    ridged = solve(as_backend(X), as_backend(Y), 20, (1.0, 1.0))
    assert ridged.rank == 7
    assert (np.asarray(ridged.singular_values)[:7] < 1).all()
    np.testing.assert_array_equal(ridged.x_weights[:, 7:], 0.0)


@pytest.mark.parametrize("ridge", [0.0, 1e-4, 1.0])
def test_rank_of_uncorrelated_designs(as_backend, ridge):
    # Dummies of crossed, balanced factors: every correlation is exactly 0, and the
    # directions without variance must not mix with those that have some.
    first, second = np.divmod(np.arange(36), 12)
    X, Y = np.eye(3)[first], np.eye(4)[second % 4]
    s = solve(as_backend(X), as_backend(Y), 3, (ridge, ridge))
    assert s.rank == 2
    assert abs(np.asarray(s.x_weights)).max() < 2
    np.testing.assert_allclose(s.singular_values, 0.0, atol=1e-12)


def test_a_view_without_variance_has_rank_zero(as_backend):
    s = solve(as_backend(np.ones((5, 3))), as_backend(np.eye(5)[:, :2]), 2)
    assert s.rank == 0
    np.testing.assert_array_equal(s.singular_values, 0.0)
    np.testing.assert_array_equal(s.x_weights, 0.0)


def test_units_do_not_matter(rng, as_backend):
    X = rng.standard_normal((60, 4))
    Y = X[:, :3] + rng.standard_normal((60, 3))
    units = np.array([1e-6, 1.0, 1e3, 1e7])
    expected = solve(X, Y, 3).singular_values
    s = solve(as_backend(X * units), as_backend(Y / 1e4), 3)
    np.testing.assert_allclose(s.singular_values, expected, atol=1e-9)


@pytest.mark.parametrize("ridge", [1e-4, 1.0])
@pytest.mark.parametrize("spread", [0, 1, 3])
def test_ridge_on_a_singular_covariance(rng, as_backend, ridge, spread):
    # More columns than rows, in unlike units: the answer is that of Sxx + r I, whole.
    X = rng.standard_normal((15, 30)) * np.logspace(-spread, spread, 30)
    Y = rng.standard_normal((15, 25)) * np.logspace(spread, -spread, 25)

    def inverse_root(S):
        values, vectors = np.linalg.eigh(S + ridge * np.eye(len(S)))
        return vectors / np.sqrt(values) @ vectors.T

    Sxy = np.cov(X.T, Y.T)[:30, 30:]
    T = inverse_root(np.cov(X.T)) @ Sxy @ inverse_root(np.cov(Y.T))
    expected = np.linalg.svd(T, compute_uv=False)[:14]
    s = solve(as_backend(X), as_backend(Y), 14, (ridge, ridge))
    assert s.rank == 14
    np.testing.assert_allclose(s.singular_values, expected, atol=1e-6)
    gram = np.asarray(s.x_weights).T @ (np.cov(X.T) + ridge * np.eye(30))
    np.testing.assert_allclose(gram @ np.asarray(s.x_weights), np.eye(14), atol=1e-6)


def test_inverse_gives_ridge_regression(rng):
    Z, T = rng.standard_normal((40, 3)), rng.standard_normal((40, 5))
    Z, T = Z - Z.mean(0), T - T.mean(0)
    coef = _linalg.inverse(Z.T @ Z, ridge=0.7) @ (Z.T @ T)
    expected = Ridge(alpha=0.7, fit_intercept=False).fit(Z, T).coef_.T
    np.testing.assert_allclose(coef, expected, atol=1e-12)


def andrew_gradient(H1, H2, r):
    """Andrew et al. (2013), of the total correlation to H1."""
    n = len(H1)
    A, B = H1 - H1.mean(0), H2 - H2.mean(0)
    S11, S22 = (V.T @ V / (n - 1) + r * np.eye(V.shape[1]) for V in (A, B))

    def inverse_root(S):
        values, vectors = np.linalg.eigh(S)
        return vectors / np.sqrt(values) @ vectors.T

    R1, R2 = inverse_root(S11), inverse_root(S22)
    U, D, Vt = np.linalg.svd(R1 @ (A.T @ B / (n - 1)) @ R2, full_matrices=False)
    grad_12 = R1 @ U @ Vt @ R2
    grad_11 = -0.5 * R1 @ U * D @ U.T @ R1
    return (2 * A @ grad_11 + B @ grad_12.T) / (n - 1)


def test_gradient_of_total_correlation_is_andrews(rng):
    H1 = rng.standard_normal((30, 4))
    H2 = H1[:, :3] + rng.standard_normal((30, 3))
    tensor = torch.tensor(H1, requires_grad=True)
    total = canonical_correlations(tensor, torch.tensor(H2), (1e-2, 1e-2)).sum()
    total.backward()
    np.testing.assert_allclose(tensor.grad, andrew_gradient(H1, H2, 1e-2), atol=1e-12)


def test_gradcheck():
    generator = torch.Generator().manual_seed(0)
    H1, H2 = (
        torch.randn(12, k, dtype=torch.float64, generator=generator).requires_grad_()
        for k in (4, 3)
    )
    assert gradcheck(lambda a, b: canonical_correlations(a, b, (1e-3, 1e-3)), (H1, H2))


def test_gradient_survives_equal_correlations_and_dead_units():
    generator = torch.Generator().manual_seed(0)
    H = torch.randn(20, 3, dtype=torch.float64, generator=generator)
    H1 = torch.cat([H, torch.zeros(20, 2)], 1).requires_grad_()
    total = canonical_correlations(H1, H1.detach().clone(), (1e-4, 1e-4)).sum()
    total.backward()
    assert total.item() == pytest.approx(3, abs=1e-3)
    assert torch.isfinite(H1.grad).all()


def test_inverse_square_root_is_symmetric_and_whitens(as_backend, rng):
    Z = rng.standard_normal((50, 4))
    Z[:, 3] = Z[:, 0]  # of deficient rank
    cov = np.cov(Z.T)
    root = np.asarray(_linalg.inverse_square_root(as_backend(cov), 0.01))
    np.testing.assert_allclose(root, root.T, atol=1e-12)
    whitened = root @ (cov + 0.01 * np.eye(4)) @ root
    np.testing.assert_allclose(whitened, np.eye(4), atol=1e-12)


def test_standardise_leaves_dead_columns_at_zero(as_backend, rng):
    Z = rng.standard_normal((50, 3)) * [1.0, 5.0, 0.0] + 7
    found = np.asarray(_linalg.standardise(as_backend(Z)))
    expected = (Z[:, :2] - Z[:, :2].mean(0)) / Z[:, :2].std(0)
    np.testing.assert_allclose(found[:, :2], expected, atol=1e-7)
    np.testing.assert_array_equal(found[:, 2], 0)


def test_matched_columns_are_scaled_and_dead_ones_weigh_nothing(as_backend, rng):
    X = rng.standard_normal((50, 3)) * [1.0, 5.0, 0.0]
    Y = X @ np.diag([2.0, -1.0, 1.0]) + rng.standard_normal((50, 3))
    moments = _moments.moments(as_backend(X), as_backend(Y))
    solution = _linalg.matched(_moments.covariances(moments))
    R = np.corrcoef(X[:, :2].T, Y[:, :2].T)
    expected = [R[0, 2], R[1, 3], 0]
    np.testing.assert_allclose(
        np.asarray(solution.singular_values), expected, atol=1e-12
    )
    codes = X @ np.asarray(solution.x_weights)
    np.testing.assert_allclose(codes.std(axis=0, ddof=1), [1, 1, 0], atol=1e-12)
    assert solution.rank == 2
