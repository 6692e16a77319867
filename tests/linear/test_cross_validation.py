"""LinearCCA(shrinkage="cv") chooses by pairs that were held out."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from skcrl import LinearCCA
from skcrl.linear._cross_validation import SHARES


def few_pairs(n=60, p=8, q=6, seed=0):
    """Views of which two of many columns are shared, in units that differ."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 2))
    X = shared @ rng.standard_normal((2, p)) + 2 * rng.standard_normal((n, p))
    y = shared @ rng.standard_normal((2, q)) + 2 * rng.standard_normal((n, q))
    return X * np.geomspace(1, 5, p), y * np.geomspace(1, 3, q)


def standing_out(X, y, share, **params):
    """Mean over folds of the lead of held-out pairs, from all similarities."""
    leads = []
    k = min(len(X) * 4 // 5 - 1, X.shape[1], y.shape[1])
    for train, test in KFold(5).split(X):
        cca = LinearCCA(k, shrinkage=share, **params).fit(X[train], y[train])
        Zx, Zy = cca.transform_pair(X[test], y[test])
        S = (Zx * cca.singular_values_) @ Zy.T
        S = S - S.mean(0) - S.mean(1)[:, None] + S.mean()
        leads.append(S.diagonal().mean() / S.std())
    return np.mean(leads)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_choice_is_that_of_all_similarities(solver, seed):
    X, y = few_pairs(seed=seed)
    leads = [standing_out(X, y, share, reg=0.1) for share in SHARES]
    best = SHARES[int(np.argmax(leads))]
    cca = LinearCCA(2, shrinkage="cv", reg=0.1, solver=solver).fit(X, y)
    assert cca.shrinkage_ == (best, best)
    alone = LinearCCA(2, shrinkage=best, reg=0.1, solver=solver).fit(X, y)
    np.testing.assert_array_equal(cca.x_weights_, alone.x_weights_)


def test_choice_is_the_same_of_rows_and_columns():
    X, y = few_pairs(50, 70, 40, seed=1)
    leads = [standing_out(X, y, share, reg=0.0) for share in SHARES]
    best = SHARES[int(np.argmax(leads))]
    for view in (X, sparse.csr_array(X)):
        for solver in ("covariance", "gram"):
            cca = LinearCCA(2, shrinkage="cv", reg=0.0, solver=solver).fit(view, y)
            assert cca.shrinkage_[0] == best


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_covariates_are_taken_out_first(solver):
    X, y = few_pairs(80)
    C = np.random.default_rng(5).standard_normal((80, 2))
    shift = C @ np.ones((2, 1)) * 30
    left = [v - LinearRegression().fit(C, v).predict(C) for v in (X, y)]
    expected = LinearCCA(2, shrinkage="cv", reg=0.0).fit(*left).shrinkage_
    cca = LinearCCA(2, shrinkage="cv", reg=0.0, solver=solver)
    cca.fit(X + shift, y - shift, covariates=C)
    assert cca.shrinkage_ == expected


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_whole_weights_are_repeated_rows(solver):
    X, y = few_pairs(40)
    params = {"shrinkage": "cv", "scale": True, "solver": solver}
    weighted = LinearCCA(2, **params).fit(X, y, sample_weight=np.full(40, 3))
    repeated = LinearCCA(2, **params).fit(np.repeat(X, 3, 0), np.repeat(y, 3, 0))
    assert weighted.shrinkage_ == repeated.shrinkage_
    np.testing.assert_allclose(weighted.x_weights_, repeated.x_weights_, atol=1e-10)


def test_units_and_means_do_not_matter():
    X, y = few_pairs()
    params = {"shrinkage": "cv", "scale": True, "reg": 0.0}
    here = LinearCCA(2, **params).fit(X, y).shrinkage_
    there = LinearCCA(2, **params).fit(1e-5 * X + 7e3, 1e6 * y).shrinkage_
    tensors = LinearCCA(2, **params).fit(torch.tensor(X), torch.tensor(y)).shrinkage_
    assert here == there == tensors


def test_more_noise_asks_for_more_shrinkage():
    """Means over draws: the choice of one is that of few held-out rows."""
    chosen = {
        n: np.mean(
            [
                LinearCCA(2, shrinkage="cv").fit(*few_pairs(n, 30, 30, s)).shrinkage_
                for s in range(8)
            ]
        )
        for n in (40, 400, 4000)
    }
    assert chosen[40] > chosen[400] > chosen[4000]


def test_columns_that_are_constant_or_twice_there_give_an_answer():
    X, y = few_pairs()
    X = np.column_stack([X, X[:, :2], np.full(len(X), 1e6)])
    cca = LinearCCA(2, shrinkage="cv", reg=0.0).fit(X, y)
    assert cca.shrinkage_[0] in SHARES
    assert np.isfinite(cca.transform(X)).all()
    flat = LinearCCA(1, shrinkage="cv").fit(np.ones((20, 2)), np.ones((20, 2)))
    assert (flat.transform(np.ones((3, 2))) == 0).all()


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_of_shares_that_are_equal_up_to_rounding_the_largest_is_taken(solver):
    for seed in range(5):
        # Of one column each the criterion is free of the share.
        X, y = few_pairs(60, 1, 1, seed)
        cca = LinearCCA(1, shrinkage="cv", reg=0.0, solver=solver).fit(X, y)
        assert cca.shrinkage_[0] == SHARES[-1]


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_variances_that_overflow_are_refused(solver):
    X, y = few_pairs()
    with pytest.raises(ValueError, match="overflow. Scale the views down"):
        LinearCCA(2, shrinkage="cv", solver=solver).fit(1e200 * X, y)


def test_what_cannot_be_divided_is_refused():
    X, y = few_pairs(9)
    with pytest.raises(ValueError, match="needs 10 samples. Got 9. Set a number"):
        LinearCCA(2, shrinkage="cv").fit(X, y)
    X, y = few_pairs()
    with pytest.raises(ValueError, match="from 0 to 1, 'ledoit_wolf' or 'oas'"):
        LinearCCA(2, shrinkage=("cv", 0.5)).fit(X, y)
    with pytest.raises(AttributeError) as caught:
        _ = LinearCCA(2, shrinkage="cv").partial_fit
    assert "shrinkage='cv' needs all rows at once" in str(caught.value.__cause__)
    da = pytest.importorskip("dask.array")
    with pytest.raises(
        ValueError, match="Dask arrays. .* shrinkage_ of that fit as shrinkage"
    ):
        LinearCCA(2, shrinkage="cv").fit(da.from_array(X), da.from_array(y))
    chosen = LinearCCA(2, shrinkage="cv").fit(X, y).shrinkage_
    given = LinearCCA(2, shrinkage=chosen).fit(da.from_array(X), da.from_array(y))
    assert given.shrinkage_ == chosen
