r"""Ranks of relevant targets among all targets, with ties in random order.

Targets are ranked by cosine, or by negative Euclidean distance.

Queries are processed block by block, so the matrix of all similarities never exists.
Similarities that differ only by rounding count as tied, because equal codes can give
different results at different places of a matrix product. Let
:math:`u = \varepsilon / 2`. A code of :math:`d` dimensions that is scaled to length one
has an error of at most :math:`(d/2 + 3)\,u`, and an inner product adds at most
:math:`d\,u`. So the cosines of a query with two codes of the same direction differ by
at most :math:`(3d + 6)\,u`, which is less than the ``slack`` of ``Cosines``.

A squared distance is a sum of :math:`d` squares. Its relative error is at most
:math:`(d + 2)\,u`. So two equal distances differ by at most twice this share, which is
half the ``slack`` of ``Distances``.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn import get_config
from sklearn.utils import gen_batches

from skcrl._columns import unit_rows
from skcrl._numbers import check_numbers
from skcrl._views import kind_of

# Squared differences of numbers that are smaller than this, relative to the largest
# number, lose digits.
_SMALLEST = 1e-280


class Standing(NamedTuple):
    """Position of the best relevant target of each query."""

    better: np.ndarray  # (n_queries,) number of targets that are more similar
    tied: np.ndarray  # (n_queries,) number of equally similar ones, with itself
    relevant: np.ndarray  # (n_queries,) number of relevant targets among the tied
    n_targets: int


class Cosines:
    """Comparison of codes by their cosines."""

    def scaled(self, queries, targets):
        """Codes of length one; rows of zeros stay zero."""
        return unit_rows(queries), unit_rows(targets)

    def similarities(self, queries, targets, out):
        """Similarity of each query to each target."""
        return np.matmul(queries, targets.T, out=out)

    def of_pairs(self, queries, targets):
        """Similarity of each query to the target in its row."""
        return np.einsum("ij,ij->i", queries, targets)

    def slack(self, level, n_components):
        """Largest difference of two similarities that may be only rounding error."""
        return _rounding(n_components)


class Distances:
    """Comparison of codes by their negative squared Euclidean distances."""

    def scaled(self, queries, targets):
        """Codes scaled so that the largest is about 2^500: squares stay finite."""
        longest = np.concatenate([abs(queries).max(axis=1), abs(targets).max(axis=1)])
        largest = longest.max()
        # Two different numbers differ by at least 2^-53 of the larger.
        small = longest[(longest > 0) & (longest < largest * _SMALLEST)]
        if len(small):
            raise ValueError(
                f"Codes have numbers up to {largest:.1e}, but {len(small)} codes have "
                f"no number above {small.max():.1e}, so their distances underflow. Use "
                "metric='cosine', or leave out the codes with such large numbers."
            )
        exponent = 500 - np.frexp(largest)[1]
        return np.ldexp(queries, exponent), np.ldexp(targets, exponent)

    def similarities(self, queries, targets, out):
        """Similarity of each query to each target."""
        cdist(queries, targets, "sqeuclidean", out=out)
        return np.negative(out, out=out)

    def of_pairs(self, queries, targets):
        """Similarity of each query to the target in its row."""
        gaps = queries - targets
        return -np.einsum("ij,ij->i", gaps, gaps)

    def slack(self, level, n_components):
        """Largest difference of two similarities that may be only rounding error."""
        return abs(level) * _rounding(n_components)


COMPARED_BY = {"cosine": Cosines(), "euclidean": Distances()}


def compared_by(metric):
    """The object that compares codes by the metric of this name."""
    if not isinstance(metric, str) or metric not in COMPARED_BY:
        raise ValueError(
            f"metric must be one of {list(COMPARED_BY)}, got {metric!r:.80}."
        )
    return COMPARED_BY[metric]


def check_rows(codes, name):
    """Codes as a matrix in float64."""
    array = np.asarray(kind_of(codes, name).values(codes))
    if array.size and isinstance(array.flat[0], str):
        raise ValueError(
            f"{name} must be codes, which are numbers, got strings. Encode them first, "
            "with transform or transform_y of an estimator that takes text."
        )
    codes = check_numbers(codes, name, ensure_min_samples=0)
    if len(codes) == 0:
        raise ValueError(f"{name} is empty, of shape {codes.shape}.")
    return codes


def check_both(queries, targets, by, names=("queries", "targets")):
    """Both sets of codes, checked, and scaled by the comparison `by`."""
    queries, targets = check_rows(queries, names[0]), check_rows(targets, names[1])
    if queries.shape[1] != targets.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same number of dimensions, "
            f"got {queries.shape[1]} and {targets.shape[1]}."
        )
    return by.scaled(queries, targets)


def first_relevant(queries, targets, relevance, by):
    """Standing of the most similar relevant target of each query."""
    better, tied, relevant = np.empty((3, len(queries)), dtype=np.int64)
    for block, similarity in _similarities(queries, targets, by):
        found = _similarities_of_relevant(similarity, relevance.rows(block))
        starts = found.indptr[:-1]
        best = np.maximum.reduceat(found.data, starts)
        slack = by.slack(best, queries.shape[1])
        as_good = found.data >= np.repeat(best - slack, np.diff(found.indptr))
        better[block], tied[block] = _count(similarity, best, slack)
        relevant[block] = np.add.reduceat(as_good, starts, dtype=np.int64)
    return Standing(better, tied, relevant, len(targets))


def partners_both_ways(Zx, Zy, by):
    """Standing of the partner of each row in `Zy`, and of each row in `Zx`.

    Every similarity is computed once, and counted for its row and for its column.
    """
    own = by.of_pairs(Zx, Zy)
    slack = np.broadcast_to(by.slack(own, Zx.shape[1]), own.shape)
    x_better, x_tied, y_better, y_as_good = np.zeros((4, len(Zx)), dtype=np.int64)
    for block, similarity in _similarities(Zx, Zy, by):
        x_better[block], x_tied[block] = _count(similarity, own[block], slack[block])
        y_better += np.count_nonzero(similarity > own + slack, axis=0)
        y_as_good += np.count_nonzero(similarity >= own - slack, axis=0)
    one = np.ones_like(x_tied)
    return (
        Standing(x_better, x_tied, one, len(Zy)),
        Standing(y_better, y_as_good - y_better, one, len(Zx)),
    )


def expected(standing, function):
    """Mean of function(rank of the first relevant target) over all orders of ties."""
    values = function(standing.better + 1.0)
    open_order = standing.tied > standing.relevant
    cases, of_case = np.unique(
        np.column_stack(standing[:3])[open_order], axis=0, return_inverse=True
    )
    values[open_order] = np.array(
        [
            _first_among(tied, relevant)
            @ function(better + np.arange(1.0, tied - relevant + 2))
            for better, tied, relevant in cases
        ]
    )[of_case]
    return values


def expected_rank(standing):
    """Mean rank of the first relevant target over all orders of ties."""
    return standing.better + (standing.tied + 1) / (standing.relevant + 1)


def expected_precision(queries, targets, relevance, k, by):
    """Share of relevant targets among the first k, as a mean over all orders of ties.

    Targets better than the k-th are certainly among the first k. Those tied with it
    have equal chances.
    """
    precision = np.empty(len(queries))
    for block, similarity in _similarities(queries, targets, by):
        last = len(targets) - k
        kth = np.partition(similarity, last, axis=1)[:, last]
        slack = np.broadcast_to(by.slack(kth, queries.shape[1]), kth.shape)
        better, tied = _count(similarity, kth, slack)
        found = _similarities_of_relevant(similarity, relevance.rows(block))
        row = np.repeat(np.arange(len(kth)), np.diff(found.indptr))
        gap, slack = found.data - kth[row], slack[row]
        chance = np.where(
            gap > slack, 1.0, np.where(gap >= -slack, ((k - better) / tied)[row], 0)
        )
        precision[block] = np.bincount(row, chance, minlength=len(kth)) / k
    return precision


def expected_average_precision(queries, targets, relevance, by):
    r"""Average precision of each query, averaged over all orders of ties.

    Consider t tied targets, of which r are relevant, after m better targets, of which R
    are relevant. The j-th of the tied targets is relevant with probability r/t. The
    mean precision there is then
    :math:`(R + 1 + (j-1)(r-1)/(t-1)) / (m + j)`. The sum over j needs only
    :math:`h = \sum_j 1/(m+j)`, because
    :math:`\sum_j (j-1)/(m+j) = t - (m+1)h`.
    """
    harmonic = np.cumsum(1 / np.arange(1, len(targets) + 1))
    harmonic = np.concatenate([[0], harmonic])
    average = np.empty(len(queries))
    for block, similarity in _similarities(queries, targets, by):
        found = _similarities_of_relevant(similarity, relevance.rows(block))
        of_query = np.split(found.data, found.indptr[1:-1])
        for i, (all_of, relevant) in enumerate(zip(similarity, of_query, strict=True)):
            slack = by.slack(relevant, queries.shape[1])
            m, t = _count_sorted(np.sort(all_of), relevant, slack)
            R, r = _count_sorted(np.sort(relevant), relevant, slack)
            h = np.where(t == 1, 1 / (m + 1), harmonic[m + t] - harmonic[m])
            rise = (r - 1) / np.maximum(t - 1, 1)
            average[block.start + i] = np.mean(
                ((R + 1) * h + rise * (t - (m + 1) * h)) / t
            )
    return average


def expected_normalized_gain(queries, targets, relevance, k, by):
    """Normalised discounted gain of each query, as a mean over all orders of ties.

    Each of t tied targets after m better ones has the ranks m + 1 to m + t with equal
    probability, and so gets the mean of their discounts.
    """
    places = np.arange(1, len(targets) + 1)
    discounts = np.where(places <= k, 1 / np.log2(places + 1), 0)
    upto = np.concatenate([[0], np.cumsum(discounts)])
    normalized = np.empty(len(queries))
    for block, similarity in _similarities(queries, targets, by):
        rows = relevance.rows(block)
        ends = rows.indptr[1:-1]
        gains = np.split(rows.data.astype(np.float64), ends)
        of_query = np.split(_similarities_of_relevant(similarity, rows).data, ends)
        for i, (all_of, relevant, gain) in enumerate(
            zip(similarity, of_query, gains, strict=True)
        ):
            slack = by.slack(relevant, queries.shape[1])
            m, t = _count_sorted(np.sort(all_of), relevant, slack)
            share = gain / gain.max()  # sums of large gains would overflow
            best = -np.sort(-share)
            normalized[block.start + i] = (
                share @ ((upto[m + t] - upto[m]) / t) / (best @ discounts[: len(best)])
            )
    return normalized


def _rounding(n_components):
    return 2 * (n_components + 2) * np.finfo(np.float64).eps


def _similarities(queries, targets, by):
    """Yield slices of the queries, and their similarities in one array for all."""
    # A similarity takes 8 bytes, and up to 24 more if its target is relevant.
    budget = int(get_config()["working_memory"] * 2**20) // (32 * len(targets))
    n_rows = int(np.clip(budget, 1, min(256, len(queries))))  # more is not faster
    similarities = np.empty((n_rows, len(targets)))
    for block in gen_batches(len(queries), n_rows):
        out = similarities[: block.stop - block.start]
        yield block, by.similarities(queries[block], targets, out)


def _similarities_of_relevant(similarity, relevant):
    """CSR array with the similarity of every relevant target, zeros included."""
    row = np.repeat(np.arange(len(similarity)), np.diff(relevant.indptr))
    relevant.data = similarity[row, relevant.indices]
    return relevant


def _count(similarity, level, slack):
    """Number of targets in each row above `level`, and number tied with it."""
    # Go row by row, so that the row stays in the cache.
    above = [
        (np.count_nonzero(row > high), np.count_nonzero(row >= low))
        for row, high, low in zip(similarity, level + slack, level - slack, strict=True)
    ]
    better, as_good = np.array(above).T
    return better, as_good - better


def _count_sorted(ascending, levels, slack):
    """Number of entries of a sorted array above each level, and number tied with it."""
    worse = np.searchsorted(ascending, levels - slack, side="left")
    not_better = np.searchsorted(ascending, levels + slack, side="right")
    return len(ascending) - not_better, not_better - worse


def _first_among(tied, relevant):
    """Probabilities that the first of `relevant` among `tied` is at place 1, 2, ...

    It is the negative hypergeometric distribution, computed from the ratios of
    successive probabilities.
    """
    place = np.arange(1, tied - relevant + 1)
    ratios = (tied - relevant + 1 - place) / (tied - place)
    return relevant / tied * np.cumprod(np.concatenate([[1.0], ratios]))
