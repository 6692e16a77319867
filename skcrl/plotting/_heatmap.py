"""All correlations between the variables of two views."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.cluster.hierarchy import dendrogram, leaves_list, linkage

from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.inspection._tables import short_name
from skcrl.plotting._axes import NEUTRAL, axes_or_new
from skcrl.plotting._variables import (
    SIGN_MAP,
    check_top,
    strongest,
    unit_views,
    variables,
    variables_of,
)


class HeatmapDisplay:
    r"""Correlations of the variables of the first view with those of the second.

    Each row of the picture is a variable of the first view, and each column is a
    variable of the second view. Green stands for a positive correlation and purple for
    a negative one. Variables with similar correlations stand side by side. The trees
    beside the picture show how they were clustered.

    A correlation through the space uses only the part of each variable that the codes
    explain. It leaves out noise, and what belongs to one view alone. mixOmics draws the
    same quantity [1]_.

    Make one by :meth:`from_estimator` or :meth:`from_codes`, and of raw correlations by
    :meth:`from_arrays`.

    Parameters
    ----------
    correlations : ndarray of shape (n_features_x, n_features_y)
        The correlations, of which the strongest are drawn.
    x_names, y_names : sequence of str
        Names of the variables of either view.
    label : str, default="correlation"
        What the colours tell.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    image_ : matplotlib.image.AxesImage
        The correlations as drawn.
    x_order_, y_order_ : ndarray of int
        Numbers of the variables of either view that are drawn, from the top to the
        bottom and from the left to the right.
    colorbar_ : matplotlib.colorbar.Colorbar
        The scale of the colours, which ends at the strongest correlation drawn.

    See Also
    --------
    NetworkDisplay : The strongest of these correlations as lines.

    Notes
    -----
    For the correlation through the space, the codes of the two views are scaled to
    variance 1 and added, and both variables, scaled to variance 1, are projected onto
    the span of these sums. The covariance of the projections is the correlation through
    the space, from -1 to 1. Where the sums do not correlate, as in CCA, it is
    :math:`\sum_k a_k b_k` of the correlations :math:`a_k` and :math:`b_k` of both
    variables with sum k, as in [1]_.

    A component whose two codes correlate by r counts by (1 + r) / 2 in it, so one that
    is noise counts by a half: choose the `components` that hold on new samples, which
    :class:`CorrelationsDisplay` shows.

    References
    ----------
    .. [1] González, Lê Cao, Davis and Déjean (2012). Visualising associations between
       paired 'omics' data sets. BioData Mining 5.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.plotting import HeatmapDisplay
    >>> exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(n_components=2).fit(bodies, exercises)
    >>> display = HeatmapDisplay.from_estimator(cca, bodies, exercises)
    >>> display.correlations.round(2)  # of rows Weight, Waist and Pulse
    array([[-0.52, -0.72, -0.53],
           [-0.66, -0.81, -0.35],
           [ 0.22,  0.26,  0.07]])
    """

    def __init__(
        self,
        correlations: np.ndarray,
        x_names: Sequence[str] | np.ndarray,
        y_names: Sequence[str] | np.ndarray,
        label: str = "correlation",
    ):
        self.correlations = correlations
        self.x_names = x_names
        self.y_names = y_names
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        components: Sequence[int] | None = None,
        top: int = 30,
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
        top : int, default=30
            How many variables of each view are drawn, at least 1: those that correlate
            most strongly with one of the other view.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : HeatmapDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, the views are not finite
            numbers with paired rows, or `components` or `top` do not fit them.
        """
        found = variables_of(estimator, X, y, covariates, components, cls.__name__)
        return cls._of(found).plot(top=top, ax=ax)

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        X: Rows,
        y: Rows,
        *,
        components: Sequence[int] | None = None,
        top: int = 30,
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
        top : int, default=30
            How many variables of each view are drawn, at least 1: those that correlate
            most strongly with one of the other view.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : HeatmapDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes or the views are not finite numbers with paired rows, or
            `components` or `top` do not fit them.
        """
        found = variables(x_codes, y_codes, X, y, components, None)
        return cls._of(found).plot(top=top, ax=ax)

    @classmethod
    def _of(cls, found):
        """The display of variables, which is not drawn yet."""
        return cls(
            found.similarities(),
            found.x_names,
            found.y_names,
            "correlation through the space",
        )

    @classmethod
    def from_arrays(cls, X: Rows, y: Rows, *, top: int = 30, ax: Any = None) -> Self:
        """Draw raw correlations, without an estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_x)
            First view. A data frame gives the variables their names.
        y : {array-like, sparse matrix} of shape (n_samples, n_features_y)
            Second view. One of a single variable may be of shape (n_samples,).
        top : int, default=30
            How many variables of each view are drawn, at least 1: those that correlate
            most strongly with one of the other view.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : HeatmapDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the views are not finite numbers with paired rows, or `top` is no number
            of variables.
        """
        x, y, x_names, y_names = unit_views(X, y)
        return cls(x.T @ y, x_names, y_names).plot(top=top, ax=ax)

    def plot(self, *, top: int = 30, ax: Any = None) -> Self:
        """Draw the correlations.

        Parameters
        ----------
        top : int, default=30
            How many variables of each view are drawn, at least 1: those that correlate
            most strongly with one of the other view.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : HeatmapDisplay
            The display itself.
        """
        check_top(top, "variables of each view that are drawn")
        sizes = abs(self.correlations)
        rows = np.sort(strongest(sizes.max(axis=1), top))
        columns = np.sort(strongest(sizes.max(axis=0), top))
        chosen = self.correlations[np.ix_(rows, columns)]
        x_tree, y_tree = _tree(chosen), _tree(chosen.T)
        x_leaves, y_leaves = _leaves(x_tree), _leaves(y_tree)
        self.x_order_, self.y_order_ = rows[x_leaves], columns[y_leaves]
        size = 2.8 + 0.17 * len(columns), 2.0 + 0.17 * len(rows)
        self.ax_ = ax = axes_or_new(ax, figsize=np.maximum(size, (5.2, 3.6)))
        self.figure_ = ax.figure
        largest = abs(chosen).max()
        self.image_ = ax.imshow(
            chosen[np.ix_(x_leaves, y_leaves)],
            cmap=SIGN_MAP,
            vmin=-largest,
            vmax=largest,
            aspect="auto",
        )
        _write_names(ax.yaxis, self.x_names, self.x_order_)
        _write_names(ax.xaxis, self.y_names, self.y_order_, rotation=90)
        ax.yaxis.tick_right()
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        _draw_tree(ax.inset_axes((-0.15, 0, 0.14, 1)), x_tree, "left")
        _draw_tree(ax.inset_axes((0, 1.01, 1, 0.14)), y_tree, "top")
        self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label=self.label)
        return self


def _tree(rows):
    """Tree of clusters of rows, or None if there is a single row."""
    return linkage(rows, "average", optimal_ordering=True) if len(rows) > 1 else None


def _leaves(tree):
    return np.zeros(1, dtype=int) if tree is None else leaves_list(tree)


def _draw_tree(ax, tree, orientation):
    """Draw a tree beside the picture, with its leaves at the rows or columns."""
    ax.set_axis_off()
    if tree is None:
        return
    dendrogram(
        tree,
        orientation=orientation,
        no_labels=True,
        color_threshold=0,
        above_threshold_color=NEUTRAL,
        ax=ax,
    )
    if orientation == "left":
        ax.invert_yaxis()  # rows are counted from the top


def _write_names(axis, names, order, **style):
    """Write the names of variables at the ticks of an axis."""
    axis.set_ticks(
        np.arange(len(order)),
        [short_name(names[i]) for i in order],
        fontsize=8,
        parse_math=False,  # a dollar sign is drawn as it is
        **style,
    )
