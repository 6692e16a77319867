"""Ranks under hubness correction, against all similarities written out and sorted."""

import pickle
from copy import deepcopy
from functools import partial

import numpy as np
import pytest

from skcrl import LinearCCA
from skcrl._hubs import mean_of_nearest
from skcrl.metrics import (
    Hubness,
    average_precision_at_k,
    get_scorer,
    mean_average_precision,
    mean_reciprocal_rank,
    median_rank,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    retrieval_report,
)


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def by_hand(Zx, Zy, n_neighbors, weight, others=None):
    """Corrected similarities of each row of Zx with each of Zy, ties made exact."""
    others = Zx if others is None else others
    near = np.sort(unit(Zy) @ unit(others).T, axis=1)[:, ::-1][:, :n_neighbors]
    return np.round(unit(Zx) @ unit(Zy).T - weight * near.mean(axis=1), 10)


def ranks_of(S):
    """First and last rank of the partner of each row among those that are tied."""
    own = np.diag(S)[:, None]
    return 1 + (S > own).sum(axis=1), (S >= own).sum(axis=1)


def mrr_of(S):
    pairs = zip(*ranks_of(S), strict=True)
    return np.mean([np.mean(1 / np.arange(a, b + 1)) for a, b in pairs])


@pytest.fixture
def codes(rng):
    Zx = rng.standard_normal((80, 5))
    Zy = Zx + 0.8 * rng.standard_normal((80, 5))
    Zy[:, 0] += np.where(rng.random(80) < 0.2, 2.0, 0.0)  # some are near to many
    Zy[10:14] = Zy[10] * [[1], [2], [3], [7]]  # ties
    return Zx, Zy


@pytest.fixture
def bank(rng):
    return rng.standard_normal((50, 5)), 0.1 + rng.standard_normal((40, 5))


HUBNESS = [(10, 0.5), (1, 1.0), (3, 0.2), (500, 1.5)]


@pytest.mark.parametrize(("n_neighbors", "weight"), HUBNESS)
@pytest.mark.parametrize("with_bank", [False, True])
def test_ranks_are_those_of_all_similarities(
    codes, bank, with_bank, n_neighbors, weight
):
    Zx, Zy = codes
    given = bank if with_bank else (None, None)
    hubness = Hubness(n_neighbors, weight, bank if with_bank else None)
    forth = by_hand(Zx, Zy, n_neighbors, weight, given[0])
    back = by_hand(Zy, Zx, n_neighbors, weight, given[1])
    first, last = ranks_of(forth)
    assert (last > first).sum() >= 4
    plain = mean_reciprocal_rank(Zx, Zy)
    found = mean_reciprocal_rank(Zx, Zy, hubness=hubness)
    assert found == pytest.approx(mrr_of(forth), abs=1e-12) != plain
    assert median_rank(Zx, Zy, hubness=hubness) == np.median((first + last) / 2)
    alone = np.clip((5 - first + 1) / (last - first + 1), 0, 1)
    recall = recall_at_k(Zx, Zy, k=5, hubness=hubness)
    assert recall == pytest.approx(alone.mean(), abs=1e-12)
    assert precision_at_k(Zx, Zy, k=5, hubness=hubness) == pytest.approx(recall / 5)
    assert mean_average_precision(Zx, Zy, hubness=hubness) == pytest.approx(found)
    gains = np.mean(
        [
            np.mean([(rank <= 5) / np.log2(rank + 1) for rank in range(a, b + 1)])
            for a, b in zip(first, last, strict=True)
        ]
    )
    assert ndcg_at_k(Zx, Zy, k=5, hubness=hubness) == pytest.approx(gains, abs=1e-12)
    classes = np.arange(80)
    assert average_precision_at_k(
        Zx, Zy, classes, classes, k=5, hubness=hubness
    ) == pytest.approx(recall / 5)
    report = retrieval_report(Zx, Zy, k=5, hubness=hubness)
    assert report["x_to_y"]["recall_at_5"] == recall
    found_back = report["y_to_x"]["mean_reciprocal_rank"]
    assert found_back == pytest.approx(mrr_of(back), abs=1e-12)
    again = mean_reciprocal_rank(Zy, Zx, hubness=hubness.swapped())
    assert again == found_back
    by_class = retrieval_report(
        Zx, Zy, k=5, relevant=(classes, classes), hubness=hubness
    )
    assert by_class == report


def test_csls_is_the_formula_of_its_paper(codes):
    Zx, Zy = codes
    S = unit(Zx) @ unit(Zy).T
    of_x = np.sort(S, axis=1)[:, -10:].mean(axis=1)
    of_y = np.sort(S, axis=0)[-10:].mean(axis=0)
    csls = np.round(2 * S - of_x[:, None] - of_y, 9)
    for hubness in ("csls", Hubness(), Hubness(10, 0.5)):
        found = mean_reciprocal_rank(Zx, Zy, hubness=hubness)
        assert found == pytest.approx(mrr_of(csls), abs=1e-12)
        back = mean_reciprocal_rank(Zy, Zx, hubness=hubness)
        assert back == pytest.approx(mrr_of(csls.T), abs=1e-12)


def test_no_weight_is_no_correction(codes, bank):
    for hubness in (Hubness(weight=0), Hubness(3, 0, bank)):
        assert retrieval_report(*codes, hubness=hubness) == retrieval_report(*codes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_neighbors", [1, 7, 60, 700])
def test_mean_of_nearest(rng, dtype, n_neighbors):
    codes, others = (unit(rng.standard_normal((n, 4))) for n in (90, 601))
    others[300:340] = others[300]  # ties at the edge of the nearest
    codes[0], codes[1] = 0, others[300]
    expected = np.sort(codes @ others.T, axis=1)[:, -n_neighbors:].mean(axis=1)
    found = mean_of_nearest(codes.astype(dtype), others.astype(dtype), n_neighbors)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=8 * np.finfo(dtype).eps)


def test_equal_codes_tie_however_wide(rng):
    # Equal targets at different places of a product, and biases that round apart.
    queries = rng.standard_normal((40, 900))
    targets = np.repeat(rng.standard_normal((1, 900)), 333, axis=0)
    targets *= rng.uniform(0.1, 10, (333, 1))
    relevant = np.zeros((40, 333), dtype=bool)
    relevant[:, 5] = True
    for hubness in ("csls", Hubness(40, 1.5)):
        found = median_rank(queries, targets, relevant=relevant, hubness=hubness)
        assert found == 167


def test_scorers(rng, codes, bank):
    views = codes[0] @ rng.standard_normal((5, 6)), codes[1]
    fitted = LinearCCA(3).fit(*views)
    Zx, Zy = fitted.transform_pair(*views)
    bank = tuple(Z[:, :3] for Z in bank)
    for hubness in ("csls", Hubness(4, 0.3, bank)):
        report = retrieval_report(Zx, Zy, hubness=hubness)
        expected = [report[way]["mean_reciprocal_rank"] for way in ("x_to_y", "y_to_x")]
        scorer = partial(get_scorer, hubness=hubness)
        name = "mean_reciprocal_rank"
        assert scorer(f"{name}_x_to_y")(fitted, *views) == expected[0]
        assert scorer(f"{name}_y_to_x")(fitted, *views) == expected[1]
        both = scorer(name)
        assert both(fitted, *views) == pytest.approx(np.mean(expected), abs=1e-14)
        assert pickle.loads(pickle.dumps(both)) == both != get_scorer(name)
        assert scorer("pearson_sum")(fitted, *views) == get_scorer("pearson_sum")(
            fitted, *views
        )
    assert repr(get_scorer("recall_at_1", hubness="csls")) == (
        "get_scorer('recall_at_1', hubness='csls')"
    )


def test_values_are_equal_and_read_well(bank):
    plain, banked = Hubness(), Hubness(5, 0.25, bank)
    assert repr(plain) == "Hubness(n_neighbors=10, weight=0.5)"
    assert eval(repr(plain)) == plain != banked
    assert repr(banked) == (
        "Hubness(n_neighbors=5, weight=0.25, bank=<codes of 50 and 40 rows>)"
    )
    copied = deepcopy(banked)
    assert copied == banked != banked.swapped()
    assert len({copied, banked, banked.swapped().swapped()}) == 1
    assert Hubness(bank=[Z.astype(np.float32) for Z in bank]).bank[1].dtype == "f4"
    with pytest.raises(AttributeError):
        plain.weight = 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors of Hubness must be .* at least 1, got 0"),
        ({"n_neighbors": 2.0}, "must be an integer of at least 1, got 2.0"),
        ({"n_neighbors": True}, "must be an integer of at least 1, got True"),
        ({"weight": -0.1}, "weight of Hubness must be a number from 0 to 10, got -0.1"),
        ({"weight": np.nan}, "must be a number from 0 to 10, got nan"),
        ({"bank": np.eye(2)}, "must be a pair .x_codes, y_codes., or None, got array"),
        ({"bank": (np.eye(2), np.eye(3))}, "same number of components, got 2 and 3"),
        ({"bank": (np.eye(2), [[1, np.nan]])}, "the y codes of the bank contains NaN"),
        ({"bank": (np.empty((0, 2)), np.eye(2))}, "the x codes of the bank is empty"),
    ],
)
def test_what_is_no_correction(given, message):
    with pytest.raises(ValueError, match=message):
        Hubness(**given)


def test_corrections_that_do_not_fit(codes, bank):
    with pytest.raises(
        ValueError, match="hubness must be None, 'csls' or .* got 'nnn'"
    ):
        recall_at_k(*codes, hubness="nnn")
    for measure in (recall_at_k, retrieval_report):
        with pytest.raises(
            ValueError, match="corrects cosines, but metric='euclidean'"
        ):
            measure(*codes, metric="euclidean", hubness="csls")
    with pytest.raises(ValueError, match="Set metric='cosine', or hubness=None"):
        get_scorer("recall_at_1", metric="euclidean", hubness=Hubness())
    narrow = Hubness(bank=tuple(Z[:, :4] for Z in bank))
    with pytest.raises(ValueError, match="codes of 4 components, .* compare have 5"):
        precision_at_k(*codes, hubness=narrow)
