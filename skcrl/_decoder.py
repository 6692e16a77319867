"""Linear reconstruction of a view from the codes of either view, or of both."""

from typing import NamedTuple

from skcrl._arrays import Array, join_columns, like
from skcrl._linalg import inverse


class LinearDecoder(NamedTuple):
    """Least-squares maps from centred codes to one target.

    A code is decoded with the map that was fitted to its own view. The map of the other
    view would ignore that the correlation of the two codes is below one.
    """

    mean: Array  # (n_features,)
    cross_cov: Array  # (2 * n_components, n_features)
    of_x: Array  # (n_components, n_components)
    of_y: Array  # (n_components, n_components)
    of_both: Array  # (2 * n_components, 2 * n_components)

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
        x, y = slice(None, k), slice(k, None)
        return cls(
            mean,
            cross_cov,
            inverse(code_cov[x, x], ridge),
            inverse(code_cov[y, y], ridge),
            inverse(code_cov, ridge),
        )

    def decode(self, x_codes=None, y_codes=None):
        """Target reconstructed from the given codes, one of which may be None."""
        k = len(self.of_x)
        if y_codes is None:
            codes, precision, cross_cov = x_codes, self.of_x, self.cross_cov[:k]
        elif x_codes is None:
            codes, precision, cross_cov = y_codes, self.of_y, self.cross_cov[k:]
        else:
            codes, precision = join_columns(x_codes, y_codes), self.of_both
            cross_cov = self.cross_cov
        return like(self.mean + (like(codes, precision) @ precision) @ cross_cov, codes)

    def arrays(self, name, k, n_features):
        """Arrays of a decoder with this name, with their shapes for k components."""
        shapes = (n_features,), (2 * k, n_features), (k, k), (k, k), (2 * k, 2 * k)
        return {
            f"{part} of the {name}": (array, shape)
            for part, array, shape in zip(self._fields, self, shapes, strict=True)
        }
