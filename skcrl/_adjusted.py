"""Methods of the estimators that can remove the effect of covariates from views."""

from typing import Any, Literal, overload

import numpy as np
from sklearn.utils.validation import _get_feature_names, check_is_fitted

from skcrl._arrays import floats_among, following, like, namespace, to_numpy
from skcrl._covariates import apart, beside, check_covariates
from skcrl._typing import Rows, Side
from skcrl._validation import check_available
from skcrl._views import kind_of
from skcrl.base import TwoViewTransformer

_LEARNED = ("covariate_mean_", "x_slopes_", "y_slopes_", "covariate_names_in_")


class AdjustedViews(TwoViewTransformer):
    """Base of the estimators that can remove the effect of covariates from views.

    A final class has a parameter `adjust`. Its ``fit`` calls `_check_covariates`, and
    then `_keep_adjustment` with what it learned. If rows come with covariates,
    `_encode` and `_reconstruct` get one checked view with the columns
    [view, covariates]. `_slopes_beside` returns the slopes for these covariates.
    """

    # Covariates of the given rows, centred and in `_covariate_units`. An estimator
    # always has None here. Each call of a method below sets them on a copy of it.
    _covariates: Any = None

    def fit_transform(
        self,
        X: Rows,
        y: Rows | None = None,
        *,
        covariates: Rows | None = None,
        **fit_params: Any,
    ) -> np.ndarray:
        """Fit the model to both views, and return codes of the first view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates, which are passed to ``fit`` and to ``transform``.
        **fit_params : dict
            Further arguments of ``fit``, such as `sample_weight`.

        Returns
        -------
        Zx : ndarray of shape (n_samples, n_components)
            Codes of `X`.
        """
        if covariates is not None:
            fit_params["covariates"] = covariates
        return self.fit(X, y, **fit_params).transform(X, covariates)

    def transform(self, X: Rows, covariates: Rows | None = None) -> np.ndarray:
        """Compute codes of the first view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        Zx : ndarray or Dask array of shape (n_samples, n_components)
            Codes. They are float32 if `X` is float32, or if it holds integers that your
            own encoder looks up. Otherwise they are float64.
        """
        check_is_fitted(self)
        return self._beside(covariates, X)._codes_of(X, "x")

    def transform_y(self, y: Rows, covariates: Rows | None = None) -> np.ndarray:
        """Compute codes of the second view.

        Parameters
        ----------
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        Zy : ndarray or Dask array of shape (n_samples, n_components)
            Codes, of the same type as from ``transform``.
        """
        return _base(self._beside(covariates, y=y)).transform_y(y)

    def transform_pair(
        self, X: Rows, y: Rows, covariates: Rows | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute codes of both views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        Zx, Zy : ndarray of shape (n_samples, n_components)
            Codes. Dimension i of `Zx` corresponds to dimension i of `Zy`.
        """
        return _base(self._beside(covariates, X, y)).transform_pair(X, y)

    def transform_joint(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        covariates: Rows | None = None,
    ) -> np.ndarray:
        """Compute one joint code for each sample, from the views that are present.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. A row of NaN is a missing view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Joint codes: the mean of the codes of the views that are present. A pipeline
            returns the joint codes of its estimator.
        """
        return _base(self._beside(covariates, X, y)).transform_joint(X, y)

    @overload
    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Side = "y",
        covariates: Rows | None = None,
    ) -> np.ndarray: ...

    @overload
    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["both"],
        covariates: Rows | None = None,
    ) -> tuple[np.ndarray, np.ndarray]: ...

    def reconstruct(
        self,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        to: Literal["x", "y", "both"] = "y",
        covariates: Rows | None = None,
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
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``. The reconstructed
            view includes the effect of the covariates.

        Returns
        -------
        view : ndarray of shape (n_samples, n_features) or pair of them
            The view named by `to`, or a pair (X, y) for "both". A reconstructed `y` is
            one-dimensional if it was one-dimensional in fit. After
            ``set_output(transform="pandas")`` the result is a data frame or series with
            the columns of the view in fit and the index of the given views.
        """
        estimator = _base(self._beside(covariates, X, y))
        return estimator.reconstruct(X, y, to=to)

    def impute(
        self, X: Rows, y: Rows, covariates: Rows | None = None
    ) -> tuple[Any, Any]:
        """Fill in missing rows of each view by reconstructing them from the other view.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. A row of NaN is a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. A row of NaN is a missing view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        X, y : ndarray, or CSR array if it was sparse
            Copies of the views without gaps. Dense views come in the container that
            ``set_output`` asks for.
        """
        return _base(self._beside(covariates, X, y)).impute(X, y)

    def predict(self, X: Rows, covariates: Rows | None = None) -> np.ndarray:
        """Reconstruct the second view from the first: ``reconstruct(X, to="y")``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``. The reconstructed
            view includes the effect of the covariates.

        Returns
        -------
        y : ndarray of shape (n_samples, n_features_y) or (n_samples,)
            Reconstructed second view, in the container that ``set_output`` asks for.
        """
        return _base(self._beside(covariates, X)).predict(X)

    def score(self, X: Rows, y: Rows, covariates: Rows | None = None) -> float:
        """Total correlation of the codes of held-out views; higher is better.

        It is :func:`skcrl.metrics.pearson_sum` of ``transform_pair(X, y, covariates)``.
        Rows with a missing view (NaN) are left out.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.

        Returns
        -------
        total : float
            At most `n_components_`.
        """
        return _base(self._beside(covariates, X, y)).score(X, y)

    def _beside(self, covariates, X=None, y=None):
        if covariates is None:
            return self
        check_is_fitted(self)
        name = type(self).__name__
        if not hasattr(self, "covariate_mean_"):
            second_view = " If these are the second view, transform_pair encodes both."
            raise ValueError(
                f"This {name} was fitted without covariates, but got some. Fit it with "
                "the covariates of the training rows, or leave them out."
                f"{second_view * (y is None)}"
            )
        if X is None and y is None:
            return self
        checked = self._check_covariates(covariates, X, y, reset=False)
        with np.errstate(over="ignore"):  # `_joined` raises the error
            centred = checked - to_numpy(self.covariate_mean_)
            scaled = centred * self._covariate_units()
        copy = object.__new__(type(self))
        copy.__dict__ |= vars(self) | {"_covariates": scaled}
        return copy

    def _covariate_units(self):
        """Powers of two (c,), by which covariates are multiplied beside a view.

        The covariates are then about as large as their effects on the views, and such
        numbers fit into a view of float32. No sum of these effects is larger than the
        covariates are then.
        """
        slopes = [self._slopes(side) for side in ("x", "y")]
        of_views = [abs(to_numpy(s)).max(axis=1) for s in slopes if s is not None]
        largest = np.max(of_views, axis=0)
        _, exponents = np.frexp(4 * len(largest) * largest)
        return np.where(largest > 0, np.ldexp(1.0, exponents.clip(-1000, 1000)), 0.0)

    def _check_covariates(self, covariates, X, y=None, *, reset):
        """Covariates of the rows of the views as numbers, or None if there are none.

        With ``reset=True`` their names are learned. Otherwise their number and their
        names must be those of ``fit``.
        """
        if reset:
            self._keep_adjustment(None)
        elif (covariates is None) == hasattr(self, "covariate_mean_"):
            raise ValueError(
                f"This {type(self).__name__} was fitted with"
                f"{'out' * (covariates is not None)} covariates, and partial_fit must "
                "be called in the same way. To change this, call fit again."
            )
        if covariates is None:
            return None
        checked = check_covariates(covariates, X, y)
        if not self._accepts_dask:  # the views were computed, too
            checked = np.asarray(checked)
        names = _get_feature_names(covariates)
        if reset and names is not None:
            self.covariate_names_in_ = names
        if reset:
            return checked
        n_expected = len(self.covariate_mean_)
        expected = getattr(self, "covariate_names_in_", None)
        if checked.shape[1] != n_expected:
            raise ValueError(
                f"covariates have {checked.shape[1]} columns, but "
                f"{type(self).__name__} is expecting {n_expected}, as in fit."
            )
        if names is not None and expected is not None and list(names) != list(expected):
            raise ValueError(
                "The names of covariates should match those that were passed during "
                f"fit: got {list(names)}, expected {list(expected)}."
            )
        return checked

    def _keep_adjustment(self, adjustment):
        """Store how covariates are removed from new rows; with None, forget it."""
        if adjustment is None:
            for name in _LEARNED:
                self.__dict__.pop(name, None)
            return
        self.covariate_mean_, self.x_slopes_, self.y_slopes_, _ = adjustment

    def _slopes(self, side):
        """Slopes (c, n_features) of a view, None if it is not adjusted."""
        return getattr(self, f"{side}_slopes_", None)

    def _slopes_beside(self, side):
        """Slopes of a view on covariates in `_covariate_units`, or None."""
        slopes = self._slopes(side)
        if slopes is None:
            return None
        units = self._covariate_units()
        inverse = np.divide(1, units, out=np.zeros_like(units), where=units > 0)
        return slopes * following(inverse[:, None], slopes)

    def _require_covariates(self):
        raise ValueError(
            f"This {type(self).__name__} was fitted with covariates, but got none. "
            "Pass the covariates of these rows, as in transform(X, covariates). In a "
            "Pipeline or a search, use metadata routing to pass them, with "
            "set_fit_request, set_transform_request and "
            "set_score_request(covariates=True). Scorers by name and "
            "cross_val_predict of scikit-learn pass no covariates."
        )

    def _check_view(self, view, side):
        return self._joined(super()._check_view(view, side), side)

    def _check_available(self, X, y):
        X, y, has_x, has_y = super()._check_available(X, y)
        return self._joined(X, "x"), self._joined(y, "y"), has_x, has_y

    def _joined(self, view, side):
        """A checked view with the covariates of its rows, if there are any."""
        if view is None:
            return None
        if self._covariates is None:
            if self._slopes(side) is not None:
                self._require_covariates()
            return view
        return beside(view, self._covariates_like(view))

    def _covariates_like(self, view):
        """Covariates of the given rows in the library and float type of an array."""
        columns = following(self._covariates, view)
        with np.errstate(over="ignore"):
            columns = like(columns, floats_among([view], columns)[0])
        # Covariates in a Dask array are checked when they are computed.
        is_dask = kind_of(columns).library == "dask"
        if not is_dask and not np.isfinite(to_numpy(columns)).all():
            raise ValueError(
                "covariates are so large that their effects on the views overflow "
                f"{columns.dtype}. Pass them in the units of fit."
            )
        return columns

    @staticmethod
    def _of_joined(mean, weights, origin, slopes):
        """Means and weights of [view, covariates], made from those of the view."""
        xp = namespace(weights)
        own = 0 * origin[:, None] * weights[:1] if slopes is None else -slopes @ weights
        return xp.concatenate([mean, origin]), xp.concatenate([weights, own])

    def _added_back(self, reconstructed, X, y, to):
        """A reconstructed view plus the effect of the covariates on it."""
        slopes = self._slopes_beside(to)
        if slopes is None:
            return reconstructed
        joined = y if X is None else X
        n_features = self.y_n_features_in_ if X is None else self.n_features_in_
        if joined.shape[1] == n_features:
            self._require_covariates()
        covariates = apart(joined, n_features)[1]
        return reconstructed + like(like(covariates, slopes) @ slopes, reconstructed)

    def _added_back_to_codes(self, reconstructed, side):
        """As `_added_back`, for a view that is reconstructed from codes alone."""
        slopes = self._slopes_beside(side)
        if slopes is None:
            return reconstructed
        if self._covariates is None:
            self._require_covariates()
        return reconstructed + like(
            self._covariates_like(slopes) @ slopes, reconstructed
        )

    def _impute(self, X, y):
        X, y, has_x, has_y = check_available(self, X, y)
        filled = {side: kind_of(v).copied(v) for side, v in (("x", X), ("y", y))}
        joined = self._joined(X, "x"), self._joined(y, "y")
        if not has_x.all():
            filled["x"][~has_x] = self._reconstruct(None, joined[1][~has_x], "x")
        if not has_y.all():
            filled["y"][~has_y] = self._reconstruct(joined[0][~has_y], None, "y")
        return filled["x"], self._as_in_fit(filled["y"], "y")

    def _covariate_arrays(self):
        """Fitted arrays by name, each with the shape that it must have."""
        if not hasattr(self, "covariate_mean_"):
            return {}
        c = len(self.covariate_mean_)
        arrays: dict[str, tuple] = {"covariate_mean_": (self.covariate_mean_, (c,))}
        for side, p in (("x", self.n_features_in_), ("y", self.y_n_features_in_)):
            if self._slopes(side) is not None:
                arrays[f"{side}_slopes_"] = self._slopes(side), (c, p)
        return arrays


def _base(estimator):
    """Access to the methods of the base class, which take no covariates."""
    return super(AdjustedViews, estimator)
