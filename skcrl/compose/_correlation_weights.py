"""Weights of components, from the correlations of their codes."""

import numpy as np

from skcrl._arrays import to_numpy

# With few samples all correlations of training codes are near 1 even under a penalty,
# while singular values are smaller. Without a penalty the two are the same.
_MEASURES = ("singular_values_", "correlations_")


def correlation_weights(fitted, power):
    """Weights (n_components,) of the codes of a fitted estimator, or None.

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
    for name in _MEASURES:  # an estimator around another passes on only the second
        measured = found_in(fitted, name)
        if measured is not None:
            return to_numpy(measured)
    return None


def found_in(fitted, attribute):
    """Attribute of a fitted estimator or of one inside it, or None if none has it."""
    while fitted is not None:
        if hasattr(fitted, attribute):
            return getattr(fitted, attribute)
        fitted = getattr(fitted, "estimator_", None)
    return None


def as_weights(correlations, power):
    """Power of correlations, scaled to a maximum of 1, or None if all are 0 or less."""
    shares = np.clip(correlations, 0, None)
    if not shares.any():
        return None
    # Relative to the largest, so that high powers do not underflow. A common scale does
    # not change which codes are nearest.
    return (shares / shares.max()) ** power
