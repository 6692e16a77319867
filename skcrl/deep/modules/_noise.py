"""Layers that draw random numbers, each from its own generator."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from skcrl.deep.modules._sparse_rows import SparseRows


class RandomLayer(nn.Module):
    """Layer that draws from its own generator, never from torch's global one.

    The training loop calls ``reseed`` before every epoch, so that training can continue
    from any epoch with the same random numbers. A layer is called once for each batch,
    or once for each part of a batch in the order of the rows; the parts then get the
    same numbers as in the whole batch.

    Attributes
    ----------
    margins : tuple of int
        Numbers of rows of the batch before and after those that the layer sees. It
        draws numbers for them too, because other processes hold them.
    """

    # Name of the view of a batch whose rows the layer sees.
    rows = "x"

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()
        self.margins = 0, 0

    def reseed(self, seed: int, device: str | torch.device) -> None:
        """Begin a new stream, drawn on `device`."""
        self.generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """Numbers from [0, 1) in the precision and on the device of `like`."""
        return self._drawn(torch.rand, shape, like)

    def normal(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """Standard normal numbers in the precision and on the device of `like`."""
        return self._drawn(torch.randn, shape, like)

    def _drawn(self, draw, shape, like):
        before, after = self.margins
        n, *rest = shape
        of_all = draw(
            (before + n + after, *rest),
            generator=self.generator,
            dtype=like.dtype if like.dtype.is_floating_point else None,
            device=like.device,
        )
        return of_all[before : before + n]


def by_view(layer, names):
    """A copy of a random layer for each view of a batch, in a ModuleDict."""
    copies: Any = nn.ModuleDict()
    for name in names:
        copies[name] = deepcopy(layer)
        copies[name].rows = name
    return copies


class Dropout(RandomLayer):
    """Set a fraction of the entries to zero in training, and scale up the others.

    Parameters
    ----------
    share : float in [0, 1)
        Probability that an entry is dropped.

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

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, a: Any) -> Any:
        """Drop entries."""
        if not self.training or self.share == 0:
            return a
        if isinstance(a, SparseRows):
            return a.with_values(self(a.values))
        if not a.is_floating_point():  # numbers of tokens, which must not change
            return a
        kept = self.uniform(a.shape, a) >= self.share
        return a * kept / (1 - self.share)


class GaussianNoise(RandomLayer):
    """Add normal noise in training.

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

    def __init__(self, deviation: float):
        super().__init__()
        self.deviation = deviation

    def forward(self, a: Tensor) -> Tensor:
        """Add noise."""
        if not self.training or self.deviation == 0 or not a.is_floating_point():
            return a
        return a + self.deviation * self.normal(a.shape, a)
