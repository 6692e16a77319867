"""ViewPipeline against loops written by hand, and what it refuses."""

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_linnerud
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_html_repr, get_tags

from skcrl import (
    CorrNet,
    CrossViewClassifier,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    LinearCommonIndividual,
    TiedBidirectional,
    TwoView,
    ViewPipeline,
    make_view_pipeline,
)
from skcrl.datasets import load_digits_halves, make_correlated_views

ENGLISH = ["dog", "cat", "horse", "bird", "child"], ["runs", "sleeps", "eats", "sings"]
GERMAN = (
    ["hund", "katze", "pferd", "vogel", "kind"],
    ["rennt", "schläft", "isst", "singt"],
)
FOLDS = KFold(3)


@pytest.fixture(scope="module")
def texts():
    """English and German sentences, and what they are about as numbers."""
    who, what = np.random.RandomState(0).randint([5, 4], size=(60, 2)).T
    english, german = (
        [f"{subjects[i]} {verbs[j]}" for i, j in zip(who, what, strict=True)]
        for subjects, verbs in (ENGLISH, GERMAN)
    )
    numbers = np.column_stack([who == i for i in range(4)] + [what**2]).astype(float)
    return english, german, numbers


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(60, 5, 4, correlations=(0.95, 0.9), random_state=0)
    return 3 * X + 7, y * [1, 10, 100, 1000]


class Counting(TransformerMixin, BaseEstimator):
    """Scaler that notes each of its fits in a file, for other processes to see."""

    def __init__(self, path=None, scale=1.0):
        self.path = path
        self.scale = scale

    def fit(self, X, y=None):
        with open(self.path, "a") as file:
            file.write(f"{len(X)}\n")
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X):
        return (np.asarray(X) - self.mean_) * self.scale


class Recording(LinearCCA):
    """LinearCCA that says what it was given."""

    def fit(self, X, y):
        self.given_ = X, y
        return super().fit(X, y)


class HalfOfTheRows(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[::2]


def same(a, b):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "estimator",
    [
        LinearCCA(2, reg=0.1),
        KernelCCA(2, random_state=0),
        DeepCCA(2, hidden_layer_sizes=(8,), max_epochs=3, random_state=0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_texts_are_the_loop_by_hand(texts, estimator):
    english, german, _ = texts
    tfidf = TfidfVectorizer(sublinear_tf=True), TfidfVectorizer(analyzer="char")
    model = ViewPipeline(estimator, x=tfidf[0], y=tfidf[1]).fit(
        english[:40], german[:40]
    )
    by_hand = clone(estimator).fit(
        tfidf[0].fit_transform(english[:40]), tfidf[1].fit_transform(german[:40])
    )
    english, german = english[40:], german[40:]
    X, y = tfidf[0].transform(english), tfidf[1].transform(german)
    same(model.transform(english), by_hand.transform(X))
    same(model.transform_y(german), by_hand.transform_y(y))
    for ours, theirs in zip(
        model.transform_pair(english, german), by_hand.transform_pair(X, y), strict=True
    ):
        same(ours, theirs)
    same(model.transform_joint(english, german), by_hand.transform_joint(X, y))
    same(model.transform_joint(y=german), by_hand.transform_joint(y=y))
    assert model.score(english, german) == by_hand.score(X, y)
    same(model.view("x").transform(english), by_hand.transform(X))
    same(model.view("y").transform(german), by_hand.transform_y(y))
    assert model.n_components_ == 2
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
        pd.Series,
        lambda texts: pd.Series(texts, dtype=object),
        pl.Series,
    ],
)
def test_containers_of_texts(texts, container):
    english, german, numbers = texts
    model = ViewPipeline(LinearCCA(2, reg=0.1), x=TfidfVectorizer())
    codes = model.fit(english, numbers).transform(english)
    same(model.fit(container(english), numbers).transform(container(english)), codes)
    model = ViewPipeline(LinearCCA(2, reg=0.1), y=TfidfVectorizer())
    codes = model.fit(numbers, german).transform_y(german)
    same(model.fit(numbers, container(german)).transform_y(container(german)), codes)


def test_texts_stay_sparse_all_the_way(texts):
    english, german, _ = texts
    model = make_view_pipeline(
        Recording(2), x=(CountVectorizer(), MaxAbsScaler()), y=TfidfVectorizer()
    ).fit(english, german)
    X, y = model.estimator_.given_
    assert sp.issparse(X)
    assert sp.issparse(y)


def test_grid_search_over_texts_is_the_loop_over_folds(texts):
    english, german, _ = texts
    model = make_view_pipeline(
        LinearCCA(2), x=TfidfVectorizer(), y=(TfidfVectorizer(), StandardScaler())
    )
    model.set_params(y__standardscaler__with_mean=False)
    grid = {
        "x__tfidfvectorizer__min_df": [1, 8],
        "y__tfidfvectorizer__analyzer": ["word", "char"],
        "estimator__reg": [1e-3, 1.0],
    }
    with joblib.parallel_config(backend="threading", n_jobs=2):
        result = GridSearchCV(model, grid, cv=FOLDS).fit(english, german).cv_results_
    take = np.array(english), np.array(german)
    for i, params in enumerate(result["params"]):
        for fold, (train, test) in enumerate(FOLDS.split(english)):
            x = TfidfVectorizer(min_df=params["x__tfidfvectorizer__min_df"])
            y = make_pipeline(
                TfidfVectorizer(analyzer=params["y__tfidfvectorizer__analyzer"]),
                StandardScaler(with_mean=False),
            )
            cca = LinearCCA(2, reg=params["estimator__reg"]).fit(
                x.fit_transform(take[0][train]), y.fit_transform(take[1][train])
            )
            score = cca.score(x.transform(take[0][test]), y.transform(take[1][test]))
            assert result[f"split{fold}_test_score"][i] == score


def test_the_vocabulary_is_of_the_training_fold(texts):
    # Each sentence has a word of its own.
    english, german = (
        [f"{text} {name}{i}" for i, text in enumerate(view)]
        for name, view in zip(("english", "german"), texts[:2], strict=True)
    )
    vocabularies = []

    def score(model, X, y):
        for steps, view in ((model.x_, X), (model.y_, y)):
            words = {text.split()[-1] for text in view}
            vocabularies.append(words & set(steps.vocabulary_))
        return model.score(X, y)

    model = ViewPipeline(LinearCCA(2), x=TfidfVectorizer(), y=CountVectorizer())
    cross_val_score(model, english, german, cv=FOLDS, scoring=score)
    assert vocabularies == [set()] * 6
    score(clone(model).fit(english, german), english, german)
    assert [len(words) for words in vocabularies[6:]] == [60, 60]


def test_transfer_from_texts_to_numbers(texts):
    english, _, numbers = texts
    labels = numbers[:, -1]
    model = ViewPipeline(LinearCCA(3, reg=0.1), x=TfidfVectorizer(), y=StandardScaler())
    transfer = CrossViewClassifier(model, LinearSVC())
    search = GridSearchCV(transfer, {"representation__x__min_df": [1, 8]}, cv=FOLDS)
    results = search.fit(TwoView(english, numbers), labels).cv_results_
    for i, min_df in enumerate((1, 8)):
        for fold, (train, test) in enumerate(FOLDS.split(english)):
            x, y = TfidfVectorizer(min_df=min_df), StandardScaler()
            X = x.fit_transform([english[row] for row in train])
            cca = LinearCCA(3, reg=0.1).fit(X, y.fit_transform(numbers[train]))
            svc = LinearSVC().fit(cca.transform(X), labels[train])
            codes = cca.transform_y(y.transform(numbers[test]))
            assert results[f"split{fold}_test_score"][i] == svc.score(
                codes, labels[test]
            )


def test_transfer_from_a_column_of_texts(texts):
    english, _, numbers = texts
    frame = pd.DataFrame(numbers, columns=list("abcde")).assign(text=english)
    column = ColumnTransformer([("text", TfidfVectorizer(), "text")])
    of_frame = CrossViewClassifier(
        ViewPipeline(LinearCCA(3), x=StandardScaler(), y=column),
        LinearSVC(),
        x_columns=list("abcde"),
        y_columns=["text"],
    )
    of_views = CrossViewClassifier(
        ViewPipeline(LinearCCA(3), x=StandardScaler(), y=TfidfVectorizer()), LinearSVC()
    )
    same(
        cross_val_score(of_frame, frame, numbers[:, 0], cv=FOLDS),
        cross_val_score(of_views, TwoView(numbers, english), numbers[:, 0], cv=FOLDS),
    )


def test_cross_val_predict_is_the_loop_over_folds(texts):
    english, _, numbers = texts
    model = ViewPipeline(LinearCCA(2), x=TfidfVectorizer(), y=StandardScaler())
    predicted = cross_val_predict(model, english, numbers, cv=FOLDS)
    for train, test in FOLDS.split(english):
        x, y = TfidfVectorizer(), StandardScaler()
        X = x.fit_transform([english[row] for row in train])
        cca = LinearCCA(2).fit(X, y.fit_transform(numbers[train]))
        codes = cca.predict(x.transform([english[row] for row in test]))
        same(predicted[test], y.inverse_transform(codes))


@pytest.mark.parametrize("kind", [None, "path", "string", "joblib"])
def test_memory_fits_steps_once_per_fold_and_setting(views, tmp_path, kind):
    location = tmp_path / "cache"
    memory = {
        None: None,
        "path": location,
        "string": str(location),
        "joblib": joblib.Memory(location, verbose=0),
    }[kind]
    counts = tmp_path / "x", tmp_path / "y"
    x, y = (Counting(str(count)) for count in counts)
    model = ViewPipeline(LinearCCA(2), x=make_pipeline(x), y=y, memory=memory)
    grid = {"estimator__reg": [1e-3, 1e-2, 1e-1, 1.0], "y__scale": [1.0, 2.0]}
    search = GridSearchCV(model, grid, cv=FOLDS).fit(*views)
    n_fits = [len(count.read_text().splitlines()) for count in counts]
    if kind is None:
        assert n_fits == [8 * 3 + 1, 8 * 3 + 1]
    else:  # in each fold and on all rows at last, for either scale of y
        assert n_fits == [3 + 1, 2 * 3 + 1]
    by_hand = ViewPipeline(LinearCCA(2, reg=1e-3), x=x, y=y)
    expected = cross_val_score(by_hand, *views, cv=FOLDS)
    assert search.cv_results_["mean_test_score"][0] == expected.mean()


def test_views_go_back_through_their_steps(views):
    X, y = views
    steps = make_pipeline(StandardScaler(), PCA(3)), MinMaxScaler()
    model = ViewPipeline(LinearCCA(2), x=steps[0], y=steps[1]).fit(X, y)
    prepared = steps[0].fit_transform(X), steps[1].fit_transform(y)
    cca = LinearCCA(2).fit(*prepared)
    for ours, theirs in (
        ((X, None), (prepared[0], None)),
        ((None, y), (None, prepared[1])),
        ((X, y), prepared),
    ):
        reconstructed = model.reconstruct(*ours, to="both")
        for side, step in enumerate(steps):
            by_hand = step.inverse_transform(cca.reconstruct(*theirs, to="xy"[side]))
            same(reconstructed[side], by_hand)
    same(model.predict(X), model.reconstruct(X, to="y"))
    view = model.view("y")
    same(view.inverse_transform(view.transform(y)), model.reconstruct(y=y, to="y"))
    same(model.correlations_, cca.correlations_)


def test_a_flat_y_is_a_column_to_its_steps(views):
    X, y = views[0], views[1][:, 0]
    flat = ViewPipeline(LinearCCA(1), y=StandardScaler()).fit(X, y)
    column = ViewPipeline(LinearCCA(1), y=StandardScaler()).fit(X, y[:, None])
    same(flat.transform_y(y), column.transform_y(y[:, None]))
    same(flat.predict(X), column.predict(X)[:, 0])
    assert flat.y_n_features_in_ == 1
    y = y.copy()
    y[:3] = np.nan
    same(flat.impute(X, y)[1][:3], flat.predict(X[:3]))


def test_missing_rows_go_round_steps_that_take_no_nan(views):
    X, y = (view.copy() for view in views)
    model = make_view_pipeline(
        LinearCCA(2), x=(StandardScaler(), PCA(3)), y=(SimpleImputer(), PCA(3))
    ).fit(X, y)
    X[:5], y[5:12] = np.nan, np.nan
    y[20, 1] = np.nan  # an item for the imputer, not a missing view
    joint = model.transform_joint(X, y)
    same(joint[:5], model.transform_joint(y=y[:5]))
    same(joint[5:12], model.transform_joint(X[5:12]))
    same(joint[12:], model.transform_joint(X[12:], y[12:]))
    same(joint[:5], model.transform_joint(np.full_like(X[:5], np.nan), y[:5]))
    assert model.score(X, y) == model.score(X[12:], y[12:])
    same(model.reconstruct(X, y, to="x")[:5], model.reconstruct(y=y[:5], to="x"))


def test_missing_rows_of_frames(views):
    X = pd.DataFrame(views[0]).add_prefix("c")
    X["kind"] = ["a", "b", "c"] * 20
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["c0", "c2"]), ("k", OneHotEncoder(), ["kind"])],
        sparse_threshold=0,
    )
    model = ViewPipeline(LinearCCA(2), x=columns).fit(X, views[1])
    gappy = X.copy()
    gappy.loc[:4] = np.nan
    joint = model.transform_joint(gappy, views[1])
    same(joint[:5], model.transform_joint(y=views[1][:5]))
    same(joint[5:], model.transform_joint(X[5:], views[1][5:]))
    polars = pl.DataFrame(views[1], schema=list("abcd"))
    model = ViewPipeline(LinearCCA(2), y=PCA(3)).fit(views[0], polars)
    gappy = pl.concat([polars[:5] * np.nan, polars[5:]])
    same(model.impute(views[0], gappy)[1][:5], model.predict(views[0][:5]))


def test_training_on_rows_of_which_a_view_is_missing(views):
    X, y = (view / view.max() for view in views)
    X[:5], y[5:12] = np.nan, np.nan
    net = CorrNet(2, max_epochs=3, random_state=0)
    steps = PCA(3), PCA(2)
    model = ViewPipeline(net, x=steps[0], y=steps[1]).fit(X, y)
    X_behind, y_behind = np.full((60, 3), np.nan), np.full((60, 2), np.nan)
    X_behind[5:] = steps[0].fit_transform(X[5:])
    there = np.r_[:5, 12:60]
    y_behind[there] = steps[1].fit_transform(y[there])
    by_hand = clone(net).fit(X_behind, y_behind)
    same(model.transform_joint(X, y), by_hand.transform_joint(X_behind, y_behind))
    X_full, y_full = model.impute(X, y)
    reconstructed = by_hand.reconstruct(y=y_behind[:5], to="x")
    same(X_full[:5], steps[0].inverse_transform(reconstructed))
    same(y_full[there], y[there])


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("container", [list, pd.Series])
def test_missing_texts(texts, missing, container):
    english, german, _ = texts
    steps = TfidfVectorizer(), TruncatedSVD(4, random_state=0)
    net = CorrNet(2, max_epochs=3, random_state=0)
    model = make_view_pipeline(net, x=steps, y=steps)
    gappy = container([missing] * 5 + english[5:])
    model.fit(gappy, german)
    joint = model.transform_joint(gappy, german)
    same(joint[:5], model.transform_joint(y=german[:5]))
    same(joint[5:], model.transform_joint(english[5:], german[5:]))
    by_hand = make_pipeline(*steps).fit(english[5:])
    same(model.x_.transform(english), by_hand.transform(english))
    with pytest.raises(
        ValueError, match="5 rows of X are missing, but its steps return"
    ):
        ViewPipeline(net, x=TfidfVectorizer(), y=TfidfVectorizer()).fit(gappy, german)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_one_missing_text(texts, missing):
    english, german, numbers = texts
    parse = FunctionTransformer(lambda texts: [[len(text)] for text in texts])
    for steps in ((TfidfVectorizer(), TruncatedSVD(4, random_state=0)), parse):
        model = make_view_pipeline(LinearCCA(1), x=steps).fit(english, numbers)
        same(
            model.transform_joint([missing], numbers[:1]),
            model.transform_y(numbers[:1]),
        )
    tokens = [text.split() for text in english]
    steps = CountVectorizer(analyzer=list), TruncatedSVD(4, random_state=0)
    model = make_view_pipeline(LinearCCA(1), x=steps).fit(tokens, numbers)
    joint = model.transform_joint([missing, *tokens[1:]], numbers)
    same(joint[0], model.transform_y(numbers[:1])[0])
    same(joint[1:], model.transform_joint(tokens[1:], numbers[1:]))
    with pytest.raises(ValueError, match="All 60 rows of X are missing .NaN or None."):
        ViewPipeline(LinearCCA(2), x=TfidfVectorizer()).fit([missing] * 60, german)


@pytest.mark.parametrize(
    ("item", "described"),
    [(3, "int: 3"), (b"x", "bytes: b'x'"), (["q"], r"list: \['q'\]")],
)
def test_no_text_among_texts(texts, item, described):
    english, german, _ = texts
    model = ViewPipeline(LinearCCA(2), x=TfidfVectorizer(), y=TfidfVectorizer())
    message = f"must contain texts only, but row 1 is of type {described}"
    with pytest.raises(ValueError, match=f"X {message}"):
        model.fit([None, item, *english[2:]], german)
    model.fit(english, german)
    with pytest.raises(ValueError, match=f"y {message}"):
        model.transform_y(["hund", item])
    with pytest.raises(
        ValueError, match="X must contain texts only, but row 0 is of type "
    ):
        model.transform([item])


def test_missing_rows_of_any_type(views):
    X, y = views
    model = ViewPipeline(LinearCCA(2), x=PCA(3)).fit(X, y)
    of_y = model.transform_y(y[:2])
    gappy = X.astype(object)
    gappy[0], gappy[1] = None, np.nan
    for container in (np.array, list, lambda rows: pd.DataFrame(rows, dtype=object)):
        joint = model.transform_joint(container(gappy), y)
        same(joint[:2], of_y)
        same(joint[2:], model.transform_joint(X[2:], y[2:]))
    kinds = pl.DataFrame(X, schema=list("abcde")).with_columns(
        kind=pl.Series(["k", "l", "m"] * 20)
    )
    columns = ColumnTransformer(
        [("n", StandardScaler(), list("ab")), ("k", OneHotEncoder(), ["kind"])],
        sparse_threshold=0,
    )
    model = ViewPipeline(LinearCCA(2), x=columns).fit(kinds, y)
    nulls = pl.DataFrame({name: [None] for name in kinds.columns}, schema=kinds.schema)
    partly = kinds[1:].with_columns(c=None)  # of no interest to the steps
    joint = model.transform_joint(pl.concat([nulls, kinds[1:]]), y)
    same(joint[:1], model.transform_y(y[:1]))
    same(joint[1:], model.transform_joint(partly, y[1:]))


def test_missing_rows_that_cannot_be(views):
    X, y = (view.copy() for view in views)
    model = ViewPipeline(LinearCCA(2), x=SimpleImputer(add_indicator=True))
    X[3] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(X, y)  # no imputer invents a view
    with pytest.raises(ValueError, match="All 60 rows of X are missing .NaN or"):
        model.fit(np.full_like(X, np.nan), y)
    model = ViewPipeline(LinearCCA(2), x=OneHotEncoder())
    with pytest.raises(
        ValueError, match="1 rows of X are missing, but its steps return"
    ):
        model.fit(X, y)
    X = views[0].copy()
    X[3, 1] = np.nan
    zeros = FunctionTransformer(
        np.nan_to_num, inverse_func=np.copy, check_inverse=False
    )
    model = ViewPipeline(LinearCCA(2), x=zeros).fit(X, y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.impute(X, y)


@pytest.mark.parametrize(
    "step", [TfidfVectorizer(), make_pipeline(TfidfVectorizer(), MaxAbsScaler())]
)
def test_texts_are_not_reconstructed(texts, step):
    # The inverse of a vectorizer gives words, not sentences.
    english, _, numbers = texts
    refused = r"y cannot be reconstructed: its step TfidfVectorizer\(\) has no inverse"
    model = ViewPipeline(LinearCCA(2), y=step)
    assert not hasattr(model, "predict")
    assert not hasattr(model, "impute")
    model.fit(numbers, english)
    for call in (
        lambda: model.reconstruct(numbers, to="y"),
        lambda: model.reconstruct(numbers, to="both"),
        lambda: model.view("y").inverse_transform([[0.0, 0.0]]),
    ):
        with pytest.raises(AttributeError, match=refused):
            call()
    with pytest.raises(AttributeError, match="no attribute 'predict'") as error:
        model.predict(numbers)
    assert "TfidfVectorizer()" in str(error.value.__cause__)
    assert model.reconstruct(y=english, to="x").shape == numbers.shape


def test_only_inverses_go_back(views):
    X, y = (abs(view) for view in views)
    one_way = FunctionTransformer(np.log1p)  # its inverse_transform does nothing
    model = ViewPipeline(LinearCCA(2), y=one_way).fit(X, y)
    assert not hasattr(model, "predict")
    with pytest.raises(AttributeError, match=r"y cannot .*its step FunctionTransf"):
        model.reconstruct(X)
    both_ways = FunctionTransformer(np.log1p, inverse_func=np.expm1)
    model = ViewPipeline(LinearCCA(2), y=both_ways).fit(X, y)
    cca = LinearCCA(2).fit(X, np.log1p(y))
    same(model.predict(X), np.expm1(cca.predict(X)))
    broken = FunctionTransformer(
        np.log1p, inverse_func=lambda y: y * np.nan, check_inverse=False
    )
    model = ViewPipeline(LinearCCA(2), y=broken).fit(X, y)
    with pytest.raises(ValueError, match=r"reconstructed y contains NaN") as error:
        model.predict(X)
    assert error.value.__notes__ == ["Raised by the steps of y: FunctionTransformer."]


def test_texts_go_back_where_a_step_knows_how(texts):
    _, _, numbers = texts
    written = FunctionTransformer(
        lambda texts: np.array([[float(text)] for text in texts]),
        inverse_func=lambda numbers: [f"{abs(number):.0f}" for number in numbers[:, 0]],
        check_inverse=False,
    )
    y = [f"{number:.0f}" for number in numbers[:, -1]]
    # A table of one column in an earlier fit is forgotten.
    model = ViewPipeline(LinearCCA(1, reg=0)).fit(numbers, numbers[:, -1])
    model.set_params(x=StandardScaler()).fit(numbers, numbers[:, -1])
    model.set_params(y=written).fit(numbers, y)
    assert list(model.predict(numbers)) == y
    assert list(model.view("y").inverse_transform(model.transform_y(y))) == y
    with pytest.raises(ValueError, match="impute fills .* y is a list of strings: use"):
        model.impute(numbers, y)


@pytest.mark.parametrize("add_indicator", [False, True])
def test_imputers_do_not_go_back(views, add_indicator):
    X, y = views[0], views[1].copy()
    y[3, 1] = np.nan
    step = SimpleImputer(add_indicator=add_indicator)
    model = ViewPipeline(LinearCCA(2), y=step).fit(X, y)
    assert not hasattr(model, "predict")
    with pytest.raises(AttributeError, match=r"y cannot .* its step SimpleImputer\("):
        model.reconstruct(X)


def test_selectors_go_back_with_zeros(views):
    X, y = views[0], np.column_stack([views[1], np.full(60, 7.0)])
    model = ViewPipeline(LinearCCA(2), y=VarianceThreshold()).fit(X, y)
    predicted = LinearCCA(2).fit(X, views[1]).predict(X)
    np.testing.assert_allclose(model.predict(X)[:, :4], predicted)
    same(model.predict(X)[:, 4], np.zeros(60))


def test_weights_are_the_estimators(views):
    weights = np.random.RandomState(0).randint(1, 4, size=60)
    model = ViewPipeline(LinearCCA(2), x=PCA(3))
    codes = model.fit_transform(*views, sample_weight=weights)
    by_hand = PCA(3).fit_transform(views[0])
    cca = LinearCCA(2).fit(by_hand, views[1], sample_weight=weights)
    same(codes, cca.transform(by_hand))


@pytest.mark.parametrize(
    "nothing", [None, "passthrough", make_pipeline("passthrough")], ids=str
)
def test_no_steps(views, nothing):
    X, y = views
    model = ViewPipeline(LinearCCA(2), x=nothing, y=nothing).fit(X, y)
    cca = LinearCCA(2).fit(X, y)
    same(model.transform(X), cca.transform(X))
    same(model.predict(X), cca.predict(X))
    assert (model.x_, model.y_) == (None, None)
    assert (model.n_features_in_, model.y_n_features_in_) == (5, 4)


@pytest.mark.parametrize("nothing", [None, "passthrough", (), (None,)], ids=str)
def test_no_steps_without_names(nothing):
    assert make_view_pipeline(LinearCCA(2), x=nothing, y=nothing).x is None
    steps = make_view_pipeline(LinearCCA(2), x=("passthrough", PCA(2), None)).x
    assert [name for name, _ in steps.steps] == ["pca"]


def test_whole_steps_in_a_grid(views):
    model = make_view_pipeline(LinearCCA(2), x=(StandardScaler(), PCA()))
    assert model.y is None
    grid = [
        {"x": ["passthrough", None, MinMaxScaler()], "y": [None, StandardScaler()]},
        {"x__pca": ["passthrough", PCA(2)], "x__standardscaler": ["passthrough"]},
    ]
    results = GridSearchCV(model, grid, cv=FOLDS).fit(*views).cv_results_
    for params, score in zip(
        results["params"], results["mean_test_score"], strict=True
    ):
        by_hand = cross_val_score(clone(model).set_params(**params), *views, cv=FOLDS)
        assert score == by_hand.mean()


def test_steps_and_estimator_are_cloned(views):
    steps, cca = PCA(3), LinearCCA(2)
    model = ViewPipeline(cca, x=steps, y=steps).fit(*views)
    assert not hasattr(steps, "components_")
    assert not hasattr(cca, "x_weights_")
    assert model.x_ is not model.y_
    same(model.x_.components_, PCA(3).fit(views[0]).components_)


def test_data_frames_of_many_kinds(views):
    X = pd.DataFrame(views[0], index=[f"row{i}" for i in range(60)]).add_prefix("c")
    X["kind"] = ["a", "b", "c"] * 20
    X["text"] = ["one two", "three", "two three", "one"] * 15
    y = pd.DataFrame(views[1], index=X.index).add_prefix("d")
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["c0", "c2"]),
            ("kind", OneHotEncoder(), ["kind"]),
            ("text", TfidfVectorizer(), "text"),
        ]
    )
    model = ViewPipeline(LinearCCA(2), x=columns, y=StandardScaler())
    model.set_output(transform="pandas").fit(X, y)
    cca = LinearCCA(2).fit(columns.fit_transform(X), StandardScaler().fit_transform(y))
    for Z, expected in (
        (model.transform(X), cca.transform(columns.transform(X))),
        (model.transform_y(y), cca.transform_y(StandardScaler().fit_transform(y))),
    ):
        assert list(Z.columns) == ["linearcca0", "linearcca1"]
        assert list(Z.index) == list(X.index)
        same(Z, expected)
    assert model.transform_joint(X, y).shape == (60, 2)
    assert list(model.feature_names_in_) == list(X.columns)
    assert list(model.y_feature_names_in_) == list(y.columns)
    with pytest.raises(ValueError, match=r"names of y should match.*got \['d3'"):
        model.transform_y(y.iloc[:, ::-1])


def test_output_set_for_all_of_sklearn(views):
    steps = {"x": PCA(3), "y": StandardScaler()}
    codes = ViewPipeline(LinearCCA(2), **steps).fit(*views).transform(views[0])
    with config_context(transform_output="pandas"):
        model = ViewPipeline(LinearCCA(2), **steps).fit(*views)
        same(model.transform(views[0]), codes)
    same(model.transform(views[0]), codes)  # no warning of missing names either


def test_names_of_a_joint_code_are_the_estimators(views):
    tied = TiedBidirectional(2, max_epochs=2, random_state=0)
    model = ViewPipeline(tied, x=StandardScaler(), y=StandardScaler())
    Z = model.set_output(transform="pandas").fit(*views).transform_joint(*views)
    tied.set_output(transform="pandas").fit(*map(StandardScaler().fit_transform, views))
    assert list(Z.columns) == list(tied.transform_joint(*views).columns)


def test_other_things_that_steps_read(views):
    X, y = views
    images = X[:, :4].reshape(60, 2, 2)
    flatten = FunctionTransformer(lambda images: images.reshape(len(images), -1))
    codes = LinearCCA(2).fit(X[:, :4], y).transform(X[:, :4])
    same(ViewPipeline(LinearCCA(2), x=flatten).fit(images, y).transform(images), codes)
    dicts = [dict(zip("abcd", row, strict=True)) for row in X[:, :4]]
    model = ViewPipeline(LinearCCA(2), x=DictVectorizer(sparse=False)).fit(dicts, y)
    same(model.transform(dicts), codes)
    tokens = [["a", "b"], ["b"], ["c", "a", "c"]] * 20
    words = CountVectorizer(analyzer=list)
    model = ViewPipeline(LinearCCA(2), y=words).fit(X, tokens)
    assert model.transform_y(tokens).shape == (60, 2)
    union = make_union(words, make_pipeline(TfidfVectorizer(analyzer=list)))
    model = ViewPipeline(LinearCCA(2), y=union).fit(X, tokens)
    cca = LinearCCA(2).fit(X, union.fit_transform(tokens))
    same(model.transform_y(tokens), cca.transform_y(union.transform(tokens)))


def test_unions_read_texts(texts):
    english, _, numbers = texts
    lengths = FunctionTransformer(lambda texts: [[len(text)] for text in texts])
    for parts in (
        (TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb")),
        (TfidfVectorizer(), lengths),
    ):
        union = make_union(*parts)
        model = ViewPipeline(LinearCCA(2, reg=0.1), x=union).fit(english, numbers)
        cca = LinearCCA(2, reg=0.1).fit(union.fit_transform(english), numbers)
        X = union.transform(english)
        same(model.transform(english), cca.transform(X))
        same(model.transform(english[:1]), cca.transform(X[:1]))


def test_unions_read_tables(views):
    union = make_union("drop", "passthrough", StandardScaler())
    model = ViewPipeline(LinearCCA(2), x=union).fit(*views)
    cca = LinearCCA(2).fit(union.fit_transform(views[0]), views[1])
    same(model.transform(views[0]), cca.transform(union.transform(views[0])))
    with pytest.raises(ValueError, match="X has 4 features, but .* expecting 5"):
        model.transform(views[0][:, :4])


class Field(TransformerMixin, BaseEstimator):
    """Texts out of dicts, without tags that say so."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return [item["text"] for item in X]


def test_lists_of_dicts(texts):
    english, german, _ = texts
    dicts = [{"text": text} for text in german]
    model = make_view_pipeline(
        LinearCCA(2), x=TfidfVectorizer(), y=(Field(), TfidfVectorizer())
    )
    codes = model.fit(english, dicts).transform_y(dicts)
    model = ViewPipeline(LinearCCA(2), x=TfidfVectorizer(), y=TfidfVectorizer())
    same(codes, model.fit(english, german).transform_y(german))


def test_strings_are_categories_to_steps_that_take_them_so(views):
    X = views[0]
    labels = np.where(X[:, 0] > X[:, 0].mean(), "more", "less")
    numbers = OneHotEncoder(sparse_output=False).fit_transform(labels[:, None])
    cca = LinearCCA(1).fit(X, numbers)
    for y in (labels, list(labels), pd.Series(labels)):
        model = ViewPipeline(LinearCCA(1), y=OneHotEncoder()).fit(X, y)
        np.testing.assert_allclose(model.transform_y(y), cca.transform_y(numbers))
        predicted = model.predict(X)  # the category whose column is the largest
        same(predicted, np.array(["less", "more"])[cca.predict(X).argmax(axis=1)])
        assert model.predict(X).shape == (60,)


def test_steps_that_are_frozen(views):
    X, y = views
    frozen = FrozenEstimator(StandardScaler().fit(X[:30]))
    model = ViewPipeline(LinearCCA(2), x=frozen).fit(X, y)
    cca = LinearCCA(2).fit(frozen.transform(X), y)
    same(model.transform(X), cca.transform(frozen.transform(X)))


def test_pipelines_nest(texts):
    english, german, _ = texts
    inner = ViewPipeline(LinearCCA(2), x=MaxAbsScaler(), y=MaxAbsScaler())
    model = ViewPipeline(inner, x=TfidfVectorizer(), y=TfidfVectorizer())
    flat = make_view_pipeline(
        LinearCCA(2),
        x=(TfidfVectorizer(), MaxAbsScaler()),
        y=(TfidfVectorizer(), MaxAbsScaler()),
    )
    same(
        model.fit(english, german).transform_y(german),
        flat.fit(english, german).transform_y(german),
    )
    assert model.score(english, german) == flat.score(english, german)


def test_tags():
    def tags(*args, **kwargs):
        return get_tags(ViewPipeline(*args, **kwargs))

    dense, sparse = StandardScaler(), MaxAbsScaler()
    assert tags(LinearCCA(), x=sparse, y=sparse).input_tags.sparse
    assert not tags(LinearCCA(), x=dense, y=sparse).input_tags.sparse
    assert not tags(LinearCCA(), x=sparse, y=dense).input_tags.sparse
    pairwise = KernelCCA(kernel="precomputed")
    assert tags(pairwise).input_tags.pairwise
    assert not tags(pairwise).input_tags.sparse
    assert not tags(pairwise, x=dense).input_tags.pairwise
    text = tags(LinearCCA(), x=TfidfVectorizer()).input_tags
    assert text.string
    assert not text.two_d_array
    assert not tags(LinearCCA(), x=dense).input_tags.allow_nan
    both = ["float64", "float32"]
    assert tags(LinearCCA(), x=dense).transformer_tags.preserves_dtype == both
    only_double = make_pipeline(dense, FunctionTransformer())
    preserved = tags(LinearCCA(), x=only_double).transformer_tags.preserves_dtype
    assert preserved == ["float64"]
    assert tags(LinearCCA(), x=dense).target_tags.required


def test_copies_and_pictures(texts):
    english, german, _ = texts
    model = make_view_pipeline(LinearCCA(2), x=TfidfVectorizer(), y=TfidfVectorizer())
    parameters = model.get_params(deep=True)
    assert parameters["x__tfidfvectorizer__min_df"] == 1
    assert parameters["estimator__reg"] == LinearCCA().reg
    model.fit(english, german)
    loaded = pickle.loads(pickle.dumps(model))
    same(loaded.transform(english), model.transform(english))
    assert not hasattr(clone(model), "estimator_")
    assert "TfidfVectorizer" in repr(model)
    assert "TfidfVectorizer" in estimator_html_repr(model)


def test_refit_on_texts_forgets_the_table(texts):
    english, german, numbers = texts
    model = ViewPipeline(LinearCCA(2)).fit(numbers, numbers)
    assert model.n_features_in_ == model.y_n_features_in_ == 5
    model.set_params(x=TfidfVectorizer(), y=TfidfVectorizer()).fit(english, german)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "y_n_features_in_")


BAD = {
    "texts without a step": ({}, "y holds strings, but LinearCCA takes .*y=TfidfVecto"),
    "one text": ({"y": TfidfVectorizer()}, "y must be array-like, got 'kind"),
    "no transform": ({"y": LinearSVC()}, "'y' parameter .* 'transform'.*LinearSVC"),
    "no rows": ({"y": TfidfVectorizer()}, "empty vocabulary"),
    "no step": ({"y": "scale"}, "'y' parameter of ViewPipeline must be"),
    "fewer rows": (
        {"x": HalfOfTheRows()},
        "steps of X changed the number of rows from 60 to 30",
    ),
    "no two-view estimator": ({"estimator": PCA()}, "'estimator' parameter .*PCA"),
    "unpaired": ({"y": TfidfVectorizer()}, r"samples: \[60, 59\]. Rows of X and y"),
    "k too large": ({"estimator": LinearCCA(9), "y": CountVectorizer()}, "is 5, the"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_changes_nothing(texts, case):
    _, german, numbers = texts
    parameters, message = BAD[case]
    y = {"one text": german[0], "no rows": [], "unpaired": german[:-1]}.get(
        case, german
    )
    model = ViewPipeline(LinearCCA(2), x=StandardScaler(), y=TfidfVectorizer())
    codes = model.fit(numbers, german).transform_y(german)
    attributes = set(vars(model))
    model.set_params(**{"y": None, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(numbers, y)
    assert set(vars(model)) == attributes
    same(model.transform_y(german), codes)
    with pytest.raises(NotFittedError):
        clone(model).transform(numbers)


def test_estimators_alone_name_texts(texts):
    english, german, numbers = texts
    for estimator in (LinearCCA(2), DeepCCA(2), KernelCCA(2)):
        with pytest.raises(ValueError, match="X holds strings, but .* takes numbers"):
            clone(estimator).fit(english, german)
    cca = LinearCCA(2).fit(numbers, numbers)
    with pytest.raises(ValueError, match="y holds strings, but LinearCCA takes num"):
        cca.transform_y(pd.Series(german))


def test_errors_of_steps_name_the_view(views):
    X, y = views
    gappy = y.copy()
    gappy[0, 0] = np.nan
    model = ViewPipeline(LinearCCA(2), y=make_pipeline(StandardScaler(), PCA()))
    with pytest.raises(ValueError, match="NaN") as error:
        model.fit(X, gappy)
    assert error.value.__notes__ == ["Raised by the steps of y: StandardScaler, PCA."]
    refused = r"y contains .* steps \(TfidfVectorizer\) cannot take: .*no attr.*'lower'"
    for wrong in (y.tolist(), [[None]] * 60):
        with pytest.raises(ValueError, match=refused):
            model.set_params(y=TfidfVectorizer()).fit(X, wrong)
    model.set_params(y=StandardScaler()).fit(X, y)
    for huge in (10**400, -(10**400)):
        rows = [[huge, *row[1:]] for row in y.tolist()]
        for wrong in (
            rows,
            np.array(rows, dtype=object),
            pd.DataFrame(rows, dtype=object),
        ):
            with pytest.raises(ValueError, match="y contains .*: int too large"):
                model.fit(X, wrong)
            with pytest.raises(ValueError, match="y contains .*: int too large"):
                model.transform_y(wrong)
        for call in (model.transform, model.view("x").transform):
            with pytest.raises(ValueError, match="X must be array-like, got"):
                call(huge)


@pytest.mark.parametrize(
    "container", [np.array, pd.DataFrame, pl.DataFrame, sp.csr_array]
)
def test_tables_to_steps_that_read_none(texts, views, container):
    english, _, numbers = texts
    table = container(views[0])
    message = r"X is a table of .*60, 5.*, but its first step {} reads a list of {}"
    for steps, names in (
        (TfidfVectorizer(), ("TfidfVectorizer", "strings")),
        (make_union(TfidfVectorizer()), ("FeatureUnion", "strings")),
        (DictVectorizer(), ("DictVectorizer", "dicts")),
    ):
        with pytest.raises(ValueError, match=message.format(*names)):
            make_view_pipeline(LinearCCA(2), x=steps).fit(table, numbers)
    parse = FunctionTransformer(lambda texts: [[len(text)] for text in texts])
    model = ViewPipeline(LinearCCA(1), x=parse).fit(english, numbers)
    with pytest.raises(ValueError, match=r"X is a .* FunctionTransformer reads a list"):
        model.transform(table)
    frame = pd.DataFrame({"text": english})
    with pytest.raises(
        ValueError, match=r"X is a table of shape \(60, 1\), but its first"
    ):
        ViewPipeline(LinearCCA(2), x=TfidfVectorizer()).fit(frame, numbers)


def test_steps_refuse_samples_of_more_dimensions(views):
    X, y = views[0], np.zeros((len(views[0]), 2, 3))
    model = ViewPipeline(LinearCCA(1), y=StandardScaler())
    message = "y has 3 dimensions, but its first step StandardScaler .* steps of y:"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize("frames", [pd, pl])
def test_frames_too_small(views, frames):
    X, y = (frames.DataFrame(view) for view in views)
    model = ViewPipeline(LinearCCA(2), x=StandardScaler(), y=StandardScaler())
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 5\)\).* of 2 is"):
        model.fit(X[:0], y)
    with pytest.raises(ValueError, match=r"with 1 sample\(s\) .*minimum of 2 is"):
        model.fit(X, y[:1])
    with pytest.raises(ValueError, match=r"0 feature\(s\) .* a minimum of 1 is"):
        model.fit(pd.DataFrame(index=range(60)), y)
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 4\)\).* of 1 is"):
        model.fit(X, y).transform_y(y[:0])


def test_no_first_view(views):
    for steps in (None, TfidfVectorizer()):
        with pytest.raises(
            ValueError, match="requires X, the first view, but it is No"
        ):
            ViewPipeline(LinearCCA(2), x=steps).fit(None, views[1])


def test_loadings_have_the_names_behind_the_steps():
    exercise, physiology = load_linnerud(return_X_y=True, as_frame=True)
    alone = LinearCCA(2, reg=0).fit(exercise, physiology)
    model = make_view_pipeline(LinearCCA(2, reg=0), x=StandardScaler())
    model.fit(exercise, physiology)
    for side in ("x", "y"):  # scaling changes no correlation
        pd.testing.assert_frame_equal(
            model.loadings_frame(side), alone.loadings_frame(side)
        )
    model.set_params(x=PCA(2)).fit(exercise, physiology)
    assert list(model.loadings_frame().index) == ["pca0", "pca1"]
    model.set_params(x=None, y=StandardScaler()).fit(exercise, physiology.to_numpy())
    assert list(model.loadings_frame("y").index) == ["y0", "y1", "y2"]
    nameless = FunctionTransformer(np.log, np.exp)
    model.set_params(y=nameless).fit(exercise, physiology.to_numpy())
    assert list(model.loadings_frame("y").index) == ["y0", "y1", "y2"]
    inner = make_view_pipeline(LinearCCA(2, reg=0), x=PCA(2))
    nested = make_view_pipeline(inner, x=StandardScaler(), y=StandardScaler())
    nested.fit(exercise, physiology)
    assert list(nested.loadings_frame().index) == ["pca0", "pca1"]
    assert list(nested.loadings_frame("y").index) == list(physiology.columns)
    with pytest.raises(ValueError, match="side must be 'x' or 'y', got 'z'"):
        model.loadings_frame("z")
    assert not hasattr(ViewPipeline(KernelCCA(1)), "loadings_frame")


def test_common_and_individual_parts_behind_steps():
    left, right, _ = load_digits_halves()
    X, y = pd.DataFrame(3 * left[:300, 1:] + 7), pd.DataFrame(right[:300])
    X.columns = [f"pixel{i}" for i in range(31)]
    parts = LinearCommonIndividual(3, n_individual=(4, 3), n_signal=8)
    model = make_view_pipeline(parts, x=StandardScaler()).fit(X, y)
    scaled = StandardScaler().fit(X)
    alone = clone(parts).fit(scaled.transform(X), y.to_numpy())
    behind = scaled.transform(X), y.to_numpy()
    own = model.transform_individual(X)
    np.testing.assert_allclose(own, alone.transform_individual(behind[0]))
    np.testing.assert_allclose(model.common_score(X, y), alone.common_score(*behind))
    np.testing.assert_allclose(
        model.individual_score(X, y, side="y"),
        alone.individual_score(*behind, side="y"),
    )
    reconstructed = model.reconstruct(X, y, to="x", parts="individual")
    expected = alone.reconstruct(*behind, to="x", parts="individual")
    np.testing.assert_allclose(reconstructed, scaled.inverse_transform(expected))
    model.set_output(transform="pandas")
    frame = model.transform_individual_y(y)
    assert list(frame) == [f"linearcommonindividual_individual{i}" for i in range(3)]
    loadings = model.loadings_frame("x")
    assert list(loadings.index) == list(X.columns)
    with_codes = np.hstack([model.transform(X).to_numpy(), own])
    varies = X.std().to_numpy() > 0
    expected = np.corrcoef(X.T[varies], with_codes.T)[: varies.sum(), varies.sum() :]
    np.testing.assert_allclose(loadings[varies], expected, atol=1e-8)
    plain = make_view_pipeline(LinearCCA(2)).fit(X, y)
    assert not hasattr(plain, "transform_individual")
    with pytest.raises(
        ValueError, match="LinearCCA has common codes only: leave parts"
    ):
        plain.reconstruct(X, to="y", parts="common")
