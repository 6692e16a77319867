"""Variables in the common space."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.inspection._tables import short_name
from skcrl.plotting._axes import (
    NEUTRAL,
    VIEW_COLORS,
    VIEW_MARKERS,
    VIEW_NAMES,
    axes_or_new,
)
from skcrl.plotting._variables import (
    check_top,
    spread,
    strongest,
    variables,
    variables_of,
)

# Height of a name, and width of one of its characters, if the circle has radius 1.
_HEIGHT, _WIDTH = 0.08, 0.045


class CorrelationCircleDisplay:
    """Variables of both views in the circle of their correlations with two components.

    A point is a variable, a column of one of the views. Its place is given by its
    correlations with two components of the codes of its own view. A variable near the
    outer circle is told almost completely by the two components, and one near the
    centre hardly at all. Two variables in the same direction from the centre correlate
    positively, two on opposite sides negatively, two at a right angle hardly, and this
    the more surely the farther out they are [1]_.

    The circles have the radii 0.5 and 1. With codes that correlate with each other, as
    those of a network or of a penalised fit may, a point can lie outside the outer one.

    Make one by :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    x_loadings : ndarray of shape (n_features_x, 2)
        Correlations of the variables of the first view with both components.
    y_loadings : ndarray of shape (n_features_y, 2)
        The same for the second view.
    x_names, y_names : sequence of str
        Names of the variables of either view.
    component_names : sequence of 2 str, default=("component0", "component1")
        Names of both components, which become names of the axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    points_ : dict of matplotlib.collections.PathCollection
        The points of all variables of the views "x" and "y".
    arrows_ : dict of matplotlib.quiver.Quiver
        The arrows of either view, from the centre to the variables that are named.
    texts_ : dict of list of matplotlib.text.Annotation
        The names of either view, the most strongly correlated variable first.

    See Also
    --------
    ScoresDisplay : The samples in the same space.
    LoadingsDisplay : The same correlations with one component, as bars.

    References
    ----------
    .. [1] González, Lê Cao, Davis and Déjean (2012). Visualising associations between
       paired 'omics' data sets. BioData Mining 5.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.plotting import CorrelationCircleDisplay
    >>> exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(n_components=2).fit(bodies, exercises)
    >>> display = CorrelationCircleDisplay.from_estimator(cca, bodies, exercises)
    >>> [text.get_text() for text in display.texts_["x"]]
    ['Waist', 'Weight', 'Pulse']
    """

    def __init__(
        self,
        x_loadings: np.ndarray,
        y_loadings: np.ndarray,
        x_names: Sequence[str] | np.ndarray,
        y_names: Sequence[str] | np.ndarray,
        component_names: Sequence[str] = ("component0", "component1"),
    ):
        self.x_loadings = x_loadings
        self.y_loadings = y_loadings
        self.x_names = x_names
        self.y_names = y_names
        self.component_names = component_names

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        components: Sequence[int] = (0, 1),
        top: int = 10,
        ax: Any = None,
    ) -> Self:
        """Draw the variables of views that a fitted estimator encodes.

        The estimator may be of any kind: the correlations are those of the columns with
        the codes, which need not be linear in the columns.

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
        components : sequence of 2 int, default=(0, 1)
            The components on the horizontal and on the vertical axis.
        top : int, default=10
            How many variables of each view have an arrow and a name, at least 1. They
            are those farthest from the centre.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationCircleDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, the views are not finite
            numbers with paired rows, or `components` or `top` do not fit them.
        """
        found = variables_of(estimator, X, y, covariates, components, cls.__name__, n=2)
        return cls._of(found).plot(top=top, ax=ax)

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        X: Rows,
        y: Rows,
        *,
        components: Sequence[int] = (0, 1),
        component_names: Sequence[str] | np.ndarray | None = None,
        top: int = 10,
        ax: Any = None,
    ) -> Self:
        """Draw the variables of views whose codes are at hand.

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
        components : sequence of 2 int, default=(0, 1)
            The components on the horizontal and on the vertical axis.
        component_names : sequence of str of length n_components or None, default=None
            Names of all components. With None they are "component0", "component1"
            and so on.
        top : int, default=10
            How many variables of each view have an arrow and a name, at least 1. They
            are those farthest from the centre.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationCircleDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes or the views are not finite numbers with paired rows, or
            `components` or `top` do not fit them.
        """
        found = variables(x_codes, y_codes, X, y, components, component_names, n=2)
        return cls._of(found).plot(top=top, ax=ax)

    @classmethod
    def _of(cls, found):
        """The display of variables, which is not drawn yet."""
        x_loadings, y_loadings = found.loadings()
        return cls(
            x_loadings,
            y_loadings,
            found.x_names,
            found.y_names,
            found.component_names,
        )

    def plot(self, *, top: int = 10, ax: Any = None) -> Self:
        """Draw the variables.

        Parameters
        ----------
        top : int, default=10
            How many variables of each view have an arrow and a name, at least 1. They
            are those farthest from the centre.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : CorrelationCircleDisplay
            The display itself.
        """
        check_top(top, "variables of each view that have a name")
        views = {"x": self.x_loadings, "y": self.y_loadings}
        named = {
            side: strongest(np.hypot(*loadings.T), top)
            for side, loadings in views.items()
        }
        names = {
            "x": [short_name(self.x_names[i]) for i in named["x"]],
            "y": [short_name(self.y_names[i]) for i in named["y"]],
        }
        reach = 1.2 + _WIDTH * max(map(len, names["x"] + names["y"]))
        self.ax_ = ax = axes_or_new(ax, figsize=(4 * reach, 5.6))
        self.figure_ = ax.figure
        _draw_circles(ax, reach)
        self.points_ = {
            side: _points(ax, loadings, side) for side, loadings in views.items()
        }
        self.arrows_ = {
            side: _arrows(ax, loadings[named[side]], side)
            for side, loadings in views.items()
        }
        self.texts_ = _write_names(ax, views, named, names)
        ax.set_xlabel(self.component_names[0])
        ax.set_ylabel(self.component_names[1], rotation=0, ha="center")
        ax.yaxis.set_label_coords(0, 1.1, transform=ax.transData)
        ax.legend(
            list(self.points_.values()),
            VIEW_NAMES.values(),
            loc="upper center",
            ncols=2,
            frameon=False,
        )
        return self


def _write_names(ax, views, named, names):
    """Write names in columns on both sides of the circle, with a line to each point."""
    places = [(side, i) for side in views for i in range(len(named[side]))]
    points = np.concatenate([views[side][named[side]] for side in views])
    right = points[:, 0] >= 0
    heights, sizes = np.empty(len(points)), np.empty(len(points))
    for column in (right, ~right):
        heights[column], gap = spread(points[column, 1], _HEIGHT, -1.1, 1.1)
        sizes[column] = min(9, gap * _points_per_radius(ax))
    texts: dict[str, list] = {side: [] for side in views}
    for k, (side, i) in enumerate(places):
        texts[side].append(
            ax.annotate(
                names[side][i],
                xy=points[k],
                xytext=(1.15 if right[k] else -1.15, heights[k]),
                ha="left" if right[k] else "right",
                va="center",
                fontsize=sizes[k],
                color=VIEW_COLORS[side],
                parse_math=False,  # a dollar sign is drawn as it is
                arrowprops={
                    "arrowstyle": "-",
                    "color": NEUTRAL,
                    "linewidth": 0.4,
                    "shrinkA": 1,
                    "shrinkB": 2,
                },
            )
        )
    return texts


def _points_per_radius(ax):
    """Length of the radius of the circle, in points, as font sizes are given."""
    box = ax.get_window_extent()
    pixels = min(box.width / np.ptp(ax.get_xlim()), box.height / np.ptp(ax.get_ylim()))
    return pixels * 72 / ax.figure.dpi


def _draw_circles(ax, reach):
    """Draw circles of radius 0.5 and 1, and the axes through their centre."""
    from matplotlib.patches import Circle

    ax.set(aspect="equal", xlim=(-reach, reach), ylim=(-1.15, 1.4))
    ax.set(xticks=(-1, -0.5, 0, 0.5, 1), yticks=())
    ax.spines[:].set_visible(False)
    for radius in (0.5, 1.0):
        ax.add_patch(Circle((0, 0), radius, fill=False, color=NEUTRAL, linewidth=0.8))
    ax.plot([-1, 1], [0, 0], [0, 0], [-1, 1], color=NEUTRAL, linewidth=0.8, zorder=1)


def _points(ax, loadings, side):
    """Points of a view: dots for the first view, triangles for the second."""
    return ax.scatter(
        *loadings.T, s=16, marker=VIEW_MARKERS[side], color=VIEW_COLORS[side], zorder=3
    )


def _arrows(ax, loadings, side):
    """Arrows from the centre to the points."""
    origin = np.zeros(len(loadings))
    return ax.quiver(
        origin,
        origin,
        *loadings.T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.002,
        color=VIEW_COLORS[side],
        alpha=0.5,
        zorder=2,
    )
