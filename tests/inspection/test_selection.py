"""Every way to count components finds those that were planted."""

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.model_selection import GroupKFold

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.inspection import permutation_test, select_n_components


@pytest.fixture
def views():
    return make_correlated_views(150, 6, 5, correlations=(0.9, 0.7), random_state=1)


@pytest.mark.parametrize("method", ["permutation", "parallel", "held_out"])
@pytest.mark.parametrize("planted", [(), (0.8,), (0.9, 0.8, 0.7)])
def test_planted_components_are_counted(method, planted):
    for seed in range(4):
        X, y = make_correlated_views(150, 6, 5, correlations=planted, random_state=seed)
        found = select_n_components(
            X, y, method=method, alpha=0.01, n_permutations=199, random_state=seed
        )
        assert (np.diff(found.pvalues) >= 0).all()
        if method == "parallel" and planted:  # it is known to count too many
            assert found.n_components >= len(planted)
        else:
            assert found.n_components == len(planted)


def test_permutation_is_the_permutation_test(views):
    found = select_n_components(*views, n_permutations=99, random_state=0)
    expected = permutation_test(*views, n_permutations=99, random_state=0)
    np.testing.assert_array_equal(found.pvalues, expected.adjusted_pvalues)
    np.testing.assert_array_equal(found.correlations, expected.correlations)


def test_parallel_compares_correlations_of_one_rank(views):
    X, y = views
    found = select_n_components(X, y, method="parallel", random_state=0)
    qx, qy = (np.linalg.qr(view - view.mean(axis=0))[0] for view in (X, y))
    rng = np.random.default_rng(1)
    rows = rng.permuted(np.tile(np.arange(150), (2000, 1)), axis=1)
    share = (np.linalg.svdvals(qy.T @ qx[rows]) >= found.correlations).mean(axis=0)
    np.testing.assert_allclose(found.pvalues, np.maximum.accumulate(share), atol=0.05)


def test_held_out_correlations_are_those_of_the_folds(views):
    X, y = views
    found = select_n_components(
        X, y, method="held_out", estimator=LinearCCA(3, reg=0), cv=3
    )
    expected = np.zeros(3)
    for test in np.array_split(np.arange(150), 3):
        train = np.setdiff1d(np.arange(150), test)
        Zx, Zy = (
            LinearCCA(3, reg=0).fit(X[train], y[train]).transform_pair(X[test], y[test])
        )
        expected += np.diag(np.corrcoef(Zx.T, Zy.T)[:3, 3:]) / 3
    np.testing.assert_allclose(found.correlations, expected, atol=1e-10)


def test_held_out_pvalues_are_right_behind_a_real_component():
    # Folds taken for independent would reject 14 % at 5 %.
    pvalues = []
    for seed in range(100):
        X, y = make_correlated_views(80, 4, 4, correlations=(0.8,), random_state=seed)
        pvalues.append(select_n_components(X, y, method="held_out").pvalues)
    pvalues = np.array(pvalues)
    assert np.mean(pvalues[:, 0] < 0.05) > 0.95
    assert kstest(pvalues[:, 1], "uniform").pvalue > 0.01
    assert np.mean(pvalues[:, 1] < 0.05) < 0.05 + 3 * np.sqrt(0.0475 / 100)


def test_held_out_takes_views_too_wide_to_permute(rng):
    shared = rng.standard_normal((40, 1))
    X, y = shared + rng.standard_normal((2, 40, 30))
    with pytest.raises(ValueError, match="ranks 30 and 30"):
        select_n_components(X, y)
    found = select_n_components(
        X, y, method="held_out", estimator=LinearCCA(3, reg=10.0), cv=4
    )
    assert found.n_components == 1


def test_groups_go_to_the_splitter_or_the_permutations(views):
    X, y = views
    groups = np.arange(150) // 30
    by_group = select_n_components(
        X, y, method="held_out", cv=GroupKFold(5), groups=groups
    )
    contiguous = select_n_components(X, y, method="held_out", cv=5)
    np.testing.assert_allclose(by_group.correlations, contiguous.correlations)
    with pytest.raises(ValueError, match="nothing to permute"):
        select_n_components(X, y, method="parallel", groups=np.arange(150))


@pytest.mark.parametrize("method", ["permutation", "parallel", "held_out"])
def test_a_constant_view_has_no_component(method, rng):
    found = select_n_components(
        np.ones((30, 2)), rng.standard_normal((30, 3)), method=method, n_permutations=5
    )
    assert found.n_components == 0
    assert found.correlations.shape == found.pvalues.shape == (2,)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0}, "'alpha' parameter"),
        ({"alpha": 1.0}, "'alpha' parameter"),
        ({"method": "elbow"}, "'method' parameter"),
        ({"estimator": "cca"}, "'estimator' parameter"),
        ({"method": "held_out", "cv": 75}, "hold out at least 4 samples.*got 2"),
        ({"method": "parallel", "n_permutations": 0}, "'n_permutations' parameter"),
        ({"method": "parallel", "n_jobs": 10**29}, "'n_jobs' parameter"),
    ],
)
def test_bad_parameters(views, parameters, message):
    with pytest.raises(ValueError, match=message):
        select_n_components(*views, **parameters)


def test_unpaired_views_are_refused(views):
    X, y = views
    for method in ("permutation", "parallel", "held_out"):
        with pytest.raises(ValueError, match="must be paired"):
            select_n_components(X, y[1:], method=method)
