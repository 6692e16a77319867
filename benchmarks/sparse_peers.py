"""How well does SparseCCA choose columns, beside the nine sparse classes of cca-zoo?

    python benchmarks/sparse_peers.py                    # all three cases
    python benchmarks/sparse_peers.py --case supports    # planted columns
    python benchmarks/sparse_peers.py --case held-out    # correlation, stability, CPU
    python benchmarks/sparse_peers.py --case path        # 5,000 + 5,000 columns

"supports" plants 20 + 20 of 2,000 + 2,000 columns behind canonical correlation .9 and
prints F1 of the columns that are found, mean over seeds: "factor", columns independent
but for the one factor of the planted ones; "blocks", all columns in blocks of 20 with
correlation .6, the planted ones at random among them.

"held-out" fits one pair of codes to 150 rows of tables like omics. "modules": columns
load on one of 40 factors each, three of which have a partner in the other table.
"loud": 60 and 30 columns load on a shared factor beside six private ones that all
columns load on. The others are pairs of views of mfeat. Printed are the correlation of
the codes of other rows, of at most so many columns of each view; the number of columns;
CPU seconds of the fit; and the Jaccard index of the columns chosen from ten halves.

A penalty of cca-zoo is taken from a grid, the one of the highest correlation *of the
test rows* among those that leave no more columns than SparseCCA: a choice that favours
cca-zoo. SparseCCA has its defaults, and in a second row its shrinkage chosen by
cross-validation of the training rows. Each class has `--limit` seconds for the
penalties of a table, from the largest on; where that is not enough for one that leaves
a column, or all leave too many, there are no figures.

Without cca-zoo (`pip install skcrl[peers]`) the rows of SparseCCA alone are printed.
"""

import argparse
import os
import signal
import time
import warnings
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from skcrl import LinearCCA, SparseCCA

SHRINKAGES = [0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98]
# The largest leave the fewest columns, and take the least time.
GRID = np.geomspace(2.0, 1e-3, 20)
# Class of cca-zoo: the parameter that decides how many columns, and its values.
PEERS = {
    "PMDCCA": ("l1_bound", np.geomspace(0.03, 0.7, 24)),
    "SpanCCA": ("span", None),
    "ParkhomenkoCCA": ("alpha", GRID),
    "IPLSCCA": ("alpha", GRID),
    "ElasticNetCCA": ("alpha", GRID),
    "MultiTaskElasticNetCCA": ("alpha", GRID),
    "ADMMCCA": ("alpha", GRID),
    "SAR": (None, [None]),
    "OrthogonalMatchingPursuitCCA": ("n_nonzero_coefs", None),
}


def planted(kind, n, p, k, correlation, seed):
    """Two views of p columns, and the k of each that hold the correlation."""
    rng = np.random.default_rng(seed)
    chosen = [np.sort(rng.choice(p, k, replace=False)) for _ in range(2)]
    if kind == "factor":
        # k columns of this loading have the multiple correlation with their factor
        # whose square is `correlation`.
        square = correlation / (k - correlation * (k - 1))
        factor = rng.standard_normal((n, 1))
        views = []
        for columns in chosen:
            view = rng.standard_normal((n, p))
            own = view[:, columns]
            view[:, columns] = square**0.5 * factor + (1 - square) ** 0.5 * own
            views.append(view)
        return *views, chosen
    block, within = np.arange(p) // 20, 0.6
    views, weights, images = [], [], []
    for columns in chosen:
        factors = rng.standard_normal((n, block[-1] + 1))[:, block]
        noise = rng.standard_normal((n, p))
        views.append(within**0.5 * factors + (1 - within) ** 0.5 * noise)
        w = np.zeros(p)
        w[columns] = rng.choice([-1, 1], k)
        image = (1 - within) * w + within * np.bincount(block, w)[block]
        size = (w @ image) ** 0.5
        weights.append(w / size)
        images.append(image / size)
    x_code, y_code = (view @ w for view, w in zip(views, weights, strict=True))
    partner = correlation * x_code + (1 - correlation**2) ** 0.5 * y_code
    # The view keeps its covariance: only the code has another value.
    views[1] = views[1] + np.outer(partner - y_code, images[1])
    return *views, chosen


def modules(n, seed, p=800, q=400, n_factors=40, correlations=(0.95, 0.8, 0.6)):
    """Tables whose columns load on one factor each, some factors with a partner."""
    rng = np.random.default_rng(seed)
    x_factors, y_factors = rng.standard_normal((2, n, n_factors))
    for i, r in enumerate(correlations):
        y_factors[:, i] = r * x_factors[:, i] + (1 - r * r) ** 0.5 * y_factors[:, i]
    views = []
    for factors, width in ((x_factors, p), (y_factors, q)):
        loading = rng.uniform(0.2, 0.95, width) * rng.choice([-1, 1], width)
        noise = rng.standard_normal((n, width)) * (1 - loading**2) ** 0.5
        views.append(factors[:, rng.integers(n_factors, size=width)] * loading + noise)
    return views


def loud(n, seed, p=1000, q=300, n_private=6, correlation=0.9):
    """Tables with a shared factor in few columns, and private ones in all."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((2, n))
    shared[1] = correlation * shared[0] + (1 - correlation**2) ** 0.5 * shared[1]
    views = []
    for factor, width, k in zip(shared, (p, q), (60, 30), strict=True):
        private = rng.standard_normal((n, n_private))
        loadings = rng.standard_normal((n_private, width)) / n_private**0.5
        loadings *= rng.uniform(0.5, 1.5, width)
        loading = np.zeros(width)
        loading[rng.choice(width, k, replace=False)] = rng.uniform(
            0.5, 1, k
        ) * rng.choice([-1, 1], k)
        noise = 0.7 * rng.standard_normal((n, width))
        views.append(private @ loadings + np.outer(factor, loading) + noise)
    return views


def mfeat(a, b, seed):
    """Two of the feature sets of handwritten numerals, rows in random order."""
    path = Path(os.environ.get("SKCRL_DATA", "../shared/data")) / "mfeat/mfeat.npz"
    with np.load(path) as data:
        X, Y = data[a].astype(np.float64), data[b].astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(X))
    return X[order], Y[order]


def tables(args):
    """Name, training views and test views of each data set."""
    n, n_test = (60, 60) if args.quick else (150, 1850)
    made = {"modules": modules, "loud": loud}
    if args.quick:
        made = {"modules": lambda n, seed: modules(n, seed, 60, 40)}
    for name, make in made.items():
        for seed in range(args.sets):
            yield f"{name} {seed}", *split(make(n + n_test, seed), n)
    for a, b in () if args.quick else (("fou", "kar"), ("fac", "pix"), ("kar", "zer")):
        yield f"{a} {b}", *split(mfeat(a, b, 0), n)


def split(views, n):
    """Views standardised by their first n rows, and divided there."""
    out = []
    for view in views:
        mean, deviation = view[:n].mean(axis=0), view[:n].std(axis=0, ddof=1)
        out.append((view - mean) / np.where(deviation > 0, deviation, 1))
    return [view[:n] for view in out], [view[n:] for view in out]


def ours(views, k, shrinkage=0.5):
    """Weights by SparseCCA with at most k columns a view."""
    cca = SparseCCA(n_nonzero=k, shrinkage=shrinkage).fit(*views)
    return cca.x_weights_[:, 0], cca.y_weights_[:, 0]


def chosen_shrinkage(views, k):
    """Shrinkage of the best correlation in five-fold cross-validation."""
    search = GridSearchCV(
        SparseCCA(n_nonzero=k), {"shrinkage": SHRINKAGES}, cv=KFold(5), refit=False
    )
    return search.fit(*views).best_params_["shrinkage"]


def theirs(name, views, k, limit):
    """Weights by a class of cca-zoo, for one value of its penalty after the other.

    It stops after so many seconds, in the midst of a fit, too.
    """
    from cca_zoo import sparse

    parameter, values = PEERS[name]
    with seconds_left(limit):
        for value in [k] if values is None else values:
            settings = {} if parameter is None else {parameter: value}
            if "random_state" in getattr(sparse, name)().get_params():
                settings["random_state"] = 0
            begin = time.process_time()
            try:
                model = getattr(sparse, name)(1, **settings).fit(views)
            except (ValueError, FloatingPointError, np.linalg.LinAlgError):
                continue
            seconds = time.process_time() - begin
            yield value, seconds, [np.asarray(w)[:, 0] for w in model.weights_]


@contextmanager
def seconds_left(limit):
    """End the block after so many seconds."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    except TimeoutError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def held_out(weights, test):
    """Correlation of the codes of test rows."""
    codes = [view @ w for view, w in zip(test, weights, strict=True)]
    return abs(np.corrcoef(*codes)[0, 1]) if all(z.std() > 0 for z in codes) else 0.0


def stability(fit, views, n_draws=10):
    """Mean Jaccard index of the columns of both views chosen from halves."""
    sets = []
    for seed in range(n_draws):
        rows = np.random.default_rng(seed).permutation(len(views[0]))
        weights = fit([view[rows[: len(rows) // 2]] for view in views])
        sets.append({(s, j) for s in (0, 1) for j in np.flatnonzero(weights[s])})
    return np.mean([len(a & b) / max(1, len(a | b)) for a, b in combinations(sets, 2)])


def best_of(name, train, test, k, args):
    """Row of the penalty of a peer that is best on the test rows, or None."""
    best = None
    for value, seconds, weights in theirs(name, train, k, args.limit):
        n = [int((w != 0).sum()) for w in weights]
        if max(n) > k or min(n) == 0:
            continue
        row = held_out(weights, test), *n, seconds, value
        if best is None or row[0] > best[0]:
            best = row
    if best is None or name != "PMDCCA":
        return best and (*best[:4], np.nan)

    def again(views):
        ends = theirs(name, views, k, args.limit)
        found = [weights for value, _, weights in ends if value == best[4]]
        return found[0] if found else [np.zeros(view.shape[1]) for view in views]

    return *best[:4], stability(again, train)


def peers(args):
    """Classes of cca-zoo that are to run; none with a word if it is missing."""
    try:
        import cca_zoo  # noqa: F401
    except ImportError:
        print("cca-zoo is not installed: SparseCCA alone")
        return []
    return [name for name in PEERS if args.only is None or name in args.only]


def supports(args):
    """Print F1 of planted columns."""
    p, k = (60, 4) if args.quick else (2000, 20)
    names = peers(args)
    print(f"\nF1 of {k} + {k} planted of {p} + {p} columns, mean over seeds")
    header = ["SparseCCA", "chosen", *names]
    print(f"{'':16}" + "".join(f"{name[:11]:>12}" for name in header), flush=True)
    cells = [("factor", 100, args.seeds), *(("blocks", n, 3) for n in (100, 200, 400))]
    for kind, n, seeds in cells[:1] if args.quick else cells:
        scores = {name: [] for name in header}
        for seed in range(1 if args.quick else seeds):
            *views, chosen = planted(kind, n, p, k, 0.9, seed)
            views, _ = split(views, n)
            scores["SparseCCA"].append(f1(ours(views, k), chosen))
            best = chosen_shrinkage(views, k)
            scores["chosen"].append(f1(ours(views, k, best), chosen))
            for name in names if seed < 3 else ():
                scores[name].append(best_f1(name, views, k, chosen, args.limit))
        line = "".join(f"{mean(scores[name]):>12}" for name in header)
        print(f"{kind + f' n={n}':16}{line}", flush=True)


def best_f1(name, views, k, chosen, limit):
    """F1 of the penalty of a peer whose F1 is highest."""
    scores = [f1(w, chosen) for _, _, w in theirs(name, views, k, limit)]
    return max(scores, default=None)


def mean(scores):
    """Mean of scores, of which none may be missing."""
    done = scores and all(score is not None for score in scores)
    return f"{np.mean(scores):.3f}" if done else "-"


def f1(weights, chosen):
    """Share of columns that are right, of both views."""
    right = sum(
        len(np.intersect1d(np.flatnonzero(w), c))
        for w, c in zip(weights, chosen, strict=True)
    )
    found = sum(int((w != 0).sum()) for w in weights)
    return 2 * right / (found + sum(map(len, chosen)))


def held_out_tables(args):
    """Print held-out correlations of equal numbers of columns."""
    names = peers(args)
    for title, train, test in tables(args):
        dense = LinearCCA(1, shrinkage=0.5).fit(*train)
        r = held_out([dense.x_weights_[:, 0], dense.y_weights_[:, 0]], test)
        shapes = " + ".join(str(view.shape[1]) for view in train)
        print(f"\n{title}: {len(train[0])} rows, {shapes} columns; dense r {r:.3f}")
        for k in args.columns:
            print(f"at most {k:3} columns       r    columns      CPU s  Jaccard")
            best = chosen_shrinkage(train, k)
            for name, shrinkage in (("SparseCCA", 0.5), (f"chosen, {best}", best)):
                begin = time.process_time()
                weights = ours(train, k, shrinkage)
                seconds = time.process_time() - begin
                n = [int((w != 0).sum()) for w in weights]
                jaccard = stability(partial(ours, k=k, shrinkage=shrinkage), train)
                show(name, held_out(weights, test), *n, seconds, jaccard)
            for name in names:
                row = best_of(name, train, test, k, args)
                show(name, *(row or [np.nan] * 5))


def show(name, r, n_x, n_y, seconds, jaccard):
    """Print one row of a table."""
    if np.isnan(r):
        print(f"  {name[:22]:22}    -", flush=True)
        return
    share = "" if np.isnan(jaccard) else f"{jaccard:9.2f}"
    print(
        f"  {name[:22]:22} {r:6.3f} {n_x:4} + {n_y:3} {seconds:10.3f}{share}",
        flush=True,
    )


def path(args):
    """Print what a path of 20 penalties costs."""
    n, p = (40, 300) if args.quick else (100, 5000)
    X, Y, _ = planted("factor", n, p, 20, 0.9, 0)
    print(f"\npath of 20 penalties, {n} rows, {p} + {p} columns")
    for shrinkage in (0.5, 0.9):
        begin = time.process_time()
        found = SparseCCA(shrinkage=shrinkage).path(X, Y)
        seconds = time.process_time() - begin
        n_columns = found.x_n_selected
        print(
            f"  shrinkage {shrinkage}: {seconds:.1f} CPU s, from {n_columns[0]} to "
            f"{n_columns[n_columns > 0][-1]} columns of x"
        )


CASES = {"supports": supports, "held-out": held_out_tables, "path": path}


def main(argv=None):
    """Print the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--only", choices=PEERS, nargs="+", help="classes of cca-zoo")
    parser.add_argument("--seeds", type=int, default=20, help="of planted columns")
    parser.add_argument("--sets", type=int, default=2, help="made tables of each kind")
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 25])
    parser.add_argument("--limit", type=float, default=60, help="seconds of a class")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    args = parser.parse_args(argv)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of turns that did not end
        for case in args.case:
            CASES[case](args)


if __name__ == "__main__":
    main()
