"""LinearCCA on torch tensors gives what it gives on NumPy arrays, as tensors."""

import numpy as np
import pytest
import sklearn
import torch
from sklearn.utils.estimator_checks import check_array_api_input

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        300, 6, 5, correlations=(0.9, 0.6, 0.3), random_state=0
    )


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sklearn_check_with_values(dtype):
    check_array_api_input(
        "LinearCCA", LinearCCA(), "torch", "cpu", dtype, check_values=True
    )


OUTPUTS = {
    "transform": lambda est, X, y: est.transform(X),
    "transform_y": lambda est, X, y: est.transform_y(y),
    "transform_joint": lambda est, X, y: est.transform_joint(X, y),
    "predict": lambda est, X, y: est.predict(X),
    "reconstruct": lambda est, X, y: est.reconstruct(X, y, to="x"),
    "view": lambda est, X, y: est.view("y").inverse_transform(
        est.view("y").transform(y)
    ),
    "loadings": lambda est, X, y: est.x_loadings_,
    "explained": lambda est, X, y: est.y_explained_variance_ratio_,
}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"reg": 0},
        {"scale": True, "center": False},
        {"shrinkage": "oas"},
        {"shrinkage": "ledoit_wolf"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_numpy(views, parameters, dtype, weighted):
    X, y = (torch.tensor(view, dtype=dtype) for view in views)
    weights = np.arange(300) % 3 if weighted else None
    expected = LinearCCA(3, **parameters).fit(X.numpy(), y.numpy(), weights)
    weights = torch.tensor(weights) if weighted else None
    est = LinearCCA(3, **parameters).fit(X, y, weights)
    tolerance = 1e-10 if dtype is torch.float64 else 1e-5
    for name, output in OUTPUTS.items():
        found = output(est, X, y)
        assert isinstance(found, torch.Tensor), name
        np.testing.assert_allclose(
            found, output(expected, X.numpy(), y.numpy()), atol=tolerance, err_msg=name
        )
    assert est.score(X, y) == pytest.approx(
        expected.score(X.numpy(), y.numpy()), abs=tolerance
    )


def test_gaps(views):
    X, y = (torch.tensor(view) for view in views)
    est = LinearCCA(3).fit(X, y)
    expected = LinearCCA(3).fit(*views)
    X[:5], y[5:9] = np.nan, np.nan
    np.testing.assert_allclose(
        est.reconstruct(X, y), expected.reconstruct(X.numpy(), y.numpy()), atol=1e-10
    )
    for found, full in zip(
        est.impute(X, y), expected.impute(X.numpy(), y.numpy()), strict=True
    ):
        np.testing.assert_allclose(found, full, atol=1e-10)
    assert torch.isnan(X[:5]).all()  # the user's tensors are left alone
    X[20, 0] = np.nan
    with pytest.raises(ValueError, match="partly NaN, the first is row 20"):
        est.reconstruct(X, y)


def test_streams_and_many_columns(views):
    X, y = (torch.tensor(view) for view in views)
    est = LinearCCA(3)
    for rows in (slice(100), slice(100, None)):
        est.partial_fit(X[rows], y[rows])
    expected = LinearCCA(3).fit(*views)
    np.testing.assert_allclose(est.x_weights_, expected.x_weights_, atol=1e-10)
    wide = LinearCCA(2).fit(X[:5].repeat(1, 3), y[:5])
    assert (wide.solver_, wide.rank_) == ("covariance", 2)


def test_what_does_not_go_together(views):
    X, y = (torch.tensor(view) for view in views)
    with pytest.raises(ValueError, match="type Tensor and y of type ndarray: convert"):
        LinearCCA().fit(X, views[1])
    for solver in ("gram", "lanczos"):
        with pytest.raises(ValueError, match=f"{solver}' takes NumPy .*got torch"):
            LinearCCA(solver=solver).fit(X, y)
    fitted = LinearCCA().fit(X, y)
    for call in (fitted.transform, lambda X: fitted.partial_fit(X, views[1])):
        with pytest.raises(
            ValueError, match="fitted to Tensors, but got a ndarray as X"
        ):
            call(views[0])
    with pytest.raises(ValueError, match="fitted to ndarrays, but got a Tensor as y"):
        LinearCCA().fit(*views).transform_y(y)
    with pytest.raises(ValueError, match="type Tensor and y of type ndarray: convert"):
        fitted.transform_joint(X, views[1])


def test_without_dispatch_tensors_become_arrays(views):
    with sklearn.config_context(array_api_dispatch=False):
        est = LinearCCA().fit(*(torch.tensor(view) for view in views))
        assert isinstance(est.transform(torch.tensor(views[0])), np.ndarray)
