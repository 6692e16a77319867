"""Kernel canonical correlation analysis."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl import _linalg, _moments
from skcrl._degenerate import (
    free_rank_of,
    warn_of_constant,
    warn_of_unlike_rows,
    warn_without_freedom,
)
from skcrl._numbers import require_squares
from skcrl._typing import Reals, Rows, Seed, fit_context
from skcrl._validation import (
    N_JOBS,
    check_pair,
    check_ridge,
    check_weights,
    is_finite,
    per_view,
    random_source,
    require_samples,
    restored_on_error,
)
from skcrl._views import check_beside
from skcrl.base import TwoViewTransformer
from skcrl.kernel import _decoder
from skcrl.kernel._exact import LARGER_RIDGE, kernel_cca
from skcrl.kernel._feature_maps import (
    FourierMap,
    NystroemMap,
    cluster_centres,
    distinct_rows,
    random_rows,
)
from skcrl.kernel._kernels import Encoder, Kernel, KernelRows, centre, is_diagonal

# Number of rows that approximate feature maps are applied to at once.
_BLOCK_ROWS = 4096
_SIDES = ("x", "y")
_NAMES = {"x": "X", "y": "y"}


class KernelCCA(TwoViewTransformer):
    r"""Kernel canonical correlation analysis with a ridge on each view.

    Use it if the views are related in a nonlinear way, or if you have a measure of
    similarity of rows instead of features. It is linear CCA in the feature spaces of
    two kernels [1]_. With centred kernels :math:`K_x, K_y`, the dual weights a, b of a
    component maximise

    .. math:: \frac{1}{n-1} a^\top K_x K_y b \quad \text{subject to} \quad
        \frac{1}{n-1} a^\top K_x^2 a + r_x\, a^\top K_x a = 1

    and the same for b. Each component is uncorrelated with the earlier ones. The ridge
    is in the units of covariances, so a linear kernel gives the same result as
    `LinearCCA` with the same `reg`.

    The exact solution needs two Cholesky factorisations, a block Lanczos solver for the
    leading components, and memory for about three kernel matrices. If there are too
    many samples for this, use `approximation`. It maps the views to a fixed number of
    features, one block of rows at a time, and solves linear CCA on these features. The
    memory then does not grow with the number of samples.

    Parameters
    ----------
    n_components : int, default=2
        Number of components, at most the number of samples. With an `approximation` it
        is also at most the number of approximate features.
    kernel : str, callable or pair of them, default="rbf"
        Kernel of both views, or a pair (x, y). It is a name that
        :func:`sklearn.metrics.pairwise.pairwise_kernels` knows, a function of two
        samples that returns a number, or "precomputed". A kernel should be positive
        semidefinite; the negative part of other kernels, such as "sigmoid", is ignored.
        If the kernel depends on distances, bring the columns to one scale first. For
        "poly", "sigmoid" and "cosine", which do not subtract the mean, centre them.
    gamma : float, None or pair of them, default=None
        Coefficient of the rbf, polynomial, sigmoid, laplacian and chi2 kernels. With a
        larger gamma, rows must be closer to count as similar. None means 1 for chi2 and
        1 / n_features for the others.
    degree : float or pair of float, default=3
        Degree of the polynomial kernel.
    coef0 : float or pair of float, default=1
        Constant term of the polynomial and sigmoid kernels.
    kernel_params : dict, None or pair of them, default=None
        Parameters that are passed to a kernel that is a callable.
    reg : float or pair of float, default=1e-3
        Ridge :math:`(r_x, r_y)`, at least 0, in the units of the kernels; the rbf
        kernel has unit 1. A larger ridge prevents overfitting. With 0 and a kernel of
        full rank, such as the rbf kernel of different rows, `correlations_` are 1 for
        any data. If (n_samples - 1) times the ridge is less than 1.5e-8 of the trace of
        the kernel before centring, directions with eigenvalues below that share are
        left out. In such directions, rounding would decide the codes of new rows.
    approximation : {"nystroem", "rbf_sampler"} or None, default=None
        None solves the problem exactly. "nystroem" works for any kernel; its features
        are the kernel with some landmarks. "rbf_sampler" uses random Fourier features,
        for the rbf kernel only.
    approximation_size : int, default=500
        Number of approximate features: the number of landmarks (at most the number of
        samples), or of Fourier features. A larger number is more accurate, and takes
        more time.
    landmarks : {"random", "kmeans"}, default="random"
        Landmarks for "nystroem". "random" takes the same random rows of both views.
        "kmeans" takes cluster centres of each view; this takes longer, and is better
        for kernels that depend on distances. Equal rows are taken only once. If there
        are fewer different rows than landmarks, all different rows are landmarks.
    random_state : int, RandomState or None, default=None
        Seed for the landmarks, the Fourier features, the start of the eigensolver, and
        the training rows that `reconstruct` is fitted to.

    Attributes
    ----------
    n_components_ : int
        Number of components.
    correlations_ : ndarray of shape (n_components,)
        Pearson correlation of each pair of codes of the training views. They are 0
        beyond `rank_`. They are not always in decreasing order, but `singular_values_`
        are. With a small ridge they are large even for noise. To see what is real, use
        ``score`` on held-out views.
    singular_values_ : ndarray of shape (n_components,)
        Value :math:`\rho` of the objective, with its ridge, for each pair, largest
        first. They give the components their order.
    x_dual_coef_, y_dual_coef_ : ndarray of shape (n_samples, n_components)
        Dual weights a and b. Each column adds up to 0, and columns beyond `rank_` are
        0. The entry of largest absolute value in each column of `x_dual_coef_` is
        positive. They exist only without an approximation.
    X_fit_, y_fit_ : ndarray or CSR array of shape (n_samples, n_features)
        Training rows, which are needed to compute codes of new rows. They exist only
        without an approximation, and not for a precomputed kernel.
    x_weights_, y_weights_ : ndarray of shape (n_map_features, n_components)
        Weights of the approximate features. They exist only with an approximation.
    rank_ : int
        Number of components whose weights are not 0. It is less than `n_components_` if
        the training data determine fewer components.
    n_features_in_, y_n_features_in_ : int
        Number of features of each view.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names of each view, if it was a data frame.

    See Also
    --------
    LinearCCA : CCA with linear kernels, computed from the features.
    DeepCCA : Nonlinear CCA, with encoders that are neural networks.

    Notes
    -----
    ``reconstruct`` predicts views by ridge regression. The predictors are the codes and
    Nyström features of their rbf kernel, with at most 100 training codes as centres. It
    is fitted to at most 10000 training rows. Its ridge is chosen by generalised
    cross-validation.

    A precomputed kernel is square in ``fit``: (n_samples, n_samples). In other methods
    it holds the kernel with the training samples, of shape (n_queries, n_samples), and
    ``reconstruct`` returns estimates of its rows. When scikit-learn cross-validates
    with a precomputed `X`, it selects the training columns as well as the rows. It does
    this only for `X`: if `y` is precomputed, you have to split it yourself.

    References
    ----------
    .. [1] Hardoon, Szedmak and Shawe-Taylor (2004). Canonical correlation analysis:
       an overview with application to learning methods. Neural Computation 16.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import KernelCCA, LinearCCA
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, (400, 1))
    >>> X = np.hstack([angle, rng.standard_normal((400, 1))])
    >>> y = np.hstack([np.cos(2 * angle), np.sin(2 * angle)])
    >>> kcca = KernelCCA(2).fit(X[:300], y[:300])
    >>> kcca.score(X[300:], y[300:]) > 1.5
    True
    >>> LinearCCA(2).fit(X[:300], y[:300]).score(X[300:], y[300:]) < 1
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "kernel": [str, callable, "array-like"],
        "gamma": [Interval(Real, 0, None, closed="left"), None, "array-like"],
        "degree": [Interval(Real, 0, None, closed="left"), "array-like"],
        "coef0": [Interval(Real, None, None, closed="neither"), "array-like"],
        "kernel_params": [dict, None, "array-like"],
        "reg": [Interval(Real, 0, None, closed="left"), "array-like"],
        "approximation": [StrOptions({"nystroem", "rbf_sampler"}), None],
        "approximation_size": [Interval(Integral, 1, None, closed="left")],
        "landmarks": [StrOptions({"random", "kmeans"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        kernel: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] = "rbf",
        gamma: Reals | Sequence[float | None] | None = None,
        degree: Reals = 3,
        coef0: Reals = 1,
        kernel_params: dict[str, Any] | Sequence[dict[str, Any] | None] | None = None,
        reg: Reals = 1e-3,
        approximation: Literal["nystroem", "rbf_sampler"] | None = None,
        approximation_size: int = 500,
        landmarks: Literal["random", "kmeans"] = "random",
        random_state: Seed = None,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.kernel_params = kernel_params
        self.reg = reg
        self.approximation = approximation
        self.approximation_size = approximation_size
        self.landmarks = landmarks
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the model to two paired views.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features_x)
            First view, or its kernel of shape (n_samples, n_samples).
        y : array-like or sparse matrix of shape (n_samples, n_features_y) or \
(n_samples,)
            Second view, paired with `X`, or its kernel.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Number of samples that each row stands for, at least 0. The weights must
            add up to more than 1. None gives every row the weight 1. Rows of weight 0
            are left out.

        Returns
        -------
        self : KernelCCA
            Fitted estimator.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, have fewer than two
            rows, or have squares that overflow; if `n_components` is larger than
            possible; if a precomputed kernel is not square; if weights are out of
            range; or if parameters contradict each other. The estimator then stays as
            it was before.

        Warns
        -----
        DegenerateFitWarning
            In three cases. The first is that a kernel is constant. The second is that
            no two rows are similar under a kernel, for example because columns have
            large units; all `correlations_` are then 1 for any data. The third is that
            the ranks of both kernels add up to more than n_samples - 1 and the ridge is
            almost 0; the first `correlations_` are then 1 for any data.
        """
        with restored_on_error(self):
            kernels, ridge = self._kernels(), check_ridge(self.reg)
            check_beside(X, sample_weight, "sample_weight")
            X, y = check_pair(self, X, y, reset=True, min_samples=2)
            self._check_square(kernels, X, y)
            X, y, weights, kept = check_weights(X, y, sample_weight)
            if weights is not None:
                require_samples(weights)
            views = {"x": X, "y": y}
            for side, view in views.items():
                require_squares(
                    view.data if sparse.issparse(view) else view, _NAMES[side]
                )
                kernels[side] = kernels[side] and kernels[side].about(view, weights)
            random_state = random_source(self.random_state)
            for name in _FITTED_EITHER_WAY:
                self.__dict__.pop(name, None)
            if self.approximation is None:
                Zx, Zy = self._fit_exact(
                    views, kernels, ridge, weights, kept, random_state
                )
            else:
                self._fit_approximately(views, kernels, ridge, weights, random_state)
            self._n_rows = X.shape[0]
            rows = random_rows(X.shape[0], _decoder._MAX_ROWS, random_state)
            views = {"x": X[rows], "y": y[rows]}
            if self.approximation is None:
                Zx, Zy = Zx[rows], Zy[rows]
            else:
                Zx, Zy = (self._encode(view, side) for side, view in views.items())
            weights = None if weights is None else weights[rows]
            self._fit_decoders(Zx, Zy, views, weights, random_state)
            self.n_components_ = self.n_components
            return self

    def _fit_exact(self, views, kernels, ridge, weights, kept, random_state):
        n = views["x"].shape[0]
        self._check_n_components(n, "the number of samples")
        rows = {s: None if kernels[s] is None else v.copy() for s, v in views.items()}
        grams = {
            side: view[:, kept].astype(np.float64)  # an array of our own
            if kernels[side] is None
            else kernels[side](view)
            for side, view in views.items()
        }
        warn_of_unlike_rows(_NAMES[s] for s, K in grams.items() if is_diagonal(K))
        means, sizes = {}, []
        for side, K in grams.items():
            means[side], size = centre(K, weights)
            sizes.append(size)
        solution = kernel_cca(
            grams["x"],
            grams["y"],
            sizes,
            int(self.n_components),
            ridge,
            random_state,
            weights,
        )
        coefs = {"x": solution.x_weights, "y": solution.y_weights}
        for side, view in views.items():
            if kernels[side] is None:  # new rows have a column for every sample, too
                coefs[side] = _spread(coefs[side], kept, view.shape[1])
                means[side] = _spread(means[side], kept, view.shape[1])
        self._encoders = {
            side: Encoder(
                KernelRows(kernels[side], rows[side]), means[side], coefs[side]
            )
            for side in _SIDES
        }
        self.x_dual_coef_, self.y_dual_coef_ = coefs["x"], coefs["y"]
        if rows["x"] is not None:
            self.X_fit_ = rows["x"]
        if rows["y"] is not None:
            self.y_fit_ = rows["y"]
        self.singular_values_, self.rank_ = solution.singular_values, solution.rank
        codes = np.hstack([solution.x_codes, solution.y_codes])
        cov = _moments.covariances(_moments.moments(codes, codes, weights=weights))
        self.correlations_ = _linalg.pair_correlations(cov.xx)
        return solution.x_codes, solution.y_codes

    def _fit_approximately(self, views, kernels, ridge, weights, random_state):
        X, y = views["x"], views["y"]
        n = X.shape[0]
        maps = self._feature_maps(views, kernels, weights, random_state)
        m = reduce(
            _moments.merge_moments,
            (
                _moments.moments(
                    maps["x"](X[i : i + _BLOCK_ROWS]),
                    maps["y"](y[i : i + _BLOCK_ROWS]),
                    weights=None if weights is None else weights[i : i + _BLOCK_ROWS],
                )
                for i in range(0, n, _BLOCK_ROWS)
            ),
        )
        cov = _moments.covariances(m)
        solution = _linalg.cca(cov, self.n_components, ridge)
        self.x_weights_, self.y_weights_ = solution.x_weights, solution.y_weights
        self._encoders = {
            "x": Encoder(maps["x"], m.x_mean, self.x_weights_),
            "y": Encoder(maps["y"], m.y_mean, self.y_weights_),
        }
        self.singular_values_, self.rank_ = solution.singular_values, solution.rank
        self.correlations_ = _linalg.code_correlations(
            cov, self.x_weights_, self.y_weights_
        )
        warn_of_constant(
            [
                name
                for name, c in (("X", cov.xx), ("y", cov.yy))
                if not c.diagonal().any()
            ]
        )
        warn_without_freedom(
            self.correlations_[0],
            cov.xy.shape,
            lambda: tuple(map(free_rank_of, (cov.xx, cov.yy), ridge)),
            n - 1,
            LARGER_RIDGE,
        )

    def _feature_maps(self, views, kernels, weights, random_state):
        n, size = views["x"].shape[0], self.approximation_size
        if self.approximation == "rbf_sampler":
            self._check_n_components(size, "`approximation_size`")
            return {
                side: FourierMap.draw(
                    view.shape[1],
                    kernels[side].params.get("gamma"),
                    size,
                    random_state,
                    kernels[side].origin,
                )
                for side, view in views.items()
            }
        size = min(size, n)
        self._check_n_components(size, "the number of landmarks")
        if self.landmarks == "kmeans":
            landmarks = {
                side: cluster_centres(
                    view, size, random_state, kernels[side].origin, weights
                )
                for side, view in views.items()
            }
        else:
            rows = distinct_rows(list(views.values()), size, random_state)
            landmarks = {side: view[rows] for side, view in views.items()}
        warn_of_unlike_rows(
            _NAMES[s] for s in _SIDES if is_diagonal(kernels[s](landmarks[s]))
        )
        return {
            side: NystroemMap.fit(kernels[side], landmarks[side]) for side in _SIDES
        }

    def _fit_decoders(self, Zx, Zy, views, weights, random_state):
        centres = distinct_rows(
            list(views.values()), _decoder._MAX_CENTRES, random_state
        )
        fit = partial(
            _decoder.KernelDecoder.fit, views=views, centres=centres, weights=weights
        )
        self._decoders = {"x": fit(Zx), "y": fit(Zy), "both": fit(np.hstack([Zx, Zy]))}

    def _kernels(self):
        """Kernel of each side, None where it is precomputed."""
        names = sorted(PAIRWISE_KERNEL_FUNCTIONS)
        expected = f"'precomputed', a callable or one of {names}"
        positive = "a number that is not negative"
        pairs = {
            "kernel": per_view("kernel", self.kernel, _is_kernel, expected),
            "gamma": per_view("gamma", self.gamma, _is_gamma, f"None or {positive}"),
            "degree": per_view("degree", self.degree, _is_positive, positive),
            "coef0": per_view("coef0", self.coef0, is_finite, "a finite number"),
            "kernel_params": per_view(
                "kernel_params",
                self.kernel_params,
                _is_params,
                f"None or a dict, whose n_jobs, if any, is {N_JOBS[0]}",
            ),
        }
        return {
            side: self._kernel(side, **{name: pair[i] for name, pair in pairs.items()})
            for i, side in enumerate(_SIDES)
        }

    def _kernel(self, side, kernel, kernel_params, **params):
        if _is_precomputed(kernel):
            if self.approximation is not None:
                raise ValueError(
                    f"approximation={self.approximation!r} needs the samples of "
                    f"{_NAMES[side]}, but its kernel is 'precomputed'. Use "
                    "approximation=None or another kernel."
                )
            return None
        if self.approximation == "rbf_sampler" and kernel != "rbf":
            raise ValueError(
                "approximation='rbf_sampler' works only with the kernel 'rbf', but the "
                f"kernel of {_NAMES[side]} is {kernel!r}. Use 'nystroem'."
            )
        if callable(kernel):
            return Kernel(kernel, dict(kernel_params or {}))
        # Only chi2 does not accept None for its default.
        return Kernel(kernel, {k: v for k, v in params.items() if v is not None})

    def _check_n_components(self, bound, name):
        if self.n_components > bound:
            raise ValueError(
                f"`n_components` upper bound is {bound}, {name}. Got "
                f"{self.n_components} instead. Reduce `n_components`."
            )

    def _check_square(self, kernels, X, y):
        for side, view in (("x", X), ("y", y)):
            if kernels[side] is None and view.shape[0] != view.shape[1]:
                raise ValueError(
                    f"A precomputed kernel of {_NAMES[side]} must be square in fit, of "
                    f"shape (n_samples, n_samples). Got {view.shape}."
                )

    def _as_module(self, side):
        # Nothing else here needs torch.
        from skcrl.deep._kernel_modules import KernelModule

        features = self._encoders[side].features
        if not isinstance(features, FourierMap):
            kernel = features.kernel
            if kernel is None or callable(kernel.metric):
                raise ValueError(
                    f"The kernel of {_NAMES[side]} is "
                    f"{'precomputed' if kernel is None else 'a callable'}, but a torch "
                    "module exists only for kernels that scikit-learn has a name for. "
                    "Use transform, or fit KernelCCA with such a kernel."
                )
        return KernelModule(self._encoders[side])

    def _encode(self, view, side):
        return self._encoders[side].encode(view)

    def _decode(self, codes, side):
        return self._decoders[side].decode(codes, side)

    def _fitted_arrays(self):
        k = self.n_components_
        arrays: dict[str, tuple] = {
            name: (getattr(self, name), (k,))
            for name in ("correlations_", "singular_values_")
            if hasattr(self, name)  # files of version 1 have no singular values
        }
        for side, (_, mean, weights) in self._encoders.items():
            arrays |= {
                f"mean of the encoder of {side}": (mean, (len(weights),)),
                f"weights of the encoder of {side}": (weights, (len(weights), k)),
            }
        return arrays

    def _reconstruct(self, X, y, to):
        codes = np.hstack(self._codes(X, y))
        source = (
            "both" if X is not None and y is not None else "y" if X is None else "x"
        )
        return self._decoders[source].decode(codes, to)

    @property
    def _accepts_sparse(self):  # type: ignore[override]
        return not any(map(_is_precomputed, self._kernel_names()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = _is_precomputed(self._kernel_names()[0])
        return tags

    def _kernel_names(self):
        """Kernels of both sides as the user set them, valid or not."""
        kernel = self.kernel
        return kernel if isinstance(kernel, (tuple, list)) else (kernel, kernel)


# Attributes that only the exact fit or only the approximate fit sets.
_FITTED_EITHER_WAY = (
    "x_dual_coef_",
    "y_dual_coef_",
    "X_fit_",
    "y_fit_",
    "x_weights_",
    "y_weights_",
)


def _spread(values, kept, n):
    """Values for all n rows: those given for the kept rows, and 0 for the others."""
    spread = np.zeros((n, *values.shape[1:]))
    spread[kept] = values
    return spread


def _is_kernel(value):
    is_name = isinstance(value, str) and value in PAIRWISE_KERNEL_FUNCTIONS
    return callable(value) or _is_precomputed(value) or is_name


def _is_positive(value):
    return is_finite(value) and not value < 0


def _is_gamma(value):
    return value is None or _is_positive(value)


def _is_params(value):
    if not isinstance(value, dict):
        return value is None
    return value.get("n_jobs") is None or N_JOBS[0].is_satisfied_by(value["n_jobs"])


def _is_precomputed(kernel):
    return isinstance(kernel, str) and kernel == "precomputed"
