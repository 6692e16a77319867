"""The file of an index: a .npz without pickles, so that reading it runs no code."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skcrl._files import opened, written_whole
from skcrl.retrieval._codes import (
    NONE_LOST,
    PLAIN,
    check_hubs,
    check_indexed,
    check_lost,
    check_space,
)
from skcrl.retrieval._ids import check_ids, from_arrays, to_arrays
from skcrl.retrieval._npz import read_arrays

_FORMAT = "skcrl retrieval index"
# Version 1 has no items without a view, and one kind of codes and metric. Version 2
# has no hubs.
_VERSION = 3
_TYPES = {
    "settings": ("U",),
    "codes": ("f4", "f8"),
    "lost": ("i8",),
    "hubs": ("f4", "f8"),
    "ids": ("i8",),
    "id_bytes": ("u1",),
    "id_ends": ("i8",),
}
# Largest number of characters: a text of JSON may take 25 times the memory when it is
# parsed.
_LONGEST_SETTINGS = 2**16


class Stored(NamedTuple):
    """The content of the file of an index."""

    codes: np.ndarray
    ids: np.ndarray | None
    backend: str
    params: dict
    lost: np.ndarray = NONE_LOST
    space: dict = PLAIN
    hubs: np.ndarray | None = None


def write(path, stored):
    """Write `stored`; until the new file is complete, an earlier one is unchanged."""
    arrays = {"codes": stored.codes, **to_arrays(stored.ids)}
    settings = {
        "format": _FORMAT,
        "version": 1,
        "backend": stored.backend,
        "params": stored.params,
    }
    # The oldest version that can hold this is written, so that older releases of skcrl
    # can read it.
    if len(stored.lost) or stored.space != PLAIN:
        arrays["lost"] = stored.lost
        settings.update(version=2, space=stored.space)
    if stored.hubs is not None:
        arrays["hubs"] = stored.hubs
        settings.update(version=_VERSION)
    with written_whole(path) as file:
        np.savez(file, settings=json.dumps(settings, default=_plain), **arrays)


def read(path, *, maps_codes=False):
    """Read and check what :func:`write` wrote; the codes may stay in the file."""
    with opened(Path(path)) as file:
        # A file of arbitrary bytes may raise any error here.
        try:
            arrays = read_arrays(file, _TYPES, "codes" if maps_codes else None)
            settings = _settings(arrays)
            version = settings["version"]
            if settings["format"] != _FORMAT:
                raise ValueError(f"its format is {settings['format']!r:.80}")
            if type(version) is not int or version < 1:
                raise ValueError(f"its version is {version!r:.80}")
            if version <= _VERSION:
                return _checked(arrays, settings)
        except Exception as error:
            raise ValueError(
                f"{path} is not an index that save_index wrote, or is damaged: {error}"
            ) from error
    raise ValueError(
        f"{path} has version {version!r:.80} of the format, but this skcrl reads "
        f"versions up to {_VERSION}: update skcrl."
    )


def _settings(arrays):
    text = arrays["settings"]
    if text.ndim != 0 or text.itemsize > 4 * _LONGEST_SETTINGS:
        raise ValueError(
            f"its settings are not one text of at most {_LONGEST_SETTINGS} characters"
        )
    return json.loads(str(text))


def _checked(arrays, settings):
    space = check_space(settings.get("space", PLAIN))
    codes = check_indexed(arrays["codes"], space["metric"])
    lost = check_lost(arrays.get("lost", NONE_LOST), len(codes))
    n_items = len(codes) + len(lost)
    ids = check_ids(from_arrays(arrays, n_items), n_items)
    backend, params = settings["backend"], settings["params"]
    if not isinstance(backend, str) or not isinstance(params, dict):
        raise ValueError(
            f"its backend is {backend!r:.80} with the parameters {params!r:.80}, which "
            "is not valid"
        )
    hubs = arrays.get("hubs")
    check_hubs(hubs, codes, space)
    return Stored(codes, ids, backend, params, lost, space, hubs)


def _plain(number):
    """A NumPy number as a number that JSON can write."""
    return number.item()
