"""Linear reconstruction of a view from the codes of either view, or of both."""

from typing import NamedTuple

import numpy as np

from skcrl import _linalg


class LinearDecoder(NamedTuple):
    """Least-squares maps from centred codes to one target.

    A code is decoded by the map fitted to its own view: decoding the x code by
    the map of the y code would ignore that their correlation is below one.
    """

    mean: np.ndarray  # (n_features,)
    from_x: np.ndarray  # (n_components, n_features)
    from_y: np.ndarray  # (n_components, n_features)
    from_both: np.ndarray  # (2 * n_components, n_features)

    @classmethod
    def fit(cls, mean, code_cov, cross_cov, ridge=0.0):
        """Solve for all three maps from the covariances of the stacked codes.

        Parameters
        ----------
        mean : ndarray of shape (n_features,)
            Mean of the target.
        code_cov : ndarray of shape (2 * n_components, 2 * n_components)
            Covariance of [x codes, y codes].
        cross_cov : ndarray of shape (2 * n_components, n_features)
            Covariance of [x codes, y codes] with the target.
        ridge : float, default=0.0
            Added to the variance of each code.
        """
        k = len(code_cov) // 2
        x, y, both = slice(None, k), slice(k, None), slice(None)
        return cls(
            mean,
            *(
                _linalg.regression(code_cov[part, part], cross_cov[part], ridge)
                for part in (x, y, both)
            ),
        )

    def decode(self, x_codes=None, y_codes=None):
        """Target rebuilt from the codes given, one of which may be None."""
        if y_codes is None:
            codes, coef = x_codes, self.from_x
        elif x_codes is None:
            codes, coef = y_codes, self.from_y
        else:
            codes, coef = np.hstack([x_codes, y_codes]), self.from_both
        return (self.mean + codes @ coef).astype(codes.dtype, copy=False)
