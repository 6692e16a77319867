"""What is loaded is what was saved, bit for bit; what cannot be saved is named."""

import os
import re
import signal
import subprocess
import sys
import time
from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from saved_models import (
    CLASSIFIERS,
    LABELS,
    RETRIEVERS,
    TEXTS,
    TWO_VIEWS,
    X,
    Y,
    fitted,
    networks,
    outputs,
)
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch.callbacks import EarlyStopping

import skcrl
from skcrl import (
    CCALRanker,
    CrossViewClassifier,
    CrossViewRetriever,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    TwoView,
    ViewPipeline,
)
from skcrl.base import TwoViewTransformer, View
from skcrl.persistence import _card, _file
from skcrl.persistence._estimators import _HOMES, EstimatorReader, EstimatorWriter
from skcrl.persistence._saved import Saved

ALL = [*TWO_VIEWS, *CLASSIFIERS, *RETRIEVERS]
DEEP = {"hidden_layer_sizes": (8,), "max_epochs": 2, "random_state": 0}


def saved(estimator, path, **given):
    estimator.save(path / "model.skcrl")
    return type(estimator).load(path / "model.skcrl", **given)


def assert_same(a, b):
    if sparse.issparse(a):
        a, b = a.toarray(), b.toarray()
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    if a.dtype == object:
        assert a.tolist() == b.tolist()
    else:
        assert a.tobytes() == b.tobytes()


def fitted_values(estimator):
    return {
        name: getattr(estimator, name)
        for name in dir(estimator)
        if name.endswith("_") and not name.startswith("_") and hasattr(estimator, name)
    }


@pytest.mark.parametrize("name", ALL)
def test_a_loaded_estimator_is_the_one_saved(name, tmp_path):
    model = fitted(name)
    loaded = saved(model, tmp_path, **networks(name))
    assert type(loaded) is type(model)
    for describe in (repr, lambda estimator: str(estimator.get_params())):
        # The address of a RandomState is its own.
        own, others = (re.sub("0x[0-9A-F]+", "", describe(m)) for m in (loaded, model))
        assert own == others
    for a, b in zip(outputs(name, model), outputs(name, loaded), strict=True):
        assert_same(a, b)
    values, others = fitted_values(model), fitted_values(loaded)
    assert values.keys() == others.keys()
    for key, value in values.items():
        if isinstance(value, np.ndarray) or sparse.issparse(value):
            assert_same(value, others[key])
        elif key == "estimators_":  # whose outputs were compared
            assert repr(value) == repr(others[key])
        elif isinstance(value, (int, float, str, list)):
            assert value == others[key]
    clone(loaded)


@pytest.mark.parametrize("name", ["linear", "kernel", "deep", "pipeline", "retriever"])
def test_saving_twice_gives_the_same_bytes(name, tmp_path, monkeypatch):
    monkeypatch.setattr(_card, "now", lambda: "at noon")
    fitted(name).save(tmp_path / "a")
    type(fitted(name)).load(tmp_path / "a").save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_public_estimator_saves():
    public = {
        name
        for name in skcrl.__all__
        if isinstance(getattr(skcrl, name), type)
        and issubclass(getattr(skcrl, name), BaseEstimator)
    }
    assert public <= _HOMES.keys()
    for name in public:
        assert issubclass(getattr(skcrl, name), Saved)
    covered = {type(model[0]).__name__ for model in TWO_VIEWS.values()}
    assert covered == {
        name for name in public if issubclass(getattr(skcrl, name), TwoViewTransformer)
    }


@pytest.mark.parametrize("kind", [LinearCCA, KernelCCA, DeepCCA])
def test_parameters_may_be_numbers_of_numpy(kind, tmp_path):
    # As a search over np.arange and np.logspace sets them.
    model = kind(np.int64(2), reg=np.float32(0.1))
    if kind is DeepCCA:
        sizes = {"hidden_layer_sizes": np.array([8, 3]), "lr": np.float64(0.1)}
        model.set_params(**{**DEEP, **sizes})
    loaded = saved(model.fit(X, Y), tmp_path)
    assert type(loaded.n_components) is np.int64
    assert_same(loaded.transform(X), model.transform(X))


def test_a_view_of_an_unfitted_estimator_is_not_fitted(tmp_path):
    with pytest.raises(NotFittedError, match="This View instance is not fitted yet"):
        View(LinearCCA(2), "x").save(tmp_path / "model")


def test_a_view_is_saved_with_its_estimator(tmp_path):
    view = fitted("linear").view("y")
    loaded = saved(view, tmp_path)
    assert isinstance(loaded, View)
    assert_same(loaded.transform(Y), view.transform(Y))
    assert loaded.fit(X) is loaded


def test_what_is_one_object_stays_one_and_is_stored_once(tmp_path):
    frozen = FrozenEstimator(fitted("deep"))
    retriever = CrossViewRetriever(frozen, correlation_power=0).fit(X, Y)
    loaded = saved(retriever, tmp_path)
    assert loaded.estimator_ is loaded.estimator
    assert_same(loaded.encode(X), retriever.encode(X))
    fitted("deep").save(tmp_path / "alone")
    sizes = [(tmp_path / name).stat().st_size for name in ("model.skcrl", "alone")]
    assert sizes[0] < sizes[1] + 1000


def test_set_output_is_kept(tmp_path):
    model = deepcopy(fitted("linear frames")).set_output(transform="pandas")
    x, y = TWO_VIEWS["linear frames"][1:]
    loaded = saved(model, tmp_path)
    assert loaded.transform(x).equals(model.transform(x))
    assert loaded.y_feature_names_in_.tolist() == list(y.columns)


def test_linear_cca_goes_on_from_the_moments_saved(tmp_path):
    model = LinearCCA(2).fit(X[:30], Y[:30])
    loaded = saved(model, tmp_path)
    assert_same(
        loaded.partial_fit(X[30:], Y[30:]).x_weights_,
        model.partial_fit(X[30:], Y[30:]).x_weights_,
    )


def test_a_loaded_network_trains_on_with_a_new_optimizer(tmp_path):
    model = DeepCCA(2, optimizer="sgd", batch_size=20, **DEEP).fit(X, Y)
    loaded = saved(model, tmp_path)
    assert loaded.history_ == model.history_
    assert loaded.net_.optimizer_.state_dict()["state"] == {}
    # Plain SGD has no state, so that both go on alike.
    assert_same(
        loaded.partial_fit(X, Y).transform(X), model.partial_fit(X, Y).transform(X)
    )
    assert loaded.n_iter_ == 3


def test_parameters_set_after_fit_change_nothing_that_is_fitted(tmp_path):
    model = DeepCCA(2, batch_size=20, **DEEP).fit(X, Y)
    codes = model.transform(X)
    model.set_params(
        n_components=3,
        hidden_layer_sizes=(5, 5),
        optimizer="sgd",
        lr=1,
        activation="elu",
    )
    loaded = saved(model, tmp_path)
    assert_same(loaded.transform(X), codes)
    assert loaded.hidden_layer_sizes == (5, 5)
    loaded.set_params(warm_start=True)
    with pytest.raises(ValueError, match="was .* in fit and is"):
        loaded.fit(X, Y)


def test_loading_draws_no_random_numbers(tmp_path):
    fitted("deep").save(tmp_path / "model")
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    DeepCCA.load(tmp_path / "model")
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is for machines without")
def test_a_network_from_cuda_loads_without(tmp_path):
    model = DeepCCA(2, batch_size=20, **DEEP).fit(X, Y)
    model.device = model.net_.device = "cuda"
    model.save(tmp_path / "model")
    loaded = DeepCCA.load(tmp_path / "model")
    assert loaded.device == "cuda"
    assert loaded.net_.device == "cpu"
    assert loaded.transform(X).shape == (60, 2)


def test_a_base_class_loads_what_derives_from_it(tmp_path):
    fitted("kernel").save(tmp_path / "model")
    assert isinstance(TwoViewTransformer.load(tmp_path / "model"), KernelCCA)


def test_another_class_is_named(tmp_path):
    fitted("kernel").save(tmp_path / "model")
    message = "model holds a KernelCCA, not a LinearCCA: load it with KernelCCA.load"
    with pytest.raises(ValueError, match=message):
        LinearCCA.load(tmp_path / "model")


def test_what_is_not_fitted_is_not_saved(tmp_path):
    unfitted = [
        LinearCCA(),
        KernelCCA(),
        DeepCCA(),
        ViewPipeline(LinearCCA()),
        CrossViewClassifier(LinearCCA(), StandardScaler()),
        CrossViewRetriever(LinearCCA()),
    ]
    for estimator in unfitted:
        with pytest.raises(NotFittedError, match=type(estimator).__name__):
            estimator.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_file, "VERSION", 2)
    fitted("linear").save(tmp_path / "model")
    monkeypatch.setattr(_file, "VERSION", 1)
    with pytest.raises(ValueError, match=r"has version 2 of the format.*update skcrl"):
        LinearCCA.load(tmp_path / "model")


def test_a_document_too_large_for_the_format_is_not_written(tmp_path, monkeypatch):
    def save(arrays, metadata):
        raise SafetensorError("header too large")

    monkeypatch.setattr(_file, "save", save)
    with pytest.raises(ValueError, match="model cannot hold a text of .*too large"):
        fitted("linear").save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_came_later_is_at_its_default():
    writer = EstimatorWriter()
    document = writer.write(fitted("linear"), "")
    del document["of"]["state"]["center"]
    assert EstimatorReader(writer.arrays).read(document).center is True
    document["of"]["state"]["novelty"] = 1
    with pytest.raises(ValueError, match="has a novelty, which this skcrl does not"):
        EstimatorReader(writer.arrays).read(document)


class Doubled(TransformerMixin, BaseEstimator):
    """A transformer of the user's."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return 2 * X


class OwnCCA(LinearCCA):
    """An estimator of the user's."""


def tokenize(text):
    return text.split()


def in_steps(**steps):
    return ViewPipeline(LinearCCA(2), **steps)


@pytest.mark.parametrize(
    ("estimator", "x", "message"),
    [
        (
            in_steps(
                x=make_pipeline(TfidfVectorizer(tokenizer=tokenize, token_pattern=None))
            ),
            TEXTS,
            "parameter tokenizer of TfidfVectorizer, in step 'tfidfvectorizer' of "
            "parameter steps of Pipeline, in parameter x of ViewPipeline is of type "
            "builtins.function: ",
        ),
        (
            in_steps(x=FunctionTransformer(np.exp)),
            X,
            "parameter func of FunctionTransformer, in parameter x of ViewPipeline is "
            "of type numpy.ufunc: ",
        ),
        (
            in_steps(x=Doubled()),
            X,
            "parameter x of ViewPipeline is of type .*Doubled: ",
        ),
        (
            DeepCCA(2, callbacks=[EarlyStopping("train_loss")], **DEEP),
            X,
            "item 0 of parameter callbacks of DeepCCA is of type skorch.callbacks",
        ),
        (
            KernelCCA(2, kernel=lambda a, b: a @ b),
            X,
            "parameter kernel of KernelCCA is of type builtins.function",
        ),
        (OwnCCA(2), X, "the estimator is of type .*OwnCCA"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_plain_data_is_refused_by_name(estimator, x, message, tmp_path):
    estimator.fit(x, Y)
    (tmp_path / "model").write_bytes(b"what was there")
    with pytest.raises(ValueError, match=f"{message}.*Use joblib"):
        estimator.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"what was there"


def test_a_step_with_compiled_state_is_refused_by_name(tmp_path):
    stack = StackingClassifier([("tree", DecisionTreeClassifier())])
    model = CrossViewClassifier(LinearCCA(2), make_pipeline(StandardScaler(), stack))
    model.fit(TwoView(X, Y), X[:, 0] > 0)
    message = (
        "step 'tree' of parameter estimators of StackingClassifier, in step "
        "'stackingclassifier' of parameter steps of Pipeline, in parameter classifier "
        "of CrossViewClassifier is of type sklearn.tree._classes.DecisionTreeClassifier"
    )
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path / "model")


def test_an_attribute_of_the_users_is_refused_by_name(tmp_path):
    model = LinearCCA(2).fit(X, Y)
    model.note = "of Tuesday"
    with pytest.raises(ValueError, match="attribute note of LinearCCA is not one that"):
        model.save(tmp_path / "model")


@pytest.mark.parametrize(
    "estimator", [LinearCCA(2), DeepCCA(2, **DEEP), CCALRanker(2, **DEEP)], ids=str
)
def test_what_was_fitted_to_tensors_takes_tensors(estimator, tmp_path):
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    with config_context(array_api_dispatch=True):
        model = clone(estimator).fit(x, y)
        model.save(tmp_path / "model")
        again = type(model).load(tmp_path / "model")
        assert torch.equal(again.transform(x), model.transform(x))
        assert torch.equal(again.reconstruct(x), model.reconstruct(x))


def test_requests_for_metadata_are_kept(tmp_path):
    with config_context(enable_metadata_routing=True):
        representation = LinearCCA(2).set_fit_request(sample_weight="weights")
        classifier = LogisticRegression().set_fit_request(sample_weight=False)
        model = CrossViewClassifier(representation, classifier)
        model.fit(TwoView(X, Y), LABELS, weights=np.ones(len(X)))
        model.save(tmp_path / "model")
        again = CrossViewClassifier.load(tmp_path / "model")
        assert repr(again.get_metadata_routing()) == repr(model.get_metadata_routing())
        again.fit(TwoView(X, Y), LABELS, weights=np.ones(len(X)))


def test_parameters_out_of_range_are_not_saved(tmp_path):
    model = deepcopy(fitted("linear")).set_params(n_components="many")
    with pytest.raises(ValueError, match="'n_components' parameter of LinearCCA"):
        model.save(tmp_path / "model")


def test_steps_of_another_scikit_learn_say_so(tmp_path, monkeypatch):
    model = ViewPipeline(LinearCCA(2), x=StandardScaler()).fit(X, Y)
    monkeypatch.setattr("sklearn.base.__version__", "1.2.3")
    model.save(tmp_path / "model")
    monkeypatch.undo()
    with pytest.warns(
        InconsistentVersionWarning, match="StandardScaler from version 1.2.3"
    ):
        ViewPipeline.load(tmp_path / "model")


def test_an_error_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    fitted("linear").save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        fitted("kernel").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import sys
from skcrl import LinearCCA
model = LinearCCA.load(sys.argv[1])
while True:
    model.set_params(reg=model.reg + 1).save(sys.argv[1])
    print("saved", flush=True)
"""


def test_a_kill_while_writing_leaves_a_whole_file(tmp_path):
    path = tmp_path / "model"
    wide = np.random.default_rng(0).standard_normal((50, 300))
    LinearCCA(2, solver="covariance").fit(wide, Y[:50]).save(path)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    loaded = LinearCCA.load(path)
    assert loaded.reg >= 1
    assert loaded.transform(wide).shape == (50, 2)
