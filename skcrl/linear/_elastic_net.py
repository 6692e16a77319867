"""One view's sparse weights for a target: the elastic net, by active columns."""

import numpy as np

# Gradients beyond the penalty by less than this share of the target are rounding.
_ROUNDING = 1e-10


def elastic_net(side, target, alpha, weights, positive=False):
    """Minimise w'Sw / 2 - target'w + alpha |w|_1 over w, or over w not below 0.

    S is the penalised covariance of the columns of `side`, positive definite. The
    columns with a weight are solved for exactly, those whose gradient exceeds alpha
    join them, and those whose weight would change its sign leave. Each round ends in a
    lower minimum than the one before, or is the last, so that the search ends.

    Parameters
    ----------
    side : ByRows or ByCovariance
    target : ndarray of shape (p,)
    alpha : float
    weights : ndarray of shape (p,)
        Where to start. Those of most columns do not count, nor those below 0 if that
        is ruled out.
    positive : bool, default=False
    """
    if alpha == 0 and not positive:
        return side.solve(np.arange(len(target)), target)
    bound = alpha + _ROUNDING * abs(target).max(initial=0.0)
    if 2 * np.count_nonzero(weights) > len(weights):
        weights = 0 * weights  # most would leave one by one
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
        # Of very many, most would only leave again.
        room = 1 if one_by_one else max(10, int((weights != 0).sum()))
        if len(joining) > room:
            largest = np.argpartition(-slack[joining], room - 1)[:room]
            joining = joining[largest]
        signs = np.sign(weights)
        signs[joining] = np.sign(gradient[joining])
        settled = _settle(side, target, alpha, weights, signs)
        # Several that join can all leave again; the one furthest out cannot.
        stuck = _minimum(target, alpha, settled) >= _minimum(target, alpha, weights)
        if stuck and one_by_one:
            return weights
        one_by_one = stuck
        if not stuck:
            weights = settled


def _minimum(target, alpha, weights):
    """Twice what is minimised, at weights that solve for the columns that have one."""
    return alpha * abs(weights).sum() - target @ weights


def _settle(side, target, alpha, weights, signs):
    """Minimum over the columns with a sign, or over as many of them as keep theirs."""
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
            # Go as far as the first weight that reaches 0, if any is on its way there.
            share = np.where(crosses, 0.0, np.inf)
            np.divide(now, now - solved, out=share, where=crosses & (now != solved))
            first = share.min()
            moved = np.where(share <= first, 0.0, now + first * (solved - now))
            crosses = share <= first
        weights[active] = moved
        active = active[~crosses]
    return weights


def _lowers(side, active, pull, now, moved):
    """Whether the minimum is lower after a move of weights that keep their signs."""
    step = np.zeros(side.n_features)
    step[active] = moved - now
    middle = np.zeros_like(step)
    middle[active] = (moved + now) / 2
    # w'Sw / 2 of both differs by the step times S times the middle.
    return step @ side.product(middle) < pull @ step[active]
