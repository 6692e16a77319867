"""What a net was made with, as plain data, and back.

Names stand for the module, the loss and the optimizer, of those that skcrl has.
"""

from numbers import Real

import numpy as np
import torch

from skcrl.deep import losses, modules
from skcrl.deep._data import PairSplit

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


def made_with(net):
    """What `net` was made with; the modules of the user's alone are no plain data."""
    parameters = net.get_params(deep=False)
    split, hyper = parameters["train_split"], parameters["criterion__hyper"]
    return {
        "module": parameters["module"].__name__,
        "optimizer": parameters["optimizer"].__name__,
        "loss": parameters["criterion__function"].__name__,
        # Among them, perhaps, another loss.
        "hyper": {name: getattr(v, "__name__", v) for name, v in hyper.items()},
        "validation_fraction": None if split is None else split.fraction,
        "settings": {name: parameters[name] for name in _SETTINGS},
        "parameters": {
            name: parameters[name] for name in parameters if name.startswith(_PREFIXES)
        },
    }


def arguments(made_with):
    """Arguments of the constructor of a net, on a device that there is here."""
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
    """Whether torch computes here on a device, which must be one that it knows."""
    device = torch.device(device)
    try:
        torch.zeros(1, device=device).item()
    except Exception:
        return False
    return True


def check_weights(made_with, weights):
    """Raise an error unless a net of such a description, which may be any, has these.

    No more memory is taken than they take.
    """
    parameters = made_with["parameters"]
    if not isinstance(made_with["settings"]["compiled"], bool):
        raise ValueError("its network does not say whether it is compiled")
    for name, value in parameters.items():
        if not name.startswith(_PREFIXES):
            raise ValueError(f"its network has a parameter {name!r:.50}")
        if value is None or isinstance(value, (str, Real)):
            continue
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise ValueError(f"its network has a {type(value).__name__} as {name}")
        if _n_items(value) > len(weights) + _OTHER_ITEMS:
            raise ValueError(
                f"its network has {_n_items(value)} {name} but no such weights"
            )
    with torch.device("meta"):
        module = _MODULES[made_with["module"]](
            **{
                name.removeprefix("module__"): value
                for name, value in parameters.items()
                if name.startswith("module__")
            }
        ).float()
    expected = {
        name: (tuple(weight.shape), str(weight.dtype).removeprefix("torch."))
        for name, weight in module.state_dict().items()
    }
    got = {name: (weight.shape, weight.dtype.name) for name, weight in weights.items()}
    for name in sorted(expected.keys() | got.keys()):
        if expected.get(name) != got.get(name):
            raise ValueError(
                f"its network has the weights {name} of {got.get(name)}, and should "
                f"have those of {expected.get(name)}"
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"its weights {name} are not finite")
        if name.endswith("running_var") and (weights[name] < 0).any():
            raise ValueError(f"its variances {name} are negative")


def _n_items(value):
    """Number of items, with those of items that are sequences."""
    nested = (item for item in value if isinstance(item, (list, tuple, np.ndarray)))
    return len(value) + sum(map(len, nested))
