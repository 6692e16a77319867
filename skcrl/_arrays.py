"""Functions for what NumPy arrays and torch tensors do differently.

Other modules call these functions, and need not ask which of the two they have. This
module never imports torch, because whoever passes a tensor has already imported it.
"""

import sys
from functools import reduce
from typing import Any

import numpy as np

Array = Any  # np.ndarray or torch.Tensor


def is_tensor(a):
    """Whether `a` is a torch tensor; torch is never imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(a, torch.Tensor)


def namespace(a):
    """The torch module for a tensor, else NumPy."""
    return sys.modules["torch"] if is_tensor(a) else np


def like(a, other):
    """`a` in the dtype of `other`."""
    if is_tensor(a):
        return a.to(other.dtype)
    return a.astype(other.dtype, copy=False)


def copied(a):
    """A copy of an array, sparse or not, or of a tensor."""
    return a.clone() if is_tensor(a) else a.copy()


def to_numpy(a):
    """`a` as an ndarray."""
    return a.detach().cpu().numpy() if is_tensor(a) else np.asarray(a)


def untensored(a):
    """`a` itself, sparse or not, or a tensor's values as an ndarray."""
    return to_numpy(a) if is_tensor(a) else a


def following(a, other):
    """An ndarray; as a tensor on the device of `other`, if `other` is a tensor."""
    return namespace(other).from_numpy(a).to(other.device) if is_tensor(other) else a


def empty(shape, *like):
    """New array in the library, on the device and in the common dtype of arrays."""
    xp = namespace(like[0])
    dtype = reduce(xp.promote_types, (a.dtype for a in like))
    return xp.empty(shape, dtype=dtype, **device(like[0]))


def floats_among(arrays, default):
    """The arrays that hold floats, or only `default` if none does."""
    floats = [
        a
        for a in arrays
        if (a.is_floating_point() if is_tensor(a) else a.dtype.kind == "f")
    ]
    return floats or [default]


def join_columns(*blocks):
    """One array with the columns of all blocks."""
    return namespace(blocks[0]).concatenate(blocks, 1)


def eye_like(a):
    """Identity matrix of the size, library, dtype and device of `a`."""
    return namespace(a).eye(len(a), dtype=a.dtype, **device(a))


def device(a):
    """Arguments that put a new array on the device of `a`."""
    return {"device": a.device} if is_tensor(a) else {}
