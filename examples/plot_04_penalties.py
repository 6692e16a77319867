"""
Choosing penalties
==================

With few samples or many columns, CCA fits noise: it finds high correlations that other
samples do not show. A penalty prevents this. This example shows what the penalty does,
and how to let the model choose it.
"""

# %%
# Training and held-out samples disagree
# --------------------------------------
# There are 60 rows to learn from, and 32 columns in each view. The penalty is
# `shrinkage`, a share from 0 to 1. With 0 the model is CCA without a penalty. With 1 it
# is partial least squares. For each share we compute the score of the 60 training rows
# and the score of other rows.

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
# `shrinkage="cv"` chooses the share inside `fit`, by cross-validation. You need to set
# nothing else. In the picture, the score of the training rows is highest without a
# penalty. The score of other rows rises with the penalty at first, and then falls
# again.

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
# The searches of scikit-learn can choose other parameters. They need no scorer, because
# every two-view estimator has a `score` for held-out pairs. Pass the second view where
# other estimators expect the labels. `make_view_pipeline` makes a `ViewPipeline`, which
# has preprocessing steps for each view before the estimator. The search can choose the
# parameters of all steps. Here it chooses how many principal components of each view
# are used.

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
# `select_n_components` chooses the number of components. With `method="held_out"` it
# decides by held-out rows. This works with any two-view estimator, and with views of
# any width.

from skcrl.inspection import select_n_components

selected = select_n_components(
    left[:300],
    right[:300],
    method="held_out",
    estimator=LinearCCA(15, shrinkage=0.1),
)
selected.n_components
