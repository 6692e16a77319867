"""Architectures against their equations."""

import pytest
import torch

from skcrl.deep.modules import MLP, CorrNetModule, TwoBranch


def initialised(module, seed=0):
    module.reset_parameters(torch.Generator().manual_seed(seed))
    return module


def corrnet(**changes):
    parameters = {
        "n_features_x": 4,
        "n_features_y": 3,
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
        torch.testing.assert_close(out.x_rebuilt[i], net.decode(codes[source], "x"))
        torch.testing.assert_close(out.y_rebuilt[i], net.decode(codes[source], "y"))


def test_tied_decoder_mirrors_the_encoder():
    net = corrnet(hidden_layer_sizes=(6,), decoder="mirrored", tied=True)
    code = torch.rand(5, 2)
    inner = torch.sigmoid(code @ net.code["x"].weight)
    expected = torch.sigmoid(inner @ net.hidden["x"].layers[0].weight)
    torch.testing.assert_close(net.decode(code, "x"), expected)


def test_sources_that_are_not_asked_for_are_not_rebuilt():
    out = corrnet(sources=("from_y",))(X, Y)
    assert out.x_rebuilt.shape == (1, 5, 4)
    assert out.y_rebuilt.shape == (1, 5, 3)


def test_two_branch_copies_the_users_modules():
    # An empty Sequential is false, an MLP is what the dense encoders are.
    for mine in (torch.nn.Sequential(), initialised(MLP([4, 2], "relu"), seed=5)):
        net = initialised(TwoBranch((4, 2), (3, 6, 2), "relu", x_encoder=mine))
        torch.testing.assert_close(net.encode(X, "x"), mine(X))
        assert net.encoders["x"] is not mine
        assert net(X, Y).x_rebuilt is None


def test_decoders_do_not_pull_at_the_encoders():
    decoder = torch.nn.Linear(2, 4)
    net = initialised(TwoBranch((4, 2), (3, 2), "relu", x_decoder=decoder))
    net(X, Y).x_rebuilt.sum().backward()
    assert net.encoders["x"].layers[0].weight.grad is None
    assert net.decoders["x"].weight.grad is not None


def test_corrnet_rebuilds_unpaired_rows_from_themselves():
    net = corrnet(sources=("joint",))
    out = net(X, Y, x_only=X[:2], y_only=Y[:3])
    torch.testing.assert_close(out.x_only_rebuilt, net.decode(net.encode(X[:2]), "x"))
    torch.testing.assert_close(out.y_only_rebuilt, net.decode(net.encode(y=Y[:3]), "y"))
    torch.testing.assert_close(out[:4], net(X, Y)[:4])
    assert net(X, Y)[4:] == (None, None)
