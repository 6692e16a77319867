"""Mean cosines of codes with their nearest neighbours, which are large for hubs."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches

# Number of values in a group, of which at first only the largest is compared.
_GROUP = 16
# Number of products that are held at one time. More of them would not be faster.
_CELLS = 2**21


def mean_of_nearest(codes, others, n_neighbors):
    """Mean cosine of each code with the nearest of the other codes.

    Parameters
    ----------
    codes : ndarray of shape (n_codes, n_components)
        Rows of length one or zero.
    others : ndarray of shape (n_others, n_components)
        Rows of length one or zero.
    n_neighbors : int
        Number of the nearest codes; all are used if there are no more.

    Returns
    -------
    means : ndarray of shape (n_codes,)
        In the precision of the codes.
    """
    means = np.empty(len(codes), dtype=np.result_type(codes, others))
    # The memory must hold the products, and a copy that is partly sorted.
    budget = int(get_config()["working_memory"] * 2**20) // (2 * means.itemsize)
    n_rows = max(1, min(budget, _CELLS) // len(others))
    for rows in gen_batches(len(codes), min(n_rows, len(codes))):
        means[rows] = mean_of_largest(codes[rows] @ others.T, n_neighbors)
    return means


def mean_of_largest(values, n):
    """Mean of the `n` largest values of each row, or of all if there are fewer."""
    if n >= values.shape[1]:
        return values.mean(axis=1)
    n_groups = values.shape[1] // _GROUP
    if n_groups > 2 * n:
        values = _largest(values, n, n_groups)
    last = values.shape[1] - n
    return np.partition(values, last, axis=1)[:, last:].mean(axis=1)


def _largest(values, n, n_groups):
    """The `n` largest values of each row and a few more, filled up with -inf."""
    groups = values[:, : _GROUP * n_groups].reshape(len(values), _GROUP, n_groups)
    maxima = groups.max(axis=1)
    # At least n values of a row reach this bound, so the smaller ones are left out.
    bound = np.partition(maxima, n_groups - n, axis=1)[:, n_groups - n]
    found = np.flatnonzero(values >= bound[:, None])
    row = found // values.shape[1]
    counts = np.bincount(row, minlength=len(values))
    place = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    largest = np.full((len(values), counts.max()), -np.inf, dtype=values.dtype)
    largest[row, place] = values.ravel()[found]
    return largest
