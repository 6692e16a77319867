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
        Number of leading components with p-values of at most alpha.
    correlations : ndarray of shape (n_dimensions,)
        Correlations of the data; with ``method="held_out"``, the mean over held-out
        folds.
    pvalues : ndarray of shape (n_dimensions,)
        P-values of the method, as running maxima: none is below the one before.
    """

    n_components: int
    correlations: np.ndarray
    pvalues: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Return a data frame with one row per dimension, counted from 1."""
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
    """Choose the number of components: count those whose correlation is not chance.

    Rows must be exchangeable: if the views were independent, the permutations must not
    change the distribution of the data. For dependent rows, such as repeated measures
    or time series, choose by `permute` what is permuted instead [3]_. The p-values of
    "held_out" assume independent rows, whatever the folds are; for dependent rows use
    :func:`held_out_permutation_test` instead. With covariates, use
    :func:`permutation_test`, and count its adjusted p-values.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First view.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    method : {"permutation", "parallel", "held_out"}, default="permutation"
        - "permutation": adjusted p-values of :func:`permutation_test`. The probability
          of finding more components than are real is at most `alpha`.
        - "parallel": parallel analysis [1]_, known from factor analysis. Each canonical
          correlation is compared with the correlation of the same rank after rows are
          permuted. After a strong component it finds too many.
        - "held_out": each component of `estimator` must correlate on held-out folds.
          The mean of Fisher's z over folds is compared with its standard error under
          independence, corrected for the training samples that folds share [2]_. Use
          it for views that are too wide for the others, and for estimators that are not
          linear.
    alpha : float in (0, 1), default=0.05
        Largest p-value of a component to keep.
    estimator : two-view estimator or None, default=None
        For "held_out": the estimator to fit. Its components must be sorted, as they are
        if it ends in CCA, and its `n_components` is the largest possible count. None
        means ``LinearCCA`` with all components.
    cv : int, splitter or iterable, default=5
        For "held_out": how to split the rows. An integer is a number of contiguous
        folds. A splitter gets `groups`.
    n_permutations : int, default=999
        For "permutation" and "parallel": number of permutations.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row. For "permutation" and "parallel", `groups` and `permute`
        determine what is permuted.
    permute : {"rows", "within", "whole", "shifts"} or None, default=None
        For "permutation" and "parallel": what is permuted, as in
        :func:`permutation_test`. None means "within" if `groups` are given, otherwise
        "rows".
    n_jobs : int or None, default=None
        Number of joblib processes. The results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations. Pass an int to get the same result at each call.
    verbose : int, default=0
        Verbosity of joblib: larger values print more about the progress.

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
            "method='held_out' permutes nothing, so permute must be None, got "
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
            "Each fold must hold out at least 4 samples to distinguish a correlation "
            f"from chance, got {smallest}: use fewer folds."
        )
    found = parallel(
        delayed(_fold_correlations)(estimator, X, y, train, test)
        for train, test in folds
    )
    # Folds may determine different numbers of components.
    k = max(map(len, found))
    r = np.array([np.pad(of_fold, (0, k - len(of_fold))) for of_fold in found])
    z = np.arctanh(r.clip(-1 + ROUNDING, 1 - ROUNDING)).mean(axis=0)
    # Under independence Fisher's z has variance 1 / (n - 3) in a fold of n. Folds are
    # correlated because they share training samples: Nadeau and Bengio (2003) add the
    # ratio of test to training samples to 1 / n_folds.
    variance = np.mean([1 / (len(test) - 3) for _, test in folds])
    overlap = np.mean([len(test) / len(train) for train, test in folds])
    return r.mean(axis=0), stats.norm.sf(
        z / np.sqrt((1 / len(folds) + overlap) * variance)
    )


def _fold_correlations(estimator, X, y, train, test):
    fitted = clone(estimator).fit(X[train], y[train])
    Zx, Zy = (np.asarray(codes) for codes in fitted.transform_pair(X[test], y[test]))
    return column_correlations(Zx, Zy)
