"""Parameters that users pass to skorch, to the optimiser and to the DataLoader."""

from inspect import signature

from skcrl.deep._data import PairBatches
from skcrl.deep._loaded import SETTINGS

# Prefixes of the names that net_params may contain, and names that it may not contain
# because another parameter of the estimator sets them.
_NET_PREFIXES = ("optimizer__", "iterator_train__", "iterator_valid__")
_OWN_PARAMETERS = {
    "optimizer__lr": "lr",
    "optimizer__weight_decay": "weight_decay",
    "iterator_train__batch_size": "batch_size",
    "iterator_valid__batch_size": "batch_size",
    "iterator_train__seed": "random_state",
    "iterator_train__device": "device",
    "iterator_valid__device": "device",
}


def loader_settings(net_params):
    """Those of `net_params` that are for a DataLoader."""
    settings = {}
    for name, value in (net_params or {}).items():
        part, _, parameter = str(name).partition("__")
        if part == "iterator_train" and parameter in SETTINGS:
            settings[parameter] = value
    return settings


def parameters_of_net(net_params):
    """Those of `net_params` that are not for a DataLoader."""
    loader = {f"iterator_train__{name}" for name in loader_settings(net_params)}
    given = net_params or {}
    return {name: value for name, value in given.items() if name not in loader}


def check_net_params(net_params, optimizer):
    """Raise an error for names that skorch does not take, or that are set elsewhere."""
    for name in parameters_of_net(net_params):
        if not isinstance(name, str):
            raise TypeError(f"net_params must have strings for keys, got {name!r}.")
        if name in _OWN_PARAMETERS:
            raise ValueError(
                f"net_params contains {name!r}, which contradicts the parameter "
                f"{_OWN_PARAMETERS[name]!r}: set that parameter instead."
            )
        if not name.startswith(_NET_PREFIXES):
            raise ValueError(
                "net_params may contain names that begin with "
                f"{', '.join(_NET_PREFIXES)}, got {name!r}."
            )
        part, _, parameter = name.partition("__")
        made = optimizer if part == "optimizer" else PairBatches
        known = list(signature(made).parameters)[1:]  # without the weights or the data
        if parameter not in known and name != "optimizer__param_groups":
            raise ValueError(
                f"net_params contains {name!r}, but {made.__name__} takes no "
                f"{parameter!r}: it takes {', '.join(known)}."
            )
