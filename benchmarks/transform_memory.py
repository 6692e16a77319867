"""How much memory does the transform of a million rows take beside its output?

Each estimator encodes the rows in a process of its own; the peak of the resident memory
is compared with the memory before, the output's own size taken off. The ratio is that
of the CPU time to the bare matrix products of the encoder, on one thread.

    python benchmarks/transform_memory.py
"""

import argparse
import resource
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import torch

import skcrl

HIDDEN = (500, 300)
ESTIMATORS = ("DeepCCA", "CorrNet", "MultimodalAutoencoder", "TiedBidirectional")


def measure(name, n_rows):
    """Print peak memory and time of one estimator's transform."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 2000, 392), dtype=np.float32)
    estimator = getattr(skcrl, name)(
        50, hidden_layer_sizes=HIDDEN, max_epochs=1, random_state=0
    ).fit(X, y)
    views = np.tile(X, (-(-n_rows // len(X)), 1))[:n_rows]
    estimator.transform(views[:8192])
    before, begin = _resident(), time.process_time()
    codes = estimator.transform(views)
    seconds = time.process_time() - begin
    extra = _peak() - before - codes.nbytes
    ratio = seconds / _bare_seconds(views)
    torch.set_num_threads(threads)
    print(f"{name:24}{extra / 2**20:10.0f}{seconds:9.1f}{ratio:7.2f}")


def _bare_seconds(views):
    """CPU time of the products of the encoder alone, in the same blocks."""
    widths = (views.shape[1], *HIDDEN, 50)
    weights = [torch.zeros(a, b) for a, b in pairwise(widths)]
    begin = time.process_time()
    for start in range(0, len(views), 4096):
        a = torch.from_numpy(views[start : start + 4096])
        for weight in weights:
            a = torch.relu(a @ weight)
    return time.process_time() - begin


def _resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", choices=ESTIMATORS, help="measure in this process")
    args = parser.parse_args(argv)

    if args.only:
        measure(args.only, args.rows)
        return
    print(f"{args.rows} x 392 float32 to 50 codes, hidden layers {HIDDEN}")
    print(f"{'':24}{'extra MB':>10}{'seconds':>9}{'ratio':>7}")
    for name in ESTIMATORS:
        command = [sys.executable, __file__, "--rows", str(args.rows), "--only", name]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        print(run.stdout, end="", flush=True)


if __name__ == "__main__":
    main()
