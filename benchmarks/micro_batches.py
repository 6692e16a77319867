"""What do micro batches cost and save, and is their gradient that of the whole batch?

Each objective has its gradient of one batch computed at once, and with
``micro_batch_size`` in two passes, on one thread: their difference, as a share of the
length of the gradient; the memory beside the batch, of a micro batch, of all of them
and of the batch at once; and the ratio of the CPU times. Noise is off where the parts
of a batch draw other numbers. Memory is measured in a process that gives back at once
what it frees, which takes time, and times in another that does not.

    python benchmarks/micro_batches.py
"""

import argparse
import os

import numpy as np
import torch
from _fresh_process import in_fresh_process, measured

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.deep._data import PairDataset

WIDTH = 392


def estimators(hidden):
    """The objectives by name, each with networks of the same widths."""
    common = {
        "hidden_layer_sizes": (hidden, hidden),
        "max_epochs": 1,
        "batch_size": 200,
        "random_state": 0,
    }
    objectives = ("trace_norm", "correlation_gap", "soft", "noi")
    return {
        **{name: DeepCCA(20, objective=name, **common) for name in objectives},
        "trace_norm, reconstructed": DeepCCA(20, reconstruction_weight=1e-2, **common),
        "ranking": CCALRanker(20, **common),
        "infonce, learned": CCALRanker(
            20, objective="infonce", projection="learned", **common
        ),
        "corrnet": CorrNet(20, **common),
        "autoencoder": MultimodalAutoencoder(20, noise=0.0, **common),
        "tied": TiedBidirectional(20, **common),
    }


def measure(name, what, n_rows, micro, hidden):
    """Print the memory of one objective, or its CPU time."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, n_rows, WIDTH)).astype(np.float32)
    y[:, :50] += X[:, :50]
    net = estimators(hidden)[name].fit(X[:400], y[:400]).net_
    data = PairDataset.from_arrays(X, y)
    state = {key: value.clone() for key, value in net.module_.state_dict().items()}
    few, whole = (data.batch("cpu", slice(n)) for n in (micro, n_rows))

    def gradient(batch, micro_batch_size):
        net.micro_batch_size = micro_batch_size
        net.module_.load_state_dict(state)
        # Gradients stay where they are: memory for them belongs to the weights.
        net.module_.zero_grad(set_to_none=False)
        net._reseed()
        _, seconds, peak = measured(lambda: net.train_step_single((batch, None)))
        parts = [p.grad.flatten() for p in net.module_.parameters()]
        return torch.cat(parts), seconds, peak

    gradient(few, None)
    _, _, of_few = gradient(few, None)
    by_parts, seconds_by_parts, peak_by_parts = gradient(whole, micro)
    at_once, seconds_at_once, peak_at_once = gradient(whole, None)
    if what == "seconds":
        print(f"{seconds_by_parts / seconds_at_once:8.2f}")
        return
    off = (by_parts - at_once).norm() / at_once.norm()
    print(
        f"{name:22}{off:12.1e}{of_few:10.0f}{peak_by_parts:10.0f}{peak_at_once:10.0f}"
        f"{peak_by_parts / max(of_few, 1):8.2f}",
        end="",
    )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--micro", type=int, default=500)
    parser.add_argument("--hidden", type=int, default=2000)
    parser.add_argument("--only", choices=estimators(1), help="in this process")
    parser.add_argument("--what", choices=("memory", "seconds"), default="memory")
    args = parser.parse_args(argv)
    if args.only:
        measure(args.only, args.what, args.rows, args.micro, args.hidden)
        return
    print(
        f"{args.rows} rows in parts of {args.micro}, two hidden layers of {args.hidden}"
    )
    print(
        f"{'':22}{'difference':>12}{'MB part':>10}{'MB parts':>10}{'MB whole':>10}"
        f"{'x part':>8}{'x CPU':>8}"
    )
    for name in estimators(1):
        sizes = "--rows", args.rows, "--micro", args.micro, "--hidden", args.hidden
        for what, threshold in (("memory", "100000"), ("seconds", None)):
            os.environ.pop("MALLOC_MMAP_THRESHOLD_", None)
            if threshold:
                os.environ["MALLOC_MMAP_THRESHOLD_"] = threshold
            only = "--only", name, "--what", what
            print(in_fresh_process(__file__, *sizes, *only), end="", flush=True)


if __name__ == "__main__":
    main()
