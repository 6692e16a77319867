"""Base of the estimators whose codes are the columns of a view times weights."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcrl import _arrays, _linalg
from skcrl._adjusted import AdjustedViews
from skcrl._decoder import LinearDecoder
from skcrl._typing import Side
from skcrl._validation import NAMES
from skcrl._views import kind_of
from skcrl.linear._loadings import loadings_frame


class ByWeights(AdjustedViews):
    """Two-view estimator of linear codes, given the `Fit` of their weights."""

    def _keep_weights(self, fit):
        self.n_components_ = len(fit.correlations)
        self.x_weights_, self.y_weights_ = fit.solution[:2]
        self.correlations_ = fit.correlations
        self.x_mean_, self.y_mean_ = fit.x_mean, fit.y_mean
        self.x_var_, self.y_var_ = fit.x_var, fit.y_var
        self._decoders = {
            "x": LinearDecoder.fit(fit.x_mean, fit.code_cov, fit.x_cross_cov),
            "y": LinearDecoder.fit(fit.y_mean, fit.code_cov, fit.y_cross_cov),
        }
        self._code_var = fit.code_cov.diagonal()

    @property
    def x_loadings_(self) -> np.ndarray:
        """Correlation of each column of X with each x code."""
        return self._loadings("x")

    @property
    def y_loadings_(self) -> np.ndarray:
        """Correlation of each column of y with each y code."""
        return self._loadings("y")

    @property
    def x_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of X that each x code explains."""
        return self._explained("x")

    @property
    def y_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of y that each y code explains."""
        return self._explained("y")

    def loadings_frame(self, side: Side = "x") -> Any:
        """Loadings of one view as a data frame, labelled with its column names.

        Parameters
        ----------
        side : {"x", "y"}, default="x"
            The view: "x" gives `x_loadings_`, "y" gives `y_loadings_`.

        Returns
        -------
        loadings : DataFrame of shape (n_features, n_components)
            There is one row for each column of the view. The rows have the names of the
            columns, if the view was a data frame in fit. Otherwise they are called x0,
            x1 and so on, or y0, y1 for the second view. There is one column for each
            component, with its name from ``get_feature_names_out()``.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `side` is neither "x" nor "y".
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_linnerud
        >>> from skcrl import LinearCCA
        >>> exercise, physiology = load_linnerud(return_X_y=True, as_frame=True)
        >>> cca = LinearCCA(2, reg=0).fit(exercise, physiology)
        >>> cca.loadings_frame("y").round(2)
                linearcca0  linearcca1
        Weight       -0.62       -0.77
        Waist        -0.93       -0.38
        Pulse         0.33        0.04
        """
        check_is_fitted(self)
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        loadings = _arrays.to_numpy(self._loadings(side))
        return loadings_frame(self, side, loadings, self.get_feature_names_out())

    def _loadings(self, side):
        check_is_fitted(self)
        var = self.x_var_ if side == "x" else self.y_var_
        return self._cov_with_codes(side) * _linalg.unit_scale(var)[:, None]

    def _explained(self, side):
        check_is_fitted(self)
        total = (self.x_var_ if side == "x" else self.y_var_).sum()
        explained = (self._cov_with_codes(side) ** 2).sum(0)
        return explained / total if total > 0 else explained

    def _cov_with_codes(self, side):
        """Covariances (p, k) of the columns of a view with its standardised codes."""
        k = self.n_components_
        own = slice(None, k) if side == "x" else slice(k, None)
        cov = self._decoders[side].cross_cov[own].T
        return cov * _linalg.unit_scale(self._code_var[own])

    def _as_module(self, side):
        # Nothing else here needs torch.
        from skcrl.deep._view_modules import LinearCodes

        mean, weights = self._projection_of(side)
        slopes = self._slopes(side)
        if slopes is not None:
            origin = self.covariate_mean_
            mean, weights = self._of_joined(mean, weights, origin, slopes)
        return LinearCodes(_arrays.untensored(mean), _arrays.untensored(weights))

    def _projection_of(self, side):
        return getattr(self, f"{side}_mean_"), getattr(self, f"{side}_weights_")

    def _encode(self, view, side):
        mean, weights = self._projection_of(side)
        require_library_of_fit(self, view, side)
        if view.shape[1] > len(mean):  # covariates stand beside it
            origin, slopes = 0 * self.covariate_mean_, self._slopes_beside(side)
            mean, weights = self._of_joined(mean, weights, origin, slopes)
        return kind_of(view).project(view, mean, weights, NAMES[side])

    def _decode(self, codes, side):
        reconstructed = self._decoders[side].decode(**{f"{side}_codes": codes})
        return self._added_back_to_codes(reconstructed, side)

    def _fitted_arrays(self):
        k = self.n_components_
        arrays: dict[str, tuple] = {
            name: (getattr(self, name), (k,))
            for name in ("correlations_", "singular_values_")
            if hasattr(self, name)  # files of version 1 have no singular values
        }
        arrays["variances of codes"] = (self._code_var, (2 * k,))
        for side, p in (("x", self.n_features_in_), ("y", self.y_n_features_in_)):
            arrays |= {
                f"{side}_weights_": (getattr(self, f"{side}_weights_"), (p, k)),
                f"{side}_mean_": (getattr(self, f"{side}_mean_"), (p,)),
                f"{side}_var_": (getattr(self, f"{side}_var_"), (p,)),
                **self._decoders[side].arrays(f"decoder of {side}", k, p),
            }
        return arrays | self._covariate_arrays()

    def _reconstruct(self, X, y, to):
        reconstructed = self._decoders[to].decode(
            None if X is None else self._encode(X, "x"),
            None if y is None else self._encode(y, "y"),
        )
        return self._added_back(reconstructed, X, y, to)


def require_library_of_fit(estimator, view, side):
    """Raise ValueError for an array after fit to tensors, or the reverse."""
    fitted = getattr(estimator, f"{side}_weights_")
    if _arrays.is_tensor(view) != _arrays.is_tensor(fitted):
        raise ValueError(
            f"This {type(estimator).__name__} was fitted to "
            f"{type(fitted).__name__}s, but got a {type(view).__name__} as "
            f"{NAMES[side]}. Convert it."
        )
