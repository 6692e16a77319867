"""Search for items of one view by queries of the other view."""

from skcrl.retrieval._mutual import mutual_nearest_neighbors
from skcrl.retrieval._retriever import CrossViewRetriever

__all__ = ["CrossViewRetriever", "mutual_nearest_neighbors"]
