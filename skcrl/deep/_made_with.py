"""The arguments that a net was made with, as plain data, and back.

The module, the loss and the optimizer, which are those of skcrl, are stored by name.
"""

from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import nn

from skcrl.deep import losses, modules
from skcrl.deep._data import PairSplit
from skcrl.persistence._networks import NETWORKS, UnfitNetworkError

_MODULES = {name: getattr(modules, name) for name in modules.__all__}
_LOSSES = {
    name: function
    for name, function in vars(losses).items()
    if getattr(function, "__module__", None) == losses.__name__
}
_OPTIMIZERS = {
    kind.__name__: kind
    for kind in (
        torch.optim.Adam,
        torch.optim.AdamW,
        torch.optim.LBFGS,
        torch.optim.RMSprop,
        torch.optim.SGD,
    )
}
_SETTINGS = (
    *("seed", "penalty", "mixed_precision", "compiled"),
    *("lr", "batch_size", "device", "verbose"),
)
_PREFIXES = ("module__", "optimizer__", "iterator_train__", "iterator_valid__")
# Name of the attribute that holds the encoders of a module, if it is not `encoders`.
_ENCODERS = {"CorrNetModule": "hidden"}
# Number of items that a sequence may have in addition to one for each weight, such as
# the dimensions of a sample.
_OTHER_ITEMS = 16


def made_with(net):
    """The arguments of `net`, which are plain data except for the user's modules."""
    parameters = net.get_params(deep=False)
    split, hyper = parameters["train_split"], parameters["criterion__hyper"]
    return {
        "module": parameters["module"].__name__,
        "optimizer": parameters["optimizer"].__name__,
        "loss": parameters["criterion__function"].__name__,
        # One of the hyper-parameters may be another loss, which is named too.
        "hyper": {name: getattr(v, "__name__", v) for name, v in hyper.items()},
        "validation_fraction": None if split is None else split.fraction,
        "settings": {name: parameters[name] for name in _SETTINGS},
        "parameters": {
            name: parameters[name] for name in parameters if name.startswith(_PREFIXES)
        },
    }


def arguments(made_with):
    """Arguments of the constructor of a net; the device is one that is found here."""
    settings = {name: made_with["settings"][name] for name in _SETTINGS}
    if not _is_here(settings["device"]):
        settings["device"] = "cpu"
    fraction, hyper = made_with["validation_fraction"], dict(made_with["hyper"])
    if "objective" in hyper:
        hyper["objective"] = _LOSSES[hyper["objective"]]
    return {
        "module": _MODULES[made_with["module"]],
        "optimizer": _OPTIMIZERS[made_with["optimizer"]],
        "criterion__function": _LOSSES[made_with["loss"]],
        "criterion__hyper": hyper,
        "train_split": fraction and PairSplit(fraction, settings["seed"]),
        **settings,
        **made_with["parameters"],
    }


def _is_here(device):
    """Whether torch can use a device here; its name must be known to torch."""
    device = torch.device(device)
    try:
        torch.zeros(1, device=device).item()
    except Exception:
        return False
    return True


def require_arrays(state):
    """Raise ValueError for weights of the user's modules that NumPy cannot hold."""
    for name, weight in state.items():
        dtype: Any = getattr(weight, "dtype", type(weight))
        try:
            is_array = weight.layout is torch.strided
            torch.empty(0, dtype=dtype).numpy()
        except (AttributeError, TypeError):
            is_array = False
        if not is_array:
            raise ValueError(
                f"{name} of the network is of {dtype}, but a file of skcrl can hold "
                "only dense arrays of types that NumPy knows. Use joblib instead, "
                "which writes a pickle."
            )


def check_weights(made_with, weights):
    """Raise an error unless a net of this description has these weights.

    The description comes from a file, and may be anything. The check does not take more
    memory than the weights themselves.

    Raises
    ------
    UnfitNetworkError
        If a network of the user has other weights.
    """
    parameters = made_with["parameters"]
    if not isinstance(made_with["settings"]["compiled"], bool):
        raise ValueError("its network does not say whether it is compiled")
    users = {}
    for name, value in parameters.items():
        if not name.startswith(_PREFIXES):
            raise ValueError(f"its network has a parameter {name!r:.50}")
        if value is None or isinstance(value, (str, Real)):
            continue
        if isinstance(value, nn.Module) and name.removeprefix("module__") in NETWORKS:
            users[name.removeprefix("module__")] = value
            continue
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise ValueError(f"its network has a {type(value).__name__} as {name}")
        if _n_items(value) > len(weights) + _OTHER_ITEMS:
            raise ValueError(
                f"its network has {_n_items(value)} {name} but too few weights for them"
            )
    rest = dict(weights)
    for name, module in users.items():
        _check_users(name, module, _taken(rest, _place(name, made_with["module"])))
    with torch.device("meta"):
        module = _MODULES[made_with["module"]](
            **{
                name.removeprefix("module__"): value
                for name, value in parameters.items()
                if name.startswith("module__")
            }
            # The user's modules are left out: their weights are checked already.
            | dict.fromkeys(users, nn.Identity())
        ).float()
    got = _of_arrays(rest)
    expected = _of_tensors(module.state_dict(), got)
    for name in sorted(expected.keys() | got.keys()):
        if expected.get(name) != got.get(name):
            raise ValueError(
                f"the weights {name} of its network are {got.get(name)}, but should be "
                f"{expected.get(name)}"
            )
        _require_finite(name, rest[name])
        if name.endswith("running_var") and (rest[name] < 0).any():
            raise ValueError(f"its variances {name} are negative")


def _n_items(value):
    """Number of items of a sequence and of the sequences in it."""
    nested = (item for item in value if isinstance(item, (list, tuple, np.ndarray)))
    return len(value) + sum(map(len, nested))


def _place(name, module):
    """How the names of the weights of a user's network begin in this module."""
    if name == "encoder":  # the module has one encoder only
        return "encoder."
    side, _, part = name.partition("_")
    holder = "decoders" if part == "decoder" else _ENCODERS.get(module, "encoders")
    return f"{holder}.{side}."


def _taken(weights, prefix):
    """Take the weights whose names begin with `prefix` out of `weights`.

    They are returned by the rest of their names.
    """
    names = [name for name in weights if name.startswith(prefix)]
    return {name.removeprefix(prefix): weights.pop(name) for name in names}


def _check_users(name, module, weights):
    """Raise UnfitNetworkError unless these are weights of the user's module `name`."""
    got = _of_arrays(weights)
    expected = _of_tensors(module.state_dict(), got)
    for key in [*expected, *sorted(got.keys() - expected.keys())]:
        if expected.get(key) != got.get(key):
            raise UnfitNetworkError(
                f"{name} has {_shown(expected.get(key))} as {key!r:.80}, and the "
                f"file {_shown(got.get(key))}"
            )
    # Only parameters must be finite. Buffers may be masks with infinite values.
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for key in parameters.keys() & weights.keys():
        _require_finite(f"{key} of {name}", weights[key])


def _of_tensors(state, got):
    """Shapes and types of tensors, by name; the type of floats is always float32.

    A lazy module does not know its shapes yet. For these the ones in `got` are taken.
    """
    return {
        name: got.get(name)
        if nn.parameter.is_lazy(tensor)
        else (tuple(getattr(tensor, "shape", ())), _type(tensor))
        for name, tensor in state.items()
    }


def _type(tensor):
    if not isinstance(tensor, torch.Tensor):
        return type(tensor).__name__
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return str(dtype).removeprefix("torch.")


def _of_arrays(weights):
    return {name: (array.shape, array.dtype.name) for name, array in weights.items()}


def _shown(what):
    return "nothing" if what is None else f"{what[1]} of shape {what[0]}"


def _require_finite(name, array):
    if not np.isfinite(array).all():
        raise ValueError(f"its weights {name} are not finite")
