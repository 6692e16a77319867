"""Cosines with a correction for hubs: codes that are near to very many others."""

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np

from skcrl._columns import unit_rows
from skcrl._hubs import mean_of_nearest
from skcrl._typing import Rows
from skcrl.metrics._ranking import Cosines, check_rows

# With much smaller weights than this, the correction alone already decides the ranks.
_LARGEST_WEIGHT = 10


@dataclass(frozen=True, eq=False, repr=False)
class Hubness:
    r"""Correction of cosines for hubs: targets that are near to very many queries.

    In spaces with many dimensions, some codes are among the nearest neighbours of very
    many other codes [1]_. Retrieval finds these hubs for queries to which they do not
    belong. Pass this object as `hubness` to a measure of retrieval to lower the
    similarity of hubs. The similarity of a query :math:`q` and a target :math:`t`
    becomes

    .. math:: \cos(q, t) - w\, r(t).

    Here :math:`w` is the weight, and :math:`r(t)` is the mean cosine of :math:`t` with
    the `n_neighbors` queries that are nearest to it.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of nearest queries of each target, at least 1. If there are fewer
        queries, all are taken.
    weight : float, default=0.5
        The weight, from 0 (no correction) to 10.
    bank : None or tuple, default=None
        The source of these queries. With None they are the queries that are being
        measured, so the rank of a target depends also on the other queries. A weight of
        0.5 then gives the same ranks as CSLS [2]_, because
        :math:`2\cos(q, t) - r_T(q) - r_S(t)` is twice the similarity above, up to a
        term that is the same for all targets. A tuple ``(x_codes, y_codes)`` of shapes
        (n_x, n_components) and (n_y, n_components) holds codes of training samples of
        both views, as in nearest neighbour normalisation [3]_. The codes from the view
        of the queries are used. In functions of `queries` and `targets`, the first
        entry belongs to the view of the queries.

    Raises
    ------
    ValueError
        If a number is out of range, or the bank is not a pair of codes with the same
        number of components.

    See Also
    --------
    recall_at_k : One of the measures that take this correction.
    skcrl.CrossViewRetriever : Search with this correction; it can choose the numbers.

    References
    ----------
    .. [1] Radovanović, Nanopoulos and Ivanović (2010). Hubs in space: popular nearest
       neighbors in high-dimensional data. Journal of Machine Learning Research 11.
    .. [2] Lample, Conneau, Ranzato, Denoyer and Jégou (2018). Word translation without
       parallel data. ICLR. Section 2.3.
    .. [3] Chowdhury, Wang, Shenoy, Kiela, Schwettmann and Thrush (2024). Nearest
       neighbor normalization improves multimodal retrieval. EMNLP.

    Examples
    --------
    >>> from skcrl.metrics import Hubness, recall_at_k
    >>> Zx = [[1.0, 0.2], [0.2, 1.0], [0.8, 0.7]]
    >>> Zy = [[1.0, -0.9], [-0.9, 1.0], [0.7, 0.7]]  # the last is near to all
    >>> round(recall_at_k(Zx, Zy), 3)
    0.333
    >>> recall_at_k(Zx, Zy, hubness=Hubness(n_neighbors=1, weight=1))
    1.0
    """

    n_neighbors: int = 10
    weight: float = 0.5
    bank: tuple[Rows, Rows] | None = None

    def __post_init__(self):
        _check_numbers(self.n_neighbors, self.weight)
        if self.bank is not None:
            object.__setattr__(self, "bank", _checked_bank(self.bank))

    def __eq__(self, other):
        if not isinstance(other, Hubness):
            return NotImplemented
        if (self.n_neighbors, self.weight) != (other.n_neighbors, other.weight):
            return False
        if self.bank is None or other.bank is None:
            return self.bank is other.bank
        return all(map(np.array_equal, self.bank, other.bank))

    def __hash__(self):
        return hash((self.n_neighbors, self.weight))

    def __repr__(self):
        of = f"n_neighbors={self.n_neighbors!r}, weight={self.weight!r}"
        if self.bank is not None:
            rows = " and ".join(str(len(codes)) for codes in self.bank)
            of += f", bank=<codes of {rows} rows>"
        return f"Hubness({of})"

    def swapped(self) -> "Hubness":
        """The same correction for queries of the other view.

        Returns
        -------
        hubness : Hubness
            Copy with the two entries of the bank exchanged.
        """
        return self if self.bank is None else replace(self, bank=self.bank[::-1])

    def _check_loaded(self):
        """Raise ValueError if the content of a file is not valid."""
        self.__post_init__()


class Corrected(Cosines):
    """Comparison of codes to which :func:`corrected` added a component."""

    def __init__(self, weight, n_neighbors):
        self._weight = weight
        self._n_neighbors = n_neighbors

    def slack(self, level, n_components):
        r"""Largest difference of two similarities that may be only rounding error.

        For cosines this is :math:`2 (d + 2) \varepsilon`. A mean :math:`r` of k
        cosines has the rounding error of one cosine plus :math:`k\,u`.
        """
        of_cosines = super().slack(level, n_components)
        eps = np.finfo(np.float64).eps
        of_bias = 2 * of_cosines + self._n_neighbors * eps
        return of_cosines + self._weight * of_bias


def check_hubness(hubness, metric):
    """The user's `hubness` as a `Hubness` or None."""
    if hubness is None:
        return None
    if not isinstance(hubness, Hubness) and not (
        isinstance(hubness, str) and hubness == "csls"
    ):
        raise ValueError(
            f"hubness must be None, 'csls' or a skcrl.metrics.Hubness, got "
            f"{hubness!r:.80}."
        )
    if metric != "cosine":
        raise ValueError(
            f"hubness corrects cosines, but metric={metric!r} compares by distances. "
            "Set metric='cosine', or hubness=None."
        )
    return Hubness() if isinstance(hubness, str) else hubness


def corrected(queries, targets, hubness, side=0):
    """Make codes whose inner products are the corrected similarities.

    Parameters
    ----------
    queries, targets : ndarray of shape (n_rows, n_components)
        Rows of length one or zero.
    hubness : Hubness
    side : int, default=0
        Entry of the bank that belongs to the view of the queries.

    Returns
    -------
    queries, targets : ndarray of shape (n_rows, n_components + 1)
        Queries with a 1 appended, targets with the negative bias appended.
    by : Corrected
    """
    others = queries
    if hubness.bank is not None:
        others = bank_codes(hubness, side, targets)
    n_neighbors = min(hubness.n_neighbors, len(others))
    r = mean_of_nearest(targets, others, n_neighbors)
    return biased(queries, targets, r, hubness.weight, n_neighbors)


def biased(queries, targets, r, weight, n_neighbors):
    """As :func:`corrected`, from the mean cosine `r` of each target."""
    return (
        np.hstack([queries, np.ones((len(queries), 1))]),
        np.hstack([targets, -weight * r[:, None]]),
        Corrected(weight, n_neighbors),
    )


def bank_codes(hubness, side, codes):
    """Codes of one view in the bank, of length one and in the precision of `codes`."""
    bank = hubness.bank[side]
    if bank.shape[1] != codes.shape[1]:
        raise ValueError(
            f"The bank of hubness has codes of {bank.shape[1]} components, but the "
            f"codes to compare have {codes.shape[1]}. They must be from the same space."
        )
    return unit_rows(bank.astype(codes.dtype))


def _check_numbers(n_neighbors, weight):
    if not _is_number(n_neighbors, Integral) or not 1 <= n_neighbors < 2**31:
        raise ValueError(
            f"n_neighbors of Hubness must be an integer of at least 1, got "
            f"{n_neighbors!r:.80}."
        )
    if not _is_number(weight, Real) or not 0 <= weight <= _LARGEST_WEIGHT:
        raise ValueError(
            f"weight of Hubness must be a number from 0 to {_LARGEST_WEIGHT}, got "
            f"{weight!r:.80}."
        )


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool)


def _checked_bank(bank):
    if not isinstance(bank, (tuple, list)) or len(bank) != 2:
        raise ValueError(
            "bank of Hubness must be a pair (x_codes, y_codes), or None, got "
            f"{bank!r:.80}."
        )
    names = "the x codes of the bank", "the y codes of the bank"
    x_codes, y_codes = (
        _in_own_precision(check_rows(codes, name), codes)
        for codes, name in zip(bank, names, strict=True)
    )
    if x_codes.shape[1] != y_codes.shape[1]:
        raise ValueError(
            "The codes of the bank must have the same number of components, got "
            f"{x_codes.shape[1]} and {y_codes.shape[1]}."
        )
    return x_codes, y_codes


def _in_own_precision(checked, given):
    is_single = getattr(given, "dtype", None) == np.float32
    return checked.astype(np.float32) if is_single else checked
