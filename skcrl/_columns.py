"""Rows and columns of codes as vectors: of length one, centred, correlated."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def unit_rows(codes, out=None):
    """Rows scaled to length one, in `out` if given; rows of zeros stay zero."""
    # By a power of two, exactly: squares of tiny or huge codes would leave the range.
    largest = np.maximum(codes.max(axis=1), -codes.min(axis=1))
    codes = np.ldexp(codes, -np.frexp(largest)[1][:, None], out=out)
    length = np.sqrt(np.einsum("ij,ij->i", codes, codes))[:, None]
    codes /= np.where(length > 0, length, 1)
    return codes


def column_correlations(A, B):
    """Pearson correlation of each column of A with that of B; 0 for a constant."""
    return np.sum(unit_columns(A) * unit_columns(B), axis=0)


def matched_components(codes, others):
    """Which components of other codes are those of `codes`, and with which sign.

    Both are (x, y) pairs of codes of the same rows. Components are matched one to one,
    so that the codes of both views correlate most; the sign of one without a match is
    0.
    """
    likeness = sum(
        unit_columns(Z).T @ unit_columns(other)
        for Z, other in zip(codes, others, strict=True)
    )
    components, matches = linear_sum_assignment(-abs(likeness))
    match, sign = np.zeros(len(likeness), dtype=int), np.zeros(len(likeness))
    match[components] = matches
    sign[components] = np.sign(likeness[components, matches])
    return match, sign


def unit_columns(Z):
    """Centred columns of length one; constant columns become zero."""
    Z = centred(Z)
    # By a power of two, exactly, as rows are.
    Z = np.ldexp(Z, -np.frexp(abs(Z).max(axis=0))[1])
    length = np.sqrt(np.sum(Z**2, axis=0))
    return Z / np.where(length > 0, length, 1.0)


def centred(Z):
    """Centred columns; one that is constant up to rounding becomes exactly zero."""
    mean = Z.mean(axis=0)
    Z = Z - mean
    Z -= Z.mean(axis=0)  # adding up many rows errs; adding up their residuals does not
    rounding = 8 * np.finfo(np.float64).eps * abs(mean)
    return np.where(abs(Z).max(axis=0) > rounding, Z, 0.0)
