"""Networks see columns of mean 0 and deviation 1, and users their own units."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    MultimodalAutoencoder,
    TiedBidirectional,
    ViewPipeline,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep._units import Units
from skcrl.exceptions import DegenerateFitWarning

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 5, "random_state": 0}
ESTIMATORS = [
    DeepCCA(**SMALL),
    DeepCCA(**SMALL, reconstruction_weight=0.1),
    CCALRanker(**SMALL),
    CorrNet(**SMALL),
    MultimodalAutoencoder(**SMALL),
    TiedBidirectional(**SMALL),
]


@pytest.fixture(scope="module")
def views():
    X, y = make_correlated_views(60, 4, 3, correlations=(0.95, 0.8), random_state=0)
    return 1e3 + 50 * np.clip(X, -1.5, 1.5), 1e-3 * np.clip(y, -1.5, 1.5) - 7


@pytest.mark.parametrize("est", ESTIMATORS, ids=repr)
def test_they_are_those_of_a_scaler_in_front(est, views):
    X, y = views
    plain = clone(est).set_params(standardize=False)
    scaled = ViewPipeline(plain, x=StandardScaler(), y=StandardScaler()).fit(X, y)
    est = clone(est).fit(X, y)
    np.testing.assert_allclose(est.transform(X), scaled.transform(X), atol=1e-5)
    np.testing.assert_allclose(est.transform_y(y), scaled.transform_y(y), atol=1e-5)
    for found, expected, scale in zip(
        est.reconstruct(X, y, to="both"),
        scaled.reconstruct(X, y, to="both"),
        (50, 1e-3),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4 * scale)


@pytest.mark.parametrize("est", ESTIMATORS[2:], ids=repr)
def test_offsets_and_scales_of_columns_change_nothing(est, views):
    X, y = views
    moved = X * [1e-6, 1, 1e6, 1] + [0, 1.7e9, 0, -1e5], y
    codes = clone(est).fit(X, y).transform(X)
    np.testing.assert_allclose(
        clone(est).fit(*moved).transform(moved[0]), codes, atol=1e-4
    )


def test_weights_are_repeated_rows(views):
    X, _ = views
    weights = np.arange(1.0, 61)
    found = Units.of(X, weights)
    expected = Units.of(np.repeat(X, weights.astype(int), axis=0))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b)


def test_no_value_lies_far_out_and_constant_columns_stay():
    rng = np.random.default_rng(0)
    rare = np.where(np.arange(5000) == 7, 1.0, 0.0)
    X = np.column_stack([rng.standard_normal(5000), rare, np.full(5000, 1e9 + 0.1)])
    units = Units.of(X)
    standardised = units.standardised(X)
    assert abs(standardised).max() <= 4 * (1 + 1e-12)
    assert standardised[:, 0].std() == pytest.approx(1, abs=0.05)
    assert abs(standardised[:, 2]).max() < 1e-5
    np.testing.assert_allclose(units.restored(standardised), X)


def test_missing_rows_count_for_nothing(views):
    X, y = (view.copy() for view in views)
    X[:10], y[10:20] = np.nan, np.nan
    est = CorrNet(**SMALL).fit(X, y)
    np.testing.assert_allclose(est.net_.units["x"].mean, np.nanmean(X, axis=0))
    np.testing.assert_allclose(est.net_.units["y"].scale, np.nanstd(y, axis=0))


def test_sparse_views_are_taken_as_they_come(views):
    X, y = views
    est = DeepCCA(**SMALL).fit(sparse.csr_array(X), y)
    assert est.net_.units.keys() == {"y"}
    dense = DeepCCA(**SMALL).fit(X, y)
    np.testing.assert_allclose(
        dense.transform(sparse.csr_array(X)), dense.transform(X), atol=1e-6
    )


def test_training_that_goes_on_stays_in_its_units(views):
    X, y = views
    est = CorrNet(**SMALL).fit(X, y)
    units = est.net_.units["x"]
    est.partial_fit(X[:30] + 500, y[:30])
    np.testing.assert_array_equal(est.net_.units["x"].mean, units.mean)
    est.set_params(warm_start=True, standardize=False)
    with pytest.raises(ValueError, match="standardize was True in fit and is False"):
        est.fit(X, y)
    est = CorrNet(**SMALL, standardize=False, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="standardize was False in fit and is True"):
        est.set_params(standardize=True).fit(X, y)


@pytest.mark.parametrize(
    "kind",
    [CorrNet, MultimodalAutoencoder, TiedBidirectional],
    ids=lambda k: k.__name__,
)
def test_bounded_outputs_are_refused(kind, views):
    est = kind(**SMALL, output_activation="sigmoid")
    with pytest.raises(ValueError, match="'sigmoid' cannot reach all .* standardize=F"):
        est.fit(*views)
    est.set_params(standardize=False).fit(*views)
    X, y = map(sparse.csr_array, views)
    est.set_params(standardize=True).fit(X, y)


@pytest.mark.parametrize("est", ESTIMATORS, ids=repr)
def test_training_goes_on_with_sparse_rows(est, views):
    X, y = views
    parts, expected = (clone(est).fit(X, y) for _ in range(2))
    parts.partial_fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(
        parts.transform(X), expected.partial_fit(X, y).transform(X), atol=1e-5
    )


@pytest.mark.parametrize(
    "units",
    [
        Units(np.zeros(4), np.zeros(4)),
        Units(np.zeros(4), -np.ones(4)),
        Units(np.zeros(3), np.ones(3)),
        Units(np.full(4, np.nan), np.ones(4)),
        Units([0.0] * 4, [1.0] * 4),
        Units("a", "b"),
        Units(None, None),
    ],
    ids=repr,
)
def test_units_in_a_file_are_looked_at(views, tmp_path, units):
    est = CorrNet(**SMALL).fit(*views)
    est.net_.units["x"] = units
    est.save(tmp_path / "edited.skcrl")
    with pytest.raises(ValueError, match="edited"):
        CorrNet.load(tmp_path / "edited.skcrl")


def test_a_loud_column_hides_nothing_that_was_learned():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((400, 2))
    X = np.column_stack(
        [Z @ rng.standard_normal((2, 6)), 1e6 * rng.standard_normal(400)]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateFitWarning)
        CorrNet(2, random_state=0).fit(X, Z @ rng.standard_normal((2, 5)))
