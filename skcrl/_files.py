"""Write files completely or not at all, and read files without waiting."""

import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

try:
    import fcntl
except ImportError:  # on Windows, unfinished files stay
    fcntl = None  # type: ignore[assignment]


@contextmanager
def written_whole(path):
    """Open a new file that replaces `path` when everything is written.

    Until then, and after an error or a crash, `path` holds what it held before. A crash
    may leave an unfinished file beside it, which is removed when the same path is
    written again.

    Parameters
    ----------
    path : str or path-like
        File to write. If it is a link, the link stays and the file that it points to is
        replaced. The new file has the permissions of the old one.

    Yields
    ------
    file : binary file
        The new file, open for writing.
    """
    path = Path(path).resolve()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file to write.")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is a device or a pipe: name a file to write.")
    prefix = f".{hashlib.sha256(path.name.encode()).hexdigest()[:16]}-"
    for left in path.parent.glob(f"{prefix}*.unfinished"):
        _remove_abandoned(left)
    file = _begun(path, prefix)
    unfinished = Path(file.name)
    try:
        with file:
            if path.exists():
                os.chmod(unfinished, stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def opened(path):
    """Open a file to read its bytes; never wait for a pipe or a device.

    Parameters
    ----------
    path : str or path-like
        File to read.

    Yields
    ------
    file : binary file
        The file, open for reading.

    Raises
    ------
    ValueError
        If `path` is a pipe or a device, and not a file.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is a pipe or a device: name a file to read.")
        yield file


def _without_waiting(path, flags):
    # Without this flag, opening a pipe would wait for its other end.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _begun(path, prefix):
    """A new file beside `path`, locked for as long as it is open."""
    while True:
        # Use a new name, because other processes may be writing the same file.
        file = path.with_name(f"{prefix}{uuid4().hex}.unfinished").open("xb")
        _locks(file, waits=True)
        # Another process may have removed it as abandoned before it was locked.
        if os.path.exists(file.name):
            return file
        file.close()


def _remove_abandoned(path):
    """Remove an unfinished file, unless its writer still runs and holds the lock."""
    with suppress(OSError, ValueError), opened(path) as file:
        if _locks(file, waits=False):
            path.unlink()


def _locks(file, *, waits):
    """Lock a file until it is closed, and say whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:  # that disk has no locks, or another process holds it
        return False
    return True
