"""Does a training that is killed again and again end as if it never was?

Processes train with a checkpoint, and each is killed by SIGKILL at a random moment;
the next goes on. After each kill the file is read. Where there were kills enough, this
process goes on to the end.
Trainings take turns until there were kills enough.

    python benchmarks/crash.py
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import torch
from sklearn.base import clone

from skcrl import CCALRanker, CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import load_digits_halves
from skcrl.persistence._file import read
from skcrl.persistence._plain import decode

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
STOPPING = {"validation_fraction": 0.3, "early_stopping": True, "n_iter_no_change": 5}


def trainings(quick):
    """Estimators of every kind, and what they are trained on."""
    common = {
        "n_components": 10,
        "hidden_layer_sizes": (64,) if quick else (500, 300),
        "max_epochs": 20,
        "batch_size": 200,
        "random_state": 0,
    }
    estimators = {
        "DeepCCA, pretrained": DeepCCA(**common, pretraining_epochs=1),
        "DeepCCA, refined": DeepCCA(
            **common, **STOPPING, lr=0.01, lr_schedule="refine", monitor="score"
        ),
        "CCALRanker": CCALRanker(**common, running_momentum=0.5, input_dropout=0.2),
        "CorrNet, one cycle": CorrNet(**common, lr_schedule="one_cycle"),
        "MultimodalAutoencoder": MultimodalAutoencoder(**common, noise=0.1),
        "TiedBidirectional": TiedBidirectional(**common, dropout=0.5),
    }
    if quick:
        estimators = {name: estimators[name] for name in ["CorrNet, one cycle"]}
    left, right, _ = load_digits_halves()
    return estimators, (left / 16, right / 16)


def digest(estimator, X, y):
    """Of the weights, the optimiser's state, the history without times, the codes."""
    state = estimator.net_.get_state()
    history = [{**row, "dur": None} for row in state["history"]]
    optimizer = sorted(
        (number, name, value)
        for number, values in state["optimizer"].items()
        for name, value in values.items()
    )
    content = hashlib.sha256(json.dumps(history).encode())
    for array in (
        *state["module"].values(),
        *(value for *_, value in optimizer),
        *estimator.transform_pair(X, y),
    ):
        content.update(array.tobytes())
    return content.hexdigest()


def train(name, path, quick):
    """Train from where the file has it to the end."""
    estimators, views = trainings(quick)
    estimator = estimators[name]
    # The first training loads much of torch, which is no moment of interest.
    clone(estimator).set_params(max_epochs=1).fit(*(view[:300] for view in views))
    estimator.set_params(checkpoint=path)
    print("ready", flush=True)
    print(digest(estimator.fit(*views), *views))


def killed(name, path, quick, after):
    """Train in a process, killed some seconds after it begins; digest if it ends."""
    arguments = [sys.executable, __file__, "--train", name, "--file", str(path)]
    process = subprocess.Popen(
        arguments + ["--quick"] * quick,
        env=os.environ | ONE_THREAD,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        process.stdout.readline()
        try:
            out, _ = process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return None
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}.")
    return out.strip()


def rounds(n_kills, quick, seed):
    """Yield each training that came to its end, and what was seen on the way."""
    rng = random.Random(seed)
    estimators, views = trainings(quick)
    share = -(-n_kills // len(estimators))
    for name, estimator in cycle(estimators.items()):
        begin = time.perf_counter()
        expected = digest(estimator.fit(*views), *views)
        seconds = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            path, kept, found = Path(folder) / "training", [], None
            while not found and len(kept) < min(share, n_kills):
                found = killed(name, path, quick, rng.uniform(0, seconds / 2))
                if not found:
                    kept.append(epochs_in(path))
            if not found:
                rest = clone(estimator).set_params(checkpoint=path)
                found = digest(rest.fit(*views), *views)
            n_in_writes = len(list(Path(folder).glob(".*.unfinished")))
        yield name, found == expected, kept, n_in_writes
        n_kills -= len(kept)
        if not n_kills:
            return


def epochs_in(path):
    """How many epochs are in a file, if it is there; a broken one raises."""
    if not path.exists():
        return "-"
    return len(decode(*read(path, "checkpoint"))["state"]["history"])


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--quick", action="store_true", help="tiny networks, one kill")
    parser.add_argument("--train", help="train this one in this process")
    parser.add_argument("--file", help="checkpoint of --train")
    args = parser.parse_args(argv)
    if args.train:
        train(args.train, args.file, args.quick)
        return

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have; more round differently
    n_kills = 1 if args.quick else args.kills
    print(f"{'':24}{'identical':>10}{'kills':>7}{'in a write':>12}  epochs kept then")
    seen = []
    for name, same, kept, n_in_writes in rounds(n_kills, args.quick, args.seed):
        seen.append((same, len(kept), n_in_writes))
        print(
            f"{name:24}{'yes' if same else 'NO':>10}{len(kept):7}{n_in_writes:12}  "
            + " ".join(map(str, kept)),
            flush=True,
        )
    identical, kills, in_writes = (sum(column) for column in zip(*seen, strict=True))
    # A broken file would have ended this by an error.
    print(
        f"{kills} kills, {in_writes} of them in a write, no broken file; "
        f"{identical} of {len(seen)} trainings identical"
    )
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
