"""How many components to keep."""

from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)

from skcrl._columns import column_correlations
from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS
from skcrl._views import check_beside
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._exchange import N_PERMUTATIONS, PERMUTE, exchange
from skcrl.inspection._permutation import (
    ROUNDING,
    permutation_test,
    under_permutation,
)
from skcrl.inspection._results import data_frame
from skcrl.linear import LinearCCA


class ComponentSelection(NamedTuple):
    """What :func:`select_n_components` returns.

    Attributes
    ----------
    n_components : int
        Leading components with p-values of at most alpha.
    correlations : ndarray of shape (n_dimensions,)
        Of the data; of held-out folds, on average, with ``method="held_out"``.
    pvalues : ndarray of shape (n_dimensions,)
        By the method, as running maxima: none is below the one before.
    """

    n_components: int
    correlations: np.ndarray
    pvalues: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Data frame of a row for each dimension, from 1 on."""
        return data_frame(
            {"correlation": self.correlations, "pvalue": self.pvalues},
            range(1, len(self.correlations) + 1),
        )


@validate_params(
    {
        "X": ["array-like"],
        "y": ["array-like"],
        "method": [StrOptions({"permutation", "parallel", "held_out"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "estimator": [HasMethods(["fit", "transform_pair"]), None],
        "cv": ["cv_object"],
        "n_permutations": N_PERMUTATIONS,
        "groups": ["array-like", None],
        "permute": PERMUTE,
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def select_n_components(
    X: Rows,
    y: Rows,
    *,
    method: Literal["permutation", "parallel", "held_out"] = "permutation",
    alpha: float = 0.05,
    estimator: BaseEstimator | None = None,
    cv: Any = 5,
    n_permutations: int = 999,
    groups: ArrayLike | None = None,
    permute: Literal["rows", "within", "whole", "shifts"] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> ComponentSelection:
    """Count the leading components whose correlation is not chance.

    Rows must be exchangeable: if the views were independent, the permutations would
    not change the distribution of the data. Where rows hang together, as repeated
    measures or time series do, `permute` says what is exchanged instead [3]_; the
    p-values of "held_out" take the rows for independent whatever the folds are, so
    there use :func:`held_out_permutation_test`. With covariates, count the adjusted
    p-values of :func:`permutation_test`, which takes them.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First view.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    method : {"permutation", "parallel", "held_out"}, default="permutation"
        - "permutation": adjusted p-values of :func:`permutation_test`. More components
          than are real are found with a probability of at most `alpha`.
        - "parallel": parallel analysis [1]_. Each canonical correlation is
          compared with that of its rank once rows are permuted. Known from
          factor analysis; behind a strong component it finds too many.
        - "held_out": each component of `estimator` must correlate on held-out folds.
          The mean of Fisher's z over folds is compared with its standard error under
          independence, corrected for the training samples that folds share
          [2]_. For views too wide for the others, and estimators that are not linear.
    alpha : float in (0, 1), default=0.05
        Largest p-value of a component to keep.
    estimator : two-view estimator or None, default=None
        For "held_out". Its components must be ordered, as they are where it ends in
        CCA, and its `n_components` bounds the count. None stands for ``LinearCCA``
        with all components.
    cv : int, splitter or iterable, default=5
        For "held_out". An integer is a number of contiguous folds. `groups` are passed
        to a splitter.
    n_permutations : int, default=999
        For the others.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row. For the others it says, with `permute`, what is exchanged.
    permute : {"rows", "within", "whole", "shifts"} or None, default=None
        For the others, what changes places, as in :func:`permutation_test`. None stands
        for "within" if `groups` are given, else for "rows".
    n_jobs : int or None, default=None
        Processes of joblib. The numbers are the same for any.
    random_state : int, RandomState instance or None, default=None
        Source of the permutations.
    verbose : int, default=0
        Progress, as joblib reports it.

    Returns
    -------
    selection : ComponentSelection
        Named tuple of `n_components`, `correlations` and `pvalues`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the views are not finite numbers with
        paired rows, or they are too wide for the permutations.

    References
    ----------
    .. [1] Horn (1965). A rationale and test for the number of factors in factor
       analysis. Psychometrika 30.
    .. [2] Nadeau and Bengio (2003). Inference for the generalization error. Machine
       Learning 52.
    .. [3] Winkler, Webster, Vidaurre, Nichols and Smith (2015). Multi-level block
       permutation. NeuroImage 123.

    Examples
    --------
    >>> from skcrl.datasets import make_correlated_views
    >>> from skcrl.inspection import select_n_components
    >>> X, y = make_correlated_views(200, correlations=(0.9, 0.6), random_state=0)
    >>> select_n_components(X, y, random_state=0).n_components
    2
    >>> selection = select_n_components(X, y, method="held_out")
    >>> selection.n_components, selection.correlations[:3].round(1)
    (2, array([0.9, 0.5, 0.1]))
    """
    check_beside(X, groups, "groups")
    X, y = check_arrays(X, y)
    if method == "held_out" and permute is not None:
        raise ValueError(
            f"method='held_out' permutes nothing, so permute must be None, got "
            f"{permute!r}: choose another method, or use held_out_permutation_test."
        )
    if method == "permutation":
        result = permutation_test(
            X,
            y,
            n_permutations=n_permutations,
            groups=groups,
            permute=permute,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        correlations, pvalues = result.correlations, result.pvalues
    elif method == "parallel":
        correlations, pvalues = _parallel_analysis(
            X,
            y,
            n_permutations,
            exchange(len(X), groups, permute),
            n_jobs,
            random_state,
            verbose,
        )
    else:
        correlations, pvalues = _held_out(
            LinearCCA(min(X.shape[1], y.shape[1])) if estimator is None else estimator,
            X,
            y,
            check_cv(cv),
            groups,
            Parallel(n_jobs=n_jobs, verbose=verbose),
        )
    pvalues = np.maximum.accumulate(pvalues)
    return ComponentSelection(int((pvalues <= alpha).sum()), correlations, pvalues)


def _parallel_analysis(X, y, n_permutations, exchange, n_jobs, random_state, verbose):
    """Correlations of min(p, q) dimensions and their p-values, rank by rank."""
    form = canonical_form(X, y)
    (null,) = under_permutation(
        _correlations, form, n_permutations, exchange, n_jobs, random_state, verbose
    )
    as_large = (null >= form.correlations - ROUNDING).sum(axis=0)
    missing = min(X.shape[1], y.shape[1]) - len(as_large)
    return (
        np.pad(form.correlations, (0, missing)),
        np.pad((1 + as_large) / (1 + len(null)), (0, missing), constant_values=1),
    )


def _correlations(form, permuted):
    return (np.linalg.svdvals(form.y_variates.T @ permuted),)


def _held_out(estimator, X, y, cv, groups, parallel):
    """Mean held-out correlation of each component, and its p-value."""
    folds = list(cv.split(X, groups=groups))
    smallest = min(len(test) for _, test in folds)
    if smallest < 4:
        raise ValueError(
            f"Each fold must hold out at least 4 samples to tell a correlation from "
            f"chance, got {smallest}: use fewer folds."
        )
    found = parallel(
        delayed(_fold_correlations)(estimator, X, y, train, test)
        for train, test in folds
    )
    # A fold may determine fewer components than another.
    k = max(map(len, found))
    r = np.array([np.pad(of_fold, (0, k - len(of_fold))) for of_fold in found])
    z = np.arctanh(r.clip(-1 + ROUNDING, 1 - ROUNDING)).mean(axis=0)
    # Under independence Fisher's z has variance 1 / (n - 3) in a fold of n. Folds are
    # alike because they share training samples: Nadeau and Bengio (2003) add the ratio
    # of test to training samples to 1 / n_folds.
    variance = np.mean([1 / (len(test) - 3) for _, test in folds])
    overlap = np.mean([len(test) / len(train) for train, test in folds])
    return r.mean(axis=0), stats.norm.sf(
        z / np.sqrt((1 / len(folds) + overlap) * variance)
    )


def _fold_correlations(estimator, X, y, train, test):
    fitted = clone(estimator).fit(X[train], y[train])
    Zx, Zy = (np.asarray(codes) for codes in fitted.transform_pair(X[test], y[test]))
    return column_correlations(Zx, Zy)
