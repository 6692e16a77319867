"""scikit-learn's checks, and ours, over every public estimator, nothing excused."""

import functools
import inspect
import os
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import skcrl
from skcrl import (
    CCALRanker,
    CorrNet,
    CrossViewClassifier,
    CrossViewRetriever,
    DeepCCA,
    DeepCommonIndividual,
    DeepLabelEmbedding,
    KernelCCA,
    LabelEmbedding,
    LinearCCA,
    LinearCommonIndividual,
    MultimodalAutoencoder,
    ProbabilisticCCA,
    Restarts,
    RoutedView,
    SelfLearning,
    SemanticEmbedding,
    SemanticMatching,
    SparseCCA,
    TiedBidirectional,
    ViewPipeline,
    make_view_pipeline,
)
from skcrl.datasets import make_correlated_views
from skcrl.deep import _data
from skcrl.deep._units import Units

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 2}

# Every public estimator, at settings that train in a moment.
ESTIMATORS = {
    "CCALRanker": [
        CCALRanker(**SMALL),
        CCALRanker(**SMALL, running_momentum=0.5, symmetric=False, hard_negatives=True),
        CCALRanker(**SMALL, projection="learned", objective="infonce"),
    ],
    "CorrNet": [
        CorrNet(**SMALL),
        CorrNet(
            hidden_layer_sizes=(8,),
            decoder="mirrored",
            tied=True,
            combine="post",
            correlation="sample",
            terms=("self", "cross"),
            reconstruction_weight="mean",
            pretraining_epochs=1,
            max_epochs=2,
        ),
    ],
    "CrossViewClassifier": [
        CrossViewClassifier(
            LinearCCA(),
            LinearSVC(),
            x_columns=slice(None),
            y_columns=slice(None),
        ),
        CrossViewClassifier(
            LinearCCA(),
            KNeighborsClassifier(),
            x_columns=slice(None),
            y_columns=slice(None),
        ),
    ],
    "CrossViewRetriever": [
        CrossViewRetriever(LinearCCA()),
        CrossViewRetriever(LinearCCA(1), correlation_power=2, hubness="bank"),
        CrossViewRetriever(LinearCCA(), hubness="csls"),
    ],
    "DeepCCA": [
        DeepCCA(**SMALL),
        DeepCCA(**SMALL, objective="noi"),
        DeepCCA(
            **SMALL,
            objective="correlation_gap",
            gap="linear",
            reconstruction_weight=0.1,
            pretraining_epochs=1,
        ),
    ],
    "DeepCommonIndividual": [
        DeepCommonIndividual(DeepCCA(**SMALL, random_state=0), n_individual=3, **SMALL),
    ],
    "DeepLabelEmbedding": [
        DeepLabelEmbedding(hidden_layer_sizes=(16,), lr=0.05, max_epochs=8),
        DeepLabelEmbedding(
            3,
            hidden_layer_sizes=(16,),
            metric="cosine",
            violators="warp",
            lr=0.05,
            max_epochs=8,
        ),
    ],
    "KernelCCA": [
        KernelCCA(),
        KernelCCA(1, kernel=("linear", "laplacian"), reg=0),
        KernelCCA(
            1, approximation="nystroem", landmarks="kmeans", approximation_size=20
        ),
        KernelCCA(approximation="rbf_sampler", approximation_size=50),
        KernelCCA(kernel=("precomputed", "rbf")),
    ],
    "LabelEmbedding": [LabelEmbedding(), LabelEmbedding(metric="cosine", reg=1.0)],
    "LinearCCA": [
        LinearCCA(),
        LinearCCA(reg=0),
        LinearCCA(1, solver="gram"),
        LinearCCA(1, solver="lanczos", shrinkage="oas"),
        LinearCCA(shrinkage="ledoit_wolf", scale=True, center=False),
    ],
    "LinearCommonIndividual": [
        LinearCommonIndividual(),
        LinearCommonIndividual(1, n_individual=(None, 0), n_signal=(2, 1)),
    ],
    "MultimodalAutoencoder": [
        MultimodalAutoencoder(**SMALL),
        MultimodalAutoencoder(
            1, layout="concatenated", noise=0.1, pretraining_epochs=1, **SMALL
        ),
    ],
    "ProbabilisticCCA": [
        ProbabilisticCCA(),
        ProbabilisticCCA(1, reg=0, scale=True),
    ],
    "Restarts": [
        Restarts(LinearCCA(), 2),
        Restarts(CorrNet(**SMALL), 1),
        Restarts(ViewPipeline(DeepCCA(**SMALL), x=StandardScaler()), 2),
    ],
    "RoutedView": [RoutedView(LinearCCA())],
    "SelfLearning": [
        SelfLearning(LinearCCA()),
        SelfLearning(DeepCCA(**SMALL, random_state=0), validation_fraction=None),
        SelfLearning(ViewPipeline(ProbabilisticCCA(), x=StandardScaler())),
    ],
    "SemanticEmbedding": [SemanticEmbedding()],
    "SemanticMatching": [
        SemanticMatching(x_columns=slice(None), y_columns=slice(None)),
        SemanticMatching(
            LinearCCA(),
            y_classifier=LinearDiscriminantAnalysis(),
            x_columns=slice(None),
            y_columns=slice(None),
        ),
    ],
    "SparseCCA": [
        SparseCCA(),
        SparseCCA(alpha=(0.1, None), n_nonzero=(None, 1), scale=False),
        SparseCCA(positive=True, shrinkage="oas"),
    ],
    "TiedBidirectional": [
        TiedBidirectional(max_epochs=2),
        TiedBidirectional(1, hidden_layer_sizes=(), max_epochs=2),
    ],
    "ViewPipeline": [
        ViewPipeline(LinearCCA()),
        make_view_pipeline(
            LinearCCA(), x=(MinMaxScaler(), RobustScaler()), y=StandardScaler()
        ),
        ViewPipeline(DeepCCA(**SMALL, random_state=0), x=StandardScaler()),
        ViewPipeline(ProbabilisticCCA(), x=StandardScaler(), y=StandardScaler()),
    ],
}
TWO_VIEW = [
    estimator
    for estimators in ESTIMATORS.values()
    for estimator in estimators
    if hasattr(estimator, "transform_joint")
]
# Of these, scikit-learn's checks alone know to pass kernels.
PAIRWISE = [e for e in TWO_VIEW if get_tags(e).input_tags.pairwise]
TWO_VIEW = [e for e in TWO_VIEW if e not in PAIRWISE]
STREAMING = [e for e in TWO_VIEW if hasattr(e, "partial_fit")]
# Containers and names of columns are read and given alike in all settings of nets.
CONTAINERS = [e for e in TWO_VIEW if not hasattr(e, "max_epochs")]
CONTAINERS += [es[0] for es in ESTIMATORS.values() if hasattr(es[0], "max_epochs")]
CONTAINERS += PAIRWISE + ESTIMATORS["RoutedView"] + ESTIMATORS["SemanticMatching"]

# Checks that scikit-learn runs over its own estimators alone.
OWN_CHECKS = [
    estimator_checks.check_set_output_transform,
    estimator_checks.check_set_output_transform_pandas,
    estimator_checks.check_set_output_transform_polars,
    estimator_checks.check_global_output_transform_pandas,
    estimator_checks.check_global_set_output_transform_polars,
    estimator_checks.check_transformer_get_feature_names_out,
    estimator_checks.check_transformer_get_feature_names_out_pandas,
    estimator_checks.check_dataframe_column_names_consistency,
    estimator_checks.check_param_validation,
]


def named(estimators):
    return pytest.mark.parametrize("estimator", estimators, ids=repr)


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        60, 5, 4, correlations=(0.95, 0.9, 0.5), random_state=0
    )


def keeps_training_rows(estimator):
    """Whether codes are computed from kernels with rows of the training data.

    Exact kernel methods and random landmarks are made of them.
    """
    if not isinstance(estimator, KernelCCA):
        return False
    is_random = estimator.landmarks == "random"
    return {"nystroem": is_random, "rbf_sampler": False, None: True}[
        estimator.approximation
    ]


def fitted(estimator, views):
    return _seeded(estimator).fit(*views)


@pytest.fixture(scope="module")
def trained(views):
    """Function that fits an estimator to `views` once; leave the estimator alone."""
    return functools.cache(lambda estimator: fitted(estimator, views))


def _seeded(estimator):
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator


def test_every_public_estimator_is_checked():
    public = {
        name
        for name in skcrl.__all__
        if inspect.isclass(getattr(skcrl, name))
        and issubclass(getattr(skcrl, name), BaseEstimator)
    }
    assert set(ESTIMATORS) == public


def test_array_api_is_on():
    # Trap 12: without it scikit-learn skips check_array_api_input silently.
    assert os.environ["SCIPY_ARRAY_API"] == "1"


# Settings under which weights and repeated rows must give one training: no chance, and
# all rows in one batch, whose order then does not matter.
WITHOUT_CHANCE = {
    "batch_size": 1000,
    "optimizer": "sgd",
    "activation": "tanh",  # the y of 0 of that check lies on the kink of "relu"
    "lr": 1e-3,
    "input_dropout": 0.0,
    "dropout": 0.0,
    "modality_dropout": 0.0,
    "noise": 0.0,
    "pretraining_noise": 0.0,
}


def train_in_float64(monkeypatch):
    """Have networks trained in the precision that scikit-learn's check asks for."""
    as_tensor, standardised = _data.as_tensor, Units.standardised
    monkeypatch.setattr(torch.nn.Module, "float", torch.nn.Module.double)
    monkeypatch.setattr(
        _data,
        "as_tensor",
        lambda rows, device, dtype, *args: as_tensor(
            rows, device, torch.float64, *args
        ),
    )
    monkeypatch.setattr(_data, "_TRAINED_IN", torch.float64)
    monkeypatch.setattr(
        Units, "standardised", lambda units, view, _=None: standardised(units, view)
    )
    # They try float32 before.
    for kind in (
        CorrNet,
        DeepCommonIndividual,
        DeepLabelEmbedding,
        MultimodalAutoencoder,
    ):
        monkeypatch.setattr(kind, "_check_net", lambda *args: None)


@parametrize_with_checks([e for es in ESTIMATORS.values() for e in es])
def test_sklearn_checks(estimator, check, monkeypatch):
    if "sample_weight_equivalence" in repr(check) and hasattr(estimator, "max_epochs"):
        estimator = clone(estimator)
        settings = {  # of an estimator in it, too
            name: WITHOUT_CHANCE[name.rpartition("__")[2]]
            for name in estimator.get_params()
            if name.rpartition("__")[2] in WITHOUT_CHANCE
        }
        estimator.set_params(**settings)
        train_in_float64(monkeypatch)
    check(estimator)


# These checks pass arrays to estimators fitted on frames on purpose.
@pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning")
@named(CONTAINERS)
@pytest.mark.parametrize("check", OWN_CHECKS, ids=lambda check: check.__name__)
def test_sklearn_own_checks(estimator, check):
    check(type(estimator).__name__, clone(estimator))


@named(TWO_VIEW)
def test_names_that_sklearn_treats_specially(estimator):
    # Traps 8 and 9: PLS class names are excused from checks, a parameter named Y is
    # dropped from metadata routing.
    assert type(estimator).__name__ not in ("CCA", "PLSCanonical", "PLSSVD")
    for name, method in inspect.getmembers(type(estimator), inspect.isfunction):
        if not name.startswith("_"):
            assert "Y" not in inspect.signature(method).parameters, name


@named(TWO_VIEW)
def test_one_row_at_a_time(estimator, views, trained):
    # Trap 13: in float32 a row alone and in a batch would differ by 1e-6.
    X, y = views
    est = trained(estimator)
    for method, view in ((est.transform, X), (est.transform_y, y)):
        rows = np.vstack([method(row[None]) for row in view])
        np.testing.assert_allclose(rows, method(view), atol=1e-12)


@named(TWO_VIEW)
def test_one_dimensional_y_is_a_column(estimator, views):
    X, y = views
    est = clone(estimator)
    if est.get_params().get("n_components") is not None:
        est.set_params(n_components=1)
    flat, column = fitted(est, (X, y[:, 0])), fitted(est, (X, y[:, :1]))
    np.testing.assert_array_equal(flat.transform(X), column.transform(X))
    np.testing.assert_array_equal(flat.transform_y(y[:, 0]), flat.transform_y(y[:, :1]))
    assert flat.predict(X).shape == (60,)
    assert column.predict(X).shape == (60, 1)
    for est, shape in ((flat, (60,)), (column, (60, 1))):
        view = est.view("y")
        assert view.inverse_transform(view.transform(y[:, :1])).shape == shape


@named([e for e in TWO_VIEW if hasattr(e, "max_epochs")])
def test_nothing_leaves_but_finite_numbers(estimator, rng):
    z = rng.standard_normal((30, 2))
    X = np.hstack([z, z, np.full((30, 1), 0.1), np.zeros((30, 1)), z @ [[1], [2]]])
    y = np.hstack([z[:, :1], z[:, :1], np.ones((30, 2))])
    for pair in ((X, y), (X[:6], y[:6]), (y, X), (np.ones((9, 2)), np.ones((9, 3)))):
        est = fitted(estimator, pair)
        for out in (
            *est.transform_pair(*pair),
            est.transform_joint(*pair),
            *est.reconstruct(*pair, to="both"),
            est.predict(pair[0]),
            est.score(*pair),
        ):
            assert np.isfinite(out).all()


@named(TWO_VIEW)
def test_training_data_are_left_alone_and_forgotten(estimator, views):
    X, y = (view.copy() for view in views)
    est = fitted(estimator, (X, y))
    codes = est.transform(X)
    np.testing.assert_array_equal(X, views[0])
    np.testing.assert_array_equal(y, views[1])
    X[:], y[:] = 0, 0
    np.testing.assert_array_equal(est.transform(views[0]), codes)
    if keeps_training_rows(estimator):
        return
    rows = views[0][:3].astype(np.float32).tobytes(), views[0][:3].tobytes()
    assert not any(row in pickle.dumps(est) for row in rows)


@named(TWO_VIEW)
def test_impute_fills_the_gaps_alone(estimator, views, trained):
    est = trained(estimator)
    X, y = (view.copy() for view in views)
    X[:5], y[5:12] = np.nan, np.nan
    X_full, y_full = est.impute(X, y)
    np.testing.assert_array_equal(X_full[5:], views[0][5:])
    np.testing.assert_array_equal(y_full[np.r_[:5, 12:60]], views[1][np.r_[:5, 12:60]])
    np.testing.assert_array_equal(X_full[:5], est.reconstruct(y=y[:5], to="x"))
    np.testing.assert_array_equal(y_full[5:12], est.reconstruct(X[5:12], to="y"))
    assert np.isnan(X[:5]).all()  # the user's arrays are left alone
    for whole, view in zip(est.impute(*views), views, strict=True):
        np.testing.assert_array_equal(whole, view)
    with pytest.raises(
        ValueError, match="impute fills gaps in two views, but got only one"
    ):
        est.impute(X, None)
    with pytest.raises(ValueError, match="missing in both views, the first is row 0"):
        est.impute(X, np.full_like(y, np.nan))
    if get_tags(est).input_tags.allow_nan:
        return
    with pytest.raises(ValueError, match="y has rows that are partly NaN"):
        est.impute(X, _with(y, np.nan))


@named(TWO_VIEW)
def test_score_leaves_rows_with_a_gap_out(estimator, views, trained):
    est = trained(estimator)
    X, y = (view.copy() for view in views)
    X[:5], y[5:12] = np.nan, np.nan
    assert est.score(X, y) == est.score(X[12:], y[12:])
    with pytest.raises(ValueError, match="Found 1 sample.* with both views"):
        est.score(X[:13], y[:13])
    with pytest.raises(ValueError, match="y is the second view"):
        est.score(X, None)


BAD_INPUT = {
    "unpaired": (lambda X, y: (X, y[:-1]), "Rows of X and y must be paired"),
    "nothing in X": (lambda X, y: (np.full_like(X, np.nan), y), "NaN|missing one view"),
    "text": (lambda X, y: (X, y.astype(str).astype(object) + "a"), "could not convert"),
    "complex": (lambda X, y: (X, y + 1j), "Complex data not supported"),
    "one sample": (lambda X, y: (X[:1], y[:1]), "1 sample"),
    "no features in X": (lambda X, y: (X[:, :0], y), "0 feature"),
    "no features in y": (lambda X, y: (X, y[:, :0]), "0 feature"),
    "y is None": (lambda X, y: (X, None), "y is the second view"),
    "three dimensions": (lambda X, y: (X, y[:, :, None]), "y.* (with dim 3|3 dim)"),
}


def _with(a, value):
    a = a.copy()
    a[0, 0] = value
    return a


@named(TWO_VIEW)
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_named_and_changes_nothing(estimator, views, trained, case):
    spoil, message = BAD_INPUT[case]
    est = trained(estimator)
    codes = est.transform(views[0])
    attributes = set(vars(est))
    with pytest.raises(ValueError, match=message):
        est.fit(*spoil(*views))
    np.testing.assert_array_equal(est.transform(views[0]), codes)
    assert set(vars(est)) == attributes
    unfitted = clone(estimator)
    with pytest.raises(ValueError, match=message):
        unfitted.fit(*spoil(*views))
    assert set(vars(unfitted)) == set(vars(clone(estimator)))


@named(TWO_VIEW)
def test_wrong_widths_after_fit(estimator, views, trained):
    X, y = views
    est = trained(estimator)
    with pytest.raises(ValueError, match="X has 4 features, but .* expecting 5"):
        est.transform(X[:, :4])
    for call in (
        lambda: est.transform_y(y[:, :3]),
        lambda: est.transform_pair(X, y[:, :3]),
        lambda: est.reconstruct(X, y[:, :3]),
        lambda: est.score(X, y[:, :3]),
        lambda: est.view("y").transform(y[:, :3]),
    ):
        with pytest.raises(ValueError, match="y has 3 features, but .* expecting 4"):
            call()
    assert np.isfinite(est.transform(X)).all()


@named(STREAMING)
def test_wrong_input_of_partial_fit(estimator, views):
    X, y = views
    est = fitted(estimator, views)
    with pytest.raises(ValueError, match="features"):
        est.partial_fit(X[:, :4], y)
    with pytest.raises(ValueError, match="y is the second view"):
        est.partial_fit(X, None)
    with pytest.raises(ValueError, match="Expected 2D array, got scalar"):
        est.partial_fit(None, y)
    assert np.isfinite(est.transform(X)).all()


@named(STREAMING)
def test_partial_fit_starts_and_continues(estimator, views):
    est = _seeded(estimator)
    est.partial_fit(*views)
    once = est.score(*views)
    est.partial_fit(*views)
    assert np.isfinite([once, est.score(*views)]).all()
