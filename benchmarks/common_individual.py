"""Does a model show what two pictures have in common, and what is each one's own?

After section 5.2 of MUC2M (Multimodal Understanding Through Correlation Maximization
and Minimization), on collages: pictures of two halves, of which one holds a digit that
both pictures of a pair show, and the other an emoji that only one of them shows. A
small convolutional network is trained to name single objects and then frozen. All
models learn from its features, and Grad-CAM at its last layer shows what their scores
depend on. Everything is measured on pairs with held-out pictures of digits. Each cell
is a mean over seeds, and the range; a seed draws pictures, pairs and networks.

    python benchmarks/common_individual.py
    python benchmarks/common_individual.py --part few --seeds 2
    SKCRL_DATA=/path/to/data python benchmarks/common_individual.py --mnist
    python benchmarks/common_individual.py --picture docs/common_individual.png

Tables
------
maps        of 3,000 pairs; share of a map on the half with the common object, and of
            another on the other half, and the same without the background (table 3)
magnitude   mean pixel of maps of pairs with nothing in common, in units of that of
            pairs with a common object, for maps of several scores (table 4)
codes       accuracy of linear classifiers of digits and emoji, by the common codes z
            and by the individual codes w of the first picture
ablations   one choice of the plain model changed; what is above, and the error of
            features reconstructed by parts of the codes (1: by their mean)
few         of 300 pairs, with linear encoders, which fit noise: what helps
names       of a picture and the name of one of its objects; share of a map on the
            object that is named, and on the digit when it, or the emoji, is (table 2)
mnist       of halves of MNIST, 50 common and 50 individual codes; not with the others

Rows
----
uniform               a map that is the same everywhere
autoencoder's         the common score of features of a network trained as autoencoder
features              that of features of the frozen network, one map for both halves;
                      with names, of which there are no such features, their length
InfoNCE               CCALRanker with learned projections, in the place of CLIP
plain                 DeepCommonIndividual of DeepCCA(objective="correlation_gap")
regularised           with an elastic net on the gradients of both scores
"""

import argparse
import time
from collections import defaultdict
from typing import NamedTuple

import _collages
import numpy as np
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from torch.nn.functional import cosine_similarity

from skcrl import CCALRanker, DeepCCA, DeepCommonIndividual
from skcrl.datasets import fetch_mnist_halves, load_digits_halves
from skcrl.inspection import gradient_map
from skcrl.metrics import (
    reconstruction_error,
    saliency_magnitude,
    saliency_precision,
)
from skcrl.plotting import SaliencyDisplay

# Ten digits, less their mean; more than there is in common; 50 names, less their mean.
K, K_OF_FEW, K_OF_NAMES = 9, 16, 49
ELASTIC_NET, ELASTIC_NETS_OF_FEW = 0.005, (0.01, 0.05, 0.2)
SHARES = ("common", "individual")
TOLD = ("z: digit", "z: emoji", "w: digit", "w: emoji")
COLUMNS = {
    "maps": (*SHARES, "common, obj.", "indiv., obj."),
    "magnitude": ("product", "cosine", "dot", "norm"),
    "codes": TOLD,
    "ablations": (*SHARES, *TOLD, "by z", "by w", "by both"),
    "few": (*SHARES, *TOLD),
    "names": ("named", "named, obj.", "digit, named", "emoji named"),
    "mnist": ("x by z", "x by w", "x by both", "z: digit", "w: digit", "seconds"),
}


class Sizes(NamedTuple):
    """How much there is to learn from, and how long."""

    train: int
    few: int
    test: int
    epochs_of_features: int
    epochs: int
    epochs_of_few: int


FULL, QUICK = Sizes(3000, 300, 200, 4, 40, 200), Sizes(150, 100, 20, 1, 1, 1)


class Task(NamedTuple):
    """Pairs, a frozen network, and the features that it makes of them."""

    views: _collages.Views
    extractor: _collages.Pooled
    train: tuple
    test: tuple
    apart: tuple


def make_task(views, extractor):
    """The features of all pairs."""
    return Task(
        views,
        extractor,
        *(
            tuple(_collages.features(extractor, view) for view in (pairs.x, pairs.y))
            for pairs in views
        ),
    )


def grad_cam(task, estimator, score="common", *, pairs="test"):
    """Maps of both pictures of each pair, one after the other."""
    pictures, (x, y) = getattr(task.views, pairs), getattr(task, pairs)
    shared = {"score": score, "extractor": task.extractor, "method": "grad_cam"}
    return np.concatenate(
        [
            gradient_map(estimator, pictures.x, y, side="x", **shared),
            gradient_map(estimator, x, pictures.y, side="y", **shared),
        ]
    )


def shares(task, common, individual):
    """Shares of maps on their halves, and the same without the background."""
    test = task.views.test
    masks = np.concatenate([test.x_common, test.y_common])
    objects = np.concatenate([test.x, test.y]).max(axis=1) > 0
    return [
        saliency_precision(maps, half, foreground=pixels)
        for pixels in (None, objects)
        for maps, half in ((common, masks), (individual, ~masks))
    ]


def shares_of(task, model):
    """Shares of the maps of a model with both parts."""
    return shares(task, grad_cam(task, model), grad_cam(task, model, "individual"))


def length(a, b):
    """Lengths of codes: a score that does not compare them."""
    return a.norm(dim=1) + b.norm(dim=1)


def magnitudes(task, estimator):
    """Brightness of the maps of each score without a common object."""
    scores = {
        "product": "common",
        "cosine": cosine_similarity,
        "dot": lambda a, b: (a * b).sum(1),
        "norm": length,
    }
    return [
        saliency_magnitude(
            grad_cam(task, estimator, score, pairs="apart"),
            reference=grad_cam(task, estimator, score),
        )
        for score in scores.values()
    ]


def told(task, model):
    """Accuracy of classifiers of digits and of emoji, by either kind of codes."""
    views = task.views
    return [
        LinearDiscriminantAnalysis()
        .fit(encode(task.train[0]), views.train.x_names[:, i])
        .score(encode(task.test[0]), views.test.x_names[:, i])
        for encode in (model.transform, model.transform_individual)
        for i in (0, 1)
    ]


def make_plain(sizes, seed, k=K, **of_common):
    """The model of the paper with our sizes, staged, and without regularisation."""
    training = {
        "lr": 3e-3,
        "lr_schedule": "one_cycle",
        "batch_size": 250,
        "random_state": seed,
    }
    common = DeepCCA(
        k,
        objective="correlation_gap",
        closing_cca=False,
        max_epochs=sizes.epochs,
        **{"hidden_layer_sizes": (64,), "input_dropout": 0.2, **training, **of_common},
    )
    return DeepCommonIndividual(
        common, hidden_layer_sizes=(64,), max_epochs=sizes.epochs, **training
    )


def regularised(model, weight):
    """A model with the elastic net on gradients of both scores."""
    penalty = (weight, weight)
    return clone(model).set_params(
        gradient_penalty=penalty, common__gradient_penalty=penalty
    )


def contrastive(model):
    """InfoNCE on the networks of a DeepCCA."""
    shared = ("hidden_layer_sizes", "input_dropout", "lr", "lr_schedule", "max_epochs")
    given = model.get_params()
    return CCALRanker(
        model.n_components,
        objective="infonce",
        projection="learned",
        batch_size=model.batch_size,
        random_state=model.random_state,
        **{name: given[name] for name in shared},
    )


def pairs(task, sizes, seed):
    """Rows of the first four tables."""
    uniform = np.ones((2 * len(task.test[0]), 24, 48))
    yield "maps", "uniform", shares(task, uniform, uniform)
    extractor = _collages.reconstructing_network(task.views.train, 1, seed)
    reconstructing = make_task(task.views, extractor)
    for name, given in (
        ("autoencoder's", reconstructing),
        ("features", task),
    ):
        features = _collages.FeaturesThemselves(1).fit(*given.train)
        maps = grad_cam(given, features)
        yield "maps", name, shares(given, maps, maps)
    yield "magnitude", "features", magnitudes(task, features)
    plain = make_plain(sizes, seed)
    models = {
        "InfoNCE": clone(plain).set_params(common=contrastive(plain.common)),
        "plain": plain,
        "regularised": regularised(plain, ELASTIC_NET),
    }
    for name, model in models.items():
        model.fit(*task.train)
        yield "maps", name, shares_of(task, model)
        yield "magnitude", name, magnitudes(task, model)
        yield "codes", name, told(task, model)


def ablations(task, sizes, seed):
    """Rows for each choice of the plain model."""
    changes = {
        "plain": {},
        "joint": {"joint": True},
        "no input dropout": {"common__input_dropout": 0.0},
        "common weight 0.01": {"common__decorrelation_weight": 0.01},
        "common weight 1": {"common__decorrelation_weight": 1.0},
        "individual weight 0": {"decorrelation_weight": 0.0},
        "individual weight 100": {"decorrelation_weight": 100.0},
    }
    for name, parameters in changes.items():
        model = make_plain(sizes, seed).set_params(**parameters).fit(*task.train)
        yield (
            "ablations",
            name,
            [
                *shares_of(task, model)[:2],
                *told(task, model),
                *errors(model, task.test),
            ],
        )


def errors(model, views):
    """Errors of the first view, reconstructed by common, individual and both codes."""
    return [
        reconstruction_error(views[0], model.reconstruct(*views, to="x", parts=parts))
        for parts in ("common", "individual", "all")
    ]


def few(task, sizes, seed):
    """Rows for elastic nets of growing weight."""
    train = _collages.first_pairs(task.views.train, sizes.few)
    task = task._replace(
        views=task.views._replace(train=train),
        train=tuple(view[: sizes.few] for view in task.train),
    )
    plain = make_plain(
        sizes._replace(epochs=sizes.epochs_of_few),
        seed,
        K_OF_FEW,
        hidden_layer_sizes=(),
        input_dropout=0.0,
        batch_size=150,
        lr=1e-2,
    )
    models = {
        "plain": plain,
        **{f"elastic net {w:g}": regularised(plain, w) for w in ELASTIC_NETS_OF_FEW},
        "input dropout 0.2": clone(plain).set_params(common__input_dropout=0.2),
    }
    for name, model in models.items():
        model.fit(*task.train)
        yield "few", name, [*shares_of(task, model)[:2], *told(task, model)]


def names(task, sizes, seed):
    """Rows of pictures with names of objects."""
    train, test = task.views.train, task.views.test
    words = TfidfVectorizer().fit(train.x_names.ravel())

    def numbers(names):
        return words.transform(names).toarray().astype(np.float32)

    X = np.concatenate([task.train[0]] * 2)
    y = np.concatenate([numbers(train.x_names[:, i]) for i in (0, 1)])
    common = make_plain(sizes, seed, K_OF_NAMES).common
    common.set_params(hidden_layer_sizes=((64,), ()), input_dropout=0.0)
    models = {
        "features": _collages.FeaturesThemselves(1),
        "InfoNCE": contrastive(common),
        "plain": common,
        "regularised": clone(common).set_params(gradient_penalty=(ELASTIC_NET,) * 2),
    }
    objects = test.x.max(axis=1) > 0
    for name, model in models.items():
        model.fit(X, y)
        maps = np.stack(
            [
                gradient_map(
                    model,
                    test.x,
                    numbers(test.x_names[:, i]),
                    side="x",
                    score=length if name == "features" else "common",
                    extractor=task.extractor,
                    method="grad_cam",
                )
                for i in (0, 1)
            ]
        )
        yield "names", name, shares_of_named(maps, test.x_common, objects)


def shares_of_named(maps, on_digit, objects):
    """Shares of maps of the digit's name, and of the emoji's, on what is named.

    And their shares on the digit.
    """
    every = np.concatenate(maps)
    named = np.concatenate([on_digit, ~on_digit])
    return [
        saliency_precision(every, named),
        saliency_precision(every, named, foreground=np.concatenate([objects] * 2)),
        *(saliency_precision(of_one, on_digit) for of_one in maps),
    ]


PARTS = {"pairs": pairs, "ablations": ablations, "few": few, "names": names}


def mnist(sizes, seed):
    """A row of halves of MNIST, or of small digits."""
    if sizes is QUICK:
        left, right, labels = load_digits_halves()
        train, test = slice(1200), slice(1200, None)
        views = (left[train], right[train]), (left[test], right[test])
        digits = labels[train], labels[test]
    else:
        m = fetch_mnist_halves()
        views = (m.x_train, m.y_train), (m.x_test, m.y_test)
        digits = m.labels_train, m.labels_test
    k = 5 if sizes is QUICK else 50
    model = DeepCommonIndividual(
        DeepCCA(
            k,
            objective="correlation_gap",
            closing_cca=False,
            random_state=seed,
        ),
        random_state=seed,
    )
    if sizes is QUICK:
        model.set_params(max_epochs=1, common__max_epochs=1)
    start = time.perf_counter()
    model.fit(*views[0])
    seconds = time.perf_counter() - start
    accuracies = [
        LinearDiscriminantAnalysis()
        .fit(encode(views[0][0]), digits[0])
        .score(encode(views[1][0]), digits[1])
        for encode in (model.transform, model.transform_individual)
    ]
    yield "mnist", f"k = {k} + {k}", [*errors(model, views[1]), *accuracies, seconds]


def draw(path, sizes, n_pairs=3, seed=0):
    """Draw held-out pairs with their maps of both scores, by the plain model."""
    import matplotlib.pyplot as plt

    views = _collages.draw_views(sizes.train, sizes.test, seed)
    extractor = _collages.naming_network(views.train, sizes.epochs_of_features, seed)
    task = make_task(views, extractor)
    model = make_plain(sizes, seed).fit(*task.train)
    n_test = len(views.test.x)
    pictures = np.concatenate([views.test.x, views.test.y])
    maps = {score: grad_cam(task, model, score) for score in SHARES}
    figure, axes = plt.subplots(1, n_pairs, figsize=(12, 2.9), layout="constrained")
    for pair, ax in enumerate(axes):
        both = [pair, pair + n_test]
        SaliencyDisplay.from_maps(
            pictures[both], {score: of[both] for score, of in maps.items()}, ax=ax
        )
    figure.savefig(path, dpi=100)
    plt.close(figure)


# What the tables are to show: table, row, column, and the least, the most, or a row
# that is to be surpassed.
BARS = (
    ("maps", "uniform", "common", "=", 0.5),
    ("maps", "plain", "common", ">=", 0.70),
    ("maps", "plain", "common", ">", "features"),
    ("maps", "regularised", "common", ">=", 0.77),
    ("maps", "regularised", "common", ">", "plain"),
    ("maps", "plain", "individual", ">=", 0.55),
    ("maps", "plain", "individual", ">", "features"),
    ("magnitude", "plain", "product", "<=", 0.45),
    ("codes", "plain", "z: digit", ">=", 0.87),
    ("codes", "plain", "z: emoji", "<=", 0.05),  # chance is 1 of 40
    ("codes", "plain", "w: digit", "<=", 0.2),
    ("codes", "plain", "w: emoji", ">=", 0.58),
    ("codes", "regularised", "w: digit", "<=", 0.2),
    ("few", "plain", "common", ">=", 0.70),
    ("few", "elastic net 0.05", "common", ">=", 0.77),
    ("few", "elastic net 0.05", "common", ">", "plain"),
    ("few", "elastic net 0.05", "individual", ">=", 0.55),
    # Section 7.1.2: trained together, the parts lose what they are for.
    ("ablations", "joint", "z: digit", "<", "plain"),
    ("ablations", "joint", "common", "<", "plain"),
    ("names", "plain", "named", ">", "features"),
    ("names", "plain", "named", ">", 0.5),
    ("names", "plain", "digit, named", ">=", 0.5),
    ("names", "plain", "emoji named", "<=", 0.5),
)


def print_tables(tables):
    """Means over seeds, and ranges."""
    for table, rows in tables.items():
        print(f"\n{table:22}" + "".join(f"{c:>20}" for c in COLUMNS[table]))
        for name, runs in rows.items():
            values = np.array(runs)
            cells = [
                f"{mean:.2f} ({least:.2f} to {most:.2f})"
                for mean, least, most in zip(
                    values.mean(0), values.min(0), values.max(0), strict=True
                )
            ]
            print(f"{name:22}" + "".join(f"{cell:>20}" for cell in cells))


def print_bars(tables):
    """Which bars the means meet."""
    print()
    signs = {
        "=": np.equal,
        ">=": np.greater_equal,
        ">": np.greater,
        "<=": np.less_equal,
        "<": np.less,
    }
    for table, row, column, sign, bound in BARS:
        if table not in tables:
            continue
        at = COLUMNS[table].index(column)
        means = {
            name: np.mean(runs, axis=0)[at] for name, runs in tables[table].items()
        }
        least = means.get(bound, bound)
        met = signs[sign](means[row], least)
        print(
            f"{'met' if met else 'missed':8}{table}, {row}, {column}: "
            f"{means[row]:.3f} {sign} {least:.3f}"
            + (f" of {bound}" if bound in means else "")
        )


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--mnist", action="store_true", help="halves of MNIST instead")
    parser.add_argument("--picture", metavar="FILE", help="draw some pairs instead")
    parser.add_argument("--quick", action="store_true", help="few pairs, one epoch")
    args = parser.parse_args(argv)
    sizes = QUICK if args.quick else FULL
    if args.picture:
        draw(args.picture, sizes)
        return
    tables = defaultdict(lambda: defaultdict(list))
    start = time.perf_counter()
    for seed in range(args.seeds):
        if args.mnist:
            collect(mnist(sizes, seed), tables)
            continue
        views = _collages.draw_views(sizes.train, sizes.test, seed)
        task = make_task(
            views,
            _collages.naming_network(views.train, sizes.epochs_of_features, seed),
        )
        for part in args.part:
            collect(PARTS[part](task, sizes, seed), tables)
    print(f"{args.seeds} seeds, {time.perf_counter() - start:.0f} seconds")
    print_tables(tables)
    print_bars(tables)


def collect(found, tables):
    """Add rows of a seed to the tables."""
    for table, row, values in found:
        tables[table][row].append(values)


if __name__ == "__main__":
    main()
