"""What does the code of one row cost over its bare parts, in a service?

Calls one by one, on one thread, in turn with the bare computation; the ratio is the
median of those of the CPU times, pair by pair. A row is compared with the sum of
LinearCCA.transform of one row of its width, which checks and projects, and the bare
network, and with the bare network alone where this is large. A search is compared with
its code, the product with all codes of items, and the choice of the largest.

    python benchmarks/serving.py
"""

import argparse
import time
from copy import deepcopy

import numpy as np
import torch
from _fresh_process import measured
from sklearn.frozen import FrozenEstimator
from torch import nn

from skcrl import CrossViewRetriever, DeepCCA, LinearCCA


def dense(*widths):
    """A network of the user's, of dense layers."""
    layers = [nn.Linear(widths[0], widths[1])]
    for i in range(1, len(widths) - 1):
        layers += [nn.ReLU(), nn.Linear(widths[i], widths[i + 1])]
    return nn.Sequential(*layers)


def paired_views(n_rows, width):
    """Two views of one width that share what is in their first columns."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, n_rows, width), dtype=np.float32)
    y[:, : width // 4] += X[:, : width // 4]
    return X, y


def bare(estimator, side, row):
    """Function that applies the encoder of one side to a row, and nothing else."""
    encoder = deepcopy(estimator.net_.module_.encoders[side]).eval()
    encoder.to(torch.from_numpy(row).dtype)

    def forward():
        with torch.inference_mode():
            return encoder(torch.from_numpy(row)).numpy()

    return forward


def compare(ours, parts, n_calls):
    """CPU times of pairs of calls, ours and that of the parts."""
    pairs = []
    for call in range(-3, n_calls):
        begin = time.process_time()
        ours()
        middle = time.process_time()
        parts()
        if call >= 0:
            pairs.append((middle - begin, time.process_time() - middle))
    return np.array(pairs)


def report(name, times):
    """One line of the table."""
    ours, parts = np.median(times, axis=0) * 1e3
    low, middle, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
    print(
        f"{name:52}{ours:8.3f}{parts:9.3f}{middle:8.2f}  {low:.2f} to {high:.2f}",
        flush=True,
    )


def one_row(widths, n_calls):
    """A small network, ours and the user's, beside LinearCCA and the bare network."""
    X, y = paired_views(500, widths[0])
    n_components = widths[-1]
    settings = {"max_epochs": 1, "random_state": 0}
    kinds = {
        "dense": DeepCCA(n_components, hidden_layer_sizes=widths[1:-1], **settings),
        "x_encoder": DeepCCA(
            n_components, x_encoder=dense(*widths), y_encoder=dense(*widths), **settings
        ),
    }
    linear = LinearCCA(n_components).fit(X, y)
    name = "-".join(map(str, widths))
    for kind, deep in kinds.items():
        deep.fit(X, y)
        for dtype in (np.float32, np.float64):
            row = X[:1].astype(dtype)
            forward = bare(deep, "x", row)
            times = compare(
                lambda row=row, deep=deep: deep.transform(row),
                lambda row=row, forward=forward: (linear.transform(row), forward()),
                n_calls,
            )
            what = f"{name} ({kind}), {dtype.__name__}"
            report(f"{what} / LinearCCA + bare", times)


def large_encoder(widths, n_calls):
    """A large encoder of the user's, and the small one beside it."""
    X, y = paired_views(100, widths[0])
    k = widths[-1]
    settings = {"max_epochs": 1, "optimizer": "sgd", "lr": 1e-6, "random_state": 0}
    small = dense(widths[0], 64, k)
    estimators = [
        DeepCCA(k, x_encoder=x_encoder, y_encoder=small, **settings).fit(X, y)
        for x_encoder in (dense(*widths), small)
    ]
    with_large, with_small = estimators
    n_weights = sum(p.numel() for p in with_large.net_.module_.encoders.x.parameters())
    for dtype in (np.float32, np.float64):
        row = X[:1].astype(dtype)
        with_large.transform(row)
        times = compare(
            lambda row=row: with_large.transform(row),
            bare(with_large, "x", row),
            n_calls,
        )
        name = f"{n_weights / 1e6:.0f} M weights, {dtype.__name__}"
        report(f"{name} / bare", times)
        mb = measured(lambda row=row: with_large.transform(row))[2]
        print(f"{'':4}memory of such a call: {mb:.1f} MB")
    row = y[:1]
    times = compare(
        lambda: with_large.transform_y(row), lambda: with_small.transform_y(row), 200
    )
    report("small tower beside it / beside another small one", times)


def searches(n_items, n_queries):
    """Queries one by one to an exact index."""
    X, y = paired_views(500, 128)
    deep = DeepCCA(64, hidden_layer_sizes=(128,), max_epochs=1, random_state=0)
    retriever = CrossViewRetriever(FrozenEstimator(deep.fit(X, y))).fit(X, y)
    rng = np.random.default_rng(1)
    items = rng.standard_normal((n_items, 128), dtype=np.float32)
    codes = retriever.fit_index(y=items).encode(y=items)
    queries = iter(rng.standard_normal((2 * n_queries + 6, 1, 128), dtype=np.float32))

    def parts():
        code = retriever.encode(next(queries))[0]
        similarities = codes @ code
        best = np.argpartition(similarities, n_items - 10)[-10:]
        return best, similarities[best]

    times = compare(lambda: retriever.search(next(queries)), parts, n_queries)
    report(f"{n_items} items of 64 / encode + product + argpartition", times)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    quick = parser.parse_args(argv).quick

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    print(f"{'CPU milliseconds a call':52}{'ours':>8}{'parts':>9}{'ratio':>8}", end="")
    print("  quartiles")
    one_row((768, 256, 64) if not quick else (20, 8, 4), 2000 if not quick else 3)
    large_encoder((2048, 8192, 6400, 64) if not quick else (20, 30, 4), 60 // 20**quick)
    searches(200_000 if not quick else 500, 1000 if not quick else 3)
    torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
