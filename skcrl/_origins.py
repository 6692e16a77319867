"""Origins amid the rows of a view: far from 0 squares drown what rows differ by.

A sparse view is never dense: a median of a column that is mostly 0 is 0.
"""

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

_ENTRIES = 2**20


def column_medians(view, weights=None):
    """A middle entry of each column in float64; of an even number the upper one."""
    weights = np.ones(view.shape[0]) if weights is None else weights
    half = weights.sum() / 2
    if not sparse.issparse(view):
        order = view.argsort(axis=0)
        middle = (weights[order].cumsum(axis=0) > half).argmax(axis=0)
        columns = np.arange(view.shape[1])
        return view[order[middle, columns], columns].astype(np.float64)
    medians = np.zeros(view.shape[1])
    # Others are 0 in more than half of the rows.
    full = np.flatnonzero(_n_stored(view) * weights.max() >= half)
    full = full[(view[:, full] != 0).T @ weights >= half]
    medians[full] = column_medians(view[:, full].toarray(), weights)
    return medians


def _n_stored(view):
    """Number of entries that each column of a CSR or CSC array stores."""
    if view.format == "csc":
        return np.diff(view.indptr)
    counts = np.zeros(view.shape[1], dtype=np.int64)
    for part in gen_batches(view.nnz, _ENTRIES):  # bincount widens all of its indices
        counts += np.bincount(view.indices[part], minlength=len(counts))
    return counts


def shifted(view, origin):
    """A view in float64 about another origin; sparse if it was."""
    view = view.astype(np.float64, copy=False)
    if origin is None or not origin.any():
        return view
    if not sparse.issparse(view):
        return view - origin
    n, columns = view.shape[0], np.flatnonzero(origin)
    starts = len(columns) * np.arange(n + 1)
    # scikit-learn takes indices of 32 bits, as those of the view are.
    columns, starts = (a.astype(view.indices.dtype) for a in (columns, starts))
    origins = sparse.csr_array(
        (np.tile(origin[columns], n), np.tile(columns, n), starts), shape=view.shape
    )
    return (view - origins).tocsr()


def about_medians(view, weights):
    """A view about the medians of its columns if it is sparse, and those medians.

    A dense one stays about 0, and as it is.
    """
    if not sparse.issparse(view):
        return view, 0.0
    medians = column_medians(view, weights)
    return shifted(view, medians), medians
