"""Methods of other packages and plain baselines, with the methods the book measures.

Each has `transform_pair`, and `reconstruct` of the views that `reconstructs` names.
Where `common` is false, codes of the two views have nothing to do with each other.
"""

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from skcrl.metrics import pearson_sum


class ScikitLearn(BaseEstimator):
    """CCA or PLSCanonical of scikit-learn."""

    reconstructs = "y"

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        """Learn from both views."""
        self.model.fit(X, y)
        return self

    def transform_pair(self, X, y):
        """Codes of both views."""
        return self.model.transform(X, y)

    def reconstruct(self, X, *, to):
        """The second view, reconstructed from the first."""
        return self.model.predict(X)


class CcaZoo(BaseEstimator):
    """A class of cca-zoo by name, with one parameter of its penalty."""

    reconstructs = ""

    def __init__(self, name, n_components, penalty=None):
        self.name = name
        self.n_components = n_components
        self.penalty = penalty

    def fit(self, X, y):
        """Learn from both views, which the package does not centre."""
        from cca_zoo import linear, sparse

        parameter = {"RidgeCCA": "shrinkage", "PMDCCA": "l1_bound"}.get(self.name)
        kind = getattr(linear, self.name, None) or getattr(sparse, self.name)
        settings = {} if parameter is None else {parameter: self.penalty}
        self.means_ = X.mean(axis=0), y.mean(axis=0)
        self.model_ = kind(self.n_components, **settings)
        self.model_.fit([X - self.means_[0], y - self.means_[1]])
        return self

    def transform_pair(self, X, y):
        """Codes of both views."""
        return self.model_.transform([X - self.means_[0], y - self.means_[1]])

    def score(self, X, y):
        """Sum of the correlations of the codes, for cross-validation."""
        return pearson_sum(*self.transform_pair(X, y))


class Procrustes(BaseEstimator):
    """Principal components of each view, those of y turned onto those of x."""

    reconstructs = ""

    def __init__(self, n_components):
        self.n_components = n_components

    def fit(self, X, y):
        """Learn from both views."""
        self.pca_ = [PCA(self.n_components, random_state=0).fit(v) for v in (X, y)]
        x_codes, y_codes = self._components(X, y)
        self.turn_, _ = orthogonal_procrustes(y_codes, x_codes)
        return self

    def transform_pair(self, X, y):
        """Codes of both views."""
        x_codes, y_codes = self._components(X, y)
        return x_codes, y_codes @ self.turn_

    def _components(self, X, y):
        pairs = zip(self.pca_, (X, y), strict=True)
        return [pca.transform(view) for pca, view in pairs]


class SingleView(BaseEstimator):
    """The columns themselves: what can be told without a common space."""

    common = False

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def transform_pair(self, X, y):
        """Both views as they are."""
        return np.asarray(X), np.asarray(y)
