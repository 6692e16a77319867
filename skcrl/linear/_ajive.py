"""Ranks of the signals of two noisy views, and of what they share, by AJIVE.

Feng, Jiang, Hannig and Marron (2018) draw random matrices with a row for each sample.
Here the rows are not needed, because the distributions of the bounds depend only on the
spectra of the views.
"""

import numpy as np

# Each bound is a quantile of this number of draws, which this share of them exceeds.
_N_DRAWS = 200
_EXCEEDED = 0.05
# 99.9 % quantile of the Tracy-Widom distribution of order 1.
_TRACY_WIDOM = 3.2724
# Largest error of a correlation if the views share a direction exactly.
_ROUNDING = 1e-8
# Number of random numbers that are drawn at once.
_BLOCK_ENTRIES = 2**20


def signal_rank(values, n_free, n_features):
    """Number of eigenvalues of a covariance that are too large to be white noise.

    As in Kritchman and Nadler (2008), each eigenvalue is compared with the largest
    eigenvalue that noise has in the dimensions which remain after the earlier ones. The
    variance of the noise is estimated from the median of the remaining eigenvalues,
    which should be the median of the Marchenko-Pastur distribution. Without noise the
    estimate is 0, and the result is the rank of the view.

    Parameters
    ----------
    values : ndarray of shape (r,)
        Eigenvalues that are not 0, largest first.
    n_free : int
        Degrees of freedom of the rows.
    n_features : int
        Number of columns.
    """
    every = np.zeros(min(n_free, n_features))
    every[: len(values)] = values
    rank = 0
    while rank < len(every):
        largest = np.median(every[rank:]) * _largest_of_noise(
            n_free - rank, n_features - rank
        )
        above = int((every > largest).sum())
        if above <= rank:
            break
        rank = above
    return rank


def common_bounds(values, n_features, n_free, ranks, random_state):
    """Correlations that a pair of directions must exceed to count as shared.

    Parameters
    ----------
    values : pair of ndarray of shape (r,)
        Eigenvalues of the covariances of both views, largest first.
    n_features : pair of int
        Numbers of columns.
    n_free : int
        Degrees of freedom of the rows.
    ranks : pair of int
        Ranks of the signals.
    random_state : RandomState

    Returns
    -------
    wedin : float
        Correlation that a shared direction keeps under the noise.
    random : float
        Largest correlation of random subspaces of these ranks.
    """
    lost = sum(
        _squared_sines(view, p, n_free, rank, random_state)
        for view, p, rank in zip(values, n_features, ranks, strict=True)
    )
    # A squared singular value 1 + rho of AJIVE is compared with 2 - lost.
    wedin = np.quantile(1 - lost, _EXCEEDED)
    squares = _squared_norms(np.ones(ranks[0]), n_free, ranks[1], random_state)
    random = np.quantile(squares, 1 - _EXCEEDED) ** 0.5
    return max(0.0, float(wedin)), float(random)


def n_common(correlations, wedin, random):
    """Number of correlations that exceed both bounds by more than rounding."""
    exceed = (correlations > wedin - _ROUNDING) & (correlations > random + _ROUNDING)
    return int(exceed.sum())


def individual_directions(values, common, n_individual):
    """Principal directions of what is left of a signal without its common directions.

    Parameters
    ----------
    values : ndarray of shape (s,)
        Variances of the components.
    common : ndarray of shape (s, k)
        Orthonormal directions of the standardised components.
    n_individual : int
        Number of directions, at most s - k.

    Returns
    -------
    directions : ndarray of shape (s, n_individual)
        Orthonormal, and orthogonal to the common ones; largest variance first.
    """
    roots = values**0.5
    rest = np.diag(roots) - common @ (common.T * roots)
    left, _, _ = np.linalg.svd(rest)
    return left[:, :n_individual]


def _squared_sines(values, n_features, n_free, rank, random_state):
    """Draws of Wedin's bound on the squared sine of the angle that noise causes."""
    if rank == min(n_features, n_free):
        return np.ones(_N_DRAWS)  # no direction is left to show the noise
    noise, least = values[rank:], values[rank - 1]
    norms = [
        _squared_norms(noise, dimension - rank, rank, random_state)
        for dimension in (n_features, n_free)
    ]
    return np.minimum(np.maximum(*norms) / least, 1.0)


def _squared_norms(squares, dimension, n_columns, random_state):
    """Draws (n_draws,) of the squared norm of diag(squares)^(1/2) Q.

    Q holds the first rows of random orthonormal columns of that dimension.
    """
    n_columns, n = min(n_columns, dimension), len(squares)
    if n == 0 or n_columns == 0:
        return np.zeros(_N_DRAWS)
    at_once = min(_N_DRAWS, max(1, _BLOCK_ENTRIES // ((n + n_columns) * n_columns)))
    norms = []
    for start in range(0, _N_DRAWS, at_once):
        count = min(at_once, _N_DRAWS - start)
        first = random_state.standard_normal((count, n, n_columns))
        others = _triangles(count, dimension - n, n_columns, random_state)
        Q = np.linalg.qr(np.concatenate([first, others], axis=1))[0][:, :n]
        products = Q.transpose(0, 2, 1) @ (squares[:, None] * Q)
        norms.append(np.linalg.eigvalsh(products)[:, -1])
    return np.concatenate(norms)


def _triangles(count, n_rows, n_columns, random_state):
    """Matrices M for which M'M is distributed as for n normal rows (Bartlett)."""
    size = min(n_rows, n_columns)
    normal = random_state.standard_normal((count, size, n_columns))
    if n_rows <= n_columns:
        return normal
    freedom = n_rows - np.arange(n_columns)
    diagonal = random_state.chisquare(freedom, (count, n_columns)) ** 0.5
    return np.triu(normal, 1) + diagonal[:, :, None] * np.eye(n_columns)


def _largest_of_noise(n, p):
    """Largest eigenvalue of noise of n rows and p columns, in units of the median."""
    a, b = n**0.5, p**0.5
    # Johnstone (2001): the centre, plus the scale times the quantile.
    largest = (a + b) ** 2 + _TRACY_WIDOM * (a + b) * (1 / a + 1 / b) ** (1 / 3)
    return largest / (max(n, p) * _marchenko_pastur_median(min(n, p) / max(n, p)))


def _marchenko_pastur_median(ratio):
    """Median of the eigenvalues of noise of variance 1, for a ratio of at most 1."""
    angle = (np.arange(2000) + 0.5) * np.pi / 2000
    value = 1 + ratio - 2 * ratio**0.5 * np.cos(angle)
    share = np.cumsum(np.sin(angle) ** 2 / value)
    return np.interp(0.5, share / share[-1], value)
