"""Penalties on a linear map of samples, and on codes of classes."""

import numpy as np


def map_penalty(Q, axes, reg, metric):
    r"""Squared weights of a map, reg v ||W||^2, and the gradient by Q.

    Cosines do not depend on the length of codes, so this penalty would make W as small
    as possible. For cosines it is therefore the penalty on W after scaling codes to a
    mean square of 1: reg v ||W||^2 / mean ||z||^2.
    """
    by_Q = Q * axes.penalty
    squares = np.vdot(by_Q, Q)
    if metric == "euclidean":
        return reg * squares, 2 * reg * by_Q
    spread = Q * axes.variances
    length = np.vdot(spread, Q)
    if length == 0:
        return 0.0, np.zeros_like(Q)
    return reg * squares / length, 2 * reg * (by_Q - squares / length * spread) / length


def codes_penalty(U, reg, metric):
    """Penalty on the squared codes of classes, and its gradient; 0 for cosines."""
    if metric == "cosine":
        return 0.0, np.zeros_like(U)
    return reg * np.vdot(U, U), 2 * reg * U
