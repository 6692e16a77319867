"""The objective of semantic embedding."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skcrl.labels._attributes import Attributes
from skcrl.labels._axes import Axes
from skcrl.labels._margins import HINGE_WIDTH, margin_loss, rounded_hinge
from skcrl.labels._penalties import codes_penalty, map_penalty
from skcrl.labels._relation import Relation, through_ball, within_ball


class Siblings(NamedTuple):
    """Nodes with the same parent, and the samples below them."""

    nodes: np.ndarray  # (m,)
    rows: np.ndarray  # (n_below,), samples whose class is further down
    own: np.ndarray  # (n_below,), position in `nodes` of the node above each sample


def siblings_above(tree, own):
    """Sets of at least two nodes with the same parent, and with samples below."""
    paths = tree.paths()
    found = []
    for parent in np.unique(tree.parents):
        nodes = np.flatnonzero(tree.parents == parent)
        above = paths[:, nodes] & (nodes != np.arange(tree.n_classes)[:, None])
        rows = np.flatnonzero(above.any(axis=1)[own])
        if len(nodes) > 1 and len(rows):
            found.append(Siblings(nodes, rows, above[own[rows]].argmax(axis=1)))
    return found


@dataclass(frozen=True)
class SemanticObjective:
    """Margins between classes, groups and attributes, penalties, and the relation."""

    axes: Axes
    own: np.ndarray  # (n,), the class of each sample
    n_classes: int
    siblings: list[Siblings]
    attributes: Attributes
    relation: Relation
    margin: float
    group_weight: float
    attribute_weight: float
    reg: tuple[float, float]

    def value(self, Q, U, A, beta):
        """Objective, and gradients by the map Q, codes U of nodes, and attributes A.

        Attributes outside the unit ball are projected on it first.
        """
        axes, within = self.axes, within_ball(A)
        codes = axes.coordinates @ Q.T
        by_U = np.zeros_like(U)
        of_classes, by_codes, by_U[: self.n_classes] = margin_loss(
            codes,
            U[: self.n_classes],
            self.own,
            axes.weights,
            "euclidean",
            self.margin,
        )
        of_groups = 0.0
        for nodes, rows, own in self.siblings:
            weights = self.group_weight * axes.weights[rows]
            loss, by_rows, by_nodes = margin_loss(
                codes[rows], U[nodes], own, weights, "euclidean", self.margin
            )
            of_groups += loss
            by_codes[rows] += by_rows
            by_U[nodes] += by_nodes
        of_attributes, more_by_codes, by_within = self._attribute_loss(codes, within)
        misfit, more_by_U, more_by_within = self.relation.misfit(U, within, beta)
        of_map, by_Q = map_penalty(Q, axes, self.reg[0], "euclidean")
        of_codes, penalty_by_U = codes_penalty(U, self.reg[1], "euclidean")
        by_codes += more_by_codes
        return (
            of_classes + of_groups + of_attributes + misfit + of_map + of_codes,
            by_Q + by_codes.T @ axes.coordinates,
            by_U + more_by_U + penalty_by_U,
            through_ball(A, by_within + more_by_within),
        )

    def _attribute_loss(self, codes, A):
        """Hinges that ask each sample to be nearer to d a than to -d a, by a margin.

        Here d is the difference between its class and the mean class in attribute a.
        """
        if not self.attribute_weight or not len(A):
            return 0.0, np.zeros_like(codes), np.zeros_like(A)
        differences = self.attributes.of_nodes[: self.n_classes] - self.attributes.mean
        signs = np.sign(differences)[self.own]
        share = abs(differences)[self.own] * self.axes.weights[:, None]
        share *= self.attribute_weight / len(A)
        # ||z - a||^2 - ||z + a||^2 = -4 z'a
        hinges, slopes = rounded_hinge(
            self.margin - 4 * signs * (codes @ A.T), HINGE_WIDTH * self.margin
        )
        slopes *= -4 * signs * share
        return np.vdot(share, hinges), slopes @ A, slopes.T @ codes
