"""Search for items of one view by those of the other."""

from skcrl.retrieval._mutual import mutual_nearest_neighbors
from skcrl.retrieval._retriever import CrossViewRetriever

__all__ = ["CrossViewRetriever", "mutual_nearest_neighbors"]
