"""Measures of a common representation, and scorers of two-view estimators."""

from skcrl.metrics._correlation import (
    canonical_total,
    effective_rank,
    pearson_sum,
    reconstruction_error,
    refitted_canonical_total,
)
from skcrl.metrics._hits import hierarchical_precision_at_k, hit_at_k
from skcrl.metrics._hubness import Hubness
from skcrl.metrics._ndcg import ndcg_at_k
from skcrl.metrics._retrieval import (
    average_precision_at_k,
    class_codes,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    precision_at_k,
    recall_at_k,
    retrieval_report,
)
from skcrl.metrics._saliency import saliency_magnitude, saliency_precision
from skcrl.metrics._scorers import get_scorer, get_scorer_names
from skcrl.metrics._scores import common_score, individual_score
from skcrl.metrics._similarity import (
    RepresentationSimilarity,
    cka,
    procrustes_distance,
    pwcca,
    svcca,
)

__all__ = [
    "Hubness",
    "RepresentationSimilarity",
    "average_precision_at_k",
    "canonical_total",
    "cka",
    "class_codes",
    "common_score",
    "effective_rank",
    "get_scorer",
    "get_scorer_names",
    "hierarchical_precision_at_k",
    "hit_at_k",
    "individual_score",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "median_rank",
    "ndcg_at_k",
    "pearson_sum",
    "precision_at_k",
    "procrustes_distance",
    "pwcca",
    "recall_at_k",
    "reconstruction_error",
    "refitted_canonical_total",
    "retrieval_report",
    "saliency_magnitude",
    "saliency_precision",
    "svcca",
]
