"""Tables in README.md and docs/ that show results, and where these come from.

A table of figures stands under a line that no page shows,

    <!-- result: NAME -->

and is what the result of this name prints. With `NAME: TEXT` it is the part of it that
begins with the first line that begins with TEXT, and ends before an empty line. A table
is a literal block or a table of Markdown; what is written into it is a literal block.

Some tables are older than the store, and their commands take hours. They are listed in
benchmarks/results/pasted.json by a digest of what they hold, until a result takes their
place; nothing is added to this list.
"""

import json
import re
from typing import NamedTuple

from _pages import readme_table
from _store import digest_of
from _tables import TABLES

MARKER = re.compile(r"<!-- result: ([^:]+?)(?:: (.*))? -->$")
# Its tables quote results in words, each beside its command.
NOT_CHECKED = {"sources.md"}
# Folders that Sphinx or the results book writes.
WRITTEN = {"_build", "auto_examples", "generated", "results"}


def name_of(path, root):
    """Name of a document: its path in docs/, or README.md."""
    folder = root if path.parent == root else root / "docs"
    return path.relative_to(folder).as_posix()


class Block(NamedTuple):
    """Lines from `start` to before `end` of a document, and what stands above them."""

    start: int
    end: int
    name: str | None  # of a result
    part: str | None
    lines: list

    def key(self, document):
        """Name in the list of pasted tables."""
        part = f": {self.part}" if self.part else ""
        return f"{document}, {self.name}{part}"


def documents(root):
    """Files that are checked."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [
        path
        for path in paths
        if path.exists()
        and path.name not in NOT_CHECKED
        and not WRITTEN & set(path.relative_to(root).parts)
    ]


def blocks(lines):
    """Literal blocks and tables of a document that may hold figures."""
    i = 0
    marker = None
    while i < len(lines):
        line, start = lines[i], i
        found = MARKER.match(line)
        if found:
            marker = found
            i += 1
            continue
        if line.startswith("```"):
            i = lines.index("```", i + 1) + 1
            if line != "```":  # code, which doctest runs
                continue
        elif line.startswith("    "):
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i]):
                i += 1
            while not lines[i - 1]:
                i -= 1
        elif line.startswith("|"):
            while i < len(lines) and lines[i].startswith("|"):
                i += 1
        else:
            marker = marker if not line else None
            i += 1
            continue
        yield Block(
            start, i, *(marker.groups() if marker else (None, None)), lines[start:i]
        )
        marker = None


def holds_figures(block):
    """Whether two lines or more have two numbers or more, one of them a decimal."""
    rows = [re.sub(r"`[^`]*`", "", line) for line in block.lines]
    full = [row for row in rows if len(re.findall(r"(?<![\w.])\d[\d.,]*", row)) > 1]
    return len(full) > 1 and any(re.search(r"\d\.\d", row) for row in full)


def shown(store, name, part):
    """Lines that a result has for a document, or None."""
    if name == "readme":
        return readme_table(store)
    result = store.read(TABLES[name].result)
    if result is None:
        return None
    lines = result["output"]
    if part is None:
        return lines
    first = next(i for i, line in enumerate(lines) if line.startswith(part))
    last = lines.index("", first) if "" in lines[first:] else len(lines)
    return lines[first:last]


def written(block, lines):
    """The block with other lines in it, fenced as it was, or indented."""
    if block.lines[0].startswith("```"):
        return ["```", *lines, "```"]
    return [f"    {line}".rstrip() for line in lines]


def pasted_path(store):
    """Where tables that are older than the store are listed."""
    return store.folder / "pasted.json"


def pasted(store):
    """Digests of these tables."""
    path = pasted_path(store)
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def rewrite_documents(store, root):
    """Write each table that has a result anew, and take it off the list of old ones."""
    old = pasted(store)
    left = dict(old)
    for path in documents(root):
        lines = path.read_text("utf-8").split("\n")
        for block in reversed(list(blocks(lines))):
            found = block.name and shown(store, block.name, block.part)
            if found:
                lines[block.start : block.end] = written(block, found)
                left.pop(block.key(name_of(path, root)), None)
        text = "\n".join(lines)
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
    if left != old:
        text = json.dumps(left, indent=1, sort_keys=True, ensure_ascii=False)
        pasted_path(store).write_text(text + "\n", "utf-8")


def faults(store, root):
    """What the documents show that no result holds, one line each."""
    listed = pasted(store)
    for path in documents(root):
        name = name_of(path, root)
        lines = path.read_text("utf-8").split("\n")
        for block in blocks(lines):
            where = f"{name}, line {block.start + 1}"
            if block.name is None:
                if holds_figures(block):
                    yield f"{where}: a table of figures without a result above it"
                continue
            if block.name != "readme" and block.name not in TABLES:
                yield f"{where}: there is no table {block.name!r} in _tables.py"
                continue
            found = shown(store, block.name, block.part)
            if found is None:
                if listed.get(block.key(name)) != digest_of(block.lines):
                    yield f"{where}: no result holds this table of {block.name!r}"
            elif block.lines != written(block, found):
                yield f"{where}: the result {block.name!r} is other than this table"
        yield from figures_in_prose(name, lines)


def figures_in_prose(name, lines):
    """Decimals, percentages and times in sentences; settings are written as code.

    What an interval is meant to cover is no result.
    """
    text = "\n".join(lines)
    for pattern in (
        r"```.*?\n```",
        r"(?m)^(    |\||<!--).*$",
        r"`[^`]*`",
        r"\]\([^)]*\)",
    ):
        blank = re.compile(pattern, re.DOTALL if "`" in pattern else 0)
        text = blank.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    decimal = r"(?<!Python )(?<![\d.])\d+\.\d+(?!\.?\d)"
    figure = re.compile(
        decimal + r"|\d+ ?%(?! intervals?)|\d+ percent|\d+ (seconds|minutes)\b"
    )
    for number, line in enumerate(text.split("\n"), 1):
        if found := figure.search(line):
            yield f"{name}, line {number}: {found[0]} stands in a sentence"
