"""Measures of correlation, redundancy and reconstruction: functions on arrays.

Three different quantities are published under the name "sum correlation":
:func:`pearson_sum`, :func:`canonical_total` and :func:`refitted_canonical_total`.
Numbers of one kind cannot be compared with numbers of another.
"""

import numpy as np

from skcrl import _linalg, _moments
from skcrl._columns import centred, column_correlations, unit_columns
from skcrl._numbers import check_numbers, require_squares
from skcrl._typing import Rows
from skcrl._views import check_paired

__all__ = [
    "canonical_total",
    "effective_rank",
    "pearson_sum",
    "reconstruction_error",
    "refitted_canonical_total",
]


def pearson_sum(Zx: Rows, Zy: Rows) -> float:
    r"""Sum over dimensions of the Pearson correlation of paired codes.

    It is :math:`\sum_j \mathrm{corr}(Z^x_{\cdot j}, Z^y_{\cdot j})`, which CorrNet [1]_
    calls "sum correlation". It rewards redundancy: codes that repeat one perfect
    dimension k times reach k. So report :func:`effective_rank` together with it.

    Parameters
    ----------
    Zx, Zy : array-like of shape (n_samples, n_components)
        Paired codes of the two views. A constant dimension counts as 0.

    Returns
    -------
    total : float
        Between -n_components and n_components.

    Raises
    ------
    ValueError
        If the codes differ in shape, hold NaN or infinity, or their squares overflow.

    See Also
    --------
    canonical_total : The measure that papers on Deep CCA report.
    refitted_canonical_total : The measure in the CCA rows of MUC2M.

    References
    ----------
    .. [1] Chandar, Khapra, Larochelle and Ravindran (2016). Correlational neural
       networks. Neural Computation 28(2), corr(h(X), h(Y)).

    Examples
    --------
    >>> from skcrl.metrics import pearson_sum
    >>> Zx = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]]
    >>> Zy = [[1.0, 4.0], [2.0, 3.0], [3.0, 4.0]]
    >>> round(pearson_sum(Zx, Zy), 6)  # 1 in each dimension
    2.0
    """
    Zx, Zy = _check_codes(Zx, Zy)
    if Zx.shape != Zy.shape:
        raise ValueError(
            "Zx and Zy must have the same number of dimensions, "
            f"got {Zx.shape[1]} and {Zy.shape[1]}."
        )
    return float(column_correlations(Zx, Zy).sum())


def canonical_total(Zx: Rows, Zy: Rows, Zx_train: Rows, Zy_train: Rows) -> float:
    """Total correlation of held-out codes, after a CCA fitted to training codes.

    Linear CCA is fitted to the training codes, and its projections are applied to the
    held-out codes. The result is the sum of the Pearson correlations of the paired
    projections, the "total correlation" of Andrew et al. [1]_. CCA decorrelates the
    dimensions, so redundant codes gain nothing.

    Parameters
    ----------
    Zx, Zy : array-like of shape (n_samples, n_components_x), (n_samples, n_components_y)
        Held-out paired codes.
    Zx_train, Zy_train : array-like of shape (n_train, n_components_x), (n_train, n_components_y)
        Paired codes of the samples from which the representation was learned.

    Returns
    -------
    total : float
        At most min(n_components_x, n_components_y).

    Raises
    ------
    ValueError
        If rows are not paired, held-out and training codes differ in width, any holds
        NaN or infinity, or their squares overflow.

    References
    ----------
    .. [1] Andrew, Arora, Bilmes and Livescu (2013). Deep canonical correlation
       analysis. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.metrics import canonical_total, pearson_sum
    >>> rng = np.random.default_rng(0)
    >>> z = rng.standard_normal((1000, 1))
    >>> Zx, Zy = z + 0.5 * rng.standard_normal((2, 1000, 1))
    >>> twice = np.hstack([Zx, Zx]), np.hstack([Zy, Zy])
    >>> round(pearson_sum(*twice), 1), round(canonical_total(*twice, *twice), 1)
    (1.6, 0.8)
    """  # noqa: E501
    Zx, Zy = _check_codes(Zx, Zy)
    Zx_train, Zy_train = _check_codes(Zx_train, Zy_train)
    for held_out, train in ((Zx, Zx_train), (Zy, Zy_train)):
        if held_out.shape[1] != train.shape[1]:
            raise ValueError(
                "Held-out and training codes must have the same number of dimensions, "
                f"got {held_out.shape[1]} and {train.shape[1]}."
            )
    x_unit, y_unit = _unit(Zx_train), _unit(Zy_train)
    with np.errstate(over="ignore"):
        Zx, Zy = np.ldexp(Zx, x_unit), np.ldexp(Zy, y_unit)
    require_squares(Zx, "Zx in units of Zx_train")
    require_squares(Zy, "Zy in units of Zy_train")
    m = _moments.moments(np.ldexp(Zx_train, x_unit), np.ldexp(Zy_train, y_unit))
    cov = _moments.covariances(m)
    solution = _linalg.cca(cov, min(cov.xy.shape))
    return pearson_sum(
        (Zx - m.x_mean) @ solution.x_weights, (Zy - m.y_mean) @ solution.y_weights
    )


def refitted_canonical_total(Zx: Rows, Zy: Rows) -> float:
    """Sum of the canonical correlations of the given codes themselves.

    CCA is fitted and measured on the same samples. The total therefore grows with the
    number of dimensions even if the codes are independent. With as many dimensions as
    samples it equals the number of dimensions. The CCA row in table 1 of MUC2M is this
    quantity on the test set.

    Parameters
    ----------
    Zx, Zy : array-like of shape (n_samples, n_components_x), (n_samples, n_components_y)
        Paired codes.

    Returns
    -------
    total : float
        Between 0 and min(n_components_x, n_components_y).

    Raises
    ------
    ValueError
        If rows are not paired, hold NaN or infinity, or their squares overflow.

    References
    ----------
    .. [1] Multimodal understanding through correlation maximization and minimization
       (MUC2M), table 1.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl.metrics import refitted_canonical_total
    >>> X, Y = load_linnerud(return_X_y=True)
    >>> round(refitted_canonical_total(X, Y), 4)  # 0.7956 + 0.2006 + 0.0726
    1.0687
    """  # noqa: E501
    Zx, Zy = (np.ldexp(Z, _unit(Z)) for Z in _check_codes(Zx, Zy))
    cov = _moments.covariances(_moments.moments(Zx, Zy))
    return float(_linalg.cca(cov, min(cov.xy.shape)).singular_values.sum())


def effective_rank(Z: Rows) -> float:
    r"""Effective number of dimensions of codes, whatever their units.

    It is :math:`\exp(-\sum_i p_i \log p_i)`, where :math:`p_i` are the singular values
    of the standardised codes divided by their sum [1]_. It is k for k uncorrelated
    dimensions, and 1 for k copies of one dimension. Use it to see how redundant codes
    are.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_components)
        Codes of one view. Constant dimensions are ignored.

    Returns
    -------
    rank : float
        Between 1 and n_components. It is 0 if every dimension is constant.

    Raises
    ------
    ValueError
        If `Z` has fewer than two samples, holds NaN or infinity, or its squares
        overflow.

    References
    ----------
    .. [1] Roy and Vetterli (2007). The effective rank: a measure of effective
       dimensionality. EUSIPCO.

    Examples
    --------
    >>> from skcrl.metrics import effective_rank
    >>> round(effective_rank([[1, 1], [-1, 1], [1, -1], [-1, -1]]), 6)
    2.0
    >>> round(effective_rank([[1, 2], [-1, -2], [0, 0]]), 6)
    1.0
    """
    Z = check_numbers(Z, "Z", ensure_min_samples=2)
    require_squares(Z, "Z")
    Z = unit_columns(Z)
    # The eigenvalues of the small Gram matrix are the squared singular values.
    eigenvalues = np.linalg.eigvalsh(Z.T @ Z if Z.shape[0] > Z.shape[1] else Z @ Z.T)
    noise = len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[-1]
    singular_values = np.sqrt(eigenvalues[eigenvalues > noise])
    p = singular_values / singular_values.sum()
    return float(np.clip(np.exp(-np.sum(p * np.log(p))), 1, len(p))) if len(p) else 0.0


def reconstruction_error(X: Rows, X_reconstructed: Rows) -> float:
    r"""Squared error of a reconstruction as a share of the variance of the data.

    It is :math:`\|X - \hat X\|_F^2 / \|X - \bar X\|_F^2`. It is 0 for a perfect
    reconstruction, and 1 if the mean of each feature is predicted for all samples.

    Parameters
    ----------
    X, X_reconstructed : array-like of shape (n_samples, n_features) or (n_samples,)
        Data and their reconstruction.

    Returns
    -------
    error : float
        At least 0. For data without variance it is 0 if they are reconstructed exactly,
        and 1 otherwise.

    Raises
    ------
    ValueError
        If the shapes differ, the arrays hold NaN or infinity, or squares overflow.

    Examples
    --------
    >>> from skcrl.metrics import reconstruction_error
    >>> reconstruction_error([[0.0], [2.0]], [[0.0], [2.0]])
    0.0
    >>> reconstruction_error([[0.0], [2.0]], [[1.0], [1.0]])
    1.0
    """
    given = X, X_reconstructed
    X = check_numbers(X, "X", ensure_2d=False)
    X_reconstructed = check_numbers(X_reconstructed, "X_reconstructed", ensure_2d=False)
    if X.shape != X_reconstructed.shape:
        raise ValueError(
            "X and X_reconstructed must have the same shape, "
            f"got {X.shape} and {X_reconstructed.shape}."
        )
    check_paired(*given, names=("X", "X_reconstructed"))
    require_squares(X, "X")
    require_squares(X_reconstructed, "X_reconstructed")
    deviations, residuals = centred(X), X - X_reconstructed
    if not deviations.any():
        return float(residuals.any())
    with np.errstate(over="ignore"):
        # Scale to the size of the data, so that small squares do not underflow.
        unit = -np.frexp(abs(deviations).max())[1]
        error = np.sum(np.ldexp(residuals, unit) ** 2)
        error = float(error / np.sum(np.ldexp(deviations, unit) ** 2))
    if not np.isfinite(error):
        raise ValueError(
            "The error overflows float64: the residuals are too large compared with "
            "the variance of X."
        )
    return error


def _check_codes(Zx, Zy):
    codes = [
        check_numbers(Z, name, ensure_min_samples=2)
        for Z, name in ((Zx, "Zx"), (Zy, "Zy"))
    ]
    check_paired(Zx, Zy, ("Zx", "Zy"))
    for Z, name in zip(codes, ("Zx", "Zy"), strict=True):
        require_squares(Z, name)
    return codes


def _unit(Z):
    """Exponent that scales each column to about 1, so that no square underflows."""
    return -np.frexp(abs(Z).max(axis=0))[1]
