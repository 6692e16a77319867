"""
Join two frozen encoders by few pairs
=====================================

One encoder makes vectors of English texts, and another makes vectors of German texts.
Neither is trained again, and only 200 pairs of vectors are known to belong together. We
join the two spaces. Then we also use vectors whose partner is not known.
"""

# %%
# Two spaces
# ----------
# Each encoder learned from texts of its own language only, here the names and keywords
# of emoji. With data of your own, take two arrays of vectors in place of `english` and
# `german`.

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skcrl.datasets import load_emoji

order = np.random.default_rng(0).permutation(1849)


def vectors(language):
    """Vectors of names and keywords in a language."""
    emoji = load_emoji(language=language)
    texts = [
        f"{name} | {line}"
        for name, line in zip(emoji.names, emoji.keywords, strict=True)
    ]
    encoder = make_pipeline(
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), min_df=2, sublinear_tf=True
        ),
        TruncatedSVD(150, random_state=0),
    )
    return encoder.fit_transform(np.array(texts)[order])


english, german = vectors("en"), vectors("de")

# %%
# For the first 200 emoji we assume that both vectors are known to belong together. The
# last 300 emoji are held out. The score says how well their vectors find their
# partners. It is the mean reciprocal rank, which is 1 if every partner is found first.

from skcrl import CrossViewRetriever, LinearCCA

pairs, held_out = slice(200), slice(1549, None)
cca = LinearCCA(100, shrinkage="cv")
by_pairs = CrossViewRetriever(cca).fit(english[pairs], german[pairs])
print(f"{by_pairs.score(english[held_out], german[held_out]):.2f}")

# %%
# Vectors without a partner
# -------------------------
# `SelfLearning` learns from the known pairs, finds further pairs among the other
# vectors, and learns from these, too. It repeats this as long as the score of held-out
# pairs improves. A row of NaN stands for a partner that is not known.

from skcrl import SelfLearning

unknown = np.full((1349, 150), np.nan)
X = np.vstack([english[:1549], unknown])
y = np.vstack([german[:200], unknown, german[1548:199:-1]])  # in another order
strong = LinearCCA(100, shrinkage=by_pairs.estimator_.shrinkage_)
by_all = CrossViewRetriever(SelfLearning(strong, random_state=0)).fit(X, y)
print(f"{by_all.score(english[held_out], german[held_out]):.2f}")

# %%
# How many pairs are needed?
# --------------------------
# The curve shows the score for different numbers of known pairs. The star shows what
# 200 pairs reach when vectors without a partner are used as well.

import matplotlib.pyplot as plt

numbers = [50, 100, 200, 400, 800]
scores = [
    CrossViewRetriever(cca)
    .fit(english[:n], german[:n])
    .score(english[held_out], german[held_out])
    for n in numbers
]
fig, ax = plt.subplots(layout="constrained")
ax.plot(numbers, scores, "o-", color="#0072B2", label="known pairs alone")
ax.plot(
    200,
    by_all.score(english[held_out], german[held_out]),
    "*",
    color="#D55E00",
    markersize=14,
    label="200 pairs and vectors without a partner",
)
ax.set_xscale("log")
ax.set_xticks(numbers, numbers)
ax.minorticks_off()
ax.set_xlabel("known pairs")
ax.set_ylabel("mean reciprocal rank of 300 others")
ax.legend()
