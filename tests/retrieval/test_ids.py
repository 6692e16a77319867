"""Ids of items, of all the kinds they come in."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skcrl.retrieval._ids import check_ids, from_arrays, joined_ids, to_arrays

INTEGERS = {
    "list": [3, -1, 2**40],
    "range": range(3),
    "small": np.array([3, 1, 2], dtype=np.int8),
    "unsigned": np.array([3, 1, 2**63 - 1], dtype=np.uint64),
    "objects": np.array([3, 1, 2], dtype=object),
    "the ends": [-(2**63), 2**63 - 1, 0],
    "pandas": pd.Series([3, 1, 2], dtype="Int64"),
    "polars": pl.Series([3, 1, 2]),
}
STRINGS = {
    "list": ["b", "", "a\0"],
    "fixed width": np.array(["b", "", "long"]),
    "objects": np.array(["b", "", "a\0"], dtype=object),
    "pandas": pd.Series(["b", "", "c"], dtype="string"),
    "categories": pd.Series(["b", "", "c"], dtype="category"),
    "polars": pl.Series(["b", "", "c"]),
}


@pytest.mark.parametrize("ids", INTEGERS.values(), ids=INTEGERS)
def test_integers(ids):
    found = check_ids(ids, 3)
    assert found.dtype == np.int64
    assert found.tolist() == list(ids)


@pytest.mark.parametrize("ids", STRINGS.values(), ids=STRINGS)
def test_strings(ids):
    found = check_ids(ids, 3)
    assert found.dtype == object
    assert found.tolist() == list(ids)
    assert check_ids(from_arrays(to_arrays(found), 3), 3).tolist() == list(ids)


def test_ids_are_a_copy():
    for ids in (np.arange(3), np.array(list("abc"), dtype=object)):
        found = check_ids(ids, 3)
        ids[0] = ids[1]
        assert found[0] != found[1]


BAD = {
    "booleans": ([True, False, 3], "all strings or all integers"),
    "an array of booleans": (np.array([True, False, True]), "all strings or all int"),
    "NumPy's booleans": ([np.True_, 2, 3], "all strings or all integers"),
    "floats": (np.arange(3.0), "all strings or all integers"),
    "bytes": ([b"a", b"b", b"c"], "all strings or all integers"),
    "missing": (["a", None, "c"], "all strings or all integers"),
    "both": (["a", 1, 2], "all strings or all integers"),
    "unsigned": (np.array([2**63, 1, 2], dtype=np.uint64), "signed 64-bit integers"),
    "too large": ([2**63, 1, 2], "signed 64-bit integers"),
    "too small": ([-(2**63) - 1, 1, 2], "signed 64-bit integers"),
    "a string": ("abc", r"each of the 3 items, got an array of shape \(\)"),
    "few": ([1, 2], r"each of the 3 items, got an array of shape \(2,\)"),
    "equal strings": (["a", "b", "a"], "ids must differ, got 'a' more than once"),
    "equal integers": ([4, 5, 5], "ids must differ, got 5 more than once"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_ids_are_named(case):
    ids, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        check_ids(ids, 3)


def test_a_trailing_nul_tells_apart():
    assert check_ids(["a", "a\0"], 2).tolist() == ["a", "a\0"]
    joined = joined_ids(check_ids(["a"], 1), check_ids(["a\0"], 1))
    assert joined.tolist() == ["a", "a\0"]


def test_one_long_string_does_not_lengthen_the_others():
    ids = [f"id {i}" for i in range(20_000)]
    ids[7] = "x" * 20_000
    tracemalloc.start()
    check_ids(ids, len(ids))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6  # 1.6 GB at the width of the longest
