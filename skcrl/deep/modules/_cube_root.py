"""The activation that grows like a cube root."""

import torch
from torch import Tensor, nn


class CubeRoot(nn.Module):
    r"""Inverse of :math:`g(s) = s^3 / 3 + s`, the nonlinearity of Andrew et al. [1]_.

    It is smooth, strictly increasing and unbounded. It is close to the identity near 0
    and to :math:`\sqrt[3]{3a}` far from 0.

    Notes
    -----
    Shape: any, unchanged.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.
    """

    def forward(self, a: Tensor) -> Tensor:
        """Apply the nonlinearity."""
        return _CubeRoot.apply(a)


class _CubeRoot(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        # The real root of s^3 + 3s - 3a, free of the cancellation of Cardano's formula.
        s = 2 * torch.sinh(torch.asinh(1.5 * a) / 3)
        ctx.save_for_backward(s)
        return s

    @staticmethod
    def backward(ctx, gradient):
        (s,) = ctx.saved_tensors
        return gradient / (s * s + 1)  # 1 / g'(s)
