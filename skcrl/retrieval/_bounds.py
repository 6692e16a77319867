"""Bounds of the parameters of search packages.

These parameters may come from the file of an index. A file must not be able to make a
search take an unlimited amount of memory or time.
"""

import re
from numbers import Integral

# Largest numbers of links of an item to others, for narrow and for all codes. The
# packages themselves advise 128 at most, and many links would take more memory than
# narrow codes.
_FEW_LINKS, _MOST_LINKS = 32, 128
# Smallest and largest number of items to look at, for each item that is searched for,
# and for each item that is added.
_LOOKED_AT, _LOOKED_AT_ONCE = (1, 10_000), (1, 1000)
_INTEGERS = {
    "ef": _LOOKED_AT,
    "expansion_search": _LOOKED_AT,
    "ef_construction": _LOOKED_AT_ONCE,
    "expansion_add": _LOOKED_AT_ONCE,
    "random_seed": (0, 2**32 - 1),
    # Number of candidates for each item that is searched for.
    "oversampling": (1, 1000),
}
# Types of usearch that hold numbers with signs.
_DTYPES = (
    *("f64", "f32", "f16", "bf16", "i8", "e5m2", "e4m3", "e3m2", "e2m3"),
    *("float64", "float32", "float16", "bfloat16", "int8"),
)
# Up to these numbers, lists and components need not be in proportion to the shape of
# the codes.
_FEW_LISTS = 64
_FEW_COMPONENTS = 256
_ITEMS_OF_A_LIST = 16
_MOST_PARTS = 6
# Patterns of the parts of a description of a faiss index, and what the numbers in each
# part count.
_TURNS = r"(?:PCA|PCAR|PCAW|PCAWR|RR|OPQ)(\d{1,18})"
_LISTS = r"IVF(\d{1,18})"
_GRAPH = r"HNSW(\d{1,18})"
_PRODUCTS = r"PQ(\d{1,18})(?:x(\d{1,18}))?(?:fsr?|np)?"
_PARTS = {
    r"Flat|RFlat|SQ4|SQ6|SQ8|SQfp16|SQbf16": [],
    r"(?:Pad)?(\d{1,18})": ["components"],
    _TURNS: ["components"],
    _LISTS: ["lists"],
    _GRAPH: ["links"],
    _PRODUCTS: ["components", "bits"],
}
# Settings of a search by faiss, with their bounds.
_SETTINGS = {
    "nprobe": _LOOKED_AT,
    "quantizer_nprobe": _LOOKED_AT,
    "efSearch": _LOOKED_AT,
    "quantizer_efSearch": _LOOKED_AT,
    "efConstruction": _LOOKED_AT_ONCE,
    "quantizer_efConstruction": _LOOKED_AT_ONCE,
    # These multiply the number of items that are kept for each query.
    "k_factor": (1, 100),
    "k_factor_rf": (1, 100),
}


def check_params(params, n_items, n_components):
    """Raise ValueError for parameters of the wrong type or beyond their bounds.

    Parameters
    ----------
    params : dict
        Parameters by name. The package chooses a parameter that is None.
    n_items, n_components : int
        Shape of the codes.
    """
    links = _links(n_components)
    integers = {**_INTEGERS, "M": links, "connectivity": links}
    for name, value in params.items():
        if name in integers:
            # No package chooses `oversampling`, so it must not be None.
            if value is not None or name == "oversampling":
                _check_integer(name, value, *integers[name])
        elif not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {value!r:.80}.")
        elif name == "dtype" and value not in _DTYPES:
            raise ValueError(
                f"dtype must be one of {list(_DTYPES)}, got {value!r:.80}."
            )
        elif name == "factory":
            _check_factory(value, n_items, n_components)
        elif name == "search" and value:
            _check_settings(value)


def _links(n_components):
    return 2, min(_MOST_LINKS, max(_FEW_LINKS, 4 * n_components))


def _check_integer(name, value, low, high):
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_integer or not low <= value <= high:
        raise ValueError(
            f"{name} must be an integer from {low} to {high}, got {value!r:.80}."
        )


def _check_factory(factory, n_items, n_components):
    bounds = {
        "components": (1, max(2 * n_components, _FEW_COMPONENTS)),
        "lists": (1, min(n_items, max(n_items // _ITEMS_OF_A_LIST, _FEW_LISTS))),
        "links": _links(n_components),
        "bits": (1, 8),
    }
    parts = re.split("[,_]", factory)
    if len(parts) > _MOST_PARTS:
        raise ValueError(
            f"factory must have at most {_MOST_PARTS} parts, got {len(parts)}."
        )
    seen = set()
    for part in parts:
        pattern, numbers = _parsed(part, factory)
        seen.add(pattern)
        for kind, number in zip(_PARTS[pattern], numbers, strict=True):
            if number is not None:
                _check_integer(
                    f"the number of {kind} in {part!r} of factory",
                    int(number),
                    *bounds[kind],
                )
        # A part must not learn more numbers than there are to learn from.
        if pattern == _TURNS:
            _require_items(n_items, n_components, part)
        if pattern == _PRODUCTS:
            _require_items(n_items, 2 ** int(numbers[1] or 8), part)
    if _PRODUCTS in seen and _GRAPH in seen and _LISTS not in seen:
        raise ValueError(
            f"factory={factory!r:.80} puts PQ behind HNSW, and together they keep a "
            "table of distances that may need more memory than the codes: use SQ8 or "
            "Flat there, or IVF before PQ."
        )


def _parsed(part, factory):
    """The pattern that a part matches, and the numbers in it."""
    for pattern in _PARTS:
        match = re.fullmatch(pattern, part, re.ASCII)
        if match:
            return pattern, match.groups()
    raise ValueError(
        f"could not parse {part!r:.80} of factory={factory!r:.80}: parts may be IVF64, "
        "HNSW32, PQ8, PQ8x4fs, SQ8, PCA64, OPQ8_64, RR64, Pad64, Flat and RFlat, "
        "joined by commas."
    )


def _require_items(n_items, fewest, part):
    if n_items < fewest:
        raise ValueError(
            f"{part!r} of factory needs {fewest} items or more to learn from, got "
            f"{n_items}."
        )


def _check_settings(search):
    for setting in search.split(","):
        match = re.fullmatch(r"([A-Za-z_]{1,40})=(\d{1,18})", setting, re.ASCII)
        if not match or match[1] not in _SETTINGS:
            raise ValueError(
                f"could not parse {setting!r:.80} of search: write name=integer, such "
                f"as efSearch=64, joined by commas, with names of {list(_SETTINGS)}."
            )
        low, high = _SETTINGS[match[1]]
        _check_integer(f"{match[1]} of search", int(match[2]), low, high)
