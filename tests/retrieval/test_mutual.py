"""Mutual nearest neighbours against the whole matrix of distances."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skcrl.retrieval import mutual_nearest_neighbors


def brute(Zx, Zy, k, metric):
    """Pairs by both orders of all distances."""
    distances = cdist(Zx, Zy, metric)
    of_x = distances.argsort(axis=1).argsort(axis=1) < k
    of_y = distances.argsort(axis=0).argsort(axis=0) < k
    x, y = np.nonzero(of_x & of_y)
    values = distances[x, y]
    return x, y, 1 - values if metric == "cosine" else -values


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("backend", ["exact", "faiss"])
def test_the_pairs_are_those_of_all_distances(metric, k, backend):
    rng = np.random.default_rng(k)
    Zx, Zy = rng.standard_normal((60, 4)), rng.standard_normal((40, 4)) + 0.5
    found = mutual_nearest_neighbors(Zx, Zy, k, metric=metric, backend=backend)
    x, y, similarities = brute(Zx, Zy, k, metric)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_allclose(found.similarities, similarities, atol=1e-12)
    turned = mutual_nearest_neighbors(Zy, Zx, k, metric=metric, backend=backend)
    assert set(zip(turned.y, turned.x, strict=True)) == set(zip(x, y, strict=True))


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("backend", ["exact", "faiss"])
def test_pairs_of_corrected_cosines(k, backend):
    rng = np.random.default_rng(k)
    Zx, Zy = rng.standard_normal((60, 4)), rng.standard_normal((40, 4)) + 0.5
    S = 1 - cdist(Zx, Zy, "cosine")
    of_x, of_y = (np.sort(M, axis=1)[:, -10:].mean(axis=1) for M in (S, S.T))
    S -= (of_x[:, None] + of_y) / 2
    is_near = [(-M).argsort(axis=1).argsort(axis=1) < k for M in (S, S.T)]
    x, y = np.nonzero(is_near[0] & is_near[1].T)
    found = mutual_nearest_neighbors(Zx, Zy, k, hubness="csls", backend=backend)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.y, y)
    np.testing.assert_allclose(found.similarities, S[x, y], atol=1e-12)
    turned = mutual_nearest_neighbors(Zy, Zx, k, hubness="csls", backend=backend)
    order = np.lexsort((turned.x, turned.y))
    for a, b in zip(turned, (y, x, S[x, y]), strict=True):
        np.testing.assert_allclose(a[order], b, atol=1e-12)
    with pytest.raises(ValueError, match="corrects cosines, but metric='euclidean'"):
        mutual_nearest_neighbors(Zx, Zy, k, metric="euclidean", hubness="csls")


def test_of_equally_near_codes_the_first_count():
    Z = np.repeat([[1.0, 0.0], [0.0, 1.0]], 4, axis=0)
    found = mutual_nearest_neighbors(Z, np.vstack([Z, [[0.0, 0.0]]]), 2)
    pairs = list(zip(found.x, found.y, strict=True))
    assert pairs == [(i, j) for a in (0, 4) for i in (a, a + 1) for j in (a, a + 1)]


def test_tensors_of_a_network():
    torch = pytest.importorskip("torch")
    Z = torch.randn(
        9, 3, requires_grad=True, generator=torch.Generator().manual_seed(0)
    )
    found = mutual_nearest_neighbors(Z, Z, 1)
    np.testing.assert_array_equal(found.x, found.y)


def test_codes_stay_as_they_are():
    Z = np.array([[3.0, 4.0], [1.0, 0.0]])
    mutual_nearest_neighbors(Z, Z, 1)
    np.testing.assert_array_equal(Z, [[3.0, 4.0], [1.0, 0.0]])


def test_no_matrix_of_all_pairs_is_made():
    rng = np.random.default_rng(0)
    Zx, Zy = rng.standard_normal((2, 6000, 3)).astype(np.float32)
    tracemalloc.start()
    mutual_nearest_neighbors(Zx, Zy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6000 * 6000


@pytest.mark.parametrize(
    ("Zx", "Zy", "parameters", "message"),
    [
        (np.ones((4, 2)), np.ones((4, 3)), {}, "Zx has 2 components and Zy has 3"),
        (
            np.ones((4, 2)),
            np.ones((3, 2)),
            {"n_neighbors": 4},
            "n_neighbors must be at most 3, the size of the smaller set, got 4",
        ),
        (np.ones((4, 2)), np.full((4, 2), np.nan), {}, "Zy gave codes that are NaN"),
        (np.ones((4, 2)), np.ones(4), {}, "Zy gave codes of shape"),
        (np.full((9, 2), 1e200), np.ones((9, 2)), {"metric": "euclidean"}, "Zx gave"),
        (np.ones((9, 2)), np.ones((9, 2)), {"metric": "l1"}, "'metric' parameter"),
        (np.ones((9, 2)), np.ones((9, 2)), {"n_neighbors": 0}, "'n_neighbors'"),
        (np.ones((9, 2)), np.ones((9, 2)), {"backend": "guess"}, "'backend'"),
    ],
)
def test_bad_input(Zx, Zy, parameters, message):
    with pytest.raises(ValueError, match=message):
        mutual_nearest_neighbors(Zx, Zy, **parameters)
