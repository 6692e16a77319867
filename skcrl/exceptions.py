"""Warnings of skcrl's own."""

__all__ = ["DegenerateFitWarning"]


class DegenerateFitWarning(UserWarning):
    """What was fitted says nothing of the data, and looks as if it did.

    Linear CCA without a penalty finds correlations of 1 in noise where the views
    have as many columns as there are samples. A network may end in codes that are
    constant, or in views rebuilt no better than by their means.

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
