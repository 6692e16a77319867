"""
Missing views and missing cells
===============================

Real tables have gaps. Samples lack a whole view, or single cells are empty. This
example fills both kinds, and compares what was filled in with what was hidden.
"""

# %%
# Missing cells
# -------------
# Two tables of the same people: body and blood. We hide three of ten cells in both.

import numpy as np
from sklearn.datasets import load_diabetes

from skcrl import ProbabilisticCCA

diabetes = load_diabetes(as_frame=True).data * 21  # of variance 1
body, blood = diabetes.iloc[:, :4], diabetes.iloc[:, 4:]
rng = np.random.default_rng(0)
some_body, some_blood = (v.mask(rng.random(v.shape) < 0.3) for v in (body, blood))

# %%
# `ProbabilisticCCA` is fitted to the cells that are there. Each gap is then filled by
# what is expected of it, given the other cells of its row in both tables.

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
# `posterior` says how sure a code is. A row without blood values is less sure.

for seen in (blood[:1], blood[:1] * np.nan):
    mean, covariance = model.posterior(body[:1], seen)
    print(f"standard error {covariance[0, 0, 0] ** 0.5:.2f}")

# %%
# Missing views
# -------------
# Half of the digits lack their right half. `CorrNet` and `MultimodalAutoencoder` train
# on such samples: an absent view is a row of NaN.

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
# `LinearCCA` has no use for samples that lack a view, and learns from the others. After
# that, it too reconstructs a view that is missing.

complete = np.isfinite(gaps).all(axis=1)
cca = LinearCCA(20).fit(left[:1000][complete], gaps[complete])
reconstructed = cca.predict(left[1000:])
print(f"{reconstruction_error(right[1000:], reconstructed):.2f}")
