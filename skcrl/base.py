"""The base class of two-view estimators, and one view of such an estimator."""

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
    """Base of the estimators that learn a common space of two views.

    The second view is named ``y``, because scikit-learn uses this name for whatever is
    paired with ``X``. To write an estimator, implement ``fit``, which sets
    ``n_components_``, and three methods: ``_encode`` encodes one view, ``_decode``
    reconstructs a view from its own codes, and ``_reconstruct`` reconstructs a view
    from all views that are present.
    """

    # Whether views may be sparse matrices.
    _accepts_sparse = False
    # Whether single cells may be missing (NaN) in every method.
    _accepts_gaps = False
    # Whether views may be torch tensors, under array_api_dispatch.
    _accepts_tensors = False
    # Whether views may be Dask arrays, which are not loaded into memory.
    _accepts_dask = False

    # Whether `fit` kept the integers of each side; see `_keeps_integers`.
    _integers: dict[str, bool] = {}  # noqa: RUF012

    def _takes_any_shape(self, side):
        """Whether samples of a view may have any shape, like images."""
        return False

    def _keeps_integers(self, side):
        """Whether integers of a view stay integers, and are not converted to floats."""
        return False

    @abstractmethod
    def fit(self, X: Rows, y: Rows) -> Self:
        """Learn the common space of the paired views `X` and `y`."""

    def _check_view(self, view, side):
        """Checked view of `side`, as `_encode` takes it."""
        return check_view(self, view, side)

    def _check_available(self, X, y):
        """Checked views for `_join` and `_reconstruct`, and which rows exist."""
        return check_available(self, X, y)

    def _beside(self, covariates, X=None, y=None):
        """The estimator, prepared for views with these covariates, if any."""
        if covariates is None:
            return self
        raise ValueError(
            f"{type(self).__name__} takes no covariates, but LinearCCA does. Remove "
            "their effect from the views first, or leave the covariates out."
        )

    def _codes_of(self, view, side):
        """Codes of a view that is not checked yet."""
        return self._encode(self._check_view(view, side), side)

    @abstractmethod
    def _encode(self, view, side):
        """Codes (n, n_components_) of a validated view, `side` "x" or "y"."""

    @abstractmethod
    def _decode(self, codes, side):
        """View (n, n_features) of `side` reconstructed from codes of that same side."""

    @abstractmethod
    def _reconstruct(self, X, y, to):
        """View `to` reconstructed from validated views, one of which may be None."""

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
        """Compute codes of the first view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. It may be a Dask array or a torch Dataset if the estimator can
            train on these. A Dataset holds samples or pairs; of pairs, the first
            element is used.

        Returns
        -------
        Zx : ndarray or Dask array of shape (n_samples, n_components)
            Codes. They are float32 if `X` is float32, or if it holds integers that your
            own encoder looks up. Otherwise they are float64.
        """
        check_is_fitted(self)
        return self._codes_of(X, "x")

    def transform_y(self, y: Rows) -> np.ndarray:
        """Compute codes of the second view.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view. It may be a Dask array or a torch Dataset as in ``transform``.

        Returns
        -------
        Zy : ndarray or Dask array of shape (n_samples, n_components)
            Codes, of the same type as from ``transform``.
        """
        check_is_fitted(self)
        codes = self._codes_of(y, "y")
        return _wrap_data_with_container("transform", codes, y, self)

    def transform_pair(self, X: Rows, y: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Compute codes of both views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        Zx, Zy : ndarray of shape (n_samples, n_components)
            Codes. Dimension i of `Zx` corresponds to dimension i of `Zy`.
        """
        check_is_fitted(self)
        check_paired(X, y)
        return self.transform(X), self.transform_y(y)

    def transform_joint(
        self, X: Rows | None = None, y: Rows | None = None
    ) -> np.ndarray:
        """Compute one joint code for each sample, from the views that are present.

        Use it if some samples have only one of the two views. Pass None for a view that
        no sample has.

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
            Joint codes. Estimators without a joint layer return the mean of the codes
            of the views that are present. TiedBidirectional returns the codes of both
            views side by side, of shape (n_samples, 2 * n_components); if one view is
            missing, the codes of the other appear twice.
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
        """Reconstruct a view, or both, from the codes of the views that are present.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        to : {"x", "y", "both"}, default="y"
            View to reconstruct.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`, or a pair (X, y) for "both". A reconstructed `y` is
            one-dimensional if it was one-dimensional in fit. After
            ``set_output(transform="pandas")`` the result is a data frame or series with
            the columns of the view in fit and the index of the given views.
        """
        return self._reconstructed(X, y, to, self._reconstruct)

    def _reconstructed(self, X, y, to, reconstruct):
        """View `to`, or both, from ``reconstruct(X, y, to)`` of checked views."""
        check_is_fitted(self)
        if to not in ("x", "y", "both"):
            raise ValueError(f"to must be 'x', 'y' or 'both', got {to!r}.")
        if to == "both":
            return tuple(self._reconstructed(X, y, s, reconstruct) for s in ("x", "y"))
        view = self._from_available(X, y, lambda X, y: reconstruct(X, y, to))
        return self._handed_back(view, to, y if X is None else X)

    def impute(self, X: Rows, y: Rows) -> tuple[Any, Any]:
        """Fill in missing rows of each view by reconstructing them from the other view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. A row of NaN is a missing view.

        Returns
        -------
        X, y : ndarray, or CSR or CSC array if it was sparse
            Copies of the views without gaps. Dense views come in the container that
            ``set_output`` asks for.
        """
        check_is_fitted(self)
        if X is None or y is None:
            raise ValueError(
                "impute fills gaps in two views, but got only one. Use reconstruct to "
                "reconstruct the other."
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
            X[~has_x] = self._reconstruct(None, y[~has_x], "x")
        if not has_y.all():
            y[~has_y] = self._reconstruct(X[~has_y], None, "y")
        return X, self._as_in_fit(y, "y")

    def predict(self, X: Rows) -> np.ndarray:
        """Reconstruct the second view from the first: ``reconstruct(X, to="y")``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.

        Returns
        -------
        y : ndarray of shape (n_samples, n_features_y) or (n_samples,)
            Reconstructed second view, in the container that ``set_output`` asks for.
        """
        check_is_fitted(self)
        reconstructed = self._reconstruct(self._check_view(X, "x"), None, "y")
        return self._handed_back(reconstructed, "y", X)

    def score(self, X: Rows, y: Rows) -> float:
        """Total correlation of the codes of held-out views; higher is better.

        It is :func:`skcrl.metrics.pearson_sum` of ``transform_pair(X, y)``. For
        estimators that end in linear CCA, this is the sum of the canonical correlations
        under the projections fitted to the training data. Rows with a missing view
        (NaN) are left out.

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
        """Make a transformer of one view, with a copy of the fitted state.

        Use it to put the encoder of one view into a scikit-learn pipeline.

        Parameters
        ----------
        side : {"x", "y"}
            The view.

        Returns
        -------
        view : View
            Fitted transformer. It can be used wherever a transformer can be used, and
            neither ``fit`` nor ``clone`` changes it.
        """
        check_is_fitted(self)
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        return View(deepcopy(self), side)

    def _fitted_arrays(self):
        """Fitted arrays by name, each with the shape that it must have."""
        return {}

    def _check_loaded(self):
        """Raise ValueError if the fitted state from a file is not valid."""
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
        """A reconstructed view in the shape of fit: `y` may have had one dimension."""
        return view.ravel() if side == "y" and self._y_is_1d else view

    def _handed_back(self, reconstructed, side, given):
        """A reconstructed view as it was in fit, in the container of ``set_output``."""
        reconstructed = self._as_in_fit(reconstructed, side)
        return self._contained(reconstructed, given, self._column_names(side))

    def _column_names(self, side):
        """Names of the columns of a view in fit; None if it had no names."""
        prefix = "" if side == "x" else "y_"
        return getattr(self, f"{prefix}feature_names_in_", None)

    def _contained(self, rows, given, names):
        """Rows in the container of ``set_output``, with the index of `given`.

        Sparse rows, and arrays of more than two dimensions, stay as they are.
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
        """Apply `compute` to rows with both views, with only x, and with only y."""
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
    """Whether the view of an estimator can become a torch module."""
    estimator = view.estimator
    if hasattr(estimator, "_as_module"):
        return True
    remedy = "use transform"
    if hasattr(estimator, "estimator_"):
        remedy += ", or take the module of its estimator_, which follows the steps"
    raise AttributeError(
        f"A view of {type(estimator).__name__} has no torch.nn.Module; views of the "
        f"linear estimators, KernelCCA and deep estimators have one. Instead, {remedy}."
    )


class View(Documented, Saved, TransformerMixin, BaseEstimator):
    """One view of a fitted two-view estimator, as a transformer of one view.

    Use it to put the encoder of one view into a scikit-learn pipeline, or to export it
    as a torch module. :meth:`TwoViewTransformer.view` makes it. Like
    ``FrozenEstimator`` of scikit-learn it is never fitted again: ``fit`` does nothing,
    and ``clone`` returns the same object.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Fitted estimator.
    side : {"x", "y"}
        The view that ``transform`` encodes.

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
        """Do nothing, because the view is already fitted.

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
        """Compute codes of the view, without fitting.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The view named by `side`.
        y : object, default=None
            Ignored.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with covariates.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes.
        """
        return self.transform(X, covariates)

    def transform(self, X: Rows, covariates: Rows | None = None) -> np.ndarray:
        """Compute codes of the view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The view named by `side`.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with covariates.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes.
        """
        check_is_fitted(self)
        return self.estimator._beside(covariates, X)._codes_of(X, self.side)

    @available_if(_has_module)
    def module(self) -> "nn.Module":
        """Make a ``torch.nn.Module`` that computes the same as ``transform``.

        Use it in your own torch program, or with ``torch.export``,
        ``torch.onnx.export`` and ``torch.compile``. It exists for views of the linear
        and the deep estimators, and of `KernelCCA` with a kernel that scikit-learn has
        a name for.

        Returns
        -------
        module : torch.nn.Module
            Module in evaluation mode. It maps a float32 tensor of shape
            (n_samples, ...), with the same rows as for ``transform``, to codes
            (n_samples, n_components). A `y` that was one-dimensional in fit must be a
            column. If the estimator was fitted with covariates, they follow as further
            columns after those of the view.

        Notes
        -----
        The module uses the networks of this view itself. If you train the module,
        ``transform`` of this view changes, too; the estimator from which the view was
        made does not, because it has its own copy. Means, scales and the linear map
        after the networks are copied in float32. So is the value that CorrNet and
        MultimodalAutoencoder use for a missing view. The module of KernelCCA computes
        in float64, and holds copies of the rows that its kernels need; it cannot be
        exported to ONNX with the kernel "laplacian".

        Several threads may call the module at the same time, unless it contains a
        module of your own that stores what it computes. ``transform`` is safe even
        then.

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
        """Reconstruct the view from its own codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as returned by ``transform``.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if the estimator was fitted with covariates.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or (n_samples,)
            The view named by `side`.
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
            The names that the estimator gives to its components.
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
