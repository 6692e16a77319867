"""Numbers of samples needed to find a canonical correlation and its weights."""

from math import ceil
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils._param_validation import Interval, validate_params

from skcrl._numbers import check_numbers
from skcrl._repr import short_repr
from skcrl._typing import Seed
from skcrl._validation import random_source
from skcrl.inspection._results import data_frame

_TAIL = 5  # smallest number of data sets from which a share is estimated
_MOST = 10**9  # largest number of samples that is tried
_REACH, _FINE = 1.25, 9  # range of sizes around the answer, and how many of them
_NUMBERS = 2_000_000  # values of simulated matrices that are in memory at a time
_NULL_DRAWS = 20_000  # draws of Wilks' lambda for views that have nothing in common


class SampleSize(NamedTuple):
    """What :func:`sample_size` returns.

    Attributes
    ----------
    n : int
        Number of samples that is enough for everything requested.
    n_power : int
        Number of samples with which the test finds the first correlation.
    n_angle : int or None
        Number of samples with which the weights are within `angle`; None if no angle
        was given.
    sizes : ndarray of shape (n_sizes,)
        Numbers of samples that were simulated, sorted.
    power : ndarray of shape (n_sizes,)
        Share of data sets of each size in which the test was significant.
    angle : ndarray of shape (n_sizes,)
        Angle in degrees within which the weights were in a share `power` of the data
        sets.
    held_out : ndarray of shape (n_sizes,)
        Correlation of the first pair of fitted codes on new samples, as the median over
        the data sets.
    """

    n: int
    n_power: int
    n_angle: int | None
    sizes: np.ndarray
    power: np.ndarray
    angle: np.ndarray
    held_out: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Return the simulated curves as a data frame, indexed by sample size."""
        columns = {name: getattr(self, name) for name in _Row._fields}
        return data_frame(columns, self.sizes)


class _Row(NamedTuple):
    """Results from the data sets of one size."""

    power: float
    angle: float
    held_out: float


_SHARE = Interval(Real, 0, 1, closed="neither")
_COUNT = [Interval(Integral, 1, None, closed="left")]


@validate_params(
    {
        "n_features_x": _COUNT,
        "n_features_y": _COUNT,
        "correlation": ["array-like", Real],
        "power": [_SHARE],
        "alpha": [_SHARE],
        "angle": [Interval(Real, 0, 90, closed="neither"), None],
        "n_simulations": [Interval(Integral, 100, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def sample_size(
    n_features_x: int,
    n_features_y: int,
    correlation: float | ArrayLike,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    angle: float | None = None,
    n_simulations: int = 2000,
    random_state: Seed = None,
) -> SampleSize:
    r"""Number of samples that CCA needs to find a correlation and the right weights.

    Use it to plan a study. With few samples, CCA finds large correlations in noise, and
    weights that have little to do with those of the population [1]_. Data sets of
    normal views with the given canonical correlations are simulated, first with sizes
    in a geometric series, then with sizes near the required one. A curve is fitted to
    the latter: the power as a normal probability that is linear in :math:`\sqrt n`, and
    the logarithm of the angle as linear in :math:`\log n`. Rows are not simulated: the
    Wishart matrix of their products is drawn by Bartlett's decomposition [2]_, which
    takes as long for a million samples as for a hundred.

    Parameters
    ----------
    n_features_x, n_features_y : int
        Numbers of columns of the views, or their ranks.
    correlation : float or array-like of shape (n_correlations,)
        Canonical correlations of the population, between 0 and 1, largest first. Those
        that are not given are 0.
    power : float in (0, 1), default=0.8
        Share of data sets in which the test should be significant. If `angle` is given,
        also the share of data sets in which the weights should be within it; the two
        conditions are separate.
    alpha : float in [0.00025, 1), default=0.05
        Level of the test of the first correlation. The test is Wilks' lambda of all
        dimensions, as in :func:`multivariate_tests`. Its distribution without
        correlations [3]_ is simulated, because Rao's F rejects more often than alpha if
        `n` is less than twice n_features_x + n_features_y.
    angle : float in (0, 90) or None, default=None
        Largest angle in degrees between the first weights of both views and the true
        ones. None means that weights are not considered. The angle is measured in the
        space of whitened columns, where it does not depend on their units and
        correlations: its cosine is the correlation of the fitted code with the true
        code on new samples.
    n_simulations : int, default=2000
        Number of data sets of each size, at least 100. The default takes two seconds
        with 10 + 10 columns, and half a minute with 50 + 50.
    random_state : int, RandomState instance or None, default=None
        Seed of the simulated data sets. Pass an int to get the same result at each
        call.

    Returns
    -------
    size : SampleSize
        Named tuple of `n`, `n_power` and `n_angle`, and of the curves `sizes`, `power`,
        `angle` and `held_out`. Its method `to_frame` returns the curves as a table.

    Raises
    ------
    ValueError
        If a parameter is out of its range, there are more correlations than the
        narrower view has columns, or 10^9 samples are not enough.

    See Also
    --------
    multivariate_tests : The test that has this power.
    bootstrap_intervals : Intervals of weights and correlations, from data.

    Notes
    -----
    The results hold for LinearCCA without a penalty, independent rows and about normal
    views. Heavy tails need more samples. A penalty, or fewer columns (for example by
    PCA), needs fewer. The difficult part is to choose the correlation: the correlation
    found in a small study is too large, but `value` of :func:`bootstrap_intervals` is
    not.

    References
    ----------
    .. [1] Helmer, Warrington, Mohammadi-Nejad, Ji, Howell, Rosand, Anticevic,
       Sotiropoulos and Murray (2024). On the stability of canonical correlation
       analysis and partial least squares with application to brain-behavior
       associations. Communications Biology 7.
    .. [2] Muirhead (1982). Aspects of multivariate statistical theory, theorem 3.2.14.
    .. [3] Anderson (2003). An introduction to multivariate statistical analysis,
       section 8.4.

    Examples
    --------
    >>> from skcrl.inspection import sample_size
    >>> size = sample_size(10, 10, 0.5, angle=30, random_state=0)
    >>> size.n_power, size.n_angle  # to find it, and to know what it consists of
    (150, 198)
    >>> size.n
    198
    """
    rho = _check_correlations(correlation, min(n_features_x, n_features_y))
    least_draws = ceil(_TAIL / min(power, 1 - power))
    if n_simulations < least_draws:
        raise ValueError(
            f"power={power:g} needs at least {_TAIL} simulated data sets on each side, "
            f"got n_simulations={n_simulations}: raise it to {least_draws}."
        )
    if alpha < _TAIL / _NULL_DRAWS:
        raise ValueError(
            f"alpha must be at least {_TAIL / _NULL_DRAWS:g}, because the distribution "
            f"of the test is simulated by {_NULL_DRAWS} draws, got {alpha:g}."
        )
    if angle is not None and len(rho) > 1 and rho[0] == rho[1]:
        raise ValueError(
            f"The first two correlations are both {rho[0]:g}, so no number of samples "
            "can separate their weights: pass angle=None."
        )
    p, q = max(n_features_x, n_features_y), min(n_features_x, n_features_y)
    rng = np.random.default_rng(random_source(random_state).randint(2**31 - 1))
    curve: dict[int, _Row] = {}

    def at(n):
        if n not in curve:
            curve[n] = _simulated(n, p, q, rho, power, alpha, n_simulations, rng)
        return curve[n]

    def probit(n):
        share = np.clip(at(n).power, 0.5 / n_simulations, 1 - 0.5 / n_simulations)
        return stats.norm.ppf(share)

    least = p + q + 2  # smallest number of samples that the test takes
    n_power = _crossing(probit, stats.norm.ppf(power), np.sqrt, np.square, least)
    n_angle = None
    if angle is not None:
        n_angle = _crossing(
            lambda n: -np.log(max(at(n).angle, 1e-6)),
            -np.log(angle),
            np.log,
            np.exp,
            least,
        )
    sizes = sorted(curve)
    return SampleSize(
        max(n_power, n_angle or 0),
        n_power,
        n_angle,
        np.array(sizes),
        *map(np.array, zip(*(curve[n] for n in sizes), strict=True)),
    )


def _check_correlations(correlation, n_most):
    rho = [correlation] if isinstance(correlation, Real) else correlation
    rho = check_numbers(rho, "correlation", ensure_2d=False)
    if rho.ndim > 1 or len(rho) > n_most:
        raise ValueError(
            f"correlation must be a number, or a sequence of at most {n_most} numbers "
            f"(the columns of the narrower view), got shape {rho.shape}."
        )
    if not (0 < rho[0] < 1 and rho[-1] >= 0 and (np.diff(rho) <= 0).all()):
        raise ValueError(
            "correlation must be between 0 and 1, with the largest first and above 0, "
            f"got {np.array2string(rho, threshold=8)}."
        )
    return rho


def _crossing(value, target, scale, unscale, least):
    """Smallest n for which a value reaches a target.

    The value increases with n, and is about linear in scale(n). Sizes are doubled until
    one is enough. Then a line is fitted to the values at sizes around the answer.
    """
    low = n = least
    while value(n) < target:
        if n > _MOST:
            raise ValueError(
                f"{_MOST:.0e} samples are not enough: pass a larger correlation, a "
                "smaller power or a larger angle."
            )
        low, n = n, 2 * n
    if n == least:
        return n
    share = (target - value(low)) / (value(n) - value(low))
    about = low * (n / low) ** share
    sizes = about * _REACH ** np.linspace(-1, 1, _FINE)
    sizes = np.unique(np.maximum(np.rint(sizes), least).astype(int))
    slope, level = np.polyfit(scale(sizes), [value(int(k)) for k in sizes], 1)
    if not slope > 0:  # noise, if a small number of samples is the answer
        return ceil(about)
    return max(least, ceil(unscale((target - level) / slope)))


def _simulated(n, p, q, rho, share, alpha, n_draws, rng):
    """Results from data sets of n samples with p and q columns, p >= q."""
    # Wilks' lambda is a product of independent beta variables.
    null = sum(
        np.log(rng.beta((n - 1 - p - i) / 2, p / 2, size=_NULL_DRAWS)) for i in range(q)
    )
    critical = np.quantile(null, alpha)
    at_a_time = max(1, _NUMBERS // (p + q) ** 2)
    parts = [
        _draws(n, p, q, rho, min(at_a_time, n_draws - start), rng)
        for start in range(0, n_draws, at_a_time)
    ]
    log_wilks, cosines, held_out = map(np.concatenate, zip(*parts, strict=True))
    angles = np.degrees(np.arccos(np.clip(cosines, 0.0, 1.0)))
    return _Row(
        float(np.mean(log_wilks <= critical)),
        float(np.quantile(angles, share)),
        float(np.median(held_out)),
    )


def _draws(n, p, q, rho, n_draws, rng):
    """Simulate data sets: their Wilks' lambda, weights and correlation on new samples.

    Returned are the log of Wilks' lambda, the cosine of the angle by which the weights
    of the worse view are wrong, and the correlation of the codes on new samples.

    In the basis of the triangular factor of a Wishart matrix the views are X = (L, 0)
    and Y = (D'L + C M, C R), with L and R lower triangular, M normal, D the population
    correlations and C^2 = I - D'D.
    """
    k = len(rho)
    L, R = _triangular(n - 1, p, n_draws, rng), _triangular(n - 1 - p, q, n_draws, rng)
    C = np.ones(q)
    C[:k] = np.sqrt((1 - rho) * (1 + rho))
    R *= C[:, None]
    Y = C[:, None] * rng.standard_normal((n_draws, q, p))
    Y[:, :k] += rho[:, None] * L[:, :k]
    factor = np.linalg.cholesky(Y @ Y.mT + R @ R.mT)
    log_wilks = 2 * (_log_diagonal(R) - _log_diagonal(factor))
    left, _, right = np.linalg.svd(np.linalg.solve(factor, Y), full_matrices=False)
    x_weights = np.linalg.solve(L.mT, right[:, 0, :, None])[..., 0]
    y_weights = np.linalg.solve(factor.mT, left[:, :, :1])[..., 0]
    x_weights, y_weights = (
        weights / np.linalg.norm(weights, axis=1)[:, None]
        for weights in (x_weights, y_weights)
    )
    cosines = np.minimum(abs(x_weights[:, 0]), abs(y_weights[:, 0]))
    return log_wilks, cosines, (x_weights[:, :k] * rho * y_weights[:, :k]).sum(axis=1)


def _triangular(df, size, n_draws, rng):
    """Lower triangular factors (n_draws, size, size) of Wishart matrices."""
    factors = np.tril(rng.standard_normal((n_draws, size, size)), -1)
    i = np.arange(size)
    factors[:, i, i] = np.sqrt(rng.chisquare(df - i, (n_draws, size)))
    return factors


def _log_diagonal(factors):
    """Log of the determinant of each triangular matrix."""
    return np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
