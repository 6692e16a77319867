"""Checks of the codes that estimators return."""

import numpy as np
from sklearn.utils import gen_batches

from skcrl._arrays import to_numpy
from skcrl.metrics import Hubness

CODES = ("mean", "concatenated", "joint")
METRICS = ("cosine", "euclidean")
# Defaults for the way in which the codes of an index are made and compared.
PLAIN = {"codes": "mean", "metric": "cosine"}
# Positions of the items that have no view, if there are no such items.
NONE_LOST = np.empty(0, dtype=np.int64)
# Numbers up to this have distances whose squares stay in the range of float32, in which
# packages compute.
_LARGEST = 1e15
# Number of values of codes that are checked at a time.
_AT_ONCE = 2**18


def check_codes(codes, source):
    """`codes` as a matrix of finite floats; `source` names their origin in errors."""
    codes = to_numpy(codes)
    if codes.ndim != 2:
        raise ValueError(f"{source} gave codes of shape {codes.shape}, not a matrix.")
    if codes.size == 0:
        raise ValueError(f"{source} gave no codes: their shape is {codes.shape}.")
    if codes.dtype.kind not in "biuf":
        raise ValueError(f"{source} gave codes of {codes.dtype}, not of real numbers.")
    if codes.dtype not in (np.float32, np.float64):
        codes = codes.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{source} gave codes that are NaN or infinite in {len(bad)} rows, the "
            f"first is row {bad[0]}."
        )
    return codes


def check_range(codes, source):
    """Raise ValueError for codes whose distances may be out of range."""
    largest = max(codes.max(), -codes.min())
    if largest > _LARGEST:
        raise ValueError(
            f"{source} gave codes with numbers up to {largest:.1e}, but distances can "
            f"be computed only for numbers up to {_LARGEST:.0e}: set metric='cosine', "
            "or scale the views."
        )


def check_indexed(codes, metric):
    """Codes as an index holds them: checked and, for cosines, of length one or zero."""
    codes = to_numpy(codes)
    if codes.ndim != 2 or codes.size == 0:
        return check_codes(codes, "It")  # raises the error
    # Codes may be on disk: some rows are read at a time.
    for rows in gen_batches(len(codes), max(_AT_ONCE // codes.shape[1], 1)):
        try:
            _check_some_indexed(codes[rows], metric)
        except ValueError as error:
            after = f" (rows are counted from row {rows.start})" if rows.start else ""
            raise ValueError(f"{error}{after}") from error
    return codes


def _check_some_indexed(codes, metric):
    codes = check_codes(codes, "It")
    if metric == "euclidean":
        check_range(codes, "It")
        return
    length = np.sqrt(np.einsum("ij,ij->i", codes, codes))
    # Codes that are not 0 may have squares that are 0.
    if (codes.any(axis=1) & (abs(length - 1) > 1e-3)).any():
        raise ValueError("its codes are not of length one or zero")


def check_space(space):
    """Check what a file says about how its codes were made and are compared."""
    known = {"codes": CODES, "metric": METRICS}
    if (
        not isinstance(space, dict)
        or set(space) - {"hubness"} != set(known)
        or any(space[name] not in values for name, values in known.items())
    ):
        raise ValueError(
            f"its codes were made and compared by {space!r:.80}, which is not valid"
        )
    if "hubness" in space:
        _check_correction(space)
    return space


def _check_correction(space):
    numbers = space["hubness"]
    if (
        space["metric"] != "cosine"
        or not isinstance(numbers, dict)
        or set(numbers) != {"n_neighbors", "weight"}
    ):
        raise ValueError(f"its hubs were found by {numbers!r:.80}, which is not valid")
    Hubness(**numbers)


def check_hubs(hubs, codes, space):
    """Raise ValueError for means of cosines from a file that are not valid."""
    if ("hubness" in space) != (hubs is not None):
        raise ValueError(
            "it has hubs and does not say how they were found, or says it and has none"
        )
    if hubs is not None and (
        not isinstance(hubs, np.ndarray)
        or hubs.dtype != codes.dtype
        or hubs.shape != (len(codes), 2)
        # The lengths of the codes may differ from one by a thousandth.
        or not (abs(hubs) < 1.01).all()
    ):
        raise ValueError(f"its hubs are not means of cosines for {len(codes)} items")


def check_lost(lost, n_codes):
    """Positions of items without codes, checked: ascending, and none beyond the end."""
    is_in_order = (
        isinstance(lost, np.ndarray)
        and lost.dtype == np.int64
        and lost.ndim == 1
        and (lost[1:] > lost[:-1]).all()
        and (len(lost) == 0 or (lost[0] >= 0 and lost[-1] < n_codes + len(lost)))
    )
    if not is_in_order:
        raise ValueError("its positions of items without a view are not in order")
    return lost
