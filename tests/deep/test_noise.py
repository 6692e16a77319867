"""Random layers: what they do while training, and that their streams are their own."""

from copy import deepcopy

import pytest
import torch

from skcrl.deep.modules import Dropout, GaussianNoise

LAYERS = [Dropout(0.3), GaussianNoise(0.5)]


@pytest.fixture(params=LAYERS, ids=lambda layer: type(layer).__name__)
def layer(request):
    return deepcopy(request.param)


@pytest.fixture
def a():
    return torch.arange(1.0, 61.0, dtype=torch.float64).reshape(3, 20)


def test_nothing_is_drawn_but_in_training(layer, a):
    assert torch.equal(layer.eval()(a), a)
    assert not torch.equal(layer.train()(a), a)


def test_stream_is_its_own(layer, a):
    before = torch.random.get_rng_state()
    layer.reseed(3, "cpu")
    first, second = layer(a), layer(a)
    assert not torch.equal(first, second)
    torch.manual_seed(5)
    layer.reseed(3, "cpu")
    assert torch.equal(layer(a), first)
    torch.random.set_rng_state(before)
    layer.reseed(4, "cpu")
    assert not torch.equal(layer(a), first)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_dropout_drops_a_share_and_keeps_the_mean():
    a = torch.ones(200, 500)
    dropped = Dropout(0.3)(a)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.7))


def test_noise_has_the_deviation_asked_for():
    noise = GaussianNoise(0.5)(torch.zeros(300, 300))
    assert noise.mean().item() == pytest.approx(0.0, abs=0.01)
    assert noise.std().item() == pytest.approx(0.5, abs=0.01)


def test_gradients_pass(layer):
    a = torch.randn(3, 20, dtype=torch.float64, requires_grad=True)

    def seeded(a):
        layer.reseed(0, "cpu")
        return layer(a)

    assert torch.autograd.gradcheck(seeded, (a,))
