"""Rows of a sparse view on torch, and their product with a dense layer."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class SparseRows:
    """Rows in CSR format, which dense layers take as they are.

    Attributes
    ----------
    values, columns : Tensor of shape (n_stored,)
        Stored entries, row by row.
    starts : Tensor of int of shape (n_rows,)
        Position of each row's first entry.
    n_columns : int
        Number of columns.
    """

    values: Tensor
    columns: Tensor
    starts: Tensor
    n_columns: int

    @classmethod
    def from_csr(
        cls, rows: Any, device: str | torch.device, dtype: torch.dtype
    ) -> "SparseRows":
        """Convert a SciPy CSR array."""
        columns, starts = (
            torch.from_numpy(a.astype("int64")) for a in (rows.indices, rows.indptr)
        )
        values = torch.tensor(rows.data)
        return cls(
            values.to(device, dtype),
            columns.to(device),
            starts[:-1].to(device),
            rows.shape[1],
        )

    @property
    def dtype(self):
        """Type of the entries."""
        return self.values.dtype

    def __len__(self):
        return len(self.starts)

    def __getitem__(self, rows):
        """Rows that follow one another, selected by a slice."""
        start, stop, _ = rows.indices(len(self))
        ends = torch.cat([self.starts, self.starts.new_tensor([len(self.values)])])
        first, last = ends[start], ends[stop]
        return replace(
            self,
            values=self.values[first:last],
            columns=self.columns[first:last],
            starts=self.starts[start:stop] - first,
        )

    def with_values(self, values: Tensor) -> "SparseRows":
        """The same rows with other entries."""
        return replace(self, values=values)

    def through(self, layer: Any) -> Tensor:
        """Output of an nn.Linear, (n_rows, out_features)."""
        product = embedding_bag(
            self.columns,
            layer.weight.T.contiguous(),  # entries select columns: a copy saves time
            self.starts,
            mode="sum",
            per_sample_weights=self.values,
        )
        return product if layer.bias is None else product + layer.bias
