"""The permutation test: right under the null for every dimension, and exact."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.datasets import load_linnerud

from skcrl.datasets import make_correlated_views
from skcrl.inspection import permutation_test
from skcrl.inspection._canonical import canonical_form
from skcrl.inspection._permutation import _pairs_basis, _partial_correlations


@pytest.fixture
def views():
    return make_correlated_views(60, 5, 4, correlations=(0.9, 0.6), random_state=0)


def pvalues(n_sets, planted):
    """P-values and adjusted ones, (n_sets, 5), from 50 rows and 5 + 5 features."""
    found = []
    for seed in range(n_sets):
        X, y = make_correlated_views(50, 5, 5, correlations=planted, random_state=seed)
        found.append(permutation_test(X, y, n_permutations=99, random_state=seed))
    return (
        np.array([result.pvalues for result in found]),
        np.array([result.adjusted_pvalues for result in found]),
    )


def test_first_dimension_is_uniform_and_the_rest_valid_without_correlation():
    p, adjusted = pvalues(250, ())
    assert kstest(p[:, 0], "uniform").pvalue > 0.01
    # No share exceeds its level by more than three standard errors.
    for alpha in (0.05, 0.2, 0.5):
        bound = alpha + 3 * np.sqrt(alpha * (1 - alpha) / 250)
        assert (np.mean(p <= alpha, axis=0) <= bound).all()
        assert (np.mean(adjusted <= alpha, axis=0) <= bound).all()
    # Stages alone have mean 0.74 here, weighted ones 0.58.
    assert p[:, 1].mean() < 0.64


def test_second_dimension_is_uniform_after_a_real_one():
    p, adjusted = pvalues(250, (0.8,))
    assert np.mean(adjusted[:, 0] <= 0.05) > 0.98  # power
    assert kstest(p[:, 1], "uniform").pvalue > 0.01
    # Permuting all dimensions at once rejects 30 %.
    assert np.mean(adjusted[:, 1] <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_two_real_dimensions_are_found(views):
    result = permutation_test(*views, random_state=0)
    assert (result.adjusted_pvalues[:2] < 0.01).all()
    assert (result.adjusted_pvalues[2:] > 0.05).all()


def test_adjusted_pvalues_are_running_maxima(rng):
    result = permutation_test(*rng.standard_normal((2, 40, 6)), random_state=0)
    assert (np.diff(result.pvalues) < 0).any()
    assert (np.diff(result.adjusted_pvalues) >= 0).all()
    assert (result.adjusted_pvalues >= result.pvalues).all()


def test_first_dimension_against_all_permutations(rng):
    X, y = rng.standard_normal((7, 2)), rng.standard_normal((7, 2))
    qx, qy = (np.linalg.qr(view - view.mean(axis=0))[0] for view in (X, y))
    rows = np.array(list(permutations(range(7))))  # the first one leaves them
    largest = np.linalg.svdvals(qy.T @ qx[rows])[:, 0]
    exact = np.mean(largest >= largest[0] - 1e-10)
    result = permutation_test(X, y, n_permutations=20_000, random_state=0)
    assert 0.1 < exact < 0.9
    assert result.pvalues[0] == pytest.approx(exact, abs=0.01)


def test_few_rows_of_few_values_repeat_the_observed_correlation():
    # Four of the 24 permutations give 1 or -1, up to rounding.
    result = permutation_test(
        [[0.0], [0.0], [1.0], [1.0]],
        [0.1, 0.1, 0.3, 0.3],
        n_permutations=5000,
        random_state=0,
    )
    assert result.correlations[0] == pytest.approx(1)
    assert result.pvalues[0] == pytest.approx(1 / 3, abs=0.03)


def test_what_is_left_after_earlier_dimensions_is_partial_correlation(views, rng):
    # Against regression: the earlier variates of both views are covariates.
    form = canonical_form(*views)
    permuted = form.x_variates[rng.permutation(60)]
    earlier = np.hstack([form.x_variates[:, :2], form.y_variates[:, :2]])
    residual = permuted[:, 2:]
    residual = residual - earlier @ np.linalg.lstsq(earlier, residual)[0]
    left = np.linalg.qr(residual)[0]
    expected = np.linalg.svdvals(form.y_variates[:, 2:].T @ left)
    found = _partial_correlations(
        (form.y_variates.T @ permuted)[None, 2:, 2:],
        (_pairs_basis(form)[:, :4].T @ permuted)[None, :, 2:],
    )
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


def test_weights_are_the_repulsion_of_earlier_correlations(rng):
    X, y = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    result = permutation_test(X, y, n_permutations=50, random_state=0)
    np.testing.assert_array_equal(result.null_weights[:, 0], 1)
    gap = result.correlations[0] ** 2 - result.null_correlations[:, 1] ** 2
    expected = np.sqrt(gap.clip(0))
    np.testing.assert_allclose(
        result.null_weights[:, 1], expected / expected.mean(), atol=1e-6
    )
    own = np.sqrt(result.correlations[0] ** 2 - result.correlations[1] ** 2)
    as_large = result.null_correlations[:, 1] >= result.correlations[1]
    assert result.pvalues[1] == pytest.approx(
        (own + expected[as_large].sum()) / (own + expected.sum()), abs=1e-6
    )


def test_invertible_mixing_and_units_change_nothing(views, rng):
    X, y = views
    expected = permutation_test(X, y, n_permutations=99, random_state=0)
    again = permutation_test(
        1e4 * X @ rng.standard_normal((5, 5)) + 1e3,
        np.column_stack([y, y[:, 0] - y[:, 1]]) / 1e5,
        n_permutations=99,
        random_state=0,
    )
    assert again.pvalues[-1] == 1  # the collinear column adds a dimension of nothing
    for found, wanted in zip(again, expected, strict=True):
        np.testing.assert_allclose(found[..., :4], wanted[..., :4], atol=1e-6)


def test_random_state(views):
    null = [
        permutation_test(*views, n_permutations=9, random_state=r).null_correlations
        for r in (0, 0, 1, np.random.RandomState(0))
    ]
    np.testing.assert_array_equal(null[0], null[1])
    np.testing.assert_array_equal(null[0], null[3])
    assert (null[0] != null[2]).any()
    state = np.random.get_state()[1].copy()
    permutation_test(*views, n_permutations=9)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_groups_take_what_differs_between_groups(rng):
    # Both views differ between five sites, and share nothing within one.
    sites = np.repeat(["a", "b", "c", "d", "e"], 12)
    means = 2 * rng.standard_normal((2, 5, 3))
    restricted, free = [], []
    for seed in range(40):
        noise = np.random.default_rng(seed).standard_normal((2, 60, 3))
        X, y = noise + means[:, np.repeat(np.arange(5), 12)]
        for found, groups in ((restricted, sites), (free, None)):
            result = permutation_test(
                X, y, n_permutations=49, groups=groups, random_state=seed
            )
            found.append(result.pvalues[0])
    assert np.mean(np.array(free) <= 0.05) > 0.9
    assert np.mean(np.array(restricted) <= 0.05) < 0.05 + 3 * np.sqrt(0.0475 / 40)
    assert kstest(restricted, "uniform").pvalue > 0.01


def test_a_real_dimension_is_found_within_groups(views):
    groups = np.arange(60) % 6
    result = permutation_test(*views, groups=groups, random_state=0)
    assert (result.adjusted_pvalues < 0.05).tolist() == [True, True, False, False]


def test_a_lone_row_of_a_group_stays(rng):
    X, y = rng.standard_normal((2, 8, 1))
    groups = [0, 0, 1, 2, 3, 4, 5, 6]
    result = permutation_test(X, y, groups=groups, n_permutations=30, random_state=0)
    swapped = X.copy()
    swapped[:2] = X[1::-1]
    r, other = (abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) for x in (X, swapped))
    np.testing.assert_allclose(result.null_correlations, [[other]])
    assert result.pvalues == [1.0 if other >= r else 0.5]


def test_a_constant_view_has_no_dimension(rng):
    result = permutation_test(
        np.ones((9, 2)), rng.standard_normal((9, 3)), n_permutations=5
    )
    np.testing.assert_array_equal(result.correlations, [0, 0])
    np.testing.assert_array_equal(result.adjusted_pvalues, [1, 1])
    assert result.null_correlations.shape == result.null_weights.shape == (5, 2)


def test_perfect_and_equal_correlations_are_finite(rng):
    X = rng.standard_normal((40, 3))
    y = np.column_stack([X[:, :2], rng.standard_normal(40)])
    result = permutation_test(X, y, n_permutations=99, random_state=0)
    np.testing.assert_allclose(result.correlations[:2], 1)
    assert (result.pvalues[:2] == 0.01).all()
    assert result.pvalues[2] > 0.01
    assert all(np.isfinite(part).all() for part in result)


def test_progress_is_joblibs(capsys):
    permutation_test(
        *load_linnerud(return_X_y=True), n_permutations=200, random_state=0, verbose=10
    )
    out, err = capsys.readouterr()
    assert "Done" in out + err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_permutations": 0}, "'n_permutations' parameter"),
        (
            {"groups": np.zeros(59)},
            r"entry for each of the 60 samples, got shape \(59,\)",
        ),
        ({"groups": np.arange(60)}, "one sample, so there is nothing to permute"),
        ({"groups": np.zeros((60, 2))}, r"got shape \(60, 2\)"),
        ({"groups": np.full(60, np.nan)}, "groups holds no label in row 0"),
        ({"groups": ["a", None] * 30}, "groups holds no label in row 1"),
        ({"groups": ["a", 1] * 30}, "groups holds labels of different kinds"),
        ({"groups": [0.0, np.inf] * 30}, "groups holds a float in row 1"),
        ({"random_state": "a"}, "'random_state' parameter"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
        ({"n_jobs": 10**29}, r"'n_jobs' parameter .* \[-32768, 32768\]"),
        ({"n_permutations": 10**29}, "'n_permutations' parameter .* 2147483647"),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        permutation_test(*views, **parameters)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.eye(4), np.eye(4)[:3], "Rows of X and y must be paired"),
        (np.eye(4), np.full(4, np.inf), "Input y contains infinity"),
        (np.eye(1), np.eye(1), "minimum of 2 is required"),
        (np.zeros((4, 0)), np.eye(4), "0 feature"),
        ([["a"], ["b"]], [1, 2], "could not convert string"),
        (np.eye(4)[:, :2], np.eye(4)[:, :2], "ranks 2 and 2, and the 4 samples.*PCA"),
    ],
)
def test_bad_input(X, y, message):
    with pytest.raises(ValueError, match=message):
        permutation_test(X, y)
