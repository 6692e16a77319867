"""Pairs that a torch Dataset gives one by one, through torch's own DataLoader."""

from copy import copy
from inspect import signature
from itertools import chain, count, repeat
from math import prod
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, default_collate

from skcrl.deep._data import PairBatch, block_rows, require_float32, trained_on
from skcrl.deep._partners import Partners, may_repeat

_NAMES = {"x": "X", "y": "y"}
# Parameters of a DataLoader that skcrl sets itself.
_OURS = {
    *("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "drop_last"),
    *("generator", "persistent_workers"),
}
SETTINGS = frozenset(signature(DataLoader).parameters) - _OURS


def is_dataset(data):
    """Whether data are a torch Dataset, of pairs or of samples."""
    return isinstance(data, torch.utils.data.Dataset)


class _Loaded:
    """Samples of one or both sides that a Dataset gives.

    Parameters
    ----------
    dataset : torch Dataset
        A map-style or an iterable Dataset.
    settings : dict
        Parameters of the DataLoader.

    Attributes
    ----------
    samples : dict of str to Tensor of shape (1, ...)
        The first sample of each side.
    """

    def __init__(self, dataset, settings):
        self.dataset = dataset
        self.settings = settings
        self.is_stream = isinstance(dataset, IterableDataset)
        self.n_complete = _length(dataset)
        if self.n_complete is None and not self.is_stream:
            raise ValueError(
                f"The dataset, a {type(dataset).__name__}, has no length: give it a "
                "__len__, or derive it from torch.utils.data.IterableDataset."
            )
        self._first = self._read_first()
        self.samples = {
            side: self._tensor(sample, side, "Sample 0")
            for side, sample in self._sides(self._first).items()
        }
        self.types = {side: t.dtype for side, t in self.samples.items()}
        self.shapes = {side: tuple(t.shape[1:]) for side, t in self.samples.items()}

    def _read_first(self):
        """The first item alone, collated."""
        if self.n_complete == 0:
            raise _empty()
        if not self.is_stream:
            return self._collate([self.dataset[0]])
        for item in self.dataset:
            return self._collate([item])
        raise _empty()

    def _collate(self, items):
        _refuse_masks(items[0])
        try:
            return (self.settings.get("collate_fn") or default_collate)(items)
        except (TypeError, RuntimeError) as error:
            if "default" not in str(error) or "collate" not in str(error):
                raise
            raise ValueError(
                f"The dataset gives {type(items[0]).__name__}, but torch's "
                f"default_collate cannot make a batch of it: {error}. Pass "
                'net_params={"iterator_train__collate_fn": ...}.'
            ) from error

    def _sides(self, collated):
        """Views of a collated batch, by side."""
        raise NotImplementedError

    def _tensor(self, view, side, where):
        """One view of a batch as a tensor."""
        if isinstance(view, np.ndarray):
            view = torch.as_tensor(view)
        if isinstance(view, torch.Tensor):
            view = view.detach()
            if view.dtype in (torch.float16, torch.bfloat16):
                view = view.float()
        if not isinstance(view, torch.Tensor):
            kind = "str" if _holds_strings(view) else type(view).__name__
            raise ValueError(
                f"{where} of the dataset has {_NAMES[side]} of type {kind}, which is "
                "not an array of numbers: let the dataset, or a collate_fn of its "
                "loader, make tensors of it, for example of tokens."
            )
        return view[:, None] if side == "y" and view.ndim == 1 else view

    @property
    def y_is_1d(self):
        """Whether samples of y are single numbers."""
        return self._sides(self._first)["y"].ndim == 1

    def keep_types(self, integer_sides):
        """Keep integers of these sides as integers; all other numbers become floats."""
        for side, dtype in self.types.items():
            if dtype.is_floating_point:
                is_wide = dtype == torch.float64
                self.types[side] = torch.float64 if is_wide else torch.float32
            else:
                is_kept = side in integer_sides and dtype != torch.bool
                self.types[side] = torch.int64 if is_kept else torch.float64

    def _views(self, collated, where):
        """Tensors by side, of the shape and type of the first sample."""
        views = {}
        for side, view in self._sides(collated).items():
            view = self._tensor(view, side, where)
            if tuple(view.shape[1:]) != self.shapes[side]:
                raise ValueError(
                    f"{where} of the dataset has samples of {_NAMES[side]} of shape "
                    f"{tuple(view.shape[1:])}, but the first has shape "
                    f"{self.shapes[side]}: all must have the same shape, so pad or "
                    "crop them."
                )
            views[side] = view.to(self.types[side])
        if len({len(view) for view in views.values()}) > 1:
            raise ValueError(
                f"{where} of the dataset has {len(views['x'])} samples of X and "
                f"{len(views['y'])} of y: they must be paired."
            )
        return views

    def _load(self, generator, numbers=None, batch_size=None):
        """Yield the views of each batch, by side.

        `numbers` has the rows of each batch. Without it, `batch_size` rows of a stream
        make a batch.
        """
        loader = DataLoader(
            self.dataset,
            batch_size=1 if batch_size is None else batch_size,
            batch_sampler=numbers,
            generator=generator,
            **self.settings,
        )
        batches = iter(loader)
        for number in count():
            try:
                collated = next(batches)
            except StopIteration:
                return
            except (RuntimeError, ValueError) as error:
                if "equal size" in str(error):
                    rows = () if numbers is None else numbers[number]
                    raise self._uneven(rows, number, error) from error
                raise
            yield self._views(collated, f"Batch {number}")

    def _uneven(self, rows, number, error):
        """The error for a batch of samples of several shapes."""
        for row in rows:
            views = self._sides(self._collate([self.dataset[row]]))
            for side, view in views.items():
                shape = tuple(self._tensor(view, side, f"Sample {row}").shape[1:])
                if shape != self.shapes[side]:
                    return ValueError(
                        f"Sample {row} of the dataset has {_NAMES[side]} of shape "
                        f"{shape}, but the first has {self.shapes[side]}. All samples "
                        "must have the same shape, so pad or crop them."
                    )
        return ValueError(
            f"Batch {number} of the dataset has samples of several shapes ({error}). "
            "All samples must have the same shape, so pad or crop them."
        )

    def _in_lots(self, sizes, generator, joins_rest):
        """Yield consecutive samples of a stream in lots of these sizes, views by side.

        If too few samples are left for another lot, they are joined to the last lot
        (`joins_rest`), or are a lot of their own.
        """
        sizes = iter(sizes)
        first = next(sizes)
        loaded = self._counted(self._load(generator, batch_size=first))
        held: dict | None = None
        waiting: list[dict] = []
        for size in chain([first], sizes):
            while _n_rows(waiting) < size:
                views = next(loaded, None)
                if views is None:
                    break
                waiting.append(views)
            if _n_rows(waiting) < size:
                break
            if held is not None:
                yield held
            joined = _joined(waiting)
            held = {side: view[:size] for side, view in joined.items()}
            waiting = [{side: view[size:] for side, view in joined.items()}]
        next(loaded, None)  # raises an error if there are more than the length says
        if held is None:
            yield _joined(waiting)
        elif joins_rest or not _n_rows(waiting):
            yield _joined([held, *waiting])
        else:
            yield held
            yield _joined(waiting)

    def _counted(self, loaded):
        """Yield the same batches; raise ValueError unless they add up to the length."""
        n_seen = 0
        for views in loaded:
            n_seen += _n_rows([views])
            if self.n_complete is not None and n_seen > self.n_complete:
                break
            yield views
        if n_seen == 0:
            raise _empty()
        if self.n_complete not in (None, n_seen):
            raise ValueError(
                f"The dataset has a length of {self.n_complete} and gave {n_seen} "
                "samples or more: correct its __len__, and let each worker give a "
                "share of its own, by torch.utils.data.get_worker_info()."
            )

    def _in_blocks(self, rows=None):
        """Yield blocks of all rows, or of these rows: arrays of the views, by side."""
        size = block_rows(max(map(prod, self.shapes.values())))
        generator = torch.Generator()
        if self.is_stream:
            blocks = self._in_lots(repeat(size), generator, joins_rest=False)
        else:
            rows = torch.arange(self.n_complete) if rows is None else rows
            numbers = [part.tolist() for part in rows.split(size)]
            blocks = self._load(generator, numbers)
        for n, views in enumerate(blocks):
            for side, view in views.items():
                require_numbers(view, side, f"Block {n}")
                require_float32(view.numpy(), _NAMES[side])
            yield {side: view.numpy() for side, view in views.items()}


class LoadedPairs(_Loaded, torch.utils.data.Dataset):
    """Pairs of a Dataset, in the batches and blocks that a training needs.

    Parameters
    ----------
    dataset : torch Dataset
        A map-style or an iterable Dataset of pairs (x, y).
    settings : dict
        Parameters of the DataLoader.
    """

    n_unpaired = 0
    weights = None
    # Units that batches and blocks are converted to, by side. Views that have none are
    # taken as they are.
    units: dict = {}  # noqa: RUF012
    validation: Any = None
    # Smallest number of pairs that a batch of a stream must have.
    fewest_rows = 1
    _finds_partners = False

    def __init__(self, dataset, settings):
        super().__init__(dataset, settings)
        self.rows = torch.arange(self.n_complete or 0)
        self.x_only = self.y_only = torch.empty(0, dtype=torch.long)
        self._relevant: tuple = ()

    def _sides(self, collated):
        if not isinstance(collated, (tuple, list)) or len(collated) != 2:
            raise ValueError(
                "The dataset must give pairs (x, y), a tuple of two, but it gives "
                f"{_described(collated)}."
            )
        return dict(zip("xy", collated, strict=True))

    def __len__(self):
        return self.n_complete

    @property
    def partners(self):
        """None, because partners are found batch by batch."""
        return None

    def in_units(self, units):
        """The same pairs, with batches and blocks in these units."""
        data = copy(self)
        data.units = units
        return data

    def part(self, rows, *_):
        """Some of the pairs, by their numbers in the data set."""
        part = copy(self)
        part.rows, part.n_complete, part._relevant = rows, len(rows), ()
        return part

    def shuffled(self, rows, generator):
        """Positions of some rows in random order."""
        return torch.randperm(len(rows), generator=generator)

    def batches(self, parts, device, sparse_sides, generator, processes):
        """Yield batches of these parts of the pairs.

        The parts are positions of pairs, or numbers of pairs of a stream. If there are
        several processes, each loads only its share, except that each process loads all
        pairs of a stream, and all pairs if partners must be found.
        """
        if self.is_stream:
            loaded = self._in_lots(parts, generator, joins_rest=True)
        else:
            rows = [self.rows[part] for part, *_ in parts]
            if not self._finds_partners:
                shares = [processes.share(len(of)) for of in rows]
                n_rows = [len(of) for of in rows]
                rows = [of[share] for of, share in zip(rows, shares, strict=True)]
            loaded = self._load(generator, [of.tolist() for of in rows])
        for number, views in enumerate(loaded):
            if self.is_stream and _n_rows([views]) < self.fewest_rows:
                raise ValueError(
                    f"The iterable dataset gave {_n_rows([views])} pairs, but a batch "
                    f"needs at least {self.fewest_rows}: give more."
                )
            batch = self._batch(views, device, f"Batch {number}")
            if self.is_stream or self._finds_partners:
                batch = batch.share(processes)
            else:
                batch.place(shares[number], n_rows[number])
            yield batch

    def _batch(self, views, device, where):
        views = {
            side: trained_on(self._in_units(view, side)) for side, view in views.items()
        }
        about = {}
        for side, view in views.items():
            require_numbers(view, side, where)
        if self._finds_partners and any(map(may_repeat, views.values())):
            partners = Partners.find(views["x"], views["y"])
            if partners is not None:
                among = partners.among(np.arange(len(views["x"]))).toarray()
                about["partners"] = torch.from_numpy(among).to(device)
        pinned = self.settings.get("pin_memory", False)
        return PairBatch(
            about,
            **{
                side: view.to(device, non_blocking=pinned)
                for side, view in views.items()
            },
        )

    def _in_units(self, view, side):
        units = self.units.get(side)
        if units is None:
            return view
        return torch.from_numpy(units.standardised(view.numpy(), np.float32))

    def blocks(self):
        """Yield blocks of pairs: arrays of both views, and None for the weights."""
        for views in self._in_blocks(self.rows):
            x, y = (
                self._in_units(torch.from_numpy(views[side]), side).numpy()
                for side in "xy"
            )
            yield x, y, None

    def unpaired_blocks(self, side):
        """Return no blocks, because each pair has both views."""
        return ()

    def first(self, n_rows):
        """Both views of the first `n_rows` pairs, fewer if pairs are large."""
        x, y, _ = next(self.blocks())
        return x[:n_rows], y[:n_rows]

    def complete_weights(self):
        """None, because each pair counts as one."""
        return None

    def find_partners(self, groups=None):
        """Let each batch find which of its rows share a partner."""
        self._finds_partners = True

    def relevant(self):
        """Which y each pair should find, as a CSR array of bool.

        None means that each pair should find only its own.
        """
        if not self._relevant:
            found = Partners.in_blocks(
                map(torch.from_numpy, pair[:2]) for pair in self.blocks()
            )
            self._relevant = (found and found.among(np.arange(len(self))),)
        return self._relevant[0]

    def content(self):
        """What identifies the data: class, length, and the first and last samples."""
        last = self._first
        if not self.is_stream:
            last = self._collate([self.dataset[self.n_complete - 1]])
        ends = {"first": self._first, "last": last}
        return {
            "dataset": f"{type(self.dataset).__name__} of length {self.n_complete}",
            **{
                f"{_NAMES[side]} of the {end} sample": self._tensor(
                    view, side, end
                ).numpy()
                for end, item in ends.items()
                for side, view in self._sides(item).items()
            },
        }


class LoadedSide(_Loaded):
    """Samples of one side, from a Dataset of samples or of pairs.

    Parameters
    ----------
    dataset : torch Dataset
        A map-style or an iterable Dataset. It gives samples, tuples of one sample, or
        pairs.
    settings : dict
        Parameters of the DataLoader.
    side : {"x", "y"}
        The side that is taken of each pair.
    """

    def __init__(self, dataset, settings, side):
        self.side = side
        super().__init__(dataset, settings)

    def _sides(self, collated):
        if isinstance(collated, (tuple, list)) and len(collated) in (1, 2):
            collated = collated[0 if self.side == "x" else -1]
        return {self.side: collated}

    def _collate(self, items):
        if not isinstance(items[0], (tuple, list)):
            # The user's collate_fn is made for pairs, and cannot take single samples.
            self.settings = {**self.settings, "collate_fn": None}
        return super()._collate(items)

    def blocks(self):
        """Yield blocks of samples, as arrays."""
        for views in self._in_blocks():
            yield views[self.side]


def require_numbers(view, side, where):
    """Raise ValueError for values that are missing, or beyond float32."""
    if not view.is_floating_point() or torch.isfinite(view.sum()):
        return
    if not torch.isfinite(view).all():
        raise ValueError(
            f"{where} of the dataset has NaN or infinity among {_NAMES[side]}, or "
            "values that float32 cannot hold."
        )


def _length(dataset):
    """Length of a dataset, or None if it has no length."""
    try:
        return len(dataset)
    except (TypeError, AssertionError, NotImplementedError):
        return None


def _refuse_masks(item):
    """Raise ValueError for masked arrays: torch would take the masked values."""
    views = item if isinstance(item, (tuple, list)) else (item,)
    if any(isinstance(view, np.ma.MaskedArray) for view in views):
        raise ValueError(
            "The dataset gives masked arrays, but torch ignores their masks: fill "
            "them, or leave the samples out."
        )


def _n_rows(lots):
    return sum(len(next(iter(views.values()))) for views in lots)


def _joined(lots):
    """Views by side, with the rows of several lots one after the other."""
    lots = [views for views in lots if _n_rows([views])]
    if len(lots) == 1:
        return lots[0]
    return {side: torch.cat([views[side] for views in lots]) for side in lots[0]}


def _holds_strings(view):
    return isinstance(view, str) or (
        isinstance(view, (list, tuple))
        and any(isinstance(v, (str, bytes)) for v in view)
    )


def _described(item):
    if isinstance(item, (tuple, list)):
        return f"a {type(item).__name__} of {len(item)}"
    return f"{type(item).__name__}, alone"


def _empty():
    return ValueError(
        "The dataset gave no samples. An iterable dataset must start anew each time "
        "it is iterated over."
    )
