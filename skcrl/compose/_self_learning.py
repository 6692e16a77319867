"""Two-view estimators that pair what came unpaired, and learn from it."""

import sys
from copy import copy
from functools import partial
from numbers import Integral, Real
from typing import NamedTuple, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _num_samples

from skcrl._arrays import to_numpy
from skcrl._columns import unit_rows
from skcrl._typing import Rows, Seed, fit_context
from skcrl._validation import (
    NAMES,
    random_source,
    require_samples_somewhere,
    require_y,
    restored_on_error,
)
from skcrl._views import check_paired, kind_of
from skcrl.base import TwoViewTransformer
from skcrl.compose._around import AroundEstimator
from skcrl.compose._matching import mutual_matches
from skcrl.metrics import mean_reciprocal_rank

# Of one pair the reciprocal rank is 1 whatever its codes.
_LEAST_HELD_OUT = 2
# Rounds without a gain before no more is hoped for.
_PATIENCE = 2


class _Rows(NamedTuple):
    """Numbers of the rows of two views, by what is there of them."""

    paired: np.ndarray
    x_only: np.ndarray
    y_only: np.ndarray


class SelfLearning(MetaEstimatorMixin, AroundEstimator):
    r"""Two-view estimator that pairs rows which miss a view, and learns from them.

    Pairs are often few, while rows of a single view are many: captions in one language
    and other captions in another, or two embeddings of texts of which hardly any are
    known to belong together. ``fit`` fits the estimator to the pairs. In each round it
    then encodes the rows with the first view alone and those with the second alone,
    takes for pairs those that are nearest to each other, and fits the estimator anew to
    the pairs given and the pairs found [1]_. Wrong pairs do no harm as long as they are
    alike: where no image has captions in both languages, those of two images of a dog
    on a beach still say which words belong together.

    Codes that are near to all others, hubs, would draw most matches. So the similarity
    of two codes is their cosine less half of the mean cosine of either with its nearest
    of the other view, "CSLS" [2]_.

    All that the estimator offers, this one does, by `estimator_`.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Any two-view estimator, such as :class:`~skcrl.LinearCCA`. Cloned for each fit.
    max_rounds : int, default=10
        Rounds of pairing and fitting at most, at least 1.
    validation_fraction : float or None, default=0.2
        Share of the given pairs, above 0 and below 1, by which the number of
        rounds is chosen: a trial run goes without them, and stops when their mean
        reciprocal rank among all given pairs, in both directions, has not gained for
        two rounds. Then all pairs go through as many rounds as were best, none if the
        pairs alone were. None makes `max_rounds` rounds, in about half of the time.
    n_neighbors : int, default=10
        Nearest codes of the other view that tell how near a code is to all, at least 1.
    correlation_power : float, default=1.0
        Power p, not negative, of the correlations that weigh the components for the
        pairing, where the estimator has `correlations_`: the code z is taken for
        z * correlations_ ** p, and negative ones count as zero. Codes that
        ``transform`` gives are not weighted.
    random_state : int, RandomState instance or None, default=None
        Draws the pairs that are held out. The estimator has its own.

    Attributes
    ----------
    estimator_ : TwoViewTransformer
        The estimator fitted last, to all pairs given and found. One that trains on rows
        which miss a view, such as CorrNet, was given those without a match, too.
    x_found_, y_found_ : ndarray of shape (n_found,)
        Numbers of the rows of `X` and `y` that were paired in the last round.
    n_rounds_ : int
        Rounds that led there.
    validation_scores_ : ndarray of shape (n_rounds + 1,) or None
        Mean reciprocal rank of the pairs held out before the first round and after
        each; None if nothing was held out.
    n_components_ : int
        Width of the codes.
    correlations_ : ndarray of shape (n_components,)
        If the estimator has them: those of the pairs given and found. Pairs are found
        by what they have in common, so that these are higher than those of true pairs.
    n_features_in_, y_n_features_in_ : int
        Widths of the views, unless they are texts.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names, if a view was a data frame.

    See Also
    --------
    ViewPipeline : Steps for each view.
    skcrl.retrieval.mutual_nearest_neighbors : Pairs of codes, hubs among them.

    Notes
    -----
    A row of NaN, or None in a list, is a view that is missing; rows of sparse matrices
    and Dask arrays are all there. Without such rows this is the estimator itself.

    Steps of a `ViewPipeline` around it, as in ``make_view_pipeline(SelfLearning(
    LinearCCA()), x=..., y=...)``, learn from all rows that are there, and once. Those
    of a pipeline within it are fitted in each round, to pairs alone.

    Each round compares all rows of one kind with all of the other, in float32 and block
    by block: time grows with the product of their numbers, memory does not.

    A penalised estimator is what self-learning needs: one that fits few pairs
    exactly finds pairs that confirm it. Compare `shrinkage` or `reg` by held-out pairs.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018). A robust self-learning method for fully
       unsupervised cross-lingual mappings of word embeddings. ACL.
    .. [2] Lample, Conneau, Ranzato, Denoyer and Jégou (2018). Word translation without
       parallel data. ICLR.

    Examples
    --------
    Of 800 samples 25 are known as pairs. Of the others either view is there, in
    another order.

    >>> import numpy as np
    >>> from skcrl import LinearCCA, SelfLearning
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_exponential((1000, 30)) * (rng.random((1000, 30)) < 0.3)
    >>> X, y = (
    ...     shared @ np.linalg.qr(rng.standard_normal((40, 40)))[0][:30]
    ...     + 0.1 * rng.standard_normal((1000, 40))
    ...     for _ in range(2)
    ... )
    >>> nothing = np.full((775, 40), np.nan)
    >>> X_gaps = np.vstack([X[:800], nothing])
    >>> y_gaps = np.vstack([y[:25], nothing, rng.permutation(y[25:800])])
    >>> estimator = LinearCCA(30, shrinkage=0.3)
    >>> model = SelfLearning(estimator, random_state=0).fit(X_gaps, y_gaps)
    >>> len(model.x_found_)
    773
    >>> of_pairs = estimator.fit(X[:25], y[:25])
    >>> [round(fitted.score(X[800:], y[800:]), 1) for fitted in (of_pairs, model)]
    [22.0, 29.4]
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [TwoViewTransformer],
        "max_rounds": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "correlation_power": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: TwoViewTransformer,
        *,
        max_rounds: int = 10,
        validation_fraction: float | None = 0.2,
        n_neighbors: int = 10,
        correlation_power: float = 1.0,
        random_state: Seed = None,
    ):
        self.estimator = estimator
        self.max_rounds = max_rounds
        self.validation_fraction = validation_fraction
        self.n_neighbors = n_neighbors
        self.correlation_power = correlation_power
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows) -> Self:
        """Fit the estimator to the pairs, and to those found among the other rows.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view, as the estimator takes it. A row of NaN, or None in a list, is a
            missing view.
        y : array-like of n_samples rows
            Second view, whose rows are paired with those of `X`. A row of NaN, or None
            in a list, is a missing view.

        Returns
        -------
        self : SelfLearning
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are no valid input of the estimator, no row has both, or
            some have none, or the pairs are too few for `validation_fraction`. As after
            any error, the estimator is then as it was before.
        """
        with restored_on_error(self):
            require_y(self, y)
            if X is None:
                raise ValueError(
                    "SelfLearning requires X, the first view, but it is None."
                )
            check_paired(X, y)
            rows = _rows_of(X, y)
            fit = partial(self._fitted, X, y, rows)
            self.n_rounds_, self.validation_scores_ = self._n_rounds(X, y, rows, fit)
            nothing = np.empty(0, dtype=np.intp)
            self.x_found_, self.y_found_ = nothing, nothing
            self.estimator_ = fit(rows.paired, nothing, nothing)
            for _ in range(self.n_rounds_):
                self.x_found_, self.y_found_ = self._found(self.estimator_, X, y, rows)
                self.estimator_ = fit(rows.paired, self.x_found_, self.y_found_)
            self._learn_shapes()
        return self

    def _n_rounds(self, X, y, rows, fit):
        """Number of rounds, and the scores of a trial run that tell it."""
        if not len(rows.x_only) or not len(rows.y_only):
            return 0, None
        if self.validation_fraction is None:
            return self.max_rounds, None
        n_pairs = len(rows.paired)
        n_held = round(n_pairs * self.validation_fraction)
        if not _LEAST_HELD_OUT <= n_held < n_pairs:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} holds {n_held} of "
                f"{n_pairs} pairs out, and must hold out {_LEAST_HELD_OUT} or more and "
                "leave others to learn from: change it, or set it to None, for "
                f"max_rounds={self.max_rounds} rounds."
            )
        order = random_source(self.random_state).permutation(rows.paired)
        held_out, paired = np.sort(order[:n_held]), np.sort(order[n_held:])
        found = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
        scores: list[float] = []
        while True:
            fitted = fit(paired, *found)
            scores.append(self._score_of(fitted, X, y, held_out, rows.paired))
            n_rounds = len(scores) - 1
            # The last of equals: it has learned from more.
            best = n_rounds - int(np.argmax(scores[::-1]))
            if n_rounds == self.max_rounds or n_rounds - best == _PATIENCE:
                return best, np.array(scores)
            found = self._found(fitted, X, y, rows)

    def _fitted(self, X, y, rows, paired, x_found, y_found):
        """Clone of the estimator fitted to pairs given and found."""
        parts = [paired], [paired]
        for part, found in zip(parts, (x_found, y_found), strict=True):
            part.append(found)
        if _trains_on_unpaired(self.estimator):
            # The view that is not there is NaN in the same row of the other.
            for part in parts:
                part.append(np.setdiff1d(rows.x_only, x_found))
                part.append(np.setdiff1d(rows.y_only, y_found))
        x_rows, y_rows = map(np.concatenate, parts)
        return clone(self.estimator).fit(_taken(X, x_rows), _taken(y, y_rows))

    def _found(self, fitted, X, y, rows):
        """Numbers of the rows of X and of y that are found to be pairs."""
        x, y = mutual_matches(
            self._compared(fitted, X, rows.x_only, "x"),
            self._compared(fitted, y, rows.y_only, "y"),
            self.n_neighbors,
        )
        return rows.x_only[x], rows.y_only[y]

    def _score_of(self, fitted, X, y, held_out, paired):
        """Mean reciprocal rank of held-out pairs among all, over both directions."""
        Zx, Zy = (
            self._compared(fitted, view, paired, side)
            for side, view in (("x", X), ("y", y))
        )
        queries = np.isin(paired, held_out)
        relevant = paired[queries], paired
        return (
            mean_reciprocal_rank(Zx[queries], Zy, relevant=relevant)
            + mean_reciprocal_rank(Zy[queries], Zx, relevant=relevant)
        ) / 2

    def _compared(self, fitted, view, rows, side):
        """Codes by which rows of a view are compared, of length one."""
        codes = fitted._codes_of(_taken(view, rows), side)
        codes = to_numpy(codes).astype(np.float32)
        correlations = getattr(fitted, "correlations_", None)
        if correlations is not None and len(correlations) == codes.shape[1]:
            shares = np.clip(to_numpy(correlations), 0, None)
            # Of the largest, so that high powers do not underflow.
            weights = (shares / (shares.max() or 1)) ** self.correlation_power
            codes *= weights.astype(np.float32)
        return unit_rows(codes, out=codes)

    @property
    def _accepts_sparse(self):  # type: ignore[override]
        return get_tags(self.estimator).input_tags.sparse

    @property
    def _accepts_gaps(self):  # type: ignore[override]
        return get_tags(self.estimator).input_tags.allow_nan

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = copy(of_estimator.input_tags)
        tags.transformer_tags = copy(of_estimator.transformer_tags)
        return tags


def _rows_of(X, y):
    """Rows with both views, with the first alone and with the second alone."""
    n = _num_samples(X)
    there = {}
    for side, view in (("x", X), ("y", y)):
        gaps = kind_of(view, NAMES[side]).gaps(view)
        there[side] = np.ones(n, dtype=bool) if gaps is None else ~gaps
    has_x, has_y = there["x"], there["y"]
    if not (has_x & has_y).any() and n:
        raise ValueError(
            f"All {n} rows are missing one view, NaN or None: SelfLearning starts from "
            "pairs, rows with both."
        )
    require_samples_somewhere(has_x | has_y)
    return _Rows(*map(np.flatnonzero, (has_x & has_y, has_x & ~has_y, has_y & ~has_x)))


def _taken(view, rows):
    """Rows of a view, without labels, which would say that found pairs are none."""
    if len(rows) == _num_samples(view) and (rows == np.arange(len(rows))).all():
        return view
    taken = kind_of(view).take(view, rows)
    return taken.reset_index(drop=True) if hasattr(taken, "iloc") else taken


def _trains_on_unpaired(estimator):
    """Whether an estimator, or the one that it wraps, learns from single views."""
    while estimator is not None:
        if getattr(estimator, "_trains_on_unpaired", False) or getattr(
            estimator, "_accepts_gaps", False
        ):
            return True
        estimator = getattr(estimator, "estimator", None)
    return False
