"""Retrieval against counting over every order of ties, in exact arithmetic."""

import math
import tracemalloc
from collections import Counter
from fractions import Fraction
from itertools import chain, groupby, permutations, product
from statistics import median

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.metrics import average_precision_score

from skcrl.metrics import (
    average_precision_at_k,
    class_codes,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    precision_at_k,
    recall_at_k,
    retrieval_report,
)


def orders(query, targets, relevant, metric="cosine"):
    """Relevance by rank, in every order of ties, and how many orders give it.

    Cosines of whole numbers are compared as fractions: dot * |dot| / |target|^2.
    """

    def similarity(j):
        if metric == "euclidean":
            return -sum(
                (int(a) - int(b)) ** 2 for a, b in zip(query, targets[j], strict=True)
            )
        dot = sum(int(a) * int(b) for a, b in zip(query, targets[j], strict=True))
        return Fraction(dot * abs(dot), max(1, sum(int(b) ** 2 for b in targets[j])))

    ranked = sorted(range(len(targets)), key=similarity, reverse=True)
    groups = [permutations(group) for _, group in groupby(ranked, key=similarity)]
    return Counter(
        tuple(bool(relevant[j]) for j in chain(*order)) for order in product(*groups)
    )


def over_orders(measure, orders_of_queries):
    """Expected value of measure(relevance by rank) for each query."""
    return [
        sum(n * Fraction(measure(hits)) for hits, n in orders.items()) / orders.total()
        for orders in orders_of_queries
    ]


def first_rank(hits):
    return hits.index(True) + 1


def average_precision(hits):
    ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
    return sum(Fraction(n, rank) for n, rank in enumerate(ranks, 1)) / len(ranks)


def expected_by_orders(cases, k):
    by_query = {
        "recall": over_orders(lambda hits: any(hits[:k]), cases),
        "mrr": over_orders(lambda hits: Fraction(1, first_rank(hits)), cases),
        "precision": over_orders(lambda hits: Fraction(sum(hits[:k]), k), cases),
        "map": over_orders(average_precision, cases),
    }
    expected = {name: sum(values) / len(cases) for name, values in by_query.items()}
    ranks = over_orders(first_rank, cases)
    return expected | {"median rank": median(ranks)}


def random_case(rng):
    """Small whole-numbered codes, with many ties, and what is relevant."""
    n_queries, n_targets = rng.integers(1, 4), rng.integers(1, 6)
    n_components = rng.integers(1, 4)
    queries = rng.integers(-2, 3, (n_queries, n_components))
    targets = rng.integers(-2, 3, (n_targets, n_components))
    targets[rng.random(n_targets) < 0.2] = targets[0]
    relevant = rng.random((n_queries, n_targets)) < rng.choice([0.2, 0.5, 0.9])
    relevant[np.arange(n_queries), rng.integers(0, n_targets, n_queries)] = True
    return queries, targets, relevant


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_every_measure_is_its_mean_over_all_orders_of_ties(metric):
    rng = np.random.default_rng(0)
    n_open = 0
    for _ in range(300):
        queries, targets, relevant = random_case(rng)
        k = int(rng.integers(1, len(targets) + 1))
        cases = [
            orders(queries[i], targets, row, metric) for i, row in enumerate(relevant)
        ]
        n_open += any(len(case) > 1 for case in cases)
        expected = expected_by_orders(cases, k)
        by = {"relevant": relevant, "metric": metric}
        found = {
            "recall": recall_at_k(queries, targets, k=k, **by),
            "median rank": median_rank(queries, targets, **by),
            "mrr": mean_reciprocal_rank(queries, targets, **by),
            "precision": precision_at_k(queries, targets, k=k, **by),
            "map": mean_average_precision(queries, targets, **by),
        }
        for name, value in expected.items():
            assert found[name] == pytest.approx(float(value), abs=1e-12), name
    assert n_open > 90  # in which ties matter


@pytest.fixture
def codes(rng):
    Zx = rng.standard_normal((60, 4))
    Zy = Zx + 0.7 * rng.standard_normal((60, 4))
    Zy[10:20] = Zy[10]  # ties
    Zy[30] = 0
    return Zx, Zy


@pytest.fixture
def classes(rng):
    return rng.permutation(np.repeat(["ant", "bee", "cat"], [10, 20, 30]))


def every_measure(Zx, Zy, relevant):
    return [
        recall_at_k(Zx, Zy, k=3, relevant=relevant),
        median_rank(Zx, Zy, relevant=relevant),
        mean_reciprocal_rank(Zx, Zy, relevant=relevant),
        precision_at_k(Zx, Zy, k=3, relevant=relevant),
        mean_average_precision(Zx, Zy, relevant=relevant),
    ]


def test_ways_to_say_what_is_relevant(codes, classes):
    by_class = every_measure(*codes, (classes, list(classes)))
    matrix = classes[:, None] == classes
    stored_zeros = sparse.coo_array(np.ones((60, 60)) * matrix + 1)
    stored_zeros.data = stored_zeros.data > 1
    for relevant in (
        matrix,
        matrix.tolist(),
        sparse.csr_array(matrix),
        sparse.csc_matrix(matrix),
        stored_zeros,
    ):
        assert every_measure(*codes, relevant) == pytest.approx(by_class, abs=1e-14)
    own = every_measure(*codes, (np.arange(60), np.arange(60)))
    assert every_measure(*codes, None) == pytest.approx(own, abs=1e-14)
    assert own[3] == pytest.approx(own[0] / 3)  # of one relevant target each
    assert own[4] == pytest.approx(own[2])


@pytest.mark.parametrize("kind", ["own", "classes", "dense", "sparse"])
def test_blocks_do_not_matter(codes, classes, kind):
    matrix = classes[:, None] == classes
    relevant = {
        "own": None,
        "classes": (classes, classes),
        "dense": matrix,
        "sparse": sparse.csr_array(matrix),
    }[kind]
    whole = every_measure(*codes, relevant), retrieval_report(*codes, relevant=relevant)
    for rows in (0.5, 1, 7):
        with config_context(working_memory=rows * 32 * 60 / 2**20):
            assert every_measure(*codes, relevant) == pytest.approx(whole[0], abs=1e-14)
            report = retrieval_report(*codes, relevant=relevant)
        for direction, measures in report.items():
            assert measures == pytest.approx(whole[1][direction], abs=1e-14)


@pytest.mark.parametrize("by_class", [False, True])
def test_report_is_the_measures_both_ways(codes, classes, by_class):
    Zx, Zy = codes
    relevant, swapped = None, None
    if by_class:
        relevant, swapped = (classes[:40], classes), (classes, classes[:40])
        Zx = Zx[:40]
    report = retrieval_report(Zx, Zy, k=[2, 9], relevant=relevant)
    for direction, views, of in (
        ("x_to_y", (Zx, Zy), relevant),
        ("y_to_x", (Zy, Zx), swapped),
    ):
        assert report[direction] == pytest.approx(
            {
                "recall_at_2": recall_at_k(*views, k=2, relevant=of),
                "recall_at_9": recall_at_k(*views, k=9, relevant=of),
                "median_rank": median_rank(*views, relevant=of),
                "mean_reciprocal_rank": mean_reciprocal_rank(*views, relevant=of),
            },
            abs=1e-14,
        )
    one = retrieval_report(Zx, Zy, k=2, relevant=relevant)
    assert one["x_to_y"]["recall_at_2"] == report["x_to_y"]["recall_at_2"]


def test_report_of_an_unsymmetric_matrix(codes, rng):
    Zx, Zy = codes[0][:20], codes[1]
    relevant = rng.random((20, 60)) < 0.3
    for matrix in (relevant, sparse.csr_array(relevant)):
        backwards = retrieval_report(Zx, Zy, k=5, relevant=matrix)["y_to_x"]
        found = recall_at_k(Zy, Zx, k=5, relevant=relevant.T)
        assert backwards["recall_at_5"] == pytest.approx(found, abs=1e-14)


def test_average_precision_without_ties_is_scikit_learns(rng):
    queries, targets = rng.standard_normal((5, 3)), rng.standard_normal((40, 3))
    relevant = rng.random((5, 40)) < 0.2
    cosine = queries @ (targets / np.linalg.norm(targets, axis=1)[:, None]).T
    expected = np.mean(
        [average_precision_score(relevant[i], cosine[i]) for i in range(5)]
    )
    found = mean_average_precision(queries, targets, relevant=relevant)
    assert found == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e-200, 1e200])
def test_constant_codes_score_chance(constant):
    n = 300
    Z = np.full((n, 7), constant)
    harmonic = np.sum(1 / np.arange(1, n + 1))
    for way in retrieval_report(Z, Z).values():
        assert way == pytest.approx(
            {f"recall_at_{k}": k / n for k in (1, 5, 10, 25)}
            | {"median_rank": (n + 1) / 2, "mean_reciprocal_rank": harmonic / n},
            abs=1e-12,
        )
    labels = np.arange(n) % 3
    assert precision_at_k(Z, Z, k=50, relevant=(labels, labels)) == pytest.approx(1 / 3)
    assert average_precision_at_k(Z, Z, labels, labels) == pytest.approx(1 / 3)


def test_codes_in_random_order_score_chance_on_average(rng):
    scores = [
        recall_at_k(rng.standard_normal((50, 3)), rng.standard_normal((50, 3)), k=5)
        for _ in range(200)
    ]
    assert np.mean(scores) == pytest.approx(0.1, abs=0.01)


def test_equal_targets_tie_wherever_they_stand(rng):
    # A matrix product rounds equal columns differently at the edges of its blocks.
    n = 1003
    targets = np.tile(rng.standard_normal(517), (n, 1)) * rng.uniform(0.1, 9, (n, 1))
    queries = rng.standard_normal((n, 517))
    assert median_rank(queries, targets) == (n + 1) / 2
    assert recall_at_k(queries, targets, k=10) == pytest.approx(10 / n, abs=1e-15)
    assert mean_average_precision(queries, targets) == pytest.approx(
        np.sum(1 / np.arange(1, n + 1)) / n, abs=1e-12
    )
    labels = np.arange(n) % 2
    assert precision_at_k(queries, targets, relevant=(labels, labels)) == pytest.approx(
        ((labels == 0).mean() ** 2 + (labels == 1).mean() ** 2), abs=1e-12
    )


def test_length_of_codes_does_not_matter(codes, rng):
    Zx, Zy = codes
    lengths = 10.0 ** rng.integers(-150, 150, (60, 1))
    expected = every_measure(Zx, Zy, None)
    assert every_measure(Zx * lengths, Zy / lengths, None) == pytest.approx(expected)
    single = every_measure(np.float32(Zx), np.float32(Zy), None)
    assert single == pytest.approx(expected, abs=1e-3)


def test_many_tied_targets_of_many_relevant(rng):
    # First of 30 relevant among 1000 tied: mean rank (t + 1) / (r + 1).
    relevant = np.zeros((1, 1000), dtype=bool)
    relevant[0, :30] = True
    ones = np.ones((1000, 2))
    assert median_rank(ones[:1], ones, relevant=relevant) == 1001 / 31
    first = np.array([rng.permutation(1000)[:30].min() + 1 for _ in range(20_000)])
    reciprocal = mean_reciprocal_rank(ones[:1], ones, relevant=relevant)
    assert reciprocal == pytest.approx(np.mean(1 / first), abs=0.01)
    found = recall_at_k(ones[:1], ones, k=20, relevant=relevant)
    assert found == pytest.approx(np.mean(first <= 20), abs=0.02)
    assert recall_at_k(ones[:1], ones, k=971, relevant=relevant) == pytest.approx(1)


def test_average_precision_at_k_averages_over_classes(rng):
    queries, targets = rng.standard_normal((6, 3)), rng.standard_normal((30, 3))
    of_queries = np.array(["a", "b", "b", "b", "c", "c"])
    of_targets = np.repeat(["c", "b", "a", "unasked"], [10, 8, 7, 5])
    cosine = queries @ (targets / np.linalg.norm(targets, axis=1)[:, None]).T
    top = np.argsort(-cosine, axis=1)[:, :5]
    share = (of_targets[top] == of_queries[:, None]).mean(axis=1)
    expected = np.mean([share[:1].mean(), share[1:4].mean(), share[4:].mean()])
    found = average_precision_at_k(queries, targets, of_queries, of_targets, k=5)
    assert found == pytest.approx(expected, abs=1e-15)


def test_class_codes_are_means_of_directions():
    codes = [[0, 2.0], [3.0, 0], [0, -1.0], [0, 0]]
    means, classes = class_codes(codes, [7, 3, 7, 3])
    np.testing.assert_array_equal(classes, [3, 7])
    np.testing.assert_allclose(means, [[0.5, 0], [0, 0]], atol=1e-15)


@pytest.mark.parametrize("measure", [mean_reciprocal_rank, mean_average_precision])
def test_memory_holds_a_block_of_similarities(measure, rng):
    n = 12_000
    queries, targets = rng.standard_normal((2, n, 2))
    few = slice(0, n) if measure is mean_reciprocal_rank else slice(0, 500)
    relevant = np.arange(n)[few], np.arange(n)
    tracemalloc.start()
    with config_context(working_memory=16):
        measure(queries[few], targets, relevant=relevant)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20  # all similarities take 1152 MB


def test_memory_where_half_of_the_targets_are_relevant(rng):
    queries, targets = rng.standard_normal((2, 5000, 2))
    labels = np.arange(5000) % 2
    tracemalloc.start()
    with config_context(working_memory=16):
        precision_at_k(queries, targets, relevant=(labels, labels))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20  # all similarities take 200 MB


Z = np.eye(5, 3) + 0.1
LABELS = list("aabbc")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: recall_at_k(Z, Z, k=6), "whole number from 1 to 5.*targets, got 6"),
        (lambda: recall_at_k(Z, Z, k=0), "whole number from 1 to 5.*got 0"),
        (lambda: precision_at_k(Z, Z, k=2.5), "whole number from 1 to 5.*got 2.5"),
        (lambda: precision_at_k(Z, Z), "from 1 to 5, the number of targets, got 10"),
        (lambda: average_precision_at_k(Z, Z, LABELS, LABELS), "to 5.*got 50"),
        (lambda: retrieval_report(Z, Z, k=(1, 6)), "from 1 to 5.* targets, got 6"),
        (lambda: recall_at_k(Z, Z, k=True), "whole number from 1 to 5.*got True"),
        (lambda: median_rank(Z, Z[:, :2]), "queries and targets.*got 3 and 2"),
        (lambda: retrieval_report(Z[:, :2], Z), "Zx and Zy must have.*got 2 and 3"),
        (lambda: median_rank(Z[:0], Z), r"queries is empty, of shape \(0, 3\)"),
        (lambda: median_rank(Z, Z[:0]), r"targets is empty, of shape \(0, 3\)"),
        (lambda: median_rank(Z, Z * np.nan), "targets contains NaN"),
        (lambda: median_rank(Z * np.inf, Z), "queries contains infinity"),
        (lambda: median_rank(Z[0], Z), "Expected 2D array, got 1D"),
        (lambda: median_rank(LABELS, Z), "queries must be codes.* got strings. Encode"),
        (
            lambda: class_codes([["a"], ["b"]], [0, 1]),
            "codes must be codes, .* got str",
        ),
        (lambda: median_rank(Z, Z[:4]), "got 5 and 4. Pass `relevant`"),
        (
            lambda: median_rank(Z, Z[:4], relevant=(LABELS, LABELS[:4])),
            "query 4 has no relevant target. Leave out such queries .1 in quer",
        ),
        (
            lambda: mean_average_precision(Z, Z, relevant=np.eye(5, k=2) > 0),
            "query 3 has no relevant target.*2 in queries., or add targets",
        ),
        (
            lambda: precision_at_k(Z, Z, k=1, relevant=sparse.eye(5, k=2) > 0),
            "query 3 has no relevant target.*2 in queries",
        ),
        (
            lambda: retrieval_report(Z[:4], Z, k=1, relevant=(LABELS[:4], LABELS)),
            "query 4 has no relevant target.*1 in Zy",
        ),
        (
            lambda: median_rank(Z, Z, relevant=np.ones((5, 4), bool)),
            r"a matrix of shape \(5, 5\).*got shape \(5, 4\)",
        ),
        (lambda: median_rank(Z, Z, relevant=np.eye(5)), "boolean, got float64.*> 0"),
        (lambda: median_rank(Z, Z, relevant=(LABELS,)), "got 1 items"),
        (
            lambda: median_rank(Z, Z, relevant=(LABELS, LABELS[:4])),
            "target_classes must hold one class for each of 5 rows, got 4",
        ),
        (
            lambda: median_rank(Z, Z, relevant=(LABELS, np.arange(5))),
            "must be of the same kind, got <U1 and int64",
        ),
        (
            lambda: median_rank(Z, Z, relevant=(Z[:, 0] * np.nan, LABELS)),
            "query_classes holds no label in row 0",
        ),
        (lambda: class_codes(Z, LABELS[:3]), "each of 5 rows, got 3"),
        (lambda: class_codes(Z, ["a", 1] * 2 + ["a"]), "of different kinds, 'a' and 1"),
        (lambda: class_codes(Z, ["a", None] * 2 + ["a"]), "no label in row 1"),
        (
            lambda: class_codes(Z, [0.0, np.inf] * 2 + [0.0]),
            "float in row 1 that is",
        ),
        (lambda: class_codes([[1.0, np.ma.masked]] * 5, LABELS), "codes contains NaN"),
        (lambda: median_rank(10**400, Z), "queries must be array-like, got 100"),
        (
            lambda: median_rank(Z, Z, relevant=[[True, np.ma.masked]] * 5),
            r"matrix of shape \(5, 5\), .*, got shape \(5, 2\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_report_takes_the_k_that_fit(rng):
    Zx, Zy = rng.standard_normal((2, 12, 3))
    expected = retrieval_report(Zx, Zy, k=(1, 5, 10))
    assert retrieval_report(Zx, Zy) == expected
    relevant = (np.zeros(12), np.zeros(4))
    report = retrieval_report(Zx, Zy[:4], relevant=relevant)
    assert [name for name in report["x_to_y"] if "recall" in name] == ["recall_at_1"]


def test_cosines_know_no_units(rng):
    Zx, Zy = rng.standard_normal((2, 12, 3))
    signs = np.sign(Zx)
    assert retrieval_report(signs * 1e308, Zy) == retrieval_report(signs, Zy)
    assert retrieval_report(Zx * 1e-300, Zy) == retrieval_report(Zx, Zy)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e300])
def test_a_report_by_distances(codes, scale):
    Zx, Zy = codes
    distances = np.linalg.norm(Zx[:, None] - Zy[None], axis=2)
    distances[:, 11:20] = distances[:, 10:11]  # of equal codes
    by = {"k": (1, 5), "metric": "euclidean"}
    report = retrieval_report(Zx * scale, Zy * scale, **by)
    own = np.eye(60, dtype=bool)
    written_out = retrieval_report(Zx * scale, Zy * scale, relevant=own, **by)
    for name, table in (("x_to_y", distances), ("y_to_x", distances.T)):
        own = np.diag(table)[:, None]
        better = (table < own).sum(axis=1)
        tied = (table == own).sum(axis=1)
        for k in (1, 5):
            share = np.clip((k - better) / tied, 0, 1).mean()
            assert report[name][f"recall_at_{k}"] == pytest.approx(share)
        assert report[name] == pytest.approx(written_out[name])


@pytest.mark.parametrize("far", [1e200, 1e270])
def test_distances_beside_one_code_far_away(codes, far):
    Zx, Zy = codes
    Zx, Zy = np.vstack([Zx, np.full(4, far)]), np.vstack([Zy, np.full(4, -far)])
    for scale in (1, 1e-20):
        Zx, Zy = Zx * scale, Zy * scale
        gaps = [[math.dist(x, y) for y in Zy] for x in Zx]
        n_tied = np.array([row.count(row[i]) for i, row in enumerate(gaps)])
        first = np.array([min(row) == row[i] for i, row in enumerate(gaps)])
        assert 10 < first.sum() < 50
        found = recall_at_k(Zx, Zy, k=1, metric="euclidean")
        assert found == pytest.approx(np.mean(first / n_tied))


def test_distances_that_vanish_beside_others(codes):
    Zx, Zy = codes
    Zx = np.vstack([Zx * 1e-100, np.full(4, 1e200)])
    Zy = np.vstack([Zy * 1e-100, np.ones(4)])
    with pytest.raises(
        ValueError, match=r"up to 1.0e\+200, but 119 .* above .*e-100, .* underflow"
    ):
        recall_at_k(Zx, Zy, metric="euclidean")


def test_class_codes_to_be_compared_by_distances():
    queries, _ = class_codes(
        [[2.0, 0], [0, 4], [0, 2]], list("abb"), metric="euclidean"
    )
    np.testing.assert_array_equal(queries, [[2, 0], [0, 3]])


def test_no_other_metric(codes):
    for call in (recall_at_k, precision_at_k, retrieval_report):
        with pytest.raises(
            ValueError, match="one of .'cosine', 'euclidean'., got 'l1'"
        ):
            call(*codes, metric="l1")
