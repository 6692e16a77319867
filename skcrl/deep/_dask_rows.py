"""Rows of a Dask array, one block of which is in memory at a time."""

import numpy as np
import torch

_FLOAT32 = np.finfo(np.float32).max


class DaskRows:
    """Rows of a Dask array, by their numbers.

    Parameters
    ----------
    array : Dask array of shape (n_samples, ...)
        The array, in chunks of whole rows, whose lengths are known.
    name : str
        What errors call the array.
    dtype : numpy type
        The type that rows are converted to.
    """

    def __init__(self, array, name, dtype):
        self.array = array
        self.name = name
        self.dtype = np.dtype(dtype)
        self.shape = array.shape
        self.n_blocks = array.numblocks[0]
        self._starts = np.cumsum([0, *array.chunks[0]])
        self._held: tuple = (None, None)

    def __len__(self):
        return self.shape[0]

    def block_of(self, rows):
        """Number of the block of each row."""
        return np.searchsorted(self._starts, rows, side="right") - 1

    def __getitem__(self, rows):
        """Tensor of some rows, given as a slice or as an array of numbers.

        Blocks are computed in the order in which the rows first need them.
        """
        rows = (
            np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        )
        taken = np.empty((len(rows), *self.shape[1:]), self.dtype)
        blocks = self.block_of(rows)
        for block in dict.fromkeys(blocks.tolist()):
            here = blocks == block
            taken[here] = self._block(block)[rows[here] - self._starts[block]]
        return torch.from_numpy(taken)

    def _block(self, number):
        if self._held[0] != number:
            self._held = None, None  # let go of it first, to hold one at a time
            values = np.asarray(self.array.blocks[number].compute(), self.dtype)
            self._require_numbers(values)
            self._held = number, values
        return self._held[1]

    def _require_numbers(self, values):
        if self.dtype.kind != "f" or not values.size:
            return
        low, high = values.min(), values.max()  # NaN, if any value is
        if not np.isfinite(low) or not np.isfinite(high):
            raise ValueError(f"Input {self.name} contains NaN or infinity.")
        if max(-low, high) > _FLOAT32:
            raise ValueError(
                f"{self.name} has values beyond {_FLOAT32:.1e}, which float32 cannot "
                "hold: scale it down."
            )
