"""What does an epoch of DeepCCA cost over a bare torch loop?

The same module, loss, optimiser, batches and initial weights, in turn on one thread;
the ratio is that of the CPU times of an epoch, pair by pair. Both end at the same
weights.

    python benchmarks/training_overhead.py
"""

import argparse
import time

import numpy as np
import torch

from skcrl import DeepCCA
from skcrl.deep._data import PairBatches, PairDataset
from skcrl.deep.losses import trace_norm


def bare_epoch(module, optimizer, batches, reg):
    """One epoch, as a script of one page would have it."""
    for batch, _ in batches:
        optimizer.zero_grad()
        loss = trace_norm(module(batch["x"], batch["y"]), None, None, reg=reg)
        loss.backward()
        optimizer.step()


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
    data = PairDataset.from_arrays(X, y)

    # One epoch each, so that both have their weights, moments and order of batches.
    est = DeepCCA(k, batch_size=args.batch, max_epochs=1, random_state=0).fit(X, y)
    net = est.net_
    start = DeepCCA(k, batch_size=args.batch, random_state=0)
    start.n_features_in_ = start.y_n_features_in_ = 392
    module = start._make_net(net.seed).module_
    optimizer = torch.optim.Adam(module.parameters(), lr=est.lr)
    seed = net.iterator_train__seed
    batches = PairBatches(data, args.batch, shuffle=True, seed=seed)
    bare_epoch(module, optimizer, batches, est.reg)

    pairs = []
    for _ in range(args.repeats):
        begin = time.process_time()
        net.train_epochs(data, 1, [])
        middle = time.process_time()
        bare_epoch(module, optimizer, batches, est.reg)
        pairs.append((middle - begin, time.process_time() - middle))
    for ours, theirs in zip(net.module_.parameters(), module.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)

    times = np.array(pairs)
    ratios = times[:, 0] / times[:, 1]
    print(f"{args.rows} rows, batches of {args.batch}, 392-500-300-{k} twice")
    print(f"DeepCCA {np.median(times[:, 0]):.3f} s an epoch")
    print(f"bare    {np.median(times[:, 1]):.3f} s an epoch")
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    print(f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f}), equal weights")


if __name__ == "__main__":
    main()
