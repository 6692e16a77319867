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
from skcrl._covariates import covariate_basis
from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS, random_source
from skcrl.base import TwoViewTransformer
from skcrl.inspection._beside import (
    adjusted_columns,
    adjusts_both,
    codes_beside,
    covariates_in_memory,
    fit_to,
    require_takes_covariates,
    rows_of,
)
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._population import population_intervals
from skcrl.inspection._results import (
    component_names,
    data_frame,
    feature_names,
)

# Correlations that differ by less than this count as equal, and so do codes and their
# projections.
_ROUNDING = 1e-8


class Estimate(NamedTuple):
    """A statistic and the ends of its interval, as arrays of the same shape.

    Attributes
    ----------
    value : ndarray
        The estimate, which always lies within its interval.
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
        Estimates of the correlations that `of` names.
    x_loadings : Estimate of shape (n_features_x, n_components)
        Correlation of each feature of the first view with each of its codes.
    y_loadings : Estimate of shape (n_features_y, n_components)
        The same for the second view.
    of : {"population", "held_out"}
        What `correlations` estimates: the canonical correlations of the population, or
        the correlations that the codes of the fitted estimator have on new samples.
    in_sample : ndarray of shape (n_components,)
        Correlation of the codes of the training samples, which is too large.
    out_of_bag : ndarray of shape (n_components,)
        Correlation of the codes of samples that were not drawn, averaged over
        resamples.
    component_names : ndarray of str of shape (n_components,)
        Names of the components.
    x_names, y_names : ndarray of str
        Names of the features of each view: the column names of a data frame, otherwise
        "x0", "x1" and so on, and "y0", "y1" and so on.
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

    def to_frame(self, part: Literal["components", "x", "y"] = "components") -> Any:
        """Return the intervals as a data frame with columns value, low and high.

        Parameters
        ----------
        part : {"components", "x", "y"}, default="components"
            "components" gives one row per component, with its correlation, and with the
            further columns `in_sample` and `out_of_bag`. "x" and "y" give one row per
            feature and component of that view, with its loading.

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
        if part == "components":
            columns = self.correlations._asdict()
            columns |= {"in_sample": self.in_sample, "out_of_bag": self.out_of_bag}
            return data_frame(columns, self.component_names)
        if part not in ("x", "y"):
            raise ValueError(f"part must be 'components', 'x' or 'y', got {part!r}.")
        loadings = getattr(self, f"{part}_loadings")
        columns = {
            name: entries.ravel() for name, entries in loadings._asdict().items()
        }
        names = getattr(self, f"{part}_names")
        return data_frame(columns, list(product(names, self.component_names)))


@validate_params(
    {
        "estimator": [HasMethods(["fit", "transform_pair"])],
        "X": ["array-like"],
        "y": ["array-like"],
        "covariates": ["array-like", None],
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
    covariates: Rows | None = None,
    n_resamples: int = 999,
    confidence_level: float = 0.95,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> BootstrapIntervals:
    r"""Bootstrap confidence intervals of correlations and loadings.

    Use it to report how well the data determine correlations and loadings. The
    estimator is fitted again to resampled rows.

    Rows must be independent samples. If they are not, as in a time series or with
    several rows of one subject, intervals are too short and too high: pass the mean of
    each subject instead.

    A fit determines components only up to their sign, and two components of nearly
    equal correlation may come in any order. So the first components of two resamples
    may be different ones, whose loadings cancel [1]_. Therefore the components of each
    resample are matched with those of all samples, one to one and with signs, so that
    their codes correlate most. They are not rotated, because a rotation would hide that
    the data hardly distinguish components of equal correlation.

    Correlations of training samples are too large, and those of resamples are larger
    still, so their percentiles would not contain the true values. What is computed
    instead depends on the estimator, and `of` tells which it is:

    "population"
        The canonical correlations of the population. They are estimated if the
        estimator has no `shrinkage` other than 0, its codes are linear in the views,
        and its correlations are those of CCA without a penalty. They may differ from
        these by a tenth of their standard error, (1 - r^2) / sqrt(n_samples), as with a
        ridge that is small compared with the variances of the columns. The estimate is
        the population correlation under which the observed correlation would be the
        median. The interval contains the values under which it would not be in a tail,
        in simulated samples of the same size and ranks. This removes the bias that
        Lawley [2]_ describes, even if n_samples is not large [3]_. A component that
        cannot be distinguished from noise has the lower end 0, and a component that is
        small even for noise has the interval from 0 to 0. The simulated views are
        normal. If codes have heavier tails, intervals are made longer by the factor by
        which the standard error of a correlation is larger. If all features of a row
        share a heavy tail (a scale of its own for each row), this looks like
        correlation, and intervals are too high. With covariates these are the partial
        canonical correlations, and the simulated samples have fewer rows, one less for
        each direction in which the covariates vary.
    "held_out"
        The correlation that the codes of the estimator, fitted to all samples, have on
        new samples. It is estimated for all other estimators, for an estimator that
        removes covariates from one view only, and for views whose ranks add up to more
        than n_samples - 2, which leaves no degrees of freedom. The estimate is the
        correlation of held-out codes in 10-fold cross-validation, averaged as Fisher's
        z over three orders of the rows, which takes 30 further fits. The interval is
        normal on the scale of z. Its variance is 1 / (n_samples - 3), that of a
        correlation of independent samples, times 2 - s for each view. Here s is the
        share of the variance of its codes that another training set would reproduce.
        For a component that all training sets find, s is 1. For noise it is 0: what one
        row contributes to the held-out code of another row, that row contributes to its
        own, so each pair of rows counts twice, as in a degenerate U-statistic [4]_.
        Intervals that neglect this are too short [5]_. The estimate of s is the square
        of the mean correlation of the codes with those of a resample, over the rows
        that the resample did not draw. Heavier tails are treated as above. All of this
        is approximate, and meant for 100 samples or more.

    Loadings have percentile intervals, which are widened where necessary to contain the
    loading of all samples.

    Parameters
    ----------
    estimator : two-view estimator
        Two-view estimator. It is cloned and fitted to each resample. If it is random,
        set its `random_state`.
    X : array-like of shape (n_samples, n_features_x)
        First view, at least 10 samples.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        Covariates, such as age, that each fit gets with its rows and removes from the
        views. Loadings are then correlations of codes with columns from which the same
        fit removed the effect of the covariates. If the estimator adjusts one view
        only, the columns of the other stay as they are. (Do not pass residuals as views
        instead: resamples would not repeat the regression, and intervals would be too
        short.)
    n_resamples : int, default=999
        Number of resamples, at least 2. Each has n_samples rows, drawn with
        replacement. More of them make the ends of intervals more precise.
    confidence_level : float in (0, 1), default=0.95
        Share of data sets whose interval should contain the true value. It is reached
        approximately.
    n_jobs : int or None, default=None
        Number of joblib processes. The results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the resamples. Pass an int to get the same result at each call.
    verbose : int, default=0
        Verbosity of joblib: larger values print more about the progress.

    Returns
    -------
    intervals : BootstrapIntervals
        Named tuple of `correlations`, `x_loadings` and `y_loadings`, each with `value`,
        `low` and `high`; of `of`, which names what `correlations` estimates; and of the
        arrays `in_sample` and `out_of_bag`. Its method `to_frame` returns tables.

    Raises
    ------
    ValueError
        If a parameter is out of its range, the views or covariates are not finite
        numbers with paired rows, the covariates vary in more directions than half the
        number of samples, or the estimator takes no covariates.

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

    Views that share only what changes with age in both:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(20, 80, 60)
    >>> X, y = 0.1 * age[:, None] + rng.standard_normal((2, 60, 2))
    >>> settings = {"n_resamples": 50, "random_state": 0}
    >>> intervals = bootstrap_intervals(LinearCCA(1), X, y, **settings)
    >>> intervals.correlations.low.round(1)
    array([0.7])
    >>> intervals = bootstrap_intervals(LinearCCA(1), X, y, covariates=age, **settings)
    >>> intervals.correlations.low
    array([0.])
    """
    given = X, y
    if covariates is not None:
        require_takes_covariates(estimator)
        covariates = covariates_in_memory(covariates, X, y)
    X, y = check_arrays(X, y, min_samples=10)
    views = _Views(X, y, covariates)
    _require_few(len(X) - views.n_free, len(X))
    fitted = fit_to(clone(estimator), *views)
    codes = views.codes(fitted)
    source = random_source(random_state)
    seeds = source.randint(2**31 - 1, size=n_resamples)
    rng = np.random.default_rng(source.randint(2**31 - 1))
    parallel = Parallel(n_jobs=n_jobs, verbose=verbose)
    drawn = _resampled(estimator, views, codes, parallel, seeds)
    out_of_bag, likeness = (
        np.average(part, axis=0, weights=drawn.n_out)
        for part in (drawn.correlations, drawn.likeness)
    )
    X, y = views.adjusted(fitted)
    form, n_free = canonical_form(X, y), views.n_free
    is_partial = covariates is None or adjusts_both(fitted)
    is_plain = is_partial and not _shrinks(estimator)
    if is_plain and _is_unpenalised(codes, form, n_free):
        of = "population"
        correlations = _population(codes, form, n_free, confidence_level, rng)
    else:
        held_out = _cross_validated(estimator, views, codes, parallel, rng)
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


class _Views(NamedTuple):
    """Both views as arrays, and the covariates of their rows, if there are any."""

    X: np.ndarray
    y: np.ndarray
    covariates: np.ndarray | None

    def take(self, rows):
        """Some rows of all of them."""
        return _Views(self.X[rows], self.y[rows], rows_of(self.covariates, rows))

    def codes(self, fitted):
        """Codes of both views, of a fitted estimator."""
        pair = codes_beside(fitted, *self, "bootstrap_intervals")
        return tuple(np.asarray(Z) for Z in pair)

    def adjusted(self, fitted):
        """Columns of both views without the effect of the covariates."""
        return (
            adjusted_columns(fitted, "x", self.X, self.covariates),
            adjusted_columns(fitted, "y", self.y, self.covariates),
        )

    @property
    def n_free(self):
        """Number of rows, less the directions in which covariates vary."""
        if self.covariates is None:
            return len(self.X)
        return len(self.X) - covariate_basis(self.covariates).columns.shape[1]


def _require_few(n_directions, n):
    """Raise ValueError if covariates leave next to nothing of a resample."""
    # About 63% of the rows are in a resample. The others are copies of these.
    if n_directions > n // 2:
        raise ValueError(
            f"The covariates vary in {n_directions} directions, but intervals need at "
            f"most {n // 2}, half the number of samples: a resample has fewer "
            "different rows than there are samples, and nothing may be left of its "
            "views. Use fewer covariates, or more samples."
        )


class _Resamples(NamedTuple):
    """Statistics of the components of one resample, or of many that are stacked.

    Two of them are computed over the `n_out` rows that were not drawn. `correlations`
    are those between the codes of both views. `likeness` is, for each view, the
    correlation of its codes with its codes in the fit to all samples.
    """

    x_loadings: np.ndarray
    y_loadings: np.ndarray
    correlations: np.ndarray
    likeness: np.ndarray
    n_out: np.ndarray


def _resampled(estimator, views, codes, parallel, seeds):
    """Statistics of resamples, with components in the order of those of `codes`."""
    resamples = parallel(
        delayed(_resample)(estimator, views, codes, seed) for seed in seeds
    )
    return _Resamples(*map(np.array, zip(*resamples, strict=True)))


def _resample(estimator, views, codes, seed):
    """Statistics of one resample."""
    n = len(views.X)
    rows = np.random.default_rng(seed).integers(0, n, n)
    out = np.setdiff1d(np.arange(n), rows)
    drawn = views.take(rows)
    fitted = fit_to(clone(estimator), *drawn)
    Zx, Zy = _matched_codes(fitted, views, codes)
    X, y = drawn.adjusted(fitted)
    pairs = (Zx, Zy), (Zx, codes[0]), (Zy, codes[1])
    r = np.zeros((3, Zx.shape[1]))
    if len(out):
        r[:] = [column_correlations(A[out], B[out]) for A, B in pairs]
    return _Resamples(
        _loadings(X, Zx[rows]),
        _loadings(y, Zy[rows]),
        correlations=r[0],
        likeness=r[1:],
        n_out=np.array(len(out)),
    )


def _matched_codes(fitted, views, codes):
    """Codes of all rows from a fit to some, with components matched to `codes`."""
    Zx, Zy = views.codes(fitted)
    match, sign = matched_components(codes, (Zx, Zy))
    return Zx[:, match] * sign, Zy[:, match] * sign


def _shrinks(estimator):
    """Whether the estimator, or one inside it, has a shrinkage other than 0."""
    return any(
        name.rpartition("__")[2] == "shrinkage"
        and any(share != 0 for share in np.atleast_1d(np.asarray(value, dtype=object)))
        for name, value in estimator.get_params().items()
    )


def _is_unpenalised(codes, form, n):
    """Whether codes are those of unpenalised CCA, with degrees of freedom left."""
    if form.x_variates.shape[1] + form.y_variates.shape[1] > n - 2:
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
    """Whether all columns of Z are constant or combinations of orthonormal columns."""
    Z = unit_columns(Z)
    return bool((abs(Z - basis @ (basis.T @ Z)) < _ROUNDING**0.5).all())


def _leading(correlations, n_components):
    """The leading correlations, padded with zeros beyond the ranks of the views."""
    missing = max(0, n_components - len(correlations))
    return np.pad(correlations, (0, missing))[:n_components]


def _population(codes, form, n, confidence_level, rng):
    """Intervals of population correlations, in the order of the components."""
    order = np.argsort(-column_correlations(*codes), kind="stable")
    heaviness = _heaviness(*codes)[order][: len(form.correlations)]
    found = population_intervals(form, n, heaviness, confidence_level, rng)
    sorted_back = np.argsort(order)
    return Estimate(*(_leading(part, len(order))[sorted_back] for part in found))


def _cross_validated(estimator, views, codes, parallel, rng):
    """Held-out codes of both views in each of three 10-fold cross-validations."""
    n = len(views.X)
    orders = [rng.permutation(n) for _ in range(3)]
    folds = [fold for order in orders for fold in np.array_split(order, 10)]
    parts = parallel(delayed(_fold)(estimator, views, codes, fold) for fold in folds)
    held_out = np.empty((3, 2, *codes[0].shape))
    for i, (fold, part) in enumerate(zip(folds, parts, strict=True)):
        held_out[i // 10][:, fold] = part
    return held_out


def _fold(estimator, views, codes, fold):
    """Codes of a fold, standardised by the codes of the training rows."""
    rows = np.setdiff1d(np.arange(len(views.X)), fold)
    fitted = fit_to(clone(estimator), *views.take(rows))
    held_out = []
    for Z in _matched_codes(fitted, views, codes):
        deviation = Z[rows].std(axis=0)
        unit = np.where(deviation > 0, deviation, 1.0)
        held_out.append((Z[fold] - Z[rows].mean(axis=0)) / unit)
    return held_out


def _held_out(held_out, likeness, confidence_level):
    """Normal intervals on Fisher's scale around the cross-validated correlation.

    `likeness` is the correlation of the codes of all samples with those of resamples,
    for each view and component. It is squared because each of two training sets differs
    from what they have in common.
    """
    z = np.mean([_fisher(column_correlations(*pair)) for pair in held_out], axis=0)
    heaviness = np.mean([_heaviness(*pair) for pair in held_out], axis=0)
    shared = np.maximum(likeness, 0.0) ** 2
    variance = heaviness**2 / (held_out.shape[2] - 3) * np.prod(2 - shared, axis=0)
    reach = stats.norm.ppf((1 + confidence_level) / 2) * np.sqrt(variance)
    return Estimate(np.tanh(z), np.tanh(z - reach), np.tanh(z + reach))


def _heaviness(Zx, Zy):
    """Ratio of each correlation's standard error to that for normal codes; at least 1.

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
