"""Linear two-view estimators."""

from skcrl.linear._linear_cca import LinearCCA

__all__ = ["LinearCCA"]
