"""stability_selection against its definition, and on planted columns."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skcrl import KernelCCA, LinearCCA, SparseCCA, ViewPipeline
from skcrl.inspection import stability_selection


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((80, 1))
    X, y = rng.standard_normal((80, 120)), rng.standard_normal((80, 90))
    X[:, [3, 14]] += 2 * shared
    y[:, [2, 7, 18]] += 2 * shared
    return X, y


def test_it_counts_the_halves_that_select(views):
    X, y = views
    est = SparseCCA(n_nonzero=(4, 5))
    result = stability_selection(est, X, y, n_subsamples=6, random_state=3)
    sets = []
    for seed in np.random.RandomState(3).randint(2**31 - 1, size=3):
        order = np.random.default_rng(seed).permutation(80)
        sets += [set(est.fit(X[r], y[r]).y_selected_) for r in (order[:40], order[40:])]
    counts = [sum(j in chosen for chosen in sets) for j in range(90)]
    np.testing.assert_allclose(result.y_frequencies, np.divide(counts, 6))
    assert result.y_n_selected == pytest.approx(np.mean([len(s) for s in sets]))
    shares = [len(a & b) / len(a | b) for a, b in combinations(sets, 2)]
    assert result.y_jaccard == pytest.approx(np.mean(shares))
    assert set(np.flatnonzero(result.x_frequencies > 0.9)) == {3, 14}
    q, p = result.y_n_selected, 90
    assert result.expected_false(0.8)[1] == pytest.approx(q**2 / 0.6 / p)


def test_containers_processes_and_pipelines(views):
    X, y = views
    est = SparseCCA(n_nonzero=3)
    expected = stability_selection(est, X, y, n_subsamples=4, random_state=0)
    names = [f"gene {i}" for i in range(120)]
    frames = pd.DataFrame(X, columns=names), pd.DataFrame(y).add_prefix("lipid ")
    for found in (
        stability_selection(est, *frames, n_subsamples=3, random_state=0),
        stability_selection(
            est, X.tolist(), y.tolist(), n_subsamples=4, random_state=0
        ),
        stability_selection(
            est, sparse.csr_array(X), y, n_subsamples=4, random_state=0, n_jobs=2
        ),
        stability_selection(
            ViewPipeline(est, x=StandardScaler()), X, y, n_subsamples=4, random_state=0
        ),
    ):
        np.testing.assert_array_equal(found.x_frequencies, expected.x_frequencies)
        np.testing.assert_array_equal(found.y_frequencies, expected.y_frequencies)
    frame = stability_selection(est, *frames, n_subsamples=4, random_state=0).to_frame()
    assert list(frame.index[:2]) == ["gene 3", "gene 14"]
    assert list(frame["frequency"]) == sorted(expected.x_frequencies)[::-1]
    assert list(expected.to_frame("y").index[:3]) == [2, 7, 18]


def test_bad_input(views):
    X, y = views
    est = SparseCCA()
    with pytest.raises(ValueError, match="4 in all, got 3"):
        stability_selection(est, X[:3], y[:3])
    with pytest.raises(
        ValueError, match="KernelCCA does not have one weight for each of the 120"
    ):
        stability_selection(KernelCCA(1), X, y, n_subsamples=2)
    with pytest.raises(ValueError, match="'n_components' parameter"):
        stability_selection(LinearCCA(0), X, y, n_subsamples=2)
    result = stability_selection(LinearCCA(1), X, y, n_subsamples=2, random_state=0)
    assert (result.x_frequencies == 1).all()
    assert result.x_jaccard == 1
    with pytest.raises(ValueError, match=r"threshold must be in \(0.5, 1\], got 0.5"):
        result.expected_false(0.5)
    with pytest.raises(ValueError, match="side must be 'x' or 'y', got 'z'"):
        result.to_frame("z")
