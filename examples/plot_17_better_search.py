"""
Encoders trained for search
===========================

You can search with the codes of any two-view estimator. This example compares four
kinds of codes: correlated codes, codes that a network learned for search, the mean of
several trainings, and probabilities of classes.
"""

# %%
# Find the right half of a left half
# ----------------------------------
# The query is the left half of a digit, and the right answer is its own right half. The
# retriever also searches in the other direction, with right halves as queries. We
# compare `LinearCCA`, the network `CCALRanker`, which is trained for search, and
# `Restarts`, the mean of several trainings of `DeepCCA`.

from skcrl import (
    CCALRanker,
    CrossViewRetriever,
    DeepCCA,
    LinearCCA,
    Restarts,
    SemanticMatching,
)
from skcrl.datasets import load_digits_halves

left, right, labels = load_digits_halves()
train, test = slice(1400), slice(1400, None)
short = {
    "hidden_layer_sizes": (100,),
    "max_epochs": 15,
    "lr": 1e-2,
    "lr_schedule": "one_cycle",
    "tol": 0,
}
models = {
    "LinearCCA": LinearCCA(20),
    "CCALRanker": CCALRanker(
        10, objective="infonce", batch_size=200, random_state=0, **short
    ),
    "Restarts of 3 DeepCCA": Restarts(
        DeepCCA(10, batch_size=200, **short), 3, random_state=0
    ),
}

# %%
# The score of a retriever is the mean reciprocal rank of the partner among 397 halves.
# It is 1 if every partner is found first.

scores = {
    name: CrossViewRetriever(model)
    .fit(left[train], right[train])
    .score(left[test], right[test])
    for name, model in models.items()
}

import matplotlib.pyplot as plt

fig, ax = plt.subplots(layout="constrained", figsize=(6.4, 2.6))
bars = ax.barh(list(scores), list(scores.values()), color="#0072B2")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.margins(x=0.12)
ax.invert_yaxis()
ax.set_xlabel("mean reciprocal rank")

# %%
# Find all halves of a class
# --------------------------
# If the samples have labels, you may ask another question: which right halves show the
# same digit? `SemanticMatching` learns the probabilities of the classes, and uses them
# as codes. The measure is the mean average precision. It is 1 if all halves of the same
# digit come before all others.

from skcrl.metrics import mean_average_precision

classes = labels[test], labels[test]
by_codes = LinearCCA(20).fit(left[train], right[train])
by_classes = SemanticMatching(LinearCCA(20))
by_classes.fit(left[train], right[train], labels[train])
for name, model in (("LinearCCA", by_codes), ("SemanticMatching", by_classes)):
    codes = model.transform_pair(left[test], right[test])
    print(f"{name:17} {mean_average_precision(*codes, relevant=classes):.2f}")
