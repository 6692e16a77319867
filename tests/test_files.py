"""Tests of files that are whole or not there."""

import os
import stat
import subprocess
import sys

import pytest

from skcrl import _files
from skcrl._files import opened, written_whole


def write(path, content):
    with written_whole(path) as file:
        file.write(content)


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    with pytest.raises(TypeError):
        write(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_stays_private(tmp_path):
    path = tmp_path / "file"
    write(path, b"old")
    path.chmod(0o600)
    write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"new"


def test_a_link_stays(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_the_longest_names(tmp_path):
    write(tmp_path / ("n" * 255), b"new")


def test_folders_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="is a device or a pipe: name a file"):
        write(tmp_path / "pipe", b"new")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file to write"):
        write(tmp_path, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_stays(
    tmp_path,
):
    path = tmp_path / "file"
    dies = (
        "import os, sys; from skcrl._files import written_whole\n"
        "with written_whole(sys.argv[1]) as file: os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", dies, path], check=False)
    (left,) = tmp_path.iterdir()
    write(tmp_path / "other", b"new")
    assert left.exists()
    with written_whole(path) as file:
        file.write(b"slow")
        (living,) = tmp_path.glob(".*")
        assert living != left
        write(path, b"fast")
        assert living.exists()
    assert path.read_bytes() == b"slow"
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_was_taken_for_abandoned_is_begun_anew(tmp_path, monkeypatch):
    locked = []

    def removes_the_first(file, waits):
        if not locked:
            os.unlink(file.name)
        locked.append(file)

    monkeypatch.setattr(_files, "_locks", removes_the_first)
    write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert len(locked) == 2


def test_without_locks_leftovers_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "fcntl", None)  # as on Windows
    path = tmp_path / "file"
    with written_whole(path) as file:
        write(path, b"fast")
        file.write(b"slow")
    assert path.read_bytes() == b"slow"


def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match=f"{path} is a pipe or a device"):
            opened(path).__enter__()
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "file").__enter__()
