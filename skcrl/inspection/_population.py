"""Intervals of population canonical correlations, by inverting tests."""

import numpy as np
from scipy import stats

_ROUNDING = 1e-10
_DRAWS = 200  # number of simulated data sets, which are the same for every population
_REACH = 6.0  # how far from the estimate populations are simulated, in standard errors
_GRID = 12  # number of populations in this range


def population_intervals(form, n, kappa, confidence_level, rng):
    """Estimates and ends of intervals of the leading population correlations.

    An interval contains each population value for which the sample correlation lies
    between the two quantiles of its distribution. The estimate is the value for which
    the sample correlation is the median. Samples of normal views are simulated, and
    the standard deviation of their correlations is multiplied by `kappa`, which has one
    factor for each component. They have `n` rows, which are fewer than those of `form`
    if covariates take degrees of freedom.

    Returns an array (3, n_components) of estimates, low and high ends.
    """
    p = form.x_variates.shape[1]
    q = form.y_variates.shape[1]
    observed = _fisher(form.correlations[: len(kappa)])
    nuisance = _fisher(_unbiased(form.correlations[: len(kappa)], n, p, q))
    simulate = _simulator(n, min(p, q), max(p, q), len(observed), rng)
    tail = stats.norm.ppf((1 + confidence_level) / 2)
    estimates = np.empty((3, len(observed)))
    for k, z in enumerate(observed):
        if (
            1 - form.correlations[k] < _ROUNDING
        ):  # a population correlation of 1 always gives 1
            estimates[:, k] = 1.0
            continue
        reach = _REACH * kappa[k] / np.sqrt(n - p - q)
        lowest = _unbiased(np.tanh(max(z - reach, 0.0)), n, p, q)
        grid = np.linspace(_fisher(lowest), z + reach, _GRID)
        # Population correlations are sorted. The others are moved where they would not
        # be in order with the k-th.
        population = np.tile(nuisance, (_GRID, 1))
        population[:, :k] = np.maximum(population[:, :k], grid[:, None])
        population[:, k + 1 :] = np.minimum(population[:, k + 1 :], grid[:, None])
        population[:, k] = grid
        draws = np.stack([simulate(zeta)[:, k] for zeta in population])
        for part, deviations in enumerate((0.0, tail, -tail)):
            curve = np.maximum.accumulate(_quantile(draws, deviations, kappa[k]))
            estimates[part, k] = np.tanh(np.interp(z, curve, grid))
    # No population correlation is larger than the one before. If one is 0, so are all
    # later ones.
    return np.minimum.accumulate(estimates, axis=1)


def _unbiased(r, n, p, q):
    """Population correlations for which samples have `r` on average; 0 if `r` is noise.

    Inverts the limit of Bao, Hu, Pan and Zhou (2019) for constant c = p / n and
    d = q / n: r^2 = (s + c(1 - s))(s + d(1 - s)) / s of the population's s = rho^2.
    Lawley's (1959) bias is its first term in c and d.
    """
    c, d = p / (n - 1), q / (n - 1)
    a = (1 - c) * (1 - d)
    b = r**2 - c * (1 - d) - d * (1 - c)
    discriminant = b**2 - 4 * a * c * d
    root = (b + np.sqrt(np.maximum(discriminant, 0))) / (2 * a)
    return np.sqrt(np.where((discriminant > 0) & (b > 0), root, 0.0).clip(0, 1))


def _simulator(n, p, q, n_components, rng):
    """Function from Fisher's z of the population to those of samples, (_DRAWS, p).

    In the basis of the triangular factor of a Wishart matrix (Bartlett's
    decomposition) the views are X = (L, 0) and Y = (D L + C M, C R), with L and R
    lower triangular, M normal, D the population correlations and C^2 = I - D^2. The
    tangents of the canonical angles' complements, sinh of Fisher's z, are the singular
    values of R^-1 (M + D C^-1 L).
    """
    k = n_components
    R = _triangular(n - 1 - q, p, rng)
    inverse = np.linalg.inv(R)
    noise = inverse @ rng.standard_normal((_DRAWS, p, q))
    left, right = inverse[:, :, :k], _triangular(n - 1, k, rng)

    def simulate(zeta):
        tangents = noise.copy()
        tangents[:, :, :k] += left * np.sinh(zeta) @ right
        return np.arcsinh(np.linalg.svdvals(tangents))

    return simulate


def _triangular(df, size, rng):
    """Lower triangular factors (_DRAWS, size, size) of Wishart matrices."""
    factors = np.tril(rng.standard_normal((_DRAWS, size, size)), -1)
    diagonal = np.arange(size)
    factors[:, diagonal, diagonal] = np.sqrt(
        rng.chisquare(df - diagonal, (_DRAWS, size))
    )
    return factors


def _quantile(draws, deviations, kappa):
    """Quantile of each row, given as a number of normal deviations from the median.

    It is computed by the first terms of the expansion of Cornish and Fisher, for which
    200 draws are enough.
    """
    mean, deviation = draws.mean(axis=1), draws.std(axis=1)
    skewness = stats.skew(draws, axis=1)
    steps = kappa * deviations + (deviations**2 - 1) * skewness / 6
    return mean + steps * deviation


def _fisher(r):
    """Fisher's z, which is finite for 1 too."""
    return np.arctanh(np.clip(r, 0.0, 1 - 1e-15))
