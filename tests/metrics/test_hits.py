"""Hits among the first classes, on hand-made trees: brute force over trees and ties."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import top_k_accuracy_score

from skcrl.metrics import hierarchical_precision_at_k, hit_at_k

LABELS = ["cat", "tiger", "dog", "car", "truck", "rose"]
# A tree of unequal depth, in which "plant" and what hangs there stand alone.
PARENTS = {
    "cat": "feline",
    "tiger": "feline",
    "feline": "animal",
    "dog": "animal",
    "car": "vehicle",
    "truck": "vehicle",
    "lorry": "vehicle",
    "rose": "plant",
}
rng = np.random.default_rng(0)
Y = np.array(LABELS)[rng.integers(0, 6, 30)]
SCORES = rng.permuted(np.tile(np.arange(6.0), (30, 1)), axis=1)
TIED = rng.integers(0, 3, (5, 6)).astype(float)


def neighbours(node):
    """Nodes at one edge: of nodes without a parent, the root."""
    nodes = {*LABELS, *PARENTS, *PARENTS.values()}
    if node == "root":
        return {other for other in nodes if other not in PARENTS}
    return {PARENTS.get(node, "root")} | {n for n in nodes if PARENTS.get(n) == node}


def correct_set(label, k):
    """The algorithm of DeViSE's appendix: go out edge by edge until k are found."""
    reached = edge = {label}
    while len(reached & set(LABELS)) < k:
        edge = set().union(*map(neighbours, edge))
        reached = reached | edge
    return reached & set(LABELS)


def over_all_orders(share_of, scores):
    """Mean of a share of the ranked labels over all orders of equal scores."""
    shares = []
    for label, row in zip(Y, scores, strict=False):
        orders = {
            tuple(sorted(order, key=lambda c: -row[c]))
            for order in permutations(range(6))
        }
        ranked = ([LABELS[c] for c in order] for order in orders)
        shares.append(np.mean([share_of(label, names) for names in ranked]))
    return np.mean(shares)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("scores", [SCORES[:5], TIED])
def test_both_are_brute_force(k, scores):
    given = Y[:5], scores
    expected = over_all_orders(lambda label, names: label in names[:k], scores)
    assert hit_at_k(*given, k=k, labels=LABELS) == pytest.approx(expected)
    expected = over_all_orders(
        lambda label, names: len(correct_set(label, k) & set(names[:k])) / k, scores
    )
    found = hierarchical_precision_at_k(*given, k=k, hierarchy=PARENTS, labels=LABELS)
    assert found == pytest.approx(expected)


def test_hits_are_those_of_scikit_learn_without_ties():
    classes = sorted(LABELS)
    for k in (1, 2, 5):
        expected = top_k_accuracy_score(Y, SCORES, k=k, labels=classes)
        assert hit_at_k(Y, SCORES, k=k, labels=classes) == pytest.approx(expected)
    assert set(Y) == set(classes)
    assert hit_at_k(Y, SCORES) == hit_at_k(Y, SCORES, labels=classes)


def test_without_a_hierarchy_all_are_equally_near():
    found = hierarchical_precision_at_k(Y, SCORES, k=2, hierarchy={}, labels=LABELS)
    assert found == 1.0  # the root's children are at distance 2, all of them
    found = hierarchical_precision_at_k(Y, SCORES, k=1, hierarchy={}, labels=LABELS)
    assert found == hit_at_k(Y, SCORES, labels=LABELS)


def test_no_parent_is_the_root():
    expected = hierarchical_precision_at_k(
        Y, SCORES, k=2, hierarchy=PARENTS, labels=LABELS
    )
    for missing in (None, float("nan"), pd.NA):
        found = hierarchical_precision_at_k(
            *(Y, SCORES),
            k=2,
            hierarchy=PARENTS | {"plant": missing, "animal": missing},
            labels=LABELS,
        )
        assert found == expected


def test_shares_are_exact():
    for n, k in ((11, 7), (100, 49)):
        rest = {"k": k, "labels": range(n)}
        descending = [np.arange(float(n))[::-1]]
        assert hit_at_k([0], descending, **rest) == 1
        assert hierarchical_precision_at_k([0], [[1.0] * n], hierarchy={}, **rest) == 1


def test_whole_numbers_are_classes_too():
    y, scores = np.array([3, 5, 3]), [[1, 0, 2.0], [0, 1, 2], [2, 1, 0]]
    found = hierarchical_precision_at_k(
        y, scores, k=2, hierarchy={3: 10, 5: 10, 7: 11}, labels=[3, 5, 7]
    )
    assert found == pytest.approx((1 + 1 + 2) / 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"k": 0},
            "whole number from 1 to 6, the number of classes, got 0",
        ),
        ({"k": 7}, "k must be a whole number from 1 to 6, .* got 7"),
        ({"k": True}, "got True"),
        ({"labels": LABELS[:5]}, "each of the 6 columns of y_score once, got 5 "),
        ({"labels": [*LABELS[:5], "cat"]}, "got 6 labels, 5 of them different"),
        ({"labels": [*LABELS[:5], "oak"]}, "but 'rose' is missing"),
        ({"labels": None}, "each of the 6 columns of y_score once, got 1 "),
        ({"y_true": LABELS[:2]}, "same number of rows, got 2 and 3"),
        ({"y_score": [[np.nan] * 6] * 3}, "y_score contains NaN"),
        (
            {"hierarchy": {"a": "b", "b": "a", "cat": "a"}},
            "cycle above 'cat'",
        ),
        ({"hierarchy": {"cat": "cat"}}, "cycle above 'cat'. Leave out the parent of"),
        (
            {"hierarchy": {"cat": {"feline"}}},
            "got {'feline'} for 'cat'",
        ),
        (
            {"hierarchy": PARENTS | {"cat": ["plant", "feline"]}},
            "one parent for each node, got .* for 'feline'",
        ),
        (
            {"hierarchy": {1: "feline"}},
            "any class, such as 'cat'. .* as 1. Use",
        ),
        ({"y_score": [1.0, 2, 3]}, "array of shape .3,.. For .*column_stack"),
        ({"hierarchy": [("cat", "animal")]}, "to its parent, .* got list"),
    ],
)
def test_bad_input_is_named(changes, message):
    given = {
        "y_true": ["rose"] * 3,
        "y_score": SCORES[:3],
        "k": 2,
        "labels": LABELS,
        "hierarchy": PARENTS,
    } | changes
    with pytest.raises(ValueError, match=message):
        hierarchical_precision_at_k(**given)
