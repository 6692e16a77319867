"""DeepLabelEmbedding: its objective by hand, what it learns, and what it refuses."""

import pickle
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.autograd import gradcheck

from skcrl import CrossViewRetriever, DeepLabelEmbedding
from skcrl.deep.losses import label_margins
from skcrl.deep.modules import LabelEmbeddingModule, LabelOutput
from skcrl.persistence._estimators import EstimatorReader, EstimatorWriter

SMALL = {"hidden_layer_sizes": (16,), "lr": 0.02, "max_epochs": 15, "random_state": 0}
NAMES = np.array(["rot", "grün", "blau"])


@pytest.fixture(scope="module")
def clusters():
    """Three classes around centres in six dimensions, and their names."""
    rng = np.random.default_rng(0)
    numbers = rng.integers(3, size=150)
    centres = 3 * rng.standard_normal((3, 6))
    return centres[numbers] + rng.standard_normal((150, 6)), NAMES[numbers]


@pytest.fixture(scope="module")
def trained(clusters):
    return DeepLabelEmbedding(**SMALL).fit(*clusters)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, train_size=1000, random_state=0, stratify=y)


# The objective.


def scores_and_labels(n_classes=5):
    rng = np.random.default_rng(3)
    scores = rng.standard_normal((6, n_classes))
    scores[0, 2] = 4  # nothing comes near it
    return scores, np.array([2, 0, 1, 4, 3, 0])


def loss_of(scores, labels, weights=None, **hyper):
    outputs = LabelOutput(None, torch.tensor(labels), torch.as_tensor(scores))
    return label_margins(outputs, weights, **hyper)


def test_all_violators_cost_what_they_violate():
    scores, labels = scores_and_labels()
    weights = np.array([1.0, 2, 0.5, 1, 3, 1])
    of_rows = np.zeros(6)
    for i, y in enumerate(labels):
        for c in range(5):
            if c != y:
                of_rows[i] += max(0, 0.7 + scores[i, c] - scores[i, y])
    assert of_rows[0] == 0 < of_rows[1:].min()
    rule = {"margin": 0.7, "violators": "all"}
    assert loss_of(scores, labels, **rule).item() == pytest.approx(of_rows.mean())
    weighed = loss_of(scores, labels, torch.tensor(weights), **rule)
    assert weighed.item() == pytest.approx(np.average(of_rows, weights=weights))


def test_warp_is_the_mean_over_all_orders_of_drawing():
    # Classes are drawn until one violates the margin; it is weighed by L of its rank.
    scores, labels = scores_and_labels()
    of_rows = []
    for row, y in zip(scores, labels, strict=True):
        costs = np.maximum(0, 0.7 + row - row[y])
        others = [c for c in range(5) if c != y]
        rank = sum(costs[c] > 0 for c in others)
        weight = sum(1 / j for j in range(1, rank + 1))
        drawn = [
            next((weight * costs[c] for c in order if costs[c] > 0), 0)
            for order in permutations(others)
        ]
        of_rows.append(np.mean(drawn))
    loss = loss_of(scores, labels, margin=0.7, violators="warp")
    assert loss.item() == pytest.approx(np.mean(of_rows))


@pytest.mark.parametrize("violators", ["all", "warp"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_gradients_in_codes_and_embeddings(metric, violators):
    module = LabelEmbeddingModule((3,), 3, 4, "relu", metric, nn.Identity()).double()
    module.reset_parameters(torch.Generator().manual_seed(0))
    codes = torch.randn(
        5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    ).requires_grad_()
    labels = torch.tensor([[0], [3], [1], [1], [2]])

    def loss(codes, embeddings):
        module.__dict__["_parameters"]["label_embeddings"] = embeddings
        return label_margins(module(codes, labels), margin=0.5, violators=violators)

    embeddings = module.label_embeddings
    assert gradcheck(loss, (codes, embeddings))


# What it learns.


@pytest.mark.parametrize(
    "options", [{}, {"metric": "cosine"}, {"metric": "cosine", "violators": "warp"}]
)
def test_it_beats_a_linear_classifier_on_digits(digits, options):
    X, X_test, y, y_test = digits
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    embedding = DeepLabelEmbedding(random_state=0, **options).fit(X, y)
    accuracy = embedding.score(X_test, y_test)
    assert accuracy > max(0.965, linear.fit(X, y).score(X_test, y_test))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_scores_by_hand(clusters, metric):
    X, names = clusters
    est = DeepLabelEmbedding(metric=metric, margin=0.3, **SMALL).fit(X, names)
    Z, U = est.transform(X), est.label_embeddings_.astype(float)
    if metric == "euclidean":
        scores = -np.square(Z[:, None] - U).sum(axis=2)
    else:
        scores = (Z @ U.T) / np.linalg.norm(Z, axis=1)[:, None]
        scores /= np.linalg.norm(U, axis=1)
    np.testing.assert_allclose(est.decision_function(X), scores, atol=1e-8)
    assert est.classes_.tolist() == sorted(NAMES)
    np.testing.assert_array_equal(est.predict(X), est.classes_[scores.argmax(axis=1)])
    order = np.argsort(-scores, axis=1)
    np.testing.assert_array_equal(est.predict_top_k(X, 2), est.classes_[order[:, :2]])
    assert est.score(X, names) > 0.9
    numbers = np.searchsorted(est.classes_, names)
    np.testing.assert_array_equal(est.transform_y(names), U[numbers])
    # The loss that the history tells of is that of the scores.
    whole = clone(est).set_params(
        batch_size=1000, max_epochs=1, lr=1e-12, input_dropout=0.0
    )
    whole.fit(X, names)
    gaps = whole.decision_function(X)
    gaps -= gaps[np.arange(150), numbers][:, None]
    costs = np.maximum(0, 0.3 + gaps).sum(axis=1) - 0.3
    assert whole.history_[0]["train_loss"] == pytest.approx(costs.mean(), rel=1e-4)


def test_two_classes_have_one_score(clusters):
    X, names = clusters
    is_red = names == "rot"
    est = DeepLabelEmbedding(**SMALL).fit(X, is_red)
    distances = np.square(est.transform(X)[:, None] - est.label_embeddings_)
    no, yes = distances.sum(axis=2).T
    np.testing.assert_allclose(est.decision_function(X), no - yes, atol=1e-8)
    np.testing.assert_array_equal(est.predict(X), est.decision_function(X) > 0)


def test_width_of_the_space(clusters):
    X, names = clusters
    short = {**SMALL, "max_epochs": 1}
    assert DeepLabelEmbedding(**short).fit(X, names).n_components_ == 3
    assert DeepLabelEmbedding(**short).fit(X[:, :2], names).n_components_ == 2
    assert DeepLabelEmbedding(5, **short).fit(X, names).n_components_ == 5
    own = DeepLabelEmbedding(encoder=nn.Linear(6, 3), **short).fit(X, names)
    assert own.n_components_ == 3
    assert own.get_feature_names_out().tolist()[0] == "deeplabelembedding0"


def test_small_parts_have_the_gradient_of_the_batch(clusters):
    X, names = clusters
    est = DeepLabelEmbedding(violators="warp", batch_size=1000, **SMALL)
    whole = est.fit(X, names).label_embeddings_
    parts = clone(est).set_params(micro_batch_size=40).fit(X, names)
    np.testing.assert_allclose(parts.label_embeddings_, whole, atol=1e-4)


def test_sparse_samples_are_trained_on_as_dense_ones(clusters):
    X, names = clusters
    X = np.where(X > 0, X, 0)
    est = DeepLabelEmbedding(standardize=False, **{**SMALL, "input_dropout": 0.0})
    dense = est.fit(X, names).transform(X)
    codes = clone(est).fit(sparse.csr_array(X), names).transform(sparse.csr_array(X))
    np.testing.assert_allclose(codes, dense, atol=1e-4)


def test_an_encoder_of_the_users_looks_tokens_up(clusters):
    _, names = clusters
    rng = np.random.default_rng(0)
    # Sentences of four tokens, of which each class has its own ten.
    tokens = 10 * np.searchsorted(np.sort(NAMES), names)[:, None]
    tokens = tokens + rng.integers(10, size=(150, 4))
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.EmbeddingBag(30, 8), nn.Linear(8, 3))
    before = encoder[1].weight.clone()
    est = DeepLabelEmbedding(encoder=encoder, lr=0.02, max_epochs=30, random_state=0)
    assert est.fit(tokens, names).score(tokens, names) == 1
    assert torch.equal(encoder[1].weight, before)
    with pytest.raises(ValueError, match="X held integers in fit"):
        est.predict(tokens + 0.5)


def test_watched_accuracy_is_that_of_the_validation_rows(clusters):
    X, names = clusters
    est = DeepLabelEmbedding(monitor="score", **SMALL)
    est.fit(X[:100], names[:100], validation=(X[100:], names[100:]))
    score = est.score(X[100:], names[100:])
    assert [row["valid_score"] for row in est.history_][-1] == pytest.approx(score)


def test_training_goes_on(clusters, tmp_path):
    X, names = clusters
    est = DeepLabelEmbedding(warm_start=True, **{**SMALL, "max_epochs": 3})
    first = est.fit(X, names).history_
    # Of the classes that it knows, one may be missing.
    some = names != "blau"
    assert est.fit(X[some], names[some]).n_iter_ == 6
    assert est.history_[:3] == first
    assert est.classes_.tolist() == sorted(NAMES)
    with pytest.raises(ValueError, match="'gelb', which is none of the 3 classes"):
        est.fit(X, np.where(some, names, "gelb"))
    file = tmp_path / "training"
    kept = clone(est).set_params(warm_start=False, checkpoint=file).fit(X, names)
    again = clone(kept).fit(X, names)
    np.testing.assert_array_equal(again.transform(X), kept.transform(X))


def test_a_label_finds_its_samples(clusters):
    X, names = clusters
    retriever = CrossViewRetriever(DeepLabelEmbedding(metric="cosine", **SMALL))
    retriever.fit(X[:100], names[:100]).fit_index(X[100:])
    found = retriever.kneighbors(y=NAMES, n_neighbors=5, return_distance=False)
    assert (names[100:][found] == NAMES[:, None]).all()


def test_frames_in_and_out(clusters, trained):
    X, names = clusters
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(150) + 7)
    est = DeepLabelEmbedding(**SMALL).set_output(transform="pandas")
    est.fit(frame, pd.Series(names, index=frame.index))
    np.testing.assert_array_equal(est.transform(frame), trained.transform(X))
    labels = est.transform_y(pd.Series(["rot", "blau"], index=[3, 5]))
    assert labels.index.tolist() == [3, 5]
    assert labels.columns.tolist() == est.get_feature_names_out().tolist()
    with pytest.raises(ValueError, match="index of X differs from that of y"):
        est.fit(frame, pd.Series(names, index=frame.index[::-1]))


def test_search_and_pickle(clusters, trained):
    X, names = clusters
    grid = {"metric": ["euclidean", "cosine"], "violators": ["all", "warp"]}
    search = GridSearchCV(DeepLabelEmbedding(**SMALL), grid, cv=2).fit(X, names)
    assert search.best_score_ > 0.9
    loaded = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(loaded.predict(X), trained.predict(X))


def test_random_state_decides(clusters, trained):
    X, names = clusters
    again = clone(trained).fit(X, names)
    np.testing.assert_array_equal(again.transform(X), trained.transform(X))
    other = clone(trained).set_params(random_state=1).fit(X, names)
    assert not np.allclose(other.transform(X), trained.transform(X))


def test_it_has_nothing_of_a_two_view_estimator():
    for name in ("reconstruct", "impute", "transform_joint", "view", "partial_fit"):
        assert not hasattr(DeepLabelEmbedding, name)


# What it refuses.


class Samples(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.zeros(3), torch.zeros(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.full(150, "rot")}, "only one class is present: all labels are 'rot'"),
        ({"y": None}, "requires y to be passed"),
        ({"y": np.linspace(0, 1, 150)}, "Unknown label type"),
        ({"y": np.r_[np.nan, np.ones(149)]}, "no label in row 0"),
        ({"y": np.ones(149)}, "must be paired"),
        ({"X": Samples()}, "takes no torch Dataset"),
        ({"validation": (Samples(), NAMES)}, "takes no torch Dataset"),
        ({"validation": (np.zeros((2, 6)), ["rot", "gelb"])}, "refused: y .* 'gelb'"),
        ({"hidden_layer_sizes": ((8,), (8,))}, "one encoder only, got"),
        ({"encoder": nn.Linear(6, 5)}, r"encoder must return .* \(n_samples, 3\)"),
        ({"margin": 0.0}, "margin"),
    ],
)
def test_what_it_refuses_to_train_on(clusters, trained, change, message):
    X, names = clusters
    est = pickle.loads(pickle.dumps(trained))
    given = {"X": X, "y": names, "validation": None}
    given = {name: change.pop(name, value) for name, value in given.items()}
    codes, attributes = est.transform(X), set(vars(est))
    with pytest.raises(ValueError, match=message):
        est.set_params(**change).fit(given.pop("X"), given.pop("y"), **given)
    np.testing.assert_array_equal(est.transform(X), codes)
    assert set(vars(est)) == attributes


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("classes_", NAMES[:2], "classes_ are not 3 labels in order"),
        ("classes_", NAMES[[0, 1, 2]], "classes_ are not 3 labels in order"),
        ("classes_", np.array([0, 1, 1]), "classes_ are not 3 labels in order"),
        ("classes_", np.array([[0, 1, 2]]), "classes_ are not 3 labels in order"),
        ("classes_", np.array([0, 1, np.nan]), "its classes_ holds no label in row 2"),
        ("n_components_", 4, "its n_components_ is 4, of its network 3"),
        ("_integers", {"x": 1}, "in which views integers are looked up"),
    ],
)
def test_what_it_does_not_load(trained, name, value, message):
    est = pickle.loads(pickle.dumps(trained))
    setattr(est, name, value)
    writer = EstimatorWriter()
    document = writer.write(est, "")
    with pytest.raises(ValueError, match=message):
        EstimatorReader(writer.arrays).read(document)


def test_what_it_refuses_afterwards(clusters, trained):
    X, _ = clusters
    with pytest.raises(ValueError, match="'gelb', which is none of the 3 classes"):
        trained.transform_y(["rot", "gelb"])
    for k in (0, 4, 1.0, True):
        with pytest.raises(ValueError, match="k must be an integer from 1 to 3"):
            trained.predict_top_k(X, k)
    with pytest.raises(ValueError, match="X has 5 features"):
        trained.predict(X[:, :5])
    with pytest.raises(ValueError, match="takes no torch Dataset"):
        trained.predict(Samples())
    for method in ("transform", "transform_y", "predict", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(DeepLabelEmbedding(), method)(X)
