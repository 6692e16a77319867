"""The starting point of the training of a label embedding."""

import numpy as np

# Ridge of the regression, in units of the mean variance of a column.
_REG = 1.0


def start(axes, own, n_classes, n_components):
    """Map of coordinates and codes of classes, by reduced-rank ridge regression.

    The classes are the corners of a simplex, and a regression maps samples to them.
    Both are then projected on the leading principal axes of the mapped samples.

    Returns
    -------
    Q : ndarray of shape (n_components, r)
    U : ndarray of shape (n_classes, n_components)
    """
    corners = np.eye(n_classes)
    Q = axes.regression(corners[own], _REG)
    _, vectors = np.linalg.eigh((Q * axes.variances) @ Q.T)
    leading = vectors[:, ::-1][:, :n_components]
    return leading.T @ Q, (corners - 1 / n_classes) @ leading
