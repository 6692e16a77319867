"""Small fitted estimators of every kind that can be saved, and what goes into them."""

from functools import cache

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

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
    SelfLearning,
    SemanticEmbedding,
    SemanticMatching,
    SparseCCA,
    TiedBidirectional,
    TwoView,
    ViewPipeline,
)

_N = 60


def views():
    """Two views of 60 rows, six and four columns, that share two dimensions."""
    rng = np.random.RandomState(0)
    shared = rng.standard_normal((_N, 2))
    X, y = (
        shared @ rng.standard_normal((2, p)) + 0.3 * rng.standard_normal((_N, p))
        for p in (6, 4)
    )
    return X, y


X, Y = views()
LABELS = (X[:, 0] > 0).astype(int) + (Y[:, 0] > 1)
NAMES = np.array(["kalt", "warm", "heiß"])[LABELS]
FRAME_X = pd.DataFrame(X, columns=list("abcdef"))
FRAME_Y = pd.DataFrame(Y, columns=["w", "x", "y", "z"])
TEXTS = [
    " ".join(f"w{i}" for i, value in enumerate(row) if value > 0) + " und" for row in X
]
COLOURS = pd.DataFrame({"colour": NAMES, "size": Y[:, 0], "width": Y[:, 1]})
SPARSE_X, SPARSE_Y = (sparse.csr_array(np.where(v > 0, v, 0)) for v in (X, Y))

_DEEP = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 2,
    "batch_size": 20,
    "random_state": 0,
    "lr": 0.01,
}
_TABLE = ColumnTransformer(
    [
        ("one", OneHotEncoder(), ["colour"]),
        ("rest", StandardScaler(), ["size", "width"]),
    ]
)
_UNION = FeatureUnion(
    [("words", TfidfVectorizer()), ("chars", TfidfVectorizer(analyzer="char"))]
)


def network(n_in, n_out, seed=0):
    """A network with weights of its own, a count and statistics of batches."""
    modules = torch.nn.Linear(n_in, n_out), torch.nn.BatchNorm1d(n_out)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        modules[0].weight.normal_(generator=generator)
        modules[0].bias.zero_()
    return torch.nn.Sequential(*modules)


def networks(name):
    """What ``load`` has to be given beside the file of a model, with other weights."""
    if "own" not in name:
        return {}
    if "labels" in name:
        return {"encoder": network(6, 3, 1)}
    return {"x_encoder": network(6, 2, 1), "y_decoder": network(2, 4, 1)}


_OWN = {"x_encoder": network(6, 2), "y_decoder": network(2, 4)}

# Name to an estimator that is not fitted, and what it is fitted to.
TWO_VIEWS = {
    "linear": (LinearCCA(2), X, Y),
    "linear scaled": (LinearCCA(scale=True, shrinkage="oas", reg=(0.1, 0)), X, Y),
    "linear 1-D": (LinearCCA(), X, Y[:, 0]),
    "linear float32": (LinearCCA(2), X.astype(np.float32), Y.astype(np.float32)),
    "linear frames": (LinearCCA(2), FRAME_X, FRAME_Y),
    "linear sparse": (LinearCCA(2), SPARSE_X, SPARSE_Y),
    "linear gram": (LinearCCA(2, solver="gram"), X, Y),
    "linear lanczos": (
        LinearCCA(2, solver="lanczos", random_state=np.random.RandomState(3)),
        X,
        Y,
    ),
    "self-learned": (SelfLearning(LinearCCA(2, reg=0.1), random_state=0), X, Y),
    "restarts": (Restarts(DeepCCA(2, **_DEEP), 2, random_state=0), X, Y),
    "restarts of texts": (
        Restarts(ViewPipeline(LinearCCA(2, reg=0.1), x=TfidfVectorizer()), 2),
        TEXTS,
        Y,
    ),
    "linear adjusted": (LinearCCA(2, adjust="y"), X, Y),
    "linear adjusted frames": (LinearCCA(2, solver="gram"), FRAME_X, FRAME_Y),
    "linear few columns": (SparseCCA(2, n_nonzero=3), X, Y),
    "linear parts": (LinearCommonIndividual(2, n_individual=(1, 2)), X, Y),
    "linear parts frames": (
        LinearCommonIndividual(random_state=0),
        FRAME_X,
        FRAME_Y,
    ),
    "probabilistic": (ProbabilisticCCA(2), X, np.where(Y > 1.5, np.nan, Y)),
    "kernel": (KernelCCA(2, gamma=(0.1, None)), X, Y),
    "kernel sparse": (KernelCCA(2, kernel="linear"), SPARSE_X, SPARSE_Y),
    "kernel precomputed": (
        KernelCCA(2, kernel=("precomputed", "poly")),
        X @ X.T,
        Y,
    ),
    "kernel nystroem": (
        KernelCCA(2, approximation="nystroem", approximation_size=9, random_state=0),
        X,
        Y,
    ),
    "kernel kmeans": (
        KernelCCA(
            2,
            approximation="nystroem",
            approximation_size=9,
            landmarks="kmeans",
            random_state=0,
        ),
        X,
        Y,
    ),
    "kernel fourier": (
        KernelCCA(
            2, approximation="rbf_sampler", approximation_size=30, random_state=0
        ),
        X,
        Y,
    ),
    "deep": (DeepCCA(2, **_DEEP), X, Y),
    "deep soft": (DeepCCA(2, objective="soft", activation="elu", **_DEEP), X, Y),
    "deep noi": (
        DeepCCA(2, objective="noi", closing_cca=False, input_dropout=0.1, **_DEEP),
        X,
        Y,
    ),
    "deep autoencoder": (
        DeepCCA(2, reconstruction_weight=0.1, optimizer="rmsprop", **_DEEP),
        X,
        Y,
    ),
    "deep normed": (
        DeepCCA(
            2,
            batch_norm=True,
            reg=(0.1, 0.02),
            reconstruction_weight=0.1,
            **{**_DEEP, "hidden_layer_sizes": ((), (6, 5))},
        ),
        X,
        Y,
    ),
    "deep early": (
        DeepCCA(
            2,
            validation_fraction=0.3,
            early_stopping=True,
            monitor="score",
            optimizer="nesterov",
            net_params={"optimizer__momentum": 0.5},
            **_DEEP,
        ),
        X,
        Y,
    ),
    "deep lbfgs": (DeepCCA(2, **{**_DEEP, "optimizer": "lbfgs", "lr": 1}), X, Y),
    "deep sparse": (DeepCCA(2, **_DEEP), SPARSE_X, SPARSE_Y),
    "deep frames": (DeepCCA(2, **_DEEP), FRAME_X, FRAME_Y),
    "deep 1-D": (DeepCCA(1, **_DEEP), X, Y[:, 0]),
    "deep own": (DeepCCA(2, **_OWN, **_DEEP), X, Y),
    "individual": (DeepCommonIndividual(DeepCCA(2, **_DEEP), **_DEEP), X, Y),
    "individual frozen": (
        DeepCommonIndividual(FrozenEstimator(LinearCCA(2).fit(X, Y)), **_DEEP),
        X,
        Y,
    ),
    "individual joint": (DeepCommonIndividual(DeepCCA(2), joint=True, **_DEEP), X, Y),
    "corrnet": (CorrNet(2, **_DEEP), X, Y),
    "corrnet own": (CorrNet(2, **_OWN, **_DEEP), X, Y),
    "corrnet tied": (CorrNet(2, decoder="mirrored", tied=True, **_DEEP), X, Y),
    "autoencoder": (MultimodalAutoencoder(2, **_DEEP), X, Y),
    "autoencoder own": (MultimodalAutoencoder(2, **_OWN, **_DEEP), X, Y),
    "autoencoder joint": (
        MultimodalAutoencoder(2, layout="concatenated", **_DEEP),
        X,
        Y,
    ),
    "tied": (TiedBidirectional(2, **_DEEP), X, Y),
    "ranker": (CCALRanker(2, running_momentum=0.5, **_DEEP), X, Y),
    "ranker own": (CCALRanker(2, **_OWN, **_DEEP), X, Y),
    "ranker learned": (
        CCALRanker(2, projection="learned", objective="infonce", **_DEEP),
        X,
        Y,
    ),
    "pipeline": (
        ViewPipeline(
            LinearCCA(2), x=make_pipeline(StandardScaler(), PCA(3)), y=MinMaxScaler()
        ),
        X,
        Y,
    ),
    "pipeline adjusted": (ViewPipeline(LinearCCA(2), x=StandardScaler()), X, Y),
    "pipeline deep": (ViewPipeline(DeepCCA(2, **_DEEP), x=StandardScaler()), X, Y),
    "pipeline own": (ViewPipeline(DeepCCA(2, **_OWN, **_DEEP), y=PCA(4)), X, Y),
    "pipeline texts": (
        ViewPipeline(LinearCCA(2), x=make_pipeline(TfidfVectorizer(), TruncatedSVD(3))),
        TEXTS,
        Y,
    ),
    "pipeline union": (ViewPipeline(LinearCCA(2), x=_UNION), TEXTS, Y),
    "pipeline table": (ViewPipeline(LinearCCA(2), y=_TABLE), X, COLOURS),
}

# Name to the covariates that ``fit`` and all methods get beside the views, if any.
_AGES = np.column_stack([X[:, 0] + Y[:, 0], np.arange(_N) % 2])
COVARIATES = {
    "linear adjusted": {"covariates": _AGES},
    "linear adjusted frames": {"covariates": pd.DataFrame(_AGES, columns=["a", "b"])},
    "pipeline adjusted": {"covariates": _AGES},
}

_PAIR, _BOTH = TwoView(X, Y), np.hstack([X, Y])

# Name to a classifier that is not fitted, its views and the labels.
CLASSIFIERS = {
    "classifier": (
        CrossViewClassifier(LinearCCA(2), LinearSVC(random_state=0)),
        _PAIR,
        NAMES,
    ),
    "classifier svc": (
        CrossViewClassifier(ViewPipeline(LinearCCA(2), x=StandardScaler()), SVC()),
        _PAIR,
        NAMES,
    ),
    "classifier calibrated": (
        CrossViewClassifier(
            LinearCCA(2), CalibratedClassifierCV(LinearSVC(random_state=0), cv=2)
        ),
        _PAIR,
        LABELS,
    ),
    "classifier deep": (
        CrossViewClassifier(
            DeepCCA(2, **_DEEP), make_pipeline(StandardScaler(), LogisticRegression())
        ),
        _PAIR,
        LABELS,
    ),
    "classifier own": (
        CrossViewClassifier(DeepCCA(2, **_OWN, **_DEEP), LogisticRegression()),
        _PAIR,
        LABELS,
    ),
    "classifier columns": (
        CrossViewClassifier(
            LinearCCA(2),
            LinearSVC(random_state=0),
            x_columns=slice(0, 6),
            y_columns=[6, 7, 8, 9],
        ),
        _BOTH,
        LABELS,
    ),
    "matching": (SemanticMatching(LinearCCA(2)), _PAIR, NAMES),
    "matching columns": (
        SemanticMatching(
            x_classifier=make_pipeline(StandardScaler(), LogisticRegression()),
            x_columns=slice(0, 6),
            y_columns=[6, 7, 8, 9],
        ),
        _BOTH,
        LABELS,
    ),
    "labels linear": (LabelEmbedding(reg=0.1), FRAME_X, NAMES),
    "labels semantic": (
        SemanticEmbedding(
            hierarchy={"kalt": "kühl", "warm": "mild", "heiß": "mild"},
            attributes=np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.5]]),
        ),
        X,
        NAMES,
    ),
    "labels": (DeepLabelEmbedding(violators="warp", **_DEEP), X, NAMES),
    "labels two": (
        DeepLabelEmbedding(4, metric="cosine", standardize=False, **_DEEP),
        FRAME_X,
        LABELS > 0,
    ),
    "labels own": (
        DeepLabelEmbedding(encoder=network(6, 3), **_DEEP),
        X.astype(np.float32),
        LABELS,
    ),
}

# Name to a retriever that is not fitted and what is indexed, if anything.
RETRIEVERS = {
    "retriever": (CrossViewRetriever(LinearCCA(2)), None),
    "retriever named": (
        CrossViewRetriever(LinearCCA(2), correlation_power=2),
        {"y": Y, "ids": [f"Ding {i}" for i in range(_N)]},
    ),
    "retriever of hubs": (CrossViewRetriever(LinearCCA(2), hubness="bank"), {"y": Y}),
    "retriever numbered": (
        CrossViewRetriever(FrozenEstimator(LinearCCA(2).fit(X, Y)), n_neighbors=3),
        {"X": X, "ids": np.arange(_N) + 7},
    ),
    "retriever int8": (
        CrossViewRetriever(
            LinearCCA(2), backend="int8", backend_params={"oversampling": 2}
        ),
        {"y": Y},
    ),
    "retriever binary": (CrossViewRetriever(LinearCCA(2), backend="binary"), {"X": X}),
    "retriever deep": (CrossViewRetriever(DeepCCA(2, **_DEEP)), {"y": Y}),
    "retriever own": (CrossViewRetriever(DeepCCA(2, **_OWN, **_DEEP)), {"y": Y}),
}


@cache
def fitted(name):
    """Fitted estimator of that name; do not change it."""
    if name in RETRIEVERS:
        retriever, items = RETRIEVERS[name]
        retriever.fit(X, Y)
        return retriever.fit_index(**items) if items else retriever
    estimator, x, y = {**TWO_VIEWS, **CLASSIFIERS}[name]
    return estimator.fit(x, y, **COVARIATES.get(name, {}))


def outputs(name, estimator):
    """What an estimator, that of the name or its equal, makes of the data."""
    if name in CLASSIFIERS:
        _, x, _ = CLASSIFIERS[name]
        methods = ("predict", "predict_proba", "decision_function", "transform")
        return [getattr(estimator, m)(x) for m in methods if hasattr(estimator, m)]
    if name in RETRIEVERS:
        codes = [*estimator.transform_pair(X, Y)]
        if RETRIEVERS[name][1] is None:
            return codes
        return [*codes, *estimator.search(X), *estimator.kneighbors(y=Y)]
    _, x, y = TWO_VIEWS[name]
    beside = COVARIATES.get(name, {})
    made = [estimator.transform(x, **beside), estimator.transform_y(y, **beside)]
    made.append(estimator.transform_joint(x, y, **beside))
    if "text" in name or "union" in name or "table" in name:
        return made
    for given in ({"X": x}, {"y": y}, {"X": x, "y": y}):
        made.extend(estimator.reconstruct(**given, to="both", **beside))
    return made
