"""What displays ask of fitted estimators, and their arguments that are wrong."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from skcrl.inspection._results import component_names


def check_gives(estimator, method, display, what):
    """Refuse an estimator that is not fitted, or that lacks what a display shows."""
    if isinstance(estimator, type):
        raise ValueError(
            f"{display} draws {what} of a fitted estimator, and {estimator.__name__} "
            "is a class: make an estimator of it, and fit that first."
        )
    if not hasattr(estimator, method):
        raise ValueError(
            f"{display} draws {what}, and {type(estimator).__name__} does not give "
            f"them: it has no method {method}. Pass a fitted two-view estimator of "
            "skcrl, for example LinearCCA or the best_estimator_ of a search. With "
            "steps before it, use make_view_pipeline in place of make_pipeline."
        )
    check_is_fitted(estimator)


def codes_of(estimator, X, y, display):
    """Codes of both views as arrays, and the names of the components."""
    check_gives(estimator, "transform_pair", display, "the codes of both views")
    x_codes, y_codes = map(np.asarray, estimator.transform_pair(X, y))
    return x_codes, y_codes, component_names(estimator, x_codes.shape[1])


def check_codes_pair(x_codes, y_codes, allow_missing=True):
    """Codes of both views, arrays of one shape; NaN stands for a missing view."""
    finite = "allow-nan" if allow_missing else True
    x_codes, y_codes = (
        check_array(codes, ensure_all_finite=finite, input_name=name)
        for codes, name in ((x_codes, "x_codes"), (y_codes, "y_codes"))
    )
    if x_codes.shape != y_codes.shape:
        raise ValueError(
            "x_codes and y_codes must have the same shape, a row for each sample and a "
            f"column for each component. Got {x_codes.shape} and {y_codes.shape}."
        )
    return x_codes, y_codes


def check_components(components, n_components, n=None):
    """Numbers of components as a list of int, all of them for None."""
    if components is None and n is None:
        return list(range(n_components))
    if n is not None and n_components < n:
        raise ValueError(
            f"The picture is of {n} components, and the codes have {n_components}: "
            f"fit an estimator of n_components={n} or more."
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
                f"components must be integers from 0 to {n_components - 1}, as the "
                f"number of components of the codes is {n_components}. Got {number!r}."
            )
    return [int(number) for number in chosen]


def check_component_names(names, n_components):
    """Names of all components as a list of str, numbered ones for None."""
    if names is None:
        names = component_names(None, n_components)
    if isinstance(names, str) or len(names) != n_components:
        raise ValueError(
            f"component_names must be {n_components} names, one for each component of "
            f"the codes. Got {names!r}."
        )
    return [str(name) for name in names]
