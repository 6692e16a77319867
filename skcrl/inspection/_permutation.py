"""Permutation test of every canonical correlation."""

from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import StrOptions, validate_params

from skcrl._covariates import check_covariates, covariate_basis
from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed
from skcrl._validation import N_JOBS
from skcrl._views import check_beside
from skcrl.inspection._canonical import canonical_form, check_arrays
from skcrl.inspection._exchange import N_PERMUTATIONS, PERMUTE, draws, exchange
from skcrl.inspection._freed import freed
from skcrl.inspection._results import data_frame

# Correlations that differ by less are equal: permuting often repeats one exactly.
ROUNDING = 1e-10


class PermutationTestResult(NamedTuple):
    """What :func:`permutation_test` returns; one column or entry a dimension.

    Attributes
    ----------
    correlations : ndarray of shape (n_dimensions,)
        Canonical correlations of the data, largest first.
    pvalues : ndarray of shape (n_dimensions,)
        For each dimension, of the hypothesis that it and all later ones are noise.
    adjusted_pvalues : ndarray of shape (n_dimensions,)
        Step-down: the dimensions with at most alpha are all real but for a
        probability of at most alpha.
    null_correlations : ndarray of shape (n_permutations, n_dimensions)
        Largest correlation that was left at each stage once rows were permuted. There
        are fewer rows where there are fewer permutations.
    null_weights : ndarray of shape (n_permutations, n_dimensions)
        Weight of each of them in the null distribution, 1 on average. 1 throughout
        for the first dimension.
    """

    correlations: np.ndarray
    pvalues: np.ndarray
    adjusted_pvalues: np.ndarray
    null_correlations: np.ndarray
    null_weights: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self) -> Any:
        """Data frame of a row for each dimension, from 1 on."""
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

    Permuting the rows of one view is a test of the first dimension only: where that
    one is real, the second correlation of the data is compared with what is left
    after the largest one was taken from noise, and comes out too significant [1]_. So
    each dimension has a stage of its own. Stage k permutes only the canonical
    variates from k on, those of the wider view that have no partner
    included, removes from them the variates :math:`u_i, v_i, i < k`, to which they
    were orthogonal before, and takes their largest canonical correlation
    :math:`r^*_k` with those of the other view.

    Permuted correlations may exceed :math:`r_{k-1}`, which :math:`r_k` never does.
    They are therefore weighted by
    :math:`\prod_{i<k} \prod_{j \ge k} (r_i^2 - r_j^{*2})_+^{1/2}`, the factor by which
    the real correlations repel the others in their asymptotic
    joint distribution [2]_. Where the dimensions before k are real, p-values are then
    uniform; where they are noise too, they are too large, but
    less so than without weights.

    All this holds if the rows are exchangeable: if, were the views independent, the
    permutations would not change the distribution of the data. Repeated measures
    of a subject, members of a family and neighbours in time or space are not, and when
    they are exchanged freely, views that share nothing come out significant more often
    than alpha, without limit. Then exchange what is exchangeable [5]_ [6]_, by
    `permute`: within groups, where rows of one group hang together no more with one
    than with another; whole groups, where the groups are independent of each other; or
    cyclic shifts, where a series is stationary. Shifts are approximate, since the end
    of a series does not lead on to its start: better the longer it is.

    Covariates, such as age or sex, are taken out of the views. Their residuals are not
    exchangeable, since each holds a part of every other, so what is permuted are fewer
    rows that are: residuals of Theil [7]_, which have the covariances of the errors
    themselves. They are those of as many rows, or groups, as the covariates leave
    degrees of freedom [1]_. For free rows the test is exact for normal errors, and
    approximate for others. Within groups the mean of each group is a covariate too,
    and the spread is taken to be the same in all. Of whole groups, the mean and each
    contrast between their rows are regressed by themselves, on that of the covariates;
    the test is exact for normal errors if rows of one group hang together alike, as
    they do by a deviation of the subject, and approximate if neighbours do more.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First view, or codes of it. Codes must be of other samples than those the
        estimator was fitted to.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, or codes of it, paired with `X`.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        What is taken out of the views, with their means, by least squares. Whole groups
        lose one more group than there are covariates; groups of a size of their own,
        and lone rows within groups, are left out. Within groups, one must hold three
        rows at least: of pairs nothing is left that may change places.
    adjust : {"both", "x", "y"}, default="both"
        Which view the covariates are taken out of.
    n_permutations : int, default=999
        Permutations. Where there are no more than this, each is taken once; drawn ones
        may repeat. No p-value is below 1 / (n_permutations + 1), nor below one over
        the number of arrangements: n of shifts of n rows, 120 of five whole groups.
    groups : array-like of shape (n_samples,) or None, default=None
        Group of each row, such as its subject, site or family.
    permute : {"rows", "within", "whole", "shifts"} or None, default=None
        What changes places. None stands for "within" if `groups` are given, else for
        "rows".

        - "rows": all rows, which must be independent of each other.
        - "within": rows of one group, such as a site. What the views share because
          groups differ then counts as noise. Where that is much, centre both views
          within groups first, or it hides the rest.
        - "whole": groups of equal size, such as subjects, each as a block whose rows
          keep their order. Groups of a size of their own stay.
        - "shifts": all rows of a time series move on by one number of places, and those
          past the end come to the start; with `groups`, within each of them. Not
          with `covariates`.
    n_jobs : int or None, default=None
        Processes of joblib. The numbers are the same for any.
    random_state : int, RandomState instance or None, default=None
        Source of the permutations.
    verbose : int, default=0
        Progress, as joblib reports it.

    Returns
    -------
    result : PermutationTestResult
        Named tuple of `correlations`, `pvalues`, `adjusted_pvalues`,
        `null_correlations` and `null_weights`, for min(n_features_x, n_features_y)
        dimensions. Those that the ranks of the views rule out have correlation 0 and
        p-value 1.

    Raises
    ------
    ValueError
        If the views or covariates are not finite numbers with paired rows, the ranks of
        the views add up to n_samples or more, groups are missing, do not match the
        rows, or leave nothing to permute, alone or with the covariates, or these come
        with shifts.

    See Also
    --------
    held_out_permutation_test : For views too wide for this one.
    multivariate_tests : The same question under normality, without permutations.
    select_n_components : How many dimensions to keep.

    Notes
    -----
    The p-value of a dimension is
    :math:`(w_0 + \sum_b w_b [r^*_b \ge r]) / (w_0 + \sum_b w_b)`, where
    :math:`w_0` is the weight of the data themselves: importance sampling that
    stays conservative with few permutations [3]_; without weights,
    :math:`(1 + \#) / (1 + B)` [4]_. Adjusted p-values are running maxima: a later
    dimension can be real only if those before it are.

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

    Codes of an estimator, on samples it has not seen:

    >>> from skcrl import LinearCCA
    >>> from skcrl.datasets import make_correlated_views
    >>> X, y = make_correlated_views(400, correlations=(0.9, 0.6), random_state=0)
    >>> cca = LinearCCA(4).fit(X[:200], y[:200])
    >>> codes = cca.transform_pair(X[200:], y[200:])
    >>> permutation_test(*codes, random_state=0).adjusted_pvalues < 0.05
    array([ True,  True, False, False])

    What the views share because both change with age, and no more:

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
        covariates = covariate_basis(check_covariates(covariates, X, y)).columns
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
    """Canonical form in the rows that covariates leave, and their exchange.

    A view that is not adjusted stays as it is, and only the part of its variates
    counts that those of the other view, permuted, can correlate with [1]_.
    """
    rows = freed(exchangeable, covariates)
    if adjust == "y":
        X, y = y, X  # the adjusted one is permuted
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

    ``statistics(form, permuted)`` returns a tuple of arrays of one row a permutation,
    from permuted x variates (size, n, p); returned is the tuple of all their rows.
    """
    n, p = form.x_variates.shape
    q = form.y_variates.shape[1]
    if min(p, q) > 0 and n <= p + q:
        raise ValueError(
            f"X and y have ranks {p} and {q}: on {n} samples, not more than these "
            "together, some combination of one view equals one of the other however "
            "rows are permuted. Use held_out_permutation_test with a penalised "
            "estimator, or reduce the views, by PCA say."
        )
    # Batches of 64, or of what fits in 32 MB; each has its own seed, so their size may
    # not depend on n_jobs.
    largest = max(1, min(64, 2**22 // (n * max(p, 1))))
    batches = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_batch)(statistics, form, draw)
        for draw in draws(exchange, n_permutations, largest, random_state)
    )
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _batch(statistics, form, draw):
    return statistics(form, form.x_variates[draw()])


def _stages(form, permuted):
    """Largest correlation left at each stage, and its log weight; (size, k) both."""
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
    # Where u equals v up to rounding their difference is noise, and spans nothing.
    distance = np.where(1 - r > ROUNDING, np.sqrt(2 * (1 - r)), np.inf)
    pairs = np.stack([(u + v) / np.sqrt(2 * (1 + r)), (u - v) / distance], axis=2)
    return pairs.reshape(len(u), 2 * k)


def _partial_correlations(with_y, with_earlier):
    """Correlations of permuted variates with those of y, the earlier ones removed.

    Both arguments hold inner products of orthonormal columns, so what is left of the
    permuted variates has covariance I - E'E; those of y are orthogonal to the earlier.
    """
    if with_earlier.shape[1] > 0:
        covariance = np.eye(with_y.shape[2]) - with_earlier.mT @ with_earlier
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        eigenvalues[eigenvalues < ROUNDING] = np.inf  # nothing is left
        with_y = with_y @ eigenvectors / np.sqrt(eigenvalues)[:, None, :]
    return np.clip(np.linalg.svdvals(with_y), 0.0, 1.0)


def _log_repulsion(earlier, left):
    """Log of the factor in the density of correlations `left` (..., j) given `earlier`.

    It is minus infinity where they are not below the earlier ones; the bound keeps
    the weights finite.
    """
    gaps = earlier[:, None] ** 2 - left[..., None, :] ** 2  # (..., i, j)
    return 0.5 * np.log(gaps.clip(np.finfo(np.float64).eps)).sum(axis=(-2, -1))


def _weighted_pvalues(correlations, null, log_weights):
    """P-value of each dimension, and the weights (n_permutations, k) behind it."""
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
