"""
Log a training, and go on after a crash
=======================================

A long training should say how it goes, and should not be lost with the machine. This
example logs every epoch, interrupts a training halfway, and goes on as if nothing had
happened.
"""

# %%
# What every training remembers
# -----------------------------
# `history_frame` has a row for each epoch.

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
# `TrainingDisplay` draws it.

from skcrl.plotting import TrainingDisplay

TrainingDisplay.from_estimator(net)

# %%
# Callbacks
# ---------
# Any callback of skorch will do, those for TensorBoard, MLflow or Weights & Biases
# among them. This one keeps the losses, and stands for whatever writes logs.

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
# With `checkpoint` the training is kept in a file. Another callback stops it in epoch
# 8, as a crash would.

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
# The same `fit` goes on from there. It ends bit for bit where the first training ended.

resumed = CorrNet(**settings, callbacks=[log]).fit(left, right)
print(len(log.losses), (resumed.transform(left) == net.transform(left)).all())
folder.cleanup()
