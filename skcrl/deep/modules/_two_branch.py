"""Two encoders side by side, as in deep CCA."""

from copy import deepcopy
from typing import Any, NamedTuple

from torch import Tensor, nn

from skcrl.deep.modules._mlp import MLP


class TwoBranchOutput(NamedTuple):
    """Codes of a batch, and the views decoded from them where there are decoders."""

    x_code: Tensor  # (n_samples, n_components)
    y_code: Tensor  # (n_samples, n_components)
    x_rebuilt: Tensor | None
    y_rebuilt: Tensor | None


class TwoBranch(nn.Module):
    """An encoder per view, and the user's decoders if any.

    Parameters
    ----------
    x_widths, y_widths : sequence of int
        Widths of the dense encoders, from the features to the components.
    activation : str
        Activation of the dense encoders.
    x_encoder, y_encoder : nn.Module or None, default=None
        The user's encoders, copied, in place of the dense ones.
    x_decoder, y_decoder : nn.Module or None, default=None
        The user's decoders, copied.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y) -> codes
    (n_samples, n_components) each. Decoders see detached codes.
    """

    def __init__(
        self,
        x_widths,
        y_widths,
        activation,
        x_encoder=None,
        y_encoder=None,
        x_decoder=None,
        y_decoder=None,
    ):
        super().__init__()
        widths = {"x": x_widths, "y": y_widths}
        encoders = {"x": x_encoder, "y": y_encoder}
        self.dense_sides = [side for side in encoders if encoders[side] is None]
        self.encoders: Any = nn.ModuleDict(
            {
                side: MLP(widths[side], activation) if e is None else deepcopy(e)
                for side, e in encoders.items()
            }
        )
        decoders = {"x": x_decoder, "y": y_decoder}
        self.decoders = nn.ModuleDict(
            {side: deepcopy(d) for side, d in decoders.items() if d is not None}
        )

    def reset_parameters(self, generator):
        """Draw the weights of the dense encoders; the user's modules keep theirs."""
        for side in self.dense_sides:
            self.encoders[side].reset_parameters(generator)

    def forward(self, x, y):
        """Encode both views."""
        x_code, y_code = self.encode(x, "x"), self.encode(y, "y")
        return TwoBranchOutput(
            x_code,
            y_code,
            self.decode(x_code.detach(), "x") if "x" in self.decoders else None,
            self.decode(y_code.detach(), "y") if "y" in self.decoders else None,
        )

    def encode(self, view, side):
        """Codes of one view."""
        return self.encoders[side](view)

    def decode(self, code, side):
        """View of `side` decoded from a code of that side."""
        return self.decoders[side](code)
