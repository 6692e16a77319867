"""The file of an index: one .npz without pickles, which runs no code when read."""

import json
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_STORED

import numpy as np

from skcrl._files import written_whole
from skcrl.retrieval._codes import check_indexed
from skcrl.retrieval._ids import check_ids, from_arrays, to_arrays

_FORMAT = "skcrl retrieval index"
_VERSION = 1


class Stored(NamedTuple):
    """What the file holds."""

    codes: np.ndarray
    ids: np.ndarray | None
    backend: str
    params: dict


def write(path, stored):
    """Write `stored`; until it is complete `path` holds what it held before."""
    arrays = {"codes": stored.codes, **to_arrays(stored.ids)}
    settings = {
        "format": _FORMAT,
        "version": _VERSION,
        "backend": stored.backend,
        "params": stored.params,
    }
    with written_whole(path) as file:
        np.savez(file, settings=json.dumps(settings, default=_plain), **arrays)


def read(path):
    """What :func:`write` wrote, checked."""
    with Path(path).open("rb") as file:
        # Bytes of any kind may raise anything here.
        try:
            with np.load(file, allow_pickle=False) as arrays:
                _check_stored(arrays.zip)
                settings = json.loads(str(arrays["settings"]))
                version = settings["version"]
                if settings["format"] != _FORMAT:
                    raise ValueError(f"its format is {settings['format']!r}")
                if type(version) is not int or version < 1:
                    raise ValueError(f"its version is {version!r}")
                if version <= _VERSION:
                    return _checked(arrays, settings)
        except Exception as error:
            raise ValueError(
                f"{path} is no index that save_index wrote, or is damaged: {error}"
            ) from error
    raise ValueError(
        f"{path} is of version {version} of the format, and this skcrl reads up to "
        f"{_VERSION}: update skcrl."
    )


def _check_stored(archive):
    """Refuse what takes more memory than the file has bytes."""
    for member in archive.infolist():
        if member.compress_type != ZIP_STORED:
            raise ValueError(f"{member.filename} in it is compressed")


def _checked(arrays, settings):
    codes = check_indexed(arrays["codes"])
    ids = check_ids(from_arrays(arrays), len(codes))
    backend, params = settings["backend"], settings["params"]
    if not isinstance(backend, str) or not isinstance(params, dict):
        raise ValueError(f"its backend is {backend!r} with the parameters {params!r}")
    return Stored(codes, ids, backend, params)


def _plain(number):
    """A NumPy number as one that JSON knows."""
    return number.item()
