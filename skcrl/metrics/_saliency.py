"""How well saliency maps show an object, and how bright they are."""

import numpy as np

from skcrl._numbers import check_numbers
from skcrl._typing import Rows
from skcrl._views import check_paired

__all__ = ["saliency_magnitude", "saliency_precision"]


def saliency_precision(
    maps: Rows, masks: Rows, *, foreground: Rows | None = None
) -> float:
    """Mean share of a saliency map that lies on an object.

    Use it to measure whether maps show the right object. Each map is divided by its
    sum, and the part on the mask is added up. A constant map scores the share of the
    picture that the mask covers. This is the average precision (AP) of MUC2M [1]_.

    Parameters
    ----------
    maps : array-like of shape (n_samples, height, width) or \
            (n_samples, n_channels, height, width)
        Maps. Absolute values are taken of signed maps, such as gradients. Channels are
        added up.
    masks : array-like of bool of shape (n_samples, height, width)
        True on the object that the map should show.
    foreground : array-like of bool of shape (n_samples, height, width) or None, \
            default=None
        True on the pixels that count, for example on all except the background. None
        counts all pixels.

    Returns
    -------
    precision : float
        Between 0 and 1. A map of zeros counts as 0.

    Raises
    ------
    ValueError
        If maps are not numbers, masks are not True or False, or shapes differ.

    References
    ----------
    .. [1] Multimodal Understanding Through Correlation Maximization and Minimization
       (2023), sections 5.2.1 and 5.2.2; `foreground` is for the last row of table 3.

    Examples
    --------
    >>> from skcrl.metrics import saliency_precision
    >>> maps = [[[3.0, -1.0], [0.0, 0.0]]]
    >>> saliency_precision(maps, [[[True, False], [False, False]]])
    0.75
    """
    maps = _scaled(_brightness(maps, "maps"))
    masks = _check_masks(masks, "masks", maps)
    if foreground is not None:
        maps = _scaled(maps * _check_masks(foreground, "foreground", maps))
    whole = maps.sum(axis=(1, 2))
    on_object = (maps * masks).sum(axis=(1, 2))
    return float(np.mean(on_object / np.where(whole > 0, whole, 1)))


def saliency_magnitude(maps: Rows, *, reference: Rows | None = None) -> float:
    """Mean brightness of saliency maps, relative to a reference.

    Use it to check that maps of the common part stay dark if two views have nothing in
    common. Pass the maps of pairs with a common object as `reference`. A result of 0.4
    means that the maps are on average 0.4 times as bright as the reference. The result
    depends neither on the scale of the score nor on the size of the pictures.

    Without a reference, each map is divided by its own brightest pixel, as in MUC2M
    [1]_. The result then shows how far a map spreads, and not how bright it is.

    Parameters
    ----------
    maps : array-like of shape (n_samples, height, width) or \
            (n_samples, n_channels, height, width)
        Maps. Absolute values are taken of signed maps, such as gradients. Channels are
        added up.
    reference : array-like of the same shape but for n_samples, or None, default=None
        Maps of the same score for other samples.

    Returns
    -------
    magnitude : float
        At least 0. A map of zeros counts as 0.

    Raises
    ------
    ValueError
        If maps are not numbers, if shapes differ, or if the reference is 0 everywhere
        or very small compared with the maps.

    References
    ----------
    .. [1] Multimodal Understanding Through Correlation Maximization and Minimization
       (2023), "Additional Study" of section 5.2.2. Its table 4 has the sums over the
       pixels: the mean, times their number.

    Examples
    --------
    >>> from skcrl.metrics import saliency_magnitude
    >>> maps = [[[0.2, 0.0], [0.1, 0.1]]]
    >>> round(saliency_magnitude(maps), 3)
    0.5
    >>> round(saliency_magnitude(maps, reference=[[[0.8, 0.8], [0.0, 0.0]]]), 3)
    0.25
    """
    maps = _brightness(maps, "maps")
    if reference is None:
        return float(_scaled(maps).mean())
    reference = _brightness(reference, "reference")
    if maps.shape[1:] != reference.shape[1:]:
        raise ValueError(
            "maps and reference must be of the same height and width, got "
            f"{maps.shape[1:]} and {reference.shape[1:]}."
        )
    unit = max(maps.max(), reference.max()) or 1.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = (maps / unit).mean() / (reference / unit).mean()
    if not np.isfinite(ratio):
        raise ValueError(
            "reference is 0 everywhere, or too small compared with maps. Pass maps of "
            "samples for which the score depends on the view."
        )
    return float(ratio)


def _brightness(maps, name):
    """Absolute values (n, height, width), with channels added up."""
    maps = np.abs(check_numbers(maps, name, ensure_2d=False, allow_nd=True))
    if maps.ndim not in (3, 4) or 0 in maps.shape:
        raise ValueError(
            f"{name} must be of shape (n_samples, height, width) or (n_samples, "
            f"n_channels, height, width), got {maps.shape}."
        )
    if maps.ndim == 3:
        return maps
    # Dividing by the number of channels first keeps the sum in the range of float64.
    return (maps / maps.shape[1]).sum(axis=1)


def _scaled(maps):
    """Each map in units of its maximum."""
    largest = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def _check_masks(masks, name, maps):
    check_paired(maps, masks, names=("maps", name))
    masks = check_numbers(masks, name, ensure_2d=False, allow_nd=True)
    if masks.shape != maps.shape:
        raise ValueError(
            f"{name} must have the shape of maps without the channels, {maps.shape}, "
            f"got {masks.shape}."
        )
    if not np.isin(masks, (0, 1)).all():
        raise ValueError(f"{name} must hold only True and False, or 1 and 0.")
    return masks
