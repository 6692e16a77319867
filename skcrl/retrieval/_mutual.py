"""Pairs of items of two sets, each of which is among the nearest of the other."""

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
        Rows of the first and of the second set, pair by pair, in ascending order.
    similarities : ndarray of shape (n_pairs,)
        Cosine of each pair, corrected if `hubness` says so, or Euclidean distance with
        a minus.
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
    """Pairs of codes that are among the nearest of each other, in both directions.

    Between cells of two batches these are the pairs that are likely of one type [1]_.
    The distances of all pairs are never held at once.

    Parameters
    ----------
    Zx : array-like of shape (n_x, n_components)
        Codes of the first set.
    Zy : array-like of shape (n_y, n_components)
        Codes of the second set.
    n_neighbors : int, default=5
        Number k: the code of either is to be among the k nearest of the other. Where
        several are equally near, the first rows count. A row of zeros has a cosine of 0
        with all.
    metric : {"cosine", "euclidean"}, default="cosine"
        How codes are compared.
    hubness : {None, "csls"}, default=None
        "csls" corrects cosines for hubs, codes that are near to very many of the other
        set, which would be in too many pairs. The cosine of two codes loses half the
        mean of the 10 largest cosines of each with the other set. This is half of the
        similarity of CSLS [2]_.
    backend : {"exact", "int8", "binary", "faiss", "hnswlib", "usearch"}, \
            default="exact"
        Who searches, as in :class:`~skcrl.CrossViewRetriever`. Time of "exact" grows
        with n_x * n_y; the graphs of "hnswlib" and "usearch" miss a few pairs, and save
        time where codes are several 100,000.

    Returns
    -------
    found : MutualNeighbors
        Rows `x` and `y` of the pairs, and their `similarities`.

    Raises
    ------
    ValueError
        If codes are not finite numbers of one width, `n_neighbors` exceeds the smaller
        set, or `hubness` is to correct distances.

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
            f"Zx has {width} components and Zy {y_width}: they must be codes of one "
            "space."
        )
    if n_neighbors > min(n_x, n_y):
        raise ValueError(
            f"n_neighbors must be at most {min(n_x, n_y)}, the codes of the smaller "
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
    # A pair as one number, the row of the first set times n_y plus that of the second.
    pairs = np.arange(n_x)[:, None] * n_y + of_x
    is_mutual = np.isin(pairs, of_y * n_y + np.arange(n_y)[:, None])
    pairs, similarities = pairs[is_mutual], similarities[is_mutual]
    order = np.argsort(pairs)
    x, y = np.divmod(pairs[order], n_y)
    return MutualNeighbors(x, y, similarities[order])


def _bias(codes, others, correction):
    """What pairs lose for how near each code is to the others."""
    r = mean_of_nearest(codes, others, correction.n_neighbors)
    return correction.weight * r.astype(np.float64)


def _nearest(queries, codes, bias, k, metric, backend):
    search = build(backend, {}, codes, 0, metric)
    if bias is None:
        return search.nearest(queries, codes, k, 0)
    return nearest_less(search, queries, codes, bias, k, 0)
