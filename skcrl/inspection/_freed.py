"""Rows of views after covariates are removed, which are still exchangeable."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from skcrl.inspection._exchange import Exchange

# A combination of covariates with a smaller singular value is rounding error.
_ROUNDING = 1e-10
# Smallest allowed singular value of the rows of a basis that belong to omitted units.
_LEAST = 1e-6


class Freed(NamedTuple):
    """Semi-orthogonal Q with Q'Z = 0, and the exchange of the rows of Q'M.

    Ordinary residuals are not exchangeable, because each contains a part of every
    other. Residuals of Theil, Q = R S' (S R S')^-1/2, are exchangeable: they have the
    variance of the errors themselves, and no covariances. Here R computes residuals of
    the n units, and S selects as many units as there are degrees of freedom.

    Units of several rows are first rotated to their mean and to orthogonal contrasts
    between their rows. Each contrast is regressed on the same contrast of the
    covariates, and the same units are omitted from all. The means of the sets are
    removed before the covariates.
    """

    n_samples: int
    parts: list["_Part"]
    exchange: Exchange  # of the rows of Q'M, which are fewer than those of M

    def reduced(self, M):
        """Product Q'M (rows left, k) of M (n_samples, k)."""
        return np.concatenate([part.reduced(M) for part in self.parts])

    def expanded(self, M):
        """Product Q M (n_samples, k) of M (rows left, k)."""
        out = np.zeros((self.n_samples, M.shape[1]))
        ends = np.cumsum([part.n_left for part in self.parts])
        for part, rows in zip(self.parts, np.split(M, ends[:-1]), strict=True):
            out[part.units] = part.expanded(rows)
        return out

    def without(self, view):
        """Product Q Q'M, with zeros for columns that covariates explain."""
        return unless_explained(self.expanded(self.reduced(view)), view)


class _Part(NamedTuple):
    """Units with the same number of rows, and the regressions of their contrasts."""

    units: np.ndarray  # (N, width), numbers of their rows
    means: "_Means"
    regressions: list["_Regression"]  # of each contrast, on the units kept by `means`

    @property
    def n_left(self):
        """Number of rows that are left."""
        return len(self.regressions[0].kept) * len(self.regressions)

    def reduced(self, M):
        contrasts = _contrasts(M[self.units])  # (width, N, k)
        left = [
            of.reduced(self.means.reduced(contrast))
            for of, contrast in zip(self.regressions, contrasts, strict=True)
        ]
        return np.stack(left, axis=1).reshape(self.n_left, M.shape[1])

    def expanded(self, M):
        width = len(self.regressions)
        contrasts = M.reshape(len(M) // width, width, M.shape[1])
        out = [
            self.means.expanded(of.expanded(contrasts[:, j]))
            for j, of in enumerate(self.regressions)
        ]
        return np.einsum("jw,jnk->nwk", linalg.helmert(width, full=True), out)


class _Means(NamedTuple):
    """Theil's residuals after the means of sets; the last unit of a set is omitted."""

    starts: np.ndarray  # (sets,), first unit of each
    sizes: np.ndarray  # (sets,)

    @property
    def kept(self):
        """Units that are left."""
        return np.delete(np.arange(self.sizes.sum()), self.starts + self.sizes - 1)

    def reduced(self, M):
        """Q'M. (S R S')^-1/2 is I + 11' / (1 + sqrt(m)) in a set of m units."""
        m = self.sizes[:, None]
        mean = np.add.reduceat(M, self.starts) / m
        last = M[self.starts + self.sizes - 1]
        taken = mean - (mean - last) / (1 + m**0.5)
        return M[self.kept] - np.repeat(taken, self.sizes - 1, axis=0)

    def expanded(self, M):
        """Q M, by the transpose."""
        out = np.zeros((self.sizes.sum(), M.shape[1]))
        out[self.kept] = M
        m = self.sizes[:, None]
        total = np.add.reduceat(out, self.starts)
        # First (S R S')^-1/2 for the kept units, then the mean of all units is removed.
        added = total / (1 + m**0.5)
        mean = (total + (m - 1) * added) / m
        out[self.kept] += np.repeat(added, self.sizes - 1, axis=0)
        return out - np.repeat(mean, self.sizes, axis=0)


class _Regression(NamedTuple):
    """Theil's residuals of a regression on the orthonormal columns of `basis`."""

    basis: np.ndarray  # (N, r)
    kept: np.ndarray  # (N',), units that are left
    turned: np.ndarray  # (N', r), rows of the basis that are left, rotated
    factors: np.ndarray  # (r,)

    @classmethod
    def of(cls, basis, left_out):
        # S R S' is I - U U', where U holds the rows of the basis that are kept. If the
        # omitted rows have singular values s, U'U has the eigenvalues 1 - s².
        kept = np.delete(np.arange(len(basis)), left_out)
        _, s, turn = np.linalg.svd(basis[left_out], full_matrices=False)
        return cls(basis, kept, basis[kept] @ turn.T, 1 / (s * (1 + s)))

    def reduced(self, M):
        """Product Q'M."""
        return self._root((M - self.basis @ (self.basis.T @ M))[self.kept])

    def expanded(self, M):
        """Product Q M."""
        out = np.zeros((len(self.basis), M.shape[1]))
        out[self.kept] = self._root(M)
        return out - self.basis @ (self.basis.T @ out)

    def _root(self, M):
        """Product (S R S')^-1/2 M."""
        return M + self.turned @ (self.factors[:, None] * (self.turned.T @ M))


def freed(exchange, covariates):
    """The :class:`Freed` rows of a design; ValueError if no two can be exchanged."""
    if exchange.cyclic:
        raise ValueError(
            "permute='shifts' takes no covariates, because residuals are not a "
            "stationary series. Divide the series into long groups of equally many "
            "neighbours, and choose permute='whole'."
        )
    n, rank = covariates.shape
    by_width: dict[int, list] = {}
    for units in exchange.sets:
        by_width.setdefault(units.shape[1], []).append(units)
    parts: list[_Part] = []
    sets: list[np.ndarray] = []
    start = 0
    for width, units_of_sets in by_width.items():
        sizes = np.array([len(units) for units in units_of_sets])
        units = np.concatenate(units_of_sets)
        means = _Means(np.cumsum(sizes) - sizes, sizes)
        set_of_unit = np.repeat(np.arange(len(sizes)), sizes)[means.kept]
        bases = [
            _basis(means.reduced(contrast))
            for contrast in _contrasts(covariates[units])
        ]
        left_out = _to_leave_out(bases)
        set_of_unit = np.delete(set_of_unit, left_out)
        rows = start + np.arange(len(set_of_unit) * width).reshape(-1, width)
        alike = [rows[set_of_unit == i] for i in np.unique(set_of_unit)]
        alike = [of_set for of_set in alike if len(of_set) > 1]
        if not alike:
            continue
        regressions = [_Regression.of(basis, left_out) for basis in bases]
        parts.append(_Part(units, means, regressions))
        sets.extend(alike)
        start += rows.size
    if not sets:
        raise ValueError(
            f"covariates vary in {rank} directions. After they are removed, the {n} "
            "samples have no two exchangeable rows or groups left: each set of "
            "exchangeable rows or groups loses one for its mean, and may lose one for "
            "each direction. Use fewer covariates, or larger sets."
        )
    return Freed(n, parts, Exchange(start, sets, cyclic=False))


def unless_explained(left, view):
    """What is left of a view, with zeros for columns where only rounding is left."""
    return np.where(abs(left).max(axis=0) > 1e-12 * abs(view).max(axis=0), left, 0.0)


def _contrasts(blocks):
    """Rows of each unit (N, width, k), rotated to contrasts (width, N, k).

    The first contrast is the mean of the rows.
    """
    return np.einsum("jw,nwk->jnk", linalg.helmert(blocks.shape[1], full=True), blocks)


def _basis(covariates):
    """Orthonormal basis (N, r) of columns whose length is at most one."""
    left, s, _ = np.linalg.svd(covariates, full_matrices=False)
    return left[:, s > _ROUNDING]


def _to_leave_out(bases):
    """A small number of units to omit, whose rows have full rank in each basis."""
    least = max(basis.shape[1] for basis in bases)
    if least == 0:
        return np.arange(0)
    _, order = linalg.qr(np.hstack(bases).T, mode="r", pivoting=True)
    for k in range(least, len(order)):
        rows = order[:k]
        values = [np.linalg.svd(basis[rows], compute_uv=False) for basis in bases]
        if all((s > _LEAST).all() for s in values):
            return rows
    return order
