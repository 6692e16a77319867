"""What estimators give for codes, checked."""

import numpy as np

from skcrl._arrays import to_numpy


def check_codes(codes, source):
    """`codes` as a matrix of finite floats; `source` is what gave them, in words."""
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


def check_indexed(codes):
    """Codes as an index holds them: checked, and of length one or zero."""
    codes = check_codes(codes, "It")
    length = np.sqrt(np.einsum("ij,ij->i", codes, codes))
    # The squares of what is not 0 may be.
    if (codes.any(axis=1) & (abs(length - 1) > 1e-3)).any():
        raise ValueError("its codes are not of length one or zero")
    return codes
