"""Files of an index with something else in them: refused, or searched as any other."""

import json
import os
import subprocess
import sys
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import edited_files
import numpy as np
import pytest
from given import Given

from skcrl import CrossViewRetriever
from skcrl.retrieval import _file

FOLDER = Path(__file__).parent


def test_edited_files(tmp_path, fuzz_factor):
    n = 100 * fuzz_factor
    backends = [
        name
        for name in edited_files.PARAMS
        if name in ("exact", "int8", "binary") or find_spec(name)
    ]
    edited_files.write(tmp_path, 0, n, backends)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", FOLDER / "edited_files.py", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
    )
    assert run.returncode == 0, run.stderr[-2000:]
    report = json.loads(run.stdout.splitlines()[-1])
    counts = report["counts"]
    ends = {"refused", "narrow", "searched"}
    assert set(counts) <= ends | {f"{end} mapped" for end in ends}
    assert counts["searched"] > len(backends)
    assert counts["searched mapped"] >= len(backends) - 1  # all but the exact one
    assert counts["refused"] > n / 2
    assert report["imported"] == []
    assert report["grown"] <= 10 * report["largest"] + 2**26


@pytest.mark.parametrize("kind", ["none", "words", "numbers"])
def test_memory_of_reading_is_in_proportion_to_the_file(tmp_path, kind):
    n = 100_000
    ids = {
        "none": None,
        "words": np.array([f"{i:x}" for i in range(n)], dtype=object),
        "numbers": np.arange(n),
    }[kind]
    path = tmp_path / "index.npz"
    codes = np.ones((n, 1), np.float32)
    _file.write(path, _file.Stored(codes, ids, "exact", {}))
    tracemalloc.start()
    _file.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * path.stat().st_size + 2e6


def test_a_long_text_of_settings_is_not_parsed(tmp_path):
    path = tmp_path / "index.npz"
    text = "[" + "[]," * 10**6 + "[]]"
    np.savez(path, settings=np.array(text), codes=np.eye(3))
    tracemalloc.start()
    with pytest.raises(ValueError, match="one text of at most 65536 characters"):
        _file.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * path.stat().st_size


def test_ends_of_ids_that_overflow_are_refused(tmp_path):
    path = tmp_path / "index.npz"
    edges = [2**63 - 1, -(2**63), -1, 3]
    _file.write(path, _file.Stored(np.eye(4), None, "exact", {}))
    with np.load(path) as file:
        settings = file["settings"]
    np.savez(
        path,
        settings=settings,
        codes=np.eye(4),
        id_bytes=np.full(3, 97, np.uint8),
        id_ends=np.array(edges),
    )
    with pytest.raises(ValueError, match="do not end where they should"):
        _file.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    made = CrossViewRetriever(Given()).fit(np.eye(3), np.eye(3))
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="is a pipe or a device"):
            made.load_index(path)
