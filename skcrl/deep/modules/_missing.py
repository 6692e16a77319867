"""What stands for a view that is missing."""

import torch


def missing(module, like, n_rows, side):
    """Rows of zeros of `side`, beside a view of any side.

    Parameters
    ----------
    module : nn.Module
        With `shapes`, `integer_sides` and parameters.
    like : Tensor
        The view, whose device and precision they are to have.
    n_rows : int
        How many.
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
