"""Classifiers that embed samples and classes in one space."""

from skcrl.labels._label_embedding import LabelEmbedding
from skcrl.labels._semantic_embedding import SemanticEmbedding

__all__ = ["LabelEmbedding", "SemanticEmbedding"]
