"""
Encoders of your own: a convolutional network
=============================================

`DeepCCA` takes any module of torch as an encoder. Here halves of digits go through
convolutions as images, and a dense network sees the same pixels as columns.
"""

# %%
# An encoder for images
# ---------------------
# The module takes a batch of samples, of any shape, and gives as many numbers a sample
# as there are components. Its first weights are yours to seed.

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
# A tenth of the rows is set aside to watch the training. With
# ``lr_schedule="one_cycle"`` the learning rate rises to `lr` and falls to nothing.
# `augment` could change the images in training, for example by `RandomShift`; halves of
# four columns are too small for that.

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
# The dense network has one hidden layer, and a learning rate that suits it:

dense = DeepCCA(10, hidden_layer_sizes=(128,), lr=5e-3, **shared)
dense.fit(left[train], right[train])

# %%
# How did they train?
# -------------------
# `TrainingDisplay` draws the loss of the training rows and of those set aside.

from skcrl.plotting import TrainingDisplay

TrainingDisplay.from_estimators({"convolutions": conv, "dense": dense})

# %%
# Total correlation of ten components, on halves that neither saw:

print(f"convolutions {conv.score(x_images[test], y_images[test]):.1f}")
print(f"dense        {dense.score(left[test], right[test]):.1f}")
