"""Architectures of the deep estimators, one a file."""

from skcrl.deep.modules._corrnet import CorrNetModule, CorrNetOutput
from skcrl.deep.modules._mlp import ACTIVATIONS, MLP
from skcrl.deep.modules._multimodal_autoencoder import (
    ModalityDropout,
    MultimodalAutoencoderModule,
)
from skcrl.deep.modules._noise import (
    Dropout,
    GaussianNoise,
    RandomLayer,
    RandomShift,
)
from skcrl.deep.modules._rebuilt import RebuiltViews
from skcrl.deep.modules._tied_bidirectional import TiedBidirectionalModule
from skcrl.deep.modules._two_branch import TwoBranch, TwoBranchOutput

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "CorrNetModule",
    "CorrNetOutput",
    "Dropout",
    "GaussianNoise",
    "ModalityDropout",
    "MultimodalAutoencoderModule",
    "RandomLayer",
    "RandomShift",
    "RebuiltViews",
    "TiedBidirectionalModule",
    "TwoBranch",
    "TwoBranchOutput",
]
