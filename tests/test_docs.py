"""What the manual owes to every public name, and what its pages owe to readers."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import skcrl

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = set(
    re.findall(r"^   (skcrl\.[\w.]+)$", (DOCS / "api.rst").read_text("utf-8"), re.M)
)
GUIDE = "\n".join(
    path.read_text("utf-8") for path in [*DOCS.glob("*.md"), *DOCS.glob("guide/*.md")]
)
GALLERY = "\n".join(
    path.read_text("utf-8") for path in (ROOT / "examples").glob("plot_*.py")
)
# Whoever looks for one of these looks at pictures first.
IN_GALLERY = ("skcrl", "skcrl.inspection", "skcrl.plotting")
# What others derive from has nothing to show without them.
WITHOUT_EXAMPLE = ("skcrl.base.TwoViewTransformer", "skcrl.deep.modules.ComparedOutput")
# Estimators are public under skcrl, and these packages are where they live.
HOMES = {
    f"skcrl.{name}"
    for name in (
        "compose",
        "deep",
        "kernel",
        "labels",
        "linear",
        "matching",
        "persistence",
        "transfer",
    )
}


def public_names():
    """Names in the ``__all__`` of each public module, by the module that offers them.

    Of ``skcrl.deep.modules`` those with a page alone: the others are what estimators
    are made of.
    """
    modules = ["skcrl"] + [
        module.name
        for module in pkgutil.walk_packages(skcrl.__path__, "skcrl.")
        if "._" not in module.name and module.name not in HOMES
    ]
    for module in modules:
        for name in getattr(importlib.import_module(module), "__all__", ()):
            lives_here = module == "skcrl" or f"skcrl.{name}" not in API
            is_part = module == "skcrl.deep.modules" and f"{module}.{name}" not in API
            if lives_here and not is_part:
                yield module, name


NAMES = sorted(set(public_names()))


def mentioned(name, text):
    """Whether a text has the name in backticks, or uses it."""
    return re.search(rf"`[\w.]*\b{name}`|\b{name}[(.,]", text) is not None


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_docs_coverage(module, name):
    assert f"{module}.{name}" in API, "add it to docs/api.rst"
    doc = inspect.getdoc(getattr(importlib.import_module(module), name))
    if f"{module}.{name}" not in WITHOUT_EXAMPLE:
        assert ">>> " in doc, "its docstring needs an example"
    if module in IN_GALLERY:
        assert mentioned(name, GALLERY), "no example of the gallery has it"
    else:
        assert mentioned(name, GUIDE + GALLERY), "neither guide nor gallery has it"


def test_no_page_of_the_api_is_of_a_name_that_is_gone():
    for full in API:
        module, name = full.rsplit(".", 1)
        assert hasattr(importlib.import_module(module), name), full


def test_every_chapter_is_in_the_list_of_the_guide():
    contents = (DOCS / "guide.md").read_text("utf-8")
    for path in DOCS.glob("guide/*.md"):
        assert f"](guide/{path.name})" in contents, path.name
        assert f"\nguide/{path.stem}\n" in contents, path.name


@pytest.mark.parametrize("page", sorted(DOCS.rglob("guide/*.md")), ids=lambda p: p.stem)
def test_pictures_of_the_guide_are_drawn_by_an_example(page):
    for example in re.findall(
        r"sphx_glr_(plot_\w+)_\d{3}\.png", page.read_text("utf-8")
    ):
        assert (ROOT / "examples" / f"{example}.py").exists(), example
