"""Warnings that skcrl defines."""

__all__ = ["DegenerateFitWarning"]


class DegenerateFitWarning(UserWarning):
    """Warning that a fit succeeded, but its result says nothing about the data.

    For example, linear CCA without a penalty finds correlations of 1 even in noise if
    the views have as many columns as there are samples. A network may end with constant
    codes, or reconstruct views no better than by their means.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skcrl import LinearCCA
    >>> from skcrl.exceptions import DegenerateFitWarning
    >>> X, y = np.random.default_rng(0).standard_normal((2, 20, 30))  # mere noise
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     cca = LinearCCA(2).fit(X, y)
    >>> caught[0].category.__name__
    'DegenerateFitWarning'
    >>> cca.correlations_.round(2)  # whatever the data
    array([1., 1.])
    """
