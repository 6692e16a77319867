"""Running moments of codes, for objectives that look beyond one batch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcrl._linalg import row_mean


class CodeMoments(NamedTuple):
    """Mean and covariance of codes, normalised by n."""

    mean: Tensor  # (n_components,)
    covariance: Tensor  # (n_components, n_components)


class RunningMoments(nn.Module):
    r"""Running moments of the batches so far, in which older batches weigh less.

    They are :math:`C = \rho\,C_{old} + (1 - \rho)\,C_{batch}`, divided by the sum of
    the weights of the batches, as in Adam. Without this division the first moments
    would be biased towards 0. The gradient passes through the current batch only. In
    evaluation a batch counts in the same way, but the moments are not updated.

    Parameters
    ----------
    width : int
        Width of the codes.
    momentum : float in [0, 1)
        Fraction :math:`\rho` of the old moments that is kept.

    Notes
    -----
    Shape: (n_samples, width) -> mean (width,) and covariance (width, width).
    """

    mean: Tensor
    covariance: Tensor
    weight: Tensor

    def __init__(self, width: int, momentum: float):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("covariance", torch.zeros(width, width))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, codes: Tensor, weights: Tensor | None = None) -> CodeMoments:
        """Moments up to this batch, which are kept while training.

        A row of weight w counts as w rows.
        """
        # Mixed precision would lose the small differences between batches.
        with torch.autocast(codes.device.type, enabled=False):
            codes = codes.to(self.mean.dtype)
            return self._update(codes, None if weights is None else weights.to(codes))

    def _update(self, codes, weights):
        batch_mean = row_mean(codes, weights)
        centred = codes - batch_mean
        if weights is None:
            batch_covariance = centred.T @ centred / len(codes)
        else:
            batch_covariance = centred.T @ (centred * weights[:, None]) / weights.sum()
        mean = self._mix(self.mean, batch_mean)
        covariance = self._mix(self.covariance, batch_covariance)
        weight = self._mix(self.weight, 1.0)
        if self.training:
            self.mean = mean.detach()
            self.covariance = covariance.detach()
            self.weight = weight
        return CodeMoments(mean / weight, covariance / weight)

    def _mix(self, old, new):
        return self.momentum * old + (1 - self.momentum) * new
