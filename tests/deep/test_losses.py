"""Objectives against closed forms, with gradients checked."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import mse_loss

from skcrl.deep.losses import corrnet, reconstruction, trace_norm
from skcrl.deep.modules import CorrNetOutput, RebuiltViews, TwoBranchOutput
from skcrl.metrics import refitted_canonical_total


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def total(zx, zy, reg=1e-4):
    return trace_norm(TwoBranchOutput(zx, zy, None, None), None, None, reg=reg)


def test_trace_norm_is_the_total_canonical_correlation():
    zx = randn(50, 4)
    zy = zx @ randn(4, 3, seed=1) + randn(50, 3, seed=2)
    expected = -refitted_canonical_total(zx, zy)
    assert total(zx, zy, reg=1e-12).item() == pytest.approx(expected, abs=1e-9)


def test_trace_norm_ignores_an_invertible_mixing():
    zx, zy = randn(50, 4), randn(50, 4, seed=1)
    mixed = total(zx @ randn(4, 4, seed=2), zy @ randn(4, 4, seed=3), reg=1e-12)
    assert mixed.item() == pytest.approx(total(zx, zy, reg=1e-12).item(), abs=1e-8)


def test_trace_norm_gradcheck():
    zx, zy = randn(12, 4).requires_grad_(), randn(12, 3, seed=1).requires_grad_()
    assert gradcheck(lambda a, b: total(a, b, 1e-2), (zx, zy))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "case", ["dead units", "k + 1 rows", "2 rows", "identical", "copied and huge"]
)
def test_trace_norm_gradient_is_finite(case, dtype):
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
    loss = total(zx, zy)
    loss.backward()
    assert -5 <= loss.item() <= 0
    assert torch.isfinite(zx.grad).all()
    assert torch.isfinite(zy.grad).all()


def test_decoders_add_their_error_alone():
    x, y, z = randn(8, 3), randn(8, 2), randn(8, 2)
    outputs = TwoBranchOutput(z, z, x + 1, y + 2)
    with_decoders = trace_norm(outputs, x, y, reg=1e-4)
    assert with_decoders.item() == pytest.approx(total(z, z).item() + 1 + 4)


def corrnet_outputs(seed=0):
    x, y = randn(9, 4, seed=seed), randn(9, 3, seed=seed + 1)
    zx, zy = randn(9, 2, seed=seed + 2), randn(9, 2, seed=seed + 3)
    sources = randn(3, 9, 4, seed=seed + 4), randn(3, 9, 3, seed=seed + 5)
    return CorrNetOutput(zx, zy, *sources), x, y


@pytest.mark.parametrize("correlation", ["batch", "sample"])
def test_corrnet_is_the_papers_sum(correlation):
    outputs, x, y = corrnet_outputs()
    loss = corrnet(outputs, x, y, correlation=correlation, correlation_weight=2.0)
    # Equation by equation, in NumPy.
    squared = sum(
        0.5 * np.sum((z - view) ** 2, axis=1)
        for view, rebuilt in (
            (x.numpy(), outputs.x_rebuilt),
            (y.numpy(), outputs.y_rebuilt),
        )
        for z in rebuilt.numpy()
    ).mean()
    zx, zy = outputs.x_code.numpy(), outputs.y_code.numpy()
    if correlation == "batch":
        corr = sum(np.corrcoef(zx[:, j], zy[:, j])[0, 1] for j in range(2))
    else:
        corr = np.mean([np.corrcoef(zx[i], zy[i])[0, 1] for i in range(9)])
    assert loss.item() == pytest.approx(squared - 2 * corr, abs=1e-6)


@pytest.mark.parametrize("correlation", ["batch", "sample"])
def test_corrnet_gradcheck(correlation):
    (zx, zy, *rebuilt, _, _), x, y = corrnet_outputs()
    inputs = tuple(t.requires_grad_() for t in (zx, zy, *rebuilt))

    def loss(*tensors):
        return corrnet(
            CorrNetOutput(*tensors),
            x,
            y,
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
        assert gradcheck(loss, (*wide, *rebuilt))


def test_corrnet_survives_dead_units():
    (zx, zy, *rebuilt, _, _), x, y = corrnet_outputs()
    zx = torch.zeros_like(zx).requires_grad_()
    loss = corrnet(
        CorrNetOutput(zx, zy, *rebuilt),
        x,
        y,
        correlation="batch",
        correlation_weight=1.0,
    )
    loss.backward()
    assert torch.isfinite(zx.grad).all()


def half_square(rebuilt, view):
    return 0.5 * np.sum((rebuilt.numpy() - view.numpy()) ** 2)


@pytest.mark.parametrize("missing", ["x", "y", "both"])
def test_unpaired_rows_count_as_samples_and_are_not_correlated(missing):
    outputs, x, y = corrnet_outputs()
    x_only, y_only = randn(4, 4, seed=20), randn(2, 3, seed=21)
    rebuilt = {"x_only": randn(4, 4, seed=22), "y_only": randn(2, 3, seed=23)}
    batch = {"x_only": x_only, "y_only": y_only}
    for name in ("x_only", "y_only"):
        if missing == name[0]:
            del rebuilt[name], batch[name]
    outputs = outputs._replace(**{f"{k}_rebuilt": v for k, v in rebuilt.items()})
    loss = corrnet(outputs, x, y, **batch, correlation="batch", correlation_weight=2.0)
    paired = sum(
        half_square(z, view)
        for view, sources in ((x, outputs.x_rebuilt), (y, outputs.y_rebuilt))
        for z in sources
    )
    alone = sum(half_square(rebuilt[name], batch[name]) for name in batch)
    n = 9 + sum(len(rows) for rows in batch.values())
    zx, zy = outputs.x_code.numpy(), outputs.y_code.numpy()
    corr = sum(np.corrcoef(zx[:, j], zy[:, j])[0, 1] for j in range(2))
    assert loss.item() == pytest.approx((paired + alone) / n - 2 * corr, abs=1e-6)


def rebuilt_views():
    x, y, x_only, y_only = (
        randn(*shape, seed=30 + i)
        for i, shape in enumerate([(9, 4), (9, 3), (4, 4), (2, 3)])
    )
    outputs = RebuiltViews(
        *(
            randn(*view.shape, seed=40 + i)
            for i, view in enumerate((x, y, x_only, y_only))
        )
    )
    return outputs, {"x": x, "y": y, "x_only": x_only, "y_only": y_only}


def test_reconstruction_is_its_formula():
    outputs, batch = rebuilt_views()
    by_hand = {
        name: half_square(rebuilt, view)
        for rebuilt, (name, view) in zip(outputs, batch.items(), strict=True)
    }
    paired = {"x": batch["x"], "y": batch["y"]}
    for rows, total, n in (
        (paired, by_hand["x"] + by_hand["y"], 9),
        (batch, sum(by_hand.values()), 15),
    ):
        half = reconstruction(outputs, **rows, mean_over_features=False)
        mean = reconstruction(outputs, **rows, mean_over_features=True)
        assert half.item() == pytest.approx(total / n)
        assert mean.item() == pytest.approx(2 * total / (n * 7))


def test_the_mean_is_that_of_the_concatenated_views():
    outputs, batch = rebuilt_views()
    x, y = batch["x"], batch["y"]
    expected = mse_loss(torch.hstack(outputs[:2]), torch.hstack([x, y]))
    found = reconstruction(outputs, x, y, mean_over_features=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("mean_over_features", [True, False])
def test_reconstruction_gradcheck(mean_over_features):
    outputs, batch = rebuilt_views()
    assert gradcheck(
        lambda *rebuilt: reconstruction(
            RebuiltViews(*rebuilt), **batch, mean_over_features=mean_over_features
        ),
        tuple(rebuilt.requires_grad_() for rebuilt in outputs),
    )
