"""The retriever, against codes and rankings written by hand."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from given import Given
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler

from skcrl import CrossViewRetriever, LinearCCA, make_view_pipeline
from skcrl.datasets import make_correlated_views
from skcrl.metrics import get_scorer


@pytest.fixture(scope="module")
def views():
    """Training views, and those of items."""
    X, y = make_correlated_views(
        400, 8, 7, correlations=(0.99, 0.97, 0.9, 0.3), random_state=0
    )
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture
def fitted(views):
    retriever = CrossViewRetriever(LinearCCA(4), correlation_power=0, n_neighbors=5)
    return retriever.fit(*views[:2])


@pytest.fixture
def filled(fitted, views):
    return fitted.fit_index(y=views[3])


class WordsOrNumbers(BaseEstimator):
    """Two-view estimator with a text step, as a pipeline of views has."""

    def fit(self, X, y):
        self.words_ = CountVectorizer().fit(X)
        self.estimator_ = LinearCCA(5, reg=0.1).fit(self.words_.transform(X), y)
        return self

    def transform(self, X):
        return self.estimator_.transform(self.words_.transform(X))

    def transform_y(self, y):
        return self.estimator_.transform_y(y)


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def ranking(queries, items):
    """Order and cosines of all items."""
    cosines = unit(queries) @ unit(items).T
    order = np.argsort(-cosines, axis=1, kind="stable")
    return np.take_along_axis(cosines, order, 1), order


QUERIES = {"x": (0, None), "y": (None, 1), "both": (0, 1)}


def joint(cca, X, y):
    codes = [
        unit(encode(view))
        for encode, view in ((cca.transform, X), (cca.transform_y, y))
        if view is not None
    ]
    return unit(sum(codes))


@pytest.mark.parametrize("indexed", QUERIES)
@pytest.mark.parametrize("queried", QUERIES)
def test_either_view_finds_either(fitted, views, indexed, queried):
    items, queries = (
        [None if i is None else views[2 + i] for i in QUERIES[kind]]
        for kind in (indexed, queried)
    )
    cca = LinearCCA(4).fit(*views[:2])
    cosines, order = ranking(joint(cca, *queries), joint(cca, *items))
    distances, positions = fitted.fit_index(*items).kneighbors(*queries)
    np.testing.assert_array_equal(positions, order[:, :5])
    np.testing.assert_allclose(1 - distances, cosines[:, :5], atol=1e-12)
    found = fitted.search(*queries, n_neighbors=100)
    np.testing.assert_array_equal(found.ids, order)
    np.testing.assert_allclose(found.similarities, cosines, atol=1e-12)


def test_codes_are_weighted_by_powers_of_their_correlations(views):
    X, y, X_new, y_new = views
    cca = LinearCCA(4).fit(X, y)
    weights = (cca.singular_values_ / cca.singular_values_[0]) ** 3
    retriever = CrossViewRetriever(LinearCCA(4), correlation_power=3).fit(X, y)
    np.testing.assert_allclose(
        retriever.encode(X_new), unit(cca.transform(X_new) * weights)
    )
    np.testing.assert_allclose(
        retriever.encode(y=y_new), unit(cca.transform_y(y_new) * weights)
    )
    # Through a high power only the first component is left.
    retriever.set_params(correlation_power=1e5).fit(X, y)
    np.testing.assert_allclose(
        np.abs(retriever.encode(X_new)), np.eye(4)[:1] * [[1]] * np.ones((100, 1))
    )


def test_negative_correlations_count_as_zero():
    class Anti(Given):
        correlations_ = np.array([0.5, -0.5])

    Z = np.array([[3.0, 4.0], [0.0, 1.0]])
    retriever = CrossViewRetriever(Anti(), correlation_power=1).fit(Z, Z)
    np.testing.assert_array_equal(retriever.encode(Z), [[1, 0], [0, 0]])


def test_score_is_the_mean_reciprocal_rank_of_both_directions(views):
    X, y, X_new, y_new = views
    retriever = CrossViewRetriever(LinearCCA(4), correlation_power=2).fit(X, y)
    Zx, Zy = retriever.transform_pair(X_new, y_new)
    ranks = [
        1 + np.flatnonzero(order == i)[0]
        for queries, items in ((Zx, Zy), (Zy, Zx))
        for i, order in enumerate(ranking(queries, items)[1])
    ]
    assert retriever.score(X_new, y_new) == pytest.approx(np.mean(1 / np.array(ranks)))


def test_grid_search_over_weights_and_components(views):
    X, y = views[:2]
    grid = {"estimator__n_components": [1, 4], "correlation_power": [0, 2]}
    folds = KFold(3)
    search = GridSearchCV(CrossViewRetriever(LinearCCA()), grid, cv=folds)
    search.fit(X, y)
    for params, score in zip(
        search.cv_results_["params"],
        search.cv_results_["mean_test_score"],
        strict=True,
    ):
        by_hand = [
            CrossViewRetriever(LinearCCA()).set_params(**params).fit(X[a], y[a])
            .score(X[b], y[b])
            for a, b in folds.split(X)
        ]  # fmt: skip
        assert score == pytest.approx(np.mean(by_hand))
    assert search.best_params_ == {"estimator__n_components": 4, "correlation_power": 2}


def test_scorers_by_name_score_the_weighted_codes(views):
    X, y, X_new, y_new = views
    retriever = CrossViewRetriever(LinearCCA(4), correlation_power=2).fit(X, y)
    scorer = get_scorer("mean_reciprocal_rank")
    assert scorer(retriever, X_new, y_new) == pytest.approx(
        retriever.score(X_new, y_new)
    )
    search = GridSearchCV(
        retriever, {"correlation_power": [0, 8]}, scoring=get_scorer("recall_at_1")
    ).fit(X, y)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0


def test_zero_codes_stay_and_are_far_from_all():
    Z = np.array([[0.0, 0.0], [1.0, 0.0], [-3.0, 0.0]])
    retriever = CrossViewRetriever(Given()).fit(Z, Z).fit_index(Z)
    distances, positions = retriever.kneighbors(Z, n_neighbors=3)
    np.testing.assert_array_equal(distances, [[1, 1, 1], [0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(positions, [[0, 1, 2], [1, 0, 2], [2, 0, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(views, dtype):
    X, y, X_new, y_new = (view.astype(dtype) for view in views)
    for power in (0, 2):
        retriever = CrossViewRetriever(LinearCCA(4), correlation_power=power)
        retriever.fit(X, y).fit_index(y=y_new)
        assert retriever.encode(X_new, y_new).dtype == dtype
        assert retriever.kneighbors(X_new)[0].dtype == dtype
        assert retriever.search(X_new).similarities.dtype == dtype


def test_lengths_out_of_range_of_their_squares():
    Z = np.array([[3e30, 4e30], [3e-30, 4e-30]], dtype=np.float32)
    codes = CrossViewRetriever(Given()).fit(Z, Z).encode(Z)
    np.testing.assert_allclose(codes, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


def test_a_frozen_estimator_is_not_fitted_again(views):
    X, y, X_new, y_new = views
    cca = LinearCCA(4).fit(X, y)
    retriever = CrossViewRetriever(FrozenEstimator(cca), correlation_power=1)
    retriever.fit(X_new[:20], y_new[:20])
    np.testing.assert_allclose(
        retriever.encode(X_new), unit(cca.transform(X_new) * cca.singular_values_)
    )
    assert retriever.fit_index(X_new).n_items_ == 100


def test_text_goes_to_the_estimator_as_it_is():
    texts = ["red car", "blue car", "red house", "blue house", "green boat", "boat"]
    X, y = texts * 5, np.eye(6)[:, :5].tolist() * 5
    retriever = CrossViewRetriever(WordsOrNumbers(), correlation_power=1).fit(X, y)
    retriever.fit_index(texts, ids=texts)
    assert (retriever.search(texts, n_neighbors=1).ids[:, 0] == texts).all()
    assert retriever.encode(texts, y[:6]).shape == (6, 5)
    assert retriever.score(texts, y[:6]) > 0.5
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        retriever.encode(texts, y[:5])


def test_frames_in_and_frames_of_codes(fitted, views):
    X, y, X_new, _ = views
    frames = [pd.DataFrame(view).add_prefix("v") for view in (X, y, X_new)]
    cca = LinearCCA(4).set_output(transform="pandas")
    retriever = CrossViewRetriever(cca, correlation_power=0).fit(*frames[:2])
    np.testing.assert_allclose(retriever.encode(frames[2]), fitted.encode(X_new))
    assert list(retriever.feature_names_in_) == [f"v{i}" for i in range(8)]
    assert retriever.n_features_in_ == 8


@pytest.mark.parametrize(
    "ids", [None, range(1000, 1100), [f"item {i}" for i in range(100)]]
)
def test_items_added_later_are_items_of_the_first_hour(fitted, views, ids):
    X_new, y_new = views[2:]
    names = np.arange(100) if ids is None else np.array(ids)
    whole = clone(fitted).fit(*views[:2]).fit_index(y=y_new, ids=ids)
    estimator = fitted.estimator_
    parts = [slice(0, 40), slice(40, 41), slice(41, 100)]
    fitted.fit_index(y=y_new[parts[0]], ids=None if ids is None else names[parts[0]])
    for part in parts[1:]:
        fitted.add(y=y_new[part], ids=None if ids is None else list(names[part]))
    assert fitted.estimator_ is estimator
    assert fitted.n_items_ == 100
    for found, expected in zip(
        fitted.kneighbors(X_new), whole.kneighbors(X_new), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_array_equal(
        fitted.search(X_new).ids, names[whole.kneighbors(X_new)[1]]
    )


def test_refitting_empties_the_index(filled, views):
    assert filled.n_items_ == 100
    assert filled.fit(*views[:2]).n_items_ == 0


def test_positions_alone(filled, views):
    positions = filled.kneighbors(views[2], return_distance=False)
    np.testing.assert_array_equal(positions, filled.kneighbors(views[2])[1])


def unchanged(retriever, views):
    """What must be as it was after an error."""
    return (
        retriever.n_items_,
        retriever.search(views[2], n_neighbors=5),
        retriever.encode(*views[2:]),
    )


BAD_CALLS = {
    "k beyond the index": (
        lambda r, v: r.kneighbors(v[2], n_neighbors=101),
        "n_neighbors must be an integer from 1 to 100, .* got 101",
    ),
    "k of zero": (lambda r, v: r.search(v[2], n_neighbors=0), "from 1 to 100.* got 0"),
    "k no integer": (
        lambda r, v: r.search(v[2], n_neighbors=2.5),
        "an integer .* got 2.5",
    ),
    "k a boolean": (
        lambda r, v: r.kneighbors(v[2], n_neighbors=True),
        "an integer from 1 to 100.* got True",
    ),
    "k a boolean of the constructor": (
        lambda r, v: r.set_params(n_neighbors=True).search(v[2]),
        "an integer from 1 to 100.* got True",
    ),
    "no query": (lambda r, v: r.kneighbors(), "X and y are both None: pass at least"),
    "no items": (lambda r, v: r.fit_index(), "X and y are both None: pass at least"),
    "nothing to add": (lambda r, v: r.add(ids=[1]), "X and y are both None"),
    "one view to score": (lambda r, v: r.score(v[2], None), "pass both X and y"),
    "wide queries": (
        lambda r, v: r.kneighbors(v[2][:, :3]),
        "X has 3 features, but LinearCCA is expecting 8",
    ),
    "wide queries of y": (
        lambda r, v: r.search(y=v[3][:, :3]),
        "y has 3 features, but LinearCCA is expecting 7",
    ),
    "unpaired": (lambda r, v: r.fit_index(v[2], v[3][:-1]), "Rows of X and y must be"),
    "NaN": (
        lambda r, v: r.add(y=np.where(np.eye(2, 7), np.nan, 0)),
        "Input y contains NaN",
    ),
    "text": (
        lambda r, v: r.search(["a red car", "a car"]),
        "holds strings",
    ),
    "no rows": (lambda r, v: r.fit_index(v[2][:0]), "0 sample"),
    "few ids": (lambda r, v: r.fit_index(v[2], ids=[1]), "each of the 100 items"),
    "equal ids": (
        lambda r, v: r.fit_index(v[2], ids=[7, 7, *range(98)]),
        "ids must differ, got 7 more than once",
    ),
    "ids of two kinds": (
        lambda r, v: r.fit_index(v[2], ids=["a", *range(99)]),
        "all strings or all integers",
    ),
    "ids of floats": (
        lambda r, v: r.fit_index(v[2], ids=np.arange(100.0)),
        "all strings or all integers",
    ),
    "ids too long": (
        lambda r, v: r.fit_index(v[2], ids=[2**63, *range(99)]),
        "signed 64-bit integers",
    ),
    "ids to add to none": (
        lambda r, v: r.add(v[2][:1], ids=[0]),
        "index have no ids of their own, but .* to add have integers as ids",
    ),
    "parameters of no backend": (
        lambda r, v: r.set_params(backend_params={"M": 3}).fit_index(v[2]),
        r"backend='exact' takes the backend_params \[\], got \['M'\]",
    ),
    "no such backend": (
        lambda r, v: r.set_params(backend="annoy").fit_index(v[2]),
        "The 'backend' parameter of CrossViewRetriever must be a str among",
    ),
    "refit": (lambda r, v: r.fit(v[0], v[1][:-1]), "Rows of X and y must be paired"),
    "refit without y": (lambda r, v: r.fit(v[0], None), "y is the second view"),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_calls_are_named_and_change_nothing(filled, views, case):
    call, message = BAD_CALLS[case]
    before = unchanged(filled, views)
    with pytest.raises(ValueError, match=message):
        call(filled, views)
    n_items, found, codes = unchanged(filled, views)
    assert n_items == before[0]
    np.testing.assert_array_equal(found.similarities, before[1].similarities)
    np.testing.assert_array_equal(found.ids, before[1].ids)
    np.testing.assert_array_equal(codes, before[2])


@pytest.mark.parametrize(
    ("ids", "more", "message"),
    [
        (list("abc"), ["d", "b"], "ids must differ, but 'b' is already in the index"),
        (list("abc"), ["d", "d"], "ids must differ, got 'd' more than once"),
        (list("abc"), [1, 2], "strings as ids, but .* to add have integers as ids"),
        (list("abc"), None, "strings as ids, but .* to add have no ids of their own"),
    ],
)
def test_ids_that_cannot_be_added(fitted, views, ids, more, message):
    fitted.fit_index(views[2][:3], ids=ids)
    with pytest.raises(ValueError, match=message):
        fitted.add(views[2][3:5], ids=more)
    assert fitted.n_items_ == 3
    fitted.add(views[2][3:5], ids=["d", "e"])
    assert set(fitted.search(views[2][:1], n_neighbors=5).ids[0]) == set("abcde")


def test_codes_that_are_not_finite(views):
    Z = views[2]
    retriever = CrossViewRetriever(Given()).fit(Z, Z).fit_index(Z)
    spoilt = Z.copy()
    spoilt[3, 1] = np.nan
    for call in (retriever.fit_index, retriever.add, retriever.kneighbors):
        with pytest.raises(ValueError, match="transform of Given gave codes.* row 3"):
            call(spoilt)
        with pytest.raises(ValueError, match="transform_y of Given gave codes"):
            call(y=spoilt)
    assert retriever.n_items_ == 100
    with pytest.raises(ValueError, match="codes of shape .100,., not a matrix"):
        retriever.encode(Z[:, 0])


def test_codes_of_another_width(views):
    Z = views[2]
    retriever = CrossViewRetriever(Given()).fit(Z, Z).fit_index(Z)
    for call in (retriever.add, retriever.kneighbors):
        with pytest.raises(
            ValueError, match="3 components, but the codes in the index have 8"
        ):
            call(Z[:, :3])
    with pytest.raises(ValueError, match="codes of 8 components for X and of 3 for y"):
        retriever.encode(Z, Z[:, :3])


def test_nothing_is_weighted_without_correlations(views):
    retriever = CrossViewRetriever(Given(), correlation_power=2).fit(*views[:2])
    assert retriever.weights_ is None
    np.testing.assert_allclose(retriever.encode(views[2]), unit(views[2]))


class Told(Given):
    """Codes are the views, and correlations what they are said to be."""

    def __init__(self, correlations):
        self.correlations = correlations

    def fit(self, X, y):
        self.correlations_ = np.array(self.correlations)
        return self


BAD_CORRELATIONS = {
    "NaN": ([np.nan, 0.5, 0.2], "one finite correlation per component, got .*nan"),
    "infinite": ([np.inf, 0.5, 0.2], "one finite correlation per component, got .*inf"),
    "a matrix": (np.eye(3), "one finite correlation per component"),
    "zeros": ([0.0, -0.3, 0.0], "is above zero, so the views have nothing in common"),
    "none": ([], "is above zero, so the views have nothing in common"),
}


@pytest.mark.parametrize("case", BAD_CORRELATIONS)
def test_correlations_that_give_no_weights(filled, views, case):
    correlations, message = BAD_CORRELATIONS[case]
    codes = filled.encode(views[2])
    filled.set_params(estimator=Told(correlations), correlation_power=2)
    with pytest.raises(ValueError, match=message):
        filled.fit(np.eye(3), np.eye(3))
    np.testing.assert_array_equal(filled.encode(views[2]), codes)
    assert filled.n_items_ == 100
    filled.set_params(correlation_power=0).fit(np.eye(3), np.eye(3))


def test_a_constant_view_shares_nothing(views):
    retriever = CrossViewRetriever(LinearCCA(3), correlation_power=2)
    with pytest.raises(ValueError, match="the views have nothing in common"):
        retriever.fit(views[0], np.ones_like(views[1]))


@pytest.mark.parametrize("correlations", [[0.5], [0.5, 0.2], [0.5] * 4])
def test_correlations_of_another_width_than_the_codes(correlations):
    retriever = CrossViewRetriever(Told(correlations), correlation_power=1)
    retriever.fit(np.eye(3), np.eye(3))
    message = f"transform_y of Told gave codes of 3 .* are {len(correlations)}:"
    with pytest.raises(ValueError, match=message):
        retriever.encode(y=np.eye(3))


@pytest.mark.parametrize("wrap", [FrozenEstimator, make_view_pipeline])
def test_singular_values_weigh_where_the_estimator_has_them(views, wrap):
    """Under a penalty they fall, while correlations of training codes do not."""
    X, y, X_new, _ = views
    cca = LinearCCA(4, shrinkage=0.5).fit(X[:30], y[:30])
    assert abs(cca.singular_values_ - cca.correlations_).max() > 0.1
    retriever = CrossViewRetriever(wrap(cca)).fit(X[:30], y[:30])
    weights = cca.singular_values_ / cca.singular_values_[0]
    np.testing.assert_allclose(retriever.weights_, weights)
    expected = unit(cca.transform(X_new) * weights)
    np.testing.assert_allclose(retriever.encode(X_new), expected)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.eye(2) * 1j, "gave codes of complex128, not of real numbers"),
        (np.full((2, 2), "1"), "gave codes of <U1, not of real numbers"),
        (np.empty((0, 2)), r"gave no codes: their shape is \(0, 2\)"),
    ],
)
def test_codes_that_are_none(codes, message):
    retriever = CrossViewRetriever(Given()).fit(np.eye(2), np.eye(2))
    with pytest.raises(ValueError, match=message):
        retriever.fit_index(codes)


@pytest.mark.parametrize("power", [0, 2])
def test_what_the_estimator_gives_is_not_written_to(power):
    Z = np.random.default_rng(0).standard_normal((6, 3))
    before = Z.copy()
    retriever = CrossViewRetriever(Told([0.9, 0.5, 0.2]), correlation_power=power)
    retriever.fit(Z, Z).fit_index(Z, Z)
    retriever.search(Z, Z, n_neighbors=2)
    retriever.score(Z, Z)
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("power", [0, 2])
@pytest.mark.parametrize(("n_views", "copies"), [(1, 1), (2, 2)])
def test_memory_of_encoding_is_that_of_the_codes(power, n_views, copies):
    Z = np.random.default_rng(0).standard_normal((20_000, 40))
    retriever = CrossViewRetriever(Told(np.full(40, 0.5)), correlation_power=power)
    retriever.fit(Z[:50], Z[:50])
    tracemalloc.start()
    retriever.encode(*[Z] * n_views)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (copies + 0.4) * Z.nbytes


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_index_holds_its_codes_once(order):
    Z = np.random.default_rng(0).standard_normal((20_000, 40)).astype("f8", order)
    retriever = CrossViewRetriever(Given()).fit(Z[:50], Z[:50])
    tracemalloc.start()
    for add in (retriever.fit_index, retriever.add):
        add(Z)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2.4 * Z.nbytes


def test_unfitted_and_empty(views):
    retriever = CrossViewRetriever(LinearCCA(4))
    for call in (
        lambda: retriever.n_items_,
        lambda: retriever.fit_index(views[2]),
        lambda: retriever.encode(views[2]),
        lambda: retriever.add(views[2]),
        lambda: retriever.kneighbors(views[2]),
        lambda: retriever.search(views[2]),
        lambda: retriever.score(*views[2:]),
        lambda: retriever.save_index("index.npz"),
        lambda: retriever.load_index("index.npz"),
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call()
    retriever.fit(*views[:2])
    for call in (
        lambda: retriever.add(views[2]),
        lambda: retriever.kneighbors(views[2]),
        lambda: retriever.search(views[2]),
        lambda: retriever.save_index("index.npz"),
    ):
        with pytest.raises(NotFittedError, match="index is empty: call fit_index"):
            call()


@pytest.mark.parametrize("power", [10**400, np.inf, -1])
def test_powers_that_are_no_finite_numbers(views, power):
    retriever = CrossViewRetriever(LinearCCA(2), correlation_power=power)
    with pytest.raises(ValueError, match="'correlation_power' parameter .* must be"):
        retriever.fit(*views[:2])


def test_a_bare_string_is_one_text(rng):
    X, y = rng.standard_normal((2, 20, 3))
    retriever = CrossViewRetriever(LinearCCA(2)).fit(X, y).fit_index(y=y)
    with pytest.raises(ValueError, match=r"X is a single text, 'a cat': put it"):
        retriever.search("a cat")
    with pytest.raises(ValueError, match=r"y is a single text"):
        retriever.kneighbors(y="a cat")


def test_held_out_correlations_weigh_where_the_fit_is_loose():
    X, y = make_correlated_views(
        320, 40, 40, correlations=(0.97, 0.95, 0.9, 0.85), random_state=0
    )
    learn, rest = (X[:120], y[:120]), (X[120:], y[120:])
    cca = LinearCCA(30)
    plain = CrossViewRetriever(cca, correlation_power=2).fit(*learn)
    held = CrossViewRetriever(cca, correlation_power=2, cv=5).fit(*learn)
    assert held.score(*rest) > plain.score(*rest) + 0.1
    # By hand: each fold by a fit to the others, its components matched by likeness.
    expected = np.zeros(30)
    for train, test in KFold(5).split(X[:120]):
        here = LinearCCA(30).fit(X[train], y[train])
        likeness = sum(
            np.corrcoef(getattr(held.estimator_, f)(v).T, getattr(here, f)(v).T)[
                :30, 30:
            ]
            for f, v in (("transform", X[train]), ("transform_y", y[train]))
        )
        match = linear_sum_assignment(-abs(likeness))[1]
        Zx, Zy = here.transform_pair(X[test], y[test])
        r = np.corrcoef(Zx.T, Zy.T)[:30, 30:].diagonal()
        expected += r[match] / 5
    expected = expected.clip(0)
    np.testing.assert_allclose(held.weights_, (expected / expected.max()) ** 2)


def test_covariates_are_refused(views):
    X, y = views[:2]
    retriever = CrossViewRetriever(LinearCCA(2)).fit(X, y)
    kept = retriever.estimator_
    with pytest.raises(ValueError, match="CrossViewRetriever takes no covariates, bec"):
        retriever.fit(X, y, covariates=X[:, :1])
    assert retriever.estimator_ is kept
    retriever.fit(X, y, covariates=None)


def test_held_out_correlations_that_cannot_be(views):
    X, y = views[:2]
    with pytest.raises(ValueError, match="cv=5 folds need at least 3 samples each"):
        CrossViewRetriever(LinearCCA(2), correlation_power=1, cv=5).fit(X[:12], y[:12])
    frozen = FrozenEstimator(LinearCCA(2).fit(X, y))
    with pytest.raises(ValueError, match="a FrozenEstimator is never fitted"):
        CrossViewRetriever(frozen, correlation_power=1, cv=5).fit(X, y)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (lambda X, y: {"y": y[0]}, r"y is one-.* 7 features.* by y.reshape\(1, -1\)"),
        (lambda X, y: {"y": y[0].tolist()}, "y is one-dimensional"),
        (lambda X, y: {"X": X[0]}, r"(?s)got 1D.*array.reshape\(1, -1\)"),
        (lambda X, y: {"X": y[:1]}, "X has 7 .* expecting 8 .* other .* 7.* as in y="),
        (lambda X, y: {"y": X[:1]}, "y has 8 .* expecting 7 .* other .* 8.* as in X="),
        (lambda X, y: {"X": y[:1].tolist()}, "pass them as y"),
        (lambda X, y: {"X": X[:1, :3]}, "expecting 8 features as input.$"),
        (lambda X, y: {"X": [[1], [1, 2]]}, "inhomogeneous"),
        (lambda X, y: {"y": ["a cat"]}, "y holds strings"),
    ],
)
def test_rows_of_the_other_view_and_single_rows_are_told(views, query, message):
    X, y = views[:2]
    retriever = CrossViewRetriever(LinearCCA(2)).fit(X, y).fit_index(y=y)
    with pytest.raises(ValueError, match=message):
        retriever.search(**query(X, y))


def test_texts_for_a_view_of_numbers_are_sent_to_the_other(views):
    numbers = views[0]
    texts = np.where(numbers[:, 0] > 0, "row cat", "row dog")
    made = CrossViewRetriever(
        make_view_pipeline(LinearCCA(2), x=StandardScaler(), y=CountVectorizer())
    )
    made.fit(numbers, texts).fit_index(numbers)
    for call in (
        lambda: made.search(["row cat"]),
        lambda: made.fit_index(["row cat", None]),
        lambda: made.fit_index(np.array(["row cat"])),
    ):
        with pytest.raises(
            ValueError, match="X contains texts, .* has 8 numbers .* y=tex"
        ):
            call()
    swapped = CrossViewRetriever(
        make_view_pipeline(LinearCCA(2), x=CountVectorizer(), y=StandardScaler())
    )
    swapped.fit(texts, numbers).fit_index(y=numbers)
    with pytest.raises(
        ValueError, match="y contains texts, .* has 8 numbers .* X=texts"
    ):
        swapped.search(y=["row cat"])
    with pytest.raises(ValueError, match="9 features"):  # of no texts
        made.search(np.ones((1, 9)))
