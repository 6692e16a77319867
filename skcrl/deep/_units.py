"""Columns of mean 0 and deviation 1 for the networks, and back to the user's units."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skcrl._arrays import Array

# Deviations from the mean beyond which no training value lies: a pixel that is lit in
# one picture of a thousand would lie 30 away, and rule the first steps.
_FARTHEST = 4.0
# Deviations that rounding alone gives a constant column, as a share of its mean.
_ROUNDING = 10 * np.finfo(np.float64).eps
# Deviations that float32 does not tell from none.
_LEAST = np.finfo(np.float32).tiny
# Rows that are worked on at a time.
_BLOCK = 4096


class Units(NamedTuple):
    """The units of a view: what its columns are centred by, and divided by."""

    mean: Array  # (n_features,)
    scale: Array  # (n_features,)

    @classmethod
    def of(cls, view, weights=None):
        """Units in which the rows of a view have mean 0 and deviation 1 at most.

        Parameters
        ----------
        view : ndarray of shape (n_samples, n_features)
            Rows, without missing ones, of values that float32 can hold.
        weights : ndarray of shape (n_samples,) or None, default=None
            How many samples each row stands for.
        """
        if weights is None:
            weights = np.ones(view.shape[0])
        # From the first row: sums of time stamps would lose the digits that tell them.
        first = view[0].astype(np.float64)
        mean = first + _mean(weights, view, lambda rows: rows - first)
        variance = _mean(weights, view, lambda rows: (rows - mean) ** 2)
        span = np.zeros_like(mean)
        for _, rows in _blocks(view):
            np.maximum(span, np.abs(rows - mean).max(axis=0), out=span)
        scale = np.maximum(np.sqrt(variance), span / _FARTHEST)
        noise = np.maximum(_ROUNDING * np.abs(mean), _LEAST)
        return cls(mean, np.where(span > noise, scale, 1.0))

    def standardised(self, view, dtype=None):
        """Rows of the view, which may be sparse, in these units."""
        out = np.empty(view.shape, dtype or view.dtype)
        for start, rows in _blocks(view):
            out[start : start + len(rows)] = (rows - self.mean) / self.scale
        return out

    def restored(self, view):
        """Rows in these units as the view has them, in the precision they are in."""
        return (view * self.scale + self.mean).astype(view.dtype, copy=False)


def _mean(weights, view, function):
    total = sum(
        weights[start : start + len(rows)] @ function(rows)
        for start, rows in _blocks(view)
    )
    return total / weights.sum()


def _blocks(view):
    """Rows of a view, some at a time, each lot with the number of its first."""
    for start in range(0, view.shape[0], _BLOCK):
        rows = view[start : start + _BLOCK]
        yield start, rows.toarray() if sparse.issparse(rows) else rows
