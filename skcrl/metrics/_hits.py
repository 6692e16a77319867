"""Measures of classifiers that rank all classes: flat hits, and hits by a hierarchy."""

from collections.abc import Hashable, Mapping
from numbers import Integral

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path
from sklearn.utils.validation import column_or_1d

from skcrl._labels import check_labels
from skcrl._numbers import check_numbers
from skcrl._typing import Rows

# The node above all that have no parent.
_ROOT = object()


def hit_at_k(
    y_true: Rows, y_score: Rows, *, k: int = 1, labels: Rows | None = None
) -> float:
    r"""Share of samples whose class is among the k of highest score.

    "Flat hit @ k" of the literature on label embeddings [1]_, accuracy for k = 1. Use
    it where the first few classes are shown to a person.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Classes.
    y_score : array-like of shape (n_samples, n_classes)
        Score of each class, the higher the better, such as what `decision_function`
        gives.
    k : int, default=1
        Classes to look at, from 1 to n_classes.
    labels : array-like of shape (n_classes,) or None, default=None
        Classes of the columns of `y_score`, each once. None stands for those in
        `y_true`, sorted.

    Returns
    -------
    hits : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `k` is out of bounds, `labels` do not fit the columns or lack a class of
        `y_true`, or scores are not finite.

    See Also
    --------
    hierarchical_precision_at_k : The same with partial credit for related classes.

    Notes
    -----
    Classes of equal score count as in random order: the result is the mean over all
    orders. :func:`sklearn.metrics.top_k_accuracy_score` takes them in the order of
    their labels.

    References
    ----------
    .. [1] Frome, Corrado, Shlens, Bengio, Dean, Ranzato and Mikolov (2013). DeViSE: a
       deep visual-semantic embedding model. NeurIPS, section 4.1.

    Examples
    --------
    >>> from skcrl.metrics import hit_at_k
    >>> scores = [[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.3, 0.6, 0.1]]
    >>> hit_at_k(["cat", "cat", "truck"], scores, k=2, labels=["cat", "dog", "truck"])
    0.6666666666666666
    """
    classes, scores, _ = _checked(y_true, y_score, k, labels)
    own = np.eye(scores.shape[1], dtype=bool)[classes]
    return float(np.mean(k * _precision(scores, own, k)))


def hierarchical_precision_at_k(
    y_true: Rows,
    y_score: Rows,
    *,
    k: int,
    hierarchy: Mapping[Hashable, Hashable],
    labels: Rows | None = None,
) -> float:
    r"""Share of the k classes of highest score that are near the true one in a tree.

    Near are the classes within a distance r of the true one, itself included, where r
    is the smallest at which there are k or more of them: "hierarchical precision @ k"
    [1]_. The distance counts the edges between two classes. Use it where some mistakes
    are worse than others. With k = 1 it is the accuracy.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Classes.
    y_score : array-like of shape (n_samples, n_classes)
        Score of each class, the higher the better.
    k : int
        Classes to look at, from 1 to n_classes.
    hierarchy : mapping
        Parent of each class, and of each parent that has one. Classes and parents that
        it leaves out are children of one root.
    labels : array-like of shape (n_classes,) or None, default=None
        Classes of the columns of `y_score`, each once. None stands for those in
        `y_true`, sorted. Other nodes of the hierarchy are never predicted, and so
        never counted.

    Returns
    -------
    precision : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        As :func:`hit_at_k`, and if the hierarchy has a cycle.

    See Also
    --------
    hit_at_k : The share of samples whose own class is among the first k.

    Notes
    -----
    Classes of equal score count as in random order: the result is the mean over all
    orders.

    References
    ----------
    .. [1] Frome, Corrado, Shlens, Bengio, Dean, Ranzato and Mikolov (2013). DeViSE: a
       deep visual-semantic embedding model. NeurIPS, appendix.

    Examples
    --------
    >>> from skcrl.metrics import hierarchical_precision_at_k
    >>> parents = {"cat": "animal", "dog": "animal", "truck": "vehicle"}
    >>> scores = [[0.7, 0.1, 0.2], [0.5, 0.4, 0.1]]  # of cat, dog and truck
    >>> given = {"labels": ["cat", "dog", "truck"], "hierarchy": parents}
    >>> hierarchical_precision_at_k(["cat", "dog"], scores, k=2, **given)
    0.75
    """
    classes, scores, labels = _checked(y_true, y_score, k, labels)
    distances = _distances(labels, hierarchy)  # (n_classes, n_classes)
    radius = np.sort(distances, axis=1)[:, k - 1 : k]
    near = distances <= radius
    return float(np.mean(_precision(scores, near[classes], k)))


def _precision(scores, is_right, k):
    """Share of right classes among the first k, mean over all orders of ties."""
    last = scores.shape[1] - k
    kth = np.partition(scores, last, axis=1)[:, last : last + 1]
    better, tied = scores > kth, scores == kth
    # Of the tied ones, the places that are left are taken with equal chances.
    places = k - better.sum(axis=1, keepdims=True)
    chances = better + tied * (places / tied.sum(axis=1, keepdims=True))
    return (chances * is_right).sum(axis=1) / k


def _checked(y_true, y_score, k, labels):
    """Numbers of the true classes, finite scores, and the labels of their columns."""
    y_true = column_or_1d(check_labels(y_true, "y_true"))
    scores = check_numbers(y_score, "y_score")
    if len(scores) != len(y_true):
        raise ValueError(
            "y_true and y_score must have as many rows, got "
            f"{len(y_true)} and {len(scores)}."
        )
    if labels is None:
        labels = np.unique(y_true)
    labels = column_or_1d(check_labels(labels, "labels"))
    if len(labels) != scores.shape[1] or len(np.unique(labels)) != len(labels):
        raise ValueError(
            f"labels must name each of the {scores.shape[1]} columns of y_score once, "
            f"got {len(np.unique(labels))} different ones of {len(labels)}."
        )
    is_whole = isinstance(k, Integral) and not isinstance(k, bool)
    if not is_whole or not 1 <= int(k) <= len(labels):
        raise ValueError(f"k must be from 1 to {len(labels)}, the classes, got {k!r}.")
    order = np.argsort(labels)
    places = np.searchsorted(labels, y_true, sorter=order)
    classes = order[np.minimum(places, len(labels) - 1)]
    is_missing = labels[classes] != y_true
    if is_missing.any():
        raise ValueError(
            f"labels must hold every class of y_true, got none for "
            f"{y_true[is_missing].tolist()[0]!r}."
        )
    return classes, scores, labels


def _distances(labels, hierarchy):
    """Edges between each two classes in the tree, (n_classes, n_classes)."""
    if not isinstance(hierarchy, Mapping):
        raise ValueError(
            "hierarchy must be a mapping from each class to its parent, got "
            f"{type(hierarchy).__name__}."
        )
    nodes = labels.tolist()
    numbers = {node: number for number, node in enumerate(nodes)}
    parents = []
    for node in nodes:  # and then their ancestors, which are added below
        parent = hierarchy.get(node, _ROOT)
        if parent not in numbers:
            numbers[parent] = len(nodes)
            nodes.append(parent)
        parents.append(numbers[parent])
    n = len(nodes)
    tree = sparse.csr_array((np.ones(n), (np.arange(n), parents)), shape=(n, n))
    classes = np.arange(len(labels))
    distances = shortest_path(tree, directed=False, unweighted=True, indices=classes)
    # All are below the root, unless a node is below itself.
    is_lost = _ROOT not in numbers or np.isinf(distances[:, numbers[_ROOT]])
    if np.any(is_lost):
        lost = nodes[np.argmax(is_lost)]
        raise ValueError(
            f"hierarchy has a cycle: the parents of {lost!r} lead back to one of them."
        )
    return distances[:, classes]
