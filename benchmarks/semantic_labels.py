"""Do a hierarchy and attributes of classes help to classify, and where?

The rows are those of the table of the lecture on coordinated representations, which has
them from Hwang and Sigal (2014). Its data, Animals with Attributes, are not used here:
no number below is to be compared with that table, only the order of the rows.

emoji: pictures of 32 x 32 pixels (3,072 numbers). Classes are subgroups of at least 8
emoji, the group of a subgroup is its parent, and attributes are keywords: the share of
the training emoji of a class that have one. Keywords of one class alone are left out.

    python benchmarks/semantic_labels.py --seeds 5
    python benchmarks/semantic_labels.py --seeds 5 --samples 2

mfeat: pixels of handwritten digits, of $SKCRL_DATA/mfeat/mfeat.npz, or those of
scikit-learn's load_digits. The hierarchy and attributes are ours: digits with a
straight stroke (1, 2, 4, 5, 7) and round ones (0, 3, 6, 8, 9); loops above and below,
horizontal and upright strokes, bows to the right above and below.

    python benchmarks/semantic_labels.py --data mfeat --seeds 5

A seed draws 30 % of the rows for test; `--samples 2` learns from two of the others of
each class. Half of the rows is never in a test. On these, hyper-parameters were chosen
for each data set and number of samples, by the mean of hit@1 and hierarchical
precision@5 over five splits: four fifths to learn from and a fifth for validation, or
two of each class and all others. (``--splits 2`` for all mfeat, and of all emoji for
logistic regression, AHLE and the four rows of SemanticEmbedding, which take long.)
``--choose`` prints what is best.

Methods
-------
ridge regression      on one-hot classes
nearest class mean    of the samples as they are
logistic regression   not in the lecture's table
LME                   LabelEmbedding
LMTE                  codes fixed by the tree (Weinberger and Chapelle 2008)
ALE, HLE, AHLE        bilinear scores of attributes, ancestors, both (Akata et al. 2013)
LME-MTL-S, -A         SemanticEmbedding of one of the two, without the relation
USE without R         SemanticEmbedding of both, without the relation
USE                   SemanticEmbedding
USE, defaults         the same with what the class has for defaults, which were chosen
                      earlier, on other splits of all emoji: not on the half above

Columns
-------
hit@k     percentage of test samples whose class is among the first k
hp@k      hierarchical precision: percentage of the first k that are near in the tree
seconds   wall time of fit and scores
"""

import argparse
import time
from itertools import product

import numpy as np
from _classes_with_meaning import SOURCES, for_choice, of_table
from _linear_rivals import (
    by_attributes,
    by_both,
    by_hierarchy,
    class_means,
    logistic,
    ridge,
    taxonomy,
)
from scipy import stats

from skcrl import LabelEmbedding, SemanticEmbedding
from skcrl.metrics import hierarchical_precision_at_k, hit_at_k

COLUMNS = ("hit@1", "hit@2", "hit@5", "hp@2", "hp@5", "seconds")


def embedding(task, **params):
    """Label embedding that knows nothing of the classes."""
    return nearness(LabelEmbedding(**params), task)


def with_hierarchy(task, **params):
    """Groups of classes in the space, and nothing that ties classes to them."""
    model = SemanticEmbedding(hierarchy=task.hierarchy, relation_weight=0, **params)
    return nearness(model, task)


def with_attributes(task, **params):
    """The same with attributes in place of groups."""
    model = SemanticEmbedding(attributes=task.attributes, relation_weight=0, **params)
    return nearness(model, task)


def with_both(task, **params):
    """Unified semantic embedding."""
    model = SemanticEmbedding(
        hierarchy=task.hierarchy, attributes=task.attributes, **params
    )
    return nearness(model, task)


def nearness(model, task):
    """Scores of the test rows."""
    return model.fit(task.train, task.classes[task.own]).decision_function(task.test)


# What to choose from. `attribute_weight` and `exclusivity` are the defaults.
ALPHAS = [100, 300, 1000, 3000, 10000, 30000]
REGS = [0.01, 0.03, 0.1, 0.3, 1, 3]
# Of the map, and of classes: about a three hundredth to a thousandth of it.
PENALTIES = [
    {"reg": 0.003, "label_reg": 1e-5},
    {"reg": 0.01, "label_reg": 1e-5},
    {"reg": 0.03, "label_reg": 1e-4},
    {"reg": 0.1, "label_reg": 1e-4},
]
GROUPS = [4, 8]
METHODS = {
    "ridge regression": (ridge, {"alpha": ALPHAS}),
    "nearest class mean": (class_means, {}),
    "logistic regression": (logistic, {"C": [1e-4, 1e-3, 1e-2, 1e-1]}),
    "LME": (embedding, {"penalties": PENALTIES}),
    "LMTE": (taxonomy, {"alpha": ALPHAS}),
    "ALE": (by_attributes, {"reg": REGS}),
    "HLE": (by_hierarchy, {"reg": REGS}),
    "AHLE": (by_both, {"reg": REGS}),
    "LME-MTL-S": (with_hierarchy, {"penalties": PENALTIES, "group_weight": GROUPS}),
    "LME-MTL-A": (with_attributes, {"penalties": PENALTIES}),
    "USE without R": (
        with_both,
        {"penalties": PENALTIES, "group_weight": GROUPS, "relation_weight": [0]},
    ),
    "USE": (
        with_both,
        {
            "penalties": PENALTIES,
            "group_weight": GROUPS,
            "relation_weight": [0.003, 0.01],
        },
    ),
    "USE, defaults": (with_both, {}),
}
# What --choose printed.
CHOSEN = {
    ("emoji", None): {
        "ridge regression": {"alpha": 1000},
        "nearest class mean": {},
        "logistic regression": {"C": 0.01},
        "LME": {"reg": 0.1, "label_reg": 1e-4},
        "LMTE": {"alpha": 1000},
        "ALE": {"reg": 0.3},
        "HLE": {"reg": 0.03},
        "AHLE": {"reg": 0.1},
        "LME-MTL-S": {"reg": 0.003, "label_reg": 1e-5, "group_weight": 8},
        "LME-MTL-A": {"reg": 0.1, "label_reg": 1e-4},
        "USE without R": {
            "reg": 0.003,
            "label_reg": 1e-5,
            "group_weight": 8,
            "relation_weight": 0,
        },
        "USE": {
            "reg": 0.01,
            "label_reg": 1e-5,
            "group_weight": 8,
            "relation_weight": 0.01,
        },
    },
    ("emoji", 2): {
        "ridge regression": {"alpha": 3000},
        "nearest class mean": {},
        "logistic regression": {"C": 0.001},
        "LME": {"reg": 0.003, "label_reg": 1e-5},
        "LMTE": {"alpha": 1000},
        "ALE": {"reg": 3},
        "HLE": {"reg": 3},
        "AHLE": {"reg": 3},
        "LME-MTL-S": {"reg": 0.01, "label_reg": 1e-5, "group_weight": 8},
        "LME-MTL-A": {"reg": 0.003, "label_reg": 1e-5},
        "USE without R": {
            "reg": 0.01,
            "label_reg": 1e-5,
            "group_weight": 8,
            "relation_weight": 0,
        },
        "USE": {
            "reg": 0.003,
            "label_reg": 1e-5,
            "group_weight": 8,
            "relation_weight": 0.003,
        },
    },
    ("mfeat", None): {
        "ridge regression": {"alpha": 100},
        "nearest class mean": {},
        "logistic regression": {"C": 0.1},
        "LME": {"reg": 0.003, "label_reg": 1e-5},
        "LMTE": {"alpha": 100},
        "ALE": {"reg": 0.01},
        "HLE": {"reg": 3},
        "AHLE": {"reg": 0.01},
        "LME-MTL-S": {"reg": 0.003, "label_reg": 1e-5, "group_weight": 8},
        "LME-MTL-A": {"reg": 0.003, "label_reg": 1e-5},
        "USE without R": {
            "reg": 0.003,
            "label_reg": 1e-5,
            "group_weight": 8,
            "relation_weight": 0,
        },
        "USE": {
            "reg": 0.003,
            "label_reg": 1e-5,
            "group_weight": 4,
            "relation_weight": 0.01,
        },
    },
    ("mfeat", 2): {
        "ridge regression": {"alpha": 100},
        "nearest class mean": {},
        "logistic regression": {"C": 0.1},
        "LME": {"reg": 0.03, "label_reg": 1e-4},
        "LMTE": {"alpha": 100},
        "ALE": {"reg": 1},
        "HLE": {"reg": 3},
        "AHLE": {"reg": 3},
        "LME-MTL-S": {"reg": 0.003, "label_reg": 1e-5, "group_weight": 8},
        "LME-MTL-A": {"reg": 0.003, "label_reg": 1e-5},
        "USE without R": {
            "reg": 0.03,
            "label_reg": 1e-4,
            "group_weight": 8,
            "relation_weight": 0,
        },
        "USE": {
            "reg": 0.003,
            "label_reg": 1e-5,
            "group_weight": 4,
            "relation_weight": 0.01,
        },
    },
}


def measured(method, task, params):
    """Each of COLUMNS."""
    start = time.perf_counter()
    found = method(task, **params)
    seconds = time.perf_counter() - start
    truth = task.classes[task.truth]
    given = {"labels": task.classes}
    hits = [100 * hit_at_k(truth, found, k=k, **given) for k in (1, 2, 5)]
    given["hierarchy"] = task.hierarchy
    near = [
        100 * hierarchical_precision_at_k(truth, found, k=k, **given) for k in (2, 5)
    ]
    return [*hits, *near, seconds]


def choose(args, source):
    """Print the best of each grid."""
    tasks = [for_choice(source, args.samples, seed) for seed in range(args.splits)]
    for name in args.only or METHODS:
        method, grid = METHODS[name]
        best = -1.0
        for values in product(*grid.values()):
            params = dict(zip(grid, values, strict=True))
            params |= params.pop("penalties", {})
            runs = np.mean([measured(method, task, params) for task in tasks], axis=0)
            criterion = (runs[0] + runs[4]) / 2
            print(f"# {name} {params}: {criterion:.2f}", *runs.round(1), flush=True)
            if criterion > best:
                best, chosen = criterion, params
        print(f'"{name}": {chosen},', flush=True)


def compare(args, source):
    """Print the table, and what USE has more than LME."""
    chosen = CHOSEN[args.data, args.samples]
    runs = {name: [] for name in args.only or METHODS}
    for seed in range(args.seeds):
        task = of_table(source, args.samples, seed)
        for name, rows in runs.items():
            params = chosen.get(name, {})
            rows.append(measured(METHODS[name][0], task, params))
    print(
        f"\n{source.name}: {len(task.train)} training samples of {len(task.classes)} "
        f"classes in {len(set(task.hierarchy.values()))} groups, "
        f"{task.attributes.shape[1]} attributes (last seed), {len(task.test)} of test"
    )
    print(f"{'':22}" + "".join(f"{column:>12}" for column in COLUMNS))
    for name, rows in runs.items():
        cells = zip(*described(np.array(rows)), strict=True)
        print(f"{name:22}" + "".join(f"{f'{m:.1f} ±{h:.1f}':>12}" for m, h in cells))
    for name in ("USE", "USE, defaults"):
        if {name, "LME"} <= set(runs):
            print_gains(name, np.array(runs[name]) - np.array(runs["LME"]))


def print_gains(name, gains):
    """What a method has more than LME, over seeds."""
    for column in ("hit@1", "hp@5"):
        gain = gains[:, [COLUMNS.index(column)]]
        mean, half = described(gain)
        print(
            f"{name} less LME, {column}: {mean[0]:+.1f} ±{half[0]:.1f}, above on "
            f"{(gain > 0).sum()} of {len(gain)} seeds"
        )


def described(runs):
    """Means over seeds, and half their 95 % intervals."""
    half = stats.t.ppf(0.975, len(runs) - 1) * stats.sem(runs, axis=0)
    return runs.mean(axis=0), half


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=SOURCES, default="emoji")
    parser.add_argument(
        "--samples", type=int, choices=[2], help="training samples of a class"
    )
    parser.add_argument("--seeds", type=int, default=5, help="two or more")
    parser.add_argument("--only", nargs="+", choices=METHODS, help="of these names")
    parser.add_argument("--choose", action="store_true", help="choose parameters")
    parser.add_argument("--splits", type=int, default=5, help="to choose them on")
    parser.add_argument("--quick", action="store_true", help="few classes or rows")
    args = parser.parse_args(argv)
    if args.seeds < 2:
        parser.error("--seeds must be two or more, as there are intervals")
    (choose if args.choose else compare)(args, SOURCES[args.data](args.quick))


if __name__ == "__main__":
    main()
