"""How strong each component is, and how much of its correlation is real."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import check_cv

from skcrl._columns import column_correlations, matched_components
from skcrl._typing import Rows
from skcrl._views import kind_of
from skcrl.base import TwoViewTransformer
from skcrl.inspection._beside import (
    codes_beside,
    covariates_in_memory,
    fit_to,
    rows_of,
)
from skcrl.inspection._held_out import HeldOutPermutationTestResult
from skcrl.inspection._permutation import PermutationTestResult
from skcrl.plotting._axes import NEUTRAL, VIEW_COLORS, axes_or_new, legend_beside
from skcrl.plotting._fitted import check_codes_pair, check_component_names, codes_of


class CorrelationsDisplay:
    """Correlation of the two codes of each component, in training and beyond it.

    Correlations of the samples that an estimator was fitted to are too large. Those of
    held-out samples show how much of them is left, and those of permuted rows how large
    they are where the views share nothing at all. Components whose held-out correlation
    is near 0, or whose correlation lies within what permutations give, are not worth
    keeping.

    Make one by :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    training : ndarray of shape (n_components,)
        Correlations of the samples that were fitted.
    held_out : ndarray of shape (n_folds, n_components) or None, default=None
        Correlations of samples that were not fitted, of each fold. One row where there
        is one set of new samples.
    null : PermutationTestResult, HeldOutPermutationTestResult or None, default=None
        Correlations, or scores, under permutation.
    component_names : sequence of str or None, default=None
        Names of the components. With None they are "component0", "component1" and so
        on.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    training_ : matplotlib.lines.Line2D
        The correlations in training.
    held_out_ : matplotlib.container.ErrorbarContainer or None
        The held-out correlations, the mean over folds, with bars from the lowest to the
        highest fold.
    null_ : matplotlib.container.ErrorbarContainer or None
        The middle nine tenths of what permutations give, about their median. The
        result of a held-out test has a place of its own, after the components.

    See Also
    --------
    skcrl.inspection.permutation_test : P-value of every canonical correlation.
    skcrl.inspection.held_out_permutation_test : P-value of a held-out score.
    skcrl.inspection.select_n_components : The number of components to keep.

    Examples
    --------
    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> from skcrl.inspection import permutation_test
    >>> from skcrl.plotting import CorrelationsDisplay
    >>> X, y = make_correlated_views(200, correlations=(0.9, 0.6), random_state=0)
    >>> cca = LinearCCA(n_components=4).fit(X, y)
    >>> null = permutation_test(X, y, n_permutations=99, random_state=0)
    >>> display = CorrelationsDisplay.from_estimator(cca, X, y, cv=5, null=null)
    >>> display.training_.get_ydata().round(2)
    array([0.91, 0.64, 0.34, 0.27])
    >>> display.held_out.mean(axis=0).round(2)
    array([0.88, 0.54, 0.12, 0.1 ])
    """

    def __init__(
        self,
        training: np.ndarray,
        held_out: np.ndarray | None = None,
        null: PermutationTestResult | HeldOutPermutationTestResult | None = None,
        component_names: Sequence[str] | None = None,
    ):
        self.training = training
        self.held_out = held_out
        self.null = null
        self.component_names = component_names

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        held_out: tuple[Rows, ...] | None = None,
        cv: Any = None,
        null: PermutationTestResult | HeldOutPermutationTestResult | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the correlations of the codes of a fitted estimator.

        Parameters
        ----------
        estimator : two-view estimator
            A fitted estimator, with a method ``transform_pair``.
        X : array-like of shape (n_samples, n_features_x)
            First view of the samples that it was fitted to.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view of these samples.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.
        held_out : tuple of (X, y) or (X, y, covariates), or None, default=None
            Both views of samples that it was not fitted to, and their covariates, if
            there were any in ``fit``.
        cv : int, splitter, iterable or None, default=None
            Folds of a cross-validation, which gives held-out correlations without new
            samples. A copy of the estimator is fitted to each training part, with the
            covariates of its rows, and its components are matched with those of the
            estimator. An integer is a number of contiguous folds.
        null : PermutationTestResult, HeldOutPermutationTestResult or None, default=None
            What :func:`~skcrl.inspection.permutation_test` or
            :func:`~skcrl.inspection.held_out_permutation_test` returned for the same
            views. The first is of canonical correlations, to be compared with those of
            a fit without a penalty. The second must be of the estimator's own `score`,
            the sum of the correlations, which is drawn as their mean.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationsDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, both `held_out` and `cv` are
            given, or `null` is something else.
        """
        if held_out is not None and cv is not None:
            raise ValueError(
                "held_out and cv are two ways of getting correlations of samples that "
                "were not fitted: pass one of them."
            )
        codes = codes_of(estimator, X, y, cls.__name__, covariates)
        x_codes, y_codes, names = codes
        if held_out is not None:
            _check_held_out(held_out, with_covariates=covariates is not None)
            x_new, y_new, *beside = held_out
            codes = codes_of(estimator, x_new, y_new, cls.__name__, *beside)
            held_out = codes[:2]
        display = cls._of_codes(x_codes, y_codes, held_out, null, names)
        if cv is not None:
            if covariates is not None:
                covariates = covariates_in_memory(covariates, X, y)
            display.held_out = _cross_validated(
                estimator, X, y, covariates, (x_codes, y_codes), cv
            )
        return display.plot(ax=ax)

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        *,
        held_out: tuple[Rows, Rows] | None = None,
        null: PermutationTestResult | HeldOutPermutationTestResult | None = None,
        component_names: Sequence[str] | np.ndarray | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the correlations of codes that are at hand.

        Parameters
        ----------
        x_codes, y_codes : array-like of shape (n_samples, n_components)
            Codes of both views of the samples that were fitted. A row of NaN stands for
            a missing view.
        held_out : tuple of (x_codes, y_codes) or None, default=None
            Codes of both views of samples that were not fitted.
        null : PermutationTestResult, HeldOutPermutationTestResult or None, default=None
            What :func:`~skcrl.inspection.permutation_test` or
            :func:`~skcrl.inspection.held_out_permutation_test` returned for the same
            views. The first is of canonical correlations, to be compared with those of
            a fit without a penalty. The second must be of the estimator's own `score`,
            the sum of the correlations, which is drawn as their mean.
        component_names : sequence of str of length n_components or None, default=None
            Names of all components. With None they are "component0", "component1"
            and so on.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationsDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes of both views differ in shape, the held-out ones have another
            number of components, or `null` is something else.
        """
        display = cls._of_codes(x_codes, y_codes, held_out, null, component_names)
        return display.plot(ax=ax)

    @classmethod
    def _of_codes(cls, x_codes, y_codes, held_out, null, names):
        """The display, which is not drawn yet."""
        training = _correlations(x_codes, y_codes)
        if held_out is not None:
            _check_held_out(held_out)
            held_out = _correlations(*held_out)[None]
            if held_out.shape[1] != len(training):
                raise ValueError(
                    f"The held-out codes have {held_out.shape[1]} components, but the "
                    f"others have {len(training)}: pass codes of one estimator."
                )
        return cls(training, held_out, null, names)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the correlations.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `null` is not the result of a permutation test.
        """
        _check_null(self.null)
        ticks = check_component_names(self.component_names, len(self.training))
        self.ax_ = ax = axes_or_new(ax, figsize=(7.2, 4.2))
        self.figure_ = ax.figure
        k = len(self.training)
        (self.training_,) = ax.plot(
            np.arange(k), self.training, "o-", color=VIEW_COLORS["x"], label="training"
        )
        self.held_out_ = None
        if self.held_out is not None:
            self.held_out_ = _draw_held_out(ax, self.held_out)
        self.null_ = None
        if self.null is not None:
            self.null_ = _draw_null(ax, self.null, k)
        if isinstance(self.null, HeldOutPermutationTestResult):
            ticks.append("mean")
        crowded = sum(map(len, ticks)) > 50
        ax.set_xticks(np.arange(len(ticks)), ticks, rotation=90 if crowded else 0)
        ax.axhline(0, color="black", linewidth=0.8)
        ax.set_ylabel("correlation of the two codes")
        legend_beside(ax)
        return self


def _draw_held_out(ax, folds):
    """Draw the mean over folds, with bars from the lowest to the highest fold."""
    mean = folds.mean(axis=0)
    reach = mean - folds.min(axis=0), folds.max(axis=0) - mean
    return ax.errorbar(
        np.arange(len(mean)),
        mean,
        yerr=reach if len(folds) > 1 else None,
        fmt="^-",
        capsize=3,
        color=VIEW_COLORS["y"],
        label="held out",
    )


def _draw_null(ax, null, k):
    """Draw the middle of what permutations give, for k components or their mean."""
    if isinstance(null, HeldOutPermutationTestResult):
        at = np.array([k])
        values = null.null_scores[:, None] / k
        weights = np.ones_like(values)
        ax.plot(at, null.score / k, "^", color=VIEW_COLORS["y"])
    else:
        values, weights = null.null_correlations, null.null_weights
        at = np.arange(min(k, values.shape[1]))
    low, median, high = np.transpose(
        [
            np.quantile(
                values[:, i],
                (0.05, 0.5, 0.95),
                weights=weights[:, i],
                method="inverted_cdf",
            )
            for i in range(len(at))
        ]
    )
    return ax.errorbar(
        at,
        median,
        # Of arrays of length one matplotlib makes a number, which older NumPy warns of.
        yerr=((median - low).tolist(), (high - median).tolist()),
        fmt="_",
        color="black",
        ecolor=NEUTRAL,
        elinewidth=8,
        zorder=1,
        label="permuted",
    )


def _check_held_out(held_out, with_covariates=False):
    is_tuple = isinstance(held_out, (tuple, list))
    if with_covariates and not (is_tuple and len(held_out) == 3):
        raise ValueError(
            "held_out must be a tuple of three, because the estimator was fitted with "
            "covariates: the first view, the second view and the covariates of new "
            f"samples. Got {_told(held_out)}."
        )
    if with_covariates and held_out[2] is None:
        raise ValueError(
            "The covariates in held_out are None, but the estimator was fitted with "
            "covariates. Pass held_out as a tuple of the first view, the second view "
            "and the covariates of new samples."
        )
    if not with_covariates and not (is_tuple and len(held_out) == 2):
        raise ValueError(
            "held_out must be a tuple of two: the first and the second view of new "
            f"samples, or their codes. Got {_told(held_out)}."
        )


def _told(held_out):
    is_tuple = isinstance(held_out, (tuple, list))
    return f"{len(held_out)} of them" if is_tuple else type(held_out).__name__


def _check_null(null):
    if null is not None and not isinstance(
        null, (PermutationTestResult, HeldOutPermutationTestResult)
    ):
        raise ValueError(
            "null must be what skcrl.inspection.permutation_test or "
            f"held_out_permutation_test returns. Got {type(null).__name__}."
        )


def _correlations(x_codes, y_codes):
    """Correlation of each component, over the rows that have both views."""
    x_codes, y_codes = check_codes_pair(x_codes, y_codes)
    there = np.isfinite(x_codes).all(axis=1) & np.isfinite(y_codes).all(axis=1)
    if there.sum() < 2:
        raise ValueError(
            f"Correlations need at least 2 samples with both views, got {there.sum()}."
        )
    return column_correlations(x_codes[there], y_codes[there])


def _cross_validated(estimator, X, y, covariates, codes, cv):
    """Correlations (n_folds, n_components) of the codes of held-out rows."""
    take_x, take_y = kind_of(X).take, kind_of(y).take
    folds = []
    for train, test in check_cv(cv).split(np.empty((len(codes[0]), 0))):
        views = take_x(X, train), take_y(y, train)
        fitted = fit_to(clone(estimator), *views, rows_of(covariates, train))
        all_codes = codes_beside(fitted, X, y, covariates, "from_estimator")
        pair = tuple(np.asarray(Z) for Z in all_codes)
        # Components are matched by training rows only: held-out rows must not have an
        # influence on it.
        match, sign = matched_components(
            [Z[train] for Z in codes], [Z[train] for Z in pair]
        )
        folds.append(abs(sign) * _correlations(*(Z[test][:, match] for Z in pair)))
    if not folds:
        raise ValueError(f"cv gives no folds, but needs to give one. Got {cv!r}.")
    return np.array(folds)
