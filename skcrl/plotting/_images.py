"""Views that consist of images, and images side by side on the same axes."""

from collections.abc import Sequence
from numbers import Integral
from textwrap import shorten, wrap
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skcrl._arrays import to_numpy
from skcrl.plotting._axes import axes_or_new

# Gap between images, as a share of their height.
_GAP = 0.08
# Height of an image and width of a letter of a name, in inches.
_INCHES, _LETTER = 0.9, 0.08
# A text: its width if its height is 1, the characters of a line, and the lines.
_TEXT_WIDTH, _LINE, _LINES = 1.9, 22, 4


def as_images(view, shape, name, display):
    """Images (n, height, width) or (n, height, width, 3) from the rows of a view.

    The channels of the view may come before height and width, as in torch.
    """
    images = to_numpy(view.toarray() if sparse.issparse(view) else view)
    if shape is not None:
        if not _is_shape(shape):
            raise ValueError(
                "shape must be the height and width of images, and 3 as a third number "
                f"if they have colours, such as (28, 28). Got {shape!r}."
            )
        shape = tuple(shape)
        n_pixels = int(np.prod(shape))
        if images.dtype.kind not in "biuf" or images[:1].size not in (0, n_pixels):
            raise ValueError(
                f"shape={shape} is for rows of {n_pixels} numbers, but {name} has "
                f"shape {images.shape} and type {images.dtype}: pass the height and "
                "width of its images, and the number of channels if they have colours."
            )
        images = images.reshape(len(images), *shape)
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        images = np.moveaxis(images, 1, -1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3):
        return images
    raise ValueError(
        f"{display} draws images, but the rows of {name} are not images: its shape is "
        f"{np.shape(view)}. If its columns are pixels, pass shape=(height, width), or "
        "(height, width, 3) for colours."
    )


def _is_shape(shape):
    sizes = list(shape) if np.iterable(shape) else []
    return len(sizes) in (2, 3) and all(
        isinstance(size, Integral) and int(size) > 0 for size in sizes
    )


def shape_of_either(shape):
    """Shapes of the images of each view, from one shape or from a pair of shapes."""
    if not isinstance(shape, Sequence) or not any(map(np.iterable, shape)):
        return {"x": shape, "y": shape}
    if len(shape) != 2:
        raise ValueError(
            "shape must be the shape of all images, such as (28, 28), or a pair of "
            f"shapes for the first and the second view. Got {shape!r}."
        )
    return dict(zip("xy", shape, strict=True))


def limits_of(images):
    """The values that are drawn as black and white."""
    if images.ndim == 4 and images.dtype == np.uint8:
        return 0.0, 255.0
    if np.isnan(images).all():
        return 0.0, 1.0
    low, high = np.nanmin(images), np.nanmax(images)
    in_units = images.ndim == 4 and low >= 0 and high <= 1
    return (0.0, 1.0) if in_units else (float(low), float(high))


class Cell(NamedTuple):
    """An image or a text that is drawn at one place of a sheet."""

    content: Any  # an image, or a text
    cmap: str = "gray"
    limits: tuple[float, float] = (0.0, 1.0)

    @property
    def width(self):
        """Width if the height is 1."""
        if isinstance(self.content, str):
            return _TEXT_WIDTH
        return self.content.shape[1] / self.content.shape[0]


class Sheet(NamedTuple):
    """A sheet that was drawn."""

    ax: Any
    drawn: np.ndarray  # (n_rows, n_columns) artists
    extents: np.ndarray  # (n_rows, n_columns, 4): left, right, bottom, top


def cells_of(images, cmap, limits):
    """Cells of images that are drawn with the same colour map and limits."""
    return [Cell(image, cmap, limits) for image in images]


def draw_sheet(ax, rows, row_names):
    """Draw rows of cells of height 1, the first row on top, with their names."""
    n_columns = max(map(len, rows))
    width = max(cell.width for row in rows for cell in row)
    step = width + _GAP
    longest = max(len(line) for name in row_names for line in [*name.split("\n"), ""])
    size = (
        0.4 + _LETTER * longest + _INCHES * step * n_columns,
        0.4 + _INCHES * (1 + _GAP) * len(rows),
    )
    ax = axes_or_new(ax, figsize=size)
    drawn = np.full((len(rows), n_columns), None, dtype=object)
    extents = np.full((len(rows), n_columns, 4), np.nan)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            left, top = j * step + (width - cell.width) / 2, i * (1 + _GAP)
            extents[i, j] = left, left + cell.width, top + 1, top
            drawn[i, j] = _draw_cell(ax, cell, extents[i, j])
    ax.set_xlim(-_GAP, n_columns * step)
    ax.set_ylim(len(rows) * (1 + _GAP), -_GAP)
    ax.set_aspect("equal", anchor="E")
    ax.set_xticks([])
    ax.set_yticks(
        [0.5 + i * (1 + _GAP) for i in range(len(rows))],
        row_names,
        parse_math=False,
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return Sheet(ax, drawn, extents)


def _draw_cell(ax, cell, extent):
    if isinstance(cell.content, str):
        lines = wrap(shorten(cell.content, _LINE * _LINES, placeholder=" …"), _LINE)
        left, right, bottom, top = extent
        middle = (left + right) / 2, (bottom + top) / 2
        return ax.text(
            *middle,
            "\n".join(lines),
            ha="center",
            va="center",
            fontsize=8,
            parse_math=False,  # a dollar sign is drawn as it is
        )
    image, (low, high) = cell.content, cell.limits
    if image.ndim == 3 and image.dtype != np.uint8:
        # Colours must lie between 0 and 1, but reconstructed ones may lie outside.
        image = np.clip((image - low) / ((high - low) or 1), 0, 1)
    return ax.imshow(
        image,
        extent=extent,
        cmap=cell.cmap,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
