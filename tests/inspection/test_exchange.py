"""Arrangements of rows: those that a design allows, each as likely, and no others."""

from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from scipy.signal import lfilter

from skcrl.inspection import permutation_test, select_n_components
from skcrl.inspection._exchange import draws, exchange

GROUPS = ["b", "a", "b", "a", "c", "b"]  # rows 1, 3 and 0, 2, 5 and 4


def all_allowed(groups, permute):
    """By brute force, of all orders of six rows."""
    groups = np.array(groups if groups is not None else ["a"] * 6)
    members = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    allowed = set()
    for order in permutations(range(6)):
        parts = [[order[row] for row in rows] for rows in members]
        if permute == "whole":
            kept = [list(rows) for rows in members]
            good = all(part in kept for part in parts)
        elif permute == "shifts":
            good = all(
                any(part == list(np.roll(rows, s)) for s in range(len(rows)))
                for part, rows in zip(parts, members, strict=True)
            )
        else:
            good = all(
                set(part) == set(rows)
                for part, rows in zip(parts, members, strict=True)
            )
        if good:
            allowed.add(order)
    return allowed


@pytest.mark.parametrize(
    ("groups", "permute", "n"),
    [
        (None, None, 720),
        (None, "shifts", 6),
        (GROUPS, None, 12),
        (GROUPS, "within", 12),
        (GROUPS, "shifts", 6),
        ([0, 1, 2, 0, 1, 2], "whole", 6),
        ([0, 0, 1, 1, 2, 3], "whole", 4),  # pairs among pairs, single among single
        ([5, 5, 5, 1, 1, 2], "shifts", 6),
    ],
)
def test_all_allowed_arrangements_and_no_others(groups, permute, n):
    expected = all_allowed(groups, permute or ("within" if groups else "rows"))
    found = exchange(6, groups, permute)
    assert len(expected) == found.n_arrangements() == n
    # Few are all taken but the data's own, each once.
    rows = np.concatenate([draw() for draw in draws(found, n - 1, 5, None)])
    assert len(rows) == n - 1
    assert {tuple(order) for order in rows} == expected - {tuple(range(6))}
    # Many are drawn at random, all as likely.
    drawn, counts = np.unique(found.drawn(40 * n, 0), axis=0, return_counts=True)
    assert {tuple(order) for order in drawn} == expected
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_many_groups_are_drawn(rng):
    groups = rng.permutation(np.repeat(np.arange(100), 3))
    whole = exchange(300, groups, "whole")
    assert whole.n_arrangements() > 1e150
    for rows in whole.drawn(5, 0):
        firsts = {tuple(np.flatnonzero(groups == g)) for g in range(100)}
        assert {tuple(rows[np.flatnonzero(groups == g)]) for g in range(100)} == firsts


def test_exact_where_all_arrangements_are_taken(rng):
    x, y = rng.standard_normal((2, 6))

    def r(x):
        return abs(np.corrcoef(x, y)[0, 1])

    free = permutation_test(x[:, None], y, n_permutations=719)
    expected = scipy.stats.permutation_test(
        (x,), r, permutation_type="pairings", n_resamples=np.inf, alternative="greater"
    )
    assert free.pvalues[0] == pytest.approx(expected.pvalue)
    shifts = permutation_test(x[:, None], y, permute="shifts")
    share = np.mean([r(np.roll(x, s)) >= r(x) - 1e-12 for s in range(6)])
    assert shifts.pvalues[0] == pytest.approx(share)


def test_parallel_analysis_counts_the_arrangements_there_are(rng):
    x, y = rng.standard_normal((2, 10))
    found = select_n_components(x[:, None], y, method="parallel", permute="shifts")
    expected = permutation_test(x[:, None], y, permute="shifts")
    np.testing.assert_allclose(found.pvalues, expected.pvalues)
    assert (expected.pvalues * 10 % 1).round(9) in (0, 1)


def rejected(make, n_sets=60, **parameters):
    """Share of p-values of the first dimension of at most 0.05."""
    return np.mean(
        [
            permutation_test(
                *make(np.random.default_rng(seed)),
                n_permutations=99,
                random_state=seed,
                **parameters,
            ).pvalues[0]
            <= 0.05
            for seed in range(n_sets)
        ]
    )


# Three standard errors above 0.05.
BOUND = 0.05 + 3 * np.sqrt(0.0475 / 60)


def test_shifts_keep_the_level_of_time_series():
    def series(rng):
        return lfilter([1], [1, -0.9], rng.standard_normal((2, 300, 2)), axis=1)[
            :, 100:
        ]

    assert rejected(series) > 0.5
    assert rejected(series, permute="shifts") <= BOUND


@pytest.mark.parametrize("shared", [0, 2])
def test_whole_groups_keep_the_level_and_find_what_groups_share(shared):
    subject = np.tile(np.arange(20), 5)

    def rows(rng):
        means = rng.standard_normal((2, 20, 2)) + shared * rng.standard_normal((20, 2))
        return means[:, subject] + 0.2 * rng.standard_normal((2, 100, 2))

    whole = rejected(rows, groups=subject, permute="whole")
    assert whole > 0.9 if shared else whole <= BOUND
    if shared:
        assert rejected(rows, groups=subject) <= BOUND  # nothing is shared within


@pytest.mark.parametrize(
    ("groups", "permute", "message"),
    [
        (None, "within", "permute='within' needs groups"),
        (None, "whole", "permute='whole' needs groups"),
        (np.arange(60) // 5, "rows", "permute='rows' permutes all rows"),
        (np.arange(60), "within", "one sample, so there is nothing to permute"),
        (np.arange(60), "shifts", "one sample, so there is nothing to permute"),
        (np.zeros(60), "whole", r"no two groups have the same size \(sizes 60\)"),
        ([0] * 20 + [1] * 40, "whole", r"\(sizes 20, 40\)"),
        (np.zeros(59), "whole", r"each of the 60 samples, got shape \(59,\)"),
        (np.full(60, np.nan), "whole", "groups holds no label in row 0"),
        (None, "blocks", "'permute' parameter"),
    ],
)
@pytest.mark.parametrize("method", ["permutation", "parallel"])
def test_bad_designs(groups, permute, message, method, rng):
    X, y = rng.standard_normal((2, 60, 2))
    with pytest.raises(ValueError, match=message):
        select_n_components(X, y, method=method, groups=groups, permute=permute)


def test_held_out_components_are_not_permuted(rng):
    X, y = rng.standard_normal((2, 60, 2))
    with pytest.raises(ValueError, match="permutes nothing.*held_out_permutation_test"):
        select_n_components(X, y, method="held_out", permute="shifts")
