"""Two networks that translate each view to the other, with tied central weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._hidden_layers import hidden_layers
from skcrl.deep.modules._mlp import ACTIVATIONS, MLP, dense, reset_dense
from skcrl.deep.modules._noise import Dropout, by_view
from skcrl.deep.modules._reconstructed import ReconstructedViews


class TiedBidirectionalModule(nn.Module):
    """Network 1 from x to y and network 2 from y to x, symmetrical in the centre.

    Network 1 enters the centre by W2 and leaves it by W3. Network 2 enters it by the
    transpose of W3 and leaves it by the transpose of W2. `centre` holds W2 for "x" and
    the transpose of W3 for "y", each with the bias of the network that enters by it.

    Parameters
    ----------
    n_features_x, n_features_y, n_components : int
        Widths of the views, and of the central layer of each network.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences
        Hidden layers between each view and the centre. They are used from the view to
        the centre and, mirrored, from the centre to the view.
    activation, output_activation : str
        Activation after every hidden layer and the centre, and activation of the
        reconstructed views.
    dropout : float
        Fraction of the central activations that is dropped in training.
    input_dropout : float, default=0.0
        Fraction of the entries of the views that is dropped in training.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y).
    """

    def __init__(
        self,
        n_features_x: int,
        n_features_y: int,
        n_components: int,
        hidden_layer_sizes: Sequence[int],
        activation: str,
        output_activation: str,
        dropout: float,
        input_dropout: float = 0.0,
    ):
        super().__init__()
        hidden = hidden_layers(hidden_layer_sizes)
        widths = {
            "x": [n_features_x, *hidden["x"]],
            "y": [n_features_y, *hidden["y"]],
        }
        self.activation = ACTIVATIONS[activation]()
        # If a side has no hidden layers, the output of the centre is its view.
        self.leaving_activations: Any = nn.ModuleDict(
            {
                side: ACTIVATIONS[activation if layers else output_activation]()
                for side, layers in hidden.items()
            }
        )
        self.encoders: Any = nn.ModuleDict(
            {side: MLP(w, activation, activation) for side, w in widths.items()}
        )
        self.centre: Any = nn.ModuleDict(
            {side: dense(w[-1], n_components) for side, w in widths.items()}
        )
        names = ("x", "y", "x_only", "y_only")
        self.dropout = by_view(Dropout(dropout), names)
        self.corruption = by_view(Dropout(input_dropout), names)
        self.leaving_biases = nn.ParameterDict(
            {side: torch.empty(w[-1]) for side, w in widths.items()}
        )
        self.decoders: Any = nn.ModuleDict(
            {
                side: MLP(w[::-1], activation, output_activation)
                for side, w in widths.items()
            }
        )

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for part in (*self.encoders.values(), *self.decoders.values()):
            part.reset_parameters(generator)
        for layer in self.centre.values():
            reset_dense(layer, generator)
        for bias in self.leaving_biases.values():
            nn.init.zeros_(bias)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        x_only: Tensor | None = None,
        y_only: Tensor | None = None,
    ) -> ReconstructedViews:
        """Each view from the other; the view of an unpaired row from itself."""
        return ReconstructedViews(
            self._translate(y, "y", "y", "x"),
            self._translate(x, "x", "x", "y"),
            None if x_only is None else self._translate(x_only, "x_only", "x", "x"),
            None if y_only is None else self._translate(y_only, "y_only", "y", "y"),
        )

    def encode(self, view: Tensor, side: str) -> Tensor:
        """Central activations of the net that starts from the view of `side`."""
        return self.activation(self.centre[side](self.encoders[side](view)))

    def one_view(self, side: str) -> nn.Module:
        """Module that encodes the view of `side`."""
        return nn.Sequential(self.encoders[side], self.centre[side], self.activation)

    def decode(self, code: Tensor, side: str) -> Tensor:
        """View of `side` from central activations."""
        weight = self.centre[side].weight.T
        inner = functional.linear(code, weight, self.leaving_biases[side])
        return self.decoders[side](self.leaving_activations[side](inner))

    def _translate(self, view, name, source, target):
        code = self.encode(self.corruption[name](view), source)
        return self.decode(self.dropout[name](code), target)
