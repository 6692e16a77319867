"""Architectures of the deep estimators, one per file."""

from skcrl.deep.modules._batch_norm import BatchNorm
from skcrl.deep.modules._cca_layer import CCALayer
from skcrl.deep.modules._compared import ComparedOutput, compared
from skcrl.deep.modules._conv_encoder import ConvEncoder
from skcrl.deep.modules._corrnet import CorrNetModule, CorrNetOutput
from skcrl.deep.modules._cube_root import CubeRoot
from skcrl.deep.modules._denoising import DenoisingPair
from skcrl.deep.modules._individual import IndividualBranches, IndividualOutput
from skcrl.deep.modules._label_embedding import LabelEmbeddingModule, LabelOutput
from skcrl.deep.modules._learned_projection import LearnedProjection
from skcrl.deep.modules._mlp import ACTIVATIONS, MLP
from skcrl.deep.modules._multimodal_autoencoder import (
    ModalityDropout,
    MultimodalAutoencoderModule,
)
from skcrl.deep.modules._noise import (
    Dropout,
    GaussianNoise,
    RandomLayer,
)
from skcrl.deep.modules._projected_branches import ProjectedBranches
from skcrl.deep.modules._reconstructed import ReconstructedViews
from skcrl.deep.modules._running import CodeMoments, RunningMoments
from skcrl.deep.modules._sparse_rows import SparseRows
from skcrl.deep.modules._tied_bidirectional import TiedBidirectionalModule
from skcrl.deep.modules._two_branch import TwoBranch, TwoBranchOutput

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "BatchNorm",
    "CCALayer",
    "CodeMoments",
    "ComparedOutput",
    "ConvEncoder",
    "CorrNetModule",
    "CorrNetOutput",
    "CubeRoot",
    "DenoisingPair",
    "Dropout",
    "GaussianNoise",
    "IndividualBranches",
    "IndividualOutput",
    "LabelEmbeddingModule",
    "LabelOutput",
    "LearnedProjection",
    "ModalityDropout",
    "MultimodalAutoencoderModule",
    "ProjectedBranches",
    "RandomLayer",
    "ReconstructedViews",
    "RunningMoments",
    "SparseRows",
    "TiedBidirectionalModule",
    "TwoBranch",
    "TwoBranchOutput",
    "compared",
]
