"""Tests with covariates: right where residuals are not, alone and in blocks."""

import numpy as np
import pandas as pd
import pytest
from least_squares import residuals
from scipy import stats

from skcrl import LinearCCA
from skcrl.inspection import multivariate_tests, permutation_test
from skcrl.inspection._exchange import exchange
from skcrl.inspection._freed import freed

SUBJECT = np.repeat(np.arange(20), 5)


def basis(covariates):
    return np.linalg.qr(covariates - covariates.mean(axis=0))[0]


def of_subjects(rng, real=0.0):
    """Views (100, 2) that differ between subjects, and six covariates of both kinds."""
    X, y = rng.standard_normal((2, 20, 2))
    y[:, 0] = real * X[:, 0] + np.sqrt(1 - real**2) * y[:, 0]
    covariates = rng.standard_normal((20, 6))[SUBJECT]
    covariates[:, 3:] += rng.standard_normal((100, 3))
    views = np.stack([X, y])[:, SUBJECT] + 0.2 * rng.standard_normal((2, 100, 2))
    return *(views + 2 * covariates @ rng.standard_normal((2, 6, 2))), covariates


@pytest.mark.parametrize(
    ("groups", "permute", "n_left"),
    [
        (None, "rows", 100 - 1 - 3),
        (SUBJECT, "within", 100 - 20 - 3),
        (SUBJECT, "whole", 5 * (20 - 1 - 3)),
        (np.repeat([0, 1, 2, 3, 4, 5], [9, 9, 9, 30, 30, 13]), "within", 100 - 6 - 3),
    ],
)
def test_rows_that_are_left_have_the_covariances_of_errors(
    groups, permute, n_left, rng
):
    C = rng.standard_normal((100, 3))
    rows = freed(exchange(100, groups, permute), basis(C))
    Q = rows.expanded(np.eye(n_left))
    np.testing.assert_allclose(rows.reduced(np.eye(100)), Q.T, atol=1e-12)
    np.testing.assert_allclose(Q.T @ Q, np.eye(n_left), atol=1e-12)
    np.testing.assert_allclose(Q.T @ C, 0, atol=1e-12)
    np.testing.assert_allclose(Q.T @ np.ones(100), 0, atol=1e-12)
    if permute == "whole":
        # What a deviation of the subject adds stays the same within what changes place.
        errors = np.eye(100) + 3 * (SUBJECT[:, None] == SUBJECT)
        block = np.kron(np.eye(16), np.diag([16.0, 1, 1, 1, 1]))
        np.testing.assert_allclose(Q.T @ errors @ Q, block, atol=1e-11)
    if permute == "within":
        means = np.eye(groups.max() + 1)[groups]
        np.testing.assert_allclose(Q.T @ means, 0, atol=1e-12)


def test_correlations_of_free_rows_are_partial(rng):
    X, y, C = rng.standard_normal((3, 50, 3))
    X, y = X + C, y - 2 * C
    for adjust in ("both", "x", "y"):
        found = permutation_test(X, y, covariates=C, adjust=adjust, n_permutations=9)
        expected = LinearCCA(reg=0, adjust=adjust).fit(X, y, covariates=C)
        np.testing.assert_allclose(found.correlations, expected.correlations_)


def test_null_of_free_rows_is_that_of_fewer_rows(rng):
    # Rows that are left of normal errors are normal, so that a squared correlation of
    # two columns has a beta distribution on the degrees of freedom that are left.
    C = rng.standard_normal((24, 5))
    x, y = rng.standard_normal((2, 24)) + 3 * C[:, 0]
    result = permutation_test(
        x[:, None], y, covariates=C, n_permutations=2000, random_state=0
    )
    law = stats.beta(0.5, (24 - 1 - 5 - 1) / 2)
    assert stats.kstest(result.null_correlations[:, 0] ** 2, law.cdf).pvalue > 0.001
    expected = law.sf(result.correlations[0] ** 2)
    assert result.pvalues[0] == pytest.approx(expected, abs=0.05)


def test_whole_groups_keep_the_level_that_residuals_lose():
    ours, naive = [], []
    for seed in range(150):
        X, y, C = of_subjects(np.random.default_rng(seed))
        design = {"groups": SUBJECT, "permute": "whole", "random_state": seed}
        result = permutation_test(X, y, covariates=C, n_permutations=99, **design)
        ours.append(result.pvalues[0])
        left = residuals(X, C), residuals(y, C)
        naive.append(permutation_test(*left, n_permutations=99, **design).pvalues[0])
    assert stats.kstest(ours, "uniform").pvalue > 0.01
    assert stats.kstest(naive, "uniform").pvalue < 0.01


def test_what_is_real_is_found_behind_covariates():
    X, y, C = of_subjects(np.random.default_rng(3), real=0.95)
    design = {"groups": SUBJECT, "permute": "whole", "random_state": 0}
    assert permutation_test(X, y, covariates=C, **design).pvalues[0] < 0.01
    assert permutation_test(X, y, **design).pvalues[0] < 0.05  # by what C adds


def test_what_covariates_add_changes_nothing(rng):
    X, y, C = of_subjects(rng)
    more = np.column_stack([C, C @ rng.standard_normal((6, 2)), np.ones(100)])
    for design in (
        {},
        {"groups": SUBJECT},
        {"groups": SUBJECT, "permute": "whole"},
        {"adjust": "x"},
    ):
        design = {"n_permutations": 20, "random_state": 0, **design}
        expected = permutation_test(X, y, covariates=C, **design)
        y_too = y + (10 * C[:, :2] if "adjust" not in design else 0)
        found = permutation_test(
            1e3 * (X + C[:, 2:4]), y_too, covariates=more, **design
        )
        np.testing.assert_allclose(found.pvalues, expected.pvalues)
        np.testing.assert_allclose(found.correlations, expected.correlations)


def test_either_view_alone_is_adjusted(rng):
    X, y, C = rng.standard_normal((3, 30, 2))
    one, other = (
        permutation_test(*views, covariates=C, adjust=adjust, random_state=0)
        for views, adjust in (((X, y), "x"), ((y, X), "y"))
    )
    np.testing.assert_allclose(one.pvalues, other.pvalues)


def test_constant_covariates_are_none(rng):
    X, y = rng.standard_normal((2, 20, 2))
    found = permutation_test(X, y, covariates=np.full(20, 7.5), random_state=0)
    expected = permutation_test(X, y, random_state=0)
    np.testing.assert_array_equal(found.null_correlations, expected.null_correlations)


def test_a_view_that_covariates_explain_has_no_dimension(rng):
    C, y = rng.standard_normal((2, 30, 2))
    X = C @ [[1.0], [2.0]]
    for design in ({}, {"groups": np.arange(30) // 3, "permute": "whole"}):
        result = permutation_test(X, y, covariates=C, n_permutations=9, **design)
        np.testing.assert_array_equal(result.pvalues, [1])
        np.testing.assert_array_equal(result.correlations, [0])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"permute": "shifts"}, "permute='shifts' takes no covariates"),
        (
            {"covariates": np.eye(100)[:, :98]},
            "vary in 98 directions.*fewer",
        ),
        ({"groups": np.arange(100) // 2}, "vary in 2 directions.*larger sets"),
        ({"covariates": np.eye(100)[1:]}, "Rows of X and covariates must be paired"),
        (
            {"covariates": np.full(100, np.nan)},
            r"covariates contains NaN, first in row 0\. Drop such rows",
        ),
        (
            {"covariates": [["a"]] * 100},
            r"covariates.*not a number: encode categories, .* pandas\.get_dummies",
        ),
        ({"adjust": "z"}, "'adjust' parameter"),
        (
            {"covariates": pd.Series(range(100), index=range(1, 101))},
            "index of X differs from that of covariates",
        ),
    ],
)
def test_bad_covariates(parameters, message, rng):
    X, y, C = rng.standard_normal((3, 100, 2))
    X = pd.DataFrame(X, index=range(100, 0, -1)) if "index" in message else X
    with pytest.raises(ValueError, match=message):
        permutation_test(X, y, **{"covariates": C, **parameters})


def test_wilks_of_one_column_is_the_partial_f_test(rng):
    X, C = rng.standard_normal((2, 30, 3))
    y = X[:, 0] + C[:, 0] + rng.standard_normal(30)
    more = np.column_stack([C, C[:, 0] - C[:, 1]])  # of rank 3
    tests = multivariate_tests(X, y, covariates=more)
    small = residuals(y, C) @ residuals(y, C)
    large = residuals(y, np.hstack([C, X])) @ residuals(y, np.hstack([C, X]))
    f = (small - large) / 3 / (large / (30 - 1 - 3 - 3))
    assert tests.wilks.f == pytest.approx(f)
    assert tests.wilks.pvalue == pytest.approx(stats.f.sf(f, 3, 23))


def test_multivariate_tests_name_what_covariates_take(rng):
    X, C = rng.standard_normal((2, 10, 3))
    with pytest.raises(ValueError, match="7 after the covariates are removed"):
        multivariate_tests(X, X[::-1], covariates=C)
    with pytest.raises(ValueError, match="column of y is constant, or explained"):
        multivariate_tests(X, C[:, 0], covariates=C)
