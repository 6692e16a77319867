"""Two encoders whose codes are projected into one space, as in CCAL."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Generator, Tensor

from skcrl.deep.modules._cca_layer import CCALayer
from skcrl.deep.modules._learned_projection import LearnedProjection
from skcrl.deep.modules._two_branch import TwoBranch


class ProjectedBranches(TwoBranch):
    """One encoder per view, and a layer that projects both into the common space.

    Parameters
    ----------
    projection : {"cca", "learned"}
        The last layer, CCALayer or LearnedProjection.
    reg : float or (x, y) pair of float
        Ridge regularisation of CCALayer.
    running_momentum : float
        Fraction of their old value that the running moments of CCALayer keep at each
        batch.
    mapped_sides : sequence of {"x", "y"}, default=("x", "y")
        Views for which LearnedProjection has a map. The encoders of the others should
        end with a linear layer.
    **kwargs : object
        Parameters of TwoBranch.

    Notes
    -----
    Shape: x (n_samples, n_features_x), y (n_samples, n_features_y) -> projected codes
    (n_samples, n_components) each.
    """

    def __init__(
        self,
        projection: Literal["cca", "learned"],
        reg: float,
        running_momentum: float,
        mapped_sides: Sequence[str] = ("x", "y"),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        width = kwargs["x_widths"][-1], kwargs["y_widths"][-1]
        self.projection: Any = (
            CCALayer(*width, reg=reg, momentum=running_momentum)
            if projection == "cca"
            else LearnedProjection(*width, min(width), mapped_sides)
        )

    def reset_parameters(self, generator: Generator) -> None:
        """Draw the weights of the dense parts and of the projection."""
        super().reset_parameters(generator)
        self.projection.reset_parameters(generator)

    def across(self, outputs: Any, weights: Tensor | None = None) -> Any:
        """Outputs of all rows of a batch, projected; weight w counts as w rows."""
        outputs = super().across(outputs, weights)
        x_code, y_code = self.projection(outputs.x_code, outputs.y_code, weights)
        return outputs._replace(x_code=x_code, y_code=y_code)

    def embed(self, view: Any, side: str) -> Tensor:
        """Projected codes of one view."""
        return self.projection.project(self.encode(view, side), side)
