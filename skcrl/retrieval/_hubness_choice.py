"""Choice of the parameters of the correction for hubs, by held-out pairs."""

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import _check_method_params, _num_samples

from skcrl._columns import unit_rows
from skcrl._hubs import mean_of_nearest
from skcrl._views import kind_of
from skcrl.metrics import Hubness
from skcrl.metrics._hubness import bank_codes, biased
from skcrl.metrics._ranking import expected, first_relevant
from skcrl.metrics._relevance import check_relevance
from skcrl.retrieval._gaps import rows_there

# Values that are tried. Smaller weights come first; 0 means no correction.
N_NEIGHBORS = (10, 1, 5, 25, 100)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Largest number of rows of each view in a bank. More rows would change the mean cosines
# with the nearest of them little, but the time for an index is in proportion to them.
LARGEST_BANK = 10_000
# One of `_SHARE` pairs is held out, but no more than `_MOST_HELD_OUT`.
_SHARE, _MOST_HELD_OUT = 5, 1000
_LEAST_PAIRS = 10
# Number of runs of neighbouring rows that are held out. Equal rows often follow each
# other, and runs rarely separate them.
_RUNS = 20


def bank_of(retriever, X, y):
    """The x codes and the y codes of evenly spaced rows that have the view.

    Parameters
    ----------
    retriever : CrossViewRetriever
        Fitted retriever.
    X, y : array-like
        Views of training rows.
    """
    there = rows_there({"x": X, "y": y})
    rows = [
        np.arange(_num_samples(X)) if there is None else np.flatnonzero(there[side])
        for side in "xy"
    ]
    x_rows, y_rows = (_even_share(some, LARGEST_BANK) for some in rows)
    return (
        retriever.encode(kind_of(X, "X").take(X, x_rows)),
        retriever.encode(y=kind_of(y, "y").take(y, y_rows)),
    )


def chosen(retriever, X, y, fit_params):
    """Choose the number of neighbours and the weight by held-out pairs.

    Parameters
    ----------
    retriever : CrossViewRetriever
        Retriever, a clone of which is fitted to at least four fifths of the pairs.
    X, y : array-like
        Paired views.
    fit_params : dict
        Parameters for ``fit`` of the retriever. Those with one entry per row are
        divided as the rows are.

    Returns
    -------
    n_neighbors : int
    weight : float
    """
    n, there = _num_samples(X), rows_there({"x": X, "y": y})
    complete = (
        np.arange(n) if there is None else np.flatnonzero(there["x"] & there["y"])
    )
    if len(complete) < _LEAST_PAIRS:
        raise ValueError(
            f"hubness={retriever.hubness!r} needs at least {_LEAST_PAIRS} pairs, "
            "because some are held out to choose the correction, got "
            f"{len(complete)}: pass hubness_params, or more pairs."
        )
    held = held_out(complete)
    rest = np.setdiff1d(np.arange(n), held)
    fitted = clone(retriever).set_params(hubness=None)
    of_rest, of_held = (
        (kind_of(X, "X").take(X, rows), kind_of(y, "y").take(y, rows))
        for rows in (rest, held)
    )
    params = _check_method_params(np.zeros(n), fit_params, indices=rest)
    fitted.fit(*of_rest, **params)
    Zx, Zy = (unit_rows(Z.astype(np.float64)) for Z in fitted.transform_pair(*of_held))
    bank = bank_of(fitted, *of_rest) if retriever.hubness == "bank" else None
    return best_numbers(Zx, Zy, bank)


def best_numbers(Zx, Zy, bank):
    """Number of neighbours, and the smallest weight that is as good as the best.

    Weights are compared by the mean reciprocal rank of pairs, each with the number of
    neighbours that is best for it. A weight counts as good as the best if it is worse
    by no more than the standard error of the difference, because with few pairs the
    best one is a matter of chance.

    Parameters
    ----------
    Zx, Zy : ndarray of float64 of shape (n_pairs, n_components)
        Paired codes, of length one or zero.
    bank : tuple of ndarray or None
        Bank of a Hubness.
    """
    ranks = {
        (n_neighbors, weight): of_pairs
        for n_neighbors in N_NEIGHBORS
        for weight, of_pairs in _reciprocal_ranks(Zx, Zy, bank, n_neighbors).items()
    }
    best = max(ranks.values(), key=np.mean)
    for weight in WEIGHTS:
        of_weight = [ranks[n_neighbors, weight].mean() for n_neighbors in N_NEIGHBORS]
        n_neighbors = N_NEIGHBORS[np.argmax(of_weight)]
        worse = best - ranks[n_neighbors, weight]
        if worse.mean() <= worse.std() / np.sqrt(len(worse)):
            break
    return n_neighbors, weight


def _reciprocal_ranks(Zx, Zy, bank, n_neighbors):
    """Reciprocal rank of each partner, averaged over both directions, by weight."""
    partners = check_relevance(None, len(Zx), len(Zy))
    hubness = Hubness(n_neighbors, bank=bank)
    ranks = {weight: np.zeros(len(Zx)) for weight in WEIGHTS}
    for side, (queries, targets) in enumerate([(Zx, Zy), (Zy, Zx)]):
        others = queries if bank is None else bank_codes(hubness, side, queries)
        r = mean_of_nearest(targets, others, n_neighbors)
        for weight in WEIGHTS:
            *codes, by = biased(queries, targets, r, weight, n_neighbors)
            standing = first_relevant(codes[0], codes[1], partners, by)
            ranks[weight] += expected(standing, np.reciprocal) / 2
    return ranks


def held_out(rows):
    """The rows that are held out: runs of rows that are evenly spread."""
    n_held = min(len(rows) // _SHARE, _MOST_HELD_OUT)
    runs = np.array_split(rows, min(_RUNS, n_held))
    sizes = np.diff(np.linspace(0, n_held, len(runs) + 1).astype(int))
    return np.concatenate([run[:size] for run, size in zip(runs, sizes, strict=True)])


def _even_share(rows, most):
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]
