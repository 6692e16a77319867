"""Files that are damaged, or made with malice and a right digest."""

import json
import os
import resource
import struct
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from saved_models import X, Y, fitted
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, OneHotEncoder, StandardScaler
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC, SVR

from skcrl import DeepCCA, KernelCCA, LinearCCA, ViewPipeline
from skcrl.persistence import _file
from skcrl.persistence._estimators import EstimatorReader, EstimatorWriter
from skcrl.persistence._saved import Saved

# Bytes that loading may take beside what is there: a thread's stack and the like.
_ROOM = 2**28


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Contents of small files of many kinds."""
    path = tmp_path_factory.mktemp("files") / "model"
    contents = []
    for name in (
        "linear",
        "kernel sparse",
        "pipeline texts",
        "deep",
        "retriever named",
    ):
        fitted(name).save(path)
        contents.append(path.read_bytes())
    return contents


def signed(content):
    """The content with the digest that it should have."""
    content = bytearray(content)
    at = _file._digest_position(memoryview(content))
    content[at : at + 64] = _file._digest(memoryview(content), at)
    return bytes(content)


def header_of(content):
    return content[: _file._header_end(memoryview(content))]


def flipped(rng, content, end=None):
    content = bytearray(content)
    bit = int(rng.integers(8 * (end or len(content))))
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def mutated(rng, files, i):
    content = files[i % len(files)]
    kind = i % 8
    if kind < 4:
        return flipped(rng, content)
    if kind < 6:
        return content[: rng.integers(len(content))]
    header = header_of(content)
    if kind == 6:
        other = files[(i + 1 + i // 8 % 4) % len(files)]
        swapped = header_of(other) + content[len(header) :]
        return signed(swapped) if i % 16 < 8 else swapped
    lengths = [len(header), 2**16, 2**31, 2**40, 2**63, 2**64 - 1, len(header) - 9, 0]
    return struct.pack("<Q", lengths[i // 8 % len(lengths)]) + content[8:]


def test_two_thousand_damaged_files(files, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "model"
    modules = set(sys.modules)
    for i in range(2000):
        content = mutated(rng, files, i)
        assert content not in files
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model is not a model that skcrl"):
            Saved.load(path)
    assert set(sys.modules) == modules


def test_headers_with_a_flipped_bit_and_a_right_digest(files, tmp_path):
    """They load, as one that changes a parameter does, or raise ValueErrors."""
    rng = np.random.default_rng(1)
    path = tmp_path / "model"
    refused = []
    with bounded_memory():
        for i in range(300):
            content = files[i % len(files)]
            content = flipped(rng, content, len(header_of(content)))
            with suppress(ValueError):  # there is no digest left to be right
                content = signed(content)
            path.write_bytes(content)
            try:
                Saved.load(path)
            except ValueError as error:
                refused.append(str(error))
    assert len(refused) > 100
    assert all(message.startswith(f"{path} ") for message in refused)


class bounded_memory:
    """Let this process take no more than a little further memory."""

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + _ROOM, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.before)


def put(*path):
    """Edit that puts a value at a path of the document."""

    def edit(document):
        for key in path[:-2]:
            document = document[key]
        document[path[-2]] = path[-1]

    return edit


def state(*path):
    return put("of", "state", *path)


def net(*path):
    return state("net_", "of", "state", "made_with", *path)


def without(*path):
    def edit(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return edit


def object_of(name, **state):
    return {"$": "object", "of": {"class": name, "state": state}}


def nested(document):
    inner = 1
    for _ in range(50_000):
        inner = [inner]
    document["of"]["state"]["reg"] = inner


def somewhat_nested(document, levels=60):
    inner = {"$": "tuple", "of": ["0", "0"]}
    for _ in range(levels):
        inner = {"$": "tuple", "of": [inner, "0"]}
    document["of"]["state"]["n_components"] = inner


def share_weights(document):
    module = document["of"]["state"]["net_"]["of"]["state"]["module"]
    module["encoders.x.layers.1.bias"] = module["encoders.y.layers.1.bias"]


def two_networks(document):
    state = document["of"]["state"]
    state["random_state"] = [state["net_"]] * 3


def step_of(document, attribute, number=-1):
    """State of a step of a fitted pipeline of scikit-learn."""
    pipeline = document["of"]["state"][attribute]["of"]["state"]
    return pipeline["steps"][number]["of"][1]["of"]["state"]


def words_of(document):
    return step_of(document, "x_", 0)["vocabulary_"]


HOSTILE = {
    # Classes that are none of ours, each by a way that might import or call it.
    **{
        f"class {name}": ("linear", state("reg", object_of(name)), "does not load")
        for name in (
            "os.system",
            "builtins.eval",
            "subprocess.Popen",
            "sklearn.externals.joblib.Memory",
            "sklearn.utils.Bunch",
            "sklearn.conftest.raccoon_face_fxt",
            "sklearn.datasets.fetch_openml",
            "sklearn.pipeline.make_pipeline",
            "sklearn.pipeline.BaseEstimator",
            "sklearn.pipeline._BaseComposition",
            "sklearn.preprocessing._data.StandardScaler",
            "sklearn.preprocessing..StandardScaler",
            "sklearn.tree._tree.Tree",
            "sklearn.ensemble.os",
            "skcrl.LinearCCA",
            "skcrl.linear.LinearCCA",
            "antigravity.this",
            "",
        )
    },
    "class of a list": ("linear", state("reg", object_of(["LinearCCA"])), "unhashable"),
    "a later object": (
        "linear",
        state("reg", {"$": "same", "of": 99}),
        "refers to object 99",
    ),
    "an object before": (
        "linear",
        state("reg", {"$": "same", "of": -1}),
        "refers to object -1",
    ),
    "no number of an object": (
        "linear",
        state("reg", {"$": "same", "of": "0"}),
        "'<='",
    ),
    "a part alone": (
        "linear",
        lambda document: document.update(document["of"]["state"]["moments_"]),
        "it holds a Moments, which is not an estimator of skcrl",
    ),
    "a step alone": (
        "linear",
        lambda document: document.update(
            object_of("sklearn.preprocessing.PowerTransformer")
        ),
        "it holds a PowerTransformer, which is not an estimator of skcrl",
    ),
    "shared weights": ("deep", share_weights, "its networks share their weights"),
    "state of an optimizer": (
        "deep",
        state("net_", "of", "state", "optimizer", {"exp_avg": 0}),
        "a state of the optimizer",
    ),
    "two networks": ("deep", two_networks, "its networks share their weights"),
    "another mark": ("linear", state("reg", {"$": "pickle", "of": "gASV"}), "'pickle'"),
    "root without class": ("linear", without("of", "class"), "'class'"),
    "root is a list": (
        "linear",
        lambda document: document.update({"$": "list"}),
        "'list'",
    ),
    "root is none": ("linear", lambda document: document.clear(), "'of'"),
    "state is a list": ("linear", put("of", "state", []), "items"),
    "no state": ("linear", without("of", "state"), "'state'"),
    "no fitted state": ("linear", put("of", "state", {}), "not fitted"),
    "nesting": ("linear", nested, "recursion|nested"),
    "some nesting": ("linear", somewhat_nested, "'n_components' parameter"),
    "a method": ("linear", state("transform", 3), "has a transform, which"),
    "a dunder": ("linear", state("__class__", "os"), "has a __class__, which"),
    "script in the repr": (
        "linear",
        state("__doc_link_template", '"><script>alert(1)</script>'),
        "has a __doc_link_template, which",
    ),
    "where the documentation is": (
        "linear",
        state("_doc_link_module", "skcrl"),
        "has a _doc_link_module, which",
    ),
    "no checks of parameters": (
        "linear",
        state("_parameter_constraints", {}),
        "has a _parameter_constraints, which",
    ),
    "fitted state of another class": (
        "linear",
        state("net_", 1),
        "has a net_, which",
    ),
    "no checks in a step": (
        "pipeline",
        lambda document: step_of(document, "x_").update(_parameter_constraints={}),
        "its PCA has a _parameter_constraints, which this sklearn",
    ),
    "parameter of a step": (
        "pipeline",
        lambda document: step_of(document, "x_").update(n_components="three"),
        "'n_components' parameter of PCA must be",
    ),
    "columns of words": (
        "pipeline texts",
        lambda document: words_of(document).update(und=10**7),
        "the columns of words of its TfidfVectorizer",
    ),
    "a column of two words": (
        "pipeline texts",
        lambda document: words_of(document).update(w1=0),
        "the columns of words of its TfidfVectorizer",
    ),
    "wrong parameter": ("linear", state("n_components", "abc"), "'n_components' param"),
    "unknown parameter": ("linear", state("shell", "true"), "has a shell, which"),
    "missing array": (
        "linear",
        state("x_weights_", {"$": "array", "of": "99"}),
        "KeyError: '99'",
    ),
    "missing weights": ("linear", without("of", "state", "x_weights_"), "x_weights_"),
    "wrong shape": (
        "linear",
        lambda document: document["of"]["state"].update(
            x_weights_=document["of"]["state"]["x_mean_"]
        ),
        "x_weights_ is float64 of shape",
    ),
    "no array": ("linear", state("x_mean_", [0.0] * 6), "dtype"),
    "huge width": ("linear", state("n_features_in_", 10**12), "x_weights_ is"),
    "huge components": (
        "linear",
        state("n_components_", 10**12),
        "is float64 of shape",
    ),
    "without components": (
        "linear",
        without("of", "state", "n_components_"),
        "its n_components_ is None",
    ),
    "flat and wide": ("linear", state("_y_is_1d", True), "of several columns"),
    "a kernel that is called": (
        "kernel",
        state(
            *("_encoders", "x", "of", "state", "features", "of", "state", "kernel"),
            *("of", "state", "metric", {"$": "type", "of": "builtins.float"}),
        ),
        "its metric of Kernel is",
    ),
    "no components": ("linear", state("n_components_", -2), "its n_components_ is -2"),
    "components of text": (
        "linear",
        state("n_components_", "2"),
        "n_components_ is '2'",
    ),
    "components of another network": (
        "corrnet",
        state("n_components_", 1),
        "its n_components_ is 1, of its network 2",
    ),
    "no decoders": ("linear", state("_decoders", {}), "KeyError"),
    "decoder of another kind": (
        "linear",
        state("_decoders", "x", object_of("LinearDecoder", mean=1)),
        "missing 4 required",
    ),
    "sparse rows": (
        "kernel sparse",
        state("X_fit_", "of", "shape", [60, 2]),
        "column index|must be < 2",
    ),
    "sparse shape": (
        "kernel sparse",
        state("X_fit_", "of", "shape", [10**12, 6]),
        r"sparse matrix is of shape \(1000000000000, 6\)",
    ),
    "encoder": ("kernel", state("_encoders", "x", None), "NoneType"),
    "module": ("deep", net("module", "os.system"), "KeyError: 'os.system'"),
    "module of torch": ("deep", net("module", "Linear"), "KeyError: 'Linear'"),
    "optimizer": ("deep", net("optimizer", "Callable"), "KeyError: 'Callable'"),
    "loss": ("deep", net("loss", "Callable"), "'Callable'|no loss"),
    "objective": ("deep", net("hyper", "objective", "__builtins__"), "__builtins__"),
    "huge layers": (
        "deep",
        net("parameters", "module__x_widths", "of", [6, 10**6, 10**6, 2]),
        r"weights encoders.x.layers.0.bias of .*8.*should be .*1000000",
    ),
    "many layers": (
        "deep",
        net("parameters", "module__x_widths", "of", [6] + [1] * 10**5 + [2]),
        "100002 module__x_widths but too few weights",
    ),
    "many layers in an array": (
        "deep",
        net("parameters", "module__x_widths", {"$": "array", "of": "many"}),
        "100000 module__x_widths but too few weights",
    ),
    "layers in a dict": (
        "deep",
        net("parameters", "module__x_widths", {"6": 6, "8": 8}),
        "a dict as module__x_widths",
    ),
    "other layers": (
        "deep",
        net("parameters", "module__x_widths", "of", [6, 9, 2]),
        r"should be \(\(9,\)",
    ),
    "layer of text": (
        "deep",
        net("parameters", "module__x_widths", "of", ["6", "8", "2"]),
        "must be tuple of ints",
    ),
    "negative layer": (
        "deep",
        net("parameters", "module__x_widths", "of", [6, -8, 2]),
        "negative dimension",
    ),
    "foreign parameter": (
        "deep",
        net("parameters", "callbacks", "EarlyStopping"),
        "a parameter 'callbacks'",
    ),
    "fewer settings": (
        "deep",
        without("of", "state", "net_", "of", "state", "made_with", "settings", "lr"),
        "KeyError: 'lr'",
    ),
    "device": ("deep", net("settings", "device", "moon"), "moon"),
    "seed": ("deep", net("settings", "seed", "chance"), "seed"),
    "fewer weights": (
        "deep",
        without(
            "of", "state", "net_", "of", "state", "module", "encoders.x.layers.0.bias"
        ),
        "weights encoders.x.layers.0.bias of its network are None",
    ),
    "weight of another type": (
        "deep",
        lambda document: document["of"]["state"]["net_"]["of"]["state"][
            "module"
        ].update({"encoders.x.layers.0.bias": document["of"]["state"]["x_mean_"]}),
        "float64.*should be .*float32",
    ),
    "index of ids": (
        "retriever named",
        state("_index", "of", "state", "ids", None),
        None,
    ),
    "index of another width": (
        "retriever named",
        lambda document: document["of"]["state"]["_index"]["of"]["state"].update(
            codes=document["of"]["state"]["weights_"]
        ),
        "not a matrix",
    ),
    "backend": (
        "retriever named",
        state("_index", "of", "state", "backend", "os"),
        "its backend is 'os'",
    ),
    "no fitted estimator": (
        "retriever named",
        without("of", "state", "estimator_"),
        "its estimator_ is of type NoneType, without .'transform', 'transform_y'.",
    ),
    "fitted estimator that is a text": (
        "retriever named",
        state("estimator_", "x"),
        "its estimator_ is of type str, without",
    ),
    "fitted estimator that is a dictionary": (
        "retriever named",
        state("estimator_", {}),
        "its estimator_ is of type dict, without",
    ),
    "fitted estimator that is not fitted": (
        "retriever named",
        lambda document: document["of"]["state"].update(
            estimator_=document["of"]["state"]["estimator"]
        ),
        "LinearCCA instance is not fitted yet",
    ),
    "variances of no codes": (
        "retriever named",
        state("estimator_", "of", "state", "_code_var", {"$": "array", "of": "none"}),
        r"its variances of codes is float64 of shape \(0,\), not .* \(4,\)",
    ),
    "items without a view": (
        "retriever named",
        state("_index", "of", "state", "lost", [3]),
        "positions of items without a view are not in order",
    ),
    "space": (
        "retriever named",
        state("_index", "of", "state", "space", {"codes": "mean"}),
        "its codes were made and compared by",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_documents_made_with_malice(case, tmp_path):
    name, edit, message = HOSTILE[case]
    path = tmp_path / "model"
    fitted(name).save(path)
    document, arrays = _file.read(path, "model")
    edit(document)
    arrays["many"] = np.ones(10**5, np.uint8)
    arrays["none"] = np.empty(0)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000 if case == "nesting" else limit)
    try:
        _file.write(path, "model", document, arrays)
    except RecursionError:
        pytest.skip("this Python writes no such file")
    finally:
        sys.setrecursionlimit(limit)
    modules = set(sys.modules)
    with bounded_memory():
        if message is None:
            Saved.load(path)
        else:
            with pytest.raises(
                ValueError, match=rf"(?s)model is not a model.*({message})"
            ):
                Saved.load(path)
    new = {m for m in set(sys.modules) - modules if not m.startswith("sklearn.")}
    assert not new


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    path = tmp_path / "model"
    fitted("linear").save(path)
    document, arrays = _file.read(path, "model")
    for name in arrays:
        if arrays[name].shape == (6, 2):
            arrays[name][3, 1] = np.nan
    _file.write(path, "model", document, arrays)
    with pytest.raises(ValueError, match="its x_weights_ is not finite"):
        LinearCCA.load(path)


@pytest.mark.parametrize("name", ["kernel", "kernel nystroem", "kernel fourier"])
def test_parts_that_are_not_finite_are_refused(name, tmp_path):
    path = tmp_path / "model"
    fitted(name).save(path)
    document, arrays = _file.read(path, "model")
    n_refused = 0
    for array in arrays.values():
        if array.dtype.kind == "f":
            before, array.flat[0] = array.flat[0], np.nan
            _file.write(path, "model", document, arrays)
            array.flat[0] = before
            try:
                KernelCCA.load(path)
            except ValueError as error:
                n_refused += "is not finite" in str(error)
    assert n_refused >= sum(array.dtype.kind == "f" for array in arrays.values()) - 1


def test_no_file_is_named_that_fit_would_touch(tmp_path):
    path = tmp_path / "model"
    model = ViewPipeline(
        LinearCCA(2),
        x=make_pipeline(StandardScaler(), memory=str(tmp_path / "steps")),
        memory=tmp_path / "views",
    )
    model.fit(X, Y).save(path)
    loaded = ViewPipeline.load(path)
    assert loaded.memory is loaded.x.memory is loaded.x_.memory is None
    document, arrays = _file.read(path, "model")
    document["of"]["state"]["memory"] = str(tmp_path / "views")
    _file.write(path, "model", document, arrays)
    assert ViewPipeline.load(path).memory is None


def test_a_file_does_not_choose_how_many_cores_work(tmp_path):
    path = tmp_path / "model"
    model = KernelCCA(2, kernel_params=({"n_jobs": 1}, None)).fit(X, Y)
    model.save(path)
    assert KernelCCA.load(path).kernel_params == ({"n_jobs": None}, None)
    document, arrays = _file.read(path, "model")
    features = document["of"]["state"]["_encoders"]["x"]["of"]["state"]["features"]
    features["of"]["state"]["kernel"]["of"]["state"]["params"]["n_jobs"] = 10**4
    _file.write(path, "model", document, arrays)
    assert KernelCCA.load(path)._encoders["x"].features.kernel.params["n_jobs"] is None
    regression = LogisticRegression(n_jobs=10**4)
    state = EstimatorWriter().write(regression, "")["of"]["state"]
    assert state["n_jobs"] is None
    state["n_jobs"] = 10**4
    loaded = EstimatorReader({}).read(
        object_of("sklearn.linear_model.LogisticRegression", **state)
    )
    assert loaded.n_jobs is None


ROWS = np.arange(40).reshape(20, 2) % 7
STATES_THAT_DO_NOT_FIT = [
    (OneHotEncoder(), "_n_features_outs", [7, 8]),
    (OneHotEncoder(drop="first"), "_drop_idx_after_grouping", np.array([0, 7], object)),
    (
        OneHotEncoder(min_frequency=3),
        "_default_to_infrequent_mappings",
        [np.full(7, 7)] * 2,
    ),
    (OneHotEncoder(), "categories_", [np.arange(7.0)[::-1], np.arange(7.0)]),
    (DictVectorizer(), "vocabulary_", {"a": 0, "b": 2}),
    (DictVectorizer(), "vocabulary_", {"a": False, "b": True}),
    (DictVectorizer(), "vocabulary_", make_pipeline(StandardScaler())),
    (MultiLabelBinarizer(), "_cached_dict", {1: 0, 2: 10**6}),
    (MultiLabelBinarizer(), "classes_", np.array([1, 1])),
    (SVC(), "support_vectors_", np.zeros((20, 1))),
    (SVC(kernel="precomputed"), "support_", np.full(20, 10**6, np.int32)),
    *(
        (machine, name, value)
        for machine in (SVC(), SVR())
        for name, value in (
            ("_n_support", np.array([20], np.int32)),
            ("_n_support", np.array([-1, 21], np.int32)),
            ("_dual_coef_", np.zeros((0, 20))),
            ("_intercept_", np.zeros(0)),
            ("_probA", np.zeros(2)),
            ("_effective_probability", True),
        )
    ),
]


@pytest.mark.parametrize(("step", "name", "value"), STATES_THAT_DO_NOT_FIT, ids=str)
def test_state_that_compiled_routines_trust_is_checked(step, name, value):
    rows = {
        DictVectorizer: ([{"a": 1}, {"b": 2}],),
        MultiLabelBinarizer: ([[1], [2]],),
    }.get(type(step), (ROWS @ ROWS.T, np.arange(20) % 2))
    step = clone(step).fit(*rows)
    step = again(step)  # in order, as it is
    if not hasattr(step, name):
        pytest.skip(f"this scikit-learn sets no {name}")
    setattr(step, name, value)
    with pytest.raises(ValueError, match="do not fit together"):
        again(step)


def again(estimator):
    """The estimator from its document."""
    writer = EstimatorWriter()
    document = writer.write(estimator, "")
    return EstimatorReader(writer.arrays).read(document)


def test_parameters_of_other_releases_are_at_their_defaults():
    writer = EstimatorWriter()
    document = writer.write(StandardScaler(with_mean=False).fit(ROWS), "")
    del document["of"]["state"]["copy"]
    step = EstimatorReader(writer.arrays).read(document)
    assert step.get_params() == {"copy": True, "with_mean": False, "with_std": True}
    np.testing.assert_array_equal(step.transform(ROWS), ROWS / step.scale_)


def test_a_sparse_machine_of_kernels_computed_before_is_refused():
    machine = SVC(kernel="linear").fit(sparse.csr_array(ROWS), np.arange(20) % 2)
    machine = again(machine).set_params(kernel="precomputed")
    with pytest.raises(ValueError, match="the support vectors of its SVC do not fit"):
        again(machine)


def test_objects_that_hold_each_other_too_often_are_refused():
    held = StandardScaler()
    for _ in range(40):
        held = Pipeline([("a", held), ("b", held)])
    with pytest.raises(ValueError, match="its objects hold each other too often"):
        again(held)


def test_long_sparse_matrices_that_store_little_are_refused():
    step = SparseRandomProjection(2, random_state=0).fit(ROWS)
    step.components_ = sparse.csc_matrix((10**8, 2))
    with pytest.raises(ValueError, match=r"sparse matrix is of shape \(100000000, 2\)"):
        again(step)


def test_many_random_generators_are_refused():
    step = StandardScaler().fit(ROWS)
    step.mean_ = [np.random.RandomState(0) for _ in range(101)]
    with pytest.raises(ValueError, match="holds more than 100 random generators"):
        again(step)


def test_more_values_than_a_file_of_its_size_needs_are_refused(tmp_path):
    """An empty list is two characters, and a hundred bytes when it is read."""
    path = tmp_path / "model"
    fitted("linear").save(path)
    document, arrays = _file.read(path, "model")
    document["of"]["state"]["reg"] = [[]] * 10**6
    _file.write(path, "model", document, arrays)
    with pytest.raises(ValueError, match=r"its document holds 2000\d\d\d values, but"):
        LinearCCA.load(path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    path = tmp_path / "model"
    fitted("deep").save(path)
    document, arrays = _file.read(path, "model")
    for array in arrays.values():
        if array.dtype == np.float32:
            array[...] = np.inf
    _file.write(path, "model", document, arrays)
    with pytest.raises(ValueError, match="its weights .* are not finite"):
        DeepCCA.load(path)


AUDITED = """
import json, sys
import numpy as np
from skcrl.base import TwoViewTransformer
from sklearn import *
import skcrl.linear, skcrl.kernel, skcrl.compose, sklearn.preprocessing, sklearn.tree
import sklearn.ensemble, sklearn.pipeline, sklearn.feature_extraction.text
import sklearn.decomposition, sklearn.utils

rows, codes, *paths = sys.argv[1:]
TwoViewTransformer.load(paths[0])
seen = set()
WATCHED = ("exec", "compile", "import", "os.system", "os.exec", "os.fork", "os.remove",
           "subprocess.Popen", "pickle.find_class", "marshal.loads", "ctypes.dlopen",
           "socket.connect", "shutil.rmtree", "code.__new__", "os.rename")


def watch(event, args):
    what = str(args[0]) if args else ""
    if event in WATCHED or (event == "open" and what not in paths):
        seen.add((event, what))


sys.addaudithook(watch)
outcomes = []
for path in paths:
    try:
        TwoViewTransformer.load(path)
        outcomes.append("loaded")
    except ValueError:
        outcomes.append("refused")
print(json.dumps([outcomes, sorted(seen)]))
np.save(codes, TwoViewTransformer.load(paths[2]).transform(np.load(rows)))
assert not {"torch", "skorch"} & sys.modules.keys()
"""


def test_no_code_is_run_and_another_process_computes_the_same_without_torch(tmp_path):
    """As Python's audit events tell; one with a network is tested with its pickles."""
    paths, rows, codes = [], tmp_path / "rows.npy", tmp_path / "codes.npy"
    np.save(rows, X)
    for name in ("linear", "kernel", "pipeline"):
        paths.append(tmp_path / name)
        fitted(name).save(paths[-1])
    n_whole = len(paths)
    for case, (name, edit, message) in HOSTILE.items():
        if name == "linear" and message is not None and case != "nesting":
            paths.append(tmp_path / str(len(paths)))
            fitted(name).save(paths[-1])
            document, arrays = _file.read(paths[-1], "model")
            edit(document)
            _file.write(paths[-1], "model", document, arrays)
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, rows, codes, *paths],
        capture_output=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    outcomes, seen = json.loads(done.stdout)
    assert outcomes == ["loaded"] * n_whole + ["refused"] * (len(paths) - n_whole)
    assert seen == []
    np.testing.assert_array_equal(np.load(codes), fitted("pipeline").transform(X))
