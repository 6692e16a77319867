"""Items and queries with a view missing, against codes and rankings written by hand."""

import numpy as np
import pandas as pd
import pytest
from given import Given
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler
from test_backends import THOROUGH

from skcrl import (
    CrossViewRetriever,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    ViewPipeline,
)
from skcrl._columns import unit_rows
from skcrl.datasets import make_correlated_views

# Of 20 items: complete, first view alone, second alone, none.
KINDS = np.repeat([0, 1, 2, 3], [10, 4, 4, 2])[np.random.default_rng(3).permutation(20)]
NONE = np.flatnonzero(KINDS == 3)


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(130, 8, 7, correlations=(0.9, 0.8), random_state=0)
    return X[:100], y[:100], X[100:120], y[100:120], X[120:], y[120:]


@pytest.fixture(scope="module")
def tied(views):
    return TiedBidirectional(3, max_epochs=2, random_state=0).fit(*views[:2])


def with_gaps(X, y):
    """Views with the gaps of KINDS."""
    X, y = X.copy(), y.copy()
    X[KINDS >= 2] = np.nan
    y[(KINDS == 1) | (KINDS == 3)] = np.nan
    return X, y


def by_hand(estimator, X, y, codes, metric):
    """Code of each row from what is there of it; NaN where nothing is."""
    unit = unit_rows if metric == "cosine" else np.asarray
    rows = []
    for kind, x_row, y_row in zip(KINDS, X, y, strict=True):
        sides = []
        if kind in (0, 1):
            sides.append(unit(estimator.transform(x_row[None])))
        if kind in (0, 2):
            sides.append(unit(estimator.transform_y(y_row[None])))
        if not sides:
            rows.append(None)
        elif codes == "mean":
            rows.append(unit(sum(sides) / len(sides)))
        elif codes == "concatenated":
            rows.append(unit(np.hstack([sides[0], sides[-1]])))
        else:
            pair = (x_row[None], y_row[None])
            rows.append(unit(estimator.transform_joint(*pair)))
    width = next(row.shape[1] for row in rows if row is not None)
    return np.vstack([np.full((1, width), np.nan) if r is None else r for r in rows])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("codes", ["mean", "concatenated", "joint"])
def test_searches_are_the_comparisons_by_hand(views, tied, codes, metric):
    items = with_gaps(*views[2:4])
    retriever = CrossViewRetriever(tied, codes=codes, metric=metric, n_neighbors=20)
    retriever.fit(*views[:2]).fit_index(*items, ids=np.arange(20) + 50)
    expected = by_hand(retriever.estimator_, *items, codes, metric)
    there = KINDS != 3
    queries = [view[there] for view in items]
    np.testing.assert_allclose(retriever.encode(*queries), expected[there], rtol=1e-5)
    queried = expected[there].astype(np.float64)
    if metric == "cosine":
        similarities = queried @ queried.T
    else:
        gaps = queried[:, None] - queried[None]
        similarities = -np.sqrt((gaps**2).sum(axis=2))
    distances, positions = retriever.kneighbors(*queries)
    for row, found, expected_row in zip(
        distances, positions, similarities, strict=True
    ):
        by_position = np.full(20, -np.inf)
        by_position[there] = expected_row
        away = (1 if metric == "cosine" else 0) - by_position[found]
        np.testing.assert_allclose(row, away, atol=1e-5)
        assert sorted(found) == list(range(20))
    assert (np.diff(distances[:, :18], axis=1) >= 0).all()
    # Items without a view come last, in their order.
    np.testing.assert_array_equal(positions[:, 18:], np.tile(NONE, (18, 1)))
    np.testing.assert_array_equal(distances[:, 18:], np.inf)
    found = retriever.search(*queries)
    np.testing.assert_array_equal(found.ids, positions + 50)
    np.testing.assert_array_equal(found.similarities[:, 18:], -np.inf)
    few = retriever.kneighbors(*queries, n_neighbors=19)[1]
    np.testing.assert_array_equal(few, positions[:, :19])


@pytest.mark.parametrize("codes", ["mean", "concatenated", "joint"])
@pytest.mark.parametrize("model", ["linear", "tied", "autoencoder"])
def test_one_view_removed_everywhere_is_the_search_by_the_other(views, model, codes):
    estimator = {
        "linear": LinearCCA(2),
        "tied": TiedBidirectional(3, max_epochs=2, random_state=0),
        "autoencoder": MultimodalAutoencoder(3, max_epochs=2, random_state=0),
    }[model]
    retriever = CrossViewRetriever(estimator, codes=codes).fit(*views[:2])
    X, y, X_new, y_new = views[2:]
    retriever.fit_index(X, np.full_like(y, np.nan))
    found = retriever.kneighbors(X_new, np.full_like(y_new, np.nan))
    expected = retriever.fit_index(X).kneighbors(X_new)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    if model == "autoencoder":
        return  # whose joint layer makes something else of a view alone
    single = CrossViewRetriever(estimator).fit(*views[:2]).fit_index(X)
    np.testing.assert_array_equal(single.kneighbors(X_new)[1], expected[1])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("backend", ["exact", *THOROUGH])
def test_backends_agree_on_items_without_a_view(views, backend, metric):
    params = None
    if backend != "exact":
        module, params = THOROUGH[backend]
        pytest.importorskip(module)
    items = with_gaps(*views[2:4])
    exact = CrossViewRetriever(LinearCCA(2), metric=metric, n_neighbors=20)
    exact.fit(*views[:2]).fit_index(*items)
    other = CrossViewRetriever(
        LinearCCA(2),
        metric=metric,
        n_neighbors=20,
        backend=backend,
        backend_params=params,
        n_jobs=1,
    )
    other.fit(*views[:2]).fit_index(*(view[:5] for view in items))
    for rows in (slice(5, 6), slice(6, 20)):
        other.add(*(view[rows] for view in items))
    for a, b in zip(
        other.kneighbors(*views[4:]), exact.kneighbors(*views[4:]), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_items_without_a_view_are_added_one_by_one():
    Z = np.eye(3)
    retriever = CrossViewRetriever(Given(), n_neighbors=5).fit(Z, Z)
    gap = np.full((1, 3), np.nan)
    retriever.fit_index(-Z[:1], ids=["a"]).add(gap, ids=["b"]).add(Z[:1], ids=["c"])
    retriever.add(gap, gap, ids=["d"]).add(y=Z[1:2], ids=["e"])
    found = retriever.search(Z[:1])
    assert found.ids[0].tolist() == ["c", "e", "a", "b", "d"]
    np.testing.assert_array_equal(found.similarities[0], [1, 0, -1, -np.inf, -np.inf])


def test_texts_that_are_none():
    texts = ["red car", "blue car", "red house", "blue house", "green boat", "boat"]
    numbers = np.eye(6)[:, :5]
    model = ViewPipeline(LinearCCA(3, reg=0.1), x=CountVectorizer())
    retriever = CrossViewRetriever(model, n_neighbors=6).fit(texts * 5, [*numbers] * 5)
    some = [None, *texts[1:5], None]
    partly = numbers.copy()
    partly[[2, 5]] = np.nan
    codes = retriever.encode(some[:5], partly[:5])
    np.testing.assert_allclose(codes[:1], retriever.encode(y=numbers[:1]), atol=1e-12)
    np.testing.assert_allclose(
        codes[1:2], retriever.encode(texts[1:2], numbers[1:2]), atol=1e-12
    )
    np.testing.assert_allclose(codes[2:3], retriever.encode(texts[2:3]), atol=1e-12)
    assert (retriever.fit_index(some, partly).search(texts).ids[:, -1] == 5).all()
    with pytest.raises(ValueError, match="2 rows have no view, the first is row 0"):
        retriever.search(some)


@pytest.mark.parametrize("container", ["frame", "masked", "objects", "one column"])
def test_gaps_in_any_container(views, container):
    X, y, X_new, y_new = views[:4]
    y = y[:, 0] if container == "one column" else y
    y_new = y_new[:, 0] if container == "one column" else y_new
    retriever = CrossViewRetriever(LinearCCA(1)).fit(X, y)
    expected = retriever.encode(X_new, y_new)
    expected[4] = retriever.encode(X_new[4:5])[0]
    partly = y_new.copy()
    partly[4] = np.nan
    held = {
        "frame": pd.DataFrame,
        "masked": np.ma.masked_invalid,
        "objects": lambda v: np.where(np.isnan(v), None, v),
        "one column": pd.Series,
    }[container](partly)
    np.testing.assert_allclose(retriever.encode(X_new, held), expected)


def test_joint_codes_in_a_pipeline(views):
    net = TiedBidirectional(3, max_epochs=2, random_state=0)
    retriever = CrossViewRetriever(
        ViewPipeline(net, x=StandardScaler()), codes="joint"
    ).fit(*views[:2])
    items = with_gaps(*views[2:4])
    there = KINDS != 3
    items = [view[there] for view in items]
    joint = retriever.estimator_.transform_joint(*items)
    np.testing.assert_allclose(retriever.encode(*items), unit_rows(joint), rtol=1e-6)


def test_concatenated_codes_are_joint_codes_with_halves_of_length_one(views, tied):
    retriever = CrossViewRetriever(tied, codes="concatenated").fit(*views[:2])
    joint = retriever.estimator_.transform_joint(*views[2:4])
    halves = [unit_rows(joint[:, :3]), unit_rows(joint[:, 3:])]
    np.testing.assert_allclose(
        retriever.encode(*views[2:4]), np.hstack(halves) / np.sqrt(2), rtol=1e-6
    )


def test_score_leaves_out_rows_that_miss_a_view(views):
    items = with_gaps(*views[2:4])
    retriever = CrossViewRetriever(LinearCCA(2)).fit(*views[:2])
    complete = KINDS == 0
    assert retriever.score(*items) == retriever.score(*(v[complete] for v in items))
    with pytest.raises(ValueError, match="No row has both views"):
        retriever.score(*(view[~complete] for view in items))


def test_the_index_goes_through_files(views, tmp_path):
    items = with_gaps(*views[2:4])
    names = [f"item {i}" for i in range(20)]
    for metric in ("cosine", "euclidean"):
        retriever = CrossViewRetriever(
            LinearCCA(2), codes="concatenated", metric=metric, n_neighbors=20
        )
        retriever.fit(*views[:2]).fit_index(*items, ids=names)
        expected = retriever.search(*views[4:])
        retriever.save_index(tmp_path / "index.npz")
        retriever.save(tmp_path / "retriever")
        again = CrossViewRetriever.load(tmp_path / "retriever")
        for loaded in (again, again.fit(*views[:2]).load_index(tmp_path / "index.npz")):
            found = loaded.search(*views[4:])
            np.testing.assert_array_equal(found.ids, expected.ids)
            np.testing.assert_array_equal(found.similarities, expected.similarities)
    retriever.set_params(metric="cosine")
    for call, message in (
        (lambda: retriever.load_index(tmp_path / "index.npz"), "set_params to those"),
        (lambda: retriever.search(views[4]), "call fit_index again"),
        (lambda: retriever.add(views[4]), "call fit_index again"),
    ):
        with pytest.raises(ValueError, match=f"metric='euclidean', but .*{message}"):
            call()


@pytest.mark.parametrize("form", [list, tuple, np.asarray])
def test_none_among_rows_of_numbers(views, form):
    items = with_gaps(*views[2:4])
    lists = [
        [None if np.isnan(row).all() else form(row.tolist()) for row in view]
        for view in items
    ]
    retriever = CrossViewRetriever(LinearCCA(2), n_neighbors=20).fit(*views[:2])
    expected = retriever.fit_index(*items).search(views[4])
    found = retriever.fit_index(*lists).search(views[4])
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.similarities, expected.similarities)
    assert retriever.score(*lists) == retriever.score(*items)
    with pytest.raises(ValueError, match="X contains NaN"):
        retriever.fit(*lists)
    with pytest.raises(ValueError, match="inhomogeneous"):
        retriever.fit_index([*lists[0][:3], None, [1.0]])


def test_refusals_in_words(views):
    X, y, X_new, y_new = views[:4]
    gaps = np.full_like(y_new, np.nan)
    retriever = CrossViewRetriever(LinearCCA(2)).fit(X, y)
    with pytest.raises(ValueError, match="All 20 items have no view"):
        retriever.fit_index(y=gaps)
    retriever.fit_index(*with_gaps(X_new, y_new))
    for call in (retriever.kneighbors, retriever.search, retriever.encode):
        with pytest.raises(ValueError, match=f"2 rows have no view.*row {NONE[0]}:"):
            call(*with_gaps(X_new, y_new))
    with pytest.raises(ValueError, match="no view.*row 0"):
        retriever.transform_pair(X_new, gaps)
    spoilt = y_new.copy()
    spoilt[:3], spoilt[5, 0] = np.nan, np.nan
    with pytest.raises(ValueError, match="y contains NaN") as caught:
        retriever.encode(y=spoilt, X=X_new)
    assert caught.value.__notes__ == [
        "Row numbers leave out 3 rows that have only other views."
    ]
    with pytest.raises(ValueError, match="transform_joint, but Given has none"):
        CrossViewRetriever(Given(), codes="joint").fit(X, X)

    class Wide(LinearCCA):
        def transform_joint(self, X=None, y=None):
            return np.hstack([super().transform_joint(X, y)] * 2)

    wide = CrossViewRetriever(Wide(2), codes="joint", correlation_power=1)
    with pytest.raises(
        ValueError, match=r"joint of Wide .* 4 comp.* correlations are 2"
    ):
        wide.fit(X, y)
    far = CrossViewRetriever(Given(), metric="euclidean").fit(X, X)
    with pytest.raises(ValueError, match="numbers up to 1e.15: set metric='cosine'"):
        far.fit_index(X * 1e20)


def test_score_is_that_of_the_metric(views):
    X, y, X_new, y_new = views[:4]
    cca = LinearCCA(2)
    for metric in ("cosine", "euclidean"):
        retriever = CrossViewRetriever(cca, metric=metric).fit(X, y)
        Zx, Zy = retriever.estimator_.transform_pair(X_new, y_new)
        Zx, Zy = (Z * retriever.weights_ for Z in (Zx, Zy))
        if metric == "cosine":
            Zx, Zy = unit_rows(Zx), unit_rows(Zy)
        gaps = np.linalg.norm(Zx[:, None] - Zy[None], axis=2)
        ranks = [(m <= np.diag(m)[:, None]).sum(axis=1) for m in (gaps, gaps.T)]
        assert retriever.score(X_new, y_new) == pytest.approx(
            np.mean(1 / np.array(ranks))
        )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("codes", ["concatenated", "joint"])
def test_codes_of_both_views_are_weighted(views, codes, metric):
    X, y, X_new, y_new = views[:4]
    parameters = {"codes": codes, "metric": metric, "correlation_power": 2}
    retriever = CrossViewRetriever(LinearCCA(2), **parameters).fit(X, y)
    cca = LinearCCA(2).fit(X, y)
    weights = (cca.singular_values_ / cca.singular_values_[0]) ** 2
    unit = unit_rows if metric == "cosine" else np.asarray
    if codes == "joint":
        expected = cca.transform_joint(X_new, y_new) * weights
    else:
        expected = np.hstack(
            [unit(Z * weights) for Z in cca.transform_pair(X_new, y_new)]
        )
    np.testing.assert_allclose(retriever.encode(X_new, y_new), unit(expected))
