"""
Search pictures by words
========================

Type words, get pictures. A model sees pairs of emoji and their keywords, and nothing
else: no trained network and no word vectors. Then it ranks pictures that it has never
seen.
"""

# %%
# Two views: pixels and words
# ---------------------------

import numpy as np
from sklearn.model_selection import train_test_split

from skcrl.datasets import load_emoji

emoji = load_emoji()
ink = 1 - emoji.images.reshape(len(emoji.images), -1) / 255
texts = np.array(
    [f"{name} | {line}" for name, line in zip(emoji.names, emoji.keywords, strict=True)]
)
train, test = train_test_split(np.arange(len(ink)), test_size=0.2, random_state=0)
texts[test[0]]

# %%
# The model
# ---------
# Each view has a step of its own, and the estimator follows. There are more words than
# samples, so the covariances are shrunk.

from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer

from skcrl import CrossViewRetriever, LinearCCA, make_view_pipeline

model = make_view_pipeline(
    LinearCCA(128, shrinkage=0.5),
    x=PCA(200, svd_solver="randomized", random_state=0),
    y=TfidfVectorizer(sublinear_tf=True),
)
retriever = CrossViewRetriever(model).fit(ink[train], texts[train])

# %%
# How well do texts find their own picture among the 370 held-out ones? By chance, one
# in ten would be among the first 37.

from skcrl.metrics import recall_at_k

pictures, words = retriever.transform_pair(ink[test], texts[test])
{k: round(recall_at_k(words, pictures, k=k), 2) for k in (1, 10, 37)}

# %%
# Search
# ------
# The index holds pictures alone. A query is any text.

from skcrl.plotting import RetrievalDisplay

retriever.fit_index(X=ink[test], ids=emoji.names[test])
queries = ["heart", "clock", "sad face", "woman", "family with two boys", "book"]
RetrievalDisplay.from_retriever(
    retriever, y=queries, items=emoji.images[test], n_neighbors=8
)

# %%
# Why was it found?
# -----------------
# `explain` says how much each component of the codes adds to the similarity of a query
# and an item.

first = retriever.search(y=["heart"], n_neighbors=1).ids[0, 0]
why = retriever.explain(y=["heart"], id=first)
why.names[:3], why.contributions[:3].round(3)
