"""Micro batches: the gradient of a whole batch, from parts of it."""

import numpy as np
import pytest
import torch
from scipy import sparse
from skorch.callbacks import Callback
from torch import nn
from train_in_processes import views

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.deep._data import PairDataset
from skcrl.deep.modules import BatchNorm, SparseRows

COMMON = {
    "hidden_layer_sizes": (16,),
    "max_epochs": 1,
    "batch_size": 250,
    "random_state": 0,
}
DROPPING = COMMON | {"input_dropout": 0.2}


def normed():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Tanh())


ESTIMATORS = {
    **{
        objective: DeepCCA(3, objective=objective, **DROPPING)
        for objective in ("trace_norm", "correlation_gap", "soft", "noi")
    },
    "reconstructed": DeepCCA(3, reconstruction_weight=0.01, **DROPPING),
    "ranking": CCALRanker(3, **DROPPING),
    "ranking, reconstructed": CCALRanker(3, reconstruction_weight=0.01, **DROPPING),
    "infonce": CCALRanker(3, objective="infonce", projection="learned", **DROPPING),
    "corrnet": CorrNet(3, **COMMON),
    # Normal numbers come in lots of 16, which parts of a batch begin anew.
    "autoencoder": MultimodalAutoencoder(3, noise=0.0, **COMMON),
    "tied": TiedBidirectional(3, **DROPPING),
}


def trained(estimator, name):
    """A net to go on with, and a batch, with unpaired rows where it takes them."""
    x, y = views(name)
    net = estimator.fit(x, y).net_
    net.module_.double()
    has_x, has_y = (np.isfinite(view).all(axis=1) for view in (x, y))
    weights = np.linspace(0.5, 2, len(x))
    x, y = (np.nan_to_num(view) for view in (x, y))
    return net, PairDataset.from_arrays(x, y, has_x, has_y, weights)


def step(net, data, micro_batch_size):
    """Loss, gradient and buffers after one batch of all rows, from one state."""
    net.micro_batch_size = micro_batch_size
    net.module_.zero_grad()
    before = {key: value.clone() for key, value in net.module_.state_dict().items()}
    net._reseed()
    every = slice(None)
    batch = data.batch("cpu", every, every, every)
    batch.views = {side: view.double() for side, view in batch.views.items()}
    loss = net.train_step_single((batch, None))["loss"].item()
    gradient = torch.cat([p.grad.flatten() for p in net.module_.parameters()])
    buffers = [buffer.clone() for buffer in net.module_.buffers()]
    net.module_.load_state_dict(before)
    return loss, gradient, buffers


@pytest.mark.parametrize("name", ESTIMATORS)
def test_micro_batches_have_the_gradient_of_the_whole(name):
    net, data = trained(ESTIMATORS[name], name)
    loss, gradient, buffers = step(net, data, None)
    by_parts, of_parts, buffers_of_parts = step(net, data, 32)
    assert by_parts == pytest.approx(loss, rel=1e-12)
    assert (of_parts - gradient).norm() < 1e-10 * gradient.norm()
    for of_part, buffer in zip(buffers_of_parts, buffers, strict=True):
        torch.testing.assert_close(of_part, buffer)


def test_layers_that_draw_and_count_do_so_once():
    x_encoder = nn.Sequential(normed(), nn.Linear(8, 3))
    estimator = DeepCCA(3, x_encoder=x_encoder, **COMMON)
    net, data = trained(estimator, "own")
    seen = []
    dropout = next(m for m in net.module_.modules() if isinstance(m, nn.Dropout))
    dropout.register_forward_hook(lambda _, given, out: seen.append(out))
    norm = next(m for m in net.module_.modules() if isinstance(m, nn.BatchNorm1d))
    n_before = norm.num_batches_tracked.item()
    torch.manual_seed(3)
    _, _, buffers = step(net, data, 100)
    after = torch.get_rng_state()
    first, again = seen[:5], seen[5:]
    for part, same in zip(first, again, strict=True):
        torch.testing.assert_close(part, same, rtol=0, atol=0)
    counts = [b.item() for b in buffers if b.dtype == torch.int64]
    assert counts == [n_before + 5]
    # As after one pass.
    torch.manual_seed(3)
    with torch.no_grad():
        for part in data.batch("cpu", slice(None)).parts(100):
            views_of_part = {side: v.double() for side, v in part.views.items()}
            net.module_.train().by_rows(**views_of_part)
    assert torch.equal(torch.get_rng_state(), after)


def test_training_by_parts_is_training():
    x, y = views("own")
    options = COMMON | {"optimizer": "nesterov", "max_epochs": 3, "batch_size": 100}
    whole = DeepCCA(3, **options).fit(x, y)
    parts = DeepCCA(3, micro_batch_size=7, **options).fit(x, y)
    np.testing.assert_allclose(parts.transform(x), whole.transform(x), atol=2e-5)


def test_rows_of_sparse_views():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(7, 5)) * rng.integers(0, 2, (7, 5))
    dense[2] = dense[6] = 0
    rows = SparseRows.from_csr(sparse.csr_array(dense), "cpu", torch.float64)
    layer = nn.Linear(5, 4, dtype=torch.float64)
    whole = rows.through(layer)
    for part in (slice(0, 3), slice(3, 7), slice(6, 7)):
        torch.testing.assert_close(rows[part].through(layer), whole[part])


def test_bad_micro_batch_size():
    with pytest.raises(ValueError, match="'micro_batch_size' parameter of DeepCCA"):
        DeepCCA(2, micro_batch_size=0).fit(*views("own"))


def test_no_global_generator_is_read_without_modules_of_users():
    x, y = views("own")
    estimator = DeepCCA(3, micro_batch_size=50, **DROPPING)
    draws = []

    class Draw(Callback):
        def on_grad_computed(self, net, **kwargs):
            draws.append(torch.rand(1).item())

    torch.manual_seed(0)
    estimator.set_params(callbacks=[Draw()], max_epochs=4).fit(x, y)
    torch.manual_seed(0)
    assert draws == [torch.rand(1).item() for _ in draws]


def test_batch_norm_needs_two_rows_in_each_part():
    x, y = views("own")
    with pytest.raises(ValueError, match="got micro_batch_size=2: raise it to 3"):
        DeepCCA(3, batch_norm=True, micro_batch_size=2, **COMMON).fit(x, y)
    estimator = DeepCCA(3, batch_norm=True, micro_batch_size=3, **COMMON)
    assert np.isfinite(estimator.fit(x[:50], y[:50]).transform(x)).all()
    with pytest.raises(ValueError, match="Batch normalisation needs at least two rows"):
        BatchNorm(4).train()(torch.ones(1, 4), torch.ones(1))
