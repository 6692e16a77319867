"""Views in every kind of container: what they hold, and which rows are pairs."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcrl import (
    CCALRanker,
    CorrNet,
    CrossViewRetriever,
    DeepCCA,
    KernelCCA,
    LinearCCA,
    RoutedView,
    TwoView,
    ViewPipeline,
    make_view_pipeline,
    metrics,
)
from skcrl._views import kind_of
from skcrl.inspection import (
    held_out_permutation_test,
    permutation_test,
    select_n_components,
)

N = 40


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    X = np.round(rng.standard_normal((N, 3)), 2)
    return X, X[:, :2] + 0.3 * np.round(rng.standard_normal((N, 2)), 2)


def codes(X, y, other=None):
    """Codes of the second view after a fit."""
    return LinearCCA(1).fit(X, y).transform_y(y if other is None else other)


DATES = pd.date_range("2020-01-01", periods=N)
DAYS = np.arange(N, dtype=float)


@pytest.mark.parametrize(
    "dates",
    [
        DATES.to_numpy(),
        DATES.to_numpy().astype("M8[D]"),
        pd.DataFrame({"when": DATES.as_unit("ns")}),
        pd.DataFrame({"when": DATES.tz_localize("UTC")}),
        pd.Series(DATES.tz_localize("UTC")),
        pl.DataFrame({"when": DATES.to_numpy()}),
        pl.DataFrame({"when": [dt.date(2020, 1, 1 + i) for i in range(31)] * 2})[:N],
        DATES.to_numpy() - np.datetime64("2020-01-01"),
    ],
    ids=lambda v: str(getattr(v, "dtype", type(v).__name__)),
)
def test_dates_are_seconds_in_any_unit(views, dates):
    X, _ = views
    is_duration = isinstance(dates, np.ndarray) and dates.dtype.kind == "m"
    start = 0.0 if is_duration else 1577836800.0  # 2020-01-01
    days = DAYS if len(set(map(str, np.ravel(dates)))) == N else DAYS % 31
    seconds = (start + days * 86400.0)[:, None]
    expected = codes(X, seconds)
    np.testing.assert_allclose(codes(X, dates), expected, atol=1e-6)
    np.testing.assert_allclose(codes(X, dates, seconds), expected, atol=1e-6)


def _frame_with_nat(**others):
    frame = pd.DataFrame({"when": DATES, **others})
    frame.iloc[7, 0] = pd.NaT
    return frame


MISSING = {
    "NaT": _frame_with_nat(),
    "NaT among floats": _frame_with_nat(other=DAYS),
    "NaT in an array": _frame_with_nat()["when"].to_numpy(),
    "NaT in a series": _frame_with_nat()["when"],
    "null date": pl.DataFrame({"when": [None, *DATES[1:]]}),
    "nullable integers": pd.DataFrame({"a": pd.array([None, *range(39)], "Int64")}),
    "nullable booleans": pd.DataFrame({"a": pd.array([None, *[True] * 39], "boolean")}),
    "NA among objects": pd.DataFrame({"a": [pd.NA, *range(39)]}, dtype=object),
    "NA in an array": np.array([pd.NA, *range(39)], dtype=object),
    "None in a list": [[None], *([float(i)] for i in range(39))],
    "masked": np.ma.masked_array(DAYS, mask=DAYS == 3),
    "masked integers": np.ma.masked_array(np.arange(N), mask=DAYS == 3),
    "masked dates": np.ma.masked_array(DATES.to_numpy(), mask=DAYS == 3),
    "list of masked rows": list(np.ma.masked_array(DAYS[:, None], DAYS[:, None] == 3)),
    "masked in a list": [np.ma.masked, *DAYS[1:].tolist()],
    "masked in lists": [[np.ma.masked, 1.0], *([day, 0.0] for day in DAYS[1:])],
    "masked among objects": np.array([[np.ma.masked], *DAYS[1:, None]], dtype=object),
}


@pytest.mark.parametrize("gaps", MISSING.values(), ids=MISSING)
def test_what_is_missing_is_nan(views, gaps):
    X, y = views
    with pytest.raises(ValueError, match="Input y contains NaN"):
        LinearCCA(1).fit(X, gaps)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        ViewPipeline(LinearCCA(1), x=StandardScaler()).fit(X, gaps)
    if len(np.shape(np.array(gaps, dtype=object))) == 2:
        with pytest.raises(ValueError, match="Input X contains NaN"):
            DeepCCA(1).fit(gaps, y)


def test_rows_that_are_masked_or_nat_are_missing_views(views):
    X, y = views
    cca = LinearCCA(2).fit(X, y)
    gaps = X.copy()
    gaps[0] = np.nan
    masked = np.ma.masked_array(X.copy(), mask=False)
    masked[0] = np.ma.masked
    masked.data[0] = -999.0
    expected = cca.impute(gaps, y)[0]
    np.testing.assert_array_equal(cca.impute(masked, y)[0], expected)
    steps = ViewPipeline(LinearCCA(2), x=StandardScaler()).fit(X, y)
    np.testing.assert_array_equal(steps.impute(masked, y)[0], steps.impute(gaps, y)[0])
    assert masked.data[0, 0] == -999.0
    dates = LinearCCA(1).fit(X, DATES.to_numpy())
    filled = dates.impute(X, _frame_with_nat())[1]
    assert abs(filled[7] - filled.mean()) < 40 * 86400


NO_NUMBERS = {
    "periods": (
        pd.DataFrame({"p": pd.period_range("2020", periods=N, freq="D")}),
        r"Column 'p' of y holds Period.* in row 0, .*to_timestamp",
    ),
    "intervals": (
        pd.DataFrame({"i": pd.interval_range(0, N)}),
        "Column 'i' of y holds Interval.* its middle",
    ),
    "strings": (
        pd.DataFrame({"a": DAYS, "t": ["u"] * N}),
        "Column 't' of y holds 'u' .* OneHotEncoder.* names of the rows.*NaN",
    ),
    "polars strings": (pl.DataFrame({"t": ["u"] * N}), "Column 't' of y.* OneHotEnc"),
    "polars structs": (
        pl.DataFrame({"s": [{"u": 1, "v": 2}] * N}),
        "Column 's' of y is of type Struct.*Make one column",
    ),
    "dates of Python": ([dt.date(2020, 1, 2)] * N, "y holds .*pandas.to_datetime"),
    "years": (np.arange(N).astype("m8[Y]"), "y holds values of type timedelta64.Y"),
    "huge": (np.array([10**400] * N, object), "y holds 1000.*too large"),
    "huge in a list": ([[1.0]] * 9 + [[-(10**400)]] * 31, "y holds -1.* row 9.*scale"),
    "one number": (5.0, "y must be array-like, got 5.0 of type float"),
    "one huge number": (10**400, r"y must be array-like, got 1000.* type int"),
    "one text": ("rows", "y must be array-like, got 'rows' of type str"),
    "one mask": (np.ma.masked, "y must be array-like, got masked"),
    "one object": (object(), "y must be array-like, got <object"),
    "fields": (np.zeros(N, [("a", float)]), "y is a structured array with fields"),
    "lazy": (pl.DataFrame({"a": DAYS}).lazy(), r"y is a polars LazyFrame.*collect\(\)"),
    "categories": (pd.Categorical(["a", "b"] * 20), "y holds strings.*OneHotEncoder"),
    "mixed names": (
        pd.DataFrame({"a": DAYS, 1: DAYS}),
        r"y.columns = y.columns.astype\(str\)",
    ),
}


@pytest.mark.parametrize(("view", "message"), NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_named(views, view, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LinearCCA(1).fit(views[0], view)


def test_labels_are_told_where_to_go(views):
    labels = np.array(["left", "right"] * 20)
    with pytest.raises(ValueError, match="labels.*CrossViewClassifier"):
        make_pipeline(LinearCCA(1), LogisticRegression()).fit(views[0], labels)
    with pytest.raises(ValueError, match="x is a polars LazyFrame"):
        TwoView(pl.DataFrame({"a": DAYS}).lazy(), views[1])


@pytest.fixture(scope="module")
def counts():
    """Word counts as they are made by hand, each word of 1 or 2 places."""
    words = np.random.default_rng(0).integers(0, 15, (120, 12))
    return sparse.csr_matrix(
        (np.ones(1440), words.ravel(), np.arange(0, 1441, 12)), shape=(120, 15)
    )


@pytest.mark.parametrize("estimator", [LinearCCA(1), KernelCCA(1)], ids=repr)
def test_indices_beyond_a_matrix_are_named(counts, estimator):
    broken = counts.copy()
    broken.indices[5] = 10**7
    with pytest.raises(ValueError, match="X is no valid sparse matrix"):
        estimator.fit(broken, counts.toarray()[:, :3])


NAMES = [f"sample {i}" for i in range(N)]


@pytest.fixture(scope="module")
def frames(views):
    return tuple(pd.DataFrame(view, index=NAMES).add_prefix("v") for view in views)


CALLS = {
    "fit": lambda X, y, est: LinearCCA(2).fit(X, y),
    "partial_fit": lambda X, y, est: LinearCCA(2).partial_fit(X, y),
    "kernel": lambda X, y, est: KernelCCA(2).fit(X, y),
    "deep": lambda X, y, est: DeepCCA(1, max_epochs=1).fit(X, y),
    "score": lambda X, y, est: est.score(X, y),
    "transform_pair": lambda X, y, est: est.transform_pair(X, y),
    "transform_joint": lambda X, y, est: est.transform_joint(X, y),
    "reconstruct": lambda X, y, est: est.reconstruct(X, y),
    "impute": lambda X, y, est: est.impute(X, y),
    "pipeline": lambda X, y, est: ViewPipeline(est, x=StandardScaler()).fit(X, y),
    "TwoView": lambda X, y, est: TwoView(X, y),
    "retriever": lambda X, y, est: CrossViewRetriever(est).fit(X, y),
    "pearson_sum": lambda X, y, est: metrics.pearson_sum(X[["v0", "v1"]], y),
    "canonical_total": lambda X, y, est: metrics.canonical_total(X, y, X, y),
    "reconstruction_error": lambda X, y, est: metrics.reconstruction_error(
        X[["v0", "v1"]], y
    ),
    "retrieval_report": lambda X, y, est: metrics.retrieval_report(X[["v0", "v1"]], y),
    "permutation_test": lambda X, y, est: permutation_test(X, y, n_permutations=1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_rows_of_other_labels_are_no_pairs(frames, call):
    X, y = frames
    est = LinearCCA(2).fit(X, y)
    for other, label in (
        (y.iloc[::-1], "row 0 is 'sample 0' in .* and 'sample 39' in"),
        (
            y.rename(index={"sample 4": "other"}),
            "row 4 is 'sample 4' in .* and 'other'",
        ),
    ):
        with pytest.raises(ValueError, match=rf"index.*{label}.*\.loc\[.*reset_index"):
            call(X, other, est)
    call(X, y, est)
    call(X, y.to_numpy(), est)
    call(X, y.iloc[::-1].reset_index(drop=True), est)


def test_labels_of_weights_and_groups(frames):
    X, y = frames
    beside = pd.Series(np.arange(N) % 4, index=NAMES)
    other = beside.iloc[::-1]
    deep = CCALRanker(1, hidden_layer_sizes=(4,), max_epochs=1)
    for call in (
        lambda w: LinearCCA(1).fit(X, y, sample_weight=w),
        lambda w: LinearCCA(1).partial_fit(X, y, sample_weight=w),
        lambda w: KernelCCA(1).fit(X, y, sample_weight=w),
        lambda w: deep.fit(X, y, sample_weight=w),
    ):
        call(beside)
        call(other.to_numpy())
        with pytest.raises(ValueError, match="from that of sample_weight: row 0 is"):
            call(other)
    for call in (
        lambda g: deep.fit(X, y, groups=g),
        lambda g: permutation_test(X, y, n_permutations=1, groups=g),
        lambda g: select_n_components(X, y, n_permutations=1, groups=g),
        lambda g: held_out_permutation_test(
            LinearCCA(1), X, y, cv=2, n_permutations=1, groups=g
        ),
    ):
        call(beside)
        with pytest.raises(ValueError, match="from that of groups: row 0 is"):
            call(other)


def test_rows_of_one_view_alone_are_named_with_what_to_do(frames):
    X, y = frames
    remedy = r"pass X\.loc\[rows\] and y\.loc\[rows\], with rows = X\.index\.intersec"
    with pytest.raises(ValueError, match=rf"\[40, 39\].*{remedy}"):
        LinearCCA(1).fit(X, y.drop("sample 3"))
    with pytest.raises(ValueError, match=rf"row 4 is .*{remedy}"):
        LinearCCA(1).fit(X, y.rename(index={"sample 4": "other"}))


@pytest.mark.parametrize("estimator", [LinearCCA(1), DeepCCA(1)], ids=repr)
def test_missing_values_are_named_with_what_to_do(frames, estimator):
    X, y = (frame.copy() for frame in frames)
    y.iloc[3, 1] = np.nan
    place = "Input y contains NaN, first in row 3, column 'v1', and .* needs all values"
    with pytest.raises(ValueError, match=f"{place}.*SimpleImputer.*make_view_pipe"):
        estimator.fit(X, y)
    with pytest.raises(ValueError, match="first in row 3, column 1, and"):
        estimator.fit(X, y.to_numpy())
    y.iloc[3] = np.nan
    model = make_view_pipeline(estimator, y=SimpleImputer())
    with pytest.raises(ValueError, match=r"row 3.*no imputer can fill\. Drop.*CorrNet"):
        model.fit(X, y)
    net = CorrNet(1, hidden_layer_sizes=(), max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="row 3.*Pass only the rows.*let impute fill"):
        net.transform_y(y)


def test_labels_of_series_texts_and_second_views(frames):
    X, y = frames
    with pytest.raises(ValueError, match="index"):
        LinearCCA(1).fit(X, y["v0"].iloc[::-1])
    texts = pd.Series(["a dog", "a cat"] * 20, index=NAMES)
    model = ViewPipeline(LinearCCA(1, reg=0.1), y=CountVectorizer())
    with pytest.raises(ValueError, match="index of X differs"):
        model.fit(X, texts.iloc[::-1])
    with pytest.raises(ValueError, match="index of X differs from that of second_view"):
        RoutedView(LinearCCA(1)).fit(X, second_view=y.iloc[::-1])
    shuffled = [view.sample(frac=1, random_state=0) for view in frames]
    assert TwoView(*shuffled)[5:20].y.index[0] == shuffled[1].index[5]
    missing = [view.set_axis([np.nan, *NAMES[1:]]) for view in frames]
    LinearCCA(1).fit(*missing)  # NaN is a label as good as another


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_reconstructed_views_are_frames_with_names(views, output):
    X, y = views
    frame = pd.DataFrame if output == "pandas" else pl.DataFrame
    X = frame(dict(zip("abc", X.T, strict=True)))
    y = frame(dict(zip("uv", y.T, strict=True)))
    plain = LinearCCA(2).fit(X, y)
    for est in (
        LinearCCA(2),
        ViewPipeline(LinearCCA(2), x=StandardScaler(), y=StandardScaler()),
    ):
        est = est.set_output(transform=output).fit(X, y)
        filled = est.impute(X, y)
        for found, names in (
            (est.predict(X), "uv"),
            (est.reconstruct(y=y, to="x"), "abc"),
            (filled[0], "abc"),
            (filled[1], "uv"),
        ):
            assert isinstance(found, frame)
            assert list(found.columns) == list(names)
        if isinstance(est, LinearCCA):
            np.testing.assert_array_equal(est.predict(X).to_numpy(), plain.predict(X))
    one = LinearCCA(1).set_output(transform=output).fit(X, y["u"])
    assert one.predict(X).shape == (N,)
    assert type(one.predict(X)) is type(y["u"])


def test_reconstructed_views_keep_the_index(frames):
    X, y = frames
    est = LinearCCA(2).set_output(transform="pandas").fit(X, y)
    gaps = y.copy()
    gaps.iloc[:3] = np.nan
    for found in (est.predict(X), est.reconstruct(y=y, to="x"), est.impute(X, gaps)[1]):
        assert list(found.index) == NAMES
    assert list(LinearCCA(1).set_output(transform="pandas").fit(X, y["v0"]).predict(X))


def test_a_mask_of_another_length(views):
    with pytest.raises(IndexError, match="got 1 entries .* of 40 rows"):
        TwoView(*views)[np.array([True])]


def test_every_container_has_a_kind(views):
    torch = pytest.importorskip("torch")
    da = pytest.importorskip("dask.array")
    X = views[0]
    kinds = {
        type(kind_of(view)).__name__
        for view in (
            X,
            sparse.csr_array(X),
            torch.from_numpy(X),
            da.from_array(X),
            pd.DataFrame(X),
            ["a", "b"],
        )
    }
    assert kinds == {"Dense", "Sparse", "Tensor", "Dask", "Table", "Texts"}
