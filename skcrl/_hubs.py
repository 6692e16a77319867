"""How near each code is to many others: hubs are near to all."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches


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
    n_others = len(others)
    n_neighbors = min(n_neighbors, n_others)
    means = np.empty(len(codes), dtype=np.result_type(codes, others))
    # Products, and a copy of them in the order of their size.
    budget = int(get_config()["working_memory"] * 2**20)
    n_rows = max(1, budget // (2 * means.itemsize * n_others))
    for rows in gen_batches(len(codes), min(n_rows, len(codes))):
        cosines = codes[rows] @ others.T
        cosines.partition(n_others - n_neighbors, axis=1)
        means[rows] = cosines[:, n_others - n_neighbors :].mean(axis=1)
    return means
