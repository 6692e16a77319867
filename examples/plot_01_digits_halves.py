"""
Halves of digits: learn, compare, reconstruct
=========================================

Each picture of a digit is cut into a left and a right half. The halves are two views of
the same digit. We learn a common space of both, look at it, and let the model draw the
right half of digits of which it sees only the left one.
"""

# %%
# The data
# --------
# `load_digits_halves` gives both views, a row for each digit, and the labels. The
# labels are not used to learn. They only colour the pictures below. The first 1,000
# digits are for training.

from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1000), slice(1000, None)
left.shape, right.shape

# %%
# A common space
# --------------
# `LinearCCA` finds linear codes of both views that correlate as much as possible. The
# score is the sum of the correlations of the ten components on digits that were not
# seen before. It could be 10 at most.

from skcrl import LinearCCA

cca = LinearCCA(n_components=10).fit(left[train], right[train])
print(f"{cca.score(left[test], right[test]):.2f}")

# %%
# A dot is a left half and a triangle the right half of the same digit. Short arrows
# mean that both views say the same. Digits of one class lie together, although the
# model never saw a label.

from skcrl.plotting import ScoresDisplay

ScoresDisplay.from_estimator(
    cca, left[test][:150], right[test][:150], labels=labels[test][:150]
)

# %%
# The missing half
# ----------------
# `predict` makes the right half from the left one. A kernel draws finer halves than a
# linear map: `KernelCCA` has the same methods.

from skcrl import KernelCCA
from skcrl.plotting import ReconstructionDisplay

kernel = KernelCCA(20, gamma=0.5, reg=1e-3).fit(left[train], right[train])
ReconstructionDisplay.from_estimator(
    kernel, left[test][:10], right[test][:10], to="y", shape=(8, 4), cmap="gray_r"
)

# %%
# The error is a share of the variance: 1 is the error of always drawing the mean half.

from skcrl.metrics import reconstruction_error

for model in (cca, kernel):
    error = reconstruction_error(right[test], model.predict(left[test]))
    print(f"{type(model).__name__:10} {error:.2f}")
