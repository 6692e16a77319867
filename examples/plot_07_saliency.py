"""
Saliency: where in a picture is what both views share?
======================================================

The two halves of a digit share something, and each half has something of its own.
`DeepCommonIndividual` learns codes of both kinds. Gradient maps then show on which
pixels of a half the codes depend.
"""

# %%
# Common and individual codes
# ---------------------------
# Another two-view estimator learns the common codes, here `DeepCCA`. It is fitted
# first. Then an encoder for each view learns individual codes. They hold what the
# common codes leave out: a decoder reconstructs the view from both kinds of codes
# together.

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
# A half is reconstructed better from both kinds of codes than from one kind. The errors
# are shares of the variance: always drawing the mean half has an error of 1.

from skcrl.metrics import reconstruction_error

for parts in ("common", "individual", "all"):
    reconstructed = model.reconstruct(left[test], to="x", parts=parts)
    print(f"{parts:10} {reconstruction_error(left[test], reconstructed):.2f}")

# %%
# Where are the common and the individual part?
# ---------------------------------------------
# `gradient_map` computes how much a score of a pair depends on each pixel. The map of
# the "common" score shows the pixels that say the same as the other half. The map of
# the "individual" score shows the pixels that say something of their own.

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
# `SaliencyDisplay` draws some halves, and below each half its maps of both scores:

from skcrl.plotting import SaliencyDisplay

SaliencyDisplay.from_maps(
    left[test][:8],
    {score: each[:8] for score, each in maps.items()},
    shape=(8, 4),
    cmap="gray_r",
)

# %%
# On the mean over all test digits, the common part lies at the right border of the left
# half. This is where the right half continues.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, layout="constrained", figsize=(5, 4))
for ax, (score, each) in zip(axes, maps.items(), strict=True):
    ax.imshow(np.abs(each).mean(axis=0), cmap="magma")
    ax.set_title(f"{score} score")
    ax.set_xticks([0, 3], ["edge", "cut"])
    ax.set_yticks([])
