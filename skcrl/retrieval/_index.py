"""Codes of items, their ids, and a search over them."""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from skcrl.retrieval._backends import BACKENDS, build
from skcrl.retrieval._codes import check_indexed
from skcrl.retrieval._ids import check_ids, joined_ids


@dataclass(frozen=True, eq=False)
class Items:
    """Items at one moment: nothing in it ever changes."""

    codes: np.ndarray
    ids: np.ndarray | None
    search: Any  # None until it is first asked for

    def __len__(self):
        return len(self.codes)

    def nearest(self, queries, k, n_threads):
        """Similarities and positions (n_queries, k), best first."""
        self.check_width(queries)
        similarities, positions = self.search.nearest(queries, self.codes, k, n_threads)
        return np.clip(similarities, -1, 1).astype(queries.dtype), positions

    def named(self, positions):
        """Ids of the items at these positions."""
        return positions if self.ids is None else self.ids[positions]

    def check_width(self, codes):
        """Raise ValueError for codes of another width."""
        if codes.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"Codes have {codes.shape[1]} components, but the index holds codes of "
                f"{self.codes.shape[1]}."
            )


class Index:
    """Items and a search over them, which grows.

    Threads may search it and add to it at once: `items` is replaced as a whole, so who
    reads it once has all that belongs together.

    Parameters
    ----------
    codes : ndarray of shape (n_items, n_components)
        Of length one or zero, all finite.
    ids : ndarray of shape (n_items,) or None
        From ``check_ids``; None numbers the items by position.
    backend : str
        One of ``BACKENDS``.
    params : dict
        Parameters of that backend.
    n_threads : int
        To build with; 0 lets the package decide.
    """

    def __init__(self, codes, ids, backend, params, n_threads):
        self.backend = backend
        self.params = dict(params)
        codes = np.ascontiguousarray(codes)
        self.items = Items(codes, ids, self._built(codes, n_threads))
        self._lock = Lock()

    def add(self, codes, ids, n_threads):
        """Append items; nothing changes if that fails."""
        with self._lock:
            old = self.items
            old.check_width(codes)
            ids = joined_ids(old.ids, ids)
            codes = np.concatenate([old.codes, codes])
            if old.search is None:
                search = self._built(codes, n_threads)
            else:
                search = old.search.grown(codes, n_threads)
            self.items = Items(codes, ids, search)

    def searchable(self, n_threads):
        """Items with a search over them, built if there is none yet."""
        if self.items.search is None:
            with self._lock:
                items = self.items
                if items.search is None:
                    search = self._built(items.codes, n_threads)
                    self.items = replace(items, search=search)
        return self.items

    def _built(self, codes, n_threads):
        return build(self.backend, self.params, codes, n_threads)

    def __getstate__(self):
        # Searches of other packages do not pickle, and are built again from the codes.
        items = self.items
        return {
            "codes": items.codes,
            "ids": items.ids,
            "backend": self.backend,
            "params": self.params,
        }

    def __setstate__(self, state):
        self.backend, self.params = state["backend"], state["params"]
        self.items = Items(state["codes"], state["ids"], None)
        self._lock = Lock()

    def _check_loaded(self):
        """Raise ValueError for an index from a file that is not in order."""
        items = self.items
        if items.codes.dtype not in (np.float32, np.float64):
            raise ValueError(f"its codes are {items.codes.dtype}")
        codes = check_indexed(items.codes)
        self.items = Items(codes, check_ids(items.ids, len(codes)), None)
        if self.backend not in BACKENDS or not isinstance(self.params, dict):
            raise ValueError(f"its backend is {self.backend!r} with {self.params!r}")
