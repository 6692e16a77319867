"""The large-margin objective of label embeddings, and its gradient."""

import numpy as np

from skcrl._columns import unit_rows

# Width of the quadratic part of a hinge, as a share of the margin. Quasi-Newton methods
# do not work well with the kink of an exact hinge.
HINGE_WIDTH = 0.5


def scores(codes, anchors, metric):
    """How near each anchor (m, k) is to each code (n, k): an array (n, m).

    This is the cosine, or the squared length of the code minus the squared distance.
    The squared length is the same for all anchors.
    """
    if metric == "cosine":
        return unit_rows(codes) @ unit_rows(anchors).T
    return 2 * codes @ anchors.T - np.einsum("ij,ij->i", anchors, anchors)


def margin_loss(codes, anchors, own, weights, metric, margin):
    r"""Weighted sum over codes of the mean hinge over the other anchors.

    .. math:: \sum_i w_i \frac{1}{m - 1} \sum_{c \ne y_i} [\alpha + s_{ic} - s_{iy_i}]_+

    with the `scores` s, and a hinge that is quadratic just above 0.

    Parameters
    ----------
    codes : ndarray of shape (n, k)
    anchors : ndarray of shape (m, k)
        At least two.
    own : ndarray of int of shape (n,)
        The anchor that belongs to each code.
    weights : ndarray of shape (n,)
    metric : {"euclidean", "cosine"}
    margin : float

    Returns
    -------
    loss : float
    codes_gradient : ndarray of shape (n, k)
    anchors_gradient : ndarray of shape (m, k)
    """
    loss, slopes = hinges_of_others(
        scores(codes, anchors, metric), own, weights, margin
    )
    if metric == "cosine":
        return loss, *_through_cosines(codes, anchors, slopes)
    of_anchors = slopes.T @ codes - slopes.sum(axis=0)[:, None] * anchors
    return loss, 2 * slopes @ anchors, 2 * of_anchors


def hinges_of_others(s, own, weights, margin):
    """The loss of `margin_loss` from scores s (n, m), and its derivatives (n, m)."""
    rows = np.arange(len(s))
    violations = margin + s - s[rows, own][:, None]
    violations[rows, own] = 0
    hinges, slopes = rounded_hinge(violations, HINGE_WIDTH * margin)
    share = weights / (s.shape[1] - 1)
    slopes *= share[:, None]
    slopes[rows, own] = -slopes.sum(axis=1)
    return share @ hinges.sum(axis=1), slopes


def rounded_hinge(t, width):
    """The hinge max(0, t), quadratic up to `width`, and its slope."""
    slopes = np.clip(t / width, 0, 1)
    return slopes * (t - 0.5 * width * slopes), slopes


def _through_cosines(codes, anchors, slopes):
    """Gradients by codes and by anchors, from the derivatives by their cosines."""
    unit_codes, unit_anchors = unit_rows(codes), unit_rows(anchors)
    return (
        _across(codes, unit_codes, slopes @ unit_anchors),
        _across(anchors, unit_anchors, slopes.T @ unit_codes),
    )


def _across(rows, unit, gradients):
    """Gradients by rows, from gradients by the unit rows; 0 for rows of zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    along = np.einsum("ij,ij->i", gradients, unit)[:, None]
    lengths = np.where(lengths > 0, lengths, np.inf)
    return (gradients - along * unit) / lengths
