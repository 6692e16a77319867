"""Searches that correct hubs, against all similarities written out and sorted."""

import pickle
import tracemalloc

import numpy as np
import pytest
from given import Given
from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from test_backends import THOROUGH
from test_file import rewritten

from skcrl import CrossViewRetriever, LinearCCA
from skcrl._columns import unit_rows
from skcrl.metrics import Hubness, mean_reciprocal_rank
from skcrl.retrieval import _hubness, _hubness_choice
from skcrl.retrieval._backends import Exact
from skcrl.retrieval._hubness import ByQueries, nearest_less

PARAMS = {"n_neighbors": 5, "weight": 0.6}


def near(codes, others, n_neighbors=5):
    """Mean cosine of each code with its nearest others."""
    return np.sort(codes @ others.T, axis=1)[:, ::-1][:, :n_neighbors].mean(axis=1)


def assert_best(found, similarities, atol=1e-12):
    """What was found, as similarities and positions, is the best that there is."""
    values, positions = found
    k = positions.shape[1]
    best = -np.sort(-similarities, axis=1)[:, :k]
    np.testing.assert_allclose(values, best, rtol=0, atol=atol)
    there = np.take_along_axis(similarities, positions, 1)
    np.testing.assert_allclose(values, there, rtol=0, atol=atol)
    assert all(len(set(row)) == k for row in positions)


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((400, 6))
    X = np.hstack([z, rng.standard_normal((400, 4))])
    y = z @ rng.standard_normal((6, 8)) + 0.3 * rng.standard_normal((400, 8))
    y[:, 0] += rng.exponential(1, 400)
    return X[:300], y[:300], X[300:], y[300:]


@pytest.fixture
def banked(views):
    retriever = CrossViewRetriever(
        LinearCCA(6), hubness="bank", hubness_params=PARAMS, n_neighbors=7
    )
    return retriever.fit(*views[:2])


def corrected(retriever, queries, items, side):
    """Similarities of codes by the bank of the first or the second view."""
    near_bank = near(items, unit_rows(retriever.hubness_.bank[side]))
    return queries @ items.T - 0.6 * near_bank


@pytest.mark.parametrize("cells", [2**19, 2**11, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_cases_with_ties(rng, monkeypatch, dtype, cells):
    monkeypatch.setattr(_hubness, "_CELLS", cells)
    monkeypatch.setattr(_hubness, "_CELLS_OF_ALL", cells)
    for case in range(8):
        n, n_queries, width = rng.integers([1, 1, 1], [400, 150, 7])
        Z = rng.standard_normal((n + n_queries, width))
        if case % 2:
            Z = rng.integers(-1, 2, Z.shape)  # with equal rows, and rows of zeros
        queries, codes = np.split(unit_rows(Z.astype(dtype)), [n_queries])
        k = int(rng.integers(1, min(n, 60) + 1))
        bias = np.round(rng.random(n), 1 + case % 3).astype(dtype).astype(np.float64)
        cosines = queries.astype(np.float64) @ codes.T.astype(np.float64)
        found = nearest_less(Exact(codes, 0), queries, codes, bias, k, 0)
        assert_best(found, cosines - bias)
        nearest = np.sort(cosines, axis=0)[::-1][:3].mean(axis=0)
        found = ByQueries(0.7, 3).nearest(Exact(codes, 0), queries, codes, None, k, 0)
        assert_best(found, cosines - 0.7 * nearest, 1e-13 if dtype == "f8" else 2e-6)


def test_items_that_float32_confuses_are_told_apart(rng):
    # Of a thousand equal directions, biases tell which are best by their last digits.
    codes = np.repeat(
        unit_rows(rng.standard_normal((1, 200)).astype(np.float32)), 1000, 0
    )
    queries = unit_rows(rng.standard_normal((20, 200)).astype(np.float32))
    bias = 0.3 + 1e-9 * rng.permutation(1000)
    positions = nearest_less(Exact(codes, 0), queries, codes, bias, 10, 0)[1]
    np.testing.assert_array_equal(positions, np.tile(np.argsort(bias)[:10], (20, 1)))


def test_memory_is_a_few_times_that_of_the_answer(rng):
    queries = unit_rows(rng.standard_normal((2000, 32)).astype(np.float32))
    codes = unit_rows(rng.standard_normal((20_000, 32)).astype(np.float32))
    search, bias = Exact(codes, 0), np.zeros(len(codes))
    tracemalloc.start()
    nearest_less(search, queries, codes, bias, 5, 0)
    ByQueries(0.5, 10).nearest(search, queries, codes, None, 5, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # all similarities are 160 MB


@pytest.mark.parametrize("n_queries", [3, 100])
def test_a_search_with_a_bank(views, banked, n_queries):
    X, y = views[2][:n_queries], views[3][:n_queries]
    banked.fit_index(y=views[3][:60]).add(y=views[3][60:])
    items = banked.encode(y=views[3])
    of_x = corrected(banked, banked.encode(X), items, 0)
    of_y = corrected(banked, banked.encode(y=y), items, 1)
    both = banked.encode(X, y)
    of_both = (
        corrected(banked, both, items, 0) + corrected(banked, both, items, 1)
    ) / 2
    found = banked.search(X)
    assert_best(found, of_x)
    distances, positions = banked.kneighbors(X)
    np.testing.assert_array_equal(positions, found.ids)
    np.testing.assert_array_equal(distances, 1 - found.similarities)
    assert_best(banked.search(y=y), of_y)
    assert_best(banked.search(X, y), of_both)
    plain = CrossViewRetriever(LinearCCA(6), n_neighbors=7).fit(*views[:2])
    assert (plain.fit_index(y=views[3]).kneighbors(X)[1] != positions).any()


def test_views_that_are_missing(views, banked):
    X, y = views[2].copy(), views[3].copy()
    X[1::3], y[2::3] = np.nan, np.nan
    items = y.copy()
    items[[2, 5]] = views[3][[2, 5]]
    lost = np.flatnonzero(np.isnan(items[:, 0]))
    banked.fit_index(y=items)
    codes = banked.encode(y=items[~np.isnan(items[:, 0])])
    queries = banked.encode(X, y)
    of_side = [corrected(banked, queries, codes, side) for side in (0, 1)]
    of_side.append(np.mean(of_side, axis=0))
    expected = np.empty((100, 100))
    expected[:, lost] = -np.inf
    there = np.setdiff1d(np.arange(100), lost)
    for start, kind in ((0, 2), (1, 1), (2, 0)):
        expected[start::3, there] = of_side[kind][start::3]
    found = banked.search(X, y, n_neighbors=100)
    assert_best((found.similarities[:, :69], found.ids[:, :69]), expected)
    np.testing.assert_array_equal(found.ids[:, 69:], np.tile(lost, (100, 1)))
    np.testing.assert_array_equal(found.similarities[:, 69:], -np.inf)


def test_a_search_by_the_queries_of_the_call(views):
    retriever = CrossViewRetriever(
        LinearCCA(6), hubness="csls", hubness_params=PARAMS, n_neighbors=7
    )
    retriever.fit(*views[:2]).fit_index(y=views[3])
    assert retriever.hubness_ == Hubness(5, 0.6)
    queries, items = retriever.transform_pair(*views[2:])
    for n in (1, 3, 100):
        few = queries[:n]
        expected = few @ items.T - 0.6 * near(items, few)
        assert_best(retriever.search(views[2][:n]), expected)


@pytest.mark.parametrize("hubness", ["bank", "csls"])
@pytest.mark.parametrize("backend", THOROUGH)
def test_candidates_of_other_backends(views, backend, hubness, tmp_path):
    pytest.importorskip(THOROUGH[backend][0])
    exact = CrossViewRetriever(
        LinearCCA(6), hubness=hubness, hubness_params=PARAMS, n_neighbors=7
    )
    exact.fit(*views[:2]).fit_index(y=views[3])
    other = clone(exact).set_params(
        backend=backend, backend_params=THOROUGH[backend][1], n_jobs=1
    )
    other.fit(*views[:2]).fit_index(y=views[3][:50]).add(y=views[3][50:])
    other.save_index(tmp_path / "index.npz")
    other.load_index(tmp_path / "index.npz")
    for n in (1, 100):
        for a, b in zip(
            other.kneighbors(views[2][:n]), exact.kneighbors(views[2][:n]), strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("hubness", ["bank", "csls"])
@pytest.mark.parametrize("backend", ["int8", "binary"])
def test_candidates_of_stand_ins(views, backend, hubness):
    exact = CrossViewRetriever(
        LinearCCA(6), hubness=hubness, hubness_params=PARAMS, n_neighbors=7
    )
    other = clone(exact).set_params(backend=backend)
    for each in (exact, other):
        each.fit(*views[:2]).fit_index(y=views[3])
    expected = exact.kneighbors(views[2])
    for a, b in zip(other.kneighbors(views[2]), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_items_that_go_or_are_given_other_views(views, banked):
    y = views[3].copy()
    y[[4, 9]] = np.nan
    banked.fit_index(y=y).remove([0, 4, 50]).replace(y=views[3][:2], ids=[5, 10])
    left = np.delete(y, [0, 4, 50], axis=0)
    left[[5, 10]] = views[3][:2]
    found = banked.search(views[2])
    expected = banked.fit_index(y=left).search(views[2])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_backend_that_finds_few_is_asked_for_fewer(views):
    pytest.importorskip("faiss")
    retriever = CrossViewRetriever(
        LinearCCA(6),
        hubness="bank",
        hubness_params=PARAMS,
        backend="faiss",
        backend_params={"factory": "IVF10,Flat", "search": "nprobe=1"},
    )
    retriever.fit(*views[:2]).fit_index(y=views[3])
    found = retriever.search(views[2], n_neighbors=1)
    assert np.isfinite(found.similarities).all()
    with pytest.raises(ValueError, match="found fewer than n_neighbors=90 items"):
        retriever.search(views[2], n_neighbors=90)


def test_the_score_and_the_metrics_agree(views, banked):
    Zx, Zy = banked.transform_pair(*views[2:])
    by = banked.hubness_
    forth = mean_reciprocal_rank(Zx, Zy, hubness=by)
    back = mean_reciprocal_rank(Zy, Zx, hubness=by.swapped())
    assert banked.score(*views[2:]) == pytest.approx((forth + back) / 2, abs=1e-14)
    for codes, bank in zip(banked.transform_pair(*views[:2]), by.bank, strict=True):
        np.testing.assert_array_equal(bank, codes)


def reciprocal_ranks(Zx, Zy, hubness):
    """Of each pair, the mean of both ways."""
    total = np.zeros(len(Zx))
    for way, (queries, targets) in enumerate([(Zx, Zy), (Zy, Zx)]):
        others = queries if hubness.bank is None else hubness.bank[way]
        S = queries @ targets.T
        S -= hubness.weight * near(targets, others, hubness.n_neighbors)
        total += 1 / (S >= np.diag(S)[:, None]).sum(axis=1)
    return total / 2


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("hubness", ["bank", "csls"])
def test_numbers_are_the_weakest_as_good_as_the_best(views, hubness, frozen):
    X, y = views[:2]
    estimator = LinearCCA(6)
    if frozen:
        estimator = FrozenEstimator(estimator.fit(X[:50], y[:50]))
    retriever = CrossViewRetriever(estimator, hubness=hubness).fit(X, y)
    held = np.concatenate([np.arange(i, i + 3) for i in range(0, 300, 15)])
    rest = np.setdiff1d(np.arange(300), held)
    fitted = CrossViewRetriever(estimator).fit(X[rest], y[rest])
    codes = fitted.transform_pair(X[held], y[held])
    bank = fitted.transform_pair(X[rest], y[rest]) if hubness == "bank" else None
    ranks = {
        (n_neighbors, weight): reciprocal_ranks(
            *codes, Hubness(n_neighbors, weight, bank)
        )
        for n_neighbors in (1, 5, 10, 25, 100)
        for weight in (0, 0.25, 0.5, 0.75, 1)
    }
    best = max(ranks.values(), key=np.mean)
    assert frozen or best.mean() > ranks[1, 0].mean()
    as_good = {
        numbers: of_pairs.mean()
        for numbers, of_pairs in ranks.items()
        if np.mean(best - of_pairs) <= np.std(best - of_pairs) / np.sqrt(len(held))
    }
    weakest = min(weight for _, weight in as_good)
    found = retriever.hubness_
    assert found.weight == weakest
    assert as_good[found.n_neighbors, weakest] == pytest.approx(
        max(mrr for (_, weight), mrr in as_good.items() if weight == weakest), abs=1e-12
    )
    if hubness == "bank":
        assert [len(codes) for codes in found.bank] == [300, 300]


def test_numbers_are_chosen_with_weights_of_another_name(views):
    X, y = views[:2]
    weights = np.linspace(0.5, 2, 300)
    expected = CrossViewRetriever(LinearCCA(6), hubness="csls").fit(
        X, y, sample_weight=weights
    )
    with config_context(enable_metadata_routing=True):
        estimator = LinearCCA(6).set_fit_request(sample_weight="worth")
        retriever = CrossViewRetriever(estimator, hubness="csls")
        retriever.fit(X, y, worth=weights)
    assert retriever.hubness_ == expected.hubness_
    np.testing.assert_array_equal(retriever.weights_, expected.weights_)


def test_hubs_that_are_none_are_not_corrected(rng):
    Z = unit_rows(rng.standard_normal((100, 40)))
    retriever = CrossViewRetriever(Given(), hubness="bank").fit(Z, Z)
    assert retriever.hubness_.weight == 0


def test_hubness_that_is_none_after_fit_corrects_nothing(views, banked):
    banked.fit_index(y=views[3])
    plain = CrossViewRetriever(LinearCCA(6), n_neighbors=7).fit(*views[:2])
    banked.set_params(hubness=None)
    with pytest.raises(ValueError, match="was made with .* hubness=.* fit_index again"):
        banked.search(views[2])
    assert banked.score(*views[2:]) == plain.score(*views[2:])
    for metric in ("cosine", "euclidean"):
        found, expected = (
            each.set_params(metric=metric).fit_index(y=views[3]).kneighbors(views[2])
            for each in (banked, plain)
        )
        np.testing.assert_array_equal(found, expected)


def test_a_bank_is_an_even_share_of_the_rows_that_are_there(views, monkeypatch):
    monkeypatch.setattr(_hubness_choice, "LARGEST_BANK", 31)
    X, y = views[0][:61, :6].copy(), views[1][:61, :6].copy()
    retriever = CrossViewRetriever(Given(), hubness="bank", hubness_params=PARAMS)
    by_side = retriever.fit(X, y).hubness_.bank
    np.testing.assert_array_equal(by_side[0], unit_rows(X)[::2])
    X[::2] = np.nan
    by_side = retriever.fit(X, y).hubness_.bank
    np.testing.assert_array_equal(by_side[0], unit_rows(X[1::2]))
    np.testing.assert_array_equal(by_side[1], unit_rows(y)[::2])


def test_held_out_pairs_lie_in_runs_of_neighbours():
    rows = np.arange(1000, 31_000)
    held = _hubness_choice.held_out(rows)
    starts = np.flatnonzero(np.diff(held, prepend=-1) != 1)
    np.testing.assert_array_equal(held[starts], rows[::1500])
    np.testing.assert_array_equal(np.diff([*starts, len(held)]), 50)
    assert len(_hubness_choice.held_out(np.arange(13))) == 2


def test_kept_in_files(views, banked, tmp_path):
    banked.fit_index(y=views[3])
    expected = banked.search(views[2])
    banked.save(tmp_path / "model.skcrl")
    banked.save_index(tmp_path / "index.npz")
    loaded = CrossViewRetriever.load(tmp_path / "model.skcrl")
    assert loaded.hubness_ == banked.hubness_
    again = banked.fit(*views[:2]).load_index(tmp_path / "index.npz")
    for each in (loaded, again, pickle.loads(pickle.dumps(loaded))):
        for a, b in zip(each.search(views[2]), expected, strict=True):
            np.testing.assert_array_equal(a, b)
        each.add(y=views[3][:1])
        assert each.search(views[2][:1], n_neighbors=101).ids.shape == (1, 101)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Hubness(bank=(np.eye(5), np.eye(5))), "its bank is of codes of 5 components"),
        ("csls", "its hubness_ is a str"),
    ],
)
def test_a_model_of_another_correction_is_refused(banked, tmp_path, other, message):
    banked.hubness_ = other
    banked.save(tmp_path / "model.skcrl")
    with pytest.raises(ValueError, match=f"is damaged: {message}"):
        CrossViewRetriever.load(tmp_path / "model.skcrl")


def test_a_bank_of_lists_in_a_model(views, banked, tmp_path):
    expected = banked.transform_pair(*views[:2])
    object.__setattr__(banked.hubness_, "bank", [Z.tolist() for Z in expected])
    banked.save(tmp_path / "model.skcrl")
    loaded = CrossViewRetriever.load(tmp_path / "model.skcrl")
    for found, codes in zip(loaded.hubness_.bank, expected, strict=True):
        np.testing.assert_array_equal(found, codes)


def test_an_index_of_another_correction_is_refused(views, banked, tmp_path):
    path = tmp_path / "index.npz"
    banked.fit_index(y=views[3]).save_index(path)
    plain = CrossViewRetriever(LinearCCA(6)).fit(*views[:2])
    advice = "fit it with codes='mean' and metric='cosine' and hubness="
    with pytest.raises(
        ValueError, match=f"{advice}'bank' and .*'weight': 0.6}}, because"
    ):
        plain.load_index(path)
    as_advised = clone(plain).set_params(hubness="bank", hubness_params=PARAMS)
    found = as_advised.fit(*views[:2]).load_index(path).search(views[2], n_neighbors=7)
    np.testing.assert_array_equal(found.ids, banked.search(views[2]).ids)
    plain.fit_index(y=views[3]).save_index(path)
    with pytest.raises(ValueError, match=f"{advice}None, because fit makes"):
        banked.load_index(path)
    csls = clone(plain).set_params(hubness="csls", hubness_params=PARAMS)
    csls.fit(*views[:2]).load_index(path)  # which needs nothing of the items
    assert csls.search(views[2]).ids.shape == (100, 10)


SETTINGS = {"space": {"codes": "mean", "metric": "cosine"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hubs": np.full((100, 2), np.nan)}, "not means of cosines for 100 items"),
        ({"hubs": np.full((100, 2), 1.1)}, "not means of cosines for 100 items"),
        ({"hubs": np.zeros((99, 2))}, "not means of cosines for 100 items"),
        (
            {"hubs": np.zeros((100, 2), np.float32)},
            "not means of cosines for 100 items",
        ),
        (
            {"hubs": np.zeros((100, 2), np.int64)},
            "its hubs is of int64, not of f4 or f8",
        ),
        ({"settings": SETTINGS}, "has hubs and does not say how they were found"),
        (
            {"settings": {"space": SETTINGS["space"] | {"hubness": {"weight": 1}}}},
            "its hubs were found by {'weight': 1}",
        ),
        (
            {
                "settings": {
                    "space": SETTINGS["space"]
                    | {"hubness": {"n_neighbors": 5, "weight": "1"}}
                }
            },
            "weight of Hubness must be a number from 0 to 10, got '1'",
        ),
    ],
)
def test_edited_files_of_an_index(views, banked, tmp_path, changes, message):
    path = tmp_path / "index.npz"
    banked.fit_index(y=views[3]).save_index(path)
    rewritten(path, **changes)
    with pytest.raises(ValueError, match=f"is damaged: .*{message}"):
        banked.load_index(path)
    assert banked.search(views[2]).ids.shape == (100, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "euclidean"}, "hubness corrects cosines, but metric='euclidean'"),
        ({"hubness": "nnn"}, "The 'hubness' parameter .* Got 'nnn' instead"),
        (
            {"hubness_params": {"weight": 1}},
            "a dict with n_neighbors and weight, or None",
        ),
        (
            {"hubness_params": {"n_neighbors": 0, "weight": 1}},
            "n_neighbors of Hubness must be an integer of at least 1, got 0",
        ),
    ],
)
def test_corrections_that_do_not_fit(views, banked, changes, message):
    expected = banked.fit_index(y=views[3]).search(views[2]).ids
    with pytest.raises(ValueError, match=message):
        banked.set_params(**changes).fit(*views[:2])
    banked.set_params(metric="cosine")
    np.testing.assert_array_equal(banked.search(views[2]).ids, expected)


def test_distances_are_not_searched_by_a_correction(views, banked):
    banked.fit_index(y=views[3]).set_params(metric="euclidean")
    for ask in (
        lambda: banked.fit_index(y=views[3]),
        lambda: banked.score(*views[2:]),
        lambda: banked.search(views[2]),
    ):
        with pytest.raises(ValueError, match="metric='euclidean'"):
            ask()


def test_too_few_pairs_to_choose_by(views):
    retriever = CrossViewRetriever(LinearCCA(2), hubness="bank")
    with pytest.raises(
        ValueError, match="hubness='bank' needs at least 10 pairs, .* 9: pa"
    ):
        retriever.fit(views[0][:9], views[1][:9])
    assert not hasattr(retriever, "estimator_")
    assert retriever.fit(views[0][:10], views[1][:10]).hubness_.bank[0].shape == (10, 2)
