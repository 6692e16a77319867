"""Base classes of two-view estimators that wrap another two-view estimator."""

from copy import copy
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from skcrl._common_individual import CommonIndividual, Parts
from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer

# What is learned about each view, from the estimator or the table before the steps.
LEARNED = ("n_features_in_", "feature_names_in_")


def estimator_has(name):
    """Check for `available_if` whether the estimator has an attribute."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


class TakesTheSame(TwoViewTransformer):
    """Base of two-view estimators that take the same views as their `estimator`."""

    estimator: Any

    def _learn_shapes(self, fitted):
        """Learn the widths and names of the views from a fitted clone."""
        self._y_is_1d = False  # the clone takes care of this
        for name in (prefix + name for prefix in ("", "y_") for name in LEARNED):
            self.__dict__.pop(name, None)
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))

    @property
    def _accepts_sparse(self):  # type: ignore[override]
        return get_tags(self.estimator).input_tags.sparse

    @property
    def _accepts_gaps(self):  # type: ignore[override]
        return get_tags(self.estimator).input_tags.allow_nan

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.input_tags = copy(of_estimator.input_tags)
        tags.transformer_tags = copy(of_estimator.transformer_tags)
        return tags


class AroundEstimator(TwoViewTransformer):
    """Base of two-view estimators that delegate to a wrapped `estimator`.

    A final class fits a clone of `estimator` in ``fit``, and stores it as `estimator_`.
    """

    estimator: Any
    estimator_: Any

    def _check_view(self, view, side):
        return self.estimator_._check_view(view, side)

    def _check_available(self, X, y):
        return self.estimator_._check_available(X, y)

    def _encode(self, view, side):
        return self.estimator_._encode(view, side)

    def _decode(self, codes, side):
        return self.estimator_._decode(codes, side)

    def _reconstruct(self, X, y, to):
        return self.estimator_._reconstruct(X, y, to)

    def _impute(self, X, y):
        return self.estimator_._impute(X, y)

    def _join(self, X, y):
        return self.estimator_._join(X, y)

    def _as_in_fit(self, view, side):
        return self.estimator_._as_in_fit(view, side)

    def _encode_individual(self, view, side):
        return self.estimator_._encode_individual(view, side)

    def _individual_names(self, n_individual):
        return self.estimator_._individual_names(n_individual)

    def _require_scored(self, side):
        self.estimator_._require_scored(side)

    def _reconstruct_parts(self, X, y, to, parts):
        if not hasattr(self.estimator_, "_reconstruct_parts"):
            raise ValueError(
                f"parts={parts!r} needs an estimator that has individual codes, but "
                f"{type(self.estimator_).__name__} has common codes only: leave parts "
                "out."
            )
        return self.estimator_._reconstruct_parts(X, y, to, parts)

    _individual_codes = CommonIndividual._individual_codes
    _numeric_codes = CommonIndividual._numeric_codes
    # These methods exist only if the estimator has them.
    transform_individual = available_if(estimator_has("transform_individual"))(
        CommonIndividual.transform_individual
    )
    transform_individual_y = available_if(estimator_has("transform_individual_y"))(
        CommonIndividual.transform_individual_y
    )
    common_score = available_if(estimator_has("common_score"))(
        CommonIndividual.common_score
    )
    individual_score = available_if(estimator_has("individual_score"))(
        CommonIndividual.individual_score
    )

    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["x", "y", "both"] = "y",
        parts: Parts = "all",
    ) -> Any:
        """Reconstruct a view from whichever views are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        to : {"x", "y", "both"}, default="y"
            View to reconstruct.
        parts : {"common", "individual", "all"}, default="all"
            Codes from which the view is reconstructed, if the estimator has individual
            codes, as `LinearCommonIndividual` has. The other codes are set to 0.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`, or (X, y) for "both".
        """
        if parts == "all":
            return super().reconstruct(X, y, to=to)
        return CommonIndividual.reconstruct(self, X, y, to=to, parts=parts)

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Names of the components.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of `X`. They are checked, and have no other effect.

        Returns
        -------
        names : ndarray of str objects
            The names that the estimator gives its own components.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return self.estimator_.get_feature_names_out()

    def _joint_names(self):
        return self.estimator_._joint_names()

    @property
    def n_components_(self) -> int:
        """Number of components."""
        return self.estimator_.n_components_

    @property
    def correlations_(self) -> np.ndarray:
        """Correlations of the training codes, if the estimator has them."""
        return self.estimator_.correlations_
