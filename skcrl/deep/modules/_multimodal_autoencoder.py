"""The multimodal autoencoder: both views in, one joint code, both views out."""

from typing import Any

import torch
from torch import nn

from skcrl.deep.modules._mlp import MLP
from skcrl.deep.modules._noise import GaussianNoise, RandomLayer
from skcrl.deep.modules._rebuilt import RebuiltViews


class ModalityDropout(RandomLayer):
    """Take one of its two views from a share of the rows while training.

    Parameters
    ----------
    share : float in [0, 1]
        Probability of a row to lose a view, which is either with half of it.

    Notes
    -----
    Shape: (n_samples, n_features_x), (n_samples, n_features_y), both unchanged.
    """

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x, y):
        """Set one view of some rows to zero."""
        if not self.training or self.share == 0:
            return x, y
        drawn = self.uniform((len(x), 1), x)
        return x * (drawn >= self.share / 2), y * (drawn < 1 - self.share / 2)


class MultimodalAutoencoderModule(nn.Module):
    """Autoencoder of two views; a missing one enters it as zeros.

    Parameters
    ----------
    n_features_x, n_features_y, n_components : int
        Widths of the views and of the code.
    layout : {"split", "concatenated"}
        Whether the hidden layers belong to one view each, or to both together.
    hidden_layer_sizes : sequence of int
        Hidden layers of the encoder; the decoder mirrors them.
    activation, output_activation : str
        f of the hidden layers and of the code, g of the views rebuilt.
    modality_dropout : float
        Probability of a row to lose one of its two views while training.
    noise : float
        Standard deviation of the noise on the inputs while training.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y).
    """

    def __init__(
        self,
        n_features_x,
        n_features_y,
        n_components,
        layout,
        hidden_layer_sizes,
        activation,
        output_activation,
        modality_dropout,
        noise,
    ):
        super().__init__()
        hidden = tuple(hidden_layer_sizes)
        own, shared = (hidden, ()) if layout == "split" else ((), hidden)
        widths = {"x": [n_features_x, *own], "y": [n_features_y, *own]}
        self.n_features = {"x": n_features_x, "y": n_features_y}
        self.inner_widths = [w[-1] for w in widths.values()]
        inward = [sum(self.inner_widths), *shared, n_components]
        self.noise = GaussianNoise(noise)
        self.modality_dropout = ModalityDropout(modality_dropout)
        self.encoders: Any = nn.ModuleDict(
            {side: MLP(w, activation, activation) for side, w in widths.items()}
        )
        # Of the concatenated views: f([W V] [x; y] + b) is f(Wx + Vy + b).
        self.joint_encoder = MLP(inward, activation, activation)
        self.joint_decoder = MLP(
            inward[::-1], activation, activation if own else output_activation
        )
        self.decoders: Any = nn.ModuleDict(
            {
                side: MLP(w[::-1], activation, output_activation)
                for side, w in widths.items()
            }
        )

    def reset_parameters(self, generator):
        """Glorot uniform weights drawn from `generator`, zero biases."""
        for part in (
            *self.encoders.values(),
            self.joint_encoder,
            self.joint_decoder,
            *self.decoders.values(),
        ):
            part.reset_parameters(generator)

    def forward(self, x, y, x_only=None, y_only=None):
        """Both views from what noise and dropout leave of them, unpaired rows alone."""
        code = self.encode(*self.modality_dropout(self.noise(x), self.noise(y)))
        rebuilt = self._decode(code)
        return RebuiltViews(
            rebuilt["x"],
            rebuilt["y"],
            None if x_only is None else self._rebuild_alone("x", x_only),
            None if y_only is None else self._rebuild_alone("y", y_only),
        )

    def encode(self, x=None, y=None):
        """Joint code of the views given; one that is None counts as zeros."""
        given = y if x is None else x
        inner = [
            self.encoders[side](self._zeros(given, side) if view is None else view)
            for side, view in (("x", x), ("y", y))
        ]
        return self.joint_encoder(torch.cat(inner, 1))

    def decode(self, code, side):
        """View of `side` rebuilt from a joint code."""
        return self._decode(code)[side]

    def _decode(self, code):
        inner = self.joint_decoder(code).split(self.inner_widths, 1)
        return {
            side: self.decoders[side](part)
            for side, part in zip("xy", inner, strict=True)
        }

    def _rebuild_alone(self, side, view):
        return self.decode(self.encode(**{side: self.noise(view)}), side)

    def _zeros(self, like, side):
        return like.new_zeros(len(like), self.n_features[side])
