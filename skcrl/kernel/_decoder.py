"""Nonlinear reconstruction of the views from the codes of one view or of both."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from skcrl.kernel._feature_maps import NystroemMap
from skcrl.kernel._kernels import Kernel

# Largest numbers of training rows in the regression, and of centres of its kernel.
_MAX_ROWS = 10_000
_MAX_CENTRES = 100
# Ridges to choose from, for codes of variance 1 and a kernel of at most 1.
_RIDGES = np.logspace(-6, 1, 15)


class KernelDecoder(NamedTuple):
    """Ridge regression of both views on linear and kernel features of codes.

    The features are the codes themselves and Nyström features of their rbf kernel. The
    linear part needs no kernel, and stays useful far from the training codes, where the
    kernel is 0.
    """

    features: "CodeFeatures"
    feature_mean: np.ndarray  # (m,)
    coefs: dict  # side to (m, n_features)
    means: dict  # side to (n_features,)

    @classmethod
    def fit(cls, codes, views, centres, weights=None):
        """Fit to codes (n, d) and the rows of both views, a dict by side.

        The codes of the rows `centres` are the centres of the kernel. The ridge of each
        view is the one with the smallest generalised cross-validation error.
        """
        features = CodeFeatures.fit(codes[centres])
        F = features(codes)
        weights = np.ones(len(F)) if weights is None else weights
        n = weights.sum()
        feature_mean = weights @ F / n
        F -= feature_mean
        weighted = weights[:, None] * F
        eigenvalues, U = np.linalg.eigh(F.T @ weighted / n)
        eigenvalues = eigenvalues.clip(0.0)
        coefs, means = {}, {}
        for side, view in views.items():
            means[side], variance, products = _against(view, weighted, weights)
            cross = U.T @ products / n
            ridge = _best_ridge(eigenvalues, cross, variance, n)
            coefs[side] = U @ (cross / (eigenvalues + ridge)[:, None])
        return cls(features, feature_mean, coefs, means)

    def decode(self, codes, to):
        """View `to` reconstructed from codes, in their dtype."""
        view = (self.features(codes) - self.feature_mean) @ self.coefs[to]
        return (view + self.means[to]).astype(codes.dtype, copy=False)


class CodeFeatures(NamedTuple):
    """Codes, with Nyström features of their rbf kernel beside them."""

    nystroem: NystroemMap

    @classmethod
    def fit(cls, centres):
        """Features with some of the codes as centres of the kernel."""
        # Squared distances between codes of variance 1 are about twice their number.
        kernel = Kernel("rbf", {"gamma": 0.5 / centres.shape[1]})
        return cls(NystroemMap.fit(kernel, centres))

    def __call__(self, codes):
        """Features (n, m) in float64."""
        return np.hstack([codes.astype(np.float64), self.nystroem(codes)])


def _best_ridge(eigenvalues, cross, variance, n):
    """Ridge with the smallest generalised cross-validation error.

    This error is the mean squared residual over the squared share of the degrees of
    freedom that are left. The covariance of the features is diagonal, with these
    `eigenvalues`.
    """
    shrunk = 1.0 / (eigenvalues + _RIDGES[:, None])  # (n_ridges, m)
    energy = np.einsum("ij,ij->i", cross, cross)
    # |t - F w|^2 = |t|^2 - 2 w'c + w' D w, for w = c / (D + ridge).
    residual = variance - (energy * shrunk * (2 - eigenvalues * shrunk)).sum(axis=1)
    freedom = 1.0 - (1 + (eigenvalues * shrunk).sum(axis=1)) / n
    return _RIDGES[np.argmin(residual.clip(0.0) / freedom.clip(1.0 / n) ** 2)]


def _against(view, features, weights):
    """Means (p,) of a view, its total variance, and centred products (m, p)."""
    if sparse.issparse(view):
        mean, variances = mean_variance_axis(
            view.astype(np.float64, copy=False), axis=0, weights=weights
        )
        # The features are centred, so the view stays sparse and is not centred.
        return mean, variances.sum(), (view.T @ features).T
    share = weights / weights.sum()
    mean = share @ view
    view = view - mean
    error = share @ view  # rounding error of a large mean
    view -= error
    return mean + error, share @ np.square(view).sum(axis=1), features.T @ view
