"""The max-margin objective of label embeddings, and its gradient."""

import numpy as np

from skcrl._columns import unit_rows

# Largest margin violation that is squared, as a share of the margin: hinges have a
# kink, which quasi-Newton methods do not take.
HINGE_WIDTH = 0.5


def scores(codes, anchors, metric):
    """How near each anchor (m, k) is to each code (n, k): an array (n, m).

    Minus the squared distance, but for the squared length of the code, which is the
    same for all anchors, or the cosine.
    """
    if metric == "cosine":
        return unit_rows(codes) @ unit_rows(anchors).T
    return 2 * codes @ anchors.T - np.einsum("ij,ij->i", anchors, anchors)


def margin_loss(codes, anchors, own, weights, metric, margin):
    r"""Weighted sum over codes of the mean hinge over the anchors that are not theirs.

    .. math:: \sum_i w_i \frac{1}{m - 1} \sum_{c \ne y_i} [\alpha + s_{ic} - s_{iy_i}]_+

    with scores s as above, and the hinge rounded off where it starts to rise.

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
    """The loss above by scores s (n, m), and its slopes (n, m) by them."""
    rows = np.arange(len(s))
    violations = margin + s - s[rows, own][:, None]
    violations[rows, own] = 0
    hinges, slopes = rounded_hinge(violations, HINGE_WIDTH * margin)
    share = weights / (s.shape[1] - 1)
    slopes *= share[:, None]
    slopes[rows, own] = -slopes.sum(axis=1)
    return share @ hinges.sum(axis=1), slopes


def rounded_hinge(t, width):
    """The hinge max(0, t), squared up to `width`, and its slope."""
    slopes = np.clip(t / width, 0, 1)
    return slopes * (t - 0.5 * width * slopes), slopes


def _through_cosines(codes, anchors, slopes):
    """Gradients of what has these slopes by the cosines of codes and anchors."""
    unit_codes, unit_anchors = unit_rows(codes), unit_rows(anchors)
    return (
        _across(codes, unit_codes, slopes @ unit_anchors),
        _across(anchors, unit_anchors, slopes.T @ unit_codes),
    )


def _across(rows, unit, gradients):
    """Gradients by rows of those by the rows brought to length one; 0 for zero rows."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    along = np.einsum("ij,ij->i", gradients, unit)[:, None]
    lengths = np.where(lengths > 0, lengths, np.inf)
    return (gradients - along * unit) / lengths
