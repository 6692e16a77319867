"""Captions of two languages, for captions.py: texts to numbers, and models of both."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils.extmath import randomized_range_finder

from skcrl import CCALRanker, LinearCCA, make_view_pipeline
from skcrl._columns import unit_rows
from skcrl.base import TwoViewTransformer

# Chosen on the validation captions, like all that follows.
WORDS_AND_CHARACTERS = 1500  # columns that stand for them
CANONICAL, LEARNED = 1000, 384  # components
# Of the linear model alone, which is to be fast: columns, and components.
QUICK_COLUMNS, QUICK_CANONICAL = 1250, 512
BATCH, LR, EPOCHS, SPARSE_EPOCHS = 2000, 8e-3, 6, 10
FEW = 2000  # training rows, of which rare pieces of words are kept, too


def read(folder, split):
    """Training pairs of captions, and those of a split: (english, german) each."""
    if not (folder / "train.en.txt").exists():
        raise FileNotFoundError(
            f"there is no {folder / 'train.en.txt'}. Pass as --folder a folder with "
            "the first captions of task 2 of github.com/multi30k/dataset."
        )
    return tuple(
        tuple(
            (folder / f"{name}.{language}.txt").read_text("utf-8").splitlines()
            for language in ("en", "de")
        )
        for name in ("train", split)
    )


@lru_cache(maxsize=1)
def frozen_tokens():
    """Tokenizer and vectors of 32,000 subwords, which are part of wordllama."""
    package = find_spec("wordllama")
    if package is None:
        raise FileNotFoundError(
            "there are no frozen token vectors: pip install wordllama."
        )
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = Path(package.submodule_search_locations[0])
    tokenizer = Tokenizer.from_file(
        str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    (vectors,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    return tokenizer, vectors.astype(np.float32)


class TokenVectors(TransformerMixin, BaseEstimator):
    """Frozen vectors of the subwords of a text, added up with their TF-IDF."""

    def fit(self, texts, y=None):
        """Learn how rare each subword is."""
        self.tfidf_ = TfidfVectorizer(analyzer=subwords, sublinear_tf=True).fit(texts)
        self.rows_ = self.tfidf_.get_feature_names_out().astype(int)
        return self

    def transform(self, texts):
        """Vectors of texts, (n_texts, 256)."""
        _, vectors = frozen_tokens()
        return self.tfidf_.transform(texts) @ vectors[self.rows_]


def subwords(text):
    """Numbers of the subwords of a text, as strings."""
    tokenizer, _ = frozen_tokens()
    ids = tokenizer.encode(text.lower(), add_special_tokens=False).ids
    return [str(i) for i in ids]


class LeadingDirections(TransformerMixin, BaseEstimator):
    """A sparse view along directions that hold most of it, in no order.

    Halko, Martinsson and Tropp (2011), Algorithm 4.4. What is fitted to the coordinates
    depends on the space that the directions span, and not on the directions, so that
    the SVD of TruncatedSVD, which takes two thirds of its time here, is not needed.
    """

    def __init__(self, n_columns, n_iter):
        self.n_columns = n_columns
        self.n_iter = n_iter

    def fit(self, X, y=None):
        """Learn the directions, (n_features, n_columns)."""
        self.directions_ = randomized_range_finder(
            X.T.tocsr(), size=self.n_columns, n_iter=self.n_iter, random_state=0
        )
        return self

    def transform(self, X):
        """Coordinates along the directions."""
        return X @ self.directions_


class UnitVariance(TransformerMixin, BaseEstimator):
    """Columns about their mean, scaled so that their variances add up to `total`.

    With None the total is the number of columns.
    """

    def __init__(self, total=None):
        self.total = total

    def fit(self, X, y=None):
        """Learn the mean and the one scale of all columns."""
        self.mean_ = X.mean(axis=0)
        total = X.shape[1] if self.total is None else self.total
        self.scale_ = np.sqrt(total / X.var(axis=0).sum())
        return self

    def transform(self, X):
        """Centred and scaled columns."""
        return ((X - self.mean_) * self.scale_).astype(np.float32)


class RidgeWhitening(TransformerMixin, BaseEstimator):
    """Principal components of variance s / (s + r), r the mean variance of a column.

    Networks learn from large and small ones at a like rate, and noise stays small.
    """

    def fit(self, X, y=None):
        """Learn the components."""
        self.mean_ = X.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov(X, rowvar=False))
        scales = np.sqrt(variances.clip(0) + variances.mean())
        self.maps_ = (axes / scales).astype(np.float32)
        return self

    def transform(self, X):
        """Components of X."""
        return (X - self.mean_) @ self.maps_


def tfidf(n_train):
    """Texts to TF-IDF of words and of pieces of words, sparse."""
    return make_union(
        TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32),
        TfidfVectorizer(
            sublinear_tf=True,
            min_df=5 if n_train > FEW else 2,
            analyzer="char_wb",
            ngram_range=(3, 5),
            dtype=np.float32,
        ),
    )


def features(n_train, n_columns, n_iter):
    """Texts to numbers: leading directions of TF-IDF, and frozen token vectors."""
    n_columns = min(n_columns, n_train // 2)
    return make_pipeline(
        make_union(
            make_pipeline(
                tfidf(n_train),
                LeadingDirections(n_columns, n_iter),
                UnitVariance(1),
            ),
            make_pipeline(TokenVectors(), UnitVariance(1)),
        ),
        UnitVariance(),
    )


class SideBySide(TwoViewTransformer):
    """Codes of several estimators side by side.

    The cosine of two codes is a mean of the cosines of the estimators.

    Parameters
    ----------
    members : list of (estimator, power, weight) tuples
        Two-view estimators, the power of their singular values that their codes are
        multiplied by, and the weight of their cosines in the mean.
    """

    def __init__(self, members):
        self.members = members

    def fit(self, X, y):
        """Fit every member."""
        self.estimators_ = [clone(member).fit(X, y) for member, *_ in self.members]
        self.n_components_ = sum(est.n_components_ for est in self.estimators_)
        return self

    def _check_view(self, view, side):
        return view  # every member does

    def _encode(self, view, side):
        codes = []
        for est, (_, power, weight) in zip(self.estimators_, self.members, strict=True):
            of_view = est.transform(view) if side == "x" else est.transform_y(view)
            if power:
                of_view = of_view * est.singular_values_**power
            codes.append(unit_rows(of_view) * np.sqrt(weight))
        return np.hstack(codes)

    def _decode(self, codes, side):
        raise NotImplementedError

    def _reconstruct(self, X, y, to):
        raise NotImplementedError


def weighted_cca(n_train, n_components=CANONICAL):
    """LinearCCA, and the power of its singular values, which fall under a ridge."""
    return LinearCCA(min(n_components, n_train // 4), reg=1.0), 1


def ranker(n_train, seed, **settings):
    """InfoNCE on learned projections."""
    return CCALRanker(
        min(LEARNED, n_train // 4),
        hidden_layer_sizes=(),
        projection="learned",
        objective="infonce",
        temperature=0.1,
        standardize=False,
        batch_size=BATCH,
        lr=LR,
        lr_schedule="one_cycle",
        net_params={"optimizer__fused": True},  # saves time where layers are wide
        random_state=seed,
        **settings,
    )


def linear(n_train, **_):
    """LinearCCA, weighted, of words, characters and frozen tokens."""
    steps = features(n_train, QUICK_COLUMNS, n_iter=1)
    cca = weighted_cca(n_train, QUICK_CANONICAL)
    return make_view_pipeline(SideBySide([(*cca, 1)]), x=steps, y=steps)


def best(n_train, seed, n_epochs=None):
    """LinearCCA, weighted, and a ranker of its views, beside one of sparse views."""
    dense = ranker(n_train, seed, input_dropout=0.2, max_epochs=n_epochs or EPOCHS)
    whitened = make_view_pipeline(dense, x=RidgeWhitening(), y=RidgeWhitening())
    sparse = ranker(
        n_train, seed, input_dropout=0.3, max_epochs=n_epochs or SPARSE_EPOCHS
    )
    members = [(*weighted_cca(n_train), 2), (whitened, 0, 1)]
    steps = features(n_train, WORDS_AND_CHARACTERS, n_iter=3)
    words = tfidf(n_train)
    return SideBySide(
        [
            (make_view_pipeline(SideBySide(members), x=steps, y=steps), 0, 3),
            (make_view_pipeline(sparse, x=words, y=words), 0, 1),
        ]
    )
