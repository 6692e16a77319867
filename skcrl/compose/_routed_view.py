"""Two-view representation as a step of a Pipeline that predicts labels."""

from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import _num_samples, check_is_fitted

from skcrl._documentation import Documented
from skcrl._typing import Rows, fit_context
from skcrl._validation import restored_on_error
from skcrl._views import check_paired
from skcrl.persistence._saved import Saved


class RoutedView(
    Documented,
    Saved,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Two-view representation for a Pipeline, with the second view as metadata.

    In a Pipeline `y` holds the labels. So the second view is passed as `second_view`,
    which scikit-learn's metadata routing divides into folds. The steps that follow
    learn from codes of `X`, which ``fit_transform`` returns, and predict from codes of
    `second_view`, which ``transform`` returns. To learn from the second view and
    predict from the first, swap the two.

    :class:`~skcrl.CrossViewClassifier` does the same with every scorer and without
    metadata routing. Prefer it unless you need a Pipeline.

    Parameters
    ----------
    representation : two-view estimator
        Two-view estimator, such as :class:`~skcrl.LinearCCA`. It is cloned.

    Attributes
    ----------
    representation_ : two-view estimator
        The fitted representation.
    needs_second_view_ : bool
        Whether a `second_view` was passed to ``fit``; ``transform`` then requires one
        too.
    n_features_in_ : int
        Width of `X`.
    feature_names_in_ : ndarray of str
        Column names of `X`, if it was a data frame.

    Notes
    -----
    Scorers by name, such as ``scoring="accuracy"``, and ``cross_val_predict`` call
    ``predict`` without metadata. They would then score codes of `X` instead of codes of
    the second view, so ``transform`` raises a ValueError. The default scorer,
    ``scoring=None``, calls ``score`` of the Pipeline, which passes the metadata on.

    ``fit`` and ``transform`` request `second_view` by default. If it is missing in
    ``fit``, although metadata routing is enabled or the request was set by
    ``set_fit_request``, a ValueError is raised, so that labels are never taken for the
    second view. Without metadata routing RoutedView works as the representation itself,
    and `y` is the second view, as everywhere in skcrl.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from skcrl import LinearCCA, RoutedView
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, labels = load_digits_halves()
    >>> transfer = make_pipeline(RoutedView(LinearCCA(10)), LinearSVC())
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     scores = cross_val_score(
    ...         transfer, left, labels, cv=5, params={"second_view": right}
    ...     )
    >>> scores.mean().round(1)  # chance is 0.1
    np.float64(0.7)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "representation": [HasMethods(["fit", "transform", "transform_y"])],
    }

    __metadata_request__fit = {"second_view": True}  # noqa: RUF012
    __metadata_request__transform = {"second_view": True}  # noqa: RUF012

    def __init__(self, representation: BaseEstimator):
        self.representation = representation

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Rows,
        y: Any = None,
        *,
        second_view: Rows | None = None,
        **params: Any,
    ) -> Self:
        """Fit the representation to both views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First view.
        y : array-like of n_samples rows or None, default=None
            The second view if there is no `second_view`; otherwise ignored.
        second_view : array-like of n_samples rows or None, default=None
            Second view, paired with `X`.
        **params : dict
            Parameters such as `sample_weight` for ``fit`` of the representation, if it
            requested them by ``set_fit_request``. They can be passed only with metadata
            routing enabled.

        Returns
        -------
        self : RoutedView
            Fitted estimator.

        Raises
        ------
        ValueError
            If metadata routing should have passed a `second_view` and did not, or if
            the views are not valid input. After this and any other error, the estimator
            is as it was before.
        """
        _raise_for_params(params, self, "fit")
        with restored_on_error(self):
            if second_view is None and self._awaits_second_view():
                raise ValueError(
                    "RoutedView requests second_view, but fit got none, and labels "
                    "cannot replace it: pass it, as in fit(X, labels, second_view=Y) "
                    "or cross_val_score(..., params={'second_view': Y})."
                )
            self.needs_second_view_ = second_view is not None
            if self.needs_second_view_:
                _require_paired(X, second_view)
                y = second_view
            routed = process_routing(self, "fit", **params)
            self.representation_ = clone(self.representation).fit(
                X, y, **routed.representation.fit
            )
        return self

    def fit_transform(
        self,
        X: Rows,
        y: Any = None,
        *,
        second_view: Rows | None = None,
        **params: Any,
    ) -> np.ndarray:
        """Fit to both views, and return codes of the first.

        Parameters
        ----------
        X, y, second_view : array-like of n_samples rows
            As in ``fit``.
        **params : dict
            As in ``fit``.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes of `X`, from which the following steps learn.
        """
        self.fit(X, y, second_view=second_view, **params)
        routed = process_routing(self, "fit_transform", **params)
        return self.representation_.transform(X, **routed.representation.transform)

    def transform(
        self, X: Rows | None, second_view: Rows | None = None, **params: Any
    ) -> np.ndarray:
        """Encode the second view, or `X` if there was no `second_view` in ``fit``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or None
            First view. If there is a `second_view`, only its number of rows is used,
            and it may be None.
        second_view : array-like of n_samples rows or None, default=None
            Second view.
        **params : dict
            Parameters such as `covariates` for ``transform`` of the representation, if
            it requested them. They can be passed only with metadata routing enabled.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes to predict from.

        Raises
        ------
        ValueError
            If there is no `second_view`, although there was one in ``fit``.
        """
        _raise_for_params(params, self, "transform")
        check_is_fitted(self)
        beside = process_routing(self, "transform", **params).representation.transform
        if second_view is not None:
            if X is not None:
                _require_paired(X, second_view)
            return self.representation_.transform_y(second_view, **beside)
        if self.needs_second_view_:
            raise ValueError(
                "RoutedView was fitted to predict from the second view, but transform "
                "got no second_view. Scorers by name, such as scoring='accuracy', and "
                "cross_val_predict pass none: use scoring=None, or use "
                "CrossViewClassifier with a TwoView, which works with all of them. To "
                "get codes of X, call representation_.transform(X)."
            )
        return self.representation_.transform(X, **beside)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` and ``transform`` pass parameters to RoutedView itself and to the
            same method of the representation.
        """
        for_representation = MethodMapping()
        for method in ("fit", "transform"):
            for_representation.add(caller=method, callee=method)
            for_representation.add(caller="fit_transform", callee=method)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(representation=self.representation, method_mapping=for_representation)
        )

    def _awaits_second_view(self):
        """Whether metadata routing should have passed a second view to ``fit``."""
        request = super().get_metadata_routing().fit.requests["second_view"]
        # set_fit_request sets this attribute, also in clones and without routing.
        was_set = hasattr(self, "_metadata_request")
        return request not in (False, None) and (was_set or _routing_enabled())

    @property
    def n_features_in_(self):
        """Width of `X`."""
        return self.representation_.n_features_in_

    @property
    def feature_names_in_(self):
        """Column names of `X`, if it was a data frame."""
        return self.representation_.feature_names_in_

    @property
    def _n_features_out(self):
        return self.representation_.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_representation = get_tags(self.representation)
        tags.input_tags = of_representation.input_tags
        tags.target_tags = of_representation.target_tags
        tags.transformer_tags = of_representation.transformer_tags
        return tags


def _require_paired(X, second_view):
    n_samples, n_rows = _num_samples(X), _num_samples(second_view)
    if n_samples != n_rows:
        raise ValueError(
            f"second_view has {n_rows} rows, but X has {n_samples}: rows must be "
            "paired. scikit-learn divides metadata into folds only if they have as "
            "many rows as X."
        )
    check_paired(X, second_view, names=("X", "second_view"))
