"""Stand-ins of modules for evaluation, so that nothing they store remains.

A stand-in of a module is an object of its class that shares the tensors of the module,
but has attributes, lists and dicts of its own. It takes almost no memory, each thread
can have one, and whatever it stores while it computes disappears with it.
"""

from collections import OrderedDict, defaultdict
from copy import deepcopy
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

# Longer containers are not copied: they are tables, such as vocabularies, and not what
# a call stores.
_LONGEST = 256
_ATOMS = {bool, int, float, str, bytes, type(None), torch.dtype, torch.device}
_SEQUENCES = {list, tuple, set}
_MAPPINGS = {dict, OrderedDict, defaultdict}
_TENSORS = ("_parameters", "_buffers")


class StandIns:
    """Stand-ins, in evaluation mode, for one call.

    Parameters
    ----------
    cast : callable (Tensor) -> Tensor or None, default=None
        Gives the tensor that replaces a parameter or a buffer. With None, nothing is
        replaced.
    """

    def __init__(self, cast=None):
        self._cast = cast
        self._made: dict[int, Any] = {}
        self._any_trains = False

    def root(self, module):
        """Stand-in of a module and of all modules in it."""
        made = self._of(module)
        if self._any_trains:
            made.eval()  # the user may have written this method
        return made

    def _of(self, module):
        # The module that torch.compile wraps, if it does: compiled code would use the
        # module itself, and not the stand-in.
        module = module._modules.get("_orig_mod", module)
        made = self._made.get(id(module))
        if made is not None:
            return made
        # Constructors and copying methods that the user wrote must not run.
        made = self._made[id(module)] = object.__new__(type(module))
        self._any_trains |= module.training
        state = made.__dict__
        for name, value in module.__dict__.items():
            kind = type(value)
            if kind in _ATOMS:
                pass
            elif kind is OrderedDict and not value:  # most attributes of a module
                value = OrderedDict()
            elif name == "_modules":
                value = {
                    key: None if child is None else self._of(child)
                    for key, child in value.items()
                }
            elif name in _TENSORS:
                value = {key: self._tensor(t) for key, t in value.items()}
            else:
                value = self._value(value)
            state[name] = value
        return made

    def _tensor(self, tensor):
        return tensor if tensor is None or self._cast is None else self._cast(tensor)

    def _value(self, value):
        """Value that a stand-in gets for an attribute, or for an item of one."""
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind in _MAPPINGS and len(value) <= _LONGEST:
            copied = value.copy()
            for key, item in value.items():
                copied[key] = self._value(item)
            return copied
        if kind in _SEQUENCES and len(value) <= _LONGEST:
            return kind(map(self._value, value))
        if isinstance(value, nn.Parameter):  # some modules keep a list of parameters
            return self._tensor(value)
        if isinstance(value, nn.Module):
            return self._of(value)
        if kind is MethodType and isinstance(value.__self__, nn.Module):
            return MethodType(value.__func__, self._of(value.__self__))
        if kind is partial:
            function, *args = map(self._value, (value.func, *value.args))
            return partial(function, *args, **self._value(value.keywords))
        return value


def with_children(module, make):
    """A module of skcrl whose children are made by `make` when they are first used.

    Children that a method does not use cost nothing.
    """
    shell = object.__new__(type(module))
    shell.__dict__.update(module.__dict__)
    shell.__dict__["training"] = False
    shell.__dict__["_modules"] = _Asked(module._modules, make)
    return shell


class _Asked(dict):
    """Modules by name, each made when it is first used.

    A ModuleDict is not made as a whole: this holds for each module in it.
    """

    def __init__(self, modules, make):
        super().__init__(modules)
        self._make = make
        self._done: dict[str, nn.Module] = {}

    def __getitem__(self, name):
        if name not in self._done:
            child = super().__getitem__(name)
            is_dict = type(child) is nn.ModuleDict
            self._done[name] = (
                with_children(child, self._make) if is_dict else self._make(child)
            )
        return self._done[name]


def copy_of(module):
    """A copy of a module, in evaluation mode."""
    # deepcopy refuses tensors that are part of a graph of gradients. A module may keep
    # such tensors, which are copied here.
    kept = {id(t): t.detach().clone() for t in tensors_in(module) if not t.is_leaf}
    return deepcopy(module, kept).eval()


def tensors_in(module):
    """Tensors that a module holds, registered or not, in the order of their places."""
    return [t for m in module.modules() for t in _tensors(m.__dict__, depth=4)]


def _tensors(value, depth):
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple | set) and depth:
        items = value.values() if isinstance(value, dict) else value
        for item in items:
            yield from _tensors(item, depth - 1)
