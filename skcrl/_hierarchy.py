"""Classes in a tree of groups."""

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan


class Tree(NamedTuple):
    """Nodes of a hierarchy: classes, then the groups above them, without the root.

    Groups without a class below them are left out.
    """

    names: list
    parents: np.ndarray  # (n_nodes,) of int, -1 below the root
    n_classes: int

    def paths(self):
        """Whether a node is a class or above it, bool of (n_classes, n_nodes)."""
        paths = np.zeros((self.n_classes, len(self.names)), dtype=bool)
        classes, at = np.arange(self.n_classes), np.arange(self.n_classes)
        while len(at):
            paths[classes, at] = True
            at = self.parents[at]
            classes, at = classes[at >= 0], at[at >= 0]
        return paths

    def group_means(self, rows):
        """Mean of the rows (n_classes, ...) of the classes below each group."""
        below = self.paths()[:, self.n_classes :]
        return (below.T @ rows) / below.sum(axis=0)[:, None]


def tree_of(classes, hierarchy):
    """Make a tree of classes from a mapping of nodes to their parents.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Classes, each of them once.
    hierarchy : mapping
        The parent of each node, or a list of all nodes above it, the topmost first. A
        node without a parent, or with the parent None, is directly below the root.

    Raises
    ------
    ValueError
        If `hierarchy` is not a mapping, has no parent of any class, gives a node two
        parents, or has a cycle above a class.
    """
    parents, names = _parents(hierarchy), classes.tolist()
    if parents and parents.keys().isdisjoint(names):
        raise ValueError(
            f"hierarchy has no parent of any class, such as {names[0]!r}. Its keys are "
            f"such as {next(iter(parents))!r}. Use the classes as keys, with the same "
            "type."
        )
    places = {name: place for place, name in enumerate(names)}
    above = []
    for name in names:  # the loop also visits their ancestors, which it appends
        parent = parents.get(name)
        if parent is not None and parent not in places:
            places[parent] = len(names)
            names.append(parent)
        above.append(-1 if parent is None else places[parent])
    tree = Tree(names, np.array(above), len(classes))
    _refuse_cycles(tree)
    return tree


def _refuse_cycles(tree):
    nodes, at = np.arange(len(tree.names)), tree.parents
    for _ in tree.names:
        nodes, at = nodes[at >= 0], tree.parents[at[at >= 0]]
    if len(at):
        raise ValueError(
            f"hierarchy has a cycle above {tree.names[nodes[0]]!r}. Leave out the "
            "parent of its top node, and do not give groups the names of classes."
        )


def _parents(hierarchy) -> dict[Any, Any]:
    """Parents of the nodes that have one."""
    if not isinstance(hierarchy, Mapping):
        raise ValueError(
            "hierarchy must be a mapping from each class to its parent, such as a dict,"
            f" got {type(hierarchy).__name__}."
        )
    parents: dict[Any, Any] = {}
    for node, above in hierarchy.items():
        path = [*(above if isinstance(above, (list, tuple)) else [above]), node]
        for parent, child in pairwise(path):
            if not isinstance(parent, Hashable):
                raise ValueError(
                    "hierarchy must give the parent of each node, or a list of all "
                    f"nodes above it, got {above!r} for {node!r}."
                )
            if parent is None or is_scalar_nan(parent) or is_pandas_na(parent):
                continue
            if parents.setdefault(child, parent) != parent:
                raise ValueError(
                    f"hierarchy must give one parent for each node, got "
                    f"{parents[child]!r} and {parent!r} for {child!r}."
                )
    return parents
