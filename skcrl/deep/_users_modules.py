"""Encoders and decoders of users: parameters for them, and trials before training."""

from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import nn

USERS_MODULES: dict[str, list] = {
    "x_encoder": [nn.Module, None],
    "y_encoder": [nn.Module, None],
    "x_decoder": [nn.Module, None],
    "y_decoder": [nn.Module, None],
}


def try_module(net, method, name, rows, side, shape):
    """Output of the module called `name`, after a check that its shape is right."""
    with refusal_named(name, rows.shape[1:], rows.dtype):
        out = net.evaluate(method, rows, side=side)
    if out.shape != (rows.shape[0], *shape):
        raise misshapen(name, shape, out.shape, rows.shape[0])
    return out


def output_width(encoder, name, samples):
    """Width of the output of the encoder called `name`, or None without an encoder."""
    if encoder is None:
        return None
    with refusal_named(name, samples.shape[1:], samples.dtype), torch.inference_mode():
        got = tuple(deepcopy(encoder).cpu().float().eval()(samples).shape)
    if len(got) != 2 or got[0] != 2:
        raise misshapen(name, ("any width",), got, 2)
    return got[1]


@contextmanager
def refusal_named(name, sample_shape, dtype):
    """Turn an error that a module raises into a ValueError that names the module."""
    try:
        yield
    except (
        RuntimeError,
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
    ) as error:
        kind, advice = "", ""
        if "int" in str(dtype):
            kind = " of integers"
        if kind and not isinstance(error, LookupError):
            advice = " If it needs floats, pass floats: view.astype(float)."
        raise ValueError(
            f"{name} does not take arrays{kind} of shape {_shape(sample_shape)}: "
            f"{str(error).rstrip().removesuffix('.')}.{advice}"
        ) from error


def misshapen(name, shape, got, n_rows):
    """The error for a module called `name` whose outputs have another shape."""
    return ValueError(
        f"{name} must return arrays of shape {_shape(shape)}, "
        f"got {got} for {n_rows} samples."
    )


def _shape(sample_shape):
    return f"(n_samples, {', '.join(map(str, sample_shape))})"
