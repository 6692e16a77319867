"""What does linear CCA cost here, in the algebra written bare, and in other packages?

Every fit runs in a process of its own on one thread, the methods in turn. Printed are
medians over the rounds: CPU seconds; their ratio to LinearCCA and to the bare algebra,
round by round; the peak of the memory above the data; the total correlation of fresh
rows; and how far any of their correlations is from that of the bare algebra. Each fit
is preceded by one on a few rows, so that imports and set-up are not counted. Ridges
are translated to each package's own parameter, so that all solve one problem;
scikit-learn has none.

    python benchmarks/linear_peers.py
    python benchmarks/linear_peers.py --case growth

Packages that are not installed are left out with a word (`pip install skcrl[peers]`);
those that want other versions of their dependencies run in an interpreter of their own:

    python benchmarks/linear_peers.py --python mvlearn=venv/bin/python
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _fresh_process import in_fresh_process, measured
from scipy.linalg import solve_triangular

NOISE = 3.0
HELD_OUT_ROWS = 5000


def linear_cca(X, Y, k, ridge, **parameters):
    """Ours."""
    from skcrl import LinearCCA

    return LinearCCA(k, reg=ridge, **parameters).fit(X, Y).transform_pair


def bare(X, Y, k, ridge, block=4096):
    """Covariances in blocks, Cholesky, SVD: no checks, no rank rule, no decoder."""
    n, p, q = len(X), X.shape[1], Y.shape[1]
    mean_x, mean_y = X.mean(0), Y.mean(0)
    Sxx, Syy, Sxy = np.zeros((p, p)), np.zeros((q, q)), np.zeros((p, q))
    for i in range(0, n, block):
        A, B = X[i : i + block] - mean_x, Y[i : i + block] - mean_y
        Sxx += A.T @ A
        Syy += B.T @ B
        Sxy += A.T @ B
    Lx = np.linalg.cholesky(Sxx / (n - 1) + ridge * np.eye(p))
    Ly = np.linalg.cholesky(Syy / (n - 1) + ridge * np.eye(q))
    T = solve_triangular(Lx, Sxy / (n - 1), lower=True)
    T = solve_triangular(Ly, T.T, lower=True).T
    U, _, Vt = np.linalg.svd(T, full_matrices=False)
    Wx = solve_triangular(Lx, U[:, :k], lower=True, trans=1)
    Wy = solve_triangular(Ly, Vt[:k].T, lower=True, trans=1)
    return lambda X, Y: ((X - mean_x) @ Wx, (Y - mean_y) @ Wy)


def scikit_learn(X, Y, k, ridge):
    """Two components by NIPALS: it would take minutes for 50."""
    from sklearn.cross_decomposition import CCA

    return CCA(min(k, 2), scale=True, max_iter=5000).fit(X, Y).transform


def cca_zoo(X, Y, k, ridge):
    """Whitening by eigenvectors and SVD."""
    from cca_zoo.linear import CCA, RidgeCCA

    # It shrinks: (1 - c) S + c I.
    model = RidgeCCA(k, shrinkage=ridge / (1 + ridge)) if ridge else CCA(k)
    model.fit([X, Y])
    return lambda X, Y: model.transform([X, Y])


def mvlearn(X, Y, k, ridge):
    """One generalised eigenproblem of both views."""
    from mvlearn.embed import CCA

    # It shrinks the sums of products: (1 - c) S (n - 1) + c I.
    total = ridge * (len(X) - 1)
    model = CCA(k, regs=total / (1 + total) if ridge else None).fit([X, Y])
    return lambda X, Y: model.transform([X, Y])


def pyrcca(X, Y, k, ridge):
    """One generalised eigenproblem of both views, which it does not centre."""
    import rcca

    model = rcca.CCA(
        kernelcca=False, numCC=k, reg=ridge * (len(X) - 1), verbose=False
    ).train([X - X.mean(0), Y - Y.mean(0)])
    return lambda X, Y: (X @ model.ws[0], Y @ model.ws[1])


def statsmodels(X, Y, k, ridge):
    """Every component, by SVD of the views themselves."""
    from statsmodels.multivariate.cancorr import CanCorr

    model = CanCorr(Y, X)
    return lambda X, Y: (X @ model.x_cancoef[:, :k], Y @ model.y_cancoef[:, :k])


METHODS = {
    "LinearCCA": linear_cca,
    "bare": bare,
    "cca-zoo": cca_zoo,
    "mvlearn": mvlearn,
    "pyrcca": pyrcca,
    "statsmodels": statsmodels,
    "scikit-learn, k=2": scikit_learn,
}
RIDGED = ("LinearCCA", "bare", "cca-zoo", "mvlearn", "pyrcca")


class Case(NamedTuple):
    """Shape of the views, and who is asked."""

    n: int
    p: int
    q: int
    k: int
    ridge: float = 0.0
    methods: tuple = tuple(METHODS)

    def tiny(self):
        """A case of the same kind that takes a moment."""
        n, p, q = (max(size // 20, 24) for size in self[:3])
        return self._replace(n=n, p=p, q=q, k=4)


CASES = {
    "tall": Case(60_000, 392, 392, 50),
    "small": Case(10_000, 100, 100, 10),
    "square": Case(2_000, 2_000, 1_500, 20, 0.1, RIDGED),
    "wide": Case(200, 20_000, 20_000, 20, 1_000.0, ("LinearCCA",)),
    "wide twin": Case(200, 600, 500, 20, 30.0, RIDGED),
}
GROWTH = [
    Case(n * 1_000, p, p, 10, 0.0, ("LinearCCA", "bare", "cca-zoo"))
    for n, p in ((1, 100), (100, 100), (10, 50), (10, 100), (10, 200), (10, 400))
]


def write_views(case, folder):
    """Training and held-out views that share k factors of unequal strength."""
    rng = np.random.default_rng(0)
    strengths = np.linspace(1, 0.5, case.k)[:, None]
    mixings = [
        strengths * rng.standard_normal((case.k, width)) for width in (case.p, case.q)
    ]
    held_out = min(HELD_OUT_ROWS, 10**7 // case.p)
    for split, n in (("train", case.n), ("test", held_out)):
        factors = rng.standard_normal((n, case.k))
        for side, mixing in zip("xy", mixings, strict=True):
            noise = rng.standard_normal((n, mixing.shape[1]))
            np.save(folder / f"{split}_{side}.npy", factors @ mixing + NOISE * noise)


def read_views(split, folder):
    """Views as :func:`write_views` left them."""
    return [np.load(folder / f"{split}_{side}.npy") for side in "xy"]


def measure(method, k, ridge, folder):
    """What one fit costs, and the correlations of the held-out codes."""
    fit, (X, Y) = METHODS[method], read_views("train", folder)
    try:
        fit(X[:20, :3].copy(), Y[:20, :3].copy(), 2, ridge)
    except ImportError as error:
        return {"absent": str(error)}
    transform, seconds, mb = measured(lambda: fit(X, Y, k, ridge))
    codes = transform(*read_views("test", folder))
    Zx, Zy = ((Z - Z.mean(0)) / Z.std(0) for Z in codes)
    return {
        "seconds": seconds,
        "mb": mb,
        "correlations": np.mean(Zx * Zy, axis=0).tolist(),
    }


def run(case, repeats, pythons):
    """Measurements of each method, round by round; a word for those that are absent."""
    runs = {method: [] for method in case.methods}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_views(case, folder)
        for method in list(runs) * repeats:
            if isinstance(runs[method], str):
                continue
            arguments = ["--measure", method, case.k, case.ridge, folder]
            python = pythons.get(method, sys.executable)
            found = json.loads(in_fresh_process(__file__, *arguments, python=python))
            if "absent" in found:
                runs[method] = found["absent"]
            else:
                runs[method].append(found)
    return runs


def print_case(name, case, runs):
    """One line a method."""
    print(f"\n{name}: {case.n} rows, {case.p} + {case.q} features, k={case.k}", end="")
    print(f", ridge {case.ridge:g}" if case.ridge else "")
    print(
        f"{'':20}{'CPU s':>8}{'x ours':>8}{'x bare':>8}{'MB':>7}{'held out':>10}"
        f"{'off':>9}"
    )
    for method, found in runs.items():
        if isinstance(found, str):
            print(f"{method:20} skipped: {found}")
            continue
        print(f"{method:20}{np.median(seconds(found)):8.3f}", end="")
        for other in ("LinearCCA", "bare"):
            print(f"{ratio(found, runs.get(other)):>8}", end="")
        memory = np.median([one["mb"] for one in found])
        correlations = found[0]["correlations"]
        print(
            f"{memory:7.0f}{sum(correlations):10.4f}"
            f"{distance(correlations, runs.get('bare')):>9}"
        )


def print_growth(repeats, pythons):
    """CPU seconds, one line a size."""
    methods = GROWTH[0].methods
    print(f"\nGrowth, CPU seconds\n{'rows':>8}{'features':>12}", end="")
    print(*(f"{method:>12}" for method in methods), sep="")
    for case in GROWTH:
        runs = run(case, repeats, pythons)
        print(f"{case.n:8}{case.p:6} +{case.q:4}", end="")
        print(
            *(
                f"{'-' if isinstance(r, str) else f'{np.median(seconds(r)):.3f}':>12}"
                for r in runs.values()
            ),
            sep="",
            flush=True,
        )


def seconds(found):
    """CPU seconds of every round."""
    return np.array([one["seconds"] for one in found])


def ratio(found, others):
    """Median over the rounds of the ratio of CPU seconds."""
    return f"{np.median(seconds(found) / seconds(others)):.2f}" if others else ""


def distance(correlations, bare_runs):
    """Largest difference from the correlations of the bare algebra."""
    if not bare_runs:
        return ""
    expected = bare_runs[0]["correlations"][: len(correlations)]
    return f"{np.max(np.abs(np.subtract(correlations, expected))):.0e}"


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=[*CASES, "growth"])
    parser.add_argument("--only", nargs="+", choices=METHODS, metavar="METHOD")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument(
        "--python",
        nargs="+",
        default=[],
        metavar="METHOD=PATH",
        help="interpreters that have a package",
    )
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)

    if args.measure:
        method, k, ridge, folder = args.measure
        print(json.dumps(measure(method, int(k), float(ridge), Path(folder))))
        return
    pythons = dict(pair.split("=", 1) for pair in args.python)
    for name in args.case or CASES:
        if name == "growth":
            print_growth(args.repeats, pythons)
            continue
        case = CASES[name].tiny() if args.quick else CASES[name]
        if args.only:
            case = case._replace(methods=[m for m in case.methods if m in args.only])
        print_case(name, case, run(case, 1 if args.quick else args.repeats, pythons))


if __name__ == "__main__":
    main()
