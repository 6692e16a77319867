"""
Log a training, and go on after a crash
=======================================

During a long training you want to see how it goes, and a crash of the machine should
not destroy it. This example logs every epoch. Then it interrupts a training, and
continues it as if nothing had happened.
"""

# %%
# What every training records
# ---------------------------
# `history_frame` returns a table with one row for each epoch.

from skcrl import CorrNet
from skcrl.datasets import load_digits_halves

left, right, _ = load_digits_halves()
settings = {
    "n_components": 10,
    "max_epochs": 20,
    "validation_fraction": 0.2,
    "tol": 0,
    "random_state": 0,
}
net = CorrNet(**settings).fit(left, right)
net.history_frame().tail(3).round(3)

# %%
# `TrainingDisplay` draws the losses of this table.

from skcrl.plotting import TrainingDisplay

TrainingDisplay.from_estimator(net)

# %%
# Callbacks
# ---------
# The training calls the methods of a callback, for example after each epoch. Any
# callback of skorch can be used, for example those for TensorBoard, MLflow or Weights &
# Biases. The one below stores the losses. You would use one that writes your logs.

from skorch.callbacks import Callback


class Losses(Callback):
    """Keeps the loss of each epoch."""

    def __init__(self):
        self.losses = []

    def on_epoch_end(self, net, **kwargs):
        """Called by the training after each epoch."""
        self.losses.append(net.history[-1, "train_loss"])


# %%
# A crash
# -------
# With `checkpoint` the state of the training is stored in a file after each epoch. A
# second callback stops the training in epoch 8, as a crash would.

from pathlib import Path
from tempfile import TemporaryDirectory


class Crash(Callback):
    """Ends the training in epoch 8."""

    def on_epoch_begin(self, net, **kwargs):
        """Called by the training before each epoch."""
        if len(net.history) == 8:
            raise KeyboardInterrupt


folder = TemporaryDirectory()
settings["checkpoint"] = Path(folder.name) / "training"
log = Losses()
try:
    CorrNet(**settings, callbacks=[log, Crash()]).fit(left, right)
except KeyboardInterrupt:
    print(f"interrupted after {len(log.losses)} epochs")

# %%
# The same `fit` finds the file and continues from there. The codes are the same, bit
# for bit, as those of the training that was not interrupted.

resumed = CorrNet(**settings, callbacks=[log]).fit(left, right)
print(len(log.losses), (resumed.transform(left) == net.transform(left)).all())
folder.cleanup()
