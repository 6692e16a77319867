"""Doors for AnnData and MuData, with those where they are installed, else stand-ins."""

import importlib
import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.decomposition import PCA

from skcrl import LinearCCA
from skcrl.datasets import make_correlated_views
from skcrl.retrieval import mutual_nearest_neighbors
from skcrl.singlecell import align, embed

PAGE = Path(__file__).parents[1] / "docs" / "single_cells.md"


@pytest.fixture(params=["stand-in", "anndata"])
def make(request):
    """Makes a data set of values, names of cells and of genes."""
    if request.param == "anndata":
        anndata = pytest.importorskip("anndata")

        def make_anndata(X, cells=None, genes=None, layers=None):
            names = default_names(X, cells, genes)
            obs, var = (pd.DataFrame(index=part) for part in names)
            return anndata.AnnData(X, obs=obs, var=var, layers=layers)

        return make_anndata

    def make_stand_in(X, cells=None, genes=None, layers=None):
        cells, genes = default_names(X, cells, genes)
        return SimpleNamespace(
            X=X, obs_names=cells, var_names=genes, layers=layers or {}, obsm={}
        )

    return make_stand_in


@pytest.fixture
def make_mudata(make):
    """Makes a MuData of modalities by name."""
    if make.__name__ == "make_anndata":
        mudata = pytest.importorskip("mudata")

        def of_modalities(mod):
            with mudata.set_options(pull_on_update=False):
                return mudata.MuData(mod)

        return of_modalities
    return lambda mod: SimpleNamespace(
        mod=mod,
        obs_names=list(
            dict.fromkeys(name for data in mod.values() for name in data.obs_names)
        ),
        obsm={},
    )


def default_names(X, cells, genes):
    n, p = X.shape
    return (
        [f"cell {i}" for i in range(n)] if cells is None else cells,
        [f"gene {i}" for i in range(p)] if genes is None else genes,
    )


def counts_like(n_x=70, n_y=50, n_genes=40, seed=0):
    rng = np.random.default_rng(seed)
    programs = rng.gamma(1.0, size=(3, n_genes))
    return [
        np.log1p(rng.poisson(rng.gamma(1.0, size=(n, 3)) @ programs * depth))
        for n, depth in ((n_x, 0.4), (n_y, 0.2))
    ]


def by_svd(X, Y, k, weighted):
    """Codes and singular values by NumPy, from dense standardised matrices."""
    A, B = (standardised(standardised(view, axis=0), axis=1) for view in (X, Y))
    left, singular, right = np.linalg.svd(A @ B.T)
    factor = singular[:k] if weighted else 1.0
    codes = [vectors[:, :k] * factor for vectors in (left, right.T)]
    return *(unit(c) for c in codes), singular[:k] / singular[0]


def standardised(A, axis):
    return (A - A.mean(axis, keepdims=True)) / A.std(axis, ddof=1, keepdims=True)


def unit(A):
    return A / np.linalg.norm(A, axis=1, keepdims=True)


FORMS = {
    "dense": np.asarray,
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "float32": lambda A: sparse.csr_matrix(A.astype(np.float32)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_cells", [(70, 50), (20, 30)], ids=["many", "few"])
@pytest.mark.parametrize("weighted", [True, False])
def test_codes_are_singular_vectors_of_standardised_products(
    form, n_cells, weighted, make
):
    X, Y = counts_like(*n_cells)
    x, y = (make(FORMS[form](view)) for view in (X, Y))
    alignment = align(x, y, 5, weighted=weighted)
    x_codes, y_codes, singular_values = by_svd(X, Y, 5, weighted)
    atol = 1e-4 if form == "float32" else 1e-10
    found = [data.obsm["X_cca"] for data in (x, y)]
    assert {codes.dtype for codes in found} == {x.X.dtype}
    # Signs of components are free, the same for both data sets.
    assert_allclose(found[0] @ found[1].T, x_codes @ y_codes.T, atol=atol)
    assert_allclose(found[0] @ found[0].T, x_codes @ x_codes.T, atol=atol)
    assert_allclose(alignment.singular_values, singular_values, atol=atol)


@pytest.mark.parametrize("form", FORMS)
def test_genes_far_from_zero_and_genes_that_do_not_vary(form, make):
    # Of more genes than cells the codes would show what centring leaves.
    X, Y = counts_like(20, 30)
    shifts = np.resize([0.0, 2.0**10, 2.0**13], X.shape[1])
    X, Y = (np.round(view * 2**8) / 2**8 for view in (X, Y))  # so that shifts are exact
    x_codes, y_codes, singular_values = by_svd(X, Y, 5, True)
    dead = np.full((20, 1), 0.1), np.arange(30.0)[:, None]
    pair = zip((X, Y), dead, strict=True)
    x, y = (make(FORMS[form](np.hstack([Z + shifts, gene]))) for Z, gene in pair)
    alignment = align(x, y, 5)
    assert len(alignment.genes) == 40
    assert_allclose(alignment.singular_values, singular_values, atol=1e-10)
    products = x.obsm["X_cca"] @ y.obsm["X_cca"].T
    atol = 1e-5 if form == "float32" else 1e-9
    assert_allclose(products, x_codes @ y_codes.T, atol=atol)


def test_codes_are_weights_of_linear_cca_with_full_shrinkage(make):
    X, Y = counts_like()
    x, y = make(sparse.csr_matrix(X)), make(sparse.csr_matrix(Y))
    align(x, y, 4, weighted=False)
    cca = LinearCCA(4, reg=0, shrinkage=1.0, scale=True)
    cca.fit(standardised(X, 0).T, standardised(Y, 0).T)
    codes = unit(cca.x_weights_), unit(cca.y_weights_)
    assert_allclose(
        x.obsm["X_cca"] @ y.obsm["X_cca"].T, codes[0] @ codes[1].T, atol=1e-10
    )


def test_genes_are_matched_by_name(make):
    X, Y = counts_like()
    x, y = make(X), make(Y)
    align(x, y, 4)
    # Genes of y turned round, one that only it has, and one that does not vary.
    names = [f"gene {i}" for i in range(40)]
    more = np.hstack([Y[:, ::-1], np.ones((len(Y), 1)), Y[:, :1]])
    other = make(sparse.csr_matrix(more), genes=[*names[::-1], "constant", "only of y"])
    one = make(np.hstack([X, X[:, :1]]), genes=[*names, "constant"])
    alignment = align(one, other, 4)
    assert list(alignment.genes) == names
    assert_allclose(one.obsm["X_cca"], x.obsm["X_cca"], atol=1e-10)
    assert_allclose(other.obsm["X_cca"], y.obsm["X_cca"], atol=1e-10)


def test_an_entry_may_be_stored_in_parts(make):
    X, Y = counts_like()
    x, y = make(X), make(Y)
    align(x, y, 4)
    whole = sparse.coo_array(X)
    rows, columns = whole.coords
    parts = sparse.coo_array(
        (
            np.concatenate([whole.data / 4, whole.data * 0.75]),
            (np.tile(rows, 2), np.tile(columns, 2)),
        ),
        shape=X.shape,
    )
    starts = np.append(0, np.bincount(parts.coords[0], minlength=len(X)).cumsum())
    order = np.argsort(parts.coords[0], kind="stable")
    entries = parts.data[order], parts.coords[1][order], starts
    in_parts = make(sparse.csr_matrix(entries, shape=X.shape))
    align(in_parts, y, 4)
    assert_allclose(in_parts.obsm["X_cca"], x.obsm["X_cca"], atol=1e-10)


def test_part_of_a_data_set_may_be_passed():
    anndata = pytest.importorskip("anndata")
    X, Y = counts_like()
    x, y = anndata.AnnData(sparse.csr_matrix(X)), anndata.AnnData(Y)
    part = x[:, 5:30]
    with pytest.warns(UserWarning, match="view"):  # it becomes a copy, says anndata
        align(part, y, 4)
    whole = anndata.AnnData(X[:, 5:30], var=pd.DataFrame(index=x.var_names[5:30]))
    align(whole, y, 4)
    assert_allclose(part.obsm["X_cca"], whole.obsm["X_cca"], atol=1e-10)


def test_layers_and_keys(make):
    X, Y = counts_like()
    x, y = make(X), make(Y)
    align(x, y, 4)
    raw_x, raw_y = make(np.exp(X), layers={"log": X}), make(Y**2, layers={"log": Y})
    align(raw_x, raw_y, 4, x_layer="log", y_layer="log", key_added="X_both")
    assert_array_equal(raw_x.obsm["X_both"], x.obsm["X_cca"])
    assert_array_equal(raw_y.obsm["X_both"], y.obsm["X_cca"])


def two_batches(seed, n_cells=(240, 200), n_genes=500, n_types=6):
    """Logarithms of counts of cells of planted types, with an effect of each batch."""
    rng = np.random.default_rng(seed)
    level = np.log(rng.gamma(0.5, size=n_genes) + 0.02)
    marks = rng.random((n_types, n_genes)) < 0.2
    level = level + 0.8 * marks * rng.standard_normal((n_types, n_genes))
    for n in n_cells:
        types = rng.integers(0, n_types, n)
        rates = np.exp(level[types] + 1.2 * rng.standard_normal(n_genes))
        counts = rng.poisson(1_000 * rates / rates.sum(axis=1, keepdims=True))
        yield np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True)), types


@pytest.mark.parametrize("seed", range(3))
def test_anchors_are_of_one_type_across_batches(seed, make):
    (X, x_types), (Y, y_types) = two_batches(seed)

    def share_and_number(x_codes, y_codes):
        found = mutual_nearest_neighbors(x_codes, y_codes)
        return (x_types[found.x] == y_types[found.y]).mean(), len(found.x)

    x, y = (make(sparse.csr_matrix(view)) for view in (X, Y))
    align(x, y)
    share, number = share_and_number(x.obsm["X_cca"], y.obsm["X_cca"])
    assert share >= 0.95
    assert number > len(X)
    align(x, y, weighted=False)
    pca = PCA(30, random_state=0).fit(np.vstack([X, Y]))
    rivals = [
        (x.obsm["X_cca"], y.obsm["X_cca"]),
        (pca.transform(X), pca.transform(Y)),
        (X, Y),
    ]
    assert share > max(share_and_number(*codes)[0] for codes in rivals)


def test_sparse_cells_are_never_dense():
    rng = np.random.default_rng(0)
    x, y = (
        SimpleNamespace(
            X=sparse.random_array(
                (30_000, 60), density=0.05, random_state=rng, format="csr"
            ),
            var_names=[f"gene {i}" for i in range(60)],
            layers={},
            obsm={},
        )
        for _ in range(2)
    )
    tracemalloc.start()
    align(x, y, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000 * 60 * 8 / 1.5


def align_bad(change):
    X, Y = counts_like()
    x, y = (
        SimpleNamespace(X=v, var_names=[f"g{i}" for i in range(40)], layers={}, obsm={})
        for v in (X, Y)
    )
    arguments = change(x, y) or {}
    align(x, y, **({"n_components": 5} | arguments))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x, y: {"n_components": 40},
            "at most 39, got 40: 40 genes vary in both x and y, "
            "and they have 70 and 50 cells",
        ),
        (lambda x, y: {"n_components": 0}, "'n_components' parameter"),
        (
            lambda x, y: vars(x).update(X=np.full(x.X.shape, 0.1)),
            "x and y have 40 genes in common, of which 0 vary in both",
        ),
        (
            lambda x, y: vars(y).update(var_names=[f"ENSG{i}" for i in range(40)]),
            "no gene in common: the first gene of x is 'g0', the first of y 'ENSG0'",
        ),
        (
            lambda x, y: vars(x).update(var_names=["a"] * 40),
            "x has the name 'a' at positions 0 and 1: make names unique",
        ),
        (lambda x, y: {"y_layer": "log"}, r"y has no layer 'log': its layers are \[\]"),
        (
            lambda x, y: vars(x).update(X=None),
            "x has no X: pass the name of one of its layers",
        ),
        (lambda x, y: vars(y).update(X=y.X * np.nan), "Input y contains NaN"),
    ],
)
def test_align_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        align_bad(change)


def modalities(make, n=90, only_x=0, only_y=0):
    """Two views of n cells, of which each has a few that the other lacks."""
    X, Y = make_correlated_views(n, n_features_x=8, n_features_y=6, random_state=0)[:2]
    names = [f"cell {i}" for i in range(n)]
    order = np.random.default_rng(0).permutation(n - only_x)  # cells of y, any order
    in_x, in_y = np.arange(n - only_y), order
    x = make(sparse.csr_matrix(X[in_x]), cells=[names[i] for i in in_x])
    y_names = [names[n - 1 - i] for i in in_y]
    y = make(Y[n - 1 - in_y], cells=y_names, genes=[f"protein {i}" for i in range(6)])
    return X, Y, x, y


@pytest.mark.parametrize("gaps", [(0, 0), (7, 4)])
def test_embed_is_the_estimator_on_cells_in_both(gaps, make, make_mudata):
    only_x, only_y = gaps
    X, Y, x, y = modalities(make, 90, *gaps)
    mdata = make_mudata({"rna": x, "prot": y})
    cca = embed(mdata, LinearCCA(2))
    both = slice(only_x, 90 - only_y)
    expected = LinearCCA(2).fit(X[both], Y[both])
    assert_allclose(cca.correlations_, expected.correlations_)
    x_codes, y_codes = expected.transform(X), expected.transform_y(Y)
    place = {f"cell {i}": i for i in range(90)}
    for data, codes in ((x, x_codes), (y, y_codes)):
        rows = [place[name] for name in data.obs_names]
        assert_allclose(data.obsm["X_cca"], codes[rows], atol=1e-10)
    joint = (x_codes + y_codes) / 2
    joint[:only_x] = x_codes[:only_x]
    joint[90 - only_y :] = y_codes[90 - only_y :]
    rows = [place[name] for name in mdata.obs_names]
    assert_allclose(mdata.obsm["X_cca"], joint[rows], atol=1e-10)


def test_cells_of_a_third_modality_have_no_joint_code(make, make_mudata):
    _, _, x, y = modalities(make)
    other = make(np.ones((2, 3)), ["cell 3", "elsewhere"], ["a", "b", "c"])
    mdata = make_mudata({"rna": x, "prot": y, "atac": other})
    embed(mdata, LinearCCA(2))
    lost = np.isnan(mdata.obsm["X_cca"]).all(axis=1)
    assert [n for n, is_lost in zip(mdata.obs_names, lost, strict=True) if is_lost] == [
        "elsewhere"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": "atac"}, r"no modality 'atac': it has \['rna', 'prot'\]"),
        ({"y": "rna"}, "x and y are both 'rna'"),
        ({"x_layer": "log"}, "rna has no layer 'log'"),
        ({"estimator": PCA(2)}, "'estimator' parameter of embed must be an object imp"),
        ({"estimator": LinearCCA(0)}, "'n_components' parameter of LinearCCA"),
    ],
)
def test_embed_refuses(arguments, message, make, make_mudata):
    _, _, x, y = modalities(make)
    mdata = make_mudata({"rna": x, "prot": y})
    with pytest.raises(ValueError, match=message):
        embed(mdata, **({"estimator": LinearCCA(2)} | arguments))
    assert "X_cca" not in mdata.obsm


def test_embed_refuses_cells_without_partners(make, make_mudata):
    _, _, x, _ = modalities(make)
    other = make(np.ones((2, 3)), ["cell 3", "elsewhere"], ["a", "b", "c"])
    mdata = make_mudata({"rna": x, "prot": other})
    with pytest.raises(ValueError, match=r"Found 1 cell\(s\) in both 'rna' and 'prot'"):
        embed(mdata, LinearCCA(2))


def test_the_page_runs():
    for package in ("anndata", "mudata"):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert blocks
    known = {}
    for block in blocks:
        exec(block, known)
    assert importlib.import_module("anndata") is known["ad"]
