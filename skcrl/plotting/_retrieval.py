"""Queries, and the items that were found for each."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import _num_samples, check_consistent_length

from skcrl._typing import Rows
from skcrl.metrics._relevance import check_relevance
from skcrl.plotting._fitted import check_gives
from skcrl.plotting._images import Cell, as_images, cells_of, draw_sheet, limits_of
from skcrl.retrieval import CrossViewRetriever

# Bluish green from the palette of Okabe and Ito.
_RIGHT = "#009E73"
# Largest number of characters in a line of a query.
_LINE = 20


class RetrievalDisplay:
    """Queries, and beside each the items that were found for it, the nearest first.

    Queries and items are images or texts. Items that are right have a green frame and a
    tick.

    Make one by :meth:`from_retriever` or :meth:`from_results`.

    Parameters
    ----------
    queries : list of str or ndarray of shape (n_queries, height, width[, 3])
        The queries.
    found : list of list of str, or ndarray of shape \
(n_queries, n_found, height, width[, 3])
        The items that were found for each query, the nearest first.
    right : ndarray of bool of shape (n_queries, n_found) or None, default=None
        Which items are right. With None no item has a frame.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on.
    figure_ : matplotlib.figure.Figure
        The figure of `ax_`.
    queries_ : list of matplotlib.image.AxesImage or matplotlib.text.Text
        The drawn queries.
    items_ : ndarray of shape (n_queries, n_found)
        The drawn items, each a matplotlib.image.AxesImage or matplotlib.text.Text.
    frames_ : dict of (int, int) to matplotlib.patches.Rectangle
        The frames of the items that are right, by query and rank.

    See Also
    --------
    skcrl.metrics.retrieval_report : How often what is right is found, as numbers.

    Examples
    --------
    >>> from skcrl import CrossViewRetriever, LinearCCA
    >>> from skcrl.datasets import load_digits_halves
    >>> from skcrl.plotting import RetrievalDisplay
    >>> left, right, labels = load_digits_halves()
    >>> retriever = CrossViewRetriever(LinearCCA(20, reg=1.0))
    >>> retriever = retriever.fit(left[:1000], right[:1000]).fit_index(y=right[1000:])
    >>> display = RetrievalDisplay.from_retriever(
    ...     retriever,
    ...     X=left[1000:1004],
    ...     items=right[1000:],
    ...     relevant=(labels[1000:1004], labels[1000:]),
    ...     shape=(8, 4),
    ...     n_neighbors=6,
    ... )
    >>> display.items_.shape
    (4, 6)
    """

    def __init__(self, queries: Rows, found: Rows, right: np.ndarray | None = None):
        self.queries = queries
        self.found = found
        self.right = right

    @classmethod
    def from_retriever(
        cls,
        retriever: CrossViewRetriever,
        X: Rows | None = None,
        y: Rows | None = None,
        *,
        items: Rows,
        queries: Rows | None = None,
        relevant: Rows | None = None,
        n_neighbors: int | None = None,
        shape: Sequence[int] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Search the index of a fitted retriever, and draw what it finds.

        Parameters
        ----------
        retriever : CrossViewRetriever
            Fitted, with an index.
        X : array-like of n_queries rows or None, default=None
            First view of the queries: a few rows.
        y : array-like of n_queries rows or None, default=None
            Second view of the queries.
        items : list of n_items str, or array-like of n_items images
            How the items of the index look, in their order in the index, which holds
            their codes alone.
        queries : list of n_queries str, array-like of n_queries images, or None, \
default=None
            How the queries look. With None they are the view that is given, or its
            first one if both are.
        relevant : tuple or boolean matrix of shape (n_queries, n_items), or None, \
default=None
            Which items are right: a matrix, or a pair of labels of the queries and of
            the items, of which equal ones belong together. With None no item has a
            frame.
        n_neighbors : int or None, default=None
            Items to find for each query. None takes that of the retriever.
        shape : tuple of int or None, default=None
            Height and width of images whose rows are flat, and 3 as a third number if
            they have colours.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : RetrievalDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If `retriever` does not search, `items` are not one for each item of the
            index, or queries or items are neither texts nor images, or `relevant` does
            not fit them.
        NotFittedError
            If the index is empty.
        """
        if not hasattr(retriever, "kneighbors"):
            raise ValueError(
                f"{cls.__name__} draws what a search finds, but "
                f"{type(retriever).__name__} does not search: fit a "
                "CrossViewRetriever around it, and make an index by fit_index."
            )
        check_gives(retriever, "kneighbors", cls.__name__, "found items")
        positions = retriever.kneighbors(X, y, n_neighbors, return_distance=False)
        if _num_samples(items) != retriever.n_items_:
            raise ValueError(
                f"items must have one row for each of the {retriever.n_items_} items "
                "of the index, in the order of the index, got "
                f"{_num_samples(items)}."
            )
        if queries is None:
            queries = y if X is None else X
        if _num_samples(queries) != len(positions):
            raise ValueError(
                f"queries must have one row for each of the {len(positions)} rows that "
                f"are searched for, got {_num_samples(queries)}."
            )
        right = None
        if relevant is not None:
            relevance = check_relevance(relevant, len(positions), retriever.n_items_)
            matrix = relevance.rows(slice(None)).toarray() != 0
            right = np.take_along_axis(matrix, positions, axis=1)
        shown = _shown(items, shape, "items")
        display = cls(
            _shown(queries, shape, "queries"),
            [[shown[i] for i in row] for row in positions],
            right,
        )
        return display.plot(cmap=cmap, ax=ax)

    @classmethod
    def from_results(
        cls,
        queries: Rows,
        found: Sequence[Rows],
        *,
        right: Rows | None = None,
        shape: Sequence[int] | None = None,
        cmap: str = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw what any search has found.

        Parameters
        ----------
        queries : list of n_queries str, or array-like of n_queries images
            The queries.
        found : sequence of n_queries lists of str or arrays of images
            The items that were found for each query, the nearest first.
        right : array-like of bool of shape (n_queries, n_found) or None, default=None
            Which of them are right. With None no item has a frame.
        shape : tuple of int or None, default=None
            Height and width of images whose rows are flat, and 3 as a third number if
            they have colours.
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : RetrievalDisplay
            With what was drawn as attributes.

        Raises
        ------
        ValueError
            If queries and what was found differ in number, are neither texts nor
            images, or `right` does not fit them.
        """
        check_consistent_length(queries, found)
        drawn = [
            list(_shown(of_query, shape, f"found[{i}]"))
            for i, of_query in enumerate(found)
        ]
        if right is not None:
            right = np.asarray(right, dtype=bool)
            widths = {len(of_query) for of_query in drawn}
            if (
                right.ndim != 2
                or len(right) != len(drawn)
                or widths != {right.shape[1]}
            ):
                raise ValueError(
                    "right must have a row for each query and a column for each found "
                    f"item, got shape {right.shape} for {len(drawn)} queries with "
                    f"{sorted(widths)} items."
                )
        display = cls(_shown(queries, shape, "queries"), drawn, right)
        return display.plot(cmap=cmap, ax=ax)

    def plot(self, *, cmap: str = "gray", ax: Any = None) -> Self:
        """Draw a row for each query.

        Parameters
        ----------
        cmap : str, default="gray"
            Colour map of images without colours.
        ax : matplotlib.axes.Axes or None, default=None
            What to draw on. With None a new figure is made.

        Returns
        -------
        display : RetrievalDisplay
            The display itself.
        """
        if len(self.queries) == 0 or not any(map(len, self.found)):
            raise ValueError(
                "There is nothing to draw: pass at least one query, and at least one "
                "found item."
            )
        queries, items = _cells(self.queries, cmap), _cells_of_all(self.found, cmap)
        are_texts = isinstance(self.queries[0], str)
        if are_texts:
            rows, names = items, [fill(query, _LINE) for query in self.queries]
        else:
            rows = [[query, *row] for query, row in zip(queries, items, strict=True)]
            names = [""] * len(rows)
        sheet = draw_sheet(ax, rows, names)
        self.ax_ = ax = sheet.ax
        self.figure_ = ax.figure
        first = 0 if are_texts else 1
        self.items_ = sheet.drawn[:, first:]
        self.queries_ = ax.get_yticklabels() if are_texts else list(sheet.drawn[:, 0])
        self.frames_ = {}
        if self.right is not None:
            for i, j in np.argwhere(self.right):
                extent = sheet.extents[i, first + j]
                self.frames_[int(i), int(j)] = _draw_frame(ax, extent)
        ranks = ["query"] * first + [str(1 + j) for j in range(self.items_.shape[1])]
        ax.set_xticks(np.nanmean(sheet.extents[:, :, :2], axis=(0, 2)), ranks)
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        return self


def _shown(rows, shape, name):
    """Texts as a list, or images."""
    if hasattr(rows, "columns") and len(rows.columns) == 1:
        rows = rows[rows.columns[0]]  # a loop over a frame would give column names
    is_table = hasattr(rows, "toarray") or hasattr(rows, "columns")
    if not is_table and all(isinstance(row, str) for row in rows):
        return [str(row) for row in rows]
    return as_images(rows, shape, name, RetrievalDisplay.__name__)


def _cells(rows, cmap):
    if isinstance(rows[0], str):
        return [Cell(text) for text in rows]
    return cells_of(rows, cmap, limits_of(np.stack(rows)))


def _cells_of_all(found, cmap):
    """Cells of all items; their images have the same limits."""
    flat = iter(_cells([item for of_query in found for item in of_query], cmap))
    return [[next(flat) for _ in of_query] for of_query in found]


def _draw_frame(ax, extent):
    """Draw a frame around an item that is right, with a tick in its corner."""
    from matplotlib.patches import Rectangle

    left, right, bottom, top = extent
    frame = Rectangle(
        (left, top),
        right - left,
        bottom - top,
        fill=False,
        edgecolor=_RIGHT,
        linewidth=2.5,
        clip_on=False,
    )
    ax.add_patch(frame)
    ax.text(
        right,
        top,
        "✓",
        ha="right",
        va="top",
        fontsize=8,
        fontweight="bold",
        color="white",
        bbox={"boxstyle": "square,pad=0.15", "facecolor": _RIGHT, "edgecolor": "none"},
    )
    return frame
