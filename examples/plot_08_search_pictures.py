"""
Search pictures by words
========================

You type words and get pictures. A model learns from pairs of emoji and their keywords
alone, without a trained network and without word vectors. Then it ranks pictures that
it has never seen.
"""

# %%
# Two views: pixels and words
# ---------------------------
# The first view says how dark each pixel is in each colour. The second view is a text
# for each picture, with its name and its keywords. A fifth of the pairs is held out.

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
# Each view has a preprocessing step of its own: PCA for pixels, and TF-IDF for texts.
# The estimator follows. There are more words than samples, so the covariances are
# shrunk. `CrossViewRetriever` searches with the codes of the model.

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
# How often does a text find its own picture among the 370 held-out pictures?
# `recall_at_k` is the share of the texts whose picture is among the first `k`. By
# chance, one picture in ten would be among the first 37.

from skcrl.metrics import recall_at_k

pictures, words = retriever.transform_pair(ink[test], texts[test])
{k: round(recall_at_k(words, pictures, k=k), 2) for k in (1, 10, 37)}

# %%
# Search
# ------
# `fit_index` makes an index of the held-out pictures. A query can be any text. The
# display shows for each query the pictures that were found, the best ones on the left.

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
# and an item. Here are the three components that add most to the first answer.

first = retriever.search(y=["heart"], n_neighbors=1).ids[0, 0]
why = retriever.explain(y=["heart"], id=first)
why.names[:3], why.contributions[:3].round(3)
