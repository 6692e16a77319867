"""Checks of the fitted estimators and of the arguments that displays take."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from skcrl.inspection._beside import codes_beside
from skcrl.inspection._results import component_names


def check_gives(estimator, method, display, what):
    """Raise an error if an estimator is not fitted, or cannot give what is drawn."""
    if isinstance(estimator, type):
        raise ValueError(
            f"{display} draws {what} of a fitted estimator, but {estimator.__name__} "
            "is a class: make an estimator of this class, and fit it first."
        )
    if not hasattr(estimator, method):
        raise ValueError(
            f"{display} draws {what}, but {type(estimator).__name__} does not give "
            f"them: it has no method {method}. Pass a fitted two-view estimator of "
            "skcrl, for example LinearCCA or the best_estimator_ of a search. If there "
            "are steps before it, use make_view_pipeline instead of make_pipeline."
        )
    check_is_fitted(estimator)


def codes_of(estimator, X, y, display, covariates=None):
    """Codes of both views as arrays, and the names of the components."""
    check_gives(estimator, "transform_pair", display, "the codes of both views")
    codes = codes_beside(estimator, X, y, covariates, f"{display}.from_estimator")
    x_codes, y_codes = map(np.asarray, codes)
    return x_codes, y_codes, component_names(estimator, x_codes.shape[1])


def check_codes_pair(x_codes, y_codes, allow_missing=True):
    """Codes of both views as arrays of the same shape; NaN means a missing view."""
    finite = "allow-nan" if allow_missing else True
    x_codes, y_codes = (
        check_array(codes, ensure_all_finite=finite, input_name=name)
        for codes, name in ((x_codes, "x_codes"), (y_codes, "y_codes"))
    )
    if x_codes.shape != y_codes.shape:
        raise ValueError(
            "x_codes and y_codes must have the same shape, with a row for each sample "
            "and a column for each component. Got "
            f"{x_codes.shape} and {y_codes.shape}."
        )
    return x_codes, y_codes


def check_components(components, n_components, n=None):
    """Numbers of components as a list of int; None means all of them."""
    if components is None and n is None:
        return list(range(n_components))
    if n is not None and n_components < n:
        raise ValueError(
            f"The picture needs {n} components, but the codes have {n_components}: "
            f"fit an estimator with n_components={n} or more."
        )
    chosen = list(components) if np.iterable(components) else None
    if chosen is None or (n is not None and len(chosen) != n):
        raise ValueError(
            f"components must be {'' if n is None else f'{n} '}numbers in a list or "
            f"tuple. Got {components!r}."
        )
    for number in chosen:
        is_integer = isinstance(number, Integral) and not isinstance(number, bool)
        if not is_integer or not 0 <= int(number) < n_components:
            raise ValueError(
                f"components must be integers from 0 to {n_components - 1}, because "
                f"the codes have {n_components} components. Got {number!r}."
            )
    return [int(number) for number in chosen]


def check_component_names(names, n_components):
    """Names of all components as a list of str; None means numbered names."""
    if names is None:
        names = component_names(None, n_components)
    if isinstance(names, str) or len(names) != n_components:
        raise ValueError(
            f"component_names must be {n_components} names, one for each component of "
            f"the codes. Got {names!r}."
        )
    return [str(name) for name in names]
