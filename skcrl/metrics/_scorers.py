"""Scorers by name, for the parameter `scoring` of scikit-learn's searches."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import check_consistent_length

from skcrl._arrays import to_numpy
from skcrl._typing import Metric, Rows
from skcrl._views import check_paired, kind_of, rows_with_both
from skcrl.metrics._correlation import pearson_sum
from skcrl.metrics._hubness import check_hubness
from skcrl.metrics._ranking import compared_by
from skcrl.metrics._retrieval import (
    Correction,
    mean_average_precision,
    mean_both_ways,
    mean_of_reciprocal_ranks,
    median_of_ranks,
    one_way,
    recall,
)


def get_scorer_names() -> list[str]:
    """Names of the scorers that :func:`get_scorer` knows.

    Returns
    -------
    names : list of str
        Names in alphabetical order.

    Examples
    --------
    >>> from skcrl.metrics import get_scorer_names
    >>> [name for name in get_scorer_names() if name.startswith("mean")]
    ['mean_average_precision', 'mean_average_precision_x_to_y',
     'mean_average_precision_y_to_x', 'mean_reciprocal_rank',
     'mean_reciprocal_rank_x_to_y', 'mean_reciprocal_rank_y_to_x']
    """
    return sorted([*_SCORES, *_BY_CLASSES])


def get_scorer(
    name: str, *, metric: Metric = "cosine", hubness: Correction = None
) -> "Scorer":
    """Get a scorer of two-view estimators by its name; higher scores are better.

    Use it as `scoring` in ``GridSearchCV`` or ``cross_val_score``.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`:

        - "recall_at_1", "recall_at_5", "recall_at_10", "mean_reciprocal_rank" and
          "neg_median_rank" (the negative median rank) search, for each row of one view,
          its partner in the other view. They are means of both directions.
        - "mean_average_precision" searches, for each row, all rows of the same class in
          the other view. It is a mean of both directions.
        - Add "_x_to_y" to one of these names to use only rows of the first view as
          queries, or "_y_to_x" to use only rows of the second view.
        - "pearson_sum" is :func:`pearson_sum` of the codes.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared. It has no effect on "pearson_sum".
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`. The first entry of a
        bank belongs to the first view. It has no effect on "pearson_sum".

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` returns the score of
        ``estimator.transform_pair(X, y)``. A "mean_average_precision" scorer also needs
        the classes of the rows: ``scorer(estimator, X, y, classes=classes)``. Rows in
        which a view is missing (NaN, or None in a list) are left out. If no row has
        both views, a ValueError is raised.

    Raises
    ------
    ValueError
        If `name`, `metric` or `hubness` is not valid.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.

    Notes
    -----
    In searches and in ``cross_val_score``, the metadata routing of scikit-learn must be
    enabled to pass classes. They are then divided into folds together with the rows. A
    scorer that needs classes requests them under the name `classes`. After
    ``scorer.set_score_request(classes="labels")`` it requests them under the name
    `labels`.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.metrics import get_scorer
    >>> left, right, _ = load_digits_halves()
    >>> grid = {"n_components": [2, 20]}
    >>> scoring = get_scorer("mean_reciprocal_rank")
    >>> search = GridSearchCV(LinearCCA(), grid, scoring=scoring).fit(left, right)
    >>> search.best_params_
    {'n_components': 20}

    Here all halves of the same digit are relevant:

    >>> from sklearn import config_context
    >>> _, _, digits = load_digits_halves()
    >>> scoring = get_scorer("mean_average_precision")
    >>> with config_context(enable_metadata_routing=True):
    ...     search = GridSearchCV(LinearCCA(), grid, scoring=scoring)
    ...     search = search.fit(left, right, classes=digits)
    >>> search.best_params_
    {'n_components': 20}
    """
    names = get_scorer_names()
    if not isinstance(name, str) or name not in names:
        raise ValueError(
            f"There is no scorer {name!r}. Choose one of {', '.join(names)}."
        )
    compared_by(metric)
    check_hubness(hubness, metric)
    return Scorer(name, metric, hubness)


@dataclass(repr=False)
class Scorer:
    """Callable that returns a score of the codes of both views."""

    name: str
    metric: Metric = "cosine"
    hubness: Correction = None
    request: bool | str | None = True  # request for classes, for metadata routing

    def __hash__(self):  # `request` may change
        return hash((self.name, self.metric, self.hubness))

    def __call__(
        self, estimator: Any, X: Rows, y: Rows, classes: Rows | None = None
    ) -> float:
        """Score of the estimator on the paired views `X` and `y`."""
        by_classes = self.name in _BY_CLASSES
        if by_classes and classes is None:
            raise ValueError(
                f"{self.name} needs the class of each row. Call scorer(estimator, X, "
                "y, classes=classes). In a search, call fit(X, y, classes=classes), "
                "after sklearn.set_config(enable_metadata_routing=True)."
            )
        if not by_classes and classes is not None:
            raise ValueError(
                f"{self.name} takes no classes. The scorers that take classes are "
                f"{', '.join(_BY_CLASSES)}."
            )
        X, y, classes = self._complete(X, y, classes)
        Zx, Zy = map(to_numpy, estimator.transform_pair(X, y))
        by = {"metric": self.metric, "hubness": self.hubness}
        if by_classes:
            return _BY_CLASSES[self.name](Zx, Zy, classes, **by)
        return _SCORES[self.name](Zx, Zy, **by)

    def _complete(self, X, y, classes):
        """The rows that have both views, and their classes."""
        if X is None or y is None:
            return X, y, classes  # the estimator will refuse them
        check_paired(X, y)
        rows = rows_with_both(X, y)
        if rows is None:
            return X, y, classes
        if len(rows) == 0:
            raise ValueError(
                f"No row has both views, but {self.name} compares the codes of both. "
                "Pass rows with both views. In a search, shuffle the rows before they "
                "are divided into folds, with KFold(shuffle=True)."
            )
        if classes is not None:
            check_consistent_length(X, classes)
            classes = kind_of(classes, "classes").take(classes, rows)
        return kind_of(X).take(X, rows), kind_of(y).take(y, rows), classes

    def set_score_request(self, *, classes: bool | str | None) -> Self:
        """Set the name of the classes in scikit-learn's metadata routing."""
        if self.name not in _BY_CLASSES:
            raise ValueError(f"{self.name} takes no classes, so it cannot request any.")
        self.request = classes
        self.get_metadata_routing()  # refuses requests that are not names
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Requested metadata, for scikit-learn's metadata routing."""
        routing = MetadataRequest(owner=repr(self))
        if self.name in _BY_CLASSES:
            routing.score.add_request(param="classes", alias=self.request)
        return routing

    def __repr__(self):
        by = "" if self.metric == "cosine" else f", metric={self.metric!r}"
        if self.hubness is not None:
            by += f", hubness={self.hubness!r}"
        return f"get_scorer({self.name!r}{by})"


def _x_to_y(measure, Zx, Zy, metric, hubness):
    return measure(one_way(Zx, Zy, metric=metric, hubness=hubness))


def _y_to_x(measure, Zx, Zy, metric, hubness):
    return _x_to_y(measure, Zy, Zx, metric, _swapped(hubness, metric))


def _swapped(hubness, metric):
    hubness = check_hubness(hubness, metric)
    return hubness and hubness.swapped()


def _pearson_sum(Zx, Zy, metric, hubness):
    return pearson_sum(Zx, Zy)


def _precision_x_to_y(Zx, Zy, classes, metric, hubness):
    return mean_average_precision(
        Zx, Zy, relevant=(classes, classes), metric=metric, hubness=hubness
    )


def _precision_y_to_x(Zx, Zy, classes, metric, hubness):
    return _precision_x_to_y(Zy, Zx, classes, metric, _swapped(hubness, metric))


def _precision_both_ways(Zx, Zy, classes, metric, hubness):
    ways = (_precision_x_to_y, _precision_y_to_x)
    return float(np.mean([way(Zx, Zy, classes, metric, hubness) for way in ways]))


def _neg_median_rank(standing):
    return -median_of_ranks(standing)


_MEASURES = {
    **{f"recall_at_{k}": partial(recall, k=k) for k in (1, 5, 10)},
    "mean_reciprocal_rank": mean_of_reciprocal_ranks,
    "neg_median_rank": _neg_median_rank,
}

_SCORES = {
    name + suffix: partial(score, measure)
    for name, measure in _MEASURES.items()
    for suffix, score in (
        ("", mean_both_ways),
        ("_x_to_y", _x_to_y),
        ("_y_to_x", _y_to_x),
    )
} | {"pearson_sum": _pearson_sum}

_BY_CLASSES = {
    "mean_average_precision": _precision_both_ways,
    "mean_average_precision_x_to_y": _precision_x_to_y,
    "mean_average_precision_y_to_x": _precision_y_to_x,
}
