"""Feature maps whose inner products approximate a kernel."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.cluster import MiniBatchKMeans

from skcrl._origins import shifted
from skcrl.kernel._kernels import Kernel, range_eigenpairs


class NystroemMap(NamedTuple):
    """Whitened kernel with landmarks Z: k(x, Z) K(Z, Z)^-1/2, in the range of K.

    Directions in which the kernel of the landmarks is only rounding error are left out.
    scikit-learn's ``Nystroem`` would scale them up.
    """

    kernel: Kernel
    landmarks: Any  # (m, n_features)
    root: np.ndarray  # (m, rank)

    @classmethod
    def fit(cls, kernel, landmarks):
        """Map of the kernel with these landmarks."""
        K = kernel(landmarks)
        eigenvalues, eigenvectors = range_eigenpairs(K, K.trace())
        if eigenvectors.size:
            # The order of the landmarks must not change the signs.
            largest = abs(eigenvectors).argmax(axis=0)
            columns = np.arange(len(largest))
            eigenvectors = eigenvectors * np.sign(eigenvectors[largest, columns])
        root = eigenvectors * eigenvalues**-0.5
        # A kernel that is 0 has one feature, which is 0.
        return cls(kernel, landmarks, root if root.size else np.zeros((len(root), 1)))

    def __call__(self, view):
        """Features (n, rank) in float64."""
        return self.kernel(view, self.landmarks) @ self.root


class FourierMap(NamedTuple):
    """Random Fourier features of the rbf kernel: cosines along random directions.

    See Rahimi and Recht (2007). scikit-learn's ``RBFSampler`` cannot be used, because
    it returns data frames under ``set_config(transform_output="pandas")``.
    """

    directions: np.ndarray  # (n_features, m)
    phases: np.ndarray  # (m,)
    origin: np.ndarray | None = None  # (n_features,), subtracted from every row

    @classmethod
    def draw(cls, n_features, gamma, size, random_state, origin=None):
        """Draw features for exp(-gamma |x - x'|^2); gamma None is 1 / n_features."""
        gamma = 1.0 / n_features if gamma is None else gamma
        directions = random_state.standard_normal((n_features, size))
        return cls(
            directions * (2 * gamma) ** 0.5,
            random_state.uniform(0, 2 * np.pi, size),
            origin,
        )

    def __call__(self, view):
        """Features (n, m) in float64."""
        with np.errstate(over="ignore", invalid="ignore"):
            angles = shifted(view, self.origin) @ self.directions + self.phases
        if not np.isfinite(angles).all():
            raise ValueError(
                "Random Fourier features of the view overflow. Scale the view down."
            )
        return np.cos(angles) * (2 / len(self.phases)) ** 0.5


def random_rows(n_samples, size, random_state):
    """Indices of at most `size` different rows."""
    return np.sort(random_state.permutation(n_samples)[:size])


def distinct_rows(views, size, random_state):
    """Indices of `size` rows, or fewer, of which no two are equal in all views."""
    n, rows, seen = views[0].shape[0], [], set()
    for i in random_state.permutation(n):
        row = b"".join(_bytes(view[[i]]) for view in views)
        if row not in seen:
            seen.add(row)
            rows.append(i)
        if len(rows) == size:
            break
    return np.sort(rows)


def _bytes(row):
    if sparse.issparse(row):
        return row.indices.tobytes() + row.data.tobytes()
    return row.tobytes()


def cluster_centres(view, size, random_state, origin, weights=None):
    """Centres of `size` clusters of the rows of a view, or all rows if fewer differ."""
    rows = distinct_rows([view], size + 1, random_state)
    if len(rows) <= size:
        return view[rows]
    kmeans = MiniBatchKMeans(
        size, n_init=1, batch_size=max(1024, 2 * size), random_state=random_state
    )
    kmeans.fit(shifted(view, origin), sample_weight=weights)
    return kmeans.cluster_centers_ + (0.0 if origin is None else origin)
