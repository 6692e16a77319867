"""Train a classifier on one view, use it on the other."""

from numbers import Integral

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.model_selection import KFold, check_cv
from sklearn.svm import LinearSVC
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from skcrl._validation import restored_on_error
from skcrl.compose import TwoView
from skcrl.persistence._saved import Saved

__all__ = ["CrossViewClassifier", "transfer_score"]


class CrossViewClassifier(Saved, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier trained on the codes of one view and used on those of the other.

    ``fit`` learns the representation from both views without the labels, then the
    classifier from the codes of `fit_view`; ``predict`` encodes `predict_view`. In
    ``cross_val_score`` and ``GridSearchCV`` both are learned from the training fold.

    Parameters
    ----------
    representation : two-view estimator
        Such as :class:`~skcrl.LinearCCA`. Cloned.
    classifier : classifier
        Such as ``sklearn.svm.LinearSVC``. Cloned.
    fit_view : {"x", "y"}, default="x"
        View whose codes the classifier learns from.
    predict_view : {"x", "y"}, default="y"
        View whose codes it predicts from; the same as `fit_view` gives the baseline
        within one view.
    x_columns, y_columns : slice, list of int, list of str or None, default=None
        Columns of either view where `X` is one array or data frame of both. With
        None, `X` must be a :class:`~skcrl.TwoView`.

    Attributes
    ----------
    representation_ : two-view estimator
        The fitted representation.
    classifier_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    n_features_in_ : int
        Width of `X`, unless it was a TwoView.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    See Also
    --------
    transfer_score : The papers' protocol, on a representation that is fitted already.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.svm import LinearSVC
    >>> from skcrl import CrossViewClassifier, LinearCCA, TwoView
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> transfer = CrossViewClassifier(LinearCCA(10), LinearSVC())
    >>> scores = cross_val_score(transfer, TwoView(left, right), labels, cv=5)
    >>> scores.mean().round(1)  # chance is 0.1
    np.float64(0.7)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "representation": [HasMethods(["fit", "transform", "transform_y"])],
        "classifier": [HasMethods(["fit", "predict"])],
        "fit_view": [StrOptions({"x", "y"})],
        "predict_view": [StrOptions({"x", "y"})],
        "x_columns": [slice, "array-like", None],
        "y_columns": [slice, "array-like", None],
    }

    def __init__(
        self,
        representation,
        classifier,
        *,
        fit_view="x",
        predict_view="y",
        x_columns=None,
        y_columns=None,
    ):
        self.representation = representation
        self.classifier = classifier
        self.fit_view = fit_view
        self.predict_view = predict_view
        self.x_columns = x_columns
        self.y_columns = y_columns

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Fit the representation to both views, the classifier to one.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            Both views.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : CrossViewClassifier
            Fitted estimator.

        Raises
        ------
        ValueError
            If a view is missing, or the views or labels are no valid input. The
            estimator is then as it was before.
        """
        with restored_on_error(self):
            if y is None:
                raise ValueError(
                    "CrossViewClassifier requires y to be passed, "
                    "but the target y is None: y are the labels."
                )
            views = self._views(X, reset=True)
            labels = check_array(y, ensure_2d=False, dtype=None, input_name="y")
            labels = column_or_1d(labels, warn=True)
            check_classification_targets(labels)
            check_consistent_length(views, labels)
            representation = clone(self.representation)
            representation.fit(_side(views, "x"), _side(views, "y"))
            codes = _encode(representation, views, self.fit_view)
            self.classifier_ = clone(self.classifier).fit(codes, labels)
            self.representation_ = representation
            self.classes_ = self.classifier_.classes_
        return self

    def predict(self, X):
        """Predict labels from `predict_view`.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            Of a TwoView only `predict_view` need be there.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Predicted labels.
        """
        check_is_fitted(self)
        views = self._views(X, reset=False)
        codes = _encode(self.representation_, views, self.predict_view)
        return self.classifier_.predict(codes)

    def _views(self, X, reset):
        if isinstance(X, TwoView):
            if reset:
                self.__dict__.pop("n_features_in_", None)
                self.__dict__.pop("feature_names_in_", None)
            return X
        is_frame = hasattr(X, "columns")
        X = validate_data(self, X, reset=reset, dtype=None, skip_check_array=is_frame)
        if self.x_columns is None or self.y_columns is None:
            raise ValueError(
                "X holds both views in one array: name the columns of each by "
                "x_columns and y_columns, or pass a TwoView."
            )
        x, y = (
            _safe_indexing(X, columns, axis=1)
            for columns in (self.x_columns, self.y_columns)
        )
        for name, view in (("x_columns", x), ("y_columns", y)):
            if view.shape[1] == 0:
                raise ValueError(
                    f"{name}={getattr(self, name)} selects 0 feature(s) of X with "
                    f"n_features = {X.shape[1]}."
                )
        return TwoView(x, y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def transfer_score(
    representation,
    X,
    y,
    labels,
    *,
    fit_view="x",
    predict_view="y",
    classifier=None,
    cv=5,
):
    """Accuracy of a classifier trained on one view's codes and tested on the other's.

    The protocol of CorrNet [1]_: the representation is fixed, its codes of
    held-out samples are divided into contiguous folds, and for each fold a
    classifier learns from the codes of `fit_view` in the other folds.

    Parameters
    ----------
    representation : two-view estimator
        Fitted, on other samples than these.
    X : array-like of shape (n_samples, n_features_x)
        First view.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    labels : array-like of shape (n_samples,)
        Classes.
    fit_view : {"x", "y"}, default="x"
        View whose codes the classifier learns from.
    predict_view : {"x", "y"}, default="y"
        View whose codes it is tested on.
    classifier : classifier or None, default=None
        None stands for ``LinearSVC(random_state=0)``.
    cv : int, splitter or iterable, default=5
        An integer is a number of contiguous folds.

    Returns
    -------
    accuracies : ndarray of shape (n_folds,)
        Accuracy on each fold.

    Raises
    ------
    ValueError
        If a view is named other than "x" or "y", or rows are not paired.

    References
    ----------
    .. [1] Chandar, Khapra, Larochelle and Ravindran (2016). Correlational neural
       networks. Neural Computation 28(2).

    Examples
    --------
    >>> from skcrl import LinearCCA, transfer_score
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> cca = LinearCCA(10).fit(left[:900], right[:900])
    >>> scores = transfer_score(cca, left[900:], right[900:], labels[900:])
    >>> scores.shape
    (5,)
    """
    for name, view in (("fit_view", fit_view), ("predict_view", predict_view)):
        if view not in ("x", "y"):
            raise ValueError(f"{name} must be 'x' or 'y', got {view!r}.")
    views = TwoView(X, y)
    check_consistent_length(views, labels)
    labels = column_or_1d(labels)
    train_codes = np.asarray(_encode(representation, views, fit_view))
    test_codes = np.asarray(_encode(representation, views, predict_view))
    classifier = LinearSVC(random_state=0) if classifier is None else classifier
    folds = KFold(cv) if isinstance(cv, Integral) else check_cv(cv)
    return np.array(
        [
            clone(classifier)
            .fit(train_codes[train], labels[train])
            .score(test_codes[test], labels[test])
            for train, test in folds.split(train_codes, labels)
        ]
    )


def _encode(representation, views, side):
    view = _side(views, side)
    if side == "x":
        return representation.transform(view)
    return representation.transform_y(view)


def _side(views, side):
    view = getattr(views, side)
    if view is None:
        raise ValueError(f"The TwoView holds no {side}, which is needed here.")
    return view
