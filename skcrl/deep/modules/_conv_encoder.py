"""Convolutional encoder of images."""

import math
from collections.abc import Sequence
from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from torch import Generator, Tensor, nn

from skcrl.deep.modules._mlp import dense, reset_dense

_WIDTH = [Interval(Integral, 1, None, closed="left")]
_CONSTRAINTS = {
    "n_components": _WIDTH,
    "hidden_size": _WIDTH,
    "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
}


class ConvEncoder(nn.Module):
    """Convolutional network that turns images into codes.

    Pass it as `x_encoder` or `y_encoder` of an estimator whose view is images. Each
    block of the network has a convolution of 3 x 3, batch normalisation and ReLU, and
    halves the size of the image. The blocks are followed by a dense layer with ReLU and
    by a linear layer.

    Parameters
    ----------
    shape : (height, width) or (n_channels, height, width) of int
        Size of an image. Samples have this shape, or are rows of the same numbers in
        this order.
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
    Shape: (n_samples, n_channels * height * width) or (n_samples, n_channels, height,
    width), or (n_samples, height, width) for images of one channel ->
    (n_samples, n_components).

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
        numbers = {
            "n_components": n_components,
            "hidden_size": hidden_size,
            "random_state": random_state,
        }
        validate_parameter_constraints(_CONSTRAINTS, numbers, "ConvEncoder")
        if not _are_sizes(shape) or len(shape) not in (2, 3):
            raise ValueError(
                "ConvEncoder needs shape=(height, width) or (n_channels, height, "
                f"width) of the images, got {shape!r}."
            )
        if not _are_sizes(channels):
            raise ValueError(
                "channels of ConvEncoder must be a sequence of positive integers, one "
                f"for each block, got {channels!r}."
            )
        *first, height, width = map(int, shape)
        self.shape = (*(first or [1]), height, width)
        self.random_state = random_state
        before, height, width = self.shape
        blocks: list[nn.Module] = []
        for n_channels in map(int, channels):
            pool = min(height, 2), min(width, 2)
            height, width = height // pool[0], width // pool[1]
            blocks += [
                _convolution(before, n_channels),
                nn.BatchNorm2d(n_channels),
                # Rectifying the largest values is less work than all, and the same.
                nn.MaxPool2d(pool),
                nn.ReLU(),
            ]
            before = n_channels
        self.blocks = nn.Sequential(*blocks)
        self.hidden = dense(before * height * width, hidden_size)
        self.out = dense(hidden_size, n_components)
        self.reset_parameters(torch.Generator().manual_seed(int(random_state)))

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for layer in self.blocks:
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()
        for layer in (self.hidden, self.out):
            reset_dense(layer, generator)

    def extra_repr(self) -> str:
        """What the representation shows beside the layers."""
        return f"shape={self.shape}, random_state={self.random_state}"

    def forward(self, images: Tensor) -> Tensor:
        """Codes of images."""
        n, *sample = images.shape
        one_channel = [self.shape[1:]] if self.shape[0] == 1 else []
        if tuple(sample) not in [self.shape, (math.prod(self.shape),), *one_channel]:
            raise ValueError(
                f"ConvEncoder needs images of shape {self.shape}, or rows of "
                f"{math.prod(self.shape)} values, got shape {tuple(sample)}."
            )
        maps = self.blocks(images.reshape(n, *self.shape))
        return self.out(torch.relu(self.hidden(maps.flatten(1))))


class _Convolution(nn.Conv2d):
    """Convolution whose maps have the channels of a pixel side by side.

    This makes training on a processor faster. The weights are stored as always, because
    some optimisers need that.
    """

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight.contiguous(memory_format=torch.channels_last)
        return self._conv_forward(input, weight, self.bias)


def _convolution(n_in, n_out):
    """Convolution with undefined weights, made without the global generator."""
    layer = _Convolution(n_in, n_out, 3, padding=1, bias=False, device="meta")
    on_meta = torch.get_default_device().type == "meta"
    return layer if on_meta else layer.to_empty(device="cpu")


def _are_sizes(values):
    return isinstance(values, Sequence) and all(
        isinstance(value, Integral) and int(value) > 0 for value in values
    )
