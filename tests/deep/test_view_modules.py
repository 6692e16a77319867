"""Views of fitted estimators as modules of torch, exported too."""

import re
from io import BytesIO

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    make_view_pipeline,
)
from skcrl.datasets import make_correlated_views

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
ROWS = torch.export.Dim("rows")
# What torch warns of in itself.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:.*should not be instantiated:DeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def views():
    """Far from zero, of unlike units."""
    X, y = make_correlated_views(100, 6, 5, correlations=(0.95, 0.8), random_state=0)
    return (X * 3 + 100).astype(np.float32), (y * 1e-2 - 1).astype(np.float32)


def conv():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6)),
        nn.Conv1d(1, 4, 3),
        nn.BatchNorm1d(4),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(16, 2),
    )


ESTIMATORS = [
    LinearCCA(2),
    KernelCCA(2, reg=0.1),
    KernelCCA(2, kernel=("laplacian", "poly"), reg=0.1),
    KernelCCA(2, kernel=("sigmoid", "cosine"), approximation="nystroem"),
    KernelCCA(2, approximation="rbf_sampler", random_state=0),
    DeepCCA(2, activation="cube_root", **SMALL),
    DeepCCA(2, x_encoder=conv(), closing_cca=False, **SMALL),
    CCALRanker(2, **SMALL),
    CCALRanker(2, projection="learned", standardize=False, **SMALL),
    CorrNet(2, **SMALL),
    CorrNet(2, combine="post", y_encoder=nn.Linear(5, 2), **SMALL),
    MultimodalAutoencoder(2, **SMALL),
    MultimodalAutoencoder(2, layout="concatenated", **SMALL),
    TiedBidirectional(2, **SMALL),
]


def as_torch_exports(module, rows):
    program = torch.export.export(module, (rows[:4],), dynamic_shapes=({0: ROWS},))
    return program.module()


def as_onnx(module, rows):
    program = torch.onnx.export(
        module, (rows[:4],), dynamo=True, dynamic_shapes=({0: ROWS},), verbose=False
    )
    file = BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue())
    name = session.get_inputs()[0].name
    return lambda rows: torch.from_numpy(session.run(None, {name: rows.numpy()})[0])


def as_compiled(module, rows):
    torch.compiler.reset()
    return torch.compile(module, backend="eager", fullgraph=True, dynamic=True)


def assert_codes(module, view, rows):
    """Of many rows and of one, the module gives those of transform."""
    for part in (rows, rows[:1]):
        codes = module(torch.from_numpy(part)).detach().numpy()
        assert codes.dtype == np.float32
        np.testing.assert_allclose(codes, view.transform(part), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize("est", ESTIMATORS, ids=repr)
def test_modules_give_the_codes_of_transform(views, est, side):
    rows = views["xy".index(side)]
    view = est.fit(*views).view(side)
    module = view.module()
    assert not any(part.training for part in module.modules())
    assert_codes(module, view, rows)


@pytest.mark.parametrize(
    ("form", "est", "side"),
    [
        (as_torch_exports, ESTIMATORS[2], "x"),
        (as_torch_exports, ESTIMATORS[5], "y"),
        (as_torch_exports, ESTIMATORS[6], "x"),
        (as_torch_exports, ESTIMATORS[10], "x"),
        (as_torch_exports, ESTIMATORS[11], "y"),
        (as_compiled, ESTIMATORS[5], "x"),
        (as_compiled, ESTIMATORS[11], "x"),
        (as_onnx, ESTIMATORS[1], "y"),
        (as_onnx, ESTIMATORS[3], "y"),
        (as_onnx, ESTIMATORS[4], "x"),
        (as_onnx, ESTIMATORS[5], "y"),
        (as_onnx, ESTIMATORS[6], "x"),
    ],
)
def test_what_is_made_of_modules_gives_their_codes(views, form, est, side):
    rows = views["xy".index(side)]
    view = est.fit(*views).view(side)
    assert_codes(form(view.module(), torch.from_numpy(rows)), view, rows)


def test_modules_are_on_the_weights_of_their_view(views):
    est = DeepCCA(2, **SMALL).fit(*views)
    view = est.view("x")
    module, before = view.module(), est.transform(views[0])
    with torch.no_grad():
        for weight in module.encoder.parameters():
            weight.mul_(1.5)
    assert abs(view.transform(views[0]) - before).max() > 1e-3
    assert_codes(module, view, views[0])
    np.testing.assert_array_equal(est.transform(views[0]), before)


def test_modules_of_images_and_of_a_column(views):
    X, y = views
    est = DeepCCA(2, x_encoder=nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), **SMALL)
    view = est.fit(X.reshape(-1, 2, 3), y).view("x")
    assert_codes(view.module(), view, X.reshape(-1, 2, 3))
    view = LinearCCA(1).fit(X, y[:, 0]).view("y")
    assert_codes(view.module(), view, y[:, :1])


def test_linear_maps_keep_the_digits_of_large_means(views):
    X, y = views
    view = LinearCCA(2).fit(X + 9000, y).view("x")
    assert_codes(view.module(), view, (X + 9000).astype(np.float32))


def test_views_without_a_module(views):
    view = make_view_pipeline(LinearCCA(2), x=(StandardScaler(),)).fit(*views).view("x")
    assert not hasattr(view, "module")
    with pytest.raises(AttributeError) as error:
        view.module()
    message = "A view of ViewPipeline has no.*take the module of its estimator_"
    assert re.match(message, str(error.value.__cause__))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (
            "precomputed",
            "The kernel of y is precomputed, but a torch module exists only",
        ),
        (np.dot, "The kernel of y is a callable, but .* Use transform"),
    ],
)
def test_kernels_that_torch_does_not_know(views, kernel, message):
    X, y = views
    est = KernelCCA(2, kernel=("linear", kernel), reg=0.1).fit(
        X, y @ y.T if kernel == "precomputed" else y
    )
    with pytest.raises(ValueError, match=message):
        est.view("y").module()
