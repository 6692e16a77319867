"""Deep estimators of two views, and of samples and labels, on torch."""

from skcrl.deep._ccal_ranker import CCALRanker
from skcrl.deep._corrnet import CorrNet
from skcrl.deep._deep_cca import DeepCCA
from skcrl.deep._deep_common_individual import DeepCommonIndividual
from skcrl.deep._deep_label_embedding import DeepLabelEmbedding
from skcrl.deep._multimodal_autoencoder import MultimodalAutoencoder
from skcrl.deep._tied_bidirectional import TiedBidirectional

__all__ = [
    "CCALRanker",
    "CorrNet",
    "DeepCCA",
    "DeepCommonIndividual",
    "DeepLabelEmbedding",
    "MultimodalAutoencoder",
    "TiedBidirectional",
]
