"""Pictures of what two-view estimators have learned, drawn with matplotlib."""

from skcrl.plotting._correlation_circle import CorrelationCircleDisplay
from skcrl.plotting._correlations import CorrelationsDisplay
from skcrl.plotting._heatmap import HeatmapDisplay
from skcrl.plotting._loadings import LoadingsDisplay
from skcrl.plotting._network import NetworkDisplay
from skcrl.plotting._reconstruction import ReconstructionDisplay
from skcrl.plotting._retrieval import RetrievalDisplay
from skcrl.plotting._saliency import SaliencyDisplay
from skcrl.plotting._scores import ScoresDisplay
from skcrl.plotting._stability import StabilityDisplay
from skcrl.plotting._training import TrainingDisplay

__all__ = [
    "CorrelationCircleDisplay",
    "CorrelationsDisplay",
    "HeatmapDisplay",
    "LoadingsDisplay",
    "NetworkDisplay",
    "ReconstructionDisplay",
    "RetrievalDisplay",
    "SaliencyDisplay",
    "ScoresDisplay",
    "StabilityDisplay",
    "TrainingDisplay",
]
