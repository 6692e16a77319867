"""Do two tables fill each other's single gaps better than one table alone?

Cells of both tables are lost at random in the training rows. Each method fills them in:
the error is the squared error of the cells filled in, as a share of what filling in the
means of the columns costs. `held out` is the total correlation, on whole rows that were
kept apart, of LinearCCA fitted to the tables filled in; of the last row, of
ProbabilisticCCA fitted to the gaps, all with a ridge of 0.01.

    SKCRL_DATA=... python benchmarks/missing_cells.py --seeds 3

Columns have variance 1 where they are seen. To fill gaps, the ridge of
ProbabilisticCCA is chosen for either table among 1e-6, 1e-4, 0.01, 0.1 and 1, by hiding
a tenth of the cells that are left. Seconds are of filling in, with this choice.

Rows
----
means                 of the columns, over the cells that are there
neighbours            KNNImputer of scikit-learn of both tables side by side
iterative, one table  IterativeImputer of scikit-learn of either table alone
iterative, both       the same of both tables side by side
ProbabilisticCCA      its `impute`

Data
----
made           two factors that the tables share, three of either table alone, and noise
body, blood    diabetes of scikit-learn: age, sex, mass, pressure; six values of blood
mean, worst    breast cancer of scikit-learn: means of ten measures; their worst values
exercises      linnerud of scikit-learn, twenty rows: none is kept apart
fou, zer       mfeat: Fourier coefficients and Zernike moments of digits
kar, mor       mfeat: Karhunen-Loeve coefficients, uncorrelated, and six of shape
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_linnerud
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from skcrl import LinearCCA, ProbabilisticCCA

RIDGES = (1e-6, 1e-4, 1e-2, 0.1, 1.0)


def made():
    """Tables of 12 and 10 columns."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((600, 2))
    return tuple(
        z @ rng.standard_normal((2, p))
        + rng.standard_normal((600, 3)) @ rng.standard_normal((3, p))
        + rng.standard_normal((600, p))
        for p in (12, 10)
    )


def mfeat(*names):
    """Two views of 700 digits, none if they are not there."""
    path = Path(os.environ.get("SKCRL_DATA", ".")) / "mfeat" / "mfeat.npz"
    if not path.exists():
        return None
    rows = np.random.default_rng(0).permutation(2000)[:700]
    with np.load(path) as views:
        return tuple(views[name][rows].astype(float) for name in names)


def halves(table, at):
    """The columns before a place and from it on."""
    return table[:, :at], table[:, at:]


# Name to a function that loads the tables, and the number of components.
DATA = {
    "made": (made, 2),
    "body, blood": (lambda: halves(load_diabetes().data, 4), 2),
    "mean, worst": (
        lambda: (load_breast_cancer().data[:, :10], load_breast_cancer().data[:, 20:]),
        5,
    ),
    "exercises": (lambda: load_linnerud(return_X_y=True), 1),
    "fou, zer": (lambda: mfeat("fou", "zer"), 10),
    "kar, mor": (lambda: mfeat("kar", "mor"), 5),
}


def by_means(X, y, k):
    """Views with the means of the columns in their gaps."""
    return tuple(np.where(np.isnan(v), np.nanmean(v, axis=0), v) for v in (X, y))


def together(imputer):
    """Function that fills both tables side by side."""

    def fill(X, y, k):
        filled = imputer().fit_transform(np.hstack([X, y]))
        return filled[:, : X.shape[1]], filled[:, X.shape[1] :]

    return fill


def iterative():
    """Regression of each column on all others, in turn."""
    return IterativeImputer(random_state=0)


def one_by_one(X, y, k):
    """Views, either filled by itself."""
    return tuple(iterative().fit_transform(v) for v in (X, y))


def chosen(X, y, k):
    """ProbabilisticCCA with the ridges that fill hidden cells best."""
    rng = np.random.default_rng(0)
    errors = np.zeros((2, len(RIDGES)))
    for _ in range(1 if len(X) > 100 else 5):
        hidden = [hide(v, 0.1, rng) for v in (X, y)]
        for i, reg in enumerate(RIDGES):
            cca = ProbabilisticCCA(k, reg=reg, tol=1e-3).fit(*hidden)
            filled = cca.impute(*hidden)
            for side, (f, v, h) in enumerate(zip(filled, (X, y), hidden, strict=True)):
                errors[side, i] += np.nansum((f - v)[np.isnan(h)] ** 2)
    return ProbabilisticCCA(k, reg=[RIDGES[i] for i in errors.argmin(axis=1)]).fit(X, y)


METHODS = {
    "means": by_means,
    "neighbours": together(KNNImputer),
    "iterative, one table": one_by_one,
    "iterative, both": together(iterative),
}


def hide(view, share, rng):
    """A copy with that share of its cells lost, but three of each column at least."""
    lost = rng.random(view.shape) < share
    for column in range(view.shape[1]):
        seen = np.flatnonzero(~np.isnan(view[:, column]))
        lost[rng.choice(seen, min(3, len(seen)), replace=False), column] = False
    lost[lost.all(axis=1), 0] = False
    return np.where(lost, np.nan, view)


def measured(views, k, share, seed):
    """Error of each method, what it finds in rows kept apart, and seconds."""
    rng = np.random.default_rng(seed)
    n = len(views[0])
    rows = rng.permutation(n)
    n_test = 0 if n < 100 else round(0.4 * n)
    train, test = rows[n_test:], rows[:n_test]
    gaps = [hide(v[train], share, rng) for v in views]
    units = [(np.nanmean(g, axis=0), np.nanstd(g, axis=0)) for g in gaps]
    gaps = [(g - mean) / std for g, (mean, std) in zip(gaps, units, strict=True)]
    whole = [(v - mean) / std for v, (mean, std) in zip(views, units, strict=True)]
    there = ~np.isnan(gaps[0]).all(axis=1) | ~np.isnan(gaps[1]).all(axis=1)
    train, gaps = train[there], [g[there] for g in gaps]

    def squares(filled):
        return sum(
            np.sum((f - v[train])[np.isnan(g)] ** 2)
            for f, v, g in zip(filled, whole, gaps, strict=True)
        )

    base = squares(by_means(*gaps, k))
    found = {}
    for name, fill in {**METHODS, "ProbabilisticCCA": None}.items():
        start = time.perf_counter()
        if fill is None:
            filled = chosen(*gaps, k).impute(*gaps)
        else:
            filled = fill(*gaps, k)
        seconds = time.perf_counter() - start
        if fill is None:
            cca = ProbabilisticCCA(k, reg=0.01).fit(*gaps)
        else:
            cca = LinearCCA(k, reg=0.01).fit(*filled)
        held_out = cca.score(*(v[test] for v in whole)) if n_test else 0.0
        error = squares(filled) / base if share else 0.0
        found[name] = error, held_out, seconds
    return found


def cell(values):
    """Mean, with a 95 % interval if there are several."""
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * stats.sem(values) if n > 1 else 0.0
    return f"{values.mean():.3f} ±{half:.3f}"


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="choices of gaps")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument(
        "--share", type=float, nargs="+", default=[0.0, 0.1, 0.3], help="of cells lost"
    )
    args = parser.parse_args(argv)
    # IterativeImputer ends after ten rounds, whether or not cells still change.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    for name in args.data:
        load, k = DATA[name]
        views = load()
        if views is None:
            print(f"{name}: skipped, as there is no mfeat/mfeat.npz in SKCRL_DATA")
            continue
        shape = f"{len(views[0])} rows of {views[0].shape[1]} + {views[1].shape[1]}"
        print(f"{name}: {shape}, k={k}")
        for share in args.share:
            runs = [measured(views, k, share, seed) for seed in range(args.seeds)]
            title = f"{share:.0%} of cells lost"
            print(f"{title:24}{'error':>14}{'held out':>16}{'seconds':>10}")
            for method in runs[0]:
                columns = zip(*(run[method] for run in runs), strict=True)
                errors, held_out, seconds = map(np.array, columns)
                error = cell(errors) if share else "-"
                total = cell(held_out) if held_out.any() else "-"
                print(f"{method:24}{error:>14}{total:>16}{seconds.mean():10.2f}")


if __name__ == "__main__":
    main()
