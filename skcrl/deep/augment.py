"""Random changes of training batches, for `augment` of the deep estimators."""

import math
from numbers import Integral, Real
from typing import Literal

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor
from torch.nn import functional

from skcrl._documentation import Documented

__all__ = ["RandomAffine", "RandomShift"]

Size = tuple[int, int]
Pair = Literal["independent", "same", "halves"]


class _ChangedImages(Documented, BaseEstimator):
    """Base of the random changes of images.

    A subclass draws what to do with each of n images in `_drawn`, and does it in
    `_changed`.
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        "x_shape": [tuple, list, None],
        "y_shape": [tuple, list, None],
        "pair": [StrOptions({"independent", "same", "halves"})],
    }

    def __call__(
        self, x: Tensor, y: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Change the images of a batch.

        Parameters
        ----------
        x, y : Tensor of shape (n_samples, ...)
            Views.
        generator : torch.Generator
            Random generator of the changes, on the device of the views.

        Returns
        -------
        x, y : Tensor of shape (n_samples, ...)
            Views of the same shapes.

        Raises
        ------
        ValueError
            If a parameter is invalid, or the samples are not images of this size.
        """
        self._validate_params()
        images = self._images(x, "x_shape"), self._images(y, "y_shape")
        change = self._as_one if self.pair == "halves" else self._apart
        x_changed, y_changed = change(images, generator)
        return (
            x if x_changed is None else x_changed.reshape(x.shape),
            y if y_changed is None else y_changed.reshape(y.shape),
        )

    def _images(self, view, name):
        """A view as images (n, n_channels, height, width), or None if it has none."""
        shape = getattr(self, name)
        if shape is None:
            return None
        sample = tuple(view.shape[1:])
        n_values = math.prod(sample)
        is_size = len(shape) == 2 and all(map(_is_length, shape))
        if not is_size or n_values % (shape[0] * shape[1]):
            raise ValueError(
                f"{type(self).__name__} needs {name}=(height, width) of the images, or "
                f"None, got {shape!r} for samples of {n_values} values."
            )
        if len(sample) > 1 and sample[-2:] != tuple(shape):
            raise ValueError(
                f"{type(self).__name__} with {name}={shape!r} needs samples of shape "
                f"(height, width) or (n_channels, height, width), got {sample}. "
                "Bring their axes into this order."
            )
        return view.reshape(len(view), -1, *shape)

    def _apart(self, images, generator):
        """Yield the images of each view, changed by numbers of its own or the same."""
        drawn = None
        for view in images:
            if view is None:
                yield None
                continue
            if drawn is None or self.pair == "independent":
                drawn = self._drawn(len(view), generator, view.device)
            yield self._changed(view, *drawn)

    def _as_one(self, images, generator):
        """The images of both views, after each pair was changed as one image."""
        left, right = images
        if (
            left is None
            or right is None
            or left.shape[1:3] != right.shape[1:3]
            or left.dtype != right.dtype
        ):
            raise ValueError(
                f"{type(self).__name__} with pair='halves' needs x_shape and y_shape, "
                "the sizes of the left and the right half of one image. Both must have "
                "the same type, number of channels and number of rows, "
                f"got {_kind(left)} for x and {_kind(right)} for y."
            )
        whole = torch.cat([left, right], dim=3)
        drawn = self._drawn(len(whole), generator, whole.device)
        return self._changed(whole, *drawn).split([left.shape[3], right.shape[3]], 3)


class RandomShift(_ChangedImages):
    """Shift each image by a random number of pixels, and fill with zeros.

    Pass it as `augment` to a deep estimator whose views are images.

    Parameters
    ----------
    x_shape, y_shape : (height, width) of int or None, default=None
        Size of the images of each view. With None the view is not changed.
    pixels : int, default=1
        Largest shift in each direction, in pixels.
    pair : {"independent", "same", "halves"}, default="independent"
        What the two images of a row have in common. With "independent" each is shifted
        for itself. With "same" both are shifted by the same number of pixels. With
        "halves" they are the left and the right half of one image, which is shifted as
        a whole, so that pixels move from one half into the other.

    See Also
    --------
    RandomAffine : Rotate, resize and slant images as well.

    Notes
    -----
    A sample has the shape (height, width) or (n_channels, height, width), or is a row
    of the same numbers in this order. The channels of an image are shifted together.

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.deep.augment import RandomShift
    >>> left, right, labels = load_digits_halves()
    >>> shift = RandomShift(x_shape=(8, 4), y_shape=(8, 4))
    >>> dcca = DeepCCA(4, augment=shift, max_epochs=2, random_state=0)
    >>> dcca.fit(left, right).transform(left).shape
    (1797, 4)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **_ChangedImages._parameter_constraints,
        "pixels": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        x_shape: Size | None = None,
        y_shape: Size | None = None,
        *,
        pixels: int = 1,
        pair: Pair = "independent",
    ):
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.pixels = pixels
        self.pair = pair

    def _drawn(self, n, generator, device):
        """Numbers of pixels, from 0 to twice the largest shift: down, and right."""
        return torch.randint(
            2 * self.pixels + 1, (2, n, 1), generator=generator, device=device
        )

    def _changed(self, images, down, right):
        n, _, height, width = images.shape
        padded = functional.pad(images, (self.pixels,) * 4)
        rows = down + torch.arange(height, device=images.device)
        columns = right + torch.arange(width, device=images.device)
        samples = torch.arange(n, device=images.device)[:, None, None]
        # Indexing puts the axis of a slice between index arrays last.
        shifted = padded[samples, :, rows[:, :, None], columns[:, None, :]]
        return shifted.movedim(3, 1)


class RandomAffine(_ChangedImages):
    """Rotate, resize, slant and shift each image at random, and fill with zeros.

    Pass it as `augment` to a deep estimator whose views are images. Choose changes that
    leave the meaning of an image as it is: small rotations and slants suit handwriting.

    Parameters
    ----------
    x_shape, y_shape : (height, width) of int or None, default=None
        Size of the images of each view. With None the view is not changed.
    rotation : float, default=0.0
        Largest angle in degrees, not negative. An image is turned by an angle between
        -rotation and rotation.
    scale : float, default=0.0
        Largest change of the height and of the width, not negative. Each of them is
        multiplied by ``exp(u)``, with u between -scale and scale.
    shear : float, default=0.0
        Largest slant, not negative: by how much of a pixel a row of the image is
        shifted against the next one.
    shift : float, default=0.0
        Largest shift in each direction, in pixels of the given image, not negative. It
        may be a fraction of a pixel.
    pair : {"independent", "same", "halves"}, default="independent"
        What the two images of a row have in common. With "independent" each is changed
        for itself. With "same" both are changed in the same way. With "halves" they are
        the left and the right half of one image, which is changed as a whole.

    See Also
    --------
    RandomShift : Shift by whole pixels, which changes no value.

    Notes
    -----
    All numbers are drawn from uniform distributions. An image is first shifted, then
    rotated, then slanted and resized. The pixels of the changed image are interpolated
    linearly between those of the given one.

    A sample has the shape (height, width) or (n_channels, height, width), or is a row
    of the same numbers in this order. The channels of an image are changed together.

    Examples
    --------
    >>> from skcrl import DeepCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.deep.augment import RandomAffine
    >>> left, right, labels = load_digits_halves()
    >>> affine = RandomAffine(
    ...     (8, 4), (8, 4), rotation=5, shear=0.1, shift=0.3, pair="halves"
    ... )
    >>> dcca = DeepCCA(4, augment=affine, max_epochs=2, random_state=0)
    >>> dcca.fit(left, right).transform(left).shape
    (1797, 4)
    """

    _parameter_constraints: dict = {  # noqa: RUF012
        **_ChangedImages._parameter_constraints,
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "scale": [Interval(Real, 0, 5, closed="both")],
        "shear": [Interval(Real, 0, 5, closed="both")],
        "shift": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        x_shape: Size | None = None,
        y_shape: Size | None = None,
        *,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        shift: float = 0.0,
        pair: Pair = "independent",
    ):
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.rotation = rotation
        self.scale = scale
        self.shear = shear
        self.shift = shift
        self.pair = pair

    def _drawn(self, n, generator, device):
        """Maps (n, 2, 2) from the changed image to the given one, and shifts (n, 2).

        They are in pixels, and the first coordinate is the column.
        """
        u = 2 * torch.rand((6, n), generator=generator, device=device) - 1
        angle = math.radians(self.rotation) * u[0]
        width, height = torch.exp(self.scale * u[1:3])
        slant = self.shear * u[3]
        cos, sin = torch.cos(angle), torch.sin(angle)
        turn = torch.stack([cos, -sin, sin, cos], dim=1).reshape(n, 2, 2)
        zero = torch.zeros_like(slant)
        size = torch.stack([width, slant, zero, height], dim=1).reshape(n, 2, 2)
        return turn @ size, self.shift * u[4:].T

    def _changed(self, images, maps, shifts):
        if not images.is_floating_point():
            raise ValueError(
                f"RandomAffine needs images of floats, got {images.dtype}. Convert the "
                "view, or use RandomShift."
            )
        height, width = images.shape[2:]
        # affine_grid measures an image from -1 to 1, whatever its size is.
        half = images.new_tensor([width / 2, height / 2])
        maps = maps.to(images.dtype) * half / half[:, None]
        shifts = shifts.to(images.dtype) / half
        theta = torch.cat([maps, shifts[:, :, None]], dim=2)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)


def _is_length(value):
    return isinstance(value, Integral) and int(value) > 0


def _kind(images):
    if images is None:
        return "None"
    channels, height, width = images.shape[1:]
    return f"{channels} x {height} x {width} of {images.dtype}"
