"""Architectures against their equations."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import linear

from skcrl.deep.modules import (
    MLP,
    CorrNetModule,
    CubeRoot,
    DenoisingPair,
    RunningMoments,
    TwoBranch,
)


def initialised(module, seed=0):
    module.reset_parameters(torch.Generator().manual_seed(seed))
    return module


def corrnet(**changes):
    parameters = {
        "x_shape": (4,),
        "y_shape": (3,),
        "n_components": 2,
        "hidden_layer_sizes": (),
        "activation": "sigmoid",
        "output_activation": "sigmoid",
        "combine": "pre",
        "decoder": "linear",
        "tied": False,
        "sources": ("joint", "from_x", "from_y"),
    }
    return initialised(CorrNetModule(**{**parameters, **changes}))


GENERATOR = torch.Generator().manual_seed(0)
X, Y = (torch.rand(5, width, generator=GENERATOR) for width in (4, 3))


def test_mlp_applies_its_layers_in_order():
    mlp = initialised(MLP([4, 6, 3], "tanh", "sigmoid"))
    first, second = mlp.layers
    torch.testing.assert_close(mlp(X), second(first(X).tanh()).sigmoid())
    assert MLP([4], "tanh")(X) is X


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    a, b = (initialised(MLP([4, 6, 3], "relu")) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    other = initialised(MLP([4, 6, 3], "relu"), seed=1)
    torch.testing.assert_close(a(X), b(X), rtol=0, atol=0)
    assert not torch.allclose(a(X), other(X))
    bound = (6 / (4 + 6)) ** 0.5  # Glorot and Bengio (2010)
    assert a.layers[0].weight.abs().max() <= bound


def test_shallow_corrnet_is_the_papers_network():
    net = corrnet(tied=True)
    Wx, Wy, b = net.code["x"].weight, net.code["y"].weight, net.code["x"].bias
    with torch.no_grad():
        b += torch.tensor([0.3, -0.2])
    joint = torch.sigmoid(X @ Wx.T + Y @ Wy.T + b)
    torch.testing.assert_close(net.encode(X, Y), joint)
    torch.testing.assert_close(net.encode(X), torch.sigmoid(X @ Wx.T + b))
    torch.testing.assert_close(net.encode(y=Y), torch.sigmoid(Y @ Wy.T + b))
    torch.testing.assert_close(net.decode(joint, "x"), torch.sigmoid(joint @ Wx))
    # W, V, b and an output bias per view.
    assert sum(p.numel() for p in net.parameters()) == 4 * 2 + 3 * 2 + 2 + 4 + 3


def test_deep_corrnet_is_the_blogs_network():
    net = corrnet(
        hidden_layer_sizes=(6, 5), combine="post", output_activation="identity"
    )

    def code(view, side):
        first, second = net.hidden[side].layers
        for layer in (first, second, net.code[side]):
            view = layer(view).sigmoid()
        return view

    joint = code(X, "x") + code(Y, "y")
    torch.testing.assert_close(net.encode(X, Y), joint)
    missing = torch.zeros(1, 3)
    torch.testing.assert_close(net.encode(X), code(X, "x") + code(missing, "y"))
    (layer,) = net.decoders["y"].layers
    torch.testing.assert_close(net.decode(joint, "y"), layer(joint))


@pytest.mark.parametrize("combine", ["pre", "post"])
@pytest.mark.parametrize("tied", [True, False])
def test_corrnet_forward_agrees_with_encode_and_decode(combine, tied):
    net = corrnet(
        hidden_layer_sizes=(6,), decoder="mirrored", combine=combine, tied=tied
    )
    out = net(X, Y)
    codes = {
        "joint": net.encode(X, Y),
        "from_x": net.encode(X),
        "from_y": net.encode(y=Y),
    }
    torch.testing.assert_close(out.x_code, codes["from_x"])
    torch.testing.assert_close(out.y_code, codes["from_y"])
    for i, source in enumerate(net.sources):
        torch.testing.assert_close(
            out.x_reconstructed[:, i], net.decode(codes[source], "x")
        )
        torch.testing.assert_close(
            out.y_reconstructed[:, i], net.decode(codes[source], "y")
        )


def test_tied_decoder_mirrors_the_encoder():
    net = corrnet(hidden_layer_sizes=(6,), decoder="mirrored", tied=True)
    code = torch.rand(5, 2)
    inner = torch.sigmoid(code @ net.code["x"].weight)
    expected = torch.sigmoid(inner @ net.hidden["x"].layers[0].weight)
    torch.testing.assert_close(net.decode(code, "x"), expected)


def test_self_and_cross_reconstruct_from_the_codes_they_name():
    net = corrnet(sources=("self", "cross"))
    out, of_x, of_y = net(X, Y), net.encode(X), net.encode(y=Y)
    for i, codes in enumerate([(of_x, of_y), (of_y, of_x)]):
        for reconstructed, code, side in zip(
            (out.x_reconstructed, out.y_reconstructed), codes, "xy", strict=True
        ):
            torch.testing.assert_close(reconstructed[:, i], net.decode(code, side))


def test_without_sources_only_the_decoders_are_pulled_at():
    net = corrnet(sources=())
    out = net(X, Y, X[:2], Y[:2])
    torch.testing.assert_close(
        out.y_reconstructed[:, 0], net.decode(net.encode(X), "y")
    )
    total = sum(z.sum() for z in out[2:])
    total.backward()
    for name, weight in net.named_parameters():
        assert (weight.grad is not None) == name.startswith("decoders")


def test_sources_that_are_not_asked_for_are_not_reconstructed():
    out = corrnet(sources=("from_y",))(X, Y)
    assert out.x_reconstructed.shape == (5, 1, 4)
    assert out.y_reconstructed.shape == (5, 1, 3)


def test_two_branch_copies_the_users_modules():
    # An empty Sequential is false, an MLP is what the dense encoders are.
    for mine in (torch.nn.Sequential(), initialised(MLP([4, 2], "relu"), seed=5)):
        net = initialised(TwoBranch((4, 2), (3, 6, 2), "relu", x_encoder=mine))
        torch.testing.assert_close(net.encode(X, "x"), mine(X))
        assert net.encoders["x"] is not mine
        assert net(X, Y).x_reconstructed is None


def test_decoders_do_not_pull_at_the_encoders():
    decoder = torch.nn.Linear(2, 4)
    net = initialised(TwoBranch((4, 2), (3, 2), "relu", x_decoder=decoder))
    net(X, Y).x_reconstructed.sum().backward()
    assert net.encoders["x"].layers[0].weight.grad is None
    assert net.decoders["x"].weight.grad is not None


def test_corrnet_reconstructs_unpaired_rows_from_themselves():
    net = corrnet(sources=("joint",))
    out = net(X, Y, x_only=X[:2], y_only=Y[:3])
    torch.testing.assert_close(
        out.x_only_reconstructed, net.decode(net.encode(X[:2]), "x")
    )
    torch.testing.assert_close(
        out.y_only_reconstructed, net.decode(net.encode(y=Y[:3]), "y")
    )
    torch.testing.assert_close(out[:4], net(X, Y)[:4])
    assert net(X, Y)[4:] == (None, None)


def test_autoencoding_mirrors_the_encoders():
    decoder = torch.nn.Linear(2, 4)
    net = initialised(
        TwoBranch((4, 2), (3, 6, 2), "tanh", x_decoder=decoder, autoencoding=True)
    )
    out = net(X, Y)
    torch.testing.assert_close(out.x_reconstructed, decoder(out.x_code))
    widths = [tuple(layer.weight.shape) for layer in net.decoders["y"].layers]
    assert widths == [(6, 2), (3, 6)]
    first, second = net.decoders["y"].layers
    torch.testing.assert_close(out.y_reconstructed, second(first(out.y_code).tanh()))
    out.x_reconstructed.sum().backward()
    assert net.encoders["x"].layers[0].weight.grad.any()


def test_decoders_leave_the_initial_weights_of_encoders_alone():
    plain, autoencoding = (
        initialised(TwoBranch((4, 2), (3, 2), "relu", autoencoding=a))
        for a in (False, True)
    )
    for side in "xy":
        torch.testing.assert_close(
            plain.encoders[side].layers[0].weight,
            autoencoding.encoders[side].layers[0].weight,
            rtol=0,
            atol=0,
        )


@pytest.mark.parametrize("running", ["codes", "standardised codes"])
def test_running_moments_are_a_weighted_sum_over_batches(running):
    net = TwoBranch((4,), (3,), "relu", running=running, running_momentum=0.7).double()
    generator = torch.Generator().manual_seed(0)
    mean, covariance, weight = np.zeros(4), np.zeros((4, 4)), 0.0
    for _ in range(5):
        batch = 1 + torch.rand(8, 4, dtype=torch.float64, generator=generator)
        out = net(batch, batch[:, :3])
        z = batch.numpy()
        if running == "standardised codes":
            z = (z - z.mean(0)) / z.std(0)
        mean = 0.7 * mean + 0.3 * z.mean(0)
        covariance = 0.7 * covariance + 0.3 * np.cov(z.T, bias=True)
        weight = 0.7 * weight + 0.3
        np.testing.assert_allclose(out.x_running.mean, mean / weight, atol=1e-6)
        found = out.x_running.covariance
        np.testing.assert_allclose(found, covariance / weight, atol=1e-6)


def test_first_running_moments_are_those_of_the_batch():
    moments = RunningMoments(4, 0.99)(X)
    torch.testing.assert_close(moments.mean, X.mean(0))
    torch.testing.assert_close(moments.covariance, X.T.cov(correction=0))


def test_gradient_of_running_moments_goes_through_the_batch_alone():
    running = RunningMoments(4, 0.75)
    running(X)
    old, new = X.clone().requires_grad_(), (2 * X).requires_grad_()
    running(old)
    share = 0.25 / (1 - 0.75**3)  # of the newest of three batches
    running(new).mean.sum().backward()
    assert old.grad is None
    torch.testing.assert_close(new.grad, torch.full_like(new, share / len(X)))


def test_evaluation_leaves_no_trace_in_running_moments():
    running = RunningMoments(4, 0.9)
    running(X)
    state = deepcopy(running.state_dict())
    found = running.eval()(10 * X).mean
    torch.testing.assert_close(running.state_dict(), state, rtol=0, atol=0)
    copy = RunningMoments(4, 0.9).eval()
    copy.load_state_dict(state)
    for same in (copy, deepcopy(running)):
        torch.testing.assert_close(same(10 * X).mean, found, rtol=0, atol=0)


def test_cube_root_inverts_its_cubic():
    s = torch.linspace(-50, 50, 1001, dtype=torch.float64)
    torch.testing.assert_close(CubeRoot()(s**3 / 3 + s), s)


def test_cube_root_is_accurate_and_increasing_in_float32():
    a = torch.logspace(-37, 38, 2000)
    a = torch.cat([-a.flip(0), torch.zeros(1), a])
    out = CubeRoot()(a)
    torch.testing.assert_close(out.double(), CubeRoot()(a.double()), rtol=3e-6, atol=0)
    assert (out.diff() > 0).all()


def test_cube_root_gradcheck():
    a = torch.tensor([-1e3, -2.0, -1e-9, 0.0, 1e-4, 0.3, 40.0], dtype=torch.float64)
    assert gradcheck(CubeRoot(), a.requires_grad_(), eps=1e-7)
    assert gradgradcheck(CubeRoot(), a)
    huge = torch.tensor([1e-37, 1e37], requires_grad=True)
    CubeRoot()(huge).sum().backward()
    assert torch.isfinite(huge.grad).all()


def test_denoising_pair_decodes_by_the_transposed_weights():
    mlp = initialised(MLP([4, 6, 2], "tanh"))
    layer, activation = mlp.layers[0], mlp.activations[0]
    pair = initialised(DenoisingPair({"x": layer}, {"x": activation}, noise=0.5))
    expected = linear(layer(X).tanh(), layer.weight.T)
    out = pair.eval()(X, Y)
    torch.testing.assert_close(out.x_reconstructed, expected)
    assert out.y_reconstructed is None
    pair.train().noise["x"].reseed(0, "cpu")
    noisy = X + 0.5 * torch.randn(X.shape, generator=torch.Generator().manual_seed(0))
    expected = linear(layer(noisy).tanh(), layer.weight.T)
    torch.testing.assert_close(pair(X, Y).x_reconstructed, expected)
    assert pair.layers["x"] is layer
    assert {"biases.x", "layers.x.weight"} <= dict(pair.named_parameters()).keys()
