"""The same seed gives the same bits wherever and beside whatever a fit runs."""

import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcrl import CCALRanker, CorrNet, DeepCCA, LinearCCA, MultimodalAutoencoder
from skcrl.datasets import make_correlated_views
from skcrl.inspection import (
    bootstrap_intervals,
    held_out_permutation_test,
    permutation_test,
)

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

# In one worker, whose pool of processes they share: each starts by importing torch.
pytestmark = pytest.mark.xdist_group("processes")

SMALL = {"hidden_layer_sizes": (6,), "max_epochs": 3, "batch_size": 40}
# They draw weights, orders, splits, noise and masks.
NETS = [
    DeepCCA(**SMALL, objective="noi", input_dropout=0.3),
    DeepCCA(**SMALL, pretraining_epochs=1, validation_fraction=0.3),
    MultimodalAutoencoder(**SMALL, noise=0.5),
    CCALRanker(**SMALL, running_momentum=0.5),
    CorrNet(**SMALL),
]


@pytest.fixture(scope="module")
def views():
    return make_correlated_views(100, 6, 5, correlations=(0.9, 0.6), random_state=0)


@pytest.fixture(scope="module")
def fits(views):
    """Function that makes 24 fits by a way to run them, and what they gave."""

    def fit(net, seed):
        est = clone(net).set_params(random_state=seed).fit(*views)
        losses = [row["train_loss"] for row in est.history_]
        return *est.transform_pair(*views), losses

    def run(parallel):
        return parallel(delayed(fit)(NETS[i % 5], seed=i) for i in range(24))

    return run


@pytest.fixture(scope="module")
def serial(fits):
    return fits(Parallel(n_jobs=1))


def assert_same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_seeds_differ(serial):
    codes = [x for x, _, _ in serial]
    assert not any(
        np.allclose(a, b) for a, b in zip(codes[:-4], codes[4:], strict=True)
    )


def test_24_fits_in_8_threads(fits, serial):
    # Trap 3: fork_rng in threads gave other weights.
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    found = fits(Parallel(n_jobs=8, backend="threading"))
    assert_same_bits(found, serial)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


def test_24_fits_in_2_processes(fits, serial):
    assert_same_bits(fits(Parallel(n_jobs=2, backend="loky")), serial)


# A scheduler tries ports and leaves the sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_24_fits_a_search_and_arrays_in_4_threads_of_dask(fits, serial, views):
    search = GridSearchCV(
        CorrNet(**SMALL, random_state=0), {"n_components": [1, 2, 3]}, cv=4
    )
    expected = clone(search).fit(*views)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=4, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        with joblib.parallel_config(backend="dask"):
            found = fits(Parallel())
        with joblib.parallel_config(backend="dask", scatter=list(views)):
            search.fit(*views)
        X, y = (da.from_array(view, chunks=(30, -1)) for view in views)
        cca = LinearCCA(3, shrinkage="ledoit_wolf").fit(X, y)
        codes = cca.transform(X).compute()
    in_memory = LinearCCA(3, shrinkage="ledoit_wolf").fit(*views)
    np.testing.assert_allclose(cca.x_weights_, in_memory.x_weights_, atol=1e-10)
    np.testing.assert_allclose(codes, in_memory.transform(views[0]), atol=1e-10)
    assert_same_bits(found, serial)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(
            search.cv_results_[name], expected.cv_results_[name]
        )
    np.testing.assert_array_equal(
        search.transform(views[0]), expected.transform(views[0])
    )


def test_inspection_in_threads_and_processes(views):
    for compute in (
        lambda **kwargs: permutation_test(*views, n_permutations=150, **kwargs),
        lambda **kwargs: (
            held_out_permutation_test(
                LinearCCA(1), *views, cv=2, n_permutations=6, **kwargs
            ).null_scores
        ),
        lambda **kwargs: (
            bootstrap_intervals(
                DeepCCA(1, **SMALL, random_state=0), *views, n_resamples=4, **kwargs
            ).correlations
        ),
    ):
        expected = compute(random_state=0)
        for backend in ("threading", "loky"):
            with joblib.parallel_config(backend=backend):
                found = compute(random_state=0, n_jobs=2)
            assert_same_bits([found], [expected])
        nested = delayed(compute)(random_state=0, n_jobs=2)
        assert_same_bits(Parallel(n_jobs=2)([nested, nested]), [expected] * 2)


# Run where no variable limits the threads, as one does in `make test`.
WATCH = """
import joblib, numpy as np, threadpoolctl

def n_threads():
    return max(pool["num_threads"] for pool in threadpoolctl.threadpool_info())

def watch():
    import torch
    from skcrl import DeepCCA, LinearCCA

    views = np.random.RandomState(0).randn(2, 40, 6)
    DeepCCA(hidden_layer_sizes=(6,), max_epochs=1, batch_size=40).fit(*views)
    LinearCCA().fit(*views)
    return max(torch.get_num_threads(), n_threads()), joblib.effective_n_jobs(None)

n_cores = joblib.cpu_count()
assert n_threads() == n_cores  # else nothing below could fail
for threads, jobs in joblib.Parallel(n_jobs=2)([joblib.delayed(watch)()]):
    assert threads <= n_cores // 2, threads
    assert jobs == 1
"""


@pytest.mark.skipif(joblib.cpu_count() < 2, reason="needs two cores")
def test_processes_do_not_oversubscribe():
    env = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    run = subprocess.run([sys.executable, "-c", WATCH], env=env, stderr=subprocess.PIPE)
    assert run.returncode == 0, run.stderr.decode()
