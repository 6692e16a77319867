"""LinearCCA on Dask arrays gives what it gives on the rows they stand for.

On the workers of a cluster it is fitted in tests/test_parallel.py.
"""

import tracemalloc

import numpy as np
import pytest

from skcrl import DeepCCA, LinearCCA
from skcrl.datasets import make_correlated_views

da = pytest.importorskip("dask.array")


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 6, 5, correlations=(0.9, 0.6, 0.3), random_state=0
    )


def chunked(views, *sizes):
    return tuple(
        da.from_array(view, chunks=(size, -1))
        for view, size in zip(views, sizes, strict=True)
    )


@pytest.mark.parametrize("sizes", [(100, 100), (400, 400), (37, 37), (100, 90)])
@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_equals_numpy(views, sizes, scheduler):
    import dask

    expected = LinearCCA(3).fit(*views)
    with dask.config.set(scheduler=scheduler):
        X, y = chunked(views, *sizes)
        cca = LinearCCA(3).fit(X, y)
        np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
        np.testing.assert_allclose(
            cca.correlations_, expected.correlations_, atol=1e-12
        )
        assert cca.n_samples_seen_ == 400
        Zx, Zy = cca.transform_pair(X, y)
        assert isinstance(Zx, da.Array)
        assert (Zx.shape, Zx.dtype, Zx.chunks[0]) == ((400, 3), np.float64, X.chunks[0])
        np.testing.assert_allclose(Zx, expected.transform(views[0]), atol=1e-10)
        reconstructed = cca.predict(X)
        assert isinstance(reconstructed, da.Array)
        np.testing.assert_allclose(
            reconstructed, expected.predict(views[0]), atol=1e-10
        )
        np.testing.assert_allclose(Zy, expected.transform_y(views[1]), atol=1e-10)


@pytest.mark.parametrize("shrinkage", ["oas", "ledoit_wolf"])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_and_shrinkage(views, shrinkage, weighted):
    weights = np.arange(400) % 3 if weighted else None
    expected = LinearCCA(3, shrinkage=shrinkage).fit(*views, weights)
    cca = LinearCCA(3, shrinkage=shrinkage).fit(*chunked(views, 90, 90), weights)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)


def test_blocks_of_unknown_length_and_none(views):
    X, y = views
    keep = X[:, 0] < 1.5
    keep[100:200] = False  # a whole chunk goes
    expected = LinearCCA(3).fit(X[keep], y[keep])
    X, y = chunked(views, 100, 100)
    mask = da.from_array(keep, chunks=100)
    X, y = X[mask], y[mask]
    cca = LinearCCA(3).fit(X, y)
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
    assert cca.n_samples_seen_ == keep.sum()
    codes = cca.transform(X).compute()
    np.testing.assert_allclose(codes, expected.transform(views[0][keep]), atol=1e-10)
    with pytest.raises(ValueError, match="chunks of known lengths"):
        LinearCCA().fit(X, y, sample_weight=np.ones(400))
    with pytest.raises(ValueError, match="4 and 2 chunks of unknown lengths"):
        LinearCCA().fit(X, chunked(views, 100, 200)[1])
    with pytest.raises(ValueError, match="A chunk of X has .* the chunk of y has 100"):
        LinearCCA().fit(X, chunked(views, 100, 100)[1])


def test_dtypes_one_dimension_and_streams(views):
    X, y = (np.round(10 * view) for view in views)
    expected = LinearCCA(1).fit(X, y[:, 0])
    X_int, y_int = chunked((X.astype(int), y[:, 0].astype(int)[:, None]), 50, 50)
    cca = LinearCCA(1).fit(X_int, y_int[:, 0])
    np.testing.assert_allclose(cca.x_weights_, expected.x_weights_, atol=1e-10)
    assert cca.predict(X).shape == (400,)
    X32 = X_int.astype(np.float32)
    assert cca.transform(X32).compute().dtype == np.float32
    streamed = LinearCCA(1)
    for rows in (slice(150), slice(150, None)):
        streamed.partial_fit(X_int[rows], y_int[rows])
    np.testing.assert_allclose(streamed.x_weights_, expected.x_weights_, atol=1e-10)


def test_rows_are_never_gathered():
    """Of sixty blocks, few are in memory at a time."""
    import dask

    def make(block_info=None):
        rng = np.random.default_rng(block_info[None]["chunk-location"][0])
        return rng.standard_normal((5000, 20))

    X = da.map_blocks(
        make, dtype=float, chunks=((5000,) * 60, (20,)), meta=np.empty((0, 0))
    )
    with dask.config.set(scheduler="synchronous"):
        LinearCCA(2).fit(X, X[:, :3])  # imports what it needs
        tracemalloc.start()
        LinearCCA(2).fit(X, X[:, :3])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10 * 5000 * 20 * 8


BAD = {
    "features": (
        lambda X, y: (X.rechunk({1: 3}), y),
        r"\(3, 3\) features, but rows must",
    ),
    "one of two": (
        lambda X, y: (X, y.compute()),
        "convert one to the type",
    ),
    "the other": (
        lambda X, y: (X.compute(), y),
        "convert one to the type",
    ),
    "unpaired": (lambda X, y: (X, y[:-1]), "Rows of X and y must be paired"),
    "NaN": (lambda X, y: (da.where(X > 2, np.nan, X), y), "Input X contains NaN"),
    "text": (lambda X, y: (X.astype(str), y), "dtype <U32: convert it to numbers"),
    "3D": (lambda X, y: (X, y[:, :, None]), "got 3D Dask array as y"),
    "empty": (lambda X, y: (X[:0], y[:0]), "without rows"),
    "one row": (lambda X, y: (X[:1], y[:1]), "Found 1 sample.*minimum of 2"),
    "no second": (lambda X, y: (X, None), "y is the second view"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD)
def test_bad_input(views, spoil, message):
    X, y = chunked(views, 100, 100)
    cca = LinearCCA(2)
    with pytest.raises(ValueError, match=message):
        cca.fit(*spoil(X, y))
    assert not hasattr(cca, "n_features_in_")


def test_what_is_not_finite_does_not_come_out(views):
    X, y = chunked(views, 100, 100)
    cca = LinearCCA(2).fit(X, y)
    for bad in (np.nan, np.inf):
        spoilt = da.where(X > 2, bad, X)
        for codes in (cca.transform(spoilt), cca.predict(spoilt)):
            with pytest.raises(ValueError, match="Input X contains NaN or infinity"):
                codes.compute()


def test_what_dask_arrays_do_not_go_into(views):
    X, y = chunked(views, 100, 100)
    cca = LinearCCA(2).fit(X, y)
    for call in (lambda: cca.score(X, y), lambda: cca.reconstruct(X, y)):
        with pytest.raises(ValueError, match="Apply other methods to the blocks"):
            call()
    with pytest.raises(ValueError, match="X has 5 features"):
        cca.transform(X[:, :5])
    with pytest.raises(ValueError, match="solver='gram' takes NumPy"):
        LinearCCA(2, solver="gram").fit(X, y)
    net = DeepCCA(1, hidden_layer_sizes=(4,), max_epochs=1).fit(X, y)  # loads them
    assert net.transform(X).shape == (400, 1)
