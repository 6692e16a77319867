"""
Saliency: where in a picture is what both views share?
======================================================

Two halves of a digit share something, and each has something of its own.
`DeepCommonIndividual` learns codes of both kinds. Gradient maps then say which pixels
of a half the codes depend on.
"""

# %%
# Common and individual codes
# ---------------------------
# The common part is any other two-view estimator, here `DeepCCA`. It is fitted first.
# For each view an encoder then learns codes of what the common codes leave out, and a
# decoder reconstructs the view from both kinds.

from skcrl import DeepCCA, DeepCommonIndividual
from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1200), slice(1200, None)

common = DeepCCA(4, hidden_layer_sizes=(64,), max_epochs=20, tol=0, random_state=0)
model = DeepCommonIndividual(
    common, hidden_layer_sizes=(64,), max_epochs=30, tol=0, random_state=0
)
model.fit(left[train], right[train])

# %%
# A half is reconstructed better from both kinds of codes than from one. Errors are
# shares of the variance: 1 is the error of the mean.

from skcrl.metrics import reconstruction_error

for parts in ("common", "individual", "all"):
    reconstructed = model.reconstruct(left[test], to="x", parts=parts)
    print(f"{parts:10} {reconstruction_error(left[test], reconstructed):.2f}")

# %%
# Where do they lie?
# ------------------
# `gradient_map` computes how a score depends on the pixels. The common score is large
# where a half holds what its partner holds, too.

import numpy as np

from skcrl.inspection import gradient_map

maps = {
    score: gradient_map(
        model,
        left[test],
        right[test],
        side="x",
        score=score,
        method="gradient_times_input",
    ).reshape(-1, 8, 4)
    for score in ("common", "individual")
}

# %%
# Here are some halves, and what either score depends on in them:

from skcrl.plotting import SaliencyDisplay

SaliencyDisplay.from_maps(
    left[test][:8],
    {score: each[:8] for score, each in maps.items()},
    shape=(8, 4),
    cmap="gray_r",
)

# %%
# Over many digits, the common part lies at the right border of the left half. That is
# where the right half goes on.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(5, 4))
for ax, (score, each) in zip(axes, maps.items(), strict=True):
    ax.imshow(np.abs(each).mean(axis=0), cmap="magma")
    ax.set_title(f"{score} score")
    ax.set_xticks([0, 3], ["edge", "cut"])
    ax.set_yticks([])
