"""Sparse weights of one view for a target: the elastic net, by active columns."""

import numpy as np

# A gradient may exceed the penalty by this share of the target because of rounding.
_ROUNDING = 1e-10


def elastic_net(side, target, alpha, weights, positive=False):
    """Minimise w'Sw / 2 - target'w + alpha |w|_1 over w, or over w of at least 0.

    S is the penalised covariance of the columns of `side`; it is positive definite. The
    active columns are those with a nonzero weight. Their weights are computed exactly.
    Then columns whose gradient exceeds alpha become active, and columns whose weight
    would change its sign become inactive. Each round ends with a lower objective than
    the one before, or is the last one, so the search always ends.

    Parameters
    ----------
    side : ByRows or ByCovariance
    target : ndarray of shape (p,)
    alpha : float
    weights : ndarray of shape (p,)
        Starting point. It is ignored if most weights are nonzero. Negative weights are
        ignored if `positive`.
    positive : bool, default=False
    """
    if alpha == 0 and not positive:
        return side.solve(np.arange(len(target)), target)
    bound = alpha + _ROUNDING * abs(target).max(initial=0.0)
    if 2 * np.count_nonzero(weights) > len(weights):
        weights = 0 * weights  # else most would become inactive one by one
    if positive:
        weights = weights.clip(0.0)
    weights = _settle(side, target, alpha, weights, np.sign(weights))
    one_by_one = False
    while True:
        gradient = target - side.product(weights)
        slack = gradient if positive else abs(gradient)
        joining = np.flatnonzero((slack > bound) & (weights == 0))
        if len(joining) == 0:
            return weights
        # Most of very many new columns would only become inactive again.
        room = 1 if one_by_one else max(10, int((weights != 0).sum()))
        if len(joining) > room:
            largest = np.argpartition(-slack[joining], room - 1)[:room]
            joining = joining[largest]
        signs = np.sign(weights)
        signs[joining] = np.sign(gradient[joining])
        settled = _settle(side, target, alpha, weights, signs)
        # Several new columns can all become inactive again; the steepest alone cannot.
        stuck = _minimum(target, alpha, settled) >= _minimum(target, alpha, weights)
        if stuck and one_by_one:
            return weights
        one_by_one = stuck
        if not stuck:
            weights = settled


def _minimum(target, alpha, weights):
    """Twice the objective, at weights that are exact for the active columns."""
    return alpha * abs(weights).sum() - target @ weights


def _settle(side, target, alpha, weights, signs):
    """Minimum over the columns with a sign, without those that would change it."""
    weights = weights.copy()
    active = np.flatnonzero(signs)
    while len(active):
        pull = target[active] - alpha * signs[active]
        solved = side.solve(active, pull)
        crosses = solved * signs[active] <= 0
        if not crosses.any():
            weights[active] = solved
            break
        now = weights[active]
        moved = np.where(crosses, 0.0, solved)
        if not _lowers(side, active, pull, now, moved):
            # Stop where the first of the weights that move towards 0 reaches it.
            share = np.where(crosses, 0.0, np.inf)
            np.divide(now, now - solved, out=share, where=crosses & (now != solved))
            first = share.min()
            moved = np.where(share <= first, 0.0, now + first * (solved - now))
            crosses = share <= first
        weights[active] = moved
        active = active[~crosses]
    return weights


def _lowers(side, active, pull, now, moved):
    """Whether a move of weights that keep their signs lowers the objective."""
    step = np.zeros(side.n_features)
    step[active] = moved - now
    middle = np.zeros_like(step)
    middle[active] = (moved + now) / 2
    # The two values of w'Sw / 2 differ by step' S middle.
    return step @ side.product(middle) < pull @ step[active]
