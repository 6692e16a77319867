"""Two-view representation learning with the scikit-learn interface."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Public names are imported on first use, so that importing skcrl, or a linear
# estimator from it, never imports torch.
_HOMES = {
    "CCALRanker": "skcrl.deep",
    "CorrNet": "skcrl.deep",
    "CrossViewClassifier": "skcrl.transfer",
    "CrossViewRetriever": "skcrl.retrieval",
    "DeepCCA": "skcrl.deep",
    "DeepCommonIndividual": "skcrl.deep",
    "DeepLabelEmbedding": "skcrl.deep",
    "KernelCCA": "skcrl.kernel",
    "LabelEmbedding": "skcrl.labels",
    "LinearCCA": "skcrl.linear",
    "LinearCommonIndividual": "skcrl.linear",
    "MultimodalAutoencoder": "skcrl.deep",
    "ProbabilisticCCA": "skcrl.linear",
    "Restarts": "skcrl.compose",
    "RoutedView": "skcrl.compose",
    "SelfLearning": "skcrl.compose",
    "SemanticEmbedding": "skcrl.labels",
    "SemanticMatching": "skcrl.matching",
    "SparseCCA": "skcrl.linear",
    "TiedBidirectional": "skcrl.deep",
    "TwoView": "skcrl.compose",
    "ViewPipeline": "skcrl.compose",
    "describe": "skcrl.persistence",
    "make_view_pipeline": "skcrl.compose",
    "transfer_score": "skcrl.transfer",
}

_SUBMODULES = {
    "base",
    "compose",
    "datasets",
    "deep",
    "inspection",
    "kernel",
    "labels",
    "linear",
    "matching",
    "metrics",
    "plotting",
    "retrieval",
    "singlecell",
    "transfer",
}

__all__ = [
    "CCALRanker",
    "CorrNet",
    "CrossViewClassifier",
    "CrossViewRetriever",
    "DeepCCA",
    "DeepCommonIndividual",
    "DeepLabelEmbedding",
    "KernelCCA",
    "LabelEmbedding",
    "LinearCCA",
    "LinearCommonIndividual",
    "MultimodalAutoencoder",
    "ProbabilisticCCA",
    "Restarts",
    "RoutedView",
    "SelfLearning",
    "SemanticEmbedding",
    "SemanticMatching",
    "SparseCCA",
    "TiedBidirectional",
    "TwoView",
    "ViewPipeline",
    "describe",
    "make_view_pipeline",
    "transfer_score",
]

# What type checkers read in place of __getattr__.
if TYPE_CHECKING:
    from skcrl import (
        base as base,
        compose as compose,
        datasets as datasets,
        deep as deep,
        inspection as inspection,
        kernel as kernel,
        labels as labels,
        linear as linear,
        matching as matching,
        metrics as metrics,
        plotting as plotting,
        retrieval as retrieval,
        singlecell as singlecell,
        transfer as transfer,
    )
    from skcrl.compose import (
        Restarts,
        RoutedView,
        SelfLearning,
        TwoView,
        ViewPipeline,
        make_view_pipeline,
    )
    from skcrl.deep import (
        CCALRanker,
        CorrNet,
        DeepCCA,
        DeepCommonIndividual,
        DeepLabelEmbedding,
        MultimodalAutoencoder,
        TiedBidirectional,
    )
    from skcrl.kernel import KernelCCA
    from skcrl.labels import LabelEmbedding, SemanticEmbedding
    from skcrl.linear import (
        LinearCCA,
        LinearCommonIndividual,
        ProbabilisticCCA,
        SparseCCA,
    )
    from skcrl.matching import SemanticMatching
    from skcrl.persistence import describe
    from skcrl.retrieval import CrossViewRetriever
    from skcrl.transfer import CrossViewClassifier, transfer_score


if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        if name in _SUBMODULES:
            return import_module(f"skcrl.{name}")
        raise AttributeError(f"module 'skcrl' has no attribute {name!r}")


def __dir__():
    return [*__all__, *_SUBMODULES, "__version__"]
