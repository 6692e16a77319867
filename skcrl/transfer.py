"""Train a classifier on one view, and use it on the other."""

import os
from numbers import Integral
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    clone,
)
from sklearn.model_selection import KFold, check_cv
from sklearn.svm import LinearSVC
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _estimator_has,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skcrl._arrays import untensored
from skcrl._classifiers import learned, require_classifier
from skcrl._documentation import Documented
from skcrl._labels import check_labels
from skcrl._typing import Rows, available_if, fit_context
from skcrl._validation import cached, restored_on_error
from skcrl.compose import TwoView
from skcrl.compose._two_view import views_of_table
from skcrl.persistence._saved import Saved

__all__ = ["CrossViewClassifier", "transfer_score"]

# Codes of one view, or joint codes of the views that are not missing.
_Codes: TypeAlias = Literal["x", "y", "joint"]
_CODES = ("x", "y", "joint")
_COLUMNS = [str, Integral, slice, "array-like", None]
# Methods that predict.
_PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def _has(method):
    """Check for `available_if` whether the classifier has `method`."""
    return _estimator_has(method, delegates=("classifier_", "classifier"))


class CrossViewClassifier(
    Documented, Saved, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Classifier that learns from codes of one view and predicts from the other.

    Use it to transfer labels from one view to the other. ``fit`` first fits the
    representation to both views, without the labels. Then it fits the classifier to the
    codes of `fit_view`. ``predict`` encodes `predict_view`. In ``cross_val_score`` and
    ``GridSearchCV`` both are fitted to the training fold.

    Both `fit_view` and `predict_view` may be "joint": the joint codes of both views by
    ``transform_joint``, which a representation also computes from one view alone. So a
    classifier that learned from both views can predict, row by row, from both views or
    from the one that is there.

    Parameters
    ----------
    representation : two-view estimator
        Two-view estimator, such as :class:`~skcrl.LinearCCA`. It is cloned.
    classifier : classifier
        Classifier, such as ``sklearn.svm.LinearSVC``. It is cloned.
    fit_view : {"x", "y", "joint"}, default="x"
        View whose codes the classifier learns from, or "joint" for the joint codes of
        both.
    predict_view : {"x", "y", "joint"}, default="y"
        View whose codes the classifier predicts from. The same view as `fit_view` gives
        the baseline within one view. With "joint" it predicts from the views that `X`
        holds, where a row of NaN is a missing view. Joint codes of one view may have
        another scale than the codes of that view: after ``fit_view="joint"``, use
        "joint" here too.
    x_columns, y_columns : str, int, slice, list of str or int, or None, default=None
        Columns of each view if `X` is one table that holds both views, as in
        :meth:`TwoView.from_columns`. A single name or position selects a
        one-dimensional column, such as texts. With None, `X` must be a
        :class:`~skcrl.TwoView`. A TwoView is always accepted, and these parameters are
        then ignored.
    memory : str, path, joblib.Memory or None, default=None
        Where to cache fitted representations, so that a search over the classifier and
        the views fits only one representation per fold and setting. Tensors are then
        converted to arrays. It does not help with estimators that hold torch modules of
        your own, which a cache cannot recognise.

    Attributes
    ----------
    representation_ : two-view estimator
        The fitted representation.
    classifier_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,) or list of them
        The classes, as the classifier stores them.
    n_features_in_ : int
        Number of features of `X`, unless it was a TwoView.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    See Also
    --------
    transfer_score : The protocol of the papers, with a fitted representation.
    RoutedView : The same inside a scikit-learn Pipeline, by metadata routing.

    Notes
    -----
    Samples may have several labels, one in each column of `y`, if the classifier
    supports this. For calibrated probabilities, use a CalibratedClassifierCV as the
    classifier; it calibrates on codes of `fit_view`.

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
        "classifier": [HasMethods(["fit"])],  # predict may be there after fit only
        "fit_view": [StrOptions(set(_CODES))],
        "predict_view": [StrOptions(set(_CODES))],
        "x_columns": _COLUMNS,
        "y_columns": _COLUMNS,
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
    }

    def __init__(
        self,
        representation: BaseEstimator,
        classifier: BaseEstimator,
        *,
        fit_view: _Codes = "x",
        predict_view: _Codes = "y",
        x_columns: str | int | slice | ArrayLike | None = None,
        y_columns: str | int | slice | ArrayLike | None = None,
        memory: Any = None,
    ):
        self.representation = representation
        self.classifier = classifier
        self.fit_view = fit_view
        self.predict_view = predict_view
        self.x_columns = x_columns
        self.y_columns = y_columns
        self.memory = memory

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: ArrayLike, **params: Any) -> Self:
        """Fit the representation to both views, and the classifier to its codes.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            Both views.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        **params : dict
            Parameters such as `sample_weight` for ``fit`` of the representation, of the
            classifier or of both, if they requested them by ``set_fit_request``; or
            `covariates` for ``transform`` of a representation that requested them. They
            can be passed only with scikit-learn's metadata routing enabled.

        Returns
        -------
        self : CrossViewClassifier
            Fitted estimator.

        Raises
        ------
        ValueError
            If a view is missing, the views or the labels are not valid input,
            `classifier` is not a classifier, or joint codes are requested from a
            representation that has none. After this and any other error, the estimator
            is as it was before.
        """
        _raise_for_params(params, self, "fit")
        with restored_on_error(self):
            require_classifier(self.classifier)
            for view in (self.fit_view, self.predict_view):
                _require_codes(self.representation, view)
            if y is None:
                raise ValueError(
                    "CrossViewClassifier requires y to be passed, "
                    "but the target y is None: pass the labels as y."
                )
            views = self._views(X, reset=True)
            labels = _check_labels(y)
            check_consistent_length(views, labels)
            routed = process_routing(self, "fit", **params)
            self.representation_ = cached(_fit, self.memory)(
                clone(self.representation),
                _side(views, "x"),
                _side(views, "y"),
                routed.representation.fit,
            )
            codes = _encode(
                self.representation_,
                views,
                self.fit_view,
                **routed.representation.transform,
            )
            self.classifier_ = learned(
                self.classifier, codes, labels, **routed.classifier.fit
            )
            self.classes_ = self.classifier_.classes_
        return self

    def predict(self, X: Rows, **params: Any) -> np.ndarray:
        """Predict labels from `predict_view`.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            Views to predict from. A TwoView needs to hold only `predict_view`, or any
            of the two views for "joint".
        **params : dict
            Parameters for ``transform`` of the representation, such as `covariates`, if
            it requested them. They can be passed only with metadata routing enabled.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted labels.
        """
        codes = self._routed_codes(X, "predict", params)
        return self.classifier_.predict(codes)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Rows, **params: Any) -> np.ndarray:
        """Predict the class probabilities, if the classifier can.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            As in ``predict``.
        **params : dict
            As in ``predict``.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes) or list of them
            As the classifier returns them, in the order of `classes_`.
        """
        codes = self._routed_codes(X, "predict_proba", params)
        return self.classifier_.predict_proba(codes)

    @available_if(_has("predict_log_proba"))
    def predict_log_proba(self, X: Rows, **params: Any) -> np.ndarray:
        """Predict the logarithms of the class probabilities, if the classifier can.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            As in ``predict``.
        **params : dict
            As in ``predict``.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes) or list of them
            As the classifier returns them, in the order of `classes_`.
        """
        codes = self._routed_codes(X, "predict_log_proba", params)
        return self.classifier_.predict_log_proba(codes)

    @available_if(_has("decision_function"))
    def decision_function(self, X: Rows, **params: Any) -> np.ndarray:
        """Decision values for each class, if the classifier has them.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            As in ``predict``.
        **params : dict
            As in ``predict``.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            As the classifier returns them; one-dimensional for two classes.
        """
        codes = self._routed_codes(X, "decision_function", params)
        return self.classifier_.decision_function(codes)

    def score(self, X: Rows, y: ArrayLike, **params: Any) -> float:
        """Score of the classifier on codes of `predict_view`, usually the accuracy.

        Parameters
        ----------
        X : TwoView or array-like of shape (n_samples, n_features)
            As in ``predict``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.
        **params : dict
            Parameters for ``score`` of the classifier, such as `sample_weight`. With
            metadata routing enabled: the parameters that ``score`` of the classifier
            and ``transform`` of the representation requested.

        Returns
        -------
        score : float
            Higher is better.
        """
        check_is_fitted(self)
        for_codes: dict = {}
        if _routing_enabled():
            routed = process_routing(self, "score", **params)
            params = routed.classifier.score
            for_codes = routed.representation.transform
        codes = self._codes_to_predict_from(X, for_codes)
        if not sparse.issparse(y):
            y = check_labels(y, "y")
        return self.classifier_.score(codes, y, **params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` passes parameters to ``fit`` of the representation and of the
            classifier, ``score`` passes them to ``score`` of the classifier, and all
            methods pass them to ``transform`` of the representation.
        """
        for_representation = MethodMapping().add(caller="fit", callee="fit")
        for method in ("fit", "score", *_PREDICTIONS):
            for_representation.add(caller=method, callee="transform")
        for_classifier = MethodMapping().add(caller="fit", callee="fit")
        for_classifier.add(caller="score", callee="score")
        return (
            MetadataRouter(owner=self)
            .add(representation=self.representation, method_mapping=for_representation)
            .add(classifier=self.classifier, method_mapping=for_classifier)
        )

    def _routed_codes(self, X, method, params):
        """Codes to predict from, with the metadata that the representation requests."""
        _raise_for_params(params, self, method)
        check_is_fitted(self)
        routed = process_routing(self, method, **params)
        return self._codes_to_predict_from(X, routed.representation.transform)

    def _codes_to_predict_from(self, X, params):
        views = self._views(X, reset=False)
        return _encode(self.representation_, views, self.predict_view, **params)

    def _views(self, X, reset):
        views = self._two_view(X, reset)
        if self.memory is None:
            return views
        # A cache identifies tensors by their addresses, and would not recognise them.
        return TwoView(untensored(views.x), untensored(views.y))

    def _two_view(self, X, reset):
        if isinstance(X, TwoView):
            if reset:
                self.__dict__.pop("n_features_in_", None)
                self.__dict__.pop("feature_names_in_", None)
            return X
        return views_of_table(self, X, reset=reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        no_instance = isinstance(self.classifier, type)
        if no_instance or not hasattr(self.classifier, "__sklearn_tags__"):
            return tags  # fit will raise the error that it is not a classifier
        of_classifier = get_tags(self.classifier)
        tags.classifier_tags = of_classifier.classifier_tags
        tags.target_tags = of_classifier.target_tags
        tags.target_tags.required = True
        of_representation = get_tags(self.representation).input_tags
        tags.input_tags.sparse = of_representation.sparse
        tags.input_tags.allow_nan = of_representation.allow_nan
        return tags


def transfer_score(
    representation: BaseEstimator,
    X: Rows,
    y: Rows,
    labels: Rows,
    *,
    fit_view: _Codes = "x",
    predict_view: _Codes = "y",
    classifier: BaseEstimator | None = None,
    cv: Any = 5,
) -> np.ndarray:
    """Accuracy of a classifier trained on codes of one view and tested on the other.

    This is the protocol of CorrNet [1]_. The representation is already fitted, on other
    samples. Its codes of the given samples are divided into contiguous folds. For each
    fold, a classifier learns from the codes of `fit_view` in the other folds, and is
    tested on the codes of `predict_view` in this fold.

    Parameters
    ----------
    representation : two-view estimator
        Two-view estimator, fitted to other samples than these.
    X : array-like of shape (n_samples, n_features_x)
        First view.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    labels : array-like of shape (n_samples,)
        Classes.
    fit_view : {"x", "y", "joint"}, default="x"
        View whose codes the classifier learns from, or "joint" for the joint codes of
        both.
    predict_view : {"x", "y", "joint"}, default="y"
        View whose codes the classifier is tested on, or "joint".
    classifier : classifier or None, default=None
        Classifier to train. None means ``LinearSVC(random_state=0)``.
    cv : int, splitter or iterable, default=5
        How to split the samples. An integer is a number of contiguous folds.

    Returns
    -------
    accuracies : ndarray of shape (n_folds,)
        Accuracy on each fold.

    Raises
    ------
    ValueError
        If `fit_view` or `predict_view` is not "x", "y" or "joint", rows are not paired,
        labels are not classes, or `classifier` is not a classifier.

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
        if view not in _CODES:
            raise ValueError(f"{name} must be 'x', 'y' or 'joint', got {view!r}.")
        _require_codes(representation, view)
    classifier = LinearSVC(random_state=0) if classifier is None else classifier
    require_classifier(classifier)
    views = TwoView(X, y)
    check_consistent_length(views, labels)
    labels = column_or_1d(check_labels(labels, "labels"))
    check_classification_targets(labels)
    train_codes = np.asarray(_encode(representation, views, fit_view))
    test_codes = np.asarray(_encode(representation, views, predict_view))
    folds = KFold(cv) if isinstance(cv, Integral) else check_cv(cv)
    return np.array(
        [
            learned(classifier, train_codes[train], labels[train]).score(
                test_codes[test], labels[test]
            )
            for train, test in folds.split(train_codes, labels)
        ]
    )


def _fit(representation, X, y, params):
    return representation.fit(X, y, **params)


def _check_labels(y):
    """Labels of shape (n_samples,), or (n_samples, n_outputs) for several outputs."""
    labels = check_array(
        y if sparse.issparse(y) else check_labels(y, "y"),
        ensure_2d=False,
        dtype=None,
        accept_sparse="csr",
        input_name="y",
    )
    if labels.ndim == 1 or labels.shape[1] == 1:
        labels = column_or_1d(labels, warn=True)
    check_classification_targets(labels)
    return labels


def _require_codes(representation, view):
    if view == "joint" and not hasattr(representation, "transform_joint"):
        raise ValueError(
            f"'joint' needs joint codes of both views, but {representation!r} has no "
            "transform_joint: choose 'x' or 'y'."
        )


def _encode(representation, views, side, **params):
    if side == "joint":
        return untensored(representation.transform_joint(views.x, views.y, **params))
    view = _side(views, side)
    encode = representation.transform if side == "x" else representation.transform_y
    return untensored(encode(view, **params))  # classifiers take arrays


def _side(views, side):
    view = getattr(views, side)
    if view is None:
        raise ValueError(
            f"The TwoView has no {side}, which is needed here: pass both views."
        )
    return view
