"""Data sets of paired rows, and their batches, which are slices of the views."""

import warnings
from copy import copy
from itertools import pairwise, repeat
from math import ceil, prod
from mmap import mmap
from typing import Any

import numpy as np
import torch
from scipy import sparse

from skcrl.deep._dask_rows import DaskRows
from skcrl.deep._partners import Partners
from skcrl.deep._processes import ALONE
from skcrl.deep.modules import SparseRows

# Each purpose that random numbers are drawn for has a stream of its own.
WEIGHTS, SPLIT, ORDER, NOISE, AUGMENT = 1, 2, 3, 4, 5
# The precision that networks are trained in.
_TRAINED_IN = torch.float32
# Largest number of rows of a block, and largest number of values of several rows.
_BLOCK_ROWS, _BLOCK_VALUES = 4096, 2**22
# Types of integers for which torch can select rows by their numbers.
_INDEXED = {np.dtype(kind) for kind in ("i1", "u1", "i2", "i4", "i8")}


class PairBatch:
    """Views of some rows, by the names of the arguments that the module takes them as.

    Parameters
    ----------
    about : dict of str to Tensor or None, default=None
        Further arguments of the loss, by name: `weights` of the complete rows,
        `x_only_weights` and `y_only_weights` of the others, and `partners`. None means
        that there are none.
    **views : Tensor of shape (n_rows, ...)
        `x` and `y`, which are paired, and perhaps `x_only` and `y_only`, rows of which
        the other view is missing.

    Attributes
    ----------
    weights : dict of str to Tensor of shape (n_rows,)
        Weights of the rows that are here: those of complete rows as "x", those of
        others by the name of their view. Empty if each row counts as one.
    n_before, n_after : dict of str to int
        Numbers of rows of each view that come before and after those that are here, in
        the whole batch that `about` describes. Views for which there are none are not
        named.
    entries_around : dict of str to (int, int)
        For sparse views: the numbers of stored entries before and after those that are
        here.
    """

    def __init__(self, about=None, **views):
        self.views = views
        self.about = about or {}
        self.weights = {
            name: self.about[weights_of(name)]
            for name in views
            if name != "y" and weights_of(name) in self.about
        }
        self.n_before: dict[str, int] = {}
        self.n_after: dict[str, int] = {}
        self.entries_around: dict[str, tuple[int, int]] = {}

    def keys(self):
        """Names of the views."""
        return self.views.keys()

    def __getitem__(self, name):
        return self.views[name]

    def __len__(self):
        return sum(self.n_rows(name) for name in self.views if name != "y")

    def around(self, name):
        """Numbers of rows of a view before and after those that are here."""
        return self.n_before.get(name, 0), self.n_after.get(name, 0)

    def drawn_around(self, name):
        """How much random layers draw for the rest of the batch, before and after it.

        Counted in rows of a view, or in stored entries of a sparse view.
        """
        return self.entries_around.get(name, self.around(name))

    def n_rows(self, name):
        """Number of rows of a view in the whole batch."""
        return sum(self.around(name)) + len(self.views[name])

    def share(self, processes):
        """The rows of a whole batch that belong to this one of several processes."""
        shares = {name: processes.share(len(v)) for name, v in self.views.items()}
        views = {name: view[shares[name]] for name, view in self.views.items()}
        batch = PairBatch(self.about, **views)
        batch.weights = {name: of[shares[name]] for name, of in self.weights.items()}
        for name, share in shares.items():
            batch.n_before[name] = share.start
            batch.n_after[name] = len(self.views[name]) - share.stop
        return batch

    def place(self, share, n_rows):
        """Record which of the `n_rows` pairs of a whole batch are here."""
        for name in self.views:
            self.n_before[name] = share.start
            self.n_after[name] = n_rows - share.stop

    def parts(self, n_rows):
        """Divide the rows into even parts of at most `n_rows`, each without `about`.

        There are at most as many parts as complete rows. If `n_rows` is None, there is
        one part.
        """
        n_here = sum(len(view) for name, view in self.views.items() if name != "y")
        n_parts = 1 if n_rows is None else min(ceil(n_here / n_rows), len(self["x"]))
        if n_parts <= 1:
            return [self]
        bounds = {
            name: np.linspace(0, len(view), n_parts + 1).astype(int).tolist()
            for name, view in self.views.items()
        }
        parts = []
        for i in range(n_parts):
            part = PairBatch(
                **{
                    name: view[bounds[name][i] : bounds[name][i + 1]]
                    for name, view in self.views.items()
                }
            )
            part.weights = {
                name: of[bounds[name][i] : bounds[name][i + 1]]
                for name, of in self.weights.items()
            }
            if i == 0:
                part.n_before = self.n_before
            if i == n_parts - 1:
                part.n_after = self.n_after
            for name, (before, after) in self.entries_around.items():
                part.entries_around[name] = (
                    before if i == 0 else 0,
                    after if i == n_parts - 1 else 0,
                )
            parts.append(part)
        return parts


class PairDataset(torch.utils.data.Dataset):
    """Paired rows of two views, and rows of which one view is missing.

    Parameters
    ----------
    x, y : Tensor of shape (n_samples, ...), CSR array or DaskRows
        The views: in memory, in a memory-mapped file, or in the blocks of a Dask array.
    rows : Tensor of int of shape (n_rows,) or None, default=None
        Complete rows of the data set; None means all.
    x_only, y_only : Tensor of int of shape (n_rows,) or None, default=None
        Rows of which the other view is missing; None means none.
    weights : Tensor of shape (n_samples,) or None, default=None
        Weight of each row: the number of samples that it stands for. None means 1 for
        each row.
    partners : Partners or None, default=None
        Rows that share a partner; None means none.

    Attributes
    ----------
    validation : PairDataset, LoadedPairs or None
        The user's validation set, if there is one.
    """

    # Whether the order of the pairs is fixed, as in an iterable dataset.
    is_stream = False
    # Units that batches and blocks are converted to, by side. Views that have none are
    # taken as they are.
    units: dict = {}  # noqa: RUF012
    # Sides whose views are dense arrays in memory.
    sides_in_memory: tuple[str, ...] = ()
    validation: Any = None

    def __init__(
        self, x, y, rows=None, x_only=None, y_only=None, weights=None, partners=None
    ):
        self.x = x
        self.y = y
        self.rows = torch.arange(x.shape[0]) if rows is None else rows
        none = torch.empty(0, dtype=torch.long)
        self.x_only = none if x_only is None else x_only
        self.y_only = none if y_only is None else y_only
        self.weights = weights
        self.partners = partners

    @classmethod
    def from_arrays(cls, X, y, has_x=None, has_y=None, weights=None, partners=None):
        """Wrap arrays; memory-mapped files are not read into memory.

        Parameters
        ----------
        X, y : ndarray of shape (n_samples, ...), CSR array or DaskRows
            The views.
        has_x, has_y : ndarray of bool, shape (n_samples,), or None, default=None
            Rows in which this view is not missing; None means all.
        weights : ndarray of shape (n_samples,) or None, default=None
            Weight of each row: the number of samples that it stands for. Rows of weight
            0 are left out.
        partners : Partners or None, default=None
            Which rows share a partner.
        """
        n_rows = X.shape[0]
        has_x, has_y = (
            np.ones(n_rows, dtype=bool) if there is None else there
            for there in (has_x, has_y)
        )
        if weights is not None:
            has_x, has_y = has_x & (weights > 0), has_y & (weights > 0)
            weights = torch.from_numpy(weights)
        parts = (has_x & has_y, has_x & ~has_y, has_y & ~has_x)
        rows = (torch.from_numpy(np.flatnonzero(part)) for part in parts)
        about = {"weights": weights, "partners": partners}
        data = cls(_as_rows(X), _as_rows(y), *rows, **about)
        data.sides_in_memory = tuple(
            side for side, view in (("x", X), ("y", y)) if _is_in_memory(view)
        )
        return data

    def __len__(self):
        return len(self.rows) + self.n_unpaired

    @property
    def n_complete(self):
        """Number of complete rows."""
        return len(self.rows)

    @property
    def n_unpaired(self):
        """Number of rows of which one view is missing."""
        return len(self.x_only) + len(self.y_only)

    @property
    def shapes(self):
        """Shapes of a sample, by side."""
        return {"x": tuple(self.x.shape[1:]), "y": tuple(self.y.shape[1:])}

    def in_units(self, units):
        """The same rows, with batches and blocks in these units.

        Arrays in memory are converted now, other views when their rows are taken.
        """
        data = copy(self)
        data.units = {s: of for s, of in units.items() if s not in self.sides_in_memory}
        for side in units.keys() - data.units.keys():
            view = getattr(self, side).numpy()
            standardised = units[side].standardised(view, np.float32)
            setattr(data, side, torch.from_numpy(standardised))
        return data

    def part(self, rows, x_only=None, y_only=None):
        """Data set of some of the rows, by their numbers in this data set."""
        part = PairDataset(
            self.x, self.y, rows, x_only, y_only, self.weights, self.partners
        )
        return part.in_units(self.units)

    def batch(
        self, device, rows, x_only=None, y_only=None, sparse_sides=(), processes=ALONE
    ):
        """Batch of some of the complete, the x-only and the y-only rows, on `device`.

        If there are several processes, each gets its share of the rows.
        """
        numbers = {"x": self.rows[rows], "y": self.rows[rows]}
        if x_only is not None and len(self.x_only):
            numbers["x_only"] = self.x_only[x_only]
        if y_only is not None and len(self.y_only):
            numbers["y_only"] = self.y_only[y_only]
        about = {}
        if self.weights is not None:
            for name, of in numbers.items():
                if name != "y":
                    about[weights_of(name)] = self.weights[of].to(device)
        if self.partners is not None:
            among = self.partners.among(numbers["x"].numpy()).toarray()
            about["partners"] = torch.from_numpy(among).to(device)
        shares = {name: processes.share(len(of)) for name, of in numbers.items()}
        views = {
            name: self._take(name[0], of[shares[name]], device, name in sparse_sides)
            for name, of in numbers.items()
        }
        batch = PairBatch(about, **views)
        batch.weights = {name: of[shares[name]] for name, of in batch.weights.items()}
        for name, share in shares.items():
            batch.n_before[name] = share.start
            batch.n_after[name] = len(numbers[name]) - share.stop
            if name in sparse_sides and sparse.issparse(getattr(self, name)):
                of = numbers[name].numpy()
                n_stored = np.diff(getattr(self, name).indptr)
                batch.entries_around[name] = (
                    int(n_stored[of[: share.start]].sum()),
                    int(n_stored[of[share.stop :]].sum()),
                )
        return batch

    def batches(self, parts, device, sparse_sides, generator, processes):
        """Batches of these parts of the rows, triples (rows, x_only, y_only)."""
        for rows, x_only, y_only in parts:
            yield self.batch(device, rows, x_only, y_only, sparse_sides, processes)

    def shuffled(self, rows, generator):
        """Positions of some rows in random order.

        In a Dask array the blocks are shuffled, and the rows within each block.
        """
        order = torch.randperm(len(rows), generator=generator)
        if not isinstance(self.x, DaskRows):
            return order
        blocks = torch.from_numpy(self.x.block_of(rows[order].numpy()))
        turns = torch.randperm(self.x.n_blocks, generator=generator)
        return order[torch.argsort(turns[blocks], stable=True)]

    def blocks(self):
        """Complete rows, some at a time: arrays of both views, and weights or None."""
        for rows in self._row_blocks(self.rows):
            yield self._rows("x", rows), self._rows("y", rows), self._weights_of(rows)

    def unpaired_blocks(self, side):
        """Rows of which only the view of `side` is there, and weights or None."""
        for rows in self._row_blocks(getattr(self, f"{side}_only")):
            yield self._rows(side, rows), self._weights_of(rows)

    def first(self, n_rows):
        """Both views of the first `n_rows` complete rows, fewer if rows are large."""
        rows = self.rows[: min(n_rows, self._block_rows)]
        return self._rows("x", rows), self._rows("y", rows)

    def complete_weights(self):
        """Weights of the complete rows, or None if each row counts as one."""
        return self._weights_of(self.rows)

    def content(self):
        """The data by name, as given by the user."""
        return {
            "X": _as_array(self.x),
            "y": _as_array(self.y),
            "sample_weight": None if self.weights is None else self.weights.numpy(),
        }

    def find_partners(self, groups=None):
        """Find the rows that share a partner, by the values used in training."""
        blocks = (
            [self._take(side, rows, "cpu", keep_csr=True) for side in ("x", "y")]
            for rows in self._row_blocks(self.rows)
        )
        rows = self.rows.numpy()
        among_rows = None if groups is None else groups[rows]
        found = Partners.in_blocks(blocks, among_rows)
        self.partners = found and found.numbered(rows, self.x.shape[0])

    def relevant(self):
        """Which y each complete row should find, as a CSR array of bool.

        None means that each row should find only its own.
        """
        return self.partners and self.partners.among(self.rows.numpy())

    @property
    def _block_rows(self):
        return block_rows(max(map(_values_per_row, (self.x, self.y))))

    def _row_blocks(self, rows):
        return rows.split(self._block_rows) if len(rows) else ()

    def _weights_of(self, rows):
        return None if self.weights is None else self.weights[rows].numpy()

    def _rows(self, side, rows):
        """Rows of a view, in the units that are set for it."""
        view, units = getattr(self, side), self.units.get(side)
        is_sparse = sparse.issparse(view)
        taken = view[rows.numpy()] if is_sparse else view[rows].numpy()
        return taken if units is None else units.standardised(taken, np.float32)

    def _take(self, side, rows, device, keep_sparse=False, keep_csr=False):
        """Rows of a view as they are trained on."""
        taken = self._rows(side, rows)
        if sparse.issparse(taken):
            if keep_csr:
                return taken.astype(np.float32, copy=False)
            return as_tensor(taken, device, _TRAINED_IN, keep_sparse)
        return trained_on(torch.from_numpy(taken)).to(device)


class PairBatches:
    """Batches of paired rows.

    Every batch holds at least `batch_size` rows, or all rows if there are fewer. Rows
    that would make a short last batch are shared out among the others, because the
    correlation of a few rows is noise. Rows of which a view is missing are spread
    evenly over the batches.

    Parameters
    ----------
    dataset : PairDataset or LoadedPairs
        Data.
    batch_size : int
        Fewest rows of a batch.
    shuffle : bool, default=False
        Whether a new order is drawn each epoch, from `seed` and the number of the
        epoch. The pairs of an iterable dataset keep their order.
    seed : int, default=0
        Seed of the orders.
    device : str, default="cpu"
        Device of the batches.
    """

    def __init__(self, dataset, batch_size, shuffle=False, seed=0, device="cpu"):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.device = device
        self.epoch = 0
        self.sparse_sides = ()
        self.processes = ALONE

    def __len__(self):
        return max(1, len(self.dataset) // self.batch_size)

    def __iter__(self):
        generator = stream(self.seed, self.epoch, ORDER)
        self.epoch += 1
        data = self.dataset
        if data.is_stream:
            parts = self._sizes()
        else:
            rows = data.rows, data.x_only, data.y_only
            shared_out = (self._shared_out(part, generator) for part in rows)
            parts = zip(*shared_out, strict=True)
        for batch in data.batches(
            parts, self.device, self.sparse_sides, generator, self.processes
        ):
            yield batch, None

    def _shared_out(self, rows, generator):
        """Positions of `rows`, divided evenly into one part for each batch."""
        order = self.dataset.shuffled(rows, generator) if self.shuffle else None
        for start, stop in pairwise(self._bounds(len(rows))):
            yield slice(start, stop) if order is None else order[start:stop]

    def _sizes(self):
        """Number of pairs of each batch of a stream, one batch after the other."""
        n = self.dataset.n_complete
        if n is None:
            return repeat(self.batch_size)
        return iter(np.diff(self._bounds(n)).tolist())

    def _bounds(self, n):
        return np.linspace(0, n, len(self) + 1).astype(int)


class PairSplit:
    """Set a random share of the complete rows aside for validation.

    Parameters
    ----------
    fraction : float in (0, 1)
        Fraction of the rows.
    seed : int
        Seed of the choice.
    """

    def __init__(self, fraction, seed):
        self.fraction = fraction
        self.seed = seed

    def __call__(self, dataset):
        """Return the training and the validation part."""
        rows, generator = dataset.rows, stream(self.seed, 0, SPLIT)
        n_valid = round(len(rows) * self.fraction)
        groups = None if dataset.partners is None else dataset.partners.groups
        if groups is None:
            order = torch.randperm(len(rows), generator=generator)
            valid, train = order.tensor_split([n_valid])
        else:
            held = _whole_groups(groups[rows.numpy()], n_valid, generator)
            valid, train = held.nonzero()[:, 0], (~held).nonzero()[:, 0]
        return (
            dataset.part(rows[train.sort().values], dataset.x_only, dataset.y_only),
            dataset.part(rows[valid.sort().values]),
        )


def _whole_groups(groups, n_rows, generator):
    """Mask of the rows of randomly chosen groups, which hold `n_rows` rows or more."""
    _, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = torch.randperm(len(counts), generator=generator).numpy()
    n_chosen = 1 + np.searchsorted(np.cumsum(counts[order]), n_rows)
    if n_chosen >= len(counts):
        raise ValueError(
            f"{len(counts)} groups cannot be divided into {n_rows} validation samples "
            "and others to train on, because each group stays whole: lower "
            "validation_fraction, or pass smaller groups."
        )
    return torch.from_numpy(np.isin(members, order[:n_chosen]))


def stream_seed(*what_for):
    """Seed of a random stream; each sequence of whole numbers gives another one."""
    state = np.random.SeedSequence(what_for).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def stream(*what_for):
    """Generator of the random stream that `stream_seed` begins."""
    return torch.Generator().manual_seed(stream_seed(*what_for))


def trained_on(rows):
    """Rows as networks take them: integers become int64, other numbers float32."""
    return rows.to(_TRAINED_IN if rows.is_floating_point() else torch.int64)


def as_tensor(rows, device, dtype, keep_sparse=False):
    """Copy of rows of a dense or CSR view as a tensor, or as SparseRows."""
    if keep_sparse and sparse.issparse(rows):
        return SparseRows.from_csr(rows, device, dtype)
    rows = rows.toarray() if sparse.issparse(rows) else np.array(rows)
    dtype = torch.int64 if rows.dtype.kind in "iu" else dtype
    return torch.from_numpy(rows).to(device, dtype)


def block_rows(n_values):
    """Number of rows of a block, for rows of `n_values` values."""
    return min(_BLOCK_ROWS, max(1, _BLOCK_VALUES // n_values))


def require_float32(view, name):
    """Raise ValueError for values that float32 cannot hold."""
    values = view.data if sparse.issparse(view) else view
    limit = np.finfo(np.float32).max
    if view.dtype == np.float64 and values.size:
        # fmax and fmin skip the NaN of missing rows.
        largest = max(np.fmax.reduce(values, None), -np.fmin.reduce(values, None))
        if largest > limit:
            raise ValueError(
                f"{name} has values beyond {limit:.1e}, which float32 cannot hold: "
                "scale it down."
            )


def _as_rows(view):
    """A view from which rows can be selected by their numbers: a tensor, if dense."""
    if sparse.issparse(view) or isinstance(view, DaskRows):
        return view
    if view.dtype.kind in "iu" and view.dtype not in _INDEXED:
        view = view.astype(np.int64)
    is_in_order = view.flags.c_contiguous or (
        _is_mapped(view) and min(view.strides) >= 0
    )
    if not is_in_order:
        view = np.ascontiguousarray(view)
    with warnings.catch_warnings():
        # torch warns of read-only arrays, such as memory-mapped files. Their rows are
        # copied, and never changed.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(view)


def weights_of(name):
    """Name of the argument for the weights of the rows of a view of a batch."""
    return "weights" if name == "x" else f"{name}_weights"


def _as_array(view):
    return view.numpy() if isinstance(view, torch.Tensor) else view


def _is_in_memory(view):
    return isinstance(view, np.ndarray) and not _is_mapped(view)


def _is_mapped(view):
    """Whether an array lies in a memory-mapped file."""
    while isinstance(view, np.ndarray):
        view = view.base
    return isinstance(view, mmap)


def _values_per_row(view):
    if sparse.issparse(view):
        return max(1, view.nnz // max(1, view.shape[0]))
    return prod(view.shape[1:])
