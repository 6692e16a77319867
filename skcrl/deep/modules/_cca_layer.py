"""Linear CCA of a batch, as a layer with a gradient."""

import torch
from torch import Generator, Tensor, nn

from skcrl import _linalg, _moments

# Singular values of T lie in [0, 1]; values closer than this count as equal.
_GAP = 1e-6
# Running moments, in the order of Moments.
_RUNNING = (
    "running_x_mean",
    "running_y_mean",
    "running_xx",
    "running_yy",
    "running_xy",
)


class CCALayer(nn.Module):
    r"""Linear CCA of a batch as a layer, with its gradient.

    In training, the projections are those of Algorithm 1 of [1]_. With
    :math:`T = \bar\Sigma_{xx}^{-1/2} \Sigma_{xy} \bar\Sigma_{yy}^{-1/2} = U \mathrm{diag}(d) V'`
    over the batch, the views are centred and projected on
    :math:`\bar\Sigma_{xx}^{-1/2} U` and :math:`\bar\Sigma_{yy}^{-1/2} V`, where
    :math:`\bar\Sigma_{vv} = \Sigma_{vv} + r_v I`. In evaluation, the projections are
    those of the last batch, or of the last ``refit``.

    Parameters
    ----------
    x_width, y_width : int
        Numbers of columns of the views.
    n_components : int or None, default=None
        Number of components to keep. None means min(x_width, y_width).
    reg : float or (x, y) pair of float, default=1e-3
        Ridge regularisation :math:`r_v`, positive: one number for both views, or one
        for each.
    momentum : float in [0, 1), default=0.0
        Fraction of their old value that running means and covariances keep at each
        batch, which is 1 minus the rate of [1]_. With 0 each batch is used alone, as in
        the published trainings.

    Attributes
    ----------
    x_mean, y_mean : Tensor of shape (x_width,), (y_width,)
        Means that are subtracted before the projections.
    x_weights, y_weights : Tensor of shape (x_width, n_components), (y_width, n_components)
        The projections.

    Notes
    -----
    Shape: (n_samples, x_width), (n_samples, y_width) -> (n_samples, n_components) each.
    The algebra is in float64, whatever the dtype of the views is.

    With `momentum` :math:`\mu` above 0, the running moments are updated as in the layer
    released with [1]_: first the means,
    :math:`m_v = \mu\,m_{v,old} + (1 - \mu)\,\bar{v}`; then the covariances of the batch
    about these means, :math:`S_{vw} = \sum_i (v_i - m_v)(w_i - m_w)' / (n - 1)`; then
    :math:`\Sigma_{vw} = \mu\,\Sigma_{vw,old} + (1 - \mu)\,S_{vw}`. The gradient passes
    through the contribution of the batch to both. For the first batch the old values
    are its own means and covariances, whereas the released layer starts from 0.

    Backward: the gradient passes through Cholesky factors and through the singular
    vectors. A rotation of one pair of components i, j is split into a part that turns
    both views alike, divided by :math:`d_i - d_j`, and a part that turns them against
    each other, divided by :math:`d_i + d_j`. A loss that does not change if both codes
    are turned alike, such as any function of their cosines, has a first part of 0 among
    the components that are kept, so equal correlations do no harm. Both quotients a / b
    are computed as :math:`ab / (b^2 + \epsilon^2)` with :math:`\epsilon = 10^{-6}`, so
    no quotient exceeds :math:`a / 2\epsilon` if correlations coincide or are 0, as
    those of constant units are. The :math:`r_T` that [1]_ adds to TT' changes only its
    eigenvalues, and is left out.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or views have other widths.

    References
    ----------
    .. [1] Dorfer, Schlüter, Vall, Korzeniowski and Widmer (2018). End-to-end
       cross-modality retrieval with CCA projections and pairwise ranking loss.
       International Journal of Multimedia Information Retrieval 7, Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.modules import CCALayer
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 3, generator=generator)
    >>> y = x @ torch.randn(3, 2, generator=generator)
    >>> x_code, y_code = CCALayer(3, 2, reg=1e-6)(x, y)
    >>> torch.allclose(x_code, y_code, atol=1e-4)  # y is a function of x
    True
    """  # noqa: E501

    x_mean: Tensor
    y_mean: Tensor
    x_weights: Tensor
    y_weights: Tensor
    n_batches: Tensor

    def __init__(
        self,
        x_width: int,
        y_width: int,
        n_components: int | None = None,
        reg: float = 1e-3,
        momentum: float = 0.0,
    ):
        super().__init__()
        most = min(x_width, y_width)
        self.n_components = most if n_components is None else n_components
        if not 1 <= self.n_components <= most:
            raise ValueError(
                f"n_components must be from 1 to {most}, the smaller width, got "
                f"{n_components}."
            )
        self.reg = _linalg.ridge_pair(reg)
        is_ridge = len(self.reg) == 2 and all(ridge > 0 for ridge in self.reg)
        if not (is_ridge and 0 <= momentum < 1):
            raise ValueError(
                "reg must be positive, or an (x, y) pair of positive numbers, and "
                f"momentum at least 0 and below 1, got reg={reg} and "
                f"momentum={momentum}."
            )
        self.momentum = momentum
        for side, width in (("x", x_width), ("y", y_width)):
            self.register_buffer(f"{side}_mean", torch.zeros(width))
            weights = torch.zeros(width, self.n_components)
            self.register_buffer(f"{side}_weights", weights)
        if momentum > 0:
            p, q = x_width, y_width
            for name, shape in zip(
                _RUNNING, [(p,), (q,), (p, p), (q, q), (p, q)], strict=True
            ):
                self.register_buffer(name, torch.zeros(shape))
            self.register_buffer("n_batches", torch.zeros(()))

    def reset_parameters(self, generator: Generator) -> None:
        """Do nothing: nothing is learned."""

    def forward(
        self, x: Tensor, y: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Project both views; in training by CCA of this batch, which is kept.

        A row of weight w, above 0, counts as w rows.
        """
        expected = (len(self.x_mean), len(self.y_mean))
        if (x.shape[1], y.shape[1]) != expected:
            raise ValueError(
                f"Views must have widths {expected}, got {(x.shape[1], y.shape[1])}."
            )
        if not self.training:
            return self.project(x, "x"), self.project(y, "y")
        m = _moments.moments(x, y, weights=weights)
        if self.momentum > 0:
            means, cov = self._run(m)
        else:
            means, cov = (m.x_mean, m.y_mean), _moments.covariances(m)
        *maps, _ = _linalg.cca_by(_AlignedSVD.apply, cov, self.n_components, self.reg)
        self._keep(*means, *maps)
        return tuple(
            ((view - mean) @ w).to(view.dtype)
            for view, mean, w in zip((x, y), means, maps, strict=True)
        )

    def project(self, view: Tensor, side: str) -> Tensor:
        """One view, `side` "x" or "y", by the projection that is kept."""
        mean, weights = getattr(self, f"{side}_mean"), getattr(self, f"{side}_weights")
        return (view - mean) @ weights

    def refit(self, m: _moments.Moments) -> _linalg.CCASolution:
        """Keep the projections of CCA with these moments of all training data.

        Parameters
        ----------
        m : Moments
            Moments of the encoders' outputs, as arrays.

        Returns
        -------
        solution : CCASolution
            The projections and their correlations, as arrays.
        """
        solution = _linalg.cca(_moments.covariances(m), self.n_components, self.reg)
        self._keep(
            *map(
                torch.from_numpy,
                (m.x_mean, m.y_mean, solution.x_weights, solution.y_weights),
            )
        )
        return solution

    def _keep(self, x_mean, y_mean, x_weights, y_weights):
        for name, value in (
            ("x_mean", x_mean),
            ("y_mean", y_mean),
            ("x_weights", x_weights),
            ("y_weights", y_weights),
        ):
            self._set(name, value)

    def _run(self, m):
        """Running moments with those of a batch mixed in, where the gradient passes."""
        share = self.momentum if self.n_batches > 0 else 0.0
        self.n_batches = self.n_batches + 1
        means = self._mix(_RUNNING[:2], (m.x_mean, m.y_mean), share)
        batch = _moments.covariances(_moments.about(m, *means))
        return means, _moments.Covariances(*self._mix(_RUNNING[2:], batch, share))

    def _mix(self, names, batch, share):
        """Mix a batch into the running moments of these names.

        `share` is the share of the old moments.
        """
        mixed = [
            share * getattr(self, name) + (1 - share) * now
            for name, now in zip(names, batch, strict=True)
        ]
        for name, value in zip(names, mixed, strict=True):
            self._set(name, value)
        return mixed

    def _set(self, name, value):
        # Files do not keep the order of an array in memory. Products would be rounded
        # differently with another order.
        value = value.detach().to(getattr(self, name), copy=True)
        setattr(self, name, value.contiguous())


class _AlignedSVD(torch.autograd.Function):
    """Singular value decomposition, with a finite gradient for equal values too."""

    @staticmethod
    def forward(ctx, T):
        U, s, Vh = torch.linalg.svd(T, full_matrices=False)
        ctx.save_for_backward(U, s, Vh.T)
        return U, s, Vh.T.clone()

    @staticmethod
    def backward(ctx, grad_U, grad_s, grad_V):
        U, s, V = ctx.saved_tensors
        J, K = U.T @ grad_U, V.T @ grad_V
        J, K = J - J.T, K - K.T
        alike = (J + K) / 2 * _reciprocal(s - s[:, None])
        against = (J - K) / 2 * _reciprocal(s + s[:, None])
        inner = alike + against + grad_s.diag()
        inverse = _reciprocal(s)
        # The parts outside the span of U or of V, if T is not square.
        out_of_U = (grad_U - U @ (U.T @ grad_U)) * inverse
        out_of_V = (grad_V - V @ (V.T @ grad_V)) * inverse
        return (U @ inner + out_of_U) @ V.T + U @ out_of_V.T


def _reciprocal(a):
    return a / (a * a + _GAP**2)
