"""The term that relates classes to their parents and attributes."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True)
class Relation:
    r"""The term R: each node should be its parent plus a few attributes.

    .. math:: w \sum_c \|u_c - u_{p(c)} - \sum_j \beta_{cj} d_{cj} a_j\|^2
        + w \gamma \Bigl( \sum_c \|\beta_c\|^2
        + \frac{1}{2} \sum_{c} \sum_{o \ne c} \|\beta_c + \beta_o\|^2 \Bigr)

    over nodes c and their siblings o, with coefficients beta that are not negative.
    """

    nodes: np.ndarray  # (m,), nodes c in the sum
    parents: np.ndarray  # (m,), their parents among all nodes, -1 for the origin
    contrasts: np.ndarray  # (m, n_attributes), d
    weight: float  # w
    exclusivity: float  # gamma

    def misfit(self, U, attributes, beta):
        """The first sum, and its gradients by codes U of nodes and by attributes."""
        weights = beta * self.contrasts
        rest = self._offsets(U) - weights @ attributes
        by_rest = 2 * self.weight * rest
        by_U = np.zeros_like(U)
        by_U[self.nodes] = by_rest
        below = self.parents >= 0
        np.subtract.at(by_U, self.parents[below], by_rest[below])
        return self.weight * np.vdot(rest, rest), by_U, -weights.T @ by_rest

    def overlap(self, beta):
        """The second sum."""
        squares = np.einsum("ij,ij->i", beta, beta)
        sums = squares[:, None] + squares + 2 * beta @ beta.T
        pairs = sums[self._siblings()].sum() / 2
        return self.weight * self.exclusivity * (squares.sum() + pairs)

    def effects(self, U):
        """Effect of each attribute on a code, (n_attributes, k), by ridge regression.

        The targets are the codes of nodes minus those of their parents, and the
        predictors are the contrasts.
        """
        d = self.contrasts
        return np.linalg.solve(d.T @ d + np.eye(d.shape[1]), d.T @ self._offsets(U))

    def best_coefficients(self, U, attributes, beta):
        """Update the coefficients of one node after another, given the other nodes.

        No update increases the term.
        """
        beta, siblings = beta.copy(), self._siblings()
        for c, offset in enumerate(self._offsets(U)):
            used = np.flatnonzero(self.contrasts[c])
            if not len(used):
                continue
            others = beta[siblings[c]][:, used]
            # |b|^2 + sum_o |b + b_o|^2 is n |b + sum_o b_o / n|^2 plus a constant.
            n = len(others) + 1
            root = np.sqrt(self.exclusivity * n)
            effects = (self.contrasts[c, used, None] * attributes[used]).T
            beta[c, used], _ = nnls(
                np.vstack([effects, root * np.eye(len(used))]),
                np.concatenate([offset, -root / n * others.sum(axis=0)]),
            )
        return beta

    def _offsets(self, U):
        """Codes of nodes minus those of their parents."""
        return U[self.nodes] - np.vstack([U, np.zeros(U.shape[1])])[self.parents]

    def _siblings(self):
        """Which nodes are siblings, (m, m); no node is its own sibling."""
        same = self.parents[:, None] == self.parents
        np.fill_diagonal(same, False)
        return same


def within_ball(A):
    """Rows; those longer than 1 are scaled to length 1."""
    return A / np.maximum(1, np.linalg.norm(A, axis=1, keepdims=True))


def through_ball(A, gradient):
    """Gradient by A, from the gradient by ``within_ball(A)``."""
    lengths = np.maximum(1, np.linalg.norm(A, axis=1, keepdims=True))
    unit = A / lengths
    along = np.einsum("ij,ij->i", gradient, unit)[:, None]
    return (gradient - np.where(lengths > 1, along, 0) * unit) / lengths
