"""The one training path: batches, seeds, history, failure, persistence."""

import functools
import pickle
import pickletools
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairBatches, PairDataset, PairSplit
from skcrl.deep._plan import plan_of
from skcrl.metrics import canonical_total

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)


@pytest.fixture(params=[DeepCCA, CorrNet], ids=lambda cls: cls.__name__)
def est(request):
    return request.param(**SMALL, batch_size=25)


def batches(n, batch_size, **kwargs):
    data = PairDataset(torch.arange(n)[:, None], torch.arange(n)[:, None])
    return PairBatches(data, batch_size, **kwargs)


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        (100, 25, [25] * 4),
        (1003, 334, [334, 334, 335]),
        (29, 10, [14, 15]),
        (30, 29, [30]),
        (5, 100, [5]),  # trap 4: drop_last would train on nothing
    ],
)
def test_a_short_last_batch_is_shared_out(n, batch_size, sizes):
    found = [pair for pair, _ in batches(n, batch_size)]
    assert sorted(len(pair["x"]) for pair in found) == sizes
    assert len(batches(n, batch_size)) == len(sizes)
    rows = torch.cat([pair["x"] for pair in found]).flatten()
    torch.testing.assert_close(rows, torch.arange(n))


def test_shuffled_batches_stay_paired_and_follow_seed_and_epoch():
    def order(iterator):
        pairs = [pair for pair, _ in iterator]
        for pair in pairs:
            assert torch.equal(pair["x"], pair["y"])
        return torch.cat([pair["x"] for pair in pairs]).flatten()

    one, two = (batches(50, 10, shuffle=True, seed=3) for _ in range(2))
    first, second = order(one), order(one)
    assert torch.equal(first, order(two))
    assert not torch.equal(first, second)
    assert torch.equal(first.sort().values, torch.arange(50))
    two.epoch = 1
    assert torch.equal(second, order(two))
    assert not torch.equal(first, order(batches(50, 10, shuffle=True, seed=4)))


def test_unpaired_rows_are_spread_among_the_batches():
    x = torch.arange(40)[:, None]
    has_x, has_y = np.ones(40, bool), np.ones(40, bool)
    has_y[:10] = False
    has_x[10:13] = False
    data = PairDataset.from_arrays(x.numpy(), x.numpy(), has_x, has_y)
    assert len(data) == 40
    found = [pair for pair, _ in PairBatches(data, 8, shuffle=True)]
    assert [len(pair) for pair in found] == [7, 8, 8, 8, 9]
    rows = {
        name: torch.cat([p[name] for p in found if name in p.keys()])
        for name in ("x", "y", "x_only", "y_only")
    }
    torch.testing.assert_close(rows["x"], rows["y"])
    for name, expected in (("x", x[13:]), ("x_only", x[:10]), ("y_only", x[10:13])):
        found_rows = rows[name].flatten().sort().values
        torch.testing.assert_close(found_rows, expected.flatten())


def test_split_leaves_unpaired_rows_to_training():
    x = np.zeros((40, 1))
    has_x, has_y = np.arange(40) >= 5, np.arange(40) < 30
    data = PairDataset.from_arrays(x, x, has_x, has_y)
    train, valid = PairSplit(0.2, seed=0)(data)
    assert (len(train.rows), len(train.x_only), len(train.y_only)) == (20, 10, 5)
    assert (len(valid.rows), len(valid)) == (5, 5)
    assert set(train.rows.tolist()) | set(valid.rows.tolist()) == set(range(5, 30))


def test_split_keeps_pairs():
    data = PairDataset(torch.arange(40)[:, None], torch.arange(40)[:, None])
    train, valid = PairSplit(0.25, seed=0)(data)
    assert (len(train), len(valid)) == (30, 10)
    rows = torch.cat([train.rows, valid.rows]).sort().values
    assert torch.equal(rows, torch.arange(40))
    assert train.x is data.x  # views of the data, not copies


def test_float32_data_are_trained_on_in_place():
    X = np.zeros((5, 2), np.float32)
    assert PairDataset.from_arrays(X, X).x.data_ptr() == X.ctypes.data


def test_read_only_memory_maps(est, views, tmp_path):
    # Trap 14: joblib hands workers read-only maps, of which torch warns.
    X, y = (view.astype(np.float32) for view in views)
    path = tmp_path / "views.joblib"
    joblib.dump((X, y), path)
    mapped = joblib.load(path, mmap_mode="r")
    assert not mapped[0].flags.writeable
    np.testing.assert_array_equal(
        clone(est).fit(*mapped).transform(mapped[0]), est.fit(X, y).transform(X)
    )


def test_random_state_instances_advance_and_none_differs(est, views):
    rng = np.random.RandomState(0)
    first, second = (
        clone(est).set_params(random_state=rng).fit(*views).transform(views[0])
        for _ in range(2)
    )
    assert not np.allclose(first, second)
    state = np.random.get_state()[1].copy()
    first, second = (
        clone(est).set_params(random_state=None).fit(*views).transform(views[0])
        for _ in range(2)
    )
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_partial_fits_add_up_to_fit(est, views):
    whole = clone(est).fit(*views)
    parts = clone(est)
    for _ in range(est.max_epochs):
        parts.partial_fit(*views)
    np.testing.assert_array_equal(parts.transform(views[0]), whole.transform(views[0]))
    assert parts.n_iter_ == whole.n_iter_ == 5


@pytest.mark.parametrize(
    "est",
    [
        DeepCCA(**SMALL, objective="noi", input_dropout=0.3, batch_size=25),
        DeepCCA(**SMALL, objective="soft", pretraining_epochs=2, batch_size=25),
        MultimodalAutoencoder(**SMALL, noise=0.5, batch_size=25),
        TiedBidirectional(**SMALL, dropout=0.5, batch_size=25),
        CCALRanker(**SMALL, running_momentum=0.5, input_dropout=0.3, batch_size=25),
        CCALRanker(**SMALL, projection="learned", batch_size=25),
    ],
    ids=repr,
)
def test_what_draws_or_runs_along_goes_on_bit_for_bit(est, views):
    expected = clone(est).fit(*views).transform(views[0])
    parts = clone(est)
    for _ in range(est.max_epochs):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(*views)))
    np.testing.assert_array_equal(parts.transform(views[0]), expected)
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: clone(est).fit(*views), range(4)):
            np.testing.assert_array_equal(other.transform(views[0]), expected)


def test_warm_start_goes_on(est, views):
    twice = clone(est).set_params(warm_start=True).fit(*views).fit(*views)
    assert twice.n_iter_ == 10
    once = clone(est).set_params(max_epochs=10).fit(*views)
    np.testing.assert_array_equal(twice.transform(views[0]), once.transform(views[0]))
    assert clone(est).fit(*views).fit(*views).n_iter_ == 5


def test_warm_start_takes_new_parameters(est, views):
    est.set_params(warm_start=True).fit(*views)
    est.set_params(lr=1e-12, batch_size=50, validation_fraction=0.3, max_epochs=1)
    est.set_params(early_stopping=True, weight_decay=1e-3)
    codes = est.net_.evaluate("encode", views[0], **_side(est))
    est.fit(*views)
    group = est.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (1e-12, 1e-3)
    assert "valid_loss" in est.history_[-1]
    assert "valid_loss" not in est.history_[0]
    np.testing.assert_allclose(
        est.net_.evaluate("encode", views[0], **_side(est)), codes, atol=1e-6
    )


def _side(est):
    return {"side": "x"} if isinstance(est, DeepCCA) else {}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": (9,)}, r"8.* in fit and is .*9.* now, but training"),
        ({"n_components": 3}, r"2.* in fit and is .*3.* now, but training"),
        ({"activation": "tanh"}, "activation was '.*' in fit and is 'tanh' now"),
        ({"optimizer": "sgd"}, "optimizer was '.*' in fit and is 'SGD' now"),
        (
            {"net_params": {"optimizer__eps": 0.1}},
            "optimizer__eps was None in fit and is 0.1 now",
        ),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_warm_start_refuses_another_network(est, views, parameters, message, method):
    est.set_params(warm_start=True, max_epochs=1).fit(*views)
    codes = est.transform(views[0])
    with pytest.raises(ValueError, match=message):
        getattr(est.set_params(**parameters), method)(*views)
    np.testing.assert_array_equal(est.transform(views[0]), codes)
    assert est.set_params(warm_start=False).fit(*views).n_iter_ == 1


def test_values_beyond_float32_are_named(est, views):
    with pytest.raises(ValueError, match="y has values beyond .* scale it down"):
        est.fit(views[0], views[1] * 1e39)


def test_history_is_plain_data(est, views):
    est.set_params(validation_fraction=0.3).fit(*views)
    assert [row["epoch"] for row in est.history_] == [1, 2, 3, 4, 5]
    for row in est.history_:
        assert {"train_loss", "valid_loss", "dur"} <= set(row)
        assert all(type(value) in (int, float, bool) for value in row.values())


def test_training_lowers_the_loss(est, views):
    est.set_params(max_epochs=30).fit(*views)
    losses = [row["train_loss"] for row in est.history_]
    assert losses[-1] < losses[0] - 0.1 * abs(losses[0])


def test_verbose_prints_a_line_an_epoch(est, views, capsys):
    est.fit(*views)
    assert capsys.readouterr().out == ""
    est.set_params(verbose=1).fit(*views)
    assert len(capsys.readouterr().out.strip().splitlines()) == 2 + 5


def test_early_stopping_keeps_the_best_weights(views):
    est = DeepCCA(
        hidden_layer_sizes=(32,),
        max_epochs=300,
        lr=0.05,
        validation_fraction=0.3,
        early_stopping=True,
        lr_schedule="constant",
        n_iter_no_change=4,
        tol=0,
        standardize=False,
        random_state=0,
    ).fit(*views)
    losses = [row["valid_loss"] for row in est.history_]
    best = int(np.argmin(losses))
    assert len(losses) == best + 4 + 1 < 300  # four worse epochs in a row
    # The same validation rows, encoded with the weights that were kept.
    data = PairDataset.from_arrays(*views)
    _, valid = est.net_.train_split(data)
    batch = valid.batch("cpu", slice(None))
    with torch.no_grad():
        loss = est.net_.get_loss(est.net_.infer(batch), None, X=batch)
    assert loss.item() == pytest.approx(losses[best], abs=1e-5)


def test_monitored_score_is_that_of_the_estimator_stopped_there(views):
    est = DeepCCA(
        hidden_layer_sizes=(16,),
        max_epochs=60,
        lr=0.02,
        reg=1e-6,
        validation_fraction=0.4,
        early_stopping=True,
        lr_schedule="constant",
        n_iter_no_change=5,
        tol=0,
        monitor="score",
        random_state=0,
    ).fit(*views)
    scores = [row["valid_score"] for row in est.history_]
    best = int(np.argmax(scores))
    assert len(scores) == best + 6 < 60
    stopped = clone(est).set_params(early_stopping=False, max_epochs=best + 1)
    stopped.fit(*views)
    np.testing.assert_array_equal(stopped.transform(views[0]), est.transform(views[0]))
    data = PairDataset.from_arrays(*views)
    train, valid = (part.rows.numpy() for part in est.net_.train_split(data))
    outputs = [
        est.net_.evaluate("encode", v, side=s) for v, s in zip(views, "xy", strict=True)
    ]
    expected = canonical_total(
        *(z[valid] for z in outputs), *(z[train] for z in outputs)
    )
    assert scores[best] == pytest.approx(expected, abs=1e-3)


class RateRecorder(Callback):
    def on_train_begin(self, net, **kwargs):
        self.rates = []

    def on_batch_begin(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])


def rates_of(est):
    (recorder,) = (c for _, c in est.net_.callbacks_ if isinstance(c, RateRecorder))
    return np.array(recorder.rates)


def test_one_cycle_rises_and_falls_over_the_steps(est, views):
    est.set_params(lr_schedule="one_cycle", lr=0.01, callbacks=[RateRecorder()])
    rates = rates_of(est.fit(*views))
    assert len(rates) == 5 * 4
    peak = rates.argmax()
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[peak] == pytest.approx(0.01)
    assert peak == 5
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[-1] < 1e-6
    assert len(rates_of(est.partial_fit(*views))) == 4


def test_refinement_goes_back_and_lowers_the_rate(views):
    est = DeepCCA(
        hidden_layer_sizes=(32,),
        max_epochs=500,
        lr=0.05,
        validation_fraction=0.3,
        early_stopping=True,
        n_iter_no_change=10,
        tol=0,
        standardize=False,
        lr_schedule="refine",
        callbacks=[RateRecorder()],
        random_state=0,
    ).fit(*views)
    rates = rates_of(est)
    assert len(rates) == est.n_iter_ < 500
    steps, lengths = np.unique(rates, return_counts=True)
    np.testing.assert_allclose(steps[::-1], 0.05 * 0.1 ** np.arange(4))
    losses = np.array([row["valid_loss"] for row in est.history_])
    first = lengths[-1]
    assert losses[first - 11 : first].argmin() == 0  # ten epochs were no better
    assert (lengths[:3] >= 2).all()  # a fifth of the patience
    data = PairDataset.from_arrays(*views)
    batch = est.net_.train_split(data)[1].batch("cpu", slice(None))
    with torch.no_grad():
        loss = est.net_.get_loss(est.net_.infer(batch), None, X=batch)
    assert loss.item() == pytest.approx(losses.min(), abs=1e-5)


def test_gradients_are_clipped(est, views):
    est.set_params(optimizer="sgd", lr=1.0, weight_decay=0.0)
    est.set_params(max_epochs=1, batch_size=100)
    est.set_params(gradient_clip=1e-3).fit(*views)
    plan = plan_of(est, PairDataset.from_arrays(*views), is_part=False)
    start = est._make_net(est.net_.seed, plan)
    moved = [
        (a - b).square().sum()
        for a, b in zip(
            est.net_.module_.parameters(), start.module_.parameters(), strict=True
        )
    ]
    assert sum(moved).sqrt().item() == pytest.approx(1e-3, rel=1e-3)


def test_mixed_precision_is_close_and_learns(est, views):
    est.set_params(lr=1e-3)
    if isinstance(est, CorrNet):  # a loss of which the terms do not cancel
        est.set_params(correlation_weight=20.0)
    full = clone(est).fit(*views)
    mixed = est.set_params(mixed_precision=True).fit(*views)
    weights = [next(e.net_.module_.parameters()) for e in (full, mixed)]
    assert weights[1].dtype == torch.float32
    assert not torch.equal(*weights)
    torch.testing.assert_close(*weights, atol=2e-2, rtol=0)
    losses = [e.history_[-1]["train_loss"] for e in (full, mixed)]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


# torch warns of its own parts when it compiles.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_network_learns_the_same(views, monkeypatch):
    est = DeepCCA(**SMALL, input_dropout=0.0)
    eager = clone(est).fit(*views).transform(views[0])
    # All that its default does but for the C++ compiler, which takes ten seconds.
    compiling = functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", compiling)
    compiled = est.set_params(compile=True).fit(*views)
    np.testing.assert_allclose(compiled.transform(views[0]), eager, atol=1e-3)


def test_lbfgs_solves_linear_cca_on_the_full_batch(views):
    est = DeepCCA(
        hidden_layer_sizes=(),
        reg=1e-8,
        optimizer="lbfgs",
        lr=1.0,
        max_epochs=10,
        batch_size=3,  # a full batch takes no notice of it
        input_dropout=0.0,
        random_state=0,
    ).fit(*views)
    expected = LinearCCA(reg=0).fit(*views).correlations_[:2]
    np.testing.assert_allclose(est.correlations_, expected, atol=1e-6)


def test_lbfgs_decays_weights(views):
    def norm(**parameters):
        est = CorrNet(**SMALL, optimizer="lbfgs", lr=1.0, **parameters).fit(*views)
        return sum(p.square().sum().item() for p in est.net_.module_.parameters())

    assert norm(weight_decay=1.0) < 0.5 * norm()


def test_lbfgs_goes_on_bit_for_bit(est, views):
    est.set_params(optimizer="lbfgs", lr=1.0, max_epochs=2)
    whole = clone(est).fit(*views)
    parts = clone(est).partial_fit(*views)
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(*views)
    np.testing.assert_array_equal(parts.transform(views[0]), whole.transform(views[0]))


def test_sparse_views_are_trained_on_as_dense_ones(est, views):
    X, y = (np.where(abs(view) > 0.5, view, 0) for view in views)
    est.set_params(standardize=False)
    if isinstance(est, DeepCCA):
        est.set_params(input_dropout=0.0)
    expected = clone(est).fit(X, y)
    for wrap in (sparse.csr_array, sparse.csr_matrix, sparse.coo_matrix):
        found = clone(est).fit(wrap(X), wrap(y))
        for method in ("transform", "predict"):
            np.testing.assert_allclose(
                getattr(found, method)(wrap(X)), getattr(expected, method)(X), atol=1e-5
            )
        np.testing.assert_allclose(
            found.transform_joint(wrap(X), y), expected.transform_joint(X, y), atol=1e-5
        )


def test_sparse_rows_cannot_be_missing(est, views):
    X = sparse.csr_array(np.where(np.arange(6) == 0, np.nan, views[0]))
    est.fit(*views)
    with pytest.raises(ValueError, match="X contains NaN and is sparse"):
        est.transform_joint(X, views[1])


class Interrupt(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_keyboard_interrupt_gets_out_and_changes_nothing(est, views):
    # Trap 7: skorch's fit swallows it.
    est.fit(*views)
    codes = est.transform(views[0])
    est.set_params(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        est.fit(*views)
    np.testing.assert_array_equal(est.transform(views[0]), codes)
    unfitted = clone(est)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(*views)
    assert not hasattr(unfitted, "net_")


class InterruptAtTheEnd(Callback):
    def on_train_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_keyboard_interrupt_after_early_stopping(est, views):
    est.set_params(early_stopping=True, validation_fraction=0.3, n_iter_no_change=1)
    est.set_params(lr=0.5, max_epochs=200, callbacks=[InterruptAtTheEnd()])
    with pytest.raises(KeyboardInterrupt):
        est.fit(*views)


class Spoil(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 7:
            with torch.no_grad():
                next(net.module_.parameters()).fill_(float("nan"))


@pytest.mark.parametrize("warm_start", [True, False])
def test_divergence_is_named_and_changes_nothing(est, views, warm_start):
    est.set_params(warm_start=warm_start, max_epochs=6).fit(*views)
    codes = est.transform(views[0])
    est.set_params(callbacks=[Spoil()], max_epochs=9)
    with pytest.raises(FloatingPointError, match=f"diverged in epoch 7.*lr={est.lr}"):
        est.fit(*views)
    np.testing.assert_array_equal(est.transform(views[0]), codes)
    est.set_params(callbacks=None).fit(*views)
    assert np.isfinite(est.transform(views[0])).all()


def test_divergence_names_reg(views):
    with pytest.raises(FloatingPointError, match=r"Reduce lr=1e\+30 or raise reg=0.1"):
        DeepCCA(**{**SMALL, "lr": 1e30, "max_epochs": 50}, reg=0.1).fit(*views)


BAD_PARAMETERS = [
    (
        {"early_stopping": True, "validation_fraction": 0},
        "early_stopping=True needs validation data",
    ),
    (
        {"monitor": "score", "validation_fraction": 0},
        "monitor='score' needs validation data",
    ),
    (
        {"lr_schedule": "refine", "early_stopping": False},
        "set early_stopping=True or None",
    ),
    (
        {"lr_schedule": "refine", "validation_fraction": 0},
        "lr_schedule='refine' needs validation data",
    ),
    ({"lr_schedule": "cosine"}, "'lr_schedule' parameter"),
    ({"gradient_clip": 0.0}, "'gradient_clip' parameter"),
    ({"hidden_layer_sizes": (8, 0)}, "positive integers, or be .*, got"),
    ({"hidden_layer_sizes": (8, 1.5)}, "positive integers, or be .*, got"),
    ({"hidden_layer_sizes": (True,)}, "positive integers, or be .*, got"),
    ({"net_params": {"module__k": 7}}, "begin with optimizer__.*'module__k'"),
    # Trap 15: values that would contradict a parameter unnoticed.
    ({"net_params": {"optimizer__lr": 7}}, "contradicts the parameter 'lr'"),
    (
        {"net_params": {"iterator_train__batch_size": 7}},
        "contradicts the parameter 'batch_size'",
    ),
    ({"device": "nowhere"}, "device='nowhere' cannot be used by torch"),
    ({"device": "meta"}, "device='meta' cannot be used by torch"),
    ({"validation_fraction": 0.995}, "training samples=0"),
    ({"validation_fraction": 0.001}, "validation samples=0"),
    ({"optimizer": "lion"}, "'optimizer' parameter"),
    ({"lr": 0.0}, "'lr' parameter"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters(est, views, parameters, message):
    est.set_params(max_epochs=1).fit(*views)
    codes = est.transform(views[0])
    with pytest.raises(ValueError, match=message):
        est.set_params(**parameters).fit(*views)
    np.testing.assert_array_equal(est.transform(views[0]), codes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_asked_and_absent(est, views):
    with pytest.raises(
        ValueError, match="torch finds no CUDA device: use device='cpu'"
    ):
        est.set_params(device="cuda").fit(*views)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_and_encodes(est, views):
    on_gpu = clone(est).set_params(device="cuda").fit(*views)
    expected = est.fit(*views).transform(views[0])
    np.testing.assert_allclose(on_gpu.transform(views[0]), expected, atol=1e-2)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(on_gpu)).transform(views[0]),
        on_gpu.transform(views[0]),
    )


class DenormalWatch(Callback):
    def on_epoch_end(self, net, **kwargs):
        assert torch.tensor([1e-40]).mul(1.0) == 0


def test_denormals_are_flushed_while_training_and_no_longer(est, views):
    # Saturated sigmoids slow an epoch down threefold otherwise.
    est.set_params(callbacks=[DenormalWatch()]).fit(*views)
    assert torch.tensor([1e-40]).mul(1.0) != 0


def test_net_params_reach_skorch(est, views):
    est.set_params(optimizer="sgd", net_params={"optimizer__momentum": 0.5})
    assert est.fit(*views).net_.optimizer_.param_groups[0]["momentum"] == 0.5
    est.set_params(net_params={"iterator_train__shuffle": False}).fit(*views)
    assert est.net_.iterator_train__shuffle is False
    est.set_params(net_params={"optimizer__no_such_thing": 1})
    with pytest.raises(ValueError, match="SGD takes no .no_such_thing"):
        est.fit(*views)


def test_pickle_resumes_bit_for_bit(est, views):
    est.fit(*views)
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(copy.transform(views[0]), est.transform(views[0]))
    assert copy.history_ == est.history_
    est.partial_fit(*views)
    copy.partial_fit(*views)
    np.testing.assert_array_equal(copy.transform(views[0]), est.transform(views[0]))
    assert copy.n_iter_ == 6


def test_pickle_hides_no_pickle(est, views):
    # Traps 5 and 6: skorch's state holds bytes that unpickle code of their own.
    data = pickle.dumps(est.fit(*views))
    strings = {
        arg for _, arg, _ in pickletools.genops(data) if isinstance(arg, (bytes, str))
    }
    assert not any("__cuda_dependent_attributes__" in str(s) for s in strings)
    assert not any("_load_from_bytes" in str(s) for s in strings)
    for s in strings:
        assert not (isinstance(s, bytes) and s[:1] == b"\x80" and s[-1:] == b".")


def test_pickle_survives_changed_parameters(est, views):
    est.fit(*views)
    codes = est.transform(views[0])
    est.set_params(hidden_layer_sizes=(3, 3), n_components=1)
    copy = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(copy.transform(views[0]), codes)


def test_blocks_of_rows_change_nothing(est, views):
    X, y = views
    est.fit(X, y)
    many = np.tile(X, (90, 1))
    assert len(many) > 2 * 4096
    np.testing.assert_allclose(
        est.transform(many), np.tile(est.transform(X), (90, 1)), atol=1e-12
    )


def test_line_search_sees_one_noise_an_epoch(views):
    seen = []

    class Spy(nn.Module):
        def forward(self, a):
            seen.append(a.detach() == 0)
            return a

    encoder = nn.Sequential(Spy(), nn.Linear(6, 2))
    est = DeepCCA(2, x_encoder=encoder, input_dropout=0.5, optimizer="lbfgs", lr=1.0)
    est.set_params(hidden_layer_sizes=(), max_epochs=2, random_state=0).fit(*views)
    masks = torch.stack([mask for mask in seen if len(mask) == 100 and mask.any()])
    changes = (masks[1:] != masks[:-1]).flatten(1).any(1)
    assert len(masks) > 6
    assert changes.sum() == 1  # between the epochs


def test_lbfgs_refuses_clipped_gradients(est, views):
    with pytest.raises(ValueError, match="would mislead the line search"):
        est.set_params(optimizer="lbfgs", gradient_clip=1.0).fit(*views)


def test_too_few_complete_rows_for_the_batches(views):
    X, y = views[0], views[1].copy()
    y[:97] = np.nan
    est = CorrNet(max_epochs=1, batch_size=20, random_state=0)
    message = "at least 2 complete rows, but with 3 .* 97 .* has 0 .*: use 100 or more"
    with pytest.raises(ValueError, match=message):
        est.fit(X, y)
    assert est.set_params(batch_size=100).fit(X, y).n_iter_ == 1
    with pytest.raises(ValueError, match=r"got training samples=1 .*Raise it\."):
        est.fit(X[:98], y[:98])


def test_a_monitored_score_needs_two_validation_rows(views):
    X, y = (view[:10] for view in views)
    est = TiedBidirectional(validation_fraction=0.1, monitor="score", max_epochs=1)
    with pytest.raises(ValueError, match="at least 2 rows, got validation samples=1"):
        est.fit(X, y)


def test_wide_rows_are_encoded_in_smaller_blocks():
    X = sparse.random_array((300, 50_000), density=1e-3, format="csr", random_state=0)
    y = np.random.default_rng(0).standard_normal((300, 2))
    est = CorrNet(hidden_layer_sizes=(), max_epochs=1, random_state=0).fit(X, y)
    rows = []
    encode = est.net_.module_.__class__.encode

    def spy(module, x=None, y=None):
        rows.append(len(x))
        return encode(module, x, y)

    est.net_.module_.__class__.encode = spy
    try:
        codes = est.transform(X)
    finally:
        est.net_.module_.__class__.encode = encode
    assert max(rows) * 50_000 <= 2**22
    assert sum(rows) == 300
    np.testing.assert_allclose(codes[:7], est.transform(X[:7]), atol=1e-12)
