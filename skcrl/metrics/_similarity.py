"""Similarity of two representations of the same samples, at once or in batches."""

import warnings
from functools import reduce
from numbers import Real
from typing import NamedTuple, Self

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _get_feature_names

from skcrl import _linalg, _moments
from skcrl._numbers import check_numbers
from skcrl._typing import Rows
from skcrl._views import check_paired
from skcrl.exceptions import DegenerateFitWarning

__all__ = [
    "RepresentationSimilarity",
    "cka",
    "procrustes_distance",
    "pwcca",
    "svcca",
]

_BLOCK_ROWS = 8192
# Smaller shares of the squared norm of a Gram matrix are only rounding error.
_ROUNDING = 1e-12
# A binary exponent that is smaller than that of any number except 0.
_LEAST = -1074

_DEBIASED = {"debiased": ["boolean"]}
_VARIANCE = {"variance": [Interval(Real, 0, 1, closed="right")]}


class _Sums(NamedTuple):
    """Moments of paired rows (u, v) about their means, and sums of squared lengths.

    In the names, d is |u|^2 and e is |v|^2 of each row.
    """

    m: _moments.Moments
    dd: float
    ee: float
    de: float
    du: np.ndarray  # (p,), sum of d u
    dv: np.ndarray  # (q,)
    eu: np.ndarray  # (p,)
    ev: np.ndarray  # (q,)


class RepresentationSimilarity:
    """Similarity of two representations that are passed in batches.

    Use it if representations, such as activations of networks, do not fit into memory.
    Every batch is added to sums. Each method returns the same number as the function of
    the same name for all rows at once. The memory grows with the square of the number
    of columns, or with the number of rows while this is smaller. It does not grow with
    the number of batches.

    Attributes
    ----------
    n_samples : int
        Number of rows so far.

    See Also
    --------
    cka, svcca, pwcca, procrustes_distance : The same measures for two arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.metrics import RepresentationSimilarity, cka
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1000, 20))
    >>> y = np.tanh(X @ rng.standard_normal((20, 30)))
    >>> similarity = RepresentationSimilarity()
    >>> for start in range(0, 1000, 64):
    ...     batch = slice(start, start + 64)
    ...     similarity = similarity.update(X[batch], y[batch])
    >>> similarity.n_samples
    1000
    >>> abs(similarity.cka() - cka(X, y)) < 1e-10
    True
    """

    def __init__(self):
        self.n_samples = 0
        self._origins = None  # first rows; minus these, constant columns are 0
        self._names = None, None  # column names, if data frames were passed
        # Binary exponents of the largest differences from the origins, for both views.
        # The first pair is for all rows, the second is the unit of the sums.
        self._exponents = self._units = (_LEAST, _LEAST)
        self._sums = None
        self._waiting = []  # pairs of arrays of rows that are not yet in the sums

    def update(self, X: Rows, y: Rows) -> Self:
        """Add a batch of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_x)
            First representation.
        y : array-like of shape (n_samples, n_features_y) or (n_samples,)
            Second representation of the same samples.

        Returns
        -------
        self : RepresentationSimilarity
            This object.

        Raises
        ------
        ValueError
            If rows are not paired, or hold NaN or infinity; or if the number or the
            names of the columns differ from earlier batches. Nothing is then added.
        """
        given = X, y
        X = check_numbers(X, "X")
        y = check_numbers(y, "y", ensure_2d=False)
        y = y.reshape(len(y), -1)
        check_paired(*given)
        origins = (X[0], y[0]) if self._origins is None else self._origins
        named = tuple(map(_get_feature_names, given))
        for name, view, origin, new, old in zip(
            "Xy", (X, y), origins, named, self._names, strict=True
        ):
            if view.shape[1] != len(origin):
                raise ValueError(
                    f"{name} has {view.shape[1]} columns, but had {len(origin)} in "
                    "earlier batches."
                )
            if old is not None and new is not None and (new != old).any():
                column = np.flatnonzero(new != old)[0]
                raise ValueError(
                    f"Column {column} of {name} is {new[column]!r}, but was "
                    f"{old[column]!r} in earlier batches. Pass the columns in the same "
                    "order."
                )
        rows = tuple(map(_about_origin, "Xy", (X, y), origins))
        self._origins = tuple(origin.copy() for origin in origins)
        self._names = tuple(
            new if old is None else old
            for old, new in zip(self._names, named, strict=True)
        )
        self._exponents = tuple(map(max, self._exponents, map(_exponent, rows)))
        self._waiting.append(rows)
        self.n_samples += len(X)
        # If there are more rows than columns, the sums take less memory than the rows.
        if sum(len(x) for x, _ in self._waiting) > max(map(len, self._origins)):
            self._sums, self._units = self._added_up(), self._exponents
            self._waiting = []
        return self

    def cka(self, *, debiased: bool = False) -> float:
        """Linear centred kernel alignment of all rows so far, as in :func:`cka`.

        Parameters
        ----------
        debiased : bool, default=False
            Whether to use the unbiased estimate of each term.

        Returns
        -------
        similarity : float
            Between 0 and 1, or between -1 and 1 if debiased.
        """
        validate_parameter_constraints(_DEBIASED, {"debiased": debiased}, "cka")
        sums, _ = self._all_sums(4 if debiased else 2)
        norms = _moments.square_norm(sums.m.xx), _moments.square_norm(sums.m.yy)
        if not debiased:
            return _normalised(_moments.square_norm(sums.m.xy), *norms)
        x_trace, y_trace = np.trace(sums.m.xx), np.trace(sums.m.yy)
        n = sums.m.n
        xy, xx, yy = (
            norm - n / (n - 2) * squares + left * right / ((n - 1) * (n - 2))
            for norm, squares, left, right in (
                (_moments.square_norm(sums.m.xy), sums.de, x_trace, y_trace),
                (norms[0], sums.dd, x_trace, x_trace),
                (norms[1], sums.ee, y_trace, y_trace),
            )
        )
        for name, rest, norm in (("X", xx, norms[0]), ("y", yy, norms[1])):
            if norm > 0 and not rest > _ROUNDING * norm:
                _warn(
                    f"All pairs of rows of {name} are equally similar, so its debiased "
                    "CKA with any other representation is 0."
                )
                return 0.0
        return _normalised(xy, xx, yy)

    def svcca(self, *, variance: float = 0.99) -> float:
        """SVCCA of all rows so far, as in :func:`svcca`.

        Parameters
        ----------
        variance : float in (0, 1], default=0.99
            Share of the variance of each representation that is kept.

        Returns
        -------
        similarity : float
            Between 0 and 1.
        """
        validate_parameter_constraints(_VARIANCE, {"variance": variance}, "svcca")
        sums, _ = self._all_sums()
        x_axes, y_axes = (_axes(sums.m.xx, variance), _axes(sums.m.yy, variance))
        k = min(x_axes.shape[1], y_axes.shape[1])
        if k == 0:
            return 0.0
        self._warn_without_freedom(x_axes.shape[1], y_axes.shape[1])
        T = x_axes.T @ sums.m.xy @ y_axes
        return float(np.linalg.svdvals(T).clip(0, 1).mean())

    def pwcca(self) -> float:
        """Projection-weighted CCA of all rows so far, as in :func:`pwcca`.

        Returns
        -------
        similarity : float
            Between 0 and 1.
        """
        sums, x_basis = self._all_sums()
        cov = _moments.covariances(sums.m)
        if sum(cov.xy.shape) > self.n_samples - 1:
            self._warn_without_freedom(_rank(cov.xx), _rank(cov.yy))
        solution = _linalg.cca(cov, min(cov.xy.shape))
        if solution.rank == 0:
            return 0.0
        shared = cov.xx @ solution.x_weights[:, : solution.rank]
        if x_basis is not None:
            shared = x_basis @ shared
        weights = abs(shared).sum(axis=0)
        correlations = solution.singular_values[: solution.rank]
        # By rounding, a mean of ones may be larger than 1.
        return min(1.0, float(correlations @ weights / weights.sum()))

    def procrustes_distance(self) -> float:
        """Procrustes distance of all rows so far, as in :func:`procrustes_distance`.

        Returns
        -------
        distance : float
            Between 0 and 2.
        """
        sums, _ = self._all_sums()
        nuclear = np.linalg.svdvals(sums.m.xy).sum()
        aligned = _normalised(nuclear, np.trace(sums.m.xx), np.trace(sums.m.yy))
        return float(2 - 2 * aligned)

    def _all_sums(self, n_least=2):
        """Sums of all rows, and the basis (p, n) of X if it was narrowed."""
        if self.n_samples < n_least:
            raise ValueError(
                f"This similarity needs at least {n_least} rows, got {self.n_samples}."
            )
        x_basis = None
        if self._sums is None:
            # There are fewer rows than columns: use narrower views with the same inner
            # products.
            X, y = map(_in_units, self._rows(), self._exponents)
            X, x_basis = _narrowed(X)
            sums = _summed(X, _narrowed(y)[0], (0, 0))
        else:
            sums = self._added_up()
        for name, products in (("X", sums.m.xx), ("y", sums.m.yy)):
            if not products.any():
                _warn(
                    f"{name} is constant, so its similarity to anything is 0. Pass a "
                    "representation that varies between samples."
                )
        return sums, x_basis

    def _added_up(self):
        """The sums including the waiting rows, in units for all rows."""
        sums = self._sums
        if sums is not None and self._units != self._exponents:
            sums = _rescaled(sums, *np.subtract(self._units, self._exponents))
        if not self._waiting:
            return sums
        X, y = self._rows()
        waiting = _summed(X, y, self._exponents)
        return waiting if sums is None else _merged(sums, waiting)

    def _rows(self):
        """All waiting rows of both representations."""
        if len(self._waiting) == 1:
            return self._waiting[0]
        return tuple(map(np.concatenate, zip(*self._waiting, strict=True)))

    def _warn_without_freedom(self, x_rank, y_rank):
        n_free = self.n_samples - 1
        if x_rank + y_rank > n_free:
            _warn(
                f"The representations vary in {x_rank} and {y_rank} directions, but "
                f"the rows leave only {n_free} degrees of freedom, so the first "
                "canonical correlations are 1 for any data. Pass more rows, or use "
                "cka(debiased=True)."
            )


def cka(X: Rows, y: Rows, *, debiased: bool = False) -> float:
    r"""Linear centred kernel alignment of two representations of the same samples.

    For centred columns it is
    :math:`\|X^\top Y\|_F^2 / (\|X^\top X\|_F \|Y^\top Y\|_F)` [1]_. This is the cosine
    of the Gram matrices :math:`XX^\top` and :math:`YY^\top`. It does not change if a
    representation is rotated, or multiplied by a number. It changes if some directions
    are stretched more than others.

    If there are many more columns than rows, CKA is close to 1 even for independent
    representations, because every Gram matrix is then nearly diagonal. `debiased`
    leaves out the diagonals: each of the three terms is the unbiased estimate of the
    Hilbert-Schmidt independence criterion by Song et al. [2]_. Use it if there are few
    samples [4]_. Let :math:`d_i` and :math:`e_i` be the squared lengths of the centred
    rows. Up to the factor :math:`n (n - 3)`, the estimate of the first term is

    .. math:: \|X^\top Y\|_F^2 - \frac{n}{n-2} \sum_i d_i e_i
              + \frac{\sum_i d_i \sum_i e_i}{(n-1)(n-2)},

    so only sums over rows are needed. Averages over minibatches [3]_ approximate the
    exact result for all rows that is computed here.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First representation. Activations of a convolution must have one row for each
        sample: average the positions, or put them side by side.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second representation of the same samples.
    debiased : bool, default=False
        Whether to use the unbiased estimate of each term, which needs at least 4
        samples.

    Returns
    -------
    similarity : float
        Between 0 and 1. If debiased it is between -1 and 1, and close to 0 for
        independent representations. If a representation is constant, it is 0, with a
        warning.

    Raises
    ------
    ValueError
        If rows are not paired or too few, or hold NaN or infinity.

    See Also
    --------
    RepresentationSimilarity : The same measure for batches.
    svcca, pwcca : Measures that invertible linear maps do not change.
    procrustes_distance : A distance after the best rotation.

    References
    ----------
    .. [1] Kornblith, Norouzi, Lee and Hinton (2019). Similarity of neural network
       representations revisited. ICML, equation 4.
    .. [2] Song, Smola, Gretton, Bedo and Borgwardt (2012). Feature selection via
       dependence maximization. JMLR 13, the unbiased estimator.
    .. [3] Nguyen, Raghu and Kornblith (2021). Do wide and deep networks learn the same
       things? ICLR, the minibatch estimator.
    .. [4] Murphy, Zylberberg and Fyshe (2024). Correcting biased centered kernel
       alignment measures in biological and artificial neural networks. Re-Align
       workshop, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.metrics import cka
    >>> X, y = np.random.default_rng(0).standard_normal((2, 30, 2000))  # independent
    >>> round(cka(X, y), 2), abs(cka(X, y, debiased=True)) < 0.05
    (0.99, True)
    >>> round(cka(X, 3 * X[:, ::-1], debiased=True), 6)
    1.0
    """
    return RepresentationSimilarity().update(X, y).cka(debiased=debiased)


def svcca(X: Rows, y: Rows, *, variance: float = 0.99) -> float:
    """Singular vector canonical correlation analysis of two representations.

    Each representation is reduced to its leading principal components, which keep the
    share `variance` of its variance. The similarity is the mean of the canonical
    correlations of the reduced representations [1]_. It does not change if a
    representation is rotated, or multiplied by a number. With `variance` 1 it does not
    change under any invertible linear map.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First representation.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second representation of the same samples.
    variance : float in (0, 1], default=0.99
        Share of the variance of each representation that is kept.

    Returns
    -------
    similarity : float
        Between 0 and 1. If a representation is constant, it is 0, with a warning. If
        both keep n_samples - 1 components, the most that the samples allow, it is 1 for
        any data. There is a warning if the numbers of components add up to more than
        n_samples - 1, because the first canonical correlations are then 1.

    Raises
    ------
    ValueError
        If `variance` is out of range, or rows are not paired, fewer than two, or hold
        NaN or infinity.

    See Also
    --------
    RepresentationSimilarity : The same measure for batches.

    References
    ----------
    .. [1] Raghu, Gilmer, Yosinski and Sohl-Dickstein (2017). SVCCA: singular vector
       canonical correlation analysis for deep learning dynamics and interpretability.
       NeurIPS, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.metrics import svcca
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 3))
    >>> round(svcca(X, X @ rng.standard_normal((3, 5)), variance=1.0), 6)
    1.0
    """
    return RepresentationSimilarity().update(X, y).svcca(variance=variance)


def pwcca(X: Rows, y: Rows) -> float:
    r"""Projection-weighted canonical correlation of two representations.

    It is the mean of the canonical correlations :math:`\rho_i` with the weights
    :math:`\alpha_i = \sum_j |\langle h_i, z_j \rangle|`. Here :math:`h_i` are the
    canonical variates of the first representation, and :math:`z_j` are its columns
    [1]_. So directions that explain little of the first representation have a small
    weight. The measure is not symmetric: swap the arguments to take weights from the
    other representation. Invertible linear maps of `y` do not change it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First representation, which gives the weights.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second representation of the same samples.

    Returns
    -------
    similarity : float
        Between 0 and 1. If a representation is constant, it is 0, with a warning. There
        is also a warning if the ranks add up to more than n_samples - 1, because the
        first canonical correlations are then 1 for any data.

    Raises
    ------
    ValueError
        If rows are not paired, fewer than two, or hold NaN or infinity.

    See Also
    --------
    RepresentationSimilarity : The same measure for batches.

    References
    ----------
    .. [1] Morcos, Raghu and Bengio (2018). Insights on representational similarity in
       neural networks with canonical correlation. NeurIPS, projection weighting.

    Examples
    --------
    >>> import numpy as np
    >>> from skcrl.metrics import pwcca, svcca
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 4)) * [10, 1, 1, 1]
    >>> y = np.column_stack([X[:, 0], rng.standard_normal((500, 3))])
    >>> pwcca(X, y) > svcca(X, y, variance=1.0)  # what they share is most of X
    True
    """
    return RepresentationSimilarity().update(X, y).pwcca()


def procrustes_distance(X: Rows, y: Rows) -> float:
    r"""Squared distance of two representations after the best rotation.

    Both representations are centred and divided by their Frobenius norm. The distance
    is :math:`\min_{R^\top R = I} \|X - Y R\|_F^2 = 2 - 2 \|X^\top Y\|_*`, where
    :math:`\|\cdot\|_*` is the nuclear norm, the sum of the singular values [1]_. If one
    representation is narrower, columns of zeros are added to it; they do not change the
    formula. The square root of the distance satisfies the triangle inequality, and so
    does :math:`\arccos \|X^\top Y\|_*` [2]_.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features_x)
        First representation.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second representation of the same samples.

    Returns
    -------
    distance : float
        Between 0 and 2. It is 0 for representations that differ only by a rotation, a
        scale and a shift, and 2 for representations that have nothing in common. If a
        representation is constant, it is 2, with a warning.

    Raises
    ------
    ValueError
        If rows are not paired, fewer than two, or hold NaN or infinity.

    See Also
    --------
    RepresentationSimilarity : The same measure for batches.

    References
    ----------
    .. [1] Ding, Denain and Steinhardt (2021). Grounding representation similarity with
       statistical testing. NeurIPS.
    .. [2] Williams, Kunz, Kornblith and Linderman (2021). Generalized shape metrics on
       neural representations. NeurIPS.

    Examples
    --------
    >>> from skcrl.metrics import procrustes_distance
    >>> square = [[0, 0], [0, 1], [1, 1], [1, 0]]
    >>> diamond = [[0, -2], [-2, 0], [0, 2], [2, 0]]  # turned, doubled and moved
    >>> abs(round(procrustes_distance(square, diamond), 12))
    0.0
    """
    return RepresentationSimilarity().update(X, y).procrustes_distance()


def _about_origin(name, view, origin):
    """Rows minus the origin; a ValueError if they overflow."""
    with np.errstate(over="ignore"):
        rows = view - origin
    if not np.isfinite(rows).all():
        raise ValueError(
            f"Differences of rows of {name} overflow float64. Scale {name} down."
        )
    return rows


def _exponent(rows):
    """Binary exponent of the largest number."""
    largest = max(rows.max(), -rows.min())
    return int(np.frexp(largest)[1]) if largest > 0 else _LEAST


def _in_units(rows, exponent):
    return np.ldexp(rows, -exponent)


def _rescaled(sums, x, y):
    """Sums for rows u multiplied by 2^x and rows v multiplied by 2^y."""
    m, dd, ee, de, du, dv, eu, ev = sums
    return _Sums(
        _moments.Moments(
            m.n,
            np.ldexp(m.x_mean, x),
            np.ldexp(m.y_mean, y),
            np.ldexp(m.xx, 2 * x),
            np.ldexp(m.yy, 2 * y),
            np.ldexp(m.xy, x + y),
        ),
        np.ldexp(dd, 4 * x),
        np.ldexp(ee, 4 * y),
        np.ldexp(de, 2 * (x + y)),
        np.ldexp(du, 3 * x),
        np.ldexp(dv, 2 * x + y),
        np.ldexp(eu, x + 2 * y),
        np.ldexp(ev, 3 * y),
    )


def _summed(X, y, units):
    """Sums of paired rows in these units, block by block."""
    blocks = [slice(i, i + _BLOCK_ROWS) for i in range(0, len(X), _BLOCK_ROWS)]
    return reduce(
        _merged,
        (
            _block_sums(_in_units(X[b], units[0]), _in_units(y[b], units[1]))
            for b in blocks
        ),
    )


def _block_sums(X, y):
    m = _moments.moments(X, y)
    u, v = X - m.x_mean, y - m.y_mean
    d, e = (np.einsum("ij,ij->i", view, view) for view in (u, v))
    return _Sums(m, d @ d, e @ e, d @ e, d @ u, d @ v, e @ u, e @ v)


def _merged(a, b):
    """Sums of the union of two disjoint sets of rows."""
    m = _moments.merge_moments(a.m, b.m)
    a, b = (_about(sums, m.x_mean, m.y_mean) for sums in (a, b))
    return _Sums(m, *map(np.add, a[1:], b[1:]))


def _about(sums, x_mean, y_mean):
    """Sums of squared lengths of the same rows about other means.

    If the mean of u changes by -a, u becomes u + a and d becomes d + 2 a'u + a'a. The
    sums of u and of v are 0.
    """
    m = sums.m
    a, b = m.x_mean - x_mean, m.y_mean - y_mean
    aa, bb, d, e = a @ a, b @ b, np.trace(m.xx), np.trace(m.yy)
    xx_a, yy_b, xy_b, yx_a = m.xx @ a, m.yy @ b, m.xy @ b, m.xy.T @ a
    return sums._replace(
        dd=sums.dd + 4 * a @ (sums.du + xx_a) + 2 * aa * d + m.n * aa**2,
        ee=sums.ee + 4 * b @ (sums.ev + yy_b) + 2 * bb * e + m.n * bb**2,
        de=(
            sums.de
            + 2 * (b @ sums.dv + a @ sums.eu)
            + 4 * a @ xy_b
            + bb * d
            + aa * e
            + m.n * aa * bb
        ),
        du=sums.du + 2 * xx_a + (d + m.n * aa) * a,
        dv=sums.dv + 2 * yx_a + (d + m.n * aa) * b,
        eu=sums.eu + 2 * xy_b + (e + m.n * bb) * a,
        ev=sums.ev + 2 * yy_b + (e + m.n * bb) * b,
    )


def _narrowed(view):
    """A view of n rows reduced to at most n columns, and the basis (p, n) of these.

    The inner products of the centred rows do not change.
    """
    if view.shape[1] <= len(view):
        return view, None
    basis, lower = np.linalg.qr((view - view.mean(axis=0)).T)
    return lower.T, basis


def _axes(products, variance):
    """Whitened leading principal axes (p, k) that keep this share of the variance."""
    values, vectors = np.linalg.eigh(products)
    values, vectors = values[::-1], vectors[:, ::-1]
    rounding = 10 * len(values) * np.finfo(np.float64).eps
    resolved = int((values > rounding * values[0]).sum())
    wanted = variance * values[:resolved].sum()
    enough = 1 + int(np.searchsorted(np.cumsum(values[:resolved]), wanted))
    k = min(enough, resolved)
    return vectors[:, :k] * values[:k] ** -0.5


def _rank(cov):
    """Rank of a covariance, which does not depend on the units of its columns."""
    scale = _linalg.unit_scale(cov.diagonal())
    return _axes(cov * scale[:, None] * scale, 1.0).shape[1]


def _normalised(product, x_square, y_square):
    """Cosine from a product and two squared lengths; 0 if one of these is 0."""
    if not (x_square > 0 and y_square > 0):
        return 0.0
    return float(np.clip(product / (x_square**0.5 * y_square**0.5), -1.0, 1.0))


def _warn(message):
    warnings.warn(message, DegenerateFitWarning, stacklevel=3)
