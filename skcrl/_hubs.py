"""How near each code is to many others: hubs are near to all."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches

# Of so many values only the largest is looked at first.
_GROUP = 16
# Products that are held at once: more of them would gain no speed.
_CELLS = 2**21


def mean_of_nearest(codes, others, n_neighbors):
    """Mean cosine of each code with those of the others that are nearest to it.

    Parameters
    ----------
    codes : ndarray of shape (n_codes, n_components)
        Of length one or zero.
    others : ndarray of shape (n_others, n_components)
        Of length one or zero.
    n_neighbors : int
        How many are nearest; all if there are no more.

    Returns
    -------
    means : ndarray of shape (n_codes,)
        In the precision of the codes.
    """
    means = np.empty(len(codes), dtype=np.result_type(codes, others))
    # Products, and a copy of them in the order of their size.
    budget = int(get_config()["working_memory"] * 2**20) // (2 * means.itemsize)
    n_rows = max(1, min(budget, _CELLS) // len(others))
    for rows in gen_batches(len(codes), min(n_rows, len(codes))):
        means[rows] = mean_of_largest(codes[rows] @ others.T, n_neighbors)
    return means


def mean_of_largest(values, n):
    """Mean of the `n` largest values of each row, or of all if there are no more."""
    if n >= values.shape[1]:
        return values.mean(axis=1)
    n_groups = values.shape[1] // _GROUP
    if n_groups > 2 * n:
        values = _largest(values, n, n_groups)
    last = values.shape[1] - n
    return np.partition(values, last, axis=1)[:, last:].mean(axis=1)


def _largest(values, n, n_groups):
    """The `n` largest values of each row and a few more, with -inf where fewer are."""
    groups = values[:, : _GROUP * n_groups].reshape(len(values), _GROUP, n_groups)
    maxima = groups.max(axis=1)
    # The largest values of n groups are n values: no others need be put in order.
    bound = np.partition(maxima, n_groups - n, axis=1)[:, n_groups - n]
    found = np.flatnonzero(values >= bound[:, None])
    row = found // values.shape[1]
    counts = np.bincount(row, minlength=len(values))
    place = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    largest = np.full((len(values), counts.max()), -np.inf, dtype=values.dtype)
    largest[row, place] = values.ravel()[found]
    return largest
