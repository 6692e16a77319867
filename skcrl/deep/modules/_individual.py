"""An encoder and a decoder per view for what the view does not share."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from skcrl.deep.modules._mlp import MLP
from skcrl.deep.modules._running import CodeMoments
from skcrl.deep.modules._two_branch import in_full


class IndividualOutput(NamedTuple):
    """Common and individual codes of a batch, and the views reconstructed from them."""

    x_code: Tensor  # (n_samples, n_components), common
    y_code: Tensor  # (n_samples, n_components)
    x_individual: Tensor  # (n_samples, n_individual)
    y_individual: Tensor  # (n_samples, n_individual)
    x_reconstructed: Tensor  # (n_samples, ...)
    y_reconstructed: Tensor  # (n_samples, ...)
    x_running: CodeMoments | None = None
    y_running: CodeMoments | None = None


class IndividualBranches(nn.Module):
    """Individual encoders, and decoders from common and individual codes together.

    Parameters
    ----------
    x_shape, y_shape : sequence of int
        Shapes of a sample.
    hidden_x, hidden_y : sequence of int
        Widths of the hidden layers of the dense encoders. The dense decoders have the
        same widths in reverse order.
    activation : str
        Activation of the hidden layers.
    n_common : int
        Width of the common codes.
    n_individual : int
        Width of the individual codes.
    x_encoder, y_encoder : nn.Module or None, default=None
        The user's encoders (n_samples, ...) -> (n_samples, n_individual), which are
        copied and used instead of the dense ones.
    x_decoder, y_decoder : nn.Module or None, default=None
        The user's decoders (n_samples, n_common + n_individual) -> (n_samples, ...),
        which are copied.

    Attributes
    ----------
    common : object with ``by_rows`` and ``across``, or None
        Source of the common codes in training, such as a TwoBranch.

    Notes
    -----
    Shape: x (n_samples, *x_shape), y (n_samples, *y_shape) -> codes of both kinds, and
    views of these shapes.
    """

    # Whether weights of the rows matter to ``by_rows``.
    weighs_rows = True

    def __init__(
        self,
        x_shape: Sequence[int],
        y_shape: Sequence[int],
        hidden_x: Sequence[int],
        hidden_y: Sequence[int],
        activation: str,
        n_common: int,
        n_individual: int,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
    ):
        super().__init__()
        self.common: Any = None
        self.shapes = {"x": torch.Size(x_shape), "y": torch.Size(y_shape)}
        hidden = {"x": hidden_x, "y": hidden_y}
        encoders: dict[str, Any] = {"x": x_encoder, "y": y_encoder}
        decoders: dict[str, Any] = {"x": x_decoder, "y": y_decoder}
        self.encoders: Any = nn.ModuleDict()
        self.decoders: Any = nn.ModuleDict()
        for side, shape in self.shapes.items():
            width = shape.numel()
            # (..., n_individual) and (n_common + n_individual, ...)
            self.encoders[side] = (
                _Flat(MLP((width, *hidden[side], n_individual), activation))
                if encoders[side] is None
                else deepcopy(encoders[side])
            )
            both = n_common + n_individual
            self.decoders[side] = (
                _Shaped(MLP((both, *hidden[side][::-1], width), activation), shape)
                if decoders[side] is None
                else deepcopy(decoders[side])
            )

    def let_go_of_common(self) -> None:
        """Remove the source of the common codes, which only training needs."""
        # A module stays registered under its name until it is deleted.
        del self.common
        self.common = None

    def reset_parameters(self, generator: Generator) -> None:
        """Draw the weights of the dense parts; the user's modules keep theirs."""
        # Decoders first: encoders of the common part may be drawn from the same seed,
        # and would have the same weights as encoders that are drawn first.
        for parts in (self.decoders, self.encoders):
            for part in parts.values():
                if isinstance(part, _Flat | _Shaped):
                    part.mlp.reset_parameters(generator)

    def forward(self, x: Any, y: Any, weights: Tensor | None = None) -> Any:
        """Encode and reconstruct both views."""
        return self.across(self.by_rows(x, y, weights), weights)

    def by_rows(self, x: Any, y: Any, weights: Tensor | None = None) -> Any:
        """Codes and reconstructed views, row by row."""
        common = self.common.by_rows(x, y, weights)
        views = {"x": x, "y": y}
        codes = {"x": common.x_code, "y": common.y_code}
        individual = {
            side: in_full(self.encode(view, side), view) for side, view in views.items()
        }
        return IndividualOutput(
            **{f"{side}_code": code for side, code in codes.items()},
            **{f"{side}_individual": code for side, code in individual.items()},
            **{
                f"{side}_reconstructed": self.decode(
                    torch.cat([code, individual[side]], 1), side
                )
                for side, code in codes.items()
            },
        )

    def across(self, outputs: Any, weights: Tensor | None = None) -> Any:
        """Outputs of all rows of a batch, with what the common part adds to them."""
        return self.common.across(outputs, weights)

    def encode(self, view: Any, side: str) -> Any:
        """Individual codes of one view."""
        return self.encoders[side](view)

    def one_view(self, side: str) -> nn.Module:
        """Module that gives the individual codes of the view of `side`."""
        return self.encoders[side]

    def decode(self, codes: Tensor, side: str) -> Any:
        """View of `side` from its common and individual codes, joined in one array."""
        return self.decoders[side](codes)


class _Flat(nn.Module):
    """An MLP that takes samples of any shape."""

    def __init__(self, mlp):
        super().__init__()
        self.mlp = mlp

    def forward(self, view):
        return self.mlp(view.flatten(1))


class _Shaped(nn.Module):
    """An MLP whose outputs have the shape of a sample."""

    def __init__(self, mlp, shape):
        super().__init__()
        self.mlp = mlp
        self.shape = shape

    def forward(self, codes):
        return self.mlp(codes).unflatten(1, self.shape)
