"""SemanticEmbedding against brute force, other solvers and planted structure."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime, minimize
from sklearn.datasets import load_digits

from skcrl import LabelEmbedding, SemanticEmbedding
from skcrl._hierarchy import tree_of
from skcrl.labels._attributes import Attributes
from skcrl.labels._axes import Axes
from skcrl.labels._relation import Relation, within_ball
from skcrl.labels._semantic_objective import SemanticObjective, siblings_above

NAMES = np.array(["a", "b", "c", "d", "e", "f"])
# f is below the root, and d two groups down.
PARENTS = {"a": "G", "b": "G", "c": "H", "d": "I", "e": "I", "I": "H", "f": None}
TRAITS = np.array(
    [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=float
)


def small_problem():
    """An objective on few samples, and a point to look at it."""
    rng = np.random.default_rng(0)
    own = np.array([0, 1, 2, 3, 4, 5, 3, 2])
    axes = Axes.of(rng.standard_normal((8, 4)), rng.random(8) + 0.5, False)
    tree = tree_of(NAMES, PARENTS)
    attributes = Attributes.of(tree, TRAITS, np.array(list("xyz"), object))
    nodes = np.flatnonzero(tree.parents >= 0)
    parents = tree.parents[nodes]
    relation = Relation(nodes, parents, attributes.contrasts(nodes, parents), 0.3, 0.2)
    objective = SemanticObjective(
        axes,
        own,
        6,
        siblings_above(tree, own),
        attributes,
        relation,
        margin=1.0,
        group_weight=0.7,
        attribute_weight=0.4,
        reg=(0.1, 0.01),
    )
    Q, U = 0.5 * rng.standard_normal((3, 4)), 0.5 * rng.standard_normal((9, 3))
    A = np.array([0.5, 1, 3])[:, None] * rng.standard_normal((3, 3))
    return objective, tree, (Q, U, A), rng.random((len(nodes), 3))


def rounded(t):
    """A hinge that is a parabola from 0 to half the margin of 1."""
    if t <= 0:
        return 0.0
    return t**2 if t < 0.5 else t - 0.25


def by_loops(objective, tree, Q, U, A, beta):
    """The objective as the docstring has it, and the price of coefficients."""
    axes, parent = objective.axes, dict(PARENTS)
    at = {name: place for place, name in enumerate(tree.names)}
    Z = axes.coordinates @ Q.T
    A = A / np.maximum(1, np.linalg.norm(A, axis=1))[:, None]

    def far(i, name):
        return np.sum((Z[i] - U[at[name]]) ** 2)

    total = 0.0
    for i, weight in enumerate(axes.weights):
        own = NAMES[objective.own[i]]
        others = [name for name in NAMES if name != own]
        total += weight * np.mean(
            [rounded(1 + far(i, own) - far(i, c)) for c in others]
        )
        group = parent[own]
        while group is not None:
            same = [n for n in tree.names if parent.get(n) == parent.get(group)]
            total += (
                0.7
                * weight
                * np.mean(
                    [rounded(1 + far(i, group) - far(i, s)) for s in same if s != group]
                )
            )
            group = parent.get(group)
        e = TRAITS[objective.own[i]] - TRAITS.mean(axis=0)
        e = e / abs(TRAITS - TRAITS.mean(axis=0)).max(axis=0)
        for j, a in enumerate(A):
            s = np.sign(e[j])
            near = 1 + np.sum((Z[i] - s * a) ** 2) - np.sum((Z[i] + s * a) ** 2)
            total += 0.4 / 3 * weight * abs(e[j]) * rounded(near)
    W = axes.weights_of(Q)
    rows = axes.coordinates * axes.scale * axes.units[0]
    v = np.sum(axes.weights @ rows**2)
    total += 0.1 * v / len(axes.mean) * np.sum(W**2) + 0.01 * np.sum(U**2)
    relation, price = objective.relation, 0.0
    for c, node in enumerate(relation.nodes):
        made = U[relation.parents[c]] + (beta[c] * relation.contrasts[c]) @ A
        total += 0.3 * np.sum((U[node] - made) ** 2)
        price += np.sum(beta[c] ** 2)
        for o, other in enumerate(relation.parents):
            if o != c and other == relation.parents[c]:
                price += np.sum((beta[c] + beta[o]) ** 2) / 2
    return total, 0.3 * 0.2 * price


def test_objective_is_the_one_of_the_docstring():
    objective, tree, parts, beta = small_problem()
    total, price = by_loops(objective, tree, *parts, beta)
    assert objective.value(*parts, beta)[0] == pytest.approx(total, abs=1e-12)
    assert objective.relation.overlap(beta) == pytest.approx(price, abs=1e-12)


def test_gradient():
    objective, _, parts, beta = small_problem()
    shapes = [part.shape for part in parts]
    ends = np.cumsum([part.size for part in parts])[:-1]

    def value(vector):
        split = zip(np.split(vector, ends), shapes, strict=True)
        return objective.value(*(p.reshape(s) for p, s in split), beta)

    at = np.concatenate([part.ravel() for part in parts])
    gradient = np.concatenate([part.ravel() for part in value(at)[1:]])
    numeric = approx_fprime(at, lambda vector: value(vector)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)


def test_coefficients_are_those_of_another_solver():
    objective, _, (_, U, A), beta = small_problem()
    relation, A = objective.relation, within_ball(A)
    found = relation.best_coefficients(U, A, beta)
    # The last node comes last: it is best given all the others.
    used = relation.contrasts[-1] != 0

    def term(b):
        changed = found.copy()
        changed[-1, used] = b
        return relation.misfit(U, A, changed)[0] + relation.overlap(changed)

    start = np.ones(used.sum())
    best = minimize(term, start, bounds=[(0, None)] * len(start), tol=1e-14)
    np.testing.assert_allclose(found[-1, used], best.x, atol=1e-5)
    for _ in range(50):
        found = relation.best_coefficients(U, A, found)
    again = relation.best_coefficients(U, A, found)
    np.testing.assert_allclose(again, found, atol=1e-10)


def test_codes_of_classes_solve_their_linear_system():
    # Given which hinges count, and by how much, the objective is a square in U.
    images, labels = load_digits(n_class=4, return_X_y=True)
    X, y = images[:80], labels[:80]
    parents = {0: "g", 1: "g", 2: "h", 3: "h"}
    embedding = SemanticEmbedding(
        hierarchy=parents,
        group_weight=0.0,
        relation_weight=0.4,
        reg=0.05,
        label_reg=0.02,
        tol=0,
        max_iter=5000,
    ).fit(X, y)
    U = np.vstack([embedding.label_embeddings_, embedding.group_embeddings_])
    Z = embedding.transform(X)
    distances = ((Z[:, None] - U[:4]) ** 2).sum(axis=2)
    slopes = np.clip(2 * (1 + distances[np.arange(80), y][:, None] - distances), 0, 1)
    slopes[np.arange(80), y] = 0
    slopes[np.arange(80), y] = -slopes.sum(axis=1)
    slopes /= 80 * 3
    edges = np.zeros((4, 6))
    edges[np.arange(4), np.arange(4)] = 1
    edges[np.arange(4), [4, 4, 5, 5]] = -1
    system = 0.02 * np.eye(6) + 0.1 * edges.T @ edges
    system[np.arange(4), np.arange(4)] -= slopes.sum(axis=0)
    right = np.vstack([-slopes.T @ Z, np.zeros((2, 3))])
    np.testing.assert_allclose(np.linalg.solve(system, right), U, atol=1e-4)


def test_without_semantics_it_is_label_embedding():
    images, labels = load_digits(return_X_y=True)
    X, y = images[:200], labels[:200]
    plain = LabelEmbedding(reg=0.01, label_reg=1e-5).fit(X, y)
    semantic = SemanticEmbedding().fit(X, y)
    np.testing.assert_allclose(
        semantic.decision_function(X), plain.decision_function(X), atol=1e-9
    )


def planted(seed, per_class, noise, n_classes=25):
    """Classes, in groups of five or more, that are their group and three attributes.

    Six attributes tell something and six nothing; samples have 40 columns.
    """
    rng = np.random.default_rng(seed)
    size = n_classes // 5
    groups, attributes = 2 * rng.standard_normal((5, 10)), rng.standard_normal((6, 10))
    has = np.array([rng.permutation([1, 1, 1, 0, 0, 0]) for _ in range(n_classes)])
    classes = np.array([f"class {c:02d}" for c in range(n_classes)])
    parents = {name: f"group {c // size}" for c, name in enumerate(classes.tolist())}
    U = np.repeat(groups, size, axis=0) + has @ attributes
    to_columns = rng.standard_normal((10, 40))
    frame = pd.DataFrame(
        np.hstack([has, rng.integers(0, 2, (n_classes, 6))]),
        index=classes,
        columns=[f"real {j}" for j in range(6)] + [f"void {j}" for j in range(6)],
    )

    def drawn(n):
        own = np.repeat(np.arange(n_classes), n)
        X = U[own] @ to_columns + noise * rng.standard_normal((len(own), 40))
        return X, classes[own]

    return drawn(per_class), drawn(20), {"hierarchy": parents, "attributes": frame}


def test_planted_supports_are_recovered():
    rng = np.random.default_rng(0)
    A = within_ball(rng.standard_normal((12, 20)))
    signs = rng.choice([-1.0, 1.0], (8, 12))
    parents = np.array([8, 8, 8, 8, 9, 9, 9, 9])
    beta = np.where(rng.random((8, 12)) < 0.3, rng.uniform(0.5, 2, (8, 12)), 0)
    relation = Relation(np.arange(8), parents, signs, 1.0, exclusivity=1e-6)
    U = rng.standard_normal((10, 20))
    U[:8] = U[parents] + (beta * signs) @ A + 1e-3 * rng.standard_normal((8, 20))
    found = relation.best_coefficients(U, A, np.zeros_like(beta))
    np.testing.assert_array_equal(found > 0.1, beta > 0)
    np.testing.assert_allclose(found, beta, atol=0.02)


def test_planted_attributes_are_found():
    (X, y), _, semantics = planted(0, 20, noise=1.0, n_classes=50)
    embedding = SemanticEmbedding(relation_weight=10.0, exclusivity=0.01, **semantics)
    embedding.fit(X, y)
    weights = abs(embedding.attribute_weights_).sum(axis=0)
    assert weights[:6].min() > 1.5 * weights[6:].max()
    assert weights[:6].mean() > 4 * weights[6:].mean()
    explanation = embedding.explain("class 07")
    assert explanation.parent == "group 0"
    first = next(iter(explanation.attributes))
    assert first.startswith("real")
    sign = semantics["attributes"].loc["class 07", first] * 2 - 1
    assert np.sign(explanation.attributes[first]) == sign


def test_semantics_help_where_samples_are_few():
    gains = []
    for seed in range(10):
        (X, y), test, semantics = planted(seed, 2, noise=6.0)
        plain = LabelEmbedding().fit(X, y).score(*test)
        semantic = SemanticEmbedding(relation_weight=0.1, **semantics)
        gains.append(semantic.fit(X, y).score(*test) - plain)
        assert (np.diff(semantic.objective_) <= 1e-12).all()
    assert np.sum(np.array(gains) > 0) >= 8


def test_classes_without_samples_are_predicted():
    (X, y), (X_test, y_test), semantics = planted(0, 20, noise=2.0, n_classes=50)
    parents, frame = semantics["hierarchy"], semantics["attributes"]
    new = [f"class {c:02d}" for c in (3, 17, 24, 36, 41)]
    seen = ~np.isin(y, new)
    embedding = SemanticEmbedding(
        hierarchy={c: g for c, g in parents.items() if c not in new},
        attributes=frame.drop(index=new),
        relation_weight=1.0,
        exclusivity=0.01,
    ).fit(X[seen], y[seen])
    of_group = embedding.embed_class("group 1")
    np.testing.assert_array_equal(of_group, embedding.group_embeddings_[1])
    before = embedding.score(
        X_test[~np.isin(y_test, new)], y_test[~np.isin(y_test, new)]
    )
    for name in new:
        embedding.add_class(name, parents[name], frame.loc[name])
    assert embedding.classes_.tolist() == sorted(set(y.tolist()))
    of_new = np.isin(y_test, new)
    # A group has ten classes: its code alone would be right once in ten times.
    assert embedding.score(X_test[of_new], y_test[of_new]) > 0.5
    assert embedding.score(X_test[~of_new], y_test[~of_new]) > before - 0.2
    assert embedding.explain(new[0]).parent == "group 0"


def test_attributes_as_an_array_are_in_the_order_of_classes():
    (X, y), _, semantics = planted(0, 3, noise=2.0)
    shuffled = semantics["attributes"].sample(frac=1, random_state=0)
    by_label = SemanticEmbedding(hierarchy=semantics["hierarchy"], attributes=shuffled)
    as_array = SemanticEmbedding(
        hierarchy=semantics["hierarchy"],
        attributes=semantics["attributes"].sort_index().to_numpy(),
    )
    np.testing.assert_array_equal(
        by_label.fit(X, y).label_embeddings_, as_array.fit(X, y).label_embeddings_
    )
    assert as_array.attribute_names_[0] == "attribute0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hierarchy": {"class 00": "a", "a": "class 00"}}, "a cycle above 'class 00'"),
        ({"hierarchy": {0: "a"}}, "no parent of any class, such as 'class 00'"),
        (
            {"hierarchy": {"class 00": "a"}},
            "must name each class, .* not name 'class 01'",
        ),
        ({"attributes": np.zeros((3, 2))}, "each of the 25 sorted classes, got 3"),
        (
            {"attributes": pd.DataFrame({"x": [1]}, index=["class 01"])},
            "none for 'class 00'. The index of the data frame must",
        ),
        ({"attributes": np.full((25, 1), np.nan)}, "attributes contains NaN"),
        ({"attributes": {"class 00": [1]}}, "a data frame or an array, got a dict"),
        ({"n_components": 25}, "upper bound is 24"),
    ],
)
def test_bad_parameters(change, message):
    (X, y), _, semantics = planted(0, 2, noise=1.0)
    embedding = SemanticEmbedding(**semantics).fit(X, y)
    embedding.set_params(**change)
    before = vars(embedding).copy()
    with pytest.raises(ValueError, match=message):
        embedding.fit(X, y)
    assert vars(embedding) == before


def test_bad_new_classes():
    (X, y), _, semantics = planted(0, 2, noise=1.0)
    embedding = SemanticEmbedding(**semantics).fit(X, y)
    with pytest.raises(ValueError, match="a new name, but 'group 1' already exists"):
        embedding.add_class("group 1", "group 2")
    with pytest.raises(ValueError, match="one of the groups .* got 'group 9'"):
        embedding.embed_class("group 9")
    with pytest.raises(ValueError, match="12 numbers, as many as in fit"):
        embedding.embed_class("group 1", [1, 0])
    with pytest.raises(ValueError, match="of the type of classes_, <U8, got 7"):
        embedding.add_class(7, "group 1")
    with pytest.raises(ValueError, match="the label 'class 99', which is none"):
        embedding.explain("class 99")
    with pytest.raises(ValueError, match="label must be one label, got"):
        embedding.explain(["class 01"])
    with pytest.raises(ValueError, match="one of the groups .* got array"):
        embedding.embed_class(np.arange(2))
    with pytest.raises(ValueError, match="needs a parent or attributes, but neither"):
        embedding.add_class("class 99")
    plain = SemanticEmbedding(hierarchy=semantics["hierarchy"]).fit(X, y)
    with pytest.raises(ValueError, match="there were none in fit"):
        plain.embed_class("group 1", [1.0])
    with pytest.raises(ValueError, match="every attribute of fit, but 'real"):
        embedding.embed_class("group 1", pd.Series({"void 0": 1.0}))
    with pytest.raises(ValueError, match=r"pass pandas\.Series"):
        embedding.embed_class("group 1", {"void 0": 1.0})


@pytest.mark.parametrize(
    ("names", "new"),
    [
        (np.array([3, 5, 9], np.int8), 7),
        (np.array([1.0, 2.0, 5.0]), 3),
        (np.array(["a", "bb", "d"]), "ccc"),
        (np.array(["a", "bb", "d"], object), "ccc"),
        (np.array(["2020-01", "2020-03", "2020-07"], "datetime64[ns]"), None),
    ],
)
def test_a_new_class_is_of_the_type_of_the_others(names, new):
    X, y = load_digits(n_class=3, return_X_y=True)
    embedding = SemanticEmbedding(attributes=np.eye(3)).fit(X, names[y])
    new = np.datetime64("2020-05", "ns") if new is None else new
    embedding.add_class(new, attributes=[0, 1, 1])
    assert embedding.classes_.dtype.kind == names.dtype.kind
    assert embedding.classes_.itemsize >= names.itemsize
    np.testing.assert_array_equal(embedding.classes_, np.sort([*names, new]))
    assert embedding.transform_y(embedding.classes_).shape == (4, 2)


def test_a_class_that_is_a_parent_keeps_its_attributes():
    X, y = load_digits(n_class=3, return_X_y=True)
    embedding = SemanticEmbedding(
        hierarchy={1: 0, 2: 0}, attributes=np.array([[1.0, 0], [0, 1], [0, 2]])
    ).fit(X, y)
    np.testing.assert_allclose(
        embedding.embed_class(0, [1, 0]), embedding.embed_class(0), atol=1e-12
    )


def test_a_tree_of_a_file_is_checked():
    (X, y), _, semantics = planted(0, 2, noise=1.0)
    for name, value in {
        "parents_": {},
        "groups_": "ab",
        "_scale": -np.ones(12),
        "_usual": np.full(12, np.nan),
    }.items():
        embedding = SemanticEmbedding(**semantics).fit(X, y)
        setattr(embedding, name, value)
        with pytest.raises(ValueError, match="not a hierarchy|its _scale|its _usual"):
            embedding._check_loaded()
