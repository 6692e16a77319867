"""Permutation test of every canonical correlation."""

from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions, validate_params

from skcrl._covariates import covariate_basis
from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS
from skcrl._views import check_beside
from skcrl.inspection._beside import covariates_in_memory
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._exchange import N_PERMUTATIONS, PERMUTE, draws, exchange
from skcrl.inspection._freed import freed
from skcrl.inspection._results import data_frame

# Correlations that differ by less than this are equal. Permutations often give exactly
# equal ones.
ROUNDING = 1e-10


class PermutationTestResult(NamedTuple):
    """What :func:`permutation_test` returns, with one column or entry per dimension.

    Attributes
    ----------
    correlations : ndarray of shape (n_dimensions,)
        Canonical correlations of the data, largest first.
    pvalues : ndarray of shape (n_dimensions,)
        For each dimension, p-value of the hypothesis that it and all later ones are
        noise.
    adjusted_pvalues : ndarray of shape (n_dimensions,)
        Step-down p-values. If you take all dimensions with at most alpha as real, then
        the probability that one of them is noise is at most alpha.
    null_correlations : ndarray of shape (n_permutations, n_dimensions)
        Largest remaining correlation at each stage after the rows were permuted. If
        fewer permutations exist, there are fewer rows.
    null_weights : ndarray of shape (n_permutations, n_dimensions)
        Weight of each of them in the null distribution, 1 on average. For the first
        dimension all weights are 1.
    """

    correlations: np.ndarray
    pvalues: np.ndarray
    adjusted_pvalues: np.ndarray
    null_correlations: np.ndarray
    null_weights: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Return a data frame with one row per dimension, counted from 1."""
        return data_frame(
            {
                "correlation": self.correlations,
                "pvalue": self.pvalues,
                "adjusted_pvalue": self.adjusted_pvalues,
            },
            range(1, len(self.correlations) + 1),
        )


@validate_params(
    {
        "X": ["array-like"],
        "y": ["array-like"],
        "covariates": ["array-like", None],
        "adjust": [StrOptions({"both", "x", "y"})],
        "n_permutations": N_PERMUTATIONS,
        "groups": ["array-like", None],
        "permute": PERMUTE,
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def permutation_test(
    X: Rows,
    y: Rows,
    *,
    covariates: Rows | None = None,
    adjust: Literal["both", "x", "y"] = "both",
    n_permutations: int = 999,
    groups: ArrayLike | None = None,
    permute: Literal["rows", "within", "whole", "shifts"] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> PermutationTestResult:
    r"""P-value of every canonical correlation, by permuting rows.

    Use it to find out how many correlations are more than chance. It does not assume
    normal data, and it can handle dependent rows and covariates.

    A simple permutation of the rows of one view tests the first dimension only. If that
    dimension is real, the second correlation of the data is compared with the second
    correlation of noise, which is what is left after its largest was taken, and so it
    appears too significant [1]_. Therefore each dimension has a stage of its own. Stage
    k permutes only the canonical variates from k on, including those of the wider view
    that have no partner. It removes from them the variates :math:`u_i, v_i, i < k`, to
    which they were orthogonal before, and takes their largest canonical correlation
    :math:`r^*_k` with those of the other view.

    Permuted correlations may exceed :math:`r_{k-1}`, but :math:`r_k` never does.
    Therefore they are weighted by
    :math:`\prod_{i<k} \prod_{j \ge k} (r_i^2 - r_j^{*2})_+^{1/2}`, the factor by which
    the real correlations repel the others in their asymptotic joint distribution [2]_.
    If the dimensions before k are real, p-values are then uniform. If these are noise
    too, p-values are too large, but less so than without weights.

    All this holds if the rows are exchangeable: if the views were independent, the
    permutations must not change the distribution of the data. Repeated measures of a
    subject, members of a family and neighbours in time or space are not exchangeable.
    If they are permuted freely, views that share nothing are significant more often
    than alpha, without limit. In such cases choose by `permute` what is exchangeable
    [5]_ [6]_: rows within groups, if any two rows of a group depend on each other in
    the same way; whole groups, if the groups are independent of each other; or cyclic
    shifts, if a series is stationary. Shifts are approximate, since the end of a series
    does not continue at its start; they are better the longer the series is.

    Covariates, such as age or sex, are removed from the views. Ordinary residuals are
    not exchangeable, because each contains a part of every other. So the residuals of
    Theil [7]_ are permuted, which have the covariances of the errors themselves. There
    are as many of them as the covariates leave degrees of freedom among the rows or
    groups [1]_. For free rows the test is exact for normal errors, and approximate for
    others. Within groups, the mean of each group is a covariate too, and all groups are
    assumed to have the same variance. For whole groups, the mean of the rows and each
    contrast between them are regressed on the same mean or contrast of the covariates.
    The test is then exact for normal errors if all rows of a group are equally
    correlated, as with a random deviation of the subject, and approximate if
    neighbouring rows are more correlated.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First view, or codes of it. Codes must be those of samples to which the
        estimator was not fitted.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, or codes of it, paired with `X`.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        Variables that are removed from the views by least squares, together with the
        means. With whole groups, one more group is lost than there are covariates.
        Groups whose size no other group has, and single rows within groups, are left
        out. Within groups, at least one group must have three rows, because pairs leave
        nothing to permute.
    adjust : {"both", "x", "y"}, default="both"
        From which view the covariates are removed.
    n_permutations : int, default=999
        Number of permutations. If no more than this exist, each is used once; otherwise
        they are drawn at random and may repeat. No p-value is below 1 / (n_permutations
        + 1), or below 1 over the number of possible arrangements, which is n for shifts
        of n rows and 120 for five whole groups.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row, such as its subject, site or family. Use it if rows of one
        group are not independent of each other.
    permute : {"rows", "within", "whole", "shifts"} or None, default=None
        What is permuted. None means "within" if `groups` are given, otherwise "rows".

        - "rows": all rows, which must be independent of each other.
        - "within": rows of the same group, such as a site. What the views share because
          groups differ then counts as noise. If groups differ much, centre both views
          within groups first, otherwise their differences hide the rest.
        - "whole": groups of equal size, such as subjects, each as a block whose rows
          keep their order. Groups whose size no other group has stay in place.
        - "shifts": all rows of a time series move by the same number of places, and
          those beyond the end come to the start; with `groups`, within each of them.
          Cannot be combined with `covariates`.
    n_jobs : int or None, default=None
        Number of joblib processes. The results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations. Pass an int to get the same result at each call.
    verbose : int, default=0
        Verbosity of joblib: larger values print more about the progress.

    Returns
    -------
    result : PermutationTestResult
        Named tuple of `correlations`, `pvalues`, `adjusted_pvalues`,
        `null_correlations` and `null_weights`, for min(n_features_x, n_features_y)
        dimensions. Dimensions beyond the ranks of the views have correlation 0 and
        p-value 1.

    Raises
    ------
    ValueError
        If the views or covariates are not finite numbers with paired rows; if the ranks
        of the views add up to n_samples or more; if groups are missing, do not match
        the rows, or leave nothing to permute, alone or with the covariates; or if
        covariates are passed with shifts.

    See Also
    --------
    held_out_permutation_test : For views that are too wide for this test.
    multivariate_tests : Tests that assume normality, without permutations.
    select_n_components : How many dimensions to keep.

    Notes
    -----
    The p-value of a dimension is
    :math:`(w_0 + \sum_b w_b [r^*_b \ge r]) / (w_0 + \sum_b w_b)`, where
    :math:`w_0` is the weight of the data themselves. This is importance sampling, and
    it stays conservative with few permutations [3]_. Without weights it is
    :math:`(1 + \#) / (1 + B)` [4]_. Adjusted p-values are running maxima, because a
    later dimension can be real only if those before it are.

    References
    ----------
    .. [1] Winkler, Renaud, Smith and Nichols (2020). Permutation inference for
       canonical correlation analysis. NeuroImage 220.
    .. [2] Glynn and Muirhead (1978). Inference in canonical correlation analysis.
       Journal of Multivariate Analysis 8.
    .. [3] Harrison (2012). Conservative hypothesis tests and confidence intervals using
       importance sampling. Biometrika 99.
    .. [4] Phipson and Smyth (2010). Permutation p-values should never be zero.
       Statistical Applications in Genetics and Molecular Biology 9.
    .. [5] Winkler, Ridgway, Webster, Smith and Nichols (2014). Permutation inference
       for the general linear model. NeuroImage 92.
    .. [6] Winkler, Webster, Vidaurre, Nichols and Smith (2015). Multi-level block
       permutation. NeuroImage 123.
    .. [7] Theil (1965). The analysis of disturbances in regression analysis. Journal of
       the American Statistical Association 60.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl.inspection import permutation_test
    >>> exercise, physiology = load_linnerud(return_X_y=True)
    >>> result = permutation_test(exercise, physiology, random_state=0)
    >>> result.correlations.round(2)
    array([0.8 , 0.2 , 0.07])
    >>> result.adjusted_pvalues < 0.1
    array([ True, False, False])

    Codes of an estimator, on samples to which it was not fitted:

    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> X, y = make_correlated_views(400, correlations=(0.9, 0.6), random_state=0)
    >>> cca = LinearCCA(4).fit(X[:200], y[:200])
    >>> codes = cca.transform_pair(X[200:], y[200:])
    >>> permutation_test(*codes, random_state=0).adjusted_pvalues < 0.05
    array([ True,  True, False, False])

    Views that share only what changes with age in both:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(20, 80, 60)
    >>> X, y = 0.1 * age[:, None] + rng.standard_normal((2, 60, 2))
    >>> permutation_test(X, y, random_state=0).pvalues[0]
    np.float64(0.001)
    >>> permutation_test(X, y, covariates=age, random_state=0).pvalues[0].round(1)
    np.float64(0.7)
    """
    check_beside(X, groups, "groups")
    if covariates is not None:
        covariates = covariate_basis(covariates_in_memory(covariates, X, y)).columns
    X, y = check_arrays(X, y)
    exchangeable = exchange(len(X), groups, permute)
    if covariates is None or covariates.shape[1] == 0:
        form = canonical_form(X, y)
    else:
        form, exchangeable = _adjusted(X, y, covariates, adjust, exchangeable)
    null, log_weights = under_permutation(
        _stages,
        form,
        n_permutations,
        exchangeable,
        n_jobs,
        random_state,
        verbose,
    )
    pvalues, weights = _weighted_pvalues(form.correlations, null, log_weights)
    missing = min(X.shape[1], y.shape[1]) - len(pvalues)
    pvalues = np.pad(pvalues, (0, missing), constant_values=1.0)
    columns = ((0, 0), (0, missing))
    return PermutationTestResult(
        np.pad(form.correlations, (0, missing)),
        pvalues,
        np.maximum.accumulate(pvalues),
        np.pad(null, columns),
        np.pad(weights, columns, constant_values=1.0),
    )


def _adjusted(X, y, covariates, adjust, exchangeable):
    """Canonical form of the rows that are left after covariates, and their exchange.

    A view that is not adjusted does not change. Of its variates, only the part matters
    that can correlate with the permuted variates of the other view [1]_.
    """
    rows = freed(exchangeable, covariates)
    if adjust == "y":
        X, y = y, X  # the view that is adjusted is permuted
    form = canonical_form(rows.without(X), rows.without(y) if adjust == "both" else y)
    reduced = form._replace(
        x_variates=rows.reduced(form.x_variates),
        y_variates=rows.reduced(form.y_variates),
    )
    return reduced, rows.exchange


def under_permutation(
    statistics, form, n_permutations, exchange, n_jobs, random_state, verbose
):
    """Statistics of `form` with the rows of its first view permuted.

    ``statistics(form, permuted)`` takes permuted x variates (size, n, p) and returns a
    tuple of arrays with one row per permutation. The rows of all permutations are
    returned in one such tuple.
    """
    n, p = form.x_variates.shape
    q = form.y_variates.shape[1]
    if min(p, q) > 0 and n <= p + q:
        raise ValueError(
            f"X and y have ranks {p} and {q}, and the {n} samples are not more than "
            "their sum: for any permutation, some combination of the columns of one "
            "view equals one of the other. Use held_out_permutation_test with a "
            "penalised estimator, or reduce the views, for example by PCA."
        )
    # Batches of 64 permutations, or of as many as fit into 32 MB. Each batch has its
    # own seed, so its size must not depend on n_jobs.
    largest = max(1, min(64, 2**22 // (n * max(p, 1))))
    batches = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_batch)(statistics, form, draw)
        for draw in draws(exchange, n_permutations, largest, random_state)
    )
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _batch(statistics, form, draw):
    return statistics(form, form.x_variates[draw()])


def _stages(form, permuted):
    """Largest correlation that is left at each stage, and its log weight: (size, k)."""
    with_y = form.y_variates.T @ permuted  # (size, q, p)
    with_earlier = _pairs_basis(form).T @ permuted  # (size, 2k, p)
    null = np.empty((len(permuted), len(form.correlations)))
    log_weights = np.empty_like(null)
    for k in range(null.shape[1]):
        left = _partial_correlations(with_y[:, k:, k:], with_earlier[:, : 2 * k, k:])
        null[:, k] = left[:, 0]
        log_weights[:, k] = _log_repulsion(form.correlations[:k], left)
    return null, log_weights


def _pairs_basis(form):
    """Columns 2i and 2i + 1 are an orthonormal basis of the pair of variates i."""
    k = len(form.correlations)
    u, v, r = form.x_variates[:, :k], form.y_variates[:, :k], form.correlations
    # If u equals v up to rounding, their difference is noise and is set to 0.
    distance = np.where(1 - r > ROUNDING, np.sqrt(2 * (1 - r)), np.inf)
    pairs = np.stack([(u + v) / np.sqrt(2 * (1 + r)), (u - v) / distance], axis=2)
    return pairs.reshape(len(u), 2 * k)


def _partial_correlations(with_y, with_earlier):
    """Correlations of permuted variates with those of y, without the earlier ones.

    Both arguments hold inner products of orthonormal columns, so what is left of the
    permuted variates has the covariance I - E'E. The variates of y are orthogonal to
    the earlier ones.
    """
    if with_earlier.shape[1] > 0:
        covariance = np.eye(with_y.shape[2]) - with_earlier.mT @ with_earlier
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        eigenvalues[eigenvalues < ROUNDING] = np.inf  # nothing is left
        with_y = with_y @ eigenvectors / np.sqrt(eigenvalues)[:, None, :]
    return np.clip(np.linalg.svdvals(with_y), 0.0, 1.0)


def _log_repulsion(earlier, left):
    """Log of the factor in the density of correlations `left` (..., j) given `earlier`.

    The log is minus infinity if one of them is not below the earlier ones. A bound of
    the gaps keeps it finite.
    """
    gaps = earlier[:, None] ** 2 - left[..., None, :] ** 2  # (..., i, j)
    return 0.5 * np.log(gaps.clip(np.finfo(np.float64).eps)).sum(axis=(-2, -1))


def _weighted_pvalues(correlations, null, log_weights):
    """P-value of each dimension, and the weights (n_permutations, k) of its null."""
    pvalues = np.ones(len(correlations))
    weights = np.ones_like(null)
    for k, observed in enumerate(correlations):
        own = _log_repulsion(correlations[:k], correlations[k:])
        shift = log_weights[:, k].max()
        w = np.exp(log_weights[:, k] - shift)
        mean = w.mean()
        own, w = np.exp(min(own - shift - np.log(mean), 700.0)), w / mean
        as_large = null[:, k] >= observed - ROUNDING
        share = (own + w[as_large].sum()) / (own + w.sum())
        pvalues[k] = max(share, 1 / (len(null) + 1))
        weights[:, k] = w
    return pvalues, weights
