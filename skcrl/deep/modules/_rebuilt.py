"""What modules that only rebuild views return."""

from typing import NamedTuple

from torch import Tensor


class RebuiltViews(NamedTuple):
    """Views of the complete rows, and the one view of each unpaired row.

    None stands for what the module does not rebuild.
    """

    x_rebuilt: Tensor | None = None  # (n_samples, n_features_x)
    y_rebuilt: Tensor | None = None  # (n_samples, n_features_y)
    x_only_rebuilt: Tensor | None = None  # (n_x_only, n_features_x)
    y_only_rebuilt: Tensor | None = None  # (n_y_only, n_features_y)
