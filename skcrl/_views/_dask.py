"""Views as Dask arrays: rows stay on the workers, and only moments come back."""

import sys
from functools import partial

import numpy as np

from skcrl import _moments
from skcrl._views._dense import Dense


class Dask(Dense):
    """Dask arrays, which only some estimators take without loading them."""

    library = "dask"

    def recognises(self, view):
        """Whether a view is a Dask array; Dask is never imported to find out."""
        dask_array = sys.modules.get("dask.array")
        return dask_array is not None and isinstance(view, dask_array.Array)

    def holds_integers(self, view):
        """Whether the array holds integers."""
        return view.dtype.kind in "iu"

    def gaps(self, view):
        """None, because rows are not looked at before they are computed."""
        return None

    def beside(self, view, columns):
        """The columns of the view, then those of an array, in chunks of whole rows."""
        from dask import array

        if not self.recognises(columns):
            columns = array.from_array(columns, chunks=(view.chunks[0], -1))
        joined = array.concatenate(
            [view, columns], axis=1, allow_unknown_chunksizes=True
        )
        return joined.rechunk({1: -1})

    def moments(self, X, y, weights=None):
        """Moments of all rows, block by block on the current Dask scheduler."""
        from dask import delayed

        sums = [delayed(_block_moments)(*block) for block in _blocks(X, y, weights)]
        while len(sums) > 1:
            pairs = [sums[i : i + 2] for i in range(0, len(sums), 2)]
            sums = [delayed(_merged)(*pair) for pair in pairs]
        m = sums[0].compute()
        if m is None:
            raise ValueError("Found 0 samples in X and y, Dask arrays without rows.")
        _require_finite(m.x_mean.sum(), "X")
        _require_finite(m.y_mean.sum(), "y")
        return m

    def total(self, function, view, weights):
        """Sum over blocks of function(block, weights of the block)."""
        from dask import delayed

        blocks = _blocks(view, view, weights)
        return sum(delayed(_on_floats)(function, x, w) for x, _, w in blocks).compute()

    def project(self, view, mean, weights, name):
        """Dask array of the linear codes of each block."""
        return view.map_blocks(
            _map_block,
            function=partial(_moments.project, mean=mean, weights=weights),
            name_of_view=name,
            dtype=_float_type(view),
            chunks=(view.chunks[0], (weights.shape[1],)),
            meta=np.empty((0, 0), _float_type(view)),
        )


def check_dask(view, name, allow_nd=False):
    """Raise ValueError unless `view` holds numbers, with each row in one chunk."""
    if view.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} is a Dask array of dtype {view.dtype}: convert it to numbers."
        )
    if view.ndim != 2 and not (allow_nd and view.ndim > 2):
        raise ValueError(
            f"Expected 2D array, got {view.ndim}D Dask array as {name}: a row is a "
            "sample."
        )
    for axis in range(1, view.ndim):
        if view.numblocks[axis] > 1:
            raise ValueError(
                f"{name} is a Dask array in chunks of {view.chunks[axis]} features, "
                f"but rows must be whole. Use {name}.rechunk({{{axis}: -1}})."
            )


def aligned(X, y, names=("X", "y")):
    """The second array, with its rows in the same chunks as those of the first."""
    x, second = names
    if X.chunks[0] == y.chunks[0]:
        return y
    sizes = X.chunks[0] + y.chunks[0]
    if np.isnan(sizes).any():
        if X.numblocks[0] == y.numblocks[0]:
            return y  # unknown lengths are compared when the blocks are computed
        raise ValueError(
            f"{x} and {second} have {X.numblocks[0]} and {y.numblocks[0]} chunks of "
            "unknown lengths. Call compute_chunk_sizes() on both."
        )
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[X.shape[0], y.shape[0]]}. Rows of {x} and {second} must be paired."
        )
    return y.rechunk({0: X.chunks[0]})


def _blocks(X, y, weights):
    """Blocks of X, y and weights as delayed arrays."""
    x_blocks, y_blocks = X.to_delayed().ravel(), y.to_delayed().ravel()
    if weights is None:
        weights = [None] * len(x_blocks)
    else:
        weights = np.split(weights, np.cumsum(X.chunks[0])[:-1])
    return zip(x_blocks, y_blocks, weights, strict=True)


def _block_moments(X, y, weights):
    X, y = _as_floats(X), _as_floats(y)
    if len(X) != len(y):
        raise ValueError(
            f"A chunk of X has {len(X)} rows, but the chunk of y has {len(y)}. Rows of "
            "X and y must be paired."
        )
    if weights is not None:
        weighty = weights > 0
        X, y, weights = X[weighty], y[weighty], weights[weighty]
    return _moments.moments(X, y, weights=weights) if len(X) else None


def _merged(a, b=None):
    """Moments of both together; None stands for no rows."""
    if a is None or b is None:
        return a if b is None else b
    return _moments.merge_moments(a, b)


def _require_finite(total, name):
    if not np.isfinite(total):
        raise ValueError(f"Input {name} contains NaN or infinity.")


def _on_floats(function, block, weights):
    return function(_as_floats(block), weights)


def _map_block(block, function, name_of_view):
    block = _as_floats(block)
    _require_finite(block.sum(), name_of_view)
    return function(block)


def _as_floats(block):
    return np.asarray(block, dtype=_float_type(block))


def _float_type(view):
    return np.float32 if view.dtype == np.float32 else np.float64
