"""Which ranks does LinearCommonIndividual find in noise, and how well does it split?

Tables of planted ranks, x = c A + i B + noise, with as much variance in the noise as in
the signal, and as much in the common part as in the individual one. Printed are the
share of the data sets in which the common rank, and all three ranks, are found without
being given; the errors of the common and of the individual part of X, relative to
their squared size, given the ranks; and the CPU seconds of a fit. Beside them the same
of mvlearn's AJIVE, and the errors of D-CCA, whose formulas are written out here.

    python benchmarks/linear_common_individual.py

mvlearn is left out with a word if it is not installed. It wants older versions of other
packages, so it has an environment of its own (`make .venv-old-peers/installed`). It is
given the true ranks of the signals, since its own guess of them is of two elbows
and takes most of a table for signal; so only its common rank and its individual ones
are found.
"""

import argparse
import json
import time
from typing import NamedTuple

import numpy as np
from _fresh_process import in_fresh_process, python_with


class Case(NamedTuple):
    """Shape of the tables, and their ranks: common, of x alone and of y alone."""

    n: int
    p: int
    q: int
    ranks: tuple[int, int, int]


CASES = [
    Case(n, p, q, ranks)
    for n, p, q in ((200, 50, 50), (200, 200, 50), (200, 200, 200), (500, 100, 100))
    for ranks in ((1, 1, 1), (2, 2, 3), (3, 4, 4), (5, 2, 2))
]


class Found(NamedTuple):
    """Ranks that a method finds, parts of X given the ranks, and what it takes."""

    ranks: tuple | None
    common: np.ndarray
    individual: np.ndarray
    seconds: float


def make_tables(case, seed):
    """Two tables, and the common and the individual part of the first."""
    rng = np.random.default_rng(seed)
    k, *own = case.ranks
    c = rng.standard_normal((case.n, k))
    tables, parts = [], []
    for p, m in zip((case.p, case.q), own, strict=True):
        common = c @ rng.standard_normal((k, p))
        individual = rng.standard_normal((case.n, m)) @ rng.standard_normal((m, p))
        individual *= common.std() / individual.std()
        signal = common + individual
        noise = signal.std() * rng.standard_normal(signal.shape)
        tables.append(signal + noise)
        parts.append((common - common.mean(0), individual - individual.mean(0)))
    return tables, parts[0]


def ours(X, y, ranks, seed):
    """LinearCommonIndividual, its ranks found, and then given."""
    from skcrl import LinearCommonIndividual

    begin = time.process_time()
    found = LinearCommonIndividual(random_state=seed).fit(X, y)
    seconds = time.process_time() - begin
    k, *own = ranks
    signal = [k + m for m in own]
    known = LinearCommonIndividual(k, n_individual=own, n_signal=signal).fit(X, y)
    common, individual = (
        known.reconstruct(X, y, to="x", parts=parts) - X.mean(0)
        for parts in ("common", "individual")
    )
    return Found((found.rank_, *found.n_individual_), common, individual, seconds)


def mvlearn(X, y, ranks, seed):
    """Its AJIVE, given the ranks of the signals, and then all ranks."""
    from mvlearn.decomposition import AJIVE

    k, *own = ranks
    signal = [k + m for m in own]
    begin = time.process_time()
    found = AJIVE(init_signal_ranks=list(signal), random_state=seed).fit([X, y])
    seconds = time.process_time() - begin
    known = AJIVE(list(signal), joint_rank=k, individual_ranks=own)
    common = known.fit_transform([X, y])[0]
    found_ranks = (found.joint_rank_, *found.individual_ranks_)
    return Found(
        tuple(map(int, found_ranks)), common, known.individual_mats_[0], seconds
    )


def d_cca(X, y, ranks, seed):
    """Shu, Wang and Zhu (2020), given the ranks: common parts of a shared variable."""
    begin = time.process_time()
    k, *own = ranks
    svds = [np.linalg.svd(view - view.mean(0), full_matrices=False) for view in (X, y)]
    (Ux, s, Vt), (Uy, _, _) = svds
    rank, y_rank = (k + m for m in own)
    left, correlations, right = np.linalg.svd(Ux[:, :rank].T @ Uy[:, :y_rank])
    zx, zy = Ux[:, :rank] @ left[:, :k], Uy[:, :y_rank] @ right[:k].T
    rho = correlations[:k].clip(0, 1)
    shared = (zx + zy) * (1 - np.sqrt((1 - rho) / (1 + rho))) / 2
    signal = Ux[:, :rank] * s[:rank] @ Vt[:rank]
    common = shared @ (zx.T @ signal)
    return Found(None, common, signal - common, time.process_time() - begin)


METHODS = {"LinearCommonIndividual": ours, "mvlearn": mvlearn, "D-CCA": d_cca}


def measure(method, index, sets):
    """Print what a method finds in the data sets of a case, as JSON."""
    case = CASES[int(index)]
    rows = []
    try:
        for seed in range(int(sets)):
            tables, truth = make_tables(case, seed)
            found = METHODS[method](*tables, case.ranks, seed)
            errors = [
                np.square(part - true).sum() / np.square(true).sum()
                for part, true in zip(found[1:3], truth, strict=True)
            ]
            ranks = found.ranks or (-1,)
            hits = ranks[0] == case.ranks[0], ranks == case.ranks
            rows.append([*map(float, hits), *errors, found.seconds])
    except ModuleNotFoundError as error:
        print(json.dumps(str(error)))
        return
    print(json.dumps(np.mean(rows, axis=0).tolist()))


def line(found, has_ranks):
    """Cells of one line of the table."""
    shares = [f"{share:8.1%}" if has_ranks else f"{'':8}" for share in found[:2]]
    errors = [f"{error:12.4f}" for error in found[2:4]]
    return "".join([*shares, *errors, f"{found[4]:9.3f}"])


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=100, help="data sets a case")
    parser.add_argument("--peer-sets", type=int, default=5, help="the same for mvlearn")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="the first case alone")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.measure:
        measure(*args.measure)
        return
    print(f"Data sets a case: {args.sets}, of mvlearn {args.peer_sets}")
    print(
        f"{'':24}{'common':>8}{'all':>8}{'error of':>12}{'error of':>12}{'CPU s':>9}\n"
        f"{'':24}{'found':>8}{'found':>8}{'common':>12}{'individual':>12}"
    )
    totals = []
    for index, case in enumerate(CASES[: 1 if args.quick else None]):
        k, x_own, y_own = case.ranks
        print(
            f"\n{case.n} rows, {case.p} + {case.q} columns, "
            f"ranks {k} common, {x_own} + {y_own} individual"
        )
        for method in args.only:
            sets = args.peer_sets if method == "mvlearn" else args.sets
            found = json.loads(
                in_fresh_process(
                    __file__,
                    *("--measure", method, index, sets),
                    python=python_with(method),
                )
            )
            if isinstance(found, str):
                print(f"{method:24}skipped: {found}")
                continue
            print(f"{method:24}{line(found, method != 'D-CCA')}", flush=True)
            if method == "LinearCommonIndividual":
                totals.append(found[:2])
    if totals:
        common, every = np.mean(totals, axis=0)
        print(
            f"\nFound over all cases: common rank {common:.1%}, all ranks {every:.1%}"
        )


if __name__ == "__main__":
    main()
