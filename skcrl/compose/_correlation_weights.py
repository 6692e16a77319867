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
    measured = _measured(fitted)
    if power == 0 or measured is None or len(measured) != fitted.n_components_:
        return None
    shares = np.clip(to_numpy(measured), 0, None)
    if not shares.any():
        return None
    # Of the largest, so that high powers do not underflow.
    return (shares / shares.max()) ** power


def _measured(fitted):
    """What tells how much codes correlate, of an estimator or of one that it wraps."""
    while fitted is not None:
        for name in _MEASURES:
            if name in vars(fitted):  # what wraps another passes on the second alone
                return vars(fitted)[name]
        fitted = getattr(fitted, "estimator_", None)
    return None
