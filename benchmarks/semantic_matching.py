"""What do labels bring to a search for all of a class, from one view to the other?

The experiment of Rasiwasia et al. (2010), whose 2,866 articles of Wikipedia in 10
categories are not used here: no number below is to be compared with theirs, only the
order of the rows.

digits: left and right halves of scikit-learn's digits, 10 classes.
emoji:  pictures and words of emoji, 9 groups; principal components of the pictures and
        leading singular vectors of the TF-IDF of the words, fitted to training rows.

A seed draws 30 % of the rows for test, in which each row of either view is a query and
the rows of the other are searched. Settings were set once and are the same for all
rows of the table; the classifiers are SemanticMatching's own.

    python benchmarks/semantic_matching.py --seeds 5

CM        correlation matching: cosines of the codes of LinearCCA
CM, rho   the same with codes weighted by their correlations
SM        probabilities of classes by each view itself
SCM       probabilities of classes by the codes of LinearCCA
"""

import argparse

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import CrossViewRetriever, LinearCCA, SemanticMatching
from skcrl.datasets import load_digits_halves, load_emoji
from skcrl.metrics import get_scorer


def digits(train):
    """Both halves, as they are."""
    left, right, labels = load_digits_halves()
    return left, right, labels, LinearCCA(20)


def emoji(train):
    """Pictures and words, as numbers learned from the training rows."""
    data = load_emoji()
    pictures = data.images.reshape(len(data.images), -1) / 255
    words = [f"{a} {b}" for a, b in zip(data.names, data.keywords, strict=True)]
    of_words = make_pipeline(
        TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2
        ),
        TruncatedSVD(200, random_state=0),
    )
    of_words.fit([words[i] for i in train])
    of_pictures = PCA(100, random_state=0).fit(pictures[train])
    X, y = of_pictures.transform(pictures), of_words.transform(words)
    return X, y, data.groups, LinearCCA(50, reg=0.3)


DATA = {"digits": (digits, 1797), "emoji": (emoji, 1849)}


def scores(data, seed):
    """Mean average precision in percent, by method and direction."""
    load, n_rows = DATA[data]
    train, test = train_test_split(np.arange(n_rows), test_size=0.3, random_state=seed)
    X, y, labels, cca = load(train)
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    methods = {
        "CM": cca,
        "CM, rho": CrossViewRetriever(cca, correlation_power=1),
        "SM": SemanticMatching(x_classifier=scaled, y_classifier=scaled),
        "SCM": SemanticMatching(cca),
    }
    found = {}
    for name, method in methods.items():
        further = {"labels": labels[train]} if name.startswith("S") else {}
        method.fit(X[train], y[train], **further)
        found[name] = [
            100
            * get_scorer(f"mean_average_precision_{way}")(
                method, X[test], y[test], classes=labels[test]
            )
            for way in ("x_to_y", "y_to_x")
        ]
    return found


def main(argv=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args(argv)
    for data in args.data:
        runs = [scores(data, seed) for seed in range(args.seeds)]
        print(
            f"\n{data}: mAP of {args.seeds} splits, in percent, +- standard deviation"
        )
        print(f"{'':10}{'x to y':>14}{'y to x':>14}")
        for name in runs[0]:
            values = np.array([run[name] for run in runs])
            cells = zip(values.mean(axis=0), values.std(axis=0), strict=True)
            row = "".join(f"{f'{mean:.1f} +- {sd:.1f}':>14}" for mean, sd in cells)
            print(f"{name:10}{row}")


if __name__ == "__main__":
    main()
