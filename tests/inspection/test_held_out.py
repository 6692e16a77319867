"""The held-out permutation test against scikit-learn's, and on wide noise."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import kstest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, permutation_test_score
from sklearn.preprocessing import StandardScaler

from skcrl import LinearCCA, make_view_pipeline
from skcrl.inspection import (
    held_out_permutation_test,
    multivariate_tests,
    permutation_test,
)


def wide(seed, loading=0.0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((2, 24, 40))
    shared = loading * rng.standard_normal((24, 1))
    return X + shared, y + shared


CCA = LinearCCA(1, shrinkage=0.5)


def test_pvalues_of_wide_noise_are_uniform():
    p = np.array(
        [
            held_out_permutation_test(
                CCA, *wide(seed), cv=2, n_permutations=4, random_state=seed
            ).pvalue
            for seed in range(60)
        ]
    )
    # Ties broken at random make exact p-values uniform from 0 to 1.
    untied = p - np.random.default_rng(0).random(60) / 5
    assert kstest(untied, "uniform").pvalue > 0.01


def test_a_planted_factor_is_found_where_in_sample_tests_refuse():
    X, y = wide(0, loading=1.0)
    for test in (permutation_test, multivariate_tests):
        with pytest.raises(ValueError, match="held_out_permutation_test"):
            test(X, y)
    assert held_out_permutation_test(CCA, X, y, n_permutations=19).pvalue == 0.05


class Line(BaseEstimator):
    """Least squares that take the permuted view as targets, so both test the same."""

    def fit(self, X, y):
        self.coef_ = np.linalg.lstsq(X, y)[0]
        return self

    def score(self, X, y):
        return 1 - np.mean((y - X @ self.coef_) ** 2) / np.var(y)


def test_score_and_pvalue_are_those_of_scikit_learn(rng):
    X = rng.standard_normal((30, 3))
    y = X @ [1.0, 0, 0] * 0.4 + rng.standard_normal(30)
    groups = np.arange(30) // 6
    for given in (None, groups):
        folds = list(KFold(3).split(X))
        score, null, pvalue = permutation_test_score(
            Line(), X, y, groups=given, cv=folds, n_permutations=200, random_state=0
        )
        found = held_out_permutation_test(
            Line(), X, y, groups=given, cv=3, n_permutations=200, random_state=0
        )
        assert found.score == pytest.approx(score)
        assert found.pvalue == pytest.approx(pvalue, abs=0.08)
        share = np.mean(found.null_scores >= found.score)
        assert found.pvalue == pytest.approx((1 + 200 * share) / 201)
        assert found.null_scores.mean() == pytest.approx(null.mean(), abs=0.05)


def test_whole_groups_are_held_out_whole(rng):
    subject = np.tile(np.arange(8), 3)
    X, y = rng.standard_normal((2, 8, 30))[:, subject]
    parameters = {"groups": subject, "permute": "whole", "random_state": 0}
    found = held_out_permutation_test(CCA, X, y, cv=2, n_permutations=5, **parameters)
    expected = [
        CCA.fit(X[train], y[train]).score(X[test], y[test])
        for train, test in GroupKFold(2).split(X, groups=subject)
    ]
    assert found.score == pytest.approx(np.mean(expected))


def test_frames_sparse_views_and_pipelines_give_the_numbers_of_arrays():
    X, y = wide(0, loading=0.5)
    names = [f"mouse {i}" for i in range(24)]
    frames = [
        pd.DataFrame(v, index=names, columns=[f"c{j}" for j in range(40)])
        for v in (X, y)
    ]
    parameters = {"n_permutations": 4, "random_state": 0, "cv": 2}
    pipeline = make_view_pipeline(CCA, x=StandardScaler(), y=StandardScaler())
    for estimator, pair in (
        (CCA, frames),
        (CCA, [sparse.csr_array(v) for v in (X, y)]),
        (pipeline, frames),
    ):
        expected = held_out_permutation_test(estimator, X, y, **parameters)
        found = held_out_permutation_test(estimator, *pair, **parameters)
        np.testing.assert_allclose(found.null_scores, expected.null_scores, atol=1e-8)


def test_permuted_rows_take_the_names_of_their_places():
    class Names(Ridge):
        def fit(self, X, y):
            assert X.index.equals(y.index)
            return super().fit(X, y)

    X, y = (pd.DataFrame(v, index=np.arange(24)[::-1]) for v in wide(0))
    held_out_permutation_test(Names(), X, y, n_permutations=2)


def test_no_more_shifts_than_there_are():
    found = held_out_permutation_test(CCA, *wide(0), cv=2, permute="shifts")
    assert len(found.null_scores) == 23
    assert (found.pvalue * 24) % 1 == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_permutations": 0}, "'n_permutations' parameter"),
        ({"n_permutations": 10**29}, "'n_permutations' parameter"),
        ({"n_jobs": 10**29}, "'n_jobs' parameter"),
        ({"estimator": "cca"}, "'estimator' parameter"),
        ({"scoring": 3}, "'scoring' parameter"),
        ({"permute": "whole"}, "permute='whole' needs groups"),
        ({"y": np.zeros((23, 2))}, "Rows of X and y must be paired"),
        ({"scoring": lambda *_: np.nan}, "must be finite"),
        ({"estimator": LinearCCA(scale="yes")}, "'scale' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    X, y = wide(0)
    parameters = {"estimator": CCA, "X": X, "y": y, **parameters}
    with pytest.raises(ValueError, match=message):
        held_out_permutation_test(**parameters)
