"""What tests with covariates compare with."""

import numpy as np


def residuals(view, covariates):
    """A view less its regression on covariates, with an intercept."""
    Z = np.column_stack([np.ones(len(view)), covariates])
    return view - Z @ np.linalg.lstsq(Z, view)[0]
