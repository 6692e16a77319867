"""Fitted models as files that hold data and no code."""

from skcrl.persistence._describe import describe

__all__ = ["describe"]
