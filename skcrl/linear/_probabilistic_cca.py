"""Canonical correlation analysis as a Gaussian model, of tables with gaps."""

import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skcrl import _moments
from skcrl._arrays import like
from skcrl._degenerate import free_rank_of, warn_of_constant, warn_without_freedom
from skcrl._typing import Reals, Rows, fit_context
from skcrl._validation import (
    NAMES,
    check_available,
    check_pair,
    check_ridge,
    check_weights,
    require_samples,
    require_samples_somewhere,
    restored_on_error,
)
from skcrl._views import check_beside
from skcrl.base import TwoViewTransformer
from skcrl.linear._em import fit_whole, fit_with_gaps
from skcrl.linear._fit import constant_views, overflow_told_by_error
from skcrl.linear._gaussian import Gaussian, batches_of, log_densities


class Posterior(NamedTuple):
    """What the cells of rows say of what the views share."""

    mean: np.ndarray  # (n_samples, n_components)
    covariance: np.ndarray  # (n_samples, n_components, n_components)


class ProbabilisticCCA(TwoViewTransformer):
    r"""Probabilistic canonical correlation analysis, for tables with missing cells.

    Use it if single cells of the tables are missing (NaN): to fit CCA to all the cells
    that are there, to fill the gaps, or to know how certain a code is. Use it also to
    choose the number of components by :meth:`bic` or :meth:`aic`.

    The model [1]_ is :math:`x = W_x z + \mu_x + e_x` and
    :math:`y = W_y z + \mu_y + e_y`. The latent variables :math:`z \sim N(0, I)` are
    shared by both views. The noise :math:`e_x \sim N(0, \Psi_x)` and
    :math:`e_y \sim N(0, \Psi_y)` belongs to one view, and may have any covariance. The
    maximum-likelihood solution is CCA: with canonical weights :math:`U_x` and canonical
    correlations :math:`P`, it is :math:`W_x = \Sigma_{xx} U_x P^{1/2}` and
    :math:`\Psi_x = \Sigma_{xx} - W_x W_x^T`, and the same for y.

    If no cell is missing, the solution has a closed form, and the codes are those of
    :class:`LinearCCA`. If cells are missing, the EM algorithm [2]_ maximises the
    likelihood of the observed cells. Every method takes rows with gaps. A gap is filled
    with its expected value, given all observed cells of its row in both views. This is
    valid if cells are missing at random: whether a cell is missing may depend on the
    observed cells, but not on its own value.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components, at most min(n_features_x, n_features_y). None keeps as
        many as the training data determine, but at least one. The covariance of the
        model is then not restricted.
    reg : float or pair of float, default=1e-4
        Ridge :math:`(r_x, r_y)`, at least 0, in the squared units of the views, as in
        LinearCCA. The objective is the log-likelihood minus
        :math:`\frac{n-1}{2} \sum_j r_j (\Sigma^{-1})_{jj}`. A larger ridge fills gaps
        better if there are few rows, or if columns are nearly collinear.
    scale : bool, default=False
        If True, `reg` is a share of the variance of each column, and so does not depend
        on units. Nothing else in the model depends on units.
    tol : float, default=1e-5
        EM stops when a step increases the mean log-likelihood of a row by less than
        this.
    max_iter : int, default=500
        Largest number of EM steps.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Canonical correlations of the model, largest first. Without gaps they are the
        `singular_values_` of LinearCCA.
    x_weights_, y_weights_ : ndarray of shape (n_features, n_components)
        Canonical weights, which map the centred views to codes. Under the model, the
        codes of a view have the identity as covariance, normalised by n - 1.
    x_mean_, y_mean_ : ndarray of shape (n_features,)
        Means of the model.
    covariance_ : ndarray of shape (n_features_both, n_features_both)
        Covariance of the model for both views side by side, normalised by n.
    rank_ : int
        Number of components that the training data determine, at most `n_components_`.
    n_parameters_ : int
        Number of free parameters: the means, the covariances within each view, and
        :math:`k (p + q - k)` for the k components, which is the number of free entries
        of a p x q matrix of rank k.
    n_iter_ : int
        Number of EM steps; 1 without gaps.
    loglike_ : ndarray of shape (n_iter,)
        Value of the objective after each step, as a mean over the rows. It never
        decreases.
    n_samples_seen_ : int
        Number of samples in ``fit``. Samples of weight 0 are not counted.
    n_features_in_, y_n_features_in_ : int
        Number of features of each view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of each view, if it was a data frame.

    See Also
    --------
    LinearCCA : CCA without gaps, for large, wide, sparse or streamed views.
    CorrNet, MultimodalAutoencoder : Networks that train on rows without one view.

    Notes
    -----
    The model is a Gaussian whose covariance between the views has rank k. The M step of
    EM is therefore the closed form, applied to the expected moments, and EM does not
    have to estimate z.

    ``transform`` returns canonical variates, as in LinearCCA. For a row with gaps they
    are the expected canonical variates, given the observed cells of that view.
    ``transform_joint`` returns the posterior mean of z, given all observed cells of
    both views; ``posterior`` also returns its covariance. If one view is complete and
    the other is missing, the posterior mean is the codes times the square root of
    `correlations_`.

    If columns are collinear or constant, the density would be infinite. Each variance
    is then increased by 1e-8 of itself. EM always does this.

    References
    ----------
    .. [1] Bach and Jordan (2005). A probabilistic interpretation of canonical
       correlation analysis. TR 688, University of California, Berkeley. Theorem 2.
    .. [2] Dempster, Laird and Rubin (1977). Maximum likelihood from incomplete data
       via the EM algorithm. Journal of the Royal Statistical Society B 39.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import ProbabilisticCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> X, y = make_correlated_views(300, 6, 5, correlations=(0.9, 0.8), random_state=0)
    >>> rng = np.random.default_rng(0)
    >>> X[rng.random(X.shape) < 0.1] = np.nan  # a tenth of the cells
    >>> y[rng.random(y.shape) < 0.1] = np.nan
    >>> models = [ProbabilisticCCA(k).fit(X, y) for k in range(1, 6)]
    >>> min(models, key=lambda model: model.bic(X, y))
    ProbabilisticCCA(n_components=2)
    >>> X_full, y_full = models[1].impute(X, y)
    >>> bool(np.isnan(X_full).any() or np.isnan(y_full).any())
    False
    """

    _accepts_gaps = True

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "reg": [Interval(Real, 0, None, closed="left"), "array-like"],
        "scale": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        reg: Reals = 1e-4,
        scale: bool = False,
        tol: float = 1e-5,
        max_iter: int = 500,
    ):
        self.n_components = n_components
        self.reg = reg
        self.scale = scale
        self.tol = tol
        self.max_iter = max_iter

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to two paired views, in which cells may be missing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view. NaN marks a missing cell, and a row of NaN a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. It may have gaps, too.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Number of samples that each row stands for, at least 0. The weights must
            add up to more than 1. None gives every row the weight 1.

        Returns
        -------
        self : ProbabilisticCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not numbers with paired rows, have fewer than two rows, or
            have variances that overflow; if a row or a column has no observed cell; if
            `n_components` is larger than the number of features of the narrower view;
            or if `reg` or `sample_weight` is out of range. The estimator then stays as
            it was before.

        Warns
        -----
        ConvergenceWarning
            If EM did not reach `tol` within `max_iter` steps.
        DegenerateFitWarning
            If a view is constant, or if there are so few rows that the first
            `correlations_` are 1 for any data, as in LinearCCA.
        """
        with restored_on_error(self), overflow_told_by_error():
            check_beside(X, sample_weight, "sample_weight")
            X, y = check_pair(self, X, y, reset=True, min_samples=2)
            require_samples_somewhere(~np.isnan(np.hstack([X, y])).all(axis=1))
            X, y, weights, _ = check_weights(X, y, sample_weight)
            if weights is not None:
                require_samples(weights)
            if len(X) < 2:
                raise ValueError(
                    f"Found {len(X)} sample(s), while a minimum of 2 is required by "
                    "ProbabilisticCCA."
                )
            self._fit(np.hstack([X, y]).astype(np.float64), weights)
        return self

    def _fit(self, V, weights):
        p = self.n_features_in_
        self.n_samples_seen_ = len(V)
        missing = np.isnan(V)
        self._require_seen(missing)
        reg = check_ridge(self.reg)
        k = self._n_components(len(V))
        if missing.any():
            found = fit_with_gaps(
                V, p, weights, k, reg, self.scale, self.tol, self.max_iter
            )
            self._keep(found)
            constant, free_ranks = self._degenerate_with_gaps(V, reg)
        else:
            found, fit = fit_whole(V, p, weights, k, reg, self.scale)
            self._keep(found)
            constant, free_ranks = fit.constant, fit.free_ranks
        n = len(V) if weights is None else weights.sum()
        r = self.correlations_
        # The weights refer to covariances over n - 1, the model to those over n.
        self._joint_weights = (n / (n - 1)) ** 0.5 * r**0.5 / (1 + r)
        if not found.converged:
            warnings.warn(
                f"EM did not converge in max_iter={self.max_iter} steps: the last step "
                "still increased the mean log-likelihood of a row by more than "
                f"tol={self.tol:g}. Raise max_iter or reg, or lower n_components.",
                ConvergenceWarning,
                stacklevel=2,
            )
        warn_of_constant(constant)
        warn_without_freedom(
            float(r[0]),
            (p, self.y_n_features_in_),
            free_ranks,
            len(V) - 1,
            "Set a larger reg",
        )

    def _keep(self, found):
        k, p = self.n_components, self.n_features_in_
        x_weights, y_weights, correlations, self.rank_ = found.solution
        k = max(1, self.rank_) if k is None else k
        self.n_components_ = k
        self.x_weights_, self.y_weights_ = x_weights[:, :k], y_weights[:, :k]
        self.correlations_ = correlations[:k]
        self.x_mean_, self.y_mean_ = found.mean[:p], found.mean[p:]
        self.covariance_ = found.cov
        self.loglike_ = found.objectives
        self.n_iter_ = len(found.objectives)

    def _n_components(self, n_samples):
        bound = min(self.n_features_in_, self.y_n_features_in_)
        if self.n_components is None:
            return min(bound, n_samples)
        if self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, the number of features of the "
                f"narrower view. Got {self.n_components} instead. Reduce "
                "`n_components`."
            )
        return self.n_components

    def _require_seen(self, missing):
        """Raise ValueError that names the first column without an observed cell."""
        empty = np.flatnonzero(missing.all(axis=0))
        if len(empty) == 0:
            return
        p = self.n_features_in_
        side, at = ("x", empty[0]) if empty[0] < p else ("y", empty[0] - p)
        names = self._column_names(side)
        column = at if names is None else names[at]
        raise ValueError(
            f"All cells of column {column!r} of {NAMES[side]} are missing (NaN). There "
            f"are {len(empty)} such column(s). Drop them."
        )

    def _degenerate_with_gaps(self, V, reg):
        """Names of constant views, and the ranks that the ridge does not affect."""
        p = self.n_features_in_
        vary = np.nanmax(V, axis=0) > np.nanmin(V, axis=0)
        unit = self.covariance_.diagonal() ** (0.5 * self.scale)
        cov = self.covariance_ / unit / unit[:, None]

        def free_ranks():
            return free_rank_of(cov[:p, :p], reg[0]), free_rank_of(cov[p:, p:], reg[1])

        return constant_views(vary[:p], vary[p:]), free_ranks

    @property
    def n_parameters_(self) -> int:
        """Number of free parameters of the model."""
        check_is_fitted(self)
        p, q = self.n_features_in_, self.y_n_features_in_
        means, within = p + q, (p * (p + 1) + q * (q + 1)) // 2
        return means + within + self.n_components_ * (p + q - self.n_components_)

    def posterior(self, X: Rows | None = None, y: Rows | None = None) -> Posterior:
        """Posterior mean and covariance of the shared latent variables z of each row.

        Use it to know how certain the joint code of a row is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. NaN marks a missing cell, and a row of NaN a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. It may have gaps, too.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            Posterior means, the same as from ``transform_joint``.
        covariance : ndarray of shape (n_samples, n_components, n_components)
            Posterior covariances. The square roots of the diagonal are standard errors.
            With more missing cells the covariance comes closer to the identity, which
            is the covariance of z before any cell is observed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcrl import ProbabilisticCCA
        >>> from skcrl.datasets import make_correlated_views
        >>> X, y = make_correlated_views(100, 3, 3, correlations=(0.9,), random_state=0)
        >>> cca = ProbabilisticCCA(1).fit(X, y)
        >>> mean, covariance = cca.posterior(X[:1], np.full((1, 3), np.nan))
        >>> bool(np.isclose(covariance[0, 0, 0], 1 - cca.correlations_[0]))
        True
        """
        check_is_fitted(self)
        X, y, _, _ = self._check_available(X, y)
        V = self._side_by_side(X, y)
        gaussian = self._gaussian()
        filled = gaussian.centred(V)
        weights = np.vstack([self.x_weights_, self.y_weights_]) * self._joint_weights
        by_cell = weights * gaussian.unit[:, None]
        r = self.correlations_
        covariance = np.tile(np.diag((1 - r) / (1 + r)), (len(V), 1, 1))
        for batch, cov, _ in gaussian.fill(filled, batches_of(np.isnan(V))):
            A = by_cell[batch.cells]
            covariance[batch.rows] += (A.transpose(0, 2, 1) @ cov @ A)[:, None]
        return Posterior(filled @ by_cell, covariance)

    def score_samples(self, X: Rows | None = None, y: Rows | None = None) -> np.ndarray:
        """Log-likelihood of the observed cells of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x) or None, default=None
            First view. NaN marks a missing cell, and a row of NaN a missing view.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,) or None, \
                default=None
            Second view. It may have gaps, too.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Logarithm of the density under the model, without the penalty.
        """
        check_is_fitted(self)
        X, y, _, _ = self._check_available(X, y)
        return log_densities(self._gaussian(), self._side_by_side(X, y))

    def aic(self, X: Rows, y: Rows) -> float:
        """Akaike's information criterion of the model on the data; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view, with or without gaps. Usually these are the training data.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view.

        Returns
        -------
        aic : float
            Twice the difference between `n_parameters_` and the log-likelihood.
        """
        return 2 * (self.n_parameters_ - float(self.score_samples(X, y).sum()))

    def bic(self, X: Rows, y: Rows) -> float:
        """Bayesian information criterion of the model on the data; lower is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view, with or without gaps. Usually these are the training data.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view.

        Returns
        -------
        bic : float
            To choose `n_components`, fit a model for each value and take the one with
            the smallest criterion.
        """
        densities = self.score_samples(X, y)
        weight = np.log(len(densities))
        return float(weight * self.n_parameters_ - 2 * densities.sum())

    def _gaussian(self, side=None):
        """The model of both views, or of one."""
        p = self.n_features_in_
        own = {"x": slice(None, p), "y": slice(p, None), None: slice(None)}[side]
        mean = np.concatenate([self.x_mean_, self.y_mean_])
        return Gaussian.of(mean[own], self.covariance_[own, own])

    def _side_by_side(self, X, y):
        """Both views, with NaN for one that is None."""
        n = len(y if X is None else X)
        views = [
            np.full((n, width), np.nan) if view is None else view
            for view, width in ((X, self.n_features_in_), (y, self.y_n_features_in_))
        ]
        return np.hstack(views).astype(np.float64)

    def _whole(self, view, side):
        """A view whose gaps are filled with expected values, given its other cells."""
        if not np.isnan(view).any():
            return view
        return self._gaussian(side).expected(view.astype(np.float64))

    def _whole_pair(self, X, y):
        """Views whose gaps are filled with expected values, given both views."""
        if not (np.isnan(X).any() or np.isnan(y).any()):
            return X, y
        filled = self._gaussian().expected(self._side_by_side(X, y))
        return filled[:, : self.n_features_in_], filled[:, self.n_features_in_ :]

    def _encode(self, view, side):
        return like(self._project(self._whole(view, side), side), view)

    def _project(self, view, side):
        mean, weights = self._projection_of(side)
        return _moments.project(view, mean, weights)

    def _projection_of(self, side):
        return getattr(self, f"{side}_mean_"), getattr(self, f"{side}_weights_")

    def _as_module(self, side):
        # Nothing else here needs torch.
        from skcrl.deep._view_modules import LinearCodes

        return LinearCodes(*self._projection_of(side))

    def _expected_codes(self, X, y):
        """Expected canonical variates of both views, given all observed cells."""
        if X is None:
            codes = self._encode(y, "y")
            return codes * self.correlations_, codes
        if y is None:
            codes = self._encode(X, "x")
            return codes, codes * self.correlations_
        X, y = self._whole_pair(X, y)
        return self._project(X, "x"), self._project(y, "y")

    def _join(self, X, y):
        x_codes, y_codes = self._expected_codes(X, y)
        return like((x_codes + y_codes) * self._joint_weights, y if X is None else X)

    def _decode(self, codes, side):
        p = self.n_features_in_
        own = slice(None, p) if side == "x" else slice(p, None)
        mean, weights = self._projection_of(side)
        cross_cov = self.covariance_[own, own] @ weights
        variances = np.einsum("pk,pk->k", weights, cross_cov)
        loadings = cross_cov / np.where(variances > 0, variances, 1.0)
        return like(mean + codes @ loadings.T, codes)

    def _reconstruct(self, X, y, to):
        x_codes, y_codes = self._expected_codes(X, y)
        codes = x_codes if to == "x" else y_codes
        return like(self._decode(codes, to), y if X is None else X)

    def _impute(self, X, y):
        X, y, has_x, has_y = check_available(self, X, y)
        x_full, y_full = X.copy(), y.copy()
        if not has_x.all():
            x_full[~has_x] = self._reconstruct(None, y[~has_x], "x")
        if not has_y.all():
            y_full[~has_y] = self._reconstruct(X[~has_y], None, "y")
        rows = np.isnan(x_full).any(axis=1) | np.isnan(y_full).any(axis=1)
        if rows.any():
            whole = self._whole_pair(X[rows], y[rows])
            for full, filled in zip((x_full, y_full), whole, strict=True):
                full[rows] = np.where(np.isnan(full[rows]), filled, full[rows])
        return x_full, self._as_in_fit(y_full, "y")

    def _fitted_arrays(self):
        k, d = self.n_components_, self.n_features_in_ + self.y_n_features_in_
        arrays: dict[str, tuple[Any, tuple]] = {
            "correlations_": (self.correlations_, (k,)),
            "weights of joint codes": (self._joint_weights, (k,)),
            "covariance_": (self.covariance_, (d, d)),
            "loglike_": (self.loglike_, (self.n_iter_,)),
        }
        for side, p in (("x", self.n_features_in_), ("y", self.y_n_features_in_)):
            arrays |= {
                f"{side}_weights_": (getattr(self, f"{side}_weights_"), (p, k)),
                f"{side}_mean_": (getattr(self, f"{side}_mean_"), (p,)),
            }
        return arrays
