"""Results print in a line, and become data frames where pandas is installed."""

import sys
from typing import NamedTuple

import numpy as np
import pytest

from skcrl import LinearCCA
from skcrl._repr import short_repr
from skcrl.inspection import (
    held_out_permutation_test,
    multivariate_tests,
    permutation_test,
    select_n_components,
)
from skcrl.inspection._results import data_frame


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


def test_frames_hold_the_numbers_of_the_results(rng):
    X, y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))
    result = permutation_test(X, y, n_permutations=9, random_state=0)
    frame = result.to_frame()
    assert frame.index.tolist() == [1, 2]
    assert frame.loc[2].tolist() == [
        result.correlations[1],
        result.pvalues[1],
        result.adjusted_pvalues[1],
    ]
    selection = select_n_components(X, y, method="held_out")
    assert selection.to_frame()["pvalue"].tolist() == selection.pvalues.tolist()
    tests = multivariate_tests(X, y)
    frame = tests.to_frame()
    assert frame.loc["Pillai", "f"] == tests.pillai.f
    assert frame.loc["from dimension 2", "df2"] == tests.sequential.df2[1]
    assert frame.loc["from dimension 2", "chi2"] == tests.sequential_chi2.statistic[1]
    assert frame["chi2"].isna().tolist() == [True] * 4 + [False] * 2
    held_out = held_out_permutation_test(LinearCCA(1), X, y, n_permutations=3)
    assert held_out.to_frame().loc[0].tolist() == [held_out.score, held_out.pvalue]
    for found in (result, selection, tests, held_out):
        assert repr(found).startswith(type(found).__name__ + "(")
        assert len(repr(found)) < 1000
        assert "\n" not in repr(found)
