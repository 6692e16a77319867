"""
Two tables, from CSV files to a report
======================================

A study of 442 people has one table of the body and one of the blood. What do the tables
share, is it more than chance, and which columns carry it? We go from two files to
numbers and pictures.
"""

# %%
# Two files
# ---------
# The study comes with scikit-learn. We write it to files first, so that this example
# begins where yours will begin. The index is the number of the person: skcrl refuses
# two frames whose rows are labelled differently.

import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_diabetes

folder = Path(tempfile.mkdtemp())
study = load_diabetes(as_frame=True, scaled=False).frame
columns = {
    "body": ["bmi", "bp", "target"],
    "blood": ["s1", "s2", "s3", "s4", "s5", "s6"],
    "person": ["age", "sex"],
}
for table, names in columns.items():
    study[names].to_csv(folder / f"{table}.csv", index_label="id")

body, blood, person = (
    pd.read_csv(folder / f"{table}.csv", index_col="id") for table in columns
)
body.head(3)

# %%
# Is there anything?
# ------------------
# `permutation_test` gives a p-value for each pair of codes. Age and sex are covariates:
# what the tables share only because both change with age does not count.

from skcrl.inspection import permutation_test

test = permutation_test(
    body, blood, covariates=person, n_permutations=199, random_state=0
)
test.to_frame().round(3)

# %%
# `multivariate_tests` prints the classical statistics beside it.

from skcrl.inspection import multivariate_tests

multivariate_tests(body, blood, covariates=person).to_frame().round(4)

# %%
# The model
# ---------

from skcrl import LinearCCA

cca = LinearCCA(2, reg=0, scale=True).fit(body, blood)
cca.correlations_.round(2)

# %%
# The circle shows each column by its correlations with the two codes. Columns that
# point the same way go together.

from skcrl.plotting import CorrelationCircleDisplay

CorrelationCircleDisplay.from_estimator(cca, body, blood)

# %%
# `CorrelationsDisplay` puts the correlations of the fitted rows beside those of
# held-out rows and those that chance reaches.

from skcrl.plotting import CorrelationsDisplay

without_covariates = permutation_test(body, blood, n_permutations=199, random_state=0)
CorrelationsDisplay.from_estimator(cca, body, blood, cv=5, null=without_covariates)

# %%
# `summary` has the tables that other programs print.

from skcrl.inspection import summary

report = summary(cca, body, blood)
report.to_frame("y").round(2)

# %%
# How well are they known?
# ------------------------
# The correlations of the fitted rows are too large. `bootstrap_intervals` gives what
# they are in the population, and how far they may be off.

from skcrl.inspection import bootstrap_intervals

intervals = bootstrap_intervals(
    LinearCCA(2, reg=0, scale=True), body, blood, n_resamples=100, random_state=0
)
intervals.to_frame()[["value", "low", "high"]].round(2)

# %%
# Loadings are correlations of the columns with the code of their own table. A line
# shows how well each is known.

from skcrl.plotting import LoadingsDisplay

LoadingsDisplay.from_intervals(intervals)

# %%
# Which columns go together?
# --------------------------
# Through the two components, each column of one table correlates with each of the
# other.

from skcrl.plotting import HeatmapDisplay, NetworkDisplay

HeatmapDisplay.from_estimator(cca, body, blood)

# %%
# The network draws the stronger ones as lines.

NetworkDisplay.from_estimator(cca, body, blood, cutoff=0.3)

# %%
# How many people would another study need?
# -----------------------------------------
# `sample_size` says how many samples let the test find a correlation of 0.3 in 80 of
# 100 studies, and how many are needed to know what it consists of.

from skcrl.inspection import sample_size

size = sample_size(3, 6, 0.3, random_state=0)
size.n_power, size.n_angle
