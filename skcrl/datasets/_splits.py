"""Splits for zero-shot protocols."""

from math import ceil
from numbers import Integral, Real
from typing import Any

from numpy.typing import ArrayLike
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from skcrl._labels import check_labels
from skcrl._typing import Seed
from skcrl._validation import random_source


@validate_params(
    {
        "classes": ["array-like"],
        "test_size": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def class_disjoint_split(
    *arrays: Any, classes: ArrayLike, test_size: float = 0.2, random_state: Seed = None
) -> list[Any]:
    """Split rows into training and test parts that have no class in common.

    Use it to test zero-shot retrieval or classification. It is similar to
    ``sklearn.model_selection.train_test_split``, but whole classes are drawn, by
    ``GroupShuffleSplit``, and rows keep their order. To get a validation part with its
    own classes, split the training part again.

    Parameters
    ----------
    *arrays : sequence of array-like of shape (n_samples, ...)
        Anything that has one row for each sample, such as views and labels: arrays,
        sparse matrices, data frames, lists or TwoView.
    classes : array-like of shape (n_samples,)
        Class of each sample.
    test_size : float in (0, 1) or int, default=0.2
        Share of the classes in the test part, rounded up, or the number of these
        classes. The share of the samples depends on the sizes of the classes.
    random_state : int, RandomState instance or None, default=None
        Seed for the classes that are drawn.

    Returns
    -------
    parts : list
        Training and test part of each array, and then of `classes`.

    Raises
    ------
    ValueError
        If the numbers of rows differ, or no class would be left for training.

    See Also
    --------
    skcrl.metrics.average_precision_at_k : The usual measure of zero-shot retrieval.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.datasets import class_disjoint_split, load_digits_halves
    >>> left, right, digits = load_digits_halves()
    >>> parts = class_disjoint_split(left, right, classes=digits, random_state=0)
    >>> x_train, x_test, y_train, y_test, seen, unseen = parts
    >>> np.unique(seen), np.unique(unseen)
    (array([0, 1, 3, 4, 5, 6, 7, 9]), array([2, 8]))
    """
    labels = column_or_1d(
        check_array(
            check_labels(classes, "classes"),
            ensure_2d=False,
            dtype=None,
            input_name="classes",
        )
    )
    check_consistent_length(*arrays, labels)
    n_classes = len(set(labels.tolist()))
    is_number = isinstance(test_size, Integral)
    n_test = int(test_size) if is_number else ceil(test_size * n_classes)
    if n_test >= n_classes:
        raise ValueError(
            f"test_size={test_size} takes {n_test} of the {n_classes} different "
            "classes and leaves none for training: lower it."
        )
    splitter = GroupShuffleSplit(
        1, test_size=n_test, random_state=random_source(random_state)
    )
    rows = next(splitter.split(labels, groups=labels))
    return [
        _safe_indexing(array, part) for array in (*arrays, classes) for part in rows
    ]
