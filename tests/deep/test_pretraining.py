"""Layer-wise pretraining against PCA and against Glorot's weights."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.stats import ortho_group
from sklearn.decomposition import PCA
from torch import nn

from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairDataset, PairSplit
from skcrl.deep._net import Objective, TwoViewNet
from skcrl.deep._pretraining import pretrain
from skcrl.deep.losses import trace_norm
from skcrl.deep.modules import (
    CorrNetModule,
    MultimodalAutoencoderModule,
    TwoBranch,
)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(300, 6, 5, correlations=(0.9, 0.8), random_state=0)


def make_net(hidden, seed=0, train_split=None, **module_kwargs):
    parameters = {
        "x_widths": (6, *hidden, 2),
        "y_widths": (5, *hidden, 2),
        "activation": "tanh",
        **module_kwargs,
    }
    return net_of(TwoBranch, parameters, seed, train_split)


def net_of(module, parameters, seed=0, train_split=None):
    return TwoViewNet(
        module,
        seed=seed,
        criterion=Objective,
        criterion__function=trace_norm,
        criterion__hyper={"reg": 1e-4},
        optimizer=torch.optim.Adam,
        lr=0.01,
        batch_size=100,
        train_split=train_split,
        device="cpu",
        verbose=0,
        iterator_train__shuffle=True,
        **{f"module__{name}": value for name, value in parameters.items()},
    ).initialize()


JOINT = {
    "x_shape": (6,),
    "y_shape": (5,),
    "n_components": 4,
    "hidden_layer_sizes": (8,),
    "activation": "tanh",
    "output_activation": "identity",
}
AUTOENCODER = {**JOINT, "modality_dropout": 2 / 3, "noise": 0.0}


def corrnet_errors(module, x, y):
    return [
        tied_errors([*module.hidden[side].layers, module.code[side]], view)
        for side, view in (("x", x), ("y", y))
    ]


def split_errors(module, x, y):
    own = [module.encoders[side].layers[0] for side in "xy"]
    errors = [tied_errors([o], view) for o, view in zip(own, (x, y), strict=True)]
    inner = [o(torch.from_numpy(v).float()) for o, v in zip(own, (x, y), strict=True)]
    both = torch.cat(inner, 1).tanh().detach().numpy()
    return [*errors, tied_errors(module.joint_encoder.layers, both)]


def concatenated_errors(module, x, y):
    return [tied_errors(module.joint_encoder.layers, np.hstack([x, y]))]


@torch.no_grad()
def tied_errors(layers, view):
    """Share of its input that no layer can reconstruct by its transposed weights."""
    errors, a = [], torch.from_numpy(view).float()
    for i, layer in enumerate(layers):
        is_linear = layer.out_features == 2  # the last of an encoder of TwoBranch
        h = layer(a) if is_linear and i else layer(a).tanh()
        a_centred, h_centred = a - a.mean(0), h - h.mean(0)
        rest = a_centred - h_centred @ layer.weight
        errors.append((rest.square().sum() / a_centred.square().sum()).item())
        a = h
    return np.array(errors)


def test_pretraining_lowers_the_error_of_each_layer(views):
    net = make_net((12, 8))
    stacks = [encoder.layers for encoder in net.module_.encoders.values()]
    before = list(map(tied_errors, stacks, views))
    pretrain(net, PairDataset.from_arrays(*views), n_epochs=60, noise=0.05)
    after = list(map(tied_errors, stacks, views))
    assert (np.array(after) < 0.7 * np.array(before)).all()


@pytest.mark.parametrize(
    ("module", "parameters", "errors_of"),
    [
        (
            CorrNetModule,
            {
                **JOINT,
                "combine": "pre",
                "decoder": "mirrored",
                "tied": True,
                "sources": ("joint",),
            },
            corrnet_errors,
        ),
        (MultimodalAutoencoderModule, {**AUTOENCODER, "layout": "split"}, split_errors),
        (
            MultimodalAutoencoderModule,
            {**AUTOENCODER, "layout": "concatenated"},
            concatenated_errors,
        ),
    ],
)
def test_layers_around_a_joint_code_are_pretrained(
    views, module, parameters, errors_of
):
    net = net_of(module, parameters)
    x, y = views
    before = errors_of(net.module_, x, y)
    pretrain(net, PairDataset.from_arrays(x, y), n_epochs=25, noise=0.05)
    after = errors_of(net.module_, x, y)
    assert (np.concatenate(after) < 0.7 * np.concatenate(before)).all()
    assert net.module_.training


def test_unpaired_rows_teach_the_layers_of_their_view(views):
    def pretrained(x_only_rows):
        net = net_of(MultimodalAutoencoderModule, {**AUTOENCODER, "layout": "split"})
        x, y = (view.copy() for view in views)
        x[200:] = x_only_rows
        y[200:] = np.nan
        has_y = np.arange(300) < 200
        data = PairDataset.from_arrays(x, y, has_y=has_y)
        pretrain(net, data, n_epochs=1, noise=0.1)
        return [net.module_.encoders[side].layers[0].weight for side in "xy"]

    (x_one, y_one), (x_two, y_two) = pretrained(0.5), pretrained(-1.0)
    assert not torch.allclose(x_one, x_two)
    torch.testing.assert_close(y_one, y_two, rtol=0, atol=0)


def test_a_linear_layer_without_noise_is_pca(rng):
    deviations = np.array([2.0, 1.5, 0.5, 0.5, 0.2, 0.2])
    views = [
        1
        + rng.standard_normal((300, d))
        * deviations[:d]
        @ ortho_group.rvs(d, random_state=rng)
        for d in (6, 5)
    ]
    net = make_net(())
    pretrain(net, PairDataset.from_arrays(*views), n_epochs=200, noise=0.0)
    for side, view in zip("xy", views, strict=True):
        weights = net.module_.encoders[side].layers[0].weight.detach().numpy()
        found = subspace_angles(weights.T, PCA(2).fit(view).components_.T)
        assert found.max() < 1e-2


def test_the_users_encoder_is_left_alone(views):
    torch.manual_seed(0)
    net = make_net((8,), x_encoder=nn.Linear(6, 2))
    before = {name: w.clone() for name, w in net.module_.named_parameters()}
    pretrain(net, PairDataset.from_arrays(*views), n_epochs=1, noise=0.1)
    changed = {
        name
        for name, weight in net.module_.named_parameters()
        if not torch.equal(weight, before[name])
    }
    assert changed == {n for n in before if n.startswith("encoders.y")}


def test_validation_rows_are_not_seen(views):
    split = PairSplit(0.3, seed=0)
    _, valid = split(PairDataset.from_arrays(*views))
    spoilt = [view.copy() for view in views]
    for view in spoilt:
        view[valid.rows] = 1e3
    nets = make_net((8,), train_split=split), make_net((8,), train_split=split)
    for net, pair in zip(nets, (views, spoilt), strict=True):
        pretrain(net, PairDataset.from_arrays(*pair), n_epochs=2, noise=0.1)
    one, two = (net.module_.state_dict() for net in nets)
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_a_validation_set_goes_through_the_layers_too(views):
    data, plain = (PairDataset.from_arrays(*views) for _ in range(2))
    data.validation = PairDataset.from_arrays(*(view[:50] for view in views))
    nets = make_net((8,)), make_net((8,))
    for net, rows in zip(nets, (data, plain), strict=True):
        pretrain(net, rows, n_epochs=1, noise=0.1)
    one, two = (net.module_.state_dict() for net in nets)
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_the_seed_alone_decides(views):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    nets = [make_net((8,), seed) for seed in (0, 0, 1)]
    for net in nets:
        pretrain(net, PairDataset.from_arrays(*views), n_epochs=1, noise=0.1)
    assert torch.equal(torch.random.get_rng_state(), before)
    one, same, other = (net.module_.encoders["x"].layers[0].weight for net in nets)
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    assert not torch.allclose(one, other)


def test_divergence_names_the_layer(views):
    net = make_net((8,)).set_params(lr=1e30)
    with pytest.raises(FloatingPointError, match="in layer 1 of 2: .* Reduce lr=1e"):
        pretrain(net, PairDataset.from_arrays(*views), n_epochs=20, noise=0.1)
