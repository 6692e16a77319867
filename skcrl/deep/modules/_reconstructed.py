"""The output of modules that only reconstruct views."""

from typing import NamedTuple

from torch import Tensor


class ReconstructedViews(NamedTuple):
    """Reconstructed views of the complete rows, and the one view of each unpaired row.

    None stands for a view that the module does not reconstruct.
    """

    x_reconstructed: Tensor | None = None  # (n_samples, *x_shape)
    y_reconstructed: Tensor | None = None  # (n_samples, *y_shape)
    x_only_reconstructed: Tensor | None = None  # (n_x_only, *x_shape)
    y_only_reconstructed: Tensor | None = None  # (n_y_only, *y_shape)
