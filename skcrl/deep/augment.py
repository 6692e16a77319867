"""Random changes of training batches, for `augment` of the deep estimators."""

from numbers import Integral

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch.nn import functional

from skcrl._documentation import Documented

__all__ = ["RandomShift"]


class RandomShift(Documented, BaseEstimator):
    """Shift each image by a random number of pixels, and fill with zeros.

    Pass it as `augment` to a deep estimator whose views are images.

    Parameters
    ----------
    x_shape, y_shape : (height, width) of int or None, default=None
        Size of the images of each view. With None the view is not changed. The two
        images of a row are shifted independently.
    pixels : int, default=1
        Largest shift in each direction, in pixels.

    Notes
    -----
    The samples of a view have height * width values for each channel, as rows of
    numbers or in any shape. The channels of an image come before its rows, and are
    shifted together.

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
        "x_shape": [tuple, list, None],
        "y_shape": [tuple, list, None],
        "pixels": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, x_shape=None, y_shape=None, *, pixels=1):
        self.x_shape = x_shape
        self.y_shape = y_shape
        self.pixels = pixels

    def __call__(self, x, y, generator):
        """Shift the images of a batch.

        Parameters
        ----------
        x, y : Tensor of shape (n_samples, ...)
            Views.
        generator : torch.Generator
            Random generator of the shifts, on the device of the views.

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
        return (
            self._shifted(x, "x_shape", generator),
            self._shifted(y, "y_shape", generator),
        )

    def _shifted(self, view, name, generator):
        shape = getattr(self, name)
        if shape is None:
            return view
        n_values = view[0].numel()
        is_size = len(shape) == 2 and all(map(_is_length, shape))
        if not is_size or n_values % (shape[0] * shape[1]):
            raise ValueError(
                f"RandomShift needs {name}=(height, width) of the images, or None, got "
                f"{shape!r} for samples of {n_values} values."
            )
        return _at_random(view, shape, self.pixels, generator)


def _is_length(value):
    return isinstance(value, Integral) and int(value) > 0


def _at_random(view, shape, margin, generator):
    # (n, n_channels, height, width)
    images = view.reshape(len(view), -1, *shape)
    device = view.device
    padded = functional.pad(images, (margin,) * 4)
    down, right = torch.randint(
        2 * margin + 1, (2, len(view), 1), generator=generator, device=device
    )
    rows = down + torch.arange(shape[0], device=device)
    columns = right + torch.arange(shape[1], device=device)
    samples = torch.arange(len(view), device=device)[:, None, None]
    # Indexing puts the axis of a slice between index arrays last.
    shifted = padded[samples, :, rows[:, :, None], columns[:, None, :]]
    return shifted.movedim(3, 1).reshape(view.shape)
