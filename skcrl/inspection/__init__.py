"""How much of what two views share is real: tests, intervals, and how many."""

from skcrl.inspection._multivariate import multivariate_tests
from skcrl.inspection._permutation import permutation_test

__all__ = ["multivariate_tests", "permutation_test"]
