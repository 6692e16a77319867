"""What the properties are tried on: views, their containers, and estimators.

Views are drawn as recipes, which are small to print and can stand in an `@example`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import torch
from hypothesis import strategies as st
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skcrl import (
    CCALRanker,
    CorrNet,
    DeepCCA,
    DeepCommonIndividual,
    KernelCCA,
    LinearCCA,
    LinearCommonIndividual,
    MultimodalAutoencoder,
    ProbabilisticCCA,
    SparseCCA,
    TiedBidirectional,
    ViewPipeline,
)


def _ordinary(rng, z, p):
    return z @ rng.standard_normal((2, p)) + 0.5 * rng.standard_normal((len(z), p))


def _with_constant(rng, z, p):
    view = _ordinary(rng, z, p)
    view[:, rng.integers(p)] = 0.1
    return view


def _constant(rng, z, p):
    return np.tile(rng.standard_normal(p), (len(z), 1))


def _duplicated(rng, z, p):
    return _ordinary(rng, z, p)[:, rng.integers(0, (p + 1) // 2, p)]


def _of_rank_one(rng, z, p):
    return z[:, :1] * np.arange(1.0, p + 1)


def _integers(rng, z, p):
    return np.round(2 * _ordinary(rng, z, p))


def _booleans(rng, z, p):
    return (_ordinary(rng, z, p) > 0).astype(float)


def _mostly_zero(rng, z, p):
    view = _ordinary(rng, z, p)
    return np.where(view > 1, view, 0.0)


def _in_units(rng, z, p):
    return _ordinary(rng, z, p) * 10.0 ** rng.integers(-6, 7, p)


def _repeated_rows(rng, z, p):
    return _ordinary(rng, z, p)[rng.integers(0, (len(z) + 1) // 2, len(z))]


def _outlier(rng, z, p):
    view = _ordinary(rng, z, p)
    view[rng.integers(len(z)), rng.integers(p)] = 1e6
    return view


LOOKS = {
    "ordinary": _ordinary,
    "integers": _integers,
    "booleans": _booleans,
    "mostly zero": _mostly_zero,
    "with a constant": _with_constant,
    "duplicated": _duplicated,
    "of rank one": _of_rank_one,
    "repeated rows": _repeated_rows,
    "in units": _in_units,
    "outlier": _outlier,
    "constant": _constant,
}


@dataclass(frozen=True)
class Views:
    """Recipe of two views of paired rows."""

    n: int
    p: int
    q: int
    seed: int = 0
    x_look: str = "ordinary"
    y_look: str = "ordinary"
    x_scale: float = 1.0
    y_scale: float = 1.0
    x_offset: float = 0.0
    y_offset: float = 0.0
    dtype: str = "float64"

    def made(self):
        """The views, as new arrays."""
        rng = np.random.default_rng(self.seed)
        z = rng.standard_normal((self.n, 2))
        X = LOOKS[self.x_look](rng, z, self.p) * self.x_scale + self.x_offset
        y = LOOKS[self.y_look](rng, z, self.q) * self.y_scale + self.y_offset
        return X.astype(self.dtype), y.astype(self.dtype)


def _more_rows_than_columns(**others):
    """Results are determined, and the same to rounding by any way to them."""
    return st.builds(
        Views,
        n=st.integers(20, 40),
        p=st.integers(1, 4),
        q=st.integers(1, 4),
        seed=st.integers(0, 10**6),
        **{name: st.sampled_from(values) for name, values in others.items()},
    )


# Of which squares neither overflow nor vanish.
tame_views = _more_rows_than_columns(
    x_look=["ordinary", "integers", "in units"],
    x_scale=[1.0, 1e-3, 1e3],
    y_scale=[1.0, 1e-2, 1e2],
    x_offset=[0.0, 1.0, -50.0],
    y_offset=[0.0, 10.0],
)
# What sparse matrices are for.
sparse_views = _more_rows_than_columns(
    x_look=["mostly zero", "with a constant", "booleans"],
    y_look=["mostly zero", "with a constant", "ordinary"],
)
# Of columns of one unit, too: what penalties do to them does not depend on rounding.
mild_views = _more_rows_than_columns(
    x_look=["ordinary", "integers"], x_offset=[0.0, 3.0, -50.0]
)
# Anything that is numbers.
_scales = st.one_of(
    st.just(1.0),
    st.sampled_from([1e-3, 1e3, 1e-30, 1e30, 1e-160, 1e160, 1e-300, 1e300]),
)
wild_views = st.builds(
    Views,
    n=st.integers(1, 16),
    p=st.integers(1, 20),
    q=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    x_look=st.sampled_from(list(LOOKS)),
    y_look=st.sampled_from(list(LOOKS)),
    x_scale=_scales,
    y_scale=_scales,
    x_offset=st.sampled_from([0.0, 1.0, -1e3, 1e6, 1e9]),
    y_offset=st.sampled_from([0.0, 1.0, -1e6]),
    dtype=st.just("float64"),
)


def _read_only(view):
    view = view.copy()
    view.flags.writeable = False
    return view


def _frame(view):
    return pd.DataFrame(view, columns=[f"c{i}" for i in range(view.shape[1])])


def _polars(view):
    return pl.DataFrame({f"c{i}": column for i, column in enumerate(view.T)})


def _in_parts(view):
    """Sparse, with each entry stored as two halves, unordered, indices of 64 bits."""
    n, p = view.shape
    halves = np.hstack([view / 2, view / 2])[:, ::-1]
    columns = np.tile(np.r_[:p, :p][::-1], n).astype(np.int64)
    starts = 2 * p * np.arange(n + 1, dtype=np.int64)
    return sparse.csr_array((halves.ravel(), columns, starts), shape=(n, p))


DENSE = {
    "array": np.ascontiguousarray,
    "by columns": np.asfortranarray,
    "strided": lambda view: np.repeat(view, 2, axis=1)[:, ::2],
    "backwards": lambda view: view[::-1].copy()[::-1],
    "read-only": _read_only,
    "list": np.ndarray.tolist,
    "pandas": _frame,
    "polars": _polars,
    "tensor": lambda view: torch.from_numpy(view.copy()),
    "objects": lambda view: view.astype(object),
    "masked": lambda view: np.ma.masked_array(view.copy(), mask=False),
}
SPARSE = {
    "CSR array": sparse.csr_array,
    "CSR matrix": sparse.csr_matrix,
    "CSC array": sparse.csc_array,
    "CSC matrix": sparse.csc_matrix,
    "COO array": sparse.coo_array,
    "in parts": _in_parts,
}
CONTAINERS = {**DENSE, **SPARSE}
containers = st.sampled_from(list(CONTAINERS))


def snapshot(view):
    """All that a call could change of a view, in a form that can be compared."""
    if sparse.issparse(view):
        names = ("data", "indices", "indptr", "coords")
        arrays = [getattr(view, name) for name in names if hasattr(view, name)]
        parts = [part for a in arrays for part in (a if isinstance(a, tuple) else [a])]
        return type(view), view.shape, [_bits(part) for part in parts]
    if isinstance(view, list):
        return repr(view)
    if isinstance(view, np.ma.MaskedArray):
        return _bits(view.data), _bits(np.ma.getmaskarray(view))
    if hasattr(view, "columns"):
        labels = list(view.index) if hasattr(view, "index") else None
        return type(view), list(view.columns), labels, _bits(view.to_numpy())
    return type(view), _bits(np.asarray(view))


def _bits(array):
    numbers = array.tolist() if array.dtype == object else array.tobytes()
    return numbers, array.dtype, array.shape, array.strides, array.flags.writeable


def _either(value):
    """One value for both views, or a pair."""
    return st.one_of(value, st.tuples(value, value))


_penalties = _either(st.sampled_from([0, 1e-4, 0.1, 10.0]))
_shrinkages = _either(st.sampled_from([0.0, 0.05, 0.5, 1.0, "oas", "ledoit_wolf"]))

linear = st.builds(
    LinearCCA,
    st.sampled_from([None, 1, 2]),
    reg=_penalties,
    shrinkage=st.one_of(st.just(0.0), _shrinkages),
    center=st.sampled_from([True, True, True, False]),
    scale=st.booleans(),
    solver=st.sampled_from(["auto", "covariance", "gram", "lanczos"]),
    random_state=st.integers(0, 9),
)
common_individual = st.builds(
    LinearCommonIndividual,
    st.sampled_from([None, 1, 2]),
    n_individual=st.sampled_from([None, 0, 1, (None, 1)]),
    n_signal=st.sampled_from([None, 2, (None, 3)]),
    random_state=st.integers(0, 9),
)
sparse_linear = st.builds(
    SparseCCA,
    st.sampled_from([1, 2]),
    alpha=st.sampled_from([None, 0.0, 0.2, (0.1, None)]),
    positive=_either(st.booleans()),
    reg=_penalties,
    shrinkage=_shrinkages,
    scale=st.booleans(),
)
probabilistic = st.builds(
    ProbabilisticCCA,
    st.sampled_from([None, 1, 2]),
    reg=_penalties,
    scale=st.booleans(),
)
exact_kernel = st.builds(
    KernelCCA,
    st.sampled_from([1, 2]),
    kernel=_either(st.sampled_from(["rbf", "linear", "laplacian", "poly", "cosine"])),
    gamma=st.sampled_from([None, 0.1]),
    reg=_either(st.sampled_from([1e-3, 0.1, 0])),
    random_state=st.integers(0, 9),
)
nystroem = st.builds(
    KernelCCA,
    st.sampled_from([1, 2]),
    kernel=st.sampled_from(["rbf", "linear", "laplacian"]),
    reg=st.sampled_from([1e-3, 0.1]),
    approximation=st.just("nystroem"),
    approximation_size=st.sampled_from([3, 10, 500]),
    landmarks=st.sampled_from(["random", "random", "kmeans"]),
    random_state=st.integers(0, 9),
)
fourier = st.builds(
    KernelCCA,
    st.sampled_from([1, 2]),
    gamma=st.sampled_from([None, 0.1]),
    reg=st.sampled_from([1e-3, 0.1]),
    approximation=st.just("rbf_sampler"),
    approximation_size=st.sampled_from([4, 20]),
    random_state=st.integers(0, 9),
)


def _network(kind, **parameters):
    return st.builds(
        kind,
        st.sampled_from([1, 2]),
        hidden_layer_sizes=st.just((4,)),
        max_epochs=st.just(2),
        batch_size=st.sampled_from([8, 100]),
        random_state=st.integers(0, 9),
        **{name: st.sampled_from(values) for name, values in parameters.items()},
    )


_steps = st.sampled_from(
    [None, StandardScaler(), make_pipeline(MaxAbsScaler(), StandardScaler())]
)

# Every kind of two-view estimator, and the share of the examples that it is given.
KINDS = {
    "LinearCCA": (linear, 1.0),
    "LinearCommonIndividual": (common_individual, 0.5),
    "SparseCCA": (sparse_linear, 0.5),
    "ProbabilisticCCA": (probabilistic, 0.5),
    "KernelCCA": (st.one_of(exact_kernel, nystroem, fourier), 0.5),
    "ViewPipeline": (st.builds(ViewPipeline, linear, x=_steps, y=_steps), 0.25),
    "DeepCCA": (
        _network(
            DeepCCA,
            objective=["trace_norm", "correlation_gap", "soft", "noi"],
            closing_cca=[True, True, False],
        ),
        0.05,
    ),
    "DeepCommonIndividual": (
        st.builds(
            DeepCommonIndividual,
            st.one_of(linear, exact_kernel, _network(DeepCCA)),
            n_individual=st.sampled_from([None, 1, 3]),
            hidden_layer_sizes=st.just((4,)),
            max_epochs=st.just(2),
            batch_size=st.sampled_from([8, 100]),
            random_state=st.integers(0, 9),
        ),
        0.05,
    ),
    "CCALRanker": (
        _network(
            CCALRanker, projection=["cca", "learned"], hard_negatives=[False, True]
        ),
        0.05,
    ),
    "CorrNet": (_network(CorrNet, correlation=["batch", "sample"]), 0.05),
    "MultimodalAutoencoder": (
        _network(MultimodalAutoencoder, layout=["split", "concatenated"]),
        0.05,
    ),
    "TiedBidirectional": (_network(TiedBidirectional), 0.05),
}
