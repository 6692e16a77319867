"""Every benchmark runs at a tiny size."""

import csv
import importlib.util
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_benchmark_is_run_here():
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == {"transfer_halves", *TINY}


TINY = {
    "linear_cca": ["--rows", "500", "--features", "20", "--repeats", "1"],
    "training_overhead": ["--rows", "200", "--batch", "50", "--repeats", "1"],
    "import_time": ["--repeats", "1"],
}


@pytest.mark.parametrize("name", TINY)
def test_benchmark(name, capsys):
    load(name).main(TINY[name])
    out = capsys.readouterr().out
    assert "ratio" in out
    assert "nan" not in out


# One epoch is too short for the classifier of codes to converge.
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_transfer_halves(tmp_path, capsys):
    table, picture = tmp_path / "out" / "runs.csv", tmp_path / "out" / "halves.png"
    load("transfer_halves").main(
        [
            "--epochs",
            "1",
            "--seeds",
            "2",
            "--csv",
            str(table),
            "--picture",
            str(picture),
        ]
    )
    out = capsys.readouterr().out
    for method in ("single view", "LinearCCA", "CorrNet (paper)", "DeepCCA"):
        assert f"\n{method} " in out
    assert "±" in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    header, *rows = csv.reader(table.read_text().splitlines())
    assert header[:3] == ["method", "seed", "pearson"]
    assert len(rows) == 1 + 4 * 2
    assert np.isfinite([[float(cell) for cell in row[2:]] for row in rows]).all()
