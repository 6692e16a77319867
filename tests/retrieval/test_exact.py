"""Exact search, against a brute force in float64."""

import math
import tracemalloc

import numpy as np
import pytest

from skcrl._columns import unit_rows
from skcrl.retrieval import _backends
from skcrl.retrieval._backends import Exact


def made(rng, n, width, dtype=np.float64):
    return unit_rows(rng.standard_normal((n, width)).astype(dtype))


def nearest(queries, codes, k):
    return Exact(codes, 0).nearest(queries, codes, k, 0)


def brute_force(queries, codes, k):
    products = queries.astype(np.float64) @ codes.astype(np.float64).T
    order = np.argsort(-products, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(products, order, 1), order


@pytest.mark.parametrize("cells", [2**22, 2**9, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5, 300])
def test_it_is_the_brute_force(rng, monkeypatch, dtype, k, cells):
    monkeypatch.setattr(_backends, "_CELLS", cells)
    queries, codes = made(rng, 20, 6, dtype), made(rng, 300, 6, dtype)
    similarities, positions = nearest(queries, codes, k)
    expected = brute_force(queries, codes, k)
    np.testing.assert_allclose(similarities, expected[0], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(positions, expected[1])
    np.testing.assert_array_equal(nearest(queries[:1], codes, k)[1], positions[:1])


@pytest.mark.parametrize("types", [(np.float32, np.float64), (np.float64, np.float32)])
def test_queries_and_items_of_two_types(rng, types):
    queries, codes = made(rng, 20, 6, types[0]), made(rng, 300, 6, types[1])
    similarities, positions = nearest(queries, codes, 5)
    expected = brute_force(queries, codes, 5)
    np.testing.assert_allclose(similarities, expected[0], rtol=0, atol=1e-14)
    np.testing.assert_array_equal(positions, expected[1])


def test_near_duplicates_in_float64(rng):
    # All items lie within 2e-9 of each other: in float32 they would be one.
    base, direction = np.linalg.qr(rng.standard_normal((16, 2)))[0].T
    steps = rng.permutation(200) * 1e-11
    codes = base + steps[:, None] * direction
    queries = (base + direction)[None] / np.sqrt(2)
    positions = nearest(queries, codes, 10)[1]
    np.testing.assert_array_equal(positions[0], np.argsort(-steps)[:10])


@pytest.mark.parametrize("order", ["mixed", "nearest first", "nearest last"])
def test_one_query_among_many_items(rng, order):
    query, codes = made(rng, 1, 6), made(rng, 5000, 6)
    if order != "mixed":
        codes = codes[brute_force(query, codes, 5000)[1][0]]
        codes = codes if order == "nearest first" else codes[::-1].copy()
    for k in (1, 5, 9, 10, 700, 5000):  # of 19 blocks
        similarities, positions = nearest(query, codes, k)
        expected = brute_force(query, codes, k)
        np.testing.assert_allclose(similarities, expected[0], rtol=0, atol=1e-14)
        np.testing.assert_array_equal(positions, expected[1])


@pytest.mark.parametrize("n_queries", [1, 16])
def test_items_that_products_in_float32_confuse(rng, n_queries):
    codes = np.repeat(made(rng, 3, 200, np.float32), 100, axis=0)
    codes[:, 0] += np.float32(1e-8) * rng.integers(0, 4, 300)  # last digits at most
    codes[7] = 0
    queries = made(rng, n_queries, 200, np.float32)
    queries[0] = 0
    similarities, positions = nearest(queries, codes, 120)
    expected = brute_force(queries, codes, 120)
    np.testing.assert_allclose(similarities, expected[0], rtol=0, atol=1e-14)
    products = queries.astype(np.float64) @ codes.astype(np.float64).T
    found = np.take_along_axis(products, positions, 1)
    np.testing.assert_allclose(found, expected[0], rtol=0, atol=1e-14)
    assert all(len(set(row)) == 120 for row in positions)


def test_queries_that_differ_below_float32(rng):
    base, direction = np.linalg.qr(rng.standard_normal((16, 2)))[0].T
    codes = np.array([base + direction, base - direction]) / np.sqrt(2)
    signs = np.array([1, -1, -1, 1])
    queries = base + 1e-9 * signs[:, None] * direction
    np.testing.assert_array_equal(nearest(queries, codes, 1)[1][:, 0], signs < 0)


def test_equal_items():
    codes = np.tile(np.eye(3), (40, 1))
    similarities, positions = nearest(np.vstack([np.eye(3), np.zeros(3)]), codes, 4)
    np.testing.assert_array_equal(similarities, np.repeat([[1], [1], [1], [0]], 4, 1))
    np.testing.assert_array_equal(positions[:3] % 3, np.arange(3)[:, None] * np.ones(4))
    assert all(len(set(row)) == 4 for row in positions)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_cases_with_ties_and_zero_codes(rng, dtype):
    with_zeros = 0
    for _ in range(200):
        n, width = rng.integers(1, 60), rng.integers(1, 5)
        Z = rng.integers(-1, 2, (n + 9, width)).astype(dtype)
        Z = unit_rows(Z * 10.0 ** rng.integers(-30, 30, (n + 9, 1)).astype(dtype))
        with_zeros += not Z[9:].any(axis=1).all()
        k = int(rng.integers(1, n + 1))
        similarities, positions = nearest(Z[:9], Z[9:], k)
        # Items tie up to the rounding of their lengths.
        atol = 8 * np.finfo(dtype).eps
        expected = brute_force(Z[:9], Z[9:], k)[0]
        np.testing.assert_allclose(similarities, expected, rtol=0, atol=atol)
        products = Z[:9].astype(np.float64) @ Z[9:].T.astype(np.float64)
        found = np.take_along_axis(products, positions, 1)
        np.testing.assert_allclose(similarities, found, rtol=0, atol=1e-14)
        assert (np.diff(similarities, axis=1) <= 0).all()
        assert all(len(set(row)) == k for row in positions)
    assert with_zeros > 50


def test_zero_codes_added_to_others_and_others_to_them(rng):
    codes = made(rng, 40, 3)
    codes[[5, 31]] = 0
    queries = np.vstack([made(rng, 8, 3), np.zeros(3)])
    for known in (3, 10, 35):
        search = Exact(codes[:known], 0).grown(codes, 0)
        similarities = search.nearest(queries, codes, 30, 0)[0]
        expected = brute_force(queries, codes, 30)[0]
        np.testing.assert_allclose(similarities, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("n_queries", "n_items", "k"), [(2000, 20_000, 5), (60, 4000, 4000)]
)
def test_memory_is_a_few_times_that_of_the_answer(rng, n_queries, n_items, k):
    queries = made(rng, n_queries, 64, np.float32)
    codes = made(rng, n_items, 64, np.float32)
    search = Exact(codes, 0)
    tracemalloc.start()
    search.nearest(queries, codes, k, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Here all products are 320 MB, and there all codes of the items found are 123.
    assert peak < 6 * n_queries * k * 8 + 30e6


@pytest.mark.parametrize(
    ("n_queries", "far", "dtype"),
    [(1, 3, np.float64), (40, 3, np.float32), (40, 1e7, np.float64)],
)
def test_distances_are_the_brute_force(rng, n_queries, far, dtype):
    queries = (far + rng.standard_normal((n_queries, 6))).astype(dtype)
    codes = (far + rng.standard_normal((300, 6))).astype(dtype)
    codes[5] = 0
    search = Exact(codes[:200], 0, "euclidean").grown(codes, 0)
    similarities, positions = search.nearest(queries, codes, 50, 0)
    expected = -np.linalg.norm(
        queries[:, None].astype(np.float64) - codes.astype(np.float64), axis=2
    )
    order = np.argsort(-expected, axis=1, kind="stable")[:, :50]
    np.testing.assert_array_equal(positions, order)
    np.testing.assert_allclose(similarities, np.take_along_axis(expected, order, 1))


def by_differences(query, codes, k):
    """Distances and positions of the k nearest, where squares would vanish too."""
    distances = np.array([math.dist(query, code) for code in codes])
    order = np.argsort(distances, kind="stable")[:k]
    return distances[order], order


def one_far(codes, distance):
    codes[0] = distance


def two_far(codes, distance):
    codes[::2] += distance


def of_length(codes, length):
    codes *= length


def one_far_from_small(codes, length):
    codes *= length
    codes[7] = 1e15


@pytest.mark.parametrize(
    ("move", "by", "dtype"),
    [
        (one_far, 1e11, np.float64),
        (one_far, 1e15, np.float64),
        (one_far, 1e15, np.float32),
        (two_far, 1e8, np.float64),
        (two_far, 1e4, np.float32),
        (of_length, 1e-200, np.float64),
        (of_length, 1e-30, np.float32),
        (of_length, 0, np.float64),
        (one_far_from_small, 1e-200, np.float64),
    ],
)
def test_distances_where_products_lose_them(rng, move, by, dtype):
    codes = rng.standard_normal((500, 4)).astype(dtype)
    move(codes, by)
    # Some lie beside an item, and some far from all.
    queries = np.vstack([codes[20:60] * dtype(1.001), codes[:3], np.ones((2, 4))])
    search = Exact(codes, 0, "euclidean")
    for rows in (slice(None), slice(20, 21)):
        found = search.nearest(queries[rows], codes, 5, 0)
        for query, distances, positions in zip(queries[rows], *found, strict=True):
            expected = by_differences(query, codes, 5)
            np.testing.assert_array_equal(positions, expected[1])
            np.testing.assert_allclose(-distances, expected[0], rtol=1e-14, atol=0)


def test_distances_of_random_cases_with_ties(rng):
    for _ in range(60):
        n, width = rng.integers(1, 60), rng.integers(1, 5)
        dtype = rng.choice([np.float32, np.float64])
        Z = rng.integers(-1, 2, (n + 9, width)) * 10.0 ** rng.integers(-30, 15)
        Z[rng.random(n + 9) < 0.2] *= 10.0 ** rng.integers(-30, 1)
        Z = Z.astype(dtype)
        k = int(rng.integers(1, n + 1))
        found = Exact(Z[9:], 0, "euclidean").nearest(Z[:9], Z[9:], k, 0)
        for query, distances, positions in zip(Z[:9], *found, strict=True):
            expected = by_differences(query, Z[9:], k)[0]
            np.testing.assert_allclose(-distances, expected, rtol=1e-14, atol=0)
            there = [math.dist(query, Z[9 + i]) for i in positions]
            np.testing.assert_allclose(-distances, there, rtol=1e-14, atol=0)
            assert len(set(positions)) == k
