"""Tables in README.md and docs/ that show results, and where these come from.

A table of figures stands under a line that no page shows,

    <!-- result: NAME -->

and is what the result of this name prints. With `NAME: TEXT` it is the part of it that
begins with the first line that begins with TEXT, and ends before an empty line.
`records: SPLIT TASK` is a table of records.py. A table is a literal block or a table of
Markdown; what is written into it is a literal block.
"""

import re
import shlex
from typing import NamedTuple

from _pages import readme_table
from _tables import TABLES

MARKER = re.compile(r"<!-- result: ([^:]+?)(?:: (.*))? -->$")
# Its tables quote results in words, each beside its command, and are checked by row.
SOURCES = "sources.md"
# Tables that are made of many results, and are no output of a script.
NO_SCRIPTS = "readme", "records"
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


def documents(root):
    """Files that are checked."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return [
        path
        for path in paths
        if path.exists()
        and path.name != SOURCES
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
    if name == "records":
        from _record_table import record_table  # imports torch

        split, _, task = (part or "").partition(" ")
        return record_table(store, task, split) or None
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


def rewrite_documents(store, root):
    """Write each table that has a result anew."""
    for path in documents(root):
        before = path.read_text("utf-8")
        lines = before.split("\n")
        for block in reversed(list(blocks(lines))):
            found = block.name and shown(store, block.name, block.part)
            if found:
                lines[block.start : block.end] = written(block, found)
        text = "\n".join(lines)
        if text != before:
            path.write_text(text, "utf-8")


def faults(store, root):
    """What the documents show that no result holds, one line each."""
    for path in documents(root):
        name = name_of(path, root)
        lines = path.read_text("utf-8").split("\n")
        for block in blocks(lines):
            where = f"{name}, line {block.start + 1}"
            if block.name is None:
                if holds_figures(block):
                    yield f"{where}: a table of figures without a result above it"
                continue
            if block.name not in (*NO_SCRIPTS, *TABLES):
                yield f"{where}: there is no table {block.name!r} in _tables.py"
                continue
            found = shown(store, block.name, block.part)
            if found is None:
                yield f"{where}: no result holds this table of {block.name!r}"
            elif block.lines != written(block, found):
                yield f"{where}: the result {block.name!r} is other than this table"
        yield from figures_in_prose(name, lines)
    sources = root / "docs" / SOURCES
    if sources.exists():
        yield from figures_of_sources(store, sources.read_text("utf-8").split("\n"))


def figures_of_sources(store, lines):
    """Decimals in rows of sources.md that the output of their commands does not have.

    A row is checked if a result holds the output of each of its commands. A row that
    says "the same" has those of the row above.
    """
    outputs = outputs_by_command(store)
    commands = []
    for number, line in enumerate(lines, 1):
        if not line.startswith("| "):
            continue
        _, of_row, came_out, *_ = line.strip("| ").split(" | ")
        if not of_row.startswith("the same"):
            named = re.findall(r"`((?:benchmarks/|make |pytest )[^`]*)`", of_row)
            commands = [shlex.split(command) for command in named]
        texts = [outputs.get(tuple(words)) for words in commands]
        if not texts or None in texts:
            continue
        found = [float(n) for n in re.findall(r"\d+\.\d+", "\n".join(texts))]
        for figure in re.findall(
            r"(?<![\w.])\d+\.\d+", re.sub("`[^`]*`", "", came_out)
        ):
            rounding = 0.501 * 10 ** -len(figure.partition(".")[2])
            if not any(abs(n - float(figure)) < rounding for n in found):
                yield f"{SOURCES}, line {number}: {figure} is not in the result"


def outputs_by_command(store):
    """What the stored scripts printed, by the words of their command lines."""
    outputs = {("make", "demo"): TABLES["demo"]}
    for table in TABLES.values():
        for script, *words in table.command_lines():
            outputs[f"benchmarks/{script}.py", *words] = table
    results = {words: store.read(table.result) for words, table in outputs.items()}
    return {words: "\n".join(r["output"]) for words, r in results.items() if r}


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
