"""
Classes without samples: zero-shot learning
===========================================

The second view may be the class of each sample. `SemanticEmbedding` also uses what is
known about the classes, in the form of attributes. So it can predict a class of which
it has never seen a sample.
"""

# %%
# Digits and their attributes
# ---------------------------
# We know something about each digit before we see a picture of it: whether it has a
# loop at the top or at the bottom, whether it has a horizontal stroke, and so on. This
# table says which attributes each digit has.

import pandas as pd
from sklearn.datasets import load_digits

images, digits = load_digits(return_X_y=True)
attributes = pd.DataFrame(
    {
        "loop above": [1, 0, 0, 0, 0, 0, 0, 0, 1, 1],
        "loop below": [1, 0, 0, 0, 0, 0, 1, 0, 1, 0],
        "open to the left": [0, 0, 1, 1, 0, 1, 0, 1, 0, 1],
        "open to the right": [0, 0, 1, 0, 0, 1, 1, 0, 0, 0],
        "stroke at the top": [0, 0, 0, 0, 0, 1, 0, 1, 0, 0],
        "stroke at the bottom": [0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
        "upright line": [0, 1, 0, 0, 1, 0, 0, 0, 0, 1],
    },
    index=range(10),
)
attributes.T

# %%
# Learn without one class
# -----------------------
# The model learns from pictures of nine digits. It never sees a 6.

import numpy as np

from skcrl import SemanticEmbedding

unseen = 6
seen = digits != unseen
train = seen & (np.arange(len(digits)) < 1000)
known = attributes.drop(index=unseen)
model = SemanticEmbedding(attributes=known).fit(images[train], digits[train])

# %%
# `add_class` makes a code for the unseen digit from its attributes. From then on it is
# a class like the others, which `predict` can choose.

model.add_class(unseen, attributes=attributes.loc[unseen])
test = np.arange(len(digits)) >= 1000
predicted = model.predict(images[test])
of_unseen = digits[test] == unseen
print(f"{np.mean(predicted[of_unseen] == unseen):.2f} of the 6s are told to be a 6")
print(f"{np.mean(predicted == digits[test]):.2f} of all digits are right")

# %%
# Is every digit recognised so well?
# ----------------------------------
# We leave out one digit after the other, and count how often it is recognised. Some
# digits are recognised much better than others. It depends on what the attributes say,
# and on whether the other digits show what each attribute looks like.

import matplotlib.pyplot as plt

found = []
for unseen in range(10):
    train = (digits != unseen) & ~test
    model = SemanticEmbedding(attributes=attributes.drop(index=unseen))
    model.fit(images[train], digits[train])
    model.add_class(unseen, attributes=attributes.loc[unseen])
    of_unseen = test & (digits == unseen)
    found.append(model.score(images[of_unseen], digits[of_unseen]))

fig, ax = plt.subplots(layout="constrained")
ax.bar(range(10), found, color="#0072B2")
ax.axhline(0.1, color="0.4", linestyle="--", label="chance")
ax.set_xticks(range(10))
ax.set_xlabel("digit of which no sample was seen")
ax.set_ylabel("share that is told to be it")
ax.legend()

# %%
# What makes a class?
# -------------------
# `explain` says by which attributes a class differs from the mean of all classes. The
# last model left out the 9, so its code for a 9 was made from attributes alone.

model.explain(9).attributes

# %%
# Without attributes
# ------------------
# If every class has samples, no attributes are needed. `LabelEmbedding` places samples
# and classes in one space with the labels alone, and `DeepLabelEmbedding` does it with
# a network. `predict_top_k` gives the `k` classes that are nearest to each sample.

from skcrl import DeepLabelEmbedding, LabelEmbedding

rows = slice(1000)
for classifier in (
    LabelEmbedding(),
    DeepLabelEmbedding(hidden_layer_sizes=(64,), max_epochs=20, tol=0, random_state=0),
):
    classifier.fit(images[rows], digits[rows])
    print(type(classifier).__name__, classifier.predict_top_k(images[1000:1002], k=3))
