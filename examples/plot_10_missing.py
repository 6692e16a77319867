"""
Missing views and missing cells
===============================

Real tables have gaps. Some samples lack a whole view, or single cells are empty. This
example hides cells and views, fills in both kinds of gaps, and compares what was filled
in with what was hidden.
"""

# %%
# Missing cells
# -------------
# Two tables describe the same people. One is of the body, the other of the blood. We
# hide three of ten cells in both tables.

import numpy as np
from sklearn.datasets import load_diabetes

from skcrl import ProbabilisticCCA

diabetes = load_diabetes(as_frame=True).data * 21  # of variance 1
body, blood = diabetes.iloc[:, :4], diabetes.iloc[:, 4:]
rng = np.random.default_rng(0)
some_body, some_blood = (v.mask(rng.random(v.shape) < 0.3) for v in (body, blood))

# %%
# `ProbabilisticCCA` is fitted to the cells that are there. `impute` then fills each gap
# with the value that the model expects, given the other cells of the row in both
# tables. The bars show the squared errors, as shares of the variance of each column.
# Filling each gap with the mean of its column has an error of 1.

model = ProbabilisticCCA(2, reg=0.01).set_output(transform="pandas")
model.fit(some_body, some_blood)
full_body, full_blood = model.impute(some_body, some_blood)

lost = some_blood.isna()
errors = np.square(full_blood - blood)[lost].sum() / np.square(blood)[lost].sum()

import matplotlib.pyplot as plt

fig, ax = plt.subplots(layout="constrained")
ax.bar(errors.index, errors, color="#0072B2")
ax.axhline(1, color="0.4", linestyle="--", label="filled by the mean")
ax.set_ylabel("error of the hidden cells, as share of their variance")
ax.legend()

# %%
# `posterior` says how certain a code is. The code of a row without any blood values has
# a larger standard error.

for seen in (blood[:1], blood[:1] * np.nan):
    mean, covariance = model.posterior(body[:1], seen)
    print(f"standard error {covariance[0, 0, 0] ** 0.5:.2f}")

# %%
# Missing views
# -------------
# In the next data, every second digit lacks its right half. A row of NaN stands for a
# missing view. `CorrNet`, `MultimodalAutoencoder` and `TiedBidirectional` train on such
# samples, too. We print the errors with which they reconstruct right halves of other
# digits, as shares of the variance.

from skcrl import CorrNet, LinearCCA, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import load_digits_halves
from skcrl.metrics import reconstruction_error

left, right, labels = load_digits_halves()
gaps = right[:1000].copy()
gaps[::2] = np.nan

models = {
    "CorrNet": CorrNet(20, max_epochs=30, tol=0, random_state=0),
    "MultimodalAutoencoder": MultimodalAutoencoder(
        20, max_epochs=30, tol=0, random_state=0
    ),
    "TiedBidirectional": TiedBidirectional(20, max_epochs=30, tol=0, random_state=0),
}
for name, net in models.items():
    net.fit(left[:1000], gaps)
    reconstructed = net.predict(left[1000:])
    print(f"{name:22} {reconstruction_error(right[1000:], reconstructed):.2f}")

# %%
# `LinearCCA` cannot learn from samples that lack a view, so we fit it to the complete
# ones. After that, it can reconstruct a missing view as well.

complete = np.isfinite(gaps).all(axis=1)
cca = LinearCCA(20).fit(left[:1000][complete], gaps[complete])
reconstructed = cca.predict(left[1000:])
print(f"{reconstruction_error(right[1000:], reconstructed):.2f}")
