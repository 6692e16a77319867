"""Linear canonical correlation analysis."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl import _arrays, _moments
from skcrl._covariates import require_freedom
from skcrl._degenerate import warn_of_constant, warn_without_freedom
from skcrl._typing import Reals, Rows, Seed, available_if, fit_context
from skcrl._validation import (
    check_pair,
    check_ridge,
    check_weights,
    random_source,
    require_samples,
    restored_on_error,
)
from skcrl._views import check_beside, kind_of
from skcrl.linear._by_covariance import (
    adjusted_views,
    fit_by_covariance,
    fourth_moments,
    moments_of,
)
from skcrl.linear._by_gram import covariate_bases, fit_by_gram
from skcrl.linear._by_weights import ByWeights, require_library_of_fit
from skcrl.linear._cross_validation import (
    check_folds,
    shrinkage_by_gram,
    shrinkage_by_moments,
)
from skcrl.linear._fit import (
    Settings,
    leading,
    overflow_told_by_error,
    require_finite,
)
from skcrl.linear._shrinkage import ESTIMATED, check_shrinkage


class LinearCCA(ByWeights):
    r"""Linear canonical correlation analysis, with a ridge or shrinkage on each view.

    CCA looks for one direction in each view such that the projections of the two views
    on them correlate as strongly as possible. It then looks for the next pair of
    directions, whose projections are uncorrelated with the earlier ones. The
    projections are the canonical variates; this package calls them codes. Use it first
    on any two tables whose rows belong together: it is fast, exact and easy to read.

    Let :math:`\Sigma` be the covariances, normalised by n - 1. The weights are
    :math:`W_x = \bar\Sigma_{xx}^{-1/2} U` and
    :math:`W_y = \bar\Sigma_{yy}^{-1/2} V`, where :math:`U, V` are the singular vectors
    of :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` [1]_ [2]_
    and :math:`\bar\Sigma_{vv} = (1 - s_v) \Sigma_{vv} + (s_v \mu_v + r_v) I`. Here
    :math:`r_v` is the ridge of view v, :math:`s_v` is its shrinkage and :math:`\mu_v`
    is the mean variance of its columns.

    Views may be dense or sparse; a sparse view is centred without becoming dense. Views
    may also be Dask arrays in chunks of rows. Their moments are then added up by the
    current Dask scheduler, and `transform` returns a Dask array.

    Pass `covariates` to ``fit``, such as age, sex or batch, to remove their effect.
    Each adjusted view is replaced by its residuals from a least-squares regression on
    the covariates, and covariances are normalised by the remaining degrees of freedom.
    Afterwards `transform` and the other methods take the covariates of the new rows,
    and remove their effect with the regression that was learned in ``fit``.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components, at most min(n_features_x, n_features_y). None keeps as
        many as the training data determine (see `rank_`), but at least one.
    reg : float or pair of float, default=1e-4
        Ridge :math:`(r_x, r_y)`: a constant added to the variance of every column. It
        is at least 0, and has the squared units of the view. A larger ridge gives
        weights that are smaller and more stable. With 0, the result is still finite if
        columns are collinear or there are fewer samples than features. However,
        columns that are collinear only up to the rounding of float32 count as
        independent.
    shrinkage : float, {"ledoit_wolf", "oas"} or pair of these, or "cv", default=0.0
        Shrinkage :math:`(s_x, s_y)` between 0 and 1. It moves the covariance of a view
        towards a multiple of the identity, and does not depend on units. With 1, the
        directions are those of partial least squares. "ledoit_wolf" [3]_ and "oas"
        [4]_ estimate the shrinkage of each view from that view alone. "cv" chooses one
        shrinkage for both views by cross-validation. It tries twelve values from 0.001
        to 0.97 on five folds of consecutive rows, and keeps the value with which the
        held-out pairs are easiest to tell from rows that do not belong together. Use
        "cv" if there are few samples or many features, and above all for retrieval. It
        takes about as long as ten fits.
    center : bool, default=True
        Whether to subtract the means of the training views.
    scale : bool, default=False
        Whether to divide the columns by their standard deviations. The effect of `reg`
        then does not depend on units.
    solver : {"auto", "covariance", "gram", "lanczos"}, default="auto"
        How the problem is solved:

        - "covariance" is exact, and uses the covariances of the columns.
        - "gram" is exact, and uses the inner products of the rows. It never stores a
          matrix of n_features x n_features. It has fewer exact digits if columns differ
          by many powers of ten.
        - "lanczos" computes only the leading components. It iterates on the covariances
          of the columns until only rounding errors are left. It needs a penalty on both
          views, and falls back to "covariance" if a correlation is below 1e-4.
        - "auto" chooses "gram" for views with more than twice as many features as
          samples. It chooses "lanczos" if both views have a penalty and 500 features or
          more, and at most a tenth of the components are wanted. Otherwise it chooses
          "covariance".
    adjust : {"both", "x", "y"}, default="both"
        The view or views from which the effect of the covariates is removed, if there
        are covariates. With "both" the correlations are partial correlations, with "x"
        or "y" they are semipartial.
    random_state : int, RandomState instance or None, default=None
        Seed for the start of "lanczos". It changes only the last digits of the result.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Canonical correlations: the Pearson correlation of each pair of codes of the
        training views. They are 0 beyond `rank_`. With a penalty they are not always in
        decreasing order, but `singular_values_` are. These are training values, and
        with few samples they are large even for noise. To see what is real, use
        ``score`` on held-out views, or :mod:`skcrl.inspection`.
    singular_values_ : ndarray of shape (n_components,)
        Singular values of T, largest first. They give the components their order.
        Without a penalty they equal `correlations_`. A ridge makes them smaller;
        `shrinkage` makes them larger, up to :math:`1 / \sqrt{(1 - s_x)(1 - s_y)}`.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Canonical weights, which map the centred views to codes. Without a penalty, the
        codes of a view are uncorrelated and have variance 1. The weights are 0 beyond
        `rank_`.
    x_loadings_, y_loadings_ : ndarray of shape (n_features, n_components)
        Loadings: the correlation of each column of a view with each code of that view.
        The loading of a constant column is 0.
    x_explained_variance_ratio_, y_explained_variance_ratio_ : ndarray
        Share of the total variance of a view that each of its codes explains, of shape
        (n_components,).
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views; 0 if the views were not centred.
    x_var_, y_var_ : ndarray of shape (n_features,)
        Variances of the training views; mean squares if the views were not centred. If
        there were covariates, these variances, the loadings and the explained variances
        are those of the residuals.
    covariate_mean_ : ndarray of shape (n_covariates,)
        Means of the covariates, if there were any; 0 if the views were not centred.
    x_slopes_, y_slopes_ : ndarray of shape (n_covariates, n_features) or None
        Regression coefficients of a view on the covariates, if there were any. The
        residuals are ``X - (covariates - covariate_mean_) @ x_slopes_``. None for a
        view that is not adjusted.
    covariate_names_in_ : ndarray of str
        Column names of the covariates, if they were a data frame.
    rank_ : int
        Number of components that the training data determine, at most `n_components_`.
    solver_ : str
        The solver that was used.
    shrinkage_ : pair of float
        Shrinkage of each view, whether it was given, estimated or chosen.
    moments_ : Moments
        Sums that `partial_fit` continues from. It does not exist after solver "gram".
    n_samples_seen_ : int
        Number of samples in the last ``fit`` and in every ``partial_fit`` after it.
    n_features_in_, y_n_features_in_ : int
        Number of features of each view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of each view, if it was a data frame.

    See Also
    --------
    KernelCCA : Nonlinear CCA, in the feature spaces of kernels.
    DeepCCA : Nonlinear CCA, with encoders that are neural networks.
    SparseCCA : CCA with weights that are mostly 0.

    References
    ----------
    .. [1] Hotelling (1936). Relations between two sets of variates. Biometrika 28.
    .. [2] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.
    .. [3] Ledoit and Wolf (2004). A well-conditioned estimator for large-dimensional
       covariance matrices. Journal of Multivariate Analysis 88.
    .. [4] Chen, Wiesel, Eldar and Hero (2010). Shrinkage algorithms for MMSE covariance
       estimation. IEEE Transactions on Signal Processing 58.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> exercise, physiology = load_linnerud(return_X_y=True)
    >>> cca = LinearCCA(reg=0).fit(exercise, physiology)
    >>> cca.correlations_.round(4)
    array([0.7956, 0.2006, 0.0726])
    >>> cca.x_loadings_.round(2)[:, 0]  # chin-ups, sit-ups and jumps
    array([0.73, 0.82, 0.16])
    >>> cca.transform(exercise).shape
    (20, 3)
    >>> cca.reconstruct(exercise, to="y").shape
    (20, 3)

    What do exercise and weight and waist share, once the pulse is accounted for?

    >>> body, pulse = physiology[:, :2], physiology[:, 2]
    >>> partial = LinearCCA(reg=0).fit(exercise, body, covariates=pulse)
    >>> partial.correlations_.round(4)
    array([0.7781, 0.2004])
    >>> round(partial.score(exercise, body, covariates=pulse), 4)
    0.9785
    """

    _accepts_sparse = True
    # Converting a wide CSC view, such as single cells, would double the memory.
    _sparse_formats = ("csr", "csc")
    _accepts_tensors = True
    _accepts_dask = True

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "reg": [Interval(Real, 0, None, closed="left"), "array-like"],
        "shrinkage": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({*ESTIMATED, "cv"}),
            "array-like",
        ],
        "center": ["boolean"],
        "scale": ["boolean"],
        "solver": [StrOptions({"auto", "covariance", "gram", "lanczos"})],
        "adjust": [StrOptions({"both", "x", "y"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        reg: Reals = 1e-4,
        shrinkage: float | str | Sequence[float | str] = 0.0,
        center: bool = True,
        scale: bool = False,
        solver: Literal["auto", "covariance", "gram", "lanczos"] = "auto",
        adjust: Literal["both", "x", "y"] = "both",
        random_state: Seed = None,
    ):
        self.n_components = n_components
        self.reg = reg
        self.shrinkage = shrinkage
        self.center = center
        self.scale = scale
        self.solver = solver
        self.adjust = adjust
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: Rows,
        sample_weight: ArrayLike | None = None,
        covariates: Rows | None = None,
    ) -> Self:
        """Fit the model to two paired views.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix, Dask array} of shape \
                (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Number of samples that each row stands for, at least 0. The weights must
            add up to more than 1. None gives every row the weight 1.
        covariates : {array-like, Dask array} of shape (n_samples, n_covariates) or \
                (n_samples,) or None, default=None
            Variables whose effect is removed from the views that `adjust` names. The
            regression has an intercept if `center` is True. Covariates may be collinear
            or constant.

        Returns
        -------
        self : LinearCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input cannot be used. The estimator then stays as it was before. The
            possible reasons are:

            - The views are not finite numbers with paired rows, have fewer than two
              rows, or have variances that overflow.
            - Only one of the views is a Dask array, or only one is a tensor; or a Dask
              array is split along its features; or `solver` cannot use such views.
            - `n_components` is larger than the number of features of the narrower view,
              or `reg`, `shrinkage` or `sample_weight` is out of range.
            - The views have fewer than ten rows, or are Dask arrays, with
              ``shrinkage="cv"``.
            - The covariates are not finite numbers with paired rows, or leave no degree
              of freedom.

        Warns
        -----
        DegenerateFitWarning
            If a view is constant, or if the ranks of the two views add up to more than
            the degrees of freedom. In the second case the first `correlations_` are 1
            for any data. With centring there are n_samples - 1 degrees of freedom, less
            those that the covariates take. A direction does not count towards the rank
            if its penalty is at least a hundredth of its variance.
        """
        with restored_on_error(self), overflow_told_by_error():
            check_beside(X, sample_weight, "sample_weight")
            given = X, y
            X, y = check_pair(self, X, y, reset=True, min_samples=2)
            C = self._check_covariates(covariates, *given, reset=True)
            X, y, weights, kept = check_weights(X, y, sample_weight)
            C = None if C is None else C[kept]
            if weights is not None:
                require_samples(weights)
            self.__dict__.pop("moments_", None)
            self.n_samples_seen_ = X.shape[0]
            if self._by_gram(X):
                _require_two(self.n_samples_seen_)
                weights = np.ones(X.shape[0]) if weights is None else weights
                fit, lost = self._solve_by_gram(X, y, C, weights)
            else:
                m, n_covariates = moments_of(X, y, C, weights)
                self.n_samples_seen_ = _n_rows(X, weights, m)
                _require_two(self.n_samples_seen_)
                settings = self._settings_by_moments(X, y, C, weights)
                fourth = fourth_moments(X, y, weights, C)
                fit, lost = self._solve(m, n_covariates, settings, fourth)
                require_freedom(m.n - self.center, lost)
            self._warn(fit, lost)
        return self

    def _adds_up_moments(self):
        for parameter, value in (
            ("solver", "gram"),
            ("shrinkage", "ledoit_wolf"),
            ("shrinkage", "cv"),
        ):
            if value in np.atleast_1d(np.asarray(getattr(self, parameter), object)):
                raise AttributeError(
                    f"partial_fit adds up moments, but {parameter}={value!r} needs all "
                    "rows at once. Use fit, or choose another value."
                )
        return True

    @available_if(_adds_up_moments)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Rows,
        y: Rows,
        sample_weight: ArrayLike | None = None,
        covariates: Rows | None = None,
    ) -> Self:
        """Update the fit with more paired rows.

        Use it if the data do not fit into memory, or arrive in parts. The result does
        not depend on how the rows are divided between the calls.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix, Dask array} of shape \
                (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Number of samples that each row stands for, at least 0. None gives every row
            the weight 1.
        covariates : {array-like, Dask array} of shape (n_samples, n_covariates) or \
                (n_samples,) or None, default=None
            As in ``fit``. Pass covariates in every call or in none.

        Returns
        -------
        self : LinearCCA
            Estimator, fitted to the rows of the last ``fit`` and of every
            ``partial_fit`` after it.

        Raises
        ------
        ValueError
            As for `fit`. Also if the last ``fit`` used solver "gram", which keeps no
            sums that could be continued.
        AttributeError
            If `solver` is "gram", or `shrinkage` is "ledoit_wolf" or "cv". These need
            all rows at once.
        """
        first = not hasattr(self, "n_samples_seen_")
        if not first and not hasattr(self, "moments_"):
            raise ValueError(
                "This estimator was fitted with solver 'gram', which keeps no moments "
                "that partial_fit could add to. Fit it with solver='covariance'."
            )
        with restored_on_error(self), overflow_told_by_error():
            check_beside(X, sample_weight, "sample_weight")
            given = X, y
            X, y = check_pair(self, X, y, reset=first)
            C = self._check_covariates(covariates, *given, reset=first)
            if not first:
                require_library_of_fit(self, X, "x")
            X, y, weights, kept = check_weights(X, y, sample_weight)
            C = None if C is None else C[kept]
            m, n_covariates = moments_of(X, y, C, weights)
            seen = _n_rows(X, weights, m)
            if not first:
                m = _moments.merge_moments(self.moments_, m)
                seen += self.n_samples_seen_
            self.n_samples_seen_ = seen
            self._solve(m, n_covariates, self._settings())
        return self

    def _solve(self, m, n_covariates, settings, fourth=None):
        """Fit to moments of [X, covariates] and y.

        Returns the fit and the degrees of freedom that the covariates take.
        """
        require_finite(float(m.xx.diagonal().sum() + m.yy.diagonal().sum()))
        k = self._n_components(m.n)
        lanczos = self._by_lanczos(m, k, settings)
        random_state = random_source(self.random_state) if lanczos else None
        views, adjustment = adjusted_views(
            m, n_covariates, settings, self.adjust, fourth
        )
        lost = 0
        if adjustment is not None:
            lost = adjustment.rank
            self._keep_adjustment(adjustment)
        fit = fit_by_covariance(views, k, random_state)
        self.moments_ = m
        self._keep(fit, "lanczos" if lanczos else "covariance")
        return fit, lost

    def _solve_by_gram(self, X, y, C, weights):
        k, settings = self._n_components(weights.sum()), self._settings()
        bases, adjustment = covariate_bases(X, y, C, weights, self.center, self.adjust)
        lost = 0
        if adjustment is not None:
            lost = adjustment.rank
            self._keep_adjustment(adjustment)
            require_freedom(weights.sum() - self.center, lost)
        if self._by_cv():
            check_folds(self.n_samples_seen_)
            chosen = shrinkage_by_gram(X, y, weights, settings, bases, lost)
            settings = settings._replace(shrinkage=(chosen, chosen))
        fit = fit_by_gram(X, y, weights, k, settings, bases, lost)
        self._keep(fit, "gram")
        return fit, lost

    def _keep(self, fit, solver):
        if self.n_components is None:
            fit = leading(fit, max(1, fit.solution.rank))
        self.solver_ = solver
        self.shrinkage_ = fit.shrinkage
        self.singular_values_, self.rank_ = fit.solution[2:]
        self._keep_weights(fit)

    def _warn(self, fit, lost):
        beyond = " beyond what covariates explain" * (lost > 0)
        warn_of_constant(
            fit.constant, f"pass a view that varies between samples{beyond}"
        )
        warn_without_freedom(
            float(fit.correlations[0]),
            (self.n_features_in_, self.y_n_features_in_),
            fit.free_ranks,
            self.n_samples_seen_ - self.center - lost,
            "Set shrinkage, for example to 0.5 or 'ledoit_wolf', or a larger reg",
        )

    def _n_components(self, n_samples):
        bound = min(self.n_features_in_, self.y_n_features_in_)
        if self.n_components is None:
            return min(bound, max(self.n_samples_seen_, int(n_samples)))
        if self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, the number of features of the "
                f"narrower view. Got {self.n_components} instead. Reduce "
                "`n_components`."
            )
        return self.n_components

    def _by_gram(self, X):
        is_numpy = kind_of(X).library == "numpy"
        if self.solver in ("gram", "lanczos") and not is_numpy:
            raise ValueError(
                f"solver={self.solver!r} takes NumPy arrays and sparse matrices, got "
                f"{type(X).__module__}.{type(X).__name__}. Use solver='covariance'."
            )
        widest = max(self.n_features_in_, self.y_n_features_in_)
        return self.solver == "gram" or (
            self.solver == "auto" and is_numpy and widest > 2 * X.shape[0]
        )

    def _by_lanczos(self, m, k, settings):
        narrowest = min(self.n_features_in_, self.y_n_features_in_)
        penalised = all(
            reg > 0 or shrinkage != 0
            for reg, shrinkage in zip(settings.reg, settings.shrinkage, strict=True)
        )
        few = not _arrays.is_tensor(m.x_mean) and narrowest >= max(500, 10 * k)
        return penalised and (
            self.solver == "lanczos" or (self.solver == "auto" and few)
        )

    def _settings_by_moments(self, X, y, C, weights):
        settings = self._settings()
        if not self._by_cv():
            return settings
        if kind_of(X).library == "dask":
            raise ValueError(
                "shrinkage='cv' cannot use Dask arrays. First fit a part of the rows "
                "in memory, and pass the shrinkage_ of that fit as shrinkage."
            )
        check_folds(self.n_samples_seen_)
        chosen = shrinkage_by_moments(X, y, C, weights, settings, self.adjust)
        return settings._replace(shrinkage=(chosen, chosen))

    def _settings(self):
        return Settings(
            self.center,
            self.scale,
            check_ridge(self.reg),
            (0.0, 0.0) if self._by_cv() else check_shrinkage(self.shrinkage),
        )

    def _by_cv(self):
        return isinstance(self.shrinkage, str) and self.shrinkage == "cv"


def _n_rows(X, weights, m):
    """Number of rows with a weight, which Dask may know only after adding them up."""
    if weights is not None:
        return int((weights > 0).sum())
    return int(m.n) if np.isnan(X.shape[0]) else X.shape[0]


def _require_two(n_samples):
    if n_samples < 2:
        raise ValueError(
            f"Found {n_samples} sample(s), while a minimum of 2 is required by "
            "LinearCCA."
        )
