"""Pictures of what two-view estimators learned, drawn by matplotlib."""

from skcrl.plotting._scores import ScoresDisplay

__all__ = ["ScoresDisplay"]
