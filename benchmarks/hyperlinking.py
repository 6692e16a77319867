"""Does a bidirectional network link items better than autoencoders and single views?

The protocol of table 3 and figure 4 of Vukotić, Raymond and Gravier (2016), on data
that are here. Anchors are queries, targets are what they are to be linked to. Both have
two views, of which one is missing in the shares of their table 1: 8.4 % of the anchors
have the second view alone, 2.0 % of the targets the first alone, 4.8 % the second
alone, and 0.1 %, at least one, none. Every search is one of CrossViewRetriever, by
cosines: a target without the view that is searched comes last, and an anchor without it
finds nothing.

    python benchmarks/hyperlinking.py --seeds 3
    python benchmarks/hyperlinking.py --data multi30k --folder /path/to/multi30k

Data
----
emoji     Words (names and keywords) and pictures. Relevant to an anchor are the targets
          of its subgroup, such as animal-bird: 300 emoji less those of subgroups with
          fewer than ten targets, and 1,249 targets. As in the paper, nets learn without
          labels from all items that have both views, anchors and targets among them.
multi30k  English and German captions, written independently of each other (task 2,
          first captions). There are no judgements of relevance: an anchor is a test
          item with each word left out with chance 1/2, in both languages, and the one
          relevant target is that item. Nets learn from the training captions.

Each view is its 100 leading principal components (of pixels) or singular vectors (of
TF-IDF), standardised. Every network has 200-100-200 hidden units. The weight of the
linear combination is chosen on other anchors, those of ``--split validation``; learning
rates were, among three or four each, on those of emoji.

Methods
-------
Only x, only y      the features of one view
Linear combination  a times the cosine of x and 1 - a times that of y, 0 where missing
AE 1, AE 2          MultimodalAutoencoder, "concatenated" and "split": joint codes
BiDNN x, BiDNN y    codes of one view by TiedBidirectional
BiDNN both          its joint codes; with "unit halves" each half is of length one
Expanded            the features, missing views by TiedBidirectional; the same a
BiDNN + alone       trained on each view once more, alone; unit halves
LinearCCA           the mean of the codes of both views

Columns
-------
P@10 after      percentage of relevant targets among the first ten, or of all relevant
                ones where these are fewer, after so many epochs
±               standard deviation over seeds, after the last
P@1             percentage of anchors whose first target is relevant
x>y, y>x        P@10 where whole anchors are known by one view, and whole targets by the
                other
translated      the same where that view of the anchor is translated, and found among
                the features of the targets; mean of both directions
seconds         wall time of training

Significance is that of Student's paired test over anchors, of their mean over seeds.
"""

import argparse
import csv
import os
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CrossViewRetriever,
    LinearCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
)
from skcrl.datasets import load_emoji

HIDDEN, CODE, FEATURES = 200, 100, 100
N_FIRST = 10
# Of table 1: anchors with the second view alone; targets with the first alone, with the
# second alone, and with none.
ANCHOR_GAPS = {"x": 1040 / 12340}
TARGET_GAPS = {"y": 251 / 12340, "x": 596 / 12340, "xy": 11 / 12340}
EPOCHS = {"emoji": (3, 10, 30, 100), "multi30k": (1, 3, 10)}
# Of the methods of one network, that which tells what is common to them all.
ONE_OF_A_NETWORK = ("AE 1", "AE 2", "BiDNN both", "BiDNN + alone")
# Of which the differences are tested.
PAIRS = (
    ("BiDNN both", "AE 1"),
    ("BiDNN both", "AE 2"),
    ("BiDNN, unit halves", "AE 1"),
    ("BiDNN, unit halves", "AE 2"),
    ("BiDNN, unit halves", "BiDNN both"),
    ("BiDNN, unit halves", "Linear combination"),
    ("BiDNN x", "Only x"),
    ("BiDNN y", "Only y"),
    ("Expanded x", "Only x"),
    ("Expanded y", "Only y"),
    ("Expanded both", "Linear combination"),
)


class Search(NamedTuple):
    """Anchors and targets as pairs of views; a row of NaN is a missing view."""

    anchors: tuple
    targets: tuple
    relevant: np.ndarray  # (n_anchors, n_targets) of bool
    whole_anchors: tuple  # without gaps, and with all words
    whole_targets: tuple


class Task(NamedTuple):
    """What to learn from and what to search; `validation` chooses parameters."""

    train: tuple
    test: Search
    validation: Search


class AsTheyAre(BaseEstimator):
    """Two-view estimator whose codes are the views."""

    def fit(self, X, y):
        """Learn nothing."""
        self.is_fitted_ = True
        return self

    def transform(self, X):
        """The view."""
        return X

    transform_y = transform


def with_gaps(views, shares, seed):
    """Copies of the views, rows of which are NaN in these shares of the items."""
    views = dict(zip("xy", map(np.array, views), strict=True))
    n = len(views["x"])
    rows = iter(np.random.default_rng(seed).permutation(n))
    for sides, share in shares.items():
        missing = [next(rows) for _ in range(max(1, round(share * n)))]
        for side in sides:
            views[side][missing] = np.nan
    return views["x"], views["y"]


def emoji_task(quick):
    """Words and pictures, to be linked within subgroups."""
    emoji = load_emoji()
    texts = [f"{n} | {k}" for n, k in zip(emoji.names, emoji.keywords, strict=True)]
    ink = (255 - emoji.images.reshape(len(texts), -1).astype(np.float32)) / 64
    x = make_pipeline(
        TfidfVectorizer(sublinear_tf=True), TruncatedSVD(FEATURES, random_state=0)
    )
    y = PCA(FEATURES, random_state=0)
    views = [
        StandardScaler().fit_transform(steps.fit_transform(view))
        for steps, view in ((x, texts), (y, ink))
    ]
    order = np.random.default_rng(0).permutation(len(texts))
    rows = {"test": order[:300], "validation": order[300:600]}
    target_rows = order[600 : 900 if quick else None]
    whole_targets = tuple(view[target_rows] for view in views)
    targets = with_gaps(whole_targets, TARGET_GAPS, 1)
    searches = {}
    for name, anchor_rows in rows.items():
        same = emoji.subgroups[anchor_rows][:, None] == emoji.subgroups[target_rows]
        enough = same.sum(axis=1) >= N_FIRST
        whole = tuple(view[anchor_rows[enough]] for view in views)
        anchors = with_gaps(whole, ANCHOR_GAPS, 2)
        searches[name] = Search(anchors, targets, same[enough], whole, whole_targets)
    everything = [
        np.concatenate([targets[i], *(s.anchors[i] for s in searches.values())])
        for i in range(2)
    ]
    complete = ~np.isnan(everything[0] + everything[1]).any(axis=1)
    return Task(tuple(view[complete] for view in everything), **searches)


def captions_task(folder, quick):
    """Captions in two languages, to be found when half of their words are left out."""
    texts = {
        split: [
            (folder / f"{split}.{language}.txt").read_text("utf-8").splitlines()
            for language in ("en", "de")
        ]
        for split in ("train", "val", "test")
    }
    steps = [
        make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2),
            TruncatedSVD(FEATURES, random_state=0),
            StandardScaler(),
        )
        for _ in range(2)
    ]
    n_train = 2000 if quick else None
    train = tuple(
        s.fit_transform(t[:n_train]) for s, t in zip(steps, texts["train"], strict=True)
    )
    rng = np.random.default_rng(0)

    def search(split):
        pairs = list(zip(steps, texts[split], strict=True))
        whole = tuple(s.transform(t) for s, t in pairs)
        partly = tuple(
            s.transform([_some_words(line, rng) for line in t]) for s, t in pairs
        )
        targets = with_gaps(whole, TARGET_GAPS, 1)
        own = np.eye(len(whole[0]), dtype=bool)
        return Search(with_gaps(partly, ANCHOR_GAPS, 2), targets, own, whole, whole)

    return Task(train, search("test"), search("val"))


def _some_words(line, rng):
    words = np.array(line.split())
    return " ".join(words[rng.random(len(words)) < 0.5])


def networks():
    """The estimators that are trained, by name."""
    shared = {"standardize": False, "weight_decay": 0.0, "batch_size": 128}
    autoencoder = {"hidden_layer_sizes": (HIDDEN,), "lr": 1e-3, **shared}
    tied = TiedBidirectional(
        CODE,
        hidden_layer_sizes=(HIDDEN,),
        activation="tanh",
        dropout=0.2,
        input_dropout=0.0,
        optimizer="nesterov",
        lr=0.1,
        **shared,
    )
    return {
        "AE 1": MultimodalAutoencoder(CODE, layout="concatenated", **autoencoder),
        "AE 2": MultimodalAutoencoder(CODE, layout="split", **autoencoder),
        "BiDNN": tied,
        "BiDNN + alone": clone(tied),
    }


def with_each_alone(x, y):
    """The pairs, and below them each row of either view without the other."""
    x_gap, y_gap = np.full_like(x, np.nan), np.full_like(y, np.nan)
    return np.vstack([x, x, x_gap]), np.vstack([y, y_gap, y])


def first_ten(retriever, anchors, targets):
    """Positions (n_anchors, 10) of targets; -1 for an anchor without these views."""
    anchors, targets = (_given(views) for views in (anchors, targets))
    there = np.any([~np.isnan(v).any(axis=1) for v in anchors.values()], axis=0)
    found = np.full((len(there), N_FIRST), -1)
    queries = {side: view[there] for side, view in anchors.items()}
    retriever.fit_index(**targets)
    found[there] = retriever.kneighbors(**queries, n_neighbors=N_FIRST)[1]
    return found


def _given(views):
    return {s: v for s, v in zip(("X", "y"), views, strict=True) if v is not None}


def only(search, side):
    """First ten by the features of one view."""
    plain = CrossViewRetriever(AsTheyAre()).fit(*search.whole_targets)
    return first_ten(plain, (search.anchors[side], None), (search.targets[side], None))


def cosines(search, side):
    """Of all anchors with all targets in one view, 0 where it is missing."""
    anchors, targets = search.anchors[side], search.targets[side]
    there = np.flatnonzero(~np.isnan(anchors).any(axis=1))
    retriever = CrossViewRetriever(AsTheyAre()).fit(anchors, anchors)
    retriever.fit_index(targets)
    n_targets = len(targets)
    distances, positions = retriever.kneighbors(anchors[there], n_neighbors=n_targets)
    table = np.zeros(search.relevant.shape)
    table[there[:, None], positions] = np.where(np.isinf(distances), 0, 1 - distances)
    return table


def combined(search, weights):
    """First ten by linear combinations, for each weight of x; what is lost is last."""
    x, y = cosines(search, 0), cosines(search, 1)
    lost = np.isnan(np.hstack(search.targets)).all(axis=1)
    for weight in weights:
        total = weight * x + (1 - weight) * y
        total[:, lost] = -np.inf
        yield np.argsort(-total, axis=1, kind="stable")[:, :N_FIRST]


def best_weight(search):
    """Weight of x by which the anchors of this search find most."""
    weights = np.linspace(0, 1, 11)
    found = combined(search, weights)
    return weights[np.argmax([precision(f, search.relevant).mean() for f in found])]


def precision(found, relevant, k=N_FIRST):
    """Percentage of each anchor: relevant targets among the first k, of at most k."""
    hits = np.take_along_axis(relevant, found, axis=1) & (found >= 0)
    return 100 * hits[:, :k].sum(axis=1) / np.minimum(k, relevant.sum(axis=1))


def linked_by_hand(task, search, weight):
    """First ten of the methods without a network, by name."""
    cca = CrossViewRetriever(LinearCCA(CODE), correlation_power=0).fit(*task.train)
    return {
        "Only x": only(search, 0),
        "Only y": only(search, 1),
        "Linear combination": next(combined(search, [weight])),
        "LinearCCA": first_ten(cca, search.anchors, search.targets),
    }


def linked_by(name, net, task, search, weight):
    """First ten of each method that a trained network makes, by its name."""

    def retriever(codes):
        return CrossViewRetriever(FrozenEstimator(net), codes=codes).fit(*task.train)

    both = search.anchors, search.targets
    if name.startswith("AE"):
        return {name: first_ten(retriever("joint"), *both)}
    if name == "BiDNN + alone":
        return {name: first_ten(retriever("concatenated"), *both)}
    (ax, ay), (tx, ty) = both
    expanded = search._replace(
        anchors=_filled(net, search.anchors), targets=_filled(net, search.targets)
    )
    return {
        "BiDNN x": first_ten(retriever("mean"), (ax, None), (tx, None)),
        "BiDNN y": first_ten(retriever("mean"), (None, ay), (None, ty)),
        "BiDNN both": first_ten(retriever("joint"), *both),
        "BiDNN, unit halves": first_ten(retriever("concatenated"), *both),
        "Expanded x": only(expanded, 0),
        "Expanded y": only(expanded, 1),
        "Expanded both": next(combined(expanded, [weight])),
    }


def _filled(net, views):
    """Views whose missing rows are reconstructed where the other view is there."""
    views = [view.copy() for view in views]
    there = ~np.isnan(views[0]).any(axis=1) | ~np.isnan(views[1]).any(axis=1)
    filled = net.impute(*(view[there] for view in views))
    for view, rows in zip(views, filled, strict=True):
        view[there] = rows
    return tuple(views)


def across(estimator, search):
    """P@10 of either view by the other, and of translations."""
    (ax, ay), (tx, ty) = search.whole_anchors, search.whole_targets
    retriever = CrossViewRetriever(FrozenEstimator(estimator)).fit(ax, ay)
    plain = CrossViewRetriever(AsTheyAre()).fit(ax, ay)
    found = [
        first_ten(retriever, (ax, None), (None, ty)),
        first_ten(retriever, (None, ay), (tx, None)),
        first_ten(plain, (None, estimator.reconstruct(ax, to="y")), (None, ty)),
        first_ten(plain, (estimator.reconstruct(y=ay, to="x"), None), (tx, None)),
    ]
    forth, back, *ways = (precision(f, search.relevant).mean() for f in found)
    return forth, back, np.mean(ways)


class Runs(NamedTuple):
    """What a method found in each seed."""

    p10: list  # of (n_epochs, n_anchors), or of (1, n_anchors) without training
    p1: list  # of (n_anchors,)
    across: list  # of three numbers
    seconds: list


def run_seed(task, search, weight, epochs, seed, runs):
    """Train each network, and append what its methods find."""
    for name, net in networks().items():
        net = clone(net).set_params(random_state=seed)
        rows = with_each_alone(*task.train) if "alone" in name else task.train
        curve, seconds, done = {}, 0.0, 0
        for n_epochs in epochs:
            start = time.perf_counter()
            for _ in range(n_epochs - done):
                net.partial_fit(*rows)
            seconds, done = seconds + time.perf_counter() - start, n_epochs
            found = linked_by(name, net, task, search, weight)
            for method, positions in found.items():
                curve.setdefault(method, []).append(
                    precision(positions, search.relevant)
                )
        columns = across(net, search)
        for method, positions in found.items():
            of_method = runs.setdefault(method, Runs([], [], [], []))
            of_method.p10.append(np.array(curve[method]))
            of_method.p1.append(precision(positions, search.relevant, k=1))
            of_method.across.append(columns)
            of_method.seconds.append(seconds)


def print_table(runs, epochs):
    """One line a method."""
    heads = [f"P@10 after {n}" for n in epochs]
    heads += ["±", "P@1", "x>y", "y>x", "translated", "seconds"]
    print(f"{'':20}" + "".join(f"{head:>15}" for head in heads))
    for name, of_method in runs.items():
        p10 = np.mean(of_method.p10, axis=(0, 2))
        cells = [f"{value:.1f}" for value in p10]
        cells = [""] * (len(epochs) - len(cells)) + cells
        last = [run[-1].mean() for run in of_method.p10]
        cells.append(f"{np.std(last, ddof=1):.2f}" if len(last) > 1 else "")
        cells.append(f"{np.mean(of_method.p1):.1f}")
        if of_method.across and name in ONE_OF_A_NETWORK:
            cells += [f"{v:.1f}" for v in np.mean(of_method.across, axis=0)]
            cells.append(f"{np.mean(of_method.seconds):.1f}")
        print(f"{name:20}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


def print_significance(runs):
    """Differences of P@10 between methods, by anchors."""
    for better, worse in PAIRS:
        a, b = (np.mean(runs[name].p10, axis=0)[-1] for name in (better, worse))
        gap = a - b
        half = stats.t.ppf(0.975, len(gap) - 1) * stats.sem(gap)
        p = stats.ttest_rel(a, b).pvalue if gap.any() else 1.0
        print(f"{better} less {worse}: {gap.mean():+.1f} ±{half:.1f}, p = {p:.1g}")


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("SKCRL_DATA", ".")) / "multi30k",
        help="folder with train.en.txt and so on ($SKCRL_DATA/multi30k)",
    )
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each net")
    parser.add_argument("--epochs", type=int, nargs="+", help="when to measure")
    parser.add_argument("--quick", action="store_true", help="few rows, two epochs")
    parser.add_argument("--csv", type=Path, help="write P@10 of every run to this file")
    args = parser.parse_args(argv)
    records = []
    for data in args.data:
        if data == "multi30k" and not (args.folder / "train.en.txt").exists():
            print(
                f"Skipped: there is no {args.folder / 'train.en.txt'}. Pass as "
                "--folder one with the first captions of task 2 of "
                "github.com/multi30k/dataset."
            )
            continue
        task = (
            emoji_task(args.quick)
            if data == "emoji"
            else captions_task(args.folder, args.quick)
        )
        search = getattr(task, args.split)
        epochs = args.epochs or ((1, 2) if args.quick else EPOCHS[data])
        weight = best_weight(task.validation)
        print(
            f"{data}: {len(search.anchors[0])} anchors of {args.split}, "
            f"{len(search.targets[0])} targets, {len(task.train[0])} rows to learn "
            f"from; linear combination {weight:.1f} x + {1 - weight:.1f} y"
        )
        runs, by_hand = {}, linked_by_hand(task, search, weight)
        for name, found in by_hand.items():
            p10, p1 = (precision(found, search.relevant, k) for k in (N_FIRST, 1))
            runs[name] = Runs([p10[None]], [p1], [], [])
        for seed in range(args.seeds):
            run_seed(task, search, weight, epochs, seed, runs)
        print_table(runs, epochs)
        print_significance(runs)
        for name, of_method in runs.items():
            # Methods without training have one row, of no epoch.
            at = ("",) if name in by_hand else epochs
            for seed, p10 in enumerate(of_method.p10):
                for n, row in zip(at, p10, strict=True):
                    records.append((data, name, seed, n, row.mean()))
    if args.csv:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with args.csv.open("w", newline="") as file:
            columns = "data", "method", "seed", "epochs", "p10"
            csv.writer(file).writerows([columns, *records])


if __name__ == "__main__":
    main()
