"""Ids of items: integers or strings, all different."""

from numbers import Integral

import numpy as np

from skcrl.persistence._strings import packed, unpacked


def check_ids(ids, n_items):
    """Check `ids`; return an array of int64 or of str objects, or None.

    There must be one id for each item.
    """
    if ids is None:
        return None
    # A list becomes an array of objects: in an array of one type booleans would become
    # integers, and each string would take as much memory as the longest.
    values = np.asarray(ids, dtype=None if hasattr(ids, "dtype") else object)
    if values.shape != (n_items,):
        raise ValueError(
            f"ids must have one entry for each of the {n_items} items, got an array of "
            f"shape {values.shape}."
        )
    ids = _uniform(values)
    repeated = _repeated(ids)
    if repeated is not None:
        raise ValueError(f"ids must differ, got {repeated!r} more than once.")
    return ids


def joined_ids(old, new):
    """Ids of the items in an index, followed by those of the items to add.

    None if neither have ids.
    """
    if old is None and new is None:
        return None
    if old is None or new is None or old.dtype != new.dtype:
        raise ValueError(
            f"Items of the index have {_described(old)}, but the items to add have "
            f"{_described(new)}: all must have the same kind of ids."
        )
    joined = np.concatenate([old, new])
    repeated = _repeated(joined)
    if repeated is not None:
        raise ValueError(f"ids must differ, but {repeated!r} is already in the index.")
    return joined


def positions_of(wanted, ids, n_items):
    """Positions (n_wanted,) of the items of these ids.

    Parameters
    ----------
    wanted : array-like of int or str, of shape (n_wanted,)
        Ids, all different.
    ids : ndarray of shape (n_items,) or None
        Result of :func:`check_ids`. None means that positions are the ids.
    n_items : int
        Number of items.

    Raises
    ------
    ValueError
        If the ids are not a list, if two are equal, or if no item has one of them.
    """
    if isinstance(wanted, (str, bytes)) or np.ndim(wanted) != 1:
        raise ValueError(
            f"ids must be a list, got {wanted!r:.80}: put a single id into a list."
        )
    if len(wanted) == 0:
        return np.empty(0, dtype=np.int64)
    wanted = check_ids(wanted, len(wanted))
    are_names = ids is not None and ids.dtype == object
    if (wanted.dtype == object) != are_names:
        needed = "strings" if are_names else "integers"
        if ids is None:
            needed = f"their positions, from 0 to {n_items - 1}"
        raise ValueError(
            f"Items of the index have {_described(ids)}, but got "
            f"{wanted.tolist()[0]!r:.80}: pass {needed}."
        )
    positions = _found(wanted, ids, n_items)
    absent = np.flatnonzero(positions < 0)
    if len(absent):
        raise ValueError(
            f"{len(absent)} of the ids are not in the index, the first is "
            f"{wanted[absent].tolist()[0]!r:.80}: leave them out."
        )
    return positions


def _found(wanted, ids, n_items):
    """Positions of ids of the right kind, or -1 if no item has the id."""
    if ids is None:
        return np.where((wanted >= 0) & (wanted < n_items), wanted, -1)
    place = {name: i for i, name in enumerate(wanted.tolist())}
    positions = np.full(len(wanted), -1)
    for position, name in enumerate(ids.tolist()):
        at = place.get(name)
        if at is not None:
            positions[at] = position
    return positions


def to_arrays(ids):
    """`ids` as arrays without objects, by name.

    Strings become an array of bytes and an array of their ends.
    """
    if ids is None:
        return {}
    if ids.dtype != object:
        return {"ids": ids}
    content, ends = packed(ids)
    return {"id_bytes": content, "id_ends": ends}


def from_arrays(arrays, n_items):
    """The ids from which :func:`to_arrays` made the arrays, for ``check_ids``."""
    if "id_bytes" not in arrays:
        return arrays["ids"] if "ids" in arrays else None
    # Checked first, because strings take more memory than their bytes.
    if len(arrays["id_ends"]) != n_items:
        raise ValueError(f"it does not have one id for each of its {n_items} items")
    return unpacked(arrays["id_bytes"], arrays["id_ends"])


def _uniform(values):
    if values.dtype.kind not in "iu":
        values = values.astype(object)
        if all(isinstance(value, str) for value in values):
            return values
        if not all(map(_is_integer, values)):
            raise ValueError("ids must be all strings or all integers.")
    if max(values.max(), -int(values.min()) - 1) > np.iinfo(np.int64).max:
        raise ValueError("ids must be signed 64-bit integers.")
    return values.astype(np.int64)


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def _repeated(ids):
    """An id that occurs twice, or None."""
    if ids.dtype != object:
        return _repeated_number(ids)
    # Hashes come first, because a set of all ids takes several times their memory.
    hashes = np.fromiter(map(hash, ids), np.int64, len(ids))
    if _repeated_number(hashes) is None:
        return None
    known = set()
    for name in ids:
        if name in known:
            return name
        known.add(name)
    return None


def _repeated_number(numbers):
    ordered = np.sort(numbers)
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    return ordered[repeated[0]].item() if len(repeated) else None


def _described(ids):
    if ids is None:
        return "no ids of their own"
    return "strings as ids" if ids.dtype == object else "integers as ids"
