"""Deep two-view estimators, on torch."""

from skcrl.deep._corrnet import CorrNet
from skcrl.deep._deep_cca import DeepCCA

__all__ = ["CorrNet", "DeepCCA"]
