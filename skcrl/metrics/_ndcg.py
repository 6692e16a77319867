"""Discounted cumulative gain, for targets that are relevant to different degrees."""

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
    r"""Normalised discounted cumulative gain (nDCG) of the first k targets.

    Use it if targets are relevant to a query to different degrees, for example by the
    number of labels that they share. A target with gain :math:`g` at rank :math:`r`
    contributes :math:`g / \log_2(r + 1)` [1]_. The sum over the first k targets is
    divided by the sum for the best possible order.

    Parameters
    ----------
    queries : array-like of shape (n_queries, n_components)
        Codes of one view.
    targets : array-like of shape (n_targets, n_components)
        Codes of the other view. Swap the two to search in the other direction.
    k : int, default=10
        Number of targets to look at, from 1 to n_targets.
    relevant : None, tuple or matrix, default=None
        Which targets are relevant to which queries. None: only target i to query i. A
        tuple ``(query_classes, target_classes)``: all targets of the same class as the
        query. An array or SciPy sparse matrix of shape (n_queries, n_targets): the
        gains, at least 0; True counts as a gain of 1.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared, as in :func:`recall_at_k`.
    hubness : None, "csls" or Hubness, default=None
        Correction of cosines for hubs, as in :func:`recall_at_k`.

    Returns
    -------
    gain : float
        Mean over queries, between 0 and 1.

    Raises
    ------
    ValueError
        As for :func:`recall_at_k`. Also if gains are not finite numbers of at least 0.

    See Also
    --------
    recall_at_k : Its notes explain how codes are compared and how ties are counted.
    sklearn.metrics.ndcg_score : nDCG of scores, where only exact ties count as ties.

    Notes
    -----
    For tied targets the result is the mean over all their orders [2]_: each gets the
    mean discount of the ranks that they share. Gains are used as they are. Some papers
    use the gain :math:`2^g - 1` for a grade :math:`g`; to compare with them, pass these
    gains.

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
