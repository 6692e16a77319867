"""How much private memory does training on memory maps take?

Both views are maps of files. Training runs in a process of its own, alone and by two
workers of GridSearchCV. Private memory is what belongs to that process alone, clean or
written to, beyond what a fit to a few rows leaves; pages of the two files, which the
system takes back whenever it needs them, are counted apart.

    python benchmarks/memory_maps.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, KFold

from skcrl import DeepCCA

COLUMNS, HIDDEN, COMPONENTS, BATCH = 2048, (64,), 16, 1000
# As many rows as show what a batch and a block of rows take.
FEW = 5_000


class Watch:
    """Peaks of private memory on a thread, in bytes.

    Parameters
    ----------
    folder : path
        Maps of files in it are counted apart.
    """

    def __init__(self, folder):
        self.folder = str(folder)
        self.own = self.of_files = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(0.05):
            own, of_files = private_memory(self.folder)
            self.own, self.of_files = max(self.own, own), max(self.of_files, of_files)


def private_memory(folder):
    """Private bytes of this process, outside and inside of maps of a folder's files."""
    own = of_files = 0
    is_file = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if "-" in name and not name.endswith(":"):
            is_file = folder in line
        elif name in ("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:"):
            size = int(rest[0]) * 1024
            own, of_files = own + size * (not is_file), of_files + size * is_file
    return own, of_files


def write_views(folder, n_rows):
    """Write both views, which share four factors, some rows at a time."""
    rng = np.random.default_rng(0)
    maps_x, maps_y = rng.standard_normal((2, 4, COLUMNS)).astype(np.float32)
    shape = n_rows, COLUMNS
    files = [
        np.lib.format.open_memmap(folder / name, "w+", np.float32, shape)
        for name in ("x.npy", "y.npy")
    ]
    for start in range(0, n_rows, FEW):
        n = min(FEW, n_rows - start)
        shared = rng.standard_normal((n, 4), np.float32)
        for file, by in zip(files, (maps_x, maps_y), strict=True):
            noise = rng.standard_normal((n, COLUMNS), np.float32)
            file[start : start + n] = shared @ by + noise
    for file in files:
        file.flush()


class Pairs(torch.utils.data.Dataset):
    """Pairs of rows of two files, some of which scikit-learn takes by their numbers."""

    def __init__(self, x, y, rows):
        self.x, self.y, self.rows = x, y, rows
        self.shape = rows.shape

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        if isinstance(at, tuple):  # (numbers, ...), of a fold
            return Pairs(self.x, self.y, self.rows[at[0]])
        row = self.rows[at]
        return np.array(self.x[row]), np.array(self.y[row])


class Watched(DeepCCA):
    """DeepCCA that writes its peaks of private memory into a file.

    They are beyond what a fit to a few rows in memory leaves behind, which is what the
    net and its activations take.
    """

    def fit(self, X, y=None, sample_weight=None):
        """Fit to a few rows, then, watched, to all."""
        few = np.random.default_rng(0).standard_normal(
            (2, min(FEW, len(X)), COLUMNS), np.float32
        )
        super().fit(*few)
        with self._watched("fit", X):
            return super().fit(X, y, sample_weight)

    def score(self, X, y=None):
        """Score, watched."""
        with self._watched("score", X):
            return super().score(X, y)

    @contextmanager
    def _watched(self, what, view):
        folder = Path(os.environ["MAPS"])
        before, _ = private_memory(str(folder))
        with Watch(folder) as watch:
            yield
        own, of_files = (n / 2**20 for n in (watch.own - before, watch.of_files))
        with open(folder / "peaks.txt", "a") as file:
            print(f"{what:8}{len(view):12}{own:12.0f}{of_files:12.0f}", file=file)


def dcca():
    """The estimator that is watched."""
    return Watched(
        COMPONENTS,
        hidden_layer_sizes=HIDDEN,
        batch_size=BATCH,
        max_epochs=2,
        tol=0,
        random_state=0,
    )


def measure(part, folder, n_jobs):
    """Fit alone, or by workers of a search, each to a half of the rows."""
    X, y = (np.load(folder / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    if part == "alone":
        dcca().fit(X, y)
        return
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(dcca(), {"lr": [1e-3]}, cv=folds, n_jobs=n_jobs, refit=False)
    search.fit(Pairs(X, y, np.arange(len(X))))


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=262_144)
    parser.add_argument("--quick", action="store_true", help="in one process, one job")
    parser.add_argument("--folder", help="for the files, on a disk with room")
    parser.add_argument(
        "--measure", choices=("alone", "search"), help="in this process, of $MAPS"
    )
    args = parser.parse_args(argv)
    if args.measure:
        measure(args.measure, Path(os.environ["MAPS"]), n_jobs=2)
        return

    size = args.rows * COLUMNS * 4 / 2**30
    print(f"two maps of {args.rows} x {COLUMNS} float32, {size:.2f} GB each; MB")
    print(f"{'':10}{'':8}{'rows':>12}{'private':>12}{'of the maps':>12}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        write_views(Path(folder), args.rows)
        for part in ("alone", "search"):
            run(part, folder, args.quick)


def run(part, folder, quick):
    """Print the peaks of a part, run in a process of its own unless it is quick."""
    peaks = Path(folder) / "peaks.txt"
    peaks.write_text("")
    environment = {**os.environ, "MAPS": folder}
    if quick:
        with mock.patch.dict(os.environ, environment):
            measure(part, Path(folder), n_jobs=1)
    else:
        command = [sys.executable, __file__, "--measure", part]
        subprocess.run(command, check=True, env=environment)
    for line in peaks.read_text().splitlines():
        print(f"{part:10}{line}", flush=True)


if __name__ == "__main__":
    main()
