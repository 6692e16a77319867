"""Linear projections of two views that are learned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from skcrl import _linalg, _moments
from skcrl.deep.modules._mlp import dense


class LearnedProjection(nn.Module):
    """Learned linear projections, instead of :class:`CCALayer`.

    In training, views are centred on the mean of the batch; in evaluation, on that of
    the last batch, or of the last ``refit``.

    Parameters
    ----------
    x_width, y_width : int
        Widths of the views.
    n_components : int
        Width of the codes.
    mapped_sides : sequence of {"x", "y"}, default=("x", "y")
        Views that have a projection. The others must be `n_components` wide, and are
        only centred: after a learned linear layer, a second one would only make the
        training slower.

    Notes
    -----
    Shape: (n_samples, x_width), (n_samples, y_width) -> (n_samples, n_components) each.
    """

    x_mean: Tensor
    y_mean: Tensor

    def __init__(
        self,
        x_width: int,
        y_width: int,
        n_components: int,
        mapped_sides: Sequence[str] = ("x", "y"),
    ):
        super().__init__()
        self.n_components = n_components
        self.maps: Any = nn.ModuleDict()
        for side, width in (("x", x_width), ("y", y_width)):
            self.register_buffer(f"{side}_mean", torch.zeros(width))
            if side in mapped_sides:
                self.maps[side] = dense(width, n_components, bias=False)

    def reset_parameters(self, generator: Generator) -> None:
        """He uniform weights drawn from `generator`."""
        for linear in self.maps.values():
            nn.init.kaiming_uniform_(linear.weight, generator=generator)

    def forward(
        self, x: Tensor, y: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Project both views; a row of weight w counts as w rows in the mean."""
        if self.training:
            weights = None if weights is None else weights.to(x)
            x_mean, y_mean = (_linalg.row_mean(view, weights) for view in (x, y))
            self.x_mean, self.y_mean = x_mean.detach(), y_mean.detach()
            return self._mapped(x - x_mean, "x"), self._mapped(y - y_mean, "y")
        return self.project(x, "x"), self.project(y, "y")

    def project(self, view: Tensor, side: str) -> Tensor:
        """One view, `side` "x" or "y", centred on the mean that is kept."""
        return self._mapped(view - getattr(self, f"{side}_mean"), side)

    def _mapped(self, centred: Tensor, side: str) -> Tensor:
        return self.maps[side](centred) if side in self.maps else centred

    def refit(self, m: _moments.Moments) -> _linalg.CCASolution:
        """Keep the means of all training data.

        Parameters
        ----------
        m : Moments
            Moments of the encoders' outputs, as arrays.

        Returns
        -------
        solution : CCASolution
            The projections and the correlations of their codes, as arrays.
        """
        for name, mean in (("x_mean", m.x_mean), ("y_mean", m.y_mean)):
            setattr(self, name, torch.from_numpy(mean).to(getattr(self, name)))
        x_weights, y_weights = (
            self.maps[side].weight.detach().cpu().numpy().T.astype(np.float64)
            if side in self.maps
            else np.eye(self.n_components)
            for side in ("x", "y")
        )
        cov = _moments.covariances(m)
        codes = _linalg.matched(
            _moments.Covariances(
                x_weights.T @ cov.xx @ x_weights,
                y_weights.T @ cov.yy @ y_weights,
                x_weights.T @ cov.xy @ y_weights,
            )
        )
        return codes._replace(x_weights=x_weights, y_weights=y_weights)
