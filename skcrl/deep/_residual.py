"""Individual codes: outputs of a network minus what common codes predict of them."""

from typing import NamedTuple

import numpy as np

from skcrl._arrays import Array
from skcrl._linalg import unit_scale

# Rounding of networks in float32 gives up to this share of a variance.
_ROUNDING = 1e-10


class Regression(NamedTuple):
    """A linear regression of y on x."""

    x_mean: Array  # (p,)
    slopes: Array  # (p, q)
    y_mean: Array  # (q,)

    @classmethod
    def fit(cls, m):
        """Regress y on x, from their Moments.

        If columns of x are collinear except for rounding, the slopes are those of
        smallest norm.
        """
        scale = unit_scale(m.xx.diagonal())
        correlations = m.xx * scale[:, None] * scale
        inverse = np.linalg.pinv(correlations, rcond=_ROUNDING, hermitian=True)
        slopes = scale[:, None] * (inverse @ (m.xy * scale[:, None]))
        return cls(m.x_mean, slopes, m.y_mean)

    def of(self, x):
        """Predict y from rows of x."""
        return self.y_mean + (x - self.x_mean) @ self.slopes


class Residual(NamedTuple):
    """Outputs minus their regression on common codes, divided by their deviation.

    Therefore the individual codes of the training set are uncorrelated with the common
    codes, as the constraint of eq. 5 of MUC2M requires.
    """

    told: Regression  # of outputs on common codes
    scale: Array  # (n_individual,)

    @classmethod
    def fit(cls, m):
        """Regress outputs y on common codes x, from their Moments."""
        told = Regression.fit(m)
        squares = m.yy.diagonal()
        left = squares - ((m.xx @ told.slopes) * told.slopes).sum(0)
        varies = left > _ROUNDING * squares
        scale = np.sqrt(np.where(varies, left / max(m.n - 1, 1), 1.0))
        return cls(told, scale)

    def codes(self, outputs, common):
        """Individual codes for outputs and common codes of the same rows."""
        return (outputs - self.told.of(common)) / self.scale
