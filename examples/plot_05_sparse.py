"""
Which columns? Sparse selection
===============================

Two tables have hundreds of columns, but only a few columns carry what the tables share.
`SparseCCA` selects these columns. `stability_selection` says which of them would be
selected again in other samples.
"""

# %%
# Tables with a hidden factor
# ---------------------------
# We make two tables. Three of 500 genes and two of 300 lipids follow one hidden factor.
# Everything else is noise.

import numpy as np
import pandas as pd

from skcrl import SparseCCA

rng = np.random.default_rng(0)
hidden = rng.standard_normal((100, 1))
genes = pd.DataFrame(rng.standard_normal((100, 500))).add_prefix("gene ")
lipids = pd.DataFrame(rng.standard_normal((100, 300))).add_prefix("lipid ")
genes[["gene 10", "gene 200", "gene 350"]] += 1.5 * hidden
lipids[["lipid 5", "lipid 77"]] += 1.5 * hidden

# %%
# `n_nonzero` says how many columns of each view may have a weight. `x_selected_` and
# `y_selected_` are the names of the selected columns. They are the columns that follow
# the hidden factor.

model = SparseCCA(n_nonzero=(3, 2)).fit(genes, lipids)
list(model.x_selected_), list(model.y_selected_)

# %%
# How many columns should it be?
# ------------------------------
# A search tries several numbers of columns. The best mean score often belongs to more
# columns than are needed. So look at all scores, and take the smallest number of
# columns whose score comes close to the best.

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV

numbers = [1, 2, 3, 5, 10, 20]
search = GridSearchCV(SparseCCA(), {"n_nonzero": numbers}, cv=5).fit(genes, lipids)

fig, ax = plt.subplots(layout="constrained")
ax.errorbar(
    numbers,
    search.cv_results_["mean_test_score"],
    search.cv_results_["std_test_score"],
    marker="o",
    capsize=3,
)
ax.set_xscale("log")
ax.set_xticks(numbers, numbers)
ax.set_xlabel("columns of each view that may have a weight")
ax.set_ylabel("held-out correlation")

# %%
# Would they be selected again?
# -----------------------------
# `stability_selection` fits the model to many random halves of the samples, and counts
# how often each column is selected.

from skcrl.inspection import stability_selection

stability = stability_selection(
    SparseCCA(n_nonzero=5), genes, lipids, n_subsamples=20, random_state=0
)
stability.to_frame("x").head(6)

# %%
# `StabilityDisplay` draws these frequencies for the columns that were selected most
# often.

from skcrl.plotting import StabilityDisplay

StabilityDisplay.from_result(stability, top=8)

# %%
# Is it more than chance?
# -----------------------
# There are more columns than samples, so the correlations of the training rows say
# nothing. `held_out_permutation_test` uses held-out rows instead. It compares the
# cross-validated score with the scores after the rows of one table were permuted, and
# gives a p-value.

from skcrl.inspection import held_out_permutation_test

held_out_permutation_test(
    SparseCCA(n_nonzero=3), genes, lipids, n_permutations=19, random_state=0
).pvalue
