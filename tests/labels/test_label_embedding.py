"""LabelEmbedding against brute force, a second solver, and what must not matter."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning

from skcrl import CrossViewRetriever, LabelEmbedding
from skcrl.exceptions import DegenerateFitWarning
from skcrl.labels._margins import margin_loss


def blobs(n=90, p=4, n_classes=3, spread=4.0):
    return make_blobs(n, p, centers=n_classes, cluster_std=spread, random_state=0)


def nearness(z, u, metric):
    if metric == "euclidean":
        return -np.sum((z - u) ** 2)
    return z @ u / np.linalg.norm(z) / np.linalg.norm(u)


def rounded(t, width):
    """A hinge that is a parabola from 0 to `width`."""
    if t <= 0:
        return 0.0
    return t**2 / (2 * width) if t < width else t - width / 2


def objective(embedding, X, y, W, U):
    """The objective as the docstring has it, sample by sample and class by class."""
    reg_map, reg_codes = embedding.reg, embedding.label_reg
    margin = {"euclidean": 1.0, "cosine": 0.5}[embedding.metric]
    X = X - X.mean(axis=0)
    Z = X @ W.T
    total = 0.0
    for z, own in zip(Z, y, strict=True):
        for c in range(len(U)):
            if c != own:
                near, right = (nearness(z, U[i], embedding.metric) for i in (c, own))
                total += rounded(margin + near - right, margin / 2)
    squares = reg_map * X.var(axis=0).mean() * np.sum(W**2)
    if embedding.metric == "euclidean":
        squares += reg_codes * np.sum(U**2)
    else:
        squares /= np.mean(np.sum(Z**2, axis=1))
    return total / len(X) / (len(U) - 1) + squares


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_gradient_of_margins(metric):
    rng = np.random.default_rng(0)
    codes, anchors = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    own, weights = rng.integers(0, 4, 5), rng.random(5)

    def loss(vector):
        parts = vector[:15].reshape(5, 3), vector[15:].reshape(4, 3)
        return margin_loss(*parts, own, weights, metric, 0.7)

    at = np.concatenate([codes.ravel(), anchors.ravel()])
    gradient = np.concatenate([part.ravel() for part in loss(at)[1:]])
    numeric = approx_fprime(at, lambda vector: loss(vector)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_no_other_solver_finds_less(metric):
    X, y = blobs(40)
    embedding = LabelEmbedding(
        metric=metric, reg=0.1, label_reg=0.01, tol=0, max_iter=2000
    )
    embedding.fit(X, y)
    W, U = embedding.coef_, embedding.label_embeddings_

    def value(vector):
        parts = vector[: W.size].reshape(W.shape), vector[W.size :].reshape(U.shape)
        return objective(embedding, X, y, *parts)

    found = np.concatenate([W.ravel(), U.ravel()])
    again = minimize(value, found, method="BFGS", options={"maxiter": 20})
    assert value(found) - again.fun < 1e-6
    moved = found + 0.1 * np.random.default_rng(0).standard_normal(len(found))
    assert value(found) < value(moved)


def test_without_penalties_every_margin_is_kept_where_that_is_possible():
    X, y = blobs(spread=0.5)
    embedding = LabelEmbedding(reg=0.0, label_reg=0.0, tol=0, max_iter=5000).fit(X, y)
    scores = embedding.decision_function(X)
    own = scores[np.arange(len(X)), y]
    scores[np.arange(len(X)), y] = -np.inf
    assert np.all(own - scores.max(axis=1) > 0.99)


def test_scores_are_distances_of_codes():
    X, y = blobs()
    embedding = LabelEmbedding().fit(X, y)
    codes, classes = embedding.transform(X), embedding.transform_y([2, 0])
    distances = ((codes[:, None] - classes) ** 2).sum(axis=2)
    found = embedding.decision_function(X)[:, [2, 0]]
    np.testing.assert_allclose(found, -distances, atol=1e-10)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_units_and_offsets_of_all_columns_do_not_matter(metric):
    X, y = blobs()
    embedding = LabelEmbedding(metric=metric, reg=0.3)
    expected = embedding.fit(X, y).decision_function(X)
    moved = 1e-3 * X + 1e6
    found = embedding.fit(moved, y).decision_function(moved)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("factor", [1e-200, 1e160])
def test_squares_out_of_range_do_not_matter(factor):
    X, y = blobs()
    expected = LabelEmbedding().fit(X, y).predict(X)
    found = LabelEmbedding().fit(factor * X, y).predict(factor * X)
    np.testing.assert_array_equal(found, expected)


def test_with_scale_the_unit_of_each_column_does_not_matter():
    X, y = blobs()
    embedding = LabelEmbedding(scale=True)
    expected = embedding.fit(X, y).decision_function(X)
    moved = X * [1e-4, 1, 1e3, 1e200] + [0, 5, 0, 0]
    found = embedding.fit(moved, y).decision_function(moved)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    standardised = (X - X.mean(axis=0)) / X.std(axis=0)
    plain = LabelEmbedding().fit(standardised, y).decision_function(standardised)
    np.testing.assert_allclose(plain, expected, atol=1e-6)


def test_codes_that_penalties_drive_to_zero_warn():
    with pytest.warns(DegenerateFitWarning, match="Lower label_reg=100"):
        LabelEmbedding(label_reg=100).fit(*blobs())


def test_constant_samples_warn():
    y = np.arange(9) % 3
    X = np.full((9, 2), 0.1)
    with pytest.warns(DegenerateFitWarning, match="X is constant, so all samples"):
        embedding = LabelEmbedding().fit(X, y)
    assert not embedding.coef_.any()
    assert len(set(embedding.predict(X + np.arange(9)[:, None]))) == 1


def test_more_columns_than_samples_and_columns_twice():
    rng = np.random.default_rng(0)
    X, y = blobs(20)
    wide = np.hstack([X, X, np.zeros((20, 3)), 1e-9 * rng.standard_normal((20, 40))])
    embedding = LabelEmbedding().fit(wide, y)
    assert np.isfinite(embedding.coef_).all()
    assert embedding.score(wide, y) > 0.8


def test_digits():
    # Logistic regression reaches .932 here, ridge regression .895.
    images, labels = load_digits(return_X_y=True)
    train, test = slice(1000), slice(1000, None)
    for metric in ("euclidean", "cosine"):
        embedding = LabelEmbedding(metric=metric).fit(images[train], labels[train])
        assert embedding.score(images[test], labels[test]) > 0.92
    top = embedding.predict_top_k(images[test], k=3)
    assert np.mean((top == labels[test, None]).any(axis=1)) > 0.97
    np.testing.assert_array_equal(top[:, 0], embedding.predict(images[test]))


def test_samples_are_found_by_the_name_of_their_class():
    X, y = blobs(spread=1.0)
    names = np.array(["rot", "gelb", "grün"])[y]
    retriever = CrossViewRetriever(LabelEmbedding(metric="cosine"), n_neighbors=20)
    retriever.fit(X, names).fit_index(X)
    found = retriever.kneighbors(y=["grün"], return_distance=False)
    assert np.mean(names[found] == "grün") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"n_components": 3},
            "upper bound is 2, the number of classes minus one. Got 3",
        ),
        ({"label_reg": -1}, "'label_reg' parameter of LabelEmbedding must be"),
    ],
)
def test_bad_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        LabelEmbedding(**change).fit(*blobs())


def test_bad_labels():
    X, y = blobs()
    embedding = LabelEmbedding().fit(X, y)
    before = vars(embedding).copy()
    with pytest.raises(ValueError, match="only one class is present: all labels are 0"):
        embedding.fit(X, 0 * y)
    assert vars(embedding) == before
    with pytest.raises(ValueError, match="k must be an integer from 1 to 3"):
        embedding.predict_top_k(X, k=4)
    with pytest.raises(ValueError, match="the label 7, which is none of the 3 classes"):
        embedding.transform_y([0, 7])


def test_few_iterations_warn():
    with pytest.warns(
        ConvergenceWarning, match="did not converge in max_iter=1 iterations"
    ):
        LabelEmbedding(max_iter=1).fit(*blobs())
