"""Measures of retrieval across views: functions on arrays of codes.

Targets are ranked by the cosine of their codes with the code of the query, or by the
Euclidean distance. To search in the other direction, swap the arguments.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import Literal, TypeAlias

import numpy as np

from skcrl._columns import unit_rows
from skcrl._typing import Metric, Rows
from skcrl._views import check_paired
from skcrl.metrics._hubness import Hubness, check_hubness, corrected
from skcrl.metrics._ranking import (
    COMPARED_BY,
    check_both,
    check_rows,
    compared_by,
    expected,
    expected_average_precision,
    expected_precision,
    expected_rank,
    first_relevant,
    partners_both_ways,
)
from skcrl.metrics._relevance import (
    check_all_have_relevant,
    check_classes,
    check_relevance,
)

Correction: TypeAlias = Literal["csls"] | Hubness | None


def recall_at_k(
    queries: Rows,
    targets: Rows,
    *,
    k: int = 1,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    r"""Share of queries with at least one relevant target among the first k targets.

    The literature on cross-modal retrieval calls this R@k [1]_. There, usually one
    target is relevant to each query. If several are relevant, it is enough to find one:
    the measure is not the share of the relevant targets that are found.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view, which are searched. Swap the two arguments to search in
        the other direction.
    k : int, default=1
        Number of targets to look at, from 1 to n_targets.
    relevant : None, tuple or boolean matrix, default=None
        Which targets are relevant to which queries. None: only target i to query i. A
        tuple ``(query_classes, target_classes)`` of shapes (n_queries,) and
        (n_targets,): all targets of the same class as the query. A boolean array or
        SciPy sparse matrix of shape (n_queries, n_targets): the pairs that are True.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared. The first targets have the largest cosines with the
        query, or the smallest Euclidean distances from it. Codes are not scaled for
        distances.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, that is targets which are near to very many
        queries; see :class:`Hubness`. "csls" means ``Hubness()``, which uses the
        queries themselves.

    Returns
    -------
    recall : float
        Between 0 and 1. Multiply by 100 to compare with the papers.

    Raises
    ------
    ValueError
        If `k` is out of range; if a query has no relevant target, or `relevant` does
        not match the codes; if the codes are empty, have different numbers of
        components, hold NaN or infinity, or are strings; if codes differ in size by a
        factor of 1e280, so that distances underflow; or if `hubness` is used with
        distances, or with a bank of codes of a different width.

    See Also
    --------
    retrieval_report : The usual measures in both directions.

    Notes
    -----
    Codes are compared in float64. A code of zeros has cosine 0 with every code. Targets
    that are equally similar to the query count as if in random order: the result is the
    mean over all orders, in closed form, as proposed in [2]_. So constant codes score
    no better than chance, and the order of rows does not matter. Two cosines count as
    equal if they differ by at most :math:`2 (d + 2) \varepsilon`. This is the rounding
    error of a product of codes of d dimensions, with the :math:`\varepsilon` of
    float64. Two squared distances count as equal if they differ by at most this share.

    Queries are processed block by block. This takes at most as much memory as
    ``working_memory`` of scikit-learn, in addition to the codes, or up to three times
    as much if most targets are relevant.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7.
    .. [2] McSherry and Najork (2008). Computing information retrieval performance
       measures efficiently in the presence of tied scores. ECIR.

    Examples
    --------
    >>> from skcrl.metrics import recall_at_k
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> round(recall_at_k(Zx, Zy), 3)  # the first query alone finds its partner
    0.333
    >>> recall_at_k(Zx, Zy, k=2)
    1.0
    >>> recall_at_k(Zx, Zy, relevant=(["a", "b", "b"], ["a", "b", "b"]))
    1.0
    """
    return recall(one_way(queries, targets, relevant, metric, hubness), k)


def median_rank(
    queries: Rows,
    targets: Rows,
    *,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    """Median over queries of the rank of the first relevant target; lower is better.

    The literature on cross-modal retrieval calls this "MR" [1]_. The rank of tied
    targets is the mean over all their orders, so it may be a fraction.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search in the other direction.
    relevant : None, tuple or boolean matrix, default=None
        Which targets are relevant, as in :func:`recall_at_k`.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    rank : float
        Between 1 and n_targets.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7.

    Examples
    --------
    >>> from skcrl.metrics import median_rank
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> median_rank(Zx, Zy)  # of 1, 2 and 2
    2.0
    """
    return median_of_ranks(one_way(queries, targets, relevant, metric, hubness))


def mean_reciprocal_rank(
    queries: Rows,
    targets: Rows,
    *,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    """Mean over queries of the reciprocal rank of the first relevant target.

    The reciprocal rank is 1 / rank. The literature on cross-modal retrieval calls the
    measure "MRR" [1]_. For tied targets it is the mean of the reciprocal rank over all
    orders, not the reciprocal of the mean rank.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search in the other direction.
    relevant : None, tuple or boolean matrix, default=None
        Which targets are relevant, as in :func:`recall_at_k`.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    reciprocal_rank : float
        Above 0 and at most 1. Multiply by 100 to compare with the papers.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.
    mean_average_precision : Use it if all relevant targets should be found.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7.

    Examples
    --------
    >>> from skcrl.metrics import mean_reciprocal_rank
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> round(mean_reciprocal_rank(Zx, Zy), 4)  # of 1, 1/2 and 1/2
    0.6667
    """
    return mean_of_reciprocal_ranks(
        one_way(queries, targets, relevant, metric, hubness)
    )


def precision_at_k(
    queries: Rows,
    targets: Rows,
    *,
    k: int = 10,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    """Share of relevant targets among the first k targets, as a mean over queries.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search in the other direction.
    k : int, default=10
        Number of targets to look at, from 1 to n_targets.
    relevant : None, tuple or boolean matrix, default=None
        Which targets are relevant, as in :func:`recall_at_k`. With one relevant target
        for each query, the precision is ``recall_at_k`` divided by k.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    precision : float
        Between 0 and 1. A query with fewer than k relevant targets cannot reach 1.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.
    average_precision_at_k : A mean over classes instead of queries.

    Examples
    --------
    >>> from skcrl.metrics import precision_at_k
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> classes = ["a", "b", "b"]
    >>> round(precision_at_k(Zx, Zy, k=2, relevant=(classes, classes)), 4)
    0.8333
    """
    queries, targets, relevance, by = _check_one_way(
        queries, targets, relevant, metric, hubness
    )
    check_k(k, len(targets))
    return float(expected_precision(queries, targets, relevance, k, by).mean())


def mean_average_precision(
    queries: Rows,
    targets: Rows,
    *,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    """Mean average precision (mAP) over the whole ranking.

    Use it if each query has several relevant targets and all of them should be found.
    For each relevant target of a query, the precision is the share of relevant targets
    among all targets ranked up to this one. The average precision is the mean over the
    relevant targets, and mAP is its mean over queries. With one relevant target for
    each query, mAP equals :func:`mean_reciprocal_rank`, which is faster.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search in the other direction.
    relevant : None, tuple or boolean matrix, default=None
        Which targets are relevant, as in :func:`recall_at_k`.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    precision : float
        Above 0 and at most 1.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.
    average_precision_at_k : "Average precision" of zero-shot papers: not the same.

    References
    ----------
    .. [1] McSherry and Najork (2008). Computing information retrieval performance
       measures efficiently in the presence of tied scores. ECIR.

    Examples
    --------
    >>> from skcrl.metrics import mean_average_precision
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> classes = ["a", "b", "a"]
    >>> round(mean_average_precision(Zx, Zy, relevant=(classes, classes)), 4)
    0.6389
    """
    queries, targets, relevance, by = _check_one_way(
        queries, targets, relevant, metric, hubness
    )
    return float(expected_average_precision(queries, targets, relevance, by).mean())


def average_precision_at_k(
    queries: Rows,
    targets: Rows,
    query_classes: Rows,
    target_classes: Rows,
    *,
    k: int = 50,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    """AP@k of zero-shot retrieval: precision at k, averaged within and over classes.

    It is "the percentage of the top-50 scoring images whose class matches that of the
    text query, averaged over the 50 test classes" [1]_. Every class has the same
    weight, whatever its number of queries. With one query for each class, as from
    :func:`class_codes`, it equals :func:`precision_at_k`. It is not an average
    precision in the sense of :func:`mean_average_precision`.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two, and their classes, to search in the other
        direction.
    query_classes : array-like of shape (n_queries,)
        Class of each query.
    target_classes : array-like of shape (n_targets,)
        Class of each target.
    k : int, default=50
        Number of targets to look at, from 1 to n_targets.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    precision : float
        Between 0 and 1. A class with fewer than k targets cannot reach 1.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.
    class_codes : One query for each class.
    skcrl.datasets.class_disjoint_split : A split with test classes not in training.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7. Zero-shot
       image-text retrieval.

    Examples
    --------
    >>> from skcrl.metrics import average_precision_at_k
    >>> images = [[1.0, 0.1], [0.9, 0.2], [0.6, 0.8], [0.0, 1.0]]
    >>> texts, classes = [[1.0, 0.0], [0.8, 0.6], [0.1, 1.0]], ["a", "a", "b"]
    >>> average_precision_at_k(texts, images, classes, ["a", "a", "b", "b"], k=2)
    0.875
    """
    queries, targets, relevance, by = _check_one_way(
        queries, targets, (query_classes, target_classes), metric, hubness
    )
    check_k(k, len(targets))
    precision = expected_precision(queries, targets, relevance, k, by)
    _, of_class = np.unique(relevance.query_classes, return_inverse=True)
    return float(np.mean(np.bincount(of_class, precision) / np.bincount(of_class)))


def class_codes(
    codes: Rows, classes: Rows, *, metric: Metric = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """One code for each class: the mean of the codes of its samples.

    Use these codes as queries to search for a whole class, which all its samples of one
    view describe. This is the class-level protocol of zero-shot retrieval.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_components)
        Codes of one view.
    classes : array-like of shape (n_samples,)
        Classes of the samples.
    metric : {"cosine", "euclidean"}, default="cosine"
        How the means will be compared. For "cosine", codes are scaled to length one
        before the mean is taken. For "euclidean" they are not scaled.

    Returns
    -------
    means : ndarray of shape (n_classes, n_components)
        Means, which are not scaled. For "cosine", the length of a mean shows how well
        the samples of the class agree on a direction.
    classes : ndarray of shape (n_classes,)
        The classes, sorted.

    Raises
    ------
    ValueError
        If there is not one class for each code, or the codes are not valid.

    See Also
    --------
    average_precision_at_k : The measure of class-level retrieval.

    Examples
    --------
    >>> from skcrl.metrics import average_precision_at_k, class_codes
    >>> texts = [[3.0, 0.0], [0.0, 5.0], [0.0, 1.0]]
    >>> queries, classes = class_codes(texts, ["bird", "fish", "fish"])
    >>> queries
    array([[1., 0.],
           [0., 1.]])
    >>> images, of_images = [[1.0, 0.1], [0.2, 0.7]], ["bird", "fish"]
    >>> average_precision_at_k(queries, images, classes, of_images, k=1)
    1.0
    """
    codes = check_rows(codes, "codes")
    if compared_by(metric) is COMPARED_BY["cosine"]:
        codes = unit_rows(codes)
    classes = check_classes(classes, len(codes), "classes")
    classes, of_class, sizes = np.unique(
        classes, return_inverse=True, return_counts=True
    )
    sums = np.zeros((len(classes), codes.shape[1]))
    np.add.at(sums, of_class, codes)
    return sums / sizes[:, None], classes


def retrieval_report(
    Zx: Rows,
    Zy: Rows,
    *,
    k: int | Sequence[int] | None = None,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> dict[str, dict[str, float]]:
    """Recall at several k, median rank and mean reciprocal rank, in both directions.

    Without `relevant` and `hubness`, both directions are computed in one pass over the
    similarities.

    Parameters
    ----------
    Zx : array-like of shape (n_x, n_components)
        Codes of the first view.
    Zy : array-like of shape (n_y, n_components)
        Codes of the second view.
    k : int, sequence of int or None, default=None
        Numbers of targets to look at for the recalls, from 1 to the number of codes of
        the smaller view. None means those of 1, 5, 10 and 25 that are possible.
    relevant : None, tuple or boolean matrix, default=None
        Which rows belong together, as in :func:`recall_at_k` with `Zx` as queries.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    report : dict
        ``{"x_to_y": measures, "y_to_x": measures}``. Each value is a dict of float with
        the keys ``"recall_at_1"`` and so on, ``"median_rank"`` and
        ``"mean_reciprocal_rank"``. For "x_to_y" the queries are `Zx` and the targets
        are `Zy`.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`, in either direction.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.

    Examples
    --------
    >>> from pprint import pprint
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.metrics import retrieval_report
    >>> left, right, _ = load_digits_halves()
    >>> cca = LinearCCA(20).fit(left[:1400], right[:1400])
    >>> codes = cca.transform_pair(left[1400:], right[1400:])
    >>> report = retrieval_report(*codes, k=(1, 10))
    >>> pprint({name: round(value, 2) for name, value in report["x_to_y"].items()})
    {'mean_reciprocal_rank': 0.17,
     'median_rank': 19.0,
     'recall_at_1': 0.08,
     'recall_at_10': 0.36}
    """
    standings = both_ways(Zx, Zy, relevant, metric, hubness)
    if k is None:
        fewest = min(standing.n_targets for standing in standings.values())
        k = [each for each in (1, 5, 10, 25) if each <= fewest]
    return {
        direction: {
            **{
                f"recall_at_{each}": recall(standing, each) for each in np.atleast_1d(k)
            },
            "median_rank": median_of_ranks(standing),
            "mean_reciprocal_rank": mean_of_reciprocal_ranks(standing),
        }
        for direction, standing in standings.items()
    }


def one_way(queries, targets, relevant=None, metric="cosine", hubness=None):
    """Standing of the best relevant target of each query."""
    return first_relevant(*_check_one_way(queries, targets, relevant, metric, hubness))


def both_ways(Zx, Zy, relevant=None, metric="cosine", hubness=None):
    """Standings for both directions, as a dict by direction."""
    hubness = check_hubness(hubness, metric)
    Zx, Zy, relevance, by = _check(Zx, Zy, relevant, metric, names=("Zx", "Zy"))
    backwards = relevance.swapped()
    check_all_have_relevant(backwards, "Zy")
    if hubness is not None:
        x_to_y = _first_corrected(Zx, Zy, relevance, hubness, side=0)
        y_to_x = _first_corrected(Zy, Zx, backwards, hubness, side=1)
    elif relevant is None:
        x_to_y, y_to_x = partners_both_ways(Zx, Zy, by)
    else:
        x_to_y = first_relevant(Zx, Zy, relevance, by)
        y_to_x = first_relevant(Zy, Zx, backwards, by)
    return {"x_to_y": x_to_y, "y_to_x": y_to_x}


def mean_both_ways(measure, Zx, Zy, relevant=None, metric="cosine", hubness=None):
    """Mean over both directions of a measure of standings."""
    standings = both_ways(Zx, Zy, relevant, metric, hubness).values()
    return float(np.mean([measure(standing) for standing in standings]))


def recall(standing, k):
    """Recall at k."""
    check_k(k, standing.n_targets)
    return float(expected(standing, lambda rank: (rank <= k) * 1.0).mean())


def median_of_ranks(standing):
    """Median rank."""
    return float(np.median(expected_rank(standing)))


def mean_of_reciprocal_ranks(standing, weights=None):
    """Mean reciprocal rank over queries, with weights if given."""
    return float(np.average(expected(standing, np.reciprocal), weights=weights))


def _first_corrected(queries, targets, relevance, hubness, side):
    queries, targets, by = corrected(queries, targets, hubness, side)
    return first_relevant(queries, targets, relevance, by)


def _check_one_way(queries, targets, relevant, metric, hubness):
    """As `_check`, and then correct the codes if `hubness` is given."""
    hubness = check_hubness(hubness, metric)
    queries, targets, relevance, by = _check(queries, targets, relevant, metric)
    if hubness is not None:
        queries, targets, by = corrected(queries, targets, hubness)
    return queries, targets, relevance, by


def _check(queries, targets, relevant, metric, names=("queries", "targets")):
    given, by = (queries, targets), compared_by(metric)
    queries, targets = check_both(queries, targets, by, names)
    relevance = check_relevance(relevant, len(queries), len(targets))
    if relevant is None:
        check_paired(*given, names=names)
    check_all_have_relevant(relevance, names[0])
    return queries, targets, relevance, by


def check_k(k, n_targets):
    """Raise ValueError unless k is a whole number from 1 to the number of targets."""
    is_integer = isinstance(k, Integral) and not isinstance(k, bool)
    if not is_integer or not 1 <= k <= n_targets:
        raise ValueError(
            f"k must be a whole number from 1 to {n_targets}, the number of targets, "
            f"got {k}."
        )
