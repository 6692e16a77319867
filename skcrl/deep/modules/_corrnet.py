"""The correlational network: one joint code from both views, or from either."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._mlp import ACTIVATIONS, MLP, dense, reset_dense


class CorrNetOutput(NamedTuple):
    """Codes of each view alone, each view rebuilt from every source, unpaired rows."""

    x_code: Tensor  # (n_samples, n_components)
    y_code: Tensor  # (n_samples, n_components)
    x_rebuilt: Tensor  # (n_sources, n_samples, n_features_x)
    y_rebuilt: Tensor  # (n_sources, n_samples, n_features_y)
    x_only_rebuilt: Tensor | None = None  # (n_x_only, n_features_x)
    y_only_rebuilt: Tensor | None = None  # (n_y_only, n_features_y)


class CorrNetModule(nn.Module):
    """Correlational autoencoder; a missing view enters it as zeros.

    Parameters
    ----------
    n_features_x, n_features_y, n_components : int
        Widths of the views and of the code.
    hidden_layer_sizes : sequence of int
        Hidden layers of each encoder.
    activation, output_activation : str
        f of the encoders and of the code, g of the views rebuilt.
    combine : {"pre", "post"}
        The joint code is f(Wx + Vy + b), or f(Wx + b) + f(Vy + c).
    decoder : {"linear", "mirrored"}
        No hidden layers, or those of the encoder in reverse.
    tied : bool
        Decode by the transposed weights of the encoder; asks for a mirrored decoder.
    sources : sequence of {"joint", "from_x", "from_y"}
        Codes that ``forward`` rebuilds both views from.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y).
    """

    def __init__(
        self,
        n_features_x,
        n_features_y,
        n_components,
        hidden_layer_sizes,
        activation,
        output_activation,
        combine,
        decoder,
        tied,
        sources,
    ):
        super().__init__()
        self.combine = combine
        self.sources = tuple(sources)
        self.activation = ACTIVATIONS[activation]()
        widths = {
            "x": [n_features_x, *hidden_layer_sizes],
            "y": [n_features_y, *hidden_layer_sizes],
        }
        self.hidden: Any = nn.ModuleDict(
            {side: MLP(w, activation, activation) for side, w in widths.items()}
        )
        self.code = nn.ModuleDict(
            {
                "x": dense(widths["x"][-1], n_components),
                # b is shared in f(Wx + Vy + b).
                "y": dense(widths["y"][-1], n_components, bias=combine == "post"),
            }
        )
        self.decoders: Any = nn.ModuleDict()
        for side, w in widths.items():
            out = [n_components, *(w[:0:-1] if decoder == "mirrored" else []), w[0]]
            self.decoders[side] = (
                _TiedMLP(out, activation, output_activation)
                if tied
                else MLP(out, activation, output_activation)
            )

    def reset_parameters(self, generator):
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for part in (*self.hidden.values(), *self.decoders.values()):
            part.reset_parameters(generator)
        for layer in self.code.values():
            reset_dense(layer, generator)

    def forward(self, x, y, x_only=None, y_only=None):
        """Codes of each view alone, each view rebuilt from every source.

        The view of an unpaired row is rebuilt from the code of that view alone.
        """
        # A row of zeros, the missing view, rides along with the batch.
        a, a_missing = self._branch(_append_zeros(x), "x").tensor_split([-1])
        b, b_missing = self._branch(_append_zeros(y), "y").tensor_split([-1])
        codes = {
            "from_x": self._combine(a, b_missing),
            "from_y": self._combine(a_missing, b),
        }
        if "joint" in self.sources:
            codes["joint"] = self._combine(a, b)
        # (n_sources, n_samples, n_components)
        stacked = torch.stack([codes[source] for source in self.sources])
        return CorrNetOutput(
            codes["from_x"],
            codes["from_y"],
            self.decode(stacked, "x"),
            self.decode(stacked, "y"),
            None if x_only is None else self.decode(self.encode(x=x_only), "x"),
            None if y_only is None else self.decode(self.encode(y=y_only), "y"),
        )

    def encode(self, x=None, y=None):
        """Joint code of the views given; one that is None counts as zeros."""
        given = y if x is None else x
        a, b = (
            self._branch(self._zeros(given, side) if view is None else view, side)
            for view, side in ((x, "x"), (y, "y"))
        )
        return self._combine(a, b)

    def decode(self, code, side):
        """View of `side` rebuilt from a joint code."""
        if not isinstance(self.decoders[side], _TiedMLP):
            return self.decoders[side](code)
        weights = [layer.weight for layer in reversed(self._encoder_layers(side))]
        return self.decoders[side](code, weights)

    def _encoder_layers(self, side):
        hidden: Any = self.hidden[side]
        return [*hidden.layers, self.code[side]]

    def _zeros(self, like, side):
        return like.new_zeros(1, self._encoder_layers(side)[0].in_features)

    def _branch(self, view, side):
        """What a view adds to the code: inside f for "pre", outside for "post"."""
        a = self.code[side](self.hidden[side](view))
        return self.activation(a) if self.combine == "post" else a

    def _combine(self, a, b):
        return a + b if self.combine == "post" else self.activation(a + b)


def _append_zeros(view):
    return torch.cat([view, torch.zeros_like(view[:1])])


class _TiedMLP(nn.Module):
    """Dense layers with biases of their own and the weights of others, transposed."""

    def __init__(self, widths, activation, output_activation):
        super().__init__()
        self.biases = nn.ParameterList(torch.empty(width) for width in widths[1:])
        self.activation = ACTIVATIONS[activation]()
        self.output_activation = ACTIVATIONS[output_activation]()

    def reset_parameters(self, generator):
        for bias in self.biases:
            nn.init.zeros_(bias)

    def forward(self, a, weights):
        for weight, bias in zip(weights[:-1], self.biases[:-1], strict=True):
            a = self.activation(functional.linear(a, weight.T, bias))
        a = functional.linear(a, weights[-1].T, self.biases[-1])
        return self.output_activation(a)
