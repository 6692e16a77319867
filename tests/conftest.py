"""Settings and fixtures of all tests."""

import os

# Read when scipy is imported: without it scikit-learn skips a check silently.
os.environ["SCIPY_ARRAY_API"] = "1"

import hypothesis
import numpy as np
import pytest
import torch

from skcrl.datasets import load_digits_halves

torch.set_num_threads(1)

# The examples of "quick" are the same each time, those of "fuzz" are new ones.
_COMMON = {
    "database": None,
    "deadline": None,
    "phases": [phase for phase in hypothesis.Phase if phase.name != "explain"],
    "suppress_health_check": list(hypothesis.HealthCheck),
}
hypothesis.settings.register_profile(
    "quick", max_examples=12, derandomize=True, **_COMMON
)
hypothesis.settings.register_profile(
    "fuzz", max_examples=320, print_blob=True, **_COMMON
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(params=["numpy", "torch"])
def as_backend(request):
    """Function that turns an ndarray into an array of either backend."""
    return np.asarray if request.param == "numpy" else torch.as_tensor


@pytest.fixture(scope="session")
def digits():
    """Left halves, right halves and labels."""
    return load_digits_halves()


@pytest.fixture(scope="session")
def fuzz_factor():
    """How many times as many damaged files to try; the suite alone takes few."""
    return int(os.environ.get("SKCRL_FUZZ", "1"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)
