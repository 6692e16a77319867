"""Codes of two views that are the probabilities of classes."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_consistent_length,
    check_is_fitted,
)

from skcrl._arrays import untensored
from skcrl._classifiers import learned, require_classifier
from skcrl._documentation import Documented
from skcrl._labels import check_classes_of_rows
from skcrl._typing import Rows, fit_context
from skcrl._validation import restored_on_error
from skcrl.compose import TwoView
from skcrl.compose._two_view import views_of_table
from skcrl.metrics import mean_average_precision
from skcrl.persistence._saved import Saved

__all__ = ["SemanticMatching"]

_COLUMNS = [str, Integral, slice, "array-like", None]
_CLASSIFIER = [HasMethods(["fit"]), None]
# What is learned about the first view, or about a table of both views.
_OF_X = ("n_features_in_", "feature_names_in_")


class SemanticMatching(
    Documented, Saved, MetaEstimatorMixin, TransformerMixin, BaseEstimator
):
    """Two-view estimator whose codes are the probabilities of classes.

    Use it to search across views when samples have class labels, and when all samples
    of the same class count as found. ``fit`` learns one classifier for each view. The
    code of a sample is the vector of class probabilities that the classifier of its
    view predicts. So codes of both views lie in one space, which is the same for any
    two views.

    The classifiers learn from the codes of a two-view estimator, which is fitted
    without the labels ("semantic correlation matching" in [1]_), or from the views
    themselves ("semantic matching").

    Parameters
    ----------
    representation : two-view estimator or None, default=None
        Two-view estimator, such as :class:`~skcrl.LinearCCA`, whose codes the
        classifiers learn from. It is cloned. With None the classifiers learn from the
        views themselves.
    x_classifier, y_classifier : classifier or None, default=None
        Classifiers with ``predict_proba``, one for each view or for its codes. They are
        cloned. A Pipeline may prepare the view first. None means
        ``LogisticRegression(max_iter=1000)``, which needs features of similar scale.
    x_columns, y_columns : str, int, slice, list of str or int, or None, default=None
        Columns of each view if `X` is one table that holds both views, as in
        :class:`~skcrl.CrossViewClassifier`. If they are set, every `X` must be such a
        table.

    Attributes
    ----------
    representation_ : two-view estimator or None
        The fitted representation.
    x_classifier_, y_classifier_ : classifier
        The fitted classifiers.
    classes_ : ndarray of shape (n_classes,)
        Classes, in the order of the columns of the codes.
    n_components_ : int
        Number of classes.
    n_features_in_ : int
        Number of features of the first view, or of the table.
    feature_names_in_ : ndarray of str
        Column names of the first view or of the table, if it was a data frame.

    See Also
    --------
    skcrl.metrics.mean_average_precision : What ``score`` reports.
    CrossViewClassifier : Classifier that predicts from a view that it never saw.

    Notes
    -----
    ``CrossViewRetriever`` compares the probabilities by their cosine, as [1]_ does in
    its results. With this measure two samples whose class is uncertain in the same way
    are as near as two samples whose class is certain.

    In ``cross_val_score`` and ``GridSearchCV``, pass a :class:`~skcrl.TwoView` as `X`,
    the labels as `y`, and no scorer: ``score`` is the mean average precision.

    References
    ----------
    .. [1] Rasiwasia, Costa Pereira, Coviello, Doyle, Lanckriet, Levy and Vasconcelos
       (2010). A new approach to cross-modal multimedia retrieval. ACM Multimedia.

    Examples
    --------
    >>> from sklearn.frozen import FrozenEstimator
    >>> from skcrl import CrossViewRetriever, LinearCCA, SemanticMatching
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.metrics import get_scorer
    >>> left, right, digits = load_digits_halves()
    >>> train, test = slice(None, 1400), slice(1400, None)
    >>> new = {"X": left[test], "y": right[test], "classes": digits[test]}
    >>> precision = get_scorer("mean_average_precision")
    >>> cca = LinearCCA(20).fit(left[train], right[train])
    >>> round(precision(cca, **new), 2)
    0.38
    >>> matching = SemanticMatching(LinearCCA(20))
    >>> matching = matching.fit(left[train], right[train], digits[train])
    >>> round(precision(matching, **new), 2)
    0.68

    The codes can be searched:

    >>> retriever = CrossViewRetriever(FrozenEstimator(matching), n_neighbors=3)
    >>> retriever = retriever.fit(left[train], right[train])
    >>> found = retriever.fit_index(y=right[test]).search(left[1404:1405])
    >>> digits[1404], digits[test][found.ids[0]]
    (np.int64(5), array([5, 5, 5]))
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "representation": [HasMethods(["fit", "transform", "transform_y"]), None],
        "x_classifier": _CLASSIFIER,
        "y_classifier": _CLASSIFIER,
        "x_columns": _COLUMNS,
        "y_columns": _COLUMNS,
    }

    def __init__(
        self,
        representation: BaseEstimator | None = None,
        *,
        x_classifier: BaseEstimator | None = None,
        y_classifier: BaseEstimator | None = None,
        x_columns: str | int | slice | ArrayLike | None = None,
        y_columns: str | int | slice | ArrayLike | None = None,
    ):
        self.representation = representation
        self.x_classifier = x_classifier
        self.y_classifier = y_classifier
        self.x_columns = x_columns
        self.y_columns = y_columns

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows, labels: Rows | None = None) -> Self:
        """Fit the representation to both views, and a classifier to the codes of each.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view; or a :class:`~skcrl.TwoView` or a table that holds both views.
        y : array-like of n_samples rows
            Second view, paired with `X`; the labels if `X` holds both views.
        labels : array-like of shape (n_samples,) or None, default=None
            Classes; None if `X` holds both views.

        Returns
        -------
        self : SemanticMatching
            Fitted estimator.

        Raises
        ------
        ValueError
            If a view is missing, rows are not paired, labels are not classes, or a
            classifier is not a classifier or has no ``predict_proba``. After this and
            any other error, the estimator is as it was before.
        """
        with restored_on_error(self):
            for name in _OF_X:
                self.__dict__.pop(name, None)
            views, labels = self._given(X, y, labels, reset=True)
            self.representation_ = None
            if self.representation is not None:
                representation = clone(self.representation)
                self.representation_ = representation.fit(views.x, views.y)
            self.x_classifier_ = self._learned(views.x, "x", labels)
            self.y_classifier_ = self._learned(views.y, "y", labels)
            self.classes_ = self.x_classifier_.classes_
            self.n_components_ = len(self.classes_)
            if not self._takes_tables():
                self._note_columns()
        return self

    def transform(self, X: Rows) -> np.ndarray:
        """Predict the class probabilities from the first view.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view, or a TwoView or table that holds both views.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_classes)
            Class probabilities, in the order of `classes_`. Each row adds up to 1.
        """
        check_is_fitted(self)
        return self._probabilities(self._side(X, "x"), "x")

    def transform_y(self, y: Rows) -> np.ndarray:
        """Predict the class probabilities from the second view.

        Parameters
        ----------
        y : array-like of n_samples rows
            Second view, or a TwoView or table that holds both views.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_classes)
            Class probabilities, in the order of `classes_`. Each row adds up to 1.
        """
        check_is_fitted(self)
        codes = self._probabilities(self._side(y, "y"), "y")
        return _wrap_data_with_container("transform", codes, y, self)

    def transform_pair(self, X: Rows, y: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Predict the class probabilities from each of the two views.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view.
        y : array-like of n_samples rows
            Second view, paired with `X`.

        Returns
        -------
        Zx, Zy : ndarray of shape (n_samples, n_classes)
            ``transform(X)`` and ``transform_y(y)``.
        """
        TwoView(X, y)  # refuses views that are not paired
        return self.transform(X), self.transform_y(y)

    def score(self, X: Rows, y: Rows, labels: Rows | None = None) -> float:
        """Mean average precision of searching for samples of the same class.

        Each view is searched with the other as queries, and the mean over both
        directions is returned.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view of held-out samples, or a TwoView or table that holds both views.
        y : array-like of n_samples rows
            Second view, paired with `X`; the labels if `X` holds both views.
        labels : array-like of shape (n_samples,) or None, default=None
            Classes; None if `X` holds both views.

        Returns
        -------
        score : float
            At most 1, which is reached if for every query all samples of its class come
            first.
        """
        check_is_fitted(self)
        views, labels = self._given(X, y, labels, reset=False)
        codes = [self._probabilities(getattr(views, side), side) for side in "xy"]
        ways = [
            mean_average_precision(*pair, relevant=(labels, labels))
            for pair in (codes, codes[::-1])
        ]
        return float(np.mean(ways))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of the codes, such as "semanticmatching_cat".

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored, beyond checks.

        Returns
        -------
        names : ndarray of str of shape (n_classes,)
            The name of this estimator in lower case, and the class of the column.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        prefix = type(self).__name__.lower()
        names = [f"{prefix}_{label}" for label in self.classes_.tolist()]
        return np.array(names, dtype=object)

    def _given(self, X, y, labels, *, reset):
        """Both views, and the labels of the rows."""
        if X is None or y is None:
            name = "X" if X is None else "y"
            raise ValueError(
                f"SemanticMatching requires {name} to be passed, but the target {name} "
                "is None: pass both views and labels, or a TwoView and labels."
            )
        holds_both = isinstance(X, TwoView) or self._takes_tables()
        if holds_both and labels is not None:
            raise ValueError(
                "X holds both views, so y must be the labels, but labels were passed "
                "too: call fit(X, y) without labels."
            )
        if isinstance(X, TwoView):
            views, labels = X, y
        elif labels is None:
            if self.x_columns is None and self.y_columns is None:
                raise ValueError(
                    "No labels were passed: pass fit(X, y, labels), or pass a TwoView "
                    "of both views as X and the labels as y. If X is a table of both "
                    "views, set x_columns and y_columns."
                )
            views, labels = views_of_table(self, X, reset=reset), y
        else:
            views = TwoView(X, y)
        for side in "xy":
            _required(views, side)
        labels = check_classes_of_rows(labels)
        check_consistent_length(views, labels)
        return views, labels

    def _takes_tables(self):
        return self.x_columns is not None and self.y_columns is not None

    def _side(self, X, side):
        """One view, from what the user passes for it."""
        if isinstance(X, TwoView):
            return _required(X, side)
        if self._takes_tables():
            return getattr(views_of_table(self, X, reset=False), side)
        return X

    def _learned(self, view, side, labels):
        name = f"{side}_classifier"
        classifier = self._classifier(side)
        require_classifier(classifier, name)
        fitted = learned(classifier, self._codes(view, side), labels, name)
        if not hasattr(fitted, "predict_proba"):
            raise ValueError(
                f"{name} must have predict_proba, but {classifier!r} has none: put it "
                "into a CalibratedClassifierCV."
            )
        return fitted

    def _classifier(self, side):
        given = getattr(self, f"{side}_classifier")
        return LogisticRegression(max_iter=1000) if given is None else given

    def _codes(self, view, side):
        """The input of the classifier of a view."""
        if self.representation_ is None:
            return untensored(view)
        name = "transform" if side == "x" else "transform_y"
        return untensored(getattr(self.representation_, name)(view))

    def _probabilities(self, view, side):
        classifier = getattr(self, f"{side}_classifier_")
        return classifier.predict_proba(self._codes(view, side))

    def _note_columns(self):
        """Take over what the part that reads the first view has learned about it."""
        of_x = self.representation_
        if of_x is None:
            of_x = self.x_classifier_
        for name in _OF_X:
            if hasattr(of_x, name):
                setattr(self, name, getattr(of_x, name))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        of_views = self.representation
        if of_views is None:
            of_views = self._classifier("x")
        if hasattr(of_views, "__sklearn_tags__") and not isinstance(of_views, type):
            tags.input_tags.sparse = get_tags(of_views).input_tags.sparse
        return tags


def _required(views, side):
    view = getattr(views, side)
    if view is None:
        raise ValueError(
            f"The TwoView has no {side}, which is needed here: pass both views."
        )
    return view
