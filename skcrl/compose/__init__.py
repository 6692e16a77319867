"""Containers and composition of two views."""

from skcrl.compose._restarts import Restarts
from skcrl.compose._routed_view import RoutedView
from skcrl.compose._self_learning import SelfLearning
from skcrl.compose._two_view import TwoView
from skcrl.compose._view_pipeline import ViewPipeline, make_view_pipeline

__all__ = [
    "Restarts",
    "RoutedView",
    "SelfLearning",
    "TwoView",
    "ViewPipeline",
    "make_view_pipeline",
]
