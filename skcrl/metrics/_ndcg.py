"""Discounted cumulative gain, where some targets are worth more than others."""

from skcrl._typing import Metric, Rows
from skcrl._views import check_paired
from skcrl.metrics._hubness import check_hubness, corrected
from skcrl.metrics._ranking import (
    check_both,
    compared_by,
    expected_normalized_gain,
)
from skcrl.metrics._relevance import check_all_have_relevant, check_gains
from skcrl.metrics._retrieval import Correction, check_k


def ndcg_at_k(
    queries: Rows,
    targets: Rows,
    *,
    k: int = 10,
    relevant: Rows | None = None,
    metric: Metric = "cosine",
    hubness: Correction = None,
) -> float:
    r"""Gain of the first k targets, discounted by rank, beside that of the best order.

    nDCG [1]_. A target of gain :math:`g` at rank :math:`r` counts
    :math:`g / \log_2(r + 1)`, and the sum over the first k targets is divided by what
    it would be if the targets came by their gains. Use it where targets are relevant to
    a query by degrees, as by how many labels they share.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search the other way.
    k : int, default=10
        Targets to look at, from 1 to n_targets.
    relevant : None, tuple or matrix, default=None
        What is to be found. With None, target i for query i. A tuple
        ``(query_classes, target_classes)``: targets of the query's class. An array or
        SciPy sparse matrix of shape (n_queries, n_targets), of gains, which are not
        negative, or a boolean one: what is relevant then has a gain of one.
    metric : {"cosine", "euclidean"}, default="cosine"
        What ranks the targets, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        How cosines are corrected for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    gain : float
        Mean over queries, between 0 and 1.

    Raises
    ------
    ValueError
        As :func:`recall_at_k`, or if gains are negative, or no finite numbers.

    See Also
    --------
    recall_at_k : Which says how codes are compared and ties counted.
    sklearn.metrics.ndcg_score : The same for scores, with exact ties.

    Notes
    -----
    Targets that are tied count by the mean over all their orders [2]_: each gets the
    mean discount of the ranks that they share. Gains are taken as they are. To compare
    with papers whose gain of a grade :math:`g` is :math:`2^g - 1`, pass that.

    References
    ----------
    .. [1] Järvelin and Kekäläinen (2002). Cumulated gain-based evaluation of IR
       techniques. ACM Transactions on Information Systems 20(4).
    .. [2] McSherry and Najork (2008). Computing information retrieval performance
       measures efficiently in the presence of tied scores. ECIR.

    Examples
    --------
    >>> from skcrl.metrics import ndcg_at_k
    >>> Zx = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]
    >>> Zy = [[1.0, 0.1], [0.6, 0.8], [0.0, 1.0]]
    >>> gains = [[3, 1, 0], [0, 2, 1], [0, 1, 1]]
    >>> round(ndcg_at_k(Zx, Zy, k=2, relevant=gains), 4)
    0.9532
    """
    by, given = compared_by(metric), (queries, targets)
    hubness = check_hubness(hubness, metric)
    queries, targets = check_both(queries, targets, by)
    relevance = check_gains(relevant, len(queries), len(targets))
    if relevant is None:
        check_paired(*given, names=("queries", "targets"))
    check_all_have_relevant(relevance, "queries")
    check_k(k, len(targets))
    if hubness is not None:
        queries, targets, by = corrected(queries, targets, hubness)
    return float(expected_normalized_gain(queries, targets, relevance, k, by).mean())
