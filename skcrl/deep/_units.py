"""Columns of mean 0 and deviation 1 for the networks, and back to the user's units."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skcrl._arrays import Array

# No training value lies farther from the mean than this number of units. If the unit
# were always the deviation, a pixel that is lit in one picture of a thousand would lie
# 30 units away, and would dominate the first steps.
_FARTHEST = 4.0
# Rounding makes a constant column deviate from its mean by up to this share of it.
_ROUNDING = 10 * np.finfo(np.float64).eps
# float32 cannot distinguish smaller deviations from 0.
_LEAST = np.finfo(np.float32).tiny
# Number of rows that are converted at a time.
_BLOCK = 4096


class Units(NamedTuple):
    """The units of a view: its columns are centred by `mean` and divided by `scale`."""

    mean: Array  # (n_features,)
    scale: Array  # (n_features,)

    @classmethod
    def of(cls, view, weights=None):
        """Units in which the columns of a view have mean 0, and deviation 1 or less.

        Parameters
        ----------
        view : ndarray of shape (n_samples, n_features)
            Rows without missing values. float32 can hold all values.
        weights : ndarray of shape (n_samples,) or None, default=None
            Number of samples that each row stands for.
        """
        seen = Seen()
        for start, rows in _blocks(view):
            stop = start + len(rows)
            seen.add(rows, None if weights is None else weights[start:stop])
        return seen.units()

    def standardised(self, view, dtype=None):
        """Rows of the view, which may be sparse, in these units."""
        out = np.empty(view.shape, dtype or view.dtype)
        for start, rows in _blocks(view):
            part = out[start : start + len(rows)]
            np.divide(rows - self.mean, self.scale, out=part, casting="same_kind")
        return out

    def restored(self, view):
        """Rows in these units, converted to those of the view; the type is kept."""
        return (view * self.scale + self.mean).astype(view.dtype, copy=False)


class Seen:
    """Statistics of the rows of a view, from one pass over blocks of them."""

    def __init__(self):
        self.total = 0.0

    def add(self, rows, weights=None):
        """Add further rows (n_rows, n_features), each counted by its weight."""
        if weights is None:
            weights = np.ones(len(rows))
        low, high = rows.min(axis=0), rows.max(axis=0)
        if self.total == 0:
            # Values are counted from an origin: sums of large numbers, such as time
            # stamps, would lose the digits in which they differ.
            self.origin = rows[0].astype(np.float64)
            self.mean = np.zeros_like(self.origin)
            self.squares = np.zeros_like(self.origin)
            self.low, self.high = low, high
        centred = rows - self.origin
        n = weights.sum()
        mean = weights @ centred / n
        centred -= mean
        np.square(centred, out=centred)
        total = self.total + n
        difference = mean - self.mean
        self.squares += weights @ centred + difference**2 * (self.total * n / total)
        self.mean += difference * (n / total)
        self.total = total
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)

    def units(self):
        """Units of all rows that were seen."""
        mean = self.origin + self.mean
        span = np.maximum(self.high - mean, mean - self.low)
        scale = np.maximum(np.sqrt(self.squares / self.total), span / _FARTHEST)
        noise = np.maximum(_ROUNDING * np.abs(mean), _LEAST)
        return Units(mean, np.where(span > noise, scale, 1.0))


def _blocks(view):
    """Yield blocks of rows of a view, each with the number of its first row."""
    for start in range(0, view.shape[0], _BLOCK):
        rows = view[start : start + _BLOCK]
        yield start, rows.toarray() if sparse.issparse(rows) else rows
