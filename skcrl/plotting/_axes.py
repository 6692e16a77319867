"""Axes, names and colours that all displays share."""

import numpy as np

# Colours and markers of the two views in all displays. Blue and orange are from the
# palette of Okabe and Ito.
VIEW_COLORS = {"x": "#0072B2", "y": "#D55E00"}
VIEW_MARKERS = {"x": "o", "y": "^"}
VIEW_NAMES = {"x": "first view", "y": "second view"}
NEUTRAL = "0.6"


def axes_or_new(ax, **subplots):
    """Axes to draw on: the given ones, or new ones of pyplot if there are none."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays are drawn by matplotlib, and matplotlib cannot be imported: "
            "pip install 'skcrl[plot]'."
        ) from error
    if ax is None:
        return plt.subplots(layout="constrained", **subplots)[1]
    if not isinstance(ax, plt.Axes):
        raise ValueError(
            "ax must be one axes of matplotlib, such as plt.subplots() gives, or None. "
            f"Got {type(ax).__name__}."
        )
    return ax


def legend_beside(ax, *entries, **legend):
    """Add a legend to the right of the axes, where it hides nothing."""
    ax.legend(*entries, loc="upper left", bbox_to_anchor=(1.0, 1.0), **legend)


def class_colors(n_classes):
    """Colours of classes, chosen so that colour-blind readers can tell them apart."""
    import matplotlib as mpl

    if n_classes <= 10:
        return mpl.color_sequences["petroff10"][:n_classes]
    return list(mpl.colormaps["viridis"](np.linspace(0, 1, n_classes)))
