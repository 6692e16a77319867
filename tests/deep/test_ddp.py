"""The recipe of docs/ddp.py: two processes train what one and DeepCCA do."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from skcrl import DeepCCA

SCRIPT = Path(__file__).parents[2] / "docs" / "ddp.py"


@pytest.fixture(scope="module")
def ddp():
    """The recipe as a module, in a group of this one process."""
    spec = importlib.util.spec_from_file_location("ddp", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield module
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def halves(digits):
    return tuple(view[:1600].astype(np.float32) for view in digits[:2])


def test_two_processes_are_one(ddp, halves, tmp_path):
    path = tmp_path / "encoders.pt"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*command, "--nproc-per-node", "2", SCRIPT, path],
        check=True,
        capture_output=True,
        timeout=120,
    )
    by_two = torch.load(path)
    encoders = ddp.make_encoders()
    views = map(torch.from_numpy, halves)
    losses = ddp.train(encoders, *views, batch_size=400, n_epochs=5)
    np.testing.assert_allclose(by_two["losses"], losses, atol=1e-5)
    assert losses[-1] < losses[0] - 1
    # Adam would not tell the gradient from a multiple of it; momentum does.
    for name, weight in encoders.state_dict().items():
        torch.testing.assert_close(by_two["weights"][name], weight, atol=1e-5, rtol=0)


def test_no_whole_batch(ddp, halves):
    views = map(torch.from_numpy, halves)
    with pytest.raises(ValueError, match="batch_size=1601 is more than the 1600"):
        ddp.train(ddp.make_encoders(), *views, batch_size=1601, n_epochs=1)


def test_the_recipe_is_deep_cca(ddp, halves):
    encoders, start = ddp.make_encoders(), ddp.make_encoders()
    views = map(torch.from_numpy, halves)
    losses = ddp.train(encoders, *views, batch_size=400, n_epochs=5, shuffle=False)
    est = DeepCCA(
        8,
        x_encoder=start.x,
        y_encoder=start.y,
        optimizer="nesterov",
        lr=0.1,
        batch_size=400,
        max_epochs=5,
        reg=1e-4,
        input_dropout=0.0,
        random_state=0,
        net_params={"iterator_train__shuffle": False},
    ).fit(*halves)
    expected = [row["train_loss"] for row in est.history_]
    np.testing.assert_allclose(losses, expected, atol=1e-5)
    for side in "xy":
        weights = est.net_.module_.encoders[side].state_dict()
        for name, weight in getattr(encoders, side).state_dict().items():
            torch.testing.assert_close(weights[name], weight, atol=1e-5, rtol=0)
    model = ddp.as_estimator(encoders, 8).fit(*halves)
    np.testing.assert_allclose(model.correlations_, est.correlations_, atol=1e-5)
    for found, codes in zip(
        model.transform_pair(*halves), est.transform_pair(*halves), strict=True
    ):
        np.testing.assert_allclose(found, codes, atol=1e-4)
    assert model.score(*halves) == pytest.approx(est.score(*halves), abs=1e-4)
