"""What holds of the package as a whole."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from sklearn.utils._param_validation import StrOptions

import skcrl
import skcrl.datasets
import skcrl.deep.losses
import skcrl.deep.modules
import skcrl.exceptions
import skcrl.metrics
import skcrl.plotting
import skcrl.singlecell

ROOT = Path(__file__).parents[1]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (
        skcrl,
        skcrl.datasets,
        skcrl.deep.losses,
        skcrl.exceptions,
        skcrl.inspection,
        skcrl.metrics,
        skcrl.plotting,
        skcrl.singlecell,
    )
    for name in module.__all__
}


# Each line is run in turn, where these packages cannot be imported.
LEAN = """
import skcrl
assert skcrl.metrics.__name__ + skcrl.datasets.__name__ == "skcrl.metricsskcrl.datasets"
from skcrl import LinearCCA, CrossViewClassifier, TwoView, transfer_score
from skcrl import CrossViewRetriever
import skcrl.metrics, skcrl.datasets, skcrl.inspection, skcrl.singlecell
from sklearn.datasets import load_linnerud
X, y = load_linnerud(return_X_y=True)
assert round(LinearCCA(1, reg=0).fit(X, y).score(X, y), 4) == 0.7956
"""
WATCHED = f"""
import sys
class Blocker:
    def find_spec(self, name, *args):
        if name.split(".")[0] in ("torch", "skorch", "dask", "distributed", "anndata"):
            sought.append(name)
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
for line in {LEAN.split(chr(10))!r}:
    sought = []
    exec(line)
    assert not sought, (line, sought)
"""


def test_what_is_linear_imports_no_torch_and_no_dask():
    run = subprocess.run(
        [sys.executable, "-c", WATCHED], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'CCA'"):
        skcrl.CCA  # noqa: B018
    assert set(skcrl.__all__) <= set(dir(skcrl))


def test_type_checkers_see_every_public_name():
    """They do not run ``__getattr__``; `make test` has them check these files."""
    assert set(skcrl.__all__) == set(skcrl._HOMES)
    use = (ROOT / "tests" / "typing" / "typical_use.py").read_text()
    assert [name for name in skcrl.__all__ if name not in use] == []
    assert (ROOT / "skcrl" / "py.typed").exists()


def public_functions():
    """Public functions, constructors and public methods that skcrl wrote."""
    more = {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in (skcrl.base, skcrl.deep.modules)
        for name in module.__all__
    }
    for name, public in {**PUBLIC, **more}.items():
        if inspect.isfunction(public):
            yield name, public
        for key, method in vars(public).items() if inspect.isclass(public) else ():
            method = inspect.unwrap(getattr(method, "__func__", method))
            is_public = not key.startswith("_") or key == "__init__"
            if (
                is_public
                and inspect.isfunction(method)
                and "skcrl" in method.__module__
            ):
                yield f"{name}.{key}", method


def test_public_signatures_are_annotated():
    functions = dict(public_functions())
    assert len(functions) > 150
    for name, function in functions.items():
        signature = inspect.signature(function)
        types = [
            p.annotation
            for p in signature.parameters.values()
            if p.name not in ("self", "cls")
        ]
        if not name.endswith("__init__"):
            types.append(signature.return_annotation)
        assert inspect.Signature.empty not in types, name


def literals(hint):
    """Strings of the Literals in a type."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return set().union(*map(literals, get_args(hint)))


def test_options_are_typed_as_they_are_checked():
    n_options = 0
    for name in skcrl.__all__:
        constraints = getattr(getattr(skcrl, name), "_parameter_constraints", {})
        hints = get_type_hints(getattr(skcrl, name).__init__) if constraints else {}
        for parameter, allowed in constraints.items():
            if typed := literals(hints[parameter]):
                checked = [a.options for a in allowed if isinstance(a, StrOptions)]
                assert typed == set().union(*checked), (name, parameter)
                n_options += 1
    assert n_options > 25


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented_with_an_example(name):
    doc = inspect.getdoc(PUBLIC[name])
    assert "Examples\n--------" in doc
    assert ">>> " in doc
    if inspect.isfunction(PUBLIC[name]):
        assert "Returns\n-------" in doc


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_a_docs_page(name):
    assert f"{name}\n" in (ROOT / "docs" / "api.rst").read_text()


@pytest.mark.parametrize(
    "name",  # warnings are made by skcrl alone, and have a message for a parameter
    [name for name in PUBLIC if not name.startswith("skcrl.exceptions.")],
)
def test_parameters_are_all_documented(name):
    obj = PUBLIC[name]
    doc = inspect.getdoc(obj)
    for parameter in inspect.signature(obj).parameters:
        listed = f"{parameter} :" in doc or f"{parameter}, " in doc
        assert listed or f", {parameter} :" in doc, parameter


def test_readme_opens_with_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert readme.index("make demo") < readme.index("make test") < readme.index("##")
    ci = (ROOT / ".ci" / "run").read_text().split()
    assert ci[-2:] == ["make", "test"]


SOURCES = (ROOT / "docs" / "sources.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "bidirectional-tied-weights",
        "cca-layer-retrieval",
        "deep-corrnet",
        "lecture-coordinated-representations",
        "muc2m-common-individual",
    ],
)
def test_every_source_has_its_tables_on_one_page(name):
    section = SOURCES.split(f"`{name}.txt`", 1)[1].split("\n## ", 1)[0]
    assert "| table or claim | command | what came out | status |" in section


def test_commands_of_the_page_on_sources_exist():
    scripts = set(re.findall(r"benchmarks/\w+\.py", SOURCES))
    assert len(scripts) > 4
    tests = set(re.findall(r"tests/\w+/\w+\.py", SOURCES))
    assert [path for path in scripts | tests if not (ROOT / path).exists()] == []
