"""How well are captions found by those of another language, by what a laptop can train?

Multi30k, task 2: English and German captions that were written independently of each
other for the same images, 29,000 pairs to learn from. Every method is one model that
takes texts; a caption of the held-out split is to find its partner among all of them.

    python benchmarks/captions.py --folder /path/to/multi30k --split val
    python benchmarks/captions.py --only "best one model" --seeds 5

Frozen vectors of subwords come from the package wordllama (``pip install wordllama``).
Without it, or without the captions, nothing is measured, and the script says so. All
settings were chosen with ``--split val``.

Methods
-------
linear          LinearCCA of words, characters and frozen token vectors, each component
                times its singular value, which tells more than its correlation under a
                ridge
best one model  the codes of that, which count twice, of a ranker of the same numbers,
                and of one that sees the words and characters themselves, side by side
..., bank       cosines less half their mean with the training queries nearest to the
                item, 17 of 10,000: hubs, which are near to everything, come first less
                often

Columns
-------
R@1, R@5, R@10   percentage of queries whose own caption is among the first k
MR, MRR          median rank, and mean reciprocal rank times 100
CPU              seconds of the processor, from the texts to the ranks, with the bank
"""

import argparse
import os
import time
from pathlib import Path

import _captions
import numpy as np
from scipy import stats

from skcrl import CrossViewRetriever
from skcrl.metrics import retrieval_report

RECALLS = 1, 5, 10
MEASURES = *(f"R@{k}" for k in RECALLS), "MR", "MRR"
DIRECTIONS = "en>de", "de>en"
# Chosen on the validation captions: 10, 50 and 100 of all neighbours are alike.
HUBS = {"n_neighbors": 17, "weight": 0.5}
# By their names: functions of n_train and seed, which give an estimator of texts.
METHODS = {"linear": _captions.linear, "best one model": _captions.best}
SEEDLESS = frozenset({"linear"})


def figures(codes, hubness=None):
    """Each of MEASURES of both directions."""
    report = retrieval_report(*codes, k=RECALLS, hubness=hubness)
    return [
        value if name == "median_rank" else 100 * value
        for way in report.values()
        for name, value in way.items()
    ]


def measure(name, train, held_out, seed, **settings):
    """Rows of a method, without and with a bank: its figures both ways, seconds."""
    begin = time.process_time()
    model = METHODS[name](n_train=len(train[0]), seed=seed, **settings)
    retriever = CrossViewRetriever(model, hubness="bank", hubness_params=HUBS)
    codes = retriever.fit(*train).transform_pair(*held_out)
    with_bank = figures(codes, retriever.hubness_)
    seconds = time.process_time() - begin
    return {
        name: (*figures(codes), seconds),
        f"{name}, bank": (*with_bank, seconds),
    }


def cells(runs):
    """Means of the runs and, of several, half their 95 % intervals."""
    runs = np.asarray(runs)
    means = runs.mean(axis=0)
    if len(runs) == 1:
        return [f"{mean:.1f}" for mean in means]
    halves = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)
    return [f"{mean:.1f} ±{half:.1f}" for mean, half in zip(means, halves, strict=True)]


def print_row(name, cells):
    """One line of a table."""
    print(f"{name:24}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("SKCRL_DATA", ".")) / "multi30k",
        help="of the captions ($SKCRL_DATA/multi30k)",
    )
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--seeds", type=int, default=1, help="of what is random")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--quick", action="store_true", help="few rows, one epoch")
    args = parser.parse_args(argv)
    try:
        train, held_out = _captions.read(args.folder, args.split)
        _captions.frozen_tokens()
    except FileNotFoundError as error:
        print(f"Skipped: {error}")
        return
    settings = {"n_epochs": 1} if args.quick else {}
    if args.quick:
        train = tuple(view[:400] for view in train)
    rows = {}
    for name in args.only:
        for seed in range(1 if name in SEEDLESS else args.seeds):
            found = measure(name, train, held_out, seed, **settings)
            for row, values in found.items():
                rows.setdefault(row, []).append(values)
    print(f"{len(train[0])} pairs to learn from, {len(held_out[0])} of {args.split}")
    n = len(MEASURES)
    for way, first, last in ((DIRECTIONS[0], 0, n), (DIRECTIONS[1], n, 2 * n + 1)):
        print_row(way, (*MEASURES, "CPU")[: last - first])
        for name, runs in rows.items():
            print_row(name, cells(runs)[first:last])


if __name__ == "__main__":
    main()
