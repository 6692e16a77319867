"""Batch normalisation of rows that may count as several."""

from typing import Any

import torch
from torch import Tensor, nn

from skcrl import _linalg

# Weight of a batch in the running statistics.
_SHARE = 0.1


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation with weights of the rows.

    It is ``nn.BatchNorm1d`` except that rows may have weights. The statistics are those
    of the rows that pass through it together; if a batch comes in parts, those of a
    part. In evaluation the running statistics of the training are used.

    Parameters
    ----------
    width : int
        Number of columns.

    Notes
    -----
    Shape: (n_samples, width), unchanged.
    """

    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(self, width: int):
        super().__init__(width, momentum=_SHARE)

    def forward(self, a: Tensor, weights: Tensor | None = None) -> Tensor:
        """Normalise; while training, a row of weight w, above 0, counts as w rows."""
        if self.training and len(a) < 2:
            raise ValueError(
                "Batch normalisation needs at least two rows that go through the "
                f"network together, got {len(a)}: raise batch_size or "
                "micro_batch_size, or train in fewer processes."
            )
        if weights is None or not self.training:
            return super().forward(a)
        # Mixed precision would lose small variances beside large means.
        with torch.autocast(a.device.type, enabled=False):
            return self._weighted(a.to(self.weight), weights.to(self.weight)).to(a)

    def _weighted(self, a, weights):
        mean = _linalg.row_mean(a, weights)
        centred = a - mean
        variance = _linalg.row_mean(centred.square(), weights)
        # The running variance is a sum over n - 1. Small weights must not make it 0.
        n = weights.sum().clamp(min=2)
        with torch.no_grad():
            self.running_mean.lerp_(mean, _SHARE)
            self.running_var.lerp_(variance * n / (n - 1), _SHARE)
            self.num_batches_tracked.add_(1)
        return centred * (variance + self.eps) ** -0.5 * self.weight + self.bias
