"""Tied denoising autoencoders of one layer, for pretraining."""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._noise import GaussianNoise, by_view
from skcrl.deep.modules._rebuilt import RebuiltViews


class DenoisingPair(nn.Module):
    r"""A denoising autoencoder around a layer of either side or of both.

    :math:`\hat a = W' s(W (a + \epsilon) + b) + c` with normal noise
    :math:`\epsilon`, and biases c of its own.

    Parameters
    ----------
    layers : dict of nn.Linear
        The layers, keys among "x" and "y". They are not copied: training this module
        trains them.
    activations : dict of nn.Module
        What follows each layer, s.
    noise : float
        Standard deviation of the noise.
    norms : dict of BatchNorm, default=()
        What stands between a layer and its activation, where there is something. They
        are not copied.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y), unchanged.
    """

    # Whether weights of the rows matter to ``forward``.
    weighs_rows = True

    def __init__(self, layers: Any, activations: Any, noise: float, norms: Any = ()):
        super().__init__()
        self.layers: Any = nn.ModuleDict(layers)
        self.norms: Any = nn.ModuleDict(norms)
        self.activations = nn.ModuleDict(activations)
        self.biases = nn.ParameterDict(
            {side: torch.empty(layer.in_features) for side, layer in layers.items()}
        )
        self.noise = by_view(GaussianNoise(noise), ("x", "y"))

    def reset_parameters(self, generator: Generator) -> None:
        """Zero biases of the decoders; the layers keep their weights."""
        for bias in self.biases.values():
            nn.init.zeros_(bias)

    def forward(
        self, x: Tensor, y: Tensor, weights: Tensor | None = None
    ) -> RebuiltViews:
        """Rebuild each side that has a layer from its noisy input.

        In the norms a row of weight w counts as w rows.
        """
        views = {"x": x, "y": y}
        return RebuiltViews(
            **{
                f"{side}_rebuilt": functional.linear(
                    self.encode(self.noise[side](views[side]), side, weights),
                    layer.weight.T,
                    self.biases[side],
                )
                for side, layer in self.layers.items()
            }
        )

    def encode(self, a: Tensor, side: str, weights: Tensor | None = None) -> Tensor:
        """What the layer of `side` and its activation make of an input."""
        a = self.layers[side](a)
        if side in self.norms:
            a = self.norms[side](a, weights)
        return self.activations[side](a)
