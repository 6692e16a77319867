"""
Halves of digits: learn, compare, reconstruct
=============================================

Each picture of a digit is cut into a left half and a right half. The halves are two
views of the same digit. We learn a common space of both views and look at it. Then the
model draws the right half of digits of which it sees only the left half.
"""

# %%
# The data
# --------
# `load_digits_halves` returns both views, with one row for each digit, and the labels.
# The model does not learn from the labels. They only colour the picture below. The
# first 1,000 digits are for training, and the other digits are for the test.

from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1000), slice(1000, None)
left.shape, right.shape

# %%
# A common space
# --------------
# `LinearCCA` finds linear codes of both views that correlate as much as possible. Its
# score is the sum of the correlations of the ten components, here on digits that the
# model has not seen before. The largest possible score is 10.

from skcrl import LinearCCA

cca = LinearCCA(n_components=10).fit(left[train], right[train])
print(f"{cca.score(left[test], right[test]):.2f}")

# %%
# `ScoresDisplay` draws the codes. A dot is a left half, and an arrow leads from it to a
# triangle, which is the right half of the same digit. A short arrow means that the two
# codes agree. Digits of one class lie together, although the model never saw a label.

from skcrl.plotting import ScoresDisplay

ScoresDisplay.from_estimator(
    cca, left[test][:150], right[test][:150], labels=labels[test][:150]
)

# %%
# The missing half
# ----------------
# `predict` makes the right half from the left half. `KernelCCA` has the same methods as
# `LinearCCA`, and draws finer halves, because its map is not linear.

from skcrl import KernelCCA
from skcrl.plotting import ReconstructionDisplay

kernel = KernelCCA(20, gamma=0.5, reg=1e-3).fit(left[train], right[train])
ReconstructionDisplay.from_estimator(
    kernel, left[test][:10], right[test][:10], to="y", shape=(8, 4), cmap="gray_r"
)

# %%
# `reconstruction_error` says how far the drawn halves are from the true ones. It is a
# share of the variance. A model that always draws the mean half has an error of 1.

from skcrl.metrics import reconstruction_error

for model in (cca, kernel):
    error = reconstruction_error(right[test], model.predict(left[test]))
    print(f"{type(model).__name__:10} {error:.2f}")
