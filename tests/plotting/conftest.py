"""Two small views and a fit to them; figures are closed after each test."""

import matplotlib as mpl
import pytest
from sklearn.datasets import load_linnerud

from skcrl import LinearCCA

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed_figures():
    from matplotlib import pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def frames():
    exercises, bodies = load_linnerud(return_X_y=True, as_frame=True)
    return bodies, exercises


@pytest.fixture
def cca(frames):
    return LinearCCA(n_components=3).fit(*frames)
