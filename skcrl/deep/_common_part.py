"""The source of common codes while individual ones are learned: frozen or trained."""

from typing import Any

import numpy as np
import torch
from torch import nn

from skcrl._common_individual import CommonIndividual
from skcrl.deep._stand_ins import copy_of
from skcrl.deep._two_view import BaseDeepTwoView
from skcrl.deep._units import Units
from skcrl.deep.modules import TwoBranchOutput


class FrozenCommon:
    """Common codes of a fitted estimator, for batches of a training.

    Parameters
    ----------
    estimator : TwoViewTransformer
        A fitted estimator, which is not changed.
    units : dict of str to Units
        The units that the batches are in, for each side that is standardised.
    device : str
        The device of the batches.
    """

    def __init__(self, estimator, units, device):
        has_net = isinstance(estimator, BaseDeepTwoView)
        # An estimator that has a common part itself is more than one network.
        is_single = has_net and not isinstance(estimator, CommonIndividual)
        make = _of_module if is_single else _of_arrays
        self.x = make(estimator, "x", units.get("x"), device)
        self.y = make(estimator, "y", units.get("y"), device)

    @torch.no_grad()
    @torch.compiler.disable
    def by_rows(self, x, y, weights=None):
        """Common codes of both views."""
        return TwoBranchOutput(self.x(x).to(x.dtype), self.y(y).to(y.dtype))

    def across(self, outputs, weights=None):
        """Return the outputs of all rows of a batch as they are."""
        return outputs


class JointCommon(nn.Module):
    """The network of a deep estimator that is trained with the individual one.

    Parameters
    ----------
    estimator : DeepCCA
        The estimator that the trained network will belong to.
    net : TwoViewNet
        The untrained net of the estimator.
    """

    def __init__(self, estimator, net):
        super().__init__()
        self.estimator: Any = estimator
        self.net: Any = net
        self.module = net.module_

    def by_rows(self, x, y, weights=None):
        """Outputs of the encoders of the network."""
        return self.module.by_rows(x, y, weights)

    def across(self, outputs, weights=None):
        """Outputs of all rows of a batch, with the running moments updated by them."""
        return self.module.across(outputs, weights)

    def with_its_loss(self, function):
        """Return the sum of a loss function and of that of the estimator."""
        own = self.net.criterion_

        def both(outputs, weights=None, **hyper):
            loss = function(outputs, weights, **hyper)
            # The errors belong to the individual part: the common one decodes nothing.
            codes = outputs._replace(x_error=None, y_error=None)
            return loss + own.function(codes, weights, **own.hyper)

        return both


def _of_module(estimator, side, units, device):
    """Function from rows of a batch, in their units, to codes of a deep estimator."""
    net = estimator.net_
    # A copy, because other threads may compute with the module itself.
    encoder = copy_of(net.module_.one_view(side)).to(device)
    between = _on(device, _units_between(net.units.get(side), units))
    projection = _on(device, estimator._projection_of(side))

    def codes(view):
        rows = view
        if between is not None:
            mean, scale = between
            rows = ((view.double() - mean) / scale).to(view.dtype)
        outputs = encoder(rows)
        if projection is None:
            return outputs
        mean, weights = projection
        return (outputs.double() - mean) @ weights

    return codes


def _on(device, arrays):
    return arrays and tuple(torch.from_numpy(a).to(device) for a in arrays)


def _units_between(of_estimator, of_batch):
    """Units that turn rows in the units of a batch into rows in those of an estimator.

    None means that the rows are in those units already.
    """
    if of_estimator is None and of_batch is None:
        return None
    shape = (of_batch or of_estimator).mean.shape
    raw = Units(np.zeros(shape), np.ones(shape))
    to, by = of_estimator or raw, of_batch or raw
    if np.array_equal(to.mean, by.mean) and np.array_equal(to.scale, by.scale):
        return None
    return Units((to.mean - by.mean) / by.scale, to.scale / by.scale)


def _of_arrays(estimator, side, units, device):
    """Function from rows of a batch to codes of an estimator that takes arrays."""

    def codes(view):
        # In float64: float32 would lose the digits of columns far from 0.
        rows = view.detach().cpu().numpy().astype(np.float64)
        if units is not None:
            rows = units.restored(rows)
        found = estimator._encode(rows, side)
        return torch.from_numpy(found).to(device)

    return codes
