"""The results book: what is stored, what is run again, and what documents show."""

import json
import re
import shutil

import _book_measures
import _documents
import _pages
import _store
import numpy as np
import pytest
import records
import results_book
from _book_methods import METHODS
from _book_tasks import TASKS, divided
from _documents import faults, rewrite_documents
from _record_table import record_table
from _store import ROOT, Store
from _tables import TABLES, Table

from skcrl import LinearCCA

STORE = Store(ROOT / "benchmarks" / "results")


def test_documents_show_what_results_hold():
    assert list(faults(STORE, ROOT)) == []


def test_pages_are_what_results_make_of_them():
    folder = ROOT / "docs" / "results"
    written = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    assert written == _pages.pages(STORE)


@pytest.fixture
def documents(tmp_path):
    """A copy of the documents that are checked."""
    for path in _documents.documents(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def test_a_figure_changed_by_hand_is_found(documents):
    n_tables = 0
    for path in _documents.documents(documents):
        text = path.read_text("utf-8")
        lines = text.split("\n")
        for block in filter(_documents.holds_figures, _documents.blocks(lines)):
            row = next(i for i in range(block.end - 1, 0, -1) if "." in lines[i])
            at = lines[row].index(".") + 1
            digit = str((int(lines[row][at]) + 1) % 10) if lines[row][at:] else "1"
            changed = [*lines]
            changed[row] = lines[row][:at] + digit + lines[row][at + 1 :]
            path.write_text("\n".join(changed), "utf-8")
            (fault,) = faults(STORE, documents)
            assert f"{path.name}, line {block.start + 1}: " in fault
            n_tables += 1
        path.write_text(text, "utf-8")
    assert n_tables > 20


def test_a_figure_of_the_sources_changed_by_hand_is_found(documents):
    page = documents / "docs" / "sources.md"
    text = (ROOT / "docs" / "sources.md").read_text("utf-8")
    page.write_text(text.replace("49.14", "49.24"), "utf-8")
    found = list(faults(STORE, documents))
    assert len(found) == text.count("49.14") > 0
    assert all("49.24 is not in the result" in fault for fault in found)
    page.write_text(re.sub(r"(\d\.\d+)", r"12345\1", text), "utf-8")
    assert len(list(faults(STORE, documents))) > 60


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("\nIt finds 93.1 of 100.\n", "93.1 stands in a sentence"),
        ("\nIt takes 40 seconds.\n", "40 seconds stands in a sentence"),
        (
            "\n    LinearCCA   0.5  12\n    DeepCCA     0.7  13\n",
            "a table of figures without a result above it",
        ),
        (
            "\n<!-- result: nothing -->\n\n| 0.5 | 12 |\n|---|---|\n| 0.7 | 13 |\n",
            "there is no table 'nothing' in _tables.py",
        ),
    ],
)
def test_figures_that_no_result_holds_are_found(added, expected, documents):
    guide = documents / "docs" / "guide.md"
    guide.write_text(guide.read_text("utf-8") + added, "utf-8")
    (fault,) = faults(STORE, documents)
    assert fault.startswith("guide.md, line ")
    assert fault.endswith(expected)


def test_settings_and_code_are_no_figures(documents):
    guide = documents / "docs" / "guide.md"
    added = (
        "\nTake `reg=0.1`, Python 3.11 and scikit-learn 1.8.0.\n\n```python\n0.5\n```\n"
    )
    guide.write_text(guide.read_text("utf-8") + added, "utf-8")
    assert list(faults(STORE, documents)) == []


@pytest.fixture
def in_this_process(monkeypatch):
    """Let plans be made here: a process of its own is slow to start."""

    def plan(script, *arguments):
        args = results_book.parse(map(str, arguments))
        return json.dumps(results_book.plan(args.tasks, args.methods, args.seeds))

    monkeypatch.setattr(results_book, "in_fresh_process", plan)


def test_a_tiny_grid(tmp_path, in_this_process, capsys):
    chosen = [
        "--tables",
        "--tasks",
        "exercises",
        "--methods",
        "LinearCCA",
        "--seeds",
        "1",
    ]
    arguments = [*chosen, "--root", str(tmp_path)]
    results_book.main(arguments)
    assert "grid/exercises/LinearCCA 1: done" in capsys.readouterr().out
    path = tmp_path / "benchmarks/results/grid/exercises/LinearCCA-1.json"
    result = json.loads(path.read_text("utf-8"))

    data = TASKS["exercises"].make(1)
    codes = LinearCCA(1).fit(*data.train).transform_pair(*data.test)
    expected = np.corrcoef(*np.squeeze(codes))[0, 1]
    np.testing.assert_allclose(result["measures"]["pearson_sum"], expected)
    assert result["versions"]["skcrl"]
    assert "torch" not in result["versions"]
    files = Store(path.parents[2]).path(result["code"]["files"]).read_text("utf-8")
    assert "skcrl/linear/_linear_cca.py" in files
    assert "skcrl/deep" not in files
    assert str(ROOT) not in path.read_text("utf-8")

    results_book.main(arguments)
    assert "missing" not in capsys.readouterr().out
    results_book.main([*arguments[:-3], "1", "2", "--missing", *arguments[-2:]])
    assert capsys.readouterr().out == "missing: grid/exercises/LinearCCA 2\n"


def test_what_fails_is_a_result(tmp_path, monkeypatch):
    def fails(k, seed, data):
        raise ValueError(f"{ROOT}/skcrl cannot\nand so on")

    monkeypatch.setitem(METHODS, "LinearCCA", METHODS["LinearCCA"]._replace(make=fails))
    found = results_book.measured("exercises", "LinearCCA", "0")
    assert found["failed"] == "ValueError: ./skcrl cannot"

    store = Store(tmp_path)
    run = {"task": "exercises", "method": "LinearCCA", "data": "of rows"}
    run["parameters"] = {"seed": 0, "limit": 0.01}
    line = results_book.run_one(store, "grid/exercises/LinearCCA 0", run)
    assert "took longer than 0.01 s" in line
    assert store.read("grid/exercises/LinearCCA 0")["failed"].startswith("took longer")


def test_a_result_holds_until_something_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "ROOT", tmp_path)
    code = tmp_path / "skcrl" / "code.py"
    code.parent.mkdir()
    behaviour = _store._behaviour.__wrapped__
    monkeypatch.setattr(_store, "_behaviour", behaviour)

    def write(words, number):
        code.write_text(
            f'__version__ = "{words}"\n'
            f'def f(x):\n    """{words}"""\n    # {words}\n    if not x:\n'
            f'        raise ValueError("{words}")\n    return x + {number}\n'
            f'def g():\n    return "{words} A sentence that is read."\n'
        )

    write("Once.", 1)
    store = Store(tmp_path / "results")
    used = _store.versions(["numpy", "no-such-package"])
    used |= {"no-such-package": "1.0", "skcrl": "0.0.1"}
    store.write(
        "a b, c",
        {"parameters": {"k": 1}, "data": "d", "versions": used},
        ["skcrl/code.py"],
    )
    assert [path.name for path in store.folder.glob("*.json")] == ["a-b-c.json"]
    assert store.holds("a b, c", {"k": 1}, "d")
    write("In other words.", 1)
    assert store.holds("a b, c", {"k": 1}, "d")
    assert not store.holds("a b, c", {"k": 2}, "d")
    assert not store.holds("a b, c", {"k": 1}, "other")
    write("Once.", 2)
    assert not store.holds("a b, c", {"k": 1}, "d")
    write("Once.", 1)
    used["numpy"] = "0.1"
    store.write(
        "a b, c",
        {"parameters": {"k": 1}, "data": "d", "versions": used},
        ["skcrl/code.py"],
    )
    assert not store.holds("a b, c", {"k": 1}, "d")


def test_lists_of_files_go_with_their_results(tmp_path):
    store = Store(tmp_path)
    result = {"parameters": {}, "data": "d", "versions": {}}
    store.write("tables/one", result, ["skcrl/base.py"])
    store.write("tables/one", result, ["skcrl/metrics/__init__.py"])
    assert len(list(tmp_path.glob("code/*.json"))) == 2
    store.prune()
    (path,) = tmp_path.glob("code/*.json")
    assert json.loads(path.read_text()) == ["skcrl/metrics/__init__.py"]


def test_every_measure_on_views_that_are_alike():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((600, 3))
    labels = np.argmax(Z, axis=1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    data = divided(300, Z, Z @ turn, labels, seed=0)
    data = data._replace(truth=(data.train[0], data.test[0]))
    task = TASKS["exercises"]._replace(n_components=3, search=True)
    found, cannot = _book_measures.measure(METHODS["LinearCCA"], task, data, 0)
    assert cannot == {}
    assert found.keys() == _pages.MEASURES.keys()
    for name in ("canonical_total", "pearson_sum", "effective_rank"):
        np.testing.assert_allclose(found[name], 3, atol=0.02)
    for name in ("mrr", "recovery"):
        np.testing.assert_allclose(found[name], 1, atol=1e-3)
    assert found["accuracy"] > 0.9
    np.testing.assert_allclose([found["error_x"], found["error_y"]], 0, atol=1e-3)


def test_only_methods_that_take_gaps_see_them():
    data = TASKS["missing views"].make(0)
    X, y = data.train
    assert (np.isnan(X).any(axis=1) | np.isnan(y).any(axis=1)).sum() == 400
    assert len(_book_measures.rows_for(METHODS["CorrNet"], data)[0]) == 500
    rows = _book_measures.rows_for(METHODS["LinearCCA"], data)
    assert [len(view) for view in rows] == [100, 100]
    assert all(np.isfinite(view).all() for view in rows)


def test_a_page_has_means_spreads_ranks_and_failures(tmp_path, monkeypatch):
    methods = {name: METHODS[name] for name in ("LinearCCA", "CorrNet", "DeepCCA")}
    monkeypatch.setattr(_pages, "METHODS", methods)
    store = Store(tmp_path)
    totals = {"LinearCCA": [0.5, 0.6, 0.7], "CorrNet": [0.9, 0.9, 0.9]}
    for name in methods:
        for seed in range(3):
            what = {"failed": "ValueError: too few rows"}
            if name in totals:
                measures = {"canonical_total": totals[name][seed], "fit_seconds": 1.0}
                what = {"measures": measures}
            what |= {
                "versions": {"numpy": f"2.{seed % 2}"},
                "commit": None if seed else "abc",
                "seconds": {"wall": 60},
            }
            what |= {"parameters": {"estimator": f"{name}(\n  3)"}, "data": "d"}
            what |= {"machine": {"cpu": "a CPU" if seed else "another"}}
            store.write(_pages.grid_name("exercises", name, seed), what, [])
    written = _pages.pages(store)
    assert [*written] == ["index.md", "exercises.md"]
    page = written["exercises.md"]
    assert "\n    LinearCCA                   0.600 ±0.100       1.00\n" in page
    assert page.index("    CorrNet ") < page.index("    LinearCCA ")
    assert (
        '- DeepCCA (3 of 3 seeds): failed with the words "ValueError: too few' in page
    )
    assert (
        "took 9 minutes, on one thread each of a CPU, another. "
        "Commit abc, unknown; numpy 2.0, numpy 2.1.\n" in page
    )
    ranks = [
        line.split() for line in written["index.md"].splitlines() if "   1.0 " in line
    ]
    assert ranks == [["CorrNet", "1.0", "1"]]
    assert "\n- DeepCCA: `DeepCCA( 3)`\n" in written["index.md"]
    assert "every method and seed: body and blood, " in written["index.md"]
    store.path("grid/exercises/DeepCCA 2").unlink()
    assert [*_pages.pages(store)] == ["index.md"]


def test_a_table_is_run_and_written_into_its_document(documents, monkeypatch):
    command = "linear_peers --quick --case 'wide twin' --only LinearCCA"
    table = Table("demo", 1, (command,))
    monkeypatch.setitem(TABLES, "demo", table)
    store = Store(documents / "benchmarks" / "results")
    shutil.copytree(STORE.folder, store.folder)
    page = documents / "docs" / "numbers.md"
    text = page.read_text("utf-8")
    assert results_book.run_table(store, "demo").startswith("demo: done")
    assert "numbers.md, line" in next(faults(store, documents))
    rewrite_documents(store, documents)
    assert list(faults(store, documents)) == []
    result = store.read("tables/demo")
    files = store.path(result["code"]["files"]).read_text("utf-8")
    assert "skcrl/linear/_by_gram.py" in files  # which a process of the script imports
    assert "skcrl/deep" not in files
    output = result["output"]
    expected = "\n".join(f"    {line}".rstrip() for line in output)
    assert expected in page.read_text("utf-8")
    assert page.read_text("utf-8") != text


def test_a_record_is_run_once_and_comes_into_the_table(tmp_path, monkeypatch):
    def here(script, flag, *arguments):
        return json.dumps(records.measured(*arguments))

    monkeypatch.setattr(records, "in_fresh_process", here)
    store = Store(tmp_path)
    assert record_table(store, "halves") == record_table(store, "latents") == []
    for expected in (": done, ", ": is there"):
        for seed in (0, 1):
            line = records.run(store, "LinearCCA, latents", seed, "test")
            assert line.startswith(f"records/test/LinearCCA, latents {seed}{expected}")
    titles, means, worst = record_table(store, "latents")
    assert titles.split()[:3] == ["latents", "r2", "of"]
    kept = [
        store.read(f"records/test/LinearCCA, latents {seed}")["measures"]["r2 of x"]
        for seed in (0, 1)
    ]
    assert f" {np.mean(kept):.4f} ±" in means
    assert f" {min(kept):.4f} " in worst


def test_published_figures_stand_below_records_of_test_images_alone(tmp_path):
    *_, last = record_table(STORE, "halves")
    assert last.split() == "published: dynamic scaling (2022) 47.49 - - - - -".split()
    store = Store(tmp_path)
    result = STORE.read("records/test/LinearCCA, k=50 0")
    store.write("records/validation/LinearCCA, k=50 0", result, [])
    _, row = record_table(store, "halves", "validation")
    assert row.startswith("LinearCCA, k=50 ")


def test_a_script_that_lacks_its_data_leaves_no_result(tmp_path, monkeypatch):
    command = f"captions --only linear --folder {tmp_path / 'none'}"
    table = Table("captions-linear", 1, (command,))
    monkeypatch.setitem(TABLES, "captions-linear", table)
    store = Store(tmp_path)
    said = results_book.run_table(store, "captions-linear")
    assert said.startswith("captions-linear: Skipped: there is no ")
    assert store.read(table.result) is None
