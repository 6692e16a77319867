"""Moments in blocks against covariances in one go, on NumPy and torch."""

import tracemalloc

import numpy as np
import pytest

from skcrl import _moments


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_large_mean_costs_no_digits(rng, as_backend, dtype):
    X = np.round(rng.standard_normal((9000, 3)), 2).astype(dtype)
    Y = (X[:, :2] + np.round(rng.standard_normal((9000, 2)), 2)).astype(dtype)
    shift = dtype(2**16 if dtype is np.float32 else 1e6)
    # The shift rounds the data themselves; compare against their exact covariance.
    far = X + shift
    m = _moments.moments(as_backend(far), as_backend(Y))
    expected = np.cov(far.astype(np.longdouble).T - np.longdouble(shift))
    np.testing.assert_allclose(_moments.covariances(m).xx, expected, atol=1e-9)


def test_moments_do_not_depend_on_blocks(rng, as_backend):
    X, Y = (
        as_backend(rng.normal(5, 1, (100, 3))),
        as_backend(rng.normal(0, 1, (100, 2))),
    )
    whole = _moments.moments(X, Y)
    for rows in (1, 7, 99):
        for part, expected in zip(_moments.moments(X, Y, rows), whole, strict=True):
            np.testing.assert_allclose(part, expected, atol=1e-10)
    halves = _moments.merge_moments(
        _moments.moments(X[:30], Y[:30]), _moments.moments(X[30:], Y[30:])
    )
    for part, expected in zip(halves, whole, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-10)


def test_memory_of_moments_does_not_grow_with_rows():
    def peak(n):
        X, Y = np.ones((n, 50), np.float32), np.ones((n, 50), np.float32)
        tracemalloc.start()
        _moments.moments(X, Y)
        _moments.project(X, np.zeros(50), np.ones((50, 1)))
        _moments.inner(X, Y)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    block = _moments._BLOCK_ROWS * 100 * 8
    assert peak(100_000) < 2.5 * block < 100_000 * 100 * 4


def test_project_and_inner(rng):
    X, Y = rng.normal(3, 1, (10, 4)), rng.normal(0, 1, (10, 2))
    W = rng.standard_normal((4, 2))
    np.testing.assert_allclose(
        _moments.project(X, X.mean(0), W, block_rows=3), (X - X.mean(0)) @ W
    )
    np.testing.assert_allclose(_moments.inner(X, Y, block_rows=3), X.T @ Y)
    assert _moments.project(X.astype(np.float32), X.mean(0), W).dtype == np.float32


def test_project_writes_into_its_input(rng):
    X, W = rng.standard_normal((20, 3)), rng.standard_normal((3, 3))
    expected = _moments.project(X, X.mean(0), W)
    found = _moments.project(X, X.mean(0), W, out=X, block_rows=7)
    assert found is X
    np.testing.assert_allclose(found, expected, atol=1e-14)
