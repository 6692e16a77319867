"""MultimodalAutoencoder: its equations, its dropout, and PCA as its linear case."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.autograd import gradcheck

from skcrl import MultimodalAutoencoder
from skcrl.datasets import make_correlated_views
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import (
    ModalityDropout,
    MultimodalAutoencoderModule,
    compared,
)
from skcrl.metrics import reconstruction_error

GENERATOR = torch.Generator().manual_seed(0)
X, Y = (torch.randn(9, w, generator=GENERATOR, dtype=torch.float64) for w in (4, 3))


def build(**changes):
    parameters = {
        "x_shape": (4,),
        "y_shape": (3,),
        "n_components": 2,
        "layout": "split",
        "hidden_layer_sizes": (6, 5),
        "activation": "tanh",
        "output_activation": "sigmoid",
        "modality_dropout": 0.0,
        "noise": 0.0,
    }
    module = MultimodalAutoencoderModule(**{**parameters, **changes}).double()
    generator = torch.Generator().manual_seed(0)
    module.reset_parameters(generator)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.uniform_(-1, 1, generator=generator)
    return module


def arrays(module):
    return {name: value.numpy() for name, value in module.state_dict().items()}


def layer(state, name, a):
    return a @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_split_layout_is_its_equations():
    module = build()
    s, x, y = arrays(module), X.numpy(), Y.numpy()
    a, b = (
        np.tanh(
            layer(
                s,
                f"encoders.{side}.layers.1",
                np.tanh(layer(s, f"encoders.{side}.layers.0", view)),
            )
        )
        for side, view in (("x", x), ("y", y))
    )
    W, V = np.split(s["joint_encoder.layers.0.weight"], 2, axis=1)
    code = np.tanh(a @ W.T + b @ V.T + s["joint_encoder.layers.0.bias"])
    inner = np.tanh(layer(s, "joint_decoder.layers.0", code))
    for side, part in (("x", inner[:, :5]), ("y", inner[:, 5:])):
        outer = np.tanh(layer(s, f"decoders.{side}.layers.0", part))
        reconstructed = sigmoid(layer(s, f"decoders.{side}.layers.1", outer))
        found = getattr(module(X, Y), f"{side}_reconstructed").detach()
        np.testing.assert_allclose(found, reconstructed)
        np.testing.assert_allclose(
            module.decode(torch.from_numpy(code), side).detach(), reconstructed
        )
    np.testing.assert_allclose(module.encode(X, Y).detach(), code)
    assert module.joint_decoder.layers[0].weight.shape == (10, 2)


def test_concatenated_layout_is_its_equations():
    module = build(layout="concatenated")
    s = arrays(module)
    a = np.hstack([X, Y])
    for i in range(3):
        a = np.tanh(layer(s, f"joint_encoder.layers.{i}", a))
    np.testing.assert_allclose(module.encode(X, Y).detach(), a)
    for i in range(2):
        a = np.tanh(layer(s, f"joint_decoder.layers.{i}", a))
    a = sigmoid(layer(s, "joint_decoder.layers.2", a))
    out = module(X, Y)
    np.testing.assert_allclose(out.x_reconstructed.detach(), a[:, :4])
    np.testing.assert_allclose(out.y_reconstructed.detach(), a[:, 4:])
    widths = [p.shape[1] for p in module.parameters() if p.ndim == 2]
    assert widths == [7, 6, 5, 2, 5, 6]


@pytest.mark.parametrize("layout", ["split", "concatenated"])
@pytest.mark.parametrize("hidden", [(), (6,)])
def test_a_missing_view_is_zeros(layout, hidden):
    module = build(layout=layout, hidden_layer_sizes=hidden)
    zx, zy = torch.zeros_like(X), torch.zeros_like(Y)
    torch.testing.assert_close(module.encode(X), module.encode(X, zy))
    torch.testing.assert_close(module.encode(y=Y), module.encode(zx, Y))


@pytest.mark.parametrize("layout", ["split", "concatenated"])
def test_unpaired_rows_reconstruct_the_view_they_have(layout):
    module = build(layout=layout)
    batch = {"x": X[:4], "y": Y[:4], "x_only": X[4:7], "y_only": Y[7:]}
    out = module(**batch)
    zx, zy = torch.zeros(2, 4).double(), torch.zeros(3, 3).double()
    torch.testing.assert_close(
        out.x_only_reconstructed, module(X[4:7], zy).x_reconstructed
    )
    torch.testing.assert_close(
        out.y_only_reconstructed, module(zx, Y[7:]).y_reconstructed
    )
    by_hand = 0.5 * sum(
        ((reconstructed - view) ** 2).sum()
        for reconstructed, view in zip(out, batch.values(), strict=True)
    )
    loss = reconstruction(compared(out, **batch), factor=0.5)
    torch.testing.assert_close(loss, by_hand / 9)
    assert module(X, Y)[2:] == (None, None)


@pytest.mark.parametrize("layout", ["split", "concatenated"])
def test_gradcheck(layout):
    module = build(layout=layout, hidden_layer_sizes=(3,))
    names, parameters = zip(*module.named_parameters(), strict=True)
    batch = {"x": X[:4], "y": Y[:4], "x_only": X[4:7], "y_only": Y[7:]}

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        out = torch.func.functional_call(module, state, kwargs=batch)
        return reconstruction(compared(out, **batch), factor=0.5)

    assert gradcheck(loss, parameters)


@pytest.mark.parametrize("share", [2 / 3, 0.5, 1.0])
def test_modality_dropout_takes_one_view_at_most(share):
    layer = ModalityDropout(share)
    layer.reseed(0, "cpu")
    ones = torch.ones(20_000, 3), torch.ones(20_000, 2)
    x, y = layer(*ones)
    has_x, has_y = x[:, 0] == 1, y[:, 0] == 1
    assert torch.equal(x, has_x[:, None] * ones[0])  # whole rows
    assert torch.equal(y, has_y[:, None] * ones[1])
    assert (has_x | has_y).all()
    for lost in (~has_x, ~has_y):
        assert lost.double().mean().item() == pytest.approx(share / 2, abs=0.02)
    assert layer.eval()(*ones) == ones


def test_modality_dropout_takes_whole_images():
    layer = ModalityDropout(1.0)
    images, rows = torch.ones(200, 2, 3, 4), torch.ones(200, 5)
    layer.reseed(0, "cpu")
    x, y = layer(images, rows)
    assert torch.equal(x[:, 0, 0, 0], 1 - y[:, 0])
    assert torch.equal(x, x[:, :1, :1, :1] * images)


def test_noise_never_enters_through_a_missing_view():
    module = build(noise=10.0, modality_dropout=1.0)
    module.train()
    seen = []
    module.encoders["x"].register_forward_hook(lambda _, views, __: seen.append(*views))
    module.encoders["y"].register_forward_hook(lambda _, views, __: seen.append(*views))
    for layer in (*module.noise.values(), module.modality_dropout):
        layer.reseed(0, "cpu")
    module(X, Y, x_only=X)
    (x, x_only), (y, y_missing) = (rows.split(len(X)) for rows in seen)
    assert ((x == 0).all(1) ^ (y == 0).all(1)).all()
    assert (x_only - X).abs().mean() > 1
    assert (y_missing == 0).all()


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 6, 5, correlations=(0.95, 0.9, 0.5), random_state=0
    )


@pytest.mark.parametrize("layout", ["split", "concatenated"])
def test_linear_autoencoder_reaches_pca(views, layout):
    X, y = (view - view.mean(axis=0) for view in views)
    est = MultimodalAutoencoder(
        3,
        layout=layout,
        hidden_layer_sizes=(),
        activation="identity",
        modality_dropout=0.0,
        standardize=False,
        weight_decay=0.0,
        optimizer="lbfgs",
        lr=1.0,
        max_epochs=10,
        random_state=0,
    ).fit(X, y)
    Z = np.hstack([X, y])
    pca = PCA(3).fit(Z)
    best = np.sum((Z - pca.inverse_transform(pca.transform(Z))) ** 2)
    found = np.sum((Z - np.hstack(est.reconstruct(X, y, to="both"))) ** 2)
    assert best <= found < 1.01 * best


def test_modality_dropout_is_what_lets_one_view_reconstruct_the_other(digits):
    left, right, _ = digits

    def error(share):
        est = MultimodalAutoencoder(
            16,
            modality_dropout=share,
            standardize=False,
            weight_decay=0.0,
            max_epochs=20,
            random_state=0,
        )
        est.fit(left[:1000], right[:1000])
        return reconstruction_error(right[1000:], est.predict(left[1000:]))

    assert error(2 / 3) < 0.85 < 1 < error(0.0)


def test_unpaired_rows_teach(digits):
    left, right = (view[:1000].copy() for view in digits[:2])
    left[100:550] = np.nan
    right[550:] = np.nan
    est = MultimodalAutoencoder(16, max_epochs=20, random_state=0).fit(left, right)
    few = MultimodalAutoencoder(16, max_epochs=200, random_state=0)
    few.fit(left[:100], right[:100])  # as many steps
    for side, view in zip(("X", "y"), digits[:2], strict=True):
        view, to = view[1000:], side.lower()
        with_unpaired, without = (
            reconstruction_error(view, e.reconstruct(**{side: view}, to=to))
            for e in (est, few)
        )
        assert with_unpaired < 0.9 * without


def test_noise_and_dropout_follow_the_seed(views):
    def codes(**parameters):
        est = MultimodalAutoencoder(
            hidden_layer_sizes=(8,), noise=0.3, max_epochs=3, **parameters
        )
        return est.fit(*views).transform(views[0])

    np.testing.assert_array_equal(codes(random_state=0), codes(random_state=0))
    assert not np.allclose(codes(random_state=0), codes(random_state=1))


def test_batches_of_one_row(views):
    X, y = (view[:20] for view in views)
    est = MultimodalAutoencoder(batch_size=1, max_epochs=2, random_state=0).fit(X, y)
    assert np.isfinite(est.predict(X)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layout": "joint"}, "'layout' parameter"),
        ({"modality_dropout": 1.1}, "'modality_dropout' parameter"),
        ({"noise": -0.1}, "'noise' parameter"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must contain positive"),
        (
            {"x_encoder": nn.Linear(6, 4), "pretraining_epochs": 2},
            "can be pretrained, got pretraining_epochs=2 with x_encoder: pretrain",
        ),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        MultimodalAutoencoder(**parameters).fit(*views)
