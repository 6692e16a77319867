"""Permutation test of a held-out score, for views that are too wide for other tests."""

from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.utils._param_validation import HasMethods, validate_params
from sklearn.utils.validation import _num_samples

from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS
from skcrl._views import check_beside, check_paired, kind_of
from skcrl.inspection._exchange import N_PERMUTATIONS, PERMUTE, draws, exchange
from skcrl.inspection._permutation import ROUNDING
from skcrl.inspection._results import data_frame


class HeldOutPermutationTestResult(NamedTuple):
    """What :func:`held_out_permutation_test` returns.

    Attributes
    ----------
    score : float
        Score of the data on held-out folds, averaged over folds.
    pvalue : float
        P-value of the hypothesis that the views share nothing.
    null_scores : ndarray of shape (n_permutations,)
        The same score for each permutation.
    """

    score: float
    pvalue: float
    null_scores: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Data frame of one row, with the score and its p-value."""
        return data_frame({"score": [self.score], "pvalue": [self.pvalue]}, [0])


@validate_params(
    {
        "estimator": [HasMethods(["fit"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like", "sparse matrix"],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "n_permutations": N_PERMUTATIONS,
        "groups": ["array-like", None],
        "permute": PERMUTE,
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def held_out_permutation_test(
    estimator: BaseEstimator,
    X: Rows,
    y: Rows,
    *,
    cv: Any = 5,
    scoring: str | Callable[..., float] | None = None,
    n_permutations: int = 199,
    groups: ArrayLike | None = None,
    permute: Literal["rows", "within", "whole", "shifts"] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> HeldOutPermutationTestResult:
    r"""P-value that two views of any width share something, by their held-out score.

    Where the ranks of the views add up to the number of samples or more, the
    correlations of training samples are 1 whatever the data, and no test of them says
    anything. A penalised estimator may still find what holds on samples that it has not
    seen. Its score on held-out folds is compared with the scores it gets once the rows
    of `y` are permuted, on the same folds, where each permutation is fitted anew [1]_.

    The p-value is valid if the rows are exchangeable: if the views were independent,
    the permutations must not change the distribution of the data. ``permute="rows"``
    needs rows that are independent of each other. For dependent rows, permute what is
    exchangeable [2]_: rows ``"within"`` groups, ``"whole"`` groups, or ``"shifts"`` of
    a time series; :func:`permutation_test` explains them.

    Parameters
    ----------
    estimator : two-view estimator
        Two-view estimator, with a method `score` unless `scoring` is given. It is
        cloned and fitted ``cv * (n_permutations + 1)`` times. If it is random, set its
        `random_state`.
    X : array-like or sparse matrix of shape (n_samples, n_features_x)
        First view, or whatever the estimator takes as one.
    y : array-like or sparse matrix of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    cv : int, splitter or iterable, default=5
        How to split the rows; the folds are the same for all permutations. An integer
        is a number of contiguous folds, or of folds of whole groups with
        ``permute="whole"``. A splitter gets `groups`.
    scoring : str, callable or None, default=None
        Scorer ``scoring(estimator, X, y)``, where higher is better. None means `score`
        of the estimator.
    n_permutations : int, default=199
        Number of permutations. No p-value is below 1 / (n_permutations + 1). If there
        are no more different permutations than this, each is used once.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row, such as its subject, site or family. Use it if rows of one
        group are not independent of each other.
    permute : {"rows", "within", "whole", "shifts"} or None, default=None
        What is permuted, as in :func:`permutation_test`. None means "within" if
        `groups` are given, otherwise "rows".
    n_jobs : int or None, default=None
        Number of joblib processes. The results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations. Pass an int to get the same result at each call.
    verbose : int, default=0
        Verbosity of joblib: larger values print more about the progress.

    Returns
    -------
    result : HeldOutPermutationTestResult
        Named tuple of `score`, `pvalue` and `null_scores`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the rows of the views are not paired, the
        groups leave nothing to permute, or a score is not finite.

    See Also
    --------
    permutation_test : P-value of every canonical correlation, for narrower views.
    sklearn.model_selection.permutation_test_score : The same for one view and labels.

    Notes
    -----
    Covariates cannot be removed here, because residuals of the views are not
    exchangeable. :func:`permutation_test` takes covariates, for narrower views.

    The p-value is :math:`(1 + \#) / (1 + B)`, where :math:`\#` is the number of the B
    permutations that score at least as high as the data [3]_. It tests all components
    of the estimator together. If there is a single strong component, ``n_components=1``
    gives the most power.

    References
    ----------
    .. [1] Ojala and Garriga (2010). Permutation tests for studying classifier
       performance. Journal of Machine Learning Research 11.
    .. [2] Winkler, Webster, Vidaurre, Nichols and Smith (2015). Multi-level block
       permutation. NeuroImage 123.
    .. [3] Phipson and Smyth (2010). Permutation p-values should never be zero.
       Statistical Applications in Genetics and Molecular Biology 9.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import LinearCCA
    >>> from skcrl.inspection import held_out_permutation_test
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((40, 1))
    >>> genes = shared + 3 * rng.standard_normal((40, 120))
    >>> organs = shared + 3 * rng.standard_normal((40, 100))
    >>> result = held_out_permutation_test(
    ...     LinearCCA(1, shrinkage=0.5),
    ...     genes,
    ...     organs,
    ...     n_permutations=49,
    ...     random_state=0,
    ... )
    >>> result.pvalue
    0.02
    """
    check_paired(X, y)
    check_beside(X, groups, "groups")
    n = _num_samples(X)
    scorer = check_scoring(estimator, scoring=scoring)
    exchangeable = exchange(n, groups, permute)
    folds = _folds(cv, n, groups, permute)
    score = _held_out_score(estimator, scorer, X, y, folds)
    null = np.concatenate(
        Parallel(n_jobs=n_jobs, verbose=verbose)(
            delayed(_permuted_scores)(estimator, scorer, X, y, folds, draw)
            for draw in draws(exchangeable, n_permutations, 1, random_state)
        )
    )
    as_high = null >= score - ROUNDING * abs(score)
    return HeldOutPermutationTestResult(
        score, (1 + int(as_high.sum())) / (1 + len(null)), null
    )


def _folds(cv, n_samples, groups, permute):
    rows = np.empty((n_samples, 0))
    if not isinstance(cv, Integral):
        return list(check_cv(cv).split(rows, groups=groups))
    if permute == "whole":
        return list(GroupKFold(cv).split(rows, groups=groups))
    return list(KFold(cv).split(rows))


def _permuted_scores(estimator, scorer, X, y, folds, draw):
    return [
        _held_out_score(estimator, scorer, X, _in_order(y, rows), folds)
        for rows in draw()
    ]


def _in_order(view, rows):
    """Permuted rows of a view, with the row names in their original order."""
    permuted = kind_of(view).take(view, rows)
    return permuted.set_axis(view.index) if hasattr(view, "iloc") else permuted


def _held_out_score(estimator, scorer, X, y, folds):
    """Mean score over folds, each of an estimator fitted to the other folds."""
    scores = []
    take_x, take_y = (partial(kind_of(view).take, view) for view in (X, y))
    for train, test in folds:
        fitted = clone(estimator).fit(take_x(train), take_y(train))
        scores.append(scorer(fitted, take_x(test), take_y(test)))
    if not np.isfinite(scores).all():
        raise ValueError(
            f"The score of a held-out fold must be finite, got {scores}: use fewer "
            "folds, or another scoring."
        )
    return float(np.mean(scores))
