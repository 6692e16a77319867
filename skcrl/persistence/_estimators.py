"""Estimators of skcrl and of scikit-learn as documents and arrays, and back.

A document names classes that are listed here. It holds their state, but no code.
"""

from importlib import import_module
from inspect import Parameter, signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils._metadata_requests import SIMPLE_METHODS, MetadataRequest

from skcrl._arrays import untensored
from skcrl.persistence._attributes import unknown_names, without_machine
from skcrl.persistence._networks import NETWORKS, Network
from skcrl.persistence._plain import Reader, Writer, marked
from skcrl.persistence._trusted import check_trusted

# Classes of skcrl that may be in a file, and their modules: estimators and their parts.
_HOMES = {
    "CCALRanker": "skcrl.deep",
    "CorrNet": "skcrl.deep",
    "CrossViewClassifier": "skcrl.transfer",
    "CrossViewRetriever": "skcrl.retrieval",
    "DeepCCA": "skcrl.deep",
    "DeepCommonIndividual": "skcrl.deep",
    "DeepLabelEmbedding": "skcrl.deep",
    "KernelCCA": "skcrl.kernel",
    "LabelEmbedding": "skcrl.labels",
    "LinearCCA": "skcrl.linear",
    "LinearCommonIndividual": "skcrl.linear",
    "MultimodalAutoencoder": "skcrl.deep",
    "ProbabilisticCCA": "skcrl.linear",
    "Restarts": "skcrl.compose",
    "RoutedView": "skcrl.compose",
    "SelfLearning": "skcrl.compose",
    "SemanticEmbedding": "skcrl.labels",
    "SemanticMatching": "skcrl.matching",
    "SparseCCA": "skcrl.linear",
    "TiedBidirectional": "skcrl.deep",
    "View": "skcrl.base",
    "ViewPipeline": "skcrl.compose",
    "CodeFeatures": "skcrl.kernel._decoder",
    "Encoder": "skcrl.kernel._kernels",
    "FourierMap": "skcrl.kernel._feature_maps",
    "Hubness": "skcrl.metrics",
    "Index": "skcrl.retrieval._index",
    "Kernel": "skcrl.kernel._kernels",
    "KernelDecoder": "skcrl.kernel._decoder",
    "KernelRows": "skcrl.kernel._kernels",
    "LinearDecoder": "skcrl._decoder",
    "Moments": "skcrl._moments",
    "NystroemMap": "skcrl.kernel._feature_maps",
    "RandomAffine": "skcrl.deep.augment",
    "RandomShift": "skcrl.deep.augment",
    "Regression": "skcrl.deep._residual",
    "Residual": "skcrl.deep._residual",
    "SparseProducts": "skcrl._sparse",
    "TwoViewNet": "skcrl.deep._net",
    "Units": "skcrl.deep._units",
}
# Modules of scikit-learn whose estimators may be in a file. The modules of clusters and
# of neighbours are not among them, because their compiled routines trust fitted state.
_SKLEARN = {
    f"sklearn.{name}"
    for name in (
        "calibration",
        "compose",
        "covariance",
        "cross_decomposition",
        "decomposition",
        "discriminant_analysis",
        "dummy",
        "ensemble",
        "feature_extraction",
        "feature_extraction.text",
        "feature_selection",
        "frozen",
        "impute",
        "isotonic",
        "kernel_approximation",
        "kernel_ridge",
        "linear_model",
        "mixture",
        "model_selection",
        "multiclass",
        "multioutput",
        "naive_bayes",
        "neural_network",
        "pipeline",
        "preprocessing",
        "random_projection",
        "svm",
    )
}
# Each object counts as often as other objects hold it. A file may hold up to the first
# number of objects, or up to the second number for each different object.
_OBJECTS, _TIMES_HELD = 1000, 10
# Private classes of scikit-learn that are parts of these estimators.
_SKLEARN_PARTS = {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.multiclass._ConstantPredictor",
}


class EstimatorWriter(Writer):
    """Makes documents of estimators whose state is plain data or other estimators."""

    def __init__(self):
        super().__init__()
        self._objects_known = {}
        self._networks = set()

    def _other(self, value, where):
        if id(value) in self._objects_known:
            return marked("same", self._objects_known[id(value)][0])
        kind = type(value)
        if kind is Network:
            return marked("network", list(value))
        if kind is MetadataRequest:
            return marked("requests", self._encode(_requests(value), where))
        name = _name(kind)
        if name is None:
            instead = "; or replace it first, by set_params if it is a parameter"
            raise ValueError(
                f"{where or 'the estimator'} is of type "
                f"{kind.__module__}.{kind.__qualname__}: a file of skcrl can hold "
                "plain data and known estimators, but no code. Use joblib instead, "
                f"which writes a pickle{instead if where else ''}."
            )
        _check_parameters(value)
        parameters = signature(kind).parameters
        state = _state(value)
        if hasattr(kind, "_check_state"):
            _take_networks(state, self._networks)
        else:
            for key in unknown_names(kind, state):
                raise ValueError(
                    f"{_place(key, False, kind, where)} is not one that "
                    f"{kind.__name__} sets itself, and a file of skcrl can hold no "
                    "others: delete it first."
                )
        state = {
            key: self._encode(item, _place(key, key in parameters, kind, where))
            for key, item in without_machine(state).items()
        }
        # The object is kept too, so that no other object gets its address in memory.
        self._objects_known[id(value)] = len(self._objects_known), value
        return marked("object", {"class": name, "state": state})

    def _items(self, items, where):
        # The steps of scikit-learn: (name, estimator), some with a third item.
        if len(items) in (2, 3) and isinstance(items[0], str):
            if isinstance(items[1], BaseEstimator):
                _, _, steps = where.partition(" of ")
                step = f"step {items[0]!r} of {steps}"
                return [self._encode(item, step) for item in items]
        return super()._items(items, where)


class EstimatorReader(Reader):
    """Makes estimators from documents.

    No constructor is called, except those of named tuples and of networks of skcrl.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Arrays that the document refers to.
    networks : dict of str to nn.Module or None, default=None
        The user's networks, by the names of their parameters.
    """

    def __init__(self, arrays, networks=None):
        super().__init__(arrays)
        self._given = networks or {}
        self._networks = set()
        self._objects_known = []
        self._sizes = []  # number of objects in each object, with itself
        self._unfolded = 0
        self._taken = set()
        self._marks["object"] = self._object
        self._marks["same"] = self._same
        self._marks["requests"] = self._metadata_request
        self._marks["network"] = lambda of: self._given[of[0]]

    def _object(self, of):
        kind, before = found(of["class"]), self._unfolded
        state = {key: self.decode(item) for key, item in of["state"].items()}
        value = self._made(kind, state)
        self._objects_known.append(value)
        self._count(1)
        self._sizes.append(self._unfolded - before)
        return value

    def _same(self, of):
        if not 0 <= of < len(self._objects_known):
            raise ValueError(f"it refers to object {of!r:.50}, which it does not have")
        self._count(self._sizes[of])
        return self._objects_known[of]

    def _count(self, size):
        """Refuse objects that hold each other too often: visiting all would not end."""
        self._unfolded += size
        if self._unfolded > max(_OBJECTS, _TIMES_HELD * len(self._objects_known)):
            raise ValueError("its objects hold each other too often")

    def _metadata_request(self, of):
        owner, requests = self.decode(of)
        made = MetadataRequest(owner)
        for method, aliases in requests.items():
            if method not in SIMPLE_METHODS:
                raise ValueError(f"it requests metadata for {method!r:.50}")
            for name, alias in aliases.items():
                getattr(made, method).add_request(param=name, alias=alias)
        return made

    def _made(self, kind, state):
        state = without_machine(state)
        if issubclass(kind, tuple):
            _check_part(kind, state)
            return kind(**state)
        if hasattr(kind, "_check_state"):
            self._take(state["module"])
            _take_networks(state, self._networks)
            kind._check_state(state)
        else:
            _check_names(kind, state)
            if issubclass(kind, BaseEstimator):
                state = _with_parameters(kind, state)
        value = kind.__new__(kind)
        if hasattr(kind, "__setstate__"):
            value.__setstate__(state)
        else:
            vars(value).update(state)
        _check_parameters(value)
        check_trusted(value)
        if hasattr(kind, "_check_loaded"):
            value._check_loaded()
        return value

    def _take(self, weights):
        """Refuse weights that another network has, because each has its own copy."""
        for weight in weights.values():
            memory = (
                weight.__array_interface__["data"][0] if weight.size else id(weight)
            )
            if memory in self._taken:
                raise ValueError("its networks share their weights")
            self._taken.add(memory)


def found(name):
    """The class that has this name in documents."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    module, _, name_there = name.rpartition(".")
    if module in _SKLEARN:
        kind = getattr(import_module(module), name_there, None)
        if isinstance(kind, type) and _name(kind) == name:
            return kind
    raise ValueError(f"it holds a {name!r:.80}, which this skcrl does not load")


def _name(kind):
    """Name of a class in documents, or None if documents may not hold it."""
    module, name = kind.__module__, kind.__name__
    if module.startswith("skcrl.") and name in _HOMES:
        return name if found(name) is kind else None
    public = module.partition("._")[0]
    full = f"{public}.{name}"
    is_known = full in _SKLEARN_PARTS or (
        issubclass(kind, BaseEstimator) and not name.startswith("_")
    )
    if public not in _SKLEARN or not is_known:
        return None
    return full if getattr(import_module(public), name, None) is kind else None


def _requests(made):
    """Name of the owner of metadata requests, and the requests of its methods."""
    owner = made.owner if isinstance(made.owner, str) else type(made.owner).__name__
    requests = {method: getattr(made, method).requests for method in SIMPLE_METHODS}
    return owner, {method: dict(of) for method, of in requests.items() if of}


def _check_part(kind, state):
    """Raise ValueError if a part of an estimator holds code, or infinity or NaN."""
    for name, value in state.items():
        for part in value.values() if isinstance(value, dict) else [value]:
            numbers = untensored(part.data if issparse(part) else part)
            if isinstance(numbers, np.ndarray) and numbers.dtype.kind == "f":
                if not np.isfinite(numbers).all():
                    raise ValueError(f"its {name} of {kind.__name__} is not finite")
            elif callable(part) and not hasattr(type(part), "_fields"):
                raise ValueError(f"its {name} of {kind.__name__} is {part!r:.50}")


def _state(value: Any):
    if hasattr(type(value), "_state_to_save"):
        return value._state_to_save()
    return value._asdict() if hasattr(type(value), "_fields") else value.__getstate__()


def _take_networks(state, taken):
    """Note the user's networks of a trained net; refuse a name that two nets use."""
    for key, value in state["made_with"]["parameters"].items():
        name = key.removeprefix("module__")
        if name in NETWORKS and value is not None:
            if name in taken:
                raise ValueError(
                    f"it holds two estimators with an {name} of your own, but load "
                    "takes only one of that name: save them separately, or use joblib, "
                    "which writes a pickle."
                )
            taken.add(name)


def _check_parameters(value):
    """Raise ValueError if a parameter of an estimator is out of its range."""
    if hasattr(value, "_parameter_constraints"):
        value._validate_params()


def _place(key, is_parameter, kind, where):
    """Name of an attribute in errors; its estimator is called `where`."""
    noun = "parameter" if is_parameter else "attribute"
    return f"{noun} {key} of {kind.__name__}" + (f", in {where}" if where else "")


def _check_names(kind, state):
    """Raise ValueError for attributes that objects of the class do not have."""
    for name in unknown_names(kind, state):
        package = kind.__module__.partition(".")[0]
        raise ValueError(
            f"its {kind.__name__} has a {name:.50}, which this {package} does not "
            f"know: update {package}"
        )


def _with_parameters(kind, state):
    """State with all parameters; those that it lacks are new, and get their default."""
    known = {
        name: parameter.default
        for name, parameter in signature(kind).parameters.items()
    }
    missing = {name: known[name] for name in known if name not in state}
    for name, default in missing.items():
        if default is Parameter.empty:
            raise ValueError(f"its {kind.__name__} has no {name}")
    return {**state, **missing}
