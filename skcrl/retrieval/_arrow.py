"""Codes of items and their ids as an Arrow table."""

from importlib import import_module

import numpy as np


def table_of(items):
    """Table with the columns "id" and "code", and a row for each item, in their order.

    Codes are lists of float32, all of the same length. The code is null if an item has
    no view.
    """
    try:
        arrow = import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"to_arrow needs a package that cannot be imported ({error}): pip install "
            "pyarrow"
        ) from error
    n_items, width = len(items), items.codes.shape[1]
    is_lost = np.zeros(n_items, dtype=bool)
    is_lost[items.lost] = True
    values = np.zeros((n_items, width), dtype=np.float32)
    values[~is_lost] = items.codes
    codes = arrow.FixedSizeListArray.from_arrays(
        arrow.array(values.ravel()), width, mask=arrow.array(is_lost)
    )
    ids = items.named(np.arange(n_items))
    kind = arrow.string() if ids.dtype == object else arrow.int64()
    return arrow.table({"id": arrow.array(ids, type=kind), "code": codes})
