"""Names of items: integers or strings, no two equal."""

from numbers import Integral

import numpy as np


def check_ids(ids, n_items):
    """`ids` as an array of int64 or of strings, one an item, or None."""
    if ids is None:
        return None
    values = np.asarray(ids, dtype=object)
    if values.shape != (n_items,):
        raise ValueError(
            f"ids must be one for each of the {n_items} items, got an array of shape "
            f"{values.shape}."
        )
    ids = _uniform(values)
    distinct, counts = np.unique(ids, return_counts=True)
    if len(distinct) < n_items:
        twice = distinct[counts > 1][0].item()
        raise ValueError(f"ids must differ, got {twice!r} more than once.")
    return ids


def joined_ids(old, new):
    """Ids of items in an index and of those to add; both None if they have none."""
    if old is None and new is None:
        return None
    if old is None or new is None or old.dtype.kind != new.dtype.kind:
        raise ValueError(
            f"Items of the index have {_described(old)}, those to add "
            f"{_described(new)}: all must be of one kind."
        )
    known = new[np.isin(new, old)]
    if len(known):
        raise ValueError(f"ids must differ, {known[0].item()!r} is in the index.")
    return np.concatenate([old, new])


def _uniform(values):
    for kind, dtype in ((str, str), (Integral, np.int64)):
        if all(isinstance(value, kind) for value in values):
            try:
                return values.astype(dtype)
            except OverflowError:
                break
    raise ValueError("ids must be all strings or all integers of 64 bits with sign.")


def _described(ids):
    if ids is None:
        return "no ids of their own"
    return "strings as ids" if ids.dtype.kind == "U" else "integers as ids"
