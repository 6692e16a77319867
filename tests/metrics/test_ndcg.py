"""nDCG against scikit-learn's, and against every order of ties."""

from itertools import permutations, product
from math import log2

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.metrics import ndcg_score

from skcrl.metrics import ndcg_at_k


def over_all_orders(scores, gains, k):
    """Mean over the orders of the targets that ties leave open."""
    groups = [np.flatnonzero(scores == s) for s in np.unique(scores)[::-1]]
    orders = [sum(o, ()) for o in product(*(list(permutations(g)) for g in groups))]
    best = gained(sorted(gains, reverse=True), k)
    return np.mean([gained(gains[list(o)], k) for o in orders]) / best


def gained(gains, k):
    return sum(g / log2(r + 2) for r, g in enumerate(gains[:k]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_it_is_the_mean_over_all_orders_of_ties(metric):
    rng = np.random.default_rng(0)
    for _ in range(60):
        # Directions of the axes: products and distances are exact.
        queries, targets = (np.eye(3)[rng.integers(3, size=n)] for n in (3, 6))
        gains = rng.integers(0, 4, (3, 6)) * 0.5
        gains[:, 0] += 0.25
        k = int(rng.integers(1, 7))
        scores = queries @ targets.T
        by_hand = [
            over_all_orders(*case, k) for case in zip(scores, gains, strict=True)
        ]
        found = ndcg_at_k(queries, targets, k=k, relevant=gains, metric=metric)
        assert found == pytest.approx(np.mean(by_hand), abs=1e-12)
        assert found == pytest.approx(ndcg_score(gains, scores, k=k), abs=1e-12)


def test_many_targets_in_blocks_as_scikit_learn_counts(rng):
    queries, targets = rng.standard_normal((40, 5)), rng.standard_normal((300, 5))
    targets[50:150] = targets[50]  # their products differ by rounding
    scores = queries @ (targets / np.linalg.norm(targets, axis=1)[:, None]).T
    scores[:, 50:150] = scores[:, 50:51]
    gains = rng.poisson(0.3, (40, 300)) * rng.random((40, 300))
    for relevant in (gains, gains > 0, gains.astype(int) + (gains > 0)):
        expected = ndcg_score(relevant, scores, k=20)
        with config_context(working_memory=0.1):
            for given in (relevant, sparse.csr_array(relevant), relevant.tolist()):
                found = ndcg_at_k(queries, targets, k=20, relevant=given)
                assert found == pytest.approx(expected, abs=1e-12)
        everywhere = ndcg_at_k(queries, targets, k=300, relevant=relevant)
        assert everywhere == pytest.approx(ndcg_score(relevant, scores), abs=1e-12)


def test_partners_and_classes(rng):
    Zx, Zy = rng.standard_normal((2, 50, 3))
    classes = rng.integers(4, size=50)
    for given, written in (
        (None, np.eye(50)),
        ((classes, classes), classes[:, None] == classes),
    ):
        expected = ndcg_at_k(Zx, Zy, relevant=written)
        assert ndcg_at_k(Zx, Zy, relevant=given) == expected


def test_gains_count_beside_each_other_alone():
    Z = np.eye(3)
    gains = np.array([[2.0, 1, 0], [3, 2, 1], [1, 0, 1]])
    expected = ndcg_at_k(Z, Z, k=2, relevant=gains)
    for scale in (1e-300, 5e307):
        found = ndcg_at_k(Z, Z, k=2, relevant=scale * gains)
        assert found == pytest.approx(expected, abs=1e-12)


def test_what_is_refused():
    Z = np.eye(3)
    for gains, message in (
        (-np.eye(3), "finite and not negative, got -1"),
        (np.full((3, 3), np.nan), "finite and not negative, got nan"),
        (sparse.csr_array(np.diag([np.inf, 1, 1])), "finite and not negative, got inf"),
        (np.full((3, 3), "a"), "must hold gains, got <U1"),
        (np.eye(3)[:2], r"of shape \(3, 3\).* got shape \(2, 3\)"),
        (np.diag([1, 0, 1]), "query 1 has no relevant target"),
    ):
        with pytest.raises(ValueError, match=message):
            ndcg_at_k(Z, Z, k=1, relevant=gains)
    for k in (0, 4, True, 1.5):
        with pytest.raises(ValueError, match="whole number from 1 to 3"):
            ndcg_at_k(Z, Z, k=k)
