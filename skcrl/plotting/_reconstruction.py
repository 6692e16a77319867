"""Images that are reconstructed from the other view."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skcrl._typing import Rows, Side
from skcrl._validation import NAMES
from skcrl.base import TwoViewTransformer
from skcrl.inspection._beside import kwargs_of
from skcrl.plotting._axes import VIEW_NAMES
from skcrl.plotting._fitted import check_gives
from skcrl.plotting._images import (
    as_images,
    cells_of,
    draw_sheet,
    limits_of,
    shape_of_either,
)


class ReconstructionDisplay:
    """Images of one view, what an estimator makes of them, and what it should be.

    Each column is a sample. The upper row is the view that the estimator is given, the
    middle row the other view as it reconstructs it, and the lower row this other view
    as it is. The more the two lower rows look alike, the more the views share.

    Make one by :meth:`from_estimator` or :meth:`from_arrays`.

    Parameters
    ----------
    given : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3)
        Images that the estimator was given.
    reconstructed : ndarray of shape (n_samples, height, width) or \
(n_samples, height, width, 3)
        Images of the other view that it made.
    truth : ndarray of the shape of `reconstructed`
        Images of the other view as they are.
    row_names : sequence of 3 str, default=("given", "reconstructed", "true")
        Names of the rows.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    images_ : ndarray of shape (3, n_samples)
        The drawn images, of type matplotlib.image.AxesImage.

    See Also
    --------
    skcrl.metrics.reconstruction_error : How far a reconstruction is off, as a number.

    Examples
    --------
    >>> from skcrl import KernelCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.plotting import ReconstructionDisplay
    >>> left, right, labels = load_digits_halves()
    >>> kcca = KernelCCA(20, kernel="rbf").fit(left[:1000], right[:1000])
    >>> display = ReconstructionDisplay.from_estimator(
    ...     kcca, left[1000:1008], right[1000:1008], to="y", shape=(8, 4)
    ... )
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['first view, given', 'second view, reconstructed', 'second view, true']
    """

    def __init__(
        self,
        given: np.ndarray,
        reconstructed: np.ndarray,
        truth: np.ndarray,
        row_names: Sequence[str] = ("given", "reconstructed", "true"),
    ):
        self.given = given
        self.reconstructed = reconstructed
        self.truth = truth
        self.row_names = row_names

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        covariates: Rows | None = None,
        to: Side = "y",
        shape: Sequence[int] | Sequence[Sequence[int]] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw one view of some samples as a fitted estimator reconstructs it.

        Parameters
        ----------
        estimator : two-view estimator
            A fitted estimator, with a method ``reconstruct``.
        X : array-like of shape (n_samples, n_features_x)
            First view of the samples to draw: pass a few rows, such as ``X[:8]``.
        y : array-like of shape (n_samples, n_features_y)
            Second view of the same samples.
        covariates : array-like of shape (n_samples, n_covariates) or None, default=None
            Covariates of these rows, if there were any in ``fit``. The reconstructed
            view includes the effect of the covariates.
        to : {"x", "y"}, default="y"
            The view that is reconstructed from the other one.
        shape : tuple of int, pair of tuples of int, or None, default=None
            Height and width of the images, and 3 as a third number if they have
            colours; or a pair of these, for the first and the second view. With None
            the views must be images already, of shape (n_samples, height, width), with
            channels behind or before.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the estimator does not reconstruct views, or the views are no images and
            `shape` does not make images of them.
        """
        check_gives(estimator, "reconstruct", cls.__name__, "reconstructed views")
        if to not in ("x", "y"):
            raise ValueError(f"to must be 'x' or 'y', got {to!r}.")
        check_consistent_length(X, y)
        call = f"{cls.__name__}.from_estimator"
        beside = kwargs_of(estimator, covariates, call)
        views, shapes = {"x": X, "y": y}, shape_of_either(shape)
        other = "y" if to == "x" else "x"
        given = {"X" if other == "x" else "y": views[other]}
        display = cls(
            as_images(views[other], shapes[other], NAMES[other], cls.__name__),
            as_images(
                estimator.reconstruct(**given, to=to, **beside),
                shapes[to],
                f"the reconstructed {NAMES[to]}",
                cls.__name__,
            ),
            as_images(views[to], shapes[to], NAMES[to], cls.__name__),
            (
                f"{VIEW_NAMES[other]}, given",
                f"{VIEW_NAMES[to]}, reconstructed",
                f"{VIEW_NAMES[to]}, true",
            ),
        )
        return display.plot(cmap=cmap, ax=ax)

    @classmethod
    def from_arrays(
        cls,
        given: Rows,
        reconstructed: Rows,
        truth: Rows,
        *,
        shape: Sequence[int] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw images that are at hand.

        Parameters
        ----------
        given : array-like of n_samples rows
            What the estimator was given.
        reconstructed : array-like of n_samples rows
            What it made of it.
        truth : array-like of n_samples rows
            What it should have made.
        shape : tuple of int or None, default=None
            Height and width of all images, and 3 as a third number if they have
            colours. With None the arrays must be images already, of shape
            (n_samples, height, width), with channels behind or before.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the arrays differ in length, or are no images and `shape` does not make
            images of them.
        """
        check_consistent_length(given, reconstructed, truth)
        arrays = {"given": given, "reconstructed": reconstructed, "truth": truth}
        images = {
            name: as_images(array, shape, name, cls.__name__)
            for name, array in arrays.items()
        }
        return cls(**images).plot(cmap=cmap, ax=ax)

    def plot(self, *, cmap: str = "gray", ax: Any = None) -> Self:
        """Draw the three rows of images.

        Values of a reconstruction beyond the range of the true values are drawn as the
        ends of that range.

        Parameters
        ----------
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : ReconstructionDisplay
            The display itself.
        """
        if np.shape(self.reconstructed) != np.shape(self.truth):
            raise ValueError(
                "Reconstructed images must have the shape of the true ones. Got images "
                f"of {np.shape(self.reconstructed)} and {np.shape(self.truth)}."
            )
        true_limits = limits_of(self.truth)
        sheet = draw_sheet(
            ax,
            [
                cells_of(self.given, cmap, limits_of(self.given)),
                cells_of(self.reconstructed, cmap, true_limits),
                cells_of(self.truth, cmap, true_limits),
            ],
            self.row_names,
        )
        self.ax_, self.images_ = sheet.ax, sheet.drawn
        self.figure_ = self.ax_.figure
        return self
