"""Bootstrap intervals of correlations and loadings."""

from itertools import product
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from skcrl._columns import column_correlations, matched_components, unit_columns
from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS, random_source
from skcrl.base import TwoViewTransformer
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._population import population_intervals
from skcrl.inspection._results import (
    component_names,
    data_frame,
    feature_names,
)

# Correlations, and codes and their projections, that differ by less are equal.
_ROUNDING = 1e-8


class Estimate(NamedTuple):
    """A statistic and the ends of its interval, arrays of one shape.

    Attributes
    ----------
    value : ndarray
        The estimate, never outside of its interval.
    low, high : ndarray
        Ends of the interval.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __repr__(self):
        return short_repr(self)


class BootstrapIntervals(NamedTuple):
    """What :func:`bootstrap_intervals` returns.

    Attributes
    ----------
    correlations : Estimate of shape (n_components,)
        Of the correlation that `of` names.
    x_loadings : Estimate of shape (n_features_x, n_components)
        Correlation of each feature of the first view with each of its codes.
    y_loadings : Estimate of shape (n_features_y, n_components)
        The same for the second view.
    of : {"population", "held_out"}
        What `correlations` estimates: the canonical correlations of the population,
        or the correlations that the codes of the fitted estimator have on new samples.
    in_sample : ndarray of shape (n_components,)
        Correlation of the codes of the samples that were fitted, which is too large.
    out_of_bag : ndarray of shape (n_components,)
        Correlation of the codes of samples that were not drawn, mean over resamples.
    component_names : ndarray of str of shape (n_components,)
        Names of the components.
    x_names, y_names : ndarray of str
        Names of the features of either view: the columns of a data frame, else "x0",
        "x1" and "y0", "y1" and so on.
    """

    correlations: Estimate
    x_loadings: Estimate
    y_loadings: Estimate
    of: str
    in_sample: np.ndarray
    out_of_bag: np.ndarray
    component_names: np.ndarray
    x_names: np.ndarray
    y_names: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(
        self, part: Literal["correlations", "x_loadings", "y_loadings"] = "correlations"
    ) -> Any:
        """Return the intervals as a data frame with columns value, low and high.

        Parameters
        ----------
        part : {"correlations", "x_loadings", "y_loadings"}, default="correlations"
            "correlations" gives one row a component, with further columns `in_sample`
            and `out_of_bag`; the others one row a feature and component.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by the names of components, or of features and components.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If there is no such part.
        """
        if part == "correlations":
            columns = self.correlations._asdict()
            columns |= {"in_sample": self.in_sample, "out_of_bag": self.out_of_bag}
            return data_frame(columns, self.component_names)
        names = {"x_loadings": self.x_names, "y_loadings": self.y_names}
        if part not in names:
            raise ValueError(
                "part must be 'correlations', 'x_loadings' or 'y_loadings', got "
                f"{part!r}."
            )
        columns = {
            name: entries.ravel()
            for name, entries in getattr(self, part)._asdict().items()
        }
        return data_frame(columns, list(product(names[part], self.component_names)))


@validate_params(
    {
        "estimator": [HasMethods(["fit", "transform_pair"])],
        "X": ["array-like"],
        "y": ["array-like"],
        "n_resamples": [Interval(Integral, 2, 2**31 - 1, closed="both")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def bootstrap_intervals(
    estimator: TwoViewTransformer,
    X: Rows,
    y: Rows,
    *,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> BootstrapIntervals:
    r"""Intervals of correlations and loadings, by fitting to resampled rows.

    Rows must be independent samples. For rows that hang together, of a time series or
    several of one subject, intervals are too short and too high: pass the mean of each
    subject.

    Components come out of a fit with any sign, and two of nearly equal correlation in
    any order, so the first components of two resamples may be two different ones
    whose loadings cancel [1]_. The components of each resample are therefore
    matched with those of all samples, one to one and with signs, so that their codes
    correlate most. They are not rotated onto them: that would hide how little the
    data tell components of equal correlation apart.

    The correlations of fitted samples are too large, and those of resamples larger
    still, so that percentiles of these miss the truth. What takes their place depends
    on the estimator, and `of` says which it is:

    "population"
        The canonical correlations of the population, if no parameter `shrinkage`
        of the estimator is set, the codes are linear in the views, and their
        correlations are those of CCA without a penalty. These may differ by a tenth
        of their standard error, (1 - r^2) / sqrt(n_samples), as they do under a ridge
        that is small against the variances of the columns. The estimate is the
        population correlation for which the observed one would be the median, and the
        interval holds those for which it would not be in a tail,
        by simulated samples of that size and those ranks. This takes away the bias
        that Lawley [2]_ describes, also where n_samples is not large [3]_. A component
        that the data do not tell from noise has the lower end 0, and one that is small
        even for noise the interval from 0 to 0. The simulated views are normal. Where
        codes have heavier tails, intervals are longer by as much as the standard error
        of a correlation is. Heavy tails that all features of a row share, a scale of
        its own for each row, look like correlation: intervals are then too high.
    "held_out"
        The correlation that codes of the estimator fitted to all samples have on new
        samples, for all other estimators, and for views whose ranks add up to more
        than n_samples - 2, which leaves no degrees of freedom. The estimate is the
        correlation of held-out codes in 10-fold cross-validation, Fisher's z over
        three orders of the rows, which takes 30 further fits. The interval is normal
        on the scale of z. Its variance is 1 / (n_samples - 3), that of a correlation of
        independent samples, times 2 - s for each view, where s is the share of the
        variance of its codes that another training set would give again. For a
        component that all training sets find, s is 1. For noise it is 0: what a row
        adds to the held-out code of another, that one adds to its own, so that each
        pair of rows counts twice, as in a degenerate U-statistic [4]_; intervals that
        neglect this are too short [5]_. The square of the mean correlation of the codes
        with those of a resample, over the rows that it did not draw, estimates s.
        Heavier tails count as above. All of this is approximate, and meant for 100
        samples or more.

    Loadings have percentile intervals, widened to hold the loading of all samples.

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
        Share of data sets whose interval is to hold the truth, which is met
        approximately.
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
        `value`, `low` and `high`; of `of`, which names what the correlations are;
        and of the arrays `in_sample` and `out_of_bag`. Its `to_frame` gives tables.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the views are not finite numbers with
        paired rows.

    References
    ----------
    .. [1] Milan and Whittaker (1995). Application of the parametric bootstrap to models
       that incorporate a singular value decomposition. Applied Statistics 44.
    .. [2] Lawley (1959). Tests of significance in canonical analysis. Biometrika 46.
    .. [3] Bao, Hu, Pan and Zhou (2019). Canonical correlation coefficients of
       high-dimensional Gaussian vectors: finite rank case. Annals of Statistics 47.
    .. [4] Hoeffding (1948). A class of statistics with asymptotically normal
       distribution. Annals of Mathematical Statistics 19, Section 5.
    .. [5] Bates, Hastie and Tibshirani (2024). Cross-validation: what does it estimate
       and how well does it do it? Journal of the American Statistical Association 119.

    Examples
    --------
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> from skcrl.inspection import bootstrap_intervals
    >>> X, y = make_correlated_views(200, correlations=(0.9, 0.6), random_state=0)
    >>> intervals = bootstrap_intervals(
    ...     LinearCCA(3), X, y, n_resamples=200, random_state=0
    ... )
    >>> intervals.of
    'population'
    >>> low, high = intervals.correlations.low, intervals.correlations.high
    >>> bool(low[0] < 0.9 < high[0]), bool(low[1] < 0.6 < high[1])
    (True, True)
    >>> intervals.x_loadings.low.shape
    (10, 3)
    """
    given = X, y
    X, y = check_arrays(X, y, min_samples=10)
    fitted = clone(estimator).fit(X, y)
    codes = tuple(np.asarray(Z) for Z in fitted.transform_pair(X, y))
    source = random_source(random_state)
    seeds = source.randint(2**31 - 1, size=n_resamples)
    rng = np.random.default_rng(source.randint(2**31 - 1))
    parallel = Parallel(n_jobs=n_jobs, verbose=verbose)
    drawn = _resampled(estimator, X, y, codes, parallel, seeds)
    out_of_bag, likeness = (
        np.average(part, axis=0, weights=drawn.n_out)
        for part in (drawn.correlations, drawn.likeness)
    )
    form = canonical_form(X, y)
    if not _shrinks(estimator) and _is_unpenalised(codes, form):
        of, correlations = "population", _population(codes, form, confidence_level, rng)
    else:
        held_out = _cross_validated(estimator, X, y, codes, parallel, rng)
        of, correlations = "held_out", _held_out(held_out, likeness, confidence_level)
    return BootstrapIntervals(
        correlations,
        _percentiles(_loadings(X, codes[0]), drawn.x_loadings, confidence_level),
        _percentiles(_loadings(y, codes[1]), drawn.y_loadings, confidence_level),
        of,
        column_correlations(*codes),
        out_of_bag,
        component_names(fitted, codes[0].shape[1]),
        feature_names("x", given[0], X),
        feature_names("y", given[1], y),
    )


class _Resamples(NamedTuple):
    """Statistics of the components of one resample, or of many, stacked.

    `correlations` between the codes of both views, and the `likeness` of those of
    either view to the codes of all samples, are over the `n_out` rows not drawn.
    """

    x_loadings: np.ndarray
    y_loadings: np.ndarray
    correlations: np.ndarray
    likeness: np.ndarray
    n_out: np.ndarray


def _resampled(estimator, X, y, codes, parallel, seeds):
    """Statistics of resamples, with components in the order of those of `codes`."""
    resamples = parallel(
        delayed(_resample)(estimator, X, y, codes, seed) for seed in seeds
    )
    return _Resamples(*map(np.array, zip(*resamples, strict=True)))


def _resample(estimator, X, y, codes, seed):
    """Statistics of one resample."""
    n = len(X)
    rows = np.random.default_rng(seed).integers(0, n, n)
    out = np.setdiff1d(np.arange(n), rows)
    Zx, Zy = _matched_codes(estimator, X, y, codes, rows)
    pairs = (Zx, Zy), (Zx, codes[0]), (Zy, codes[1])
    r = np.zeros((3, Zx.shape[1]))
    if len(out):
        r[:] = [column_correlations(A[out], B[out]) for A, B in pairs]
    return _Resamples(
        _loadings(X[rows], Zx[rows]),
        _loadings(y[rows], Zy[rows]),
        correlations=r[0],
        likeness=r[1:],
        n_out=np.array(len(out)),
    )


def _matched_codes(estimator, X, y, codes, rows):
    """Codes of all rows by a fit to some, each component the one of `codes` it is."""
    fitted = clone(estimator).fit(X[rows], y[rows])
    Zx, Zy = (np.asarray(Z) for Z in fitted.transform_pair(X, y))
    match, sign = matched_components(codes, (Zx, Zy))
    return Zx[:, match] * sign, Zy[:, match] * sign


def _shrinks(estimator):
    """Whether the estimator, or one inside it, has a shrinkage other than 0."""
    return any(
        name.rpartition("__")[2] == "shrinkage"
        and any(share != 0 for share in np.atleast_1d(np.asarray(value, dtype=object)))
        for name, value in estimator.get_params().items()
    )


def _is_unpenalised(codes, form):
    """Whether codes are those of unpenalised CCA, with degrees of freedom left."""
    n, p = form.x_variates.shape
    if p + form.y_variates.shape[1] > n - 2:
        return False
    in_sample = column_correlations(*codes)
    expected = _leading(form.correlations, len(in_sample))
    error = abs(np.sort(in_sample)[::-1] - expected)
    linear = all(
        _is_within(Z, variates) for Z, variates in zip(codes, form[:2], strict=True)
    )
    return linear and bool(
        (error <= 0.1 * (1 - expected**2) / np.sqrt(n) + _ROUNDING).all()
    )


def _is_within(Z, basis):
    """Whether the columns of Z are constant or combinations of orthonormal ones."""
    Z = unit_columns(Z)
    return bool((abs(Z - basis @ (basis.T @ Z)) < _ROUNDING**0.5).all())


def _leading(correlations, n_components):
    """As many correlations, with zeros where the ranks of the views allow no more."""
    missing = max(0, n_components - len(correlations))
    return np.pad(correlations, (0, missing))[:n_components]


def _population(codes, form, confidence_level, rng):
    """Intervals of population correlations, in the order of the components."""
    order = np.argsort(-column_correlations(*codes), kind="stable")
    heaviness = _heaviness(*codes)[order][: len(form.correlations)]
    found = population_intervals(form, heaviness, confidence_level, rng)
    sorted_back = np.argsort(order)
    return Estimate(*(_leading(part, len(order))[sorted_back] for part in found))


def _cross_validated(estimator, X, y, codes, parallel, rng):
    """Held-out codes of both views in each of three 10-fold cross-validations."""
    n = len(X)
    orders = [rng.permutation(n) for _ in range(3)]
    folds = [fold for order in orders for fold in np.array_split(order, 10)]
    parts = parallel(delayed(_fold)(estimator, X, y, codes, fold) for fold in folds)
    held_out = np.empty((3, 2, *codes[0].shape))
    for i, (fold, part) in enumerate(zip(folds, parts, strict=True)):
        held_out[i // 10][:, fold] = part
    return held_out


def _fold(estimator, X, y, codes, fold):
    """Codes of a fold, in units of those of the rows of training."""
    rows = np.setdiff1d(np.arange(len(X)), fold)
    held_out = []
    for Z in _matched_codes(estimator, X, y, codes, rows):
        deviation = Z[rows].std(axis=0)
        unit = np.where(deviation > 0, deviation, 1.0)
        held_out.append((Z[fold] - Z[rows].mean(axis=0)) / unit)
    return held_out


def _held_out(held_out, likeness, confidence_level):
    """Normal intervals on Fisher's scale around the cross-validated correlation.

    `likeness` is the correlation of the codes of either view and each component with
    those of resamples. Two training sets are as far from each other as each is from
    what they share, hence the square.
    """
    z = np.mean([_fisher(column_correlations(*pair)) for pair in held_out], axis=0)
    heaviness = np.mean([_heaviness(*pair) for pair in held_out], axis=0)
    shared = np.maximum(likeness, 0.0) ** 2
    variance = heaviness**2 / (held_out.shape[2] - 3) * np.prod(2 - shared, axis=0)
    reach = stats.norm.ppf((1 + confidence_level) / 2) * np.sqrt(variance)
    return Estimate(np.tanh(z), np.tanh(z - reach), np.tanh(z + reach))


def _heaviness(Zx, Zy):
    """Standard error of each correlation by that of normal codes; at least 1.

    The influence of a row of standardised codes u and v on their correlation r is
    u v - r (u^2 + v^2) / 2, with the standard deviation 1 - r^2 if they are normal.
    """
    u, v = (unit_columns(Z) * np.sqrt(len(Z)) for Z in (Zx, Zy))
    r = np.mean(u * v, axis=0)
    influence = np.std(u * v - r * (u**2 + v**2) / 2, axis=0)
    exact = 1 - r**2 < _ROUNDING
    return np.maximum(1.0, influence / np.where(exact, np.inf, 1 - r**2))


def _percentiles(value, resampled, confidence_level):
    """Percentile interval, with the value of all samples inside."""
    tails = (1 - confidence_level) / 2, (1 + confidence_level) / 2
    low, high = np.quantile(resampled, tails, axis=0)
    return Estimate(value, np.minimum(low, value), np.maximum(high, value))


def _loadings(view, Z):
    """Correlation of each column of the view with each code."""
    return unit_columns(view).T @ unit_columns(Z)


def _fisher(r):
    """Fisher's z of correlations, finite for 1 too."""
    return np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
