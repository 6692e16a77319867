"""Network of the variables of two views that correlate."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

import numpy as np

from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.inspection._tables import short_name
from skcrl.plotting._axes import VIEW_COLORS, VIEW_MARKERS, VIEW_NAMES, axes_or_new
from skcrl.plotting._variables import (
    SIGN_COLORS,
    check_top,
    strongest,
    variables,
    variables_of,
)


class NetworkDisplay:
    """Variables of either view, with lines between those that correlate.

    The variables, columns of the views, stand in two columns, those of the first view
    on the left. A line joins two that correlate through the space at least as strongly
    as a cutoff. It is green and solid for a positive correlation, purple and dashed for
    a negative one, and wider for a stronger one. Variables without a line are left out,
    and the others are in an order in which few lines cross.

    Correlations through the space are those of :class:`HeatmapDisplay`, which leave out
    of both variables what the codes do not tell. They are what mixOmics draws [1]_.

    Make one by :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    correlations : ndarray of shape (n_features_x, n_features_y)
        The correlations, of which the strongest are drawn.
    x_names, y_names : sequence of str
        Names of the variables of either view.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    pairs_ : ndarray of int of shape (n_lines, 2)
        Numbers of the variables of the first and of the second view that a line joins,
        the strongest correlation first.
    lines_ : dict of matplotlib.collections.LineCollection
        The lines of "positive" and of "negative" correlations, in the order of
        `pairs_`.
    points_ : dict of matplotlib.collections.PathCollection
        The points of the views "x" and "y", from the top to the bottom.
    texts_ : dict of list of matplotlib.text.Text
        The names of either view, from the top to the bottom.

    See Also
    --------
    HeatmapDisplay : All these correlations as colours.

    References
    ----------
    .. [1] González, Lê Cao, Davis and Déjean (2012). Visualising associations between
       paired 'omics' data sets. BioData Mining 5.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.plotting import NetworkDisplay
    >>> exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(n_components=2).fit(bodies, exercises)
    >>> display = NetworkDisplay.from_estimator(cca, bodies, exercises, cutoff=0.6)
    >>> for i, j in display.pairs_:
    ...     print(bodies.columns[i], exercises.columns[j])
    Waist Situps
    Weight Situps
    Waist Chins
    """

    def __init__(
        self,
        correlations: np.ndarray,
        x_names: Sequence[str] | np.ndarray,
        y_names: Sequence[str] | np.ndarray,
    ):
        self.correlations = correlations
        self.x_names = x_names
        self.y_names = y_names

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        components: Sequence[int] | None = None,
        cutoff: float = 0.5,
        top: int = 60,
        ax: Any = None,
    ) -> Self:
        """Draw correlations through the space of a fitted estimator of any kind.

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
        components : sequence of int or None, default=None
            The components that make up the space, all for None.
        cutoff : float in (0, 1], default=0.5
            The absolute correlation from which on two variables are joined.
        top : int, default=60
            How many lines are drawn at most, at least 1: the strongest.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : NetworkDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, the views are not finite
            numbers with paired rows, `components`, `cutoff` or `top` do not fit them,
            or no two variables correlate so strongly.
        """
        found = variables_of(estimator, X, y, covariates, components, cls.__name__)
        return cls._of(found).plot(cutoff=cutoff, top=top, ax=ax)

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        X: Rows,
        y: Rows,
        *,
        components: Sequence[int] | None = None,
        cutoff: float = 0.5,
        top: int = 60,
        ax: Any = None,
    ) -> Self:
        """Draw correlations through the space of codes that are at hand.

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
        components : sequence of int or None, default=None
            The components that make up the space, all for None.
        cutoff : float in (0, 1], default=0.5
            The absolute correlation from which on two variables are joined.
        top : int, default=60
            How many lines are drawn at most, at least 1: the strongest.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : NetworkDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes or the views are not finite numbers with paired rows,
            `components`, `cutoff` or `top` do not fit them, or no two variables
            correlate so strongly.
        """
        found = variables(x_codes, y_codes, X, y, components, None)
        return cls._of(found).plot(cutoff=cutoff, top=top, ax=ax)

    @classmethod
    def _of(cls, found):
        """The display of variables, which is not drawn yet."""
        return cls(found.similarities(), found.x_names, found.y_names)

    def plot(self, *, cutoff: float = 0.5, top: int = 60, ax: Any = None) -> Self:
        """Draw the network.

        Parameters
        ----------
        cutoff : float in (0, 1], default=0.5
            The absolute correlation from which on two variables are joined.
        top : int, default=60
            How many lines are drawn at most, at least 1: the strongest.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : NetworkDisplay
            The display itself.

        Raises
        ------
        ValueError
            If no two variables correlate so strongly.
        """
        check_top(top, "lines that are drawn at most")
        self.pairs_ = _pairs(self.correlations, cutoff, top)
        nodes, heights = _in_columns(self.correlations, self.pairs_)
        tallest = max(map(len, nodes.values()))
        self.ax_ = ax = axes_or_new(ax, figsize=(6.4, 1.6 + max(2, 0.19 * tallest)))
        self.figure_ = ax.figure
        self.points_ = {
            side: ax.scatter(
                np.full(len(nodes[side]), at),
                heights[side][nodes[side]],
                color=VIEW_COLORS[side],
                marker=VIEW_MARKERS[side],
                zorder=2,
            )
            for side, at in (("x", 0), ("y", 1))
        }
        self.texts_ = {
            side: [
                ax.text(
                    at,
                    heights[side][i],
                    short_name(getattr(self, f"{side}_names")[i]),
                    ha=align,
                    va="center",
                    fontsize=9,
                    color=VIEW_COLORS[side],
                    parse_math=False,  # a dollar sign is drawn as it is
                )
                for i in nodes[side]
            ]
            for side, at, align in (("x", -0.03, "right"), ("y", 1.03, "left"))
        }
        self.lines_ = self._draw_lines(ax, heights)
        ax.set(xlim=(-0.5, 1.5), ylim=(-0.05, 1.05))
        ax.set_axis_off()
        lines = {
            sign: drawn
            for sign, drawn in self.lines_.items()
            if len(drawn.get_segments())
        }
        ax.legend(
            [*self.points_.values(), *lines.values()],
            [*VIEW_NAMES.values(), *lines],
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            ncols=4,
            frameon=False,
        )
        return self

    def _draw_lines(self, ax, heights):
        from matplotlib.collections import LineCollection

        x, y = self.pairs_.T
        strengths = self.correlations[x, y]
        ends = np.zeros((len(x), 2, 2))
        ends[:, 1, 0] = 1
        ends[:, :, 1] = np.transpose([heights["x"][x], heights["y"][y]])
        widths = 3 * abs(strengths) / abs(strengths).max()
        lines = {}
        for sign, drawn, style in (
            ("positive", strengths > 0, "-"),
            ("negative", strengths < 0, "--"),
        ):
            lines[sign] = LineCollection(
                ends[drawn],
                linewidths=widths[drawn],
                colors=SIGN_COLORS[sign],
                linestyles=style,
                alpha=0.7,
                zorder=1,
            )
            ax.add_collection(lines[sign])
        return lines


def _pairs(correlations, cutoff, top):
    """Pairs (n_lines, 2) of variables that are joined, the strongest first."""
    if not isinstance(cutoff, Real) or not 0 < float(cutoff) <= 1:
        raise ValueError(
            "cutoff is the smallest absolute correlation of variables that are joined, "
            f"and must be above 0 and at most 1. Got {cutoff!r}."
        )
    sizes = abs(correlations).ravel()
    order = strongest(sizes, top)
    order = order[sizes[order] >= cutoff]
    if len(order) == 0:
        raise ValueError(
            f"No two variables have a correlation of cutoff={cutoff} or more: the "
            f"strongest correlation through the space is {sizes.max():.2f}. Lower the "
            "cutoff."
        )
    return np.transpose(np.unravel_index(order, correlations.shape))


def _in_columns(correlations, pairs):
    """Variables of both views from the top to the bottom, and the heights of all.

    This is the barycentre method: the variables of the two views move in turn, several
    times, to the mean height of those that they are joined with. Then few lines cross.
    """
    joined = np.zeros(correlations.shape)
    joined[tuple(pairs.T)] = 1
    heights = {
        side: np.linspace(1, 0, n)
        for side, n in zip("xy", correlations.shape, strict=True)
    }
    nodes = {}
    for _ in range(10):
        for side, other, lines in (("x", "y", joined), ("y", "x", joined.T)):
            there = np.flatnonzero(lines.any(axis=1))
            means = (lines[there] @ heights[other]) / lines[there].sum(axis=1)
            nodes[side] = there[np.argsort(-means, kind="stable")]
            n = len(there)
            heights[side][nodes[side]] = 1 - (np.arange(n) + 0.5) / n
    return nodes, heights
