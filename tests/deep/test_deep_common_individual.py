"""Common and individual codes, and penalties on gradients of their scores."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from torch import nn
from torch.autograd import gradcheck
from torch.utils.data import TensorDataset

from skcrl import (
    CorrNet,
    DeepCCA,
    DeepCommonIndividual,
    KernelCCA,
    LinearCCA,
    ViewPipeline,
)
from skcrl._moments import moments
from skcrl.datasets import load_digits_halves, make_correlated_views
from skcrl.deep._common_part import FrozenCommon
from skcrl.deep._gradient_penalty import (
    CommonScore,
    GradientPenalty,
    IndividualScore,
)
from skcrl.deep._residual import Residual
from skcrl.deep._units import Units
from skcrl.deep.losses import OBJECTIVES, individual
from skcrl.deep.modules import IndividualOutput, TwoBranch, compared

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 3, "random_state": 0}
LINEAR = {
    "hidden_layer_sizes": (),
    "optimizer": "lbfgs",
    "lr": 1.0,
    "tol": 1e-6,
    "max_epochs": 60,
    "random_state": 0,
}
# A net that rests says so by going on no further.
pytestmark = pytest.mark.filterwarnings("ignore:Training of .* ended after")


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(120, 6, 5, correlations=(0.9, 0.8), random_state=0)


class Batch(dict):
    """Views of a batch without weights."""

    about: dict = {}  # noqa: RUF012


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def planted(seed, n=22_000):
    """Views x = A c + B i without noise, and B of both."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 2))
    views, spans = [], []
    for p in (10, 8):
        maps = np.linalg.qr(rng.standard_normal((p, 4)))[0].T
        own = rng.standard_normal((n, 2))
        views.append(common @ maps[:2] + own @ maps[2:])
        spans.append(maps[2:].T)
    return views, spans


def share(view, reconstructed):
    return ((view - reconstructed) ** 2).sum() / (view**2).sum()


def largest_correlation(a, b):
    return abs(np.corrcoef(a.T, b.T)[: a.shape[1], a.shape[1] :]).max()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "common",
    [
        LinearCCA(2),
        DeepCCA(2, **LINEAR, reg=1e-6, input_dropout=0),
    ],
    ids=["linear", "deep"],
)
def test_planted_parts_are_found(common, seed):
    (X, y), spans = planted(seed)
    train, test = slice(0, 2000), slice(2000, None)
    est = DeepCommonIndividual(common, **LINEAR).fit(X[train], y[train])
    X, y = X[test], y[test]
    own = est.transform_individual(X), est.transform_individual_y(y)
    assert largest_correlation(*own) < 0.05
    cca = LinearCCA(2, reg=0).fit(*planted(seed)[0])
    for side, view, codes, span in zip("xy", (X, y), own, spans, strict=True):
        encoded = est.transform(X) if side == "x" else est.transform_y(y)
        assert largest_correlation(encoded, codes) < 0.05
        other = cca.transform(X) if side == "x" else cca.transform_y(y)
        assert (
            subspace_angles(encoded - encoded.mean(0), other - other.mean(0)).max()
            < 1e-2
        )
        error, parts = {}, {}
        for part in ("common", "individual", "all"):
            parts[part] = est.reconstruct(X, y, to=side, parts=part)
            error[part] = share(view, parts[part])
        assert error["all"] < 1e-3 < error["common"]
        rows = parts["individual"] - parts["individual"].mean(0)
        found = np.linalg.svd(rows, full_matrices=False)[2][:2].T
        assert subspace_angles(found, span).max() < 1e-2
        # What the common part tells is told without the other view as well.
        crossed = est.reconstruct(
            **{"y" if side == "x" else "X": y if side == "x" else X}, to=side
        )
        np.testing.assert_allclose(crossed, parts["common"], atol=1e-2)


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3, 2, 1, 1, 2])])
def test_loss_is_the_equation_and_its_gradient(weights):
    x, y = randn(6, 4), randn(6, 3, seed=1)
    given = [randn(6, k, seed=seed) for seed, k in enumerate((2, 2, 3, 3, 4, 3))]
    rows = np.repeat(np.arange(6), 1 if weights is None else weights.int())
    expected = 0.0
    for i, view in enumerate((x, y)):
        z, w, reconstructed = (given[j].numpy()[rows] for j in (i, 2 + i, 4 + i))
        of_row = ((view.numpy()[rows] - reconstructed) ** 2).sum(1)
        z, w = ((a - a.mean(0)) / a.std(0) for a in (z, w))
        expected += of_row.mean() + 7 * ((z.T @ w / len(z)) ** 2).sum()

    def loss(*outputs):
        of = IndividualOutput(*outputs)
        return individual(compared(of, x=x, y=y), weights, decorrelation_weight=7.0)

    assert loss(*given).item() == pytest.approx(expected, rel=1e-6)
    assert gradcheck(loss, [g.requires_grad_() for g in given])


def test_individual_codes_are_what_common_ones_do_not_tell(rng):
    z, noise = rng.standard_normal((2, 200, 3))
    w = np.column_stack([z[:, 0] + noise[:, 0] + 5, z[:, 1], np.full(200, 2.0)])
    residual = Residual.fit(moments(z, w))
    codes = residual.codes(w, z)
    beside = np.column_stack([np.ones(200), z])
    left = w[:, 0] - beside @ np.linalg.lstsq(beside, w[:, 0])[0]
    np.testing.assert_allclose(codes[:, 0], left / left.std(ddof=1), atol=1e-10)
    np.testing.assert_allclose(codes[:, 1:], 0, atol=1e-6)  # nothing of their own


def test_common_part_is_fitted_first_and_stays(views):
    X, y = views
    common = DeepCCA(2, **SMALL)
    alone = clone(common).fit(X, y)
    est = DeepCommonIndividual(common, **SMALL).fit(X, y)
    np.testing.assert_array_equal(est.transform(X), alone.transform(X))
    assert est.score(X, y) == alone.score(X, y)
    assert not hasattr(common, "net_")
    frozen = DeepCommonIndividual(FrozenEstimator(alone), **SMALL).fit(X, y)
    assert frozen.common_ is alone
    np.testing.assert_array_equal(
        frozen.transform_individual(X), est.transform_individual(X)
    )
    first = est.transform_individual(X)
    est.set_params(warm_start=True).fit(X, y)
    assert est.n_iter_ == 6
    np.testing.assert_array_equal(est.transform(X), alone.transform(X))
    assert abs(est.transform_individual(X) - first).max() > 1e-3


@pytest.mark.parametrize(
    "common", [LinearCCA(2), KernelCCA(2, gamma=0.1), DeepCCA(2, **SMALL)], ids=repr
)
def test_columns_far_from_zero(common, views):
    X, y = views
    offset = np.array([1e6, 0, -1e5, 0, 1e3, 0])
    est = DeepCommonIndividual(common, **SMALL).fit(X, y)
    moved = DeepCommonIndividual(common, **SMALL).fit(X + offset, y)
    codes = est.transform_individual(X)
    np.testing.assert_allclose(moved.transform_individual(X + offset), codes, atol=2e-4)
    np.testing.assert_allclose(
        moved.reconstruct(X + offset, to="x") - offset,
        est.reconstruct(X, to="x"),
        atol=1e-3,
    )


def test_common_part_of_other_units(views):
    # Fitted to other rows, it standardises otherwise than the individual part does.
    X, y = views
    frozen = DeepCCA(2, **SMALL).fit(3 * X + 1e4, y - 5)
    est = DeepCommonIndividual(FrozenEstimator(frozen), **SMALL)
    est.fit(X + 1e4, y)
    codes = frozen.transform(X + 1e4), frozen.transform_y(y)
    np.testing.assert_array_equal(est.transform_pair(X + 1e4, y), codes)
    seen = est.view("x").module()(torch.from_numpy(X + 1e4)[:5].float())
    np.testing.assert_allclose(seen.detach(), codes[0][:5], atol=1e-2)
    # In training it saw the codes that the individual ones are uncorrelated with.
    own = est.transform_individual(X + 1e4)
    assert largest_correlation(codes[0], own) < 1e-5


def test_parts_of_a_batch_and_data_sets_train_the_same(views):
    X, y = (view.astype(np.float32) for view in views)
    est = DeepCommonIndividual(DeepCCA(2, **SMALL), **SMALL, batch_size=60)
    codes = est.fit(X, y).transform_individual(X)
    by_parts = clone(est).set_params(micro_batch_size=25).fit(X, y)
    np.testing.assert_allclose(by_parts.transform_individual(X), codes, atol=1e-4)
    dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    of_dataset = clone(est).fit(dataset)
    np.testing.assert_array_equal(of_dataset.transform_individual(X), codes)


def test_whole_weights_are_repeated_rows(views):
    X, y = views
    weights = np.arange(len(X)) % 3
    rows = np.repeat(np.arange(len(X)), weights)
    options = {**SMALL, "optimizer": "sgd", "batch_size": 1000}
    est = DeepCommonIndividual(LinearCCA(2), **options)
    weighted = clone(est).fit(X, y, sample_weight=weights)
    repeated = clone(est).fit(X[rows], y[rows])
    np.testing.assert_allclose(
        weighted.transform_individual(X), repeated.transform_individual(X), atol=1e-3
    )


def test_a_training_goes_on_from_its_file(views, tmp_path):
    X, y = views
    est = DeepCommonIndividual(DeepCCA(2, **SMALL), **SMALL)
    codes = clone(est).fit(X, y).transform_individual(X)
    path = str(tmp_path / "training")

    class Stop(Exception):
        pass

    calls = []

    def interrupt(x, y, generator):
        calls.append(1)
        if len(calls) == 2:
            raise Stop
        return x, y

    kept = clone(est).set_params(checkpoint=path, augment=interrupt)
    with pytest.raises(Stop):
        kept.fit(X, y)
    assert not hasattr(kept, "common_")
    kept.fit(X, y)
    plain = clone(est).set_params(augment=interrupt).fit(X, y)
    np.testing.assert_array_equal(
        kept.transform_individual(X), plain.transform_individual(X)
    )
    np.testing.assert_allclose(plain.transform_individual(X), codes, atol=1e-4)


def test_images_go_through_nets_of_the_user_or_are_flattened():
    left, right, _ = load_digits_halves()
    images = left[:200].reshape(-1, 1, 8, 4).astype(np.float32) / 16
    torch.manual_seed(0)

    def conv():
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3)
        )

    common = DeepCCA(3, x_encoder=conv(), **SMALL)
    est = DeepCommonIndividual(common, x_encoder=conv(), **SMALL)
    est.fit(images, right[:200])
    assert est.reconstruct(images, to="x").shape == images.shape
    flat = DeepCommonIndividual(common, **SMALL).fit(images, right[:200])
    reconstructed = flat.reconstruct(y=right[:200], to="x", parts="common")
    assert reconstructed.shape == images.shape
    module = est._as_individual_module("x").float()
    np.testing.assert_allclose(
        module(torch.from_numpy(images)).detach(),
        est.transform_individual(images),
        atol=1e-4,
    )


def test_joint_training_trains_both(views):
    X, y = views
    common = DeepCCA(2, objective="correlation_gap", closing_cca=False, **SMALL)
    est = DeepCommonIndividual(common, joint=True, **SMALL).fit(X, y)
    again = clone(est).fit(X, y)
    np.testing.assert_array_equal(est.transform_pair(X, y), again.transform_pair(X, y))
    np.testing.assert_allclose(est.transform(X).std(axis=0, ddof=1), 1, rtol=1e-4)
    assert largest_correlation(est.transform(X), est.transform_individual(X)) < 1e-4
    # The decoder was trained on outputs that codes are projections of.
    reconstructed = est.reconstruct(X, to="x")
    net, own = est.net_, est.common_.net_
    outputs = own.evaluate("encode", X, side="x"), net.evaluate("encode", X, side="x")
    expected = net.evaluate("decode", np.hstack(outputs), side="x")
    np.testing.assert_allclose(reconstructed, expected, atol=1e-5)
    alone = clone(common).fit(X, y)
    assert abs(alone.transform(X) - est.transform(X)).max() > 1e-2


def test_penalty_of_one_component_is_that_of_regression(rng):
    # Section 7.1.1: the gradient is a_i w, and its norms are |a_i| times those of w.
    n, (l1, l2) = 50, (0.3, 0.7)
    net = TwoBranch((4, 1), (3, 1), "relu").double()
    net.reset_parameters(torch.Generator().manual_seed(0))
    x, y = randn(n, 4).requires_grad_(), randn(n, 3, seed=1).requires_grad_()

    found = GradientPenalty((l1, l2), CommonScore())(net(x, y), Batch(x=x, y=y))
    expected = 0.0
    codes = [
        (code - code.mean()) / code.std(ddof=0)
        for code in (c.detach().numpy() for c in net(x, y)[:2])
    ]
    for side, own, other in (("x", *codes), ("y", *codes[::-1])):
        w = net.encoders[side].layers[0].weight.detach().numpy().ravel()
        w = w / net(x, y)._asdict()[f"{side}_code"].detach().numpy().std()
        # s = |z1 z2| for single components.
        a = np.abs(other) * np.sign(own)
        expected += np.mean(np.abs(a) * l1 * np.abs(w).sum() + a**2 * l2 * (w**2).sum())
    assert found.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("activation", ["relu", "cube_root", "elu", "tanh"])
def test_penalty_has_the_gradient_that_differences_have(activation):
    net = TwoBranch((3, 5, 3), (3, 5, 3), activation).double()
    net.reset_parameters(torch.Generator().manual_seed(0))
    x, y, own = randn(7, 3), randn(7, 3, seed=1), randn(7, 3, seed=2)

    def penalty(weight):
        state = {"encoders.x.layers.0.weight": weight}
        views = {side: v.clone().requires_grad_() for side, v in (("x", x), ("y", y))}
        outputs = torch.func.functional_call(net, state, tuple(views.values()))
        of_common = GradientPenalty((0.1, 0.2), CommonScore())(outputs, Batch(views))
        both = IndividualOutput(own, own.flip(0), *outputs[:2], None, None)
        return of_common + GradientPenalty((0.1, 0.2), IndividualScore())(
            both, Batch(views)
        )

    weight = net.encoders["x"].layers[0].weight.detach().clone().requires_grad_()
    assert gradcheck(penalty, weight)


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_every_objective_takes_a_penalty(objective, views):
    options = {**SMALL, "objective": objective, "input_dropout": 0.0}
    gradient = {}
    for penalty in (None, (0.5, 0.5)):
        est = DeepCCA(3, gradient_penalty=penalty, **options).fit(*views)
        rows = [torch.from_numpy(v).float().requires_grad_() for v in views]
        outputs = est.net_.module_(*rows)
        found = GradientPenalty((1.0, 1.0), CommonScore())(
            outputs, Batch(x=rows[0], y=rows[1])
        )
        gradient[penalty] = found.item()
    assert gradient[0.5, 0.5] < gradient[None]


def test_elastic_net_drops_noise_and_keeps_duplicates_together(rng):
    n = 100
    signal = rng.standard_normal(n)
    X = np.column_stack([signal, signal, rng.standard_normal((n, 6))])
    y = signal[:, None] + 0.3 * rng.standard_normal((n, 1))
    options = {
        "hidden_layer_sizes": (),
        "objective": "correlation_gap",
        "max_epochs": 200,
        "lr_schedule": "one_cycle",
        "lr": 0.1,
        "batch_size": 100,
        "random_state": 1,
    }

    def weights(penalty):
        est = DeepCCA(1, gradient_penalty=penalty, **options).fit(X, y)
        w = est.net_.module_.encoders["x"].layers[0].weight.detach().abs().numpy()[0]
        return w / w.max()

    plain, lasso, elastic = weights(None), weights((0.1, 0)), weights((0.1, 0.2))
    assert max(lasso[2:].max(), elastic[2:].max()) < 1e-3 < 0.02 < plain[2:].max()
    # Of two equal columns the lasso leaves either as heavy as it was.
    assert elastic[:2].min() > 0.5 > 0.3 > max(lasso[:2].min(), plain[:2].min())


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        (
            {"common": FrozenEstimator(nn.Linear(1, 1))},
            "two-view estimator, got a Frozen",
        ),
        (
            {"common": ViewPipeline(LinearCCA(2))},
            "put DeepCommonIndividual inside the ViewPipeline",
        ),
        ({"common": LinearCCA(2), "joint": True}, "joint=True needs a DeepCCA"),
        (
            {
                "common": DeepCCA(2),
                "joint": True,
                "warm_start": False,
                "checkpoint": "f",
            },
            "checkpoint=None or joint=False",
        ),
        ({"gradient_penalty": (1, 2, 3)}, r"must be a pair \(l1, l2\)"),
        ({"gradient_penalty": (1, -1)}, r"must be a pair \(l1, l2\)"),
        ({"gradient_penalty": (1, 1), "n_individual": 1}, "must be equal"),
        ({"gradient_penalty": (1, 1), "micro_batch_size": 9}, "micro_batch_size=9"),
        ({"gradient_penalty": (1, 1), "compile": True}, "compile=True"),
        ({"y_decoder": nn.Linear(6, 4)}, "y_decoder must return arrays of shape"),
    ],
)
def test_what_cannot_be_trained_is_refused(parameters, match, views):
    est = DeepCommonIndividual(**{**SMALL, "common": LinearCCA(3), **parameters})
    before = vars(est).copy()
    with pytest.raises(ValueError, match=match):
        est.fit(*views)
    assert vars(est) == before


def test_partial_fit_fits_the_common_part_once(views):
    X, y = views
    est = DeepCommonIndividual(LinearCCA(2), **SMALL)
    est.partial_fit(X, y)
    codes = est.transform(X)
    np.testing.assert_array_equal(codes, LinearCCA(2).fit(X, y).transform(X))
    est.partial_fit(X[:50] + 1, y[:50])
    np.testing.assert_array_equal(est.transform(X), codes)
    with pytest.raises(ValueError, match="joint=True trains both parts"):
        DeepCommonIndividual(joint=True).partial_fit(X, y)


def test_scores_of_samples(views):
    X, y = views
    est = DeepCommonIndividual(LinearCCA(2), **SMALL).fit(X, y)
    zx, zy = est.transform_pair(X, y)
    dot = (zx * zy).sum(1)
    cosine = dot / np.linalg.norm(zx, axis=1) / np.linalg.norm(zy, axis=1)
    np.testing.assert_allclose(est.common_score(X, y), cosine * dot, atol=1e-10)
    with pytest.raises(ValueError, match="3 components"):
        est.individual_score(X, y)
    with pytest.raises(ValueError, match="n_individual=4 and n_components=3"):
        DeepCommonIndividual(LinearCCA(3), n_individual=4, **SMALL).fit(
            X, y
        ).individual_score(X, y)
    wider = DeepCommonIndividual(LinearCCA(4), **SMALL).fit(X, y)
    pair = wider.transform_pair(X, y)
    for side, w in (
        ("x", wider.transform_individual(X)),
        ("y", wider.transform_individual_y(y)),
    ):
        basis = [np.linalg.qr(np.column_stack(z))[0] for z in zip(*pair, strict=True)]
        expected = [
            np.linalg.norm(row - q @ (q.T @ row))
            for row, q in zip(w, basis, strict=True)
        ]
        found = wider.individual_score(X, y, side=side)
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_training_on_other_common_codes_is_not_gone_on_with(views, tmp_path):
    X, y = views
    est = DeepCommonIndividual(
        DeepCCA(2, **{**SMALL, "random_state": None}),
        **{**SMALL, "max_epochs": 2},
        checkpoint=str(tmp_path / "training"),
    )
    est.fit(X, y)
    with pytest.raises(ValueError, match="common codes of x was .* and is .* now"):
        est.fit(X, y)


def test_warm_start_goes_on_with_the_same_common_part_only(views):
    est = DeepCommonIndividual(LinearCCA(2), warm_start=True, **SMALL).fit(*views)
    est.set_params(common=LinearCCA(3))
    with pytest.raises(ValueError, match="only with the same common part"):
        est.fit(*views)


def test_weights_of_a_penalty_count_rows():
    net = TwoBranch((4, 5, 3), (3, 5, 3), "tanh")
    net.reset_parameters(torch.Generator().manual_seed(0))
    counts = torch.tensor([1.0, 2, 3, 1, 1, 2, 1, 1], dtype=torch.float64)
    found = []
    for rows, weights in (
        (torch.arange(8), counts),
        (torch.arange(8).repeat_interleave(counts.int()), None),
    ):
        views = (randn(8, 4), randn(8, 3, seed=1))
        x, y = (view[rows].float().requires_grad_() for view in views)
        batch = Batch(x=x, y=y)
        batch.about = {} if weights is None else {"weights": weights}
        penalty = GradientPenalty((0.3, 0.2), CommonScore())(net(x, y), batch)
        found.append(penalty.item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_an_encoder_without_a_gradient_is_named(views):
    class Detached(nn.Linear):
        def forward(self, view):
            return super().forward(view.detach())

    est = DeepCCA(3, x_encoder=Detached(6, 3), gradient_penalty=(0.1, 0), **SMALL)
    with pytest.raises(ValueError, match="x_encoder gives none"):
        est.fit(*views)


def test_collinear_codes_in_float32():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((300, 2)).astype(np.float32)
    y = (X + 0.3 * rng.standard_normal((300, 2))).astype(np.float32)
    common = DeepCCA(
        3,
        hidden_layer_sizes=(),
        objective="correlation_gap",
        closing_cca=False,
        max_epochs=3,
        random_state=2,
    )
    est = DeepCommonIndividual(common, **SMALL).fit(X, y)
    assert abs(est.reconstruct(X, to="y")).max() < 3 * abs(y).max()
    assert largest_correlation(est.transform(X), est.transform_individual(X)) < 1e-4


@pytest.mark.parametrize(
    "common",
    [
        DeepCCA(3, **SMALL),
        CorrNet(3, **SMALL),
        KernelCCA(3, gamma=0.1),
        DeepCommonIndividual(LinearCCA(3), **SMALL),
    ],
    ids=lambda est: type(est).__name__,
)
def test_training_sees_the_codes_of_transform(common, views):
    X, y = views
    fitted = clone(common).fit(X, y)
    units = {"x": Units.of(X + 2), "y": Units.of(3 * y)}
    rows = [
        torch.from_numpy(units[side].standardised(view)).float()
        for side, view in (("x", X), ("y", y))
    ]
    seen = FrozenCommon(fitted, units, "cpu").by_rows(*rows)
    for found, expected in zip(seen, fitted.transform_pair(X, y), strict=False):
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_joint_training_takes_what_the_common_part_asks_for(views):
    X = views[0]
    y = X[:, :1] @ np.array([[1.0, -2.0]])  # of rank one
    common = DeepCCA(2, hidden_layer_sizes=(), reg=0.1, input_dropout=0.3)
    est = DeepCommonIndividual(common, joint=True, **SMALL).fit(X, y)
    assert est.common_.net_.module_.corruption["x"].share == 0.3
    assert est.net_.batch_size == common._batch_rows(len(X))
    # Codes past the rank are 0, and what a decoder takes is not.
    own, net = est.common_.net_, est.net_
    inputs = [n.evaluate("encode", y, side="y") for n in (own, net)]
    expected = net.evaluate("decode", np.hstack(inputs), side="y")
    np.testing.assert_allclose(est.reconstruct(y=y, to="y"), expected, atol=1e-6)
    for parameter in ({"gradient_penalty": (1, 1)}, {"pretraining_epochs": 2}):
        asked = clone(common).set_params(**parameter)
        with pytest.raises(ValueError, match="joint=True needs a DeepCCA as common"):
            DeepCommonIndividual(asked, joint=True, **SMALL).fit(X, y)
