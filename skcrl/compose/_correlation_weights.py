"""Weights of components by the correlation of their codes."""

import numpy as np

from skcrl._arrays import to_numpy

# Under a penalty few samples still leave all correlations of training codes near 1,
# while singular values fall; without one the two are the same.
_MEASURES = ("singular_values_", "correlations_")


def correlation_weights(fitted, power):
    """Weights (n_components,) of the codes of a fitted estimator, or None for none.

    Its `singular_values_` to a power, or its `correlations_`, of which negative ones
    count as zero.
    """
    measured = measured_correlations(fitted)
    if power == 0 or measured is None or len(measured) != fitted.n_components_:
        return None
    return as_weights(measured, power)


def measured_correlations(fitted):
    """What tells how much codes correlate, of an estimator or of one that it wraps.

    None if nothing does.
    """
    for name in _MEASURES:  # what wraps another passes on the second alone
        measured = found_in(fitted, name)
        if measured is not None:
            return to_numpy(measured)
    return None


def found_in(fitted, attribute):
    """Attribute of a fitted estimator or of those it wraps; None if it is nowhere."""
    while fitted is not None:
        if hasattr(fitted, attribute):
            return getattr(fitted, attribute)
        fitted = getattr(fitted, "estimator_", None)
    return None


def as_weights(correlations, power):
    """A power of correlations, the largest one; None if none is above zero."""
    shares = np.clip(correlations, 0, None)
    if not shares.any():
        return None
    # Of the largest, so that high powers do not underflow: lengths do not matter.
    return (shares / shares.max()) ** power
