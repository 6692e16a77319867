"""How strongly each view's covariance is drawn towards a multiple of the identity."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from skcrl._validation import per_view
from skcrl.linear._fit import require_finite

ESTIMATED = ("ledoit_wolf", "oas")


class Scatter(NamedTuple):
    """What the shrinkage of a covariance S over n - 1 is estimated from."""

    n: float
    n_features: int
    trace: float  # of S
    square_norm: float | None  # sum of the squares of the entries of S
    fourth: float | None  # sum over centred rows of |x|^4, for "ledoit_wolf" alone


class Penalty(NamedTuple):
    """The covariance (1 - share) S + ridge I that takes the place of S."""

    share: float
    ridge: float

    @property
    def keep(self):
        """What stays of S."""
        return 1 - self.share


def check_shrinkage(shrinkage):
    """Shrinkage of either view: a number, or the name of what estimates it."""
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
    """Share s of the identity: as given, or estimated by scikit-learn's formulas."""
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
        # With equal eigenvalues S is a multiple of the identity already.
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
