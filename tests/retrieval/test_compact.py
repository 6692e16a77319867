"""Small stand-ins for codes, against what they stand for, and codes left on disk."""

import pickle
import tracemalloc

import numpy as np
import pytest
from given import Given

from skcrl import CrossViewRetriever, LinearCCA
from skcrl.datasets import load_digits_halves
from skcrl.retrieval import _compact, mutual_nearest_neighbors


def unit(rng, n, width=24):
    Z = rng.standard_normal((n, width)).astype(np.float32)
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def retriever(backend, n_neighbors=10, metric="cosine", **params):
    made = CrossViewRetriever(
        Given(),
        n_neighbors=n_neighbors,
        metric=metric,
        backend=backend,
        backend_params=params,
    )
    return made.fit(np.eye(3), np.eye(3))


def recall(found, true):
    pairs = zip(found, true, strict=True)
    return np.mean([np.isin(right, ids).mean() for ids, right in pairs])


@pytest.mark.parametrize("backend", ["int8", "binary"])
def test_candidates_are_ranked_by_the_codes_themselves(backend):
    rng = np.random.default_rng(0)
    items, queries = unit(rng, 3000), unit(rng, 30)
    found = retriever(backend, oversampling=1000).fit_index(items).search(queries)
    exact = retriever("exact").fit_index(items).search(queries)
    np.testing.assert_array_equal(found.ids, exact.ids)
    np.testing.assert_array_equal(found.similarities, exact.similarities)
    few = retriever(backend).fit_index(items).search(queries)
    cosines = np.einsum("ij,ikj->ik", queries, items[few.ids])
    np.testing.assert_allclose(few.similarities, cosines, atol=1e-6)


@pytest.mark.parametrize(("backend", "least"), [("int8", 0.999), ("binary", 0.99)])
def test_most_neighbours_are_found_by_default(backend, least):
    rng = np.random.default_rng(0)
    scales = np.linspace(1, 0.1, 64)
    items = rng.standard_normal((20_000, 64)) * scales
    queries = items[:100] + rng.standard_normal((100, 64)) * scales
    left, right, _ = load_digits_halves()
    cca = LinearCCA(20).fit(left[:900], right[:900])
    of_digits = cca.transform(left[900:]), cca.transform_y(right)
    for asked, codes in ((queries, items), of_digits):
        true = retriever("exact").fit_index(codes).search(asked).ids
        found = retriever(backend).fit_index(codes).search(asked).ids
        assert recall(found, true) >= least


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("backend", ["int8", "binary"])
def test_neighbours_among_codes_of_few_components(backend, width):
    rng = np.random.default_rng(0)
    items, queries = unit(rng, 20_000, width), unit(rng, 50, width)
    items[::7] = 0
    items, queries = items.astype(np.float64), queries.astype(np.float64)
    true = retriever("exact").fit_index(items).search(queries).similarities
    found = retriever(backend).fit_index(items).search(queries).similarities
    assert np.mean(found >= true[:, -1:] - 1e-12) >= 0.99


def test_rare_directions_among_constants_and_what_is_tiny():
    items = np.zeros((100, 20))
    items[:, 3] = 1
    items[:, 5] = 1e-200 * np.arange(100)
    made = retriever("int8", oversampling=1).fit_index(items)
    assert made.search(items[:2]).ids.shape == (2, 10)
    made = retriever("int8", metric="euclidean", oversampling=1).fit_index(items)
    np.testing.assert_array_equal(made.search(items).ids[:, 0], np.arange(100))


@pytest.mark.parametrize("block", [7, 2**14])
@pytest.mark.parametrize("n", [1, 10, 300])
def test_bits_are_signs_and_are_compared_by_how_many_differ(monkeypatch, block, n):
    monkeypatch.setattr(_compact, "_ITEMS", block)
    monkeypatch.setattr(_compact, "_QUERIES", 2)
    rng = np.random.default_rng(0)
    items, queries = unit(rng, 400), unit(rng, 5)
    items[100:250] = items[100]  # of equal ones the first count
    bits = _compact.Binary(items)
    directions = bits._directions
    assert directions.shape == (24, 400)
    for start in range(0, 400, 24):
        block = directions[:, start : start + 24]
        np.testing.assert_allclose(block.T @ block, np.eye(block.shape[1]), atol=1e-5)
    of_queries, of_items = queries @ directions > 0, items @ directions > 0
    differ = (of_queries[:, None] != of_items[None]).sum(axis=2)
    expected = np.argsort(differ, axis=1, kind="stable")[:, :n]
    for found, wanted in zip(bits.among(queries, n), expected, strict=True):
        np.testing.assert_array_equal(np.sort(found), np.sort(wanted))


@pytest.mark.parametrize("block", [7, 2**14])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_bytes_are_within_half_a_step_of_the_codes(monkeypatch, block, metric):
    monkeypatch.setattr(_compact, "_ITEMS", block)
    rng = np.random.default_rng(0)
    items = unit(rng, 300).astype(np.float64)
    if metric == "euclidean":
        items = items * np.linspace(0.01, 100, 24) + 1e6
        items[:, 3] = 5  # constant
    queries = items[:5] + 0.1 * rng.standard_normal((5, 24))
    stand_ins = _compact.Int8(items, metric)
    steps = np.ptp(items, axis=0) / 254
    middle = (items.max(axis=0) + items.min(axis=0)) / 2
    restored = middle + stand_ins._numbers * steps
    assert (abs(restored - items) <= steps / 2 * (1 + 1e-6)).all()
    scores = queries @ restored.T
    if metric == "euclidean":
        scores = -((queries[:, None] - restored[None]) ** 2).sum(axis=2)
    for row, found in zip(scores, stand_ins.among(queries, 20), strict=True):
        # In float32 those may be exchanged that are almost equal.
        worst = np.sort(row)[-20]
        assert (row[found] >= worst - 1e-5 * np.ptp(row)).all()
        assert len(set(found.tolist())) == 20


@pytest.mark.parametrize("scale", [1e-322, 3e-321, 1e-300, 1, 1e14])
def test_distances_of_any_range(scale):
    rng = np.random.default_rng(0)
    items = rng.standard_normal((200, 5)) * scale
    made = retriever("int8", metric="euclidean").fit_index(items)
    found = made.search(np.vstack([items, [[1e15, 0, 0, 0, 0]]]))
    assert found.ids.shape == (201, 10)
    if scale >= 1e-300:
        np.testing.assert_array_equal(found.ids[:200, 0], np.arange(200))


def test_bits_tell_no_distances():
    made = retriever("binary", metric="euclidean")
    with pytest.raises(ValueError, match="bits represent directions but not lengths"):
        made.fit_index(np.eye(3))


def test_bounds_of_candidates():
    for given in (0, 1001, 2.0, True, "4", None):
        with pytest.raises(ValueError, match="oversampling must be an integer from 1"):
            retriever("int8", oversampling=given).fit_index(np.eye(3))


def test_codes_of_zeros_and_many_equal_ones():
    items = np.zeros((3000, 8))
    items[1000:, 0] = 1
    for backend in ("int8", "binary"):
        found = retriever(backend).fit_index(items).search(np.eye(8)[:1])
        np.testing.assert_array_equal(found.ids[0], np.arange(1000, 1010))


@pytest.mark.parametrize("backend", ["int8", "binary"])
@pytest.mark.parametrize("first", [300, 700])  # fewer and more than there are bits
def test_grown_indexes_find_what_those_made_at_once_find(backend, first):
    rng = np.random.default_rng(0)
    items, queries = unit(rng, 1500), unit(rng, 20)
    once = retriever(backend).fit_index(items)
    grown = retriever(backend).fit_index(items[:first])
    grown.add(items[first:1200]).add(items[1200:])
    for a, b in zip(grown.search(queries), once.search(queries), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pairs_by_stand_ins():
    rng = np.random.default_rng(0)
    Zx, Zy = unit(rng, 300), unit(rng, 200)
    exact = mutual_nearest_neighbors(Zx, Zy, 3)
    for a, b in zip(
        mutual_nearest_neighbors(Zx, Zy, 3, backend="int8"), exact, strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def stored(tmp_path):
    """File of an index of 20,000 codes, their ids, and queries."""
    rng = np.random.default_rng(0)
    items, ids = unit(rng, 60_000, 64), np.arange(60_000) + 7
    path = tmp_path / "index.npz"
    retriever("int8").fit_index(items, ids=ids).save_index(path)
    return path, items, items[:50] + unit(rng, 50, 64)


def test_codes_stay_on_disk(stored):
    path, items, queries = stored
    whole = retriever("exact").load_index(path)
    assert whole.backend == "exact"  # the index has its own
    tracemalloc.start()
    mapped = retriever("exact").load_index(path, mmap_mode="r")
    found = mapped.search(queries)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    codes = mapped._index.items.codes
    assert isinstance(codes.base, np.memmap)
    assert not codes.flags.writeable
    assert peak < items.nbytes  # of which a quarter are the stand-ins
    np.testing.assert_array_equal(found.ids, whole.search(queries).ids)
    np.testing.assert_array_equal(
        found.similarities, whole.search(queries).similarities
    )


def test_what_is_mapped_outlives_a_new_file_and_changes(stored):
    path, items, queries = stored
    made = retriever("exact").load_index(path, mmap_mode="r")
    expected = made.search(queries)
    copied = pickle.loads(pickle.dumps(made))
    retriever("int8").fit_index(items[:5]).save_index(path)
    for each in (made, copied):
        np.testing.assert_array_equal(each.search(queries).ids, expected.ids)
    made.save_index(path)
    again = retriever("exact").load_index(path, mmap_mode="r")
    again.add(queries, ids=range(10**6, 10**6 + 50)).remove([7]).replace(
        items[:1], ids=[8]
    )
    own = again.search(np.vstack([queries, items[:1]]), n_neighbors=1)
    assert own.ids[:, 0].tolist() == [*range(10**6, 10**6 + 50), 8]


def test_what_cannot_be_mapped(stored, tmp_path):
    path, items, queries = stored
    made = retriever("exact").load_index(path)
    expected = made.search(queries).ids
    other = tmp_path / "other.npz"
    retriever("exact").fit_index(items).save_index(other)
    with pytest.raises(ValueError, match="reads all codes for each query"):
        made.load_index(other, mmap_mode="r")
    with pytest.raises(ValueError, match="mmap_mode must be 'r' or None, got 'w'"):
        made.load_index(path, mmap_mode="w")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for codes in (items.astype(">f4"), np.asfortranarray(items)):
        np.savez(other, **(arrays | {"codes": codes}))
        made.load_index(other)
        with pytest.raises(ValueError, match="cannot be mapped, .* without mmap_mode"):
            made.load_index(other, mmap_mode="r")
    for codes, message in (
        (np.full_like(items, np.nan), "NaN or infinite"),
        (2 * items, "not of length one or zero"),
        (items[:0], "cannot be mapped"),
        (np.vstack([items, 2 * items]), "counted from row 57344"),
    ):
        np.savez(other, **(arrays | {"codes": codes}))
        with pytest.raises(ValueError, match=message):
            made.load_index(other, mmap_mode="r")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    other.write_bytes(content)
    with pytest.raises(ValueError, match="does not match its checksum"):
        made.load_index(other, mmap_mode="r")
    np.testing.assert_array_equal(made.search(queries).ids, expected)
