"""Rows that miss a view, paired by what is known of others."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn import config_context
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CorrNet,
    LinearCCA,
    LinearCommonIndividual,
    ProbabilisticCCA,
    Restarts,
    SelfLearning,
    ViewPipeline,
    make_view_pipeline,
)
from skcrl.compose._matching import mutual_matches
from skcrl.compose._rounds import takes_weights
from skcrl.metrics import mean_reciprocal_rank

N, N_PAIRS, WIDTH, N_SHARED = 500, 25, 30, 24


def rotated(n, seed=0):
    """Two rotated copies of a skewed cloud, with noise."""
    rng = np.random.default_rng(seed)
    cloud = rng.standard_exponential((n, N_SHARED)) * (rng.random((n, N_SHARED)) < 0.3)
    return tuple(
        cloud @ np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0][:N_SHARED]
        + 0.1 * rng.standard_normal((n, WIDTH))
        for _ in range(2)
    )


def unaligned(X, y, n_pairs, order):
    """Views of which all but the first rows are in another order, a view a row."""
    n_others = len(X) - n_pairs
    nothing = np.full((n_others, X.shape[1]), np.nan)
    return np.vstack([X, nothing]), np.vstack([y[:n_pairs], nothing, y[order]])


@pytest.fixture(scope="module")
def views():
    return rotated(N)


@pytest.fixture(scope="module")
def order():
    return N_PAIRS + np.random.default_rng(1).permutation(N - N_PAIRS)


@pytest.fixture(scope="module")
def gaps(views, order):
    return unaligned(*views, N_PAIRS, order)


@pytest.fixture(scope="module")
def learned(gaps):
    return SelfLearning(estimator(), random_state=0).fit(*gaps)


def estimator():
    return LinearCCA(N_SHARED, shrinkage=0.3)


def naive_matches(x_codes, y_codes, n_neighbors):
    """Mutual nearest neighbours under CSLS, from the matrix of all similarities."""
    cosines = 1 - cdist(x_codes, y_codes, "cosine")
    x_hubs = np.sort(cosines, axis=1)[:, -n_neighbors:].mean(axis=1, keepdims=True)
    y_hubs = np.sort(cosines, axis=0)[-n_neighbors:].mean(axis=0, keepdims=True)
    similarities = cosines - (x_hubs + y_hubs) / 2
    of_x, of_y = similarities.max(axis=1), similarities.max(axis=0)
    return [
        (i, j)
        for i in range(len(x_codes))
        for j in range(len(y_codes))
        if similarities[i, j] == of_x[i] == of_y[j]
    ]


@pytest.mark.parametrize(("n_x", "n_y"), [(60, 60), (50, 83), (1, 7), (9, 1)])
@pytest.mark.parametrize("n_neighbors", [1, 5, 200])
@pytest.mark.parametrize("working_memory", [0.001, 1024])
def test_matches_are_those_of_all_similarities(n_x, n_y, n_neighbors, working_memory):
    rng = np.random.default_rng(n_x)
    codes = (rng.standard_normal((n, 5)) + 0.5 for n in (n_x, n_y))
    Zx, Zy = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in codes)
    with config_context(working_memory=working_memory):
        x, y = mutual_matches(Zx, Zy, n_neighbors)
    assert list(zip(x, y, strict=True)) == naive_matches(Zx, Zy, n_neighbors)


def test_a_hub_draws_no_matches():
    # Of these angles 26 is nearest to all three, and the hub of them. To -40 the
    # first is nearest, which is its partner once the hub is corrected.
    angles = np.deg2rad([0, 20, 30]), np.deg2rad([26, -40])
    Zx, Zy = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in angles)
    assert (Zx @ Zy.T).argmax(axis=1).tolist() == [0, 0, 0]
    x, y = mutual_matches(Zx, Zy, 2)
    assert (0, 1) in zip(x, y, strict=True)


def test_it_finds_the_rest_of_two_rotated_copies(views, order, gaps, learned):
    right = order[learned.y_found_ - N] == learned.x_found_
    assert len(right) > 0.95 * (N - N_PAIRS)
    assert right.mean() > 0.98
    X, y = views
    codes = learned.transform_pair(X, y)
    of_pairs = estimator().fit(X[:N_PAIRS], y[:N_PAIRS]).transform_pair(X, y)
    assert mean_reciprocal_rank(*of_pairs) < 0.9
    assert mean_reciprocal_rank(*codes) > 0.98


def test_the_last_fit_is_to_pairs_given_and_found(gaps, learned):
    X, y = gaps
    x_rows = np.r_[:N_PAIRS, learned.x_found_]
    y_rows = np.r_[:N_PAIRS, learned.y_found_]
    same = estimator().fit(X[x_rows], y[y_rows])
    np.testing.assert_array_equal(learned.transform(X[:9]), same.transform(X[:9]))
    np.testing.assert_array_equal(learned.correlations_, same.correlations_)
    np.testing.assert_array_equal(learned.predict(X[:9]), same.predict(X[:9]))


def test_as_many_rounds_as_held_out_pairs_ask_for(gaps, learned):
    scores = learned.validation_scores_
    assert scores[learned.n_rounds_] == scores.max()
    assert (scores[learned.n_rounds_ + 1 :] < scores.max()).all()
    assert len(scores) == 1 + min(10, learned.n_rounds_ + 2)
    again = SelfLearning(
        estimator(), max_rounds=learned.n_rounds_, validation_fraction=None
    ).fit(*gaps)
    assert again.validation_scores_ is None
    np.testing.assert_array_equal(again.y_found_, learned.y_found_)


def test_held_out_pairs_are_ranked_among_each_other(gaps):
    X, y = gaps
    model = SelfLearning(
        estimator(), max_rounds=1, validation_fraction=0.8, random_state=3
    ).fit(X, y)
    drawn = np.random.RandomState(3).permutation(N_PAIRS)
    held_out, others = drawn[:20], np.sort(drawn[20:])
    trial = estimator().fit(X[others], y[others])
    codes = trial.transform_pair(X[held_out], y[held_out])
    cosines = 1 - cdist(*(Z * trial.singular_values_ for Z in codes), "cosine")
    own = np.diag(cosines)
    ranks = np.r_[(cosines >= own[:, None]).sum(axis=1), (cosines >= own).sum(axis=0)]
    assert ranks.max() > 1
    assert model.validation_scores_[0] == pytest.approx(np.mean(1 / ranks))


def test_found_pairs_weigh_what_helps_held_out_ones(gaps):
    X, y = gaps
    model = SelfLearning(estimator(), max_rounds=1, random_state=0).fit(X, y)
    tried = {
        weight: SelfLearning(
            estimator(), max_rounds=1, random_state=0, found_weight=weight
        ).fit(X, y)
        for weight in (1.0, 0.3, 0.1)
    }
    scores = {w: tried[w].validation_scores_[1] for w in tried}
    assert model.validation_scores_[1] == max(scores.values())
    assert scores[model.found_weight_] == max(scores.values())
    assert tried[0.1].n_rounds_ == 1
    x_rows = np.r_[:N_PAIRS, tried[0.1].x_found_]
    y_rows = np.r_[:N_PAIRS, tried[0.1].y_found_]
    weights = np.where(np.arange(len(x_rows)) < N_PAIRS, 1, 0.1)
    same = estimator().fit(X[x_rows], y[y_rows], sample_weight=weights)
    np.testing.assert_allclose(tried[0.1].correlations_, same.correlations_, rtol=1e-12)


def test_weights_only_where_the_estimator_takes_them(gaps):
    X, y = gaps
    settings = {"max_rounds": 1, "validation_fraction": None, "found_weight": 0.3}
    unweighted = LinearCommonIndividual(2, n_individual=0, n_signal=5)
    with pytest.raises(ValueError, match="LinearCommonIndividual takes none"):
        SelfLearning(unweighted, **settings).fit(X, y)
    assert takes_weights(ViewPipeline(estimator()))
    assert not takes_weights(ViewPipeline(unweighted))
    within = SelfLearning(ViewPipeline(estimator()), **settings).fit(X, y)
    plain = SelfLearning(estimator(), **settings).fit(X, y)
    np.testing.assert_allclose(within.transform(X[:9]), plain.transform(X[:9]))
    once = SelfLearning(Restarts(ViewPipeline(estimator()), 1), **settings).fit(X, y)
    np.testing.assert_array_equal(once.x_found_, plain.x_found_)
    correlations = once.estimator_.estimators_[0].correlations_
    np.testing.assert_allclose(correlations, plain.correlations_)
    with config_context(enable_metadata_routing=True):
        for around in (ViewPipeline, Restarts):
            assert not takes_weights(around(estimator()))
            asked = around(estimator().set_fit_request(sample_weight=True))
            assert SelfLearning(asked, **settings).fit(X, y).found_weight_ == 0.3


def test_correlation_power_weighs_codes(gaps):
    X, y = gaps
    settings = {"max_rounds": 1, "validation_fraction": None}
    first = estimator().fit(X[:N_PAIRS], y[:N_PAIRS])
    only_x, only_y = X[N_PAIRS:N], y[N:]
    for power in (0, 2):
        model = SelfLearning(estimator(), correlation_power=power, **settings)
        model.fit(X, y)
        weights = first.singular_values_**power
        expected = naive_matches(
            first.transform(only_x) * weights, first.transform_y(only_y) * weights, 10
        )
        found = zip(model.x_found_ - N_PAIRS, model.y_found_ - N, strict=True)
        assert len(set(found) ^ set(expected)) <= 2  # of float32


def test_without_unpaired_rows_it_is_the_estimator_itself(views):
    X, y = views
    model = SelfLearning(estimator()).fit(X, y)
    plain = estimator().fit(X, y)
    np.testing.assert_array_equal(model.transform(X), plain.transform(X))
    assert model.n_rounds_ == 0
    assert model.validation_scores_ is None
    # Rows of one view alone have nothing to be paired with.
    y = y.copy()
    y[300:] = np.nan
    model.fit(X, y)
    plain.fit(X[:300], y[:300])
    np.testing.assert_array_equal(model.transform(X), plain.transform(X))
    assert len(model.x_found_) == 0


def test_frames_of_any_index_and_steps_around(gaps, learned):
    X, y = (pd.DataFrame(view, index=np.arange(len(view)) + 7.5) for view in gaps)
    X.columns = [f"left{i}" for i in range(WIDTH)]
    y.columns = [f"right{i}" for i in range(WIDTH)]
    model = SelfLearning(estimator(), random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.y_found_, learned.y_found_)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model.y_feature_names_in_[0] == "right0"
    around = make_view_pipeline(
        SelfLearning(estimator(), random_state=0), x=StandardScaler()
    ).fit(X, y)
    # Scaled by all rows that are there.
    np.testing.assert_allclose(around.x_[-1].mean_, gaps[0][:N].mean(axis=0))
    assert len(around.estimator_.x_found_) > 0.9 * (N - N_PAIRS)


def test_texts_of_which_many_are_missing():
    rng = np.random.default_rng(0)
    words = [chr(97 + i) * 3 for i in range(24)]
    bags = [rng.choice(24, size=6, replace=False) for _ in range(300)]
    english = [" ".join(words[i] for i in bag) for bag in bags]
    german = [" ".join(words[i].upper() for i in bag[::-1]) for bag in bags]
    n = 40
    model = SelfLearning(
        ViewPipeline(
            LinearCCA(24, shrinkage=0.5),
            x=CountVectorizer(),
            y=CountVectorizer(lowercase=False),
        ),
        random_state=0,
    )
    model.fit(english + [None] * (300 - n), german[:n] + [None] * 260 + german[:39:-1])
    right = 559 - model.y_found_ == model.x_found_ - n
    assert len(right) > 200
    assert right.mean() > 0.95
    with pytest.raises(
        AttributeError, match="y cannot be reconstructed: its step Count"
    ):
        model.predict(english)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rows_without_a_match_go_to_estimators_that_train_on_them(gaps):
    X, y = (view[: N + 100] for view in gaps)
    settings = {"max_rounds": 1, "validation_fraction": None}
    gaussian = ProbabilisticCCA(3, max_iter=2)
    for inner in (gaussian, ViewPipeline(gaussian, x=StandardScaler())):
        model = SelfLearning(inner, **settings).fit(X, y)
        left_x = np.setdiff1d(np.arange(N_PAIRS, N), model.x_found_)
        left_y = np.setdiff1d(np.arange(N, N + 100), model.y_found_)
        x_rows = np.r_[:N_PAIRS, model.x_found_, left_x, left_y]
        y_rows = np.r_[:N_PAIRS, model.y_found_, left_x, left_y]
        same = inner.fit(X[x_rows], y[y_rows])
        np.testing.assert_allclose(model.transform(X[:9]), same.transform(X[:9]))
    assert len(left_x) > 100


def test_what_the_estimator_can_do_is_passed_on(views):
    X, y = views
    model = SelfLearning(LinearCommonIndividual(3)).fit(X, y)
    inner = model.estimator_
    np.testing.assert_array_equal(
        model.transform_individual(X), inner.transform_individual(X)
    )
    np.testing.assert_array_equal(
        model.reconstruct(X, to="y", parts="common"),
        inner.reconstruct(X, to="y", parts="common"),
    )
    assert not hasattr(SelfLearning(LinearCCA()), "transform_individual")
    with pytest.raises(ValueError, match="LinearCCA has common codes only"):
        SelfLearning(LinearCCA()).fit(X, y).reconstruct(X, parts="common")
    joint = SelfLearning(CorrNet(2, hidden_layer_sizes=(), max_epochs=1)).fit(X, y)
    np.testing.assert_array_equal(
        joint.transform_joint(X, y), joint.estimator_.transform_joint(X, y)
    )


def test_what_cannot_be_learned_from_is_named(gaps, learned):
    X, y = gaps
    before = learned.transform(X[:5])
    for rows, message in (
        (slice(N_PAIRS, None), "All 950 rows are missing one view"),
        (slice(N_PAIRS - 9, None), "validation_fraction=0.1 holds out 1 of 9 pairs"),
    ):
        model = SelfLearning(estimator(), validation_fraction=0.1)
        model = learned if "All" in message else model
        with pytest.raises(ValueError, match=message):
            model.fit(X[rows], y[rows])
    np.testing.assert_array_equal(learned.transform(X[:5]), before)
    nowhere = np.vstack([X, np.full((1, WIDTH), np.nan)])
    with pytest.raises(ValueError, match="1 samples are missing in both views"):
        SelfLearning(estimator()).fit(nowhere, np.vstack([y, nowhere[-1:]]))
    with pytest.raises(ValueError, match="SelfLearning requires X"):
        SelfLearning(estimator()).fit(None, y)
