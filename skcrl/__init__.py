"""Two-view representation learning with the scikit-learn interface."""

from importlib import import_module

__version__ = "0.1.0.dev0"

# Public names are imported on first use, so that importing skcrl, or a linear
# estimator from it, never imports torch.
_HOMES = {
    "CCALRanker": "skcrl.deep",
    "CorrNet": "skcrl.deep",
    "CrossViewClassifier": "skcrl.transfer",
    "CrossViewRetriever": "skcrl.retrieval",
    "DeepCCA": "skcrl.deep",
    "KernelCCA": "skcrl.kernel",
    "LinearCCA": "skcrl.linear",
    "MultimodalAutoencoder": "skcrl.deep",
    "RoutedView": "skcrl.compose",
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
    "linear",
    "metrics",
    "retrieval",
    "transfer",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _SUBMODULES:
        return import_module(f"skcrl.{name}")
    raise AttributeError(f"module 'skcrl' has no attribute {name!r}")


def __dir__():
    return [*__all__, *_SUBMODULES, "__version__"]
