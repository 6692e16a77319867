"""Several trainings of one two-view estimator, combined into one."""

import sys
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skcrl._arrays import to_numpy
from skcrl._columns import unit_rows
from skcrl._typing import Rows, Seed, fit_context
from skcrl._validation import (
    N_JOBS,
    NAMES,
    random_source,
    require_y,
    restored_on_error,
)
from skcrl._views import kind_of
from skcrl.base import TwoViewTransformer
from skcrl.compose._around import TakesTheSame
from skcrl.compose._correlation_weights import correlation_weights
from skcrl.linear import LinearCCA


class Restarts(MetaEstimatorMixin, TakesTheSame):
    r"""Ensemble of several trainings of a two-view estimator, for better codes.

    Networks that start from different weights and see different batches learn different
    codes, and each makes errors of its own. Together they usually make fewer: rows
    whose codes are near to each other in all of them are more often right, and the mean
    of several codes has a higher correlation with the other view.

    ``fit`` trains clones of the estimator that differ only in their seeds. Their codes
    are combined in one of two ways:

    - For a search: the codes of a row by the clones are each scaled to length one,
      concatenated, and divided by the square root of the number of clones. So each code
      has length one, and the cosine of two codes is the mean of the cosines of the
      clones.
    - For correlation and transfer, with ``closing_cca=True``: a linear CCA of the
      concatenated codes makes `n_components` components.

    Parameters
    ----------
    estimator : TwoViewTransformer
        Two-view estimator with a `random_state`, or with a part that has one. It is
        cloned. Encoders that you pass to it, such as `ConvEncoder`, begin with the same
        weights in all clones.
    n_restarts : int, default=3
        Number of clones to train, at least 1. More clones give better codes, but
        training time and code width grow with their number.
    correlation_power : float, default=1.0
        Power p, not negative, with which the components of each clone are weighted by
        their correlation, before its codes are scaled to length one: codes are
        multiplied by rho ** p. Here rho are the `singular_values_` of the clone if it
        has them, otherwise its `correlations_`, with negative ones set to 0. If it has
        neither, components are not weighted. A closing CCA takes the codes as they are.
    closing_cca : bool, default=False
        Whether a linear CCA combines the codes of all clones. It is fitted to the
        training rows that have both views.
    n_components : int or None, default=None
        Number of components that the closing CCA makes. It is at least 1, and at most
        the number of components of all clones together. None means as many as one clone
        has. With a smaller number, clones learn more components than are kept, which
        often makes the correlation of the kept ones higher. Without a closing CCA it
        has no influence.
    n_jobs : int or None, default=None
        Number of joblib processes, each for one training at a time. The codes do not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed from which the seeds of the clones are drawn. The `random_state` of the
        estimator is not used.

    Attributes
    ----------
    estimators_ : list of TwoViewTransformer
        The fitted clones.
    n_components_ : int
        Number of components: of all clones together, or of the closing CCA.
    correlations_ : ndarray of shape (n_components,)
        Canonical correlations of the training codes. Only with ``closing_cca=True``.
    n_features_in_, y_n_features_in_ : int
        Widths of the views, unless they are texts.
    feature_names_in_, y_feature_names_in_ : ndarray of str
        Column names, if a view was a data frame.

    See Also
    --------
    CrossViewRetriever : Search by these codes. It weights their components by their
        correlations only with ``closing_cca=True``.

    Notes
    -----
    ``reconstruct``, ``predict`` and ``impute`` return the mean of the results of the
    clones. Without a closing CCA, ``score`` is the mean of their scores,
    ``transform_joint`` concatenates their joint codes, each scaled to length one and
    not weighted, and ``inverse_transform`` of a view, which does not know the original
    lengths of the codes of each clone, uses their mean length on the training set.
    With a closing CCA, ``score`` is that of the combined codes, ``transform_joint`` is
    the mean of the codes of the views that are present, and ``inverse_transform`` first
    predicts the codes of the clones by ridge regression.

    Examples
    --------
    >>> from skcrl import DeepCCA, Restarts
    >>> from skcrl.datasets import load_digits_halves
    >>> left, right, _ = load_digits_halves()
    >>> deep = DeepCCA(5, hidden_layer_sizes=(32,), max_epochs=3)
    >>> model = Restarts(deep, n_restarts=2, random_state=0).fit(left, right)
    >>> Zx, Zy = model.transform_pair(left, right)
    >>> Zx.shape
    (1797, 10)
    >>> cosines = [
    ...     first @ second / (first @ first * (second @ second)) ** 0.5
    ...     for one in model.estimators_
    ...     for first, second in [one.transform_pair(left, right)]
    ...     for first, second in [(Z[0] * one.correlations_ for Z in (first, second))]
    ... ]
    >>> abs(Zx[0] @ Zy[0] - sum(cosines) / 2) < 1e-6
    np.True_

    The total correlation of new rows, of one training and of two:

    >>> model.set_params(closing_cca=True).fit(left[:1000], right[:1000])
    Restarts(...)
    >>> one = model.estimators_[0].score(left[1000:], right[1000:])
    >>> model.score(left[1000:], right[1000:]) > one
    True
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "estimator": [TwoViewTransformer],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "correlation_power": [Interval(Real, 0, sys.float_info.max, closed="both")],
        "closing_cca": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: TwoViewTransformer,
        n_restarts: int = 3,
        *,
        correlation_power: float = 1.0,
        closing_cca: bool = False,
        n_components: int | None = None,
        n_jobs: int | None = None,
        random_state: Seed = None,
    ):
        self.estimator = estimator
        self.n_restarts = n_restarts
        self.correlation_power = correlation_power
        self.closing_cca = closing_cca
        self.n_components = n_components
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Rows, y: Rows, **fit_params: Any) -> Self:
        """Train the clones.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view, as the estimator takes it.
        y : array-like of n_samples rows
            Second view, paired with `X`.
        **fit_params : dict
            Parameters for ``fit`` of each clone, such as `sample_weight`. With metadata
            routing enabled: the parameters that the estimator requested by
            ``set_fit_request``.

        Returns
        -------
        self : Restarts
            Fitted estimator.

        Raises
        ------
        ValueError
            If the estimator has no `random_state`, or the views are not valid input of
            it, or there are covariates, or `n_components` is larger than the number of
            components of all clones together. After this and any other error, the
            estimator is as it was before.
        """
        if _routing_enabled():
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        seeded = _seeds_of(self.estimator)
        if not seeded:
            raise ValueError(
                f"{type(self.estimator).__name__} has no random_state, so all its "
                "trainings would be the same: fit it without Restarts."
            )
        innermost = _innermost(self.estimator, fit_params)
        if innermost.get("covariates") is not None:
            raise ValueError(
                "Restarts takes no covariates. Remove their effect from both views "
                "first."
            )
        with restored_on_error(self):
            require_y(self, y)
            random = random_source(self.random_state)
            seeds = random.randint(np.iinfo(np.int32).max, size=self.n_restarts)
            self.estimators_ = Parallel(n_jobs=self.n_jobs)(
                delayed(_fitted)(self.estimator, int(seed), X, y, fit_params)
                for seed in seeds
            )
            self._learn_shapes(self.estimators_[0])
            if self.closing_cca:
                self._close(X, y, innermost.get("sample_weight"))
            else:
                self._keep_lengths(X, y)
        return self

    def _keep_lengths(self, X, y):
        """Learn the mean length of the codes of each clone."""
        self._cca = None
        self.__dict__.pop("correlations_", None)
        self.n_components_ = sum(one.n_components_ for one in self.estimators_)
        self._lengths = {
            side: [
                _mean_length(self._weighted(one, to_numpy(one._codes_of(view, side))))
                for one in self.estimators_
            ]
            for side, view in (("x", _there(X, "x")), ("y", _there(y, "y")))
        }

    def _close(self, X, y, sample_weight):
        """Fit the CCA of the codes of all clones to rows that have both views."""
        gaps = [kind_of(v, NAMES[s]).gaps(v) for s, v in (("x", X), ("y", y))]
        gaps = [gap for gap in gaps if gap is not None]
        if gaps:
            rows = np.flatnonzero(~np.logical_or.reduce(gaps))
            X, y = (kind_of(view).take(view, rows) for view in (X, y))
            if np.ndim(sample_weight) > 0:
                sample_weight = np.asarray(sample_weight)[rows]
        x_codes, y_codes = (
            np.hstack([to_numpy(one._codes_of(v, s)) for one in self.estimators_])
            for s, v in (("x", X), ("y", y))
        )
        k = self.n_components or self.estimators_[0].n_components_
        if k > x_codes.shape[1]:
            raise ValueError(
                f"Restarts got n_components={k}, but all clones together have only "
                f"{x_codes.shape[1]} components. Reduce n_components, or let the "
                "estimator have more components."
            )
        self._cca = LinearCCA(k, shrinkage="ledoit_wolf")
        self._cca.fit(x_codes, y_codes, sample_weight)
        self.n_components_ = k
        self.correlations_ = self._cca.correlations_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the metadata routing of this estimator.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` passes parameters to ``fit`` of the estimator.
        """
        return MetadataRouter(owner=self).add(
            estimator=self.estimator,
            method_mapping=MethodMapping()
            .add(caller="fit", callee="fit")
            .add(caller="fit_transform", callee="fit"),
        )

    def _weighted(self, one, codes):
        weights = correlation_weights(one, self.correlation_power)
        return codes if weights is None else codes * weights.astype(codes.dtype)

    def _check_view(self, view, side):
        return _Views([one._check_view(view, side) for one in self.estimators_])

    def _check_available(self, X, y):
        checked = [one._check_available(X, y) for one in self.estimators_]
        X, y = (
            None if view is None else _Views([views[i] for views in checked])
            for i, view in enumerate((X, y))
        )
        return X, y, *checked[0][2:]

    def _encode(self, view, side):
        parts = [
            to_numpy(one._encode(own, side))
            for one, own in zip(self.estimators_, view.views, strict=True)
        ]
        if self._cca is not None:
            return self._cca._encode(np.hstack(parts), side)
        return _side_by_side(map(self._weighted, self.estimators_, parts))

    def _join(self, X, y):
        if self._cca is not None:
            return super()._join(X, y)
        return _side_by_side(
            [to_numpy(one._join(*own)) for one, *own in self._own(X, y)]
        )

    def _joint_names(self):
        if self._cca is not None:
            return super()._joint_names()
        width = sum(len(one._joint_names()) for one in self.estimators_)
        return [f"{type(self).__name__.lower()}{i}" for i in range(width)]

    def _reconstruct(self, X, y, to):
        return _mean(
            [
                one._as_in_fit(to_numpy(one._reconstruct(*own, to)), to)
                for one, *own in self._own(X, y)
            ]
        )

    def _decode(self, codes, side):
        """Mean of the views that the clones decode from their parts of the codes."""
        if self._cca is not None:
            codes = self._cca._decode(codes, side)
        ends = np.cumsum([one.n_components_ for one in self.estimators_])
        parts: Any = np.split(codes, ends[:-1], axis=1)
        if self._cca is None:
            parts = map(self._restored, self.estimators_, parts, self._lengths[side])
        return _mean(
            [
                one._as_in_fit(to_numpy(one._decode(part, side)), side)
                for one, part in zip(self.estimators_, parts, strict=True)
            ]
        )

    def _restored(self, one, part, length):
        """Codes of a clone from its part, scaled to their mean length in training."""
        part = unit_rows(part) * np.asarray(length, part.dtype)
        weights = correlation_weights(one, self.correlation_power)
        if weights is None:
            return part
        inverse = np.divide(1, weights, out=0 * weights, where=weights > 0)
        return part * inverse.astype(part.dtype)

    def _as_in_fit(self, view, side):
        return view  # the clones have done this already

    def _impute(self, X, y):
        filled = [one._impute(X, y) for one in self.estimators_]
        return tuple(map(_mean, zip(*filled, strict=True)))

    def _own(self, X, y):
        """Each clone, with the views in its own form."""
        nothing = [None] * len(self.estimators_)
        views = (nothing if view is None else view.views for view in (X, y))
        return zip(self.estimators_, *views, strict=True)

    def score(self, X: Rows, y: Rows) -> float:
        """Total correlation, higher is better: the mean of those of the clones.

        With ``closing_cca=True`` it is the total correlation of the combined codes.

        Parameters
        ----------
        X : array-like of n_samples rows
            First view.
        y : array-like of n_samples rows
            Second view, paired with `X`.

        Returns
        -------
        total : float
            At most the number of components of one clone, or of the closing CCA.
        """
        check_is_fitted(self)
        if self._cca is not None:
            return super().score(X, y)
        return float(np.mean([one.score(X, y) for one in self.estimators_]))


class _Views:
    """One view in the form of each clone, for example after its own preprocessing."""

    def __init__(self, views):
        self.views = views

    @property
    def dtype(self):
        return self.views[0].dtype

    def __getitem__(self, rows):
        return _Views([view[rows] for view in self.views])


def _seeds_of(estimator):
    """Names of the parameters of an estimator and of its parts that hold a seed."""
    names = estimator.get_params()
    return sorted(n for n in names if n.rpartition("__")[2] == "random_state")


def _fitted(estimator, seed, X, y, fit_params):
    one = clone(estimator)
    random = np.random.RandomState(seed)
    seeds = {n: random.randint(np.iinfo(np.int32).max) for n in _seeds_of(one)}
    return one.set_params(**seeds).fit(X, y, **fit_params)


def _innermost(estimator, fit_params):
    """Parameters of `fit` as the innermost estimator gets them, by its own names."""
    if _routing_enabled():
        while hasattr(estimator, "estimator") and isinstance(
            estimator.get_metadata_routing(), MetadataRouter
        ):
            fit_params = process_routing(estimator, "fit", **fit_params).estimator.fit
            estimator = estimator.estimator
    return fit_params


def _there(view, side):
    """A view without the rows that it lacks."""
    kind = kind_of(view, NAMES[side])
    missing = kind.gaps(view)
    return view if missing is None else kind.take(view, np.flatnonzero(~missing))


def _side_by_side(parts):
    """Join the codes of several clones, which count alike, to rows of length one."""
    units = [unit_rows(part) for part in parts]
    codes = np.hstack(units)
    codes /= np.sqrt(len(units), dtype=codes.dtype)
    return codes


def _mean(arrays):
    """Mean of arrays; values that are equal in all arrays stay exactly the same."""
    first, *others = arrays
    if sparse.issparse(first):
        return first  # sparse views have no missing values to fill
    return first + sum(other - first for other in others) / len(arrays)


def _mean_length(codes):
    return float(np.sqrt(np.mean(np.sum(codes**2, axis=1, dtype=np.float64))))
