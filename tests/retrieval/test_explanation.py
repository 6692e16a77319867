"""What speaks for an item, against products of codes and the similarities found."""

import numpy as np
import pytest
from given import Given
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skcrl import CrossViewRetriever, LinearCCA, TiedBidirectional
from skcrl.datasets import make_correlated_views


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(
        120, 6, 5, correlations=(0.9, 0.8, 0.3), random_state=0
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("codes", ["mean", "concatenated", "joint"])
@pytest.mark.parametrize("power", [0, 2])
def test_contributions_add_up_to_what_is_found(views, metric, codes, power):
    X, y = views
    made = CrossViewRetriever(
        LinearCCA(3), codes=codes, metric=metric, correlation_power=power
    )
    names = [f"item {i}" for i in range(20)]
    made.fit(X, y).fit_index(X[:20], y[:20], ids=names)
    for query in ((X[40:41], None), (None, y[40:41]), (X[40:41], y[40:41])):
        found = made.search(*query, n_neighbors=20)
        for similarity, name in zip(found.similarities[0], found.ids[0], strict=True):
            why = made.explain(*query, id=name)
            assert why.similarity == pytest.approx(similarity, abs=1e-12)
            assert why.contributions.sum() == pytest.approx(similarity, abs=1e-12)
            assert (np.diff(why.contributions) <= 0).all()


def test_contributions_are_products_of_weighted_codes(views):
    X, y = views
    cca = LinearCCA(3).fit(X, y)
    made = CrossViewRetriever(FrozenEstimator(cca), correlation_power=2)
    made.fit(X, y).fit_index(y=y[:5])
    a, b = (
        Z * cca.singular_values_**2
        for Z in (cca.transform(X[:1]), cca.transform_y(y[:1]))
    )
    expected = (a * b / np.linalg.norm(a) / np.linalg.norm(b))[0]
    why = made.explain(X[:1], id=0)
    order = np.argsort(-expected)
    np.testing.assert_array_equal(why.components, order)
    np.testing.assert_allclose(why.contributions, expected[order], atol=1e-14)
    assert why.names.tolist() == [f"linearcca{i}" for i in order]


def test_contributions_to_distances_are_squares_over_the_distance():
    made = CrossViewRetriever(Given(), metric="euclidean")
    rows = np.array([[0.0, 0], [3, 4], [3e-200, 4e-200]])
    made.fit(rows, rows).fit_index(rows)
    for item, scale in ((1, 1), (2, 1e-200)):
        why = made.explain(rows[:1], id=item)
        np.testing.assert_allclose(why.contributions, scale * np.array([-1.8, -3.2]))
        assert (why.similarity, why.names) == (pytest.approx(-5 * scale), None)
        assert why.components.tolist() == [0, 1]
    equal = made.explain(rows[:1], id=0)
    assert (equal.similarity, equal.contributions.tolist()) == (0, [0, 0])


@pytest.mark.parametrize("hubness", ["bank", "csls"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_correction_is_what_search_takes_from_the_sum(views, hubness, dtype):
    X, y = (view.astype(dtype) for view in views)
    params = {"n_neighbors": 4, "weight": 0.7}
    made = CrossViewRetriever(LinearCCA(3), hubness=hubness, hubness_params=params)
    gaps = y[:20].copy()
    gaps[2] = np.nan
    made.fit(X, y).fit_index(y=gaps)
    for query in ((X[40:41], None), (None, y[40:41]), (X[40:41], y[40:41])):
        found = made.search(*query, n_neighbors=19)
        code = made.encode(*query)[0]
        for similarity, i in zip(found.similarities[0], found.ids[0], strict=True):
            why = made.explain(*query, id=i)
            atol = 1e-6 if dtype == np.float32 else 1e-12
            total = why.contributions.sum()
            item = made.encode(y=y[i : i + 1])[0]
            assert why.similarity == pytest.approx(code @ item, abs=atol)
            assert total - why.correction == pytest.approx(similarity, abs=atol)
    plain = CrossViewRetriever(LinearCCA(3)).fit(X, y).fit_index(y=y)
    assert plain.explain(X[:1], id=0).correction == 0


def test_it_prints_in_a_line(views):
    made = CrossViewRetriever(LinearCCA(5), codes="concatenated", hubness="bank")
    made.fit(*views).fit_index(*views)
    why = made.explain(views[0][:1], id=3)
    assert repr(why) == (
        f"Explanation(similarity={why.similarity:.3g}, "
        "components=<array of shape (10,)>, contributions=<array of shape (10,)>, "
        f"names=<array of shape (10,)>, correction={why.correction:.3g})"
    )


def test_halves_of_concatenated_codes_are_named_by_their_view(views):
    made = CrossViewRetriever(LinearCCA(2), codes="concatenated").fit(*views)
    why = made.fit_index(*views).explain(views[0][:1], id=3)
    whole = sorted(zip(why.components, why.names, strict=True))
    assert [name for _, name in whole] == [
        *("x_linearcca0", "x_linearcca1", "y_linearcca0", "y_linearcca1")
    ]


def test_wider_joint_codes_have_no_names(views):
    tied = TiedBidirectional(2, max_epochs=1, random_state=0)
    made = CrossViewRetriever(tied, codes="joint").fit(*views).fit_index(*views)
    why = made.explain(views[0][:1], id=3)
    assert why.names is None
    assert len(why.components) == 4


def test_items_after_gaps_and_removals():
    rows = np.eye(4)
    rows[[0, 2]] = np.nan
    made = CrossViewRetriever(Given()).fit(rows, rows).fit_index(rows)
    made.add(np.eye(4)[:2]).remove([1])
    assert made.explain(np.eye(4)[3:], id=2).similarity == 1
    assert made.explain(np.eye(4)[:1], id=3).components[0] == 0
    with pytest.raises(ValueError, match="Item 1 has no view"):
        made.explain(np.eye(4)[3:], id=1)


def test_what_cannot_be_explained(views):
    X, y = views
    made = CrossViewRetriever(LinearCCA(2)).fit(X, y)
    with pytest.raises(NotFittedError, match="call fit_index first"):
        made.explain(X[:1], id=0)
    made.fit_index(X)
    with pytest.raises(ValueError, match="takes one query, got 2 rows"):
        made.explain(X[:2], id=0)
    with pytest.raises(ValueError, match="not in the index, the first is 120"):
        made.explain(X[:1], id=120)
