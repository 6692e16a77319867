"""One view of a fitted estimator as a module, from its rows to its codes."""

from typing import Any

import torch
from torch import Tensor, nn

from skcrl.deep.modules._mlp import dense


class ViewModule(nn.Module):
    """Encoder of one view, from rows in the user's units to codes.

    Parameters
    ----------
    encoder : nn.Module
        The network, which is shared and not copied.
    units : Units or None, default=None
        Units in which `encoder` takes the view; None means the user's units.
    projection : (mean, weights) or None, default=None
        Arrays of shape (k,) and (k, n_components), of the linear map that follows.

    Notes
    -----
    The units and the linear map are in float64, whatever the precision of `encoder`.
    Call ``float()`` or ``double()`` before the module is applied.

    Shape: (n_samples, ...) -> (n_samples, n_components).
    """

    def __init__(self, encoder, units=None, projection=None):
        super().__init__()
        self.standardise: Any = nn.Identity() if units is None else _Standardise(*units)
        self.encoder = encoder
        self.project: Any = (
            nn.Identity() if projection is None else LinearCodes(*projection)
        )

    def forward(self, view):
        """Codes of rows of the view."""
        return self.project(self.encoder(self.standardise(view)))


class LinearCodes(nn.Module):
    """Linear codes (view - mean) @ weights.

    Parameters
    ----------
    mean : array of shape (n_features,)
    weights : array of shape (n_features, n_components)

    Notes
    -----
    The module computes in float64 until ``float()`` is called.

    Shape: (n_samples, n_features) -> (n_samples, n_components).
    """

    def __init__(self, mean, weights):
        super().__init__()
        self.centre = _Centre(mean)
        n_features, n_components = weights.shape
        self.linear = dense(n_features, n_components, bias=False).double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.as_tensor(weights).T)

    def forward(self, view):
        """Codes of rows of the view."""
        return self.linear(self.centre(view))


class IndividualCodes(nn.Module):
    """Individual codes of one view, from rows in the user's units.

    Parameters
    ----------
    common : nn.Module
        Module from rows to common codes.
    encoder : nn.Module
        Module from rows to outputs.
    residual : Residual
        Regression that turns outputs and common codes into individual codes.

    Notes
    -----
    Apart from `common` and `encoder`, the module computes in float64 until ``float()``
    is called.

    Shape: (n_samples, ...) -> (n_samples, n_individual).
    """

    slopes: Tensor
    scale: Tensor

    def __init__(self, common, encoder, residual):
        super().__init__()
        self.common = common
        self.encoder = encoder
        self.centre_common = _Centre(residual.told.x_mean)
        self.centre = _Centre(residual.told.y_mean)
        self.register_buffer("slopes", torch.as_tensor(residual.told.slopes).double())
        self.register_buffer("scale", torch.as_tensor(residual.scale).double())

    def forward(self, view):
        """Individual codes of rows of the view."""
        told = self.centre_common(self.common(view)) @ self.slopes
        return (self.centre(self.encoder(view)) - told) / self.scale


class _Standardise(nn.Module):
    """Rows in units of mean 0 and deviation 1."""

    scale: Tensor

    def __init__(self, mean, scale):
        super().__init__()
        self.centre = _Centre(mean)
        self.register_buffer("scale", torch.as_tensor(scale).double())

    def forward(self, view):
        return self.centre(view) / self.scale


class _Centre(nn.Module):
    """Rows minus a mean, in two parts: float32 would round a large mean too much."""

    mean: Tensor
    rest: Tensor

    def __init__(self, mean):
        super().__init__()
        mean = torch.as_tensor(mean).double()
        self.register_buffer("mean", mean.float().double())
        self.register_buffer("rest", mean - self.mean)

    def forward(self, view):
        return (view - self.mean) - self.rest
