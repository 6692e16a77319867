"""Attributes of classes, and how classes differ in them."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import _get_feature_names

from skcrl._numbers import check_numbers


class Attributes(NamedTuple):
    """Attributes of the nodes of a tree, a group having the mean of its classes.

    Each column is divided by the largest difference of a class from the mean.
    """

    names: np.ndarray  # (n_attributes,) of str
    of_nodes: np.ndarray  # (n_nodes, n_attributes)
    mean: np.ndarray  # (n_attributes,), over classes
    scale: np.ndarray  # (n_attributes,), which was divided by

    @classmethod
    def of(cls, tree, attributes, names):
        """Of classes (n_classes, n_attributes) in the order of the tree."""
        mean = attributes.mean(axis=0)
        scale = abs(attributes - mean).max(axis=0)
        scale[scale <= 8 * np.finfo(np.float64).eps * abs(mean)] = 1
        below = tree.paths()
        of_nodes = (below.T @ attributes) / below.sum(axis=0)[:, None]
        return cls(names, of_nodes / scale, mean / scale, scale)

    def contrasts(self, nodes, parents):
        """Attributes of nodes less those of their parents, or than the mean of all."""
        return self.of_nodes[nodes] - np.vstack([self.of_nodes, self.mean])[parents]


def check_attributes(attributes, classes):
    """Attributes (n_classes, n_attributes) in the order of classes, and their names."""
    names = _get_feature_names(attributes)
    if hasattr(attributes, "loc"):
        missing = [c for c in classes.tolist() if c not in attributes.index]
        if missing:
            raise ValueError(
                f"attributes must have a row for each class, got none for "
                f"{missing[0]!r}: let its index be the classes."
            )
        attributes = attributes.loc[classes.tolist()]
    attributes = check_numbers(attributes, "attributes")
    if len(attributes) != len(classes):
        raise ValueError(
            f"attributes must have a row for each of the {len(classes)} classes, sorted"
            f", or be a data frame whose index are the classes, got {len(attributes)} "
            "rows."
        )
    if names is None:
        names = np.array([f"attribute{j}" for j in range(attributes.shape[1])], object)
    return attributes, names
