"""Feature maps of finite width whose inner products approximate a kernel."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from skcrl.kernel._kernels import Kernel, range_eigenpairs


class NystroemMap(NamedTuple):
    """Kernel with landmarks Z, whitened: k(x, Z) K(Z, Z)^-1/2, in the range of K.

    Unlike scikit-learn's ``Nystroem`` it leaves the directions out in which the
    landmarks' kernel is rounding alone, where that scales them up.
    """

    kernel: Kernel
    landmarks: Any  # (m, n_features)
    root: np.ndarray  # (m, rank)

    @classmethod
    def fit(cls, kernel, landmarks):
        """Map of the kernel with these landmarks."""
        eigenvalues, eigenvectors = range_eigenpairs(kernel(landmarks))
        root = eigenvectors * eigenvalues**-0.5
        # A kernel that is 0 has one feature, which is 0.
        return cls(kernel, landmarks, root if root.size else np.zeros((len(root), 1)))

    def __call__(self, view):
        """Features (n, rank) in float64."""
        return self.kernel(view, self.landmarks) @ self.root


class FourierMap(NamedTuple):
    """Random Fourier features of the rbf kernel: cosines along random directions.

    Rahimi and Recht (2007). scikit-learn's ``RBFSampler`` would give data frames under
    ``set_config(transform_output="pandas")``.
    """

    directions: np.ndarray  # (n_features, m)
    phases: np.ndarray  # (m,)

    @classmethod
    def draw(cls, n_features, gamma, size, random_state):
        """Draw `size` features for exp(-gamma |x - x'|^2); None is 1 / n_features."""
        gamma = 1.0 / n_features if gamma is None else gamma
        directions = random_state.standard_normal((n_features, size))
        return cls(
            directions * (2 * gamma) ** 0.5, random_state.uniform(0, 2 * np.pi, size)
        )

    def __call__(self, view):
        """Features (n, m) in float64."""
        angles = view.astype(np.float64, copy=False) @ self.directions + self.phases
        return np.cos(angles) * (2 / len(self.phases)) ** 0.5


def random_rows(n_samples, size, random_state):
    """Indices of at most `size` different rows."""
    return np.sort(random_state.permutation(n_samples)[:size])


def cluster_centres(view, size, random_state):
    """Centres of `size` clusters of the rows of a view."""
    kmeans = MiniBatchKMeans(
        size, n_init=1, batch_size=max(1024, 2 * size), random_state=random_state
    )
    with warnings.catch_warnings():
        # Fewer different rows than clusters: some centres are the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kmeans.fit(view.astype(np.float64, copy=False)).cluster_centers_
