"""Sparse canonical correlation analysis."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skcrl._degenerate import warn_of_constant
from skcrl._typing import Reals, Rows, fit_context
from skcrl._validation import (
    check_pair,
    check_ridge,
    check_weights,
    is_finite,
    per_view,
    require_samples,
    restored_on_error,
)
from skcrl._views import check_beside
from skcrl.exceptions import DegenerateFitWarning
from skcrl.linear._by_weights import ByWeights
from skcrl.linear._fit import Fit, Settings, overflow_told_by_error
from skcrl.linear._shrinkage import ESTIMATED, check_shrinkage
from skcrl.linear._sparse_pairs import Limits, Pair, sparse_pairs
from skcrl.linear._sparse_problem import CovarianceProblem, RowsProblem

_N_NONZERO = 10


class SparsePath(NamedTuple):
    """What :meth:`SparseCCA.path` returns, with one entry for each penalty.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Penalties, smallest first.
    x_weights, y_weights : ndarray of shape (n_alphas, n_features, n_components)
        Weights of each view.
    correlations : ndarray of shape (n_alphas, n_components)
        Pearson correlation of each pair of codes of the training views.
    x_n_selected, y_n_selected : ndarray of shape (n_alphas,)
        Number of columns that have a nonzero weight in at least one component.
    """

    alphas: np.ndarray
    x_weights: np.ndarray
    y_weights: np.ndarray
    correlations: np.ndarray
    x_n_selected: np.ndarray
    y_n_selected: np.ndarray


class SparseCCA(ByWeights):
    r"""Sparse canonical correlation analysis: each code uses only a few columns.

    Use it if a view has many columns, such as genes, and you want to know which of them
    carry what the views share. Use it also if there are so few samples that codes which
    use all columns are too noisy. Each pair of codes (canonical variates) maximises

    .. math:: u^\top \Sigma_{xy} v - \alpha_x \|u\|_1 - \alpha_y \|v\|_1
       \quad\text{with}\quad
       u^\top \bar\Sigma_{xx} u = v^\top \bar\Sigma_{yy} v = 1,

    over the weights u and v. Here :math:`\bar\Sigma` is the covariance of the columns
    with the ridge and shrinkage of :class:`LinearCCA`.

    The solver updates the two views in turn. For a fixed v, the best u is an elastic
    net regression of the code of y on the columns of x, scaled to variance 1; the
    update of v is the same with the views exchanged. The problem has local maxima, so
    the solver starts twice: from the weights of :class:`LinearCCA`, and from the two
    columns that correlate most. It keeps the better result.

    With ``alpha=0`` the codes are those of :class:`LinearCCA`. With ``shrinkage=1`` and
    ``reg=0``, correlations between the columns of one view are ignored, and the method
    is the penalised matrix decomposition (PMD) [1]_. In between, it is an alternation
    of sparse regressions [2]_ [3]_.

    Each further pair of codes is found in what the earlier pairs leave of
    :math:`\Sigma_{xy}`: each pair subtracts
    :math:`\rho \bar\Sigma_{xx} u v^\top \bar\Sigma_{yy}`, where :math:`\rho` is the
    covariance of its codes. The codes of one view may correlate with each other, unlike
    those of :class:`LinearCCA`.

    Parameters
    ----------
    n_components : int, default=1
        Number of components, at most min(n_features_x, n_features_y).
    alpha : float, None or pair of these, default=None
        Penalties :math:`(\alpha_x, \alpha_y)` on the absolute values of the weights, at
        least 0. A larger penalty selects fewer columns. With `scale`, a column is
        selected if its correlation with the code of the other view is larger than
        `alpha`, after what the other selected columns explain. Useful values are
        therefore between 0 and 1.
    n_nonzero : int, None or pair of these, default=None
        Number of columns of (x, y) that have a nonzero weight in each component, at
        least 1. In each step, bisection finds the penalty that selects so many columns.
        There may be fewer if several columns can only be selected together. For each
        view, give either this or `alpha`. None for both means ``n_nonzero=10``.
    positive : bool or pair of bool, default=False
        If True, the weights of (x, y) cannot be negative.
    reg : float or pair of float, default=1e-4
        Ridge of the columns, at least 0, as in :class:`LinearCCA`.
    shrinkage : float, {"ledoit_wolf", "oas"} or pair of these, default=0.5
        Shrinkage of the covariances within each view, as in :class:`LinearCCA`. Small
        values are better if columns of a view are correlated, so that a few of them can
        stand for many. Large values are better if columns are independent of each
        other, or if there are few samples. Choose it by cross-validation.
    scale : bool, default=True
        Whether to divide the columns by their standard deviations. Without this,
        columns with a large variance are selected first.
    adjust : {"both", "x", "y"}, default="both"
        The view or views from which the effect of the `covariates` is removed, as in
        :class:`LinearCCA`.
    max_iter : int, default=500
        Largest number of iterations for each component. In one iteration both views are
        updated once.
    tol : float, default=1e-4
        The iterations stop when the code of x changes by less than this share of its
        standard deviation.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    x_selected_, y_selected_ : ndarray of shape (n_selected,)
        Columns that have a nonzero weight in at least one component. They are names if
        the view had column names, else column numbers.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Weights, which map the centred views to codes. Most of them are 0.
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of codes of the training views. Components
        stay in the order in which they were found.
    x_alpha_, y_alpha_ : ndarray of shape (n_components,)
        Penalty of each component: either `alpha`, or the one found for `n_nonzero`.
    n_iter_ : ndarray of shape (n_components,)
        Number of iterations for each component.
    x_loadings_, y_loadings_ : ndarray of shape (n_features, n_components)
        Loadings: the correlation of each column of a view with each code of that view.
        The loading of a constant column is 0.
    x_explained_variance_ratio_, y_explained_variance_ratio_ : ndarray
        Share of the total variance of a view that each of its codes explains, of shape
        (n_components,).
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the training views.
    x_var_, y_var_ : ndarray of shape (n_features,)
        Variances of the training views.
    n_samples_seen_ : int
        Number of samples in ``fit``. Samples of weight 0 are not counted.
    covariate_mean_ : ndarray of shape (n_covariates,)
        Means of the covariates, if there were any in ``fit``.
    x_slopes_, y_slopes_ : ndarray of shape (n_covariates, n_features) or None
        Regression coefficients of a view on the covariates. None for a view that is not
        adjusted.
    covariate_names_in_ : ndarray of str
        Column names of the covariates, if they were a data frame.
    n_features_in_, y_n_features_in_ : int
        Number of features of each view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of each view, if it was a data frame.

    See Also
    --------
    LinearCCA : CCA with a nonzero weight for every column.
    skcrl.inspection.stability_selection : How often each column is selected.

    Notes
    -----
    The solution is a local maximum. No matrix of n_features x n_features is made if a
    view has more than twice as many columns as rows. Sparse views stay sparse.

    A larger `alpha` also makes the weights of the selected columns more similar. On
    held-out samples this is better than a second fit of the selected columns without
    the penalty: ``benchmarks/sparse_peers.py`` prints the correlations.

    References
    ----------
    .. [1] Witten, Tibshirani and Hastie (2009). A penalized matrix decomposition, with
       applications to sparse principal components and canonical correlation analysis.
       Biostatistics 10.
    .. [2] Suo, Minden, Nelson, Tibshirani and Saunders (2017). Sparse canonical
       correlation analysis. arXiv:1705.10865.
    .. [3] Mai and Zhang (2019). An iterative penalized least squares approach to sparse
       canonical correlation analysis. Biometrics 75.

    Examples
    --------
    Three of 1,000 columns of x share a factor with four of 500 columns of y:

    >>> import numpy as np
    >>> from skcrl import SparseCCA
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((100, 1))
    >>> X, y = rng.standard_normal((100, 1000)), rng.standard_normal((100, 500))
    >>> X[:, [3, 14, 159]] += 2 * shared
    >>> y[:, [2, 7, 18, 28]] += 2 * shared
    >>> cca = SparseCCA(n_nonzero=(3, 4)).fit(X, y)
    >>> cca.x_selected_, cca.y_selected_
    (array([  3,  14, 159]), array([ 2,  7, 18, 28]))
    >>> cca.transform(X).shape
    (100, 1)
    """

    _accepts_sparse = True

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left"), None, "array-like"],
        "n_nonzero": [Interval(Integral, 1, None, closed="left"), None, "array-like"],
        "positive": ["boolean", "array-like"],
        "reg": [Interval(Real, 0, None, closed="left"), "array-like"],
        "shrinkage": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions(set(ESTIMATED)),
            "array-like",
        ],
        "scale": ["boolean"],
        "adjust": [StrOptions({"both", "x", "y"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        alpha: float | Sequence[float | None] | None = None,
        n_nonzero: int | Sequence[int | None] | None = None,
        positive: bool | Sequence[bool] = False,
        reg: Reals = 1e-4,
        shrinkage: float | str | Sequence[float | str] = 0.5,
        scale: bool = True,
        adjust: Literal["both", "x", "y"] = "both",
        max_iter: int = 500,
        tol: float = 1e-4,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.n_nonzero = n_nonzero
        self.positive = positive
        self.reg = reg
        self.shrinkage = shrinkage
        self.scale = scale
        self.adjust = adjust
        self.max_iter = max_iter
        self.tol = tol

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
        X : {array-like, sparse matrix} of shape (n_samples, n_features_x)
            First view.
        y : {array-like, sparse matrix} of shape (n_samples, n_features_y) or \
                (n_samples,)
            Second view, paired with `X`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Number of samples that each row stands for, at least 0. The weights must
            add up to more than 1. None gives every row the weight 1.
        covariates : array-like of shape (n_samples, n_covariates) or (n_samples,), or \
                None, default=None
            Variables whose effect is removed from the views that `adjust` names.
            Covariates may be collinear or constant.

        Returns
        -------
        self : SparseCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, have fewer than two
            rows, or have variances that overflow; if `n_components` is larger than the
            number of features of the narrower view; if a view has both `alpha` and
            `n_nonzero`; if a parameter is out of range; or if the covariates leave no
            degree of freedom. The estimator then stays as it was before.

        Warns
        -----
        DegenerateFitWarning
            If a view is constant, or `alpha` is so large that all weights of a
            component are 0.
        ConvergenceWarning
            If a component did not converge within `max_iter` iterations.
        """
        with restored_on_error(self), overflow_told_by_error():
            limits = self._limits()
            problem = self._problem(X, y, sample_weight, covariates)
            starts = _dense_starts(problem, self.n_components)
            pairs = self._pairs(problem, starts, limits, fresh=True)
            self._keep(problem, pairs)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def path(
        self,
        X: Rows,
        y: Rows,
        alphas: int | ArrayLike = 20,
        sample_weight: ArrayLike | None = None,
        covariates: Rows | None = None,
    ) -> SparsePath:
        """Compute the weights for a whole path of penalties.

        Use it to see at which penalty each column is selected, and to choose `alpha`.
        Both views have the same penalty. Each solution starts from the one before, so
        a path takes far less time than a separate fit for each penalty. The parameters
        `alpha` and `n_nonzero` of the estimator have no effect here.

        Parameters
        ----------
        X, y : as in `fit`
            Views.
        alphas : int or array-like of shape (n_alphas,), default=20
            The penalties, or their number. If it is a number, the penalties form a
            geometric sequence. The largest is the largest covariance of a column with
            the first code of CCA without a penalty, and the smallest is a twentieth of
            it. All weights may be 0 at the largest penalty.
        sample_weight, covariates : array-like or None, default=None
            As in `fit`.

        Returns
        -------
        path : SparsePath
            Named tuple of `alphas` (smallest first), `x_weights`, `y_weights`,
            `correlations`, `x_n_selected` and `y_n_selected`. The estimator itself does
            not change.

        Raises
        ------
        ValueError
            As for `fit`. Also if `alphas` are not numbers of at least 0.

        Examples
        --------
        >>> from skcrl import SparseCCA
        >>> from skcrl.datasets import load_digits_halves
        >>> left, right, _ = load_digits_halves()
        >>> path = SparseCCA().path(left, right, alphas=[0.1, 0.2, 0.3])
        >>> path.x_n_selected
        array([14,  7,  5])
        """
        model = clone(self)
        with overflow_told_by_error():
            limits = [
                Limits(None, None, positive)
                for positive in per_view("positive", model.positive, _is_bool, "a bool")
            ]
            problem = model._problem(X, y, sample_weight, covariates)
            starts = _dense_starts(problem, model.n_components)
            fits: list[Fit] = []
            grid = _grid(alphas, problem, starts)
            for alpha in grid:
                limits = [limit._replace(alpha=float(alpha)) for limit in limits]
                starts = model._pairs(problem, starts, limits, fresh=not fits)
                fits.append(problem.fit(*_stacked(starts)))
        x_weights = np.array([fit.solution.x_weights for fit in fits])
        y_weights = np.array([fit.solution.y_weights for fit in fits])
        return SparsePath(
            grid,
            x_weights,
            y_weights,
            np.array([fit.correlations for fit in fits]),
            x_weights.any(axis=2).sum(axis=1),
            y_weights.any(axis=2).sum(axis=1),
        )

    @property
    def x_selected_(self) -> np.ndarray:
        """Columns of X that have a nonzero weight in at least one component."""
        return self._selected("x")

    @property
    def y_selected_(self) -> np.ndarray:
        """Columns of y that have a nonzero weight in at least one component."""
        return self._selected("y")

    def _selected(self, side):
        check_is_fitted(self)
        selected = np.flatnonzero(getattr(self, f"{side}_weights_").any(axis=1))
        names = self._column_names(side)
        return selected if names is None else names[selected]

    def _problem(self, X, y, sample_weight, covariates):
        """The problem to solve, made of the views that `fit` was given."""
        check_beside(X, sample_weight, "sample_weight")
        given = X, y
        X, y = check_pair(self, X, y, reset=True, min_samples=2)
        C = self._check_covariates(covariates, *given, reset=True)
        X, y, weights, kept = check_weights(X, y, sample_weight)
        C = None if C is None else C[kept]
        if weights is not None:
            require_samples(weights)
        if X.shape[0] < 2:
            raise ValueError(
                f"Found {X.shape[0]} sample(s), while a minimum of 2 is required by "
                "SparseCCA."
            )
        self.n_samples_seen_ = X.shape[0]
        widths = X.shape[1], y.shape[1]
        if self.n_components > min(widths):
            raise ValueError(
                f"`n_components` upper bound is {min(widths)}, the number of features "
                f"of the narrower view. Got {self.n_components} instead. Reduce "
                "`n_components`."
            )
        kind = RowsProblem if max(widths) > 2 * X.shape[0] else CovarianceProblem
        settings = Settings(
            True, self.scale, check_ridge(self.reg), check_shrinkage(self.shrinkage)
        )
        problem, adjustment = kind.of(X, y, C, weights, settings, self.adjust)
        self._keep_adjustment(adjustment)
        return problem

    def _limits(self):
        alphas = per_view(
            "alpha", self.alpha, _is_alpha, "a finite number that is not negative, None"
        )
        numbers = per_view(
            "n_nonzero", self.n_nonzero, _is_number, "a whole number from 1 on, None"
        )
        positive = per_view("positive", self.positive, _is_bool, "a bool")
        for name, alpha, number in zip(("X", "y"), alphas, numbers, strict=True):
            if alpha is not None and number is not None:
                raise ValueError(
                    f"{name} has both alpha={alpha} and n_nonzero={number}. Either of "
                    "them decides how many columns are selected: give one of them, and "
                    "None for the other."
                )
        return [
            Limits(alpha, _N_NONZERO if alpha is None and number is None else number, p)
            for alpha, number, p in zip(alphas, numbers, positive, strict=True)
        ]

    def _pairs(self, problem, starts, limits, fresh):
        pairs = sparse_pairs(
            problem.x, problem.y, starts, limits, self.max_iter, self.tol, fresh
        )
        if not all(pair.converged for pair in pairs):
            warnings.warn(
                "The weights of a component still change after max_iter="
                f"{self.max_iter} iterations. Raise max_iter, tol or shrinkage.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return pairs

    def _keep(self, problem, pairs):
        fit = problem.fit(*_stacked(pairs))
        self._keep_weights(fit)
        alphas = np.array([pair.alphas for pair in pairs], dtype=np.float64)
        self.x_alpha_, self.y_alpha_ = alphas.T
        self.n_iter_ = np.array([pair.n_iter for pair in pairs])
        warn_of_constant(fit.constant)
        empty = ~self.x_weights_.any(axis=0)
        if empty.any() and not fit.constant:
            warnings.warn(
                f"All weights of component {np.flatnonzero(empty)[0]} are 0, because "
                "no column correlates with the code of the other view by more than "
                "alpha. Lower alpha, or ask for fewer components.",
                DegenerateFitWarning,
                stacklevel=2,
            )

    def _fitted_arrays(self):
        k = self.n_components_
        return {
            **super()._fitted_arrays(),
            "x_alpha_": (self.x_alpha_, (k,)),
            "y_alpha_": (self.y_alpha_, (k,)),
        }


def _dense_starts(problem, n_components):
    """Weights of CCA without a penalty, as the start of each component."""
    x_weights, y_weights = problem.dense_weights(n_components)
    return [
        Pair(u, v, (0.0, 0.0), 0, True)
        for u, v in zip(x_weights.T, y_weights.T, strict=True)
    ]


def _stacked(pairs):
    """Weights (p, k) and (q, k) of all pairs."""
    return (
        np.column_stack([pair.x_weights for pair in pairs]),
        np.column_stack([pair.y_weights for pair in pairs]),
    )


def _grid(alphas, problem, starts):
    """Penalties, smallest first: the ones given, or a sequence of the given length."""
    if _is_number(alphas) and alphas is not None:
        start = starts[0]
        largest = max(
            abs(problem.x.covariances(problem.y, start.y_weights)).max(),
            abs(problem.y.covariances(problem.x, start.x_weights)).max(),
        )
        return np.geomspace(0.05, 1.0, alphas) * largest
    if np.ndim(alphas) == 1 and len(alphas) > 0 and all(map(_is_penalty, alphas)):
        return np.sort(np.asarray(alphas, dtype=np.float64))
    raise ValueError(
        "alphas must be a list of finite numbers of at least 0, or the number of "
        f"penalties, at least 1. Got {alphas!r:.100}."
    )


def _is_penalty(value):
    return is_finite(value) and value >= 0


def _is_alpha(value):
    return value is None or _is_penalty(value)


def _is_number(value):
    return value is None or (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
    )


def _is_bool(value):
    return isinstance(value, bool | np.bool_)
