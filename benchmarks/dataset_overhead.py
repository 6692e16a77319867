"""What does an epoch on a torch Dataset cost over a bare DataLoader loop?

The same module, loss, optimiser, batches and initial weights, in turn on one thread;
the ratio is that of the CPU times of an epoch, pair by pair. Both end at the same
weights, and a fit to the arrays gives the same codes, bit by bit.

    python benchmarks/dataset_overhead.py
"""

import argparse
import time
from itertools import pairwise

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from skcrl import CCALRanker, CorrNet, DeepCCA
from skcrl.deep._data import ORDER, stream
from skcrl.deep._loaded import LoadedPairs
from skcrl.deep._plan import plan_of
from skcrl.deep.modules import compared


def estimators(k, batch_size):
    """Estimators of different objectives, with the same widths and batches."""
    common = {
        "batch_size": batch_size,
        "max_epochs": 1,
        "hidden_layer_sizes": (500, 300),
        "standardize": False,
        "weight_decay": 0.0,
        "validation_fraction": 0.0,
        "random_state": 0,
    }
    return [
        DeepCCA(k, input_dropout=0.0, **common),
        CorrNet(k, **common),
        CCALRanker(k, input_dropout=0.0, **common),
    ]


def orders(data, batch_size, seed, epoch):
    """Numbers of the pairs of each batch of an epoch."""
    generator = stream(seed, epoch, ORDER)
    order = torch.randperm(len(data), generator=generator)
    n_batches = max(1, len(data) // batch_size)
    bounds = np.linspace(0, len(data), n_batches + 1).astype(int)
    return [order[start:stop].tolist() for start, stop in pairwise(bounds)]


def bare_epoch(module, optimizer, dataset, numbers, loss_function, hyper):
    """One epoch, as a script of one page would have it."""
    for x, y in DataLoader(dataset, batch_sampler=numbers):
        optimizer.zero_grad()
        loss = loss_function(compared(module(x, y), x=x, y=y), **hyper)
        loss.backward()
        optimizer.step()


def compare(estimator, X, y, repeats):
    """CPU seconds of pairs of epochs, ours and the bare loop's."""
    dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    data = LoadedPairs(dataset, {})
    data.keep_types(())
    estimator._find_partners(data, None)
    of_arrays = estimator.fit(X, y).transform(X)
    net = estimator.fit(dataset).net_
    np.testing.assert_array_equal(of_arrays, estimator.transform(dataset))
    module = estimator._make_net(
        net.seed, plan_of(estimator, data, is_part=True)
    ).module_
    group = net.optimizer_.param_groups[0]
    settings = {
        key: value for key, value in group.items() if key not in ("params", "lr")
    }
    optimizer = type(net.optimizer_)(module.parameters(), lr=group["lr"], **settings)
    loss_function, hyper = estimator._objective()
    pairs = []
    for epoch in range(repeats + 1):
        numbers = orders(data, estimator.batch_size, net.seed, epoch)
        begin = time.process_time()
        bare_epoch(module, optimizer, dataset, numbers, loss_function, hyper)
        middle = time.process_time()
        if epoch:  # fit did the first
            net.train_epochs(data, 1)
            pairs.append((time.process_time() - middle, middle - begin))
    for ours, theirs in zip(net.module_.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    return np.array(pairs)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=11, help="paired epochs")
    args = parser.parse_args(argv)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # in both, as in our training
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, args.rows, 392)).astype(np.float32)
    y[:, :50] += X[:, :50]
    k = min(50, args.batch // 4)
    print(f"{args.rows} pairs of 392 and 392, batches of {args.batch}, {k} components")
    print(
        f"{'':16}{'ours':>9}{'bare':>9}{'ratio':>8}  quartiles; equal weights and codes"
    )
    for estimator in estimators(k, args.batch):
        times = compare(estimator, X, y, args.repeats)
        ours, bare = np.median(times, axis=0)
        low, middle, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
        name = type(estimator).__name__
        print(
            f"{name:16}{ours:8.3f}s{bare:8.3f}s{middle:8.3f}  {low:.3f} to {high:.3f}",
            flush=True,
        )
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


if __name__ == "__main__":
    main()
