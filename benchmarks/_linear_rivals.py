"""Linear classifiers beside label embeddings, for semantic_labels.py.

Each gives the scores (n_test, n_classes) of the test rows of a task.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from skcrl._columns import unit_rows
from skcrl._hierarchy import tree_of
from skcrl.labels._axes import Axes
from skcrl.labels._learn import learned
from skcrl.labels._margins import hinges_of_others, scores
from skcrl.labels._penalties import map_penalty


def ridge(task, alpha):
    """Ridge regression on one-hot classes."""
    return regression(task, np.eye(len(task.classes)), alpha)


def class_means(task):
    """Minus the squared distances from the means of classes."""
    every = range(len(task.classes))
    means = np.array([task.train[task.own == c].mean(axis=0) for c in every])
    return scores(task.test, means, "euclidean")


def logistic(task, C):
    """Logistic regression, in coordinates along the axes of the samples.

    They turn the columns, of which there may be more than samples, and no more.
    """
    vectors = Axes.of(task.train, np.ones(len(task.train)), False).vectors
    model = LogisticRegression(C=C, max_iter=2000).fit(task.train @ vectors, task.own)
    return model.decision_function(task.test @ vectors)


def taxonomy(task, alpha):
    """LMTE: codes whose squared distances are those of classes in the tree."""
    # A class less another is 1 or -1 at each node that is above one of both alone, the
    # edges between them: classical scaling would give these codes, turned.
    codes = ancestors(task)
    return scores(regression(task, codes, alpha), codes, "euclidean")


def regression(task, codes, alpha):
    """What ridge regression of the codes of classes (n_classes, k) predicts."""
    return Ridge(alpha).fit(task.train, codes[task.own]).predict(task.test)


def by_attributes(task, reg):
    """ALE: bilinear scores of samples and the attributes of classes."""
    return bilinear(task, [task.attributes], reg)


def by_hierarchy(task, reg):
    """HLE: the same with what is above a class."""
    return bilinear(task, [ancestors(task)], reg)


def by_both(task, reg):
    """AHLE: the same with both."""
    return bilinear(task, [task.attributes, ancestors(task)], reg)


def bilinear(task, codes, reg):
    """Scores x'W'c, W learned by the hinge over all classes and a ridge penalty.

    Akata et al. (2013) with all violators in place of weighed ones. Codes of either
    kind are centred, and of length one.
    """
    codes = np.hstack([unit_rows(c - c.mean(axis=0)) for c in codes])
    if codes.shape[1] > len(codes):  # the same products in fewer columns
        u, s, _ = np.linalg.svd(codes, full_matrices=False)
        codes = u * s
    axes = Axes.of(task.train, np.ones(len(task.train)), False)

    def objective(Q):
        s = axes.coordinates @ Q.T @ codes.T
        loss, slopes = hinges_of_others(s, task.own, axes.weights, 1.0)
        penalty, by_Q = map_penalty(Q, axes, reg, "euclidean")
        return loss + penalty, (slopes @ codes).T @ axes.coordinates + by_Q

    start = np.zeros((codes.shape[1], axes.coordinates.shape[1]))
    W = axes.weights_of(learned(objective, [start], 2000, 1e-7).arrays[0])
    return (task.test - axes.mean) @ W.T @ codes.T


def ancestors(task):
    """Each class as ones at itself and all above it."""
    return tree_of(task.classes, task.hierarchy).paths().astype(float)
