"""Move the origin of a view to the medians of its columns.

If columns are far from 0, the rounding errors of their squares are larger than the
differences between rows. The median of a column that is mostly 0 is 0, so sparse views
stay sparse.
"""

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

_ENTRIES = 2**20


def column_medians(view, weights=None):
    """Median of each column in float64; of two middle entries it is the upper one."""
    weights = np.ones(view.shape[0]) if weights is None else weights
    half = weights.sum() / 2
    if not sparse.issparse(view):
        order = view.argsort(axis=0)
        middle = (weights[order].cumsum(axis=0) > half).argmax(axis=0)
        columns = np.arange(view.shape[1])
        return view[order[middle, columns], columns].astype(np.float64)
    medians = np.zeros(view.shape[1])
    # The other columns are 0 in more than half of the rows.
    full = np.flatnonzero(_n_stored(view) * weights.max() >= half)
    full = full[(view[:, full] != 0).T @ weights >= half]
    medians[full] = column_medians(view[:, full].toarray(), weights)
    return medians


def _n_stored(view):
    """Number of entries that each column of a CSR or CSC array stores."""
    if view.format == "csc":
        return np.diff(view.indptr)
    counts = np.zeros(view.shape[1], dtype=np.int64)
    # In parts, because bincount makes a copy of its indices in 64 bits.
    for part in gen_batches(view.nnz, _ENTRIES):
        counts += np.bincount(view.indices[part], minlength=len(counts))
    return counts


def shifted(view, origin):
    """A view in float64 minus another origin; a sparse view stays sparse."""
    view = view.astype(np.float64, copy=False)
    if origin is None or not origin.any():
        return view
    if not sparse.issparse(view):
        return view - origin
    n, columns = view.shape[0], np.flatnonzero(origin)
    starts = len(columns) * np.arange(n + 1)
    # Parts of scikit-learn need indices of 32 bits, which the view has.
    columns, starts = (a.astype(view.indices.dtype) for a in (columns, starts))
    origins = sparse.csr_array(
        (np.tile(origin[columns], n), np.tile(columns, n), starts), shape=view.shape
    )
    return (view - origins).tocsr()


def about_medians(view, weights):
    """A sparse view minus the medians of its columns, and those medians.

    A dense view is returned as it is, with the origin 0.
    """
    if not sparse.issparse(view):
        return view, 0.0
    medians = column_medians(view, weights)
    return shifted(view, medians), medians
