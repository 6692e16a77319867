"""
What two tables share, and what each has alone
==============================================

Two tables of the same samples share some of their variation. Each table also has
variation of its own, for example because an instrument drifts. `LinearCommonIndividual`
separates the two, and estimates how many directions there are of each kind.
"""

# %%
# Two tables with known parts
# ---------------------------
# We make two tables, so that we know the answer. Both follow two shared factors. The
# first table also has three factors of its own, and the second table has one.

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
# The model found two common directions, three individual directions of the first table
# and one of the second. This is how the tables were made.
#
# How much of each table is common?
# ---------------------------------
# The next picture shows which share of the variance of each table is common, which
# share is individual, and which share is neither.

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
# The common codes should explain the shared factors, and should not explain the factors
# of one table alone. The individual codes should do the opposite. We predict the
# factors, which the model never saw, from the codes by linear regression. The picture
# shows the share of the variance of the factors that was explained.

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
