"""Samples in the common space."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skcrl._labels import check_labels
from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.plotting._axes import (
    NEUTRAL,
    VIEW_COLORS,
    VIEW_MARKERS,
    VIEW_NAMES,
    axes_or_new,
    class_colors,
    legend_beside,
)
from skcrl.plotting._fitted import (
    check_codes_pair,
    check_component_names,
    check_components,
    codes_of,
)


class ScoresDisplay:
    """Samples as points of the common space, the two views of each joined by an arrow.

    Canonical variates are also called scores. A dot is a sample seen through its first
    view, a triangle the same sample seen through its second view. Short arrows mean
    that the views agree. Samples of one class that lie together show that what the
    views share tells the classes apart.

    Make one by :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    x_codes, y_codes : ndarray of shape (n_samples, 2)
        The codes that are drawn. A row of NaN stands for a missing view.
    labels : ndarray of shape (n_samples,) or None, default=None
        What the colours tell: classes, or real numbers. With None they tell the
        views apart.
    component_names : sequence of 2 str, default=("component0", "component1")
        Names of both components, which become names of the axes.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    points_ : dict of list of matplotlib.collections.PathCollection
        The points of the views "x" and "y", a collection for each class.
    arrows_ : matplotlib.quiver.Quiver or None
        The arrows, from the first view to the second.

    See Also
    --------
    CorrelationCircleDisplay : The variables in the same space.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.plotting import ScoresDisplay
    >>> exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(n_components=2).fit(bodies, exercises)
    >>> display = ScoresDisplay.from_estimator(cca, bodies, exercises)
    >>> display.ax_.get_xlabel()
    'linearcca0'
    """

    def __init__(
        self,
        x_codes: np.ndarray,
        y_codes: np.ndarray,
        labels: np.ndarray | None = None,
        component_names: Sequence[str] = ("component0", "component1"),
    ):
        self.x_codes = x_codes
        self.y_codes = y_codes
        self.labels = labels
        self.component_names = component_names

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        labels: Rows | None = None,
        components: Sequence[int] = (0, 1),
        arrows: bool = True,
        ax: Any = None,
    ) -> Self:
        """Draw the codes that a fitted estimator gives to both views.

        Parameters
        ----------
        estimator : two-view estimator
            A fitted estimator, with a method ``transform_pair``.
        X : array-like of shape (n_samples, n_features_x)
            First view.
        y : array-like of shape (n_samples, n_features_y)
            Second view.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``.
        labels : array-like of shape (n_samples,) or None, default=None
            What the colours tell: classes, or real numbers, which get a colour bar.
            With None they tell the views apart.
        components : sequence of 2 int, default=(0, 1)
            The components on the horizontal and on the vertical axis.
        arrows : bool, default=True
            Whether an arrow leads from the first view of a sample to its second.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ScoresDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator has no codes of both views, or `covariates`, `components`
            or `labels` do not fit them.
        """
        x_codes, y_codes, names = codes_of(estimator, X, y, cls.__name__, covariates)
        return cls.from_codes(
            x_codes,
            y_codes,
            labels=labels,
            components=components,
            component_names=names,
            arrows=arrows,
            ax=ax,
        )

    @classmethod
    def from_codes(
        cls,
        x_codes: Rows,
        y_codes: Rows,
        *,
        labels: Rows | None = None,
        components: Sequence[int] = (0, 1),
        component_names: Sequence[str] | np.ndarray | None = None,
        arrows: bool = True,
        ax: Any = None,
    ) -> Self:
        """Draw codes that are at hand.

        Parameters
        ----------
        x_codes, y_codes : array-like of shape (n_samples, n_components)
            Codes of both views. A row of NaN stands for a missing view.
        labels : array-like of shape (n_samples,) or None, default=None
            What the colours tell: classes, or real numbers, which get a colour bar.
            With None they tell the views apart.
        components : sequence of 2 int, default=(0, 1)
            The components on the horizontal and on the vertical axis.
        component_names : sequence of str of length n_components or None, default=None
            Names of all components. With None they are "component0", "component1"
            and so on.
        arrows : bool, default=True
            Whether an arrow leads from the first view of a sample to its second.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ScoresDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the codes differ in shape, or `components` or `labels` do not fit them.
        """
        x_codes, y_codes = check_codes_pair(x_codes, y_codes)
        chosen = check_components(components, x_codes.shape[1], n=2)
        names = check_component_names(component_names, x_codes.shape[1])
        if labels is not None:
            labels = column_or_1d(check_labels(labels, "labels"))
            check_consistent_length(x_codes, labels)
        display = cls(
            x_codes[:, chosen],
            y_codes[:, chosen],
            labels,
            [names[i] for i in chosen],
        )
        return display.plot(arrows=arrows, ax=ax)

    def plot(self, *, arrows: bool = True, ax: Any = None) -> Self:
        """Draw the samples.

        Parameters
        ----------
        arrows : bool, default=True
            Whether an arrow leads from the first view of a sample to its second.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ScoresDisplay
            The display itself.
        """
        self.ax_ = ax = axes_or_new(ax)
        self.figure_ = ax.figure
        self.arrows_ = self._draw_arrows(ax) if arrows else None
        if self.labels is None:
            self._draw_views(ax)
        elif type_of_target(self.labels).startswith("continuous"):
            self._draw_numbers(ax, self.labels)
        else:
            self._draw_classes(ax, self.labels)
        ax.set_xlabel(self.component_names[0])
        ax.set_ylabel(self.component_names[1])
        return self

    def _draw_arrows(self, ax):
        steps = self.y_codes - self.x_codes
        there = np.isfinite(steps).all(axis=1)
        return ax.quiver(
            *self.x_codes[there].T,
            *steps[there].T,
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.002,
            color=NEUTRAL,
            zorder=1,
        )

    def _draw_views(self, ax):
        self.points_ = {
            "x": [_scatter(ax, self.x_codes, "x", color=VIEW_COLORS["x"])],
            "y": [_scatter(ax, self.y_codes, "y", color=VIEW_COLORS["y"])],
        }
        legend_beside(
            ax, [self.points_["x"][0], self.points_["y"][0]], VIEW_NAMES.values()
        )

    def _draw_numbers(self, ax, labels):
        shared = {
            "c": labels,
            "cmap": "viridis",
            "vmin": labels.min(),
            "vmax": labels.max(),
        }
        self.points_ = {
            "x": [_scatter(ax, self.x_codes, "x", **shared)],
            "y": [_scatter(ax, self.y_codes, "y", **shared)],
        }
        ax.figure.colorbar(self.points_["x"][0], ax=ax)

    def _draw_classes(self, ax, labels):
        classes = np.unique(labels)
        colors = class_colors(len(classes))
        self.points_ = {
            side: [
                _scatter(ax, codes[labels == label], side, color=color)
                for label, color in zip(classes, colors, strict=True)
            ]
            for side, codes in (("x", self.x_codes), ("y", self.y_codes))
        }
        columns = 1 + len(classes) // 20
        legend_beside(ax, self.points_["x"], map(str, classes), ncols=columns)
        for text in ax.get_legend().get_texts():
            text.set_parse_math(False)  # a dollar sign is drawn as it is


def _scatter(ax, codes, side, **colors):
    """Points of a view: dots for the first view, triangles for the second."""
    return ax.scatter(*codes.T, s=16, marker=VIEW_MARKERS[side], zorder=2, **colors)
