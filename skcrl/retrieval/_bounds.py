"""What the parameters of search packages may be.

A file of an index holds them too, and must choose neither how much memory a search
takes nor how long.
"""

import re
from numbers import Integral
from typing import Any

# Links of an item to others: the packages themselves advise 128 at most.
_LINKS = (2, 128)
# Items to look at, for each one that is added or searched for.
_EXPANSION = (1, 10_000)
_INTEGERS: dict[str, Any] = {
    "M": _LINKS,
    "connectivity": _LINKS,
    "ef": _EXPANSION,
    "ef_construction": _EXPANSION,
    "expansion_add": _EXPANSION,
    "expansion_search": _EXPANSION,
    "random_seed": (0, 2**32 - 1),
}
# Those of usearch that hold numbers with signs.
_DTYPES = (
    *("f64", "f32", "f16", "bf16", "i8", "e5m2", "e4m3", "e3m2", "e2m3"),
    *("float64", "float32", "float16", "bfloat16", "int8"),
)
# Where the number of items bounds others, it does from here on.
_FEW_ITEMS = 4096
_FEW_COMPONENTS = 256
_MOST_PARTS = 6
# Each part of a description of a faiss index, with the numbers in it.
_PARTS = [
    (r"Flat|RFlat|SQ4|SQ6|SQ8|SQfp16|SQbf16", []),
    (r"(?:PCA|PCAR|PCAW|PCAWR|RR|Pad|OPQ)?(\d{1,18})", ["components"]),
    (r"IVF(\d{1,18})", ["lists"]),
    (r"HNSW(\d{1,18})", ["links"]),
    (r"PQ(\d{1,18})(?:x(\d{1,18}))?(?:fsr?|np)?", ["components", "bits"]),
]


def check_params(params, n_items, n_components):
    """Raise ValueError for parameters of the wrong type or beyond their bounds.

    Parameters
    ----------
    params : dict
        By name; None leaves one to the package.
    n_items, n_components : int
        Shape of the codes.
    """
    for name, value in params.items():
        if name in _INTEGERS:
            if value is not None:
                _check_integer(name, value, *_INTEGERS[name])
        elif not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {value!r:.80}.")
        elif name == "dtype" and value not in _DTYPES:
            raise ValueError(
                f"dtype must be one of {list(_DTYPES)}, got {value!r:.80}."
            )
        elif name == "factory":
            _check_factory(value, n_items, n_components)
        elif name == "search" and value:
            _check_settings(value, n_items)


def _check_integer(name, value, low, high):
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or not low <= value <= high:
        raise ValueError(
            f"{name} must be an integer from {low} to {high}, got {value!r:.80}."
        )


def _check_factory(factory, n_items, n_components):
    bounds = {
        "components": (1, max(2 * n_components, _FEW_COMPONENTS)),
        "lists": (1, max(n_items, _FEW_ITEMS)),
        "links": _LINKS,
        "bits": (1, 12),
    }
    parts = re.split("[,_]", factory)
    if len(parts) > _MOST_PARTS:
        raise ValueError(
            f"factory must be of at most {_MOST_PARTS} parts, got {len(parts)}."
        )
    for part in parts:
        kinds, numbers = _parsed(part, factory)
        for kind, number in zip(kinds, numbers, strict=True):
            if number is not None:
                _check_integer(
                    f"the number of {kind} in {part!r} of factory",
                    int(number),
                    *bounds[kind],
                )


def _parsed(part, factory):
    for pattern, kinds in _PARTS:
        match = re.fullmatch(pattern, part, re.ASCII)
        if match:
            return kinds, match.groups()
    raise ValueError(
        f"could not parse {part!r:.80} of factory={factory!r:.80}: parts may be IVF64, "
        "HNSW32, PQ8, PQ8x4fs, SQ8, PCA64, OPQ8_64, RR64, Pad64, Flat and RFlat, "
        "joined by commas."
    )


def _check_settings(search, n_items):
    for setting in search.split(","):
        match = re.fullmatch(r"([A-Za-z_]{1,40})=(\d{1,18})", setting, re.ASCII)
        if not match:
            raise ValueError(
                f"could not parse {setting!r:.80} of search: write name=integer, such "
                "as efSearch=64, joined by commas."
            )
        # The second multiplies how many are kept for each query.
        high = 100 if "k_factor" in match[1] else max(n_items, _FEW_ITEMS)
        _check_integer(f"{match[1]} of search", int(match[2]), 1, high)
