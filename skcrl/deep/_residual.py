"""Individual codes: what is left of a network's outputs without the common codes."""

from typing import NamedTuple

import numpy as np

from skcrl._arrays import Array

# Share of the variance of an output below which what is left of it is rounding.
_ROUNDING = 1e-10


class Residual(NamedTuple):
    """Outputs less their regression on common codes, in units of their deviation.

    So the individual codes of the training set are uncorrelated with the common ones,
    as the constraint of eq. 5 of MUC2M asks.
    """

    common_mean: Array  # (n_components,)
    mean: Array  # (n_individual,), of the outputs
    slopes: Array  # (n_components, n_individual)
    scale: Array  # (n_individual,)

    @classmethod
    def fit(cls, m):
        """Regress outputs y on common codes x, from their Moments."""
        slopes = np.linalg.pinv(m.xx, hermitian=True) @ m.xy
        squares = m.yy.diagonal()
        left = squares - ((m.xx @ slopes) * slopes).sum(0)
        varies = left > _ROUNDING * squares
        scale = np.sqrt(np.where(varies, left / max(m.n - 1, 1), 1.0))
        return cls(m.x_mean, m.y_mean, slopes, scale)

    def codes(self, outputs, common):
        """Individual codes for outputs and common codes of the same rows."""
        told = self.mean + (common - self.common_mean) @ self.slopes
        return (outputs - told) / self.scale

    def outputs(self, codes, common):
        """Outputs for individual codes and common codes of the same rows."""
        told = self.mean + (common - self.common_mean) @ self.slopes
        return told + codes * self.scale
