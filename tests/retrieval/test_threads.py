"""Search from several threads while others add, and what breaks off an addition."""

import pickle
import signal
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from threading import Event

import numpy as np
import pytest
import sklearn
from given import Given

from skcrl import CrossViewRetriever

MODULES = {
    "exact": "sklearn",
    "int8": "numpy",
    "binary": "numpy",
    "faiss": "faiss",
    "hnswlib": "hnswlib",
    "usearch": "usearch.index",
}
PARAMS = {"faiss": {"factory": "HNSW16"}}


@pytest.fixture(params=MODULES)
def backend(request):
    pytest.importorskip(MODULES[request.param])
    return request.param


def unit(rng, n):
    Z = rng.standard_normal((n, 8))
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def retriever(backend, codes, **kwargs):
    made = CrossViewRetriever(
        Given(),
        n_neighbors=5,
        backend=backend,
        backend_params=PARAMS.get(backend),
        n_jobs=1,
    )
    return made.fit(codes, codes).fit_index(codes, **kwargs)


def searched_while_added(backend, seed, n_searchers, n_adds, n_each=20):
    """Add from two threads, search from others; raise for an answer of no state."""
    rng = np.random.default_rng(seed)
    codes = unit(rng, n_each * (n_adds + 2))
    names = np.arange(len(codes)) * 3 + 7  # no positions
    first = 2 * n_each
    made = retriever(backend, codes[:first], ids=names[:first])
    done = Event()

    def add(starts):
        for start in starts:
            part = slice(start, start + n_each)
            made.add(codes[part], ids=names[part])

    def search(seed):
        queries = unit(np.random.default_rng(seed), 4)
        n = 0
        while not done.is_set() or n == 0:
            # One that is larger at once: what is asked for must not be set for others.
            k = 5 if n % 2 else min(30, made.n_items_)
            found = made.search(queries, n_neighbors=k)
            positions = (found.ids - 7) // 3
            cosines = np.einsum("ij,ikj->ik", queries, codes[positions])
            np.testing.assert_allclose(found.similarities, cosines, atol=1e-6)
            assert all(len(set(row)) == k for row in found.ids.tolist())
            # Batches are there as a whole, so an exact search finds what they hold.
            made.kneighbors(queries)
            n += 1
        return n

    starts = range(first, len(codes), n_each)
    with ThreadPoolExecutor(n_searchers + 2) as pool:
        searches = [pool.submit(search, i) for i in range(n_searchers)]
        adds = [pool.submit(add, starts[i::2]) for i in range(2)]
        try:
            for each in adds:
                each.result()
        finally:
            done.set()
        n_searches = sum(each.result() for each in searches)
    assert made.n_items_ == len(codes)
    own = made.search(codes, n_neighbors=1)
    assert np.mean(own.ids[:, 0] == names) > 0.99
    if backend == "exact":
        np.testing.assert_array_equal(own.ids[:, 0], names)
    assert sorted(made._index.items.ids) == sorted(names)
    return n_searches


def test_nothing_is_lost_and_each_answer_is_of_some_state(backend):
    for seed in range(2):
        searched_while_added(backend, seed, n_searchers=4, n_adds=6)


def test_a_state_stays_as_it_was(backend):
    codes = unit(np.random.default_rng(0), 120)
    made = retriever(backend, codes[:100])
    before = made._index.items
    expected = before.nearest(codes, 5, 1)
    made.add(codes[100:])
    for found, wanted in zip(before.nearest(codes, 5, 1), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert (len(before), made.n_items_) == (100, 120)
    assert made.kneighbors(codes[110:111], n_neighbors=1)[1] == 110


def test_copies_are_independent(backend):
    codes = unit(np.random.default_rng(0), 60)
    made = retriever(backend, codes[:50])
    for copied in (deepcopy(made), pickle.loads(pickle.dumps(made))):
        copied.add(codes[50:])
        assert (made.n_items_, copied.n_items_) == (50, 60)
        assert copied.kneighbors(codes[55:56], n_neighbors=1)[1] == 55


def test_many_small_additions_are_found(backend):
    codes = unit(np.random.default_rng(1), 200)
    made = retriever(backend, codes[:20])
    for i in range(20, 200):
        made.add(codes[i : i + 1])
    own = made.kneighbors(codes, n_neighbors=1)[1][:, 0]
    assert np.mean(own == np.arange(200)) > 0.98


def interrupted(call):
    """Call while a signal, as Ctrl-C is one, comes soon."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    settings = sklearn.get_config()

    def call_and_wait():
        call()
        signal.pause()  # it was done before the signal

    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            call_and_wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        # The signal may come while scikit-learn puts its settings back.
        sklearn.set_config(**settings)


def test_interrupts_stay_interrupts(backend):
    codes = unit(np.random.default_rng(0), 3000)
    made = retriever(backend, codes[:50])
    interrupted(lambda: made.search(np.tile(codes, (5, 1))))
    interrupted(lambda: made.add(codes))
    interrupted(lambda: made.fit_index(codes))
    # An addition is there as a whole, if it was done before the signal, or not at all.
    assert made.n_items_ in (50, 3000, 3050)
    assert made.search(codes[:1]).similarities[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("backend", ["hnswlib", "usearch"], indirect=True)
def test_n_jobs_is_that_of_the_call(backend, monkeypatch):
    codes = unit(np.random.default_rng(0), 60)
    made = retriever(backend, codes[:50])
    kind = type(made._index.items.search)
    used = []
    propose, grown = kind._propose, kind.grown
    monkeypatch.setattr(
        kind, "_propose", lambda s, q, k, n: used.append(n) or propose(s, q, k, n)
    )
    monkeypatch.setattr(kind, "grown", lambda s, c, n: used.append(n) or grown(s, c, n))
    for n_jobs, expected in ((2, 2), (None, 0)):
        made.set_params(n_jobs=n_jobs).add(codes[50:])
        made.search(codes)
        assert used == [expected] * 2
        used.clear()
    made.set_params(n_jobs="many")
    with pytest.raises(ValueError, match="'n_jobs' parameter .* Got 'many'"):
        made.search(codes)
    with pytest.raises(ValueError, match="takes the backend_params"):
        made.set_params(n_jobs=1, backend_params={"threads": 1}).fit_index(codes)
