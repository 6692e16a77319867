"""Hidden layers of either view, against encoders of the user's and by hand."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import WEIGHTS, PairDataset, stream
from skcrl.deep._made_with import check_weights
from skcrl.deep._plan import plan_of
from skcrl.deep.modules import TiedBidirectionalModule
from skcrl.deep.modules._hidden_layers import hidden_layers

PAIR = ((), (7, 5))
SMALL = {"max_epochs": 2, "random_state": 0}
ESTIMATORS = [
    DeepCCA,
    CCALRanker,
    CorrNet,
    MultimodalAutoencoder,
    TiedBidirectional,
]


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(200, 6, 4, correlations=(0.9, 0.8), random_state=0)


def weight_shapes(net):
    return [tuple(w.shape) for w in net.module_.parameters() if w.ndim == 2]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), ((), ())),
        ((8,), ((8,), (8,))),
        ([8, 3], ((8, 3), (8, 3))),
        (np.array([8, 3]), ((8, 3), (8, 3))),
        (((), ()), ((), ())),
        (((), (8, 3)), ((), (8, 3))),
        ([[8], []], ((8,), ())),
        (np.array([[8], [3]]), ((8,), (3,))),
        ((np.array([8]), range(1, 3)), ((8,), (1, 2))),
    ],
)
def test_one_sequence_or_a_pair(sizes, expected):
    hidden = hidden_layers(sizes)
    assert (hidden["x"], hidden["y"]) == expected
    assert {type(n) for widths in hidden.values() for n in widths} <= {int}


BAD = [
    (8, 0),
    (8, 1.5),
    (True,),
    ("8",),
    (8, (8,)),
    ((8,), 8),
    ((8,), "8"),
    ((8,), None),
    ((8,),),
    ((8,), (8,), (8,)),
    ((8,), (-1,)),
    ((8,), ((8,),)),
]


@pytest.mark.parametrize("sizes", BAD, ids=repr)
@pytest.mark.parametrize("estimator", [DeepCCA, CorrNet])
def test_other_sizes_are_refused(sizes, estimator, views):
    message = (
        r"hidden_layer_sizes must contain positive integers, or be an \(x, y\) pair"
    )
    with pytest.raises(ValueError, match=f"{message} of .* got "):
        estimator(hidden_layer_sizes=sizes, **SMALL).fit(*views)


@pytest.mark.parametrize("estimator", [DeepCCA, CCALRanker])
def test_a_pair_trains_as_encoders_of_the_users_do(estimator, views):
    settings = {
        **SMALL,
        "activation": "tanh",
        "standardize": False,
        "input_dropout": 0.0,
        "lr": 1e-3,
    }
    ours = estimator(hidden_layer_sizes=PAIR, **settings).fit(*views)
    # The weights that our seed gives, layer by layer.
    generator = stream(ours.net_.seed, 0, WEIGHTS)
    theirs = (
        nn.Sequential(nn.Linear(6, 2)),
        nn.Sequential(
            nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 2)
        ),
    )
    for layer in (layer for encoder in theirs for layer in encoder):
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
    own = estimator(x_encoder=theirs[0], y_encoder=theirs[1], **settings).fit(*views)
    for view in ("x", "y"):
        for a, b in zip(
            ours.net_.module_.encoders[view].parameters(),
            own.net_.module_.encoders[view].parameters(),
            strict=True,
        ):
            assert torch.equal(a, b)
    for code, expected in zip(
        ours.transform_pair(*views), own.transform_pair(*views), strict=True
    ):
        np.testing.assert_array_equal(code, expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_pair_of_equal_sequences_is_that_sequence(estimator, views):
    one, pair = (
        estimator(hidden_layer_sizes=sizes, **SMALL).fit(*views)
        for sizes in ((6, 5), ((6, 5), [6, 5]))
    )
    for code, expected in zip(
        pair.transform_pair(*views), one.transform_pair(*views), strict=True
    ):
        np.testing.assert_array_equal(code, expected)
    # A training may go on under either name of the same layers.
    pair.set_params(warm_start=True, hidden_layer_sizes=(6, 5)).fit(*views)
    with pytest.raises(ValueError, match=r" in fit and is .* now, but training can"):
        pair.set_params(hidden_layer_sizes=PAIR).fit(*views)


def test_decoders_mirror_the_encoder_of_their_view(views):
    expected = {
        DeepCCA(reconstruction_weight=0.1): [
            *[(2, 6), (7, 4), (5, 7), (2, 5)],
            *[(6, 2), (5, 2), (7, 5), (4, 7)],
        ],
        CorrNet(decoder="mirrored"): [
            *[(7, 4), (5, 7), (2, 6), (2, 5)],
            *[(6, 2), (5, 2), (7, 5), (4, 7)],
        ],
        # From both views, 6 + 5 columns, to the code and back.
        MultimodalAutoencoder(): [
            *[(7, 4), (5, 7), (2, 11)],
            *[(11, 2), (7, 5), (4, 7)],
        ],
        TiedBidirectional(): [
            *[(7, 4), (5, 7), (2, 6), (2, 5)],
            *[(7, 5), (4, 7)],
        ],
    }
    for estimator, shapes in expected.items():
        est = clone(estimator).set_params(hidden_layer_sizes=PAIR, **SMALL)
        assert weight_shapes(est.fit(*views).net_) == shapes
    tied = CorrNet(hidden_layer_sizes=PAIR, decoder="mirrored", tied=True, **SMALL)
    assert weight_shapes(tied.fit(*views).net_) == [(7, 4), (5, 7), (2, 6), (2, 5)]


@torch.no_grad()
def test_a_view_without_hidden_layers_comes_out_by_the_output_activation(views):
    X, y = (torch.from_numpy(view) for view in views)
    auto = MultimodalAutoencoder(
        hidden_layer_sizes=PAIR,
        activation="tanh",
        output_activation="leaky_relu",
        modality_dropout=0,
        **SMALL,
    ).fit(*views)
    module = auto.net_.module_.double()
    to_y, leaky = module.encoders["y"].layers, nn.LeakyReLU()
    b = torch.tanh(to_y[1](torch.tanh(to_y[0](y))))
    code = torch.tanh(module.joint_encoder.layers[0](torch.cat([X, b], 1)))
    inner = module.joint_decoder.layers[0](code)
    from_y = module.decoders["y"].layers
    reconstructed = module(X, y)
    torch.testing.assert_close(reconstructed.x_reconstructed, leaky(inner[:, :6]))
    expected = leaky(from_y[1](torch.tanh(from_y[0](torch.tanh(inner[:, 6:])))))
    torch.testing.assert_close(reconstructed.y_reconstructed, expected)


@torch.no_grad()
def test_either_net_of_the_tied_pair_has_the_layers_of_both_views(views):
    x = torch.from_numpy(views[0])
    module = TiedBidirectionalModule(6, 4, 2, PAIR, "tanh", "leaky_relu", 0.0).double()
    module.reset_parameters(torch.Generator().manual_seed(0))
    centre, out = module.centre, module.decoders["y"].layers
    leaky = nn.LeakyReLU()
    code = torch.tanh(centre["x"](x))
    inner = torch.tanh(code @ centre["y"].weight + module.leaving_biases["y"])
    expected = leaky(out[1](torch.tanh(out[0](inner))))
    torch.testing.assert_close(module(x, x[:, :4]).y_reconstructed, expected)
    back = torch.nn.functional.linear(code, centre["x"].weight.T)
    torch.testing.assert_close(module.decode(code, "x"), leaky(back))


def test_joint_layers_have_no_view(views):
    est = MultimodalAutoencoder(layout="concatenated", hidden_layer_sizes=PAIR, **SMALL)
    with pytest.raises(ValueError, match="layers for both views, got an .x, y"):
        est.fit(*views)


def test_tied_weights_ask_for_a_mirrored_decoder_if_either_view_has_layers(views):
    with pytest.raises(ValueError, match="with hidden layers needs decoder='mirrored'"):
        CorrNet(tied=True, hidden_layer_sizes=PAIR, **SMALL).fit(*views)
    CorrNet(tied=True, hidden_layer_sizes=((), ()), **SMALL).fit(*views)


def test_few_rows_drop_entries_if_either_view_has_layers(views):
    data = PairDataset.from_arrays(*views)
    for sizes, dropped in ((PAIR, 0.2), (PAIR[::-1], 0.2), (((), ()), 0.0)):
        est = DeepCCA(hidden_layer_sizes=sizes)
        assert plan_of(est, data, is_part=False).input_dropout == dropped


def test_pretraining_goes_as_deep_as_each_view(views):
    settings = {"hidden_layer_sizes": PAIR, "lr": 1e-9, **SMALL}
    plain = DeepCCA(**settings).fit(*views)
    trained = DeepCCA(**settings, pretraining_epochs=1).fit(*views)
    # At this rate nothing but pretraining, by so small steps of Adam, moves a weight.
    moved = {
        name
        for (name, a), b in zip(
            trained.net_.module_.named_parameters(),
            plain.net_.module_.parameters(),
            strict=True,
        )
        if not torch.equal(a, b)
    }
    expected = {"encoders.x.layers.0", *(f"encoders.y.layers.{i}" for i in range(3))}
    assert {name.rpartition(".")[0] for name in moved} == expected


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_files_and_checkpoints(estimator, views, tmp_path):
    est = estimator(hidden_layer_sizes=PAIR, **SMALL).fit(*views)
    est.save(tmp_path / "model.skcrl")
    loaded = estimator.load(tmp_path / "model.skcrl")
    assert loaded.hidden_layer_sizes == PAIR
    assert "hidden_layer_sizes=((), (7, 5))" in repr(loaded)
    np.testing.assert_array_equal(loaded.transform(views[0]), est.transform(views[0]))
    path = tmp_path / "training"
    again = clone(est).set_params(checkpoint=path).fit(*views)
    np.testing.assert_array_equal(again.transform(views[0]), est.transform(views[0]))
    with pytest.raises(ValueError, match=r"was \[\[\], \[7, 5\]\] and is \[7, 5\] now"):
        again.set_params(hidden_layer_sizes=(7, 5)).fit(*views)


def test_a_file_of_more_layers_than_weights_is_refused_before_they_are_made(views):
    est = CorrNet(hidden_layer_sizes=PAIR, **SMALL).fit(*views)
    state = est.net_.__getstate__()
    parameters = state["made_with"]["parameters"]
    parameters["module__hidden_layer_sizes"] = ((), (1,) * 10**6)
    with pytest.raises(ValueError, match="has 1000002 module__hidden_layer_sizes but"):
        check_weights(state["made_with"], state["module"])


def test_a_grid_of_both_kinds(views):
    grid = [(4,), PAIR, ((4,), (4,)), ()]
    search = GridSearchCV(
        DeepCCA(**SMALL, tol=0), {"hidden_layer_sizes": grid}, cv=2, error_score="raise"
    ).fit(*views)
    assert list(search.cv_results_["param_hidden_layer_sizes"]) == grid
    assert search.best_params_["hidden_layer_sizes"] in grid
