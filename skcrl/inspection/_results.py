"""Names and data frames for the results of all inspections."""

import numpy as np
from sklearn.utils.validation import _get_feature_names


def data_frame(columns, index):
    """DataFrame of a dict of columns; `index` has the names of rows, or tuples."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "to_frame() returns a pandas DataFrame, but pandas cannot be imported: "
            "pip install pandas."
        ) from error
    return pd.DataFrame(columns, index=pd.Index(index))


def component_names(fitted, n_components):
    """Names of the components from the estimator, or default ones."""
    if hasattr(fitted, "get_feature_names_out"):
        return np.asarray(fitted.get_feature_names_out(), dtype=object)
    return _default_names("component", n_components)


def feature_names(side, given, view):
    """Names of the columns of a view as the user passed it, or default ones."""
    names = _get_feature_names(given)
    return _default_names(side, view.shape[1]) if names is None else names


def _default_names(stem, n):
    return np.array([f"{stem}{i}" for i in range(n)], dtype=object)
