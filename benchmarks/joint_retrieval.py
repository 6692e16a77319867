"""Do tied translators or autoencoders give the better joint codes to search by?

English and German captions were written independently of each other for the same images
(Multi30k, task 2). Each language is a view: TF-IDF, its 100 leading singular vectors,
standardised, all fitted on the training captions. Every network has 200-100-200 hidden
units unless its name says otherwise. A query is one caption, its target the sample it
belongs to among all of the split; both are compared by the cosine of their joint codes.

    python benchmarks/joint_retrieval.py --data /path/to/multi30k --seeds 5

Parameters were chosen by ``--split val``.

Methods
-------
AE concatenated, AE split   the two layouts of MultimodalAutoencoder
Tied                        TiedBidirectional
Tied + alone                the same, trained on each caption once more, alone
Tied, no outer layers       the tied weights alone, 100 units

Columns
-------
en>de, de>en      targets hold the other caption alone
en>both, de>both  targets hold both captions, the query's own among them
translated        the query is translated, and found among the features of the targets;
                  mean of both directions
@1, @10           percentage of queries whose own sample comes first, or among the first
                  ten: precision at 1, and ten times the precision at 10
seconds           wall time of fit
"""

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from skcrl import LinearCCA, MultimodalAutoencoder, TiedBidirectional

COLUMNS = (
    "en>de@1",
    "en>de@10",
    "de>en@1",
    "de>en@10",
    "en>both@1",
    "de>both@1",
    "translated@1",
    "translated@10",
    "seconds",
)
HIDDEN, CODE, FEATURES = 200, 100, 100


def methods():
    """Estimators, and whether each caption is trained on once more, alone."""
    schedule = {
        "standardize": False,
        "weight_decay": 0.0,
        "max_epochs": 20,
        "lr_schedule": "one_cycle",
    }
    autoencoder = {"hidden_layer_sizes": (HIDDEN,), "lr": 3e-4, **schedule}
    tied = TiedBidirectional(
        CODE,
        hidden_layer_sizes=(HIDDEN,),
        activation="tanh",
        dropout=0.2,
        input_dropout=0.0,
        optimizer="nesterov",
        lr=0.1,
        batch_size=128,
        **schedule,
    )
    return {
        "LinearCCA": (LinearCCA(CODE), False),
        "AE concatenated": (
            MultimodalAutoencoder(CODE, layout="concatenated", **autoencoder),
            False,
        ),
        "AE split": (MultimodalAutoencoder(CODE, layout="split", **autoencoder), False),
        "Tied": (tied, False),
        # There are three times as many rows.
        "Tied + alone": (clone(tied).set_params(max_epochs=10), True),
        "Tied, no outer layers": (clone(tied).set_params(hidden_layer_sizes=()), False),
    }


def load(folder, split, n_train):
    """Training and test features of both languages, as pairs."""
    views = []
    for language in ("en", "de"):
        train, test = (
            (folder / f"{name}.{language}.txt").read_text("utf-8").splitlines()
            for name in ("train", split)
        )
        features = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, min_df=2),
            TruncatedSVD(FEATURES, random_state=0),
            StandardScaler(),
        )
        train = features.fit_transform(train[:n_train])
        views.append((train, features.transform(test)))
    return tuple(zip(*views, strict=True))


def with_each_alone(x, y):
    """The pairs, and below them each row of either view without the other."""
    x_gap, y_gap = np.full_like(x, np.nan), np.full_like(y, np.nan)
    return np.vstack([x, x, x_gap]), np.vstack([y, y_gap, y])


def found(queries, targets):
    """Percentage of rows that find themselves first, and among the first ten."""
    similarity = normalize(queries) @ normalize(targets).T
    rank = (similarity >= np.diag(similarity)[:, None]).sum(axis=1)
    return 100 * np.mean(rank == 1), 100 * np.mean(rank <= 10)


def measure(estimator, train, test):
    """Fit, and return one number for each of COLUMNS."""
    start = time.perf_counter()
    estimator.fit(*train)
    seconds = time.perf_counter() - start
    en, de = test
    from_en, from_de = estimator.transform_joint(en), estimator.transform_joint(y=de)
    from_both = estimator.transform_joint(en, de)
    translated = (
        found(estimator.reconstruct(en, to="y"), de),
        found(estimator.reconstruct(y=de, to="x"), en),
    )
    return (
        *found(from_en, from_de),
        *found(from_de, from_en),
        found(from_en, from_both)[0],
        found(from_de, from_both)[0],
        *np.mean(translated, axis=0),
        seconds,
    )


def describe(runs):
    """Mean of each column and, of several seeds, half its 95 % interval."""
    runs = np.asarray(runs)
    mean = runs.mean(axis=0)
    if len(runs) == 1:
        return mean, np.zeros_like(mean)
    return mean, stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)


def print_row(name, mean, spread):
    """One line of the table; a method without randomness has no spread."""
    cells = [
        f"{m:.1f}" + (f" ±{s:.1f}" if s > 0 else "")
        for m, s in zip(mean, spread, strict=True)
    ]
    print(f"{name:22}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SKCRL_DATA", ".")) / "multi30k",
        help="folder with train.en.txt and so on ($SKCRL_DATA/multi30k)",
    )
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--seeds", type=int, default=1, help="fits of each method")
    parser.add_argument("--only", help="methods whose name holds this text")
    parser.add_argument("--quick", action="store_true", help="2000 rows, one epoch")
    parser.add_argument("--csv", type=Path, help="write every run to this file")
    args = parser.parse_args(argv)
    if not (args.data / "train.en.txt").exists():
        print(
            f"Skipped: there is no {args.data / 'train.en.txt'}. Pass as --data a "
            "folder with the first captions of task 2 of github.com/multi30k/dataset."
        )
        return

    train, test = load(args.data, args.split, 2000 if args.quick else None)
    print(f"{len(train[0])} training samples, {len(test[0])} of {args.split}")
    print(f"{'':22}" + "".join(f"{column:>14}" for column in COLUMNS))
    records = []
    for name, (estimator, alone) in methods().items():
        if args.only and args.only not in name:
            continue
        is_deep = "max_epochs" in estimator.get_params()
        if is_deep and args.quick:
            estimator.set_params(max_epochs=1)
        rows = with_each_alone(*train) if alone else train
        runs = []
        for seed in range(args.seeds if is_deep else 1):
            if is_deep:
                estimator.set_params(random_state=seed)
            runs.append(measure(estimator, rows, test))
            records.append((name, seed, *runs[-1]))
        print_row(name, *describe(runs))
    if args.csv:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("method", "seed", *COLUMNS), *records])


if __name__ == "__main__":
    main()
