"""Which rows of the codes remain when items are removed or replaced."""

import numpy as np


def removed(lost, n_items, positions):
    """What remains of the items when those at `positions` are removed.

    Parameters
    ----------
    lost : ndarray of shape (n_lost,)
        Ascending positions of the items that have no code.
    n_items : int
        Number of items.
    positions : ndarray of shape (n_removed,)
        Positions of the items that are removed.

    Returns
    -------
    rows : ndarray of shape (n_codes_left,)
        Rows of the codes that stay.
    lost : ndarray of shape (n_lost_left,)
        Positions without a code among the items that stay.
    kept : ndarray of bool of shape (n_items,)
        Which items stay.
    """
    has_code = _all_but(lost, n_items)
    kept = _all_but(positions, n_items)
    return np.flatnonzero(kept[has_code]), np.flatnonzero(~has_code[kept]), kept


def replaced(lost, n_items, positions, new_lost):
    """Where the codes of the items are found when some items are replaced.

    Parameters
    ----------
    lost, n_items
        As in :func:`removed`.
    positions : ndarray of shape (n_new,)
        Positions of the items that are replaced.
    new_lost : ndarray of shape (n_new_lost,)
        Which of the replaced items have no code now, by their place in `positions`.

    Returns
    -------
    rows : ndarray of shape (n_codes,)
        Rows of the codes, where the new codes come after the old ones.
    lost : ndarray of shape (n_lost,)
        Positions of the items without a code.
    """
    has_code = _all_but(lost, n_items)
    is_new_code = _all_but(new_lost, len(positions))
    row_of = np.cumsum(has_code) - 1
    n_old = n_items - len(lost)
    row_of[positions[is_new_code]] = n_old + np.arange(is_new_code.sum())
    has_code[positions] = is_new_code
    return row_of[has_code], np.flatnonzero(~has_code)


def _all_but(positions, n):
    mask = np.ones(n, dtype=bool)
    mask[positions] = False
    return mask
