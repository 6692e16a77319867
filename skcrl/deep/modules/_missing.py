"""The rows that stand for a missing view."""

import torch


def missing(module, like, n_rows, side):
    """Rows of zeros that stand for the missing view of `side`.

    Parameters
    ----------
    module : nn.Module
        Module that has `shapes`, `integer_sides` and parameters.
    like : Tensor
        A view that is not missing. The rows get its device and, if they can, its
        precision.
    n_rows : int
        Number of rows.
    side : {"x", "y"}
        Side that is missing.
    """
    if side in module.integer_sides:
        dtype = torch.int64
    elif like.dtype.is_floating_point:
        dtype = like.dtype
    else:
        dtype = next(module.parameters()).dtype
    return like.new_zeros(n_rows, *module.shapes[side], dtype=dtype)
