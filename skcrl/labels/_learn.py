"""Minimisation of a smooth objective of several arrays."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

# Number of past steps from which the curvature is approximated.
_MEMORY = 20


class Learned(NamedTuple):
    """Arrays that minimise an objective, and how they were found."""

    arrays: list[np.ndarray]
    objective: float
    n_iter: int
    converged: bool


def learned(objective, arrays, max_iter, tol):
    """Minimise an objective by L-BFGS; no iteration increases it.

    Parameters
    ----------
    objective : callable
        Called with `arrays`, it returns a number and its gradient for each array.
    arrays : list of ndarray
        Where to start.
    max_iter : int
        Largest number of iterations.
    tol : float
        The search stops when an iteration lowers the objective by less than `tol`, or
        by less than `tol` times the objective if that is above 1.
    """
    shapes = [array.shape for array in arrays]
    ends = np.cumsum([array.size for array in arrays])[:-1]

    def parts(vector):
        return [
            part.reshape(shape)
            for part, shape in zip(np.split(vector, ends), shapes, strict=True)
        ]

    def of_vector(vector):
        value, *gradients = objective(*parts(vector))
        return value, np.concatenate([gradient.ravel() for gradient in gradients])

    found = minimize(
        of_vector,
        np.concatenate([array.ravel() for array in arrays]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": max_iter,
            "maxfun": 10 * max_iter,
            "maxcor": _MEMORY,
            "ftol": tol,
            "gtol": 0.0,
        },
    )
    return Learned(parts(found.x), float(found.fun), found.nit, found.status != 1)
