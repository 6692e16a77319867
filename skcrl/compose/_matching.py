"""Pairs of codes that are nearest to each other once hubs are corrected."""

import numpy as np
from sklearn import get_config
from sklearn.utils import gen_batches

from skcrl._hubs import mean_of_nearest


def mutual_matches(x_codes, y_codes, n_neighbors):
    """Find pairs of codes that are most similar to each other, corrected for hubs.

    The similarity is csls(x, y) = cos(x, y) - (r_x + r_y) / 2, where r is the mean
    cosine with the `n_neighbors` nearest codes of the other view, which is large for
    hubs. If several codes are equally similar, the first one is taken.

    Parameters
    ----------
    x_codes : ndarray of shape (n_x, n_components)
        Codes of length one or zero.
    y_codes : ndarray of shape (n_y, n_components)
        Codes of length one or zero.
    n_neighbors : int
        Number of nearest codes; all codes if there are fewer.

    Returns
    -------
    x_rows, y_rows : ndarray of shape (n_pairs,)
        Positions of the pairs, sorted by the first view.
    """
    n_x, n_y = len(x_codes), len(y_codes)
    if not n_x or not n_y:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    x_hubs = mean_of_nearest(x_codes, y_codes, n_neighbors) / 2
    y_hubs = mean_of_nearest(y_codes, x_codes, n_neighbors) / 2
    best_of_x = np.empty(n_x, dtype=np.intp)
    best_of_y = np.zeros(n_y, dtype=np.intp)
    highest_of_y = np.full(n_y, -np.inf, dtype=x_codes.dtype)
    budget = int(get_config()["working_memory"] * 2**20)
    n_rows = max(1, budget // (x_codes.itemsize * n_y))
    for rows in gen_batches(n_x, min(n_rows, n_x)):
        similarities = x_codes[rows] @ y_codes.T
        similarities -= x_hubs[rows, None]
        similarities -= y_hubs
        best_of_x[rows] = similarities.argmax(axis=1)
        nearest = similarities.argmax(axis=0)
        highest = similarities[nearest, np.arange(n_y)]
        is_higher = highest > highest_of_y
        best_of_y[is_higher] = nearest[is_higher] + rows.start
        highest_of_y[is_higher] = highest[is_higher]
    x_rows = np.flatnonzero(best_of_y[best_of_x] == np.arange(n_x))
    return x_rows, best_of_x[x_rows]
