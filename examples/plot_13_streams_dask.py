"""
Streams and Dask: more rows than memory holds
=============================================

`LinearCCA` needs only sums over the rows, and not the rows themselves. So the rows may
come in pieces, from a file, from a stream or from Dask arrays. The result is the same
as that of all rows at once.
"""

# %%
# Pieces, one after the other
# ---------------------------
# `partial_fit` accepts any number of rows. Each call adds them to the sums. After each
# call the model is the same as if it had been fitted to all rows so far.

import matplotlib.pyplot as plt
import numpy as np

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views

X, y = make_correlated_views(20_000, correlations=(0.9, 0.6), random_state=0)

stream = LinearCCA(2, reg=0)
rows, estimates = [], []
for start in range(0, len(X), 500):
    stream.partial_fit(X[start : start + 500], y[start : start + 500])
    rows.append(start + 500)
    estimates.append(stream.correlations_)

fig, ax = plt.subplots(layout="constrained")
ax.plot(rows, estimates)
ax.axhline(0.9, color="0.6", linestyle="--")
ax.axhline(0.6, color="0.6", linestyle="--")
ax.set_xlabel("rows seen")
ax.set_ylabel("canonical correlations")
ax.set_title("Dashed: what the stream was made with")

# %%
# The model is the same as one that was fitted to all rows at once:

at_once = LinearCCA(2, reg=0).fit(X, y)
print(np.abs(at_once.correlations_ - stream.correlations_).max() < 1e-10)

# %%
# Dask arrays
# -----------
# Views may be Dask arrays in blocks of rows. The sums are computed where the blocks
# are, by the scheduler that you have set. `transform` returns a Dask array.

import dask.array as da

X_blocks, y_blocks = (da.from_array(view, chunks=(2000, -1)) for view in (X, y))
of_dask = LinearCCA(2, reg=0).fit(X_blocks, y_blocks)
print(np.abs(of_dask.correlations_ - at_once.correlations_).max() < 1e-10)
of_dask.transform(X_blocks)

# %%
# Networks
# --------
# Deep estimators also train on Dask arrays, on memory maps and on Datasets of torch.
# They read one batch at a time.

from skcrl import DeepCCA

deep = DeepCCA(2, hidden_layer_sizes=(16,), max_epochs=2, tol=0, random_state=0)
deep.fit(X_blocks, y_blocks).transform(X_blocks)
