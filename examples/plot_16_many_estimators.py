"""
Seven estimators, one missing half
==================================

Each of these estimators can draw the right half of a digit from the left half. We
compare what they draw, and how far it is from the true half.
"""

# %%
# The estimators
# --------------
# All estimators have the same methods, so one loop can use all of them.

import matplotlib.pyplot as plt

from skcrl import (
    CorrNet,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    MultimodalAutoencoder,
    ProbabilisticCCA,
    TiedBidirectional,
)
from skcrl.datasets import load_digits_halves
from skcrl.metrics import reconstruction_error

left, right, labels = load_digits_halves()
train, test = slice(1000), slice(1000, None)
networks = {
    "max_epochs": 30,
    "lr": 5e-3,
    "lr_schedule": "one_cycle",
    "tol": 0,
    "random_state": 0,
}
estimators = [
    LinearCCA(10),
    ProbabilisticCCA(10, reg=0.1),
    KernelCCA(20, gamma=0.5, reg=1e-3),
    DeepCCA(10, hidden_layer_sizes=(64,), **networks),
    CorrNet(20, **networks),
    MultimodalAutoencoder(20, **networks),
    TiedBidirectional(20, **networks),
]

# %%
# What they draw
# --------------
# The first row shows the true digits. In the rows below, the left halves are the same,
# and one estimator has drawn the right halves.

rows = [("truth", right[test][:10])]
errors = {}
for estimator in estimators:
    name = type(estimator).__name__
    reconstructed = estimator.fit(left[train], right[train]).predict(left[test])
    errors[name] = reconstruction_error(right[test], reconstructed)
    rows.append((name, reconstructed[:10]))

fig, axes = plt.subplots(len(rows), 10, layout="constrained", figsize=(8, 6))
for line, (name, halves) in zip(axes, rows, strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, given, drawn in zip(line, left[test], halves, strict=False):
        picture = ax.imshow(
            [
                [*a, *b]
                for a, b in zip(given.reshape(8, 4), drawn.reshape(8, 4), strict=True)
            ],
            cmap="gray_r",
            vmin=0,
            vmax=1,
        )
        ax.axvline(3.5, color="#D55E00", linewidth=1)
        ax.set_xticks([])
        ax.set_yticks([])

# %%
# How far from the truth?
# -----------------------
# The errors are shares of the variance. Always drawing the mean half has an error of 1.
# The networks were trained for a short time only, so their errors say little about what
# they can reach. The results of the benchmarks say more about that.

fig, ax = plt.subplots(layout="constrained", figsize=(6.4, 3.2))
bars = ax.barh(list(errors), list(errors.values()), color="#0072B2")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.margins(x=0.12)
ax.invert_yaxis()
ax.set_xlim(0, 1)
ax.set_xlabel("error of right halves that were not seen before")
