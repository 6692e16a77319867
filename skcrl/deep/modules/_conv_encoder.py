"""Convolutional encoder of images."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from skcrl.deep.modules._mlp import dense, reset_dense


class ConvEncoder(nn.Module):
    """Convolutional network that turns images into codes.

    Pass it as `x_encoder` or `y_encoder` of an estimator whose view is images. Each
    block of the network has a convolution of 3 x 3, batch normalisation and ReLU, and
    halves the size of the image. The blocks are followed by a dense layer with ReLU and
    by a linear layer.

    Parameters
    ----------
    shape : (height, width) or (n_channels, height, width) of int
        Size of an image. Samples may be rows of as many numbers, or have this shape.
    n_components : int
        Length of a code.
    channels : sequence of int, default=(32, 64, 128)
        Number of channels of each block. An image whose height or width is 1 is not
        halved any more in this direction.
    hidden_size : int, default=256
        Width of the dense layer.
    random_state : int, default=0
        Seed of the initial weights. Encoders that differ only in the seed begin with
        different weights.

    Notes
    -----
    Shape: (n_samples, n_channels * height * width), or any other shape with as many
    values for each sample -> (n_samples, n_components).

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.deep.modules import ConvEncoder
    >>> left, right, _ = load_digits_halves()
    >>> x_encoder, y_encoder = (
    ...     ConvEncoder((8, 4), 5, channels=(16, 32), random_state=i) for i in range(2)
    ... )
    >>> dcca = DeepCCA(
    ...     5, x_encoder=x_encoder, y_encoder=y_encoder, max_epochs=2, random_state=0
    ... )
    >>> dcca.fit(left, right).transform(left).shape
    (1797, 5)
    """

    def __init__(
        self,
        shape: Sequence[int],
        n_components: int,
        *,
        channels: Sequence[int] = (32, 64, 128),
        hidden_size: int = 256,
        random_state: int = 0,
    ):
        super().__init__()
        *first, height, width = shape
        self.shape = (*(first or [1]), height, width)
        before, height, width = self.shape
        blocks: list[nn.Module] = []
        for n_channels in channels:
            pool = min(height, 2), min(width, 2)
            height, width = height // pool[0], width // pool[1]
            blocks += [
                _convolution(before, n_channels),
                nn.BatchNorm2d(n_channels),
                nn.ReLU(),
                nn.MaxPool2d(pool),
            ]
            before = n_channels
        self.blocks = nn.Sequential(*blocks)
        self.hidden = dense(before * height * width, hidden_size)
        self.out = dense(hidden_size, n_components)
        self.reset_parameters(torch.Generator().manual_seed(random_state))

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for layer in self.blocks:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()
        for layer in (self.hidden, self.out):
            reset_dense(layer, generator)

    def forward(self, images: Tensor) -> Tensor:
        """Codes of images."""
        maps = self.blocks(images.reshape(len(images), *self.shape))
        return self.out(torch.relu(self.hidden(maps.flatten(1))))


def _convolution(n_in, n_out):
    """Convolution with undefined weights, made without the global generator."""
    layer = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False, device="meta")
    on_meta = torch.get_default_device().type == "meta"
    return layer if on_meta else layer.to_empty(device="cpu")
