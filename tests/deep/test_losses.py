"""Objectives against closed forms, with gradients checked."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm, subspace_angles
from torch.autograd import gradcheck
from torch.nn.functional import mse_loss

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.deep import losses
from skcrl.deep.losses import (
    OBJECTIVES,
    correlation_gap,
    corrnet,
    infonce,
    noi,
    pairwise_ranking,
    reconstruction,
    soft_cca,
    trace_norm,
    with_reconstruction,
)
from skcrl.deep.modules import (
    CodeMoments,
    CorrNetOutput,
    ReconstructedViews,
    RunningMoments,
    TwoBranch,
    TwoBranchOutput,
    compared,
)
from skcrl.metrics import refitted_canonical_total

HYPER = {
    "trace_norm": {"reg": 1e-4},
    "correlation_gap": {"decorrelation_weight": 0.7},
    "soft": {"decorrelation_weight": 0.7},
    "noi": {"reg": 1e-4},
}


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def total(zx, zy, reg=1e-4):
    return trace_norm(TwoBranchOutput(zx, zy), reg=reg)


def objective(name, zx, zy):
    """Loss of codes, by a module that hands them through."""
    net = (
        TwoBranch(zx.shape[1:], zy.shape[1:], "relu", running=OBJECTIVES[name].running)
        .eval()
        .double()
    )
    return OBJECTIVES[name].function(net(zx, zy), **HYPER[name])


def standardised(z):
    return (z - z.mean(0)) / z.std(0)


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def moments(seed):
    root = randn(4, 4, seed=seed)
    return CodeMoments(randn(4, seed=seed + 1), root @ root.T)


def test_trace_norm_is_the_total_canonical_correlation():
    zx = randn(50, 4)
    zy = zx @ randn(4, 3, seed=1) + randn(50, 3, seed=2)
    expected = -refitted_canonical_total(zx, zy)
    assert total(zx, zy, reg=1e-12).item() == pytest.approx(expected, abs=1e-9)


def test_trace_norm_ignores_an_invertible_mixing():
    zx, zy = randn(50, 4), randn(50, 4, seed=1)
    mixed = total(zx @ randn(4, 4, seed=2), zy @ randn(4, 4, seed=3), reg=1e-12)
    assert mixed.item() == pytest.approx(total(zx, zy, reg=1e-12).item(), abs=1e-8)


@pytest.mark.parametrize(("kind", "power"), [("squared", 2), ("linear", 1)])
def test_correlation_gap_is_its_equation(kind, power):
    a, b = randn(30, 4), randn(30, 4, seed=1)
    loss = correlation_gap(TwoBranchOutput(a, b), decorrelation_weight=0.3, gap=kind)
    za, zb = standardised(a.numpy()), standardised(b.numpy())
    gap = np.sum((1 - np.diag(za.T @ zb / 30)) ** power)
    within = sum(np.sum(off_diagonal(z.T @ z / 30) ** 2) for z in (za, zb))
    assert loss.item() == pytest.approx(gap + 0.3 * within, abs=1e-6)


def test_linear_gap_has_the_gradient_of_the_maximised_sum():
    a, b = randn(30, 4).requires_grad_(), randn(30, 4, seed=1)
    loss = correlation_gap(
        TwoBranchOutput(a, b), decorrelation_weight=0.0, gap="linear"
    )
    pairs = zip(a.T, b.T, strict=True)
    total = sum(torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs)
    (got,) = torch.autograd.grad(loss, a)
    (of_sum,) = torch.autograd.grad(total, a)
    torch.testing.assert_close(got, -of_sum, rtol=1e-5, atol=1e-8)


def test_soft_cca_is_its_equation():
    a, b, x_running, y_running = (
        randn(30, 4),
        randn(30, 4, seed=1),
        moments(2),
        moments(4),
    )
    outputs = TwoBranchOutput(a, b, x_running=x_running, y_running=y_running)
    loss = soft_cca(outputs, decorrelation_weight=0.3)
    distance = np.sum((standardised(a.numpy()) - standardised(b.numpy())) ** 2) / 30
    decorrelation = sum(
        np.abs(off_diagonal(running.covariance.numpy())).sum()
        for running in (x_running, y_running)
    )
    assert loss.item() == pytest.approx(distance + 0.3 * decorrelation, abs=1e-6)


def test_noi_is_its_equation_and_holds_targets_fixed():
    a, b, x_running, y_running = (
        randn(30, 4),
        randn(30, 4, seed=1),
        moments(2),
        moments(4),
    )
    a.requires_grad_()
    outputs = TwoBranchOutput(a, b, x_running=x_running, y_running=y_running)
    loss = noi(outputs, reg=0.1)
    f, g = a.detach().numpy(), b.numpy()
    f_white, g_white = (
        (z - mean) @ np.linalg.inv(sqrtm(cov + 0.1 * np.trace(cov) / 4 * np.eye(4)))
        for z, mean, cov in (
            (f, x_running.mean.numpy(), x_running.covariance.numpy()),
            (g, y_running.mean.numpy(), y_running.covariance.numpy()),
        )
    )
    distances = np.sum((f - g_white) ** 2) + np.sum((g - f_white) ** 2)
    lengths = np.sum(f_white**2) + np.sum(g_white**2)
    expected = (distances - lengths) / 30 + 2 * 4
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    np.testing.assert_allclose(a.grad, 2 * (f - g_white) / 30)


def test_noi_has_the_same_targets_for_small_codes():
    def targets(scale):
        a, b, x_running, y_running = randn(30, 4), randn(30, 4), moments(2), moments(4)
        a = (scale * a).requires_grad_()
        x_running, y_running = (
            CodeMoments(scale * running.mean, scale**2 * running.covariance)
            for running in (x_running, y_running)
        )
        outputs = TwoBranchOutput(
            a, scale * b, x_running=x_running, y_running=y_running
        )
        noi(outputs, reg=0.1).backward()
        return a.detach() - 15 * a.grad

    torch.testing.assert_close(targets(1e-6), targets(1.0))


def test_noi_does_not_whiten_the_rounding_of_equal_codes():
    equal = torch.tensor([[0.1, 0.13, 0.07, 0.21]]).repeat(100, 1)
    running = RunningMoments(4, momentum=0.2)(equal)
    code = torch.zeros(100, 4, requires_grad=True)
    unit = CodeMoments(torch.zeros(4), torch.eye(4))
    outputs = TwoBranchOutput(code, equal, x_running=unit, y_running=running)
    noi(outputs, reg=1e-4).backward()
    targets = -50 * code.grad  # of codes that are 0
    assert targets.abs().max() < 0.1


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "noi"])
def test_gradcheck(name):
    zx, zy = randn(12, 3).requires_grad_(), randn(12, 3, seed=1).requires_grad_()
    assert gradcheck(lambda a, b: objective(name, a, b), (zx, zy))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "case", ["dead units", "k + 1 rows", "2 rows", "identical", "copied and huge"]
)
def test_gradient_is_finite(name, case, dtype):
    zx, zy = randn(30, 5).to(dtype), randn(30, 5, seed=1).to(dtype)
    if case == "dead units":
        zx[:, :3] = 0.1
        zy[:, 4] = 0
    elif case == "copied and huge":  # the ridge is below rounding
        zx = 1e6 * torch.cat([zx[:, :2], zx[:, :2], 0 * zx[:, :1]], 1)
    elif case == "identical":
        zy = zx.clone()
    else:
        rows = 6 if case == "k + 1 rows" else 2
        zx, zy = zx[:rows], zy[:rows]
    zx.requires_grad_()
    zy.requires_grad_()
    loss = objective(name, zx, zy)
    loss.backward()
    assert torch.isfinite(loss)
    if name == "trace_norm":
        assert -5 <= loss.item() <= 0
    assert torch.isfinite(zx.grad).all()
    assert torch.isfinite(zy.grad).all()


@pytest.fixture(scope="module")
def planted():
    return make_correlated_views(
        500, 6, 5, correlations=(0.95, 0.9, 0.3), random_state=0
    )


def linear_encoders(name):
    net = TwoBranch((6, 2), (5, 2), "relu", running=OBJECTIVES[name].running).double()
    net.reset_parameters(torch.Generator().manual_seed(0))
    return net


def angle_to_linear_cca(net, views):
    """Largest principal angle between the codes of linear encoders and LinearCCA's."""
    exact = LinearCCA(2, reg=0).fit(*views).transform_pair(*views)
    with torch.no_grad():
        codes = [
            net.encode(torch.from_numpy(v), s).numpy()
            for v, s in zip(views, "xy", strict=True)
        ]
    return max(
        subspace_angles(code - code.mean(0), best).max()
        for code, best in zip(codes, exact, strict=True)
    )


@pytest.mark.parametrize("name", ["trace_norm", "correlation_gap"])
def test_smooth_objectives_have_their_minimum_at_linear_cca(planted, name):
    x, y = map(torch.from_numpy, planted)
    net = linear_encoders(name)
    optimizer = torch.optim.LBFGS(
        net.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = OBJECTIVES[name].function(net(x, y), **HYPER[name])
        loss.backward()
        return loss

    optimizer.step(closure)
    assert angle_to_linear_cca(net, planted) < 1e-3


# SDL has kinks where the minimum is, and small batches are noisy: the steps shrink.
@pytest.mark.parametrize(
    ("name", "batch_size", "tolerance"),
    [("soft", 500, 2e-2), ("noi", 500, 1e-3), ("noi", 100, 2e-2)],
)
def test_running_objectives_settle_at_linear_cca(planted, name, batch_size, tolerance):
    x, y = map(torch.from_numpy, planted)
    net = linear_encoders(name)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    order = torch.Generator().manual_seed(0)
    for _ in range(400):
        rows = torch.randperm(500, generator=order)[:batch_size]
        optimizer.zero_grad()
        outputs = net(x[rows], y[rows])
        OBJECTIVES[name].function(outputs, **HYPER[name]).backward()
        optimizer.step()
        schedule.step()
    assert angle_to_linear_cca(net, planted) < tolerance


def test_linear_cca_is_a_fixed_point_of_noi(planted):
    X, Y = planted
    exact = LinearCCA(2, reg=0).fit(X, Y)
    net = linear_encoders("noi")
    # f regressed on g's whitened codes: canonical weights, times the correlations.
    for side, weights, mean in (
        ("x", exact.x_weights_, X.mean(0)),
        ("y", exact.y_weights_, Y.mean(0)),
    ):
        layer = net.encoders[side].layers[0]
        layer.weight.data = torch.from_numpy((weights * exact.correlations_).T)
        layer.bias.data = -layer.weight.data @ torch.from_numpy(mean)
    outputs = net(*map(torch.from_numpy, planted))
    loss = noi(outputs, reg=1e-12)
    expected = 2 * np.sum(1 - exact.correlations_**2)
    assert loss.item() == pytest.approx(expected, rel=1e-2)
    loss.backward()
    # Covariances over n in the module and over n - 1 in LinearCCA differ by 0.2 %.
    for parameter in net.parameters():
        np.testing.assert_allclose(parameter.grad, 0, atol=1e-2)


def test_dccae_is_the_papers_sum():
    x, y, zx, zy = randn(9, 3), randn(9, 2, seed=1), randn(9, 2), randn(9, 2, seed=2)
    p, q = randn(9, 3, seed=3), randn(9, 2, seed=4)
    loss = with_reconstruction(
        compared(TwoBranchOutput(zx, zy, p, q), x=x, y=y),
        objective=trace_norm,
        reconstruction_weight=(0.3, 0.4),
        reg=1e-3,
    )
    squared = 0.3 * np.sum((x - p).numpy() ** 2) + 0.4 * np.sum((y - q).numpy() ** 2)
    expected = total(zx, zy, reg=1e-3).item() + squared / 9
    assert loss.item() == pytest.approx(expected)


def test_views_without_a_decoder_add_nothing():
    x, z = randn(8, 3), randn(8, 2)
    hyper = {"objective": trace_norm, "reconstruction_weight": (1 / 3, 5), "reg": 1e-4}
    loss = with_reconstruction(compared(TwoBranchOutput(z, z, x + 1), x=x), **hyper)
    assert loss.item() == pytest.approx(total(z, z).item() + 1)
    loss = with_reconstruction(compared(TwoBranchOutput(z, z)), **hyper)
    assert loss.item() == total(z, z).item()


def corrnet_outputs(seed=0):
    x, y = randn(9, 4, seed=seed), randn(9, 3, seed=seed + 1)
    zx, zy = randn(9, 2, seed=seed + 2), randn(9, 2, seed=seed + 3)
    sources = randn(9, 3, 4, seed=seed + 4), randn(9, 3, 3, seed=seed + 5)
    return CorrNetOutput(zx, zy, *sources), x, y


@pytest.mark.parametrize("correlation", ["batch", "sample"])
def test_corrnet_is_the_papers_sum(correlation):
    outputs, x, y = corrnet_outputs()
    loss = corrnet(
        compared(outputs, x=x, y=y), correlation=correlation, correlation_weight=2.0
    )
    # Equation by equation, in NumPy.
    squared = sum(
        0.5 * np.sum((z - view) ** 2, axis=1)
        for view, reconstructed in (
            (x.numpy(), outputs.x_reconstructed),
            (y.numpy(), outputs.y_reconstructed),
        )
        for z in reconstructed.numpy().swapaxes(0, 1)
    ).mean()
    zx, zy = outputs.x_code.numpy(), outputs.y_code.numpy()
    if correlation == "batch":
        corr = sum(np.corrcoef(zx[:, j], zy[:, j])[0, 1] for j in range(2))
    else:
        corr = np.mean([np.corrcoef(zx[i], zy[i])[0, 1] for i in range(9)])
    assert loss.item() == pytest.approx(squared - 2 * corr, abs=1e-6)


def test_corrnet_weighs_the_views():
    outputs, x, y = corrnet_outputs()
    batch = compared(outputs, x=x, y=y)
    batch = batch._replace(y_only_error=torch.tensor([4.0, 2.0]))
    settings = {"correlation": "batch", "correlation_weight": 0.0}
    loss = corrnet(batch, **settings, reconstruction_weight=(3.0, 0.5))
    squares = batch.x_error.sum(), batch.y_error.sum() + 6
    expected = (1.5 * squares[0] + 0.25 * squares[1]) / 11
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("correlation", ["batch", "sample"])
def test_corrnet_gradcheck(correlation):
    (zx, zy, *reconstructed, _, _), x, y = corrnet_outputs()
    inputs = tuple(t.requires_grad_() for t in (zx, zy, *reconstructed))

    def loss(*tensors):
        return corrnet(
            compared(CorrNetOutput(*tensors), x=x, y=y),
            correlation=correlation,
            correlation_weight=0.7,
        )

    if correlation == "batch":
        assert gradcheck(loss, inputs)
    else:  # two dimensions correlate by exactly 1 or -1: add a third
        wide = (
            randn(9, 3, seed=7).requires_grad_(),
            randn(9, 3, seed=8).requires_grad_(),
        )
        assert gradcheck(loss, (*wide, *reconstructed))


def test_corrnet_survives_dead_units():
    (zx, zy, *reconstructed, _, _), x, y = corrnet_outputs()
    zx = torch.zeros_like(zx).requires_grad_()
    loss = corrnet(
        compared(CorrNetOutput(zx, zy, *reconstructed), x=x, y=y),
        correlation="batch",
        correlation_weight=1.0,
    )
    loss.backward()
    assert torch.isfinite(zx.grad).all()


def half_square(reconstructed, view):
    return 0.5 * np.sum((reconstructed.numpy() - view.numpy()) ** 2)


@pytest.mark.parametrize("missing", ["x", "y", "both"])
def test_unpaired_rows_count_as_samples_and_are_not_correlated(missing):
    outputs, x, y = corrnet_outputs()
    x_only, y_only = randn(4, 4, seed=20), randn(2, 3, seed=21)
    reconstructed = {"x_only": randn(4, 4, seed=22), "y_only": randn(2, 3, seed=23)}
    batch = {"x_only": x_only, "y_only": y_only}
    for name in ("x_only", "y_only"):
        if missing == name[0]:
            del reconstructed[name], batch[name]
    outputs = outputs._replace(
        **{f"{k}_reconstructed": v for k, v in reconstructed.items()}
    )
    loss = corrnet(
        compared(outputs, x=x, y=y, **batch),
        correlation="batch",
        correlation_weight=2.0,
    )
    paired = sum(
        half_square(z, view)
        for view, sources in (
            (x, outputs.x_reconstructed),
            (y, outputs.y_reconstructed),
        )
        for z in sources.swapaxes(0, 1)
    )
    alone = sum(half_square(reconstructed[name], batch[name]) for name in batch)
    n = 9 + sum(len(rows) for rows in batch.values())
    zx, zy = outputs.x_code.numpy(), outputs.y_code.numpy()
    corr = sum(np.corrcoef(zx[:, j], zy[:, j])[0, 1] for j in range(2))
    assert loss.item() == pytest.approx((paired + alone) / n - 2 * corr, abs=1e-6)


def reconstructed_views():
    x, y, x_only, y_only = (
        randn(*shape, seed=30 + i)
        for i, shape in enumerate([(9, 4), (9, 3), (4, 4), (2, 3)])
    )
    outputs = ReconstructedViews(
        *(
            randn(*view.shape, seed=40 + i)
            for i, view in enumerate((x, y, x_only, y_only))
        )
    )
    return outputs, {"x": x, "y": y, "x_only": x_only, "y_only": y_only}


def test_reconstruction_is_its_formula():
    outputs, batch = reconstructed_views()
    by_hand = {
        name: half_square(reconstructed, view)
        for reconstructed, (name, view) in zip(outputs, batch.items(), strict=True)
    }
    paired = outputs._replace(x_only_reconstructed=None, y_only_reconstructed=None)
    for of, total, n in (
        (paired, by_hand["x"] + by_hand["y"], 9),
        (outputs, sum(by_hand.values()), 15),
    ):
        loss = reconstruction(compared(of, **batch), factor=0.5)
        assert loss.item() == pytest.approx(total / n)


def test_the_mean_is_that_of_the_concatenated_views():
    outputs, batch = reconstructed_views()
    outputs = outputs._replace(x_only_reconstructed=None, y_only_reconstructed=None)
    expected = mse_loss(
        torch.hstack(outputs[:2]), torch.hstack([batch["x"], batch["y"]])
    )
    found = reconstruction(compared(outputs, **batch), factor=1 / 7)
    torch.testing.assert_close(found, expected)


def test_reconstruction_gradcheck():
    outputs, batch = reconstructed_views()
    assert gradcheck(
        lambda *reconstructed: reconstruction(
            compared(ReconstructedViews(*reconstructed), **batch), factor=0.5
        ),
        tuple(reconstructed.requires_grad_() for reconstructed in outputs),
    )


@pytest.mark.parametrize("weights", [None, torch.linspace(0.5, 2, 30).double()])
@pytest.mark.parametrize("partners", [None, torch.arange(30) % 7 == 3])
@pytest.mark.parametrize(
    ("function", "hyper"),
    [
        (pairwise_ranking, {"margin": 0.5, "hard_negatives": False}),
        (pairwise_ranking, {"margin": 0.5, "hard_negatives": True}),
        (infonce, {"temperature": 0.3}),
    ],
)
def test_blocks_of_similarities_add_up(monkeypatch, function, hyper, partners, weights):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 30, 4, dtype=torch.float64, generator=generator)
    if partners is not None:
        partners = torch.eye(30, dtype=torch.bool) | partners[:, None]
    found = []
    # All at once, three rows at a time, and these of few similarities that are kept.
    for n_block, n_kept in ((900, 900), (100, 900), (100, 250)):
        monkeypatch.setattr(losses, "_BLOCK_PAIRS", n_block)
        monkeypatch.setattr(losses, "_KEPT_PAIRS", n_kept)
        codes = x.clone().requires_grad_(), y.clone().requires_grad_()
        loss = function(
            TwoBranchOutput(*codes), weights, partners, symmetric=True, **hyper
        )
        loss.backward()
        found.append((loss.detach(), *(code.grad for code in codes)))
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize("n_kept", [900, 250])
def test_blocks_refuse_second_derivatives(monkeypatch, n_kept):
    monkeypatch.setattr(losses, "_BLOCK_PAIRS", 100)
    monkeypatch.setattr(losses, "_KEPT_PAIRS", n_kept)
    x, y = randn(30, 4).requires_grad_(), randn(30, 4, seed=1)
    loss = infonce(TwoBranchOutput(x, y), temperature=0.3, symmetric=True)
    with pytest.raises(RuntimeError, match="loss of 30 samples .* Use smaller batches"):
        torch.autograd.grad(loss, x, create_graph=True)
