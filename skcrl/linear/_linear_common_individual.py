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

    Tells what two noisy tables share from what each of them has alone, by the angles
    between their signals, as AJIVE does [1]_:

    1. The signal of a table is spanned by its leading `n_signal_` principal components,
       standardised, :math:`U_x` and :math:`U_y`.
    2. The singular value decomposition :math:`U_x^\top U_y / (n - 1) = A R B^\top`
       gives common codes :math:`Z_x = U_x A` and :math:`Z_y = U_y B` of the pairs of
       directions whose correlation exceeds both bounds of AJIVE.
    3. Individual codes are the principal components of what those common codes leave
       of the signal. The rest of the table is residual.

    Each code is a linear projection of its own table, so that new samples may have one
    table alone, and all codes of a table are uncorrelated in fit: the variances of the
    three parts add up. The joint scores of AJIVE, the same for both tables, are
    ``transform_joint``, up to scale.

    Columns count by their variance, and noise is taken to be equal in all of them.
    Bring columns of unlike units to one scale before, by StandardScaler in a
    ViewPipeline. That makes their noise unequal, and then too many directions look like
    a signal: give `n_signal`, or `n_components` and `n_individual`.

    Views may be sparse, or Dask arrays in chunks of rows. Views of more than twice as
    many columns as rows are solved through n x n matrices, all others through the
    covariances of their columns.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of common components, at most the width of the narrower view. None stands
        for as many as exceed both bounds.
    n_individual : int, None or pair of these, default=None
        Number of individual components of both views, or (x, y), at most the width of
        the view less the common components. None stands for what the common components
        leave of `n_signal_`.
    n_signal : int, None or pair of these, default=None
        Rank of the signals of both views, or (x, y), from `n_components` to the width
        of the view. None stands for the directions that stand out of noise which is
        equal in all columns, by the tests of [2]_: one at least, and no fewer than the
        `n_components` and `n_individual` that are given. Give it where noise differs
        between columns, as it does behind StandardScaler, or where the signal fills the
        view. The eigenvalues of the covariance of a view show it: those of the signal
        lie above a slope of the others.
    random_state : int, RandomState instance or None, default=None
        Draws the bounds. Directions near a bound may be common by one seed and not by
        another.

    Attributes
    ----------
    n_components_ : int
        Number of columns of common codes, one at least.
    rank_ : int
        Number of common components that were found. Codes past it are 0; it is 0 where
        no direction exceeds the bounds.
    n_individual_ : tuple of int
        Number of individual components of either view, (x, y).
    n_signal_ : tuple of int
        Rank of the signal of either view, (x, y).
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of common codes in fit, largest first. 0 past
        `rank_`.
    signal_correlations_ : ndarray of shape (n_pairs,)
        Correlations of all pairs of directions of the signals, common or not; as many
        as the smaller of both `n_signal_`.
    wedin_bound_, random_bound_ : float
        Correlation that a shared direction keeps under the noise, and largest
        correlation of random signals of these ranks, each at 5 %. The first is 0 where
        the noise of a view could not be estimated, because its signal fills it. (The
        squared singular values of [1]_ are one more than these correlations.) Only
        with ``n_components=None``.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Projections of the centred views to common codes, which have variance 1.
    x_individual_weights_, y_individual_weights_ : ndarray (n_features, n_individual)
        Projections to individual codes, which have variance 1 and are ordered by the
        variance that they account for.
    x_loadings_, y_loadings_ : ndarray of shape (n_features, n_components)
        Correlation of each column of a view with each of its common codes; 0 for a
        constant.
    x_individual_loadings_, y_individual_loadings_ : ndarray (n_features, n_individual)
        The same for individual codes.
    x_explained_variance_ratio_, y_explained_variance_ratio_ : ndarray (n_components,)
        Share of a view's total variance that each of its common codes accounts for.
    x_individual_explained_variance_ratio_ : ndarray of shape (n_individual,)
        The same for individual codes of x. What both leave of 1 is residual.
    y_individual_explained_variance_ratio_ : ndarray of shape (n_individual,)
        The same of y.
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views.
    x_var_, y_var_ : ndarray of shape (n_features,)
        Variances of the training views.
    moments_ : Moments
        Sums that `partial_fit` continues from; not there after ``fit`` of views of more
        than twice as many columns as rows.
    n_samples_seen_ : int
        Number of samples of the last ``fit`` and of every ``partial_fit`` since.
    n_features_in_, y_n_features_in_ : int
        Width of either view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of either view, if it was a data frame.

    See Also
    --------
    LinearCCA : Common codes alone, of all directions of the views.

    Notes
    -----
    ``reconstruct(X, y, to="x", parts="common")`` is the common part of X, with its
    mean, "individual" its individual part, and X less "all" the residual. Where both
    views are given, the common part is rebuilt from the mean of both common codes,
    which errs less than either: within the signal it is the joint part of AJIVE. Where
    a view is missing, its common codes are predicted by those of the other, times
    `correlations_`.

    D-CCA [3]_ shrinks the common part where its directions are only partly correlated,
    and leaves the rest to the individual part. On planted tables, where noise alone
    lowers the correlations, that individual part is further from the truth than the one
    here: ``benchmarks/linear_common_individual.py`` prints the errors of both.

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
        """Fit to paired views.

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
            If the views are not finite numbers with paired rows, at least two of
            them; if one is a Dask array and the other is not; if variances overflow;
            or if a number of components is out of its range. The estimator is then as
            it was before.

        Warns
        -----
        DegenerateFitWarning
            If a view is constant; if no direction is common, so that common codes are
            0; or if the signals have more directions than the samples leave degrees of
            freedom, so that the first of a given `n_components` correlate whatever the
            data.
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
        """Add paired rows: any division of the data into calls gives the same fit.

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
            Fitted to the rows of the last ``fit`` and of every ``partial_fit`` since,
            always through covariances; the first call takes two rows or more.

        Raises
        ------
        ValueError
            As for `fit`, and if the last one was of views with more than twice as many
            columns as rows, which leaves no sums to continue from.
        """
        first = not hasattr(self, "n_samples_seen_")
        if not first and not hasattr(self, "moments_"):
            raise ValueError(
                "This estimator was fitted through the rows of wide views, which "
                "leaves no moments to add to: begin with partial_fit in place of fit."
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
        """Number of common components, of those that the signals can have."""
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
                "The views have no common component, and common codes are 0: the "
                f"largest correlation of their signals, {largest:.2f}, does not exceed "
                f"both bounds, {self.wedin_bound_:.2f} of noise and "
                f"{self.random_bound_:.2f} of chance. Give n_components to take the "
                "most correlated ones all the same, or n_signal if the ranks of the "
                f"signals, {self.n_signal_[0]} and {self.n_signal_[1]}, are others.",
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
                f"`n_components` upper bound is {min(widths)}, the width of the "
                f"narrower view. Got {k} instead. Reduce `n_components`."
            )
        n_individual, n_signal = (
            per_view(name, value, _is_count, "a whole number that is not negative")
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
                    f"`n_individual` of {name} must be at most n_features={p} less the "
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
        """Correlation of each column of X with each common code of it."""
        return self._loadings("x", 0)

    @property
    def y_loadings_(self) -> np.ndarray:
        """Correlation of each column of y with each common code of it."""
        return self._loadings("y", 0)

    @property
    def x_individual_loadings_(self) -> np.ndarray:
        """Correlation of each column of X with each individual code of it."""
        return self._loadings("x", 1)

    @property
    def y_individual_loadings_(self) -> np.ndarray:
        """Correlation of each column of y with each individual code of it."""
        return self._loadings("y", 1)

    @property
    def x_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of X that each common code accounts for."""
        return self._explained("x", 0)

    @property
    def y_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of y that each common code accounts for."""
        return self._explained("y", 0)

    @property
    def x_individual_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of X that each individual code accounts for."""
        return self._explained("x", 1)

    @property
    def y_individual_explained_variance_ratio_(self) -> np.ndarray:
        """Share of the variance of y that each individual code accounts for."""
        return self._explained("y", 1)

    def loadings_frame(self, side: Side = "x") -> Any:
        """Loadings of one view as a data frame, with the names of its columns.

        Parameters
        ----------
        side : {"x", "y"}, default="x"
            View whose loadings to take.

        Returns
        -------
        loadings : DataFrame of shape (n_features, n_components + n_individual)
            Correlations of the columns of the view with its common codes and then with
            its individual codes. A row for each column of the view, under its name in
            the frame that was fitted, or else x0, x1 and so on, y0, y1 for the second
            view.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If `side` is another.
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

    def _rebuild_parts(self, X, y, to, parts):
        view, mean = (X if to == "x" else y), getattr(self, f"{to}_mean_")
        common_pattern, individual_pattern = self._patterns[to]
        codes = self._join(X, y)
        share = self.correlations_ if view is None else 1.0
        share = share * (parts != "individual")
        rebuilt = mean + codes * share @ common_pattern
        if view is not None and parts != "common":
            rebuilt = rebuilt + self._encode_individual(view, to) @ individual_pattern
        return like(rebuilt, codes)

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
    """Rank of the signal of a view, as given or found, of those that it has."""
    rank = given
    if given is None:
        found = signal_rank(spectrum.values, n_free, spectrum.n_distinct)
        rank = max(1, found, least)
    return min(int(rank), len(spectrum.values))


def _signs(principal, i, directions):
    """1 or -1 a direction, which makes its largest standardised weight positive."""
    spectrum, size = principal.spectra[i], len(directions)
    weights = principal.axes(i, size) @ (
        directions / spectrum.values[:size, None] ** 0.5
    )
    return _linalg.signs(weights, spectrum.var**0.5)


def _padded(columns, n_columns):
    """Zero columns on the right, up to `n_columns`."""
    return np.pad(columns, ((0, 0), (0, n_columns - columns.shape[1])))


def _is_count(value):
    return value is None or (isinstance(value, Integral) and int(value) >= 0)
