"""Bootstrap intervals of correlations and loadings."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from skcrl._columns import column_correlations, matched_components, unit_columns
from skcrl._validation import random_source
from skcrl.inspection._canonical import check_arrays


class Estimate(NamedTuple):
    """A statistic of all samples and the ends of its interval, arrays of one shape.

    Attributes
    ----------
    value : ndarray
        The statistic.
    low, high : ndarray
        Ends of the interval.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


class BootstrapIntervals(NamedTuple):
    """What :func:`bootstrap_intervals` returns.

    Attributes
    ----------
    correlations : Estimate of shape (n_components,)
        Correlation of the codes of the samples that were fitted.
    x_loadings : Estimate of shape (n_features_x, n_components)
        Correlation of each feature of the first view with each of its codes.
    y_loadings : Estimate of shape (n_features_y, n_components)
        The same for the second view.
    out_of_bag : ndarray of shape (n_components,)
        Correlation of the codes of samples that were not drawn, mean over resamples.
    """

    correlations: Estimate
    x_loadings: Estimate
    y_loadings: Estimate
    out_of_bag: np.ndarray


@validate_params(
    {
        "estimator": [HasMethods(["fit", "transform_pair"])],
        "X": ["array-like"],
        "y": ["array-like"],
        "n_resamples": [Interval(Integral, 2, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_intervals(
    estimator,
    X,
    y,
    *,
    n_resamples=999,
    confidence_level=0.95,
    n_jobs=None,
    random_state=None,
    verbose=0,
):
    r"""Intervals of correlations and loadings, by fitting to resampled rows.

    Components come out of a fit with any sign, and two of nearly equal correlation in
    any order, so the first components of two resamples may be two different ones
    whose loadings cancel [1]_. The components of each resample are therefore
    matched with those of all samples, one to one and with signs, so that their codes
    correlate most. They are not rotated onto them: that would hide how little the
    data tell components of equal correlation apart.

    The correlations of fitted samples are too large, and those of a resample too large
    once more. Their intervals are the basic ones on Fisher's scale,
    :math:`\tanh(2 z - z^*_{1 - \alpha / 2})` to
    :math:`\tanh(2 z - z^*_{\alpha / 2})` with :math:`z = \mathrm{artanh}\, r`, which
    take that away where percentiles would double it. Loadings have percentile
    intervals.

    Parameters
    ----------
    estimator : two-view estimator
        Cloned and fitted to each resample. If it is random, set its `random_state`.
    X : array-like of shape (n_samples, n_features_x)
        First view, at least 10 samples.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    n_resamples : int, default=999
        Samples of n_samples rows, drawn with replacement; at least 2.
    confidence_level : float in (0, 1), default=0.95
        Share of samples of the population whose interval is to hold the truth, which
        is met approximately, and worse where n_samples is not much larger than
        the number of features.
    n_jobs : int or None, default=None
        Processes of joblib. The numbers are the same for any.
    random_state : int, RandomState instance or None, default=None
        Source of the resamples.
    verbose : int, default=0
        Progress, as joblib reports it.

    Returns
    -------
    intervals : BootstrapIntervals
        Named tuple of `correlations`, `x_loadings` and `y_loadings`, each with
        `value`, `low` and `high`, and of the array `out_of_bag`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the views are not finite numbers with
        paired rows.

    References
    ----------
    .. [1] Milan and Whittaker (1995). Application of the parametric bootstrap to models
       that incorporate a singular value decomposition. Applied Statistics 44.

    Examples
    --------
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> from skcrl.inspection import bootstrap_intervals
    >>> X, y = make_correlated_views(200, correlations=(0.9, 0.6), random_state=0)
    >>> intervals = bootstrap_intervals(
    ...     LinearCCA(3), X, y, n_resamples=200, random_state=0
    ... )
    >>> low, high = intervals.correlations.low, intervals.correlations.high
    >>> bool(low[0] < 0.9 < high[0]), bool(low[1] < 0.6 < high[1])
    (True, True)
    >>> intervals.x_loadings.low.shape
    (10, 3)
    """
    X, y = check_arrays(X, y, min_samples=10)
    fitted = clone(estimator).fit(X, y)
    codes = tuple(np.asarray(Z) for Z in fitted.transform_pair(X, y))
    seeds = random_source(random_state).randint(2**31 - 1, size=n_resamples)
    resamples = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_resample)(estimator, X, y, codes, seed) for seed in seeds
    )
    r, x_loadings, y_loadings, out_of_bag, n_out = (
        np.array(parts) for parts in zip(*resamples, strict=True)
    )
    tails = (1 - confidence_level) / 2, (1 + confidence_level) / 2
    value = column_correlations(*codes)
    low, high = np.quantile(_fisher(r), tails, axis=0)
    return BootstrapIntervals(
        Estimate(value, *np.tanh(2 * _fisher(value) - [high, low])),
        Estimate(_loadings(X, codes[0]), *np.quantile(x_loadings, tails, axis=0)),
        Estimate(_loadings(y, codes[1]), *np.quantile(y_loadings, tails, axis=0)),
        np.average(out_of_bag, axis=0, weights=n_out),
    )


def _resample(estimator, X, y, codes, seed):
    """Statistics of the components of one resample, in the order of those of `codes`.

    Returns correlations, loadings of both views, out-of-bag correlations and the
    number of rows that these are of.
    """
    n = len(X)
    rows = np.random.default_rng(seed).integers(0, n, n)
    out = np.setdiff1d(np.arange(n), rows)
    fitted = clone(estimator).fit(X[rows], y[rows])
    Zx, Zy = (np.asarray(Z) for Z in fitted.transform_pair(X, y))
    match, sign = matched_components(codes, (Zx, Zy))
    Zx, Zy = Zx[:, match] * sign, Zy[:, match] * sign
    return (
        column_correlations(Zx[rows], Zy[rows]),
        _loadings(X[rows], Zx[rows]),
        _loadings(y[rows], Zy[rows]),
        column_correlations(Zx[out], Zy[out]) if len(out) else np.zeros(len(match)),
        len(out),
    )


def _loadings(view, Z):
    """Correlation of each column of the view with each code."""
    return unit_columns(view).T @ unit_columns(Z)


def _fisher(r):
    """Fisher's z of correlations, finite for 1 too."""
    return np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
