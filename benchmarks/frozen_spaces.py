"""What joins two frozen embeddings of which few rows are known to belong together?

Two encoders are there already, one for each view, and are not trained: here two
languages, of which each caption is the leading directions of its TF-IDF (words and
pieces of words) beside frozen token vectors, added up. All that an encoder learns, it
learns from captions of its own language. `pairs` of captions are known to tell of one
image, and `unpaired` captions of either language come without the other:

other images  the English captions of some images, the German ones of others: no
              caption has a partner
same images   both captions of the same images, in any order (`--same`)

    SKCRL_DATA=... python benchmarks/frozen_spaces.py --seeds 5
    SKCRL_DATA=... python benchmarks/frozen_spaces.py --pairs 2900 --same --seeds 5

R@1 in percent, among captions that were kept apart, from English to German and back:
by the similarity of the codes, and corrected for hubs by a bank of all training
captions of the query's language (`skcrl.metrics.Hubness`). Settings were chosen with
`--split val`. Token vectors come from the package wordllama; without it, and with
`--no-tokens`, TF-IDF stands alone. With `--data made` the views are two rotated copies
of a skewed cloud.

Methods
-------
Procrustes        the rotation that fits pairs best (as MUSE and VecMap have it)
ASIF              cosines with the pairs, those above 0; neither the nearest of them
                  alone nor powers of them did better here
CSA               canonical similarity analysis: CCA without a penalty, cosines weighted
                  by correlations
LinearCCA, LW     shrinkage of Ledoit and Wolf, weighted by singular values
LinearCCA, cv     shrinkage="cv", weighted by singular values
SelfLearning      that with a shrinkage of 0.8 at most, for pairs and what is found
                  among unpaired rows together are not as few as the pairs
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import _captions
import numpy as np
from scipy import stats
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline, make_union

from skcrl import LinearCCA, SelfLearning
from skcrl._columns import unit_rows
from skcrl.exceptions import DegenerateFitWarning

COLUMNS, COMPONENTS = 600, 256
MOST_SHRINKAGE = 0.8
# Of the correction for hubs.
NEIGHBORS, WEIGHT = 10, 0.5
WAYS = "en>de", "de>en", "en>de, bank", "de>en, bank"


def encoder(n_texts, *, tokens):
    """Steps from captions of one language to numbers."""
    words = make_pipeline(
        _captions.tfidf(n_texts),
        TruncatedSVD(COLUMNS, n_iter=1, random_state=0),
        _captions.UnitVariance(1),
    )
    if not tokens:
        return words
    return make_union(
        words,
        make_pipeline(_captions.TokenVectors(), _captions.UnitVariance(0.5)),
    )


def split_rows(n, n_pairs, n_unpaired, rng, *, same):
    """Rows of the pairs, and of either view without the other."""
    order = rng.permutation(n)
    pairs, rest = order[:n_pairs], order[n_pairs:]
    if same:
        return pairs, rest[:n_unpaired], rng.permutation(rest[:n_unpaired])
    n_unpaired = min(n_unpaired, len(rest) // 2)
    return pairs, rest[:n_unpaired], rest[n_unpaired : 2 * n_unpaired]


def captions(texts, held_out, rows, *, tokens):
    """Of both views: codes of the pairs and the unpaired rows, and of held-out ones."""
    pairs, *only = rows
    views = []
    for train, held, alone in zip(texts, held_out, only, strict=True):
        seen = [train[i] for i in (*pairs, *alone)]
        steps = encoder(len(seen), tokens=tokens)
        codes = steps.fit_transform(seen), steps.transform(held)
        views.append([view.astype(np.float32) for view in codes])
    return views


def made(rows, n_columns=60):
    """Two rotated copies of a skewed cloud, and 200 rows kept apart."""
    rng = np.random.default_rng(0)
    n = 1 + max(map(max, rows))
    cloud = rng.standard_exponential((n + 200, n_columns))
    cloud *= rng.random(cloud.shape) < 0.3
    views = []
    for alone in rows[1:]:
        rotation, _ = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))
        view = cloud @ rotation + 0.1 * rng.standard_normal(cloud.shape)
        views.append([view[np.r_[rows[0], alone]], view[n:]])
    return views


def procrustes(X, y, _):
    """Codes by the rotation of x to y."""
    x_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
    k = max(X.shape[1], y.shape[1])
    pad = [((0, 0), (0, k - view.shape[1])) for view in (X, y)]
    rotation, _ = orthogonal_procrustes(
        np.pad(unit_rows(X - x_mean), pad[0]), np.pad(unit_rows(y - y_mean), pad[1])
    )
    return (
        lambda X: np.pad(unit_rows(X - x_mean), pad[0]) @ rotation,
        lambda y: np.pad(unit_rows(y - y_mean), pad[1]),
    )


def asif(X, y, _):
    """Codes by their similarity to the pairs (Norelli et al. 2023)."""

    def of(anchors):
        mean = anchors.mean(axis=0)
        anchors = unit_rows(anchors - mean)

        def encode(view):
            return unit_rows(np.clip(unit_rows(view - mean) @ anchors.T, 0, None))

        return encode

    return of(X), of(y)


def csa(X, y, n_components):
    """Cosines weighted by correlations (Li, Chinchali and Topcu 2025)."""
    with warnings.catch_warnings():
        # That pairs are too few for CCA without a penalty is what is to be seen.
        warnings.simplefilter("ignore", DegenerateFitWarning)
        cca = LinearCCA(n_components).fit(X, y)
    rho = cca.correlations_.astype(np.float32)
    return (
        lambda X: unit_rows(cca.transform(X)) * rho,
        lambda y: unit_rows(cca.transform_y(y)),
    )


def weighted(cca):
    """Codes of unit length, weighted by singular values."""
    weights = cca.singular_values_.astype(np.float32)
    return (
        lambda X: unit_rows(cca.transform(X) * weights),
        lambda y: unit_rows(cca.transform_y(y) * weights),
    )


def ledoit_wolf(X, y, n_components):
    """LinearCCA with the shrinkage of each view alone."""
    return weighted(LinearCCA(n_components, shrinkage="ledoit_wolf").fit(X, y))


def by_cv(X, y, n_components):
    """LinearCCA with the shrinkage that pairs ask for."""
    return weighted(LinearCCA(n_components, shrinkage="cv").fit(X, y))


def self_learning(views, n_pairs, rows, *, same):
    """SelfLearning with the shrinkage that pairs ask for, and a remark."""
    (X, _), (y, _) = views
    _, x_only, y_only = rows
    chosen = LinearCCA(1, shrinkage="cv").fit(X[:n_pairs], y[:n_pairs]).shrinkage_[0]
    shrinkage = min(chosen, MOST_SHRINKAGE)
    k = min(COMPONENTS, X.shape[1], y.shape[1])
    estimator = LinearCCA(k, shrinkage=shrinkage)
    X_gaps = np.vstack([X, np.full((len(y_only), X.shape[1]), np.nan, X.dtype)])
    y_gaps = np.insert(y, [n_pairs] * len(x_only), np.nan, axis=0)
    model = SelfLearning(estimator, random_state=0).fit(X_gaps, y_gaps)
    right = x_only[model.x_found_ - n_pairs]
    right = right == y_only[model.y_found_ - n_pairs - len(x_only)]
    remark = (
        f"shrinkage {shrinkage:g}, {model.n_rounds_} rounds, {len(right)} found of "
        f"weight {model.found_weight_:g}"
    )
    if len(right) and same:
        remark += f", {right.mean():.0%} right"
    return weighted(model.estimator_), remark


METHODS = {
    "Procrustes": procrustes,
    "ASIF": asif,
    "CSA": csa,
    "LinearCCA, LW": ledoit_wolf,
    "LinearCCA, cv": by_cv,
}


def found(views, encode):
    """R@1 of WAYS."""
    (X, x_held), (y, y_held) = views
    x, y_codes = encode[0](x_held), encode[1](y_held)
    similar = x @ y_codes.T
    hubs = (
        nearest_mean(encode[0](X), y_codes),
        nearest_mean(encode[1](y), x),
    )
    both = (similar, similar.T)
    corrected = (s - WEIGHT * h for s, h in zip(both, hubs, strict=True))
    return [first_is_right(s) for s in (*both, *corrected)]


def nearest_mean(bank, items):
    """Mean similarity (n_items,) of items with the queries nearest to each."""
    similar = items @ bank.T
    k = min(NEIGHBORS, len(bank))
    return np.partition(similar, len(bank) - k, axis=1)[:, len(bank) - k :].mean(axis=1)


def first_is_right(similar):
    """Percentage of queries whose own item comes first."""
    return 100 * np.mean(similar.argmax(axis=1) == np.arange(len(similar)))


def cells(runs):
    """Means and, of several runs, half their 95 % intervals."""
    runs = np.asarray(runs)
    means = runs.mean(axis=0)
    if len(runs) == 1:
        return [f"{mean:.1f}" for mean in means]
    halves = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)
    return [f"{mean:.1f} ±{half:.1f}" for mean, half in zip(means, halves, strict=True)]


def compare(views, rows, only, *, same):
    """R@1 of every method, CPU seconds, and remarks."""
    n = len(rows[0])
    (X, _), (y, _) = views
    k = min(COMPONENTS, n // 2, X.shape[1], y.shape[1])
    for name in only:
        start = time.process_time()
        if name == "SelfLearning":
            encode, remark = self_learning(views, n, rows, same=same)
        else:
            encode, remark = METHODS[name](X[:n], y[:n], k), ""
        seconds = time.process_time() - start
        yield name, [*found(views, encode), seconds], remark


def main(argv=None):
    """Run the command line."""
    names = [*METHODS, "SelfLearning"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("SKCRL_DATA", ".")) / "multi30k",
        help="of the captions ($SKCRL_DATA/multi30k)",
    )
    parser.add_argument("--data", choices=["multi30k", "made"], default="multi30k")
    parser.add_argument("--split", choices=["val", "test"], default="test")
    parser.add_argument("--pairs", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--unpaired", type=int, default=6000, help="of either view")
    parser.add_argument("--same", action="store_true", help="of the same images")
    parser.add_argument("--no-tokens", action="store_true")
    parser.add_argument("--seeds", type=int, default=1, help="choices of pairs")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args = parser.parse_args(argv)
    n, tokens = 1000, not args.no_tokens
    if args.data == "multi30k":
        try:
            texts, held_out = _captions.read(args.folder, args.split)
        except FileNotFoundError as error:
            print(f"Skipped: {error}")
            return
        n = len(texts[0])
        try:
            _captions.frozen_tokens()
        except FileNotFoundError as error:
            print(f"Without token vectors: {error}")
            tokens = False
    for n_pairs in args.pairs:
        table, remarks = {}, []
        for seed in range(args.seeds):
            rng = np.random.default_rng(seed)
            rows = split_rows(n, n_pairs, args.unpaired, rng, same=args.same)
            if args.data == "made":
                views = made(rows)
            else:
                views = captions(texts, held_out, rows, tokens=tokens)
            for name, values, remark in compare(views, rows, args.only, same=args.same):
                table.setdefault(name, []).append(values)
                if remark:
                    remarks.append(f"seed {seed}: {remark}")
        kind = "the same" if args.same else "other"
        print(f"\n{n_pairs} pairs, {len(rows[1])} unpaired of {kind} samples a view")
        print(f"{'':16}" + "".join(f"{way:>14}" for way in (*WAYS, "CPU s")))
        for name, runs in table.items():
            print(f"{name:16}" + "".join(f"{cell:>14}" for cell in cells(runs)))
        print("\n".join(remarks), flush=True)


if __name__ == "__main__":
    main()
