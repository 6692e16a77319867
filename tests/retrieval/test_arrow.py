"""Tables of Arrow, read back by what wrote them."""

import sys

import numpy as np
import pytest
from given import Given
from sklearn.exceptions import NotFittedError

from skcrl import CrossViewRetriever


def filled(ids=None):
    rows = np.random.default_rng(0).standard_normal((20, 4))
    rows[[3, 19]] = np.nan
    return CrossViewRetriever(Given()).fit(rows, rows).fit_index(rows, ids=ids), rows


@pytest.mark.parametrize("kind", ["none", "numbers", "words"])
def test_files_hold_ids_and_codes(tmp_path, kind):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    ids = {
        "none": None,
        "numbers": np.arange(20) * 3,
        "words": [f"ä {i}" for i in range(20)],
    }[kind]
    made, rows = filled(ids)
    parquet.write_table(made.to_arrow(), tmp_path / "items.parquet")
    table = parquet.read_table(tmp_path / "items.parquet")
    assert table.column_names == ["id", "code"]
    assert table["id"].to_pylist() == list(range(20) if ids is None else ids)
    assert str(table.schema.field("code").type) == "fixed_size_list<element: float>[4]"
    codes = table["code"].to_pylist()
    assert [i for i, code in enumerate(codes) if code is None] == [3, 19]
    there = np.delete(rows, [3, 19], axis=0)
    found = np.array([code for code in codes if code is not None])
    np.testing.assert_allclose(found, made.encode(there), atol=1e-7)


def test_what_is_missing_is_named(monkeypatch):
    made, rows = filled()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="to_arrow needs .*: pip install pyarrow"):
        made.to_arrow()
    with pytest.raises(NotFittedError, match="call fit_index first"):
        made.fit(rows[:3], rows[:3]).to_arrow()
