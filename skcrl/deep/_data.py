"""Pairs in memory, and batches of them: sliced, not collated."""

from itertools import pairwise
from math import ceil

import numpy as np
import torch
from scipy import sparse

from skcrl.deep._processes import ALONE
from skcrl.deep.modules import SparseRows

# What a stream of random numbers is for.
WEIGHTS, SPLIT, ORDER, NOISE, AUGMENT = 1, 2, 3, 4, 5


class PairBatch:
    """Views of some rows, by the names of the arguments they are passed as.

    Parameters
    ----------
    about : dict of str to Tensor or None, default=None
        What else the loss is to know of the rows, by the names of its arguments:
        `weights` of the complete rows, `x_only_weights` and `y_only_weights` of the
        others, and `partners`. None stands for nothing.
    **views : Tensor of shape (n_rows, ...)
        `x` and `y`, which are paired, and perhaps `x_only` and `y_only`, rows of which
        the other view is missing.

    Attributes
    ----------
    weights : Tensor of shape (n_rows,) or None
        Those of the complete rows that are here.
    n_before, n_after : dict of str to int
        Rows of each view that come before and after those that are here, in the whole
        batch, about which `about` tells; where none do, a view is not named.
    """

    def __init__(self, about=None, **views):
        self.views = views
        self.about = about or {}
        self.weights = self.about.get("weights")
        self.n_before: dict[str, int] = {}
        self.n_after: dict[str, int] = {}

    def keys(self):
        """Names of the views."""
        return self.views.keys()

    def __getitem__(self, name):
        return self.views[name]

    def __len__(self):
        return sum(self.n_rows(name) for name in self.views if name != "y")

    def around(self, name):
        """Rows of a view before and after those that are here."""
        return self.n_before.get(name, 0), self.n_after.get(name, 0)

    def n_rows(self, name):
        """Rows of a view in the whole batch."""
        return sum(self.around(name)) + len(self.views[name])

    def share(self, processes):
        """The rows of a whole batch that belong to this one of several processes."""
        shares = {name: processes.share(len(v)) for name, v in self.views.items()}
        views = {name: view[shares[name]] for name, view in self.views.items()}
        batch = PairBatch(self.about, **views)
        if self.weights is not None:
            batch.weights = self.weights[shares["x"]]
        for name, share in shares.items():
            batch.n_before[name] = share.start
            batch.n_after[name] = len(self.views[name]) - share.stop
        return batch

    def parts(self, n_rows):
        """The rows in even parts of `n_rows` at most, in order, each without `about`.

        There are as many as complete rows at most. With None all are one part.
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
            if self.weights is not None:
                part.weights = self.weights[bounds["x"][i] : bounds["x"][i + 1]]
            if i == 0:
                part.n_before = self.n_before
            if i == n_parts - 1:
                part.n_after = self.n_after
            parts.append(part)
        return parts


class PairDataset(torch.utils.data.Dataset):
    """Paired rows of two views in memory, and rows of which one view is missing.

    Parameters
    ----------
    x, y : Tensor of shape (n_samples, ...) or CSR array of shape (n_samples, n_features)
        The views, in float32.
    rows : Tensor of int of shape (n_rows,) or None, default=None
        Complete rows of the data set; None stands for all.
    x_only, y_only : Tensor of int of shape (n_rows,) or None, default=None
        Rows of which the other view is missing; None stands for none.
    weights : Tensor of shape (n_samples,) or None, default=None
        How many samples each row stands for; None is one each.
    partners : Partners or None, default=None
        Which rows share a partner; None stands for none.

    Attributes
    ----------
    validation : PairDataset or None
        A validation set of the user's.
    """  # noqa: E501

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
        self.validation = None

    @classmethod
    def from_arrays(cls, X, y, has_x=None, has_y=None, weights=None, partners=None):
        """Wrap arrays, copying only what is not writable contiguous float32.

        Parameters
        ----------
        X, y : ndarray of shape (n_samples, ...) or CSR array
            The views.
        has_x, has_y : ndarray of bool, shape (n_samples,), or None, default=None
            Rows that are there; None stands for all.
        weights : ndarray of shape (n_samples,) or None, default=None
            How many samples each row stands for.
        partners : Partners or None, default=None
            Which rows share a partner.
        """
        x, y = _as_float32(X), _as_float32(y)
        about = {
            "weights": None if weights is None else torch.from_numpy(weights),
            "partners": partners,
        }
        if has_x is None:
            return cls(x, y, **about)
        parts = (has_x & has_y, has_x & ~has_y, has_y & ~has_x)
        rows = (torch.from_numpy(np.flatnonzero(part)) for part in parts)
        return cls(x, y, *rows, **about)

    def __len__(self):
        return len(self.rows) + len(self.x_only) + len(self.y_only)

    def batch(
        self, device, rows, x_only=None, y_only=None, sparse_sides=(), processes=ALONE
    ):
        """Some of the complete, the x-only and the y-only rows, on `device`.

        Of several processes each gets its share of them.
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
                    about[_weights_of(name)] = self.weights[of].to(device)
        if self.partners is not None:
            among = self.partners.among(numbers["x"].numpy()).toarray()
            about["partners"] = torch.from_numpy(among).to(device)
        shares = {name: processes.share(len(of)) for name, of in numbers.items()}
        batch = PairBatch(
            about,
            **{
                name: _take(
                    self.x if name[0] == "x" else self.y,
                    of[shares[name]],
                    device,
                    name in sparse_sides,
                )
                for name, of in numbers.items()
            },
        )
        if self.weights is not None:
            batch.weights = about["weights"][shares["x"]]
        for name, share in shares.items():
            batch.n_before[name] = share.start
            batch.n_after[name] = len(numbers[name]) - share.stop
        return batch

    def complete(self):
        """Both views of the complete rows, as float32 arrays."""
        return tuple(
            view[self.rows.numpy()]
            if sparse.issparse(view)
            else view[self.rows].numpy()
            for view in (self.x, self.y)
        )

    def complete_weights(self):
        """Weights of the complete rows, or None if each weighs one."""
        return None if self.weights is None else self.weights[self.rows].numpy()

    def part(self, rows, x_only=None, y_only=None):
        """Some of the rows, by their numbers in the data set."""
        return PairDataset(
            self.x, self.y, rows, x_only, y_only, self.weights, self.partners
        )


class PairBatches:
    """Batches of paired rows.

    Every batch holds at least `batch_size` rows, or all there are: a short last batch
    is shared out among the others, because correlations of a few rows are noise. Rows
    of which a view is missing are spread evenly.

    Parameters
    ----------
    dataset : PairDataset
        Data.
    batch_size : int
        Fewest rows of a batch.
    shuffle : bool, default=False
        Draw a new order each epoch, from `seed` and the number of the epoch.
    seed : int, default=0
        Seed of the orders.
    device : str, default="cpu"
        Where batches go.
    """

    def __init__(self, dataset, batch_size, shuffle=False, seed=0, device="cpu"):
        self.dataset = dataset
        self.n_batches = max(1, len(dataset) // batch_size)
        self.shuffle = shuffle
        self.seed = seed
        self.device = device
        self.epoch = 0
        self.sparse_sides = ()
        self.processes = ALONE

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        generator = stream(self.seed, self.epoch, ORDER)
        self.epoch += 1
        data = self.dataset
        parts = [
            self._shared_out(len(rows), generator)
            for rows in (data.rows, data.x_only, data.y_only)
        ]
        for rows, x_only, y_only in zip(*parts, strict=True):
            yield (
                data.batch(
                    self.device,
                    rows,
                    x_only,
                    y_only,
                    self.sparse_sides,
                    self.processes,
                ),
                None,
            )

    def _shared_out(self, n, generator):
        """Positions 0 to n - 1 in `n_batches` parts of even length."""
        order = torch.randperm(n, generator=generator) if self.shuffle else None
        bounds = np.linspace(0, n, self.n_batches + 1).astype(int)
        for start, stop in pairwise(bounds):
            yield slice(start, stop) if order is None else order[start:stop]


class PairSplit:
    """Set a random share of the complete rows aside for validation.

    Parameters
    ----------
    fraction : float in (0, 1)
        Share of the rows.
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
    """Which rows belong to randomly chosen groups that hold `n_rows` rows or more."""
    _, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = torch.randperm(len(counts), generator=generator).numpy()
    n_chosen = 1 + np.searchsorted(np.cumsum(counts[order]), n_rows)
    if n_chosen >= len(counts):
        raise ValueError(
            f"{len(counts)} groups cannot be divided into {n_rows} validation samples "
            "and others to train on, as each stays whole: lower validation_fraction, "
            "or pass smaller groups."
        )
    return torch.from_numpy(np.isin(members, order[:n_chosen]))


def stream_seed(*what_for):
    """Seed of a stream of its own for each sequence of whole numbers."""
    state = np.random.SeedSequence(what_for).generate_state(1, np.uint64)
    return int(state[0] >> 1)


def stream(*what_for):
    """Generator of a stream of its own for each sequence of whole numbers."""
    return torch.Generator().manual_seed(stream_seed(*what_for))


def as_tensor(rows, device, dtype, keep_sparse=False):
    """Rows of a dense or CSR view as a tensor of their own, or as SparseRows."""
    if keep_sparse and sparse.issparse(rows):
        return SparseRows.from_csr(rows, device, dtype)
    rows = rows.toarray() if sparse.issparse(rows) else np.array(rows)
    return torch.from_numpy(rows).to(device, dtype)


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


def _as_float32(view):
    if sparse.issparse(view):
        return view.astype(np.float32, copy=False)
    # torch warns of read-only arrays, such as joblib's memory maps.
    return torch.from_numpy(np.require(view, np.float32, ["C", "W"]))


def _weights_of(name):
    return "weights" if name == "x" else f"{name}_weights"


def _take(view, rows, device, keep_sparse=False):
    if sparse.issparse(view):
        return as_tensor(view[rows.numpy()], device, torch.float32, keep_sparse)
    return view[rows].to(device)
