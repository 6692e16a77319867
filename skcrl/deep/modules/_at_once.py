"""Rows of several kinds through one network together."""

import torch


def at_once(function, *parts):
    """Apply `function` to all parts that are not None, with all rows together.

    Layers that compute across rows, such as batch normalisation, cannot take a part of
    a single row.
    """
    given = [part for part in parts if part is not None]
    if len(given) == 1:  # a single part may be sparse
        results = iter([function(given[0])])
    else:
        results = iter(function(torch.cat(given)).split([len(part) for part in given]))
    return [None if part is None else next(results) for part in parts]


def weights_at_once(weights, only_weights):
    """Weights of complete rows, followed by those of rows with one view, or None."""
    return weights if only_weights is None else torch.cat([weights, only_weights])
