"""The multimodal autoencoder: both views in, one joint code, both views out."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from math import prod
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from skcrl.deep.modules._denoising import LayerStep, side_by_side, through
from skcrl.deep.modules._hidden_layers import hidden_layers
from skcrl.deep.modules._missing import missing
from skcrl.deep.modules._mlp import ACTIVATIONS, MLP
from skcrl.deep.modules._noise import GaussianNoise, RandomLayer, by_view
from skcrl.deep.modules._reconstructed import ReconstructedViews


class ModalityDropout(RandomLayer):
    """Remove one of the two views from some of the rows in training.

    Parameters
    ----------
    share : float in [0, 1]
        Probability that a row loses a view; both views have the same chance.

    Notes
    -----
    Shape: (n_samples, ...) twice, both unchanged.
    """

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Set one view of some rows to zero."""
        if not self.training or self.share == 0:
            return x, y
        drawn = self.uniform((len(x),), x)
        return _kept(x, drawn >= self.share / 2), _kept(y, drawn < 1 - self.share / 2)


def _kept(view, rows):
    return view * rows.reshape(-1, *(1,) * (view.ndim - 1))


class _Beside(nn.Module):
    """Join the same row to every row, before or after it."""

    row: Tensor

    def __init__(self, row, comes_first):
        super().__init__()
        self.register_buffer("row", row)
        self.comes_first = comes_first

    def forward(self, a):
        parts = a, self.row.expand(a.shape[0], -1)  # an export would make len() fixed
        return torch.cat(parts[::-1] if self.comes_first else parts, 1)


class MultimodalAutoencoderModule(nn.Module):
    """Autoencoder of two views, in which zeros stand for a missing view.

    Parameters
    ----------
    x_shape, y_shape : tuple of int
        Shapes of a sample; a width if the encoder is dense.
    n_components : int
        Width of the code.
    layout : {"split", "concatenated"}
        Whether the hidden layers belong to one view each, or to both together.
    hidden_layer_sizes : sequence of int or (x, y) pair of sequences
        Hidden layers of the encoder, which the decoder mirrors. A pair gives each view
        its own in the layout "split".
    activation, output_activation : str
        Activation f of the hidden layers and of the code, and g of the reconstructed
        views.
    modality_dropout : float
        Probability that a row loses one of its two views in training.
    noise : float
        Standard deviation of the noise on the inputs while training.
    x_encoder, y_encoder : nn.Module or None, default=None
        The user's encoders, which are copied and used instead of the hidden layers of
        one view.
    x_width, y_width : int or None, default=None
        Widths of the outputs of these encoders.
    x_decoder, y_decoder : nn.Module or None, default=None
        The user's decoders from the code to one view, which are copied.
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
        layout: Literal["split", "concatenated"],
        hidden_layer_sizes: Sequence[Any],
        activation: str,
        output_activation: str,
        modality_dropout: float,
        noise: float,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_width: int | None = None,
        y_width: int | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        integer_sides: Sequence[str] = (),
    ):
        super().__init__()
        hidden = hidden_layers(hidden_layer_sizes)
        if layout == "split":
            own, shared = hidden, ()
        else:
            own, shared = {"x": (), "y": ()}, hidden["x"]
        self.shapes = {"x": x_shape, "y": y_shape}
        self.integer_sides = tuple(integer_sides)
        widths = {s: [prod(shape), *own[s]] for s, shape in self.shapes.items()}
        encoders: dict[str, Any] = {"x": x_encoder, "y": y_encoder}
        decoders: dict[str, Any] = {"x": x_decoder, "y": y_decoder}
        self.encoded_densely = [side for side in encoders if encoders[side] is None]
        # Width of what the joint decoder gives each side that the user does not decode.
        self.inner_widths = {s: widths[s][-1] for s in decoders if decoders[s] is None}
        inward = sum(
            widths[side][-1] if width is None else width
            for side, width in (("x", x_width), ("y", y_width))
        )
        outward = [sum(self.inner_widths.values())] if self.inner_widths else []
        self.noise = by_view(GaussianNoise(noise), ("x", "y", "x_only", "y_only"))
        self.modality_dropout = ModalityDropout(modality_dropout)
        self.encoders: Any = nn.ModuleDict(
            {
                side: MLP(w, activation, activation)
                if side in self.encoded_densely
                else deepcopy(encoders[side])
                for side, w in widths.items()
            }
        )
        # It takes the concatenated views: f([W V] [x; y] + b) is f(Wx + Vy + b).
        self.joint_encoder = MLP(
            [inward, *shared, n_components], activation, activation
        )
        self.joint_decoder = MLP([n_components, *shared[::-1], *outward], activation)
        # If a side has no hidden layers of its own, the joint layers give its view.
        self.leaving_activations: Any = nn.ModuleDict(
            {
                side: ACTIVATIONS[activation if own[side] else output_activation]()
                for side in self.inner_widths
            }
        )
        self.decoders: Any = nn.ModuleDict(
            {
                side: MLP(w[::-1], activation, output_activation)
                if side in self.inner_widths
                else deepcopy(decoders[side])
                for side, w in widths.items()
            }
        )

    def reset_parameters(self, generator: Generator) -> None:
        """Glorot uniform weights drawn from `generator`, zero biases.

        The user's modules keep theirs.
        """
        for part in (
            *(self.encoders[side] for side in self.encoded_densely),
            self.joint_encoder,
            self.joint_decoder,
            *(self.decoders[side] for side in self.inner_widths),
        ):
            part.reset_parameters(generator)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        x_only: Tensor | None = None,
        y_only: Tensor | None = None,
    ) -> ReconstructedViews:
        """Reconstruct both views after noise and modality dropout.

        Modality dropout does not apply to unpaired rows. Of these only the view that is
        not missing is reconstructed.
        """
        noise = self.noise
        parts = [self.modality_dropout(noise["x"](x), noise["y"](y))]
        if x_only is not None:
            parts.append((noise["x_only"](x_only), self._missing(x_only, "y")))
        if y_only is not None:
            parts.append((self._missing(y_only, "x"), noise["y_only"](y_only)))
        # All rows at once, for layers that compute across rows.
        code = self.encode(*(torch.cat(views) for views in zip(*parts, strict=True)))
        inner = self._inner(code)
        n_rows = [0 if view is None else len(view) for view in (x, x_only, y_only)]
        x_parts, y_parts = (
            self._outer(code, inner, side).split(n_rows) for side in ("x", "y")
        )
        return ReconstructedViews(
            x_parts[0],
            y_parts[0],
            None if x_only is None else x_parts[1],
            None if y_only is None else y_parts[2],
        )

    def encode(self, x: Tensor | None = None, y: Tensor | None = None) -> Tensor:
        """Joint code of the views given; one that is None counts as zeros."""
        given: Any = y if x is None else x
        inner = [
            # All rows of zeros have the same output: one is encoded for all.
            self.encoders[side](self._missing(given[:1], side)).expand(len(given), -1)
            if view is None
            else self.encoders[side](view)
            for side, view in (("x", x), ("y", y))
        ]
        return self.joint_encoder(torch.cat(inner, 1))

    def pretraining_steps(self) -> Iterator[LayerStep]:
        """Layers of the dense encoders: first those of each view, then the joint ones.

        Joint layers take the outputs of the others for complete rows.
        """
        yield from side_by_side(dict(self.encoders.items()))
        joint = self.joint_encoder
        for i in range(len(joint.layers)):
            yield LayerStep(
                {"x": joint.layers[i]},
                {"x": joint.activations[i]},
                {},
                partial(self._before_joint, i),
            )

    def _before_joint(self, n_layers, views):
        own = torch.cat([self.encoders[side](views[side]) for side in ("x", "y")], 1)
        return {"x": through(self.joint_encoder, n_layers, own), "y": views["y"]}

    def one_view(self, side: str) -> nn.Module:
        """Module that encodes the view of `side` if the other view is missing.

        What the missing view gives the joint layer is a constant of the module.
        """
        other = "y" if side == "x" else "x"
        like = next(self.parameters()).new_zeros(1)
        with torch.no_grad():
            row = self.encoders[other](self._missing(like, other))
        beside = _Beside(row, comes_first=other == "x")
        return nn.Sequential(self.encoders[side], beside, self.joint_encoder)

    def decode(self, code: Tensor, side: str) -> Tensor:
        """View of `side` reconstructed from a joint code."""
        return self._outer(code, self._inner(code), side)

    def _inner(self, code):
        """Outputs of the joint layers for a code, by side, for dense decoders."""
        if not self.inner_widths:
            return {}
        parts = self.joint_decoder(code).split([*self.inner_widths.values()], 1)
        return {
            side: self.leaving_activations[side](part)
            for side, part in zip(self.inner_widths, parts, strict=True)
        }

    def _outer(self, code, inner, side):
        if side not in inner:
            return self.decoders[side](code)
        return self.decoders[side](inner[side]).unflatten(1, self.shapes[side])

    def _missing(self, like, side):
        """Rows that stand for a missing view, as many as in `like`."""
        return missing(self, like, len(like), side)
