"""Sparse rows go through dense layers as dense rows do."""

import numpy as np
import pytest
import torch
from scipy import sparse

from skcrl.deep.modules import MLP, Dropout, SparseRows


@pytest.fixture
def rows():
    rows = sparse.random_array((7, 20), density=0.2, random_state=0).toarray()
    rows[3] = 0  # an empty row
    return sparse.csr_array(rows)


def mlp(dtype):
    net = MLP((20, 6, 3), "tanh")
    net.reset_parameters(torch.Generator().manual_seed(0))
    return net.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_output_and_gradient_are_those_of_dense_rows(rows, dtype):
    on_sparse, on_dense = mlp(dtype), mlp(dtype)
    out = on_sparse(SparseRows.from_csr(rows, "cpu", dtype))
    expected = on_dense(torch.from_numpy(rows.toarray()).to(dtype))
    torch.testing.assert_close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    for a, b in zip(on_sparse.parameters(), on_dense.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_dropout_drops_stored_entries(rows):
    sparse_rows = SparseRows.from_csr(rows, "cpu", torch.float64)
    layer = Dropout(0.5)
    dropped = layer(sparse_rows)
    kept = dropped.values != 0
    assert 0 < kept.sum() < len(kept)
    torch.testing.assert_close(dropped.values[kept], 2 * sparse_rows.values[kept])
    assert layer.eval()(sparse_rows) is sparse_rows
    assert len(dropped) == 7
    np.testing.assert_array_equal(sparse_rows.values, rows.data)
