"""Sphinx configuration."""

import sys
from pathlib import Path
from urllib.request import urlopen

from skcrl import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skcrl"
author = "the skcrl developers"
copyright = f"2026, {author}"
release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "public_names",
]
exclude_patterns = ["_build"]
default_role = "literal"
templates_path = ["_templates"]
# Inherited docstrings refer to labels and terms of scikit-learn's own manual.
suppress_warnings = ["ref.ref", "ref.term"]

myst_enable_extensions = ["attrs_block", "colon_fence"]
# Links to sections, as guide/missing.md#missing-cells, which other pages make, too.
myst_heading_anchors = 3

# Docstrings tell more of a parameter than its type.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_class_members_toctree = False
# Methods are listed and explained by the template of classes.
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "skcrl"
html_static_path = ["_static"]
html_css_files = ["skcrl.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
# Pages that have no others in their section.
html_sidebars = {
    page: [] for page in ("index", "install", "comparison", "sources", "contributing")
}

# Prompts and outputs are not copied.
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skcrl",),
    "reference_url": {"skcrl": None},
    "ignore_repr_types": r"skcrl\.plotting|matplotlib",
    "inspect_global_variables": True,
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}


def reachable(manuals):
    """Those manuals whose list of names can be had; none without internet."""
    found = {}
    for name, address in manuals.items():
        try:
            urlopen(f"{address}objects.inv", timeout=5).close()
        except OSError:
            continue
        found[name] = (address, None)
    return found


intersphinx_mapping = reachable(
    {
        "numpy": "https://numpy.org/doc/stable/",
        "python": "https://docs.python.org/3/",
        "sklearn": "https://scikit-learn.org/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
    }
)
