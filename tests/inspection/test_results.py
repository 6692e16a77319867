"""Results print in a line, and become data frames where pandas is installed."""

import sys
from typing import NamedTuple

import numpy as np
import pytest

from skcrl.inspection._results import data_frame, short_repr


class Result(NamedTuple):
    """A result of every type of field."""

    n: int
    share: float
    kind: str
    few: np.ndarray
    many: np.ndarray


def test_repr_shows_few_numbers_and_the_shape_of_many():
    result = Result(3, 1 / 3, "real", np.array([0.12345, 1.0]), np.zeros((7, 2)))
    assert short_repr(result) == (
        "Result(n=3, share=0.333, kind='real', few=[0.123, 1], "
        "many=<array of shape (7, 2)>)"
    )


def test_data_frame_says_that_it_needs_pandas(monkeypatch):
    frame = data_frame({"r": np.array([0.5, 0.1])}, ["a", "b"])
    assert frame.loc["b", "r"] == 0.1
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame.*pip install pandas"):
        data_frame({}, [])
