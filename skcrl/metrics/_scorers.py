"""Scorers by name: what `scoring=` of scikit-learn's searches takes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from skcrl._arrays import to_numpy
from skcrl._typing import Metric, Rows
from skcrl.metrics._correlation import pearson_sum
from skcrl.metrics._hubness import check_hubness
from skcrl.metrics._ranking import compared_by
from skcrl.metrics._retrieval import (
    Correction,
    mean_both_ways,
    mean_of_reciprocal_ranks,
    median_of_ranks,
    one_way,
    recall,
)


def get_scorer_names() -> list[str]:
    """Names that :func:`get_scorer` knows.

    Returns
    -------
    names : list of str
        In alphabetical order.

    Examples
    --------
    >>> from skcrl.metrics import get_scorer_names
    >>> [name for name in get_scorer_names() if name.startswith("mean")]
    ['mean_reciprocal_rank', 'mean_reciprocal_rank_x_to_y', 'mean_reciprocal_rank_y_to_x']
    """  # noqa: E501
    return sorted(_SCORES)


def get_scorer(
    name: str, *, metric: Metric = "cosine", hubness: Correction = None
) -> "Scorer":
    """Scorer of two-view estimators by its name, higher is better.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`. "recall_at_1", "recall_at_5", "recall_at_10",
        "mean_reciprocal_rank" and "neg_median_rank" (the negative of the median
        rank) search either view for the partners of the rows of the other, and are the
        mean of both directions; with "_x_to_y" after them the first view's rows are
        the queries, with "_y_to_x" the second's. "pearson_sum" is that of the codes.
    metric : {"cosine", "euclidean"}, default="cosine"
        What ranks the rows of the other view; of no effect on "pearson_sum".
    hubness : None, "csls" or Hubness, default=None
        How cosines are corrected for hubs, as in :func:`recall_at_k`; likewise. The
        first entry of a bank is of the first view.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` is the score of ``estimator.transform_pair(X, y)``.

    Raises
    ------
    ValueError
        If there is no such scorer, or metric, or way to correct it.

    See Also
    --------
    recall_at_k : Which says how codes are compared and ties counted.

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
    """
    if not isinstance(name, str) or name not in _SCORES:
        raise ValueError(
            f"There is no scorer {name!r}: choose one of {', '.join(_SCORES)}."
        )
    compared_by(metric)
    check_hubness(hubness, metric)
    return Scorer(name, metric, hubness)


@dataclass(frozen=True, repr=False)
class Scorer:
    """Callable that scores the codes of both views."""

    name: str
    metric: Metric = "cosine"
    hubness: Correction = None

    def __call__(self, estimator: Any, X: Rows, y: Rows) -> float:
        """Score of the estimator on the paired views `X` and `y`."""
        Zx, Zy = map(to_numpy, estimator.transform_pair(X, y))
        return _SCORES[self.name](Zx, Zy, metric=self.metric, hubness=self.hubness)

    def __repr__(self):
        by = "" if self.metric == "cosine" else f", metric={self.metric!r}"
        if self.hubness is not None:
            by += f", hubness={self.hubness!r}"
        return f"get_scorer({self.name!r}{by})"


def _x_to_y(measure, Zx, Zy, metric, hubness):
    return measure(one_way(Zx, Zy, metric=metric, hubness=hubness))


def _y_to_x(measure, Zx, Zy, metric, hubness):
    hubness = check_hubness(hubness, metric)
    return measure(
        one_way(Zy, Zx, metric=metric, hubness=hubness and hubness.swapped())
    )


def _pearson_sum(Zx, Zy, metric, hubness):
    return pearson_sum(Zx, Zy)


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
