"""Two-view estimators that find pairs among unpaired rows, and learn from them."""

import sys
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl._typing import Rows, Seed, fit_context
from skcrl._validation import random_source, require_y, restored_on_error
from skcrl._views import check_paired
from skcrl.base import TwoViewTransformer
from skcrl.compose._around import AroundEstimator, TakesTheSame
from skcrl.compose._rounds import NO_PAIRS, Rounds, SplitRows, takes_weights

# Smallest number of held-out pairs: the reciprocal rank of a single pair is always 1.
_LEAST_HELD_OUT = 2
# Number of rounds without a gain after which no more are tried.
_PATIENCE = 2
# Values that are tried as weights of found pairs.
_WEIGHTS = (1.0, 0.3, 0.1)


class SelfLearning(MetaEstimatorMixin, AroundEstimator, TakesTheSame):
    r"""Two-view estimator that finds pairs in unpaired rows, and learns from them.

    Use it when there are few pairs but many rows with a single view: captions in one
    language and other captions in another, or two embeddings of texts when for hardly
    any text it is known which rows belong together. ``fit`` first fits the estimator to
    the given pairs. In each round it then encodes the rows that have only the first
    view and those that have only the second. It takes as pairs those rows whose codes
    are nearest to each other in both directions, and fits the estimator again, to the
    given and the found pairs [1]_. A wrong pair does no harm as long as its rows are
    similar: captions of two different images of a dog on a beach still show which words
    of two languages belong together.

    Hubs are codes that are near to very many others, and would be in most of the pairs.
    Therefore half of the mean cosine of each code with its nearest codes of the other
    view is subtracted from the cosine of two codes, as in CSLS [2]_.

    Codes, reconstructed views and scores are those of `estimator_`, the estimator that
    was fitted last.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Two-view estimator, such as :class:`~skcrl.LinearCCA`. It is cloned for each
        fit.
    max_rounds : int, default=10
        Largest number of rounds of pairing and fitting, at least 1.
    validation_fraction : float or None, default=0.2
        Fraction of the given pairs, above 0 and below 1, that is held out to choose the
        number of rounds. A trial run leaves them out, and stops when their mean
        reciprocal rank among each other, averaged over both directions, has not
        improved for two rounds. Then the estimator is fitted to all pairs with the best
        number of rounds, which is 0 if the given pairs alone were best. With None there
        are `max_rounds` rounds and no trial run, which takes about half of the time.
    found_weight : float or "auto", default="auto"
        Weight of each found pair, above 0 and at most 1; given pairs have weight 1.
        "auto" chooses among 1, 0.3 and 0.1 the weight with which the held-out pairs
        rank best after the first round, or 1 if no pairs are held out. The fewer pairs
        are given, the more useful are the found ones. A weight other than 1 needs an
        estimator that takes `sample_weight`; for other estimators "auto" means 1.
    n_neighbors : int, default=10
        Number of nearest codes of the other view that decide whether a code is a hub,
        at least 1.
    correlation_power : float, default=1.0
        Power p, not negative, with which components are weighted by their correlation
        in the search for pairs: codes are multiplied by rho ** p. Here rho are the
        `singular_values_` of the estimator if it has them, which a penalty makes
        smaller where few pairs do not determine the fit. Otherwise they are its
        `correlations_`, with negative ones set to 0. If the estimator has neither,
        components are not weighted. The codes that ``transform`` returns are not
        weighted.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing the held-out pairs. The estimator uses its own `random_state`.

    Attributes
    ----------
    estimator_ : TwoViewTransformer
        The estimator that was fitted last, to all given and found pairs. An estimator
        that trains on rows with one view, such as CorrNet, was also given the rows for
        which no partner was found.
    x_found_, y_found_ : ndarray of shape (n_found,)
        Positions of the rows of `X` and `y` that were paired in the last round.
    n_rounds_ : int
        Number of rounds of pairing and fitting that led to `estimator_`.
    found_weight_ : float
        Weight of each found pair.
    validation_scores_ : ndarray of shape (n_rounds + 1,) or None
        Mean reciprocal rank of the held-out pairs, before the first round and after
        each round; None if no pairs were held out.
    n_components_ : int
        Width of the codes.
    correlations_ : ndarray of shape (n_components,)
        Correlations over the given and the found pairs, if the estimator has them.
        Pairs are found because their codes are similar, so these correlations are
        higher than those of true pairs.
    n_features_in_, y_n_features_in_ : int
        Widths of the views, unless they are texts.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names, if a view was a data frame.

    See Also
    --------
    ViewPipeline : Preprocessing steps for each view.
    skcrl.retrieval.mutual_nearest_neighbors : Pairs of codes, hubs among them.

    Notes
    -----
    A row of NaN, or None in a list, is a missing view. Sparse matrices and Dask arrays
    have no missing rows. If no row misses a view, this is the same as the estimator
    itself.

    If a `ViewPipeline` is around it, as in
    ``make_view_pipeline(SelfLearning(LinearCCA()), x=..., y=...)``, the steps are
    fitted once, to all rows that have the view. If a pipeline is inside it, the steps
    are fitted in each round, to pairs only.

    Each round compares all rows that have only the first view with all rows that have
    only the second, in float32 and block by block: time grows with the product of their
    numbers, memory does not.

    Self-learning needs an estimator with a penalty: without one, the estimator fits few
    pairs exactly, and then finds pairs that confirm its errors.
    ``LinearCCA(shrinkage="cv")`` chooses its penalty. To choose another parameter,
    compare the largest of `validation_scores_`, with the same `random_state`, so that
    the same pairs are held out. Or search with a scorer of
    :func:`~skcrl.metrics.get_scorer`, which leaves out rows that miss a view, and with
    folds of shuffled rows, so that each has pairs.

    References
    ----------
    .. [1] Artetxe, Labaka and Agirre (2018). A robust self-learning method for fully
       unsupervised cross-lingual mappings of word embeddings. ACL.
    .. [2] Lample, Conneau, Ranzato, Denoyer and Jégou (2018). Word translation without
       parallel data. ICLR.

    Examples
    --------
    25 of 800 samples are known as pairs. Both views of the other samples are there too,
    but the rows of the second view are in another order, so that each view of a sample
    has a row of its own.

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
    774
    >>> of_pairs = estimator.fit(X[:25], y[:25])
    >>> [round(fitted.score(X[800:], y[800:]), 1) for fitted in (of_pairs, model)]
    [22.0, 29.4]
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [TwoViewTransformer],
        "max_rounds": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "found_weight": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
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
        found_weight: float | Literal["auto"] = "auto",
        n_neighbors: int = 10,
        correlation_power: float = 1.0,
        random_state: Seed = None,
    ):
        self.estimator = estimator
        self.max_rounds = max_rounds
        self.validation_fraction = validation_fraction
        self.found_weight = found_weight
        self.n_neighbors = n_neighbors
        self.correlation_power = correlation_power
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows) -> Self:
        """Fit the estimator to the given pairs, and to pairs found among other rows.

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
            If the views are not valid input of the estimator, no row has both views, a
            row has none, there are too few pairs for `validation_fraction`, or
            `found_weight` is set and the estimator takes no `sample_weight`. After this
            and any other error, the estimator is as it was before.
        """
        with restored_on_error(self):
            require_y(self, y)
            if X is None:
                raise ValueError(
                    "SelfLearning requires X, the first view, but it is None."
                )
            check_paired(X, y)
            rows = SplitRows.of(X, y)
            rounds = Rounds(
                self.estimator, X, y, rows, self.n_neighbors, self.correlation_power
            )
            self._choose(rounds)
            found = NO_PAIRS
            self.estimator_ = rounds.fitted(rows.paired)
            for _ in range(self.n_rounds_):
                found = rounds.found(self.estimator_)
                self.estimator_ = rounds.fitted(rows.paired, found, self.found_weight_)
            self.x_found_, self.y_found_ = found
            self._learn_shapes(self.estimator_)
        return self

    def _choose(self, rounds):
        """Choose the number of rounds and the weight of found pairs.

        They are found by a trial run, if it is needed.
        """
        weights = self._weights_to_try()
        self.n_rounds_, self.validation_scores_ = 0, None
        self.found_weight_ = weights[0]
        if not len(rounds.rows.x_only) or not len(rounds.rows.y_only):
            return
        if self.validation_fraction is None:
            self.n_rounds_ = self.max_rounds
            return
        held_out, paired = self._held_out(rounds.rows.paired, self.validation_fraction)
        fitted = rounds.fitted(paired)
        scores = [rounds.score(fitted, held_out)]
        for n_rounds in range(1, self.max_rounds + 1):
            found = rounds.found(fitted)
            fits = [rounds.fitted(paired, found, weight) for weight in weights]
            of_fits = [rounds.score(fit, held_out) for fit in fits]
            best = int(np.argmax(of_fits))
            fitted, weights = fits[best], weights[best : best + 1]
            scores.append(of_fits[best])
            # The last of equal scores counts: its round has learned from more pairs.
            self.n_rounds_ = n_rounds - int(np.argmax(scores[::-1]))
            if n_rounds - self.n_rounds_ == _PATIENCE:
                break
        self.found_weight_ = weights[0]
        self.validation_scores_ = np.array(scores)

    def _weights_to_try(self):
        can_weigh = takes_weights(self.estimator)
        if self.found_weight != "auto":
            if self.found_weight != 1 and not can_weigh:
                raise ValueError(
                    f"found_weight={self.found_weight} needs an estimator whose fit "
                    f"takes sample_weight, but {type(self.estimator).__name__} takes "
                    "none: set found_weight=1."
                )
            return (float(self.found_weight),)
        return _WEIGHTS if can_weigh else _WEIGHTS[:1]

    def _held_out(self, paired, share):
        """Rows of the pairs that are held out, and of the others."""
        n_pairs = len(paired)
        n_held = round(n_pairs * share)
        if not _LEAST_HELD_OUT <= n_held < n_pairs:
            raise ValueError(
                f"validation_fraction={share} holds out {n_held} of {n_pairs} pairs, "
                f"but at least {_LEAST_HELD_OUT} pairs must be held out, and some must "
                "be left to learn from: change it, or set it to None to make "
                f"max_rounds={self.max_rounds} rounds."
            )
        order = random_source(self.random_state).permutation(paired)
        return np.sort(order[:n_held]), np.sort(order[n_held:])
