"""Results on disk: one run, one JSON file, which says all that the run depended on.

A result holds while these are what they were: its parameters, its data, the versions of
the packages that it used, and the code of skcrl and of this folder that it imported.
Of the code of skcrl, docstrings, comments, sentences and its version do not count, so
that a result outlives an edit of prose and a release. The names of the
imported files are in a list beside, which many results share.
"""

import ast
import hashlib
import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "cca_zoo": "cca-zoo",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "skorch": "skorch",
    "torch": "torch",
}
# These choose what is run and write it down. What they choose is in the parameters.
NOT_COUNTED = {
    f"benchmarks/{name}.py"
    for name in (
        "_book_methods",
        "_book_tasks",
        "_documents",
        "_fresh_process",
        "_pages",
        "_record_rows",
        "_record_table",
        "_store",
        "_tables",
        "records",
        "results_book",
    )
}


class Store:
    """A folder of results."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, name):
        """File of the result of this name, such as "grid/digits halves/LinearCCA 0"."""
        return self.folder / f"{name.replace(',', '').replace(' ', '-')}.json"

    def read(self, name):
        """The result, or None."""
        path = self.path(name)
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def write(self, name, result, files):
        """Keep a result, and the names of the files that it imported."""
        listed = f"code/{digest_of(files)[:12]}"
        code = {"digest": code_digest(files), "files": listed}
        self._dump(self.path(listed), files)
        self._dump(self.path(name), {"name": name, **result, "code": code})

    def prune(self):
        """Remove the lists of files that no result names any more."""
        paths = [p for p in self.folder.rglob("*/*.json") if p.parent.name != "code"]
        results = [json.loads(path.read_text("utf-8")) for path in paths]
        named = {self.path(result["code"]["files"]) for result in results}
        for path in set(self.folder.glob("code/*.json")) - named:
            path.unlink()

    def _dump(self, path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(text + "\n", "utf-8")
        unfinished.replace(path)

    def holds(self, name, parameters, data):
        """Whether the result is there, and nothing that it depended on has changed.

        A package that is not installed has not changed.
        """
        result = self.read(name)
        if result is None:
            return False
        files = json.loads(self.path(result["code"]["files"]).read_text("utf-8"))
        # Of skcrl the code is compared, which a release need not change.
        used = {p: old for p, old in result["versions"].items() if p != "skcrl"}
        now = versions(used)
        return (
            result["parameters"] == json.loads(json.dumps(parameters))
            and result["data"] == data
            and all(now[key] in (None, old) for key, old in used.items())
            and result["code"]["digest"] == code_digest(files)
        )


def imported_files():
    """Names of the files of skcrl and of this folder that this process imported."""
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and Path(file).is_relative_to(ROOT):
            found.add(Path(file).relative_to(ROOT).as_posix())
    folders = ("skcrl/", "benchmarks/")
    return sorted(f for f in found - NOT_COUNTED if f.startswith(folders))


def imported_versions():
    """Versions of Python, skcrl and the packages that this process imported."""
    return versions(
        ["python", "skcrl", *(p for m, p in PACKAGES.items() if m in sys.modules)]
    )


def leave_note(folder):
    """Write into a folder what this process imported, and its CPU seconds."""
    note = {
        "cpu": sum(os.times()[:4]),  # with the processes that it has waited for
        "files": imported_files(),
        "versions": imported_versions(),
    }
    (Path(folder) / f"{os.getpid()}.json").write_text(json.dumps(note))


def versions(packages):
    """Version of each package as it is installed now, None where it is not."""
    found = {}
    for name in packages:
        if name == "python":
            found[name] = platform.python_version()
        elif name == "skcrl":
            from skcrl import __version__

            found[name] = __version__
        else:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = None
    return found


def code_digest(files):
    """Digest of what the files do; a file that is gone counts as empty."""
    return digest_of([_behaviour(ROOT / file) for file in files])


@cache
def _behaviour(path):
    """A file's syntax tree in text, without what only people read."""
    if not path.exists():
        return ""
    tree = _WithoutProse().visit(ast.parse(path.read_text("utf-8")))
    if path.is_relative_to(ROOT / "skcrl"):
        tree = _WithoutSentences().visit(tree)
    return ast.dump(tree)


class _WithoutProse(ast.NodeTransformer):
    """Takes out docstrings, the words of errors and warnings, and the version."""

    def visit_Assign(self, node):
        """Drop the version of skcrl, which is all that some releases change."""
        names = [getattr(target, "id", "") for target in node.targets]
        return None if names == ["__version__"] else self.generic_visit(node)

    def visit_Expr(self, node):
        """Drop a text that stands alone."""
        text = isinstance(node.value, ast.Constant) and isinstance(
            node.value.value, str
        )
        return None if text else self.generic_visit(node)

    def visit_Call(self, node):
        """Keep that there is a warning, and not its words."""
        if getattr(node.func, "attr", getattr(node.func, "id", "")) == "warn":
            node.args = node.args[1:]
        return self.generic_visit(node)

    def visit_Raise(self, node):
        """Keep which error is raised, and not its words."""
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node


class _WithoutSentences(ast.NodeTransformer):
    """Takes out texts of four words and more, which only people read."""

    def visit_Constant(self, node):
        """Empty a sentence, or a part of one."""
        if isinstance(node.value, str) and len(node.value.split()) > 3:
            node.value = ""
        return node


def digest_of(value):
    """Of plain data: a hexadecimal digest that depends on nothing else."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def array_digest(arrays):
    """Digest of arrays, by name: their numbers, types and shapes."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def file_digests(paths):
    """Digest of each data file in $SKCRL_DATA, None where it is not there."""
    folder = Path(os.environ.get("SKCRL_DATA", "."))
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if (folder / name).exists()
        else None
        for name in paths
    }


def where():
    """The commit and the machine that a result comes from."""
    model = platform.processor()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        lines = cpus.read_text().splitlines()
        models = [
            line.partition(":")[2].strip()
            for line in lines
            if line.startswith("model name")
        ]
        model = models[0] if models else model
    return {
        "commit": commit(),
        "machine": {"cores": os.cpu_count(), "cpu": model, "threads": 1},
    }


@cache
def commit():
    """The commit that is checked out, with a word where its code was changed."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--", "skcrl", "benchmarks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return None  # an unpacked archive
    return f"{name} with changes" if changed else name


def _git(*arguments):
    run = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(
        run, capture_output=True, text=True, check=True
    ).stdout.strip()
