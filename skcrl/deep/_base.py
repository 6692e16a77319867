"""The one training path of the deep estimators."""

import sys
import warnings
from abc import abstractmethod
from contextlib import contextmanager
from copy import copy, deepcopy
from inspect import signature
from numbers import Integral, Real
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl import _linalg, _moments
from skcrl._arrays import untensored
from skcrl._typing import (
    Rows,
    fit_context,
)
from skcrl._validation import (
    NAMES,
    check_available,
    check_pair,
    check_weights,
    random_source,
    require_samples,
    restored_on_error,
)
from skcrl._views import check_beside
from skcrl.base import TwoViewTransformer
from skcrl.deep._callbacks import (
    Checkpoints,
    Convergence,
    HeldOutScore,
    Patience,
    check_callbacks,
    clipping,
    is_falling,
)
from skcrl.deep._checkpoint import Checkpoint
from skcrl.deep._data import PairBatches, PairDataset, PairSplit, require_float32
from skcrl.deep._learned import (
    N_ROWS,
    warn_of_constant_codes,
    warn_of_no_reconstruction,
)
from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep._plan import plan_of
from skcrl.deep._units import Units
from skcrl.deep.modules import ACTIVATIONS
from skcrl.metrics import pearson_sum
from skcrl.metrics._relevance import check_classes
from skcrl.persistence._networks import NETWORKS, Network

OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    # The decay of the papers and of Keras; torch's own default is 0.99.
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9}),
    "sgd": (torch.optim.SGD, {}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "lbfgs": (torch.optim.LBFGS, {"line_search_fn": "strong_wolfe"}),
}

# Activations that give any number.
_UNBOUNDED = {"identity", "leaky_relu"}

# What net_params may name, and the parameters that are set elsewhere.
_NET_PREFIXES = ("optimizer__", "iterator_train__", "iterator_valid__")
_OWN_PARAMETERS = {
    "optimizer__lr": "lr",
    "optimizer__weight_decay": "weight_decay",
    "iterator_train__batch_size": "batch_size",
    "iterator_valid__batch_size": "batch_size",
    "iterator_train__seed": "random_state",
    "iterator_train__device": "device",
    "iterator_valid__device": "device",
}

TRAINING_CONSTRAINTS: dict[str, list] = {
    "hidden_layer_sizes": ["array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "optimizer": [StrOptions(set(OPTIMIZERS))],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "lr_schedule": [StrOptions({"constant", "one_cycle", "refine"}), None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
    "standardize": ["boolean"],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Interval(Real, 0, None, closed="left")],
    "validation_fraction": [Interval(Real, 0, 1, closed="left"), None],
    "early_stopping": ["boolean", None],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "monitor": [StrOptions({"loss", "score"})],
    "callbacks": [list, None],
    "device": [str],
    "mixed_precision": ["boolean"],
    "compile": ["boolean"],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "checkpoint": [str, PathLike, None],
    "checkpoint_every": [Interval(Integral, 1, None, closed="left")],
    "net_params": [dict, None],
}


class BaseDeepTwoView(TwoViewTransformer):
    """Trains a module on pairs; holds the skorch net that did, as `net_`.

    A final class stores its parameters, those of TRAINING_CONSTRAINTS among them, and
    answers two questions: which module, and which loss. What it computes from the
    trained module goes into ``_finish``.
    """

    net_: TwoViewNet
    # What `standardize` was in fit; models of files that do not say go on.
    _standardized = True

    _accepts_sparse = True
    _accepts_tensors = True
    # Whether rows of which one view is missing are trained on.
    _trains_on_unpaired = False
    # Share of the entries of few rows that is dropped if they have more columns.
    _wide_dropout = 0.5

    @property
    def _min_batch_rows(self):
        """Fewest rows that the objective means anything on."""
        return 2

    @property
    def _min_validation_rows(self):
        """Fewest validation rows that it can be watched on."""
        return self._min_batch_rows

    def _batch_rows(self, n_rows):
        """Rows of a batch, of data of `n_rows`, if the user names none."""
        return 100

    def _takes_any_shape(self, side):
        return getattr(self, f"{side}_encoder", None) is not None

    def _has_own_module(self, side):
        """Whether a view goes through a module of the user's, made for its units."""
        parts = (f"{side}_encoder", f"{side}_decoder")
        return any(getattr(self, part, None) is not None for part in parts)

    @abstractmethod
    def _module(self, plan):
        """Class of the module and its keyword arguments, known once widths are."""

    @abstractmethod
    def _objective(self):
        """Loss function and its hyper-parameters."""

    def _check_parameters(self):
        """Raise ValueError for parameters that contradict each other."""

    def _check_net(self, net, X, y):
        """Raise ValueError for an untrained net that does not suit the data."""

    def _prepare(self, net, X, y, weights):
        """Give a fresh net better weights than those drawn, before it is trained."""

    def _finish(self, X, y, weights):
        """Compute fitted state from the trained `net_` and the training views."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None) -> Self:
        """Train on paired views.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view, perhaps sparse.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. CorrNet, MultimodalAutoencoder and
            TiedBidirectional take a row of NaN in either view for a missing one.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, not negative; None is one each. Whole
            numbers mean repeated rows: in one batch, as of "lbfgs", exactly; in
            several, on average.

        Returns
        -------
        self : estimator
            Fitted estimator; with ``warm_start=True``, trained on from where it was,
            and if `checkpoint` names a file, from where that is.

        Raises
        ------
        ValueError
            If the views, the weights or the parameters do not fit together, or
            `checkpoint` names a file of another training or none of skcrl's. As after
            any error and KeyboardInterrupt, the estimator is then as it was before.
        FloatingPointError
            If training diverges.
        """
        return self._fit(X, y, sample_weight)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Rows, y: Rows, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch.

        Calls with the same data add up to one ``fit`` with as many epochs, but for
        callbacks, early stopping and schedules of the learning rate, which begin anew
        in each call. What follows the training, as the closing CCA and decoders of
        DeepCCA do, is fitted to the rows of the last call.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First view, perhaps sparse.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second view, paired with `X`. CorrNet, MultimodalAutoencoder and
            TiedBidirectional take a row of NaN in either view for a missing one.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            How many samples each row stands for, as in ``fit``.

        Returns
        -------
        self : estimator
            Trained estimator.

        Raises
        ------
        ValueError, FloatingPointError
            As in ``fit``. A `checkpoint` is refused: it keeps whole trainings.
        """
        return self._partial_fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, groups=None):
        going_on = self.warm_start and hasattr(self, "net_")
        return self._train(X, y, sample_weight, groups, going_on)

    def _partial_fit(self, X, y, sample_weight, groups=None):
        if self.checkpoint is not None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} keeps the training of fit, and "
                "partial_fit is one epoch of a training of yours: set checkpoint=None."
            )
        going_on = hasattr(self, "net_")
        return self._train(X, y, sample_weight, groups, going_on, is_part=True)

    def _train(self, X, y, sample_weight, groups, going_on, is_part=False):
        with restored_on_error(self), _drawn_from(self.random_state):
            X, y, weights, groups, present = self._checked(
                X, y, sample_weight, groups, reset=not going_on
            )
            views = {"x": untensored(X), "y": untensored(y)}
            for side, view in views.items():
                require_float32(view, NAMES[side])
            units = (
                self.net_.units if going_on else self._units(views, present, weights)
            )
            arrays = {
                side: (
                    units[side].standardised(view, np.float32)
                    if side in units
                    else view
                )
                for side, view in views.items()
            }
            has_x, has_y = present or (None, None)
            data = PairDataset.from_arrays(
                arrays["x"], arrays["y"], has_x, has_y, weights
            )
            data.partners = self._partners(data, groups)
            plan = plan_of(self, data, is_part)
            self._check_training(data, plan)
            checkpoint = None
            if self.checkpoint is not None:
                checkpoint = Checkpoint(
                    self, views["x"], views["y"], weights, groups, plan.n_epochs
                )
            net = self._net_to_train(arrays, weights, plan, checkpoint, going_on)
            n_before = len(net.history)
            is_cut_short = self._run_epochs(net, data, plan, checkpoint)
            net.units = units
            self._standardized, self._n_rows = self.standardize, len(data)
            self.history_ = net.epochs()
            self.n_iter_ = len(self.history_)
            self._hold(net, X, y, weights)
            if not is_part:
                if is_cut_short:
                    self._warn_if_falling(self.history_[n_before:], plan)
                self._warn_of_nothing_learned(*views.values(), *present)
        return self

    def _checked(self, X, y, sample_weight, groups, reset):
        """What to train on, without the rows of weight 0."""
        check_beside(X, sample_weight, "sample_weight")
        check_beside(X, groups, "groups")
        X, y, *present = self._check_views(X, y, reset=reset)
        if groups is not None:
            groups = _check_groups(groups, X.shape[0])
        X, y, weights, kept = check_weights(X, y, sample_weight)
        if weights is not None:
            require_samples(weights)
        present = [there[kept] for there in present]
        groups = None if groups is None else groups[kept]
        _require_some_paired(self, present)
        return X, y, weights, groups, present

    def _net_to_train(self, arrays, weights, plan, checkpoint, going_on):
        """The net that training begins with, which suits the data."""
        if going_on:
            net = self._go_on(plan)
            self._check_net(net, arrays["x"], arrays["y"])
            return net
        seed = checkpoint.seed if checkpoint else None
        net = self._make_net(self._draw_seed(seed), plan)
        self._check_net(net, arrays["x"], arrays["y"])
        if seed is None:
            self._prepare(net, arrays["x"], arrays["y"], weights)
        return net

    def _units(self, views, present, weights):
        """Units to train in, of the views that are standardised."""
        units = {}
        for (side, view), there in zip(
            views.items(), present or (slice(None),) * 2, strict=True
        ):
            as_it_comes = sparse.issparse(view) or self._has_own_module(side)
            if self.standardize and not as_it_comes:
                weights_there = None if weights is None else weights[there]
                units[side] = Units.of(view[there], weights_there)
        output_activation = getattr(self, "output_activation", "identity")
        if units and output_activation not in _UNBOUNDED:
            raise ValueError(
                f"output_activation={output_activation!r} cannot give all the values "
                "of standardised views: set standardize=False, and bring the views to "
                "the range that it gives."
            )
        return units

    def _partners(self, data, groups):
        """Which rows of the data share a partner; None where no one asks."""
        return None

    def _run_epochs(self, net, data, plan, checkpoint):
        callbacks, n_done = self._callbacks(plan), 0
        if checkpoint:
            # Last, when the others are through with an epoch.
            callbacks.append(Checkpoints(checkpoint, self.checkpoint_every))
            n_done = checkpoint.n_done
        try:
            cycle_rate = plan.lr_schedule == "one_cycle"
            return net.train_epochs(data, plan.n_epochs, callbacks, cycle_rate, n_done)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Training diverged in epoch {len(net.history)}: {error}. "
                f"{self._divergence_advice()} Views should be of order one."
            ) from error

    def _warn_if_falling(self, history, plan):
        """Warn where the loss was falling at the end of a training of this history."""
        losses = [row["train_loss"] for row in history]
        if self.tol == 0 or plan.lr_schedule == "one_cycle" or len(losses) < 2:
            return
        if is_falling(losses, plan.epochs_to_compare, self.tol):
            more = f"max_epochs to more than {len(losses)}"
            if self.max_epochs is not None:
                more += ", or to None, with which training ends by itself"
            warnings.warn(
                f"Training of {type(self).__name__} ended after {len(losses)} epochs, "
                f"with its loss still falling. Set {more}; or lr to more than "
                f"{self.lr}; or tol=0, if it is to end there.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _warn_of_nothing_learned(self, X, y, has_x=None, has_y=None):
        """Warn where codes are constant, or views rebuilt no better than by means."""
        if has_x is not None:
            X, y = X[has_x & has_y], y[has_x & has_y]
        X, y = X[:N_ROWS], y[:N_ROWS]
        warn_of_constant_codes(self, "X", X, self._encode(X, "x"))
        warn_of_constant_codes(self, "y", y, self._encode(y, "y"))
        for name, view, rebuilt in self._rebuilt_in_training(X, y):
            units = self.net_.units.get("x" if name == "X" else "y")
            if units is not None:  # in which the objective counts errors
                view, rebuilt = map(units.standardised, (view, rebuilt))
            warn_of_no_reconstruction(self, name, view, rebuilt)

    def _rebuilt_in_training(self, X, y):
        """Names of views, the views, and what the objective had them rebuilt as."""
        return ()

    def _check_views(self, X, y, reset):
        """Both views and, where rows may be unpaired, which rows are there."""
        if X is None or y is None or not self._trains_on_unpaired:
            return check_pair(self, X, y, reset=reset, min_samples=2)
        return check_available(self, X, y, reset=reset, min_samples=2)

    def _hold(self, net, X, y, weights):
        """Become the estimator that `net` makes, trained on `X` and `y`."""
        self.net_ = net
        self.n_components_ = self.n_components
        self._finish(X, y, weights)

    def _callbacks(self, plan):
        """Callbacks of a training, the user's among them."""
        callbacks = deepcopy(list(self.callbacks or []))
        if self.monitor != "loss" and plan.validation_fraction:
            callbacks.insert(0, HeldOutScore(self.monitor, self._held_out_score))
        if plan.stops_early:
            refine = plan.lr_schedule == "refine"
            patience = self.n_iter_no_change
            callbacks.append(Patience(self.monitor, patience, refine, self.tol))
        elif plan.stops_at_convergence:
            callbacks.append(Convergence(plan.epochs_to_compare, self.tol))
        if self.gradient_clip is not None:
            callbacks.append(clipping(self.gradient_clip))
        return callbacks

    def _held_out_score(self, net, train, valid):
        """Score on validation data of the estimator that training would end in now."""
        probe = copy(self)
        X, y = train.complete()
        probe._hold(net, X, y, train.complete_weights())
        X, y = valid.complete()
        codes = probe._encode(X, "x"), probe._encode(y, "y")
        weights = valid.complete_weights()
        if weights is None:
            return pearson_sum(*codes)
        m = _moments.moments(*codes, weights=weights)
        return float(_linalg.matched(_moments.covariances(m)).singular_values.sum())

    def _draw_seed(self, begun_with):
        """Seed of a training, drawn even if it began with one already.

        So a RandomState moves on as if the training had not been interrupted.
        """
        drawn = random_source(self.random_state).randint(np.iinfo(np.int32).max)
        return drawn if begun_with is None else begun_with

    def _go_on(self, plan):
        """New net with the parameters of now and the state of the fitted one."""
        net = self._make_net(self.net_.seed, plan)
        before, now = (_lasting_parameters(n) for n in (self.net_, net))
        before["standardize"] = self._standardized
        now["standardize"] = self.standardize
        for name in sorted(before | now):
            if before.get(name) != now.get(name):
                raise ValueError(
                    f"{name} was {before.get(name)!r} in fit and is {now.get(name)!r} "
                    "now: training goes on with the same network and optimizer only. "
                    "Fit anew, with warm_start=False."
                )
        return net.set_state(self.net_.get_state())

    def _make_net(self, seed, plan):
        module, module_kwargs = self._module(plan)
        function, hyper = self._objective()
        optimizer, optimizer_kwargs = OPTIMIZERS[self.optimizer]
        is_full_batch = self.optimizer == "lbfgs"
        if not is_full_batch:
            optimizer_kwargs = {**optimizer_kwargs, "weight_decay": plan.weight_decay}
        net = TwoViewNet(
            module,
            seed=seed,
            criterion=Objective,
            criterion__function=function,
            criterion__hyper=hyper,
            optimizer=optimizer,
            lr=self.lr,
            batch_size=sys.maxsize if is_full_batch else plan.batch_size,
            penalty=plan.weight_decay if is_full_batch else 0.0,
            mixed_precision=self.mixed_precision,
            compiled=self.compile,
            train_split=(
                PairSplit(plan.validation_fraction, seed)
                if plan.validation_fraction
                else None
            ),
            device=self.device,
            verbose=int(self.verbose),
            **{
                "iterator_train__shuffle": True,
                "iterator_train__device": self.device,
                "iterator_valid__device": self.device,
                **{f"optimizer__{name}": v for name, v in optimizer_kwargs.items()},
                **{f"module__{name}": v for name, v in module_kwargs.items()},
                **(self.net_params or {}),
            },
        )
        return net.initialize()

    def _check_training(self, data, plan):
        self._check_parameters()
        _check_hidden_layer_sizes(self.hidden_layer_sizes)
        check_callbacks(self.callbacks or [])
        _check_net_params(self.net_params or {}, OPTIMIZERS[self.optimizer][0])
        _check_device(self.device)
        if self.gradient_clip is not None and self.optimizer == "lbfgs":
            raise ValueError(
                "gradient_clip would mislead the line search of optimizer='lbfgs': "
                "choose another optimizer, or gradient_clip=None."
            )
        for name, needs_validation in (
            ("early_stopping=True", self.early_stopping and plan.stops_early),
            ("lr_schedule='refine'", self.lr_schedule == "refine" and plan.stops_early),
            ("monitor='score'", self.monitor == "score"),
        ):
            if needs_validation and self.validation_fraction == 0:
                raise ValueError(
                    f"{name} needs validation data, got validation_fraction=0: "
                    "set it to 0.1, say."
                )
        if self.lr_schedule == "refine" and self.early_stopping not in (None, True):
            raise ValueError(
                "lr_schedule='refine' lowers the rate where early stopping would stop: "
                "set early_stopping=True or None."
            )
        if self.checkpoint is not None:
            self._check_checkpoint()
        self._check_batches(data, plan)

    def _check_checkpoint(self):
        """Raise ValueError for trainings that a file could not bring back."""
        if self.warm_start:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} keeps a training from its beginning, "
                "and warm_start=True goes on from another: set either."
            )
        if self.callbacks:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} cannot keep the state of callbacks of "
                "yours, which would begin anew when training goes on: set "
                "callbacks=None, or checkpoint=None."
            )

    def _state_to_save(self):
        """State for a file of data, where names stand for networks of the user's."""
        fitted: Any = self.__getstate__()
        state = dict(fitted)
        trained = self.net_.get_params_for("module") if hasattr(self, "net_") else state
        for name in NETWORKS:
            if trained.get(name) is not state.get(name):
                raise ValueError(
                    f"{name} of {type(self).__name__} is not the one that it was "
                    "fitted with: set that again, or fit anew, before it is saved."
                )
            if state.get(name) is not None:
                state[name] = Network.of(name, state[name])
        return state

    def _check_loaded(self):
        super()._check_loaded()
        if hasattr(self, "net_"):
            k = self.n_components_
            width = self.net_.get_params_for("module").get("n_components", k)
            if width != k:
                raise ValueError(f"its n_components_ is {k}, of its network {width}")

    def _fitted_arrays(self):
        return {
            f"{part} of {side} in its network": (array, self._sample_shapes[side])
            for side, units in self.net_.units.items()
            for part, array in zip(units._fields, units, strict=True)
        }

    def _check_batches(self, data, plan):
        """Raise ValueError for batches of too few complete rows."""
        n_complete, n_unpaired = len(data.rows), len(data) - len(data.rows)
        n_valid = round(n_complete * plan.validation_fraction)
        n_train = n_complete - n_valid
        fewest = self._min_batch_rows
        rows = {"training samples": (n_train, fewest)}
        if self.optimizer != "lbfgs":
            rows["batch_size"] = plan.batch_size, fewest
        if plan.validation_fraction:
            # A score is a correlation, of two rows at least.
            least = self._min_validation_rows
            least = max(least, 2) if self.monitor == "score" else least
            rows["validation samples"] = n_valid, least
        needs = f"{type(self).__name__} needs batches of at least"
        advice = "Raise it"
        if fewest > 2:
            advice += f", or reduce n_components={self.n_components}"
        for name, (n, least) in rows.items():
            if n < least:
                raise ValueError(
                    f"{needs} {least} rows, got {name}={n} "
                    f"(n_samples={n_complete}). {advice}."
                )
        n_batches = max(1, (n_train + n_unpaired) // plan.batch_size)
        if self.optimizer != "lbfgs" and n_train // n_batches < fewest:
            enough = (n_train + n_unpaired) // (n_train // fewest)
            raise ValueError(
                f"{needs} {fewest} complete rows, but {n_train} of them spread among "
                f"{n_unpaired} unpaired ones leave {n_train // n_batches} to a batch "
                f"of batch_size={plan.batch_size}: use {enough} or more."
            )

    def _divergence_advice(self):
        return f"Reduce lr={self.lr}."


@contextmanager
def _drawn_from(random_state):
    """Put a RandomState back if the block raises, so that the next fit is the same."""
    if not isinstance(random_state, np.random.RandomState):
        yield
        return
    before = random_state.get_state()
    try:
        yield
    except BaseException:
        random_state.set_state(before)
        raise


def _lasting_parameters(net):
    """Parameters that the state of a net depends on; modules by what they print."""
    parameters = {"optimizer": net.optimizer.__name__}
    for name, value in net.get_params_for("module").items():
        is_module = isinstance(value, torch.nn.Module)
        if name != "input_dropout":  # no weight depends on it
            parameters[name] = repr(value) if is_module else value
    for name, value in net.get_params_for("optimizer").items():
        if name != "weight_decay":
            parameters[f"optimizer__{name}"] = value
    return parameters


def _require_some_paired(estimator, present):
    """Raise ValueError unless some samples have both views."""
    if present and not (present[0] & present[1]).any():
        raise ValueError(
            f"All {len(present[0])} samples are missing one view: "
            f"{type(estimator).__name__} needs some that have both."
        )


def _check_groups(groups, n_samples):
    """Groups as numbers, one for each row."""
    groups = check_classes(groups, n_samples, "groups")
    return np.unique(groups, return_inverse=True)[1]


def _check_hidden_layer_sizes(sizes):
    if not all(
        isinstance(size, Integral) and not isinstance(size, bool) and int(size) > 0
        for size in sizes
    ):
        raise ValueError(
            f"hidden_layer_sizes must hold positive integers, got {sizes!r}."
        )


def _check_net_params(net_params, optimizer):
    """Raise an error for what skorch would not take, or takes from elsewhere."""
    for name in net_params:
        if not isinstance(name, str):
            raise TypeError(f"net_params must have strings for keys, got {name!r}.")
        if name in _OWN_PARAMETERS:
            raise ValueError(
                f"net_params holds {name!r}, which contradicts the parameter "
                f"{_OWN_PARAMETERS[name]!r}: set that instead."
            )
        if not name.startswith(_NET_PREFIXES):
            raise ValueError(
                "net_params may hold names that begin with "
                f"{', '.join(_NET_PREFIXES)}, got {name!r}."
            )
        part, _, parameter = name.partition("__")
        made = optimizer if part == "optimizer" else PairBatches
        known = list(signature(made).parameters)[1:]  # the first is what it works on
        if parameter not in known and name != "optimizer__param_groups":
            raise ValueError(
                f"net_params holds {name!r}, and {made.__name__} takes no "
                f"{parameter!r}: it takes {', '.join(known)}."
            )


def _check_device(device):
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r} was asked for, but torch finds no CUDA device: "
            "use device='cpu'."
        )
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={device!r} is no device that torch can use here: {error}"
        ) from error
