"""
Choosing penalties
==================

With few samples or many columns CCA fits noise: it finds high correlations that no
other sample shows. A penalty prevents that. This example draws how much, and lets the
model choose.
"""

# %%
# Training and held-out samples disagree
# --------------------------------------
# There are 60 rows to learn from, and 32 columns in each view. `shrinkage` goes from 0,
# plain CCA, to 1, partial least squares.

import matplotlib.pyplot as plt
import numpy as np

from skcrl import LinearCCA
from skcrl.datasets import load_digits_halves

left, right, _ = load_digits_halves()
few, others = slice(60), slice(1000, None)

shares = np.linspace(0, 1, 21)
training, held_out = [], []
for share in shares:
    cca = LinearCCA(5, shrinkage=share).fit(left[few], right[few])
    training.append(cca.score(left[few], right[few]))
    held_out.append(cca.score(left[others], right[others]))

# %%
# `shrinkage="cv"` chooses the share by pairs that it holds out in turn. Nothing else
# need be set.

chosen = LinearCCA(5, shrinkage="cv").fit(left[few], right[few])
print(chosen.shrinkage_)

fig, ax = plt.subplots(layout="constrained")
ax.plot(shares, training, "--", color="0.5", label="the 60 rows of training")
ax.plot(shares, held_out, color="#0072B2", label="797 other rows")
ax.axvline(chosen.shrinkage_[0], color="#D55E00", label='chosen by shrinkage="cv"')
ax.set_xlabel("shrinkage")
ax.set_ylabel("total correlation of 5 components")
ax.legend()

# %%
# Any parameter, by a search
# --------------------------
# Other parameters are chosen by scikit-learn's searches. They need no scorer, because a
# two-view estimator scores held-out pairs by itself. The second view goes where labels
# go. `make_view_pipeline` makes a `ViewPipeline`, which has steps for each view before
# the estimator. The search sees all of them.

from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skcrl import make_view_pipeline

model = make_view_pipeline(LinearCCA(5), x=PCA(), y=PCA())
search = GridSearchCV(
    model,
    {"x__pca__n_components": [6, 12, 24], "y__pca__n_components": [6, 12, 24]},
    cv=5,
)
search.fit(left[:300], right[:300])
search.best_params_

# %%
# How many components?
# --------------------
# `select_n_components` chooses the number of components. Held-out rows decide, so any
# estimator and views of any width will do.

from skcrl.inspection import select_n_components

selected = select_n_components(
    left[:300],
    right[:300],
    method="held_out",
    estimator=LinearCCA(15, shrinkage=0.1),
)
selected.n_components
