"""
What two tables share, and what each has alone
==============================================

Two tables of the same samples share some directions, and each has others of its own: an
instrument that drifts, a tissue that is not in the other. `LinearCommonIndividual`
takes them apart and finds out how many there are of either kind.
"""

# %%
# Two tables with known parts
# ---------------------------
# Both tables follow two shared factors. The first has three factors of its own, the
# second one.

import matplotlib.pyplot as plt
import numpy as np

from skcrl import LinearCommonIndividual

rng = np.random.default_rng(0)
shared, x_own, y_own = (rng.standard_normal((400, k)) for k in (2, 3, 1))
X, y = (
    np.hstack([shared, own]) @ rng.standard_normal((2 + own.shape[1], 60))
    + rng.standard_normal((400, 60))
    for own in (x_own, y_own)
)

parts = LinearCommonIndividual(random_state=0).fit(X, y)
parts.rank_, parts.n_individual_

# %%
# It found two common directions, and three and one individual ones, as they were made.
#
# How much of each table is which?
# --------------------------------

common = [
    parts.x_explained_variance_ratio_.sum(),
    parts.y_explained_variance_ratio_.sum(),
]
individual = [
    parts.x_individual_explained_variance_ratio_.sum(),
    parts.y_individual_explained_variance_ratio_.sum(),
]
rest = 1 - np.add(common, individual)

fig, ax = plt.subplots(layout="constrained", figsize=(6.4, 2.6))
start = np.zeros(2)
for name, share, color in (
    ("common", common, "#0072B2"),
    ("individual", individual, "#D55E00"),
    ("residual", rest, "0.8"),
):
    ax.barh(["first table", "second table"], share, left=start, label=name, color=color)
    start = start + share
ax.invert_yaxis()
ax.set_xlabel("share of the variance")
ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.25))

# %%
# Are they the right directions?
# ------------------------------
# Common codes should say all about the shared factors and nothing about those of one
# table alone. We regress the factors, which the model never saw, on the codes.

from sklearn.linear_model import LinearRegression


def explained(codes, factors):
    """Share of the variance of the factors that codes explain."""
    return LinearRegression().fit(codes, factors).score(codes, factors)


codes = {
    "common codes": parts.transform(X),
    "individual codes": parts.transform_individual(X),
}
factors = {"shared factors": shared, "factors of X alone": x_own}
table = [[explained(Z, F) for F in factors.values()] for Z in codes.values()]

fig, ax = plt.subplots(layout="constrained", figsize=(5, 3))
ax.imshow(table, cmap="Blues", vmin=0, vmax=1)
for (row, column), value in np.ndenumerate(table):
    ax.text(
        column,
        row,
        f"{value:.2f}",
        ha="center",
        va="center",
        color="white" if value > 0.5 else "black",
    )
ax.set_xticks(range(2), factors)
ax.set_yticks(range(2), codes)
