"""Typical use, of which mypy and pyright must find nothing to say; it is not run.

`make test` checks it. What they take a value for is asserted where it matters.
"""

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skcrl
from skcrl import (
    CCALRanker,
    CorrNet,
    CrossViewClassifier,
    CrossViewRetriever,
    DeepCCA,
    DeepCommonIndividual,
    DeepLabelEmbedding,
    KernelCCA,
    LabelEmbedding,
    LinearCCA,
    LinearCommonIndividual,
    MultimodalAutoencoder,
    ProbabilisticCCA,
    Restarts,
    RoutedView,
    SelfLearning,
    SemanticEmbedding,
    SemanticMatching,
    SparseCCA,
    TiedBidirectional,
    TwoView,
    ViewPipeline,
    describe,
    make_view_pipeline,
    transfer_score,
)
from skcrl.base import TwoViewTransformer, View
from skcrl.datasets import (
    class_disjoint_split,
    load_digits_halves,
    make_correlated_views,
)
from skcrl.inspection import (
    bootstrap_intervals,
    gradient_map,
    permutation_test,
    sample_size,
    select_n_components,
    stability_selection,
    summary,
)
from skcrl.metrics import (
    Hubness,
    RepresentationSimilarity,
    cka,
    common_score,
    get_scorer,
    individual_score,
    pearson_sum,
    recall_at_k,
    retrieval_report,
)

left, right, labels = load_digits_halves()
assert_type(left, np.ndarray)

# Linear and kernel methods.
cca = LinearCCA(n_components=10).fit(left[:1000], right[:1000])
assert_type(cca, LinearCCA)
assert_type(cca.transform(left), np.ndarray)
assert_type(cca.transform_pair(left, right), tuple[np.ndarray, np.ndarray])
assert_type(cca.reconstruct(left, to="y"), np.ndarray)
assert_type(cca.reconstruct(left, to="both"), tuple[np.ndarray, np.ndarray])
assert_type(cca.score(left, right), float)
assert_type(cca.partial_fit(left, right, sample_weight=np.ones(len(left))), LinearCCA)
LinearCCA(2, reg=(0.1, 0.0), shrinkage="ledoit_wolf", solver="gram", random_state=0)
LinearCCA(2).fit(pd.DataFrame(left), pd.DataFrame(right)).loadings_frame("y")
LinearCCA(2).fit(sparse.csr_array(left), right.tolist())
few = SparseCCA(2, alpha=(0.1, None), n_nonzero=(None, 5), shrinkage=0.7)
assert_type(few.fit(left, right).x_selected_, np.ndarray)
few.path(left, right, alphas=[0.1, 0.2]).x_weights.sum()
stability_selection(few, left, right, n_jobs=1).to_frame("y")
parts = LinearCommonIndividual(2, n_individual=(3, None), n_signal=9).fit(left, right)
assert_type(parts, LinearCommonIndividual)
assert_type(parts.transform_individual_y(right), np.ndarray)
assert_type(parts.reconstruct(left, right, to="x", parts="common"), np.ndarray)
model = ProbabilisticCCA(2, reg=(0.1, 0.0)).fit(left, right)
assert_type(model.posterior(y=right).covariance, np.ndarray)
assert_type(model.bic(left, right), float)
KernelCCA(3, kernel=("rbf", "linear"), gamma=(0.1, None), reg=1e-2).fit(left, right)
KernelCCA(3, kernel=lambda a, b: a @ b, approximation="nystroem").fit(left, right)

# Deep ones, with networks of one's own.
deep = DeepCCA(8, hidden_layer_sizes=(64,), max_epochs=5, random_state=0)
assert_type(deep.fit(left, right).partial_fit(left, right), DeepCCA)
assert_type(deep.predict(left), np.ndarray)
both = DeepCommonIndividual(LinearCCA(4), n_individual=4, gradient_penalty=(0.1, 0.0))
assert_type(both.fit(left, right).transform_individual(left), np.ndarray)
assert_type(both.common_score(left, right, kind="cosine"), np.ndarray)
own = DeepCCA(4, x_encoder=nn.Linear(32, 4), y_decoder=None, net_params=None)
own.fit(left, right, sample_weight=[1.0] * len(left)).save("own.skcrl")
assert_type(DeepCCA.load("own.skcrl", x_encoder=nn.Linear(32, 4)), DeepCCA)
CCALRanker(8, projection="learned", objective="infonce").fit(left, right, groups=labels)
CorrNet(8, decoder="mirrored", correlation_weight=0.5).fit(left, right).impute(
    left, right
)
assert_type(CorrNet.blog(8, max_epochs=5), CorrNet)
CorrNet.paper(terms=("self", "cross"), reconstruction_weight=(1.0, 0.5))
MultimodalAutoencoder(8, layout="split").fit(left, right).transform_joint(y=right)
TiedBidirectional(8, optimizer="adam", device="cpu").fit(left, right)
classes = DeepLabelEmbedding(
    metric="cosine", violators="warp", encoder=nn.Linear(32, 9)
)
assert_type(classes.fit(left, labels, validation=(left, labels)), DeepLabelEmbedding)
assert_type(classes.predict_top_k(left, k=3), np.ndarray)
assert_type(classes.label_embeddings_, np.ndarray)
assert_type(DeepLabelEmbedding.load("m", encoder=nn.Linear(32, 9)), DeepLabelEmbedding)
assert_type(LabelEmbedding(metric="cosine", reg=0.1).fit(left, labels), LabelEmbedding)
semantic = SemanticEmbedding(hierarchy={0: "round", 1: "open"}).fit(left, labels)
assert_type(semantic, SemanticEmbedding)
assert_type(semantic.embed_class("round"), np.ndarray)
print(semantic.explain(0).attributes)

# Files.
cca.save(Path("model.skcrl"))
assert_type(TwoViewTransformer.load(Path("model.skcrl")), TwoViewTransformer)
for name, value in describe("model.skcrl").items():
    print(name, value)

# Composition.
view = cca.view("x")
assert_type(view, View)
make_pipeline(view, LogisticRegression()).fit(left, labels).predict(left)
pipeline = ViewPipeline(LinearCCA(5), x=make_pipeline(StandardScaler(), PCA(10)))
assert_type(pipeline.fit(left, right), ViewPipeline)
assert_type(make_view_pipeline(LinearCCA(5), x=(PCA(9),), y=PCA(9)), ViewPipeline)
assert_type(SelfLearning(LinearCCA(5), max_rounds=3).fit(left, right), SelfLearning)
assert_type(Restarts(DeepCCA(5, max_epochs=1), 2).fit(left, right), Restarts)
pair = TwoView(left, right)
assert_type(pair[:100], TwoView)
classifier = CrossViewClassifier(
    LinearCCA(10), LogisticRegression(), fit_view="x", predict_view="y"
)
assert_type(classifier.fit(pair, labels).predict(TwoView(y=right)), np.ndarray)
cross_val_score(classifier, pair, labels, cv=5).mean()
assert_type(transfer_score(cca, left, right, labels, cv=3), np.ndarray)
RoutedView(LinearCCA(3)).fit(left, second_view=right).transform(left, right)
search = GridSearchCV(LinearCCA(), {"reg": [1e-3, 1e-1]})
search.fit(left, right)

# Retrieval.
matching = SemanticMatching(LinearCCA(10)).fit(left, right, labels)
assert_type(matching, SemanticMatching)
assert_type(matching.transform_y(right), np.ndarray)
retriever = CrossViewRetriever(LinearCCA(10), correlation_power=1).fit(left, right)
retriever = retriever.fit_index(y=right, ids=[f"digit {i}" for i in range(len(right))])
found = retriever.search(left[:3], n_neighbors=5)
assert_type(found.ids, np.ndarray)
retriever = retriever.remove(["digit 3"]).replace(y=right[:1], ids=["digit 4"])
assert_type(retriever.explain(left[:1], id="digit 4").names, np.ndarray | None)
distances, positions = retriever.kneighbors(left[:3])
assert_type(retriever.kneighbors(left, return_distance=False), np.ndarray)
corrected = CrossViewRetriever(
    LinearCCA(10), hubness="bank", hubness_params={"n_neighbors": 5, "weight": 0.5}
)

# Measures, tests and data.
Zx, Zy = cca.transform_pair(left, right)
assert_type(pearson_sum(Zx, Zy), float)
assert_type(recall_at_k(Zx, Zy, k=5, hubness="csls"), float)
report = retrieval_report(Zx, Zy, hubness=Hubness(5, bank=(Zx, Zy)))
assert_type(report["x_to_y"]["recall_at_1"], float)
assert_type(cka(Zx, right, debiased=True), float)
assert_type(RepresentationSimilarity().update(Zx, Zy).svcca(variance=0.9), float)
get_scorer("recall_at_1_x_to_y")(cca, left, right)
result = permutation_test(Zx, Zy, n_permutations=99, groups=labels, permute="whole")
print(result.pvalues.min(), result.to_frame())
bootstrap_intervals(LinearCCA(2), left, right, n_resamples=99).correlations.low.min()
print(select_n_components(left, right, method="parallel", random_state=0).n_components)
print(summary(cca, left, right).x.loadings.max(), sample_size(5, 4, [0.5, 0.3]).n)
gradient_map(cca, left, right, side="x").mean(axis=0)
gradient_map(deep, left, right, side="y", score=lambda zx, zy: (zx * zy).sum(1))
gradient_map(cca, left, right, side="x", extractor=nn.Flatten(), method="grad_cam")
common_score(Zx, Zy, kind="cosine").mean()
assert_type(individual_score(Zx, Zx, Zy), np.ndarray)
X, Y = make_correlated_views(500, correlations=(0.9, 0.5), random_state=0)
class_disjoint_split(left, right, classes=labels, test_size=0.5)

# Modules that are imported when they are first used.
skcrl.deep.DeepCCA(2)
skcrl.metrics.pearson_sum(X, X)
print(skcrl.inspection, skcrl.__version__)
