"""Trainings that are interrupted and go on: bit for bit, or not at all."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import EarlyStopping, Freezer, LRScheduler
from torch import nn

from skcrl import CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import make_correlated_views
from skcrl.deep._base import BaseDeep
from skcrl.deep._checkpoint import Checkpoint
from skcrl.deep._net import TwoViewNet
from skcrl.deep.modules import DenoisingPair
from skcrl.persistence._file import read, write
from skcrl.persistence._plain import decode, encode

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 4,
    "batch_size": 25,
    "random_state": 0,
}
# Stops after some epochs.
STOPPING = {
    **SMALL,
    "max_epochs": 100,
    "lr": 0.5,
    "validation_fraction": 0.3,
    "early_stopping": True,
    "n_iter_no_change": 2,
}


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "training"


@pytest.fixture
def est(path):
    return CorrNet(**SMALL, checkpoint=path)


@contextmanager
def interruption(epoch, error=KeyboardInterrupt):
    """Interrupt trainings, but for pretraining, in the midst of an epoch."""
    original, calls = TwoViewNet.train_step_single, []

    def step(net, batch, **kwargs):
        loss = original(net, batch, **kwargs)
        if len(net.history) == epoch and not isinstance(net.module_, DenoisingPair):
            calls.append(loss)
        if len(calls) == 2:
            raise error
        return loss

    TwoViewNet.train_step_single = step
    try:
        with pytest.raises(error):
            yield
    finally:
        TwoViewNet.train_step_single = original


@contextmanager
def no_training():
    """Fail if an epoch is trained."""
    original = TwoViewNet.run_single_epoch
    TwoViewNet.run_single_epoch = lambda *args, **kwargs: pytest.fail("it trains")
    try:
        yield
    finally:
        TwoViewNet.run_single_epoch = original


def outcome(est, X, y):
    """All that a training leads to, but for the time it takes."""
    state = est.net_.get_state()
    rows = [
        {key: value for key, value in row.items() if key != "dur"}
        for row in est.history_
    ]
    assert [row["epoch"] for row in rows] == list(range(1, est.n_iter_ + 1))
    rates = [group["lr"] for group in est.net_.optimizer_.param_groups]
    codes = est.transform(X), est.transform_y(y), est.predict(X)
    return {**state, "history": rows, "rates": rates, "codes": codes}


def kept(path):
    """State of the training in a file."""
    return decode(*read(path, "checkpoint"))["state"]


def dense(X, y):
    return X, y


def sparse_rows(X, y):
    return tuple(sparse.csr_array(np.where(abs(v) > 0.5, v, 0)) for v in (X, y))


def missing_rows(X, y):
    X, y = X.copy(), y.copy()
    X[:20], y[25:40] = np.nan, np.nan
    return X, y


def with_norm():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


CASES = {
    "DeepCCA": (DeepCCA(**SMALL), dense),
    "CorrNet": (CorrNet(**SMALL), dense),
    "MultimodalAutoencoder": (MultimodalAutoencoder(**SMALL, noise=0.5), dense),
    "TiedBidirectional": (TiedBidirectional(**SMALL, dropout=0.5), dense),
    "CCALRanker": (
        CCALRanker(
            **SMALL, running_momentum=0.5, input_dropout=0.3, validation_fraction=0.3
        ),
        dense,
    ),
    "learned projection": (CCALRanker(**SMALL, projection="learned"), dense),
    "running moments": (
        DeepCCA(**SMALL, objective="noi", input_dropout=0.3, reconstruction_weight=0.1),
        dense,
    ),
    "pretraining": (
        DeepCCA(**SMALL, objective="soft", pretraining_epochs=2, closing_cca=False),
        dense,
    ),
    "early stopping": (DeepCCA(**STOPPING), dense),
    "score": (DeepCCA(**STOPPING, monitor="score"), dense),
    "reciprocal ranks": (CCALRanker(**STOPPING), dense),
    "refinement": (DeepCCA(**STOPPING, lr_schedule="refine"), dense),
    "one cycle": (CorrNet(**SMALL, lr_schedule="one_cycle"), dense),
    "one cycle, stopped": (CorrNet(**STOPPING, lr_schedule="one_cycle"), dense),
    "batch norm": (
        CCALRanker(**STOPPING, batch_norm=True, lr_schedule="refine"),
        dense,
    ),
    "pretrained batch norm": (
        DeepCCA(
            **SMALL,
            batch_norm=True,
            pretraining_epochs=1,
            reconstruction_weight=0.1,
            mixed_precision=True,
        ),
        dense,
    ),
    "L-BFGS": (DeepCCA(**SMALL, optimizer="lbfgs", input_dropout=0.1), dense),
    "Nesterov": (CorrNet(**SMALL, optimizer="nesterov"), dense),
    "momentum": (
        CorrNet(**SMALL, optimizer="sgd", net_params={"optimizer__momentum": 0.5}),
        dense,
    ),
    "AdamW": (
        DeepCCA(
            **SMALL,
            optimizer="adamw",
            weight_decay=0.1,
            gradient_clip=0.5,
            net_params={"optimizer__amsgrad": True},
        ),
        dense,
    ),
    "mixed precision": (DeepCCA(**SMALL, mixed_precision=True), dense),
    "module of the user's": (DeepCCA(**SMALL, x_encoder=with_norm()), dense),
    "sparse rows": (DeepCCA(**SMALL, input_dropout=0.3), sparse_rows),
    "missing rows": (CorrNet(**SMALL), missing_rows),
    "missing rows of branches": (
        DeepCCA(**SMALL, input_dropout=0.3, reconstruction_weight=0.1),
        missing_rows,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_interrupted_in_every_epoch_it_ends_bit_for_bit_the_same(case, views, path):
    est, made_into = CASES[case]
    X, y = made_into(*views)
    whole = clone(est).fit(X, y)
    expected = outcome(whole, *views)
    est = clone(est).set_params(checkpoint=path)
    for epoch in range(1, whole.n_iter_ + 1):
        with interruption(epoch):
            est.fit(X, y)
        assert not hasattr(est, "net_")
        assert len(kept(path)["history"]) == epoch - 1
    np.testing.assert_equal(outcome(est.fit(X, y), *views), expected)
    assert os.listdir(path.parent) == [path.name]
    # The training is over, even if it stopped early.
    file = path.stat().st_ino
    with no_training():
        again = clone(est).fit(X, y)
    assert path.stat().st_ino == file  # nor is it written anew
    np.testing.assert_equal(outcome(again, *views), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_interrupted_on_cuda(views, path):
    est = DeepCCA(**SMALL, device="cuda", input_dropout=0.3)
    expected = outcome(clone(est).fit(*views), *views)
    with interruption(3):
        est.set_params(checkpoint=path).fit(*views)
    np.testing.assert_equal(outcome(est.fit(*views), *views), expected)


def test_the_cases_stop_and_refine(views):
    for case in ("early stopping", "score", "reciprocal ranks", "one cycle, stopped"):
        assert 4 < CASES[case][0].fit(*views).n_iter_ < 100
    refined = CASES["refinement"][0].fit(*views)
    assert refined.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(5e-4)


def test_states_are_kept_every_few_epochs_and_at_either_end(est, views, monkeypatch):
    seen = []

    def spy(checkpoint, net, finished=False):
        original(checkpoint, net, finished)
        state = kept(checkpoint.path)
        seen.append((len(state["history"]), state["finished"]))

    original = Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", spy)
    est.set_params(checkpoint_every=3).fit(*views)
    assert seen == [(0, False), (3, False), (4, True)]


def test_what_a_fitted_net_and_its_pickle_hold_is_the_same(est, views):
    plain = clone(est).set_params(checkpoint=None).fit(*views)
    with interruption(3):
        est.fit(*views)
    est.fit(*views).set_params(checkpoint=None).partial_fit(*views)
    np.testing.assert_array_equal(
        est.transform(views[0]), plain.partial_fit(*views).transform(views[0])
    )


def test_without_a_seed_the_file_has_it(est, views, monkeypatch):
    with interruption(3):
        est.set_params(random_state=None).fit(*views)
    seed = kept(est.checkpoint)["seed"]
    est.fit(*views)
    assert est.net_.seed == seed
    monkeypatch.setattr(BaseDeep, "_draw_seed", lambda *_: seed)
    expected = clone(est).set_params(checkpoint=None).fit(*views)
    np.testing.assert_equal(outcome(est, *views), outcome(expected, *views))


def test_a_random_state_moves_on_once(est, views):
    ours, plain = np.random.RandomState(3), np.random.RandomState(3)
    expected = clone(est).set_params(checkpoint=None)
    expected.random_state = plain
    expected.fit(*views)
    est.random_state = ours
    for epoch in (2, 3):
        with interruption(epoch):
            est.fit(*views)
    est.fit(*views)
    np.testing.assert_equal(outcome(est, *views), outcome(expected, *views))
    assert ours.randint(1000) == plain.randint(1000)
    with pytest.raises(ValueError, match="random_state was 'MT19937 with state .* now"):
        est.fit(*views)


def test_divergence_leaves_the_last_epoch(views, path):
    est = DeepCCA(**{**SMALL, "lr": 1e30, "max_epochs": 40}, checkpoint=path)
    with pytest.raises(FloatingPointError, match="diverged in epoch") as first:
        est.fit(*views)
    before = path.read_bytes()
    with pytest.raises(FloatingPointError) as second:
        est.fit(*views)
    assert str(second.value) == str(first.value)
    assert path.read_bytes() == before


# Killed while the file of the third epoch is on its way to the disk.
KILLED = """
import os, signal, sys
from skcrl import DeepCCA
from skcrl.datasets import make_correlated_views

writes = []

def fsync(file):
    writes.append(file)
    if len(writes) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = fsync
views = make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)
DeepCCA(
    hidden_layer_sizes=(8,), max_epochs=4, batch_size=25, random_state=0,
    checkpoint=sys.argv[1],
).fit(*views)
"""


def test_a_process_killed_while_it_writes(views, path):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == -signal.SIGKILL
    assert len(list(path.parent.glob(".*.unfinished"))) == 1
    assert len(kept(path)["history"]) == 2
    est = DeepCCA(**SMALL, checkpoint=str(path)).fit(*views)
    expected = DeepCCA(**SMALL).fit(*views)
    np.testing.assert_equal(outcome(est, *views), outcome(expected, *views))


OTHERS = [
    ({"lr": 0.5}, "lr was 0.0.*1 and is 0.5 now"),
    ({"max_epochs": 6}, "max_epochs was 4 and is 6 now"),
    ({"n_components": 3}, "n_components was 2 and is 3 now"),
    (
        {"hidden_layer_sizes": (8, 8)},
        r"hidden_layer_sizes was \[8\] and is \[8, 8\] now",
    ),
    ({"random_state": 1}, "random_state was 0 and is 1 now"),
    ({"random_state": None}, "random_state was 0 and is None now"),
    ({"terms": ["joint"]}, r"terms was \['joint', 'from_x', 'from_y'\] and is"),
    (
        {"net_params": {"optimizer__eps": 0.1}},
        "net_params was None and is {'optimizer__eps': 0.1} now",
    ),
    (
        {"lr": 0.5, "weight_decay": 1.0},
        "lr was 0.0.*1 and is 0.5 now; weight_decay was .* and is 1.0 now",
    ),
]


@pytest.mark.parametrize(("parameters", "message"), OTHERS)
def test_other_parameters_are_refused(est, views, path, parameters, message):
    est.fit(*views)
    before, codes = path.read_bytes(), est.transform(views[0])
    with pytest.raises(
        ValueError,
        match=f"training is the checkpoint of another training: {message}.*Remove",
    ):
        est.set_params(**parameters).fit(*views)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(est.transform(views[0]), codes)


def changed(view):
    view = view.copy()
    view[-1, -1] += 1e-15
    return view


def gaps(view):
    view = view.copy()
    view[7] = np.nan
    return view


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed, r"float64 of shape \(100, .\) with values .* and is 'float64 of"),
        (gaps, r"float64 of shape \(100, .\) with values .* and is 'float64 of"),
        (np.float32, r"and is 'float32 of shape \(100, .\) with"),
        (sparse.csr_array, r"and is 'float64 of shape \(100, .\) with values"),
    ],
)
def test_other_data_are_refused(est, views, path, side, change, message):
    with interruption(2):
        est.fit(*views)
    before, others = path.read_bytes(), list(views)
    others[side] = change(others[side])
    name = "Xy"[side]
    with pytest.raises(ValueError, match=f"training: {name} was .*{message}.*Remove"):
        est.fit(*others)
    assert path.read_bytes() == before
    assert not hasattr(est, "net_")


def test_other_rows_are_refused(est, views):
    est.fit(*views)
    with pytest.raises(
        ValueError, match=r"X was .*\(100, 6\).* is .*\(99, 6\).*; y was .*\(99, 5\)"
    ):
        est.fit(*(view[1:] for view in views))


def test_another_estimator_is_refused(est, views, path):
    est.fit(*views)
    with pytest.raises(ValueError, match="estimator was 'CorrNet' and is 'DeepCCA'"):
        DeepCCA(**SMALL, checkpoint=path).fit(*views)


def test_modules_of_the_users_are_told_apart_by_their_weights(views, path):
    est = DeepCCA(**SMALL, x_encoder=with_norm(), checkpoint=path).fit(*views)
    same = clone(est).set_params(x_encoder=with_norm())
    np.testing.assert_array_equal(
        same.fit(*views).transform(views[0]), est.transform(views[0])
    )
    other = with_norm()
    with torch.no_grad():
        other[-1].bias += 1
    with pytest.raises(ValueError, match=r"x_encoder was 'Sequential\(.* with weights"):
        est.set_params(x_encoder=other).fit(*views)


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": [8]},
        {"hidden_layer_sizes": np.array([8])},
        {"correlation_weight": np.float64(40)},
        {"max_epochs": np.int64(4)},
        {"verbose": 1},
        {"checkpoint_every": 3},
        {"callbacks": []},
    ],
    ids=repr,
)
def test_equal_parameters_are_the_same(est, views, parameters):
    est.fit(*views)
    with no_training():
        again = clone(est).set_params(**parameters).fit(*views)
    np.testing.assert_equal(outcome(again, *views), outcome(est, *views))


def test_equal_data_are_the_same(est, views):
    with interruption(3):
        est.fit(*views)
    X, y = np.asfortranarray(views[0]), views[1].tolist()
    X.flags.writeable = False
    expected = clone(est).set_params(checkpoint=None).fit(*views)
    np.testing.assert_equal(outcome(est.fit(X, y), *views), outcome(expected, *views))


def test_views_are_hashed_in_blocks(views, monkeypatch):
    from skcrl.deep import _checkpoint

    expected = [_checkpoint._view(view) for view in views]
    monkeypatch.setattr(_checkpoint, "_BLOCK", 100)
    assert [_checkpoint._view(np.asfortranarray(view)) for view in views] == expected
    assert len(list(_checkpoint._blocks(views[0]))) == 50


def test_one_file_is_for_one_training(est, views):
    # The clones of a search are trained on parts of the data, by turns.
    search = GridSearchCV(est, {"lr": [0.1]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="checkpoint of another training: X was"):
        search.fit(*views)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"warm_start": True}, "from nothing, but warm_start=True continues"),
        (
            {"callbacks": [LRScheduler("StepLR", step_size=1)]},
            "cannot save the state of the callback LRScheduler, .* instead",
        ),
        ({"callbacks": [("freeze", Freezer("*"))]}, "of the callback Freezer"),
        ({"callbacks": [EarlyStopping]}, "of the callback EarlyStopping"),
        ({"checkpoint_every": 0}, "'checkpoint_every' parameter"),
        ({"checkpoint": 3}, "'checkpoint' parameter"),
    ],
)
def test_what_cannot_be_kept_is_refused(est, views, path, parameters, message):
    with pytest.raises(ValueError, match=message):
        est.set_params(**parameters).fit(*views)
    assert not path.exists()


def test_partial_fit_keeps_no_checkpoint(est, views, path):
    with pytest.raises(
        ValueError, match="partial_fit trains for one epoch .* checkpoint=None"
    ):
        est.partial_fit(*views)
    assert not path.exists()


def test_a_path_that_cannot_be_written_shows_before_training(est, views, tmp_path):
    for name, error in (("none/file", FileNotFoundError), ("", IsADirectoryError)):
        with no_training(), pytest.raises(error):
            est.set_params(checkpoint=tmp_path / name).fit(*views)
        assert not hasattr(est, "net_")


def test_a_folder_that_is_not_there_shows_before_pretraining(
    views, tmp_path, monkeypatch
):
    monkeypatch.setattr(DeepCCA, "_prepare", lambda *_: pytest.fail("it pretrains"))
    path = tmp_path / "none" / "file"
    with pytest.raises(
        FileNotFoundError, match="none of the checkpoint does not exist"
    ):
        DeepCCA(1, pretraining_epochs=1, checkpoint=path).fit(*views)


def test_a_file_holds_arrays_and_no_pickle(est, views, path):
    est.fit(*views)
    assert all(array.dtype.kind in "fiu" for array in load_file(path).values())
    assert b"\x80\x04" not in path.read_bytes()[:2000]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_damaged_files_are_named(est, views, path, share):
    est.fit(*views)
    content = path.read_bytes()
    at = int(share * len(content))
    flipped = bytearray(content)
    flipped[at] ^= 1
    for damaged in (content[:at], bytes(flipped), b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="training is not a checkpoint that skcrl"):
            est.fit(*views)
        assert path.read_bytes() == damaged


def test_files_of_other_kinds_are_named(est, views, path):
    write(path, "model", {}, {})
    with pytest.raises(ValueError, match="training holds a model, not a checkpoint"):
        est.fit(*views)


def first(arrays):
    return next(iter(arrays))


def without_a_weight(state):
    del state["module"][first(state["module"])]


def with_a_weight_of_another_shape(state):
    state["module"][first(state["module"])] = np.zeros((3, 3), np.float32)


def with_a_weight_of_text(state):
    state["module"][first(state["module"])] = "0"


def without_a_moment(state):
    del state["optimizer"][0]["exp_avg"]


def with_a_moment_of_another_shape(state):
    state["optimizer"][0]["exp_avg"] = np.zeros((3, 3), np.float32)


def with_moments_of_a_parameter_too_many(state):
    state["optimizer"][99] = state["optimizer"][0]


def without_best_weights(state):
    state["patience"]["weights"] = {}


def with_a_long_history(state):
    state["history"] *= 99


def with_texts_in_the_history(state):
    state["history"][0]["train_loss"] = "low"


HOSTILE = [
    without_a_weight,
    with_a_weight_of_another_shape,
    with_a_weight_of_text,
    without_a_moment,
    with_a_moment_of_another_shape,
    with_moments_of_a_parameter_too_many,
    without_best_weights,
    with_a_long_history,
    with_texts_in_the_history,
    lambda state: state.pop("optimizer"),
    lambda state: state.update(optimizer=[]),
    lambda state: state.update(patience=None),
    lambda state: state["patience"].update(best="best"),
    lambda state: state.update(seed=-1),
    lambda state: state.update(seed=None),
    lambda state: state.update(finished="no"),
    lambda state: state.update(history={"a": 1}),
    lambda state: state.update(rates=[]),
    lambda state: state.update(rates=[-1.0]),
    lambda state: state.update(rates=[np.zeros(3)]),
]


@pytest.mark.parametrize("change", HOSTILE)
def test_hostile_files_are_named(views, path, change):
    est = DeepCCA(**STOPPING, checkpoint=path)
    with interruption(3):
        est.fit(*views)
    content = decode(*read(path, "checkpoint"))
    change(content["state"])
    write(path, "checkpoint", *encode(content, "content"))
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match="training holds no training that can continue"
    ):
        est.fit(*views)
    assert path.read_bytes() == before
    assert not hasattr(est, "net_")


@pytest.mark.parametrize("content", [None, [], {}, {"training": {}}, {"state": None}])
def test_files_that_hold_something_else_are_named(est, views, path, content):
    write(path, "checkpoint", *encode(content, "content"))
    with pytest.raises(
        ValueError, match="training holds no training that can continue"
    ):
        est.fit(*views)


@pytest.mark.parametrize("name", ["d", "old_dirs", "old_stps", "ro", "prev_flat_grad"])
def test_a_hostile_state_of_lbfgs_is_named(views, path, name):
    est = DeepCCA(**SMALL, optimizer="lbfgs", checkpoint=path)
    with interruption(3):
        est.fit(*views)
    content = decode(*read(path, "checkpoint"))
    content["state"]["optimizer"][0][name] = [np.zeros(3, np.float32)]
    write(path, "checkpoint", *encode(content, "content"))
    with pytest.raises(
        ValueError, match="training holds no training that can continue"
    ):
        est.fit(*views)
