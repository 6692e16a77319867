"""Linear canonical correlation analysis."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from skcrl import _linalg
from skcrl._decoder import LinearDecoder
from skcrl._validation import check_pair, restored_on_error
from skcrl.base import TwoViewTransformer


class LinearCCA(TwoViewTransformer):
    r"""Linear canonical correlation analysis with a ridge on each view.

    Finds pairs of directions along which the views correlate most, each pair
    uncorrelated with the others. With covariances :math:`\Sigma` over n - 1 the weights
    are :math:`W_x = \bar\Sigma_{xx}^{-1/2} U` and
    :math:`W_y = \bar\Sigma_{yy}^{-1/2} V`, where :math:`U, V` are the singular vectors
    of :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` and
    :math:`\bar\Sigma_{vv} = \Sigma_{vv} + r_v I` [1]_ [2]_. Exact, by Cholesky and SVD.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components, at most min(n_features_x, n_features_y), which None
        stands for.
    reg : float or pair of float, default=1e-4
        Ridge :math:`(r_x, r_y)`, not negative, in squared units of the views. With 0,
        collinear columns and fewer samples than features still give finite answers,
        though columns that are collinear only up to the rounding of float32 count
        as independent.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Singular values of T, largest first: the correlations of the training codes,
        shrunk by the ridge. 0 past `rank_`.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Projections of the centred views, whose codes are uncorrelated and of unit
        variance but for the ridge. Zero past `rank_`.
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views.
    rank_ : int
        Components that the training data determine, at most `n_components_`.
    moments_ : Moments
        Sums that `partial_fit` continues from.
    n_features_in_, y_n_features_in_ : int
        Width of either view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of either view, if it was a data frame.

    See Also
    --------
    DeepCCA : Learned nonlinear encoders before the same CCA.

    References
    ----------
    .. [1] Hotelling (1936). Relations between two sets of variates. Biometrika 28.
    .. [2] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> exercise, physiology = load_linnerud(return_X_y=True)
    >>> cca = LinearCCA(reg=0).fit(exercise, physiology)
    >>> cca.correlations_.round(4)
    array([0.7956, 0.2006, 0.0726])
    >>> cca.transform(exercise).shape
    (20, 3)
    >>> cca.reconstruct(exercise, to="y").shape
    (20, 3)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "reg": [Interval(Real, 0, None, closed="left"), "array-like"],
    }

    def __init__(self, n_components=None, *, reg=1e-4):
        self.n_components = n_components
        self.reg = reg

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit to paired views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        self : LinearCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, at least two of
            them, or `n_components` exceeds the narrower view. The estimator is then
            as it was before.
        """
        with restored_on_error(self):
            X, y = check_pair(self, X, y, reset=True, min_samples=2)
            return self._solve(_linalg.moments(X, y))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y):
        """Add paired rows: any division of the data into calls gives the same fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        self : LinearCCA
            Fitted to the rows of the last ``fit`` and of every ``partial_fit`` since.
        """
        first = not hasattr(self, "moments_")
        with restored_on_error(self):
            X, y = check_pair(self, X, y, reset=first)
            m = _linalg.moments(X, y)
            return self._solve(m if first else _linalg.merge_moments(self.moments_, m))

    def _solve(self, m):
        k, ridge = self._n_components(m), self._ridge()
        if not np.isfinite([m.xx.trace(), m.yy.trace()]).all():
            raise ValueError("The variances of X or y overflow: scale the views down.")
        cov = _linalg.covariances(m)
        solution = _linalg.cca(cov, k, ridge)
        Wx, Wy = solution.x_weights, solution.y_weights
        between = Wx.T @ cov.xy @ Wy
        code_cov = np.block(
            [[Wx.T @ cov.xx @ Wx, between], [between.T, Wy.T @ cov.yy @ Wy]]
        )
        self._decoders = {
            "x": LinearDecoder.fit(
                m.x_mean, code_cov, np.vstack([Wx.T @ cov.xx, Wy.T @ cov.xy.T])
            ),
            "y": LinearDecoder.fit(
                m.y_mean, code_cov, np.vstack([Wx.T @ cov.xy, Wy.T @ cov.yy])
            ),
        }
        self.n_components_ = k
        self.moments_ = m
        self.x_mean_, self.y_mean_ = m.x_mean, m.y_mean
        self.x_weights_, self.y_weights_ = Wx, Wy
        self.correlations_, self.rank_ = solution.correlations, solution.rank
        return self

    def _n_components(self, m):
        bound = min(m.xy.shape)
        if self.n_components is not None and self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, the width of the narrower "
                f"view. Got {self.n_components} instead. Reduce `n_components`."
            )
        return bound if self.n_components is None else self.n_components

    def _ridge(self):
        ridge = tuple(self.reg) if np.ndim(self.reg) else (self.reg, self.reg)
        valid = all(isinstance(r, Real) and 0 <= float(r) < np.inf for r in ridge)
        if len(ridge) != 2 or not valid:
            raise ValueError(
                "`reg` must be a finite number that is not negative, or an (x, y) pair "
                f"of them, got {self.reg!r}."
            )
        return ridge

    def _encode(self, view, side):
        if side == "x":
            return _linalg.project(view, self.x_mean_, self.x_weights_)
        return _linalg.project(view, self.y_mean_, self.y_weights_)

    def _decode(self, codes, side):
        return self._decoders[side].decode(**{f"{side}_codes": codes})

    def _rebuild(self, X, y, to):
        return self._decoders[to].decode(
            None if X is None else self._encode(X, "x"),
            None if y is None else self._encode(y, "y"),
        )
