"""Kernel two-view estimators."""

from skcrl.kernel._kernel_cca import KernelCCA

__all__ = ["KernelCCA"]
