"""Methods of a network, applied by several threads at a time and during training."""

from itertools import zip_longest

import numpy as np
import torch

from skcrl.deep._casts import Casts
from skcrl.deep._stand_ins import StandIns, copy_of, tensors_in, with_children

# Two runs of one network may differ by this share of the largest result.
_ROUNDING = 1e-4


class Evaluator:
    """Applies methods of a module in place, and leaves the module as it is.

    Modules of skcrl store nothing while they compute. Modules of users may store
    anything; it stays in a stand-in that each call makes anew. They may also change
    their own tensors, or be of a kind that has no stand-in. Therefore they compute in
    copies until the stand-ins have been tried with the trained network.

    Parameters
    ----------
    module : nn.Module
        A module of skcrl, which is in training mode for as long as it is trained.
    holds_users_modules : bool
        Whether it contains modules of the user.
    """

    def __init__(self, module, holds_users_modules):
        self.module = module
        self.holds_users_modules = holds_users_modules
        self._casts = Casts(torch.float64)
        # By method and its arguments: whether stand-ins give the same result as copies,
        # and leave all tensors unchanged.
        self._is_safe: dict[tuple, bool] = {}

    def method(self, name, dtype, **kwargs):
        """A method of the module, as a function of tensors that gives an array.

        Parameters
        ----------
        name : str
            Name of the method.
        dtype : torch.dtype
            Precision to compute in, float32 or float64.
        **kwargs : object
            Passed on to the method, together with the tensors.
        """
        if not self.holds_users_modules:
            method = getattr(self._in_place(dtype), name)
            return lambda *views: _untracked(method, views, kwargs).numpy()
        asked = name, *kwargs.values()
        is_safe = None if self.module.training else self._is_safe.get(asked)
        if is_safe:
            method = getattr(self._in_place(dtype), name)
        else:
            copies = _Copies(dtype)
            method = getattr(with_children(self.module, copies.of), name)

        def apply(*views):
            is_trial = not self.module.training and asked not in self._is_safe
            given = [_copied(view) for view in views] if is_trial else views
            out = _untracked(method, views, kwargs)
            if is_trial:
                in_place = self._in_place(dtype), name, given, kwargs
                self._is_safe[asked] = copies.are_unchanged() and _gives(out, *in_place)
            # A copy, because the result may be a tensor that the module holds.
            return np.array(out.numpy())

        return apply

    def _in_place(self, dtype):
        """The module or its stand-in, in evaluation mode and in this precision."""
        is_cast, trains = dtype == torch.float64, self.module.training
        if not (is_cast or trains or self.holds_users_modules):
            return self.module
        casts = Casts(dtype) if trains else self._casts
        made = StandIns(casts.of if is_cast else None)
        return with_children(self.module, made.root)


class _Copies:
    """Copies of modules, in evaluation mode, that show whether they were changed."""

    def __init__(self, dtype):
        self._dtype = dtype
        self._tensors: list[tuple] = []

    def of(self, module):
        """A copy of a module."""
        copied = copy_of(module).to(self._dtype)
        pairs = zip_longest(tensors_in(module), tensors_in(copied))
        self._tensors.extend(pairs)
        return copied

    def are_unchanged(self):
        """Whether all tensors of the copies certainly equal those of the modules."""
        return all(_are_equal(*pair) for pair in self._tensors)


def _copied(view):
    return view.clone() if isinstance(view, torch.Tensor) else view


def _gives(expected, module, name, views, kwargs):
    """Whether a method of a module gives the expected result, except for rounding."""
    try:
        found = _untracked(getattr(module, name), views, kwargs)
    except Exception:
        return False
    error = (found - expected).abs().max()
    return bool(error <= _ROUNDING * expected.abs().max())


def _are_equal(a, b):
    if a is None or b is None or not a.layout == b.layout == torch.strided:
        return False
    return torch.equal(a.to(b), b)


def _untracked(method, views, kwargs):
    # Not in inference mode: tensors that a module keeps could not be trained later.
    with torch.no_grad():
        out = method(*views, **kwargs)
    if not isinstance(out, torch.Tensor):
        raise TypeError(f"a network returns a {type(out).__name__}, and not a tensor")
    return out.detach().cpu()
