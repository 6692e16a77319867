"""Exact search, against a brute force in float64."""

import tracemalloc

import numpy as np
import pytest

from skcrl.retrieval import _exact
from skcrl.retrieval._exact import nearest


def made(rng, n, width, dtype=np.float64):
    Z = rng.standard_normal((n, width))
    return (Z / np.linalg.norm(Z, axis=1, keepdims=True)).astype(dtype)


def brute_force(queries, codes, k):
    products = queries.astype(np.float64) @ codes.astype(np.float64).T
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(products, order, 1), order


@pytest.fixture(params=[2**22, 2**9, 1], ids=["one block", "blocks", "single rows"])
def cells(request, monkeypatch):
    monkeypatch.setattr(_exact, "CELLS", request.param)
    monkeypatch.setattr(_exact, "_QUERIES", 7)


@pytest.mark.usefixtures("cells")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5, 300])
def test_it_is_the_brute_force(rng, dtype, k):
    queries, codes = made(rng, 20, 6, dtype), made(rng, 300, 6, dtype)
    similarities, positions = nearest(queries, codes, k)
    expected = brute_force(queries, codes, k)
    np.testing.assert_allclose(similarities, expected[0], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(positions, expected[1])


@pytest.mark.usefixtures("cells")
def test_differences_below_float32_decide(rng):
    # All items lie within 1e-9 of each other: in float32 they are one.
    base, direction = np.linalg.qr(rng.standard_normal((16, 2)))[0].T
    steps = rng.permutation(200) * 1e-11
    codes = base + steps[:, None] * direction
    queries = (base + direction)[None] / np.sqrt(2)
    assert len(np.unique(codes.astype(np.float32) @ queries[0].astype(np.float32))) < 5
    positions = nearest(queries, codes, 10)[1]
    np.testing.assert_array_equal(positions[0], np.argsort(-steps)[:10])


@pytest.mark.usefixtures("cells")
def test_equal_items_do_not_flood_it():
    codes = np.tile(np.eye(3), (40, 1))
    similarities, positions = nearest(np.vstack([np.eye(3), np.zeros(3)]), codes, 4)
    np.testing.assert_array_equal(similarities, np.repeat([[1], [1], [1], [0]], 4, 1))
    np.testing.assert_array_equal(positions[:3] % 3, np.arange(3)[:, None] * np.ones(4))
    assert all(len(set(row)) == 4 for row in positions)


def test_random_cases_with_ties(rng, monkeypatch):
    for _ in range(200):
        monkeypatch.setattr(_exact, "CELLS", int(rng.integers(1, 400)))
        n, width = rng.integers(1, 60), rng.integers(1, 5)
        Z = rng.integers(-1, 2, (n + 9, width)).astype(float)
        Z /= np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1)
        k = int(rng.integers(1, n + 1))
        similarities, positions = nearest(Z[:9], Z[9:], k)
        expected = brute_force(Z[:9], Z[9:], k)[0]
        np.testing.assert_allclose(similarities, expected, rtol=0, atol=1e-14)
        found = np.take_along_axis(Z[:9] @ Z[9:].T, positions, 1)
        np.testing.assert_allclose(similarities, found, rtol=0, atol=1e-14)
        assert all(len(set(row)) == k for row in positions)


def test_no_array_grows_with_queries_times_items(rng):
    queries, codes = made(rng, 3000, 4, np.float32), made(rng, 60_000, 4, np.float32)
    tracemalloc.start()
    nearest(queries, codes, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all products would be 720 MB
