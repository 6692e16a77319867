"""Files of an index that were edited, and a process that loads and searches them.

``python tests/retrieval/edited_files.py FOLDER`` prints what came of them, as JSON.
"""

import json
import resource
import struct
import sys
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from given import Given

from skcrl import CrossViewRetriever

PARAMS = {
    "exact": {},
    "int8": {"oversampling": 2},
    "binary": {"oversampling": 9},
    "faiss": {"factory": "HNSW8", "search": "efSearch=32"},
    "hnswlib": {"M": 8, "ef_construction": 40, "ef": 32, "random_seed": 1},
    "usearch": {"connectivity": 8, "expansion_add": 40, "dtype": "f32"},
}
CORRECTION = {"hubness": "bank", "hubness_params": {"n_neighbors": 3, "weight": 0.5}}
_VALUES = (
    *(None, True, -1, 0, 1, 3, 10**4, 10**9, 2**64, 1e308, "x", "", [], {}, [[]]),
    *("IVF1000000000,Flat", "IVF4,Flat", "HNSW100000", "PQ2x30", "PQ0", "PCA1,Flat"),
    *("PCA900,Flat", "SQ8", "efSearch=1000000000", "nprobe=4", "b1", "f16", "i8"),
    *("exact", "faiss", "hnswlib", "usearch", "os", "x" * 10**5, "(" * 1000),
    *("int8", "binary"),
)
_DESCRIPTIONS = (
    *("<f4", "<f8", ">f8", "<f2", "<f16", "<c16", "|O", "<i8", ">i8", "|u1", "<U9"),
    *("<U999999999", "|V8", [("a", "<f8")], "|b1", "<M8[s]", "|S3"),
)


def views(n=60):
    Z = np.random.default_rng(0).standard_normal((n, 6))
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def whole_files(folder, backends):
    """Contents of files of each of the backends, with ids of each kind."""
    path = Path(folder) / "whole.npz"
    contents = []
    ids = [None, range(60), [f"item {i}" for i in range(60)]]
    for i, backend in enumerate([*backends, "exact"]):
        made = CrossViewRetriever(
            Given(), backend=backend, backend_params=PARAMS[backend], n_jobs=1
        )
        if i == len(backends):
            made.set_params(**CORRECTION)
        made.fit(views(), views())
        rows = views()
        rows[[7, 40]] = np.nan  # of items without a view
        made.fit_index(rows if i % 2 else views(), ids=ids[i % 3]).save_index(path)
        contents.append(path.read_bytes())
    return contents


def edited(rng, contents):
    """One of the contents with something else in it."""
    content = contents[rng.integers(len(contents))]
    edit = rng.choice([_bytes, _cut, _settings, _settings, _header, _header, _members])
    return edit(rng, content)


def _bytes(rng, content):
    content = bytearray(content)
    for at in rng.integers(len(content), size=rng.integers(1, 4)):
        content[at] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _cut(rng, content):
    return content[: rng.integers(len(content))] + rng.bytes(rng.integers(40))


def _settings(rng, content):
    members = _read(content)
    settings = json.loads(str(np.load(BytesIO(members["settings.npy"]))))
    places = [settings["params"], settings.get("space", {}).get("hubness", settings)]
    place = places[rng.integers(2)] if rng.random() < 0.8 else settings
    names = [*place, "M", "ef", "dtype", "factory", "search", "threads", "num_threads"]
    place[str(rng.choice(names))] = _VALUES[rng.integers(len(_VALUES))]
    text = json.dumps(settings)
    if rng.random() < 0.1:
        text = "[" + "[]," * int(10 ** rng.uniform(1, 5)) + "[]]"
    members["settings.npy"] = _npy(np.array(text))
    return _zipped(members.items())


def _header(rng, content):
    """Let an array say that it is of another type, shape or order."""
    members = _read(content)
    name = str(rng.choice(list(members)))
    array = np.load(BytesIO(members[name]))
    shapes = [array.shape, array.shape[::-1], (), (0,), (0, 6), (10**12,), (2**63, 2)]
    shapes += [(-1, -array.size), (1,) * 70, (10**6, 10**6), (array.nbytes // 8,)]
    header = {
        "descr": _DESCRIPTIONS[rng.integers(len(_DESCRIPTIONS))],
        "fortran_order": bool(rng.integers(2)),
        "shape": shapes[rng.integers(len(shapes))],
    }
    if rng.random() < 0.6:
        header["descr"] = array.dtype.str
    text = repr(header).encode().ljust(117) + b"\n"
    head = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    members[name] = head + array.tobytes()
    return _zipped(members.items())


def _members(rng, content):
    """Leave out, repeat, rename, exchange, compress or overlap members."""
    items = list(_read(content).items())
    at, other = rng.integers(len(items), size=2)
    kind = rng.integers(6)
    if kind == 0:
        del items[at]
    elif kind == 1:
        items += [items[at]] * int(rng.integers(1, 300))
    elif kind == 2:
        items[at] = str(rng.choice(["../x.npy", "x", "é.npy"])), items[at][1]
    elif kind == 3:
        items[at] = items[at][0], items[other][1]
    elif kind == 4:
        zeros = _npy(np.zeros((10**6, 6)))
        items = [("settings.npy", items[0][1]), ("codes.npy", zeros)]
        return _zipped(items, zipfile.ZIP_DEFLATED)
    whole = bytearray(_zipped(items))
    if kind == 5:  # sizes and places of members, with the right signatures
        spots = [i for i in range(len(whole)) if whole[i : i + 2] == b"PK"]
        spot = spots[rng.integers(len(spots))] + int(rng.integers(4, 46))
        whole[spot : spot + 4] = rng.bytes(4)
    return bytes(whole)


def _read(content):
    with zipfile.ZipFile(BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _npy(array):
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _zipped(items, method=zipfile.ZIP_STORED):
    """As ``numpy.savez`` does it, whatever the names are."""
    if method != zipfile.ZIP_STORED:
        stream = BytesIO()
        with zipfile.ZipFile(stream, "w", method) as file:
            for name, content in items:
                file.writestr(name, content)
        return stream.getvalue()
    body, directory = b"", b""
    for name, content in items:
        name = name.encode()
        common = struct.pack(
            "<5H3I2H",
            *(20, 0, 0, 0, 0, zlib.crc32(content)),
            *(len(content), len(content), len(name), 0),
        )
        directory += (
            b"PK\1\2\x14\0" + common + struct.pack("<3H2I", 0, 0, 0, 0, len(body))
        )
        directory += name
        body += b"PK\3\4" + common + name + content
    count = len(items)
    sizes = (0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + struct.pack("<4H2IH", *sizes)


def outcome(made, path, mmap_mode=None):
    """What comes of loading a file and searching in it, in a word or an error.

    One of those that are made takes it, or none.
    """
    made, *others = made
    try:
        made.load_index(path, mmap_mode=mmap_mode)
    except ValueError as error:
        if others:
            return outcome(others, path, mmap_mode)
        return "refused" if str(error).startswith(f"{path} ") else repr(error)
    except ImportError as error:  # of a backend that the edit named
        return "refused" if "pip install" in str(error) else repr(error)
    try:
        made.search(views(5), n_neighbors=1)
    except ValueError as error:
        known = ("found fewer than", "but the codes in the index")
        return "narrow" if any(k in str(error) for k in known) else repr(error)
    return "searched"


def write(folder, seed, n, backends):
    """Write `n` edited files, and those that they were made of, which are whole."""
    contents = whole_files(folder, backends)
    rng = np.random.default_rng(seed)
    for i, content in enumerate(contents):
        (Path(folder) / f"0-whole-{i}.npz").write_bytes(content)
    for i in range(n):
        (Path(folder) / f"edited-{i:05}.npz").write_bytes(edited(rng, contents))


def main(folder):
    """Load and search the files of a folder, and print what came of it."""
    plain = CrossViewRetriever(Given(), n_jobs=1).fit(views(), views())
    corrected = CrossViewRetriever(Given(), n_jobs=1, **CORRECTION)
    made = [plain, corrected.fit(views(), views())]
    counts, largest, modules, before = {}, 0, set(), 0
    for path in sorted(Path(folder).glob("*-*.npz")):
        if path.name.startswith("edited") and not before:
            modules = set(sys.modules)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        largest = max(largest, path.stat().st_size)
        print(path.name, file=sys.stderr, flush=True)
        for mmap_mode in (None, "r"):
            found = outcome(made, path, mmap_mode)
            name = found if mmap_mode is None else f"{found} mapped"
            counts[name] = counts.get(name, 0) + 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    report = {
        "counts": counts,
        "grown": grown * 1024,
        "largest": largest,
        "imported": sorted(set(sys.modules) - modules),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
