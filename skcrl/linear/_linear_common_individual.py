"""Linear common and individual parts of two views."""

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skcrl import _linalg, _moments
from skcrl._arrays import like
from skcrl._common_individual import CommonIndividual
from skcrl._degenerate import warn_of_constant, warn_without_freedom
from skcrl._typing import Rows, Seed, Side, fit_context
from skcrl._validation import (
    check_pair,
    per_view,
    random_source,
    restored_on_error,
)
from skcrl._views import common_kind, kind_of
from skcrl.exceptions import DegenerateFitWarning
from skcrl.linear._ajive import (
    common_bounds,
    individual_directions,
    n_common,
    signal_rank,
)
from skcrl.linear._fit import overflow_told_by_error, require_finite
from skcrl.linear._loadings import loadings_frame
from skcrl.linear._principal import ByCovariance, ByRows

_NAMES = {"x": "X", "y": "y"}


class LinearCommonIndividual(CommonIndividual):
    r"""Common, individual and residual parts of two tables, by linear projections.

    Use it to separate what two noisy tables share from what each table has alone. As in
    AJIVE [1]_, the angles between the signals of the two tables decide what is shared:

    1. The signal of each table is spanned by its leading `n_signal_` principal
       components. Standardised, these are :math:`U_x` and :math:`U_y`.
    2. The singular value decomposition is :math:`U_x^\top U_y / (n - 1) = A R B^\top`.
       The common codes are :math:`Z_x = U_x A` and :math:`Z_y = U_y B`, for the pairs
       of directions whose correlation is larger than both bounds of AJIVE.
    3. The part of the signal that the common codes do not explain is the individual
       part. Its principal components are the individual codes. The rest of the table is
       the residual.

    Each code is a linear projection of its own table, so a new sample needs only one of
    the two tables. On the training data all codes of a table are uncorrelated, so the
    variances of the three parts add up. ``transform_joint`` gives the joint scores of
    AJIVE, which are the same for both tables, up to scale.

    Columns with a large variance have more influence, and the noise is assumed to be
    equal in all columns. If columns have different units, bring them to one scale
    first, with StandardScaler in a ViewPipeline. This makes their noise unequal, and
    too many directions then look like signal. In that case set `n_signal`, or both
    `n_components` and `n_individual`.

    Views may be sparse, or Dask arrays in chunks of rows. If a view has more than twice
    as many columns as rows, the problem is solved with n x n matrices, otherwise with
    the covariances of the columns.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of common components, at most the number of features of the narrower
        view. None keeps the directions whose correlation is larger than both bounds.
    n_individual : int, None or pair of these, default=None
        Number of individual components, one number for both views or a pair (x, y). It
        is at most the number of features minus the number of common components. None
        keeps all of the signal that is not common: `n_signal_` minus the number of
        common components.
    n_signal : int, None or pair of these, default=None
        Rank of the signal, one number for both views or a pair (x, y), from
        `n_components` to the number of features. None counts the directions that have
        more variance than noise explains, by the tests of [2]_, which assume the same
        noise in all columns. It counts at least one, and at least as many as
        `n_components` and `n_individual` ask for. Set the rank yourself if the noise
        differs between columns, as after StandardScaler, or if the signal fills the
        view. To find it, plot the eigenvalues of the covariance of the view: those of
        the signal lie above the slow decline of the others.
    random_state : int, RandomState instance or None, default=None
        Seed for the random matrices from which the bounds are estimated. A direction
        close to a bound may be common with one seed and not with another.

    Attributes
    ----------
    n_components_ : int
        Number of columns of the common codes, at least one.
    rank_ : int
        Number of common components that were found; 0 if no direction exceeds the
        bounds. Codes beyond `rank_` are 0.
    n_individual_ : tuple of int
        Number of individual components of each view, (x, y).
    n_signal_ : tuple of int
        Rank of the signal of each view, (x, y).
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of common codes of the training views, largest
        first. They are 0 beyond `rank_`.
    signal_correlations_ : ndarray of shape (n_pairs,)
        Correlations of all pairs of directions of the signals, common or not. There are
        as many as the smaller `n_signal_`.
    wedin_bound_, random_bound_ : float
        The two bounds, each at a level of 5 %. The first is the correlation that a
        shared direction keeps under the noise. It is 0 if the signal fills a view, so
        that the noise of the view cannot be estimated. The second is the largest
        correlation of random signals of the same ranks. (The squared singular values of
        [1]_ are these correlations plus one.) They exist only with
        ``n_components=None``.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Weights, which map the centred views to common codes. These have variance 1.
    x_individual_weights_, y_individual_weights_ : ndarray (n_features, n_individual)
        Weights, which map the centred views to individual codes. These have variance 1.
        They are ordered by the variance that they explain, largest first.
    x_loadings_, y_loadings_ : ndarray of shape (n_features, n_components)
        Loadings: the correlation of each column of a view with each of its common
        codes. The loading of a constant column is 0.
    x_individual_loadings_, y_individual_loadings_ : ndarray (n_features, n_individual)
        Loadings on the individual codes.
    x_explained_variance_ratio_, y_explained_variance_ratio_ : ndarray (n_components,)
        Share of the total variance of a view that each of its common codes explains.
    x_individual_explained_variance_ratio_ : ndarray of shape (n_individual,)
        Share of the total variance of x that each of its individual codes explains. The
        residual has the share that is missing to 1.
    y_individual_explained_variance_ratio_ : ndarray of shape (n_individual,)
        Share of the total variance of y that each of its individual codes explains.
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views.
    x_var_, y_var_ : ndarray of shape (n_features,)
        Variances of the training views.
    moments_ : Moments
        Sums that `partial_fit` continues from. They do not exist after a ``fit`` to
        views with more than twice as many columns as rows.
    n_samples_seen_ : int
        Number of samples in the last ``fit`` and in every ``partial_fit`` after it.
    n_features_in_, y_n_features_in_ : int
        Number of features of each view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of each view, if it was a data frame.

    See Also
    --------
    LinearCCA : Common codes only, from all directions of the views.

    Notes
    -----
    ``reconstruct(X, y, to="x", parts="common")`` returns the common part of X, with its
    mean. ``parts="individual"`` returns the individual part, and X minus the result of
    ``parts="all"`` is the residual. If both views are given, the common part is
    reconstructed from the mean of both common codes, which is more accurate than either
    of them. Within the signal this is the joint part of AJIVE. If a view is
    missing, its common codes are predicted as those of the other view times
    `correlations_`.

    D-CCA [3]_ shrinks the common part if its directions are only partly correlated, and
    adds the difference to the individual part. In simulated tables where only noise
    lowers the correlations, the individual part of D-CCA is further from the truth than
    the one here: ``benchmarks/linear_common_individual.py`` prints the errors of both.

    References
    ----------
    .. [1] Feng, Jiang, Hannig and Marron (2018). Angle-based joint and individual
       variation explained. Journal of Multivariate Analysis 166.
    .. [2] Kritchman and Nadler (2008). Determining the number of components in a factor
       model from limited noisy data. Chemometrics and Intelligent Laboratory
       Systems 94.
    .. [3] Shu, Wang and Zhu (2020). D-CCA: a decomposition-based canonical correlation
       analysis for high-dimensional datasets. Journal of the American Statistical
       Association 115.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import LinearCommonIndividual
    >>> rng = np.random.default_rng(0)
    >>> common, x_own, y_own = rng.standard_normal((3, 300, 2))
    >>> X, y = (
    ...     np.hstack([common, own]) @ rng.standard_normal((4, 40))
    ...     + rng.standard_normal((300, 40))
    ...     for own in (x_own, y_own)
    ... )
    >>> parts = LinearCommonIndividual(random_state=0).fit(X, y)
    >>> parts.n_components_, parts.n_individual_
    (2, (2, 2))
    >>> Z = parts.transform(X)
    >>> np.corrcoef(Z[:, 0], parts.transform_individual(X)[:, 0])[0, 1].round(6) + 0
    np.float64(0.0)
    >>> common_part = parts.reconstruct(X, y, to="x", parts="common")
    >>> residual = X - parts.reconstruct(X, y, to="x", parts="all")
    """

    _accepts_sparse = True
    _accepts_dask = True

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_individual": [
            Interval(Integral, 0, None, closed="left"),
            None,
            "array-like",
        ],
        "n_signal": [Interval(Integral, 1, None, closed="left"), None, "array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        n_individual: int | Sequence[int | None] | None = None,
        n_signal: int | Sequence[int | None] | None = None,
        random_state: Seed = None,
    ):
        self.n_components = n_components
        self.n_individual = n_individual
        self.n_signal = n_signal
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows) -> Self:
        """Fit the model to two paired views.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix, Dask array} of shape \
                (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`.

        Returns
        -------
        self : LinearCommonIndividual
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, have fewer than two
            rows, or have variances that overflow; if only one of them is a Dask array;
            or if a number of components is out of range. The estimator then stays as it
            was before.

        Warns
        -----
        DegenerateFitWarning
            If a view is constant; if no direction is common, so that all common codes
            are 0; or if the signals have more directions together than there are
            degrees of freedom, so that the first components correlate for any data.
        """
        with restored_on_error(self), overflow_told_by_error():
            X, y = check_pair(self, X, y, reset=True, min_samples=2)
            self.__dict__.pop("moments_", None)
            if self._by_rows(X):
                self._solve(ByRows.of(X, y))
            else:
                self._solve_moments(common_kind(X, y).moments(X, y))
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Rows, y: Rows) -> Self:
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

        Returns
        -------
        self : LinearCommonIndividual
            Estimator, fitted to the rows of the last ``fit`` and of every
            ``partial_fit`` after it. The first call needs at least two rows. The
            problem is always solved with covariances.

        Raises
        ------
        ValueError
            As for `fit`. Also if the last ``fit`` was to views with more than twice as
            many columns as rows, because it keeps no sums that could be continued.
        """
        first = not hasattr(self, "n_samples_seen_")
        if not first and not hasattr(self, "moments_"):
            raise ValueError(
                "The views in fit had more than twice as many columns as rows. Such a "
                "fit keeps no moments that partial_fit could add to. Start with "
                "partial_fit instead of fit."
            )
        with restored_on_error(self), overflow_told_by_error():
            X, y = check_pair(self, X, y, reset=first)
            moments = common_kind(X, y).moments(X, y)
            if not first:
                moments = _moments.merge_moments(self.moments_, moments)
            self._solve_moments(moments)
        return self

    def _solve_moments(self, moments):
        require_finite(float(moments.xx.diagonal().sum() + moments.yy.diagonal().sum()))
        if moments.n < 2:
            raise ValueError(
                f"Found {moments.n:.0f} sample(s), while a minimum of 2 is required by "
                "LinearCommonIndividual."
            )
        self._solve(ByCovariance.of(moments))
        self.moments_ = moments

    def _solve(self, principal):
        n_individual, n_signal = self._ranks()
        spectra, n_free = principal.spectra, principal.n - 1
        self.n_samples_seen_ = principal.n
        self.n_signal_ = tuple(
            _signal_rank(spectrum, n_free, rank, (self.n_components or 0) + (own or 0))
            for spectrum, rank, own in zip(spectra, n_signal, n_individual, strict=True)
        )
        left, correlations, right = np.linalg.svd(
            principal.correlations(*self.n_signal_), full_matrices=False
        )
        self.signal_correlations_ = correlations.clip(0.0, 1.0)
        self.rank_ = self._n_common(spectra, n_free)
        self.n_components_ = self.n_components or max(1, self.rank_)
        self.correlations_ = _padded(
            self.signal_correlations_[None, : self.rank_], self.n_components_
        )[0]
        self.n_individual_ = tuple(
            rank - self.rank_ if own is None else int(own)
            for rank, own in zip(self.n_signal_, n_individual, strict=True)
        )
        left, right = left[:, : self.rank_], right[: self.rank_].T
        sign = _signs(principal, 0, left)
        x, y = (
            self._projections(principal, i, directions * sign)
            for i, directions in enumerate((left, right))
        )
        self.x_weights_, self.y_weights_ = x.weights, y.weights
        self.x_individual_weights_ = x.individual_weights
        self.y_individual_weights_ = y.individual_weights
        self._patterns = {
            "x": (x.pattern, x.individual_pattern),
            "y": (y.pattern, y.individual_pattern),
        }
        self.x_mean_, self.y_mean_ = (spectrum.mean for spectrum in spectra)
        self.x_var_, self.y_var_ = (spectrum.var for spectrum in spectra)
        self._warn()

    def _n_common(self, spectra, n_free):
        """Number of common components, at most as many as the signals have."""
        self.__dict__.pop("wedin_bound_", None)
        self.__dict__.pop("random_bound_", None)
        if self.n_components is not None:
            return min(self.n_components, len(self.signal_correlations_))
        if 0 in self.n_signal_:  # a view is constant
            return 0
        self.wedin_bound_, self.random_bound_ = common_bounds(
            [spectrum.values for spectrum in spectra],
            [spectrum.n_distinct for spectrum in spectra],
            n_free,
            self.n_signal_,
            random_source(self.random_state),
        )
        return n_common(
            self.signal_correlations_, self.wedin_bound_, self.random_bound_
        )

    def _projections(self, principal, i, common):
        """Projections of one view from the common directions of its signal."""
        values, n_individual = principal.spectra[i].values, self.n_individual_[i]
        size = min(len(values), max(len(common), self.rank_ + n_individual))
        common = np.vstack([common, np.zeros((size - len(common), self.rank_))])
        individual = individual_directions(
            values[:size], common, min(n_individual, size - self.rank_)
        )
        individual = individual * _signs(principal, i, individual)
        axes, roots = principal.axes(i, size), values[:size, None] ** 0.5
        common = _padded(common, self.n_components_)
        individual = _padded(individual, n_individual)
        return _Projections(
            axes @ (common / roots),
            axes @ (individual / roots),
            (axes @ (common * roots)).T,
            (axes @ (individual * roots)).T,
        )

    def _warn(self):
        warn_of_constant(
            name
            for name, rank in zip(_NAMES.values(), self.n_signal_, strict=True)
            if rank == 0
        )
        if self.rank_ == 0 and 0 not in self.n_signal_:
            largest = self.signal_correlations_[0]
            warnings.warn(
                "The views have no common component, so all common codes are 0. The "
                f"largest correlation of their signals, {largest:.2f}, does not exceed "
                f"both bounds, {self.wedin_bound_:.2f} for noise and "
                f"{self.random_bound_:.2f} for chance. Set n_components to keep the "
                "most correlated directions anyway. Set n_signal if the ranks of the "
                f"signals, {self.n_signal_[0]} and {self.n_signal_[1]}, are wrong.",
                DegenerateFitWarning,
                stacklevel=2,
            )
        if self.rank_ > 0:
            warn_without_freedom(
                self.correlations_[0],
                self.n_signal_,
                lambda: self.n_signal_,
                self.n_samples_seen_ - 1,
                "Give a smaller n_signal",
            )

    def _ranks(self):
        """Pairs of `n_individual` and `n_signal`, each a number or None."""
        widths = self.n_features_in_, self.y_n_features_in_
        k = self.n_components or 1
        if k > min(widths):
            raise ValueError(
                f"`n_components` upper bound is {min(widths)}, the number of features "
                f"of the narrower view. Got {k} instead. Reduce `n_components`."
            )
        n_individual, n_signal = (
            per_view(name, value, _is_count, "a whole number of at least 0")
            for name, value in (
                ("n_individual", self.n_individual),
                ("n_signal", self.n_signal),
            )
        )
        for name, p, own, rank in zip(
            _NAMES.values(), widths, n_individual, n_signal, strict=True
        ):
            if own is not None and own > p - (self.n_components or 0):
                raise ValueError(
                    f"`n_individual` of {name} must be at most n_features={p} minus "
                    f"n_components={self.n_components}. Got {own} instead."
                )
            if rank is not None and not k <= rank <= p:
                raise ValueError(
                    f"`n_signal` of {name} must be from n_components={k} to "
                    f"n_features={p}. Got {rank} instead."
                )
        return n_individual, n_signal

    def _by_rows(self, X):
        widest = max(self.n_features_in_, self.y_n_features_in_)
        return kind_of(X).library == "numpy" and widest > 2 * X.shape[0]

    @property
    def x_loadings_(self) -> np.ndarray:
        """Correlation of each column of X with each common code of X."""
        return self._loadings("x", 0)

    @property
    def y_loadings_(self) -> np.ndarray:
        """Correlation of each column of y with each common code of y."""
        return self._loadings("y", 0)

    @property
    def x_individual_loadings_(self) -> np.ndarray:
        """Correlation of each column of X with each individual code of X."""
        return self._loadings("x", 1)

    @property
    def y_individual_loadings_(self) -> np.ndarray:
        """Correlation of each column of y with each individual code of y."""
        return self._loadings("y", 1)

    @property
    def x_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of X that each common code explains."""
        return self._explained("x", 0)

    @property
    def y_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of y that each common code explains."""
        return self._explained("y", 0)

    @property
    def x_individual_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of X that each individual code explains."""
        return self._explained("x", 1)

    @property
    def y_individual_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of y that each individual code explains."""
        return self._explained("y", 1)

    def loadings_frame(self, side: Side = "x") -> Any:
        """Loadings of one view as a data frame, labelled with its column names.

        Parameters
        ----------
        side : {"x", "y"}, default="x"
            The view.

        Returns
        -------
        loadings : DataFrame of shape (n_features, n_components + n_individual)
            Correlations of the columns of the view with its common codes, and then with
            its individual codes. There is one row for each column of the view. The rows
            have the names of the columns, if the view was a data frame in fit.
            Otherwise they are called x0, x1 and so on, or y0, y1 for the second view.

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
        >>> from skcrl import LinearCommonIndividual
        >>> exercise, physiology = load_linnerud(return_X_y=True, as_frame=True)
        >>> parts = LinearCommonIndividual(1, n_individual=1, n_signal=2)
        >>> frame = parts.fit(exercise, physiology).loadings_frame("y")
        >>> list(frame.index), frame.shape
        (['Weight', 'Waist', 'Pulse'], (3, 2))
        """
        check_is_fitted(self)
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        common, individual = (self._loadings(side, part) for part in (0, 1))
        names = self._individual_names(individual.shape[1])
        columns = [*self.get_feature_names_out(), *names]
        return loadings_frame(self, side, np.hstack([common, individual]), columns)

    def _loadings(self, side, part):
        check_is_fitted(self)
        var = getattr(self, f"{side}_var_")
        return self._patterns[side][part].T * _linalg.unit_scale(var)[:, None]

    def _explained(self, side, part):
        check_is_fitted(self)
        total = getattr(self, f"{side}_var_").sum()
        explained = (self._patterns[side][part] ** 2).sum(axis=1)
        return explained / total if total > 0 else explained

    def _as_module(self, side):
        # Nothing else here needs torch.
        from skcrl.deep._view_modules import LinearCodes

        return LinearCodes(
            getattr(self, f"{side}_mean_"), getattr(self, f"{side}_weights_")
        )

    def _as_individual_module(self, side):
        from skcrl.deep._view_modules import LinearCodes

        return LinearCodes(
            getattr(self, f"{side}_mean_"), getattr(self, f"{side}_individual_weights_")
        )

    def _encode(self, view, side):
        return self._project(view, side, getattr(self, f"{side}_weights_"))

    def _encode_individual(self, view, side):
        return self._project(view, side, getattr(self, f"{side}_individual_weights_"))

    def _project(self, view, side, weights):
        mean = getattr(self, f"{side}_mean_")
        return kind_of(view).project(view, mean, weights, _NAMES[side])

    def _decode(self, codes, side):
        mean, (common, _) = getattr(self, f"{side}_mean_"), self._patterns[side]
        return like(mean + codes @ common, codes)

    def _reconstruct_parts(self, X, y, to, parts):
        view, mean = (X if to == "x" else y), getattr(self, f"{to}_mean_")
        common_pattern, individual_pattern = self._patterns[to]
        codes = self._join(X, y)
        share = self.correlations_ if view is None else 1.0
        share = share * (parts != "individual")
        reconstructed = mean + codes * share @ common_pattern
        if view is not None and parts != "common":
            reconstructed = (
                reconstructed + self._encode_individual(view, to) @ individual_pattern
            )
        return like(reconstructed, codes)

    def _fitted_arrays(self):
        k = self.n_components_
        arrays: dict[str, tuple] = {
            "correlations_": (self.correlations_, (k,)),
            "signal_correlations_": (
                self.signal_correlations_,
                (min(self.n_signal_),),
            ),
        }
        for side, p, m in (
            ("x", self.n_features_in_, self.n_individual_[0]),
            ("y", self.y_n_features_in_, self.n_individual_[1]),
        ):
            common, individual = self._patterns[side]
            shapes = {
                "mean": (p,),
                "var": (p,),
                "weights": (p, k),
                "individual_weights": (p, m),
            }
            arrays |= {
                f"{side}_{name}_": (getattr(self, f"{side}_{name}_"), shape)
                for name, shape in shapes.items()
            }
            arrays |= {
                f"common pattern of {side}": (common, (k, p)),
                f"individual pattern of {side}": (individual, (m, p)),
            }
        return arrays


class _Projections(NamedTuple):
    """Projections of a view to its codes, and their covariances with its columns."""

    weights: np.ndarray  # (p, k)
    individual_weights: np.ndarray  # (p, m)
    pattern: np.ndarray  # (k, p)
    individual_pattern: np.ndarray  # (m, p)


def _signal_rank(spectrum, n_free, given, least):
    """Rank of the signal of a view, given or estimated, at most the rank of it."""
    rank = given
    if given is None:
        found = signal_rank(spectrum.values, n_free, spectrum.n_distinct)
        rank = max(1, found, least)
    return min(int(rank), len(spectrum.values))


def _signs(principal, i, directions):
    """Signs, 1 or -1, that make the largest standardised weight of each positive."""
    spectrum, size = principal.spectra[i], len(directions)
    weights = principal.axes(i, size) @ (
        directions / spectrum.values[:size, None] ** 0.5
    )
    return _linalg.signs(weights, spectrum.var**0.5)


def _padded(columns, n_columns):
    """`columns` with columns of zeros added on the right, `n_columns` in all."""
    return np.pad(columns, ((0, 0), (0, n_columns - columns.shape[1])))


def _is_count(value):
    return value is None or (isinstance(value, Integral) and int(value) >= 0)
