"""Layers that draw random numbers, each from a stream of its own."""

import torch
from torch import nn

from skcrl.deep.modules._sparse_rows import SparseRows


class RandomLayer(nn.Module):
    """Layer that draws from its own generator, never from torch's global one.

    The training loop calls ``reseed`` before every epoch, so that training can go on
    from any epoch with the numbers it would have had.
    """

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def reseed(self, seed, device):
        """Begin a new stream, drawn on `device`."""
        self.generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, shape, like):
        """Numbers from [0, 1) in the precision and on the device of `like`."""
        return torch.rand(
            shape, generator=self.generator, dtype=like.dtype, device=like.device
        )

    def normal(self, shape, like):
        """Standard normal numbers in the precision and on the device of `like`."""
        return torch.randn(
            shape, generator=self.generator, dtype=like.dtype, device=like.device
        )


class Dropout(RandomLayer):
    """Set a share of the entries to zero while training, and scale up the others.

    Parameters
    ----------
    share : float in [0, 1)
        Probability of each entry to be dropped.

    Notes
    -----
    Shape: any, unchanged. The input may be SparseRows.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.modules import Dropout
    >>> dropped = Dropout(0.5)(torch.ones(1000))
    >>> dropped.unique().tolist()
    [0.0, 2.0]
    """

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, a):
        """Drop entries."""
        if not self.training or self.share == 0:
            return a
        if isinstance(a, SparseRows):
            return a.with_values(self(a.values))
        kept = self.uniform(a.shape, a) >= self.share
        return a * kept / (1 - self.share)


class GaussianNoise(RandomLayer):
    """Add normal noise while training.

    Parameters
    ----------
    deviation : float
        Standard deviation of the noise.

    Notes
    -----
    Shape: any, unchanged.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.modules import GaussianNoise
    >>> layer = GaussianNoise(0.5)
    >>> bool(layer(torch.zeros(1000)).std() > 0.4)
    True
    >>> bool(layer.eval()(torch.zeros(1000)).any())
    False
    """

    def __init__(self, deviation):
        super().__init__()
        self.deviation = deviation

    def forward(self, a):
        """Add noise."""
        if not self.training or self.deviation == 0:
            return a
        return a + self.deviation * self.normal(a.shape, a)
