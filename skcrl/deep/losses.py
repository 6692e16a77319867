"""Objectives of the deep estimators: plain functions of what a module returns.

Each takes the module's outputs and the batch (x, y), and returns a scalar to minimise.
"""

import torch
from torch.nn.functional import mse_loss

from skcrl import _linalg

__all__ = ["corrnet", "reconstruction", "trace_norm"]


def trace_norm(outputs, x, y, *, reg):
    r"""Negative total correlation of two batches of codes.

    :math:`-\|T\|_{tr}`, the sum of the singular values of
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2}` with
    :math:`\bar\Sigma_{vv} = \Sigma_{vv} + r I` and covariances over n - 1 [1]_.
    Computed in float64 by Cholesky and SVD. Dead units and batches of deficient rank
    have finite gradients.

    Where the user brought decoders, their squared error on the detached codes is added,
    so that they learn beside the encoders without pulling at them.

    Parameters
    ----------
    outputs : TwoBranchOutput
        Codes `x_code`, `y_code` of shape (n_samples, n_components), and the views
        `x_rebuilt`, `y_rebuilt` decoded from them, or None.
    x, y : Tensor of shape (n_samples, ...)
        The batch.
    reg : float
        Ridge r, positive.

    Returns
    -------
    loss : Tensor, scalar
        Between -n_components and 0 if there are no decoders.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import trace_norm
    >>> from skcrl.deep.modules import TwoBranchOutput
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> outputs = TwoBranchOutput(z, z.flip(1), None, None)
    >>> round(trace_norm(outputs, None, None, reg=1e-6).item(), 4)
    -2.0
    """
    m = _linalg.moments(outputs.x_code, outputs.y_code)
    correlations = _linalg.canonical_correlations(_linalg.covariances(m), (reg, reg))
    loss = -correlations.sum()
    for view, rebuilt in ((x, outputs.x_rebuilt), (y, outputs.y_rebuilt)):
        if rebuilt is not None:
            loss = loss + mse_loss(rebuilt, view)
    return loss


def corrnet(
    outputs, x, y, x_only=None, y_only=None, *, correlation, correlation_weight
):
    r"""Reconstruction of both views from each source, less their codes' correlation.

    :math:`\sum_s \frac{1}{n} \sum_i \frac12 \|z_i - g(h_s(z_i))\|^2
    - \lambda\,\mathrm{corr}(h(X), h(Y))`, where s runs over the sources that the module
    rebuilt from and :math:`z = (x, y)` [1]_: summed over
    features, averaged over samples.

    An unpaired row adds :math:`\frac1n \frac12 \|v - g(h(v))\|^2` for the one view v it
    has, whatever the sources, and nothing to the correlation; n counts all rows, the
    complete and the unpaired ones.

    Parameters
    ----------
    outputs : CorrNetOutput
        `x_code`, `y_code` of shape (n_samples, n_components), the views
        `x_rebuilt`, `y_rebuilt` of shape (n_sources, n_samples, n_features), and
        `x_only_rebuilt`, `y_only_rebuilt` of the shapes of `x_only`, `y_only`.
    x, y : Tensor of shape (n_samples, n_features_x), (n_samples, n_features_y)
        The complete rows of the batch.
    x_only, y_only : Tensor of shape (n_rows, n_features) or None, default=None
        The rows of which only that view is there.
    correlation : {"batch", "sample"}
        Whether corr is the sum over dimensions of their correlation along the batch, or
        the mean over samples of the correlation along their dimensions.
    correlation_weight : float
        :math:`\lambda`.

    Returns
    -------
    loss : Tensor, scalar
        The objective.

    References
    ----------
    .. [1] Chandar, Khapra, Larochelle and Ravindran (2016). Correlational neural
       networks. Neural Computation 28(2).

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import corrnet
    >>> from skcrl.deep.modules import CorrNetOutput
    >>> x, y = torch.eye(4), torch.ones(4, 3)
    >>> outputs = CorrNetOutput(x, x, torch.stack([x, x + 1]), torch.stack([y, y]))
    >>> loss = corrnet(outputs, x, y, correlation="batch", correlation_weight=0.5)
    >>> loss.item()  # 4 features wrong by 1 in one of two sources, 4 correlations of 1
    0.0
    """
    squared_error, n_rows = _squared_error(outputs, x, y, x_only, y_only)
    if correlation == "batch":
        correlated = _pearson(outputs.x_code, outputs.y_code, 0).sum()
    else:
        correlated = _pearson(outputs.x_code, outputs.y_code, 1).mean()
    return 0.5 * squared_error / n_rows - correlation_weight * correlated


def reconstruction(outputs, x, y, x_only=None, y_only=None, *, mean_over_features):
    r"""Squared error of the views rebuilt.

    Half of it, summed over the features of both views and averaged over the n rows of
    the batch, :math:`\frac{1}{2n} (\|X - \hat X\|^2 + \|Y - \hat Y\|^2)`, or its mean
    over rows and over the p + q features,
    :math:`\frac{1}{n(p + q)} (\|X - \hat X\|^2 + \|Y - \hat Y\|^2)`. The norms of X run
    over the rows that have an x, paired or not, and those of Y likewise; n counts all
    rows, the complete and the unpaired ones.

    Parameters
    ----------
    outputs : RebuiltViews
        `x_rebuilt`, `y_rebuilt`, `x_only_rebuilt` and `y_only_rebuilt`, of the shapes
        of the batch.
    x, y : Tensor of shape (n_samples, n_features_x), (n_samples, n_features_y)
        The complete rows of the batch.
    x_only, y_only : Tensor of shape (n_rows, n_features) or None, default=None
        The rows of which only that view is there.
    mean_over_features : bool
        Whether to take the mean over features, or half the sum.

    Returns
    -------
    loss : Tensor, scalar
        The objective.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.losses import reconstruction
    >>> from skcrl.deep.modules import RebuiltViews
    >>> x, y = torch.eye(4), torch.ones(4, 2)
    >>> outputs = RebuiltViews(x + 1, y)
    >>> reconstruction(outputs, x, y, mean_over_features=False).item()
    2.0
    >>> outputs = RebuiltViews(x, y + 1)
    >>> round(reconstruction(outputs, x, y, mean_over_features=True).item(), 4)
    0.3333
    """
    squared_error, n_rows = _squared_error(outputs, x, y, x_only, y_only)
    if mean_over_features:
        return squared_error / (n_rows * (x.shape[1] + y.shape[1]))
    return 0.5 * squared_error / n_rows


def _squared_error(outputs, x, y, x_only, y_only):
    """Sum over all that was rebuilt, and the number of rows, paired or not."""
    pairs = (
        (x, outputs.x_rebuilt),
        (y, outputs.y_rebuilt),
        (x_only, outputs.x_only_rebuilt),
        (y_only, outputs.y_only_rebuilt),
    )
    squared_error = sum(
        mse_loss(rebuilt, view.expand_as(rebuilt), reduction="sum")
        for view, rebuilt in pairs
        if view is not None
    )
    n_rows = sum(len(rows) for rows in (x, x_only, y_only) if rows is not None)
    return squared_error, n_rows


def _pearson(a, b, dim):
    a = a - a.mean(dim, keepdim=True)
    b = b - b.mean(dim, keepdim=True)
    # The guard of the authors' code: a dead unit correlates 0 with a finite gradient.
    lengths = torch.sqrt((a.square().sum(dim) + 1e-8) * (b.square().sum(dim) + 1e-8))
    return (a * b).sum(dim) / lengths
