"""Rows and columns of codes: scaled to length one, centred, and correlated."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def unit_rows(codes, out=None):
    """Rows scaled to length one, in `out` if given; rows of zeros stay zero."""
    # First scale by a power of two, which is exact. Otherwise the squares of tiny codes
    # would underflow, and those of huge codes would overflow.
    largest = np.maximum(codes.max(axis=1), -codes.min(axis=1))
    codes = np.ldexp(codes, -np.frexp(largest)[1][:, None], out=out)
    length = np.sqrt(np.einsum("ij,ij->i", codes, codes))[:, None]
    codes /= np.where(length > 0, length, 1)
    return codes


def column_correlations(A, B):
    """Pearson correlations of A and B, column by column; 0 for a constant column."""
    return np.sum(unit_columns(A) * unit_columns(B), axis=0)


def matched_components(codes, others):
    """For each component of `codes`, the matching one of `others`, and its sign.

    Both arguments are (x, y) pairs of codes of the same rows. Components are matched
    one to one, such that the matched codes of both views correlate most. A component
    without a match has the sign 0.
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
    # First scale by a power of two, which is exact, as in `unit_rows`.
    Z = np.ldexp(Z, -np.frexp(abs(Z).max(axis=0))[1])
    length = np.sqrt(np.sum(Z**2, axis=0))
    return Z / np.where(length > 0, length, 1.0)


def centred(Z):
    """Centred columns; one that is constant up to rounding becomes exactly zero."""
    mean = Z.mean(axis=0)
    Z = Z - mean
    # The mean of many rows has a rounding error, which the mean of residuals corrects.
    Z -= Z.mean(axis=0)
    rounding = 8 * np.finfo(np.float64).eps * abs(mean)
    return np.where(abs(Z).max(axis=0) > rounding, Z, 0.0)
