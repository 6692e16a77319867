"""How often each column is selected when the estimator is fitted to subsamples."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import _get_feature_names, _num_samples

from skcrl._repr import short_repr
from skcrl._typing import Rows, Seed, Side
from skcrl._validation import N_JOBS, random_source
from skcrl._views import check_paired, kind_of
from skcrl.base import TwoViewTransformer
from skcrl.inspection._beside import (
    covariates_in_memory,
    fit_to,
    require_takes_covariates,
    rows_of,
)
from skcrl.inspection._results import data_frame


class StabilitySelection(NamedTuple):
    """What :func:`stability_selection` returns.

    Attributes
    ----------
    x_frequencies : ndarray of shape (n_features_x,)
        Fraction of the subsamples in which a column of the first view has a weight in
        some component.
    y_frequencies : ndarray of shape (n_features_y,)
        The same for the second view.
    x_n_selected, y_n_selected : float
        Mean number of columns of each view that a subsample selects.
    x_jaccard, y_jaccard : float
        Mean Jaccard index over pairs of subsamples: the number of columns that both
        select, divided by the number that at least one selects. It is 1 if all select
        the same.
    x_names, y_names : ndarray
        Names of the columns of each view, or their positions.
    """

    x_frequencies: np.ndarray
    y_frequencies: np.ndarray
    x_n_selected: float
    y_n_selected: float
    x_jaccard: float
    y_jaccard: float
    x_names: np.ndarray
    y_names: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def to_frame(self, side: Side = "x") -> Any:
        """Return a data frame of the columns of one view, most frequent first.

        Parameters
        ----------
        side : {"x", "y"}, default="x"
            The view.

        Returns
        -------
        frame : pandas.DataFrame
            Its column `frequency` has the selection frequencies.
        """
        if side not in ("x", "y"):
            raise ValueError(f"side must be 'x' or 'y', got {side!r}.")
        frequencies = self.x_frequencies if side == "x" else self.y_frequencies
        names = self.x_names if side == "x" else self.y_names
        order = np.argsort(-frequencies, kind="stable")
        return data_frame({"frequency": frequencies[order]}, names[order])

    def expected_false(self, threshold: float) -> tuple[float, float]:
        """Upper bound of the expected number of columns selected only by chance.

        Parameters
        ----------
        threshold : float in (0.5, 1]
            Frequency from which on a column counts as selected.

        Returns
        -------
        x, y : float
            Bounds of Meinshausen and Bühlmann for both views,
            :math:`q^2 / ((2 t - 1) p)`, where q of p columns are selected in a
            subsample and t is the threshold. They hold for columns that are selected no
            more often than by chance.
        """
        if not 0.5 < threshold <= 1:
            raise ValueError(f"threshold must be in (0.5, 1], got {threshold!r}.")
        return (
            self.x_n_selected**2 / ((2 * threshold - 1) * len(self.x_frequencies)),
            self.y_n_selected**2 / ((2 * threshold - 1) * len(self.y_frequencies)),
        )


@validate_params(
    {
        "estimator": [HasMethods(["fit", "transform_pair"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like", "sparse matrix"],
        "covariates": ["array-like", None],
        "n_subsamples": [Interval(Integral, 2, 2**31 - 1, closed="both")],
        "n_jobs": N_JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=False,
)
def stability_selection(
    estimator: TwoViewTransformer,
    X: Rows,
    y: Rows,
    *,
    covariates: Rows | None = None,
    n_subsamples: int = 100,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int = 0,
) -> StabilitySelection:
    """Compute how often each column is selected when fitting to random halves.

    Use it to decide which columns of a sparse fit to report. If two columns correlate,
    a sparse estimator selects one of them, and which one depends on the samples. Report
    the columns that most subsamples select [1]_. Each subsample is half of the rows,
    drawn without replacement, and the next one is the other half: such complementary
    pairs are more informative than as many independent draws [2]_.

    Parameters
    ----------
    estimator : two-view estimator
        Estimator that selects columns, such as :class:`~skcrl.SparseCCA`. It may be
        inside a :class:`~skcrl.ViewPipeline` whose steps keep the columns. It is cloned
        and fitted to each subsample. If it is random, set its `random_state`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features_x)
        First view, at least 4 samples. Rows must be independent of each other.
    y : {array-like, sparse matrix} of shape (n_samples, n_features_y)
        Second view, paired with `X`.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        Covariates, such as age, that each fit gets with its rows and removes from the
        views. Columns that correlate with the other view only through the covariates
        are then not selected.
    n_subsamples : int, default=100
        Number of subsamples, at least 2. An odd number is raised by one.
    n_jobs : int or None, default=None
        Number of joblib processes. The results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the subsamples. Pass an int to get the same result at each call.
    verbose : int, default=0
        Verbosity of joblib: larger values print more about the progress.

    Returns
    -------
    result : StabilitySelection
        Named tuple of `x_frequencies`, `y_frequencies`, `x_n_selected`, `y_n_selected`,
        `x_jaccard`, `y_jaccard`, `x_names` and `y_names`. ``to_frame(side)`` returns a
        table. ``expected_false(threshold)`` tells how many columns may exceed a
        threshold by chance.

    Raises
    ------
    ValueError
        If the views or covariates are not paired or have fewer than 4 rows, the
        estimator has no weights for the columns, or it takes no covariates.

    See Also
    --------
    skcrl.SparseCCA.path : Columns selected under each of several penalties.

    References
    ----------
    .. [1] Meinshausen and Bühlmann (2010). Stability selection. Journal of the Royal
       Statistical Society B 72. Theorem 1.
    .. [2] Shah and Samworth (2013). Variable selection with error control: another look
       at stability selection. Journal of the Royal Statistical Society B 75.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl import SparseCCA
    >>> from skcrl.inspection import stability_selection
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.standard_normal((100, 1))
    >>> X, y = rng.standard_normal((100, 200)), rng.standard_normal((100, 150))
    >>> X[:, [3, 14]] += 2 * shared
    >>> y[:, [2, 7]] += 2 * shared
    >>> result = stability_selection(
    ...     SparseCCA(n_nonzero=4), X, y, n_subsamples=20, random_state=0
    ... )
    >>> np.flatnonzero(result.x_frequencies > 0.9)
    array([ 3, 14])
    >>> np.flatnonzero(result.y_frequencies > 0.9)
    array([2, 7])
    >>> [round(n, 2) for n in result.expected_false(0.9)]
    [0.1, 0.13]
    """
    check_paired(X, y)
    if covariates is not None:
        require_takes_covariates(estimator)
        covariates = covariates_in_memory(covariates, X, y)
    n = _num_samples(X)
    if n < 4:
        raise ValueError(f"Each half needs at least 2 samples, so 4 in all, got {n}.")
    seeds = random_source(random_state).randint(2**31 - 1, size=-(-n_subsamples // 2))
    pairs = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_of_halves)(estimator, X, y, covariates, n, seed) for seed in seeds
    )
    x_selected, y_selected = (
        np.array([half[side] for pair in pairs for half in pair]) for side in (0, 1)
    )
    return StabilitySelection(
        x_selected.mean(axis=0),
        y_selected.mean(axis=0),
        float(x_selected.sum(axis=1).mean()),
        float(y_selected.sum(axis=1).mean()),
        _mean_jaccard(x_selected),
        _mean_jaccard(y_selected),
        _names(X, x_selected),
        _names(y, y_selected),
    )


def _of_halves(estimator, X, y, covariates, n, seed):
    """Columns that are selected in each half of the rows."""
    order = np.random.default_rng(seed).permutation(n)
    return [
        _selected(estimator, X, y, covariates, rows)
        for rows in (order[: n // 2], order[n // 2 :])
    ]


def _selected(estimator, X, y, covariates, rows):
    """Columns (p,) and (q,) with a weight in some component of one subsample."""
    take_x, take_y = kind_of(X).take(X, rows), kind_of(y).take(y, rows)
    fitted = fit_to(clone(estimator), take_x, take_y, rows_of(covariates, rows))
    fitted = getattr(fitted, "estimator_", fitted)  # the estimator in a ViewPipeline
    selected = []
    for name, side, view in (("X", "x", X), ("y", "y", y)):
        _, width = (*np.shape(view), 1)[:2]
        weights = getattr(fitted, f"{side}_weights_", None)
        if weights is None or len(weights) != width:
            raise ValueError(
                f"{type(fitted).__name__} does not have one weight for each of the "
                f"{width} columns of {name}: pass an estimator that selects columns, "
                "such as SparseCCA, without steps that change the columns."
            )
        selected.append(np.asarray(weights).any(axis=1))
    return selected


def _mean_jaccard(selected):
    """Mean over pairs of rows of the share of the union that both have in common."""
    selected = selected.astype(np.float64)
    common = selected @ selected.T
    sizes = common.diagonal()
    union = sizes[:, None] + sizes - common
    # Two subsamples that select nothing select the same.
    shares = np.divide(common, union, out=np.ones_like(common), where=union > 0)
    return float(shares[np.triu_indices(len(shares), 1)].mean())


def _names(view, selected):
    names = _get_feature_names(view)
    return np.arange(selected.shape[1]) if names is None else names
