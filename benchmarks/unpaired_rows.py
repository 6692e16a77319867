"""Do rows that miss a view help to find across views, where pairs are few?

English and German captions of Multi30k task 2, written independently for one image.
Either language has features of its own, fitted to all its captions, paired or not:
TF-IDF of words and of 3 to 5 letters, by TruncatedSVD in 512 columns. `pairs` have
both, and `unpaired` captions of either language come without the other:

other images  the English captions of some images, the German ones of others: no
              caption has its translation
same images   both captions of the same images, in any order: all have one, and which
              it is has to be found

R@1 in percent over the pairs that were kept apart, from English to German and back, by
cosine of the codes weighted by the correlations, and by CSLS, the same corrected for
hubs among them. Multi30k's `val` is read, and not its test set: settings are
chosen by it.

    SKCRL_DATA=... python benchmarks/unpaired_rows.py --pairs 300 1000 3000

With `--data made` the views are two rotated copies of a skewed cloud.

Rows
----
Procrustes    rotation of the one space into the other, fitted to the pairs
LinearCCA     fitted to the pairs
SelfLearning  LinearCCA and what it finds among the others; rounds and the weight of
              found pairs by held-out pairs. `right` is the share of found pairs that
              belong together
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union

from skcrl import LinearCCA, SelfLearning
from skcrl._hubs import mean_of_nearest


def captions(split):
    """English and German captions, line by line."""
    folder = Path(os.environ["SKCRL_DATA"]) / "multi30k"
    return [
        (folder / f"{split}.{language}.txt").read_text("utf-8").splitlines()
        for language in ("en", "de")
    ]


def features(n_components):
    """Steps from captions to columns."""
    return make_pipeline(
        make_union(
            TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32),
            TfidfVectorizer(
                analyzer="char_wb",
                ngram_range=(3, 5),
                sublinear_tf=True,
                min_df=2,
                dtype=np.float32,
            ),
        ),
        TruncatedSVD(n_components, random_state=0),
    )


def split_rows(n, n_pairs, n_unpaired, rng, *, same):
    """Rows of the pairs, and of either view without the other."""
    order = rng.permutation(n)
    pairs, rest = order[:n_pairs], order[n_pairs:]
    if same:
        return pairs, rest[:n_unpaired], rng.permutation(rest[:n_unpaired])
    n_unpaired = min(n_unpaired, len(rest) // 2)
    return pairs, rest[:n_unpaired], rest[n_unpaired : 2 * n_unpaired]


def multi30k(rows, n_components):
    """Features of both views, fitted to the rows that are there of each."""
    pairs, *only = rows
    views = []
    for train, held, alone in zip(
        captions("train"), captions("val"), only, strict=True
    ):
        steps = features(n_components)
        seen = steps.fit_transform([train[i] for i in (*pairs, *alone)])
        views.append((seen.astype(np.float32), steps.transform(held)))
    return views


def made(rows, n_components):
    """Two rotated copies of a skewed cloud, and 200 rows kept apart."""
    rng = np.random.default_rng(0)
    n = 1 + max(map(max, rows))
    cloud = rng.standard_exponential((n + 200, n_components))
    cloud *= rng.random(cloud.shape) < 0.3
    views = []
    for alone in rows[1:]:
        rotation, _ = np.linalg.qr(rng.standard_normal((n_components, n_components)))
        view = cloud @ rotation + 0.1 * rng.standard_normal(cloud.shape)
        views.append((view[np.r_[rows[0], alone]], view[n:]))
    return views


def unit(codes):
    """Rows of length one."""
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)


def recalls(Zx, Zy):
    """R@1 both ways, in percent, by cosine and by CSLS."""
    Zx, Zy = unit(Zx), unit(Zy)
    hubs = mean_of_nearest(Zx, Zy, 10), mean_of_nearest(Zy, Zx, 10)
    cosines = Zx @ Zy.T
    own = np.arange(len(Zx))
    return [
        100 * np.mean(similarities.argmax(axis=axis) == own)
        for similarities in (cosines, cosines - (hubs[0][:, None] + hubs[1]) / 2)
        for axis in (1, 0)
    ]


def procrustes(X, y):
    """Function from both views to codes, by the rotation that fits pairs best."""
    x_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
    rotation, _ = orthogonal_procrustes(unit(X - x_mean), unit(y - y_mean))
    return lambda X, y: (unit(X - x_mean) @ rotation, unit(y - y_mean))


def weighted(cca):
    """Function from both views to codes, weighted by their singular values."""
    return lambda X, y: [Z * cca.singular_values_ for Z in cca.transform_pair(X, y)]


def shown(name, views, encode, start, remark=""):
    """Print one row."""
    found = recalls(*encode(*(held for _, held in views)))
    told = "".join(f"{recall:7.1f}" for recall in found)
    print(f"  {name:13}{told}{time.perf_counter() - start:8.0f}  {remark}", flush=True)


def compare(views, rows, args):
    """Print what each method finds."""
    pairs, x_only, y_only = rows
    n = len(pairs)
    (X, _), (y, _) = views
    start = time.perf_counter()
    shown("Procrustes", views, procrustes(X[:n], y[:n]), start)
    start = time.perf_counter()
    cca = LinearCCA(args.components, shrinkage=args.shrinkage)
    shown("LinearCCA", views, weighted(cca.fit(X[:n], y[:n])), start)
    start = time.perf_counter()
    X_gaps = np.vstack([X, np.full((len(y_only), X.shape[1]), np.nan, X.dtype)])
    y_gaps = np.insert(y, [n] * len(x_only), np.nan, axis=0)
    model = SelfLearning(cca, max_rounds=args.rounds, random_state=0)
    model.fit(X_gaps, y_gaps)
    right = np.mean(
        x_only[model.x_found_ - n] == y_only[model.y_found_ - n - len(x_only)]
    )
    remark = (
        f"{model.n_rounds_} rounds, {len(model.x_found_)} pairs of weight "
        f"{model.found_weight_}, {right if len(model.x_found_) else 0:.1%} right"
    )
    shown("SelfLearning", views, weighted(model.estimator_), start, remark)


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["multi30k", "made"], default="multi30k")
    parser.add_argument("--pairs", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--unpaired", type=int, default=6000, help="of either view")
    parser.add_argument("--same", action="store_true", help="of the same images")
    parser.add_argument("--seeds", type=int, default=1, help="choices of pairs")
    parser.add_argument("--columns", type=int, default=512, help="of the features")
    parser.add_argument("--components", type=int, default=256)
    parser.add_argument("--shrinkage", type=float, default=0.6)
    parser.add_argument("--rounds", type=int, default=10, help="at most")
    args = parser.parse_args(argv)

    n = len(captions("train")[0]) if args.data == "multi30k" else 1000
    load = multi30k if args.data == "multi30k" else made
    for n_pairs in args.pairs:
        for seed in range(args.seeds):
            rng = np.random.default_rng(seed)
            rows = split_rows(n, n_pairs, args.unpaired, rng, same=args.same)
            print(
                f"{n_pairs} pairs, {len(rows[1])} unpaired rows of "
                f"{'the same' if args.same else 'other'} samples a view, seed {seed}"
            )
            print(f"  {'':13} cosine: ->  <-   CSLS: ->  <-   seconds")
            compare(load(rows, args.columns), rows, args)


if __name__ == "__main__":
    main()
