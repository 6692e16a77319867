"""The file of an index: one .npz without pickles, which runs no code when read."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skcrl.retrieval._codes import check_codes
from skcrl.retrieval._ids import check_ids

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
    path = Path(path)
    arrays = {"codes": stored.codes}
    if stored.ids is not None:
        arrays["ids"] = stored.ids
    settings = {
        "format": _FORMAT,
        "version": _VERSION,
        "backend": stored.backend,
        "params": stored.params,
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, settings=json.dumps(settings, default=_plain), **arrays)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path):
    """What :func:`write` wrote, checked."""
    with Path(path).open("rb") as file:
        # Bytes of any kind may raise anything here.
        try:
            with np.load(file, allow_pickle=False) as arrays:
                settings = json.loads(str(arrays["settings"]))
                version = settings["version"]
                if settings["format"] != _FORMAT:
                    raise ValueError(f"its format is {settings['format']!r}")
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


def _checked(arrays, settings):
    codes = check_codes(arrays["codes"], "It")
    if (np.linalg.norm(codes, axis=1) > 1.001).any():
        raise ValueError("codes are longer than one")
    ids = check_ids(arrays["ids"] if "ids" in arrays else None, len(codes))
    return Stored(codes, ids, settings["backend"], dict(settings["params"]))


def _plain(number):
    """A NumPy number as one that JSON knows."""
    return number.item()
