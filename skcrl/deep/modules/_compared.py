"""The input of objectives: codes of a batch, and reconstruction errors of its views."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from skcrl.deep.modules._running import CodeMoments


class ComparedOutput(NamedTuple):
    """Codes of a batch, and the squared reconstruction error of each row and view.

    Errors are one number per row instead of a view, so that the rows of a large batch,
    or of several processes, can be put together. None stands for an output that the
    module does not have.
    """

    x_code: Tensor | None = None  # (n_samples, n_components)
    y_code: Tensor | None = None  # (n_samples, n_components)
    x_individual: Tensor | None = None  # (n_samples, n_individual)
    y_individual: Tensor | None = None  # (n_samples, n_individual)
    x_error: Tensor | None = None  # (n_samples,)
    y_error: Tensor | None = None  # (n_samples,)
    x_only_error: Tensor | None = None  # (n_x_only,)
    y_only_error: Tensor | None = None  # (n_y_only,)
    x_running: CodeMoments | None = None
    y_running: CodeMoments | None = None
    labels: Tensor | None = None  # (n_samples,) of int
    scores: Tensor | None = None  # (n_samples, n_classes)


def compared(outputs: Any, **views: Any) -> ComparedOutput:
    r"""Replace the reconstructed views in the outputs of a module by their errors.

    The error of a row is :math:`\|x - \hat x\|^2`, summed over the sources from which
    the view was reconstructed, if there are several.

    Parameters
    ----------
    outputs : NamedTuple
        Output of a module of ``skcrl.deep.modules``, such as ReconstructedViews, with
        fields of ComparedOutput, and views whose names end in ``_reconstructed``.
    **views : Tensor of shape (n_samples, ...)
        The batch: `x`, `y`, and `x_only`, `y_only` if there are unpaired rows.

    Returns
    -------
    outputs : ComparedOutput
        The input of objectives.

    Examples
    --------
    >>> import torch
    >>> from skcrl.deep.modules import ReconstructedViews, compared
    >>> x, y = torch.eye(3), torch.zeros(3, 2)
    >>> compared(ReconstructedViews(x + 1, y), x=x, y=y).x_error
    tensor([3., 3., 3.])
    """
    fields = {}
    for name, output in outputs._asdict().items():
        view = name.removesuffix("_reconstructed")
        if view == name:
            fields[name] = output
        elif output is not None:
            fields[f"{view}_error"] = _squared_errors(output, views[view])
    return ComparedOutput(**fields)


def _squared_errors(reconstructed, view):
    if reconstructed.ndim > view.ndim:
        view = view[:, None]  # reconstructed from several sources, (n, n_sources, ...)
    missed = (reconstructed - view).flatten(1)
    return torch.linalg.vecdot(missed, missed)
