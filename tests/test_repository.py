"""What the files around the package say of it, and the first commands."""

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import skcrl
from skcrl._documentation import ADDRESS

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
)
PYTHONS = [
    classifier.rpartition(" ")[2]
    for classifier in PROJECT["classifiers"]
    if "Python :: 3." in classifier
]


# Neighbours of what was named before are named without their folder.
FOLDERS = (".", "skcrl", "skcrl/_views", "skcrl/deep", "tests/typing")


def test_the_map_of_the_house_names_what_is_there():
    drawn = CONTRIBUTING.split("```")[1]
    paths = [line.split()[0] for line in drawn.splitlines() if line[:1].strip()]
    paths += re.findall(r"`([\w./]+\.(?:py|rst|md|yml|txt|toml|cfg))`", CONTRIBUTING)
    assert len(paths) > 40
    missing = [
        path
        for path in paths
        if not any((ROOT / folder / path).exists() for folder in FOLDERS)
    ]
    assert missing == []


def test_the_map_of_the_house_shows_every_part_that_users_import():
    parts = {path.name for path in (ROOT / "skcrl").glob("[a-z]*")} - {"py.typed"}
    assert [name for name in parts if f"skcrl/{name}" not in CONTRIBUTING] == []


def test_the_worked_example_is_what_the_code_does():
    """The page shows code by these names; Sphinx alone would find one missing."""
    example = CONTRIBUTING.split("### An objective")[1].split("\n## ")[0]
    named = set(re.findall(r"`((?:test_)?[A-Za-z_]+)`", example))
    code = "".join(
        (ROOT / path).read_text("utf-8")
        for path in re.findall(r"`((?:skcrl|tests)/[\w/]+\.py)`", example)
    )
    assert {"trace_norm", "OBJECTIVES", "test_gradcheck"} <= named
    assert [name for name in named if not re.search(rf"\b{name}\b", code)] == []


def test_the_version_is_the_same_everywhere():
    assert CITATION["version"] == skcrl.__version__
    changes = (ROOT / "CHANGES.md").read_text("utf-8")
    newest = re.findall(r"^## \[(.+?)\]", changes, re.MULTILINE)[:2]
    assert newest == ["Unreleased", skcrl.__version__]


def test_the_address_is_the_same_everywhere():
    urls = PROJECT["urls"]
    assert CITATION["repository-code"] == urls["Source"]
    owner, name = urls["Source"].removeprefix("https://github.com/").split("/")
    # There the workflow docs publishes the manual.
    assert ADDRESS == urls["Documentation"] == f"https://{owner}.github.io/{name}/"


def test_workflows_run_every_python_that_is_promised():
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    jobs = WORKFLOWS["tests"]["jobs"]
    assert set(jobs) == {"locked", "lowest", "latest"}
    for job in jobs.values():
        assert job["strategy"]["matrix"]["python"] == PYTHONS
    elsewhere = jobs["latest"]["strategy"]["matrix"]["include"]
    assert {job["os"] for job in elsewhere} == {"macos-latest", "windows-latest"}
    assert {job["python"] for job in elsewhere} == {PYTHONS[-1]}


def test_pre_commit_runs_the_pinned_ruff():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (ruff,) = config["repos"]
    assert ruff["rev"] == f"v{PINS['ruff']}"


def test_what_workflows_and_notes_run_exists():
    recipes = (ROOT / "Makefile").read_text("utf-8")
    texts = [path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.yml")]
    texts += [CONTRIBUTING, (ROOT / "SECURITY.md").read_text("utf-8")]
    targets = {
        name
        for text in texts
        for name in re.findall(r"(?:`|run: )make ([a-z-]+)", text)
    }
    assert {"test", "test-lowest", "docs", "fuzz"} <= targets
    for name in targets:
        assert re.search(rf"^{name}:", recipes, re.MULTILINE), name
    files = {name for text in texts for name in re.findall(r"[.\w/]+/\w+\.py\b", text)}
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.fixture
def fresh_clone(tmp_path):
    """Makefile in a folder with commands that note their arguments and do nothing."""
    if os.name != "posix" or shutil.which("make") is None:
        pytest.skip("the commands need make and a POSIX shell")
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "commands").mkdir()

    def command(path, script):
        path = tmp_path / path
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def install(system="Linux", gpu=False, installed="pip==1.0", index=0):
        """Lines that pip was called with, but for those that ask what is there."""
        command(
            ".venv/bin/pip",
            f'test "$1" = list && echo "{installed}" && exit\necho "$@" >> called\n'
            f'case "$*" in *index-url*) exit {index};; esac',
        )
        command("commands/uname", f"echo {system}")
        if gpu:
            command("commands/nvidia-smi", "true")
        folders = f"{tmp_path / 'commands'}:/usr/bin:/bin"
        run = subprocess.run(
            ["make", ".venv/installed-plot"],
            cwd=tmp_path,
            env={**os.environ, "PATH": folders},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        called = tmp_path / "called"
        lines = called.read_text("utf-8").splitlines() if called.exists() else []
        called.unlink(missing_ok=True)
        return lines

    return install


CPU = "--index-url https://download.pytorch.org/whl/cpu"


@pytest.mark.parametrize("index", [0, 1])
def test_a_fresh_clone_tries_once_for_the_small_torch_and_goes_on(fresh_clone, index):
    first, second = fresh_clone(index=index)
    assert first.endswith(f"{CPU} torch=={PINS['torch']}")
    assert "--retries 0 --timeout 15" in first
    assert "index-url" not in second
    assert second.endswith("--constraint constraints.txt --editable .[plot]")
    assert fresh_clone(index=index) == []


@pytest.mark.parametrize(
    "case",
    [
        {"system": "Darwin"},
        {"gpu": True},
        {"installed": f"torch=={PINS['torch']}+cpu"},
        {"installed": f"torch=={PINS['torch']}"},
    ],
)
def test_torch_is_left_to_pip_where_the_small_one_has_no_use(fresh_clone, case):
    (only,) = fresh_clone(**case)
    assert "index-url" not in only


def _check_packages():
    path = ROOT / ".ci" / "check_packages.py"
    spec = importlib.util.spec_from_file_location("check_packages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_wheel_without_a_licence_or_with_tests_is_found(tmp_path):
    check = _check_packages()
    path, info = tmp_path / "skcrl-1-py3-none-any.whl", "skcrl-1.dist-info"
    licenses = sorted(check.LICENSES)
    metadata = "".join(f"License-File: {name}\n" for name in licenses)
    names = sorted(check.package_files())
    names += [f"{info}/licenses/{name}" for name in licenses]

    def problems(names, metadata=metadata):
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{info}/METADATA", metadata)
            for name in names:
                wheel.writestr(name, "")
        return check.wheel_problems(path)

    assert problems(names) == []
    for name in ("skcrl/py.typed", "skcrl/datasets/data/emoji/images.npz"):
        assert problems([n for n in names if n != name]) == [f"{name} is missing"]
    assert problems(names[:-1]) == [f"no licence {licenses[-1]}"]
    assert problems([*names, "tests/a.py"]) == ["tests/a.py does not belong"]
    assert "License-File" in problems(names, "License-File: LICENSE\n")[0]
