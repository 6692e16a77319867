"""How often variables are selected in subsamples."""

from typing import Any, Self

import numpy as np

from skcrl.inspection._stability import StabilitySelection
from skcrl.inspection._tables import short_name
from skcrl.plotting._axes import (
    NEUTRAL,
    VIEW_COLORS,
    VIEW_MARKERS,
    VIEW_NAMES,
    axes_or_new,
    legend_beside,
)
from skcrl.plotting._variables import check_top, strongest


class StabilityDisplay:
    """In which share of subsamples the variables of both views were selected.

    A line leads to the share of each variable: to a dot for the first view, and to a
    triangle for the second. Marks of variables at or above the threshold are filled,
    and these are the ones to report. The legend says how many there are, and how many
    could be expected by chance at most.

    Make one by :meth:`from_result`.

    Parameters
    ----------
    result : StabilitySelection
        What :func:`~skcrl.inspection.stability_selection` returned.
    threshold : float, default=0.75
        Share from which on a variable counts as selected, above 0.5 and at most 1.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    points_ : dict of matplotlib.lines.Line2D
        The marks of each view, "x" and "y", and those at or above the threshold,
        "x_selected" and "y_selected".
    threshold_ : matplotlib.lines.Line2D
        The line at the threshold.

    See Also
    --------
    skcrl.inspection.stability_selection : The numbers that are drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import SparseCCA
    >>> from skcrl.inspection import stability_selection
    >>> from skcrl.plotting import StabilityDisplay
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((100, 1))
    >>> X, y = rng.standard_normal((100, 30)), rng.standard_normal((100, 20))
    >>> X[:, [3, 14]] += 2 * shared
    >>> y[:, [2, 7]] += 2 * shared
    >>> result = stability_selection(
    ...     SparseCCA(n_nonzero=4), X, y, n_subsamples=20, random_state=0
    ... )
    >>> display = StabilityDisplay.from_result(result, threshold=0.9, top=5)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()][:2]
    ['3', '14']
    """

    def __init__(self, result: StabilitySelection, threshold: float = 0.75):
        self.result = result
        self.threshold = threshold

    @classmethod
    def from_result(
        cls,
        result: StabilitySelection,
        *,
        threshold: float = 0.75,
        top: int = 15,
        ax: Any = None,
    ) -> Self:
        """Draw what a stability selection found.

        Parameters
        ----------
        result : StabilitySelection
            What :func:`~skcrl.inspection.stability_selection` returned.
        threshold : float, default=0.75
            Share from which on a variable counts as selected, above 0.5 and at most 1.
        top : int, default=15
            How many variables of each view are drawn, at least 1: those with the
            largest shares.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : StabilityDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If `result` is none of a stability selection, or `threshold` or `top` is out
            of its range.
        """
        if not isinstance(result, StabilitySelection):
            raise ValueError(
                f"{cls.__name__} draws what stability_selection of skcrl.inspection "
                f"returns, got {type(result).__name__}."
            )
        return cls(result, threshold).plot(top=top, ax=ax)

    def plot(self, *, top: int = 15, ax: Any = None) -> Self:
        """Draw the shares.

        Parameters
        ----------
        top : int, default=15
            How many variables of each view are drawn, at least 1: those with the
            largest shares.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : StabilityDisplay
            The display itself.
        """
        by_chance = dict(
            zip("xy", self.result.expected_false(self.threshold), strict=True)
        )
        check_top(top, "variables of each view that are drawn")
        shares = {"x": self.result.x_frequencies, "y": self.result.y_frequencies}
        names = {"x": self.result.x_names, "y": self.result.y_names}
        order = {side: strongest(of_view, top) for side, of_view in shares.items()}
        n_drawn = len(order["x"]) + len(order["y"])
        self.ax_ = ax = axes_or_new(ax, figsize=(8.5, 1 + 0.22 * n_drawn))
        self.figure_ = ax.figure
        self.points_: dict = {}
        labels, begin = [], 0
        for side in shares:
            drawn = shares[side][order[side]]
            at = begin + np.arange(len(drawn))
            n_selected = int((shares[side] >= self.threshold).sum())
            self._draw_view(ax, side, drawn, at)
            self.points_[side].set_label(
                f"{VIEW_NAMES[side]}: {n_selected} of {len(shares[side])} selected,\n"
                f"at most {by_chance[side]:.2g} expected by chance"
            )
            labels += [short_name(names[side][i]) for i in order[side]]
            begin += len(drawn) + 1  # a gap between the views
        ticks = np.arange(n_drawn)
        ticks[len(order["x"]) :] += 1
        ax.set_yticks(ticks, labels, parse_math=False)  # dollar signs as they are
        ax.invert_yaxis()
        self.threshold_ = ax.axvline(
            self.threshold,
            color=NEUTRAL,
            linestyle="--",
            zorder=1,
            label=f"threshold {self.threshold:g}",
        )
        ax.set(xlim=(-0.02, 1.02), xlabel="share of subsamples that select it")
        legend_beside(ax)
        return self

    def _draw_view(self, ax, side, shares, at):
        color = VIEW_COLORS[side]
        ax.hlines(at, 0, shares, color=color, linewidth=1)
        shared = {
            "marker": VIEW_MARKERS[side],
            "linestyle": "",
            "color": color,
            "clip_on": False,
        }
        (self.points_[side],) = ax.plot(shares, at, markerfacecolor="white", **shared)
        taken = shares >= self.threshold
        (self.points_[f"{side}_selected"],) = ax.plot(
            shares[taken], at[taken], **shared
        )
