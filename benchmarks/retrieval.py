"""Which objective finds the other view of a sample best, and from how many pairs?

Every method puts both views into one space, where a query of one view ranks all test
samples of the other by the cosine of their codes. All networks are the same: they
differ in what they are trained for.

multi30k: English and German captions written independently of each other for the same
images (task 2). Each language is a view: TF-IDF of words and of character n-grams, its
1,000 leading singular vectors, centred and divided by one number for all columns.

    python benchmarks/retrieval.py --data multi30k --folder /path/to/multi30k --seeds 5
    python benchmarks/retrieval.py --seeds 5 --share 100 30 10 3 --csv out/runs.csv
    python benchmarks/retrieval.py --correlations out/correlations.png

emoji: pictures of 32 x 32 pixels, and TF-IDF of their names and keywords as its leading
singular vectors; a fifth of the 1,849 held out. LinearCCA sees principal components,
the other methods train a small convolutional network. `--zero-shot` holds out 20 whole
subgroups instead: the query is the mean code of a subgroup's texts, and what counts is
the share of its own among the first 10 pictures, as subgroups are small.

    python benchmarks/retrieval.py --data emoji --seeds 5 --zero-shot

audio-sheet: made melodies as staffs of 40 x 100 pixels and as spectrograms of 92 x 42,
in the place of the paper's, of which 3,000 are to learn from. Either view goes through
four layers of convolutions, one of 1 x 1 to the code of 32, and the mean over all
places. The melody is all that the views share, so the oracle, which reads it from the
pixels of either, finds every pair, and what learns from shuffled pairs finds them by
chance.

    python benchmarks/retrieval.py --data audio-sheet --share 100 10

`--paper`: the captions with the nets and settings of the paper for images and texts.
English goes through one linear layer to 128, German through two of 1,024 with batch
normalisation and ELU and one to 128; batches of 1,000, adam, a margin of 0.5, patience
of 50 epochs and then, at a tenth of the rate each time, three times 10, by the
validation captions. These settings are not chosen. Three things are not the
paper's: the data, that DeepCCA stops by its held-out correlation and not by the mean
reciprocal rank, and that each lower rate begins from the best weights so far. Ranking
losses are of one direction, from English to German, as in the paper, and of both.

    python benchmarks/retrieval.py --paper --share 100 30 10 3

With `--share` the features too are fitted to that share of the training pairs alone; a
seed draws the pairs and the networks. Parameters were chosen by ``--split val``.

Methods
-------
LinearCCA           no network
DeepCCA             the correlation itself, then CCA: the pipeline of DCCA
Learned, ranking    pairwise ranking loss on learned projections (Learned-L_rank)
CCALRanker          the same through the CCA layer (CCAL-L_rank)
InfoNCE             InfoNCE on learned projections; the best of these
InfoNCE, CCA layer  the same through the CCA layer
oracle              reads the melody of either view (audio-sheet)
..., shuffled pairs learns from pairs that do not belong together (audio-sheet)
InfoNCE, then ...   LinearCCA of the trained network's features and the texts (emoji)
..., weighted       each code times its canonical correlation, or the singular value
                    that stands for it under a penalty
..., bank           cosines corrected for hubs by the codes of all training queries

Columns
-------
R@1 .. R@25   percentage of queries whose own sample is among the first k
MR, MRR       median rank, and mean reciprocal rank times 100
mean MRR      of both directions
train ...     mean of both on as many of the training pairs (`--paper`): over-fitting
seconds       wall time of fit
"""

import argparse
import csv
import os
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import _audio_sheet
import _emoji
import _paper
import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union

from skcrl import CCALRanker, DeepCCA, LinearCCA
from skcrl.compose._correlation_weights import measured_correlations
from skcrl.metrics import Hubness, retrieval_report

MEASURES = ("R@1", "R@5", "R@10", "R@25", "MR", "MRR")
WEIGHTED, BANKED = "%s, weighted", "%s, bank"
TRAINING = ("train R@1", "train MRR")
MEAN_MRR = 2 * len(MEASURES)  # after those of both directions
CODE, FEATURES, BATCH = 256, 1000, 1000
# Their projections are learned: no component is a canonical variate.
UNWEIGHTED = frozenset({"Learned, ranking", "InfoNCE"})
# Passes over all pairs; of fewer pairs there are at least so many steps.
EPOCHS, STEPS = 8, 80


class Task(NamedTuple):
    """Pairs of views to learn from and to search, and what to compare on them.

    `directions` names the search from the first view and that from the second. Of
    methods named in `weighted` the codes times their correlations are measured too.
    """

    directions: tuple[str, str]
    train: tuple
    test: tuple
    methods: dict
    weighted: frozenset
    validation: tuple | None = None  # pairs that networks stop early by


def read_captions(args, splits, share, seed):
    """Features of the training pairs, and of those of each of the splits."""
    if not (args.folder / "train.en.txt").exists():
        raise FileNotFoundError(
            f"there is no {args.folder / 'train.en.txt'}. Pass as --folder a folder "
            "with the first captions of task 2 of github.com/multi30k/dataset."
        )
    return captions(
        args.folder,
        splits,
        share,
        None if share == 100 else seed,
        2000 if args.quick else None,
    )


def multi30k(args, share, seed):
    """Captions in two languages."""
    train, test = read_captions(args, (args.split,), share, seed)
    n_batches = max(1, len(train[0]) // BATCH)
    training = {
        "hidden_layer_sizes": tuple(args.hidden),
        "activation": "relu",
        "input_dropout": 0.0,
        "standardize": False,
        "batch_size": BATCH,
        "lr": 8e-3,
        "lr_schedule": "one_cycle",
        "max_epochs": 1 if args.quick else max(EPOCHS, -(-STEPS // n_batches)),
    }
    k = min(CODE, train[0].shape[1])
    # Columns have variance 1 in the mean, most of them less.
    deep_cca = DeepCCA(k, reg=1.0, **training)
    ranker = CCALRanker(k, reg=1.0, margin=0.9, temperature=0.1, **training)
    learned = clone(ranker).set_params(projection="learned")
    methods = {
        "LinearCCA": LinearCCA(k, reg=1.0),
        "DeepCCA": deep_cca,
        "Learned, ranking": clone(learned).set_params(margin=0.35),
        "CCALRanker": ranker,
        "InfoNCE": clone(learned).set_params(objective="infonce"),
        "InfoNCE, CCA layer": clone(ranker).set_params(objective="infonce"),
    }
    weighted = frozenset(methods) - UNWEIGHTED
    return Task(("en>de", "de>en"), train, test, methods, weighted)


@lru_cache(maxsize=1)
def captions(folder, splits, share, seed, n_train):
    """Features of both languages, as pairs: of the training and of each split."""
    views = []
    for language in ("en", "de"):
        train, *held_out = (
            (folder / f"{name}.{language}.txt").read_text("utf-8").splitlines()
            for name in ("train", *splits)
        )
        train = train[:n_train]
        if share < 100:
            n_rows = max(10, round(len(train) * share / 100))
            rows = np.random.default_rng(seed).permutation(len(train))[:n_rows]
            train = [train[row] for row in rows]
        features = make_pipeline(
            make_union(
                TfidfVectorizer(sublinear_tf=True, min_df=2),
                TfidfVectorizer(
                    sublinear_tf=True, min_df=5, analyzer="char_wb", ngram_range=(3, 5)
                ),
            ),
            TruncatedSVD(min(FEATURES, len(train) // 2), n_iter=3, random_state=0),
        )
        train = features.fit_transform(train)
        mean = train.mean(axis=0)
        scale = np.sqrt(train.var(axis=0).mean())
        rows = (train, *map(features.transform, held_out))
        views.append([(v - mean) / scale for v in rows])
    return tuple(zip(*views, strict=True))


def paper(args, share, seed):
    """Captions in two languages, as the paper learns from images and texts."""
    train, valid, test = read_captions(args, ("val", args.split), share, seed)
    methods = _paper.make_methods(len(train[0]), 1 if args.quick else args.epochs)
    return Task(("en>de", "de>en"), train, test, methods, frozenset(), valid)


def emoji(args, share, seed):
    """Pictures and their words."""
    pairs = _emoji.held_out_pairs(args.split, share, seed)
    methods = _emoji.make_methods(pairs, 1 if args.quick else 20, seed)
    weighted = frozenset(methods) - UNWEIGHTED
    return Task(("image>text", "text>image"), *pairs[:2], methods, weighted)


def audio_sheet(args, share, seed):
    """Made staffs, and the sound of what stands in them."""
    sizes = _audio_sheet.FEW if args.quick else _audio_sheet.ALL
    pairs = _audio_sheet.held_out_pairs(args.split, share, seed, sizes)
    methods = _audio_sheet.make_methods(pairs, 1 if args.quick else None, seed)
    weighted = frozenset({"LinearCCA", "DeepCCA", "CCALRanker"})
    return Task(("sheet>audio", "audio>sheet"), *pairs, methods, weighted)


TASKS = {"multi30k": multi30k, "emoji": emoji, "audio-sheet": audio_sheet}


def columns(task):
    """Headings of the table."""
    both = [f"{way} {measure}" for way in task.directions for measure in MEASURES]
    return (*both, *columns_of_both(task))


def columns_of_both(task):
    """Headings of what is one number for both directions."""
    of_training = TRAINING if task.validation else ()
    return ("mean MRR", *of_training, "seconds")


def found(codes, hubness=None):
    """Each of MEASURES in either direction, and the mean MRR."""
    report = retrieval_report(*codes, hubness=hubness)
    values = []
    for way in ("x_to_y", "y_to_x"):
        *recalls, median, mrr = report[way].values()
        values += [*(100 * recall for recall in recalls), median, 100 * mrr]
    return (*values, (values[5] + values[11]) / 2)


def measure(task, name, estimator):
    """Fit, and return one number for each column, by the name of the row."""
    stops_early = task.validation and is_deep(estimator)
    start = time.perf_counter()
    estimator.fit(*task.train, **{"validation": task.validation} if stops_early else {})
    seconds = time.perf_counter() - start
    x, y = estimator.transform_pair(*task.test)
    beside = (seconds,)
    if task.validation:
        # As many candidates as there are of the test.
        seen = [view[: len(x)] for view in task.train]
        seen = found(estimator.transform_pair(*seen))
        beside = ((seen[0] + seen[6]) / 2, seen[-1], seconds)
    rows = {name: (*found((x, y)), *beside)}
    if task.validation:
        return rows
    rho = 1.0
    if name in task.weighted:
        name, rho = WEIGHTED % name, measured_correlations(estimator)
        rows[name] = (*found((x * rho, y * rho)), seconds)
    bank = tuple(Z * rho for Z in estimator.transform_pair(*task.train))
    corrected = found((x * rho, y * rho), Hubness(bank=bank))
    rows[BANKED % name] = (*corrected, seconds)
    return rows


def chance(n):
    """Mean reciprocal rank, times 100, of one of n in random order."""
    return 100 * np.mean(1 / np.arange(1, n + 1))


def held_out_correlations(estimator, train, test):
    """Correlations of test codes along the canonical directions of training codes."""
    codes = estimator.transform_pair(*train)
    cca = LinearCCA(reg=1e-6, scale=True).fit(*codes)
    test_codes = cca.transform_pair(*estimator.transform_pair(*test))
    x, y = (code[:, : cca.rank_] for code in test_codes)  # zeros follow
    return np.corrcoef(x.T, y.T).diagonal(cca.rank_)


def draw(structure, path):
    """Picture of the correlations of each method's codes."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4))
    for name, correlations in structure.items():
        ax.plot(np.arange(1, len(correlations) + 1), correlations, label=name)
    ax.set(xlabel="canonical pair", ylabel="correlation of test codes", ylim=(None, 1))
    ax.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"\nCorrelations of test codes by canonical pair: {path}")
    n = min(map(len, structure.values()))
    at = sorted({1, *(min(i, n) for i in (2, 8, 32, 128, 256))})
    print(f"{'':22}" + "".join(f"{i:>8}" for i in at) + f"{'sum':>8}")
    for name, correlations in structure.items():
        cells = [
            *(f"{correlations[i - 1]:.2f}" for i in at),
            f"{sum(correlations):.1f}",
        ]
        print(f"{name:22}" + "".join(f"{cell:>8}" for cell in cells))


def describe(runs):
    """Mean of each column and, of several seeds, half its 95 % interval."""
    runs = np.asarray(runs)
    mean = runs.mean(axis=0)
    if len(runs) == 1:
        return mean, np.zeros_like(mean)
    return mean, stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)


def is_deep(estimator):
    """Whether it is trained, from a seed."""
    return "max_epochs" in estimator.get_params()


def print_tables(task, rows):
    """One table a direction; a method without randomness has no spread."""
    described = {name: describe(runs) for name, runs in rows.items()}
    n = len(MEASURES)
    for way, first in zip(task.directions, (0, n), strict=True):
        # What holds of both directions stands beside the second.
        picked = slice(first, first + n if first == 0 else None)
        heading = (*MEASURES, *(() if first == 0 else columns_of_both(task)))
        print_row(way, heading)
        for name, (mean, spread) in described.items():
            print_row(name, spread_cells(mean[picked], spread[picked]))


def spread_cells(mean, spread):
    """Each mean and, if there is one, half its interval."""
    return [
        f"{m:.1f}" + (f" ±{s:.1f}" if s > 0 else "")
        for m, s in zip(mean, spread, strict=True)
    ]


def print_row(name, cells):
    """One line of a table."""
    print(f"{name:28}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def print_gains(rows):
    """What the ranker's mean MRR gains on each other method, seed by seed."""
    for ranker in ("CCALRanker", "CCALRanker, weighted"):
        for other in ("Learned, ranking", "DeepCCA", "DeepCCA, weighted"):
            if ranker in rows and other in rows:
                a, b = (np.asarray(rows[name])[:, MEAN_MRR] for name in (ranker, other))
                if len(a) == len(b) > 1:
                    gain, half = describe((a - b)[:, None])
                    print(f"{ranker} less {other}: {gain[0]:+.1f} ±{half[0]:.1f}")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=TASKS, default="multi30k")
    parser.add_argument(
        "--folder", type=Path, help="of the data ($SKCRL_DATA/ and the name of --data)"
    )
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--seeds", type=int, default=1, help="fits of each method")
    parser.add_argument(
        "--share",
        type=float,
        nargs="+",
        default=[100.0],
        help="percentages of the training pairs to learn from",
    )
    parser.add_argument(
        "--hidden",
        type=int,
        nargs="*",
        default=[],
        help="hidden layers of the networks",
    )
    parser.add_argument("--only", nargs="+", help="methods of these names")
    parser.add_argument(
        "--paper", action="store_true", help="the paper's nets and settings (multi30k)"
    )
    parser.add_argument(
        "--epochs", type=int, default=1000, help="at most, of --paper (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="few rows, one epoch")
    parser.add_argument("--csv", type=Path, help="write every run to this file")
    parser.add_argument(
        "--correlations", type=Path, help="write a picture of the codes' correlations"
    )
    parser.add_argument(
        "--zero-shot", action="store_true", help="classes never seen (emoji)"
    )
    args = parser.parse_args(argv)
    if args.zero_shot and args.data != "emoji":
        parser.error("--zero-shot needs classes: add --data emoji")
    if args.paper and args.data != "multi30k":
        parser.error("--paper is of texts: leave --data out")
    if args.folder is None:
        args.folder = Path(os.environ.get("SKCRL_DATA", ".")) / args.data
    try:
        (compare_zero_shot if args.zero_shot else compare)(args)
    except FileNotFoundError as error:
        print(f"Skipped: {error}")


def compare(args):
    """Fit the methods to each share, and print and write what comes out."""
    records, structure = [], {}
    for share in args.share:
        rows = {}
        for seed in range(args.seeds):
            task = (paper if args.paper else TASKS[args.data])(args, share, seed)
            for name, estimator in task.methods.items():
                if args.only and name not in args.only:
                    continue
                if not is_deep(estimator) and share == 100 and seed > 0:
                    continue
                if is_deep(estimator):
                    estimator.set_params(random_state=seed)
                for row, values in measure(task, name, estimator).items():
                    rows.setdefault(row, []).append(values)
                    records.append((share, row, seed, *values))
                if args.correlations and name not in structure:
                    structure[name] = held_out_correlations(
                        estimator, task.train, task.test
                    )
        print(
            f"\n{len(task.train[0])} training samples ({share:g} %), "
            f"{len(task.test[0])} of {args.split}; by chance MRR "
            f"{chance(len(task.test[0])):.1f}"
        )
        print_tables(task, rows)
        print_gains(rows)
    if args.csv:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        heading = ("share", "method", "seed", *columns(task))
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([heading, *records])
    if args.correlations:
        draw(structure, args.correlations)


def compare_zero_shot(args):
    """Fit the methods to some classes, and search pictures of others by class."""
    pairs = _emoji.zero_shot_pairs(args.split, n_train=150 if args.quick else None)
    print(
        f"\n{len(pairs.train[0])} training samples, {len(pairs.test[0])} pictures of "
        f"{len(set(pairs.test_classes))} other classes"
    )
    print_row("text>image", ["AP@10"])
    rows = {}
    for seed in range(args.seeds):
        methods = _emoji.make_methods(pairs, 1 if args.quick else 20, seed)
        for name, estimator in methods.items():
            if args.only and name not in args.only:
                continue
            if seed > 0 and not is_deep(estimator):
                continue
            estimator.fit(*pairs.train)
            powers = {name: 0} if name in UNWEIGHTED else {name: 0, WEIGHTED % name: 1}
            for row, power in powers.items():
                found = 100 * _emoji.search_classes(estimator, pairs, power=power)
                rows.setdefault(row, []).append([found])
    for name, runs in rows.items():
        print_row(name, spread_cells(*describe(runs)))


if __name__ == "__main__":
    main()
