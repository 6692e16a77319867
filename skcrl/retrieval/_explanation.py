"""Contributions of single components to the similarity of two codes."""

from typing import NamedTuple

import numpy as np

from skcrl._repr import short_repr


class Explanation(NamedTuple):
    """What :meth:`CrossViewRetriever.explain` returns.

    Attributes
    ----------
    similarity : float
        Cosine of the codes of the query and of the item, or minus their Euclidean
        distance. It is the sum of the contributions.
    components : ndarray of shape (n_components,)
        Columns of ``encode``, sorted from the one that speaks most for the item to the
        one that speaks most against it.
    contributions : ndarray of shape (n_components,)
        Contribution of each of these components to the similarity.
    names : ndarray of str of shape (n_components,) or None
        Names of these components, if the estimator names its components.
    correction : float
        What `hubness` subtracts from the cosine: a search for this query alone finds
        the item with the sum of the contributions minus the correction. It is 0 without
        `hubness`.
    """

    similarity: float
    components: np.ndarray
    contributions: np.ndarray
    names: np.ndarray | None
    correction: float

    def __repr__(self):
        return short_repr(self)


def explained(query, item, metric, names, correction):
    """Shares of the components in the similarity of two codes.

    Parameters
    ----------
    query, item : ndarray of shape (n_components,)
        Codes, which have length one or zero for cosines.
    metric : {"cosine", "euclidean"}
        Metric that compares the codes.
    names : ndarray of shape (n_components,) or None
        Names of the components.
    correction : float
        Number that is subtracted from the similarity because the item is a hub.
    """
    query, item = query.astype(np.float64), item.astype(np.float64)
    if metric == "cosine":
        contributions = query * item
    else:
        gaps = query - item
        largest = abs(gaps).max()
        # A distance is the sum of the squared gaps, each divided by the distance.
        gaps = np.divide(gaps, largest, out=gaps, where=largest > 0)
        squares = gaps**2
        distance = np.sqrt(squares.sum())
        contributions = -largest * squares / max(distance, 1)
    order = np.argsort(-contributions, kind="stable")
    return Explanation(
        float(contributions.sum()),
        order,
        contributions[order],
        None if names is None else names[order],
        correction,
    )


def names_of(estimator, codes, n_components):
    """Names of the columns of codes (n_components,), or None if they have no names.

    Parameters
    ----------
    estimator : two-view estimator
        Fitted estimator.
    codes : str
        How the codes are made. With "concatenated" the columns of each view have names.
    n_components : int
        Number of columns.
    """
    try:
        names = np.asarray(estimator.get_feature_names_out(), dtype=object)
    except AttributeError:
        return None
    if codes == "concatenated":
        names = np.concatenate([[f"{side}_{name}" for name in names] for side in "xy"])
    return names.astype(object) if len(names) == n_components else None
