"""What a file says of itself, and what a stranger's may not do by it."""

import json
import re
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sklearn
import torch
from saved_models import X, Y, fitted

import skcrl
from skcrl import CrossViewRetriever, DeepCCA, LinearCCA, describe
from skcrl.persistence import _file
from skcrl.persistence._card import told


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skcrl"


def test_what_fit_knew_is_in_the_card(path):
    model = LinearCCA(2, reg=(0.1, 0.0)).fit(X, Y)
    model.save(path)
    card = describe(path)
    assert isinstance(card, dict)
    assert (card["class"], card["kind"], card["version"]) == ("LinearCCA", "model", 1)
    assert card["parameters"] == {**model.get_params(), "reg": [0.1, 0.0]}
    assert card["views"] == {"n_samples": 60, "x": [6], "y": [4]}
    assert card["scores"]["correlations"] == np.round(model.correlations_, 4).tolist()
    assert card["versions"]["skcrl"] == skcrl.__version__
    assert card["versions"]["scikit-learn"] == sklearn.__version__
    assert "torch" not in card["versions"]
    age = datetime.now(UTC) - datetime.fromisoformat(card["written"])
    assert timedelta(0) <= age < timedelta(minutes=10)
    assert card["bytes"] == path.stat().st_size
    assert card["arrays"] == len(_file.read(path, "model")[1])


def test_cards_of_networks(path):
    model = fitted("deep own")
    model.save(path)
    card = describe(path)
    assert card["views"] == {"n_samples": 60, "x": [6], "y": [4]}
    last = model.history_[-1]
    assert card["scores"]["epochs"] == 2
    assert card["scores"]["train_loss"] == last["train_loss"]
    assert card["versions"]["torch"] == torch.__version__
    assert list(card["networks"]) == ["x_encoder", "y_decoder"]
    assert card["networks"]["x_encoder"].startswith("Sequential( (0): Linear(in_fea")


@pytest.mark.parametrize(
    ("name", "inner", "n_samples"),
    [
        ("pipeline texts", "LinearCCA", 60),
        ("classifier deep", "DeepCCA", 60),
        ("retriever named", "LinearCCA", 60),
        ("kernel", None, 60),
        ("kernel fourier", None, 60),
        ("linear frames", None, 60),
    ],
)
def test_cards_of_every_kind(name, inner, n_samples, path):
    model = fitted(name)
    model.save(path)
    card = describe(path)
    assert card["class"] == type(model).__name__
    assert card["views"]["n_samples"] == n_samples
    assert len(card["scores"]["correlations"]) == 2
    assert card.get("estimator", {}).get("class") == inner
    assert card["parameters"].keys() == model.get_params(deep=False).keys()


def test_it_prints_as_a_table(path):
    fitted("retriever deep").save(path)
    printed = str(describe(path))
    assert printed == repr(describe(path))
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 88
    assert lines[0] == "class       CrossViewRetriever"
    assert "estimator   class=DeepCCA, parameters=activation=relu" in printed
    assert "views       n_samples=60, x=[6], y=[4]" in lines


def test_files_and_cores_of_a_machine_are_not_told(path):
    CrossViewRetriever(LinearCCA(2), n_jobs=2).fit(X, Y).save(path)
    assert describe(path)["parameters"]["n_jobs"] is None


def test_a_checkpoint_has_a_card(path):
    deep = DeepCCA(
        2,
        hidden_layer_sizes=(4,),
        max_epochs=2,
        batch_size=60,
        random_state=0,
        checkpoint=path,
    ).fit(X, Y)
    card = describe(path)
    assert (card["kind"], card["class"]) == ("checkpoint", "DeepCCA")
    assert card["views"]["X"].startswith("float64 of shape (60, 6) with values ")
    assert card["parameters"]["hidden_layer_sizes"] == [4]
    assert card["scores"]["train_loss"] == deep.history_[-1]["train_loss"]


def test_values_are_told_in_short():
    at_random = told(np.random.RandomState(0))
    assert at_random == "RandomState(MT19937)"
    assert told([np.float32(0.5), np.nan, None]) == [0.5, "nan", None]
    assert len(told(list(range(1000)))) <= 200
    assert told("a\n" * 1000).endswith(" ...")
    json.dumps(told("\ud800"), ensure_ascii=False).encode()


def test_no_array_is_read_and_torch_is_not_imported(path):
    fitted("deep").save(path)
    content = path.read_bytes()
    end = _file._header_end(memoryview(content))
    # The rest of the file may be anything: it is as long, and was never read.
    path.write_bytes(content[:end] + b"\xff" * (len(content) - end))
    script = "import sys, skcrl; print(skcrl.describe(sys.argv[1])['class'])"
    script += "; assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "DeepCCA\n"


def with_card(path, card):
    fitted("linear").save(path)
    document, arrays = _file.read(path, "model")
    _file.write(path, "model", document, arrays, card)


NESTED = []
for _ in range(500):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    "card",
    [
        {"class": "\x1b[2J\x07", "\x1b]0;title\x07": {"\x00": ["\u202e\r"]}},
        {"class": 3, "parameters": [], "views": None, "scores": "x", "versions": 1.5},
        {"class": "x" * 10**6, "parameters": {str(i): i for i in range(10**4)}},
        {"kind": "index", "bytes": -1, "arrays": NESTED, "networks": {"a": {"b": 1}}},
        [1],
        "card",
    ],
    ids=range(6),
)
def test_cards_of_strangers_print_no_control_characters(card, path):
    with_card(path, card)
    if not isinstance(card, dict):
        with pytest.raises(ValueError, match="model.skcrl is not a model file"):
            describe(path)
        return
    told = describe(path)
    printed = str(told)
    assert re.fullmatch(r"[ -~\n…]*", printed)
    assert len(printed) < 50_000
    assert told["kind"] == "model"
    assert told["bytes"] == path.stat().st_size
    assert told["networks"] == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 10**5) + b"[" * 10**5,
        b"PK\x03\x04" + bytes(100),
    ],
    ids=range(7),
)
def test_what_is_no_file_of_skcrl_is_named(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="model.skcrl is not a model file that skc"):
        describe(path)


def test_damaged_headers_are_named_or_told(path):
    fitted("linear").save(path)
    content = path.read_bytes()
    end = _file._header_end(memoryview(content))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(end)] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            str(describe(path))
        except ValueError as error:
            refused += str(error).isprintable()
    assert 50 < refused < 300


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        describe(tmp_path / "none")
