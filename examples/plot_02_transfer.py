"""
Transfer: train on left halves, predict from right halves
==========================================================

Sometimes labels are known for one view only, but you want to predict from the other
view. The codes of both views lie in one space. So a classifier that was trained on
codes of the first view can also classify codes of the second view.
"""

# %%
# Labels for left halves only
# ---------------------------
# The views are the left and right halves of digits. The first 1,000 digits are for
# training.

from sklearn.svm import LinearSVC

from skcrl import CrossViewClassifier, KernelCCA, LinearCCA, TwoView
from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1000), slice(1000, None)

# %%
# `CrossViewClassifier` first fits the representation, here `KernelCCA`, to both views
# without labels. Then it trains the classifier on codes of `fit_view`. It predicts from
# codes of `predict_view`, and needs no other view to predict.

transfer = CrossViewClassifier(
    KernelCCA(20, gamma=0.5, reg=1e-3), LinearSVC(), fit_view="x", predict_view="y"
)
transfer.fit(TwoView(left[train], right[train]), labels[train])
transfer.predict(TwoView(y=right[test][:10])), labels[test][:10]

# %%
# How well does it transfer?
# --------------------------
# `transfer_score` follows the protocol of the papers. The representation was fitted
# before and stays as it is. The classifier is trained and tested on held-out samples,
# by cross-validation. We compare a linear representation with a kernel representation,
# in both directions.

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
# `RoutedView` does the same within a Pipeline of scikit-learn. It receives the second
# view by metadata routing.
