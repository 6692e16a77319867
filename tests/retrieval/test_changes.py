"""Items that go or are replaced, against an index made of what should be left."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from given import Given
from sklearn.exceptions import NotFittedError

from skcrl import CrossViewRetriever

MODULES = {
    "exact": "sklearn",
    "int8": "numpy",
    "binary": "numpy",
    "faiss": "faiss",
    "hnswlib": "hnswlib",
    "usearch": "usearch.index",
}


def unit(rng, n, gaps=0.0):
    Z = rng.standard_normal((n, 8))
    Z /= np.linalg.norm(Z, axis=1, keepdims=True)
    Z[rng.random(n) < gaps] = np.nan
    return Z


def retriever(backend="exact", n_neighbors=5):
    made = CrossViewRetriever(
        Given(), n_neighbors=n_neighbors, backend=backend, n_jobs=1
    )
    return made.fit(np.eye(8), np.eye(8))


def assert_same(made, rows, ids, queries):
    """Whether it finds what an index of these rows finds, items without views too."""
    expected = retriever(n_neighbors=len(rows)).fit_index(rows, ids=ids)
    found = made.search(queries, n_neighbors=len(rows))
    wanted = expected.search(queries)
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_allclose(found.similarities, wanted.similarities, atol=1e-12)


NAMES = {
    "none": lambda n: None,
    "numbers": lambda n: np.arange(n) * 3 + 7,
    "words": lambda n: [f"item {i}" for i in range(n)],
}


@pytest.mark.parametrize("kind", NAMES)
def test_any_changes_leave_what_should_be_left(kind):
    rng = np.random.default_rng(0)
    queries = unit(rng, 5)
    for _ in range(15):
        rows = unit(rng, 40, gaps=0.3)
        ids = NAMES[kind](40)
        made = retriever().fit_index(rows, ids=ids)
        ids = None if ids is None else np.array(ids, dtype=object)
        for _ in range(4):
            some = rng.permutation(len(rows))[: rng.integers(1, 6)]
            named = some if ids is None else ids[some]
            if rng.random() < 0.5:
                made.remove(named)
                rows = np.delete(rows, some, axis=0)
                ids = None if ids is None else np.delete(ids, some)
            else:
                rows[some] = unit(rng, len(some), gaps=0.3)
                made.replace(rows[some], ids=named)
            assert_same(made, rows, ids, queries)


@pytest.mark.parametrize("backend", MODULES)
def test_every_backend_forgets_and_learns_anew(backend):
    pytest.importorskip(MODULES[backend])
    rng = np.random.default_rng(0)
    rows, new = unit(rng, 60), unit(rng, 3)
    made = retriever(backend).fit_index(rows).remove([0, 7, 59])
    left = np.delete(rows, [0, 7, 59], axis=0)
    assert_same(made, left, None, rows[[0, 7]])
    left[[4, 2, 50]] = new
    assert_same(made.replace(new, ids=[4, 2, 50]), left, None, new)


def test_an_index_that_was_loaded_changes_too(tmp_path):
    rows = unit(np.random.default_rng(0), 20)
    retriever().fit_index(rows).save_index(tmp_path / "index.npz")
    made = retriever().load_index(tmp_path / "index.npz").remove([3])
    assert_same(made, np.delete(rows, 3, axis=0), None, rows[:3])


def test_nothing_to_remove_and_a_file_after_changes(tmp_path):
    rows = unit(np.random.default_rng(0), 20)
    made = retriever().fit_index(rows, ids=np.arange(20) + 5)
    assert_same(made.remove([]), rows, np.arange(20) + 5, rows[:3])
    made.remove([5, 9]).save_index(tmp_path / "index.npz")
    left = np.delete(np.arange(20), [0, 4])
    again = retriever().load_index(tmp_path / "index.npz")
    assert_same(again, rows[left], left + 5, rows[:3])


def test_a_view_that_is_not_given_is_gone():
    rng = np.random.default_rng(0)
    X, y = unit(rng, 6), unit(rng, 6)
    made = retriever(n_neighbors=1).fit_index(X, y)
    before = made.search(y).similarities[2, 0]
    after = made.replace(y=y[[2]], ids=[2]).search(y).similarities[2, 0]
    assert before < after == pytest.approx(1)


REFUSED = {
    "a number": (None, lambda made: made.remove([3, 20]), "1 of the ids are not .* 20"),
    "from the end": (None, lambda made: made.remove([-1]), "are not in the index.* -1"),
    "a word": ("words", lambda made: made.remove(["item 3", "b"]), "first is 'b'"),
    "twice": (None, lambda made: made.remove([3, 3]), "ids must differ, got 3 more"),
    "words for numbers": (
        None,
        lambda made: made.remove(["3"]),
        "have no ids of their own, but got '3': pass their positions, from 0 to 19",
    ),
    "numbers for words": (
        "words",
        lambda made: made.remove([3]),
        "have strings as ids, but got 3: pass strings",
    ),
    "words for other numbers": (
        "numbers",
        lambda made: made.remove(["3"]),
        "have integers as ids, but got '3': pass integers",
    ),
    "a mask": (None, lambda made: made.remove([True, False]), "all strings or all int"),
    "one": ("words", lambda made: made.remove("item 3"), "put a single id into a list"),
    "all": (None, lambda made: made.remove(range(20)), "No item with a view would be"),
    "no ids": (None, lambda made: made.replace(np.eye(8)), "name the items to replace"),
    "fewer ids": (
        None,
        lambda made: made.replace(np.eye(8), ids=[3]),
        "each of the 8 items to replace, got 1",
    ),
    "replaced that are not there": (
        None,
        lambda made: made.replace(np.eye(8)[:2], ids=[3, 77]),
        "are not in the index, the first is 77",
    ),
    "another width": (
        None,
        lambda made: made.replace(np.eye(7)[:1], ids=[3]),
        "Codes have 7 components, but the codes in the index have 8",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_changed_is_named_and_changes_nothing(case):
    kind, change, message = REFUSED[case]
    rows = unit(np.random.default_rng(0), 20)
    ids = NAMES[kind](20) if kind else None
    made = retriever().fit_index(rows, ids=ids)
    items = made._index.items
    with pytest.raises(ValueError, match=message):
        change(made)
    assert made._index.items is items
    assert_same(made, rows, ids, rows[:3])


def test_the_last_view_is_not_replaced_by_none():
    rows = np.full((3, 8), np.nan)
    rows[1] = np.eye(8)[0]
    made = retriever(n_neighbors=3).fit_index(rows)
    with pytest.raises(ValueError, match="No item with a view would be left"):
        made.replace(rows[:1], ids=[1])
    assert_same(made.replace(np.eye(8)[1:2], ids=[0]).remove([1]), np.vstack(
        [np.eye(8)[1], rows[2]]), None, np.eye(8)[:2])  # fmt: skip


def test_before_there_are_items():
    with pytest.raises(NotFittedError, match="call fit_index first"):
        retriever().remove([0])
    with pytest.raises(NotFittedError, match="call fit_index first"):
        retriever().replace(np.eye(8), ids=range(8))


@pytest.mark.parametrize("backend", MODULES)
def test_searches_meanwhile_are_of_some_state(backend):
    pytest.importorskip(MODULES[backend])
    rng = np.random.default_rng(0)
    # Of each item an even number stands for the old code, an odd one for the new code.
    codes = unit(rng, 200)
    made = retriever(backend).fit_index(codes[::2], ids=np.arange(100))
    done = Event()

    def change(start):
        for item in range(start, 100, 10):
            made.replace(codes[[2 * item + 1]], ids=[item])
            if item >= 50:
                made.remove([item])

    def search():
        while not done.is_set():
            found = made.search(codes[::20])
            cosines = np.einsum("ij,ikj->ik", codes[::20], codes[2 * found.ids])
            anew = np.einsum("ij,ikj->ik", codes[::20], codes[2 * found.ids + 1])
            is_old = abs(found.similarities - cosines) < 1e-6
            assert (is_old | (abs(found.similarities - anew) < 1e-6)).all()

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(2)]
        changes = [pool.submit(change, start) for start in range(2)]
        try:
            for each in changes:
                each.result()
        finally:
            done.set()
        for each in searches:
            each.result()
    assert made.n_items_ == 90
    own = made.search(codes[1:40:20], n_neighbors=1).ids[:, 0]
    np.testing.assert_array_equal(own, [0, 10])
