"""What does linear CCA cost here, in the algebra written bare, and in other packages?

Every fit runs in a process of its own on one thread, the methods in turn. Printed are
medians over the rounds: CPU seconds; their ratio to LinearCCA and to the bare algebra,
round by round; the peak of the memory above the data; the total correlation of fresh
rows; and how far any of their correlations is from that of the bare algebra. Each fit
is preceded by one on a few rows, so that imports and set-up are not counted. Ridges
are translated to each package's own parameter, so that all solve one problem;
scikit-learn has none. LinearCCA takes its solver "lanczos" in the case square, "gram"
where there are more features than rows, and "covariance" else.

    python benchmarks/linear_peers.py
    python benchmarks/linear_peers.py --case growth

Packages that are not installed are left out with a word (`pip install skcrl[peers]`).
mvlearn and pyrcca want older versions of other packages, and have an environment of
their own (`make .venv-old-peers/installed`).
"""

import json
from functools import partial
from typing import NamedTuple

import numpy as np
from _peers import (
    cost,
    distance,
    held_out_correlations,
    median,
    parse,
    print_table,
    rounds,
    stored,
    total,
)
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
    "LinearCCA, exact": partial(linear_cca, solver="covariance"),
    "bare": bare,
    "cca-zoo": cca_zoo,
    "mvlearn": mvlearn,
    "pyrcca": pyrcca,
    "statsmodels": statsmodels,
    "scikit-learn, k=2": scikit_learn,
}
PEERS = ("LinearCCA", "bare", "cca-zoo", "mvlearn", "pyrcca")
UNRIDGED = (*PEERS, "statsmodels", "scikit-learn, k=2")
EXACT = ("LinearCCA", "LinearCCA, exact", *PEERS[1:])


class Case(NamedTuple):
    """Shape of the views, and who is asked."""

    n: int
    p: int
    q: int
    k: int
    ridge: float = 0.0
    methods: tuple = PEERS

    def tiny(self):
        """A case of the same kind that takes a moment."""
        n, p, q = (max(size // 20, 24) for size in self[:3])
        return self._replace(n=n, p=p, q=q, k=4)


CASES = {
    "tall": Case(60_000, 392, 392, 50, 0.0, UNRIDGED),
    "small": Case(10_000, 100, 100, 10, 0.0, UNRIDGED),
    "square": Case(2_000, 2_000, 1_500, 20, 0.1, EXACT),
    "wide": Case(200, 20_000, 20_000, 20, 1_000.0, ("LinearCCA",)),
    "wide twin": Case(200, 600, 500, 20, 30.0),
}
GROWTH = [
    Case(n * 1_000, p, p, 10, 0.0, ("LinearCCA", "bare", "cca-zoo"))
    for n, p in ((1, 100), (100, 100), (10, 50), (10, 100), (10, 200), (10, 400))
]


def make_views(case):
    """Training and held-out views that share k factors of unequal strength."""
    rng = np.random.default_rng(0)
    strengths = np.linspace(1, 0.5, case.k)[:, None]
    mixings = [
        strengths * rng.standard_normal((case.k, width)) for width in (case.p, case.q)
    ]
    for n in (case.n, min(HELD_OUT_ROWS, 10**7 // case.p)):
        factors = rng.standard_normal((n, case.k))
        yield [
            factors @ mixing + NOISE * rng.standard_normal((n, mixing.shape[1]))
            for mixing in mixings
        ]


def measure(method, k, ridge, folder):
    """Print what one fit costs, and the correlations of the held-out codes."""
    try:
        transform, found = cost(
            lambda X, Y, k=int(k): METHODS[method](X, Y, k, float(ridge)), 20, folder
        )
        found["correlations"] = held_out_correlations(transform, folder)
    except ModuleNotFoundError as error:
        found = {"absent": str(error)}
    print(json.dumps(found))


def run(case, args):
    """Measurements of the methods of a case."""
    with stored(*make_views(case)) as folder:
        return rounds(__file__, case.methods, [case.k, case.ridge, folder], args)


def print_growth(args):
    """CPU seconds, one line a size."""
    print(f"\nGrowth, CPU seconds\n{'rows':>8}{'features':>12}", end="")
    print(*(f"{method:>12}" for method in GROWTH[0].methods), sep="")
    for case in GROWTH:
        print(f"{case.n:8}{case.p:6} +{case.q:4}", end="")
        for found in run(case, args).values():
            seconds = "-" if isinstance(found, str) else f"{median(found):.3f}"
            print(f"{seconds:>12}", end="")
        print(flush=True)


def main(argv=None):
    """Run the command line."""
    args = parse(argv, __doc__.splitlines()[0], [*CASES, "growth"], METHODS)
    if args.measure:
        measure(*args.measure)
        return
    for name in args.case or CASES:
        if name == "growth":
            print_growth(args)
            continue
        case = CASES[name].tiny() if args.quick else CASES[name]
        ridge = f", ridge {case.ridge:g}" if case.ridge else ""
        print(
            f"\n{name}: {case.n} rows, {case.p} + {case.q} features, k={case.k}{ridge}"
        )
        columns = {"held out": total, "off": distance}
        print_table(run(case, args), "LinearCCA", columns)


if __name__ == "__main__":
    main()
