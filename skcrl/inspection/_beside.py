"""What inspections and displays do with covariates: codes, columns and checks."""

from inspect import signature

import numpy as np

from skcrl._arrays import to_numpy
from skcrl._columns import centred
from skcrl._covariates import (
    ROUNDING,
    check_covariates,
    covariate_basis,
    require_freedom,
)
from skcrl._views import kind_of
from skcrl.compose._correlation_weights import found_in


def codes_beside(estimator, X, y, covariates, call):
    """Codes of both views of a fitted estimator; `call` names the caller in errors."""
    return estimator.transform_pair(X, y, **kwargs_of(estimator, covariates, call))


def kwargs_of(estimator, covariates, call):
    """The covariates as a keyword argument of a method of a fitted estimator."""
    if covariates is not None:
        require_takes_covariates(estimator)
        return {"covariates": covariates}
    if _takes(estimator) and found_in(estimator, "covariate_mean_") is not None:
        raise ValueError(
            f"This {type(estimator).__name__} was fitted with covariates, but "
            f"{call} got none. Pass the covariates of these rows as covariates= of "
            f"{call}."
        )
    return {}


def require_takes_covariates(estimator):
    """Raise ValueError if the estimator, or one inside it, takes no covariates."""
    while estimator is not None:
        if not _takes(estimator):
            raise ValueError(
                f"{type(estimator).__name__} takes no covariates, but LinearCCA and "
                "SparseCCA do, also in a ViewPipeline. Use one of these, or leave the "
                "covariates out."
            )
        estimator = getattr(estimator, "estimator", None)


def _takes(estimator):
    method = getattr(estimator, "transform_pair", None)
    return method is not None and "covariates" in signature(method).parameters


def fit_to(estimator, X, y, covariates):
    """Fit an estimator to views, and to covariates if there are any."""
    if covariates is None:
        return estimator.fit(X, y)
    return estimator.fit(X, y, covariates=covariates)


def covariates_in_memory(covariates, X, y):
    """Checked covariates (n_samples, c) as a NumPy array, also of a Dask array."""
    if kind_of(covariates).library == "dask":
        covariates = covariates.compute()
    return check_covariates(covariates, X, y)


def rows_of(covariates, rows):
    """Some rows of covariates, or None if there are none."""
    return None if covariates is None else kind_of(covariates).take(covariates, rows)


def adjusts_both(estimator):
    """Whether a fitted estimator removes the effect of covariates from both views."""
    slopes = (found_in(estimator, f"{side}_slopes_") for side in ("x", "y"))
    return all(of_view is not None for of_view in slopes)


def adjusted_columns(estimator, side, view, covariates):
    """Columns (n, p) of a view without the effect of the covariates on them.

    The view stays as it is if there are no covariates, or if the estimator does not
    adjust it. The effect is the one that ``fit`` estimated. If a pipeline changes the
    columns, ``fit`` knows only the effect on the changed ones, so the effect on the
    columns themselves is estimated from the given rows.
    """
    if covariates is None:
        return view
    changed = False
    while hasattr(estimator, "estimator_"):
        changed |= getattr(estimator, f"{side}_", None) is not None
        estimator = estimator.estimator_
    slopes = getattr(estimator, f"{side}_slopes_", None)
    if slopes is None:
        return view
    if changed:
        basis = covariate_basis(covariates).columns
        require_freedom(len(view) - 1, basis.shape[1])
        left = view - basis @ (basis.T @ centred(view))
    else:
        mean = to_numpy(estimator.covariate_mean_)
        left = view - (covariates - mean) @ to_numpy(slopes)
    # Columns that covariates explain completely, up to rounding, become constant.
    sizes, sizes_left = (np.sum(centred(Z) ** 2, axis=0) for Z in (view, left))
    return np.where(sizes_left > ROUNDING * sizes, left, 0.0)
