"""Codes of length one, and their weights."""

import numpy as np

from skcrl._arrays import to_numpy


def check_codes(codes, source):
    """`codes` as a matrix of finite floats; `source` is what gave them, in words."""
    codes = to_numpy(codes)
    if codes.ndim != 2:
        raise ValueError(f"{source} gave codes of shape {codes.shape}, not a matrix.")
    if codes.dtype not in (np.float32, np.float64):
        codes = codes.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{source} gave codes that are NaN or infinite in {len(bad)} rows, the "
            f"first is row {bad[0]}."
        )
    return codes


def unit_rows(codes):
    """Rows divided by their lengths; a row of zeros stays."""
    # By the largest entry first, whose square may be out of range.
    largest = np.maximum(codes.max(axis=1), -codes.min(axis=1))
    codes = codes / _divisor(largest)
    codes /= _divisor(np.sqrt(np.einsum("ij,ij->i", codes, codes)))
    return codes


def _divisor(lengths):
    return np.where(lengths > 0, lengths, 1)[:, None]
