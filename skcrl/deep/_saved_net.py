"""Networks as plain data, for files that hold no code, and back.

Names stand for the module, the loss and the optimizer, of those that skcrl has. The
state of the optimizer is left out.
"""

from itertools import chain

import numpy as np
import torch

from skcrl.deep import losses, modules
from skcrl.deep._data import PairSplit
from skcrl.deep._net import Objective, TwoViewNet

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
# Beside the layers, which have weights: dimensions of a sample, and the like.
_OTHER_ITEMS = 16


def to_plain(net):
    """What a net was made with, its weights and its history."""
    parameters = net.get_params(deep=False)
    split, hyper = parameters["train_split"], parameters["criterion__hyper"]
    objective = hyper.get("objective")
    return {
        "module": parameters["module"].__name__,
        "optimizer": parameters["optimizer"].__name__,
        "loss": parameters["criterion__function"].__name__,
        "objective": None if objective is None else objective.__name__,
        "hyper": {name: hyper[name] for name in hyper if name != "objective"},
        "validation_fraction": None if split is None else split.fraction,
        "settings": {name: parameters[name] for name in _SETTINGS},
        "parameters": {
            name: parameters[name] for name in parameters if name.startswith(_PREFIXES)
        },
        "weights": {
            name: weight.detach().cpu().numpy()
            for name, weight in net.module_.state_dict().items()
        },
        "history": net.epochs(),
    }


def from_plain(state):
    """Net of such a state, which may be any: it raises whatever it comes to."""
    settings = {name: state["settings"][name] for name in _SETTINGS}
    weights, device = state["weights"], settings.pop("device")
    parameters = state["parameters"]
    _check_sizes(parameters, weights)
    hyper, fraction = dict(state["hyper"]), state["validation_fraction"]
    if state["objective"] is not None:
        hyper["objective"] = _LOSSES[state["objective"]]
    net = TwoViewNet(
        _MODULES[state["module"]],
        criterion=Objective,
        criterion__function=_LOSSES[state["loss"]],
        criterion__hyper=hyper,
        optimizer=_OPTIMIZERS[state["optimizer"]],
        train_split=fraction and PairSplit(fraction, settings["seed"]),
        device=None,
        **settings,
        **parameters,
    )
    # Shapes alone: neither memory nor random numbers are taken.
    with torch.device("meta"):
        net.initialize()
    net.module_.load_state_dict(_as_tensors(weights, net.module_), assign=True)
    if any(t.is_meta for t in chain(net.module_.parameters(), net.module_.buffers())):
        raise ValueError("its network has not all its weights")
    without_cuda = torch.device(device).type == "cuda" and not torch.cuda.is_available()
    net.device = "cpu" if without_cuda else device
    net.module_.to(net.device)
    net.initialize_optimizer()
    for row in state["history"]:
        net.history.new_epoch()
        for key, value in row.items():
            net.history.record(key, value)
    return net


def _check_sizes(parameters, weights):
    """Refuse what would make more layers than there are weights."""
    for name, value in parameters.items():
        if not name.startswith(_PREFIXES):
            raise ValueError(f"its network has a parameter {name!r:.50}")
        is_long = isinstance(value, (list, tuple))
        if is_long and len(value) > len(weights) + _OTHER_ITEMS:
            raise ValueError(f"its network has {len(value)} {name} but no such weights")


def _as_tensors(weights, module):
    """Weights as tensors, finite and of the types of the module's."""
    expected = module.state_dict()
    for name, weight in weights.items():
        if name in expected:
            dtype = str(expected[name].dtype).removeprefix("torch.")
            if weight.dtype.name != dtype or not np.isfinite(weight).all():
                raise ValueError(f"its weights {name} are no finite numbers of {dtype}")
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}
