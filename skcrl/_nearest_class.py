"""Shared methods of classifiers that predict the class with the nearest code."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted

from skcrl._labels import check_classes_of_rows, check_labels, class_numbers
from skcrl._typing import Rows

# Margin for each metric, if the user sets none.
MARGINS = {"euclidean": 1.0, "cosine": 0.5}


class NearestClassMixin(
    ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
):
    """Base of classifiers with codes of samples and of classes in one space.

    A final class has `classes_`, `n_components_` and `label_embeddings_`, and
    implements two methods. `_codes` computes the codes of samples, and `_scores`
    computes how near each class is to each sample.
    """

    # There is only one view, so errors do not mention a second view.
    _of_one_view = True

    classes_: np.ndarray
    n_components_: int

    def _codes(self, X):
        """Codes (n, n_components_) of samples."""
        raise NotImplementedError

    def _scores(self, X):
        """Nearness (n, n_classes) of classes to samples."""
        raise NotImplementedError

    def _labels(self, y):
        """Labels (n,) of samples."""
        return check_classes_of_rows(y)

    def _require_labels(self, y):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None: y holds the labels."
            )

    def transform(self, X: Rows) -> np.ndarray:
        """Compute codes of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes. They are float32 if `X` is float32, or if it holds integers that your
            own encoder looks up. Otherwise they are float64.

        Raises
        ------
        ValueError
            If `X` is not valid, or has another number of features than in ``fit``.
        NotFittedError
            If the classifier is not fitted.
        """
        return self._codes(X)

    def transform_y(self, y: ArrayLike) -> np.ndarray:
        """Compute codes of labels, in the space of the codes of samples.

        With them, :class:`~skcrl.CrossViewRetriever` can find samples by a label.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels of classes that ``fit`` learned.

        Returns
        -------
        U : ndarray of shape (n_samples, n_components)
            Codes, which are rows of `label_embeddings_`.

        Raises
        ------
        ValueError
            If a label is not a class that ``fit`` learned.
        """
        check_is_fitted(self)
        numbers = class_numbers(self._labels(y), self.classes_, "y")
        codes = self.label_embeddings_[numbers]
        return _wrap_data_with_container("transform", codes, y, self)

    def decision_function(self, X: Rows) -> np.ndarray:
        """Compute how near each class is to each sample; higher is nearer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Negative squared Euclidean distances of the codes, or their cosines, with
            classes in the order of `classes_`. If there are only two classes, the
            result is the score of the second class minus that of the first.

        Raises
        ------
        ValueError
            If `X` is not valid, or has another number of features than in ``fit``.
        NotFittedError
            If the classifier is not fitted.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Rows) -> np.ndarray:
        """Predict the class whose code is nearest to the code of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Classes.

        Raises
        ------
        ValueError
            If `X` is not valid, or has another number of features than in ``fit``.
        NotFittedError
            If the classifier is not fitted.
        """
        nearest = self._scores(X).argmax(axis=1)
        return self.classes_[nearest]

    def predict_top_k(self, X: Rows, k: int | None = None) -> np.ndarray:
        """Find the k classes that are nearest to each sample, the nearest first.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        k : int or None, default=None
            Number of classes, from 1 to all. None means 5, or all classes if there are
            fewer.

        Returns
        -------
        labels : ndarray of shape (n_samples, k)
            Classes. If several are equally near, they are in the order of `classes_`.
            :func:`skcrl.metrics.hit_at_k` measures how often the right class is among
            them.

        Raises
        ------
        ValueError
            If `k` is out of range.
        """
        check_is_fitted(self)
        n_classes = len(self.classes_)
        k = min(5, n_classes) if k is None else k
        is_integer = isinstance(k, Integral) and not isinstance(k, bool)
        if not is_integer or not 1 <= k <= n_classes:
            raise ValueError(
                f"k must be an integer from 1 to {n_classes}, the number of classes, "
                f"got {k!r}."
            )
        order = np.argsort(-self._scores(X), axis=1, kind="stable")
        return self.classes_[order[:, :k]]

    def _check_classes(self, n_classes):
        """Raise ValueError unless `classes_` are `n_classes` sorted labels."""
        classes = check_labels(self.classes_, "its classes_")
        are_sorted = np.array_equal(classes, np.unique(classes))
        if classes.shape != (n_classes,) or not are_sorted:
            raise ValueError(f"its classes_ are not {n_classes} labels in order")

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def learned_classes(labels, estimator):
    """Classes of the labels, sorted; there must be at least two."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} can't train when only one class is present: "
            f"all labels are {classes.tolist()[0]!r}."
        )
    return classes
