"""Codes of items, their ids, and a search over them."""

import numpy as np

from skcrl.retrieval._backends import BACKENDS, build
from skcrl.retrieval._codes import check_indexed
from skcrl.retrieval._ids import check_ids, joined_ids


class Index:
    """Codes of items and a search over them, which grows.

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
    """

    def __init__(self, codes, ids, backend, params):
        self.codes = np.ascontiguousarray(codes)
        self.ids = ids
        self.backend = backend
        self.params = dict(params)
        self._search = build(backend, self.params, self.codes)

    def __len__(self):
        return len(self.codes)

    def add(self, codes, ids):
        """Append items; nothing changes if that fails."""
        self._check_width(codes)
        ids = joined_ids(self.ids, ids)
        codes = np.concatenate([self.codes, codes])
        search = self._ready_search()
        # If this is broken off some items may be in: the next call builds it anew.
        self._search = None
        search.add(codes)
        self.codes, self.ids = codes, ids
        self._search = search

    def nearest(self, queries, k):
        """Similarities and positions (n_queries, k), best first."""
        self._check_width(queries)
        similarities, positions = self._ready_search().nearest(queries, self.codes, k)
        return np.clip(similarities, -1, 1).astype(queries.dtype), positions

    def named(self, positions):
        """Ids of the items at these positions."""
        return positions if self.ids is None else self.ids[positions]

    def _ready_search(self):
        if self._search is None:
            self._search = build(self.backend, self.params, self.codes)
        return self._search

    def _check_width(self, codes):
        if codes.shape[1] != self.codes.shape[1]:
            raise ValueError(
                f"Codes have {codes.shape[1]} components, but the index holds codes of "
                f"{self.codes.shape[1]}."
            )

    def __getstate__(self):
        # Those of other packages do not pickle, and are built again from the codes.
        return {**vars(self), "_search": None}

    def _check_loaded(self):
        """Raise ValueError for an index from a file that is not in order."""
        if self.codes.dtype not in (np.float32, np.float64):
            raise ValueError(f"its codes are {self.codes.dtype}")
        self.codes = check_indexed(self.codes)
        self.ids = check_ids(self.ids, len(self.codes))
        self._search = None
        if self.backend not in BACKENDS or not isinstance(self.params, dict):
            raise ValueError(f"its backend is {self.backend!r} with {self.params!r}")
