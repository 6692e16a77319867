"""
Two tables, from CSV files to a report
======================================

A study of 442 people has one table that describes the body and one that describes the
blood. What do the tables share, is it more than chance, and which columns carry it? We
start with files, and end with numbers and pictures.
"""

# %%
# Two files
# ---------
# The study comes with scikit-learn. We write it to files first, so that this example
# starts where your own study starts. A third file holds age and sex. When the files are
# read, the number of the person becomes the index. skcrl raises an error if the indexes
# of two data frames differ, unless the rows of one are only numbered 0, 1, 2, ...

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
# `permutation_test` gives a p-value for each pair of codes. Age and sex are passed as
# covariates. What the tables share only because both of them depend on age or sex then
# does not count.

from skcrl.inspection import permutation_test

test = permutation_test(
    body, blood, covariates=person, n_permutations=199, random_state=0
)
test.to_frame().round(3)

# %%
# `multivariate_tests` gives the classical statistics: Wilks' lambda, Pillai's trace and
# others.

from skcrl.inspection import multivariate_tests

multivariate_tests(body, blood, covariates=person).to_frame().round(4)

# %%
# The model
# ---------
# `LinearCCA` finds the pairs of codes. With `scale=True` the result does not depend on
# the units of the columns. The tests above ask whether the tables share more than age
# and sex explain. The pictures and tables below describe what the two tables share in
# all, so this model is fitted without covariates.

from skcrl import LinearCCA

cca = LinearCCA(2, reg=0, scale=True).fit(body, blood)
cca.correlations_.round(2)

# %%
# The circle shows each column as an arrow, by its correlations with the two components.
# Columns whose arrows point in the same direction go together.

from skcrl.plotting import CorrelationCircleDisplay

CorrelationCircleDisplay.from_estimator(cca, body, blood)

# %%
# `CorrelationsDisplay` compares three kinds of correlations: those of the rows to which
# the model was fitted, those of held-out rows, and those that chance alone reaches.

from skcrl.plotting import CorrelationsDisplay

without_covariates = permutation_test(body, blood, n_permutations=199, random_state=0)
CorrelationsDisplay.from_estimator(cca, body, blood, cv=5, null=without_covariates)

# %%
# `summary` makes the tables that other statistics programs print. Here is the one for
# the columns of the blood.

from skcrl.inspection import summary

report = summary(cca, body, blood)
report.to_frame("y").round(2)

# %%
# How certain are the correlations?
# ---------------------------------
# The correlations of the fitted rows are too large. `bootstrap_intervals` estimates the
# correlations in the population, with an interval for each.

from skcrl.inspection import bootstrap_intervals

intervals = bootstrap_intervals(
    LinearCCA(2, reg=0, scale=True), body, blood, n_resamples=100, random_state=0
)
intervals.to_frame()[["value", "low", "high"]].round(2)

# %%
# Loadings are the correlations of the columns with the codes of their own table. The
# lines in this picture are their intervals.

from skcrl.plotting import LoadingsDisplay

LoadingsDisplay.from_intervals(intervals)

# %%
# Which columns go together?
# --------------------------
# The two components imply a correlation of each column of one table with each column of
# the other table. `HeatmapDisplay` shows these correlations as colours.

from skcrl.plotting import HeatmapDisplay, NetworkDisplay

HeatmapDisplay.from_estimator(cca, body, blood)

# %%
# `NetworkDisplay` shows the strong ones among them as lines.

NetworkDisplay.from_estimator(cca, body, blood, cutoff=0.3)

# %%
# How many people would another study need?
# -----------------------------------------
# Suppose that the true first correlation is 0.3. `n_power` is the number of people with
# which 80 of 100 studies find it. `n_angle` is the number with which they also find
# the right weights of the columns, to within an `angle` of 30 degrees.

from skcrl.inspection import sample_size

size = sample_size(3, 6, 0.3, angle=30, random_state=0)
size.n_power, size.n_angle
