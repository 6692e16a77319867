"""Every benchmark runs at a tiny size."""

import csv
import importlib.util
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import _captions
import _peers
import matplotlib as mpl
import numpy as np
import pytest
from _classes_with_meaning import Task
from _linear_rivals import ancestors
from dask import distributed
from sklearn.metrics.pairwise import cosine_similarity

from skcrl import LinearCCA

mpl.use("Agg")
FOLDER = Path(__file__).parents[1] / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_benchmark_is_run_here():
    names = {path.stem for path in FOLDER.glob("[!_]*.py")}
    others = {"transfer_halves", "hyperlinking", "retrieval", "captions"}
    others.add("results_book")  # in test_results.py
    assert names == {*others, *TINY}


def in_this_process(script, *arguments, python):
    """What a script prints, as `in_fresh_process` has it."""
    with redirect_stdout(StringIO()) as out:
        load(Path(script).stem).main([*map(str, arguments)])
    return out.getvalue()


# Arguments of a tiny run, and what it must print.
TINY = {
    "records": (["--stored"], "DeepCCA, latents"),
    "linear_peers": (
        ["--quick", "--case", "wide twin", "--only", "LinearCCA"],
        "held out",
    ),
    "kernel_peers": (["--quick", "--case", "1000"], "objective"),
    "linear_common_individual": (
        ["--quick", "--sets", "2", "--only", "LinearCommonIndividual"],
        "Found over all cases: common rank 100.0%",
    ),
    "linear_scale": (["--quick", "--part", "sparse"], "off the dense answer"),
    "training_overhead": (["--rows", "200", "--batch", "50", "--repeats", "1"], "noi"),
    "dataset_overhead": (["--rows", "200", "--batch", "50", "--repeats", "1"], "CCAL"),
    "memory_maps": (["--rows", "200", "--quick"], "score"),
    "transform_memory": (["--rows", "9000", "--only", "DeepCCA"], "DeepCCA"),
    "model_files": (["--quick", "--repeats", "1"], "CCALRanker(5)"),
    "import_time": (["--repeats", "1"], "ratio"),
    "mnist_halves_table": (
        ["--quick", "--epochs", "2", "--weight", "0.1", "0.01", "--batch", "500"],
        "k=8: weight 0.01 in place of 0.1 takes the sum from",
    ),
    "missing_cells": (
        ["--seeds", "1", "--share", "0.1", "--data", "body, blood", "exercises"],
        "iterative, one table",
    ),
    "missing_views": (["--seeds", "1", "--epochs", "1"], "regression"),
    "search_speed": (
        [
            *("--quick", "--case", "million", "--only"),
            *("exact", "bare", "exact, bank", "int8, codes on disk"),
        ],
        "x bare",
    ),
    "interval_coverage": (
        ["--sets", "2", "--penalised-sets", "2", "--resamples", "3", "--rows", "40"],
        "own interval: 0",
    ),
    "sparse_peers": (
        ["--quick", "--seeds", "1", "--sets", "1", "--columns", "10"],
        "path of 20",
    ),
    "sample_size": (
        ["--sets", "20", "--tolerance", "0.5", "--settings", "1"],
        "Furthest from 1",
    ),
    "permutation_power": (["--sets", "3", "--permutations", "9"], "stage-wise"),
    "covariates": (["--sets", "2", "--permutations", "9"], "one view"),
    "exchangeability": (["--sets", "2", "--permutations", "9"], "whole"),
    "frozen_spaces": (
        [*("--data", "made", "--pairs", "30", "--unpaired", "200", "--same")],
        "found of weight",
    ),
    "wide_pvalue": (
        ["--sets", "2", "--planted", "2", "--permutations", "3", "--features", "60"],
        "KS p",
    ),
    "deep_defaults": (["--quick", "--seeds", "1"], "200 rows of 20 and 15"),
    "serving": (["--quick"], "500 items of 64"),
    "crash": (["--quick"], "1 of 1 trainings identical"),
    "micro_batches": (
        [*("--rows", "60", "--micro", "20", "--hidden", "8", "--only", "tied")],
        "tied",
    ),
    "common_individual": (["--quick", "--seeds", "1"], "maps, uniform, common"),
    "joint_codes": (
        ["--quick", "--seeds", "1", "--data", "digits"],
        "Conflicts, %, and number of 90 pairs",
    ),
    "noisy_mnist": (["--quick", "--epochs", "2"], "DCCAE"),
    "single_cells": (["--quick", "--part", "anchors", "--seeds", "1"], "PCA of both"),
    "semantic_matching": (["--data", "digits", "--seeds", "1"], "SCM"),
    "semantic_labels": (
        ["--quick", "--seeds", "2", "--samples", "2"],
        "USE less LME, hp@5: ",
    ),
}


# One epoch is too short for a classifier of codes to converge.
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
@pytest.mark.parametrize("name", TINY)
def test_benchmark(name, capsys, monkeypatch):
    arguments, expected = TINY[name]
    if name in ("kernel_peers", "search_speed"):  # linear_peers starts processes
        monkeypatch.setattr(_peers, "in_fresh_process", in_this_process)
    load(name).main(arguments)
    out = capsys.readouterr().out
    assert expected in out
    assert "nan" not in out


def test_common_individual_of_halves(capsys):
    load("common_individual").main(["--quick", "--seeds", "2", "--mnist"])
    out = capsys.readouterr().out
    assert "k = 5 + 5" in out
    assert "nan" not in out


def test_shares_of_answers_in_conflict():
    joint_codes = load("joint_codes")
    labels = np.repeat(np.arange(10), 6)
    one_hot = np.eye(10)[labels]
    images = joint_codes.Halves(one_hot, one_hot, labels)

    class Larger:
        def predict(self, codes):
            return codes.argmax(axis=1)

    # The left half counts double, and 9 is answered where it is 4 and the right one 2.
    def both(left, right):
        return 2 * left + right + 9 * np.outer(left[:, 4] * right[:, 2], np.eye(10)[9])

    shares = joint_codes.answers(joint_codes.Code(both), Larger(), images, 5)
    row = joint_codes.conflicts(100, shares)
    np.testing.assert_allclose(row[1:], [100, 8900 / 90, 0, 100 / 90, 100 / 90, 1])
    assert joint_codes.largest_thirds(shares, 1) == [(4, 2, 9)]


def test_joint_codes_finds_planted_lags(capsys):
    load("joint_codes").main(["--quick", "--data", "sequences", "--sequences", "2"])
    lags, slips = capsys.readouterr().out.split("A slip of 5 steps")
    found = {line[:34].strip(): line[34:].split() for line in lags.splitlines()}
    assert found["mixed, noise 0.5, LinearCCA"] == ["100.0"] * 3
    assert "\nmixed, noise 2, LinearCCA" in slips


# A scheduler tries ports and leaves the sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize(
    ("part", "sizes", "expected"),
    [
        ("stream", ("4000", "200"), "off the one-shot answer"),
        ("dask", ("4000", "400"), "off NumPy's answer"),
    ],
)
def test_parts_of_linear_scale_in_this_process(
    part, sizes, expected, capsys, monkeypatch
):
    in_threads = partial(distributed.LocalCluster, processes=False)
    monkeypatch.setattr(distributed, "LocalCluster", in_threads)
    load("linear_scale").main(["--quick", "--measure", part, *sizes])
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("what", ["LinearCCA", "align", "align, anchors"])
def test_cost_of_single_cells_in_this_process(what, capsys):
    load("single_cells").main(["--measure", what, "100", "300", "32"])
    assert f"{what}: 100 genes x (300 + 300) cells" in capsys.readouterr().out


# One epoch is too short for the classifier of codes to converge.
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_transfer_halves(tmp_path, capsys):
    table, picture = tmp_path / "out" / "runs.csv", tmp_path / "out" / "halves.png"
    load("transfer_halves").main(
        [
            "--epochs",
            "1",
            "--seeds",
            "2",
            "--csv",
            str(table),
            "--picture",
            str(picture),
        ]
    )
    out = capsys.readouterr().out
    methods = ("single view", "LinearCCA", "KernelCCA", "CorrNet (paper)", "DeepCCA")
    for method in methods:
        assert f"\n{method} " in out
    assert "±" in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    header, *rows = csv.reader(table.read_text().splitlines())
    assert header[:3] == ["method", "seed", "pearson"]
    assert len(rows) == 1 + 5 * 2
    assert np.isfinite([[float(cell) for cell in row[2:]] for row in rows]).all()


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_transfer_halves_by_loss(capsys):
    load("transfer_halves").main(["--epochs", "1", "--losses", "--only", "L2+L3"])
    out = capsys.readouterr().out
    assert "\nL1+L2+L3-L4 " in out
    assert "\nL2+L3 " in out


@pytest.fixture
def captions(tmp_path):
    """Folder of made captions that share a word or two with their translations."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 300), ("val", 30), ("test", 40)):
        words = rng.integers(0, 200, (n, 4))
        for language in ("en", "de"):
            noise = rng.integers(0, 200, (n, 4))
            lines = [
                " ".join(f"{language}{word}" for word in row)
                for row in np.hstack([words, noise])
            ]
            path = tmp_path / f"{split}.{language}.txt"
            path.write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


# One or two epochs leave some nets no better than the mean.
@pytest.mark.filterwarnings("ignore::skcrl.exceptions.DegenerateFitWarning")
def test_hyperlinking(captions, capsys):
    table = captions / "runs.csv"
    load("hyperlinking").main(
        [
            *("--quick", "--seeds", "2", "--epochs", "1"),
            *("--folder", str(captions), "--csv", str(table)),
        ]
    )
    out = capsys.readouterr().out
    assert "300 targets" in out
    assert "multi30k: 40 anchors of test, 40 targets, 300 rows to learn from" in out
    assert "BiDNN, unit halves less AE 2: " in out
    assert "nan" not in out
    header, *rows = csv.reader(table.read_text().splitlines())
    assert header == ["data", "method", "seed", "epochs", "p10"]
    assert {len(row) for row in rows} == {5}
    # Four methods without a network, and ten with one.
    assert len(rows) == 2 * (4 + 10 * 2)
    shares = np.array([float(cell) for row in rows for cell in row[4:]])
    assert ((shares >= 0) & (shares <= 100)).all()


def test_hyperlinking_says_what_data_it_lacks(tmp_path, capsys):
    load("hyperlinking").main(["--data", "multi30k", "--folder", str(tmp_path)])
    assert "Skipped: there is no" in capsys.readouterr().out


def test_anchors_and_targets_of_hyperlinking():
    hyperlinking = load("hyperlinking")
    rng = np.random.default_rng(0)
    whole = tuple(rng.standard_normal((2, 200, 3)))
    X, y = hyperlinking.with_gaps(whole, hyperlinking.TARGET_GAPS, 0)
    gaps = np.isnan(X).all(axis=1), np.isnan(y).all(axis=1)
    assert [int(g.sum()) for g in gaps] == [10 + 1, 4 + 1]
    assert (gaps[0] & gaps[1]).sum() == 1
    own = np.eye(200, dtype=bool)
    search = hyperlinking.Search((X, y), (X, y), own, whole, whole)
    first = hyperlinking.only(search, 0)
    np.testing.assert_array_equal(first[:, 0], np.where(gaps[0], -1, np.arange(200)))
    assert hyperlinking.precision(first, own).mean() == 94.5
    (both,) = hyperlinking.combined(search, [0.5])
    there = ~(gaps[0] | gaps[1])
    np.testing.assert_array_equal(both[there, 0], np.flatnonzero(there))
    assert not (both == np.flatnonzero(gaps[0] & gaps[1])).any()
    table = 0.3 * hyperlinking.cosines(search, 0) + 0.7 * hyperlinking.cosines(
        search, 1
    )
    unit = [np.nan_to_num(v / np.linalg.norm(v, axis=1, keepdims=True)) for v in (X, y)]
    np.testing.assert_allclose(
        table, 0.3 * unit[0] @ unit[0].T + 0.7 * unit[1] @ unit[1].T, atol=1e-12
    )


def test_retrieval(captions, capsys):
    table, picture = captions / "runs.csv", captions / "correlations.png"
    arguments = ["--quick", "--seeds", "2", "--share", "100", "30"]
    arguments += ["--folder", str(captions), "--csv", str(table)]
    load("retrieval").main([*arguments, "--correlations", str(picture)])
    out = capsys.readouterr().out
    assert "300 training samples (100 %), 40 of test" in out
    assert "90 training samples (30 %), 40 of test" in out
    assert "CCALRanker, weighted less Learned, ranking: " in out
    assert "±" in out
    assert "nan" not in out
    assert picture.read_bytes()[:4] == b"\x89PNG"
    header, *rows = csv.reader(table.read_text().splitlines())
    assert header[:4] == ["share", "method", "seed", "en>de R@1"]
    # Of 16 rows, the 3 of LinearCCA are the same for both seeds on all pairs.
    assert len(rows) == (3 + 13 * 2) + 16 * 2
    values = {heading: [] for heading in header[3:]}
    for row in rows:
        for heading, cell in zip(header[3:], row[3:], strict=True):
            values[heading].append(float(cell))
    for way in ("en>de", "de>en"):
        recalls = np.array([values[f"{way} R@{k}"] for k in (1, 5, 10, 25)])
        assert (np.diff(recalls, axis=0) >= 0).all()
        assert (values[f"{way} MRR"] >= recalls[0]).all()
        assert (np.array(values[f"{way} MR"]) <= 40).all()


class WholeWords:
    """Tokenizer of the made captions: en12 is 12, de12 is 212."""

    def encode(self, text, add_special_tokens):
        assert not add_special_tokens
        of = {"en": 0, "de": 200}
        numbers = [of[word[:2]] + int(word[2:]) for word in text.split()]
        return SimpleNamespace(ids=numbers)


@pytest.fixture
def token_vectors(monkeypatch):
    """Frozen vectors of the words of the made captions: alike in both languages."""
    rng = np.random.default_rng(1)
    vectors = np.tile(rng.standard_normal((200, 8)), (2, 1)).astype(np.float32)
    monkeypatch.setattr(_captions, "frozen_tokens", lambda: (WholeWords(), vectors))
    return vectors


# One epoch leaves nets no better than the mean.
@pytest.mark.filterwarnings("ignore::skcrl.exceptions.DegenerateFitWarning")
def test_captions(captions, token_vectors, capsys):
    arguments = ["--quick", "--seeds", "2", "--folder", str(captions)]
    load("captions").main([*arguments, "--split", "val"])
    out = capsys.readouterr().out
    assert "300 pairs to learn from, 30 of val" in out
    assert "nan" not in out
    forth, back = (part.splitlines() for part in out.split("de>en"))
    rows = {line[:24].strip(): line[24:].split() for line in forth[2:]}
    assert [*rows] == [
        "linear",
        "linear, bank",
        "best one model",
        "best one model, bank",
    ]
    assert len(rows["linear"]) == 5
    assert "±" in rows["best one model"][1]
    assert len(back) == 5


def test_captions_says_what_it_lacks(captions, tmp_path_factory, monkeypatch, capsys):
    benchmark = load("captions")
    benchmark.main(["--folder", str(tmp_path_factory.mktemp("empty"))])
    assert "Skipped: there is no" in capsys.readouterr().out
    monkeypatch.setattr(_captions, "find_spec", lambda name: None)
    benchmark.main(["--folder", str(captions)])
    assert "Skipped: there are no frozen token vectors" in capsys.readouterr().out


def test_token_vectors_of_captions_are_added_up_by_tfidf(token_vectors):
    texts = ["en1 en2 en2", "en1 en3", "en1"]
    rows = _captions.TokenVectors().fit(texts).transform(texts)
    idf = 1 + np.log(4 / np.array([4, 2, 2]))  # of en1, en2, en3
    weights = np.array([[1, 1 + np.log(2), 0], [1, 0, 1], [1, 0, 0]]) * idf
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    np.testing.assert_allclose(rows, weights @ token_vectors[1:4], rtol=1e-6)


def test_ridge_whitening_of_captions_leaves_shares_of_variance():
    X = np.random.default_rng(0).standard_normal((50, 4)) * [1, 2, 3, 0]
    components = _captions.RidgeWhitening().fit(X).transform(X)
    of_columns = np.cov(X, rowvar=False)
    variances = np.linalg.eigvalsh(of_columns)
    ridge = of_columns.trace() / 4
    np.testing.assert_allclose(
        np.cov(components, rowvar=False),
        np.diag(variances / (variances + ridge)),
        atol=1e-6,
    )


def test_cosines_of_estimators_side_by_side_are_weighted_means():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 60, 5))
    y[:, 0] += X[:, 0]
    members = LinearCCA(2, reg=0.1), LinearCCA(3, reg=10.0)
    both = _captions.SideBySide([(members[0], 0, 3), (members[1], 1, 1)]).fit(X, y)
    first, second = (cca.fit(X, y) for cca in members)
    weighed = [codes * second.singular_values_ for codes in second.transform_pair(X, y)]
    expected = (
        3 * cosine_similarity(*first.transform_pair(X, y)) + cosine_similarity(*weighed)
    ) / 4
    codes = both.transform_pair(X, y)
    np.testing.assert_allclose(cosine_similarity(*codes), expected, atol=1e-12)


def test_figures_of_captions_are_those_of_ranks():
    x, y = np.random.default_rng(0).standard_normal((2, 12, 3))
    expected = []
    for cosines in (cosine_similarity(x, y), cosine_similarity(y, x)):
        ranks = 1 + (cosines > cosines.diagonal()[:, None]).sum(axis=1)
        expected += [100 * np.mean(ranks <= k) for k in (1, 5, 10)]
        expected += [np.median(ranks), 100 * np.mean(1 / ranks)]
    np.testing.assert_allclose(load("captions").figures((x, y)), expected)


def test_retrieval_says_what_data_it_lacks(tmp_path, capsys):
    load("retrieval").main(["--folder", str(tmp_path)])
    assert "Skipped: there is no" in capsys.readouterr().out


def test_retrieval_measures_find_twins():
    retrieval = load("retrieval")
    rng = np.random.default_rng(0)
    shared, rotation = rng.standard_normal((400, 3)), np.eye(3)[[2, 0, 1]]
    views = shared, shared @ rotation
    train, test = zip(*((v[:300], v[300:]) for v in views), strict=True)
    task = retrieval.Task(("a", "b"), train, test, {}, frozenset())
    cca = retrieval.LinearCCA(3)
    rows = retrieval.measure(task, "twins", cca)
    assert rows["twins"][:6] == (100, 100, 100, 100, 1, 100)
    correlations = retrieval.held_out_correlations(cca, train, test)
    np.testing.assert_allclose(correlations, 1, atol=1e-3)


@pytest.mark.parametrize("zero_shot", [False, True])
def test_retrieval_of_emoji(capsys, zero_shot):
    arguments = ["--data", "emoji", "--quick", "--only", "LinearCCA", "CCALRanker"]
    arguments += ["--zero-shot"] if zero_shot else ["--share", "10"]
    load("retrieval").main(arguments)
    out = capsys.readouterr().out
    assert "CCALRanker, weighted" in out
    assert ("20 other classes" if zero_shot else "370 of test") in out
    assert "nan" not in out


def test_retrieval_of_audio_by_sheet(capsys):
    names = ["oracle", "CCALRanker", "CCALRanker, shuffled pairs"]
    load("retrieval").main(["--data", "audio-sheet", "--quick", "--only", *names])
    out = capsys.readouterr().out
    assert "120 training samples (100 %), 60 of test; by chance MRR 7.8" in out
    oracles = [line.split() for line in out.splitlines() if line.startswith("oracle ")]
    assert [line[1:7] for line in oracles] == [
        ["100.0", "100.0", "100.0", "100.0", "1.0", "100.0"]
    ] * 2
    assert "CCALRanker, shuffled pairs" in out
    assert "nan" not in out


def test_retrieval_with_the_papers_nets(captions, capsys):
    retrieval = load("retrieval")
    arguments = ["--paper", "--quick", "--folder", str(captions)]
    retrieval.main([*arguments, "--only", "LinearCCA", "CCALRanker, both"])
    out = capsys.readouterr().out
    assert out.count("train R@1   train MRR") == 1
    assert "CCALRanker, both" in out
    assert "nan" not in out
    with pytest.raises(SystemExit):
        retrieval.main([*arguments, "--data", "emoji"])
    assert "--paper is of texts" in capsys.readouterr().err


def test_semantic_labels_of_digits(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SKCRL_DATA", str(tmp_path))
    arguments = ["--quick", "--seeds", "2", "--data", "mfeat", "--samples", "2"]
    load("semantic_labels").main([*arguments, "--only", "LME", "USE"])
    out = capsys.readouterr().out
    assert "load_digits of scikit-learn" in out
    assert "20 training samples of 10 classes in 2 groups, 7 attributes" in out
    assert "nan" not in out


def test_semantic_labels_prints_the_best_parameters(capsys):
    arguments = ["--quick", "--choose", "--samples", "2"]
    load("semantic_labels").main([*arguments, "--only", "LMTE"])
    *tried, best = capsys.readouterr().out.splitlines()
    values = [float(line.split("}: ")[1].split()[0]) for line in tried]
    chosen = best.split(": ", 1)[1].rstrip(",")
    assert f"# LMTE {chosen}: {max(values):.2f}" in tried[int(np.argmax(values))]


def test_semantic_labels_codes_lie_as_far_apart_as_classes_in_the_tree():
    parents = {"a": "x", "b": "x", "c": "y", "x": "z"}  # y and z are below the root
    task = Task(*[None] * 4, np.array(["a", "b", "c"]), parents, None)
    codes = ancestors(task)
    squares = ((codes[:, None] - codes) ** 2).sum(axis=2)
    np.testing.assert_array_equal(squares, [[0, 2, 5], [2, 0, 5], [5, 5, 0]])
