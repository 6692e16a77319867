"""Weights in another precision, kept for as long as they do not change."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

# Number of values of a tensor that are compared, to find changes that torch does not
# count.
_PLACES = 1024


class _Cast(NamedTuple):
    """A tensor in another precision, and what shows whether it has changed since."""

    of: Tensor  # the tensor; while it is kept, no other tensor can have its id
    cast: Tensor
    version: int | None
    address: int
    places: Tensor  # a view of some values of the tensor
    values: Tensor  # a copy of these values from the time of the cast


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
        """The tensor in this precision; one without floats is returned as it is."""
        kept = self._kept.get(id(tensor))
        if kept is not None and not _has_changed(kept):
            return kept.cast
        if not tensor.is_floating_point() or tensor.dtype == self.dtype:
            return tensor
        kept = self._kept[id(tensor)] = self._made(tensor)
        return kept.cast

    def _made(self, tensor):
        # Recorded before the cast, so that a change during the cast is noticed too.
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
