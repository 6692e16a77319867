"""The rows that may be exchanged in a permutation test, and their arrangements."""

import math
from functools import partial
from itertools import permutations
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skcrl._labels import check_labels
from skcrl._validation import random_source

# Allowed values of `permute` and `n_permutations`, for `validate_params`.
PERMUTE = [StrOptions({"rows", "within", "whole", "shifts"}), None]
N_PERMUTATIONS = [Interval(Integral, 1, 2**31 - 1, closed="both")]


class Exchange(NamedTuple):
    """Sets of units that are permuted among themselves; other rows stay in place.

    A unit is one row, or the rows of a group in their order. Arrangements are arrays of
    row numbers, one per line.
    """

    n_samples: int
    sets: list[np.ndarray]  # each (units, rows of a unit), at least two units
    cyclic: bool  # whether all units of a set are only shifted, in a circle

    def n_arrangements(self):
        """Number of arrangements as a float, including that of the data."""
        if self.cyclic:
            return math.prod(float(len(units)) for units in self.sets)
        return math.prod(
            float(math.factorial(min(len(units), 150))) for units in self.sets
        )

    def drawn(self, size, seed):
        """Random arrangements, (size, n_samples)."""
        rng = np.random.default_rng(seed)
        return self._arranged(
            [self._random_orders(rng, size, len(units)) for units in self.sets], size
        )

    def numbered(self, numbers):
        """The arrangements with these numbers; number 0 leaves all rows in place."""
        orders = [self._all_orders(len(units)) for units in self.sets]
        choices = np.unravel_index(numbers, [len(order) for order in orders])
        return self._arranged(
            [order[choice] for order, choice in zip(orders, choices, strict=True)],
            len(numbers),
        )

    def _arranged(self, orders, size):
        rows = np.tile(np.arange(self.n_samples), (size, 1))
        for units, order in zip(self.sets, orders, strict=True):
            rows[:, units] = units[order]
        return rows

    def _random_orders(self, rng, size, m):
        if self.cyclic:
            return (np.arange(m) + rng.integers(m, size=(size, 1))) % m
        return np.argsort(rng.random((size, m)), axis=1)

    def _all_orders(self, m):
        if self.cyclic:
            return (np.arange(m) + np.arange(m)[:, None]) % m
        return np.array(list(permutations(range(m))))


def exchange(n_samples, groups, permute):
    """The :class:`Exchange` that `permute` names; None is its default."""
    if permute is None:
        permute = "rows" if groups is None else "within"
    if groups is None:
        if permute in ("within", "whole"):
            raise ValueError(
                f"permute={permute!r} needs groups, which give the group of each row, "
                "got None."
            )
        groups = np.zeros(n_samples, dtype=int)
    elif permute == "rows":
        raise ValueError(
            "permute='rows' permutes all rows and ignores groups: leave groups out, or "
            "choose permute='within', 'whole' or 'shifts'."
        )
    members = _members(groups, n_samples)
    if permute == "whole":
        sets = _of_equal_size(members)
    else:
        sets = [rows[:, None] for rows in members if len(rows) > 1]
        if not sets:
            raise ValueError(
                "Each group has only one sample, so there is nothing to permute within "
                "groups: use coarser groups, or None."
            )
    return Exchange(n_samples, sets, permute == "shifts")


def draws(exchange, n_permutations, largest, random_state):
    """Functions without arguments that return arrangements, at most `largest` each.

    The arrangements are drawn at random. If there are no more than `n_permutations`
    of them, all are taken instead, except that of the data itself.
    """
    others = exchange.n_arrangements() - 1
    every = others <= n_permutations
    n = int(others) if every else n_permutations
    starts = range(0, n, largest)
    if every:
        numbers = np.arange(1, n + 1)
        return [partial(exchange.numbered, numbers[i : i + largest]) for i in starts]
    seeds = random_source(random_state).randint(2**31 - 1, size=len(starts))
    return [
        partial(exchange.drawn, min(largest, n - i), seed)
        for i, seed in zip(starts, seeds, strict=True)
    ]


def _members(groups, n_samples):
    """Row numbers of each group, in their order."""
    groups = check_labels(groups, "groups")
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must have one entry for each of the {n_samples} samples, got "
            f"shape {groups.shape}."
        )
    _, group_of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rows = np.argsort(group_of_row, kind="stable")
    return np.split(rows, np.cumsum(sizes)[:-1])


def _of_equal_size(members):
    """Sets of groups of equal size, each an array (groups, size)."""
    by_size: dict[int, list] = {}
    for rows in members:
        by_size.setdefault(len(rows), []).append(rows)
    sets = [np.stack(alike) for alike in by_size.values() if len(alike) > 1]
    if not sets:
        sizes = ", ".join(str(size) for size in sorted(by_size)[:5])
        raise ValueError(
            "permute='whole' permutes groups of equal size, but no two groups have the "
            f"same size (sizes {sizes}{', ...' if len(by_size) > 5 else ''}): make the "
            "groups equally large, or choose permute='within'."
        )
    return sets
