"""
Encoders of your own: a convolutional network
=============================================

`DeepCCA` accepts any module of torch as an encoder. Here a convolutional network
encodes halves of digits as images. We compare it with a dense network, which sees the
same pixels as columns of a table.
"""

# %%
# An encoder for images
# ---------------------
# An encoder receives a batch of samples, which may have any shape. For each sample it
# must return as many numbers as there are components. The encoder starts with the
# weights that you give it, so set the seed of torch before you make it.

import torch
from torch import nn

from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
x_images = left.reshape(-1, 1, 8, 4).astype("float32")
y_images = right.reshape(-1, 1, 8, 4).astype("float32")
train, test = slice(1000), slice(1000, None)


def encoder():
    """Network for halves of 8 by 4 pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 8 * 4, 10),
    )


torch.manual_seed(0)
x_encoder, y_encoder = encoder(), encoder()

# %%
# Training
# --------
# With ``validation_fraction=0.1`` a tenth of the rows is set aside to watch the
# training. With ``lr_schedule="one_cycle"`` the learning rate first rises to `lr` and
# then falls to almost 0. The parameter `augment` could change the images at random in
# training, for example with `RandomShift`. These halves have only four columns, and are
# too small for that.

from skcrl import DeepCCA

shared = {
    "max_epochs": 40,
    "batch_size": 250,
    "lr_schedule": "one_cycle",
    "validation_fraction": 0.1,
    "tol": 0,
    "random_state": 0,
}
conv = DeepCCA(10, x_encoder=x_encoder, y_encoder=y_encoder, lr=2e-2, **shared)
conv.fit(x_images[train], y_images[train])

# %%
# The dense network has one hidden layer, and a learning rate that suits it.

dense = DeepCCA(10, hidden_layer_sizes=(128,), lr=5e-3, **shared)
dense.fit(left[train], right[train])

# %%
# The losses
# ----------
# `TrainingDisplay` draws the loss of the training rows, and the loss of the rows that
# were set aside.

from skcrl.plotting import TrainingDisplay

TrainingDisplay.from_estimators({"convolutions": conv, "dense": dense})

# %%
# The score is the total correlation of the ten components, on halves that neither
# network has seen:

print(f"convolutions {conv.score(x_images[test], y_images[test]):.1f}")
print(f"dense        {dense.score(left[test], right[test]):.1f}")
