"""The file of an index: there and back, and what is refused."""

import json
import tracemalloc

import numpy as np
import pytest

from skcrl import CrossViewRetriever, LinearCCA
from skcrl.datasets import make_correlated_views


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(150, 6, 5, random_state=0)
    return X[:100], y[:100], X[100:], y[100:]


@pytest.fixture
def retriever(views):
    return CrossViewRetriever(LinearCCA(3), n_neighbors=4).fit(*views[:2])


IDS = {
    "none": None,
    "numbers": range(50),
    "words": [f"ä {i}" for i in range(50)],
    "odd words": ["", "\0", "a\0", "a", "\ud800", *map(str, range(45))],
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(views, tmp_path, ids, dtype):
    X, y, X_new, y_new = (view.astype(dtype) for view in views)
    retriever = CrossViewRetriever(LinearCCA(3), n_neighbors=4).fit(X, y)
    expected = retriever.fit_index(y=y_new, ids=ids).search(X_new)
    path = tmp_path / "no ending"
    retriever.save_index(path)
    assert retriever.fit(X, y).n_items_ == 0
    assert retriever.load_index(str(path)).n_items_ == 50
    found = retriever.search(X_new)
    np.testing.assert_array_equal(found.similarities, expected.similarities)
    np.testing.assert_array_equal(found.ids, expected.ids)
    assert found.similarities.dtype == dtype
    retriever.add(X_new[:1], ids=None if ids is None else [type(ids[0])(77)])
    assert retriever.n_items_ == 51


def test_the_file_holds_no_pickle_and_nothing_else_is_left(retriever, views, tmp_path):
    retriever.fit_index(views[2], ids=range(50)).save_index(tmp_path / "index.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["index.npz"]
    with np.load(tmp_path / "index.npz", allow_pickle=False) as file:
        assert set(file.files) == {"codes", "ids", "settings"}
        np.testing.assert_array_equal(file["codes"], retriever.encode(views[2]))


def test_a_file_is_whole_or_as_it_was(retriever, views, tmp_path, monkeypatch):
    path = tmp_path / "index.npz"
    retriever.fit_index(views[2]).save_index(path)
    before = path.read_bytes()

    def disk_full(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", disk_full)
    with pytest.raises(OSError, match="No space"):
        retriever.save_index(path)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["index.npz"]


def test_one_long_id_costs_its_own_length(retriever, views, tmp_path):
    retriever.fit_index(
        np.tile(views[2], (40, 1)), ids=["x" * 20_000, *map(str, range(1999))]
    )
    path = tmp_path / "index.npz"
    tracemalloc.start()
    retriever.save_index(path)
    retriever.load_index(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size < 200_000
    assert peak < 2e6  # 160 MB if all were as long
    assert retriever._index.items.ids[0] == "x" * 20_000


def test_a_link_is_followed(retriever, views, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path / "there" / "index.npz")
    retriever.fit_index(views[2])
    for _ in range(2):
        retriever.save_index(link)
        assert link.is_symlink()
        assert [path.name for path in (tmp_path / "there").iterdir()] == ["index.npz"]
    assert retriever.load_index(link).n_items_ == 50


def test_a_folder_is_no_file_to_write(retriever, views, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    retriever.fit_index(views[2])
    for path in (tmp_path, ""):
        with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
            retriever.save_index(path)
        with pytest.raises(IsADirectoryError):
            retriever.load_index(path)
    assert list(tmp_path.iterdir()) == []


def rewritten(path, save=np.savez, **changes):
    """Write the file with some arrays in place of its own."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    settings = json.loads(str(arrays["settings"])) | changes.pop("settings", {})
    save(path, **(arrays | {"settings": json.dumps(settings)} | changes))


def renamed(path, **changes):
    """Write the file with strings for ids, and other arrays of these."""
    words = {"id_bytes": np.full(50, 97, np.uint8), "id_ends": np.arange(1, 51)}
    rewritten(path, **(words | changes))


def one_array(path):
    with path.open("wb") as file:
        np.save(file, np.eye(3))


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[400] ^= 255
    path.write_bytes(content)


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file was run')",)


def pickled(path):
    np.savez(path, settings="{}", codes=np.array([Trap()], dtype=object))


def trapped(path):
    rewritten(path, codes=np.array([[Trap()]], dtype=object))


DAMAGE = {
    "cut off": (cut, "is damaged"),
    "a bit over": (flipped, "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "text": (lambda path: path.write_text("id,code"), "is damaged"),
    "an array": (one_array, "is damaged"),
    "other arrays": (lambda path: np.savez(path, a=np.eye(3)), "is damaged.*settings"),
    "pickles": (pickled, "is damaged"),
    "a pickle among the arrays": (
        trapped,
        "is damaged: its codes is of object, not of f4 or f8",
    ),
    "another format": (
        lambda path: rewritten(path, settings={"format": "x"}),
        "is damaged: its format is 'x'",
    ),
    "no codes": (
        lambda path: rewritten(path, codes=np.eye(0)),
        r"is damaged: It gave no codes: their shape is \(0, 0\)",
    ),
    "codes of no items": (
        lambda path: rewritten(path, codes=np.empty((0, 3)), ids=np.arange(0)),
        r"is damaged: It gave no codes: their shape is \(0, 3\)",
    ),
    "complex codes": (
        lambda path: rewritten(path, codes=np.eye(50, 3) * 1j),
        "is damaged: its codes is of complex128, not of f4 or f8",
    ),
    "codes of text": (
        lambda path: rewritten(path, codes=np.full((50, 3), "1")),
        "is damaged: its codes is of <U1, not of f4 or f8",
    ),
    "flat codes": (lambda path: rewritten(path, codes=np.ones(50)), "not a matrix"),
    "NaN": (
        lambda path: rewritten(path, codes=np.full((50, 3), np.nan)),
        "is damaged.*NaN",
    ),
    "long codes": (
        lambda path: rewritten(path, codes=np.ones((50, 3))),
        "codes are not of length one or zero",
    ),
    "short codes": (
        lambda path: rewritten(path, codes=0.998 * np.eye(50, 3)),
        "codes are not of length one or zero",
    ),
    "compressed": (
        lambda path: rewritten(path, np.savez_compressed),
        "is damaged: .*npy in it is compressed",
    ),
    "ids that run over": (
        lambda path: renamed(path, id_ends=np.arange(2, 52)),
        "is damaged: its strings do not end where they should",
    ),
    "ids that run backwards": (
        lambda path: renamed(path, id_ends=np.r_[1:49, 0, 50]),
        "is damaged: its strings do not end where they should",
    ),
    "ids that end in words": (
        lambda path: renamed(path, id_ends=np.full(50, "1")),
        "is damaged",
    ),
    "ids without ends": (
        lambda path: rewritten(path, id_bytes=np.zeros(50, np.uint8)),
        "is damaged: .*id_ends",
    ),
    "ids that are no text": (
        lambda path: renamed(path, id_bytes=np.full(50, 255, np.uint8)),
        "is damaged: 'utf-?8' codec",
    ),
    "equal words": (renamed, "is damaged: ids must differ, got 'a'"),
    "ids of others": (
        lambda path: rewritten(path, ids=np.arange(3)),
        "one entry for each of the 50 items",
    ),
    "equal ids": (lambda path: rewritten(path, ids=np.zeros(50, int)), "must differ"),
    "another width": (
        lambda path: rewritten(path, codes=np.eye(50, 4)),
        "codes of 4 components, but the codes of the estimator have 3",
    ),
    "newer": (
        lambda path: rewritten(path, settings={"version": 4}),
        "has version 4 of the format, but this skcrl reads versions up to 3: update",
    ),
    **{
        f"lost {lost}": (
            lambda path, lost=lost: rewritten(path, lost=np.array(lost)),
            "is damaged: its positions of items without a view are not in order",
        )
        for lost in ([3, 3], [4, 2], [-1], [51], [[1]], [2**62, 2**63 - 1])
    },
    "lost numbers": (
        lambda path: rewritten(path, lost=np.array([0.5])),
        "is damaged: its lost is of float64, not of i8",
    ),
    "ids of the items with codes alone": (
        lambda path: rewritten(path, lost=np.array([7])),
        "ids must have one entry for each of the 51 items",
    ),
    **{
        f"space {space}": (
            lambda path, space=space: rewritten(path, settings={"space": space}),
            "is damaged: its codes were made and compared by",
        )
        for space in (
            *(None, 3, {}, {"metric": "cosine"}, {"codes": [], "metric": "cosine"}),
            {"codes": "mean", "metric": "l1"},
            {"codes": "mean", "metric": "cosine", "more": 1},
        )
    },
    "codes beyond distances": (
        lambda path: rewritten(
            path,
            codes=np.full((50, 3), 1e16),
            settings={"space": {"codes": "mean", "metric": "euclidean"}},
        ),
        "is damaged: It gave codes with numbers up to",
    ),
    "another metric": (
        lambda path: rewritten(
            path, settings={"space": {"codes": "mean", "metric": "euclidean"}}
        ),
        "made with codes='mean' and metric='euclidean', but this retriever has",
    ),
    "no backend": (
        lambda path: rewritten(path, settings={"backend": "os"}),
        "backend must be one of .*, got 'os'",
    ),
    "other parameters": (
        lambda path: rewritten(path, settings={"params": {"M": 1}}),
        r"backend='exact' takes the backend_params \[\], got \['M'\]",
    ),
    **{
        f"version {version}": (
            lambda path, version=version: rewritten(
                path, settings={"version": version}
            ),
            f"is damaged: its version is {version!r}",
        )
        for version in (-3, 0, True, 0.5, 2.5, "1", None)
    },
    **{
        f"backend {backend}": (
            lambda path, backend=backend: rewritten(
                path, settings={"backend": backend}
            ),
            "is damaged: its backend is .* with the parameters {}",
        )
        for backend in (["exact"], {}, None, 3)
    },
    **{
        f"parameters {params}": (
            lambda path, params=params: rewritten(path, settings={"params": params}),
            "is damaged: its backend is 'exact' with the parameters",
        )
        for params in (3, [], [["a", 1]], "M", None)
    },
}


@pytest.mark.parametrize("case", DAMAGE)
def test_broken_files_are_named_and_change_nothing(retriever, views, tmp_path, case):
    damage, message = DAMAGE[case]
    path = tmp_path / "index.npz"
    retriever.fit_index(views[2], ids=range(50)).save_index(path)
    expected = retriever.add(views[2][:1], ids=[99]).search(views[2])
    damage(path)
    with pytest.raises(ValueError, match=message):
        retriever.load_index(path)
    assert retriever.n_items_ == 51
    np.testing.assert_array_equal(retriever.search(views[2]).ids, expected.ids)


def test_a_file_that_is_not_there(retriever, tmp_path):
    with pytest.raises(FileNotFoundError):
        retriever.load_index(tmp_path / "index.npz")
