"""Callbacks of the training loop: scores, early stopping, schedules, checkpoints."""

import sys
from copy import deepcopy

import numpy as np
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
    ParamMapper,
    PrintLog,
    ProgressBar,
)
from torch.optim.lr_scheduler import OneCycleLR

_REFINEMENTS = 3
_REFINEMENT_FACTOR = 0.1
# Callbacks of skorch that change the training and remember its past. Their memory is
# not saved.
_BEGIN_ANEW = (EarlyStopping, LRScheduler, ParamMapper)


class StoppedEarly(Exception):
    """Early stopping ended the training."""


class BeforeValidation(Callback):
    """Call a function after the training batches of an epoch, before the validation.

    Parameters
    ----------
    prepare : callable (net, training data)
        The function, which changes the module.
    """

    def __init__(self, prepare):
        self.prepare = prepare

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Take the training data."""
        self.train_ = dataset_train

    def on_batch_begin(self, net, training=False, **kwargs):
        """Call `prepare` at the first batch of the validation rows."""
        if not training and self.train_ is not None:
            self.prepare(net, self.train_)
            self.train_ = None


class HeldOutScore(Callback):
    """Record a score of the validation rows after each epoch, as ``valid_<name>``.

    Parameters
    ----------
    name : str
        What the score is called.
    score : callable (net, training data, validation data) -> float
        Higher is better.
    """

    def __init__(self, name, score):
        self.name = name
        self.score = score

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        """Record the score."""
        score = self.score(net, dataset_train, dataset_valid)
        net.history.record(f"valid_{self.name}", score)


class Patience(Callback):
    """Keep the best weights, and stop if no better ones come for too long.

    Parameters
    ----------
    monitor : str
        Validation figure that is watched: "loss", which should fall, or a score, which
        should rise.
    patience : int
        Number of epochs without a better one after which training stops.
    refine : bool
        Whether to refine the weights before stopping: go back to the best ones and
        divide the learning rate by ten, three times, each time with a fifth of the
        patience.
    tol : float
        Fraction of the whole gain so far that an epoch must add to count as better.
    """

    def __init__(self, monitor, patience, refine, tol):
        self.monitor = monitor
        self.patience = patience
        self.refine = refine
        self.tol = tol

    def initialize(self):
        """Begin with no epochs."""
        self.first_ = self.best_ = self.goal_ = -np.inf
        self.weights_ = None
        self.misses_ = 0
        self.patience_ = self.patience
        self.refinements_ = _REFINEMENTS if self.refine else 0
        return self

    def on_train_begin(self, net, **kwargs):
        """Keep the present weights as the best, unless a training is continued."""
        if self.weights_ is None:
            self.weights_ = deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        """Compare the epoch with the best one."""
        value = net.history[-1, f"valid_{self.monitor}"]
        value = -value if self.monitor == "loss" else value
        if value > self.best_:
            self.best_ = value
            self.weights_ = deepcopy(net.module_.state_dict())
        if value > self.goal_:
            if np.isinf(self.first_):
                self.first_ = value
            self.goal_ = value + self.tol * (value - self.first_)
            self.misses_ = 0
            return
        self.misses_ += 1
        if self.misses_ < self.patience_:
            return
        if self.refinements_ == 0:
            raise StoppedEarly
        self.refinements_ -= 1
        self.misses_ = 0
        self.patience_ = max(1, self.patience // 5)
        net.module_.load_state_dict(self.weights_)
        for group in net.optimizer_.param_groups:
            group["lr"] *= _REFINEMENT_FACTOR

    def on_train_end(self, net, **kwargs):
        """Go back to the best weights."""
        net.module_.load_state_dict(self.weights_)

    def get_state(self):
        """Return what the epochs changed."""
        return {
            "first": float(self.first_),
            "best": float(self.best_),
            "goal": float(self.goal_),
            "misses": self.misses_,
            "patience": self.patience_,
            "refinements": self.refinements_,
            "weights": self.weights_,
        }

    def set_state(self, state):
        """Continue from a state."""
        self.first_ = float(state["first"])
        self.best_ = float(state["best"])
        self.goal_ = float(state["goal"])
        self.misses_ = int(state["misses"])
        self.patience_ = int(state["patience"])
        self.refinements_ = int(state["refinements"])
        self.weights_ = state["weights"]


class Convergence(Callback):
    """Stop when the training loss does not fall any more.

    Parameters
    ----------
    n_epochs : int
        Number of epochs whose mean loss is compared with the mean loss of as many
        epochs before them.
    tol : float
        Training goes on if the mean loss has fallen by more than this fraction of the
        whole fall of the loss since the first epoch.
    begin : int
        Number of epochs of earlier trainings, which are left out.
    """

    def __init__(self, n_epochs, tol, begin):
        self.n_epochs = n_epochs
        self.tol = tol
        self.begin = begin

    def on_epoch_end(self, net, **kwargs):
        """Compare the last `n_epochs` with those before, once every `n_epochs`."""
        losses = net.history[self.begin :, "train_loss"]
        if len(losses) < 2 * self.n_epochs or len(losses) % self.n_epochs:
            return
        if not is_falling(losses, self.n_epochs, self.tol):
            raise StoppedEarly


def is_falling(losses, n_epochs, tol):
    """Whether the mean of the last losses is clearly lower than that of earlier ones.

    Parameters
    ----------
    losses : list of float of length >= 2
        The loss of each epoch.
    n_epochs : int
        How many of the last losses are compared with as many before them. If there are
        fewer than twice as many losses, half of them are compared.
    tol : float
        The loss is falling if the difference of the means is more than this fraction of
        the whole fall since the first epoch.
    """
    n = min(n_epochs, len(losses) // 2)
    now, before = np.mean(losses[-n:]), np.mean(losses[-2 * n : -n])
    return before - now > tol * max(losses[0] - now, 0)


class OneCycle(Callback):
    """Raise the learning rate from a 25th to its full height, then let it fall.

    Parameters
    ----------
    optimizer : Optimizer
        The optimiser whose learning rate is changed.
    lr : float
        Full height, reached after three tenths of the steps.
    n_steps : int
        Number of steps of the training.
    n_done : int
        Number of steps that an interrupted training has already done.
    """

    def __init__(self, optimizer, lr, n_steps, n_done):
        self.optimizer = optimizer
        self.lr = lr
        self.n_steps = n_steps
        self.n_done = n_done

    def initialize(self):
        """Begin the cycle."""
        self.schedule_ = OneCycleLR(
            self.optimizer, self.lr, total_steps=self.n_steps, cycle_momentum=False
        )
        self.schedule_.last_epoch = self.n_done  # in steps; the net keeps the rate
        return self

    def on_batch_end(self, net, training=False, **kwargs):
        """Set the learning rate of the next step."""
        if training:
            self.schedule_.step()


class Checkpoints(Callback):
    """Keep a training in a file while it goes on.

    Parameters
    ----------
    checkpoint : Checkpoint
        The file.
    every : int
        A state is kept once in this many epochs.
    """

    def __init__(self, checkpoint, every):
        self.checkpoint = checkpoint
        self.every = every

    def on_train_begin(self, net, **kwargs):
        """Write the beginning of a new training: if writing fails, it fails now."""
        if self.checkpoint.seed is None:
            self.checkpoint.write(net)

    def on_epoch_end(self, net, **kwargs):
        """Keep the state after this epoch if it is its turn."""
        if len(net.history) % self.every == 0:
            self.checkpoint.write(net)

    def on_train_end(self, net, **kwargs):
        """Keep the end of the training, unless the file already holds it."""
        if not self.checkpoint.finished:
            self.checkpoint.write(net, finished=True)


class EpochTable(PrintLog):
    """Print a line for each epoch, in colours only on a terminal."""

    def on_train_begin(self, net, **kwargs):
        """Leave out the epochs of earlier trainings."""
        self.n_printed_ = len(net.history)

    def on_epoch_end(self, net, **kwargs):
        """Print the epoch."""
        super().on_epoch_end(net, **kwargs)
        self.n_printed_ = len(net.history)

    def on_train_end(self, net, **kwargs):
        """Print the epoch in which training stopped, if it is not printed yet."""
        if len(net.history) > self.n_printed_:
            super().on_epoch_end(net, **kwargs)

    def format_row(self, row, key, color):
        """Format one cell."""
        # skorch colours a figure that the row marks as the best so far. Without the
        # rest of the row there is no mark, and no colour.
        seen = row if sys.stdout.isatty() else {key: row[key]}
        return super().format_row(seen, key, color)


def check_callbacks(callbacks):
    """Raise TypeError for callbacks that are not of skorch's type."""
    for given in callbacks:
        if not issubclass(_class_of(given), Callback):
            raise TypeError(
                "callbacks must contain skorch callbacks, objects of a class derived "
                f"from skorch.callbacks.Callback, got {given!r}."
            )


def names_of_those_that_begin_anew(callbacks):
    """Names of callbacks that would start anew when an interrupted training continues.

    Only callbacks that change the training are named.
    """
    classes = map(_class_of, callbacks)
    return [kind.__name__ for kind in classes if issubclass(kind, _BEGIN_ANEW)]


def _class_of(given):
    """Class of an item of `callbacks`: a callback, a class, or a pair with a name."""
    callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
    return callback if isinstance(callback, type) else type(callback)


def clipping(norm):
    """Callback that scales the gradient of all parameters down to length `norm`."""
    return GradientNormClipping(norm)


def batch_bar(n_batches):
    """Callback that shows on standard error how many batches of an epoch are done."""
    return ProgressBar(batches_per_epoch=n_batches, detect_notebook=False)
