"""Base of the classifiers that embed samples and classes in one space."""

import warnings
from abc import ABCMeta, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skcrl._documentation import Documented
from skcrl._labels import class_numbers
from skcrl._moments import project
from skcrl._nearest_class import NearestClassMixin, learned_classes
from skcrl._validation import (
    check_loaded,
    check_loaded_integers,
    check_view,
    check_weights,
)
from skcrl._views import check_paired
from skcrl._views._pairs import check_beside
from skcrl.exceptions import DegenerateFitWarning
from skcrl.labels._margins import scores
from skcrl.persistence._saved import Saved

# If all entries of the codes of classes are smaller, the penalties have driven them to
# 0. This is for margin 1; codes grow with the square root of the margin.
_LEAST = 0.05


class BaseLabelEmbedding(
    NearestClassMixin, Documented, Saved, BaseEstimator, metaclass=ABCMeta
):
    """A linear map of samples, and a code for each class, compared in one space.

    A final class has a parameter `metric`. In ``fit`` it calls `_checked`, which sets
    `classes_`, and `_keep`, which sets `coef_`, `mean_` and `label_embeddings_`.
    """

    # Attributes that `check_view` reads from an estimator.
    _accepts_sparse = False
    _accepts_tensors = False
    _accepts_dask = False
    _integers: dict[str, bool] = {}  # noqa: RUF012

    def _takes_any_shape(self, side):
        return False

    def _keeps_integers(self, side):
        return False

    @abstractmethod
    def fit(self, X, y, sample_weight=None):
        """Learn the map of samples and the codes of classes."""

    def _scores(self, X):
        codes = self._codes(X)
        of_classes = scores(codes, self.label_embeddings_, self.metric)
        if self.metric == "euclidean":
            of_classes -= np.einsum("ij,ij->i", codes, codes)[:, None]
        return of_classes

    def _codes(self, X):
        check_is_fitted(self)
        X = check_view(self, X, "x")
        return project(X, self.mean_, self.coef_.T)

    def _checked(self, X, y, sample_weight):
        """Samples, numbers of their classes, and weights; learns `classes_`."""
        self._require_labels(y)
        check_paired(X, y)
        check_beside(X, sample_weight, "sample_weight")
        X = check_view(self, X, "x", reset=True)
        y = self._labels(y)
        X, y, weights, _ = check_weights(X, y, sample_weight)
        self.classes_ = learned_classes(y, self)
        own = class_numbers(y, self.classes_, "y")
        weights = np.ones(len(X)) if weights is None else weights
        return X.astype(np.float64, copy=False), own, weights

    def _check_n_components(self):
        """Dimension of the space, at most n_classes - 1."""
        bound = len(self.classes_) - 1
        if self.n_components is None:
            is_cosine = self.metric == "cosine"
            return bound if is_cosine else min(bound, self.n_features_in_)
        if self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, the number of classes minus "
                f"one. Got {self.n_components} instead. Reduce `n_components`."
            )
        return self.n_components

    def _keep(self, axes, Q, U, margin):
        """Take what was learned as the fitted state."""
        if not len(axes.scale):
            warnings.warn(
                "X is constant, so all samples get the same code and the same class. "
                "Pass samples that differ.",
                DegenerateFitWarning,
                stacklevel=4,
            )
        self.mean_, self.coef_ = axes.mean, axes.weights_of(Q)
        self.label_embeddings_ = U
        least = _LEAST * np.sqrt(margin)
        if self.metric == "euclidean" and len(axes.scale) and abs(U).max() < least:
            warnings.warn(
                "The codes of all classes are almost 0, so the classes can hardly be "
                f"distinguished. Lower label_reg={self.label_reg} or reg={self.reg}.",
                DegenerateFitWarning,
                stacklevel=4,
            )
        self.n_components_ = len(Q)

    def _warn_unless(self, converged):
        if not converged:
            warnings.warn(
                f"Training of {type(self).__name__} did not converge in max_iter="
                f"{self.max_iter} iterations. Raise max_iter, reg or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _fitted_arrays(self):
        """Fitted arrays by name, each with the shape that it must have."""
        n, k, p = len(self.classes_), self.n_components_, self.n_features_in_
        return {
            "mean_": (self.mean_, (p,)),
            "coef_": (self.coef_, (k, p)),
            "label_embeddings_": (self.label_embeddings_, (n, k)),
        }

    def _check_loaded(self):
        """Raise ValueError if the fitted state from a file is not valid."""
        if not hasattr(self, "classes_"):
            return  # it is not fitted
        self._check_classes(len(self.label_embeddings_))
        check_loaded_integers(self._integers)
        check_loaded(self._fitted_arrays())
