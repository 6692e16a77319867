"""Deep estimators on torch tensors give the bits of NumPy arrays, as tensors."""

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_array_api_input
from torch import nn

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import make_correlated_views

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0}
ESTIMATORS = [
    DeepCCA(**SMALL),
    DeepCCA(**SMALL, reconstruction_weight=0.1, pretraining_epochs=1),
    DeepCCA(**SMALL, validation_fraction=0.3, early_stopping=True, monitor="score"),
    CCALRanker(**SMALL),
    CorrNet(**SMALL),
    MultimodalAutoencoder(**SMALL),
    TiedBidirectional(**SMALL),
]


@pytest.fixture(params=ESTIMATORS, ids=repr)
def est(request):
    return clone(request.param)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.9, 0.6), random_state=0)


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


OUTPUTS = {
    "transform": lambda est, X, y: est.transform(X),
    "transform_y": lambda est, X, y: est.transform_y(y),
    "transform_joint": lambda est, X, y: est.transform_joint(X, y),
    "predict": lambda est, X, y: est.predict(X),
    "reconstruct": lambda est, X, y: est.reconstruct(X, y, to="x"),
    "impute": lambda est, X, y: est.impute(X, y)[1],
    "view": lambda est, X, y: est.view("y").inverse_transform(
        est.view("y").transform(y)
    ),
}
FITTED = ["x_mean_", "y_mean_", "x_weights_", "y_weights_", "correlations_"]


def assert_same(est, expected, X, y):
    """What `est` gives for tensors has the bits that `expected` gives for arrays."""
    for name, output in OUTPUTS.items():
        found = output(est, X, y)
        assert isinstance(found, torch.Tensor), name
        assert found.dtype == X.dtype, name
        np.testing.assert_array_equal(
            found, output(expected, X.numpy(), y.numpy()), err_msg=name
        )
    for name in FITTED:
        if hasattr(expected, name):
            found = getattr(est, name)
            assert isinstance(found, torch.Tensor), name
            np.testing.assert_array_equal(found, getattr(expected, name), err_msg=name)
    assert est.score(X, y) == expected.score(X.numpy(), y.numpy())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_same_bits_as_numpy(est, views, dtype):
    X, y = (torch.tensor(view, dtype=dtype) for view in views)
    expected = clone(est).fit(X.numpy(), y.numpy())
    assert_same(est.fit(X, y), expected, X, y)
    if not est.early_stopping:
        expected.partial_fit(X.numpy(), y.numpy())
        assert_same(est.partial_fit(X, y), expected, X, y)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sklearn_check_with_values(est, dtype):
    check_array_api_input(
        type(est).__name__,
        est.set_params(n_components=1),
        "torch",
        "cpu",
        dtype,
        check_values=True,
    )


def test_gaps(est, views):
    X, y = (torch.tensor(view) for view in views)
    X[:5], y[5:9] = np.nan, np.nan
    complete = slice(None) if est._trains_on_unpaired else slice(9, None)
    expected = clone(est).fit(X[complete].numpy(), y[complete].numpy())
    est.fit(X[complete], y[complete])
    for name in ("transform_joint", "reconstruct", "impute"):
        found = OUTPUTS[name](est, X, y)
        assert isinstance(found, torch.Tensor), name
        np.testing.assert_array_equal(
            found, OUTPUTS[name](expected, X.numpy(), y.numpy()), err_msg=name
        )
    assert est.score(X, y) == expected.score(X.numpy(), y.numpy())


def test_training_leaves_tensors_alone_and_codes_take_gradients(est, views):
    X, y = (torch.tensor(view) for view in views)
    codes = est.fit(X, y).transform(X)
    np.testing.assert_array_equal(X, views[0])
    np.testing.assert_array_equal(y, views[1])
    weights = torch.ones(codes.shape[1], dtype=torch.float64, requires_grad=True)
    (codes * weights).sum().backward()  # inference tensors would refuse
    torch.testing.assert_close(weights.grad, codes.sum(0))


def test_images(views):
    encoder = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(4, 2))
    X, y = torch.tensor(views[0]).reshape(-1, 1, 2, 3), torch.tensor(views[1])
    est = DeepCCA(x_encoder=encoder, **SMALL)
    expected = clone(est).fit(X.numpy(), y.numpy())
    assert_same(est.fit(X, y), expected, X, y)


def test_what_comes_in_decides_what_goes_out(est, views):
    # Networks know no library: what was fitted on tensors encodes arrays, too.
    X, y = (torch.tensor(view) for view in views)
    codes = est.fit(X, y).transform(views[0])
    assert isinstance(codes, np.ndarray)
    np.testing.assert_array_equal(codes, est.transform(X))
    other = clone(est).fit(*views)
    np.testing.assert_array_equal(other.transform(X), codes)
    assert isinstance(other.transform(X), torch.Tensor)


def test_one_dimensional_y(views):
    X, y = torch.tensor(views[0]), torch.tensor(views[1][:, 0])
    assert CorrNet(1, **SMALL).fit(X, y).predict(X).shape == (100,)


def test_cross_validation(views):
    est = DeepCCA(**SMALL)
    scores = cross_val_score(est, *(torch.tensor(view) for view in views), cv=3)
    np.testing.assert_array_equal(scores, cross_val_score(est, *views, cv=3))


def test_bad_input_is_named_and_changes_nothing(est, views):
    X, y = (torch.tensor(view) for view in views)
    codes = est.fit(X, y).transform(X)
    holed = X.clone()
    holed[3, 1] = np.nan
    for bad, message in (
        ((X, views[1]), "type Tensor and y of type ndarray: convert"),
        ((views[0], y), "type ndarray and y of type Tensor: convert"),
        ((X, y[:-1]), "must be paired"),
        ((holed, y), "NaN"),
        ((X, y * 1e39), "y has values beyond .* scale it down"),
        ((X, None), "y is the second view"),
    ):
        with pytest.raises(ValueError, match=message):
            est.fit(*bad)
        np.testing.assert_array_equal(est.transform(X), codes)
    with pytest.raises(ValueError, match="type Tensor and y of type ndarray: convert"):
        est.reconstruct(X, views[1])


def test_without_dispatch_tensors_become_arrays(est, views):
    expected = clone(est).fit(*views).transform(views[0])
    with sklearn.config_context(array_api_dispatch=False):
        est.fit(*(torch.tensor(view) for view in views))
        codes = est.transform(torch.tensor(views[0]))
    assert isinstance(codes, np.ndarray)
    np.testing.assert_array_equal(codes, expected)
    for name in FITTED:
        assert not isinstance(getattr(est, name, None), torch.Tensor)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tensors_on_a_cuda_device(est, views):
    X, y = (torch.tensor(view, device="cuda") for view in views)
    est.set_params(device="cuda").fit(X, y)
    for name, output in OUTPUTS.items():
        assert output(est, X, y).device == X.device, name
