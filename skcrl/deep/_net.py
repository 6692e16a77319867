"""The training loop: skorch, fed with pairs. The only file that imports skorch."""

from contextlib import contextmanager, suppress
from copy import deepcopy
from itertools import pairwise

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping
from torch import nn

from skcrl.deep.modules import RandomLayer

_EVALUATION_ROWS = 4096

# What a stream of random numbers is for.
_WEIGHTS, _SPLIT, _ORDER, _NOISE = 1, 2, 3, 4


class PairDataset(torch.utils.data.Dataset):
    """Paired rows of two float32 tensors, in memory.

    Parameters
    ----------
    x, y : Tensor of shape (n_samples, ...)
        Paired views.
    rows : Tensor of int of shape (n_rows,) or None, default=None
        Rows that belong to the data set; None stands for all.
    """

    def __init__(self, x, y, rows=None):
        self.x = x
        self.y = y
        self.rows = torch.arange(len(x)) if rows is None else rows

    @classmethod
    def from_arrays(cls, X, y):
        """Wrap arrays, copying only what is not writable contiguous float32."""
        # torch warns of read-only arrays, such as joblib's memory maps.
        limit = np.finfo(np.float32).max
        for name, view in (("X", X), ("y", y)):
            if view.dtype == np.float64 and max(view.max(), -view.min()) > limit:
                raise ValueError(
                    f"{name} has values beyond {limit:.1e}, which float32 cannot hold: "
                    "scale it down."
                )
        x, y = (np.require(a, np.float32, ["C", "W"]) for a in (X, y))
        return cls(torch.from_numpy(x), torch.from_numpy(y))

    def __len__(self):
        return len(self.rows)

    def batch(self, rows, device):
        """Views of some of the rows, on `device`."""
        rows = self.rows[rows]
        return {"x": self.x[rows].to(device), "y": self.y[rows].to(device)}


class PairBatches:
    """Batches of paired rows, sliced and not collated.

    Every batch holds at least `batch_size` rows, or all there are: a short last batch
    is shared out among the others, because correlations of a few rows are noise.

    Parameters
    ----------
    dataset : PairDataset
        Data.
    batch_size : int
        Fewest rows of a batch.
    shuffle : bool, default=False
        Draw a new order each epoch, from `seed` and the number of the epoch.
    seed : int, default=0
        Seed of the orders.
    device : str, default="cpu"
        Where batches go.
    """

    def __init__(self, dataset, batch_size, shuffle=False, seed=0, device="cpu"):
        self.dataset = dataset
        self.n_batches = max(1, len(dataset) // batch_size)
        self.shuffle = shuffle
        self.seed = seed
        self.device = device
        self.epoch = 0

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n = len(self.dataset)
        generator = _generator(self.seed, self.epoch, _ORDER)
        order = torch.randperm(n, generator=generator) if self.shuffle else None
        self.epoch += 1
        bounds = np.linspace(0, n, self.n_batches + 1).astype(int)
        for start, stop in pairwise(bounds):
            rows = slice(start, stop) if order is None else order[start:stop]
            yield self.dataset.batch(rows, self.device), None


class PairSplit:
    """Set a random share of the rows aside for validation.

    Parameters
    ----------
    fraction : float in (0, 1)
        Share of the rows.
    seed : int
        Seed of the choice.
    """

    def __init__(self, fraction, seed):
        self.fraction = fraction
        self.seed = seed

    def __call__(self, dataset):
        """Return the training and the validation part."""
        n = len(dataset)
        order = torch.randperm(n, generator=_generator(self.seed, 0, _SPLIT))
        valid, train = order.tensor_split([round(n * self.fraction)])
        return tuple(
            PairDataset(dataset.x, dataset.y, rows.sort().values)
            for rows in (train, valid)
        )


class _StoppedEarly(Exception):
    """Early stopping ended the training."""


class Objective(nn.Module):
    """A loss function with its hyper-parameters, as the criterion skorch asks for."""

    def __init__(self, function, hyper):
        super().__init__()
        self.function = function
        self.hyper = hyper

    def forward(self, outputs, batch):
        """Loss of the outputs on the batch they were computed from."""
        return self.function(outputs, **batch, **self.hyper)


class TwoViewNet(NeuralNet):
    """A skorch net whose input is a pair and whose loss sees all outputs.

    Its module is initialised from `seed` and its batches are drawn from it. Its pickle
    holds NumPy arrays, and so no bytes that unpickle further code when they are
    loaded, but for modules that the user brought.
    """

    def __init__(self, module, *, seed, **kwargs):
        self.seed = seed
        super().__init__(
            module,
            iterator_train=PairBatches,
            iterator_valid=PairBatches,
            **{"iterator_train__seed": seed, **kwargs},
        )

    def initialize_module(self):
        """Build the module with weights drawn from `seed`."""
        super().initialize_module()
        self.module_.float().reset_parameters(_generator(self.seed, 0, _WEIGHTS))
        return self

    def get_iterator(self, dataset, training=False):
        """Batches that continue the epochs already in the history."""
        batches = super().get_iterator(dataset, training=training)
        batches.epoch = len(self.history)
        return batches

    def _set_training(self, training=True):
        # skorch would walk through all submodules at every step.
        if self.module_.training != training:
            super()._set_training(training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Walk through the batches; while training, with new random numbers."""
        if training:
            for i, layer in enumerate(self.module_.modules()):
                if isinstance(layer, RandomLayer):
                    layer.reseed(_seed(self.seed, len(self.history), _NOISE, i), self.device)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; tell early stopping from the user's interrupt.

        Both are KeyboardInterrupt to skorch.
        """
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            if method_name == "on_epoch_end" and any(
                isinstance(callback, EarlyStopping)
                and callback.misses_ >= callback.patience
                for _, callback in self.callbacks_
            ):
                raise _StoppedEarly from None
            raise

    def get_loss(self, outputs, _, X=None, training=False):
        """Loss of a batch, which must be finite."""
        loss = self.criterion_(outputs, X)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()}")
        return loss

    def train_epochs(self, dataset, n_epochs, callbacks, n_iter_no_change=None):
        """Train on.

        skorch's own ``fit`` would swallow KeyboardInterrupt and pass a half-trained net
        for a fitted one.

        Parameters
        ----------
        dataset : PairDataset
            Data.
        n_epochs : int
            Epochs to add.
        callbacks : list of skorch callbacks or (name, callback) pairs
            Copied: training changes them.
        n_iter_no_change : int or None, default=None
            Stop after so many epochs without a better validation loss, and go back to
            the best weights.
        """
        self.callbacks = deepcopy(callbacks)
        if n_iter_no_change is not None:
            # skorch's relative threshold takes a worse loss below 0 for a better one.
            stopping = EarlyStopping(
                patience=n_iter_no_change,
                threshold=0.0,
                threshold_mode="abs",
                load_best=True,
            )
            self.callbacks.append(("early_stopping", stopping))
        self.initialize_callbacks()
        self.notify("on_train_begin", X=dataset, y=None)
        with suppress(_StoppedEarly), _denormals_flushed():
            self.fit_loop(dataset, epochs=n_epochs)
        self.notify("on_train_end", X=dataset, y=None)
        if not all(torch.isfinite(p).all() for p in self.module_.parameters()):
            raise FloatingPointError("a weight is not finite")
        return self

    def evaluate(self, method, *views, **kwargs):
        """Apply a method of the module to arrays, in blocks of rows.

        Weights are cast to the precision of the arrays: in float32 the same row would
        come out differently by 1e-6 alone and in a batch, which float64 users notice.

        Parameters
        ----------
        method : str
            Name of a method of the module.
        *views : ndarray of shape (n_samples, ...) or None
            Its arguments, at least one not None.
        **kwargs : object
            Passed on.

        Returns
        -------
        out : ndarray of shape (n_samples, ...)
            In the common precision of the views.
        """
        given = [view for view in views if view is not None]
        dtype = torch.float64 if np.result_type(*given) == np.float64 else torch.float32
        module = deepcopy(self.module_).to(dtype).eval()

        def block(view, start):
            if view is None:
                return None
            rows = np.array(view[start : start + _EVALUATION_ROWS])
            return torch.from_numpy(rows).to(self.device, dtype)

        with torch.inference_mode():
            parts = [
                getattr(module, method)(*(block(v, start) for v in views), **kwargs)
                for start in range(0, len(given[0]), _EVALUATION_ROWS)
            ]
            return torch.cat(parts).cpu().numpy()

    def epochs(self):
        """History without its batches: one dict of plain numbers an epoch."""
        return [
            {
                key: value.item() if isinstance(value, np.generic) else value
                for key, value in row.items()
                if key != "batches"
            }
            for row in self.history.to_list()
        ]

    def __reduce__(self):
        parameters = self.get_params(deep=False)
        parameters = {
            key: value
            for key, value in parameters.items()
            if key not in ("callbacks", "iterator_train", "iterator_valid")
        }
        return _restore, (parameters, self.get_state())

    def get_state(self):
        """What training changed, as plain data and NumPy arrays."""
        return {
            "module": _to_numpy(self.module_.state_dict()),
            "optimizer": _to_numpy(self.optimizer_.state_dict()["state"]),
            "history": self.epochs(),
        }

    def set_state(self, state):
        """Go on from a state, with the optimiser's parameters of this net."""
        self.module_.load_state_dict(_to_torch(state["module"]))
        groups = self.optimizer_.state_dict()["param_groups"]
        self.optimizer_.load_state_dict(
            {"state": _to_torch(state["optimizer"]), "param_groups": groups}
        )
        for row in state["history"]:
            self.history.new_epoch()
            for key, value in row.items():
                self.history.record(key, value)
        return self


@contextmanager
def _denormals_flushed():
    """Take numbers below 1e-38 for zero on this thread.

    Saturated sigmoids make them, and each costs as much as a hundred ordinary ones.
    """
    before = bool(torch.tensor([1e-40]).mul(1.0) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _restore(parameters, state):
    device = parameters["device"]
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        parameters = {**parameters, "device": "cpu"}
    return TwoViewNet(**parameters).initialize().set_state(state)


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


def _seed(*what_for):
    """Seed of a stream of its own for each sequence of whole numbers."""
    state = np.random.SeedSequence(what_for).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def _generator(seed, epoch, purpose):
    return torch.Generator().manual_seed(_seed(seed, epoch, purpose))
