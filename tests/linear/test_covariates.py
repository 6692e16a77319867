"""LinearCCA with covariates is LinearCCA of residuals, and new rows lose the same."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CrossViewClassifier,
    KernelCCA,
    LinearCCA,
    RoutedView,
    SparseCCA,
    TwoView,
    ViewPipeline,
    describe,
    make_view_pipeline,
)
from skcrl.exceptions import DegenerateFitWarning
from skcrl.inspection import permutation_test

da = pytest.importorskip("dask.array")


def confounded(n=80, p=7, q=5, seed=0):
    """Views that share two factors, and covariates of rank three that change both."""
    rng = np.random.default_rng(seed)
    C = rng.standard_normal((n, 3))
    C = np.column_stack([C, 2 * C[:, 0] + 1, np.full(n, 3.0)])
    shared = rng.standard_normal((n, 2))
    X, y = (
        shared @ rng.standard_normal((2, width))
        + C @ rng.standard_normal((5, width))
        + rng.standard_normal((n, width))
        for width in (p, q)
    )
    return np.where(X < 4, X, 0), y, C


@pytest.fixture(scope="module")
def rows():
    return confounded()


def residuals(view, C, weights=None, center=True):
    Z = np.column_stack([np.ones(len(view)), C]) if center else C
    root = np.ones(len(view)) if weights is None else np.sqrt(weights)
    return view - Z @ np.linalg.lstsq(Z * root[:, None], view * root[:, None])[0]


def all_outputs(cca, X, y, C):
    """What an estimator makes of rows, and what is known of its views."""
    return [
        np.asarray(made)
        for made in (
            cca.transform(X, C),
            cca.transform_y(y, C),
            cca.predict(X, C),
            cca.correlations_,
            cca.x_loadings_,
            cca.y_explained_variance_ratio_,
        )
    ]


def assert_same(found, expected, atol=1e-9):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize("n", [80, 20])  # of which 20 rows are fewer than columns
@pytest.mark.parametrize("adjust", ["both", "x", "y"])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_is_cca_of_residuals(n, adjust, center, weighted, solver):
    X, y, C = confounded(n, *((7, 5) if n == 80 else (40, 30)))
    weights = np.arange(n) % 3 + 1.0 if weighted else None
    of_x, of_y = (
        residuals(view, C, weights, center) if adjust in ("both", side) else view
        for side, view in (("x", X), ("y", y))
    )
    total = n if weights is None else weights.sum()
    # Residuals know nothing of the degrees of freedom that covariates took.
    ratio = (total - 1) / (total - 1 - (3 if center else 4))
    expected = LinearCCA(3, reg=0.2 / ratio, shrinkage=0.1, center=center)
    expected.fit(of_x, of_y, weights)
    cca = LinearCCA(
        3, reg=0.2, shrinkage=0.1, center=center, solver=solver, adjust=adjust
    ).fit(X, y, weights, covariates=C)
    assert cca.solver_ == solver
    root = ratio**0.5
    assert_same(
        [
            root * cca.transform(X, C),
            root * cca.transform_y(y, C),
            cca.predict(X, C),
            cca.view("x").inverse_transform(cca.transform(X, C), C),
            cca.correlations_,
            cca.x_loadings_,
            cca.y_explained_variance_ratio_,
            cca.y_var_ / ratio,
            cca.score(X, y, C),
            *cca.transform_pair(X, y, C),
            cca.transform_joint(X, y, C),
        ],
        [
            expected.transform(of_x),
            expected.transform_y(of_y),
            expected.predict(of_x) + y - of_y,
            expected.reconstruct(of_x, to="x") + X - of_x,
            expected.correlations_,
            expected.x_loadings_,
            expected.y_explained_variance_ratio_,
            expected.y_var_,
            expected.score(of_x, of_y),
            expected.transform(of_x) / root,
            expected.transform_y(of_y) / root,
            expected.transform_joint(of_x, of_y) / root,
        ],
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"reg": 0},
        {"shrinkage": "ledoit_wolf", "scale": True},
        {"shrinkage": "oas", "adjust": "y"},
        {"shrinkage": "ledoit_wolf", "center": False},
        {"solver": "lanczos", "reg": 0.1},
    ],
)
def test_any_container_solver_and_stream_gives_the_same(rows, settings):
    X, y, C = rows
    settings = {"n_components": 3, "reg": 0.01, "solver": "covariance", **settings}
    expected = all_outputs(LinearCCA(**settings).fit(X, y, covariates=C), X, y, C)
    frame = pd.DataFrame(C, index=range(80, 0, -1), columns=list("abcde"))
    in_chunks = [da.from_array(a, chunks=(30, -1)) for a in rows]
    kinds = {
        "sparse": (sparse.csr_array(X), sparse.csr_array(y), C),
        "one sparse": (X, sparse.csr_array(y), C),
        "frames": (pd.DataFrame(X).set_index(frame.index), y, frame),
    }
    if settings["solver"] == "covariance":
        kinds["dask"] = in_chunks
        kinds["dask views"] = (*in_chunks[:2], C)
    for *views, covariates in kinds.values():
        cca = LinearCCA(**settings).fit(*views, covariates=covariates)
        assert_same(all_outputs(cca, *views, covariates), expected)
    gram = LinearCCA(**{**settings, "solver": "gram"})
    for *views, covariates in (rows, kinds["sparse"]):
        gram.fit(*views, covariates=covariates)
        assert_same(all_outputs(gram, *views, covariates), expected)
    if settings.get("shrinkage") != "ledoit_wolf":
        stream = LinearCCA(**settings)
        for i in (0, 2, 30):  # the first two rows leave no degree of freedom
            part = slice(i, {0: 2, 2: 30}.get(i))
            stream.partial_fit(X[part], y[part], covariates=C[part])
        assert_same(all_outputs(stream, X, y, C), expected)
    in_32_bits = X.astype(np.float32), y.astype(np.float32), C[:, :3] + 1e9
    if settings.get("center", True):
        cca = LinearCCA(**settings).fit(*in_32_bits[:2], covariates=in_32_bits[2])
        assert cca.transform(in_32_bits[0], in_32_bits[2]).dtype == np.float32
        assert_same(all_outputs(cca, *in_32_bits), expected, atol=1e-4)


@pytest.mark.parametrize("solver", ["covariance", "gram"])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_scale_is_the_deviation_about_the_mean_of_residuals(rows, solver, as_sparse):
    X, y, C = rows
    X, C = X + 2, C[:, :3]  # without a constant, residuals have a mean
    of_x, of_y = (residuals(view, C, center=False) for view in (X, y))
    settings = {"center": False, "scale": True, "shrinkage": 0.1}
    expected = LinearCCA(2, reg=0, **settings).fit(of_x, of_y)
    view = sparse.csr_array(X) if as_sparse else X
    cca = LinearCCA(2, reg=0, solver=solver, **settings).fit(view, y, covariates=C)
    np.testing.assert_allclose(cca.correlations_, expected.correlations_)
    np.testing.assert_allclose(cca.x_loadings_, expected.x_loadings_)


def test_tensors(rows):
    expected = LinearCCA(2).fit(*rows[:2], covariates=rows[2])
    with sklearn.config_context(array_api_dispatch=True):
        X, y, C = map(torch.tensor, rows)
        cca = LinearCCA(2).fit(X, y, covariates=C)
        made = cca.transform(X, C), cca.predict(X, rows[2])
        assert all(isinstance(of_rows, torch.Tensor) for of_rows in made)
    assert_same(made, (expected.transform(*rows[::2]), expected.predict(*rows[::2])))


def test_ledoit_wolf_sees_residuals(rows):
    X, y, C = rows
    # Of so many rows the degrees of freedom hardly count.
    many = [np.vstack([a] * 50) for a in (X, y, C)]
    cca = LinearCCA(1, reg=0, shrinkage="ledoit_wolf").fit(
        *many[:2], covariates=many[2]
    )
    of_x, of_y = (residuals(view, C) for view in (X, y))
    shares = [ledoit_wolf_shrinkage(np.vstack([v] * 50)) for v in (of_x, of_y)]
    expected = LinearCCA(1, reg=0, shrinkage=shares).fit(of_x, of_y)
    np.testing.assert_allclose(
        cca.singular_values_, expected.singular_values_, rtol=1e-3
    )


def test_slopes_are_those_of_regression(rows):
    X, y, C = rows
    cca = LinearCCA(1).fit(X, y, covariates=C[:, :3])
    regression = LinearRegression().fit(C[:, :3], X)
    np.testing.assert_allclose(cca.x_slopes_, regression.coef_.T, atol=1e-12)
    np.testing.assert_allclose(cca.covariate_mean_, C[:, :3].mean(axis=0))
    assert LinearCCA(1, adjust="x").fit(X, y, covariates=C).y_slopes_ is None


def test_new_rows_lose_what_was_learned(rows):
    X, y, C = rows
    cca = LinearCCA(2).fit(X[:60], y[:60], covariates=C[:60])
    regression = LinearRegression().fit(C[:60, :3], y[:60])
    plain = LinearCCA(2, reg=1e-4 * (59 - 3) / 59).fit(
        residuals(X[:60], C[:60]), residuals(y[:60], C[:60])
    )
    left = y[60:] - regression.predict(C[60:, :3])
    np.testing.assert_allclose(
        cca.transform_y(y[60:], C[60:]) * (59 / 56) ** 0.5,
        plain.transform_y(left),
        atol=1e-9,
    )


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_what_covariates_add_changes_nothing(rows, solver):
    X, y, C = rows
    cca = LinearCCA(3, solver=solver).fit(X, y, covariates=C)
    more = np.random.default_rng(1).standard_normal((5, 12))
    X_too, y_too = X + 10 * C @ more[:, :7], y + C @ more[:, 7:]
    basis = C[:, 1:4] / [1e6, 1, 1e-6]
    again = LinearCCA(3, solver=solver).fit(X_too, y_too, covariates=basis)
    assert_same(
        again.transform_pair(X_too, y_too, basis), cca.transform_pair(X, y, C), 1e-8
    )


@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_whole_weights_are_repeated_rows(rows, solver):
    X, y, C = rows
    weights = np.arange(80) % 3  # some are 0
    repeated = [np.repeat(a, weights, axis=0) for a in rows]
    found = LinearCCA(3, solver=solver).fit(X, y, weights, covariates=C)
    expected = LinearCCA(3, solver=solver).fit(*repeated[:2], covariates=repeated[2])
    assert_same(all_outputs(found, *rows), all_outputs(expected, *rows))


@pytest.mark.parametrize("solver", ["covariance", "gram"])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_columns_that_covariates_explain_count_as_constant(rows, solver, as_sparse):
    X, y, C = rows
    more = np.column_stack([X, C[:, 1] - 1e3 * C[:, 2]])
    views = (sparse.csr_array(more), y) if as_sparse else (more, y)
    cca = LinearCCA(3, reg=0, solver=solver).fit(*views, covariates=C)
    assert cca.x_var_[-1] == 0
    expected = LinearCCA(3, reg=0).fit(X, y, covariates=C)
    np.testing.assert_allclose(cca.correlations_, expected.correlations_)
    with pytest.warns(DegenerateFitWarning, match="y is constant.*beyond what covar"):
        LinearCCA(1, solver=solver).fit(X, C[:, 0], covariates=C)


def test_freedom_that_covariates_take_is_warned_of():
    X, y, C = confounded(16, 6, 7)
    with pytest.warns(DegenerateFitWarning, match="only 12 degrees of freedom"):
        LinearCCA(reg=0).fit(X, y, covariates=C)


def test_missing_rows_are_reconstructed_with_their_covariates(rows):
    X, y, C = rows
    cca = LinearCCA(3).fit(X, y, covariates=C)
    x_gap, y_gap = X.copy(), y.copy()
    x_gap[3], y_gap[5] = np.nan, np.nan
    x_filled, y_filled = cca.impute(x_gap, y_gap, C)
    np.testing.assert_allclose(y_filled[5], cca.predict(X, C)[5])
    reconstructed = cca.reconstruct(y=y, to="x", covariates=C)
    np.testing.assert_array_equal(
        cca.reconstruct(X, y, to="both", covariates=C)[0],
        cca.reconstruct(X, y, to="x", covariates=C),
    )
    np.testing.assert_allclose(x_filled[3], reconstructed[3])
    np.testing.assert_array_equal(np.delete(x_filled, 3, 0), np.delete(X, 3, 0))
    joint = cca.transform_joint(x_gap, y_gap, C)
    np.testing.assert_allclose(joint[3], cca.transform_y(y, C)[3])


def test_a_view_and_its_module_take_covariates(rows):
    X, y, C = rows
    cca = LinearCCA(1, adjust="x").fit(X, y[:, 0], covariates=C)
    view = cca.view("x")
    np.testing.assert_array_equal(view.transform(X, C), cca.transform(X, C))
    codes = view.module()(torch.tensor(np.hstack([X, C]), dtype=torch.float32))
    np.testing.assert_allclose(codes.detach(), cca.transform(X, C), atol=1e-5)
    # The other one is as it was, and needs none.
    other = cca.view("y")
    np.testing.assert_array_equal(other.transform(y[:, 0]), cca.transform_y(y[:, 0], C))
    assert cca.predict(X, C).shape == (80,)
    with pytest.raises(ValueError, match="was fitted with covariates, but got none"):
        view.inverse_transform(cca.transform(X, C))


def test_without_covariates_nothing_is_learned_of_them(rows):
    X, y, C = rows
    cca = LinearCCA(2).fit(X, y, covariates=C).fit(X, y)
    assert not hasattr(cca, "covariate_mean_")
    assert not hasattr(cca, "x_slopes_")
    expected = LinearCCA(2).fit(X, y)
    np.testing.assert_array_equal(cca.transform(X), expected.transform(X))


def test_one_dimension_is_one_column_and_names_are_kept(rows):
    X, y, C = rows
    cca = LinearCCA(2).fit(X, y, covariates=pd.DataFrame({"age": C[:, 0]}))
    assert cca.covariate_names_in_ == ["age"]
    series = cca.transform(X, pd.Series(C[:, 0]))
    np.testing.assert_array_equal(series, cca.transform(X, C[:, :1]))
    with pytest.raises(ValueError, match=r"got \['sex'\], expected \['age'\]"):
        cca.transform(X, pd.DataFrame({"sex": C[:, 0]}))


BAD = [
    (lambda C: C[1:], "Rows of X and covariates must be paired"),
    (lambda C: np.full_like(C, np.nan), "covariates contains NaN"),
    (lambda C: np.full(C.shape, "a"), "covariates holds .*'a'.* in row 0, column 0"),
    (lambda C: np.eye(80)[:, :79], "vary in 79 directions"),
    (lambda C: da.from_array(C), "covariates are a Dask array, but X is of type"),
    (
        lambda C: pd.DataFrame(C, index=range(1, 81)),
        "index of X differs from that of covariates",
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD)
@pytest.mark.parametrize("solver", ["covariance", "gram"])
def test_bad_covariates_leave_the_estimator_as_it_was(rows, make, message, solver):
    X, y, C = rows
    X = pd.DataFrame(X, index=range(80, 0, -1)) if "index" in message else X
    cca = LinearCCA(2, solver=solver).fit(X, y, covariates=C)
    before = cca.transform(X, C)
    with pytest.raises(ValueError, match=message):
        cca.fit(X, y, covariates=make(C))
    np.testing.assert_array_equal(cca.transform(X, C), before)


def test_fit_and_transform_agree_about_covariates(rows):
    X, y, C = rows
    adjusted, plain = LinearCCA(2).fit(X, y, covariates=C), LinearCCA(2).fit(X, y)
    for call in (
        lambda cca, *C: cca.transform(X, *C),
        lambda cca, *C: cca.transform_y(y, *C),
        lambda cca, *C: cca.transform_pair(X, y, *C),
        lambda cca, *C: cca.transform_joint(X, y, *C),
        lambda cca, *C: cca.predict(X, *C),
        lambda cca, *C: cca.impute(X, y, *C),
        lambda cca, *C: cca.score(X, y, *C),
        lambda cca, *C: cca.reconstruct(X, **({"covariates": C[0]} if C else {})),
        lambda cca, *C: cca.view("y").transform(y, *C),
    ):
        with pytest.raises(ValueError, match="was fitted with covariates, but got no"):
            call(adjusted)
        with pytest.raises(ValueError, match="was fitted without covariates, but got"):
            call(plain, C)
        with pytest.raises(ValueError, match="1 columns, but LinearCCA is expecti"):
            call(adjusted, C[:, :1])
        with pytest.raises(ValueError, match="must be paired"):
            call(adjusted, C[:9])
    # sklearn.cross_decomposition.CCA has transform(X, y).
    with pytest.raises(ValueError, match="second view, transform_pair encodes both"):
        plain.transform(X, y)
    with pytest.raises(ValueError, match="fitted with covariates, and partial_fit"):
        adjusted.partial_fit(X, y)
    with pytest.raises(ValueError, match="fitted without covariates, and partial_fit"):
        plain.partial_fit(X, y, covariates=C)
    with pytest.raises(NotFittedError):
        LinearCCA().transform(X, C)
    # Where only y is adjusted, its prediction needs them, and codes of X do not.
    one = LinearCCA(2, adjust="y").fit(X, y, covariates=C)
    np.testing.assert_array_equal(one.transform(X), one.transform(X, C))
    with pytest.raises(ValueError, match="was fitted with covariates, but got none"):
        one.predict(X)


@pytest.mark.parametrize("unit", [1e-50, 1e39])
def test_a_view_of_32_bits_loses_covariates_of_any_unit(rows, unit):
    expected = all_outputs(LinearCCA(2).fit(*rows[:2], covariates=rows[2]), *rows)
    X, y, C = rows[0].astype(np.float32), rows[1].astype(np.float32), unit * rows[2]
    cca = LinearCCA(2).fit(X, y, covariates=C)
    assert_same(all_outputs(cca, X, y, C), expected, atol=1e-5)
    with pytest.raises(ValueError, match="covariates are so large.*overflow float32"):
        cca.transform(X, 1e40 * C)


def test_covariates_that_overflow_are_named(rows):
    X, y, C = rows
    cca, far = LinearCCA(2).fit(X, y, covariates=C), np.full_like(C, -1.7e308)
    for call in (
        lambda: cca.transform(X, far),
        lambda: cca.predict(X, far),
        lambda: cca.view("y").inverse_transform(np.zeros((80, 2)), far),
    ):
        with pytest.raises(
            ValueError, match="covariates are so large.*overflow float64"
        ):
            call()


def test_labels_of_either_view_pair_covariates(rows):
    X, y, C = rows
    y = pd.DataFrame(y, index=range(80, 0, -1))
    C = pd.DataFrame(C, index=range(1, 81))
    cca = LinearCCA(2).fit(X, rows[1], covariates=rows[2])
    for call in (
        lambda: cca.fit(X, y, covariates=C),
        lambda: cca.partial_fit(X, y, covariates=C),
        lambda: cca.transform_y(y, C),
        lambda: cca.score(X, y, C),
        lambda: ViewPipeline(cca).fit(X, y, covariates=C),
        lambda: permutation_test(X, y, covariates=C),
    ):
        with pytest.raises(ValueError, match="index of y differs from that of covar"):
            call()


def test_unpaired_dask_covariates_are_named(rows):
    X, y, C = (da.from_array(a, chunks=(40, -1)) for a in rows)
    cca = LinearCCA(2).fit(X, y, covariates=C)
    with pytest.raises(ValueError, match="Rows of y and covariates must be paired"):
        cca.transform_y(y, C[:40])


def test_sparse_cca_computes_dask_covariates_as_it_computes_dask_views(rows):
    X, y, C = [da.from_array(a, chunks=(30, -1)) for a in rows]
    sparse_cca = SparseCCA(2, n_nonzero=3).fit(X, y, covariates=C)
    expected = SparseCCA(2, n_nonzero=3).fit(*rows[:2], covariates=rows[2])
    np.testing.assert_array_equal(sparse_cca.x_weights_, expected.x_weights_)
    np.testing.assert_array_equal(
        sparse_cca.transform_y(y, C), expected.transform_y(rows[1], rows[2])
    )


def test_estimators_that_take_none_say_so(rows):
    X, y, C = rows
    pipeline = ViewPipeline(KernelCCA(1)).fit(X, y)
    with pytest.raises(ValueError, match="KernelCCA takes no covariates"):
        pipeline.transform(X, C)
    with pytest.raises(ValueError, match="KernelCCA takes no covariates"):
        KernelCCA(1).fit(X, y).view("x").transform(X, C)


def test_view_pipeline(rows):
    X, y, C = rows
    X, y = (
        pd.DataFrame(view, index=range(80, 0, -1)).add_prefix("v") for view in (X, y)
    )
    pipeline = make_view_pipeline(
        LinearCCA(2), x=StandardScaler(), y=StandardScaler()
    ).fit(X, y, covariates=C)
    behind = pipeline.x_.transform(X), pipeline.y_.transform(y)
    cca = LinearCCA(2).fit(*behind, covariates=C)
    np.testing.assert_array_equal(pipeline.transform(X, C), cca.transform(behind[0], C))
    np.testing.assert_allclose(pipeline.score(X, y, C), cca.score(*behind, C))
    np.testing.assert_allclose(
        pipeline.predict(X, C),
        pipeline.y_.inverse_transform(cca.predict(behind[0], C)),
    )
    y_gap = y.copy()
    y_gap.iloc[7] = np.nan
    _, filled = pipeline.impute(X, y_gap, C)
    np.testing.assert_allclose(filled[7], pipeline.predict(X, C)[7])
    with pytest.raises(ValueError, match="was fitted with covariates, but got none"):
        pipeline.transform(X)
    with pytest.raises(ValueError, match="index of X differs from that of covariates"):
        clone(pipeline).fit(X, y, covariates=pd.DataFrame(C, index=range(1, 81)))


def requesting(cca):
    return (
        cca.set_fit_request(covariates=True)
        .set_transform_request(covariates=True)
        .set_score_request(covariates=True)
        .set_predict_request(covariates=True)
    )


def test_metadata_routing_through_pipelines_and_searches(rows):
    X, y, C = rows
    with sklearn.config_context(enable_metadata_routing=True):
        folds = [(np.arange(40), np.arange(40, 80)), (np.arange(40, 80), np.arange(40))]
        expected = [
            LinearCCA(2)
            .fit(X[train], y[train], covariates=C[train])
            .score(X[test], y[test], C[test])
            for train, test in folds
        ]
        for model in (
            requesting(LinearCCA(2)),
            make_pipeline("passthrough", requesting(LinearCCA(2))),
            ViewPipeline(ViewPipeline(requesting(LinearCCA(2)))),
        ):
            if not isinstance(model, Pipeline):  # whose score requires sample_weight
                scores = cross_val_score(
                    model, X, y, cv=folds, params={"covariates": C}
                )
                np.testing.assert_allclose(scores, expected)
            codes = clone(model).fit_transform(X, y, covariates=C)
            fitted = clone(model).fit(X, y, covariates=C)
            np.testing.assert_array_equal(fitted.transform(X, covariates=C), codes)
            assert fitted.predict(X, covariates=C).shape == y.shape
        search = GridSearchCV(requesting(LinearCCA()), {"n_components": [1, 2]}, cv=2)
        search.fit(X, y, covariates=C)
        assert search.score(X, y, covariates=C) == pytest.approx(
            search.best_estimator_.score(X, y, C)
        )
        with pytest.raises(ValueError, match="cross_val_predict of scikit-le"):
            cross_val_predict(requesting(LinearCCA(2)), X, y, params={"covariates": C})
        with pytest.raises(UnsetMetadataPassedError, match="covariates"):
            cross_val_score(LinearCCA(2), X, y, params={"covariates": C})


def test_classifier_of_codes_gets_covariates_by_routing(rows):
    X, y, C = rows
    labels = (residuals(X, C)[:, 0] > 0).astype(int)
    views = TwoView(X, y)
    with sklearn.config_context(enable_metadata_routing=True):
        cca = requesting(LinearCCA(2))
        transfer = CrossViewClassifier(cca, LogisticRegression())
        transfer.fit(views, labels, covariates=C)
        expected = LinearCCA(2).fit(X, y, covariates=C)
        classifier = LogisticRegression().fit(expected.transform(X, C), labels)
        codes = expected.transform_y(y, C)
        for method in ("predict", "predict_proba", "decision_function"):
            np.testing.assert_array_equal(
                getattr(transfer, method)(views, covariates=C),
                getattr(classifier, method)(codes),
            )
        assert transfer.score(views, labels, covariates=C) == classifier.score(
            codes, labels
        )
        scores = cross_val_score(transfer, views, labels, params={"covariates": C})
        assert np.isfinite(scores).all()
        with pytest.raises(ValueError, match="was fitted with covariates, but got no"):
            transfer.predict(views)


def test_a_view_gets_covariates_in_a_pipeline(rows):
    X, y, C = rows
    labels = (residuals(X, C)[:, 0] > 0).astype(int)
    cca = LinearCCA(2).fit(X, y, covariates=C)
    with sklearn.config_context(enable_metadata_routing=True):
        view = cca.view("y").set_transform_request(covariates=True)
        model = make_pipeline(view, LogisticRegression()).fit(y, labels, covariates=C)
        codes = cca.transform_y(y, C)
        np.testing.assert_array_equal(
            model.predict(y, covariates=C),
            LogisticRegression().fit(codes, labels).predict(codes),
        )


def test_routed_view_passes_covariates_on(rows):
    X, y, C = rows
    labels = (residuals(X, C)[:, 0] > 0).astype(int)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = RoutedView(requesting(LinearCCA(2)))
        model = make_pipeline(routed, LogisticRegression())
        model.fit(X, labels, second_view=y, covariates=C)
        expected = LinearCCA(2).fit(X, y, covariates=C)
        classifier = LogisticRegression().fit(expected.transform(X, C), labels)
        np.testing.assert_array_equal(
            model.predict(X, second_view=y, covariates=C),
            classifier.predict(expected.transform_y(y, C)),
        )


def test_saved_and_pickled_models_take_the_same_covariates(rows, tmp_path):
    X, y, C = rows
    frame = pd.DataFrame(C, columns=list("abcde"))
    for adjust in ("both", "x"):
        cca = LinearCCA(2, adjust=adjust).fit(X, y, covariates=frame)
        expected = all_outputs(cca, X, y, frame)
        cca.save(tmp_path / "model")
        joblib.dump(cca, tmp_path / "pickle")
        assert describe(tmp_path / "model")["views"]["n_covariates"] == 5
        for again in (
            LinearCCA.load(tmp_path / "model"),
            joblib.load(tmp_path / "pickle"),
        ):
            assert_same(all_outputs(again, X, y, frame), expected, 0)
            assert list(again.covariate_names_in_) == list("abcde")
            again.partial_fit(X, y, covariates=frame)
