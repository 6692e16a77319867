"""Description of a model for people, as plain JSON that is stored with the model."""

import re
import sys
from datetime import UTC, datetime
from math import isfinite
from textwrap import shorten
from typing import Any

import numpy as np

from skcrl.persistence._attributes import without_machine

# Largest number of items of a list or a dict, and of characters of a text, in a card.
_ITEMS, _CHARACTERS = 50, 200
# Largest number of correlations in a card.
_FIRST = 10
# An address in memory, in the printed form of an object.
_ADDRESS = re.compile(" at 0x[0-9A-Fa-f]+")
# Attributes in which an estimator may have the fitted estimator that it wraps.
_WRAPPED = ("estimator_", "representation_", "estimator")
_LIBRARIES = {
    "skcrl": "skcrl",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "torch": "torch",
}


def card_of(estimator):
    """Card of a fitted estimator.

    Parameters
    ----------
    estimator : estimator of skcrl
        If it wraps another estimator, the views and the scores are those of the inner
        one.

    Returns
    -------
    card : dict
        Plain data, as in JSON: class, parameters, views, scores, versions, and the time
        of writing. Values that are not plain data are described by their printed form.
    """
    inner = _innermost(estimator)
    card = _named(estimator)
    if inner is not estimator:
        card["estimator"] = _named(inner)
    is_deep = type(inner).__module__.startswith("skcrl.deep")
    return {**card, "views": _views(inner), "scores": _scores(inner), **origin(is_deep)}


def origin(is_deep):
    """The versions of the libraries that write a file, and the time."""
    return {
        "versions": {
            name: sys.modules[module].__version__
            for module, name in _LIBRARIES.items()
            if module != "torch" or is_deep
        },
        "written": now(),
    }


def now():
    """The present time, without fractions of a second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def told(value) -> Any:
    """A value as short plain data."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict) and len(value) <= _ITEMS:
        return {_text(str(name)): told(item) for name, item in value.items()}
    is_list = isinstance(value, list | tuple)
    is_list |= isinstance(value, np.ndarray) and value.ndim == 1
    if is_list and len(value) <= _ITEMS:
        return [told(item) for item in value]
    return _text(_ADDRESS.sub("", repr(value)))


def _text(text):
    # A file cannot hold half of a character (a surrogate).
    whole = text.encode("utf-8", "replace").decode()
    return shorten(whole, _CHARACTERS, placeholder=" ...")


def _innermost(estimator):
    for name in _WRAPPED:
        if getattr(estimator, name, None) is not None:
            return _innermost(getattr(estimator, name))
    return estimator


def _named(estimator):
    return {
        "class": type(estimator).__name__,
        "parameters": told(without_machine(estimator.get_params(deep=False))),
    }


def _views(estimator):
    """Number of rows that the estimator was fitted to, and shape of a row by view."""
    shapes = getattr(estimator, "_sample_shapes", {})
    rows = getattr(estimator, "n_samples_seen_", getattr(estimator, "_n_rows", None))
    views = {"n_samples": rows, **shapes}
    if hasattr(estimator, "covariate_mean_"):
        views["n_covariates"] = len(estimator.covariate_mean_)
    return told(views)


def _scores(estimator):
    """Correlations of the training codes, and the last row of the history."""
    scores = scores_of(getattr(estimator, "history_", []))
    correlations = getattr(estimator, "correlations_", None)
    if correlations is not None:
        values = [round(float(value), 4) for value in correlations]
        scores["total_correlation"] = round(sum(values), 4)
        name = "correlations" if len(values) <= _FIRST else "first_correlations"
        scores[name] = values[:_FIRST]
    return told(scores)


def scores_of(history):
    """Number of epochs of a training, and the losses and scores of the last one."""
    last = {
        name: value
        for name, value in (history[-1] if history else {}).items()
        if isinstance(value, float) and name != "dur"
    }
    return {"epochs": len(history), **last} if history else {}
