"""Searches of other packages behind the same call."""

import importlib.util
import subprocess
import sys

import joblib
import numpy as np
import pytest
from given import Given

from skcrl import CrossViewRetriever, LinearCCA
from skcrl.datasets import make_correlated_views

# Modules, and parameters with which a search over few items misses none.
THOROUGH = {
    "faiss": ("faiss", {"factory": "HNSW32", "search": "efSearch=400"}),
    "hnswlib": (
        "hnswlib",
        {"M": 24, "ef_construction": 300, "ef": 400},
    ),
    "usearch": (
        "usearch.index",
        {"expansion_add": 400, "expansion_search": 400},
    ),
}


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(
        600, 8, 7, correlations=(0.99, 0.97, 0.9, 0.3), random_state=0
    )
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture(params=THOROUGH)
def backend(request):
    pytest.importorskip(THOROUGH[request.param][0])
    return request.param


def retriever(views, backend, **parameters):
    return CrossViewRetriever(
        LinearCCA(4), n_neighbors=7, backend=backend, **{"n_jobs": 1, **parameters}
    ).fit(*views[:2])


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_thorough_search_is_the_exact_one(views, backend):
    exact = retriever(views, "exact").fit_index(y=views[3])
    other = retriever(views, backend, backend_params=THOROUGH[backend][1])
    other.fit_index(y=views[3])
    assert_same(other.kneighbors(views[2]), exact.kneighbors(views[2]))
    assert_same(other.kneighbors(views[2][:1]), exact.kneighbors(views[2][:1]))
    assert_same(
        other.kneighbors(views[2], n_neighbors=300),
        exact.kneighbors(views[2], n_neighbors=300),
    )


def test_distances_far_from_zero(rng, backend):
    codes = 1e9 + rng.standard_normal((300, 4))
    nearest = CrossViewRetriever(
        Given(),
        metric="euclidean",
        backend=backend,
        backend_params=THOROUGH[backend][1],
        n_jobs=1,
    ).fit(codes, codes)
    nearest.fit_index(codes[:200]).add(codes[200:])
    queries = codes + 1e-3
    found = nearest.kneighbors(queries, n_neighbors=1)
    gaps = np.linalg.norm(queries[:, None] - codes[None], axis=2)
    np.testing.assert_array_equal(found[1][:, 0], gaps.argmin(axis=1))
    np.testing.assert_allclose(found[0][:, 0], gaps.min(axis=1))


def test_defaults_find_nearly_all(views, backend):
    exact = retriever(views, "exact").fit_index(y=views[3]).search(views[2])
    found = retriever(views, backend).fit_index(y=views[3]).search(views[2])
    shared = [len(set(a) & set(b)) for a, b in zip(found.ids, exact.ids, strict=True)]
    assert np.mean(shared) > 0.95 * 7
    assert (np.diff(found.similarities, axis=1) <= 0).all()


def test_items_are_added(views, backend):
    exact = retriever(views, "exact").fit_index(y=views[3])
    other = retriever(views, backend, backend_params=THOROUGH[backend][1])
    names = [f"item {i}" for i in range(300)]
    other.fit_index(y=views[3][:200], ids=names[:200])
    other.add(y=views[3][200:201], ids=names[200:201])
    other.add(y=views[3][201:], ids=names[201:])
    assert_same(other.kneighbors(views[2]), exact.kneighbors(views[2]))
    assert other.search(views[2]).ids[0, 0] == names[exact.search(views[2]).ids[0, 0]]


def test_precision_is_that_of_the_codes(views, backend):
    X, y, X_new, y_new = (view.astype(np.float32) for view in views)
    found = retriever((X, y), backend).fit_index(y=y_new).search(X_new)
    assert found.similarities.dtype == np.float32


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_goes_to_a_file_and_back(views, backend, mmap_mode, tmp_path):
    views = [view.astype(np.float32) for view in views]
    params = THOROUGH[backend][1]
    other = retriever(views, backend, backend_params=params).fit_index(y=views[3])
    other.save_index(tmp_path / "index.npz")
    loaded = retriever(views, "exact")
    loaded.load_index(tmp_path / "index.npz", mmap_mode=mmap_mode)
    assert (loaded._index.backend, loaded._index.params) == (backend, params)
    assert_same(loaded.kneighbors(views[2]), other.kneighbors(views[2]))


def test_faiss_trains_on_the_first_items(views):
    pytest.importorskip("faiss")
    params = {"factory": "IVF4,Flat", "search": "nprobe=4"}
    other = retriever(views, "faiss", backend_params=params)
    other.fit_index(y=views[3][:200]).add(y=views[3][200:])
    exact = retriever(views, "exact").fit_index(y=views[3])
    assert_same(other.kneighbors(views[2]), exact.kneighbors(views[2]))


def test_wide_codes_may_have_more_links(backend):
    codes = np.random.default_rng(0).standard_normal((60, 20))
    name, value = {
        "faiss": ("factory", "HNSW{}"),
        "hnswlib": ("M", "{}"),
        "usearch": ("connectivity", "{}"),
    }[backend]
    other = CrossViewRetriever(Given(), backend=backend).fit(codes, codes)
    for n_links in (80, 81):
        value_of = value.format(n_links)
        params = {name: value_of if backend == "faiss" else int(value_of)}
        other.set_params(backend_params=params)
        if n_links == 81:
            with pytest.raises(ValueError, match="an integer from 2 to 80, got 81"):
                other.fit_index(codes)
        else:
            assert other.fit_index(codes).n_items_ == 60


def test_faiss_learns_no_polysemous_codes_and_no_more_than_it_is_given():
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((600, 8))
    other = CrossViewRetriever(Given(), backend="faiss").fit(codes, codes)
    for factory in ("PQ4", "PQ4x6", "IVF4,PQ4", "OPQ4_4,PQ4x4", "PQ4x4fs", "PQ4np"):
        other.set_params(backend_params={"factory": factory}).fit_index(codes)
        index = faiss.downcast_index(other._index.items.search._index)
        if isinstance(index, faiss.IndexPQ):
            assert not index.do_polysemous_training
        assert other.search(codes[:5], n_neighbors=3).ids.shape == (5, 3)
    few = codes[:7]
    for factory, fewest in (("OPQ4_4,Flat", 8), ("PCA4,Flat", 8), ("RR8,Flat", 8)):
        other.set_params(backend_params={"factory": factory})
        with pytest.raises(ValueError, match=f"needs {fewest} items or more .* got 7"):
            other.fit_index(few)


def test_a_search_that_finds_too_few_says_so(views):
    pytest.importorskip("faiss")
    params = {"factory": "IVF50,Flat", "search": "nprobe=1"}
    other = retriever(views, "faiss", backend_params=params).fit_index(y=views[3])
    with pytest.raises(
        ValueError, match="Faiss found fewer than n_neighbors=100 .*ask"
    ):
        other.kneighbors(views[2], n_neighbors=100)
    assert other.kneighbors(views[2], n_neighbors=1)[1].shape == (300, 1)


BAD_PARAMETERS = {
    "faiss": [
        ({"factory": "HNWS"}, "could not parse"),
        ({"search": "efSearch=9"}, "could not set parameter"),
        ({"factory": "IVF65,Flat"}, "lists in 'IVF65' .* 1 to 64, got 65"),
        ({"factory": "HNSW33"}, "links in 'HNSW33' of factory .* 2 to 32, got 33"),
        ({"factory": "PCA1000000,Flat"}, "components in 'PCA1000000' .* 1 to 256"),
        ({"factory": "PQ2x9"}, "bits in 'PQ2x9' .* 1 to 8, got 9"),
        ({"factory": "PQ2"}, "'PQ2' of factory needs 256 items or more .* got 100"),
        ({"factory": "PQ0"}, "components in 'PQ0' .* 1 to 256, got 0"),
        ({"factory": "HNSW8_PQ2x4"}, "puts PQ behind HNSW, .* IVF before PQ"),
        ({"factory": "Flat" + ",RFlat" * 6}, "at most 6 parts, got 7"),
        ({"factory": 3}, "factory must be a string, got 3"),
        (
            {"factory": "HNSW8", "search": "efSearch=1000000000"},
            "efSearch of search must be an integer from 1 to 10000, got 1000000000",
        ),
        ({"factory": "PQ2x4", "search": "ht=1"}, "could not parse 'ht=1' of search"),
        ({"factory": "HNSW8", "search": "efSearch=1e9"}, "could not parse 'efSearch"),
    ],
    "hnswlib": [
        ({"M": "many"}, "M must be an integer from 2 to 32, got 'many'"),
        ({"M": 1}, "M must be an integer from 2 to 32, got 1"),
        ({"M": True}, "M must be an integer from 2 to 32, got True"),
        ({"M": 10**6}, "M must be an integer from 2 to 32, got 1000000"),
        ({"ef": 10**9}, "ef must be an integer from 1 to 10000"),
        ({"ef_construction": 0}, "ef_construction must be an integer from 1 to 1000"),
        ({"random_seed": -1}, "random_seed must be an integer from 0 to 4294967295"),
    ],
    "usearch": [
        ({"connectivity": "a"}, "connectivity must be an integer from 2 to 32"),
        ({"connectivity": 129}, "connectivity must be an integer .* got 129"),
        ({"expansion_add": 10**6}, "expansion_add must be an integer from 1 to 1000,"),
        ({"expansion_search": 0.5}, "expansion_search must be an integer .* got 0.5"),
        ({"dtype": "f3"}, "dtype must be one of .*, got 'f3'"),
    ],
}


def test_bad_parameters_are_named(views, backend):
    other = retriever(views, "exact").fit_index(y=views[3])
    cases = [
        ({"ef_serch": 3}, f"backend='{backend}' takes the backend_params .*ef_serch")
    ]
    cases += [
        (params, f"{backend} refuses backend_params=.*(?s:{message})")
        for params, message in BAD_PARAMETERS[backend]
    ]
    for params, message in cases:
        other.set_params(backend=backend, backend_params=params)
        with pytest.raises(ValueError, match=message):
            other.fit_index(y=views[3][:100])
        assert other.n_items_ == 300


@pytest.mark.parametrize(
    ("name", "install"),
    [("faiss", "faiss-cpu"), ("hnswlib", "hnswlib"), ("usearch", "usearch")],
)
def test_a_package_that_is_not_there(views, monkeypatch, name, install):
    monkeypatch.setitem(sys.modules, THOROUGH[name][0], None)
    other = retriever(views, "exact").fit_index(y=views[3]).set_params(backend=name)
    with pytest.raises(ImportError, match=f"backend='{name}' .*pip install {install}$"):
        other.fit_index(y=views[3])
    assert other.kneighbors(views[2])[1].shape == (300, 7)


def test_an_addition_broken_off_leaves_the_index_as_it_was(views, backend, monkeypatch):
    other = retriever(views, backend, backend_params=THOROUGH[backend][1])
    expected = other.fit_index(y=views[3]).kneighbors(views[2])

    kind = type(other._index.items.search)
    grown = kind.grown

    def broken_off(*args):
        grown(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "grown", broken_off)
    with pytest.raises(KeyboardInterrupt):
        other.add(y=views[1])
    assert other.n_items_ == 300
    assert_same(other.kneighbors(views[2]), expected)


def test_pickled_whole_to_another_process(views, tmp_path):
    # Which imports faiss before torch, where this one does it after: each brings an
    # OpenMP runtime of its own.
    retrievers = [retriever(views, "exact")]
    retrievers += [
        retriever(views, name, backend_params=params)
        for name, (module, params) in THOROUGH.items()
        if importlib.util.find_spec(module.partition(".")[0])
    ]
    for each in retrievers:
        each.fit_index(y=views[3][:250]).add(y=views[3][250:])
    joblib.dump((retrievers, views), tmp_path / "retrievers.joblib")
    code = f"""
import joblib
retrievers, views = joblib.load(r"{tmp_path / "retrievers.joblib"}")
found = [each.kneighbors(views[2]) for each in retrievers]
import torch
torch.ones(500, 500) @ torch.ones(500, 500)
n_items = [each.add(y=views[1]).n_items_ for each in retrievers]
joblib.dump((found, n_items), r"{tmp_path / "found.joblib"}")
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert run.stderr == ""
    found, n_items = joblib.load(tmp_path / "found.joblib")
    for each, expected in zip(found, retrievers, strict=True):
        assert_same(each, expected.kneighbors(views[2]))
    assert n_items == [600] * len(retrievers)
