"""What does an epoch of a deep estimator cost over a bare torch loop?

The same module, loss, optimiser, batches and initial weights, in turn on one thread;
the ratio is that of the CPU times of an epoch, pair by pair. Both end at the same
weights.

    python benchmarks/training_overhead.py
"""

import argparse
import time

import numpy as np
import torch

from skcrl import (
    CorrNet,
    DeepCCA,
    DeepCommonIndividual,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.deep._common_part import FrozenCommon
from skcrl.deep._data import PairBatches, PairDataset
from skcrl.deep._plan import plan_of
from skcrl.deep.modules import compared

HIDDEN = (500, 300)


def estimators(k, batch_size):
    """Every deep estimator, with the same widths and batches."""
    common = {
        "batch_size": batch_size,
        "max_epochs": 1,
        "hidden_layer_sizes": HIDDEN,
        "standardize": False,
        "weight_decay": 0.0,
        "random_state": 0,
    }
    keeps_all = {"input_dropout": 0.0}
    return [
        *(
            DeepCCA(k, objective=objective, **keeps_all, **common)
            for objective in ("trace_norm", "correlation_gap", "soft", "noi")
        ),
        DeepCCA(k, reconstruction_weight=1e-3, **keeps_all, **common),
        CorrNet(k, **common),
        MultimodalAutoencoder(k, modality_dropout=0.0, **common),
        TiedBidirectional(k, **keeps_all, **common),
        DeepCommonIndividual(DeepCCA(k, **keeps_all, **common), **common),
    ]


def bare_epoch(module, optimizer, batches, loss_function, hyper):
    """One epoch, as a script of one page would have it."""
    for batch, _ in batches:
        optimizer.zero_grad()
        x, y = batch["x"], batch["y"]
        loss = loss_function(compared(module(x, y), x=x, y=y), **hyper)
        loss.backward()
        optimizer.step()


def compare(estimator, X, y, repeats):
    """CPU seconds of pairs of epochs, ours and the bare loop's."""
    data = PairDataset.from_arrays(X, y)
    # One epoch each, so that both have their weights, moments and order of batches.
    net = estimator.fit(X, y).net_
    plan = plan_of(estimator, data, is_part=True)
    module = estimator._make_net(net.seed, plan).module_
    group = net.optimizer_.param_groups[0]
    settings = {
        key: value for key, value in group.items() if key not in ("params", "lr")
    }
    optimizer = type(net.optimizer_)(module.parameters(), lr=group["lr"], **settings)
    batches = PairBatches(data, estimator.batch_size, shuffle=True, seed=net.seed)
    loss_function, hyper = estimator._objective()
    if hasattr(estimator, "common_"):
        net.module_.common = FrozenCommon(estimator.common_, net.units, "cpu")
        module.common = net.module_.common
    bare_epoch(module, optimizer, batches, loss_function, hyper)

    pairs = []
    for _ in range(repeats):
        begin = time.process_time()
        net.train_epochs(data, 1)
        middle = time.process_time()
        bare_epoch(module, optimizer, batches, loss_function, hyper)
        pairs.append((middle - begin, time.process_time() - middle))
    for ours, theirs in zip(net.module_.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    return np.array(pairs)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=21, help="paired epochs")
    args = parser.parse_args(argv)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # in both, as in our training
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, args.rows, 392)).astype(np.float32)
    y[:, :50] += X[:, :50]
    k = min(50, args.batch // 4)
    widths = "-".join(map(str, (392, *HIDDEN, k)))
    print(f"{args.rows} rows, batches of {args.batch}, {widths} twice, equal weights")
    print(f"{'':44}{'ours':>8}{'bare':>8}{'ratio':>8}  quartiles")
    for estimator in estimators(k, args.batch):
        times = compare(estimator, X, y, args.repeats)
        ours, bare = np.median(times, axis=0)
        low, middle, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
        name = type(estimator).__name__
        if name == "DeepCCA":
            weight = estimator.reconstruction_weight
            name += f", {estimator.objective}" + (", DCCAE" if weight else "")
        print(
            f"{name:44}{ours:7.3f}s{bare:7.3f}s{middle:8.3f}  {low:.3f} to {high:.3f}",
            flush=True,
        )
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


if __name__ == "__main__":
    main()
