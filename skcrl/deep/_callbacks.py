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
# Those of skorch that change a training by what they remember of it.
_BEGIN_ANEW = (EarlyStopping, LRScheduler, ParamMapper)


class StoppedEarly(Exception):
    """Early stopping ended the training."""


class BeforeValidation(Callback):
    """Bring the module up to its last step before the validation rows are looked at.

    Parameters
    ----------
    prepare : callable (net, training data)
        Changes the module.
    """

    def __init__(self, prepare):
        self.prepare = prepare

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Take the training data."""
        self.train_ = dataset_train

    def on_batch_begin(self, net, training=False, **kwargs):
        """Prepare at the first batch of the validation rows."""
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
    """Keep the best weights; stop when they stay the best for too long.

    Parameters
    ----------
    monitor : str
        Validation figure that is watched: "loss", which is to fall, or a score.
    patience : int
        Epochs without a better one.
    refine : bool
        Before stopping, go back to the best weights and divide the learning rate by
        ten, three times over, each with a fifth of the patience.
    tol : float
        Fraction of the whole gain so far that an epoch must add to count as better.
    """

    def __init__(self, monitor, patience, refine, tol):
        self.monitor = monitor
        self.patience = patience
        self.refine = refine
        self.tol = tol

    def initialize(self):
        """Know of no epoch."""
        self.first_ = self.best_ = self.goal_ = -np.inf
        self.weights_ = None
        self.misses_ = 0
        self.patience_ = self.patience
        self.refinements_ = _REFINEMENTS if self.refine else 0
        return self

    def on_train_begin(self, net, **kwargs):
        """Take the weights of now for the best, unless the training is taken up."""
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
        """What the epochs changed."""
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
        """Go on from a state."""
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
        Epochs whose mean loss is compared with that of as many before.
    tol : float
        Fraction of the whole decrease of the loss that it must have decreased between
        these.
    begin : int
        Epochs of earlier trainings, which are left out.
    """

    def __init__(self, n_epochs, tol, begin):
        self.n_epochs = n_epochs
        self.tol = tol
        self.begin = begin

    def on_epoch_end(self, net, **kwargs):
        """Compare the last epochs with those before, each time that many have gone."""
        losses = net.history[self.begin :, "train_loss"]
        if len(losses) < 2 * self.n_epochs or len(losses) % self.n_epochs:
            return
        if not is_falling(losses, self.n_epochs, self.tol):
            raise StoppedEarly


def is_falling(losses, n_epochs, tol):
    """Whether the last losses are lower than those before, by `tol` of the whole fall.

    Parameters
    ----------
    losses : list of float of length >= 2
        One an epoch.
    n_epochs : int
        How many are compared with as many before, if there are as many.
    tol : float
        Least share of what the loss fell since the first epoch.
    """
    n = min(n_epochs, len(losses) // 2)
    now, before = np.mean(losses[-n:]), np.mean(losses[-2 * n : -n])
    return before - now > tol * max(losses[0] - now, 0)


class OneCycle(Callback):
    """Raise the learning rate from a 25th to its full height, then let it fall.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate it is.
    lr : float
        Full height, reached after three tenths of the steps.
    n_steps : int
        Steps of the training.
    n_done : int
        Steps that are behind it.
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
        """Go one step on."""
        if training:
            self.schedule_.step()


class Checkpoints(Callback):
    """Keep a training in a file while it goes on.

    Parameters
    ----------
    checkpoint : Checkpoint
        The file.
    every : int
        Epochs from one state that is kept to the next.
    """

    def __init__(self, checkpoint, every):
        self.checkpoint = checkpoint
        self.every = every

    def on_train_begin(self, net, **kwargs):
        """Keep the beginning of a new training: now it shows if that fails."""
        if self.checkpoint.seed is None:
            self.checkpoint.write(net)

    def on_epoch_end(self, net, **kwargs):
        """Keep the state after this epoch if it is its turn."""
        if len(net.history) % self.every == 0:
            self.checkpoint.write(net)

    def on_train_end(self, net, **kwargs):
        """Keep the end, if this is where it was reached."""
        if not self.checkpoint.finished:
            self.checkpoint.write(net, finished=True)


class EpochTable(PrintLog):
    """Print a line an epoch, in colours on a terminal alone."""

    def on_train_begin(self, net, **kwargs):
        """Leave earlier epochs out."""
        self.n_printed_ = len(net.history)

    def on_epoch_end(self, net, **kwargs):
        """Print the epoch."""
        super().on_epoch_end(net, **kwargs)
        self.n_printed_ = len(net.history)

    def on_train_end(self, net, **kwargs):
        """Print the epoch in which training stopped, of which no end was told."""
        if len(net.history) > self.n_printed_:
            super().on_epoch_end(net, **kwargs)

    def format_row(self, row, key, color):
        """One cell."""
        # That a figure is the best so far, which stands beside it, is the colour.
        seen = row if sys.stdout.isatty() else {key: row[key]}
        return super().format_row(seen, key, color)


def check_callbacks(callbacks):
    """Raise TypeError for what skorch would not call."""
    for given in callbacks:
        if not issubclass(_class_of(given), Callback):
            raise TypeError(
                "callbacks must contain skorch callbacks, objects of a class derived "
                f"from skorch.callbacks.Callback, got {given!r}."
            )


def names_of_those_that_begin_anew(callbacks):
    """Names of callbacks that would change a training that is taken up."""
    classes = map(_class_of, callbacks)
    return [kind.__name__ for kind in classes if issubclass(kind, _BEGIN_ANEW)]


def _class_of(given):
    """Class of what stands in a list of callbacks: one, its class, or name and one."""
    callback = given[1] if isinstance(given, tuple) and len(given) == 2 else given
    return callback if isinstance(callback, type) else type(callback)


def clipping(norm):
    """Scale down gradients, all parameters' together, that are longer than `norm`."""
    return GradientNormClipping(norm)


def batch_bar(n_batches):
    """Show how many of the batches of an epoch are done, on standard error."""
    return ProgressBar(batches_per_epoch=n_batches, detect_notebook=False)
