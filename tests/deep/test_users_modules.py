"""Encoders and decoders of the user's in networks with a joint code."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from skcrl import CorrNet, MultimodalAutoencoder
from skcrl.datasets import make_correlated_views

SHAPE = (1, 8, 4)
NETWORKS = pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (CorrNet, {"hidden_layer_sizes": (16,), "decoder": "mirrored"}),
        (CorrNet, {"combine": "post", "terms": ("from_x", "from_y")}),
        (MultimodalAutoencoder, {"hidden_layer_sizes": (16,), "noise": 0.1}),
    ],
)
BOTH = pytest.mark.parametrize("kind", [CorrNet, MultimodalAutoencoder])


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        400, 6, 5, correlations=(0.95, 0.9, 0.5), random_state=0
    )


def build(kind, **parameters):
    return kind(**{"n_components": 4, "max_epochs": 2, "random_state": 0, **parameters})


def conv(*before):
    torch.manual_seed(0)
    return nn.Sequential(
        *before,
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 6 * 2, 4),
    )


def deconv():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(4, 32), nn.BatchNorm1d(32), nn.Unflatten(1, SHAPE), nn.Sigmoid()
    )


def linear_modules(width):
    torch.manual_seed(0)
    return {
        "x_encoder": nn.Linear(6, width),
        "y_encoder": nn.Linear(5, width),
        "x_decoder": nn.Linear(3, 6),
        "y_decoder": nn.Linear(3, 5),
    }


def affine(layer, a):
    weight, bias = (p.detach().numpy() for p in layer.parameters())
    return a @ weight.T + bias


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@NETWORKS
@pytest.mark.parametrize("gaps", [[], [3, 70], list(range(300, 500))])
def test_images_are_as_good_as_flat_rows(digits, kind, settings, gaps):
    whole, whole_right = (view[:600] for view in digits[:2])
    left, right = whole.copy(), whole_right.copy()
    left[gaps] = np.nan
    right[5] = np.nan
    images = left.reshape(-1, *SHAPE)
    net = build(kind, x_encoder=conv(), **settings).fit(images, right)
    flat = build(kind, x_encoder=conv(nn.Unflatten(1, SHAPE)), **settings)
    flat.fit(left, right)
    np.testing.assert_array_equal(
        net.transform_joint(images, right), flat.transform_joint(left, right)
    )
    codes = net.transform(whole.reshape(images.shape))
    for found, expected in (
        (codes, flat.transform(whole)),
        (net.reconstruct(images, right), flat.reconstruct(left, right)),
        (net.reconstruct(images, right, to="x"), flat.reconstruct(left, right, to="x")),
        (net.impute(images, right)[0], flat.impute(left, right)[0]),
        (
            net.view("x").inverse_transform(codes),
            flat.view("x").inverse_transform(codes),
        ),
    ):
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    for reconstructed in (
        net.reconstruct(y=whole_right, to="x"),
        net.impute(images, right)[0],
        net.view("x").inverse_transform(codes),
    ):
        assert reconstructed.shape == images.shape


@BOTH
def test_images_from_decoders_of_the_users(digits, kind):
    left, right, _ = (view.copy() for view in digits)
    left[3] = right[5] = np.nan
    images = left.reshape(-1, *SHAPE)
    modules = {"y_encoder": conv(), "y_decoder": deconv()}
    net = build(kind, **modules).fit(right, images)
    reconstructed = net.predict(right[:5])
    assert reconstructed.shape == (5, *SHAPE)
    decoder = net.net_.module_.decoders["y"].eval().double()
    codes = torch.from_numpy(net.transform(right[:5]))
    np.testing.assert_allclose(reconstructed, decoder(codes).detach())
    assert net.impute(right[:7], images[:7])[1].shape == (7, *SHAPE)


@pytest.mark.parametrize("combine", ["pre", "post"])
def test_corrnet_applies_f_to_what_encoders_give(views, combine):
    X, y = views
    modules = linear_modules(3)
    net = CorrNet(3, combine=combine, max_epochs=1, lr=1e-12, **modules).fit(X, y)
    a, b = affine(modules["x_encoder"], X), affine(modules["y_encoder"], y)
    code = sigmoid(a + b) if combine == "pre" else sigmoid(a) + sigmoid(b)
    np.testing.assert_allclose(net.transform_joint(X, y), code, atol=1e-6)
    np.testing.assert_allclose(
        net.reconstruct(X, y), affine(modules["y_decoder"], code), atol=1e-5
    )


def test_one_dense_encoder_brings_the_bias_of_the_code(views):
    x_encoder = nn.Linear(6, 3, bias=False)
    net = CorrNet(3, x_encoder=x_encoder, max_epochs=1, random_state=0).fit(*views)
    assert net.net_.module_.code["y"].bias.abs().min() > 0


def test_joint_layer_takes_what_an_encoder_gives(views):
    X, y = views
    modules = linear_modules(7)
    net = MultimodalAutoencoder(
        3,
        x_encoder=modules["x_encoder"],
        x_decoder=modules["x_decoder"],
        hidden_layer_sizes=(9,),
        standardize=False,
        random_state=0,
        max_epochs=1,
        lr=1e-12,
    ).fit(X, y)
    module = net.net_.module_
    a = affine(modules["x_encoder"], X)
    b = np.tanh(affine(module.encoders["y"].layers[0], y))
    code = np.tanh(affine(module.joint_encoder.layers[0], np.hstack([a, b])))
    np.testing.assert_allclose(net.transform_joint(X, y), code, atol=1e-6)
    inner = np.tanh(affine(module.joint_decoder.layers[0], code))
    assert inner.shape[1] == 9
    for to, expected in (
        ("x", affine(modules["x_decoder"], code)),
        ("y", affine(module.decoders["y"].layers[0], inner)),
    ):
        np.testing.assert_allclose(net.reconstruct(X, y, to=to), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "width", "settings"),
    [
        (CorrNet, 3, {"terms": ("joint",), "correlation_weight": 0.0}),
        (MultimodalAutoencoder, 4, {"modality_dropout": 0.0}),
    ],
)
def test_linear_modules_reach_pca(views, kind, width, settings):
    X, y = (view - view.mean(axis=0) for view in views)
    modules = linear_modules(width)
    before = modules["x_encoder"].weight.clone()
    net = kind(
        3,
        activation="identity",
        lr=1,
        optimizer="lbfgs",
        max_epochs=10,
        random_state=0,
        **modules,
        **settings,
    ).fit(X, y)
    Z = np.hstack([X, y])
    pca = PCA(3).fit(Z)
    best = np.sum((Z - pca.inverse_transform(pca.transform(Z))) ** 2)
    found = np.sum((Z - np.hstack(net.reconstruct(X, y, to="both"))) ** 2)
    assert best <= found < 1.01 * best
    torch.testing.assert_close(modules["x_encoder"].weight, before, rtol=0, atol=0)


@BOTH
def test_pickles_resume(digits, kind):
    left, right, _ = digits
    images = left.reshape(-1, *SHAPE)
    net = build(kind, x_encoder=conv().double(), x_decoder=deconv())
    net.fit(images, right)
    copy = pickle.loads(pickle.dumps(net))
    for est in (copy, net):
        est.partial_fit(images, right)
    np.testing.assert_array_equal(copy.transform(images), net.transform(images))


@BOTH
def test_warm_start_refuses_other_modules(views, kind):
    modules = linear_modules(3)
    net = build(kind, n_components=3, warm_start=True, **modules).fit(*views)
    codes = net.transform(views[0])
    for other in (None, nn.Sequential(nn.Linear(6, 3), nn.Tanh())):
        with pytest.raises(ValueError, match="x_encoder was .* in fit and is .* now"):
            net.set_params(x_encoder=other).fit(*views)
        np.testing.assert_array_equal(net.transform(views[0]), codes)
    assert net.set_params(**modules).fit(*views).n_iter_ == 4


@BOTH
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"x_encoder": nn.Linear(9, 4)}, r"x_encoder does not take.*n_samples, 6\)"),
        ({"y_encoder": nn.LSTM(5, 4)}, "y_encoder does not take"),
        ({"y_encoder": nn.Unflatten(1, (5, 1))}, r"y_encoder must.*\(2, 5, 1\) for 2"),
        (
            {"x_encoder": nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (-1, 4)))},
            r"x_encoder must.*\(3, 4\) for 2",
        ),
        ({"y_decoder": nn.Linear(4, 6)}, r"y_decoder must.*n_samples, 5\).*\(2, 6\)"),
        ({"x_decoder": nn.Linear(3, 6)}, r"x_decoder does not take.*n_samples, 4\)"),
        ({"x_encoder": "conv"}, "'x_encoder' parameter"),
    ],
)
def test_bad_modules(views, kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        build(kind, **parameters).fit(*views)


@pytest.mark.parametrize(
    ("est", "message"),
    [
        (
            CorrNet(4, x_encoder=nn.Linear(6, 3)),
            r"x_encoder must return arrays of shape \(n_samples, 4\), got \(2, 3\)",
        ),
        (
            CorrNet(tied=True, x_encoder=nn.Linear(6, 2), y_decoder=nn.Linear(2, 5)),
            "tied=True decodes.*got x_encoder and y_decoder: set tied=False",
        ),
        (
            MultimodalAutoencoder(y_encoder=nn.Linear(5, 2), layout="concatenated"),
            "'concatenated' has no.*that y_encoder could.*set layout='split'",
        ),
    ],
)
def test_contradictions(views, est, message):
    with pytest.raises(ValueError, match=message):
        est.fit(*views)


@BOTH
def test_shapes_must_be_those_of_fit(digits, kind):
    images = digits[0].reshape(-1, *SHAPE)
    net = build(kind, x_encoder=conv()).fit(images, digits[1])
    with pytest.raises(ValueError, match=r"samples of shape \(1, 4, 8\).*\(1, 8, 4\)"):
        net.transform(images.reshape(-1, 1, 4, 8))
    wrong = nn.Sequential(nn.Linear(4, 32), nn.Unflatten(1, (1, 4, 8)))
    with pytest.raises(ValueError, match=r"x_decoder must.*n_samples, 1, 8, 4\)"):
        net.set_params(x_decoder=wrong).fit(images, digits[1])
    with pytest.raises(ValueError, match="dim 4"):
        build(kind).fit(images, digits[1])
