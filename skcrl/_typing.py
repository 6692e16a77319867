"""Types of what users pass and get."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import metaestimators

# Views and codes: arrays, sparse or not, tables of any library, tensors, lists of
# texts, a TwoView. There is no type for everything that has rows.
Rows: TypeAlias = Any
Side: TypeAlias = Literal["x", "y"]
Metric: TypeAlias = Literal["cosine", "euclidean"]
Seed: TypeAlias = int | np.random.RandomState | None
File: TypeAlias = str | PathLike[str]
# One number for both views, or one for each view.
Reals: TypeAlias = float | Sequence[float] | np.ndarray
# Sizes of hidden layers, for both encoders or for each of them.
Sizes: TypeAlias = Sequence[int] | Sequence[Sequence[int]] | np.ndarray
Activation: TypeAlias = Literal[
    "identity", "relu", "leaky_relu", "elu", "sigmoid", "tanh", "cube_root"
]
Optimizer: TypeAlias = Literal["adam", "adamw", "sgd", "rmsprop", "nesterov", "lbfgs"]
Schedule: TypeAlias = Literal["constant", "one_cycle", "refine"] | None

_Method = TypeVar("_Method", bound=Callable[..., Any])


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[_Method], _Method]:
    """scikit-learn's decorator of ``fit``, typed to keep the type of the method."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def available_if(check: Callable[[Any], Any]) -> Callable[[_Method], _Method]:
    """scikit-learn's decorator, typed to keep the type of the method."""
    return metaestimators.available_if(check)
