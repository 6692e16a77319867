"""The one training path of the deep estimators."""

import sys
import warnings
from abc import ABCMeta, abstractmethod
from contextlib import contextmanager
from copy import copy, deepcopy
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skcrl._documentation import Documented
from skcrl._validation import NAMES, random_source, restored_on_error
from skcrl.deep._augmentation import Augmentation
from skcrl.deep._callbacks import (
    Checkpoints,
    Convergence,
    HeldOutScore,
    Patience,
    clipping,
    is_falling,
)
from skcrl.deep._checkpoint import Checkpoint, described
from skcrl.deep._checks import check_device, check_stream, check_training
from skcrl.deep._data import PairSplit
from skcrl.deep._given import (
    checked_pairs,
    checked_validation,
    content_of,
    loaded_pairs,
    require_pairs_alone,
)
from skcrl.deep._gradient_penalty import GradientPenalty
from skcrl.deep._learned import N_ROWS
from skcrl.deep._loaded import is_dataset
from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep._net_params import parameters_of_net
from skcrl.deep._plan import plan_of
from skcrl.deep._processes import ALONE, processes_of
from skcrl.deep._units import Seen
from skcrl.deep.modules import ACTIVATIONS
from skcrl.persistence._networks import NETWORKS, Network
from skcrl.persistence._saved import Saved

OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    # The decay of the papers and of Keras; torch's own default is 0.99.
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9}),
    "sgd": (torch.optim.SGD, {}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "lbfgs": (torch.optim.LBFGS, {"line_search_fn": "strong_wolfe"}),
}

# Activations that can return any number.
_UNBOUNDED = {"identity", "leaky_relu"}

TRAINING_CONSTRAINTS: dict[str, list] = {
    "hidden_layer_sizes": ["array-like"],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "optimizer": [StrOptions(set(OPTIMIZERS))],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "lr_schedule": [StrOptions({"constant", "one_cycle", "refine"}), None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "gradient_clip": [Interval(Real, 0, None, closed="neither"), None],
    "standardize": ["boolean"],
    "augment": [callable, None],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "micro_batch_size": [Interval(Integral, 1, None, closed="left"), None],
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


class BaseDeep(Documented, Saved, BaseEstimator, metaclass=ABCMeta):
    """Trains a module on pairs, and keeps the skorch net as `net_`.

    A final class stores its parameters, including those of TRAINING_CONSTRAINTS, and
    says which module and which loss to use. What it computes from the trained module
    goes into ``_finish``. The second of a pair may be a view or a label. A base class
    between this one and the final one says what pairs are, how they are checked, and
    which quantity is validated.
    """

    net_: TwoViewNet
    # The value of `standardize` in fit; True for models of files that do not have it.
    _standardized = True

    _accepts_sparse = True
    _accepts_tensors = True
    _accepts_dask = False
    # The value for estimators that do not have this parameter.
    gradient_penalty: Any = None
    # Default of `input_dropout` if there are few rows.
    _few_dropout = 0.2
    # Default of `input_dropout` if there are few rows, and more columns than rows.
    _wide_dropout = 0.5

    @property
    def _n_codes(self):
        """Number of components, known before the training."""
        return self.n_components

    @property
    def _min_batch_rows(self):
        """Smallest number of rows for which the objective is defined."""
        return 2

    @property
    def _min_validation_rows(self):
        """Smallest number of validation rows for which the objective is defined."""
        return self._min_batch_rows

    def _batch_rows(self, n_rows):
        """Default number of rows of a batch, for data of `n_rows` rows."""
        return 100

    def _complete_batch_rows(self, n_complete):
        """Default number of complete rows of a batch that also has unpaired rows."""
        return self._min_batch_rows

    @abstractmethod
    def _check_views(self, X, y, reset):
        """Check both views; where rows may be unpaired, say which rows are there."""

    @abstractmethod
    def _check_pair(self, X, y):
        """Check both views of complete rows, which must match those of fit."""

    @abstractmethod
    def _has_own_module(self, side):
        """Whether a view enters the network in its own units, without standardising."""

    @abstractmethod
    def _held_out_score(self, net, train, valid):
        """Score that the estimator would have on `valid` if training ended now."""

    @abstractmethod
    def _warn_of_nothing_learned(self, X, y):
        """Warn if the codes of these rows carry no information about the rows."""

    @abstractmethod
    def _module(self, plan):
        """Class of the module and its keyword arguments, for the widths of the data."""

    @abstractmethod
    def _objective(self):
        """Loss function and its hyper-parameters."""

    def _check_parameters(self):
        """Raise ValueError for parameters that contradict each other."""

    def _check_net(self, net, X, y):
        """Raise ValueError for an untrained net that does not suit the data."""

    def _also_trained_on(self, data):
        """Arrays that the training depends on apart from the data, by name."""
        return {}

    def _prepare(self, net, data):
        """Improve the random weights of a fresh net before training."""

    def _finish(self, data, like):
        """Compute fitted state from the trained `net_` and the training data.

        If `like`, the first view, is a tensor, fitted arrays must be tensors too.
        """

    def history_frame(self):
        """Return the losses and times of the training as a pandas DataFrame.

        Returns
        -------
        history : DataFrame of shape (n_epochs, n_figures)
            One row per epoch, with the number of the epoch as index. A figure that an
            epoch does not have is NaN.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> from skcrl import DeepCCA
        >>> from skcrl.datasets import load_digits_halves
        >>> left, right, labels = load_digits_halves()
        >>> dcca = DeepCCA(4, max_epochs=2, random_state=0).fit(left, right)
        >>> dcca.history_frame()[["train_loss"]].round()
               train_loss
        epoch
        1            -2.0
        2            -3.0
        """
        check_is_fitted(self)
        pandas = check_pandas_support("history_frame")
        return pandas.DataFrame(self.history_).set_index("epoch")

    # Callbacks that write logs hold locks and files, which cannot be copied, so copies
    # of the estimator share its callbacks.

    def __sklearn_clone__(self):
        without = copy(self)
        without.callbacks = None
        new = super(BaseDeep, without).__sklearn_clone__()
        new.callbacks = copy(self.callbacks)
        return new

    def __deepcopy__(self, memo):
        memo[id(self)] = new = copy(self)
        rest = {k: v for k, v in vars(self).items() if k != "callbacks"}
        new.__dict__.update(deepcopy(rest, memo), callbacks=copy(self.callbacks))
        return new

    def _fit(self, X, y, sample_weight, groups=None, validation=None):
        going_on = self.warm_start and hasattr(self, "net_")
        return self._train(X, y, sample_weight, groups, going_on, validation=validation)

    def _train(
        self, X, y, sample_weight, groups, going_on, is_part=False, validation=None
    ):
        with restored_on_error(self), _drawn_from(self.random_state):
            check_device(self.device)
            processes = processes_of(self.device)
            if is_dataset(X) or is_dataset(y):
                require_pairs_alone(X, y, sample_weight, groups)
                like, given = None, loaded_pairs(self, X, reset=not going_on)
            else:
                like, given, groups = checked_pairs(
                    self, X, y, sample_weight, groups, reset=not going_on
                )
            given.validation = checked_validation(self, validation)
            if given.is_stream:
                check_stream(self, given)
            units = self.net_.units if going_on else self._units(given)
            data = given.in_units(units)
            self._find_partners(data, groups)
            if data.validation is not None:
                data.validation = data.validation.in_units(units)
                self._find_partners(data.validation, groups=None)
            plan = plan_of(self, data, is_part)
            optimizer, _ = OPTIMIZERS[self.optimizer]
            check_training(self, data, plan, optimizer, processes.size)
            checkpoint = self._checkpoint_of(given, groups, plan, processes)
            net = self._net_to_train(data, plan, checkpoint, going_on, processes)
            self._equip(net, units, plan)
            n_before = len(net.history)
            is_cut_short = self._run_epochs(net, data, plan, checkpoint)
            net.units, net.processes = units, ALONE
            net.augmentation = net.gradient_penalty = None
            self._standardized = self.standardize
            self._n_rows = None if data.n_complete is None else len(data)
            self.history_ = net.epochs()
            self.n_iter_ = len(self.history_)
            self._hold(net, given, like)
            if not is_part:
                if is_cut_short:
                    self._warn_if_falling(self.history_[n_before:], plan)
                self._warn_of_nothing_learned(*given.first(N_ROWS))
        return self

    def _equip(self, net, units, plan):
        """Give a net the parts that it has only in training."""
        if self.augment is not None:
            net.augmentation = Augmentation(self.augment, units, net.seed)
        if self.gradient_penalty is not None:
            score = self._score_penalised()
            net.gradient_penalty = GradientPenalty(self.gradient_penalty, score)

    def _checkpoint_of(self, data, groups, plan, processes):
        """The file of the training, or None; all processes must train the same."""
        if self.checkpoint is None and processes.size == 1:
            return None
        content, checkpoint = content_of(data, groups), None
        content |= self._also_trained_on(data)
        if self.checkpoint is not None:
            checkpoint = Checkpoint(self, content, plan.n_epochs)
        if processes.size > 1:
            processes.require_same(
                {
                    **described(self, content),
                    "epochs in the checkpoint": checkpoint and checkpoint.n_done,
                }
            )
        return checkpoint

    def _net_to_train(self, data, plan, checkpoint, going_on, processes):
        """The net that training begins with, after a check that it suits the data."""
        seed = None
        if going_on:
            net = self._go_on(plan)
        else:
            seed = checkpoint.seed if checkpoint else None
            net = self._make_net(processes.same_seed(self._draw_seed(seed)), plan)
        net.processes = processes
        if processes.rank > 0:
            net.verbose = 0
        self._check_net(net, *data.first(2))
        if going_on:
            return net
        if seed is None:
            self._prepare(net, data)
        return net

    def _units(self, data):
        """Units that the standardised views are trained in, by side."""
        seen = {
            side: Seen()
            for side in NAMES
            if self.standardize
            and not sparse.issparse(getattr(data, side, None))
            and not self._has_own_module(side)
        }
        output_activation = getattr(self, "output_activation", "identity")
        if seen and output_activation not in _UNBOUNDED:
            raise ValueError(
                f"output_activation={output_activation!r} cannot reach all the values "
                "of standardised views: set standardize=False, and scale the views to "
                "the range of this activation."
            )
        if not seen:
            return {}
        for x, y, weights in data.blocks():
            for side, rows in (("x", x), ("y", y)):
                if side in seen:
                    seen[side].add(rows, weights)
        for side in seen:
            for rows, weights in data.unpaired_blocks(side):
                seen[side].add(rows, weights)
        return {side: of.units() for side, of in seen.items()}

    def _find_partners(self, data, groups):
        """Find which rows of the data share a partner, if the estimator needs it."""

    def _run_epochs(self, net, data, plan, checkpoint):
        callbacks = self._callbacks(net, plan)
        if checkpoint:
            # It comes last: by then the other callbacks are through with the epoch.
            callbacks.append(Checkpoints(checkpoint, self.checkpoint_every))
        try:
            cycle_rate = plan.lr_schedule == "one_cycle"
            return net.train_epochs(
                data, plan.n_epochs, callbacks, cycle_rate, checkpoint
            )
        except FloatingPointError as error:
            raise FloatingPointError(
                f"Training diverged in epoch {len(net.history)}: {error}. "
                f"{self._divergence_advice()} Values of the views should be of order 1."
            ) from error

    def _warn_if_falling(self, history, plan):
        """Warn if the loss was still falling at the end of this history."""
        losses = [row["train_loss"] for row in history]
        if self.tol == 0 or plan.lr_schedule == "one_cycle" or len(losses) < 2:
            return
        if is_falling(losses, plan.epochs_to_compare, self.tol):
            more = f"max_epochs to more than {len(losses)}"
            if self.max_epochs is not None:
                more += ", or to None, so that training ends by itself"
            warnings.warn(
                f"Training of {type(self).__name__} ended after {len(losses)} epochs, "
                f"but the loss was still falling. Set {more}; or set lr to more than "
                f"{self.lr}; or set tol=0 if this is intended.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _hold(self, net, data, like):
        """Take over the state of the estimator that has this trained `net`."""
        made = copy(self)
        made.net_ = net
        made.n_components_ = made._n_codes
        made._finish(data, like)
        # All attributes change at once, for threads that encode in the meantime.
        self.__dict__.update(vars(made))

    def _callbacks(self, net, plan):
        """Callbacks of a training, including those of the user."""
        callbacks = list(self.callbacks or [])
        if self.monitor != "loss" and plan.has_validation:
            callbacks.insert(0, HeldOutScore(self.monitor, self._held_out_score))
        if plan.stops_early:
            refine = plan.lr_schedule == "refine"
            patience = self.n_iter_no_change
            callbacks.append(Patience(self.monitor, patience, refine, self.tol))
        elif plan.stops_at_convergence:
            begin = len(net.history)
            callbacks.append(Convergence(plan.epochs_to_compare, self.tol, begin))
        if self.gradient_clip is not None:
            callbacks.append(clipping(self.gradient_clip))
        return callbacks

    def _draw_seed(self, begun_with):
        """Seed of a training: `begun_with` if it is given, otherwise a new one.

        A seed is drawn in both cases, so that a RandomState moves on as if the training
        had not been interrupted.
        """
        drawn = random_source(self.random_state).randint(np.iinfo(np.int32).max)
        return drawn if begun_with is None else begun_with

    def _go_on(self, plan):
        """New net with the present parameters and the state of the fitted net."""
        net = self._make_net(self.net_.seed, plan)
        before, now = (_lasting_parameters(n) for n in (self.net_, net))
        before["standardize"] = self._standardized
        now["standardize"] = self.standardize
        for name in sorted(before | now):
            if before.get(name) != now.get(name):
                raise ValueError(
                    f"{name} was {before.get(name)!r} in fit and is {now.get(name)!r} "
                    "now, but training can continue only with the same network and "
                    "optimizer. Fit anew with warm_start=False."
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
            micro_batch_size=self.micro_batch_size,
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
                **parameters_of_net(self.net_params),
            },
        )
        return net.initialize()

    def _state_to_save(self):
        """State for a file without code, where names stand for the user's networks."""
        fitted: Any = self.__getstate__()
        state = dict(fitted)
        trained = self.net_.get_params_for("module") if hasattr(self, "net_") else state
        for name in NETWORKS:
            if trained.get(name) is not state.get(name):
                raise ValueError(
                    f"{name} of {type(self).__name__} is not the network that it was "
                    "fitted with: set that network again, or fit anew, before saving."
                )
            if state.get(name) is not None:
                state[name] = Network.of(name, state[name])
        return state

    def _check_loaded_net(self):
        """Raise ValueError if the net of a file gives codes of another width."""
        if hasattr(self, "net_"):
            k = self.n_components_
            width = self.net_.get_params_for("module").get("n_components", k)
            if width != k:
                raise ValueError(f"its n_components_ is {k}, of its network {width}")

    def _fitted_arrays(self):
        """Fitted arrays by name, each with the shape that it must have."""
        return {
            f"{part} of {side} in its network": (array, self._sample_shapes[side])
            for side, units in self.net_.units.items()
            for part, array in zip(units._fields, units, strict=True)
        }

    def _divergence_advice(self):
        return f"Reduce lr={self.lr}."


@contextmanager
def _drawn_from(random_state):
    """Restore a RandomState if the block raises, so that the next fit is the same."""
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
    """Parameters that must not change when training continues, by name.

    A module is described by its printed form.
    """
    parameters = {"optimizer": net.optimizer.__name__}
    for name, value in net.get_params_for("module").items():
        is_module = isinstance(value, torch.nn.Module)
        if name != "input_dropout":  # no weight depends on it
            parameters[name] = repr(value) if is_module else value
    for name, value in net.get_params_for("optimizer").items():
        if name != "weight_decay":
            parameters[f"optimizer__{name}"] = value
    return parameters
