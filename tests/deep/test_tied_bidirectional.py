"""TiedBidirectional: its equations, its tying, and what its codes reconstruct."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from torch.autograd import gradcheck

from skcrl import TiedBidirectional
from skcrl.datasets import make_correlated_views
from skcrl.deep.losses import reconstruction
from skcrl.deep.modules import TiedBidirectionalModule, compared
from skcrl.metrics import reconstruction_error

GENERATOR = torch.Generator().manual_seed(0)
X, Y = (torch.randn(9, w, generator=GENERATOR, dtype=torch.float64) for w in (4, 3))


def build(**changes):
    parameters = {
        "n_features_x": 4,
        "n_features_y": 3,
        "n_components": 2,
        "hidden_layer_sizes": (6,),
        "activation": "tanh",
        "output_activation": "sigmoid",
        "dropout": 0.0,
    }
    module = TiedBidirectionalModule(**{**parameters, **changes}).double()
    generator = torch.Generator().manual_seed(0)
    module.reset_parameters(generator)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "bias" in name:
                parameter.uniform_(-1, 1, generator=generator)
    return module


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_it_is_the_papers_equations():
    module = build()
    s = {name: value.numpy() for name, value in module.state_dict().items()}
    x, y = X.numpy(), Y.numpy()
    # Names of the paper: W1_1 is the first layer of net 1, which starts from x.
    W1_1, b1_1 = s["encoders.x.layers.0.weight"], s["encoders.x.layers.0.bias"]
    W2_1, b2_1 = s["encoders.y.layers.0.weight"], s["encoders.y.layers.0.bias"]
    W2, W3 = s["centre.x.weight"], s["centre.y.weight"].T
    b1_2, b2_2 = s["centre.x.bias"], s["centre.y.bias"]
    b1_3, b2_3 = s["leaving_biases.y"], s["leaving_biases.x"]
    W1_4, b1_4 = s["decoders.y.layers.0.weight"], s["decoders.y.layers.0.bias"]
    W2_4, b2_4 = s["decoders.x.layers.0.weight"], s["decoders.x.layers.0.bias"]
    h1_1, h2_1 = np.tanh(x @ W1_1.T + b1_1), np.tanh(y @ W2_1.T + b2_1)
    h1_2, h2_2 = np.tanh(h1_1 @ W2.T + b1_2), np.tanh(h2_1 @ W3 + b2_2)
    h1_3, h2_3 = np.tanh(h1_2 @ W3.T + b1_3), np.tanh(h2_2 @ W2 + b2_3)
    o_1, o_2 = sigmoid(h1_3 @ W1_4.T + b1_4), sigmoid(h2_3 @ W2_4.T + b2_4)
    out = module(X, Y)
    np.testing.assert_allclose(out.y_reconstructed.detach(), o_1)
    np.testing.assert_allclose(out.x_reconstructed.detach(), o_2)
    np.testing.assert_allclose(module.encode(X, "x").detach(), h1_2)
    np.testing.assert_allclose(module.encode(Y, "y").detach(), h2_2)
    # Two matrices in the centre, four further out, and eight biases.
    n_weights = 2 * 6 + 2 * 6 + 2 * (4 * 6 + 3 * 6)
    n_biases = 2 * (6 + 2 + 6) + 4 + 3
    assert sum(p.numel() for p in module.parameters()) == n_weights + n_biases


def test_without_hidden_layers_the_tied_weights_join_the_views():
    module = build(hidden_layer_sizes=())
    s = {name: value.numpy() for name, value in module.state_dict().items()}
    W2, W3 = s["centre.x.weight"], s["centre.y.weight"].T
    assert (W2.shape, W3.shape) == ((2, 4), (3, 2))
    h_1 = np.tanh(X.numpy() @ W2.T + s["centre.x.bias"])
    h_2 = np.tanh(Y.numpy() @ W3 + s["centre.y.bias"])
    out = module(X, Y)
    o_1 = sigmoid(h_1 @ W3.T + s["leaving_biases.y"])
    o_2 = sigmoid(h_2 @ W2 + s["leaving_biases.x"])
    np.testing.assert_allclose(out.y_reconstructed.detach(), o_1)
    np.testing.assert_allclose(out.x_reconstructed.detach(), o_2)


def test_deeper_layers_are_free():
    module = build(hidden_layer_sizes=(7, 6))
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    assert shapes["encoders.x.layers.1.weight"] == (6, 7)
    assert shapes["decoders.x.layers.0.weight"] == (7, 6)
    assert shapes["decoders.x.layers.1.weight"] == (4, 7)
    assert shapes["centre.x.weight"] == shapes["centre.y.weight"] == (2, 6)


def test_tied_weights_learn_from_both_nets():
    module = build()

    def gradients(error_of):
        module.zero_grad()
        error_of(module(X, Y)).backward()
        return [module.centre[side].weight.grad.clone() for side in "xy"]

    net_1 = gradients(lambda out: ((out.y_reconstructed - Y) ** 2).sum())
    net_2 = gradients(lambda out: ((out.x_reconstructed - X) ** 2).sum())
    # The objective is the mean over 9 samples and 7 features.
    both = gradients(
        lambda out: 63 * reconstruction(compared(out, x=X, y=Y), factor=1 / 7)
    )
    for one, two, total in zip(net_1, net_2, both, strict=True):
        assert one.abs().max() > 0
        assert two.abs().max() > 0
        torch.testing.assert_close(total, one + two)
    # Free layers learn from their own net alone.
    module.zero_grad()
    ((module(X, Y).y_reconstructed - Y) ** 2).sum().backward()
    assert module.encoders["y"].layers[0].weight.grad is None
    assert module.leaving_biases["x"].grad is None


def test_unpaired_rows_reconstruct_themselves_through_the_tied_halves():
    module = build()
    batch = {"x": X[:4], "y": Y[:4], "x_only": X[4:7], "y_only": Y[7:]}
    out = module(**batch)
    s = {name: value.numpy() for name, value in module.state_dict().items()}
    code = module.encode(X[4:7], "x").detach().numpy()
    inner = np.tanh(code @ s["centre.x.weight"] + s["leaving_biases.x"])
    by_net_2 = inner @ s["decoders.x.layers.0.weight"].T + s["decoders.x.layers.0.bias"]
    np.testing.assert_allclose(out.x_only_reconstructed.detach(), sigmoid(by_net_2))
    by_hand = sum(
        ((reconstructed - view) ** 2).sum()
        for reconstructed, view in zip(out, batch.values(), strict=True)
    )
    loss = reconstruction(compared(out, **batch), factor=1 / 7)
    torch.testing.assert_close(loss, by_hand / (9 * (4 + 3)))
    assert module(X, Y)[2:] == (None, None)


@pytest.mark.parametrize("hidden", [(), (3,)])
def test_gradcheck(hidden):
    module = build(hidden_layer_sizes=hidden)
    names, parameters = zip(*module.named_parameters(), strict=True)
    batch = {"x": X[:4], "y": Y[:4], "x_only": X[4:7], "y_only": Y[7:]}

    def loss(*values):
        state = dict(zip(names, values, strict=True))
        out = torch.func.functional_call(module, state, kwargs=batch)
        return reconstruction(compared(out, **batch), factor=1 / 7)

    assert gradcheck(loss, parameters)


def test_dropout_acts_on_the_centre_alone():
    module = build(dropout=0.5)
    seen = []
    for layer in module.dropout.values():
        layer.register_forward_hook(lambda _, given, out: seen.append((*given, out)))
        layer.reseed(0, "cpu")
    module.train()
    module(X, Y)
    for (given, out), (view, side) in zip(seen, ((Y, "y"), (X, "x")), strict=True):
        torch.testing.assert_close(given, module.encode(view, side))
        kept = out != 0
        assert 0 < kept.double().mean() < 1
        torch.testing.assert_close(out[kept], 2 * given[kept])


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 6, 5, correlations=(0.95, 0.9, 0.5), random_state=0
    )


def test_linear_translation_comes_close_to_regression(views):
    X, y = (view / view.std(axis=0) for view in views)
    est = TiedBidirectional(
        3,
        hidden_layer_sizes=(20,),
        activation="identity",
        input_dropout=0.0,
        lr=0.01,
        max_epochs=100,
        random_state=0,
    ).fit(X, y)
    for found, source, target in (
        (est.predict(X), X, y),
        (est.reconstruct(y=y, to="x"), y, X),
    ):
        best = LinearRegression().fit(source, target).predict(source)
        best = reconstruction_error(target, best)
        assert best <= reconstruction_error(target, found) < 1.02 * best + 1e-3


@pytest.fixture(scope="module")
def tied(views):
    return TiedBidirectional(3, max_epochs=30, random_state=0).fit(*views)


def test_joint_codes_are_both_or_one_of_them_twice(tied, views):
    X, y = views
    Zx, Zy = tied.transform_pair(X, y)
    np.testing.assert_array_equal(tied.transform_joint(X, y), np.hstack([Zx, Zy]))
    np.testing.assert_array_equal(tied.transform_joint(X), np.hstack([Zx, Zx]))
    np.testing.assert_array_equal(tied.transform_joint(y=y), np.hstack([Zy, Zy]))
    gaps = y.copy()
    gaps[:50] = np.nan
    expected = np.hstack([Zx, np.vstack([Zx[:50], Zy[50:]])])
    np.testing.assert_allclose(tied.transform_joint(X, gaps), expected, atol=1e-12)


def test_views_are_reconstructed_from_central_codes(tied, views):
    X, y = views
    Zx, Zy = tied.transform_pair(X, y)
    for codes, available in (
        (Zx, {"X": X}),
        (Zy, {"y": y}),
        ((Zx + Zy) / 2, {"X": X, "y": y}),
    ):
        for side in "xy":
            np.testing.assert_array_equal(
                tied.reconstruct(**available, to=side),
                tied.net_.evaluate("decode", codes, side=side),
            )


def test_translation_learns(digits):
    left, right, _ = digits
    est = TiedBidirectional(16, random_state=0).fit(left[:1000], right[:1000])
    assert reconstruction_error(right[1000:], est.predict(left[1000:])) < 0.85
    reconstructed = est.reconstruct(y=right[1000:], to="x")
    assert reconstruction_error(left[1000:], reconstructed) < 0.8


def test_rows_alone_make_the_codes_of_both_views_comparable(digits):
    (X, y), (X_new, y_new) = (
        (digits[0][rows], digits[1][rows]) for rows in (slice(1000), slice(1000, None))
    )
    gap = np.full_like(X, np.nan)
    est = TiedBidirectional(8, max_epochs=15, random_state=0)
    paired = clone(est).fit(X, y)
    alone = clone(est).fit(np.vstack([X, X, gap]), np.vstack([y, gap, y]))
    assert alone.score(X_new, y_new) > 3 > 1 > paired.score(X_new, y_new)
    for estimator, low, high in ((alone, 0.0, 0.6), (paired, 1.0, np.inf)):
        reconstructed = estimator.reconstruct(X_new, to="x")
        assert low < reconstruction_error(X_new, reconstructed) < high


def test_divergence_says_what_to_do(views):
    with pytest.raises(
        FloatingPointError, match="Set standardize=True, or reduce lr=0.1"
    ):
        TiedBidirectional(
            optimizer="nesterov", lr=0.1, standardize=False, random_state=0
        ).fit(*(1e3 * view for view in views))


def test_batches_of_one_row(views):
    X, y = (view[:20] for view in views)
    est = TiedBidirectional(batch_size=1, max_epochs=2, random_state=0).fit(X, y)
    assert np.isfinite(est.predict(X)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"output_activation": "step"}, "'output_activation' parameter"),
        ({"optimizer": "momentum"}, "'optimizer' parameter"),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        TiedBidirectional(**parameters).fit(*views)


def test_joint_codes_have_names_of_their_own(views):
    X, y = views
    tied = TiedBidirectional(2, max_epochs=1, random_state=0).fit(X, y)
    joint = tied.transform_joint(X, y)
    frame = tied.set_output(transform="pandas").transform_joint(X, y)
    assert list(frame.columns) == [
        "tiedbidirectional_x0",
        "tiedbidirectional_x1",
        "tiedbidirectional_y0",
        "tiedbidirectional_y1",
    ]
    np.testing.assert_array_equal(frame.to_numpy(), joint)
