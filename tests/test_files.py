"""Tests of files that are whole or not there."""

import os
import stat

import pytest

from skcrl._files import written_whole


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
