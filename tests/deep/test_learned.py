"""Trainings that learned nothing say so, and parameters of the net are looked at."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer

from skcrl import CorrNet, DeepCCA, MultimodalAutoencoder, TiedBidirectional
from skcrl.datasets import make_correlated_views
from skcrl.deep._learned import warn_of_constant_codes
from skcrl.exceptions import DegenerateFitWarning


@pytest.fixture(scope="module")
def cancer():
    X = load_breast_cancer().data
    return X[:, :15], X[:, 15:]


def test_constant_codes_are_warned_of(cancer):
    with pytest.warns(
        DegenerateFitWarning, match="codes of X are constant: .*standardize"
    ):
        tied = TiedBidirectional(
            2,
            hidden_layer_sizes=(200,),
            activation="tanh",
            optimizer="nesterov",
            lr=0.1,
            standardize=False,
            random_state=0,
        ).fit(*cancer)
    assert tied.transform(cancer[0]).std(axis=0).max() < 1e-6


def test_sparse_views_vary_by_where_their_entries_are():
    codes = np.ones((5, 2))
    with pytest.warns(DegenerateFitWarning, match="The codes of y are constant"):
        warn_of_constant_codes(
            CorrNet(2), {"y": sparse.csr_array(np.eye(5))}, {"y": codes}
        )
    for constant in (np.zeros((5, 2)), np.ones((5, 2))):
        warn_of_constant_codes(
            CorrNet(2), {"y": sparse.csr_array(constant)}, {"y": codes}
        )


@pytest.mark.parametrize("name", ["X", "y"])
def test_a_constant_view_is_named_and_not_the_other(name):
    views = {"X": np.eye(5), "y": np.eye(5)} | {name: np.ones((5, 5))}
    codes = {"X": np.ones((5, 2)), "y": np.ones((5, 2))}
    with pytest.warns(DegenerateFitWarning, match=f"^{name} is constant, so CorrNet"):
        warn_of_constant_codes(CorrNet(2), views, codes)


@pytest.mark.parametrize("estimator", [CorrNet, MultimodalAutoencoder])
def test_views_reconstructed_no_better_than_by_means_are_warned_of(cancer, estimator):
    far = [1e4 + view for view in cancer]
    with pytest.warns(
        DegenerateFitWarning, match="is reconstructed no better than by its"
    ):
        estimator(2, standardize=False, max_epochs=2, random_state=0).fit(*far)


def test_no_warning_where_something_was_learned():
    X, y = make_correlated_views(200, 6, 5, correlations=(0.9, 0.8), random_state=0)
    gaps = X.copy()
    gaps[::5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DeepCCA(2, random_state=0).fit(X, y)
        CorrNet(2, random_state=0).fit(gaps, y)
        for options in (
            {"terms": ("from_x", "from_y"), "combine": "post"},
            {"correlation_weight": 200.0},  # at the cost of what is reconstructed
        ):
            CorrNet(2, hidden_layer_sizes=(8,), random_state=0, **options).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"net_params": {1: 2}}, TypeError, "net_params must have strings for keys"),
        (
            {"net_params": {"optimizer__momentum": 0.9}},
            ValueError,
            "'optimizer__momentum', but Adam takes no 'momentum': it takes lr, betas",
        ),
        ({"callbacks": [print]}, TypeError, "callbacks must contain skorch callbacks"),
    ],
)
def test_parameters_of_the_net_are_named(cancer, parameters, error, message):
    est = DeepCCA(2, max_epochs=1, **parameters)
    with pytest.raises(error, match=message):
        est.fit(*cancer)
    assert not hasattr(est, "net_")
