"""Pictures of what two-view estimators learned, drawn by matplotlib."""

from skcrl.plotting._correlation_circle import CorrelationCircleDisplay
from skcrl.plotting._correlations import CorrelationsDisplay
from skcrl.plotting._heatmap import HeatmapDisplay
from skcrl.plotting._loadings import LoadingsDisplay
from skcrl.plotting._network import NetworkDisplay
from skcrl.plotting._scores import ScoresDisplay

__all__ = [
    "CorrelationCircleDisplay",
    "CorrelationsDisplay",
    "HeatmapDisplay",
    "LoadingsDisplay",
    "NetworkDisplay",
    "ScoresDisplay",
]
