"""Comparisons with other packages: rounds of fresh processes, and a table of them."""

import argparse
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from _fresh_process import in_fresh_process, measured, python_with


def parse(argv, description, cases, methods):
    """Parse the options that every comparison has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--case", nargs="+", choices=cases)
    parser.add_argument("--only", nargs="+", choices=methods, metavar="METHOD")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


@contextmanager
def stored(train, test):
    """Folder that holds two pairs of views."""
    with tempfile.TemporaryDirectory() as name:
        for split, views in (("train", train), ("test", test)):
            for side, view in zip("xy", views, strict=True):
                np.save(Path(name) / f"{split}_{side}.npy", view)
        yield Path(name)


def load(folder, split):
    """Views that :func:`stored` wrote, "train" or "test"."""
    return [np.load(Path(folder) / f"{split}_{side}.npy") for side in "xy"]


def rounds(script, methods, arguments, args):
    """What `script` measures of each method, round by round; a word if it is absent."""
    runs = {m: [] for m in methods if args.only is None or m in args.only}
    for method in list(runs) * (1 if args.quick else args.repeats):
        if isinstance(runs[method], str):
            continue
        found = json.loads(
            in_fresh_process(
                script,
                "--measure",
                method,
                *arguments,
                python=python_with(method),
            )
        )
        if "absent" in found:
            runs[method] = found["absent"]
        else:
            runs[method].append(found)
    return runs


def cost(fit, few, folder):
    """Model that `fit` makes of the training views, and what it costs.

    A fit to the first `few` rows and three columns comes first, so that imports and
    set-up do not count.
    """
    X, Y = load(folder, "train")
    fit(X[:few, :3].copy(), Y[:few, :3].copy(), 2)
    model, seconds, mb = measured(lambda: fit(X, Y))
    return model, {"seconds": seconds, "mb": mb}


def held_out_correlations(transform, folder):
    """Correlations of the codes of the test views, component by component."""
    Zx, Zy = ((Z - Z.mean(0)) / Z.std(0) for Z in transform(*load(folder, "test")))
    return np.mean(Zx * Zy, axis=0).tolist()


def print_table(runs, ours, columns):
    """One line a method; `columns` are functions of its measurement and the bare's."""
    print(f"{'':22}{'CPU s':>8}{'x ours':>8}{'x bare':>8}{'MB':>7}", end="")
    print(*(f"{title:>11}" for title in columns), sep="")
    bare = runs.get("bare")
    for method, found in runs.items():
        if isinstance(found, str):
            print(f"{method:22} skipped: {found}")
            continue
        print(
            f"{method:22}{median(found):8.3f}"
            f"{ratio(found, runs.get(ours)):>8}{ratio(found, bare):>8}"
            f"{median(found, 'mb'):7.0f}",
            *(
                f"{column(found[0], bare and bare[0]):>11}"
                for column in columns.values()
            ),
            sep="",
            flush=True,
        )


def median(found, key="seconds"):
    """Over the rounds."""
    return np.median([one[key] for one in found])


def ratio(found, others):
    """Median over the rounds of the ratio of CPU seconds."""
    if not others or isinstance(others, str):
        return ""
    pairs = zip(found, others, strict=True)
    return f"{np.median([a['seconds'] / b['seconds'] for a, b in pairs]):.2f}"


def total(one, bare):
    """Total of the held-out correlations."""
    return f"{sum(one['correlations']):.4f}"


def distance(one, bare):
    """Largest difference of a held-out correlation from that of the bare algebra."""
    if bare is None:
        return ""
    found = one["correlations"]
    expected = bare["correlations"][: len(found)]
    return f"{np.abs(np.subtract(found, expected)).max():.0e}"
