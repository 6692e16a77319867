"""Several processes train what one does, and go on when one of them is killed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from train_in_processes import COMMON, encoder, estimators, fitted, views

from skcrl import CorrNet, DeepCCA
from skcrl.deep._checks import check_batches
from skcrl.deep._data import PairDataset
from skcrl.deep._plan import plan_of

SCRIPT = Path(__file__).with_name("train_in_processes.py")
# A line search makes much of rounding, and so do codes that hardly vary.
TOLERANCES = {"lbfgs": 1e-4, "corrnet": 1e-5}


def trained_by_two(folder):
    """What either of two processes has, the second of which was killed once."""
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--max-restarts", "1", SCRIPT, folder),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert "exitcode: -9" in run.stderr
    return [np.load(folder / f"{rank}.npz") for rank in (0, 1)]


def test_two_processes_train_what_one_does(tmp_path):
    first, second = trained_by_two(tmp_path)
    assert first.files == second.files
    for key in first.files:
        np.testing.assert_array_equal(first[key], second[key])
    for name, estimator in estimators().items():
        for key, expected in fitted(name, estimator).items():
            off = np.abs(first[key] - expected).max() / np.abs(expected).max()
            assert off < TOLERANCES.get(name, 2e-6), name
    never_killed = DeepCCA(3, x_encoder=encoder(), **COMMON)
    for key, expected in fitted("kept", never_killed).items():
        np.testing.assert_allclose(first[key], expected, rtol=0, atol=2e-6)
    assert "process 1 has other lr than process 0" in str(first["other lr"])


def test_a_batch_has_a_row_for_each_process():
    data = PairDataset.from_arrays(*views("few"))
    few = CorrNet(2, batch_size=4)
    plan = plan_of(few, data, is_part=False)
    check_batches(few, data, plan, n_processes=4)
    with pytest.raises(ValueError, match="5 processes share .* got 4 rows in training"):
        check_batches(few, data, plan, n_processes=5)
