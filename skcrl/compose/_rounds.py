"""One round of self-learning: codes, pairs that are found by them, and a new fit."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.metadata_routing import _routing_enabled, get_routing_for_object
from sklearn.utils.validation import _num_samples, has_fit_parameter

from skcrl._arrays import to_numpy
from skcrl._columns import unit_rows
from skcrl._validation import NAMES, require_samples_somewhere
from skcrl._views import kind_of
from skcrl.compose._correlation_weights import correlation_weights
from skcrl.compose._matching import mutual_matches
from skcrl.compose._restarts import Restarts
from skcrl.compose._view_pipeline import ViewPipeline
from skcrl.metrics import mean_reciprocal_rank


class Pairs(NamedTuple):
    """Numbers of the rows of two views that belong together."""

    x: np.ndarray  # (n_pairs,)
    y: np.ndarray  # (n_pairs,)


NO_PAIRS = Pairs(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp))


class SplitRows(NamedTuple):
    """Numbers of the rows that have both views, and of those that have one only."""

    paired: np.ndarray
    x_only: np.ndarray
    y_only: np.ndarray

    @classmethod
    def of(cls, X, y):
        """Rows of two views; ValueError if no row has both, or if a row has none."""
        n = _num_samples(X)
        there = []
        for name, view in zip(NAMES.values(), (X, y), strict=True):
            gaps = kind_of(view, name).gaps(view)
            there.append(np.ones(n, dtype=bool) if gaps is None else ~gaps)
        has_x, has_y = there
        if n and not (has_x & has_y).any():
            raise ValueError(
                f"All {n} rows are missing one view (NaN or None): SelfLearning needs "
                "some pairs to start from, rows that have both views."
            )
        require_samples_somewhere(has_x | has_y)
        kinds = has_x & has_y, has_x & ~has_y, ~has_x & has_y
        return cls(*map(np.flatnonzero, kinds))


class Rounds(NamedTuple):
    """The parts that all rounds have in common."""

    estimator: Any
    X: Any
    y: Any
    rows: SplitRows
    n_neighbors: int
    correlation_power: float

    def fitted(self, paired, found=NO_PAIRS, weight=1.0):
        """Clone of the estimator, fitted to paired rows and to pairs that were found.

        An estimator that can train on single views also gets the rows without a match.
        """
        of_x, of_y = [paired, found.x], [paired, found.y]
        if _trains_on_unpaired(self.estimator):
            # In these rows the other view is NaN.
            x_left = np.setdiff1d(self.rows.x_only, found.x)
            y_left = np.setdiff1d(self.rows.y_only, found.y)
            of_x += [x_left, y_left]
            of_y += [x_left, y_left]
        x_rows, y_rows = np.concatenate(of_x), np.concatenate(of_y)
        params = {}
        if weight != 1 and len(found.x):
            weights = np.ones(len(x_rows))
            weights[len(paired) : len(paired) + len(found.x)] = weight
            params["sample_weight"] = weights
        X, y = _taken(self.X, x_rows), _taken(self.y, y_rows)
        return clone(self.estimator).fit(X, y, **params)

    def found(self, fitted):
        """Pairs of rows with a single view whose codes are nearest to each other."""
        x, y = mutual_matches(
            self._codes(fitted, self.X, self.rows.x_only, "x"),
            self._codes(fitted, self.y, self.rows.y_only, "y"),
            self.n_neighbors,
        )
        return Pairs(self.rows.x_only[x], self.rows.y_only[y])

    def score(self, fitted, held_out):
        """Mean reciprocal rank of held-out pairs among each other, in both directions.

        They are not ranked among the training pairs: the better the training pairs are
        fitted, the more often they would be ranked above the held-out pairs.
        """
        Zx = self._codes(fitted, self.X, held_out, "x")
        Zy = self._codes(fitted, self.y, held_out, "y")
        return (mean_reciprocal_rank(Zx, Zy) + mean_reciprocal_rank(Zy, Zx)) / 2

    def _codes(self, fitted, view, rows, side):
        """Codes of length one, by which the rows of a view are compared."""
        codes = fitted._codes_of(_taken(view, rows), side)
        codes = to_numpy(codes).astype(np.float32)
        weights = correlation_weights(fitted, self.correlation_power)
        if weights is not None:
            codes *= weights.astype(np.float32)
        return unit_rows(codes, out=codes)


def takes_weights(estimator):
    """Whether ``fit`` of an estimator takes `sample_weight`, or passes it on."""
    while isinstance(estimator, (ViewPipeline, Restarts)):
        if _routing_enabled():
            routing = get_routing_for_object(estimator)
            return bool(routing.consumes("fit", ["sample_weight"]))
        estimator = estimator.estimator
    return has_fit_parameter(estimator, "sample_weight")


def _trains_on_unpaired(estimator):
    """Whether an estimator, or the one that it wraps, learns from single views."""
    while estimator is not None:
        if getattr(estimator, "_trains_on_unpaired", False) or getattr(
            estimator, "_accepts_gaps", False
        ):
            return True
        estimator = getattr(estimator, "estimator", None)
    return False


def _taken(view, rows):
    """Rows of a view, without row labels, which differ in pairs that were found."""
    if len(rows) == _num_samples(view) and (rows == np.arange(len(rows))).all():
        return view
    taken = kind_of(view).take(view, rows)
    return taken.reset_index(drop=True) if hasattr(taken, "iloc") else taken
