"""Attributes that a file may give an object: those that its class sets."""

import dis
from collections.abc import Iterator
from functools import cache
from inspect import signature, unwrap
from types import CodeType

# Attributes of estimators that functions set, and not methods of the estimators.
_SET_BY_FUNCTIONS = {
    "_integers",
    "_metadata_request",
    "_sample_shapes",
    "_sklearn_version",
    "_y_is_1d",
    "feature_names_in_",
    "n_features_in_",
    "y_feature_names_in_",
    "y_n_features_in_",
}
# Settings that depend on the machine and not on the model: its files and its cores.
_OF_A_MACHINE = {"checkpoint", "memory", "n_jobs"}
# Parameters that hold a dict of parameters of a function, or a pair of such dicts.
_KEYWORDS = {"kernel_params", "params"}


def unknown_names(kind, state):
    """Names in a state that are not attributes of objects of the class.

    Parameters
    ----------
    kind : type
        The class.
    state : dict
        Attributes by name.

    Returns
    -------
    names : list of str
        Names that are neither parameters nor set by a method, or that are methods.
    """
    return [
        name
        for name in state
        if name not in _names(kind) or callable(getattr(kind, name, None))
    ]


def without_machine(state):
    """State that does not say which files or cores of a machine to use."""
    return {
        name: None if name in _OF_A_MACHINE else _keywords(name, item)
        for name, item in state.items()
    }


def _keywords(name, item):
    if name in _KEYWORDS and isinstance(item, dict):
        return without_machine(item)
    if name in _KEYWORDS and isinstance(item, tuple):
        return tuple(_keywords(name, part) for part in item)
    return item


@cache
def _names(kind):
    """Parameters of a class, and the attributes that its methods set."""
    return {*signature(kind).parameters, *_SET_BY_FUNCTIONS, *_names_set(kind)}


def _names_set(kind) -> Iterator[str]:
    for base in kind.__mro__:
        for key, member in vars(base).items():
            if key == "__init_subclass__":
                continue  # sets attributes of classes
            for code in _codes(member):
                for step in dis.get_instructions(code):
                    if step.opname == "STORE_ATTR":
                        yield step.argval


def _codes(member) -> Iterator[CodeType]:
    """Yield the bytecode of a method, property or function, and of functions in it."""
    if isinstance(member, property):
        for part in (member.fget, member.fset):
            yield from _codes(part)
        return
    function = unwrap(getattr(member, "__func__", member))
    code = member if isinstance(member, CodeType) else _code(function)
    if code is not None:
        yield code
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from _codes(constant)


def _code(function) -> CodeType | None:
    return getattr(function, "__code__", None)
