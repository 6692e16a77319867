"""joblib, cloudpickle and skops, in this process and in others."""

import os
import pickle
import pickletools
import subprocess
import sys
from copy import copy, deepcopy

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
import torch
from saved_models import X, Y, fitted, outputs

from skcrl import CorrNet, DeepCCA

DEEP = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}
SOME = ("linear sparse", "kernel", "deep soft", "corrnet", "ranker", "pipeline texts")
WIDE = np.random.default_rng(0).standard_normal((60, 392), dtype=np.float32)


def assert_equal(name, a, b):
    for one, other in zip(outputs(name, a), outputs(name, b), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", SOME)
def test_skops_trusts_classes_of_ours_alone(name):
    model = fitted(name)
    content = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=content)
    # SciPy's arrays, unlike its matrices, are not on the list of skops.
    others = {kind for kind in untrusted if not kind.startswith("skcrl.")}
    assert others <= {"scipy.sparse._csr.csr_array"}
    assert_equal(name, skops.io.loads(content, trusted=untrusted), model)


@pytest.mark.parametrize("name", ["deep", "corrnet", "tied", "ranker learned"])
def test_pickles_of_networks_name_numpy_and_skcrl_alone(name):
    content = pickle.dumps(fitted(name), protocol=2)
    globals_ = {
        arg.split()[0]
        for opcode, arg, _ in pickletools.genops(content)
        if opcode.name == "GLOBAL"
    }
    roots = {name.partition(".")[0] for name in globals_}
    assert roots <= {"skcrl", "numpy", "_codecs", "copy_reg", "__builtin__"}


def test_no_training_rows_and_no_optimizer_are_in_the_file(tmp_path):
    model = CorrNet(20, hidden_layer_sizes=(200,), max_epochs=1, optimizer="adam")
    model.fit(np.tile(WIDE, (20, 1)), np.tile(WIDE, (20, 1)))
    weights = sum(w.nbytes for w in model.net_.module_.state_dict().values())
    path, pickled = tmp_path / "model.skcrl", tmp_path / "model.joblib"
    model.save(path)
    assert path.stat().st_size <= 1.05 * weights
    # Of a loaded one the optimizer has not begun, and joblib has nothing to keep.
    joblib.dump(CorrNet.load(path), pickled)
    assert pickled.stat().st_size <= 1.1 * weights
    for content in (path.read_bytes(), pickled.read_bytes()):
        assert WIDE[0].tobytes() not in content
    joblib.dump(model, pickled)
    assert pickled.stat().st_size > 2.9 * weights


@pytest.mark.parametrize("copied", [copy, deepcopy])
def test_a_copy_does_not_share_what_training_changes(copied):
    net = fitted("deep").net_
    other = copied(net)
    with torch.no_grad():
        next(other.module_.parameters()).add_(1)
    assert not torch.equal(
        next(net.module_.parameters()), next(other.module_.parameters())
    )


@pytest.mark.parametrize(
    "name", ["deep soft", "corrnet tied", "ranker", "ranker learned"]
)
def test_weights_are_in_the_order_that_loading_gives_them(name):
    # Products of another order round differently.
    weights = fitted(name).net_.module_.state_dict()
    assert all(weight.is_contiguous() for weight in weights.values())


def made_in_a_function():
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6, 2)

        def forward(self, x):
            return self.layer(x).tanh()

    return Encoder()


IN_MAIN = """
import sys
import joblib
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor
from sklearn.model_selection import cross_validate
from skcrl import DeepCCA

class Encoder(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(6, 2), torch.nn.Tanh())

if __name__ == "__main__":
    torch.manual_seed(0)
    X, Y = np.load(sys.argv[1])["X"], np.load(sys.argv[1])["Y"]
    model = DeepCCA(2, x_encoder=Encoder(), hidden_layer_sizes=(8,), max_epochs=2,
                    random_state=0)
    # joblib's own pool, of one process instead of two.
    pool = get_reusable_executor(max_workers=1)
    parameters = {"cv": 2, "return_estimator": True}
    parallel = pool.submit(cross_validate, model, X, Y, **parameters)
    serial, parallel = cross_validate(model, X, Y, **parameters), parallel.result()
    for a, b in zip(serial["estimator"], parallel["estimator"], strict=True):
        assert np.array_equal(a.transform(X), b.transform(X))
        assert np.array_equal(a.partial_fit(X, Y).transform(X),
                              b.partial_fit(X, Y).transform(X))
    joblib.dump(a, sys.argv[3])
    assert np.array_equal(joblib.load(sys.argv[3]).transform(X), a.transform(X))
    # One whose class was made in a function of another process, and a file of it.
    np.save(sys.argv[3], joblib.load(sys.argv[2]).transform(X))
    np.save(sys.argv[5], DeepCCA.load(sys.argv[4]).transform(X))
"""


def test_users_encoders_and_files_go_through_processes(tmp_path):
    model = DeepCCA(2, x_encoder=made_in_a_function(), **DEEP).fit(X, Y)
    paths = [
        tmp_path / name
        for name in ("script.py", "views.npz", "model", "codes.npy", "file", "same.npy")
    ]
    script, views, pickled, codes, file, same = paths
    script.write_text(IN_MAIN)
    np.savez(views, X=X, Y=Y)
    pickled.write_bytes(cloudpickle.dumps(model))
    fitted("deep").save(file)
    subprocess.run(
        [sys.executable, *paths],
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    np.testing.assert_array_equal(np.load(codes), model.transform(X))
    np.testing.assert_array_equal(np.load(same), fitted("deep").transform(X))


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_joblib_maps_files_into_memory(mode, tmp_path):
    for name in ("linear", "deep"):
        joblib.dump(fitted(name), tmp_path / name)
        loaded = joblib.load(tmp_path / name, mmap_mode=mode)
        assert_equal(name, loaded, fitted(name))
        loaded.partial_fit(X, Y)
        assert_equal(name, joblib.load(tmp_path / name), fitted(name))
