"""Multilayer perceptron whose weights come from a generator of their own."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from skcrl.deep.modules._batch_norm import BatchNorm
from skcrl.deep.modules._cube_root import CubeRoot
from skcrl.deep.modules._sparse_rows import SparseRows

ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "cube_root": CubeRoot,
}


class MLP(nn.Module):
    """Dense layers with an activation between them.

    Parameters
    ----------
    widths : sequence of int
        Width of the input, of each hidden layer, and of the output. With one width only
        the module is the identity.
    activation : str, key of ACTIVATIONS
        Activation after every layer except the last.
    output_activation : str, key of ACTIVATIONS, default="identity"
        Activation after the last layer.
    batch_norm : bool, default=False
        Whether every layer except the last is normalised over the batch before its
        activation. Such a layer has no bias.

    Notes
    -----
    Weights are undefined until ``reset_parameters`` or ``load_state_dict``: torch's
    own initialisation would draw from the global generator.

    Shape: (n_samples, widths[0]) -> (n_samples, widths[-1]). The input may be
    SparseRows.
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str,
        output_activation: str = "identity",
        batch_norm: bool = False,
    ):
        super().__init__()
        n_normed = max(len(widths) - 2, 0) if batch_norm else 0
        self.layers = nn.ModuleList(
            dense(n_in, n_out, bias=i >= n_normed)
            for i, (n_in, n_out) in enumerate(pairwise(widths))
        )
        self.norms: Any = nn.ModuleList(BatchNorm(w) for w in widths[1 : 1 + n_normed])
        names = [activation] * (len(self.layers) - 1) + [output_activation]
        self.activations = nn.ModuleList(
            ACTIVATIONS[name]() for name, _ in zip(names, self.layers, strict=False)
        )

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for layer in self.layers:
            reset_dense(layer, generator)
        for norm in self.norms:
            norm.reset_parameters()

    def forward(self, a: Any, weights: Tensor | None = None) -> Tensor:
        """Apply the layers; in the norms a row of weight w counts as w rows."""
        for i, (layer, activation) in enumerate(
            zip(self.layers, self.activations, strict=True)
        ):
            a = a.through(layer) if isinstance(a, SparseRows) else layer(a)
            if i < len(self.norms):
                a = self.norms[i](a, weights)
            a = activation(a)
        return a


def dense(n_in, n_out, bias=True):
    """Linear layer with undefined weights, made without the global generator."""
    layer = nn.Linear(n_in, n_out, bias=bias, device="meta")
    on_meta = torch.get_default_device().type == "meta"
    return layer if on_meta else layer.to_empty(device="cpu")


def reset_dense(layer, generator):
    """Glorot uniform weights drawn from `generator`, zero bias."""
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
