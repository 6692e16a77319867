"""The variables that say most about one component."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.inspection._bootstrap import BootstrapIntervals
from skcrl.inspection._stability import StabilitySelection
from skcrl.inspection._tables import short_name
from skcrl.plotting._axes import VIEW_COLORS, VIEW_NAMES, axes_or_new
from skcrl.plotting._fitted import check_components
from skcrl.plotting._variables import check_top, strongest, variables, variables_of


class LoadingsDisplay:
    """Loadings of one component as bars, the largest of either view.

    A loading is the correlation of a variable, a column of a view, with a component of
    the codes of that view. The bars of the first view stand above those of the second.
    Variables whose bars point to the same side grow together, in one view or across
    both. They are what to name a component by.

    Make one by :meth:`from_estimator` or :meth:`from_codes`, or with intervals by
    :meth:`from_intervals`.

    Parameters
    ----------
    x_loadings : ndarray of shape (n_features_x,)
        Correlations of the variables of the first view with the component.
    y_loadings : ndarray of shape (n_features_y,)
        The same for the second view.
    x_names, y_names : sequence of str
        Names of the variables of either view.
    component_name : str, default="component0"
        Name of the component, which becomes the name of the axis.
    x_intervals, y_intervals : ndarray of shape (2, n_features) or None, default=None
        Lower and upper ends of the intervals of the loadings of either view.
    x_frequencies, y_frequencies : ndarray of shape (n_features,) or None, default=None
        Share of the subsamples in which each variable of either view is selected.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    bars_ : dict of matplotlib.container.BarContainer
        The bars of the views "x" and "y", from the top to the bottom.
    intervals_ : dict of matplotlib.collections.LineCollection or None
        The intervals of either view, in the order of the bars. None without intervals.
    texts_ : dict of list of matplotlib.text.Text or None
        The selection frequencies of either view, in the order of the bars. None without
        frequencies.

    See Also
    --------
    CorrelationCircleDisplay : The loadings of two components at once.
    skcrl.inspection.bootstrap_intervals : Intervals of loadings.
    skcrl.inspection.stability_selection : How often variables are selected.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.plotting import LoadingsDisplay
    >>> exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(n_components=2).fit(bodies, exercises)
    >>> display = LoadingsDisplay.from_estimator(cca, bodies, exercises)
    >>> [bar.get_width().round(2) for bar in display.bars_["x"]]
    [np.float64(0.93), np.float64(0.62), np.float64(-0.33)]

    With intervals, and no estimator, for these are all that is drawn:

    >>> from skcrl.inspection import bootstrap_intervals
    >>> intervals = bootstrap_intervals(
    ...     LinearCCA(2), bodies, exercises, n_resamples=20, random_state=0
    ... )
    >>> display = LoadingsDisplay.from_intervals(intervals, component=1)
    >>> display.ax_.get_xlabel()
    'loading on linearcca1'
    """

    def __init__(
        self,
        x_loadings: np.ndarray,
        y_loadings: np.ndarray,
        x_names: Sequence[str] | np.ndarray,
        y_names: Sequence[str] | np.ndarray,
        component_name: str = "component0",
        x_intervals: np.ndarray | None = None,
        y_intervals: np.ndarray | None = None,
        x_frequencies: np.ndarray | None = None,
        y_frequencies: np.ndarray | None = None,
    ):
        self.x_loadings = x_loadings
        self.y_loadings = y_loadings
        self.x_names = x_names
        self.y_names = y_names
        self.component_name = component_name
        self.x_intervals = x_intervals
        self.y_intervals = y_intervals
        self.x_frequencies = x_frequencies
        self.y_frequencies = y_frequencies

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        component: int = 0,
        top: int = 10,
        stability: StabilitySelection | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the loadings of views that a fitted estimator encodes.

        The estimator may be of any kind: loadings are the correlations of the columns
        with the codes, which need not be linear in the columns.

        Parameters
        ----------
        estimator : two-view estimator
            A fitted estimator, with a method ``transform_pair``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features_x)
            First view. A data frame gives the variables their names.
        y : {array-like, sparse matrix} of shape (n_samples, n_features_y)
            Second view. One of a single variable may be of shape (n_samples,).
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``. The effect that
            ``fit`` estimated is then removed from the variables, too, before they are
            correlated with the codes.
        component : int, default=0
            The component whose loadings are drawn.
        top : int, default=10
            How many variables of each view are drawn, at least 1: those with the
            largest loadings, of either sign.
        stability : StabilitySelection or None, default=None
            What :func:`~skcrl.inspection.stability_selection` returned for the same
            views. The share of subsamples that select a variable is written beside its
            bar.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : LoadingsDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, the views are not finite
            numbers with paired rows, or `component`, `top` or `stability` do not fit
            them.
        """
        found = variables_of(estimator, X, y, covariates, [component], cls.__name__)
        return cls._of(found)._with_frequencies(stability).plot(top=top, ax=ax)

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        X: Rows,
        y: Rows,
        *,
        component: int = 0,
        component_names: Sequence[str] | np.ndarray | None = None,
        top: int = 10,
        stability: StabilitySelection | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw the loadings of views whose codes are at hand.

        Parameters
        ----------
        x_codes, y_codes : array-like of shape (n_samples, n_components)
            Codes of both views.
        X : {array-like, sparse matrix} of shape (n_samples, n_features_x)
            First view. A data frame gives the variables their names. The columns are
            taken as they are. If covariates were removed from the codes, remove them
            from the views, too, or use :meth:`from_estimator`.
        y : {array-like, sparse matrix} of shape (n_samples, n_features_y)
            Second view. One of a single variable may be of shape (n_samples,).
        component : int, default=0
            The component whose loadings are drawn.
        component_names : sequence of str of length n_components or None, default=None
            Names of all components. With None they are "component0", "component1"
            and so on.
        top : int, default=10
            How many variables of each view are drawn, at least 1: those with the
            largest loadings, of either sign.
        stability : StabilitySelection or None, default=None
            What :func:`~skcrl.inspection.stability_selection` returned for the same
            views. The share of subsamples that select a variable is written beside its
            bar.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : LoadingsDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes or the views are not finite numbers with paired rows, or
            `component`, `top` or `stability` do not fit them.
        """
        found = variables(x_codes, y_codes, X, y, [component], component_names)
        return cls._of(found)._with_frequencies(stability).plot(top=top, ax=ax)

    @classmethod
    def _of(cls, found):
        """The display of variables with one component, which is not drawn yet."""
        x_loadings, y_loadings = found.loadings()
        return cls(
            x_loadings[:, 0],
            y_loadings[:, 0],
            found.x_names,
            found.y_names,
            found.component_names[0],
        )

    @classmethod
    def from_intervals(
        cls,
        intervals: BootstrapIntervals,
        *,
        component: int = 0,
        top: int = 10,
        stability: StabilitySelection | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw loadings and their intervals.

        Parameters
        ----------
        intervals : BootstrapIntervals
            What :func:`~skcrl.inspection.bootstrap_intervals` returned.
        component : int, default=0
            The component whose loadings are drawn.
        top : int, default=10
            How many variables of each view are drawn, at least 1: those with the
            largest loadings, of either sign.
        stability : StabilitySelection or None, default=None
            What :func:`~skcrl.inspection.stability_selection` returned for the same
            views. The share of subsamples that select a variable is written beside its
            bar.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : LoadingsDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If `intervals` are something else, or `component`, `top` or `stability` do
            not fit them.
        """
        if not isinstance(intervals, BootstrapIntervals):
            raise ValueError(
                "intervals must be what skcrl.inspection.bootstrap_intervals returns. "
                f"Got {type(intervals).__name__}."
            )
        x_loadings, y_loadings = intervals.x_loadings, intervals.y_loadings
        (k,) = check_components([component], len(intervals.component_names))
        display = cls(
            x_loadings.value[:, k],
            y_loadings.value[:, k],
            intervals.x_names,
            intervals.y_names,
            str(intervals.component_names[k]),
            np.array([x_loadings.low[:, k], x_loadings.high[:, k]]),
            np.array([y_loadings.low[:, k], y_loadings.high[:, k]]),
        )
        return display._with_frequencies(stability).plot(top=top, ax=ax)

    def plot(self, *, top: int = 10, ax: Any = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        top : int, default=10
            How many variables of each view are drawn, at least 1: those with the
            largest loadings, of either sign.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : LoadingsDisplay
            The display itself.
        """
        check_top(top, "variables of each view that are drawn")
        shown = {
            "x": strongest(abs(self.x_loadings), top),
            "y": strongest(abs(self.y_loadings), top),
        }
        n_x, n_y = len(shown["x"]), len(shown["y"])
        self.ax_ = ax = axes_or_new(ax, figsize=(6.4, 1.6 + 0.22 * (n_x + n_y)))
        self.figure_ = ax.figure
        # There is a gap of one bar between the views.
        heights = {"x": np.arange(n_x), "y": np.arange(n_x + 1, n_x + 1 + n_y)}
        self.bars_ = {
            side: ax.barh(
                heights[side],
                getattr(self, f"{side}_loadings")[shown[side]],
                color=VIEW_COLORS[side],
            )
            for side in shown
        }
        self.intervals_ = self._draw_intervals(ax, shown, heights)
        self.texts_ = self._write_frequencies(ax, shown, heights)
        ax.set_yticks(
            np.concatenate([heights["x"], heights["y"]]),
            [
                short_name(getattr(self, f"{side}_names")[i])
                for side in shown
                for i in shown[side]
            ],
            parse_math=False,  # a dollar sign is drawn as it is
        )
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set(xlabel=f"loading on {self.component_name}", xlim=(-1.05, 1.05))
        ax.set_ylim(n_x + n_y + 0.6, -0.6)  # the first bar is at the top
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.legend(
            list(self.bars_.values()),
            VIEW_NAMES.values(),
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=2,
            frameon=False,
        )
        return self

    def _with_frequencies(self, stability):
        """The display itself, with the frequencies of `stability` if it is given."""
        if stability is None:
            return self
        if not isinstance(stability, StabilitySelection):
            raise ValueError(
                "stability must be what skcrl.inspection.stability_selection returns. "
                f"Got {type(stability).__name__}."
            )
        widths = len(self.x_loadings), len(self.y_loadings)
        selected = len(stability.x_frequencies), len(stability.y_frequencies)
        if widths != selected:
            raise ValueError(
                f"The views have {widths[0]} and {widths[1]} variables, but stability "
                f"is from views with {selected[0]} and {selected[1]}: run "
                "stability_selection on the same views."
            )
        self.x_frequencies = stability.x_frequencies
        self.y_frequencies = stability.y_frequencies
        return self

    def _draw_intervals(self, ax, shown, heights):
        if self.x_intervals is None or self.y_intervals is None:
            return None
        return {
            "x": ax.hlines(
                heights["x"], *self.x_intervals[:, shown["x"]], color="black"
            ),
            "y": ax.hlines(
                heights["y"], *self.y_intervals[:, shown["y"]], color="black"
            ),
        }

    def _write_frequencies(self, ax, shown, heights):
        """Write frequencies in a column on the right, under a heading."""
        if self.x_frequencies is None or self.y_frequencies is None:
            return None
        frequencies = {"x": self.x_frequencies, "y": self.y_frequencies}
        column = {"ha": "right", "va": "center", "fontsize": 9}
        ax.text(1.3, -1, "selected", **column)
        return {
            side: [
                ax.text(1.3, height, f"{frequencies[side][i]:.0%}", **column)
                for height, i in zip(heights[side], shown[side], strict=True)
            ]
            for side in shown
        }
