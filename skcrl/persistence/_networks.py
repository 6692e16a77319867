"""The user's networks in files, which contain their weights but not their code.

Instead of the code a file has the name of the parameter and the printed form of the
network. The user passes the network itself to ``load``.
"""

from importlib import import_module
from textwrap import shorten
from typing import NamedTuple

# Parameters of estimators that may be networks of the user.
NETWORKS = ("x_encoder", "y_encoder", "x_decoder", "y_decoder", "encoder")
# Largest number of characters of the printed form of a network.
_LONGEST = 200


class Network(NamedTuple):
    """Stands for a network of the user in a file."""

    name: str  # name of the parameter
    text: str  # printed form of the network, in one line

    @classmethod
    def of(cls, name, module):
        """Stand-in for the module that is the parameter `name`."""
        # The printed form of some networks is empty.
        text = repr(module) or type(module).__name__
        return cls(name, plain(shorten(text, _LONGEST, placeholder=" ...")))


class UnfitNetworkError(ValueError):
    """A network passed to ``load`` does not have the weights in the file."""


def networks_in(document):
    """Stand-ins in a document of a file, by the names of their parameters."""
    found, left = {}, [document]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get("$") == "network":
                name, text = part["of"]
                if name not in NETWORKS or not isinstance(text, str):
                    raise ValueError(f"it holds a network {name!r:.50}")
                found[name] = Network(name, text)
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    return {name: found[name] for name in NETWORKS if name in found}


def check_given(path, networks, given):
    """Raise ValueError unless the given networks are those that a file asks for.

    Parameters
    ----------
    path : str or path-like
        The file.
    networks : dict of str to Network
        Stand-ins in the file.
    given : dict of str to object
        Given networks, by the names of their parameters.
    """
    missing = [network for name, network in networks.items() if name not in given]
    if missing:
        asked = ", ".join(f"{name}=..." for name, _ in missing)
        raise ValueError(
            f"{path} contains the weights of networks of your own, but not their code: "
            f"pass them to load, as in load(path, {asked}). When it was saved, "
            + "; ".join(f"{name} was {plain(text)}" for name, text in missing)
            + "."
        )
    for name, module in given.items():
        if name not in networks:
            has = ", ".join(networks) or "none"
            raise ValueError(
                f"{path} contains no {name} of your own: leave it out. Networks of "
                f"your own in this file: {has}."
            )
        if not isinstance(module, import_module("torch").nn.Module):
            raise ValueError(
                f"{name} must be an nn.Module that can take the weights in {path}, got "
                f"{module!r:.80}."
            )


def plain(text):
    """The beginning of an arbitrary text, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST])
