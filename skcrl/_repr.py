"""Reprs of named results in one line."""

import numpy as np


def short_repr(result):
    """Repr of a named tuple, with three digits of short arrays and shapes of others."""
    fields = zip(result._fields, result, strict=True)
    parts = ", ".join(f"{name}={_short(value)}" for name, value in fields)
    return f"{type(result).__name__}({parts})"


def _short(value):
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and len(value) <= 5:
            entries = (e if isinstance(e, str) else f"{e:.3g}" for e in value)
            return "[" + ", ".join(entries) + "]"
        return f"<array of shape {value.shape}>"
    return f"{value:.3g}" if isinstance(value, float) else repr(value)
