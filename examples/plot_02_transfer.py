"""
Transfer: train on left halves, predict from right halves
==========================================================

Labels are known for one view only, and predictions are wanted from the other. Codes of
both views lie in one space, so a classifier of codes of the first view reads codes of
the second as well.
"""

# %%
# Labels for left halves only
# ---------------------------

from sklearn.svm import LinearSVC

from skcrl import CrossViewClassifier, KernelCCA, LinearCCA, TwoView
from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1000), slice(1000, None)

# %%
# `CrossViewClassifier` fits the representation to both views, without labels, and then
# the classifier to codes of `fit_view`. It predicts from codes of `predict_view`. To
# predict, that view is enough.

transfer = CrossViewClassifier(
    KernelCCA(20, gamma=0.5, reg=1e-3), LinearSVC(), fit_view="x", predict_view="y"
)
transfer.fit(TwoView(left[train], right[train]), labels[train])
transfer.predict(TwoView(y=right[test][:10])), labels[test][:10]

# %%
# How well does it transfer?
# --------------------------
# `transfer_score` follows the protocol of the papers: the representation is fixed, and
# the classifier is trained and tested on held-out samples in folds. We compare a linear
# and a kernel representation, in both directions.

import matplotlib.pyplot as plt
import numpy as np

from skcrl import transfer_score

representations = {
    "LinearCCA": LinearCCA(20),
    "KernelCCA": KernelCCA(20, gamma=0.5, reg=1e-3),
}
scores = {
    (name, way): transfer_score(
        representation.fit(left[train], right[train]),
        left[test],
        right[test],
        labels[test],
        fit_view=way[0],
        predict_view=way[-1],
    )
    for name, representation in representations.items()
    for way in ("x to y", "y to x")
}

fig, ax = plt.subplots(layout="constrained")
for i, name in enumerate(representations):
    heights = [np.mean(scores[name, way]) for way in ("x to y", "y to x")]
    bars = ax.bar(np.arange(2) + 0.4 * i, heights, width=0.38, label=name)
    ax.bar_label(bars, fmt="%.2f")
ax.axhline(0.1, color="0.6", linestyle="--", label="chance")
ax.set_xticks(np.arange(2) + 0.2, ["left to right halves", "right to left halves"])
ax.set_ylabel("share of right predictions")
ax.legend(loc="lower right")

# %%
# Within a Pipeline of scikit-learn, `RoutedView` does the same, and takes
# the second view by metadata routing.
