"""What does kernel CCA cost here, in the algebra written bare, and in other packages?

Every fit runs in a process of its own on one thread, the methods in turn. Printed are
medians over the rounds: CPU seconds; their ratio to KernelCCA and to the bare algebra,
round by round; the peak of the memory above the data; the objective; how far it is,
relatively, from that of the bare algebra; and the total correlation of fresh rows.
All solve one problem: penalties are translated to each package's own parameter, and
the objective is computed here from kernels and dual weights.

    python benchmarks/kernel_peers.py
    python benchmarks/kernel_peers.py --case 4000 --only KernelCCA cca-zoo --repeats 1
    python benchmarks/kernel_peers.py --case million

Packages that are not installed are left out with a word (`pip install skcrl[peers]`).
At 4000 rows cca-zoo takes minutes and 6 GB: it is left out unless it is asked for.
"""

import json
from typing import NamedTuple

import numpy as np
from _peers import (
    cost,
    held_out_correlations,
    load,
    parse,
    print_table,
    rounds,
    stored,
    total,
)
from scipy.linalg import cho_factor, cho_solve, eigh
from sklearn.metrics.pairwise import rbf_kernel

FEATURES = 20
GAMMA = 1 / FEATURES


class Model(NamedTuple):
    """Codes of new views, and the weights of the training rows if it has them."""

    transform: object
    x_dual: np.ndarray | None = None
    y_dual: np.ndarray | None = None


def kernel_cca(X, Y, k, penalty):
    """Ours, exact."""
    from skcrl import KernelCCA

    cca = KernelCCA(k, kernel="rbf", gamma=GAMMA, reg=penalty).fit(X, Y)
    return Model(cca.transform_pair, cca.x_dual_coef_, cca.y_dual_coef_)


def nystroem(X, Y, k, penalty):
    """Ours, by 500 landmarks."""
    from skcrl import KernelCCA

    cca = KernelCCA(
        k,
        kernel="rbf",
        gamma=GAMMA,
        reg=penalty,
        approximation="nystroem",
        random_state=0,
    )
    return Model(cca.fit(X, Y).transform_pair)


def bare(X, Y, k, penalty):
    """Cholesky and subspace iteration: no checks, no rank rule, no decoder.

    With s = Kx a and t = Ky b, (Kx + r I) a = t / rho and (Ky + r I) b = s / rho: the
    codes s are eigenvectors of Rx Ry, where R = K (K + r I)^-1.
    """
    ridge = penalty * (len(X) - 1)
    kernels, factors = [], []
    for view in (X, Y):
        kernels.append(centred(rbf_kernel(view, gamma=GAMMA)))
        ridged = kernels[-1].copy()
        ridged.flat[:: len(X) + 1] += ridge
        factors.append(cho_factor(ridged, overwrite_a=True, check_finite=False))

    def smooth(i, Z):
        return Z - ridge * cho_solve(factors[i], Z, check_finite=False)

    Z = np.random.default_rng(0).standard_normal((len(X), k + 10))
    squares = np.zeros(k)
    while True:
        Z = np.linalg.qr(Z)[0]
        T = smooth(1, Z)
        image = smooth(0, T)
        values, vectors = eigh(T.T @ image, Z.T @ T)
        Z, before, squares = image @ vectors[:, ::-1], squares, values[: -k - 1 : -1]
        if abs(squares - before).max() < 1e-12:
            break
    s = Z[:, :k]
    t = smooth(1, s)
    a = cho_solve(factors[0], t)
    b = cho_solve(factors[1], s)

    def transform(X_new, Y_new):
        return [
            (new - new.mean(0)) @ (dual - dual.mean(0))
            for new, dual in (
                (rbf_kernel(X_new, X, gamma=GAMMA), a),
                (rbf_kernel(Y_new, Y, gamma=GAMMA), b),
            )
        ]

    return Model(transform, a, b)


def centred(K):
    """The kernel of centred features, in place."""
    means = K.mean(0)
    K -= means
    K -= (means - means.mean())[:, None]
    return K


def cca_zoo(X, Y, k, penalty):
    """Eigenvectors of either kernel, then linear multiset CCA of n features."""
    from cca_zoo.nonparametric import KCCA

    # It shrinks: (1 - c) K^2 / (n - 1) + c K.
    model = KCCA(k, kernel="rbf", gamma=GAMMA, shrinkage=penalty / (1 + penalty))
    model.fit([X, Y])
    return Model(lambda *views: model.transform(list(views)), *model.weights_)


def mvlearn(X, Y, k, penalty):
    """Eigenvectors of either kernel, then one generalised eigenproblem."""
    from mvlearn.embed import KMCCA

    # It shrinks: (1 - c) K^2 + c K, and by default leaves small eigenvalues out, which
    # costs 0.4 % of the objective.
    ridge = penalty * (len(X) - 1)
    model = KMCCA(
        k,
        kernel="rbf",
        kernel_params={"gamma": GAMMA},
        regs=ridge / (1 + ridge),
        sval_thresh=0,
    ).fit([X, Y])
    return Model(lambda *views: model.transform(list(views)), *model.dual_vars_)


METHODS = {
    "KernelCCA": kernel_cca,
    "KernelCCA, Nyström": nystroem,
    "bare": bare,
    "cca-zoo": cca_zoo,
    "mvlearn": mvlearn,
}
# Rows, and who is asked.
CASES = {
    "1000": (1_000, tuple(METHODS)),
    "2000": (2_000, tuple(METHODS)),
    "4000": (4_000, ("KernelCCA", "KernelCCA, Nyström", "bare")),
    "million": (1_000_000, ("KernelCCA, Nyström",)),
}
COMPONENTS, PENALTY = 10, 1 / 9


def make_views(n_rows):
    """Training and held-out views that share nonlinear functions of five factors."""
    rng = np.random.default_rng(0)
    mixings = rng.standard_normal((2, 5, FEATURES))
    for n in (n_rows, 2_000):
        factors = rng.standard_normal((n, 5))
        yield [
            np.tanh(factors @ mixing) + 0.5 * rng.standard_normal((n, FEATURES))
            for mixing in mixings
        ]


def objective(model, folder, penalty):
    """Sum over components of a'Kx Ky b under a'(Kx^2 + r Kx)a = 1, and b likewise."""
    X, Y = load(folder, "train")
    ridge = penalty * (len(X) - 1)
    codes, norms = [], []
    for view, dual in ((X, model.x_dual), (Y, model.y_dual)):
        codes.append(centred(rbf_kernel(view, gamma=GAMMA)) @ dual)
        norms.append((codes[-1] * (codes[-1] + ridge * dual)).sum(0))
    return float(((codes[0] * codes[1]).sum(0) / np.sqrt(norms[0] * norms[1])).sum())


def measure(method, k, penalty, folder):
    """Print what one fit costs and finds."""
    penalty = float(penalty)
    try:
        model, found = cost(
            lambda X, Y, k=int(k): METHODS[method](X, Y, k, penalty), 30, folder
        )
        found["correlations"] = held_out_correlations(model.transform, folder)
        if model.x_dual is not None:
            found["objective"] = objective(model, folder, penalty)
    except ModuleNotFoundError as error:
        found = {"absent": str(error)}
    print(json.dumps(found))


def value(one, bare):
    """The objective, of the exact methods."""
    return f"{one['objective']:.6f}" if "objective" in one else ""


def off(one, bare):
    """Relative difference from the objective of the bare algebra."""
    if bare is None or "objective" not in one:
        return ""
    return f"{abs(one['objective'] / bare['objective'] - 1):.0e}"


def main(argv=None):
    """Run the command line."""
    args = parse(argv, __doc__.splitlines()[0], CASES, METHODS)
    if args.measure:
        measure(*args.measure)
        return
    for name in args.case or CASES:
        n, methods = CASES[name]
        n = max(n // 20, 100) if args.quick else n
        print(f"\n{n} rows, {FEATURES} + {FEATURES} features, k={COMPONENTS}")
        with stored(*make_views(n)) as folder:
            runs = rounds(
                __file__, args.only or methods, [COMPONENTS, PENALTY, folder], args
            )
        columns = {"objective": value, "off": off, "held out": total}
        print_table(runs, "KernelCCA", columns)


if __name__ == "__main__":
    main()
