"""Weights in another precision, kept for as long as they do not change."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

# Values of a tensor that are looked at, for changes that torch does not count.
_PLACES = 1024


class _Cast(NamedTuple):
    """A tensor in another precision, and how to tell that it has changed since."""

    of: Tensor  # kept, so that no other has its id
    cast: Tensor
    version: int | None
    address: int
    places: Tensor  # some values, in the memory of the tensor
    values: Tensor  # what was there


class Casts:
    """Tensors in another precision, each cast when it is first asked for.

    A tensor that has changed since is cast again. Torch counts changes, except those
    through ``.data`` and NumPy. These are detected if one of about a thousand values
    that are compared here (all values of a small tensor) has changed.

    Parameters
    ----------
    dtype : torch.dtype
        The precision.
    """

    def __init__(self, dtype):
        self.dtype = dtype
        self._kept: dict[int, _Cast] = {}

    def of(self, tensor):
        """The tensor in this precision; itself, if it holds no floats."""
        kept = self._kept.get(id(tensor))
        if kept is not None and not _has_changed(kept):
            return kept.cast
        if not tensor.is_floating_point() or tensor.dtype == self.dtype:
            return tensor
        kept = self._kept[id(tensor)] = self._made(tensor)
        return kept.cast

    def _made(self, tensor):
        # What is seen before the cast shows a change while it is made.
        version, address, places = _version(tensor), tensor.data_ptr(), _places(tensor)
        values = places.clone()
        cast = tensor.detach().to(self.dtype)
        if isinstance(tensor, nn.Parameter):
            cast = nn.Parameter(cast, requires_grad=False)
        return _Cast(tensor, cast, version, address, places, values)


def _has_changed(kept):
    tensor = kept.of
    return (
        kept.version != _version(tensor)
        or kept.address != tensor.data_ptr()
        or not torch.equal(kept.places, kept.values)
    )


def _version(tensor):
    return None if tensor.is_inference() else tensor._version


def _places(tensor):
    """Some values of a tensor, evenly spread, as a view of it."""
    tensor = tensor.detach()
    if not tensor.is_contiguous():
        return tensor
    return tensor.view(-1)[:: max(1, tensor.numel() // _PLACES)]
