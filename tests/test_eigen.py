"""The top-k eigensolver against LAPACK, on spectra that mislead iterative solvers."""

import numpy as np
import pytest

from skcrl import _eigen
from skcrl._eigen import largest_eigenpairs, top_eigenpairs

N = 400

SPECTRA = {
    "slow": 1 / np.arange(1, N + 1) ** 0.5,
    "linear": np.linspace(1, 0, N),
    "fast": 0.5 ** np.arange(N),
    "steep": 10.0 ** -np.arange(N),
    "tiny": 1e-120 / np.arange(1, N + 1),
    "huge": 1e120 / np.arange(1, N + 1),
    "cluster": np.r_[1 - 1e-7 * np.arange(30), np.full(N - 30, 0.5)],
    "equal": np.r_[np.ones(30), np.full(N - 30, 0.9)],
    "tie at k": np.r_[2.0, 1.5, np.ones(20), np.full(N - 22, 0.99)],
    "identity": np.ones(N),
    "rank below k": np.r_[3.0, 2.0, 2.0, np.zeros(N - 3)],
    "rank one": np.r_[1.0, np.zeros(N - 1)],
    "zero": np.zeros(N),
}


def with_spectrum(spectrum, rng):
    """Symmetric matrix with these eigenvalues and random eigenvectors."""
    Q = np.linalg.qr(rng.standard_normal((len(spectrum), len(spectrum))))[0]
    A = Q * spectrum @ Q.T
    return (A + A.T) / 2


class Operator:
    """Products with a matrix, counted."""

    def __init__(self, A):
        self.A, self.columns, self.widest = A, 0, 0

    def __call__(self, block):
        self.columns += block.shape[1]
        self.widest = max(self.widest, block.shape[1])
        return self.A @ block


@pytest.mark.parametrize("k", [1, 5, 20, 45])
@pytest.mark.parametrize("name", SPECTRA)
def test_any_spectrum(name, k, rng):
    A = with_spectrum(SPECTRA[name], rng)
    scale = SPECTRA[name][0]
    values, vectors = top_eigenpairs(lambda B: A @ B, N, k, np.random.RandomState(0))
    expected = np.linalg.eigvalsh(A)[: -k - 1 : -1]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-12)
    residuals = np.linalg.norm((A @ vectors - vectors * values) / (scale or 1), axis=0)
    assert residuals.max() <= 2e-10


@pytest.mark.parametrize("size", [1, 2, 50, 129, 200])
def test_any_size(size, rng):
    A = with_spectrum(np.linspace(1, 0.1, size), rng)
    for k in {1, min(7, size), size}:
        values, vectors = top_eigenpairs(
            lambda B: A @ B, size, k, np.random.RandomState(0)
        )
        np.testing.assert_allclose(values, np.linspace(1, 0.1, size)[:k], atol=1e-12)
        np.testing.assert_allclose(A @ vectors, vectors * values, atol=1e-9)


def test_vectors_of_separate_eigenvalues(rng):
    A = with_spectrum(0.8 ** np.arange(N), rng)
    vectors = top_eigenpairs(lambda B: A @ B, N, 6, np.random.RandomState(0))[1]
    expected = np.linalg.eigh(A)[1][:, :-7:-1]
    np.testing.assert_allclose(abs(expected.T @ vectors), np.eye(6), atol=1e-8)


def test_restarts_reach_the_same_answer(rng):
    # 0.2 of 1600 rows: far more products than one basis holds, far fewer than a
    # dense solution takes.
    spectrum = 1 - np.sqrt(np.linspace(0, 0.99, 1600))
    diagonal = Operator(np.diag(spectrum))
    values, vectors = top_eigenpairs(diagonal, 1600, 3, np.random.RandomState(0))
    np.testing.assert_allclose(values, spectrum[:3], atol=1e-12)
    np.testing.assert_allclose(abs(vectors[:3]), np.eye(3), atol=1e-7)
    assert _eigen._MAX_BLOCKS * _eigen._MIN_WIDTH < diagonal.columns < 1600


def test_a_fast_decay_takes_few_narrow_products(rng):
    operator = Operator(with_spectrum(0.5 ** np.arange(1000), rng))
    top_eigenpairs(operator, 1000, 20, np.random.RandomState(0))
    assert operator.columns <= 4 * 22
    assert operator.widest == 22


def test_what_does_not_converge_is_solved_densely(rng, monkeypatch):
    monkeypatch.setattr(_eigen, "_MAX_PASSES", 0.2)
    operator = Operator(with_spectrum(np.linspace(1, 0.9, N), rng))
    values, _ = top_eigenpairs(operator, N, 5, np.random.RandomState(0))
    np.testing.assert_allclose(values, np.linspace(1, 0.9, N)[:5], atol=1e-12)
    assert operator.widest == N


def test_seed_alone_decides(rng):
    A = with_spectrum(1 / np.arange(1, N + 1), rng)
    first, second = (
        top_eigenpairs(lambda B: A @ B, N, 5, np.random.RandomState(3)) for _ in "ab"
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


METRICS = {
    "even": np.linspace(1, 0.5, N),
    "steep": np.geomspace(1, 1e-10, N),
    "all but singular": np.r_[np.linspace(1, 0.1, 5), np.full(N - 5, 1e-11)],
}


@pytest.mark.parametrize("name", sorted(SPECTRA.keys() - {"tiny", "huge"}))
@pytest.mark.parametrize("metric", METRICS)
def test_any_spectrum_in_a_metric(name, metric, rng):
    k = 20
    A, M = (with_spectrum(s, rng) for s in (SPECTRA[name], METRICS[metric]))
    values, vectors = top_eigenpairs(
        lambda B: A @ B, N, k, np.random.RandomState(0), metric=lambda B: M @ B
    )
    # The product AM has the eigenvalues of the symmetric M^1/2 A M^1/2.
    squares, U = np.linalg.eigh(M)
    root = U * np.sqrt(squares.clip(0)) @ U.T
    expected = np.linalg.eigvalsh(root @ A @ root)[: -k - 1 : -1]
    scale = expected[0] or 1.0
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9 * scale)
    found = values > 1e-6 * scale
    V = vectors[:, found]
    np.testing.assert_allclose(V.T @ M @ V, np.eye(found.sum()), atol=1e-7)
    errors = A @ M @ V - V * values[found]
    assert np.sqrt(abs((errors * (M @ errors)).sum(axis=0))).max(initial=0) < 1e-7


def test_equal_eigenvalues_are_never_short():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        Q = np.linalg.qr(rng.standard_normal((60, 47)))[0]
        eigenvalues, vectors = largest_eigenpairs(Q.T @ Q, 10)
        np.testing.assert_allclose(eigenvalues, 1, atol=1e-12)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(10), atol=1e-12)
