"""Maps that show where in an image the common and the individual part lie."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skcrl._typing import Rows, Side
from skcrl.base import TwoViewTransformer
from skcrl.inspection import gradient_map
from skcrl.plotting._fitted import check_gives
from skcrl.plotting._images import as_images, cells_of, draw_sheet, limits_of

if TYPE_CHECKING:
    from torch import nn


class SaliencyDisplay:
    """Images, and under each of them maps of what its scores depend on.

    Each column is a sample. Under its image a map shows where in it the score of the
    common codes comes from, and a second one where that of the individual codes does,
    if the estimator has such codes.

    All maps of a row have one scale, so that a map stays dark where there is little to
    see. A row in which some value is negative goes from orange, which lowers the score,
    over white to purple, which raises it.

    Make one by :meth:`from_estimator` or :meth:`from_maps`.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width) or \
(n_samples, height, width, 3)
        The images.
    maps : dict of str to ndarray of shape (n_samples, height, width)
        The maps of each score, by its name.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    images_ : ndarray of shape (1 + n_scores, n_samples)
        The drawn images and maps, of type matplotlib.image.AxesImage.

    See Also
    --------
    skcrl.inspection.gradient_map : The maps themselves.
    skcrl.metrics.saliency_precision : How much of a map lies where it should.

    Examples
    --------
    >>> from skcrl import LinearCommonIndividual
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.plotting import SaliencyDisplay
    >>> left, right, labels = load_digits_halves()
    >>> parts = LinearCommonIndividual(4, n_individual=4).fit(left, right)
    >>> display = SaliencyDisplay.from_estimator(
    ...     parts, left[:6], right[:6], side="x", shape=(8, 4),
    ...     method="gradient_times_input",
    ... )
    >>> [text.get_text() for text in display.ax_.get_yticklabels()]
    ['image', 'common', 'individual']
    """

    def __init__(self, images: np.ndarray, maps: Mapping[str, np.ndarray]):
        self.images = images
        self.maps = maps

    @classmethod
    def from_estimator(
        cls,
        estimator: TwoViewTransformer,
        X: Rows,
        y: Rows,
        *,
        side: Side = "x",
        scores: Sequence[Literal["common", "individual"]] | None = None,
        extractor: "nn.Module | None" = None,
        method: Literal[
            "gradient", "gradient_times_input", "grad_cam", "integrated"
        ] = "gradient",
        shape: Sequence[int] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw maps of a fitted estimator.

        Parameters
        ----------
        estimator : two-view estimator
            A fitted estimator that :func:`~skcrl.inspection.gradient_map` takes.
        X : array-like of shape (n_samples, n_features_x)
            First view of the samples to draw: pass a few rows, such as ``X[:6]``. If
            `side` is "x" and there is an `extractor`, the images themselves.
        y : array-like of shape (n_samples, n_features_y)
            Second view of the same samples. If `side` is "y" and there is an
            `extractor`, the images themselves.
        side : {"x", "y"}, default="x"
            The view that is drawn.
        scores : sequence of {"common", "individual"} or None, default=None
            What to draw maps of. With None both for an estimator that has individual
            codes, and "common" for others.
        extractor : torch.nn.Module or None, default=None
            Network from the images to what the estimator takes as that view.
        method : {"gradient", "gradient_times_input", "grad_cam", "integrated"}, \
default="gradient"
            How maps are made, as in :func:`~skcrl.inspection.gradient_map`.
        shape : tuple of int or None, default=None
            Height and width of the images, and 3 as a third number if they have
            colours. With None the view must consist of images already, of shape
            (n_samples, height, width), with channels behind or before.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : SaliencyDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If the view consists of no images and `shape` does not make images of it, or
            the estimator has no maps of the `scores`.
        """
        check_gives(estimator, "transform_pair", cls.__name__, "maps of codes")
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        view, name = (X, "X") if side == "x" else (y, "y")
        images = _images_of(view, shape, name)
        if scores is None:
            has_own = hasattr(estimator, "transform_individual")
            scores = ["common", "individual"] if has_own else ["common"]
        maps: dict[str, np.ndarray] = {
            score: gradient_map(
                estimator,
                X,
                y,
                side=side,
                score=score,
                extractor=extractor,
                method=method,
            )
            for score in scores
        }
        return cls.from_maps(images, maps, shape=shape, cmap=cmap, ax=ax)

    @classmethod
    def from_maps(
        cls,
        images: Rows,
        maps: Mapping[str, Rows],
        *,
        shape: Sequence[int] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw maps that are at hand.

        Parameters
        ----------
        images : array-like of n_samples rows
            The images.
        maps : dict of str to array-like of n_samples rows
            The maps of each score, by its name. Channels of a map are added up.
        shape : tuple of int or None, default=None
            Height and width of images and maps whose rows are flat, and 3 as a third
            number if they have colours. With None they must be images already, of
            shape (n_samples, height, width), with channels behind or before.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : SaliencyDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If images and maps differ in length, or are no images and `shape` does not
            make images of them.
        """
        if not isinstance(maps, Mapping):
            raise ValueError(
                f"maps must be a dict from names to maps. Got {type(maps).__name__}."
            )
        check_consistent_length(images, *maps.values())
        display = cls(
            _images_of(images, shape, "images"),
            {
                name: _without_channels(_images_of(of_score, shape, f"maps[{name!r}]"))
                for name, of_score in maps.items()
            },
        )
        return display.plot(cmap=cmap, ax=ax)

    def plot(self, *, cmap: str = "gray", ax: Any = None) -> Self:
        """Draw the images and their maps.

        Parameters
        ----------
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : SaliencyDisplay
            The display itself.
        """
        rows = [cells_of(self.images, cmap, limits_of(self.images))]
        rows += [cells_of(maps, *_scale(maps)) for maps in self.maps.values()]
        sheet = draw_sheet(ax, rows, ["image", *self.maps])
        self.ax_, self.images_ = sheet.ax, sheet.drawn
        self.figure_ = self.ax_.figure
        return self


def _images_of(view, shape, name):
    """Images from rows that are flat, or that are images already."""
    is_flat = np.ndim(view) == 2
    return as_images(view, shape if is_flat else None, name, SaliencyDisplay.__name__)


def _without_channels(maps):
    return maps.sum(axis=-1) if maps.ndim == 4 else maps


def _scale(maps):
    """Colour map for all maps of a score, and its limits."""
    most = float(np.abs(maps).max())
    return ("PuOr", (-most, most)) if maps.min() < 0 else ("magma", (0.0, most))
