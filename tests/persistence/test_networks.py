"""Networks of the user's: their weights are in the file, their code is given anew."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from saved_models import X, Y, fitted, network, networks
from torch import nn

from skcrl import CrossViewRetriever, DeepCCA, LinearCCA, ViewPipeline
from skcrl.base import View
from skcrl.compose import RoutedView
from skcrl.persistence import _file
from skcrl.persistence._saved import Saved

DEEP = {"hidden_layer_sizes": (4,), "max_epochs": 1, "batch_size": 60}


class Encoder(nn.Module):
    """With tied weights, transposed ones, buffers of many types and a mask."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.again = nn.Linear(6, 6)
        self.again.weight = self.first.weight
        self.last = nn.Linear(6, 2)
        self.last.weight = nn.Parameter(torch.ones(6, 2).T)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("order", torch.arange(6).flip(0))
        self.register_buffer("kept", torch.ones(6, dtype=torch.bool))
        self.register_buffer("mask", torch.full((6,), -torch.inf))
        self.register_buffer("scale", torch.ones(2, dtype=torch.bfloat16))
        self.register_buffer("empty", torch.ones(0, 3))

    def forward(self, x):
        x = torch.where(self.kept, x[:, self.order], self.mask)
        x = self.again(torch.tanh(self.first(x)))
        return self.norm(self.last(torch.tanh(x))) * self.scale.to(x.dtype)


def own(encoder, **parameters):
    deep = DeepCCA(2, x_encoder=encoder, random_state=0, **{**DEEP, **parameters})
    return deep.fit(X, Y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skcrl"


def test_what_is_given_is_the_parameter_and_is_not_changed(path):
    model = own(network(6, 2))
    model.save(path)
    given = network(6, 2, seed=1)
    before = deepcopy(given.state_dict())
    loaded = DeepCCA.load(path, x_encoder=given)
    assert loaded.get_params()["x_encoder"] is given
    assert loaded.y_encoder is None
    for name, weight in given.state_dict().items():
        assert torch.equal(weight, before[name])
        trained = model.net_.module_.encoders.x.state_dict()[name]
        assert torch.equal(loaded.net_.module_.encoders.x.state_dict()[name], trained)
    # It trains on from the weights of the file, and anew from those that were given.
    loaded.set_params(warm_start=True, max_epochs=2).fit(X, Y)
    assert loaded.n_iter_ == 3
    loaded.set_params(warm_start=False, max_epochs=1).fit(X, Y)
    np.testing.assert_array_equal(
        loaded.transform(X), own(network(6, 2, seed=1)).transform(X)
    )


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_and_buffers_of_any_kind(path, precision):
    model = own(Encoder().to(precision), max_epochs=3)
    model.save(path)
    loaded = DeepCCA.load(path, x_encoder=Encoder())
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    there, here = (m.net_.module_.encoders.x for m in (model, loaded))
    assert here.again.weight is here.first.weight
    assert here.last.weight.stride() == there.last.weight.stride() == (1, 2)
    for name, weight in there.state_dict().items():
        assert weight.dtype == here.state_dict()[name].dtype
        assert torch.equal(weight, here.state_dict()[name])
    assert here.norm.num_batches_tracked == 3


def test_lazy_networks_take_the_shapes_of_the_file(path):
    model = own(nn.LazyLinear(2))
    model.save(path)
    loaded = DeepCCA.load(path, x_encoder=nn.LazyLinear(2))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


@pytest.mark.parametrize("name", ["deep own", "corrnet own", "retriever own"])
def test_the_networks_are_asked_for_by_name(name, path):
    fitted(name).save(path)
    message = (
        r"model.skcrl contains the weights of networks of your own.*load\(path, "
        r"x_encoder=..., y_decoder=...\).*x_encoder was Sequential\( \(0\): Linear\("
        r"in_features=6, out_features=2.*y_decoder was Sequential"
    )
    with pytest.raises(ValueError, match=message):
        type(fitted(name)).load(path)
    with pytest.raises(ValueError, match=r"load\(path, y_decoder=...\)"):
        type(fitted(name)).load(path, x_encoder=network(6, 2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            nn.Linear(6, 3),
            r"x_encoder has float32 of shape \(3, 6\) as 'weight', and the file "
            r"float32 of shape \(2, 6\)",
        ),
        (nn.Linear(6, 2, bias=False), "x_encoder has nothing as 'bias', and the file"),
        (
            nn.Sequential(nn.Linear(6, 2)),
            r"x_encoder has float32 of shape \(2, 6\) as '0.weight', and the file noth",
        ),
        (
            nn.Linear(6, 2, dtype=torch.complex64),
            r"has complex64 of shape \(2, 6\) as 'weight', and the file float32",
        ),
        (nn.Linear, "x_encoder must be an nn.Module .* got <class .*Linear'>"),
        ("conv", "x_encoder must be an nn.Module .* got 'conv'"),
    ],
    ids=str,
)
def test_another_network_is_refused_and_the_first_difference_named(
    given, message, path
):
    own(nn.Linear(6, 2)).save(path)
    with pytest.raises(ValueError, match=f"model.skcrl.*{message}|{message}"):
        DeepCCA.load(path, x_encoder=given)


def test_networks_that_the_file_does_not_ask_for_are_refused(path):
    own(nn.Linear(6, 2)).save(path)
    message = "contains no y_encoder of your own: leave it out.*in this file: x_encoder"
    with pytest.raises(ValueError, match=message):
        DeepCCA.load(path, x_encoder=nn.Linear(6, 2), y_encoder=nn.Linear(4, 2))
    fitted("linear").save(path)
    with pytest.raises(
        ValueError, match="no x_encoder of your own.*in this file: none"
    ):
        LinearCCA.load(path, x_encoder=nn.Linear(6, 2))


def test_a_network_replaced_after_fit_is_not_saved(path):
    model = own(nn.Linear(6, 2))
    encoder = model.x_encoder
    for other in (None, nn.Linear(6, 2)):
        with pytest.raises(ValueError, match="x_encoder of DeepCCA is not the network"):
            model.set_params(x_encoder=other).save(path)
    assert not path.exists()
    model.set_params(x_encoder=encoder).save(path)


def test_the_estimator_may_be_within_another(path):
    model = own(network(6, 2))
    view = model.view("x")
    view.save(path)
    loaded = View.load(path, x_encoder=network(6, 2, 1))
    np.testing.assert_array_equal(loaded.transform(X), view.transform(X))
    routed = RoutedView(DeepCCA(2, y_encoder=nn.Linear(4, 2), random_state=0, **DEEP))
    routed.fit(X, second_view=Y).save(path)
    loaded = RoutedView.load(path, y_encoder=nn.Linear(4, 2))
    np.testing.assert_array_equal(loaded.transform(None, Y), routed.transform(None, Y))


def test_two_estimators_with_networks_of_one_name_are_not_saved(path):
    first = own(nn.Linear(6, 2)).view("x")
    both = ViewPipeline(
        DeepCCA(2, x_encoder=nn.Linear(2, 2), random_state=0, **DEEP), x=first
    )
    with pytest.raises(
        ValueError, match="two estimators with an x_encoder of your own"
    ):
        both.fit(X, Y).save(path)
    # One, however often it is held.
    frozen = CrossViewRetriever(ViewPipeline(LinearCCA(2), x=first)).fit(X, Y)
    frozen.save(path)
    loaded = CrossViewRetriever.load(path, x_encoder=nn.Linear(6, 2))
    np.testing.assert_array_equal(loaded.encode(X), frozen.encode(X))


class Stateful(nn.Linear):
    def get_extra_state(self):
        return {"calls": 3}

    def set_extra_state(self, state):
        raise AssertionError("a file must not reach this")


def test_state_that_is_no_array_is_not_saved(path):
    message = r"encoders.x._extra_state of the network is of <class 'dict'>.*joblib"
    with pytest.raises(ValueError, match=message):
        own(Stateful(6, 2)).save(path)
    own(nn.Linear(6, 2)).save(path)
    with pytest.raises(ValueError, match="has dict of shape .* as '_extra_state'"):
        DeepCCA.load(path, x_encoder=Stateful(6, 2))


def edited(path, edit):
    document, arrays = _file.read(path, "model")
    edit(document["of"]["state"], arrays)
    _file.write(path, "model", document, arrays)


def parameters(state):
    return state["net_"]["of"]["state"]["made_with"]["parameters"]


def weights(state):
    return state["net_"]["of"]["state"]["module"]


def two_nets(state, arrays):
    state["feature_names_in_"] = state["net_"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda state, _: parameters(state).update(
                module__activation=state["x_encoder"]
            ),
            "a Sequential as module__activation",
        ),
        (
            lambda state, _: state["x_encoder"].update(of=["os.system", "ls"]),
            "it holds a network 'os.system'",
        ),
        (
            lambda state, _: state["x_encoder"].update(of=["x_encoder", 3]),
            "it holds a network 'x_encoder'",
        ),
        (
            lambda state, _: state["x_encoder"].update(of=["y_encoder", ""]),
            r"load\(path, y_encoder=...\)",
        ),
        (two_nets, "networks share their weights|two estimators with an x_encoder"),
        (
            lambda state, _: weights(state).update(
                {"encoders.x.1.weight": weights(state)["encoders.x.1.bias"]}
            ),
            "networks share their weights",
        ),
        (
            lambda state, arrays: arrays.update(
                {weights(state)["encoders.x.0.weight"]["of"]: np.ones((10**6, 1))}
            ),
            r"x_encoder has float32 of shape \(2, 6\) as '0.weight', .*\(1000000, 1\)",
        ),
        (
            lambda state, arrays: (
                arrays[weights(state)["encoders.x.0.weight"]["of"]].ravel().fill(np.nan)
            ),
            "its weights 0.weight of x_encoder are not finite",
        ),
        (
            lambda state, _: parameters(state).update(module__x_encoder=None),
            "encoders.x",
        ),
    ],
)
def test_edited_files_are_refused(edit, message, path):
    fitted("deep own").save(path)
    edited(path, edit)
    with pytest.raises(ValueError, match=f"model.skcrl .*({message})"):
        Saved.load(path, **networks("deep own"))


def test_text_of_a_strangers_file_is_printed_without_control_characters(path):
    fitted("deep own").save(path)
    text = "\x1b[2J\u202e" + "x" * 10**6
    edited(path, lambda state, _: state["x_encoder"].update(of=["x_encoder", text]))
    with pytest.raises(ValueError, match=r"x_encoder was \?\[2J\?xxx") as caught:
        DeepCCA.load(path, y_decoder=network(2, 4))
    assert len(str(caught.value)) < 1000
