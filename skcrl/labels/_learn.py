"""A smooth objective of several arrays, minimised."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

# Steps that the approximation of the curvature looks back on.
_MEMORY = 20


class Learned(NamedTuple):
    """Arrays that an objective is least at, and how they were found."""

    arrays: list[np.ndarray]
    objective: float
    n_iter: int
    converged: bool


def learned(objective, arrays, max_iter, tol):
    """Minimise by L-BFGS, whose objective never rises.

    Parameters
    ----------
    objective : callable
        Gives, for `arrays` as arguments, a number and its gradient by each.
    arrays : list of ndarray
        Where to start.
    max_iter : int
        Iterations, at most.
    tol : float
        Fall of the objective in one iteration, as a share of it or of 1 if it is less,
        below which it ends.
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
