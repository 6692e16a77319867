"""Partners that several rows share are no negatives of each other."""

import numpy as np
import pytest
import torch
from scipy import sparse

from skcrl import CCALRanker
from skcrl.datasets import make_correlated_views
from skcrl.deep._data import PairDataset, PairSplit
from skcrl.deep._partners import Partners
from skcrl.deep.losses import infonce, pairwise_ranking
from skcrl.deep.modules import TwoBranchOutput
from skcrl.metrics import mean_reciprocal_rank

CODES = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0)).double()
# The x of rows 0 and 1 is one, and so is the y of rows 1 and 2.
X = np.array([[1.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0]], np.float32)
Y = np.array([[1.0], [2.0], [2.0], [3.0], [-0.0], [0.0], [6.0]], np.float32)
BELONG = np.eye(7, dtype=bool)
for i, k in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (4, 5), (5, 4)]:
    BELONG[i, k] = True
BELONG[2, 0] = False  # no 2 comes with a 1


@pytest.mark.parametrize("form", [torch.from_numpy, sparse.csr_array])
def test_partners_are_the_pairs_of_the_data(form):
    partners = Partners.find(form(X), form(Y))
    np.testing.assert_array_equal(partners.among(np.arange(7)).toarray(), BELONG)
    rows = np.array([5, 0, 2])  # row 1, which makes partners of 0 and 2, is elsewhere
    np.testing.assert_array_equal(
        partners.among(rows).toarray(), BELONG[np.ix_(rows, rows)]
    )


def test_explicit_zeros_and_unsorted_columns_are_no_difference():
    a = sparse.csr_array(
        ([1.0, 2.0, 2.0, 0.0, 1.0], [0, 2, 2, 1, 0], [0, 2, 5]), (2, 3)
    )
    before = a.indices.copy()
    partners = Partners.find(a, sparse.csr_array(np.eye(2)))
    assert partners.among(np.arange(2)).toarray().all()
    np.testing.assert_array_equal(a.indices, before)


def test_without_repeats_there_is_nothing_to_mask():
    assert Partners.find(*map(torch.from_numpy, (X[2:], X[2:]))) is None


def test_groups_belong_together():
    own = torch.arange(7.0)[:, None]
    groups = np.array([0, 0, 1, 2, 2, 3, 4])
    partners = Partners.find(own, own, groups)
    np.testing.assert_array_equal(
        partners.among(np.arange(7)).toarray(), groups[:, None] == groups
    )


def cosines():
    a, b = (z / z.norm(dim=1, keepdim=True) for z in CODES)
    return (a @ b.T).numpy()


@pytest.mark.parametrize("hard", [False, True])
def test_ranking_is_its_equation_over_negatives(hard):
    expected = []
    for s, belong in ((cosines(), BELONG), (cosines().T, BELONG.T)):
        costs = [
            [max(0, 0.5 - s[i, i] + s[i, k]) for k in range(7) if not belong[i, k]]
            for i in range(7)
        ]
        expected.append(
            np.mean([max(row) for row in costs])
            if hard
            else np.concatenate(costs).mean()
        )
    loss = pairwise_ranking(
        TwoBranchOutput(*CODES),
        partners=torch.from_numpy(BELONG),
        margin=0.5,
        symmetric=True,
        hard_negatives=hard,
    )
    assert loss.item() == pytest.approx(np.mean(expected))


def test_infonce_leaves_other_partners_out_of_the_sum():
    s = cosines() / 0.3
    expected = [
        np.log(sum(np.exp(s[i, k]) for k in range(7) if k == i or not BELONG[i, k]))
        - s[i, i]
        for i in range(7)
    ]
    loss = infonce(
        TwoBranchOutput(*CODES),
        partners=torch.from_numpy(BELONG),
        temperature=0.3,
        symmetric=False,
    )
    assert loss.item() == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("hard", [False, True])
def test_a_batch_of_partners_alone_costs_nothing(hard):
    codes = [code.clone().requires_grad_() for code in CODES]
    loss = pairwise_ranking(
        TwoBranchOutput(*codes),
        partners=torch.ones(7, 7, dtype=torch.bool),
        margin=0.5,
        symmetric=True,
        hard_negatives=hard,
    )
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(codes[0].grad).all()


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((20, 6))
    which = np.repeat(np.arange(20), 5)
    return targets[which] + 0.3 * rng.standard_normal((100, 6)), targets[which], which


OPTIONS = {
    "hidden_layer_sizes": (),
    "projection": "learned",
    "hard_negatives": True,
    "standardize": False,
    "input_dropout": 0.0,
    "lr": 1e-2,
    "max_epochs": 60,
    "random_state": 0,
}


def test_the_hardest_negative_is_not_the_own_partner(captions):
    X, y, which = captions
    est = CCALRanker(6, **OPTIONS).fit(X, y)
    assert est.history_[-1]["train_loss"] < 0.45  # the margin is 0.5
    # Pictures that differ by a hair are alike to groups alone.
    y = y + 1e-4 * np.random.default_rng(1).standard_normal(y.shape)
    alone = CCALRanker(6, **OPTIONS).fit(X, y)
    grouped = CCALRanker(6, **OPTIONS).fit(X, y, groups=[f"p{i}" for i in which])
    assert alone.history_[-1]["train_loss"] > 0.45
    assert grouped.history_[-1]["train_loss"] < 0.45


def test_watched_rank_counts_every_partner_and_groups_stay_whole(captions):
    X, y, which = captions
    options = {**OPTIONS, "max_epochs": 2, "validation_fraction": 0.23}
    est = CCALRanker(6, **options).fit(X, y, groups=which)
    data = PairDataset.from_arrays(X, y)
    data.partners = Partners.find(data.x, data.y, which)
    train, valid = (part.rows.numpy() for part in est.net_.train_split(data))
    assert not set(which[train]) & set(which[valid])
    assert len(valid) == 25  # the least whole groups of 5 that hold 23
    codes = [
        est.net_.evaluate("embed", view[valid].astype(np.float32), side=side)
        for view, side in ((X, "x"), (y, "y"))
    ]
    same = which[valid][:, None] == which[valid]
    # Projections are refitted to all rows at the end, but learned ones stay, and
    # centring on another mean is too little to show.
    expected = [
        mean_reciprocal_rank(*pair, relevant=same) for pair in (codes, codes[::-1])
    ]
    assert est.history_[-1]["valid_mrr"] == pytest.approx(np.mean(expected), abs=0.02)


def test_one_group_cannot_be_divided(captions):
    X, y, _ = captions
    est = CCALRanker(6, **OPTIONS, validation_fraction=0.2)
    with pytest.raises(ValueError, match="1 groups cannot be divided into 20 valid"):
        est.fit(X, y, groups=np.zeros(100))
    with pytest.raises(ValueError, match="groups must hold one class for each of 100"):
        est.fit(X, y, groups=np.zeros(99))
    assert not hasattr(est, "net_")


def test_rows_without_a_shared_partner_train_as_without_a_mask():
    views = make_correlated_views(60, 5, 4, correlations=(0.9,), random_state=0)
    options = {**OPTIONS, "max_epochs": 3}
    plain = CCALRanker(2, **options).fit(*views)
    grouped = CCALRanker(2, **options).fit(*views, groups=np.arange(60))
    for a, b in zip(plain.history_, grouped.history_, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-4)


def test_split_without_groups_is_by_rows():
    data = PairDataset.from_arrays(X, Y)
    data.partners = Partners.find(data.x, data.y)
    _, valid = PairSplit(0.3, 0)(data)
    _, expected = PairSplit(0.3, 0)(PairDataset.from_arrays(X, Y))
    assert torch.equal(valid.rows, expected.rows)
