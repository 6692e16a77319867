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

    Finds pairs of directions along which the views correlate most, each pair
    uncorrelated with the others. With covariances :math:`\Sigma` over n - 1 the weights
    are :math:`W_x = \bar\Sigma_{xx}^{-1/2} U` and
    :math:`W_y = \bar\Sigma_{yy}^{-1/2} V`, where :math:`U, V` are the singular vectors
    of :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` [1]_ [2]_
    and :math:`\bar\Sigma_{vv} = (1 - s_v) \Sigma_{vv} + (s_v \mu_v + r_v) I`, with
    ridge :math:`r_v`, shrinkage :math:`s_v` and mean variance :math:`\mu_v` of the
    columns of view v.

    Views may be dense or sparse, and sparse ones are centred without becoming dense.
    Of Dask arrays in chunks of rows, the moments are added up by the scheduler that is
    set, and `transform` gives a Dask array.

    With `covariates` in ``fit``, such as age, sex or batch, both views or one are
    replaced by their residuals after least squares on these, whose covariances are over
    the degrees of freedom that are left. `transform` and all methods like it then take
    the covariates of their rows, of which what was learned in ``fit`` is taken out.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components, at most min(n_features_x, n_features_y). None stands for
        as many as the training data determine, `rank_`, and one at least.
    reg : float or pair of float, default=1e-4
        Ridge :math:`(r_x, r_y)`, not negative, in squared units of the views. With 0,
        collinear columns and fewer samples than features still give finite answers,
        though columns that are collinear only up to the rounding of float32 count
        as independent.
    shrinkage : float, {"ledoit_wolf", "oas"} or pair of these, or "cv", default=0.0
        Shrinkage :math:`(s_x, s_y)` between 0 and 1, which knows no units. With 1 the
        directions are those of partial least squares; "ledoit_wolf" [3]_ and "oas" [4]_
        estimate it from each view of the training data alone. "cv" chooses one for both
        views by what they share: it tries twelve from 0.001 to 0.97, holds out five
        folds of consecutive rows in turn, and takes the one with which held-out pairs
        stand out the most from rows that are no pairs. Take it for few samples or wide
        views, and above all for search; it costs about as much as ten fits.
    center : bool, default=True
        Whether to subtract the means of the training views.
    scale : bool, default=False
        Whether to divide the columns by their standard deviations, which makes `reg`
        independent of units.
    solver : {"auto", "covariance", "gram", "lanczos"}, default="auto"
        "covariance" solves exactly through the covariances of the columns; "lanczos"
        finds the top components alone through the same covariances, by iterations to
        the precision of rounding, if both views have a penalty, and leaves correlations
        below 1e-4 to "covariance"; "gram" solves exactly through products of the rows,
        and makes no matrix of n_features x n_features, but has fewer exact digits
        where columns differ by many powers of ten. "auto" takes "gram" for views with
        more than twice as many features as samples; "lanczos" for a tenth of the
        components or fewer of views with 500 features or more; else "covariance".
    adjust : {"both", "x", "y"}, default="both"
        Which view covariates are taken out of, where there are any. Of one view alone
        the correlations are semipartial, of both partial.
    random_state : int, RandomState instance or None, default=None
        Start of the iterations of "lanczos"; the result depends on it in the last
        digits alone.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of codes of the training views, with their
        weights. 0 past `rank_`. With a penalty they need not fall from one to the next:
        `singular_values_` do. They say how well the training views were fitted, and
        on few samples they are large even for noise: ``score`` on held-out views and
        :mod:`skcrl.inspection` say what is real.
    singular_values_ : ndarray of shape (n_components,)
        Singular values of T, largest first, which put the components in order. Without
        a penalty they are `correlations_`; a ridge makes them smaller, and `shrinkage`
        larger, up to :math:`1 / \sqrt{(1 - s_x)(1 - s_y)}`.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Projections of the centred views, whose codes are uncorrelated and of unit
        variance but for ridge and shrinkage. Zero past `rank_`.
    x_loadings_, y_loadings_ : ndarray of shape (n_features, n_components)
        Correlation of each column of a view with each of its codes; 0 for a constant.
    x_explained_variance_ratio_, y_explained_variance_ratio_ : ndarray
        Share of a view's total variance that each code accounts for, (n_components,).
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views; 0 without centring.
    x_var_, y_var_ : ndarray of shape (n_features,)
        Variances of the training views, about 0 without centring. These, loadings and
        explained variances are of residuals, if there were covariates.
    covariate_mean_ : ndarray of shape (n_covariates,)
        Means of the covariates, if there were any; 0 without centring.
    x_slopes_, y_slopes_ : ndarray of shape (n_covariates, n_features) or None
        What a view gains with each covariate, if there were any: residuals are
        ``X - (covariates - covariate_mean_) @ x_slopes_``. None for a view that is not
        adjusted.
    covariate_names_in_ : ndarray of str
        Column names of the covariates, if they were a data frame.
    rank_ : int
        Components that the training data determine, at most `n_components_`.
    solver_ : str
        Solver that was chosen.
    shrinkage_ : pair of float
        Shrinkage of either view: as given, estimated or chosen.
    moments_ : Moments
        Sums that `partial_fit` continues from; not there after solver "gram".
    n_samples_seen_ : int
        Number of samples of the last ``fit`` and of every ``partial_fit`` since.
    n_features_in_, y_n_features_in_ : int
        Width of either view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of either view, if it was a data frame.

    See Also
    --------
    KernelCCA : The same in the feature spaces of kernels.
    DeepCCA : Learned nonlinear encoders before the same CCA.

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

    What exercise shares with weight and waist beyond the pulse:

    >>> body, pulse = physiology[:, :2], physiology[:, 2]
    >>> partial = LinearCCA(reg=0).fit(exercise, body, covariates=pulse)
    >>> partial.correlations_.round(4)
    array([0.7781, 0.2004])
    >>> round(partial.score(exercise, body, covariates=pulse), 4)
    0.9785
    """

    _accepts_sparse = True
    # A copy of wide CSC views, of cells say, would take as much memory as the fit.
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
        """Fit to paired views.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix, Dask array} of shape \
                (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, not negative; None is one each. They
            must add up to more than 1.
        covariates : {array-like, Dask array} of shape (n_samples, n_covariates) or \
                (n_samples,) or None, default=None
            What is taken out of the views that `adjust` names, with an intercept if
            `center`. Collinear and constant ones are no error.

        Returns
        -------
        self : LinearCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, at least two of
            them, or ten for ``shrinkage="cv"``, which takes no Dask array; if one is a
            Dask array, or a tensor, and the other is not, or a Dask array is divided
            along its features; if variances overflow; if
            `n_components` exceeds the narrower view, `reg`, `shrinkage` or
            `sample_weight` is out of its range, `solver` does not take such views, or
            covariates are not finite numbers of paired rows or leave no degree of
            freedom. The estimator is then as it was before.

        Warns
        -----
        DegenerateFitWarning
            If a view is constant, or if the ranks of the views add up to more than the
            samples leave, n_samples - 1 with centring, less those that covariates take:
            the first `correlations_` are then 1 whatever the data. Directions of which
            the penalty is a hundredth of the variance or more do not count.
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
                    f"partial_fit adds up moments, and {parameter}={value!r} needs all "
                    "rows at once: use fit, or choose another."
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
        """Add paired rows: any division of the data into calls gives the same fit.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix, Dask array} of shape \
                (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, not negative; None is one each.
        covariates : {array-like, Dask array} of shape (n_samples, n_covariates) or \
                (n_samples,) or None, default=None
            As in ``fit``, in every call or in none.

        Returns
        -------
        self : LinearCCA
            Fitted to the rows of the last ``fit`` and of every ``partial_fit`` since.

        Raises
        ------
        ValueError
            As for `fit`, and if the last one was solved by "gram", which leaves no sums
            to continue from.
        AttributeError
            With solver "gram", or shrinkage "ledoit_wolf" or "cv", which need all rows
            at once.
        """
        first = not hasattr(self, "n_samples_seen_")
        if not first and not hasattr(self, "moments_"):
            raise ValueError(
                "Solver 'gram' fitted this estimator, and leaves no moments to "
                "add to: fit it with solver='covariance'."
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
        """Fit to moments of [X, covariates] and y; the freedom that these take, too."""
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
            "Set shrinkage, to 0.5 or 'ledoit_wolf' say, or a larger reg",
        )

    def _n_components(self, n_samples):
        bound = min(self.n_features_in_, self.y_n_features_in_)
        if self.n_components is None:
            return min(bound, max(self.n_samples_seen_, int(n_samples)))
        if self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, the width of the narrower "
                f"view. Got {self.n_components} instead. Reduce `n_components`."
            )
        return self.n_components

    def _by_gram(self, X):
        is_numpy = kind_of(X).library == "numpy"
        if self.solver in ("gram", "lanczos") and not is_numpy:
            raise ValueError(
                f"solver={self.solver!r} takes NumPy arrays and sparse matrices, got "
                f"{type(X).__module__}.{type(X).__name__}: use solver='covariance'."
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
                "shrinkage='cv' takes no Dask arrays: choose it on a part of the rows "
                "in memory, fit to these, and pass its shrinkage_ as shrinkage."
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
    """Rows that weigh something; Dask may have learnt it only by adding them up."""
    if weights is not None:
        return int((weights > 0).sum())
    return int(m.n) if np.isnan(X.shape[0]) else X.shape[0]


def _require_two(n_samples):
    if n_samples < 2:
        raise ValueError(
            f"Found {n_samples} sample(s), while a minimum of 2 is required by "
            "LinearCCA."
        )
