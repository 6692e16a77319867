"""Linear two-view estimators."""

from skcrl.linear._linear_cca import LinearCCA
from skcrl.linear._linear_common_individual import LinearCommonIndividual
from skcrl.linear._probabilistic_cca import ProbabilisticCCA
from skcrl.linear._sparse_cca import SparseCCA

__all__ = ["LinearCCA", "LinearCommonIndividual", "ProbabilisticCCA", "SparseCCA"]
