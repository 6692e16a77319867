"""Rows in maps of files, in Dask's blocks, and integers: none is copied or changed."""

import tracemalloc

import dask
import dask.array as da
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from skcrl import CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder
from skcrl.datasets import make_correlated_views
from skcrl.deep._dask_rows import DaskRows
from skcrl.deep._data import PairBatches, PairDataset

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(300, 5, 4, correlations=(0.9, 0.7), random_state=0)


@pytest.fixture
def maps(tmp_path):
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((40_000, 1), np.float32)
    for name in ("x.npy", "y.npy"):
        np.save(
            tmp_path / name, shared + rng.standard_normal((40_000, 200), np.float32)
        )
    return [np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy")]


def test_maps_stay_where_they_are(maps):
    options = {**SMALL, "hidden_layer_sizes": (), "max_epochs": 1, "batch_size": 4000}
    est = DeepCCA(**options)
    expected = clone(est).fit(*map(np.array, maps)).transform(maps[0][:50])
    tracemalloc.start()
    est.fit(*maps)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < maps[0].nbytes  # that of blocks
    np.testing.assert_array_equal(est.transform(maps[0][:50]), expected)


@pytest.mark.parametrize("order", [np.asfortranarray, lambda X: X[::-1]])
def test_views_in_another_order_of_bytes(order, views):
    X, y = (order(view.astype(np.float32)) for view in views)
    est = DeepCCA(**SMALL).fit(X, y)
    expected = DeepCCA(**SMALL).fit(X.copy(), y.copy())
    np.testing.assert_array_equal(est.transform(X), expected.transform(X))


def test_rows_of_weight_0_are_not_there(maps):
    weights = np.zeros(40_000)
    weights[100:400] = 1
    est = CCALRanker(2, **SMALL).fit(*maps, sample_weight=weights)
    X, y = (view[100:400] for view in maps)
    expected = CCALRanker(2, **SMALL).fit(X, y)
    np.testing.assert_allclose(est.transform(X), expected.transform(X), atol=1e-5)


class Pairs(Dataset):
    """Pairs of rows, some of which scikit-learn takes by their numbers."""

    def __init__(self, x, y, rows):
        self.x, self.y, self.rows = x, y, rows
        self.shape = rows.shape

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        if isinstance(at, tuple):
            return Pairs(self.x, self.y, self.rows[at[0]])
        return self.x[self.rows[at]], self.y[self.rows[at]]


def test_folds_of_a_dataset(views):
    search = GridSearchCV(DeepCCA(**SMALL), {"lr": [1e-3, 1e-2]}, cv=KFold(3))
    found = clone(search).fit(Pairs(*views, np.arange(300)))
    expected = search.fit(*views)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(
            found.cv_results_[name], expected.cv_results_[name]
        )


def chunked(views, n_rows=70):
    return [da.from_array(view, chunks=(n_rows, -1)) for view in views]


def test_dask_rows_are_those_of_the_array(views):
    rows = DaskRows(*chunked(views[:1]), "X", np.float64)
    at = np.random.default_rng(0).permutation(300)[:50]
    np.testing.assert_array_equal(rows[at], views[0][at])
    np.testing.assert_array_equal(rows[60:80], views[0][60:80])


def test_an_epoch_computes_each_block_once(views):
    computed = []

    def seen(block, block_info=None):
        if block_info:
            computed.append(block_info[0]["chunk-location"][0])
        return block

    x, y = chunked(views)
    x = x.map_blocks(seen, dtype=x.dtype, meta=np.empty((0, 0)))
    data = PairDataset.from_arrays(
        DaskRows(x, "X", np.float64), DaskRows(y, "y", np.float64)
    )
    with dask.config.set(scheduler="synchronous"):
        batches = [b["x"] for b, _ in PairBatches(data, 40, shuffle=True)]
    assert sorted(computed) == [0, 1, 2, 3, 4]
    assert computed != sorted(computed)
    found, expected = torch.cat(batches), torch.from_numpy(views[0]).float()
    assert not torch.equal(found, expected)
    assert torch.equal(found.sort(0).values, expected.sort(0).values)


def test_dask_arrays_train_as_their_rows(views):
    one_batch = {**SMALL, "batch_size": 300, "activation": "tanh", "input_dropout": 0.0}
    X, y = views
    with dask.config.set(scheduler="synchronous"):
        est = DeepCCA(**one_batch).fit(*chunked(views))
        codes = est.transform(chunked(views)[0])
        assert isinstance(codes, da.Array)
        assert codes.chunks == ((70, 70, 70, 70, 20), (2,))
        np.testing.assert_allclose(codes.compute(), est.transform(X), atol=1e-12)
        np.testing.assert_allclose(est.predict(chunked(views)[0]), est.predict(X))
        spoilt = X.copy()
        spoilt[200] = np.nan
        with pytest.raises(ValueError, match="Input X contains NaN or infinity"):
            clone(est).fit(*chunked((spoilt, y)))
        unknown = [view[view[:, 0] > -9] for view in chunked(views)]
        with pytest.raises(
            ValueError, match="X is a Dask array with chunks of unknown"
        ):
            clone(est).fit(*unknown)
    expected = DeepCCA(**one_batch).fit(X, y).transform(X)
    np.testing.assert_allclose(est.transform(X), expected, atol=1e-4)


class Words(nn.Module):
    """Mean of the vectors of words."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.vectors = nn.Embedding(20, 2)

    def forward(self, numbers):
        return self.vectors(numbers).mean(1)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 20, (120, 6))
    return words, rng.standard_normal((20, 3))[words].mean(1)


@pytest.mark.parametrize("kind", [DeepCCA, CCALRanker, CorrNet, MultimodalAutoencoder])
def test_integers_reach_an_encoder_as_they_are(kind, texts, tmp_path):
    words, y = texts
    options = {"max_epochs": 2, "batch_size": 40, "random_state": 0}
    est = kind(2, x_encoder=Words(), **options).fit(words, y)
    codes = est.transform(words)
    assert codes.dtype == np.float32
    dataset = TensorDataset(*map(torch.from_numpy, texts))
    for again in (
        kind(2, x_encoder=Words(), **options).fit(dataset),
        kind(2, x_encoder=Words(), **options).fit(*map(torch.from_numpy, texts)),
        kind(2, x_encoder=Words(), **options).fit(words.astype(np.uint16), y),
    ):
        np.testing.assert_array_equal(again.transform(words), codes)
    assert np.isfinite(est.reconstruct(y=y, to="x")).all()
    assert np.isfinite(est.transform_joint(words)).all()
    with pytest.raises(ValueError, match="X held integers in fit, which your own enc"):
        est.transform(words.astype(float))
    est.save(tmp_path / "words.skcrl")
    loaded = kind.load(tmp_path / "words.skcrl", x_encoder=Words())
    np.testing.assert_array_equal(loaded.transform(words), codes)
    turned = kind(2, y_encoder=Words(), **options).fit(y, words)
    assert np.isfinite(turned.transform_joint(y)).all()
    assert np.isfinite(turned.predict(y)).all()


def test_dense_encoders_have_floats_of_integers(texts):
    words, y = texts
    est = DeepCCA(**SMALL)
    np.testing.assert_array_equal(
        clone(est).fit(words, y).transform(words),
        clone(est).fit(words.astype(float), y).transform(words.astype(float)),
    )
    with pytest.raises(ValueError, match=r"of integers .*[^.]\. If it needs floats, "):
        DeepCCA(**SMALL, x_encoder=nn.Linear(6, 2)).fit(words, y)
