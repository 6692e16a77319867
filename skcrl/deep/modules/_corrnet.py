"""The correlational network: one joint code from both views, or from one of them."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from math import prod
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from skcrl.deep.modules._at_once import at_once
from skcrl.deep.modules._denoising import LayerStep, Stack, side_by_side
from skcrl.deep.modules._hidden_layers import hidden_layers
from skcrl.deep.modules._missing import missing
from skcrl.deep.modules._mlp import ACTIVATIONS, MLP, dense, reset_dense

# For each source, the code from which each view is reconstructed.
SOURCES = {
    "joint": {"x": "joint", "y": "joint"},
    "from_x": {"x": "from_x", "y": "from_x"},
    "from_y": {"x": "from_y", "y": "from_y"},
    "self": {"x": "from_x", "y": "from_y"},
    "cross": {"x": "from_y", "y": "from_x"},
}


class CorrNetOutput(NamedTuple):
    """Codes of each view alone, and views reconstructed from every source."""

    x_code: Tensor  # (n_samples, n_components)
    y_code: Tensor  # (n_samples, n_components)
    x_reconstructed: Tensor  # (n_samples, n_sources, *x_shape)
    y_reconstructed: Tensor  # (n_samples, n_sources, *y_shape)
    x_only_reconstructed: Tensor | None = None  # (n_x_only, *x_shape)
    y_only_reconstructed: Tensor | None = None  # (n_y_only, *y_shape)


class CorrNetModule(nn.Module):
    """Correlational autoencoder, in which zeros stand for a missing view.

    Parameters
    ----------
    x_shape, y_shape : tuple of int
        Shapes of a sample; a width if the encoder is dense.
    n_components : int
        Width of the code.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences
        Hidden layers of both encoders, or of each.
    activation, output_activation : str
        Activation f of the encoders and of the code, and g of the reconstructed views.
    combine : {"pre", "post"}
        The joint code is f(Wx + Vy + b), or f(Wx + b) + f(Vy + c).
    decoder : {"linear", "mirrored"}
        No hidden layers, or those of the encoder in reverse.
    tied : bool
        Whether to decode with the transposed weights of the encoder. This needs a
        mirrored decoder, and no module of the user's.
    sources : sequence of str, keys of SOURCES
        From which codes ``forward`` reconstructs the views. () means the code of each
        single view, for decoders that are trained separately: no gradient reaches the
        codes.
    x_encoder, y_encoder : nn.Module or None, default=None
        The user's encoders, which are copied and used instead of all layers before f.
    x_decoder, y_decoder : nn.Module or None, default=None
        The user's decoders, which are copied.
    integer_sides : sequence of {"x", "y"}, default=()
        Sides whose views are integers that the user's encoder looks up.

    Notes
    -----
    Shape: x (n_samples, *x_shape), y (n_samples, *y_shape).
    """

    def __init__(
        self,
        x_shape: Sequence[int],
        y_shape: Sequence[int],
        n_components: int,
        hidden_layer_sizes: Sequence[Any],
        activation: str,
        output_activation: str,
        combine: Literal["pre", "post"],
        decoder: Literal["linear", "mirrored"],
        tied: bool,
        sources: Sequence[str],
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        integer_sides: Sequence[str] = (),
    ):
        super().__init__()
        self.shapes = {"x": x_shape, "y": y_shape}
        self.integer_sides = tuple(integer_sides)
        self.combine = combine
        self.sources = tuple(sources)
        self.activation = ACTIVATIONS[activation]()
        encoders: dict[str, Any] = {"x": x_encoder, "y": y_encoder}
        decoders: dict[str, Any] = {"x": x_decoder, "y": y_decoder}
        self.encoded_densely = [side for side in encoders if encoders[side] is None]
        self.decoded_densely = [side for side in decoders if decoders[side] is None]
        hidden = hidden_layers(hidden_layer_sizes)
        self.hidden: Any = nn.ModuleDict()
        self.code: Any = nn.ModuleDict()
        self.decoders: Any = nn.ModuleDict()
        for side, shape in self.shapes.items():
            widths = [prod(shape), *hidden[side]]
            if side in self.encoded_densely:
                # In f(Wx + Vy + b) both views share b, which one layer holds.
                bias = combine == "post" or side == self.encoded_densely[0]
                self.hidden[side] = MLP(widths, activation, activation)
                self.code[side] = dense(widths[-1], n_components, bias=bias)
            else:
                self.hidden[side] = deepcopy(encoders[side])
                self.code[side] = nn.Identity()
            if side in self.decoded_densely:
                mirrored = widths[:0:-1] if decoder == "mirrored" else []
                out = [n_components, *mirrored, widths[0]]
                kind = _TiedMLP if tied else MLP
                self.decoders[side] = kind(out, activation, output_activation)
            else:
                self.decoders[side] = deepcopy(decoders[side])

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases.

        The user's modules keep theirs.
        """
        for side in self.encoded_densely:
            self.hidden[side].reset_parameters(generator)
        for side in self.decoded_densely:
            self.decoders[side].reset_parameters(generator)
        for side in self.encoded_densely:
            reset_dense(self.code[side], generator)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        x_only: Tensor | None = None,
        y_only: Tensor | None = None,
    ) -> CorrNetOutput:
        """Codes of each view alone, each view reconstructed from every source.

        The view of an unpaired row is reconstructed from the code of that view alone.
        """
        a, a_missing, a_only = at_once(
            partial(self.branch, side="x"), x, self._missing(x, "x"), x_only
        )
        b, b_missing, b_only = at_once(
            partial(self.branch, side="y"), y, self._missing(y, "y"), y_only
        )
        codes = {
            "from_x": self._combine(a, b_missing),
            "from_y": self._combine(a_missing, b),
        }
        if "joint" in self.sources:
            codes["joint"] = self._combine(a, b)
        x_only_code = None if a_only is None else self._combine(a_only, b_missing)
        y_only_code = None if b_only is None else self._combine(a_missing, b_only)
        sources = self._sources_of_sides(codes)
        x_reconstructed, x_only_reconstructed = self._reconstructed(
            "x", sources["x"], x_only_code
        )
        y_reconstructed, y_only_reconstructed = self._reconstructed(
            "y", sources["y"], y_only_code
        )
        by_source = len(self._sources), len(x)
        return CorrNetOutput(
            codes["from_x"],
            codes["from_y"],
            x_reconstructed.unflatten(0, by_source).transpose(0, 1),
            y_reconstructed.unflatten(0, by_source).transpose(0, 1),
            x_only_reconstructed,
            y_only_reconstructed,
        )

    def encode(self, x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """Joint code of the views given; one that is None counts as zeros."""
        given = y if x is None else x
        a, b = (
            self.branch(self._missing(given, side) if view is None else view, side)
            for view, side in ((x, "x"), (y, "y"))
        )
        return self._combine(a, b)

    def pretraining_steps(self) -> Iterator[LayerStep]:
        """Layers of the dense encoders of each view, and last those of the code.

        If both views share the bias of the code, the layer of the first view has it.
        """
        return side_by_side(
            {
                side: Stack(
                    [*self.hidden[side].layers, self.code[side]],
                    [*self.hidden[side].activations, self.activation],
                )
                for side in self.encoded_densely
            }
        )

    def one_view(self, side: str) -> nn.Module:
        """Module that encodes the view of `side` if the other view is missing.

        What the missing view adds to the code is a constant of the module.
        """
        other = "y" if side == "x" else "x"
        like = next(self.parameters(), torch.zeros(()))
        with torch.no_grad():
            added = _Added(self.branch(self._missing(like, other), other))
        layers = [self.hidden[side], self.code[side], added]
        layers.insert(3 if self.combine == "pre" else 2, self.activation)
        return nn.Sequential(*layers)

    def decode(self, code: Tensor, side: str) -> Tensor:
        """View of `side` reconstructed from a joint code."""
        decoder = self.decoders[side]
        if side not in self.decoded_densely:
            return decoder(code)
        if not isinstance(decoder, _TiedMLP):
            return decoder(code).unflatten(1, self.shapes[side])
        layers = [*self.hidden[side].layers, self.code[side]]
        return decoder(code, [layer.weight for layer in reversed(layers)])

    def branch(self, view: Tensor, side: str) -> Tensor:
        """What a view adds to the code: inside f for "pre", outside for "post"."""
        a = self.code[side](self.hidden[side](view))
        return self.activation(a) if self.combine == "post" else a

    @property
    def _sources(self):
        return self.sources or ("from_x", "from_y")

    def _sources_of_sides(self, codes):
        """Codes to reconstruct each side from, (n_sources * n_samples, n_components).

        They are put together only once if they are the same for both sides.
        """
        names = {
            side: tuple(SOURCES[source][side] for source in self._sources)
            for side in self.shapes
        }
        stacked = {of: torch.cat([codes[name] for name in of]) for of in names.values()}
        return {side: stacked[of] for side, of in names.items()}

    def _reconstructed(self, side, sources, only):
        """View of `side` from every source, and that of its unpaired rows."""
        if not self.sources:
            sources = sources.detach()
            only = None if only is None else only.detach()
        return at_once(partial(self.decode, side=side), sources, only)

    def _combine(self, a, b):
        return a + b if self.combine == "post" else self.activation(a + b)

    def _missing(self, like, side):
        """One row that stands for a missing view."""
        return missing(self, like, 1, side)


class _Added(nn.Module):
    """Add the same row to every row."""

    row: Tensor

    def __init__(self, row):
        super().__init__()
        self.register_buffer("row", row)

    def forward(self, a):
        return a + self.row


class _TiedMLP(nn.Module):
    """Dense layers with their own biases and the transposed weights of others."""

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
