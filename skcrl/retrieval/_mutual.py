"""Pairs of items from two sets that are among the nearest of each other."""

from numbers import Integral
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skcrl._columns import unit_rows
from skcrl._hubs import mean_of_nearest
from skcrl._typing import Metric
from skcrl.metrics._hubness import check_hubness
from skcrl.retrieval._backends import BACKENDS, build
from skcrl.retrieval._codes import METRICS, check_codes, check_range
from skcrl.retrieval._hubness import nearest_less


class MutualNeighbors(NamedTuple):
    """What :func:`mutual_nearest_neighbors` returns.

    Attributes
    ----------
    x, y : ndarray of shape (n_pairs,)
        Rows of the first and of the second set, one entry per pair, in ascending order.
    similarities : ndarray of shape (n_pairs,)
        Similarity of each pair: the cosine, corrected for hubs if `hubness` is set, or
        minus the Euclidean distance.
    """

    x: np.ndarray
    y: np.ndarray
    similarities: np.ndarray


@validate_params(
    {
        "Zx": ["array-like"],
        "Zy": ["array-like"],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions(set(METRICS))],
        "hubness": [StrOptions({"csls"}), None],
        "backend": [StrOptions(set(BACKENDS))],
    },
    prefer_skip_nested_validation=True,
)
def mutual_nearest_neighbors(
    Zx: ArrayLike,
    Zy: ArrayLike,
    n_neighbors: int = 5,
    *,
    metric: Metric = "cosine",
    hubness: Literal["csls"] | None = None,
    backend: str = "exact",
) -> MutualNeighbors:
    """Find pairs of codes that are among the nearest of each other in both directions.

    Use it to match two sets without known pairs. For cells of two batches, the pairs
    are probably of the same type [1]_. The distances of all pairs are never in memory
    at once.

    Parameters
    ----------
    Zx : array-like of shape (n_x, n_components)
        Codes of the first set.
    Zy : array-like of shape (n_y, n_components)
        Codes of the second set.
    n_neighbors : int, default=5
        Number k: each code of a pair must be among the k nearest of the other. Larger
        values give more, but less certain, pairs. If several codes are equally near,
        the first rows are taken. A row of zeros has a cosine of 0 with all codes.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared.
    hubness : {None, "csls"}, default=None
        "csls" corrects cosines for hubs, codes that are near to very many codes of the
        other set and would be in too many pairs. From the cosine of two codes, half of
        the mean of the 10 largest cosines of each code with the other set is
        subtracted. This is half of the similarity of CSLS [2]_.
    backend : {"exact", "int8", "binary", "faiss", "hnswlib", "usearch"}, \
            default="exact"
        Search algorithm, as in :class:`~skcrl.CrossViewRetriever`. The time of "exact"
        grows with n_x * n_y. The graphs of "hnswlib" and "usearch" miss a few pairs,
        and save time if there are several 100,000 codes.

    Returns
    -------
    found : MutualNeighbors
        Rows `x` and `y` of the pairs, and their `similarities`.

    Raises
    ------
    ValueError
        If codes are not finite numbers of the same width, if `n_neighbors` exceeds the
        size of the smaller set, or if `hubness` is combined with distances.

    References
    ----------
    .. [1] Haghverdi, Lun, Morgan and Marioni (2018). Batch effects in single-cell
       RNA-sequencing data are corrected by matching mutual nearest neighbors. Nature
       Biotechnology 36.
    .. [2] Lample, Conneau, Ranzato, Denoyer and Jégou (2018). Word translation without
       parallel data. ICLR. Section 2.3.

    Examples
    --------
    >>> from skcrl.retrieval import mutual_nearest_neighbors
    >>> Zx, Zy = [[0.0], [1.0], [7.0]], [[1.2], [0.1], [2.0]]
    >>> found = mutual_nearest_neighbors(Zx, Zy, 1, metric="euclidean")
    >>> found.x, found.y
    (array([0, 1]), array([1, 0]))
    """
    correction = check_hubness(hubness, metric)
    codes = [check_codes(Z, name) for Z, name in ((Zx, "Zx"), (Zy, "Zy"))]
    (n_x, width), (n_y, y_width) = (Z.shape for Z in codes)
    if width != y_width:
        raise ValueError(
            f"Zx has {width} components and Zy has {y_width}: they must be codes of "
            "the same space."
        )
    if n_neighbors > min(n_x, n_y):
        raise ValueError(
            f"n_neighbors must be at most {min(n_x, n_y)}, the size of the smaller "
            f"set, got {n_neighbors}."
        )
    if metric == "euclidean":
        for Z, name in zip(codes, ("Zx", "Zy"), strict=True):
            check_range(Z, name)
    else:
        codes = [unit_rows(Z) for Z in codes]
    x_codes, y_codes = codes
    x_bias = y_bias = None
    if correction is not None:
        x_bias = _bias(x_codes, y_codes, correction)
        y_bias = _bias(y_codes, x_codes, correction)
    by = n_neighbors, metric, backend
    similarities, of_x = _nearest(x_codes, y_codes, y_bias, *by)
    _, of_y = _nearest(y_codes, x_codes, x_bias, *by)
    if x_bias is not None:
        similarities = similarities - x_bias[:, None]
    # Each pair is one number: the row of the first set times n_y, plus that of the
    # second set.
    pairs = np.arange(n_x)[:, None] * n_y + of_x
    is_mutual = np.isin(pairs, of_y * n_y + np.arange(n_y)[:, None])
    pairs, similarities = pairs[is_mutual], similarities[is_mutual]
    order = np.argsort(pairs)
    x, y = np.divmod(pairs[order], n_y)
    return MutualNeighbors(x, y, similarities[order])


def _bias(codes, others, correction):
    """What is subtracted from similarities of each code, which is near many others."""
    r = mean_of_nearest(codes, others, correction.n_neighbors)
    return correction.weight * r.astype(np.float64)


def _nearest(queries, codes, bias, k, metric, backend):
    search = build(backend, {}, codes, 0, metric)
    if bias is None:
        return search.nearest(queries, codes, k, 0)
    return nearest_less(search, queries, codes, bias, k, 0)
