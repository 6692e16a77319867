"""Gradient maps against closed forms, finite differences and a second way by hand."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from torch import nn

import skcrl.deep._gradient_maps as deep_maps
from skcrl import (
    CorrNet,
    DeepCCA,
    DeepCommonIndividual,
    KernelCCA,
    LinearCCA,
    RoutedView,
    make_view_pipeline,
)
from skcrl._common_individual import CommonIndividual
from skcrl._validation import check_pair
from skcrl.datasets import make_correlated_views
from skcrl.deep._view_modules import LinearCodes
from skcrl.inspection import gradient_map
from skcrl.metrics import common_score, individual_score

K = 3
SMALL = {"max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def views():
    """Far from zero, of unlike units."""
    X, y = make_correlated_views(80, 6, 5, correlations=(0.9, 0.7, 0.5), random_state=0)
    return X * 3 + 100, y * 1e-1 - 1


@pytest.fixture(scope="module")
def images():
    """Images of one channel of 6 x 4 pixels, and codes of them to pair with."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 1, 6, 4))
    return X, X.reshape(60, -1) @ rng.standard_normal((24, 5))


def conv(n_channels=3):
    """Encoder of the images, smooth, with a pooled layer of one pixel at its end."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, n_channels, 3, padding=1),
        nn.BatchNorm2d(n_channels),
        nn.Tanh(),
        nn.Conv2d(n_channels, 4, 3),
        nn.Softplus(),
        nn.Dropout(0.5),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, K),
    )


class LinearParts(CommonIndividual):
    """Codes of either kind by given weights, about the mean of the views."""

    def __init__(self, x_common=None, y_common=None, x_own=None, y_own=None):
        self.x_common = x_common
        self.y_common = y_common
        self.x_own = x_own
        self.y_own = y_own

    def fit(self, X, y):
        check_pair(self, X, y, reset=True)
        self.means_ = {"x": X.mean(0), "y": y.mean(0)}
        self.n_components_ = self.x_common.shape[1]
        self.n_individual_ = self.x_own.shape[1]
        return self

    def _encode(self, view, side):
        return (view - self.means_[side]) @ getattr(self, f"{side}_common")

    def _encode_individual(self, view, side):
        return (view - self.means_[side]) @ getattr(self, f"{side}_own")

    def _as_module(self, side):
        return LinearCodes(self.means_[side], getattr(self, f"{side}_common"))

    def _as_individual_module(self, side):
        return LinearCodes(self.means_[side], getattr(self, f"{side}_own"))

    def _decode(self, codes, side):
        raise NotImplementedError

    def _reconstruct_parts(self, X, y, to, parts):
        raise NotImplementedError


@pytest.fixture
def linear_parts(views, rng):
    widths = {"x_common": 6, "y_common": 5, "x_own": 6, "y_own": 5}
    weights = {name: rng.standard_normal((p, K)) for name, p in widths.items()}
    return LinearParts(**weights).fit(*views)


def proposition_7_1(W1, z1, z2):
    """Eq. 10 of one pair, by the product rule of its proof (eq. 11)."""
    n1, n2 = z1 / np.linalg.norm(z1), z2 / np.linalg.norm(z2)
    of_cosine = W1 @ (np.eye(len(z1)) - np.outer(n1, n1)) @ n2 / np.linalg.norm(z1)
    return of_cosine * (z1 @ z2) + (n1 @ n2) * W1 @ z2


def proposition_7_2(V1, w1, z1, z2):
    Q, _ = np.linalg.qr(np.column_stack([z1, z2]))
    rest = w1 - Q @ (Q.T @ w1)
    return V1 @ rest / np.linalg.norm(rest)


def by_differences(score, view, step=1e-5):
    """Slopes (n, ...) of scores (n,) of the samples of a view, by central ones."""
    slopes = np.empty_like(view)
    for place in np.ndindex(view.shape[1:]):
        at = (slice(None), *place)
        up, down = view.copy(), view.copy()
        up[at] += step
        down[at] -= step
        slopes[at] = (score(up) - score(down)) / (2 * step)
    return slopes


def linear_weights(est, side):
    """Weights from a view to codes, which are linear in it."""
    codes = est.transform if side == "x" else est.transform_y
    p = est.n_features_in_ if side == "x" else est.y_n_features_in_
    return codes(np.eye(p)) - codes(np.zeros((p, p)))


@pytest.mark.parametrize("side", ["x", "y"])
@pytest.mark.parametrize(
    "est",
    [LinearCCA(K, reg=0.1), DeepCCA(K, hidden_layer_sizes=(), **SMALL)],
    ids=["linear", "deep"],
)
def test_linear_common_maps_are_proposition_7_1(views, est, side):
    est.fit(*views)
    own, other = est.transform_pair(*views)[:: 1 if side == "x" else -1]
    W = linear_weights(est, side)
    expected = [proposition_7_1(W, *pair) for pair in zip(own, other, strict=True)]
    maps = gradient_map(est, *views, side=side)
    assert maps.dtype == np.float64
    np.testing.assert_allclose(maps, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("side", ["x", "y"])
def test_linear_individual_maps_are_proposition_7_2(views, linear_parts, side):
    est, own = linear_parts, "xy".index(side)
    codes = est.transform_pair(*views)
    individual = est._encode_individual(views[own], side)
    V = getattr(est, f"{side}_own")
    rows = zip(individual, codes[own], codes[1 - own], strict=True)
    expected = [proposition_7_2(V, *row) for row in rows]
    maps = gradient_map(est, *views, side=side, score="individual")
    np.testing.assert_allclose(maps, expected, rtol=1e-10, atol=1e-10)


def test_limits_of_the_paper():
    """Section 4.1: dark where nothing is common, W W'x where everything is."""
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.standard_normal((6, K)))[0]
    X = rng.standard_normal((40, 6))
    codes = X @ W
    orthogonal = np.cross(codes, rng.standard_normal((40, K)))
    for y, expected in ((orthogonal, np.zeros_like(X)), (codes, codes @ W.T)):
        est = LinearParts(W, np.eye(K), W, np.eye(K)).fit(X, y)
        est.means_ = {"x": np.zeros(6), "y": np.zeros(K)}
        maps = gradient_map(est, X, y, side="x")
        np.testing.assert_allclose(maps, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "poly", "cosine", "chi2"])
@pytest.mark.parametrize("approximation", [None, "nystroem"])
def test_kernel_maps_are_the_slopes_of_transform(kernel, approximation):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 1, (40, 4))
    y = X[:, :3] + rng.uniform(0, 0.1, (40, 3))
    est = KernelCCA(
        2, kernel=(kernel, "rbf"), reg=0.1, approximation=approximation, random_state=0
    ).fit(X, y)
    new, partners = rng.uniform(0.1, 1, (10, 4)), y[:10]
    codes = est.transform_y(partners)
    expected = by_differences(lambda v: common_score(est.transform(v), codes), new)
    maps = gradient_map(est, new, partners, side="x")
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)


def test_random_fourier_maps_are_the_slopes_of_transform(views):
    X, y = views
    est = KernelCCA(2, approximation="rbf_sampler", reg=0.1, random_state=0).fit(X, y)
    codes = est.transform(X)
    expected = by_differences(lambda v: common_score(codes, est.transform_y(v)), y)
    maps = gradient_map(est, X, y, side="y")
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "score", ["common", "cosine of the first"], ids=["common", "callable"]
)
def test_maps_of_a_conv_encoder_are_the_slopes_of_transform(images, score):
    X, y = images
    est = DeepCCA(K, x_encoder=conv(), **SMALL).fit(X, y)
    codes = est.transform_y(y)
    function, truth = "common", common_score
    if score != "common":

        def function(x_codes, y_codes):
            return x_codes[:, 0] * y_codes[:, 1].exp()

        def truth(x_codes, y_codes):
            return x_codes[:, 0] * np.exp(y_codes[:, 1])

    expected = by_differences(lambda v: truth(est.transform(v), codes), X)
    maps = gradient_map(est, X, y, side="x", score=function)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-8)
    times_input = gradient_map(
        est, X, y, side="x", score=function, method="gradient_times_input"
    )
    np.testing.assert_array_equal(times_input, maps * X)


def test_a_score_gets_the_codes_of_x_before_those_of_y(views):
    est = LinearCCA(2).fit(*views)
    x_codes, y_codes = est.transform_pair(*views)
    for side, expected in (
        ("x", np.outer(y_codes[:, 1], linear_weights(est, "x")[:, 0])),
        ("y", np.outer(x_codes[:, 0], linear_weights(est, "y")[:, 1])),
    ):
        maps = gradient_map(
            est, *views, side=side, score=lambda zx, zy: zx[:, 0] * zy[:, 1]
        )
        np.testing.assert_allclose(maps, expected, rtol=1e-10, atol=1e-10)


def extracted(extractor, images):
    with torch.no_grad():
        return deepcopy(extractor).double().eval()(torch.from_numpy(images)).numpy()


@pytest.mark.parametrize("score", ["common", "individual"])
def test_maps_go_through_an_extractor(images, linear_parts, score):
    X, y = images
    extractor = nn.Sequential(*conv()[:-1], nn.Linear(4, 6))
    linear_parts.means_["x"] = np.zeros(6)
    codes = linear_parts.transform_y(y)

    def scores(images):
        view = extracted(extractor, images)
        if score == "common":
            return common_score(linear_parts.transform(view), codes)
        own = linear_parts.transform_individual(view)
        return individual_score(own, common, codes)

    common = linear_parts.transform(extracted(extractor, X))
    maps = gradient_map(linear_parts, X, y, side="x", score=score, extractor=extractor)
    np.testing.assert_allclose(maps, by_differences(scores, X), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("layer", [None, "0"])
def test_grad_cam_is_that_by_hand(images, linear_parts, layer):
    X, y = images
    extractor = nn.Sequential(*conv()[:-1], nn.Linear(4, 6)).double()
    n_before = 6 if layer is None else 1  # Dropout, or the first convolution

    parts = deepcopy(extractor).eval()
    features = parts[:n_before](torch.from_numpy(X)).detach().requires_grad_()
    view = parts[n_before:](features)
    z1 = (view - torch.tensor(linear_parts.means_["x"])) @ torch.tensor(
        linear_parts.x_common
    )
    z2 = torch.from_numpy(linear_parts.transform_y(y))
    dot = (z1 * z2).sum(1)
    (dot**2 / z1.norm(dim=1) / z2.norm(dim=1)).sum().backward()
    alpha = features.grad.mean(dim=(2, 3))
    cam = torch.einsum("nc,nchw->nhw", alpha, features).clamp(min=0).detach()
    size = X.shape[-2:]
    expected = nn.Upsample(size, mode="bilinear")(cam[:, None])[:, 0].numpy()
    assert expected.any()

    options = {"side": "x", "extractor": extractor, "method": "grad_cam"}
    maps = gradient_map(linear_parts, X, y, layer=layer, **options)
    np.testing.assert_allclose(maps, expected, rtol=1e-10, atol=1e-12)


def test_grad_cam_sees_a_layer_before_it_is_changed_in_place(images, linear_parts):
    X, y = images
    extractor, maps = nn.Sequential(*conv()[:-1], nn.Linear(4, 6)), []
    for inplace in (False, True):
        extractor[2] = nn.ReLU(inplace=inplace)
        options = {"side": "x", "extractor": extractor, "method": "grad_cam"}
        maps.append(gradient_map(linear_parts, X, y, layer="1", **options))
    assert maps[0].any()
    np.testing.assert_array_equal(*maps)


def test_grad_cam_at_a_layer_of_the_estimators_own_encoder(images):
    X, y = images
    est = DeepCCA(K, x_encoder=conv(), closing_cca=False, **SMALL).fit(X, y)
    last, named, first = (
        gradient_map(est, X, y, side="x", method="grad_cam", layer=layer)
        for layer in (None, "encoder.5", "encoder.0")
    )
    assert last.shape == (60, 6, 4)
    assert last.any()
    assert (last >= 0).all()
    np.testing.assert_array_equal(last, named)
    assert abs(first - last).max() > 1e-3 * last.max()


def test_integrated_gradients_add_up_to_what_the_score_rises_by(images):
    X, y = images
    est = DeepCCA(K, x_encoder=conv(), **SMALL).fit(X, y)
    codes = est.transform_y(y)

    def rise(baseline):
        scores = [common_score(est.transform(v), codes) for v in (X, baseline)]
        return scores[0] - scores[1]

    mean = X.mean(axis=0)
    for baseline, start in ((None, 0 * X), (mean, 0 * X + mean)):
        maps = gradient_map(
            est, X, y, side="x", method="integrated", baseline=baseline, n_steps=200
        )
        total, expected = maps.sum(axis=(1, 2, 3)), rise(start)
        np.testing.assert_allclose(total, expected, atol=1e-3 * abs(expected).max())


def test_integrated_gradients_of_a_square_are_exact(linear_parts, views):
    """Of z^2 from the mean on: the gradient's mean is half of that at the end."""
    options = {"side": "x", "score": lambda zx, zy: (zx**2).sum(1)}
    X, y = views
    mean = linear_parts.means_["x"]
    whole = gradient_map(linear_parts, X, y, **options) * (X - mean) / 2
    options |= {"method": "integrated", "baseline": mean, "n_steps": 2}
    np.testing.assert_allclose(gradient_map(linear_parts, X, y, **options), whole)


@pytest.mark.parametrize(
    "method", ["gradient", "gradient_times_input", "integrated", "grad_cam"]
)
def test_blocks_and_threads_do_not_matter(images, monkeypatch, method):
    X, y = images
    est = DeepCCA(K, x_encoder=conv(), **SMALL).fit(X, y)

    def maps(_=None):
        return gradient_map(est, X, y, side="x", method=method, n_steps=4)

    expected = maps()
    with ThreadPoolExecutor(2) as pool:
        for made in pool.map(maps, range(4)):
            np.testing.assert_array_equal(made, expected)
    for n_values in (1, 5000):  # one row at a time, and a few
        monkeypatch.setattr(deep_maps, "_KEPT_VALUES", n_values)
        np.testing.assert_allclose(maps(), expected, rtol=1e-9, atol=1e-12)


def test_blocks_are_as_small_as_what_autograd_keeps(images, linear_parts):
    """Wide features count, and weights, which are kept once, do not."""
    X, sizes = images[0], []
    for width in (1, 400):
        extractor = nn.Sequential(
            conv(width)[:3], nn.Flatten(), nn.Linear(24 * width, 6)
        )
        scores = deep_maps.PairScores(linear_parts, "x", "common", extractor, "float32")
        sample = torch.from_numpy(X[:1]).float()
        sizes.append(deep_maps._rows_of_a_block(scores, sample, torch.ones(1, K)))
    assert sizes[0] == deep_maps._BLOCK_ROWS
    kept_by_wide = deep_maps._KEPT_VALUES / sizes[1]
    assert 2 * 24 * 400 < kept_by_wide < 6 * 24 * 400


def test_nothing_of_estimator_and_extractor_changes(images):
    X, y = (v.astype(np.float32) for v in images)
    est = DeepCCA(K, x_encoder=conv(), **SMALL).fit(X, y)
    extractor = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)).train()
    extractor[1].eval()
    extractor[0].weight.grad = torch.ones_like(extractor[0].weight)
    extractor[0].bias.requires_grad_(False)
    modules = extractor, est.net_.module_

    def state():
        parts = [part for module in modules for part in module.modules()]
        held = [p for part in parts for p in part.parameters(recurse=False)]
        return deepcopy(
            [
                [module.state_dict() for module in modules],
                [(p.requires_grad, p.grad) for p in held],
                [(part.training, len(part._forward_hooks)) for part in parts],
            ]
        )

    est.net_.module_.train()
    before, numbers = state(), torch.get_rng_state()
    for method in ("gradient", "integrated", "grad_cam"):
        for view in (X, X.astype(np.float64)):
            with torch.inference_mode():
                maps = gradient_map(
                    est, view, y, side="x", method=method, extractor=extractor
                )
            assert maps.dtype == view.dtype
    torch.testing.assert_close(state(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)


def test_views_of_every_container(views):
    X, y = views
    est = LinearCCA(1).fit(X, y[:, 0])
    maps = gradient_map(est, X, y[:, 0], side="x")
    for view in (pd.DataFrame(X), X.tolist(), torch.from_numpy(X)):
        made = gradient_map(est, view, y[:, 0], side="x")
        np.testing.assert_allclose(made, maps, rtol=1e-12)
    column = gradient_map(est, X, y[:, :1], side="y")
    assert column.shape == (80, 1)
    row = gradient_map(est, X, pd.Series(y[:, 0]), side="y")
    np.testing.assert_array_equal(row, column[:, 0])
    # The other view may be sparse.
    np.testing.assert_allclose(
        gradient_map(est, X, sparse.csr_array(y[:, :1]), side="x"), maps
    )
    with pytest.raises(ValueError, match=r"X is sparse, but its map .* by toarray\(\)"):
        gradient_map(est, sparse.csr_array(X), y[:, 0], side="x")


def test_maps_through_what_stands_for_a_missing_view(views):
    X, y = views
    est = CorrNet(2, hidden_layer_sizes=(4,), activation="tanh", **SMALL).fit(X, y)
    codes = est.transform_y(y)
    expected = by_differences(lambda v: common_score(est.transform(v), codes), X)
    maps = gradient_map(est, X, y, side="x")
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"side": "z"}, "The 'side' parameter of gradient_map must be .* Got 'z'"),
        ({"score": "both"}, "The 'score' parameter of gradient_map"),
        ({"method": "saliency"}, "The 'method' parameter of gradient_map"),
        ({"estimator": LinearCCA(2)}, "not fitted yet"),
        (
            {"score": "individual"},
            "individual' needs an estimator .* LinearCCA has com",
        ),
        ({"y": None}, "gradient_map needs both views, but y is None"),
        ({"y": np.ones((79, 5))}, r"\[80, 79\]. Rows of X and y must be paired"),
        ({"X": np.ones((80, 7))}, "X has 7 features, but LinearCCA is expecting 6"),
        ({"y": np.ones((80, 4))}, "y has 4 features, but LinearCCA is expecting 5"),
        ({"X": ["a word"] * 80}, "X holds strings, but LinearCCA takes numbers"),
        (
            {"method": "grad_cam"},
            r"grad_cam' needs samples with height .* \(80, 6\) as",
        ),
        ({"extractor": nn.Flatten}, "extractor must be a torch.nn.Module or None, got"),
        ({"extractor": nn.Linear(5, 6)}, "extractor does not take arrays of shape .*6"),
        (
            {"extractor": nn.Linear(6, 2)},
            r"extractor must return arrays .*n_samples, 6.*, got \(2, 2\) for 2",
        ),
        (
            {"extractor": nn.Identity(), "X": np.ones((80, 6), int)},
            "X consists of integers, which have no gradient: pass floats",
        ),
        (
            {"extractor": nn.Identity(), "X": np.full((80, 6), np.nan)},
            "Input X contains NaN",
        ),
        ({"score": lambda a, b: a}, r"score must return .* got \(2, 2\) for 2 samples"),
        ({"score": lambda a, b: 1.0}, "score must return .* got float for 2 samples"),
        ({"score": lambda a, b: b.sum(1)}, "The score has no gradient with respect to"),
        (
            {"score": lambda a, b: (0 * a).sum(1) ** 0.5},
            "The map of row 0 is not finite",
        ),
        (
            {"method": "integrated", "baseline": np.zeros(5)},
            r"baseline must have the shape of a sample, \(6,\), got \(5,\)",
        ),
        ({"method": "integrated", "n_steps": 0}, "The 'n_steps' parameter"),
    ],
)
def test_errors(views, options, message):
    X, y = views
    arguments = {"estimator": LinearCCA(2).fit(X, y), "X": X, "y": y, "side": "x"}
    with pytest.raises((ValueError, NotFittedError), match=message):
        gradient_map(**(arguments | options))


def test_errors_of_layers(images):
    X, y = images
    est = DeepCCA(K, x_encoder=conv(), **SMALL).fit(X, y)
    options = {"side": "x", "method": "grad_cam"}
    with pytest.raises(ValueError, match=r"layer='encoder.8' is no .*'encoder.0', 'e"):
        gradient_map(est, X, y, layer="encoder.8", **options)
    est = DeepCCA(K, x_encoder=nn.Sequential(nn.Flatten(), nn.Linear(24, K)), **SMALL)
    with pytest.raises(ValueError, match="no layer gives them.*do: there are none"):
        gradient_map(est.fit(X, y), X, y, **options)


def test_errors_of_estimators_without_modules(views, linear_parts):
    X, y = views
    pipeline = make_view_pipeline(LinearCCA(2), x=StandardScaler()).fit(X, y)
    for est, message in (
        (
            pipeline,
            "ViewPipeline has none. Use its estimator_, and pass views as that",
        ),
        (RoutedView(LinearCCA(2)).fit(X, y), "RoutedView .* Use its representation_"),
        (LinearCCA(2).fit(X, y).view("x"), "View has none. Use its estimator, and"),
        (StandardScaler().fit(X), "StandardScaler has none.$"),
    ):
        with pytest.raises(ValueError, match=message):
            gradient_map(est, X, y, side="x")
    est = KernelCCA(2, kernel=("precomputed", "rbf"), reg=0.1).fit(X @ X.T, y)
    with pytest.raises(ValueError, match="The kernel of X is precomputed"):
        gradient_map(est, X @ X.T, y, side="x")
    linear_parts.n_individual_ = 2
    with pytest.raises(ValueError, match="Got n_individual=2 and n_components=3"):
        gradient_map(linear_parts, X, y, side="x", score="individual")


def test_integers_that_an_encoder_looks_up_have_no_map(views):
    words = np.random.default_rng(0).integers(0, 9, (80, 4))
    encoder = nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(8, 2))
    est = DeepCCA(2, x_encoder=encoder, hidden_layer_sizes=(4,), **SMALL)
    est.fit(words, views[1])
    with pytest.raises(
        ValueError, match="X consists of integers, which x_encoder looks up"
    ):
        gradient_map(est, words, views[1], side="x")
    # Of the other view there is one.
    assert gradient_map(est, words, views[1], side="y").any()


def test_dask_arrays_are_refused(views):
    da = pytest.importorskip("dask.array")
    X, y = views
    est = LinearCCA(2).fit(X, y)
    with pytest.raises(ValueError, match=r"X is a Dask array.*pass compute\(\)"):
        gradient_map(est, da.from_array(X, chunks=(40, 6)), y, side="x")


def test_individual_maps_are_of_individual_layers(images):
    X, y = images
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(X.shape[1], 2, 3, padding=1), nn.Flatten())
    width = conv(torch.zeros(1, *X.shape[1:])).shape[1]
    common = DeepCCA(3, x_encoder=conv.append(nn.Linear(width, 3)), **SMALL)
    options = {"hidden_layer_sizes": (4,), **SMALL}
    est = DeepCommonIndividual(common, **options).fit(X, y)
    asked = {"side": "x", "method": "grad_cam"}
    assert gradient_map(est, X, y, **asked).shape == (len(X), *X.shape[2:])
    with pytest.raises(ValueError, match="Layers that do: there are none"):
        gradient_map(est, X, y, score="individual", **asked)
