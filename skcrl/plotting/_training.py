"""Curves of a training."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skcrl.compose._correlation_weights import found_in
from skcrl.plotting._axes import NEUTRAL, axes_or_new

# Black and bluish green from the palette of Okabe and Ito. Dashes distinguish them too.
_LINES = {
    "training": {"color": "#000000", "linestyle": "-"},
    "validation": {"color": "#009E73", "linestyle": "--"},
}
_BEST = {"color": NEUTRAL, "linestyle": ":", "zorder": 1}


class Curves(NamedTuple):
    """What was recorded in a training, as :class:`TrainingDisplay` draws it.

    Attributes
    ----------
    step : str
        What is counted: "epoch" or "iteration".
    figures : dict of str to dict of str to ndarray of shape (n_steps,)
        For each figure that was recorded, "loss" for one, its values of the "training"
        and the "validation" rows. NaN where a step has no value.
    best : int or None
        Number of the best step, counted from 1. None if no rows were held out.
    """

    step: str
    figures: dict[str, dict[str, np.ndarray]]
    best: int | None


class TrainingDisplay:
    """How the loss of one or several estimators fell while they were trained.

    For deep estimators the upper panel has the loss of the training rows and, if rows
    were held out, that of the validation rows. If another score of the validation rows
    was recorded, a second panel has that. A dotted line marks the epoch that was best
    on the validation rows. For :class:`~skcrl.ProbabilisticCCA` the panel has the
    log-likelihood after each step of EM.

    A validation loss that rises while the training loss falls means that the network
    fits noise. A loss that still falls at the end means that more epochs would help.

    Several estimators are drawn side by side. Their losses may be different ones, and
    so each has axes of its own.

    Make one by :meth:`from_estimator` or :meth:`from_estimators`.

    Parameters
    ----------
    curves : dict of str to Curves
        What was recorded of each estimator, by its name.

    Attributes
    ----------
    axes_ : ndarray of shape (n_panels, n_estimators)
        The axes of each estimator, one below the other; None where an estimator has
        fewer panels than others.
    figure_ : matplotlib.figure.Figure
        The figure of `axes_`.
    lines_ : dict of str to dict of (str, str) to matplotlib.lines.Line2D
        For each estimator its curves, by the figure and the rows: ("loss", "training")
        for one.

    See Also
    --------
    skcrl.DeepCCA.history_frame : The same numbers as a table.

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.plotting import TrainingDisplay
    >>> left, right, labels = load_digits_halves()
    >>> dcca = DeepCCA(4, max_epochs=5, validation_fraction=0.2, random_state=0)
    >>> display = TrainingDisplay.from_estimator(dcca.fit(left, right))
    >>> display.axes_[0, 0].get_xlabel(), display.axes_[0, 0].get_ylabel()
    ('epoch', 'loss')
    """

    def __init__(self, curves: Mapping[str, Curves]):
        self.curves = curves

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: Any = None) -> Self:
        """Draw the training of one fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted deep estimator, a :class:`~skcrl.ProbabilisticCCA`, or an estimator
            around one of them, such as a :class:`~skcrl.ViewPipeline`.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw: panels take the place of these axes. With None a new figure
            is made.

        Returns
        -------
        display : TrainingDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator recorded nothing while it was trained.
        """
        return cls.from_estimators({type(estimator).__name__: estimator}, ax=ax)

    @classmethod
    def from_estimators(
        cls, estimators: Mapping[str, BaseEstimator], *, ax: Any = None
    ) -> Self:
        """Draw the trainings of several fitted estimators side by side.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted estimators, as in :meth:`from_estimator`, by the names that become
            titles.
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw: panels take the place of these axes. With None a new figure
            is made.

        Returns
        -------
        display : TrainingDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If there is no estimator, or one recorded nothing while it was trained.
        """
        if not isinstance(estimators, Mapping):
            raise ValueError(
                "estimators must be a dict from names to fitted estimators. Got "
                f"{type(estimators).__name__}."
            )
        if not estimators:
            raise ValueError(
                f"estimators is empty: {cls.__name__} needs at least one to draw."
            )
        curves = {name: _recorded(fitted, cls) for name, fitted in estimators.items()}
        return cls(curves).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw: panels take the place of these axes. With None a new figure
            is made.

        Returns
        -------
        display : TrainingDisplay
            The display itself.
        """
        n_panels = max(len(of_one.figures) for of_one in self.curves.values())
        shape = n_panels, len(self.curves)
        frame = axes_or_new(ax, figsize=(1 + 4 * shape[1], 0.6 + 2.7 * n_panels))
        if frame.get_subplotspec() is None:
            raise ValueError(
                "ax must be axes in a grid, such as plt.subplots() makes, because "
                "panels replace them. Got axes that are not in a grid."
            )
        frame.set_axis_off()
        self.figure_ = frame.figure
        grid = frame.get_subplotspec().subgridspec(*shape)
        self.axes_ = np.full(shape, None, dtype=object)
        self.lines_: dict = {}
        for column, (name, of_one) in enumerate(self.curves.items()):
            self.lines_[name] = {}
            for row, (figure, rows) in enumerate(of_one.figures.items()):
                panel = self.figure_.add_subplot(grid[row, column])
                self.axes_[row, column] = panel
                for which, values in rows.items():
                    steps = np.arange(1, len(values) + 1)
                    # A line with a single point could not be seen.
                    marker = "o" if len(values) == 1 else ""
                    (line,) = panel.plot(
                        steps, values, label=which, marker=marker, **_LINES[which]
                    )
                    self.lines_[name][figure, which] = line
                _finish(panel, of_one, figure, name if row == 0 else "")
        return self


def _finish(panel, curves, figure, title):
    """Add the names of the axes, the best step and the legend to a panel."""
    from matplotlib.ticker import MaxNLocator

    if curves.best is not None:
        best = f"best {curves.step}: {curves.best}"
        panel.axvline(curves.best, label=best, **_BEST)
    panel.set(title=title, xlabel=curves.step, ylabel=figure)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(frameon=False)


def _recorded(estimator, display):
    """Curves of a fitted estimator, or of the estimator inside it."""
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(
            f"{display.__name__} draws the training of a fitted estimator. Got "
            f"{estimator!r}."
        )
    check_is_fitted(estimator)
    history = found_in(estimator, "history_")
    if history is not None:
        return _of_epochs(history, found_in(estimator, "monitor"))
    likelihoods = found_in(estimator, "loglike_")
    if likelihoods is not None:
        figures = {"log-likelihood": {"training": np.asarray(likelihoods)}}
        return Curves("iteration", figures, None)
    if hasattr(estimator, "best_estimator_"):
        raise ValueError(
            f"{display.__name__} draws what was recorded in one training, but "
            f"{type(estimator).__name__} made many. Pass its best_estimator_."
        )
    raise ValueError(
        f"{display.__name__} draws what was recorded in each epoch, but "
        f"{type(estimator).__name__} recorded nothing: it has no history_. Pass a "
        "fitted deep estimator, such as DeepCCA, or a ProbabilisticCCA."
    )


def _of_epochs(history, monitor):
    """Curves of a deep estimator that watches `monitor` on validation rows."""
    figures: dict = {"loss": {}}
    for figure in ("loss", monitor):
        for which, prefix in (("training", "train"), ("validation", "valid")):
            values = np.array(
                [row.get(f"{prefix}_{figure}", np.nan) for row in history]
            )
            if np.isfinite(values).any():
                figures.setdefault(figure, {})[which] = values
    watched = figures.get(monitor, {}).get("validation")
    if watched is None:
        return Curves("epoch", figures, None)
    best = np.nanargmin(watched) if monitor == "loss" else np.nanargmax(watched)
    return Curves("epoch", figures, int(best) + 1)
