"""Attributes of classes, and how classes differ in them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from skcrl._numbers import check_numbers


class Attributes(NamedTuple):
    """Attributes of the nodes of a tree; a group has the mean of its classes.

    Each column is divided by the largest difference between a class and the mean.
    """

    names: np.ndarray  # (n_attributes,) of str
    of_nodes: np.ndarray  # (n_nodes, n_attributes)
    mean: np.ndarray  # (n_attributes,), over classes
    scale: np.ndarray  # (n_attributes,), divisors of the columns

    @classmethod
    def of(cls, tree, attributes, names):
        """Make it from `attributes` of the classes, in the order of the tree."""
        mean = attributes.mean(axis=0)
        scale = abs(attributes - mean).max(axis=0)
        scale[scale <= 8 * np.finfo(np.float64).eps * abs(mean)] = 1
        of_nodes = np.vstack([attributes, tree.group_means(attributes)])
        return cls(names, of_nodes / scale, mean / scale, scale)

    def contrasts(self, nodes, parents):
        """Attributes of nodes minus those of their parents, or minus the mean."""
        return self.of_nodes[nodes] - np.vstack([self.of_nodes, self.mean])[parents]


def check_attributes(attributes, classes):
    """Attributes (n_classes, n_attributes) in the order of classes, and their names."""
    if isinstance(attributes, Mapping):
        raise ValueError(
            "attributes must be a data frame or an array, got a "
            f"{type(attributes).__name__}. For example, pass "
            "pandas.DataFrame.from_dict(attributes, orient='index')."
        )
    columns = getattr(attributes, "columns", None)
    if hasattr(attributes, "loc"):
        missing = [c for c in classes.tolist() if c not in attributes.index]
        if missing:
            raise ValueError(
                f"attributes must have a row for each class, but there is none for "
                f"{missing[0]!r}. The index of the data frame must hold the classes."
            )
        attributes = attributes.loc[classes.tolist()].to_numpy()
    attributes = check_numbers(attributes, "attributes")
    if len(attributes) != len(classes):
        raise ValueError(
            f"attributes must have a row for each of the {len(classes)} sorted classes,"
            f" got {len(attributes)} rows. If some classes are missing, pass a data "
            "frame with the classes as index."
        )
    if columns is None:
        columns = [f"attribute{j}" for j in range(attributes.shape[1])]
    return attributes, np.array([str(name) for name in columns], dtype=object)


def check_attributes_of_one(attributes, names):
    """Attributes (n_attributes,) of one class, in the order of names."""
    if hasattr(attributes, "reindex") and np.ndim(attributes) == 1:
        labels = [str(label) for label in attributes.index]
        missing = [name for name in names.tolist() if name not in labels]
        if missing:
            raise ValueError(
                f"attributes must hold every attribute of fit, but {missing[0]!r} is "
                "missing."
            )
        attributes = attributes.to_numpy()[[labels.index(name) for name in names]]
    if isinstance(attributes, Mapping):
        raise ValueError(
            "attributes must be a series or an array, got a "
            f"{type(attributes).__name__}: pass pandas.Series(attributes)."
        )
    numbers = check_numbers(
        attributes, "attributes", ensure_2d=False, ensure_min_samples=0
    )
    if numbers.shape != names.shape:
        raise ValueError(
            f"attributes must be {len(names)} numbers, as many as in fit, got an array "
            f"of shape {numbers.shape}."
        )
    return numbers
