"""Two encoders side by side, as in deep CCA."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Literal, NamedTuple

from torch import Generator, Tensor, nn

from skcrl import _linalg
from skcrl.deep.modules._at_once import at_once, weights_at_once
from skcrl.deep.modules._denoising import LayerStep, side_by_side
from skcrl.deep.modules._mlp import MLP
from skcrl.deep.modules._noise import Dropout, by_view
from skcrl.deep.modules._running import CodeMoments, RunningMoments

_VIEWS = ("x", "y", "x_only", "y_only")


class TwoBranchOutput(NamedTuple):
    """Codes of a batch, and reconstructed views and moments if the module has them.

    For an unpaired row there is only the reconstruction of its one view.
    """

    x_code: Tensor  # (n_samples, n_components)
    y_code: Tensor  # (n_samples, n_components)
    x_reconstructed: Tensor | None = None  # (n_samples, ...)
    y_reconstructed: Tensor | None = None  # (n_samples, ...)
    x_running: CodeMoments | None = None
    y_running: CodeMoments | None = None
    x_only_reconstructed: Tensor | None = None  # (n_x_only, ...)
    y_only_reconstructed: Tensor | None = None  # (n_y_only, ...)


class TwoBranch(nn.Module):
    """One encoder per view, with decoders and running moments if requested.

    Parameters
    ----------
    x_widths, y_widths : sequence of int
        Widths of the dense encoders, from the features to the components.
    activation : str
        Activation of the dense encoders and decoders.
    x_shape, y_shape : sequence of int or None, default=None
        Shapes of a sample, for decoders with mirrored widths. None means that samples
        are rows.
    x_encoder, y_encoder : nn.Module or None, default=None
        The user's encoders, which are copied and used instead of the dense ones.
    x_decoder, y_decoder : nn.Module or None, default=None
        The user's decoders, which are copied.
    autoencoding : bool, default=False
        Whether decoders also train the encoders. If True, a side without a decoder of
        the user's gets a dense decoder with mirrored widths. If False, decoders see
        detached codes.
    running : {"codes", "standardised codes"} or None, default=None
        The outputs whose running moments are kept.
    running_momentum : float, default=0.2
        Fraction of their old value that the running moments keep at each batch.
    input_dropout : float, default=0.0
        Fraction of the entries of the views that is dropped in training.
    batch_norm : bool, default=False
        Whether hidden layers of dense encoders and decoders use batch normalisation.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y) -> codes
    (n_samples, n_components) each. Views of `sparse_sides` may be SparseRows. Rows of
    which a view is missing need `autoencoding`.
    """

    # Whether weights of the rows matter to ``by_rows``.
    weighs_rows = True

    def __init__(
        self,
        x_widths: Sequence[int],
        y_widths: Sequence[int],
        activation: str,
        x_shape: Sequence[int] | None = None,
        y_shape: Sequence[int] | None = None,
        x_encoder: nn.Module | None = None,
        y_encoder: nn.Module | None = None,
        x_decoder: nn.Module | None = None,
        y_decoder: nn.Module | None = None,
        autoencoding: bool = False,
        running: Literal["codes", "standardised codes"] | None = None,
        running_momentum: float = 0.2,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        self.corruption = by_view(Dropout(input_dropout), _VIEWS)
        widths = {"x": x_widths, "y": y_widths}
        encoders = {"x": x_encoder, "y": y_encoder}
        self.dense_sides = [side for side in encoders if encoders[side] is None]
        self.encoders: Any = nn.ModuleDict(
            {
                side: MLP(widths[side], activation, batch_norm=batch_norm)
                if e is None
                else deepcopy(e)
                for side, e in encoders.items()
            }
        )
        decoders = {"x": x_decoder, "y": y_decoder}
        self.mirrored_sides = [
            side for side in decoders if autoencoding and decoders[side] is None
        ]
        self.decoders: Any = nn.ModuleDict(
            {side: deepcopy(d) for side, d in decoders.items() if d is not None}
        )
        for side in self.mirrored_sides:
            mirrored = widths[side][::-1]
            self.decoders[side] = MLP(mirrored, activation, batch_norm=batch_norm)
        self.shapes = {"x": x_shape, "y": y_shape}
        self.autoencoding = autoencoding
        # Decoders are trained on the views themselves, and so need them dense.
        self.sparse_sides = [s for s in self.dense_sides if s not in self.decoders]
        self.running = running
        self.moments = nn.ModuleDict(
            {
                side: RunningMoments(w[-1], running_momentum)
                for side, w in widths.items()
                if running is not None
            }
        )

    def reset_parameters(self, generator: Generator) -> None:
        """Draw the weights of the dense parts; the user's modules keep theirs."""
        for side in self.dense_sides:
            self.encoders[side].reset_parameters(generator)
        for side in self.mirrored_sides:
            self.decoders[side].reset_parameters(generator)

    def forward(
        self, x: Any, y: Any, weights: Tensor | None = None, **only: Any
    ) -> TwoBranchOutput:
        """Encode both views; a row of weight w counts as w rows in all statistics."""
        return self.across(self.by_rows(x, y, weights, **only), weights)

    def by_rows(
        self,
        x: Any,
        y: Any,
        weights: Tensor | None = None,
        x_only: Tensor | None = None,
        y_only: Tensor | None = None,
        x_only_weights: Tensor | None = None,
        y_only_weights: Tensor | None = None,
    ) -> TwoBranchOutput:
        """Codes and reconstructions, row by row except for batch normalisation.

        A row with one view gives only the reconstruction of this view, from its code.
        """
        views = dict(zip(_VIEWS, (x, y, x_only, y_only), strict=True))
        weights_of = {
            "x": weights_at_once(weights, x_only_weights),
            "y": weights_at_once(weights, y_only_weights),
        }
        codes: dict[str, Any] = {}
        for side, of_rows in weights_of.items():
            encode = partial(self.encode, side=side, weights=of_rows)
            names = side, f"{side}_only"
            seen = [
                None if views[n] is None else self.corruption[n](views[n])
                for n in names
            ]
            for name, code in zip(names, at_once(encode, *seen), strict=True):
                # Mixed precision ends here: objectives take differences of moments.
                codes[name] = None if code is None else in_full(code, views[name])
        reconstructed: dict[str, Any] = {}
        for side in self.decoders:
            decode = partial(self.decode, side=side, weights=weights_of[side])
            names = side, f"{side}_only"
            given = [codes[name] for name in names]
            if not self.autoencoding:
                given = [given[0].detach(), None]
            for name, view in zip(names, at_once(decode, *given), strict=True):
                reconstructed[f"{name}_reconstructed"] = view
        return TwoBranchOutput(codes["x"], codes["y"], **reconstructed)

    def across(self, outputs: Any, weights: Tensor | None = None) -> Any:
        """Outputs of all rows of a batch, with the running moments updated by them."""
        codes = {"x": outputs.x_code, "y": outputs.y_code}
        return outputs._replace(
            **{
                f"{side}_running": moments(
                    codes[side]
                    if self.running == "codes"
                    else _linalg.standardise(
                        codes[side],
                        None if weights is None else weights.to(codes[side]),
                    ),
                    weights,
                )
                for side, moments in self.moments.items()
            },
        )

    def encode(self, view: Any, side: str, weights: Tensor | None = None) -> Any:
        """Codes of one view."""
        if side not in self.dense_sides:
            return self.encoders[side](view)
        return self.encoders[side](view, weights)

    def pretraining_steps(self) -> Iterator[LayerStep]:
        """The dense encoders' layers, in the order in which they are pretrained."""
        return side_by_side({side: self.encoders[side] for side in self.dense_sides})

    def one_view(self, side: str) -> nn.Module:
        """Module that encodes the view of `side`."""
        return self.encoders[side]

    def decode(self, code: Tensor, side: str, weights: Tensor | None = None) -> Any:
        """View of `side` decoded from a code of that side."""
        if side not in self.mirrored_sides:
            return self.decoders[side](code)
        view = self.decoders[side](code, weights)
        shape = self.shapes[side]
        return view if shape is None else view.unflatten(1, shape)


def in_full(code, view):
    """A code in the precision of its view, or in float32 if the view has integers."""
    return code.to(view.dtype) if view.dtype.is_floating_point else code.float()
