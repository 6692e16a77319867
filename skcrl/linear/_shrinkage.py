"""How strongly a covariance is shrunk towards a multiple of the identity."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from skcrl._validation import per_view
from skcrl.linear._fit import require_finite

ESTIMATED = ("ledoit_wolf", "oas")


class Scatter(NamedTuple):
    """What is needed to estimate the shrinkage of a covariance S over n - 1."""

    n: float
    n_features: int
    trace: float  # of S
    square_norm: float | None  # sum of the squares of the entries of S
    fourth: float | None  # sum over centred rows of |x|^4, only for "ledoit_wolf"


class Penalty(NamedTuple):
    """Parameters of the penalised covariance (1 - share) S + ridge I."""

    share: float
    ridge: float

    @property
    def keep(self):
        """Factor of S in the penalised covariance."""
        return 1 - self.share


def check_shrinkage(shrinkage):
    """Shrinkage of each view: a number, or the name of an estimator."""
    return per_view(
        "shrinkage",
        shrinkage,
        _is_shrinkage,
        "a number from 0 to 1, 'ledoit_wolf' or 'oas'",
    )


def penalty(reg, shrinkage, scatter):
    """Penalty of one view: S becomes (1 - s) S + (s mean variance + reg) I."""
    share = _intensity(shrinkage, scatter)
    return Penalty(share, share * scatter.trace / scatter.n_features + reg)


def _intensity(shrinkage, scatter):
    """Shrinkage s, as given or estimated with the formulas of scikit-learn."""
    if isinstance(shrinkage, Real):
        return float(shrinkage)
    require_finite(scatter.trace * scatter.trace)
    n, p = scatter.n, scatter.n_features
    # Both estimators work on the covariance over n, not n - 1.
    biased = (n - 1) / n
    mean_variance = biased * scatter.trace / p
    square_norm = biased**2 * scatter.square_norm
    unequal = square_norm - p * mean_variance**2
    if unequal <= 10 * p * np.finfo(np.float64).eps * square_norm:
        # All eigenvalues are equal: S is a multiple of the identity already.
        return 0.0
    if shrinkage == "oas":
        share = (square_norm + (p * mean_variance) ** 2) / (n + 1)
    else:
        share = (scatter.fourth / n - square_norm) / n
    return float(np.clip(share / unequal, 0.0, 1.0))


def _is_shrinkage(value):
    if isinstance(value, str):
        return value in ESTIMATED
    return isinstance(value, Real) and 0 <= float(value) <= 1
