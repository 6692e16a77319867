"""The classical tests that two views are uncorrelated, under normality."""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn.utils._param_validation import validate_params

from skcrl._covariates import covariate_basis
from skcrl._repr import short_repr
from skcrl._typing import Rows
from skcrl.inspection._beside import covariates_in_memory
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._freed import unless_explained
from skcrl.inspection._results import data_frame

# A correlation that is nearer to 1 counts as 1. Then a combination of the columns of
# one view equals one of the other view.
_ROUNDING = 1e-12
_OVERALL = ("Wilks", "Pillai", "Hotelling-Lawley", "Roy")


class FTest(NamedTuple):
    """Statistics with an F approximation: floats, or one array entry per dimension.

    Attributes
    ----------
    statistic : float or ndarray
        The statistic that the test is named after.
    f : float or ndarray
        The F value of the statistic.
    df1, df2 : float or ndarray
        Degrees of freedom of the numerator and the denominator of F.
    pvalue : float or ndarray
        P-value: the probability of the upper tail.
    """

    statistic: float | np.ndarray
    f: float | np.ndarray
    df1: float | np.ndarray
    df2: float | np.ndarray
    pvalue: float | np.ndarray

    def __repr__(self):
        return short_repr(self)


class Chi2Test(NamedTuple):
    """Likelihood ratio statistics, with one entry per dimension.

    Attributes
    ----------
    statistic : ndarray
        Chi-squared value.
    df : ndarray
        Degrees of freedom.
    pvalue : ndarray
        P-value: the probability of the upper tail.
    """

    statistic: np.ndarray
    df: np.ndarray
    pvalue: np.ndarray

    def __repr__(self):
        return short_repr(self)


class MultivariateTests(NamedTuple):
    """What :func:`multivariate_tests` returns; ``print`` shows it as tables.

    Attributes
    ----------
    correlations : ndarray of shape (n_dimensions,)
        Canonical correlations, largest first. There are as many as the smaller rank.
    wilks, pillai, hotelling_lawley, roy : FTest
        Tests that no dimension is real.
    sequential : FTest of ndarray of shape (n_dimensions,)
        For each dimension, the test by Wilks' lambda that it and all later ones are
        noise.
    sequential_chi2 : Chi2Test of ndarray of shape (n_dimensions,)
        The same tests by chi-squared.
    """

    correlations: np.ndarray
    wilks: FTest
    pillai: FTest
    hotelling_lawley: FTest
    roy: FTest
    sequential: FTest
    sequential_chi2: Chi2Test

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Data frame of the tables that ``print`` shows, one below the other."""
        overall = np.array(self[1:5], dtype=np.float64)
        none = np.full((4, 3), np.nan)
        columns = np.vstack(
            [
                np.hstack([overall, none]),
                np.column_stack([*self.sequential, *self.sequential_chi2]),
            ]
        ).T
        names = (*FTest._fields, "chi2", "chi2_df", "chi2_pvalue")
        dimensions = range(1, len(self.correlations) + 1)
        return data_frame(
            dict(zip(names, columns, strict=True)),
            [*_OVERALL, *(f"from dimension {k}" for k in dimensions)],
        )

    def __str__(self):
        header = f"{'value':>10}{'F':>10}{'df1':>6}{'df2':>8}{'p':>11}"
        lines = [f"{'':16}{header}"]
        lines += [
            _line(name, test) for name, test in zip(_OVERALL, self[1:5], strict=True)
        ]
        lines += ["", f"{'from dimension':16}{header}{'chi2':>10}{'p':>11}"]
        for k, r in enumerate(self.correlations):
            line = _line(f"{k + 1} (r = {r:.4f})", _entry(self.sequential, k))
            chi2 = _entry(self.sequential_chi2, k)
            lines.append(f"{line}{chi2.statistic:10.4g}{chi2.pvalue:11.3g}")
        return "\n".join(lines)


@validate_params(
    {"X": ["array-like"], "y": ["array-like"], "covariates": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def multivariate_tests(
    X: Rows, y: Rows, *, covariates: Rows | None = None
) -> MultivariateTests:
    r"""Test that two views are uncorrelated: Wilks, Pillai, Hotelling-Lawley and Roy.

    Use it for the classical tests that statistics programs print. They need
    independent rows, about normal views, and many more samples than columns.

    All four are functions of the squared canonical correlations :math:`r_i^2`:

    ================  ==================================  =====================
    Wilks             :math:`\prod_i (1 - r_i^2)`         Rao's F [1]_
    Pillai            :math:`\sum_i r_i^2`                Pillai's F
    Hotelling-Lawley  :math:`\sum_i r_i^2 / (1 - r_i^2)`  McKeon's F [2]_
    Roy               :math:`r_1^2 / (1 - r_1^2)`         an upper bound of F
    ================  ==================================  =====================

    They are the tests of a multivariate regression of one view on the other. If one
    view consists of class indicators, they are those of a one-way multivariate analysis
    of variance. The p-value of Roy's root is a lower bound. For each dimension
    :math:`k`, Wilks' lambda of the correlations from :math:`k` on tests the hypothesis
    that only the :math:`k - 1` correlations before are real. Its p-value is by Rao's F,
    and by Bartlett's chi-squared with the correction of Lawley [3]_,
    :math:`-(n - k - (p + q + 1) / 2 + \sum_{i<k} r_i^{-2}) \log \Lambda_k` on n
    samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First view.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`. Swapping the views changes nothing.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        Variables that are removed from both views by least squares, such as age. The
        tests are then those of the residuals, with fewer samples: one less for each
        dimension of the covariates. (If you passed residuals as views, these samples
        would still be counted.)

    Returns
    -------
    tests : MultivariateTests
        Named tuple of `correlations`, `wilks`, `pillai`, `hotelling_lawley`, `roy`,
        `sequential` and `sequential_chi2`. A correlation of 1 gives a Wilks' lambda of
        0 and an infinite F.

    Raises
    ------
    ValueError
        If the views or covariates are not finite numbers with paired rows, if a view is
        constant or explained by the covariates, or if there are too few samples: there
        must be at least two more than the sum of the ranks of the views and of the
        covariates.

    See Also
    --------
    permutation_test : P-values without normality, also for dependent rows.
    held_out_permutation_test : For views too wide for these tests.

    Notes
    -----
    Rows must be independent of each other. p and q are the ranks of the views, so
    collinear columns do not count. Read the sequential tests in their order, and stop
    at the first p-value above alpha.

    The F of Rao is an approximation. It rejects too often if there are many columns and
    fewer than twice as many samples as columns: at the level 0.05, in 0.10 of the data
    sets with 22 samples, 10 + 10 columns and no correlations, and in 0.77 of those with
    102 samples and 50 + 50 columns. `permutation_test` keeps its level.

    References
    ----------
    .. [1] Rao (1951). An asymptotic expansion of the distribution of Wilks' criterion.
    .. [2] McKeon (1974). F approximations to the distribution of Hotelling's T0^2.
       Biometrika 61.
    .. [3] Lawley (1959). Tests of significance in canonical analysis. Biometrika 46.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl.inspection import multivariate_tests
    >>> tests = multivariate_tests(*load_linnerud(return_X_y=True))
    >>> round(float(tests.wilks.pvalue), 4)
    0.0635
    >>> print(tests)
                         value         F   df1     df2          p
    Wilks               0.3504     2.048     9   34.22     0.0635
    Pillai              0.6785     1.559     9      48      0.155
    Hotelling-Lawley     1.772      2.64     9   19.05     0.0357
    Roy                  1.725     9.199     3      16   0.000902
    <BLANKLINE>
    from dimension       value         F   df1     df2          p      chi2          p
    1 (r = 0.7956)      0.3504     2.048     9   34.22     0.0635     16.25     0.0617
    2 (r = 0.2006)      0.9547    0.1758     4      30      0.949     0.745      0.946
    3 (r = 0.0726)      0.9947   0.08471     1      16      0.775    0.2109      0.646
    """
    n_taken = 0
    if covariates is not None:
        basis = covariate_basis(covariates_in_memory(covariates, X, y)).columns
        n_taken = basis.shape[1]
    X, y = check_arrays(X, y)
    if n_taken:
        X, y = (_residuals(view, basis) for view in (X, y))
    form = canonical_form(X, y)
    p, q = form.x_variates.shape[1], form.y_variates.shape[1]
    for name, rank in (("X", p), ("y", q)):
        if rank == 0:
            raise ValueError(
                f"Every column of {name} is constant"
                f"{', or explained by covariates' * (n_taken > 0)}: there is nothing "
                "to test."
            )
    n = len(X) - n_taken
    if n < p + q + 2:
        raise ValueError(
            f"The tests need at least {p + q + 2} samples, two more than the sum of "
            f"the ranks {p} and {q} of the views, got {n}"
            f"{' after the covariates are removed' * (n_taken > 0)}. Use "
            "held_out_permutation_test with a penalised estimator, or reduce the "
            "views, for example by PCA."
        )
    squares = form.correlations**2
    squares[1 - squares < _ROUNDING] = 1.0
    with np.errstate(divide="ignore"):  # a correlation of 1 makes F infinite
        sequential = _rao(squares, n, p, q)
        return MultivariateTests(
            np.sqrt(squares),
            _entry(sequential, 0),
            _pillai(squares, n, p, q),
            _hotelling_lawley(squares, n, p, q),
            _roy(squares, n, p, q),
            sequential,
            _lawley(squares, n, p, q),
        )


def _residuals(view, basis):
    view = view - view.mean(axis=0)
    return unless_explained(view - basis @ (basis.T @ view), view)


def _rao(squares, n, p, q):
    """Wilks' lambda of each dimension and all later ones, with Rao's F."""
    k = np.arange(len(squares))
    wilks = _wilks(squares)
    p, q, products = p - k, q - k, (p - k) * (q - k)
    sum_of_squares = p**2 + q**2
    # If one view has one or two dimensions, F is exact, and the root is 1 or 2.
    root = np.where(
        sum_of_squares > 5,
        np.sqrt(np.maximum(products**2 - 4, 0) / np.maximum(sum_of_squares - 5, 1)),
        1.0,
    )
    df2 = (n - 1 - k - (p + q + 1) / 2) * root - products / 2 + 1
    return _f_test(wilks, (wilks ** (-1 / root) - 1) * df2 / products, products, df2)


def _lawley(squares, n, p, q):
    """Bartlett's chi-squared of each dimension and all later ones, after Lawley."""
    k = np.arange(len(squares))
    # After a correlation of 0, lambda is 1 whatever the factor.
    inverse = np.divide(1.0, squares, out=np.zeros_like(squares), where=squares > 0)
    inverse_before = np.concatenate([[0.0], np.cumsum(inverse)[:-1]])
    factor = n - 1 - k - (p + q + 1) / 2 + inverse_before
    statistic, df = factor * -np.log(_wilks(squares)) + 0.0, (p - k) * (q - k)
    return Chi2Test(statistic, df, stats.chi2.sf(statistic, df))


def _pillai(squares, n, p, q):
    s, m = len(squares), n - p - q - 1
    trace = squares.sum()
    df1, df2 = p * q, s * (m + s)
    return _f_test(trace, trace / np.subtract(s, trace) * df2 / df1, df1, df2)


def _hotelling_lawley(squares, n, p, q):
    trace = _roots(squares).sum()
    s, m = len(squares), n - p - q - 2
    df1 = p * q
    if m == 0:  # McKeon's scale may be negative, so Pillai's approximation is used
        df2 = 2.0
        return _f_test(trace, df2 / (s * df1) * trace, df1, df2)
    d = p * q + 2 + m * (p + q + 1)
    df2 = 4 + (p * q + 2) * (m + 1) * (m - 2) / d
    scale = (2 * (p + q + 1) + (p * q + 2) * (m - 1)) / d
    return _f_test(trace, df2 / df1 * trace / scale, df1, df2)


def _roy(squares, n, p, q):
    root = _roots(squares)[0]
    df1, df2 = max(p, q), n - 1 - max(p, q)
    return _f_test(root, root * df2 / df1, df1, df2)


def _wilks(squares):
    """Product of 1 - r^2 over each dimension and all later ones."""
    return np.cumprod((1 - squares)[::-1])[::-1]


def _roots(squares):
    """Eigenvalues of the explained over the unexplained covariance."""
    return squares / (1 - squares)


def _f_test(statistic, f, df1, df2):
    return FTest(statistic, f, df1, df2, stats.f.sf(f, df1, df2))


def _entry(test, k):
    """Test of dimension k, from a test with one entry per dimension."""
    return type(test)(*(column[k] for column in test))


def _line(name, test):
    return (
        f"{name:16}{test.statistic:10.4g}{test.f:10.4g}{test.df1:6}{test.df2:8.4g}"
        f"{test.pvalue:11.3g}"
    )
