"""Sphinx configuration."""

from skcrl import __version__

project = "skcrl"
author = "the skcrl developers"
copyright = f"2026, {author}"
release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
# Links to sections, as guide.md#missing-cells, which repository pages make, too.
myst_heading_anchors = 3
html_theme = "alabaster"
# Docstrings tell more of a parameter than its type.
autodoc_typehints = "none"
numpydoc_show_class_members = True
numpydoc_class_members_toctree = False
# Inherited docstrings refer to labels of scikit-learn's own manual.
suppress_warnings = ["ref.ref"]
