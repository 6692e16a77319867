"""Containers and composition of two views."""

from skcrl.compose._two_view import TwoView

__all__ = ["TwoView"]
