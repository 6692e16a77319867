"""The training loop: skorch, fed with pairs."""

import sys
from contextlib import contextmanager, suppress
from math import prod

import numpy as np
import torch
from scipy import sparse
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, PassthroughScoring
from torch import nn

from skcrl._arrays import following, is_tensor, untensored
from skcrl.deep._augmentation import Augmentation
from skcrl.deep._by_parts import backward, outputs_of_all
from skcrl.deep._callbacks import (
    EpochTable,
    OneCycle,
    Patience,
    StoppedEarly,
    batch_bar,
)
from skcrl.deep._data import (
    NOISE,
    WEIGHTS,
    PairBatches,
    as_tensor,
    block_rows,
    stream,
    stream_seed,
    weights_of,
)
from skcrl.deep._evaluator import Evaluator
from skcrl.deep._gradient_penalty import GradientPenalty
from skcrl.deep._made_with import (
    arguments,
    check_weights,
    made_with,
    require_arrays,
)
from skcrl.deep._processes import ALONE
from skcrl.deep._units import Units
from skcrl.deep.modules import RandomLayer, compared
from skcrl.persistence._networks import Network


class Objective(nn.Module):
    """A loss function with its hyper-parameters, as a criterion of skorch."""

    def __init__(self, function, hyper):
        super().__init__()
        self.function = function
        self.hyper = hyper

    def forward(self, outputs, about):
        """Loss of the outputs, with what is known about the rows of the batch."""
        return self.function(outputs, **about, **self.hyper)


class TwoViewNet(NeuralNet):
    """A skorch net whose input is a pair and whose loss sees all outputs.

    Its module is initialised and its batches are drawn from `seed`. Its pickle contains
    plain data and NumPy arrays only, so loading it unpickles no further code, except
    for modules that the user brought.

    Parameters
    ----------
    module : class of nn.Module
        Class of the module. It gets the parameters that begin with ``module__``.
    seed : int
        Seed of every random number.
    penalty : float, default=0.0
        Weight of half the squared weights in the training loss, for optimisers that
        have no weight decay.
    mixed_precision : bool, default=False
        Whether the forward pass computes in bfloat16 where torch considers this safe.
        The loss is computed in float32.
    compiled : bool, default=False
        Whether torch compiles the part of the module that computes row by row.
    micro_batch_size : int or None, default=None
        Number of rows that go through the module at once in training; None means a
        batch.
    **kwargs : object
        Further parameters of skorch.
    """

    # Units of the views that the net was trained in, by side. They are set after
    # training.
    units: dict[str, Units] = {}  # noqa: RUF012
    # The processes that train the net together.
    processes = ALONE
    # Augmentation of the batches during training.
    augmentation: Augmentation | None = None
    # Penalty that is added to the loss during training.
    gradient_penalty: GradientPenalty | None = None

    def __init__(
        self,
        module,
        *,
        seed,
        penalty=0.0,
        mixed_precision=False,
        compiled=False,
        micro_batch_size=None,
        **kwargs,
    ):
        self.seed = seed
        self.penalty = penalty
        self.mixed_precision = mixed_precision
        self.compiled = compiled
        self.micro_batch_size = micro_batch_size
        super().__init__(
            module,
            iterator_train=PairBatches,
            iterator_valid=PairBatches,
            **{"iterator_train__seed": seed, **kwargs},
        )

    def initialize_module(self):
        """Build the module with weights drawn from `seed`."""
        super().initialize_module()
        self.module_.float().reset_parameters(stream(self.seed, 0, WEIGHTS))
        self.holds_users_modules = any(
            isinstance(value, nn.Module)
            for value in self.get_params_for("module").values()
        )
        self._by_rows = getattr(self.module_, "by_rows", self.module_.forward)
        self._evaluator = Evaluator(self.module_, self.holds_users_modules)
        if self.compiled:
            self._by_rows = torch.compile(self._by_rows)
        return self

    @property
    def _default_callbacks(self):
        *others, _ = super()._default_callbacks
        return [*others, ("print_log", EpochTable())]

    def get_split_datasets(self, X, y=None, **fit_params):
        """The training part and the validation part, or the user's validation set."""
        if X.validation is not None:
            return X, X.validation
        return super().get_split_datasets(X, y, **fit_params)

    def get_iterator(self, dataset, training=False):
        """Batches that continue the epochs already in the history."""
        batches = super().get_iterator(dataset, training=training)
        batches.epoch = len(self.history)
        if training and self.augmentation:
            # The augmentation takes whole, dense batches. The processes share them
            # afterwards.
            return batches
        batches.sparse_sides = self._sparse_sides
        batches.processes = self.processes
        return batches

    @property
    def _sparse_sides(self):
        """Sides of which the module takes sparse rows as they are."""
        if self.gradient_penalty:
            return ()
        return getattr(self.module_, "sparse_sides", ())

    def _set_training(self, training=True):
        # skorch would walk through all submodules at every step.
        if self.module_.training != training:
            super()._set_training(training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Walk through the batches; while training, with new random numbers."""
        if training:
            self._reseed()
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
        if training:
            # Layers of users, such as batch normalisation, saw other rows in each
            # process.
            self.processes.equalise(self.module_.buffers())

    def train_step(self, batch, **fit_params):
        """Take a training step on a batch, after augmentation."""
        if self.augmentation:
            pairs, nothing = batch
            number = len(self.history[-1]["batches"])
            pairs = self.augmentation(pairs, len(self.history), number)
            batch = pairs.share(self.processes), nothing
        return super().train_step(batch, **fit_params)

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients of a batch."""
        if isinstance(self.optimizer_, torch.optim.LBFGS):
            # The line search compares values of the loss, which must have one noise.
            self._reseed()
        rows, _ = batch
        is_whole = self.micro_batch_size is None or len(rows) <= self.micro_batch_size
        self._set_training(True)
        if is_whole and self.processes.size == 1:
            loss = self.get_loss(self.infer(rows), None, X=rows, training=True)
            loss.backward()
        else:
            loss = backward(self, rows)
        # No outputs: skorch would keep them in memory until the next step.
        return {"loss": loss, "y_pred": None}

    def _reseed(self):
        """Let each random layer begin its stream of this epoch."""
        for i, layer in enumerate(self.module_.modules()):
            if isinstance(layer, RandomLayer):
                seed = stream_seed(self.seed, len(self.history), NOISE, i)
                layer.reseed(seed, self.device)

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; distinguish early stopping from the user's interrupt.

        skorch raises KeyboardInterrupt for both.
        """
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            if method_name == "on_epoch_end" and any(
                isinstance(callback, EarlyStopping)
                and callback.misses_ >= callback.patience
                for _, callback in self.callbacks_
            ):
                raise StoppedEarly from None
            raise

    def infer(self, batch, **fit_params):
        """Outputs of the module for a batch, in float32."""
        if self.gradient_penalty and self.module_.training:
            for view in batch.views.values():
                view.requires_grad_()
        return outputs_of_all(self, batch)

    def outputs_by_rows(self, batch):
        """Outputs that the module computes row by row, as the loss needs them."""
        views = batch.views
        if getattr(self.module_, "weighs_rows", False):
            weights = {weights_of(name): of for name, of in batch.weights.items()}
            views = {**views, **weights}
        if not self.mixed_precision:
            return compared(self._by_rows(**views), **batch.views)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            outputs = self._by_rows(**views)
        in_float32 = type(outputs)(*(_in_float32(output) for output in outputs))
        return compared(in_float32, **batch.views)

    def outputs_across_rows(self, outputs, batch):
        """The same outputs, together with what depends on all rows of a batch."""
        if not hasattr(self.module_, "across"):
            return outputs
        return self.module_.across(outputs, batch.about.get("weights"))

    def get_loss(self, outputs, _, X=None, training=False):
        """Loss of a batch, which must be finite."""
        loss = self.criterion_(outputs, X.about)
        if training and self.penalty:
            squares = sum(p.square().sum() for p in self.module_.parameters())
            loss = loss + 0.5 * self.penalty * squares
        if training and self.gradient_penalty:
            loss = loss + self.gradient_penalty(outputs, X)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()}")
        return loss

    def train_epochs(
        self, dataset, n_epochs, callbacks=(), cycle_rate=False, checkpoint=None
    ):
        """Train for further epochs.

        skorch's own ``fit`` would suppress KeyboardInterrupt and present a half-trained
        net as a fitted one.

        Parameters
        ----------
        dataset : PairDataset
            Data.
        n_epochs : int
            Number of epochs to add.
        callbacks : sequence of skorch callbacks or (name, callback) pairs, default=()
            Callbacks of the training, which changes them.
        cycle_rate : bool, default=False
            Whether the learning rate goes up and down once in these epochs.
        checkpoint : Checkpoint or None, default=None
            File that may hold an interrupted training, which is then continued.

        Returns
        -------
        is_cut_short : bool
            Whether training ended because all epochs were done, and not by itself.
        """
        self.callbacks = list(callbacks)
        n_done = checkpoint.n_done if checkpoint else 0
        if self.verbose > 1 and sys.stderr.isatty():
            self.callbacks.insert(0, batch_bar(sum(self._n_batches(dataset))))
        if cycle_rate:
            n_batches, _ = self._n_batches(dataset)
            n_steps, n_steps_done = n_epochs * n_batches, n_done * n_batches
            cycle = OneCycle(self.optimizer_, self.lr, n_steps, n_steps_done)
            self.callbacks.insert(0, cycle)
        self.initialize_callbacks()
        if checkpoint and checkpoint.seed is not None:
            checkpoint.restore(self)
        self.notify("on_train_begin", X=dataset, y=None)
        is_cut_short = False
        with suppress(StoppedEarly), _denormals_flushed():
            self.fit_loop(dataset, epochs=n_epochs - n_done)
            is_cut_short = True
        self.notify("on_train_end", X=dataset, y=None)
        self.module_.eval()
        if not all(torch.isfinite(p).all() for p in self.module_.parameters()):
            raise FloatingPointError("a weight is not finite")
        return is_cut_short

    def _n_batches(self, dataset):
        """Numbers of training batches and of validation batches in an epoch."""
        train, valid = self.get_split_datasets(dataset)
        n_valid = 0 if valid is None else len(self.get_iterator(valid))
        return len(self.get_iterator(train, training=True)), n_valid

    def evaluate(self, method, *views, **kwargs):
        """Apply a method of the module to arrays, in blocks of rows.

        Views are passed in, and returned by ``decode``, in the units of the user.

        Weights are cast to the precision of the arrays: in float32 the other rows of a
        batch would change the result for a row by 1e-6, which users of float64 notice.

        Parameters
        ----------
        method : str
            Name of a method of the module.
        *views : ndarray or Tensor of shape (n_samples, ...), CSR array, or None
            Arguments of the method, at least one of which is not None.
        **kwargs : object
            Further arguments of the method.

        Returns
        -------
        out : ndarray of shape (n_samples, ...)
            In the common precision of the views; if they are tensors, a Tensor on
            their device.
        """
        given = [view for view in views if view is not None]
        if is_tensor(given[0]):
            out = self.evaluate(method, *map(untensored, views), **kwargs)
            return following(out, given[0])
        n = given[0].shape[0]
        side = kwargs.get("side")
        keep_sparse = side in self._sparse_sides and side not in self.units
        into, back = self._units_around(method, side, len(views))
        n_values = max(_values_per_row(view, keep_sparse) for view in given)
        n_rows = block_rows(n_values)
        # Integers, which encoders look up, do not determine the precision.
        is_wide = any(view.dtype == np.float64 for view in given)
        dtype = torch.float64 if is_wide else torch.float32
        apply = self._evaluator.method(method, dtype, **kwargs)

        def block(view, units, start):
            if view is None:
                return None
            rows = view[start : start + n_rows]
            if not sparse.issparse(rows):
                rows = np.asarray(rows)  # computes rows of a Dask array
            if units is not None:
                rows = units.standardised(rows)
            return as_tensor(rows, self.device, dtype, keep_sparse)

        def compute(start):
            pairs = zip(views, into, strict=True)
            computed = apply(*(block(view, units, start) for view, units in pairs))
            return computed if back is None else back.restored(computed)

        first = compute(0)
        if n <= n_rows:
            return first
        out = np.empty((n, *first.shape[1:]), first.dtype)
        out[:n_rows] = first
        for start in range(n_rows, n, n_rows):
            out[start : start + n_rows] = compute(start)
        return out

    def _units_around(self, method, side, n_views):
        """Units of each argument of a method of the module, and units of its result."""
        if method == "decode":
            return [None], self.units.get(side)
        sides = ("x", "y") if side is None else (side,)
        return [self.units.get(one) for one in sides[:n_views]], None

    def epochs(self):
        """History without its batches: one dict of plain numbers for each epoch."""
        return [
            {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in row.items()
                if key != "batches"
            }
            for row in self.history.to_list()
        ]

    def __getstate__(self):
        return {
            "made_with": made_with(self),
            "units": self.units,
            **self.get_state(),
        }

    def __setstate__(self, state):
        kwargs = arguments(state["made_with"])
        self.__init__(criterion=Objective, **kwargs)  # type: ignore[misc]
        self.initialize().set_state(state)
        self.module_.eval()
        self.units = state.get("units", {})

    def _state_to_save(self):
        """State for a file, without that of the optimizer, which is twice as large."""
        require_arrays(self.module_.state_dict())
        state = {**self.__getstate__(), "optimizer": {}}
        state["made_with"]["parameters"] = {
            name: Network.of(name.removeprefix("module__"), value)
            if isinstance(value, nn.Module)
            else value
            for name, value in state["made_with"]["parameters"].items()
        }
        return state

    @staticmethod
    def _check_state(state):
        """Raise an error unless a state from a file could be from `_state_to_save`."""
        if state["optimizer"] != {}:
            raise ValueError("its network comes with a state of the optimizer")
        units = state.get("units", {})
        if not units.keys() <= {"x", "y"}:
            raise ValueError("its network has units of views other than x and y")
        for of in units.values():
            is_numbers = isinstance(of, Units) and all(
                isinstance(part, np.ndarray) and part.dtype == np.float64 for part in of
            )
            if not is_numbers or not (of.scale > 0).all():
                raise ValueError("its network has units that are not valid")
        check_weights(state["made_with"], state["module"])

    def get_state(self):
        """What training changed, as plain data and NumPy arrays."""
        return {
            "module": _to_numpy(self.module_.state_dict()),
            "optimizer": _to_numpy(self.optimizer_.state_dict()["state"]),
            "history": self.epochs(),
        }

    def set_state(self, state):
        """Continue from a state, with the parameters of this net's optimiser."""
        self.module_.load_state_dict(_to_torch(state["module"]))
        self._load_optimizer(state["optimizer"])
        for row in state["history"]:
            self.history.new_epoch()
            for key, value in row.items():
                self.history.record(key, value)
        return self

    def get_progress(self):
        """What this training needs to continue, as plain data and NumPy arrays."""
        patience = self._patience()
        return {
            **self.get_state(),
            "seed": self.seed,
            "rates": [float(group["lr"]) for group in self.optimizer_.param_groups],
            "patience": _to_numpy(patience.get_state()) if patience else None,
        }

    def set_progress(self, progress):
        """Continue an interrupted training, as if it had not been interrupted.

        If `progress` is not that of such a training, some error is raised.
        """
        self._try_step(progress["optimizer"])
        patience = self._patience()
        if patience:
            patience.set_state(_to_torch(progress["patience"]))
            self.module_.load_state_dict(patience.weights_)
        self.set_state(progress)
        rates = progress["rates"]
        for group, rate in zip(self.optimizer_.param_groups, rates, strict=True):
            group["lr"] = rate
        for _, callback in self.callbacks_:
            # This callback records which epochs were the best so far.
            if isinstance(callback, PassthroughScoring):
                losses = [row.get(callback.name, np.inf) for row in self.history]
                callback.best_score_ = min(losses, default=np.inf)

    def _patience(self):
        """The callback that stops early, or None."""
        found = (c for _, c in self.callbacks_ if isinstance(c, Patience))
        return next(found, None)

    def _try_step(self, state):
        """Take a step with a state of the optimiser, which checks it only then."""
        self._load_optimizer(state)
        for parameter in self.optimizer_.state:
            parameter.grad = torch.ones_like(parameter)
        self.optimizer_.step(lambda: 0.0)
        self.optimizer_.zero_grad()

    def _load_optimizer(self, state):
        groups = self.optimizer_.state_dict()["param_groups"]
        self.optimizer_.load_state_dict(
            {"state": _to_torch(state), "param_groups": groups}
        )


def _values_per_row(view, keep_sparse):
    if keep_sparse and sparse.issparse(view):
        return max(1, view.nnz // view.shape[0])
    return prod(view.shape[1:])


def _in_float32(output):
    is_half = isinstance(output, torch.Tensor) and output.dtype == torch.bfloat16
    return output.float() if is_half else output


@contextmanager
def _denormals_flushed():
    """Treat numbers below 1e-38 as zero on this thread.

    Saturated sigmoids give such numbers. Each costs as much time as a hundred ordinary
    ones.
    """
    before = bool(torch.tensor([1e-40]).mul(1.0) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _to_numpy(state):
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: _to_numpy(value) for key, value in state.items()}
    return [_to_numpy(value) for value in state] if isinstance(state, list) else state


def _to_torch(state):
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: _to_torch(value) for key, value in state.items()}
    return [_to_torch(value) for value in state] if isinstance(state, list) else state
