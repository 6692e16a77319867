"""Measures of classifiers that rank all classes, with or without a hierarchy."""

from collections.abc import Hashable, Mapping
from numbers import Integral

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path
from sklearn.utils.validation import column_or_1d

from skcrl._hierarchy import tree_of
from skcrl._labels import check_labels
from skcrl._numbers import check_numbers
from skcrl._typing import Rows


def hit_at_k(
    y_true: Rows, y_score: Rows, *, k: int = 1, labels: Rows | None = None
) -> float:
    r"""Share of samples whose true class is among the k classes of highest score.

    The literature on label embeddings calls this "flat hit @ k" [1]_. For k = 1 it is
    the accuracy. Use it if a person looks at the first few classes.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_score : array-like of shape (n_samples, n_classes)
        Score of each class; a higher score means more likely. For three classes or
        more, the result of `decision_function` has this form.
    k : int, default=1
        Number of classes to look at, from 1 to n_classes.
    labels : array-like of shape (n_classes,) or None, default=None
        Classes of the columns of `y_score`, each once, such as `classes_` of a
        classifier. None means the classes in `y_true`, sorted.

    Returns
    -------
    hits : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `k` is not a whole number in its range; if `labels` do not match the columns,
        or a class of `y_true` is not in them; if labels are missing or of different
        kinds; if the numbers of rows differ; or if scores are not finite numbers.

    See Also
    --------
    hierarchical_precision_at_k : Also counts classes that are near the true class.

    Notes
    -----
    Classes with equal scores count as if in random order: the result is the mean over
    all orders. (:func:`sklearn.metrics.top_k_accuracy_score` ranks the last label
    first.)

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
    return float(np.mean(_n_right(scores, own, k)))


def hierarchical_precision_at_k(
    y_true: Rows,
    y_score: Rows,
    *,
    k: int,
    hierarchy: Mapping[Hashable, Hashable],
    labels: Rows | None = None,
) -> float:
    r"""Share of the k classes with the highest scores that are near the true class.

    This is the "hierarchical precision @ k" [1]_. Use it if some mistakes are worse
    than others. The distance of two classes is the number of edges between them in a
    tree. A class is near if its distance from the true class is at most r. For each
    true class, r is the smallest number for which at least k classes are near,
    including the true class. With k = 1 the measure is the accuracy.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_score : array-like of shape (n_samples, n_classes)
        Score of each class; a higher score means more likely.
    k : int
        Number of classes to look at, from 1 to n_classes.
    hierarchy : mapping
        The parent of each class, and the parent of each of these parents. Alternatively
        it maps each class to a list of all nodes above it, the topmost first. A node
        without a parent, or with the parent None, is a child of the root. A parent with
        the name of a class is that class, so give groups other names.
    labels : array-like of shape (n_classes,) or None, default=None
        Classes of the columns of `y_score`, each once, such as `classes_` of a
        classifier. None means the classes in `y_true`, sorted. Other nodes of the
        hierarchy are never predicted, so they are not counted.

    Returns
    -------
    precision : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        As for :func:`hit_at_k`. Also if `hierarchy` is not a mapping, holds none of the
        classes, gives a node several parents, or has a cycle above a class.

    See Also
    --------
    hit_at_k : The share of samples whose true class is among the first k.

    Notes
    -----
    Classes with equal scores count as if in random order: the result is the mean over
    all orders.

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
    return float(np.mean(_n_right(scores, near[classes], k)) / k)


def _n_right(scores, is_right, k):
    """Number of right classes among the first k, averaged over all orders of ties."""
    last = scores.shape[1] - k
    kth = np.partition(scores, last, axis=1)[:, last : last + 1]
    better, tied = scores > kth, scores == kth
    places = k - better.sum(axis=1)
    # Each tied class has the same chance to take one of the places that are left.
    share = (tied & is_right).sum(axis=1) / tied.sum(axis=1)
    return (better & is_right).sum(axis=1) + places * share


def _checked(y_true, y_score, k, labels):
    """Numbers of the true classes, finite scores, and the labels of their columns."""
    y_true = column_or_1d(check_labels(y_true, "y_true"))
    scores = check_numbers(y_score, "y_score", ensure_2d=False)
    if scores.ndim != 2:
        raise ValueError(
            "y_score must have a column for each class, got an array of shape "
            f"{scores.shape}. For scores s of the second of two classes, pass "
            "np.column_stack([-s, s])."
        )
    if len(scores) != len(y_true):
        raise ValueError(
            "y_true and y_score must have the same number of rows, got "
            f"{len(y_true)} and {len(scores)}."
        )
    if labels is None:
        labels = np.unique(y_true)
    labels = column_or_1d(check_labels(labels, "labels"))
    if len(labels) != scores.shape[1] or len(np.unique(labels)) != len(labels):
        raise ValueError(
            f"labels must name each of the {scores.shape[1]} columns of y_score once, "
            f"got {len(labels)} labels, {len(np.unique(labels))} of them different. "
            "Pass labels=classifier.classes_."
        )
    is_whole = isinstance(k, Integral) and not isinstance(k, bool)
    if not is_whole or not 1 <= int(k) <= len(labels):
        raise ValueError(
            f"k must be a whole number from 1 to {len(labels)}, the number of classes, "
            f"got {k!r}."
        )
    order = np.argsort(labels)
    places = np.searchsorted(labels, y_true, sorter=order)
    classes = order[np.minimum(places, len(labels) - 1)]
    is_missing = labels[classes] != y_true
    if is_missing.any():
        raise ValueError(
            f"labels must hold every class of y_true, but "
            f"{y_true[is_missing].tolist()[0]!r} is missing."
        )
    return classes, scores, labels


def _distances(labels, hierarchy):
    """Number of edges between any two classes in the tree, (n_classes, n_classes)."""
    tree = tree_of(labels, hierarchy)
    n = len(tree.names)
    above = np.where(tree.parents < 0, n, tree.parents)  # the root is node n
    ends = np.arange(n, dtype=np.int32), above.astype(np.int32)  # SciPy 1.14 needs it
    edges = sparse.csr_array((np.ones(n), ends), shape=(n + 1, n + 1))
    classes = np.arange(len(labels))
    distances = shortest_path(edges, directed=False, unweighted=True, indices=classes)
    return distances[:, classes]
