"""Links between the guide, the gallery and the API reference, made from names.

A public name in backticks, such as `LinearCCA`, becomes a link to its page. That page
says by ``.. guide-pages:: skcrl.LinearCCA`` which pages of the guide mention it most.
"""

import re
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

MOST = 6


def public_names(docs):
    """Full names by what texts may call them: each ending of the dotted name.

    Objectives and the like, which are plain words, need the name of their module.
    """
    full = re.findall(
        r"^   (skcrl\.[\w.]+)$", (docs / "api.rst").read_text("utf-8"), re.M
    )
    endings = {}
    for name in full:
        parts = name.split(".")
        is_word = name.startswith("skcrl.deep.") and parts[-1].islower()
        for start in range(len(parts) - is_word):
            endings.setdefault(".".join(parts[start:]), name)
    return endings


def find_mentions(app):
    """Count the names in the pages of the guide."""
    docs = Path(app.srcdir)
    app.public_names = public_names(docs)
    app.mentions = {}
    for path in [*docs.glob("*.md"), *docs.glob("guide/*.md")]:
        page = path.relative_to(docs).with_suffix("").as_posix()
        for literal in re.findall(r"`([\w.]+)`", path.read_text("utf-8")):
            if literal in app.public_names:
                name = app.public_names[literal]
                app.mentions.setdefault(name, Counter())[page] += 1


def link_names(app, doctree):
    """Make links of the names in backticks, but on the pages of the names."""
    page = app.env.docname
    for literal in list(doctree.findall(nodes.literal)):
        name = app.public_names.get(literal.astext())
        is_link = isinstance(literal.parent, nodes.reference | pending_xref)
        if name is None or is_link or page.endswith(name):
            continue
        link = pending_xref(
            "", refdomain="py", reftype="obj", reftarget=name, refdoc=page
        )
        link["refexplicit"] = True
        literal.replace_self(link)
        link += literal


class GuidePages(SphinxDirective):
    """A line that says which pages of the guide mention a name."""

    required_arguments = 1

    def run(self):
        """Give the line, or nothing."""
        pages = self.env.app.mentions.get(self.arguments[0], Counter())
        links = ", ".join(f":doc:`/{page}`" for page, _ in pages.most_common(MOST))
        if not links:
            return []
        return self.parse_text_to_nodes(f"**In the user guide:** {links}")


def setup(app):
    """Add the directive and the links."""
    app.connect("builder-inited", find_mentions)
    app.connect("doctree-read", link_names)
    app.add_directive("guide-pages", GuidePages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
