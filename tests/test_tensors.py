"""Under array_api_dispatch tensors are computed with, or refused in words."""

import numpy as np
import pytest
import sklearn
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skcrl import (
    CrossViewClassifier,
    CrossViewRetriever,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    TwoView,
    ViewPipeline,
    metrics,
    transfer_score,
)
from skcrl.datasets import class_disjoint_split, make_correlated_views
from skcrl.inspection import (
    bootstrap_intervals,
    multivariate_tests,
    permutation_test,
    select_n_components,
)


@pytest.fixture(scope="module")
def data():
    """Views of one width, as codes of both have, and labels."""
    X, y = make_correlated_views(60, 4, 4, correlations=(0.9, 0.5), random_state=0)
    return X, y, (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def tensors(data):
    return tuple(map(torch.tensor, data))


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.mark.parametrize(
    ("est", "name"),
    [
        (KernelCCA(), "KernelCCA"),
        (KernelCCA(kernel="precomputed"), "KernelCCA"),
        (ViewPipeline(KernelCCA()), "KernelCCA"),
        (ViewPipeline(LinearCCA(), x=StandardScaler()), "ViewPipeline"),
        (ViewPipeline(LinearCCA(), y=StandardScaler()), "ViewPipeline"),
        (CrossViewRetriever(KernelCCA()), "KernelCCA"),
        (CrossViewClassifier(KernelCCA(), LinearSVC()), "KernelCCA"),
    ],
    ids=repr,
)
def test_refused_in_words(tensors, est, name):
    X, y, labels = tensors
    views = (TwoView(X, y), labels) if hasattr(est, "classifier") else (X, y)
    message = f"{name} takes NumPy arrays, got torch.Tensor under .*: convert it"
    with pytest.raises(ValueError, match=message):
        est.fit(*views)


def test_refused_in_words_after_fit(data, tensors):
    X, y, _ = data
    est = ViewPipeline(KernelCCA(1), y=StandardScaler()).fit(X, y)
    for name, call in (
        ("KernelCCA", lambda: est.transform(tensors[0])),
        ("KernelCCA", lambda: est.transform_joint(tensors[0], tensors[1].numpy())),
        ("ViewPipeline", lambda: est.transform_y(tensors[1])),
        ("ViewPipeline", lambda: est.reconstruct(y=tensors[1], to="x")),
    ):
        with pytest.raises(ValueError, match=f"{name} takes NumPy arrays, got torch"):
            call()


NET = DeepCCA(hidden_layer_sizes=(4,), max_epochs=1, random_state=0)
CLASSIFIER = CrossViewClassifier(LinearCCA(), LinearSVC())
BY_COLUMNS = CrossViewClassifier(
    LinearCCA(), LinearSVC(), x_columns=slice(4), y_columns=slice(4, 8)
)

# What gives numbers, not arrays in the library of its input.
TAKEN = {
    "pipeline without steps": lambda X, y, c: (
        ViewPipeline(NET).fit(X, y).transform_pair(X, y)
    ),
    "classifier": lambda X, y, c: CLASSIFIER.fit(TwoView(X, y), c).predict(
        TwoView(y=y)
    ),
    "classifier by columns": lambda X, y, c: BY_COLUMNS.fit(_join(X, y), c).predict(
        _join(X, y)
    ),
    "transfer_score": lambda X, y, c: transfer_score(NET.fit(X, y), X, y, c),
    "retriever": lambda X, y, c: (
        CrossViewRetriever(NET).fit(X, y).fit_index(y=y).kneighbors(X, n_neighbors=3)
    ),
    "scorer": lambda X, y, c: metrics.get_scorer("recall_at_10")(NET.fit(X, y), X, y),
    "pearson_sum": lambda X, y, c: metrics.pearson_sum(X, y),
    "canonical_total": lambda X, y, c: metrics.canonical_total(X, y, X, y),
    "effective_rank": lambda X, y, c: metrics.effective_rank(X),
    "reconstruction_error": lambda X, y, c: metrics.reconstruction_error(X, y),
    "mean_average_precision": lambda X, y, c: metrics.mean_average_precision(
        X, y, relevant=(c, c)
    ),
    "class_disjoint_split": lambda X, y, c: class_disjoint_split(
        X, y, classes=c, random_state=0
    ),
    "permutation_test": lambda X, y, c: permutation_test(
        X, y, n_permutations=19, groups=c, random_state=0
    ),
    "multivariate_tests": lambda X, y, c: multivariate_tests(X, y),
    "select_n_components": lambda X, y, c: select_n_components(
        X, y, n_permutations=19, random_state=0
    ),
    "bootstrap_intervals": lambda X, y, c: bootstrap_intervals(
        LinearCCA(1), X, y, n_resamples=2, random_state=0
    )[:3],
}


def _join(X, y):
    return torch.hstack([X, y]) if isinstance(X, torch.Tensor) else np.hstack([X, y])


@pytest.mark.parametrize("call", TAKEN.values(), ids=TAKEN)
def test_same_numbers_as_of_arrays(data, tensors, call):
    found, expected = (_flat(call(*views)) for views in (tensors, data))
    assert len(found) == len(expected) > 0
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def _flat(result):
    """Arrays and numbers of nested tuples and dicts."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in _flat(part)]
    return [result]
