"""Weights of components by the correlation of their codes."""

import numpy as np

from skcrl._arrays import to_numpy

# With few samples all correlations of training codes are near 1 even under a penalty,
# while singular values are smaller. Without a penalty the two are the same.
_MEASURES = ("singular_values_", "correlations_")


def correlation_weights(fitted, power):
    """Weights (n_components,) of the codes of a fitted estimator, or None for none.

    They are a power of its `singular_values_`, or of its `correlations_` with negative
    ones set to zero.
    """
    measured = measured_correlations(fitted)
    if power == 0 or measured is None or len(measured) != fitted.n_components_:
        return None
    return as_weights(measured, power)


def measured_correlations(fitted):
    """Correlations of the components of an estimator, or of one that it wraps.

    None if there are none.
    """
    for name in _MEASURES:  # what wraps another passes on the second alone
        measured = found_in(fitted, name)
        if measured is not None:
            return to_numpy(measured)
    return None


def found_in(fitted, attribute):
    """Attribute of a fitted estimator or of those it wraps; None if none has it."""
    while fitted is not None:
        if hasattr(fitted, attribute):
            return getattr(fitted, attribute)
        fitted = getattr(fitted, "estimator_", None)
    return None


def as_weights(correlations, power):
    """Power of correlations, scaled to a maximum of 1; None if none is above zero."""
    shares = np.clip(correlations, 0, None)
    if not shares.any():
        return None
    # Of the largest, so that high powers do not underflow: lengths do not matter.
    return (shares / shares.max()) ** power
