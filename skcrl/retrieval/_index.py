"""Codes of items, their ids, and a search over them."""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from skcrl.retrieval._backends import BACKENDS, build
from skcrl.retrieval._changes import removed, replaced
from skcrl.retrieval._codes import (
    NONE_LOST,
    PLAIN,
    check_hubs,
    check_indexed,
    check_lost,
    check_space,
)
from skcrl.retrieval._ids import check_ids, joined_ids, positions_of


@dataclass(frozen=True, eq=False)
class Items:
    """The items at one moment; the object never changes."""

    codes: np.ndarray  # codes of the items that are not lost
    lost: np.ndarray  # ascending positions of items without a view, ranked last
    ids: np.ndarray | None
    search: Any  # None until it is first needed
    hubs: np.ndarray | None = None  # mean cosines of codes, for x and for y queries

    def __len__(self):
        return len(self.codes) + len(self.lost)

    def nearest(self, queries, k, n_threads, correction=None):
        """Similarities and positions (n_queries, k), best first.

        The similarity of a lost item is minus infinity, less than any other. If a
        correction of hubs is given, it finds the items that are not lost.
        """
        self.check_width(queries)
        n_found = min(k, len(self.codes))
        if correction is not None:
            similarities, rows = correction.nearest(
                self.search, queries, self.codes, self.hubs, n_found, n_threads
            )
        else:
            similarities, rows = self.search.nearest(
                queries, self.codes, n_found, n_threads
            )
            if self.search.metric == "cosine":
                similarities = np.clip(similarities, -1, 1)
        similarities = similarities.astype(queries.dtype)
        if len(self.lost) == 0:
            return similarities, rows
        # Position of the item of row j: j plus the number of lost items before it.
        steps = np.searchsorted(self.lost - np.arange(len(self.lost)), rows, "right")
        last = self.lost[: k - n_found]
        padding = (0, 0), (0, len(last))
        positions = np.pad(rows + steps, padding)
        positions[:, n_found:] = last
        return np.pad(similarities, padding, constant_values=-np.inf), positions

    def named(self, positions):
        """Ids of the items at these positions."""
        return positions if self.ids is None else self.ids[positions]

    def row_of(self, name):
        """Row of the codes that belongs to the item of this id."""
        (position,) = positions_of([name], self.ids, len(self))
        before = np.searchsorted(self.lost, position)
        if before < len(self.lost) and self.lost[before] == position:
            raise ValueError(
                f"Item {name!r:.80} has no view, so no component explains its rank: it "
                "comes last for every query."
            )
        return position - before

    def check_width(self, codes):
        """Raise ValueError for codes of another width."""
        if codes.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"Codes have {codes.shape[1]} components, but the codes in the index "
                f"have {self.codes.shape[1]}."
            )


class Index:
    """Items and a search over them, which can be changed.

    Threads may search the index and change it at the same time. `items` is only
    replaced as a whole, so a thread that reads it once has parts that belong together.

    Parameters
    ----------
    codes : ndarray of shape (n_items - n_lost, n_components)
        Finite codes of the items that have a view. They have length one or zero if they
        are compared by cosines.
    ids : ndarray of shape (n_items,) or None
        Result of ``check_ids``. None means that positions are the ids.
    backend : str
        One of ``BACKENDS``.
    params : dict
        Parameters of that backend.
    n_threads : int
        Number of threads that build the search. If it is 0, the package decides.
    lost : ndarray of int64 of shape (n_lost,), default=NONE_LOST
        Ascending positions of the items that have no view.
    space : dict, default=PLAIN
        How the codes were made (`codes`) and are compared (`metric`), and how the hubs
        were found (`hubness`), if there are any.
    hubs : ndarray of shape (n_items - n_lost, 2) or None, default=None
        How near the codes are to queries of the first and of the second view.
    """

    def __init__(
        self,
        codes,
        ids,
        backend,
        params,
        n_threads,
        lost=NONE_LOST,
        space=PLAIN,
        hubs=None,
    ):
        self.backend = backend
        self.params = dict(params)
        self.space = dict(space)
        codes = np.ascontiguousarray(codes)
        self.items = Items(codes, lost, ids, self._built(codes, n_threads), hubs)
        self._lock = Lock()

    def add(self, codes, ids, n_threads, lost=NONE_LOST, hubs=None):
        """Append items; if that fails, nothing changes."""
        with self._lock:
            old = self.items
            ids = joined_ids(old.ids, ids)
            lost = np.concatenate([old.lost, len(old) + lost])
            if len(codes) == 0:
                self.items = replace(old, lost=lost, ids=ids)
                return
            old.check_width(codes)
            codes = _stacked(old.codes, codes)
            if old.search is None:
                search = self._built(codes, n_threads)
            else:
                search = old.search.grown(codes, n_threads)
            hubs = _stacked(old.hubs, hubs)
            self.items = Items(codes, lost, ids, search, hubs)

    def remove(self, ids, n_threads):
        """Remove items; if that fails, nothing changes."""
        with self._lock:
            old = self.items
            positions = positions_of(ids, old.ids, len(old))
            rows, lost, kept = removed(old.lost, len(old), positions)
            kept_ids = None if old.ids is None else old.ids[kept]
            both = old.codes, old.hubs
            self.items = self._changed(old, both, rows, lost, kept_ids, n_threads)

    def replace(self, codes, ids, n_threads, lost=NONE_LOST, hubs=None):
        """Give items other codes; if that fails, nothing changes."""
        with self._lock:
            old = self.items
            positions = positions_of(ids, old.ids, len(old))
            n_new = len(codes) + len(lost)
            if len(positions) != n_new:
                raise ValueError(
                    f"ids must name each of the {n_new} items to replace, got "
                    f"{len(positions)}."
                )
            rows, lost = replaced(old.lost, len(old), positions, lost)
            both = old.codes, old.hubs
            if len(codes):
                old.check_width(codes)
                both = _stacked(old.codes, codes), _stacked(old.hubs, hubs)
            self.items = self._changed(old, both, rows, lost, old.ids, n_threads)

    def _changed(self, old, both, rows, lost, ids, n_threads):
        """Items from some rows of `both`: codes and hubs, the old ones first."""
        if len(rows) == 0:
            raise ValueError(
                "No item with a view would be left in the index: call fit_index to "
                "make a new index."
            )
        if np.array_equal(rows, np.arange(len(old.codes))):
            return replace(old, lost=lost, ids=ids)
        codes, hubs = both
        codes, hubs = codes[rows], None if hubs is None else hubs[rows]
        return Items(codes, lost, ids, self._built(codes, n_threads), hubs)

    def searchable(self, n_threads):
        """The items with a search over them, which is built if there is none yet."""
        if self.items.search is None:
            with self._lock:
                items = self.items
                if items.search is None:
                    search = self._built(items.codes, n_threads)
                    self.items = replace(items, search=search)
        return self.items

    def _built(self, codes, n_threads):
        return build(self.backend, self.params, codes, n_threads, self.space["metric"])

    def __getstate__(self):
        # Searches of other packages cannot be pickled. They are built again from the
        # codes.
        items = self.items
        return {
            "codes": items.codes,
            "ids": items.ids,
            "backend": self.backend,
            "params": self.params,
            "lost": items.lost,
            "space": self.space,
            "hubs": items.hubs,
        }

    def __setstate__(self, state):
        self.backend, self.params = state["backend"], state["params"]
        self.space = state.get("space", PLAIN)
        lost = state.get("lost", NONE_LOST)
        hubs = state.get("hubs")
        self.items = Items(state["codes"], lost, state["ids"], None, hubs)
        self._lock = Lock()

    def _check_loaded(self):
        """Raise ValueError if an index from a file is not valid."""
        items = self.items
        if items.codes.dtype not in (np.float32, np.float64):
            raise ValueError(f"its codes are of {items.codes.dtype}, not of floats")
        codes = check_indexed(items.codes, check_space(self.space)["metric"])
        lost = check_lost(items.lost, len(codes))
        ids = check_ids(items.ids, len(codes) + len(lost))
        check_hubs(items.hubs, codes, self.space)
        self.items = Items(codes, lost, ids, None, items.hubs)
        if self.backend not in BACKENDS or not isinstance(self.params, dict):
            raise ValueError(
                f"its backend is {self.backend!r} with {self.params!r}, which is not "
                "valid"
            )


def _stacked(old, new):
    """Rows of two arrays, or None if there are no arrays."""
    return None if old is None else np.concatenate([old, new])
