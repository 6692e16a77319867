"""Callbacks of the user: loggers above all, in trainings that are interrupted too."""

import os
import pickle
import signal
import sys
import threading
import time
from copy import copy, deepcopy

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, LRScheduler, TensorBoard

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    make_view_pipeline,
)
from skcrl.datasets import make_correlated_views

SMALL = {
    "hidden_layer_sizes": (8,),
    "max_epochs": 4,
    "batch_size": 25,
    "random_state": 0,
}
ESTIMATORS = [CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional]


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)


class Recorder(Callback):
    def __init__(self):
        self.seen = []

    def on_train_begin(self, net, **kwargs):
        self.begun_with = net.history[:, "train_loss"] if net.history else []
        self.weights = net.get_state()["module"]
        self.rate = net.optimizer_.param_groups[0]["lr"]

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.history))


class Locked(Recorder):
    """As writers of logs are: it cannot be copied."""

    def __init__(self, lock):
        super().__init__()
        self.lock = lock


def test_callbacks_are_called_themselves_and_no_copies(views):
    mine = Recorder()
    est = CorrNet(
        **SMALL, callbacks=[mine, ("rate", LRScheduler("StepLR", step_size=1))]
    ).fit(*views)
    assert mine.seen == [1, 2, 3, 4]
    assert est.net_.optimizer_.param_groups[0]["lr"] < est.lr
    codes = est.transform(views[0])
    np.testing.assert_array_equal(est.fit(*views).transform(views[0]), codes)
    assert mine.seen == [1, 2, 3, 4] * 2


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clones_share_callbacks(estimator):
    est = estimator(callbacks=[Locked(threading.Lock()), ("name", Recorder())], lr=0.03)
    with config_context(enable_metadata_routing=True):
        est.set_fit_request(sample_weight=True).set_output(transform="pandas")
    new = clone(est)
    assert new.callbacks == est.callbacks
    assert new.callbacks is not est.callbacks
    # The rest is what scikit-learn makes of it.
    est.callbacks = None
    expected = clone(est)
    assert new.set_params(callbacks=None).get_params() == expected.get_params()
    names = vars(expected).keys()
    assert vars(new).keys() == names
    assert new.get_metadata_routing().fit.requests["sample_weight"] is True


@pytest.mark.parametrize("callbacks", [None, (), "none", 3])
def test_clones_keep_what_is_no_list_for_fit_to_refuse(callbacks):
    assert clone(CorrNet(callbacks=callbacks)).callbacks == callbacks


def test_searches_and_pipelines_take_callbacks_that_cannot_be_copied(views):
    locked = Locked(threading.Lock())
    est = DeepCCA(**{**SMALL, "max_epochs": 1}, callbacks=[locked])
    search = GridSearchCV(est, {"lr": [0.1, 0.01]}, cv=2, error_score="raise")
    assert search.fit(*views).best_estimator_.callbacks[0] is locked
    assert len(locked.seen) == 5
    make_view_pipeline(est).fit(*views)
    assert len(locked.seen) == 6


def test_copies_and_views_of_a_fitted_estimator(views):
    locked = Locked(threading.Lock())
    est = DeepCCA(**SMALL, callbacks=[locked]).fit(*views)
    locked.estimator = est  # a cycle
    codes = est.transform(views[0])
    new = deepcopy(est)
    assert new.callbacks[0] is locked
    assert new.net_ is not est.net_
    np.testing.assert_array_equal(new.transform(views[0]), codes)
    np.testing.assert_array_equal(est.view("x").transform(views[0]), codes)
    both = deepcopy({"one": est, "other": est})
    assert both["one"] is both["other"]


def test_pickles_keep_callbacks_that_can_be_pickled(views):
    est = CorrNet(**SMALL, callbacks=[Recorder()]).fit(*views)
    again = pickle.loads(pickle.dumps(est))
    assert again.callbacks[0].seen == [1, 2, 3, 4]
    np.testing.assert_array_equal(again.transform(views[0]), est.transform(views[0]))
    est.callbacks = [Locked(threading.Lock())]
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(est)


class Signal(Callback):
    """Presses Ctrl-C in the midst of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, training=False, **kwargs):
        history = net.history
        if len(history) == self.epoch and len(history[-1, "batches"]) == 2:
            os.kill(os.getpid(), signal.SIGINT)


def logged(folder):
    """Steps and values by their tags, in the order they were written."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


SCHEDULES = {
    "convergence": {"max_epochs": None, "lr": 0.1, "tol": 0.5},
    "one cycle": {"lr_schedule": "one_cycle"},
    "early stopping": {
        "max_epochs": 40,
        "lr": 0.5,
        "validation_fraction": 0.3,
        "early_stopping": True,
        "n_iter_no_change": 2,
    },
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_log_goes_on_after_an_interrupt(schedule, views, tmp_path):
    # In the background shells have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from torch.utils.tensorboard import SummaryWriter

    est = DeepCCA(**{**SMALL, **SCHEDULES[schedule]}, checkpoint=tmp_path / "training")
    whole = clone(est).set_params(checkpoint=None).fit(*views)
    assert whole.n_iter_ > 3
    for epochs in ((2, 3), (None,)):
        for epoch in epochs:
            recorder = Recorder()
            with SummaryWriter(tmp_path / "log") as writer:
                est.callbacks = [TensorBoard(writer), recorder, Signal(epoch)]
                if epoch is None:
                    est.fit(*views)
                    continue
                with pytest.raises(KeyboardInterrupt):
                    est.fit(*views)
                assert recorder.seen == ([1] if epoch == 2 else [2])
    assert recorder.seen == list(range(3, whole.n_iter_ + 1))
    # It was told how far the training was, whose weights the net had again.
    losses = [row["train_loss"] for row in whole.history_]
    assert recorder.begun_with == losses[:2]
    two = copy(whole).set_params(max_epochs=2, callbacks=None)
    if schedule == "convergence":
        np.testing.assert_equal(
            recorder.weights, two.fit(*views).net_.get_state()["module"]
        )
    if schedule == "one cycle":
        assert recorder.rate > est.lr / 25
    log = logged(tmp_path / "log")
    steps = list(range(1, whole.n_iter_ + 1))
    assert [step for step, _ in log["Loss/train_loss"]] == steps
    np.testing.assert_array_equal(
        [value for _, value in log["Loss/train_loss"]], np.float32(losses)
    )
    for tag, events in log.items():
        assert [step for step, _ in events] == steps, tag
    np.testing.assert_equal(
        est.net_.get_state()["module"], whole.net_.get_state()["module"]
    )
    np.testing.assert_array_equal(est.transform(views[0]), whole.transform(views[0]))


def test_a_training_that_is_over_is_told_to_callbacks_and_not_repeated(views, tmp_path):
    est = CorrNet(**SMALL, checkpoint=tmp_path / "training").fit(*views)
    recorder = Recorder()
    again = clone(est).set_params(callbacks=[recorder]).fit(*views)
    assert recorder.seen == []
    assert recorder.begun_with == [row["train_loss"] for row in est.history_]
    assert again.history_ == est.history_


def test_lines_are_printed_without_colours_but_on_terminals(views, capsys, monkeypatch):
    est = CorrNet(**SMALL, verbose=1).fit(*views)
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 2 + 4
    assert "\x1b" not in captured.out
    assert captured.err == ""
    assert [float(line.split()[1]) for line in lines[2:]] == pytest.approx(
        [row["train_loss"] for row in est.history_], abs=1e-4
    )
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    est.fit(*views)
    assert "\x1b[36m" in capsys.readouterr().out


def test_the_epoch_in_which_training_stops_is_printed_too(views, capsys):
    est = CorrNet(**{**SMALL, "max_epochs": None, "lr": 0.1}, tol=0.5, verbose=1)
    n_epochs = est.fit(*views).n_iter_
    assert len(capsys.readouterr().out.splitlines()) == 2 + n_epochs
    est.set_params(warm_start=True, max_epochs=1).fit(*views)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 1


class Slow(Callback):
    """Takes longer for a batch than bars wait before they are drawn anew."""

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == 1:
            time.sleep(0.15)


@pytest.mark.parametrize("validation_fraction", [0, 0.5])
def test_a_bar_shows_the_batches_of_an_epoch(
    views, capsys, monkeypatch, validation_fraction
):
    est = CorrNet(**SMALL, verbose=2, validation_fraction=validation_fraction)
    est.fit(*views)
    assert capsys.readouterr().err == ""  # to a file
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    est.set_params(verbose=1).fit(*views)
    assert capsys.readouterr().err == ""
    est.set_params(verbose=2, callbacks=[Slow()]).fit(*views)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2 + 4
    assert captured.err.count("| 0/4 [") == 4
    assert "| 1/4 [" in captured.err
    assert "train_loss=" in captured.err


def test_a_history_as_a_frame(views):
    est = DeepCCA(**SMALL)
    with pytest.raises(NotFittedError):
        est.history_frame()
    X, y = views
    est.fit(X[:60], y[:60]).set_params(warm_start=True, max_epochs=2)
    frame = est.fit(X[:60], y[:60], validation=(X[60:], y[60:])).history_frame()
    assert frame.index.tolist() == [1, 2, 3, 4, 5, 6]
    assert frame.index.name == "epoch"
    assert frame["train_loss"].tolist() == [row["train_loss"] for row in est.history_]
    assert frame["valid_loss"].isna().tolist() == [True] * 4 + [False] * 2
