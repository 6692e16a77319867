"""Layers that draw random numbers, each from a stream of its own."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._sparse_rows import SparseRows


class RandomLayer(nn.Module):
    """Layer that draws from its own generator, never from torch's global one.

    The training loop calls ``reseed`` before every epoch, so that training can go on
    from any epoch with the numbers it would have had.
    """

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def reseed(self, seed: int, device: str | torch.device) -> None:
        """Begin a new stream, drawn on `device`."""
        self.generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """Numbers from [0, 1) in the precision and on the device of `like`."""
        return torch.rand(
            shape, generator=self.generator, dtype=like.dtype, device=like.device
        )

    def normal(self, shape: Sequence[int], like: Tensor) -> Tensor:
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

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, a: Any) -> Any:
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

    def __init__(self, deviation: float):
        super().__init__()
        self.deviation = deviation

    def forward(self, a: Tensor) -> Tensor:
        """Add noise."""
        if not self.training or self.deviation == 0:
            return a
        return a + self.deviation * self.normal(a.shape, a)


class RandomShift(RandomLayer):
    """Shift each image by a few pixels while training; zeros move in.

    Parameters
    ----------
    height, width : int
        Size of the images.
    pixels : int
        Largest shift in either direction.

    Notes
    -----
    Shape: (n_samples, ...) with height * width values a channel, unchanged; the
    channels of an image, if it has several, come before its rows and are shifted alike.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.modules import RandomShift
    >>> image = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    >>> RandomShift(3, 3, pixels=1)(image).sum().item()  # moved, not lost
    1.0
    """

    def __init__(self, height: int, width: int, pixels: int):
        super().__init__()
        self.height = height
        self.width = width
        self.pixels = pixels

    def forward(self, a: Tensor) -> Tensor:
        """Shift the images."""
        if not self.training or self.pixels == 0:
            return a
        # (n, n_channels, height, width)
        images = a.reshape(len(a), -1, self.height, self.width)
        n, margin = len(images), self.pixels
        padded = functional.pad(images, (margin,) * 4)
        shifts = self.uniform((2, n, 1), a) * (2 * margin + 1)
        down, right = shifts.long()
        rows = down + torch.arange(self.height, device=a.device)
        columns = right + torch.arange(self.width, device=a.device)
        samples = torch.arange(n, device=a.device)[:, None, None]
        # A slice between index arrays puts its axis last.
        shifted = padded[samples, :, rows[:, :, None], columns[:, None, :]]
        return shifted.movedim(3, 1).reshape(a.shape)
