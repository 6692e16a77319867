"""Tests, intervals and summaries of what two views share, and maps of samples."""

from skcrl.inspection._bootstrap import bootstrap_intervals
from skcrl.inspection._gradient_map import gradient_map
from skcrl.inspection._held_out import held_out_permutation_test
from skcrl.inspection._multivariate import multivariate_tests
from skcrl.inspection._permutation import permutation_test
from skcrl.inspection._sample_size import sample_size
from skcrl.inspection._selection import select_n_components
from skcrl.inspection._stability import stability_selection
from skcrl.inspection._summary import summary

__all__ = [
    "bootstrap_intervals",
    "gradient_map",
    "held_out_permutation_test",
    "multivariate_tests",
    "permutation_test",
    "sample_size",
    "select_n_components",
    "stability_selection",
    "summary",
]
