"""Linear two-view estimators."""

from skcrl.linear._linear_cca import LinearCCA
from skcrl.linear._linear_common_individual import LinearCommonIndividual

__all__ = ["LinearCCA", "LinearCommonIndividual"]
