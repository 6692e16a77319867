"""Tables of numbers with names, as plain text and as HTML."""

from html import escape
from textwrap import fill
from typing import NamedTuple

import numpy as np

# Largest numbers of rows and columns that a table shows.
_ROWS, _COLUMNS = 30, 6
_WIDTH = 22  # largest width of names in plain text


class Table(NamedTuple):
    """Numbers with a title, and a `note` if some rows or columns are not shown."""

    title: str
    rows: list
    columns: list
    values: np.ndarray  # (n_rows, n_columns)
    note: str = ""

    def text(self):
        """Table as lines of plain text."""
        width = max((len(name) for name in self.rows), default=0)
        cell = max(9, *(len(name) + 2 for name in self.columns))
        lines = [
            fill(self.title, width=88),
            " " * width + "".join(f"{name:>{cell}}" for name in self.columns),
        ]
        for name, row in zip(self.rows, self.values, strict=True):
            cells = "".join(f"{value:{cell}.4f}" for value in row)
            lines.append(f"{name:{width}}{cells}")
        return "\n".join([*lines, self.note] if self.note else lines)

    def html(self):
        """Table as HTML, with its title as caption."""
        heads = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr><th>{escape(name)}</th>"
            + "".join(f"<td>{value:.4f}</td>" for value in row)
            + "</tr>"
            for name, row in zip(self.rows, self.values, strict=True)
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr><th></th>{heads}"
            f"</tr></thead><tbody>{body}</tbody></table>{note}"
        )


def table(title, rows, columns, values, whole):
    """Table of the first rows and columns; its note says that `whole` has all."""
    values = np.asarray(values, dtype=np.float64)
    hidden = [
        f"{n - shown} more {what}"
        for n, shown, what in (
            (len(rows), _ROWS, "rows"),
            (len(columns), _COLUMNS, "columns"),
        )
        if n > shown
    ]
    return Table(
        title,
        [short_name(name) for name in rows[:_ROWS]],
        [short_name(name) for name in columns[:_COLUMNS]],
        values[:_ROWS, :_COLUMNS],
        f"... {' and '.join(hidden)}: {whole} has all." if hidden else "",
    )


def short_name(name):
    """Name on one line, with the middle of a long name left out."""
    name = " ".join(str(name).split())
    return name if len(name) <= _WIDTH else f"{name[:9]}...{name[-10:]}"
