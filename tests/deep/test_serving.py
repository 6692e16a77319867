"""Codes of a trained network: in place, in several threads, and as it is now."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from skcrl import CCALRanker, CorrNet, DeepCCA, TiedBidirectional
from skcrl.datasets import make_correlated_views
from skcrl.deep._stand_ins import StandIns

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
PRECISIONS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)


def sequential(width, k=2):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(width, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, k)
    )


def with_encoders(x_encoder, y_encoder=None, **parameters):
    y_encoder = nn.Linear(5, 2) if y_encoder is None else y_encoder
    parameters = {"max_epochs": 2, "random_state": 0, **parameters}
    return DeepCCA(2, x_encoder=x_encoder, y_encoder=y_encoder, **parameters)


def bare_codes(est, X):
    """Codes by the encoder alone, in the precision of X."""
    trained = est.net_.module_.encoders["x"]
    encoder = deepcopy(trained if est.x_encoder is None else est.x_encoder).eval()
    encoder.load_state_dict(trained.state_dict())
    encoder.to(torch.float64 if X.dtype == np.float64 else torch.float32)
    outputs = encoder(torch.from_numpy(X)).detach().numpy()
    return (outputs - est.x_mean_) @ est.x_weights_


def tensors(est):
    """All tensors of a network, by name."""
    return {name: t.clone() for name, t in est.net_.module_.state_dict().items()}


@PRECISIONS
@pytest.mark.parametrize(
    "est",
    [
        DeepCCA(2, standardize=False, **SMALL),
        with_encoders(sequential(6)),
        with_encoders(weight_norm(nn.Linear(6, 2))),
    ],
    ids=["dense", "users", "parametrised"],
)
def test_codes_are_those_of_the_bare_encoder(est, views, dtype):
    X, y = (view.astype(dtype) for view in views)
    est.fit(X, y)
    before = tensors(est)
    for _ in range(2):
        np.testing.assert_allclose(
            est.transform(X), bare_codes(est, X), rtol=1e-6, atol=1e-6
        )
    est.net_.module_.train()  # by hand: codes are of evaluation all the same
    np.testing.assert_allclose(est.transform(X), bare_codes(est, X), atol=1e-6)
    assert all(module.training for module in est.net_.module_.modules())
    for name, after in tensors(est).items():
        assert torch.equal(after, before[name])


class Counted(nn.Linear):
    """A layer that counts its copies and its uses, over all objects of the class."""

    copies = uses = 0

    def __deepcopy__(self, memo):
        Counted.copies += 1
        new = Counted(self.in_features, self.out_features)
        new.load_state_dict(self.state_dict())
        return new

    def forward(self, rows):
        Counted.uses += 1
        return super().forward(rows)


@PRECISIONS
def test_the_other_tower_is_not_touched(views, dtype):
    X, y = (view.astype(dtype) for view in views)
    est = with_encoders(nn.Linear(6, 2), Counted(5, 2)).fit(X, y)
    Counted.copies = Counted.uses = 0
    est.transform(X)
    assert (Counted.copies, Counted.uses) == (0, 0)
    est.transform_y(y)
    assert (Counted.copies, Counted.uses) == (0, 1)


def test_casts_are_of_what_was_asked_for_and_kept(views):
    est = DeepCCA(2, **SMALL).fit(*(view.astype(np.float32) for view in views))
    kept = est.net_._evaluator._casts._kept
    assert not kept
    est.transform(views[0])
    encoder = est.net_.module_.encoders["x"]
    assert kept.keys() == {id(parameter) for parameter in encoder.parameters()}
    casts = [entry.cast for entry in kept.values()]
    est.transform(views[0])
    assert all(a is b.cast for a, b in zip(casts, kept.values(), strict=True))


@pytest.mark.parametrize("fused", [False, True])
def test_weights_that_changed_are_cast_again(views, fused):
    options = {**SMALL, "net_params": {"optimizer__fused": fused}}
    est = DeepCCA(2, **options).fit(*views)
    single = [view.astype(np.float32) for view in views]

    def assert_up_to_date():
        for found, expected in zip(
            est.transform_pair(*views), est.transform_pair(*single), strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-4)

    assert_up_to_date()
    for train in (est.partial_fit, est.set_params(warm_start=True).fit):
        before = est.transform(views[0])
        train(*views)
        assert abs(est.transform(views[0]) - before).max() > 1e-3
        assert_up_to_date()
    weight = est.net_.module_.encoders["x"].layers[0].weight
    for change in (
        weight.detach().mul_,
        weight.data.mul_,
        lambda factor: setattr(weight, "data", factor * weight.data),
        lambda factor: np.multiply(weight.data, factor, out=weight.data.numpy()),
    ):
        before = est.transform(views[0])
        change(2)
        assert abs(est.transform(views[0]) - before).max() > 1e-3
        assert_up_to_date()
    with torch.inference_mode():
        loaded = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(loaded.transform(views[0]), est.transform(views[0]))


class Keeping(nn.Linear):
    """A layer that keeps what it has seen, as some of users do."""

    scale = None

    def forward(self, rows):
        self.rows = rows
        if self.scale is None:
            self.scale = torch.ones(2)
        out = super().forward(rows) * self.scale.to(rows.dtype)
        for _ in range(5):  # time for other threads
            out = out + self.rows[:, :2]
        return out


class Hooked(nn.Module):
    """Takes what inner layers give by hooks, and keeps it in several ways."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 2))
        self.body[0].register_forward_hook(self.keep)
        self.body[1].register_forward_hook(partial(self.append, share=0.5))
        self.parts = []
        self.by_name = {"parts": self.parts, "owner": self}

    def keep(self, module, args, output):
        self.inner = output

    def append(self, module, args, output, share):
        self.parts.append(share * output)

    def forward(self, rows):
        self.parts.clear()
        out = self.body(rows)
        for _ in range(5):  # time for other threads
            out = out + self.by_name["owner"].inner[:, :2] + self.parts[-1][:, 1:]
        return out


@PRECISIONS
@pytest.mark.parametrize("encoder", [Keeping(6, 2), Hooked()], ids=["sets", "hooks"])
def test_modules_that_keep_things_serve_threads(views, encoder, dtype):
    X, y = (np.tile(view, (20, 1)).astype(dtype) for view in views)
    est = with_encoders(encoder).fit(X, y)
    assert est.net_._evaluator._is_safe["encode", "x"]
    parts = [X[i * 400 :][:400] for i in range(5)]
    expected = [bare_codes(est, part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(est.transform, parts * 10))
    for i, codes in enumerate(found):
        np.testing.assert_allclose(codes, expected[i % 5], rtol=1e-5, atol=1e-5)
    trained = est.net_.module_.encoders["x"]
    kept = trained.rows if isinstance(trained, Keeping) else trained.inner
    assert len(kept) < 400  # of a batch in training


@pytest.mark.parametrize("encoder", [Keeping(6, 2), Hooked()], ids=["sets", "hooks"])
def test_training_goes_on_as_if_nothing_had_been_served(views, encoder):
    est = with_encoders(encoder)
    served, alone = (deepcopy(est).fit(*views) for _ in range(2))
    served.transform(views[0])
    served.transform(views[0].astype(np.float32))
    for est in (served, alone):
        est.partial_fit(*views)
        est.net_.module_.train()
        inputs = (torch.from_numpy(view).float() for view in views)
        est.net_.module_(*inputs).x_code.sum().backward()
    np.testing.assert_array_equal(served.transform(views[0]), alone.transform(views[0]))


class Overwriting(nn.Module):
    """Changes its weights and its input in place, and gives a tensor that it holds."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 2)
        self.workspace = torch.zeros(0)

    def forward(self, rows):
        if self.training:
            return self.inner(rows)
        rows.mul_(2)
        with torch.no_grad():
            self.inner.weight.data.mul_(1.01)
        if len(self.workspace) < len(rows):
            self.workspace = torch.zeros(1000, 2, dtype=rows.dtype)
        return torch.add(self.inner(rows), 1, out=self.workspace[: len(rows)])


class Workspace(nn.Linear):
    """Gives a tensor that it holds."""

    def __init__(self):
        super().__init__(6, 2)
        self.held = [torch.zeros(1000, 2)]

    def forward(self, rows):
        out = super().forward(rows)
        if self.training:
            return out
        return self.held[0][: len(rows)].copy_(out)


class Constant(nn.Linear):
    """Gives its weights, times nothing of its input."""

    def forward(self, rows):
        if self.training:
            return super().forward(rows)
        return self.weight[:, :2].expand(len(rows) // 2, 2, 2).flatten(0, 1)


class Slotted(nn.Linear):
    """Keeps a number where no copy of its attributes finds it."""

    __slots__ = ("factor",)

    def __getstate__(self):
        return {**self.__dict__, "factor": self.factor}

    def __setstate__(self, state):
        self.factor = state.pop("factor")
        super().__setstate__(state)

    def forward(self, rows):
        return self.factor * super().forward(rows)


@PRECISIONS
def test_modules_without_a_stand_in_are_copied(views, dtype):
    X, y = (view.astype(dtype) for view in views)
    encoder = Slotted(6, 2)
    encoder.factor = 3.0
    est = with_encoders(encoder).fit(X, y)
    assert est.net_._evaluator._is_safe == {
        ("encode", "x"): False,
        ("encode", "y"): True,
    }
    np.testing.assert_allclose(est.transform(X), bare_codes(est, X), rtol=1e-5)


@pytest.mark.parametrize("encoder", [Overwriting(), Workspace(), Constant(6, 2)])
def test_modules_that_overwrite_themselves_stay_as_they_were(views, encoder):
    X, y = (view.astype(np.float32) for view in views)
    given = X.copy()
    est = with_encoders(encoder).fit(X, y)
    before = tensors(est)
    first, part = est.transform(X), est.transform(X[:10])
    kept = first.copy()
    np.testing.assert_array_equal(est.transform(X), first)
    np.testing.assert_array_equal(est.transform(X[:10]), part)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(X, given)
    for name, after in tensors(est).items():
        assert torch.equal(after, before[name])
    is_constant = isinstance(encoder, Constant)
    assert est.net_._evaluator._is_safe["encode", "x"] == is_constant


class Asking(Callback):
    """Encodes rows between the steps of a training."""

    def __init__(self, rows):
        self.rows = rows

    def on_batch_end(self, net, training=False, **kwargs):
        mode = net.module_.training
        method, where = ("encode", {"side": "x"})
        if not hasattr(net.module_, "encoders"):
            method, where = "branch", {"side": "x"}
        net.evaluate(method, self.rows, **where)
        net.evaluate(method, self.rows.astype(np.float32), **where)
        assert net.module_.training == mode == training


@pytest.mark.parametrize(
    "est",
    [
        DeepCCA(2, input_dropout=0.3, validation_fraction=0.2, **SMALL),
        CCALRanker(2, validation_fraction=0.2, **SMALL),
        CorrNet(2, **SMALL),
        TiedBidirectional(2, dropout=0.2, **SMALL),
        with_encoders(sequential(6)),
    ],
    ids=["deep", "ranker", "corrnet", "tied", "users"],
)
def test_callbacks_may_encode_in_a_training(views, est):
    torch.manual_seed(0)  # from which Dropout of torch draws
    expected = deepcopy(est).fit(*views).transform(views[0])
    torch.manual_seed(0)
    est.set_params(callbacks=[Asking(views[0])]).fit(*views)
    np.testing.assert_array_equal(est.transform(views[0]), expected)


class Initialised(nn.Linear):
    """Initialises itself from the first rows that it sees, in whatever mode."""

    def __init__(self):
        super().__init__(6, 2)
        self.register_buffer("is_ready", torch.zeros(()))

    def forward(self, rows):
        if not self.is_ready:
            self.bias.data.copy_(-rows.mean(0)[:2])
            self.is_ready.fill_(1)
        return super().forward(rows)


def test_the_first_rows_of_training_are_the_first_that_a_module_sees(views):
    class Seen(Callback):
        def on_train_begin(self, net, **kwargs):
            assert not net.module_.encoders["x"].is_ready

    with_encoders(Initialised(), callbacks=[Seen()]).fit(*views)


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTM(3, 4, batch_first=True),
        nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
        nn.Sequential(weight_norm(nn.Linear(4, 4)), nn.BatchNorm1d(5), nn.Dropout(0.5)),
        torch.nn.utils.spectral_norm(nn.Linear(4, 4)),
        torch.nn.utils.parametrizations.orthogonal(nn.Linear(4, 4)),
        torch.compile(nn.Linear(4, 4), backend="eager"),
    ],
    ids=["lstm", "transformer", "normed", "hooked", "orthogonal", "compiled"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stand_ins_compute_what_the_module_does(module, dtype):
    rows = torch.rand(7, 5, 3 if isinstance(module, nn.LSTM) else 4, dtype=dtype)
    module.train()
    cast = None if dtype == torch.float32 else lambda tensor: tensor.to(dtype)
    with torch.no_grad():
        found = StandIns(cast).root(module)(rows)
        assert module.training
        expected = deepcopy(module).to(dtype).eval()(rows)
    if isinstance(found, tuple):
        found, expected = found[0], expected[0]
    torch.testing.assert_close(found, expected)
