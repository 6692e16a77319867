"""One view of a fitted KernelCCA as a module, from its rows to its codes."""

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from skcrl.deep._view_modules import LinearCodes
from skcrl.kernel._feature_maps import FourierMap, NystroemMap


class KernelModule(nn.Module):
    """Encoder of one view: the features of its kernel, and their linear codes.

    Parameters
    ----------
    encoder : Encoder
        An encoder of KernelCCA whose kernel is one of KERNELS.

    Notes
    -----
    Like the estimator, the module computes in float64, also after a cast to another
    precision: codes are sums of large terms that cancel.

    Shape: (n_samples, n_features) -> (n_samples, n_components).
    """

    def __init__(self, encoder):
        super().__init__()
        self.features = _features(encoder.features)
        self.project = LinearCodes(encoder.mean, encoder.weights)

    def forward(self, view):
        """Codes of rows of the view, in the dtype of the rows."""
        return self.project(self.features(view.double())).to(view.dtype)

    def _apply(self, fn, recurse=True):
        # The module can be moved to another device, but not cast to another dtype.
        return super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)


def _features(features):
    """Module that computes the features to which KernelCCA maps a view."""
    if isinstance(features, FourierMap):
        return _Fourier(*features)
    if isinstance(features, NystroemMap):
        root = LinearCodes(np.zeros(len(features.root)), features.root)
        return nn.Sequential(_KernelWith(features.kernel, features.landmarks), root)
    return _KernelWith(features.kernel, features.rows)


class _KernelWith(nn.Module):
    """Kernel between a view and fixed rows, both minus the origin of the kernel."""

    rows: Tensor
    origin: Tensor

    def __init__(self, kernel, rows):
        super().__init__()
        rows = rows.toarray() if sparse.issparse(rows) else rows
        origin = np.zeros(rows.shape[1]) if kernel.origin is None else kernel.origin
        self.register_buffer("origin", torch.as_tensor(origin).double())
        self.register_buffer("rows", torch.as_tensor(rows).double() - self.origin)
        self.function, names, defaults = KERNELS[kernel.metric]
        # The defaults of scikit-learn: gamma is 1 over the number of columns, except in
        # the kernels for which KERNELS has another default.
        known = {"gamma": 1 / rows.shape[1], **defaults, **kernel.params}
        self.params: Any = {name: known[name] for name in names}

    def forward(self, view):
        return self.function(view - self.origin, self.rows, **self.params)


class _Fourier(nn.Module):
    """Cosines along random directions."""

    directions: Tensor
    phases: Tensor
    origin: Tensor

    def __init__(self, directions, phases, origin):
        super().__init__()
        origin = np.zeros(len(directions)) if origin is None else origin
        self.register_buffer("directions", torch.as_tensor(directions).double())
        self.register_buffer("phases", torch.as_tensor(phases).double())
        self.register_buffer("origin", torch.as_tensor(origin).double())

    def forward(self, view):
        angles = (view - self.origin) @ self.directions + self.phases
        return torch.cos(angles) * (2 / len(self.phases)) ** 0.5


def _linear(a, b):
    return a @ b.T


def _polynomial(a, b, gamma, degree, coef0):
    return (gamma * a @ b.T + coef0) ** degree


def _sigmoid(a, b, gamma, coef0):
    return torch.tanh(gamma * a @ b.T + coef0)


def _cosine(a, b):
    return _unit_length(a) @ _unit_length(b).T


def _unit_length(a):
    squares = (a * a).sum(1, keepdim=True)
    # 1 replaces 0, because the root has no derivative at 0.
    return a * torch.where(squares > 0, squares, 1.0) ** -0.5


def _rbf(a, b, gamma):
    # Products of rows need less memory than their len(a) * len(b) differences.
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return torch.exp(-gamma * squares.clamp_min(0))


def _laplacian(a, b, gamma):
    return torch.exp(-gamma * torch.cdist(a, b, p=1))


def _additive_chi2(a, b):
    # Negative values, which scikit-learn refuses, give NaN.
    a = torch.where(a < 0, torch.nan, a)[:, None]
    total = a + b
    # (a - b)^2 / (a + b), in a form whose derivative at a = b = 0 is the one-sided
    # derivative for positive values.
    return -(total - 4 * a * b / torch.where(total > 0, total, 1.0)).sum(2)


def _chi2(a, b, gamma):
    return torch.exp(gamma * _additive_chi2(a, b))


# Function, names of its parameters, and defaults of scikit-learn that hold only for it.
KERNELS: dict[str, tuple] = {
    "additive_chi2": (_additive_chi2, (), {}),
    "chi2": (_chi2, ("gamma",), {"gamma": 1.0}),
    "cosine": (_cosine, (), {}),
    "laplacian": (_laplacian, ("gamma",), {}),
    "linear": (_linear, (), {}),
    "poly": (_polynomial, ("gamma", "degree", "coef0"), {}),
    "polynomial": (_polynomial, ("gamma", "degree", "coef0"), {}),
    "rbf": (_rbf, ("gamma",), {}),
    "sigmoid": (_sigmoid, ("gamma", "coef0"), {}),
}
