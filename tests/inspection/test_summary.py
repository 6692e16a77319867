"""Summaries against the tables that SAS prints and against their definitions."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_linnerud
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skcrl import KernelCCA, LinearCCA, LinearCommonIndividual, make_view_pipeline
from skcrl.datasets import make_correlated_views
from skcrl.inspection import summary


@pytest.fixture
def linnerud():
    exercise, physiology = load_linnerud(return_X_y=True, as_frame=True)
    return physiology, exercise


# SAS/STAT User's Guide, The CANCORR Procedure, "Canonical Correlation Analysis of
# Fitness Club Data": a list of its tables, a row a variable or a component.
SAS_COLUMNS = {
    "x": {
        "coefficients": [
            [-0.7754, -1.8844, -0.1910],
            [1.5793, 1.1806, 0.5060],
            [-0.0591, -0.2311, 1.0508],
        ],
        "loadings": [
            [0.6206, -0.7724, -0.1350],
            [0.9254, -0.3777, -0.0310],
            [-0.3328, 0.0415, 0.9421],
        ],
        "cross_loadings": [
            [0.4938, -0.1549, -0.0098],
            [0.7363, -0.0757, -0.0022],
            [-0.2648, 0.0083, 0.0684],
        ],
        "multiple": [
            [0.2438, 0.2678, 0.2679],
            [0.5421, 0.5478, 0.5478],
            [0.0701, 0.0702, 0.0749],
        ],
    },
    "y": {
        "coefficients": [
            [-0.3495, -0.3755, -1.2966],
            [-1.0540, 0.1235, 1.2368],
            [0.7164, 1.0622, -0.4188],
        ],
        "loadings": [
            [-0.7276, 0.2370, -0.6438],
            [-0.8177, 0.5730, 0.0544],
            [-0.1622, 0.9586, -0.2339],
        ],
        "cross_loadings": [
            [-0.5789, 0.0475, -0.0467],
            [-0.6506, 0.1149, 0.0040],
            [-0.1290, 0.1923, -0.0170],
        ],
        "multiple": [
            [0.3351, 0.3374, 0.3396],
            [0.4233, 0.4365, 0.4365],
            [0.0167, 0.0536, 0.0539],
        ],
    },
}
SAS_SHARES = {
    "x": {
        "adequacy": [0.4508, 0.2470, 0.3022],
        "total_adequacy": [0.4508, 0.6978, 1.0],
        "redundancy": [0.2854, 0.0099, 0.0016],
        "total_redundancy": [0.2854, 0.2953, 0.2969],
        "raw_adequacy": [0.3712, 0.5436, 0.0852],
        "raw_redundancy": [0.2349, 0.0219, 0.0004],
    },
    "y": {
        "adequacy": [0.4081, 0.4345, 0.1574],
        "total_adequacy": [0.4081, 0.8426, 1.0],
        "redundancy": [0.2584, 0.0175, 0.0008],
        "total_redundancy": [0.2584, 0.2758, 0.2767],
        "raw_adequacy": [0.4111, 0.5635, 0.0254],
        "raw_redundancy": [0.2602, 0.0227, 0.0001],
    },
}


@pytest.mark.parametrize("side", ["x", "y"])
def test_linnerud_to_the_printed_digits(linnerud, side):
    report = summary(LinearCCA(3, reg=0).fit(*linnerud), *linnerud)
    np.testing.assert_allclose(report.correlations, [0.7956, 0.2006, 0.0726], atol=5e-5)
    view = getattr(report, side)
    for name, printed in SAS_SHARES[side].items():
        np.testing.assert_allclose(getattr(view, name), printed, atol=5.1e-5)
    # A component may come out with the other sign, in both views.
    sign = np.sign(report.x.coefficients[0] * SAS_COLUMNS["x"]["coefficients"][0])
    for name, printed in SAS_COLUMNS[side].items():
        found = getattr(view, name) * (1 if name == "multiple" else sign)
        np.testing.assert_allclose(found, printed, atol=5.1e-5)


def test_closed_form(linnerud):
    X, y = (frame.to_numpy() for frame in linnerud)
    R = np.corrcoef(X.T, y.T)
    xx, yy, xy = R[:3, :3], R[3:, 3:], R[:3, 3:]
    # Eigenvectors of Rxx^-1 Rxy Ryy^-1 Ryx, with a' Rxx a = 1.
    squares, A = np.linalg.eig(np.linalg.solve(xx, xy) @ np.linalg.solve(yy, xy.T))
    order = np.argsort(-squares)
    squares, A = squares[order], A[:, order]
    A /= np.sqrt(np.sum(A * (xx @ A), axis=0))
    B = np.linalg.solve(yy, xy.T) @ A / np.sqrt(squares)
    report = summary(LinearCCA(3, reg=0).fit(X, y), X, y)
    sign = np.sign(report.x.coefficients[0] * A[0])
    np.testing.assert_allclose(report.correlations, np.sqrt(squares), atol=1e-10)
    for view, own, other in ((report.x, A, B), (report.y, B, A)):
        within, across = (xx, xy) if view is report.x else (yy, xy.T)
        np.testing.assert_allclose(view.coefficients, own * sign, atol=1e-8)
        np.testing.assert_allclose(view.loadings, within @ own * sign, atol=1e-8)
        np.testing.assert_allclose(
            view.cross_loadings, across @ other * sign, atol=1e-8
        )
        # Stewart and Love: adequacy times the squared canonical correlation.
        np.testing.assert_allclose(view.redundancy, view.adequacy * squares, atol=1e-10)
        # All codes of the other view together are a regression on it.
        total = np.trace(
            across @ np.linalg.solve(yy if view is report.x else xx, across.T)
        )
        assert view.total_redundancy[-1] == pytest.approx(total / 3, abs=1e-10)


def r_squared(targets, Z):
    design = np.column_stack([np.ones(len(Z)), Z])
    rest = targets - design @ np.linalg.lstsq(design, targets)[0]
    return 1 - rest.var(axis=0) / targets.var(axis=0)


def test_codes_that_correlate_on_rows_that_are_new():
    X, y = make_correlated_views(300, 5, 4, correlations=(0.8, 0.6), random_state=0)
    cca = LinearCCA(3, reg=10.0).fit(X[:200], y[:200])
    X, y = X[200:], y[200:]
    report, (Zx, Zy) = summary(cca, X, y), cca.transform_pair(X, y)
    for k in range(3):
        assert report.correlations[k] == pytest.approx(
            np.corrcoef(Zx[:, k], Zy[:, k])[0, 1]
        )
        for view, columns, own, other in (
            (report.x, X, Zx, Zy),
            (report.y, y, Zy, Zx),
        ):
            expected = r_squared(columns, other[:, : k + 1])
            np.testing.assert_allclose(view.multiple[:, k], expected, atol=1e-10)
            assert view.total_redundancy[k] == pytest.approx(expected.mean())
            expected = r_squared(columns, own[:, : k + 1]).mean()
            assert view.total_adequacy[k] == pytest.approx(expected)
            loading = np.corrcoef(columns[:, 1], own[:, k])[0, 1]
            assert view.loadings[1, k] == pytest.approx(loading)
            # A column's deviation times its coefficient, added up, is the code.
            z = (columns - columns.mean(axis=0)) / columns.std(axis=0)
            code = (own[:, k] - own[:, k].mean()) / own[:, k].std()
            np.testing.assert_allclose(z @ view.coefficients[:, k], code, atol=1e-8)


def test_coefficients_where_codes_are_linear_and_known(rng):
    X, y = make_correlated_views(100, 4, 3, random_state=0)
    plain = summary(LinearCCA(2, reg=0).fit(X, y), X, y)
    pipeline = make_view_pipeline(LinearCCA(2, reg=0), x=StandardScaler())
    steps = summary(pipeline.fit(X * [1, 10, 100, 1000], y), X * [1, 10, 100, 1000], y)
    np.testing.assert_allclose(steps.x.coefficients, plain.x.coefficients, atol=1e-8)
    curved = summary(KernelCCA(2, kernel="rbf").fit(X, y), X, y)
    assert curved.x.coefficients is None
    assert "coefficients" not in curved.to_frame("x")
    assert "coefficients" not in str(curved)
    # More columns than rows: the weights say which of many combinations it is.
    wide = rng.standard_normal((100, 150))
    cca = LinearCCA(2, reg=1.0).fit(wide, y)
    lengths = wide.std(axis=0)[:, None] / cca.transform(wide).std(axis=0)
    found = summary(cca, wide, y).x.coefficients
    np.testing.assert_allclose(found, cca.x_weights_ * lengths, atol=1e-10)


def test_dead_columns_and_components_count_for_nothing():
    X, y = make_correlated_views(100, 3, 2, correlations=(0.8,), random_state=0)
    plain = summary(LinearCCA(2, reg=0).fit(X, y), X, y)
    dead, copied = (
        np.column_stack([X, np.full(100, 0.3)]),
        np.column_stack([y, y[:, 0]]),
    )
    report = summary(LinearCCA(3, reg=0).fit(dead, copied), dead, copied)
    np.testing.assert_allclose(report.x.adequacy[:2], plain.x.adequacy, atol=1e-10)
    assert not report.x.loadings[3].any()
    assert report.y.adequacy[2] == report.y.redundancy[2] == 0
    assert report.y.total_adequacy[-1] == pytest.approx(1)


class Cells(HTMLParser):
    """What stands in the cells of a page."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_data(self, data):
        self.found.append(data)


def test_tables_have_names_and_numbers(linnerud):
    X, y = linnerud
    X = X.rename(columns={"Waist": "<waist & hip>"})
    report = summary(LinearCCA(2).fit(X, y), X, y)
    assert len(repr(report).splitlines()) == 1
    text, cells = str(report), Cells(report._repr_html_()).found
    assert max(map(len, text.splitlines())) <= 88
    for shown in (
        "<waist & hip>",
        f"{report.x.loadings[1, 0]:.4f}",
        "total redundancy",
    ):
        assert shown in text
        assert shown in cells
    frame = report.to_frame("y")
    assert frame.loc[("Jumps", "linearcca1"), "loadings"] == report.y.loadings[2, 1]
    assert report.to_frame().loc["linearcca0", "x_redundancy"] == report.x.redundancy[0]
    with pytest.raises(ValueError, match="part must be 'components', 'x' or 'y'"):
        report.to_frame("z")


def test_long_tables_say_what_they_leave_out(rng):
    X = pd.DataFrame(rng.standard_normal((60, 40))).add_prefix("a rather long name ")
    y = rng.standard_normal((60, 8))
    text = str(summary(LinearCCA(8, reg=1.0).fit(X, y), X, y))
    assert "... 10 more rows and 2 more columns: to_frame('x') has all." in text
    assert "... 2 more columns: to_frame('y') has all." in text


def test_long_names_stay_apart_and_on_their_line(rng):
    X = rng.standard_normal((60, 3))
    frame = pd.DataFrame(
        X, columns=["a\nb", *(f"gene of chromosome {i}" * 2 for i in "12")]
    )
    report = summary(LinearCommonIndividual(2).fit(frame, X), frame, X)
    text = str(report)
    for name in ("linearcom...ndividual0", "linearcom...ndividual1"):
        assert name in text
    assert "a b " in text
    assert "gene of c...romosome 1" in text
    assert "gene of c...romosome 2" in text


def test_unusable(linnerud):
    X, y = linnerud
    with pytest.raises(NotFittedError):
        summary(LinearCCA(2), X, y)
    cca = LinearCCA(2).fit(X, y)
    with pytest.raises(ValueError, match="must be paired"):
        summary(cca, X, y[:5])
    with pytest.raises(ValueError, match="squares of X overflow float64: scale X down"):
        summary(cca, X * 1e200, y)
