"""Tied denoising autoencoders of one layer, for pretraining."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._at_once import at_once, weights_at_once
from skcrl.deep.modules._noise import GaussianNoise, by_view
from skcrl.deep.modules._reconstructed import ReconstructedViews


class LayerStep(NamedTuple):
    """Layers that are pretrained at the same time, one for each side, with inputs."""

    layers: dict[str, Any]
    activations: dict[str, Any]
    norms: dict[str, Any]
    # Function from the views of a batch, by name, to the inputs of the layers.
    inputs: Callable[[dict[str, Any]], dict[str, Any]]


class Stack(NamedTuple):
    """Dense layers, with the activation and perhaps the norm that follow each."""

    layers: list[nn.Module]
    activations: list[nn.Module]
    norms: Sequence[nn.Module] = ()


def side_by_side(stacks: dict[str, Any]) -> Iterator[LayerStep]:
    """Yield steps through stacks of dense layers; layers at the same place share one.

    Parameters
    ----------
    stacks : dict of str to Stack or MLP
        Stack of each side.
    """
    for i in range(max((len(stack.layers) for stack in stacks.values()), default=0)):
        here = {s: stack for s, stack in stacks.items() if i < len(stack.layers)}

        def inputs(views, here=here, i=i):
            return {
                name: through(here[name[0]], i, view) if name[0] in here else view
                for name, view in views.items()
            }

        yield LayerStep(
            {side: stack.layers[i] for side, stack in here.items()},
            {side: stack.activations[i] for side, stack in here.items()},
            {s: stack.norms[i] for s, stack in here.items() if i < len(stack.norms)},
            inputs,
        )


def through(stack: Any, n_layers: int, view: Any) -> Any:
    """Output of the first layers of a stack, for a view."""
    for i in range(n_layers):
        view = stack.layers[i](view)
        if i < len(stack.norms):
            view = stack.norms[i](view)
        view = stack.activations[i](view)
    return view


class DenoisingPair(nn.Module):
    r"""A denoising autoencoder around a layer of one side or of each side.

    Its output is :math:`\hat a = W' s(W (a + \epsilon) + b) + c` with normal noise
    :math:`\epsilon`. The biases c are its own.

    Parameters
    ----------
    layers : dict of nn.Linear
        The layers, with keys among "x" and "y". They are not copied: training this
        module trains them.
    activations : dict of nn.Module
        The activation s that follows each layer.
    noise : float
        Standard deviation of the noise.
    norms : dict of BatchNorm, default=()
        Batch normalisation between a layer and its activation, if there is any. They
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
        self.noise = by_view(GaussianNoise(noise), ("x", "y", "x_only", "y_only"))

    def reset_parameters(self, generator: Generator) -> None:
        """Zero biases of the decoders; the layers keep their weights."""
        for bias in self.biases.values():
            nn.init.zeros_(bias)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        x_only: Tensor | None = None,
        y_only: Tensor | None = None,
        weights: Tensor | None = None,
        x_only_weights: Tensor | None = None,
        y_only_weights: Tensor | None = None,
    ) -> ReconstructedViews:
        """Reconstruct each side that has a layer from its noisy input.

        In the norms a row of weight w counts as w rows.
        """
        views = {"x": x, "y": y, "x_only": x_only, "y_only": y_only}
        only_weights = {"x": x_only_weights, "y": y_only_weights}
        reconstructed: dict[str, Any] = {}
        for side, layer in self.layers.items():
            names = side, f"{side}_only"
            noisy = [
                None if views[n] is None else self.noise[n](views[n]) for n in names
            ]
            of_rows = weights_at_once(weights, only_weights[side])
            encode = partial(self.encode, side=side, weights=of_rows)
            for name, code in zip(names, at_once(encode, *noisy), strict=True):
                if code is not None:
                    view = functional.linear(code, layer.weight.T, self.biases[side])
                    reconstructed[f"{name}_reconstructed"] = view
        return ReconstructedViews(**reconstructed)

    def encode(self, a: Tensor, side: str, weights: Tensor | None = None) -> Tensor:
        """Output of the layer of `side` and of its activation, for an input."""
        a = self.layers[side](a)
        if side in self.norms:
            a = self.norms[side](a, weights)
        return self.activations[side](a)
