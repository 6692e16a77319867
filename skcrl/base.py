"""What every two-view estimator offers, and the view of one side of it."""

from abc import ABCMeta, abstractmethod
from copy import deepcopy
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._set_output import (
    ADAPTERS_MANAGER,
    _get_output_config,
    _wrap_data_with_container,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skcrl._arrays import empty, floats_among, like, to_numpy
from skcrl._documentation import Documented
from skcrl._typing import Rows, Side
from skcrl._validation import (
    check_available,
    check_codes,
    check_loaded,
    check_loaded_integers,
    check_view,
    complete_rows,
    require_y,
)
from skcrl._views import check_paired, kind_of
from skcrl.metrics import pearson_sum
from skcrl.persistence._saved import Saved

if TYPE_CHECKING:
    from torch import nn

__all__ = ["TwoViewTransformer", "View"]


class TwoViewTransformer(
    Documented,
    Saved,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base of the estimators that learn one space from two views.

    The second view is named ``y``, as scikit-learn names whatever is paired with
    ``X``. A final class writes ``fit``, sets ``n_components_`` there, and answers three
    questions: how one view is encoded, how codes of one view are decoded to that
    view, and how a view is rebuilt from those that are there.
    """

    # Whether views may be sparse matrices.
    _accepts_sparse = False
    # Whether single cells may be missing, NaN, in every method.
    _accepts_gaps = False
    # Whether views may be torch tensors, under array_api_dispatch.
    _accepts_tensors = False
    # Whether views may be Dask arrays, which are not loaded.
    _accepts_dask = False

    # Sides whose integers an encoder looked up in fit, by `_keeps_integers`.
    _integers: dict[str, bool] = {}  # noqa: RUF012

    def _takes_any_shape(self, side):
        """Whether samples of a view may be images, say, and not rows of features."""
        return False

    def _keeps_integers(self, side):
        """Whether integers of a view stay such, and do not become floats."""
        return False

    @abstractmethod
    def fit(self, X: Rows, y: Rows) -> Self:
        """Learn the common space of the paired views `X` and `y`."""

    def _check_view(self, view, side):
        """View of `side` as `_encode` takes it."""
        return check_view(self, view, side)

    def _check_available(self, X, y):
        """Views as `_join` and `_rebuild` take them, and which rows are there."""
        return check_available(self, X, y)

    def _beside(self, covariates, X=None, y=None):
        """The estimator with covariates of the rows of views at hand, if any."""
        if covariates is None:
            return self
        raise ValueError(
            f"{type(self).__name__} takes no covariates, as LinearCCA does: take them "
            "out of the views before, or leave them out."
        )

    def _codes_of(self, view, side):
        """Codes of a view as it comes."""
        return self._encode(self._check_view(view, side), side)

    @abstractmethod
    def _encode(self, view, side):
        """Codes (n, n_components_) of a validated view, `side` "x" or "y"."""

    @abstractmethod
    def _decode(self, codes, side):
        """View (n, n_features) of `side` rebuilt from codes of that same side."""

    @abstractmethod
    def _rebuild(self, X, y, to):
        """View `to` rebuilt from validated views, one of which may be None."""

    def _join(self, X, y):
        """Joint codes of validated views, one of which may be None."""
        codes = self._codes(X, y)
        return sum(codes) / len(codes)

    def _codes(self, X, y):
        """Codes of those validated views that are not None."""
        return [
            self._encode(view, side)
            for view, side in ((X, "x"), (y, "y"))
            if view is not None
        ]

    def _joint_names(self):
        """Column names of joint codes."""
        return self.get_feature_names_out()

    def transform(self, X: Rows) -> np.ndarray:
        """Codes of the first view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. Estimators that train on Dask arrays or torch Datasets take them
            here: a Dataset of samples, or of pairs, of which the first counts.

        Returns
        -------
        Zx : ndarray or Dask array of shape (n_samples, n_components)
            In float32 if `X` is, or is of integers that an encoder of yours looks up,
            else in float64.
        """
        check_is_fitted(self)
        return self._codes_of(X, "x")

    def transform_y(self, y: Rows) -> np.ndarray:
        """Codes of the second view.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, or Dask array or torch Dataset as in ``transform``.

        Returns
        -------
        Zy : ndarray or Dask array of shape (n_samples, n_components)
            As from ``transform``.
        """
        check_is_fitted(self)
        codes = self._codes_of(y, "y")
        return _wrap_data_with_container("transform", codes, y, self)

    def transform_pair(self, X: Rows, y: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Codes of both views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        Zx, Zy : ndarray of shape (n_samples, n_components)
            Codes, comparable dimension by dimension.
        """
        check_is_fitted(self)
        check_paired(X, y)
        return self.transform(X), self.transform_y(y)

    def transform_joint(
        self, X: Rows | None = None, y: Rows | None = None
    ) -> np.ndarray:
        """One joint code per sample from whichever views are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            For estimators without a joint layer, the mean of the codes that are there.
            TiedBidirectional gives (n_samples, 2 * n_components): the codes of both
            views side by side; where one is missing, the other's twice.
        """
        check_is_fitted(self)
        joint = self._from_available(X, y, self._join)
        return self._contained(joint, y if X is None else X, self._joint_names)

    @overload
    def reconstruct(
        self, X: Rows | None = None, y: Rows | None = None, *, to: Side = "y"
    ) -> np.ndarray: ...

    @overload
    def reconstruct(
        self, X: Rows | None = None, y: Rows | None = None, *, to: Literal["both"]
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["x", "y", "both"] = "y",
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Views rebuilt from whichever views are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        to : {"x", "y", "both"}, default="y"
            View to rebuild.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`; (X, y) for "both". One-dimensional if it is a `y`
            that was one-dimensional in fit. After ``set_output(transform="pandas")`` a
            data frame or series, with the columns of fit and the rows of the views
            given.
        """
        return self._reconstructed(X, y, to, self._rebuild)

    def _reconstructed(self, X, y, to, rebuild):
        """View `to`, or both, as ``rebuild(X, y, to)`` makes it of validated views."""
        check_is_fitted(self)
        if to not in ("x", "y", "both"):
            raise ValueError(f"to must be 'x', 'y' or 'both', got {to!r}.")
        if to == "both":
            return tuple(self._reconstructed(X, y, s, rebuild) for s in ("x", "y"))
        view = self._from_available(X, y, lambda X, y: rebuild(X, y, to))
        return self._handed_back(view, to, y if X is None else X)

    def impute(self, X: Rows, y: Rows) -> tuple[Any, Any]:
        """Both views, with the rows that are missing rebuilt from the other view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. A row of NaN is a missing view.

        Returns
        -------
        X, y : ndarray, or CSR or CSC array if it was sparse
            Copies of the views without gaps, dense ones in the container that
            ``set_output`` asks for.
        """
        check_is_fitted(self)
        if X is None or y is None:
            raise ValueError(
                "impute fills gaps in two views, got one: rebuild the other with "
                "reconstruct."
            )
        x_filled, y_filled = self._impute(X, y)
        return (
            self._contained(x_filled, X, self._column_names("x")),
            self._contained(y_filled, y, self._column_names("y")),
        )

    def _impute(self, X, y):
        X, y, has_x, has_y = check_available(self, X, y)
        X, y = (kind_of(view).copied(view) for view in (X, y))
        if not has_x.all():
            X[~has_x] = self._rebuild(None, y[~has_x], "x")
        if not has_y.all():
            y[~has_y] = self._rebuild(X[~has_y], None, "y")
        return X, self._as_in_fit(y, "y")

    def predict(self, X: Rows) -> np.ndarray:
        """Second view rebuilt from the first: ``reconstruct(X, to="y")``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.

        Returns
        -------
        y : ndarray of shape (n_samples, n_features_y) or (n_samples,)
            Second view, in the container that ``set_output`` asks for.
        """
        check_is_fitted(self)
        rebuilt = self._rebuild(self._check_view(X, "x"), None, "y")
        return self._handed_back(rebuilt, "y", X)

    def score(self, X: Rows, y: Rows) -> float:
        """Total correlation of the codes of held-out views, higher is better.

        :func:`skcrl.metrics.pearson_sum` of ``transform_pair(X, y)``. For estimators
        that end in linear CCA this is the canonical total under projections
        fitted on the training data. Rows of NaN, of which a view is missing, are left
        out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        total : float
            At most `n_components_`.
        """
        check_is_fitted(self)
        require_y(self, y)
        X, y = complete_rows(self, *self._check_available(X, y), min_samples=2)
        return pearson_sum(
            to_numpy(self._encode(X, "x")), to_numpy(self._encode(y, "y"))
        )

    def view(self, side: Side) -> "View":
        """One side as a transformer of its own, with a copy of the fitted state.

        Parameters
        ----------
        side : {"x", "y"}
            Side to take.

        Returns
        -------
        view : View
            Fitted for good: it goes wherever a transformer goes, and neither ``fit``
            nor ``clone`` changes what it computes.
        """
        check_is_fitted(self)
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        return View(deepcopy(self), side)

    def _fitted_arrays(self):
        """Fitted arrays by name, each with the shape that it must be of."""
        return {}

    def _check_loaded(self):
        """Raise ValueError for a fitted state from a file that is not in order."""
        if not any(name.endswith("_") for name in vars(self)):
            return  # it is not fitted
        k = getattr(self, "n_components_", None)
        if not isinstance(k, Integral) or k < 1:
            raise ValueError(f"its n_components_ is {k!r:.50}")
        if self._y_is_1d and getattr(self, "y_n_features_in_", 1) != 1:
            raise ValueError("its y was of one dimension and of several columns")
        check_loaded_integers(self._integers)
        check_loaded(self._fitted_arrays())

    @property
    def _n_features_out(self):
        return self.n_components_

    def _as_in_fit(self, view, side):
        """A rebuilt view in the form of fit: `y` may have been one-dimensional."""
        return view.ravel() if side == "y" and self._y_is_1d else view

    def _handed_back(self, rebuilt, side, given):
        """A rebuilt view of the form of fit, in the container that is asked for."""
        rebuilt = self._as_in_fit(rebuilt, side)
        return self._contained(rebuilt, given, self._column_names(side))

    def _column_names(self, side):
        """Names of the columns of a view in fit, None if it had none."""
        prefix = "" if side == "x" else "y_"
        return getattr(self, f"{prefix}feature_names_in_", None)

    def _contained(self, rows, given, names):
        """Rows in the container of ``set_output``, labelled as those of `given`.

        What is sparse, or no table, stays as it is.
        """
        container = _get_output_config("transform", self)["dense"]
        if container == "default" or sparse.issparse(rows) or len(rows.shape) > 2:
            return rows
        adapter = ADAPTERS_MANAGER.adapters[container]
        if len(rows.shape) == 2:
            return adapter.create_container(rows, given, columns=names)
        frame = adapter.create_container(rows[:, None], given, columns=["y"])
        return frame["y"]

    def _from_available(self, X, y, compute):
        """Apply `compute` to the complete, the x-only and the y-only rows in turn."""
        X, y, has_x, has_y = self._check_available(X, y)
        kinds = [(True, True), (True, False), (False, True)]
        views = [view for view in (X, y) if view is not None]
        out = None
        for use_x, use_y in kinds:
            of_kind = (has_x == use_x) & (has_y == use_y)
            if of_kind.all():
                whole = compute(X if use_x else None, y if use_y else None)
                return like(whole, empty(0, *floats_among(views, whole)))
            if not of_kind.any():
                continue
            part = compute(X[of_kind] if use_x else None, y[of_kind] if use_y else None)
            if out is None:
                shape = len(has_x), *part.shape[1:]
                out = empty(shape, *floats_among(views, part))
            out[of_kind] = part
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self._accepts_sparse
        tags.input_tags.allow_nan = self._accepts_gaps
        return tags


def _has_module(view):
    """Whether the view of an estimator can be a module of torch."""
    estimator = view.estimator
    if hasattr(estimator, "_as_module"):
        return True
    remedy = "serve it by transform"
    if hasattr(estimator, "estimator_"):
        remedy += ", or take the module of its estimator_, for what the steps give"
    raise AttributeError(
        f"A view of {type(estimator).__name__} is no torch.nn.Module, as those of "
        f"the linear estimators, KernelCCA and deep estimators are: {remedy}."
    )


class View(Documented, Saved, TransformerMixin, BaseEstimator):
    """One side of a fitted two-view estimator as a one-view transformer.

    Made by :meth:`TwoViewTransformer.view`. Like scikit-learn's ``FrozenEstimator`` it
    is never fitted again: ``fit`` does nothing and ``clone`` returns it.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Fitted estimator.
    side : {"x", "y"}
        Side that ``transform`` encodes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from skcrl import LinearCCA
    >>> images, labels = load_digits(return_X_y=True)
    >>> left, right = images[:, :32], images[:, 32:]
    >>> cca = LinearCCA(8).fit(left, right)
    >>> pipeline = make_pipeline(cca.view("y"), LinearSVC()).fit(right, labels)
    >>> pipeline.score(right, labels) > 0.7
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [TwoViewTransformer],
        "side": [StrOptions({"x", "y"})],
    }

    def __init__(self, estimator: TwoViewTransformer, side: Side):
        self.estimator = estimator
        self.side = side

    def fit(self, X: Rows, y: Any = None) -> Self:
        """Do nothing: the view is fitted.

        Parameters
        ----------
        X : object
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : View
            This view.
        """
        return self

    def fit_transform(
        self, X: Rows, y: Any = None, covariates: Rows | None = None
    ) -> np.ndarray:
        """Codes of the view, which is fitted already.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The view that was named by `side`.
        y : object, default=None
            Ignored.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with such.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes.
        """
        return self.transform(X, covariates)

    def transform(self, X: Rows, covariates: Rows | None = None) -> np.ndarray:
        """Codes of the view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The view that was named by `side`.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with such.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes.
        """
        check_is_fitted(self)
        return self.estimator._beside(covariates, X)._codes_of(X, self.side)

    @available_if(_has_module)
    def module(self) -> "nn.Module":
        """What ``transform`` computes, as a ``torch.nn.Module``.

        For a program of your own, and for ``torch.export``, ``torch.onnx.export`` and
        ``torch.compile``. Views of the linear and of the deep estimators have it, and
        those of `KernelCCA` with a kernel that scikit-learn names.

        Returns
        -------
        module : torch.nn.Module
            In evaluation mode, from a float32 tensor of shape (n_samples, ...), the
            rows as ``transform`` takes them, to codes (n_samples, n_components). A `y`
            that was one-dimensional in fit is a column. Covariates, of an estimator
            that was fitted with such, are columns behind those of the view.

        Notes
        -----
        The networks are those of this view, and not copied: who trains the module
        trains what ``transform`` of this view encodes with. The estimator that the view
        was made of is another copy. Means, units and the linear map that follows the
        networks are copies in float32, and so is what CorrNet and MultimodalAutoencoder
        make of the view that is missing. Of KernelCCA the module computes in float64
        and holds copies of the rows that its kernels compare with; "laplacian" has no
        ONNX.

        Several threads may call it if no module of yours is in it, or none that keeps
        what it computes; ``transform`` takes care of that.

        Examples
        --------
        >>> import torch
        >>> from sklearn.datasets import load_linnerud
        >>> from skcrl import LinearCCA
        >>> exercise, physiology = load_linnerud(return_X_y=True)
        >>> view = LinearCCA(2).fit(exercise, physiology).view("x")
        >>> codes = view.module()(torch.tensor(exercise, dtype=torch.float32))
        >>> abs(codes.detach().numpy() - view.transform(exercise)).max() < 1e-5
        np.True_
        """
        check_is_fitted(self)
        return self.estimator._as_module(self.side).float().eval()

    def inverse_transform(
        self, X: ArrayLike, covariates: Rows | None = None
    ) -> np.ndarray:
        """Rebuild the view from its own codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as from ``transform``.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with such.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or (n_samples,)
            The view that was named by `side`.
        """
        check_is_fitted(self)
        codes = check_codes(X, self.estimator.n_components_)
        estimator = self.estimator._beside(covariates, codes)
        return estimator._as_in_fit(estimator._decode(codes, self.side), self.side)

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Names of the components.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            The names that the estimator gives its own components.
        """
        return self.estimator.get_feature_names_out()

    @property
    def n_features_in_(self):
        """Number of features of the view."""
        prefix = "" if self.side == "x" else "y_"
        return getattr(self.estimator, f"{prefix}n_features_in_")

    @property
    def feature_names_in_(self):
        """Column names of the view, if it was a data frame in fit."""
        prefix = "" if self.side == "x" else "y_"
        return getattr(self.estimator, f"{prefix}feature_names_in_")

    def __sklearn_is_fitted__(self):
        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            return False
        return True

    def __sklearn_clone__(self):
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self.estimator._accepts_sparse
        return tags
