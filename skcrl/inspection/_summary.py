"""Summary of a canonical correlation analysis: loadings, redundancy, coefficients."""

from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils._param_validation import HasMethods, validate_params

from skcrl._arrays import to_numpy
from skcrl._columns import centred, column_correlations, unit_columns
from skcrl._numbers import require_squares
from skcrl._repr import short_repr
from skcrl._typing import Rows
from skcrl.base import TwoViewTransformer
from skcrl.inspection._beside import (
    adjusted_columns,
    codes_beside,
    covariates_in_memory,
)
from skcrl.inspection._canonical import check_arrays
from skcrl.inspection._results import (
    component_names,
    data_frame,
    feature_names,
)
from skcrl.inspection._tables import table

# A code counts as explained if what is left of it is shorter than this share of it.
_ROUNDING = 1e-6


class ViewSummary(NamedTuple):
    """One view in a :class:`CanonicalSummary`.

    Attributes
    ----------
    names : ndarray of str of shape (n_features,)
        Names of the columns.
    coefficients : ndarray of shape (n_features, n_components) or None
        Standardised coefficients: the change of a code, in its standard deviations, if
        a column increases by one of its own standard deviations. None if the codes are
        not linear combinations of the columns, or if the columns do not determine the
        coefficients.
    loadings : ndarray of shape (n_features, n_components)
        Canonical structure: correlations of the columns with the codes of their own
        view.
    cross_loadings : ndarray of shape (n_features, n_components)
        Correlations of the columns with the codes of the other view.
    multiple : ndarray of shape (n_features, n_components)
        Squared multiple correlation of each column with the codes of the other view up
        to this component.
    adequacy : ndarray of shape (n_components,)
        Share of the variance of the columns that a code of their own view explains: the
        mean of the squared loadings.
    redundancy : ndarray of shape (n_components,)
        Share of this variance that the code of the other view explains: the mean of the
        squared cross-loadings, which is the index of Stewart and Love.
    total_adequacy, total_redundancy : ndarray of shape (n_components,)
        The same for all codes up to this one together.
    raw_adequacy, raw_redundancy : ndarray of shape (n_components,)
        The same shares for the variance in the original units, where columns with a
        large variance count more.
    """

    names: np.ndarray
    coefficients: np.ndarray | None
    loadings: np.ndarray
    cross_loadings: np.ndarray
    multiple: np.ndarray
    adequacy: np.ndarray
    redundancy: np.ndarray
    total_adequacy: np.ndarray
    total_redundancy: np.ndarray
    raw_adequacy: np.ndarray
    raw_redundancy: np.ndarray

    def __repr__(self):
        return short_repr(self)


class CanonicalSummary(NamedTuple):
    """What :func:`summary` returns; ``print`` and notebooks show it as tables.

    Attributes
    ----------
    correlations : ndarray of shape (n_components,)
        Correlations of the codes of the two views.
    x, y : ViewSummary
        Coefficients, loadings and explained variance of each view.
    component_names : ndarray of str of shape (n_components,)
        Names of the components.
    """

    correlations: np.ndarray
    x: ViewSummary
    y: ViewSummary
    component_names: np.ndarray

    def __repr__(self):
        return short_repr(self)

    def __str__(self):
        return "\n\n".join(part.text() for part in self._tables())

    def _repr_html_(self):
        return "".join(part.html() for part in self._tables())

    def to_frame(self, part: Literal["components", "x", "y"] = "components") -> Any:
        """Return the summary as a data frame.

        Parameters
        ----------
        part : {"components", "x", "y"}, default="components"
            "components" gives one row per component, with its correlation and the
            shares of variance of both views. "x" and "y" give one row per column and
            component of that view.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by the names of components, or of columns and components.

        Raises
        ------
        ImportError
            If pandas is not installed.
        ValueError
            If there is no such part.
        """
        if part == "components":
            r = self.correlations
            columns = {"correlation": r, "squared": r**2}
            for side in ("x", "y"):
                view = getattr(self, side)
                columns |= {f"{side}_{name}": getattr(view, name) for name in _SHARES}
            return data_frame(columns, self.component_names)
        if part not in ("x", "y"):
            raise ValueError(f"part must be 'components', 'x' or 'y', got {part!r}.")
        view = getattr(self, part)
        columns = {
            name: getattr(view, name).ravel()
            for name in _OF_COLUMNS
            if getattr(view, name) is not None
        }
        return data_frame(columns, list(product(view.names, self.component_names)))

    def _tables(self):
        components, r = list(self.component_names), self.correlations
        tables = [
            table(
                "Correlations of the codes of X and y",
                components,
                ["correlation", "squared"],
                np.column_stack([r, r**2]),
                "to_frame()",
            )
        ]
        for side, other in (("X", "y"), ("y", "X")):
            view = self.x if side == "X" else self.y
            for kind, columns in _SHARES_OF.items():
                tables.append(
                    table(
                        f"Share of the {kind} of {side} explained by the codes of "
                        f"{side} (adequacy) and of {other} (redundancy)",
                        components,
                        [name.replace("_", " ") for name in columns],
                        np.column_stack([getattr(view, name) for name in columns]),
                        "to_frame()",
                    )
                )
            for name, title in _OF_COLUMNS.items():
                if getattr(view, name) is not None:
                    tables.append(
                        table(
                            title.format(side=side, other=other),
                            list(view.names),
                            components,
                            getattr(view, name),
                            f"to_frame({side.lower()!r})",
                        )
                    )
        return tables


# Shares of variance, in the tables that show them.
_SHARES_OF = {
    "standardised variance": (
        "adequacy",
        "total_adequacy",
        "redundancy",
        "total_redundancy",
    ),
    "raw variance": ("raw_adequacy", "raw_redundancy"),
}
_SHARES = sum(_SHARES_OF.values(), ())
_OF_COLUMNS = {
    "coefficients": "Standardised coefficients of {side}: change of a code, in "
    "standard deviations, per standard deviation of the column",
    "loadings": "Loadings: correlations of columns of {side} with codes of {side}",
    "cross_loadings": "Cross-loadings: correlations of columns of {side} with codes of "
    "{other}",
    "multiple": "Squared multiple correlations of columns of {side} with all codes of "
    "{other} up to this one",
}


@validate_params(
    {
        "estimator": [HasMethods(["transform_pair"])],
        "X": ["array-like"],
        "y": ["array-like"],
        "covariates": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def summary(
    estimator: TwoViewTransformer, X: Rows, y: Rows, *, covariates: Rows | None = None
) -> CanonicalSummary:
    """Loadings, cross-loadings, redundancy and standardised coefficients of a fit.

    Use it to report a canonical correlation analysis: it computes what PROC CANCORR of
    SAS and candisc of R print [1]_, for any fitted two-view estimator. Everything is
    computed from the given rows. Training rows describe the fit itself, and their
    figures are too large for other rows; held-out rows show what generalises.

    If codes correlate with each other, as those of a penalised fit, of a network or of
    held-out rows, the shares of single components overlap and do not add up. The totals
    come from regressions on all codes up to a component, so they are correct.

    Parameters
    ----------
    estimator : two-view estimator
        Fitted two-view estimator. Its codes need not be linear in the columns: loadings
        are correlations.
    X : array-like of shape (n_samples, n_features_x)
        First view. Names of columns are taken from a data frame.
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
        Second view, paired with `X`.
    covariates : array-like of shape (n_samples, n_covariates) or None, default=None
        Covariates of these rows, if there were any in ``fit``. Everything is then
        computed from columns without the effect of the covariates, as PROC CANCORR
        does after a PARTIAL statement. If the estimator adjusts one view only, the
        columns of the other stay as they are.

    Returns
    -------
    summary : CanonicalSummary
        Named tuple of `correlations`, of `x` and `y`, each with `coefficients`,
        `loadings`, `cross_loadings`, `multiple`, `adequacy`, `redundancy` and their
        totals, and of `component_names`. ``print`` and notebooks show tables; its
        method `to_frame` returns data frames.

    Raises
    ------
    ValueError
        If the views or covariates are not finite numbers with paired rows, or do not
        have the columns to which the estimator was fitted; or if there were covariates
        in ``fit`` and not here, or the reverse.

    See Also
    --------
    bootstrap_intervals : Intervals of correlations and loadings.
    multivariate_tests : The tests that the same programs print.

    Notes
    -----
    The effect of covariates on the columns is the one that ``fit`` estimated, also for
    new rows. If the steps of a pipeline change the columns, this effect is not known,
    and it is estimated from the given rows by least squares.

    Signs of components are those of the estimator, and other programs may have all of
    them the other way round. Constant columns have loadings of 0, and are not counted
    in the shares.

    References
    ----------
    .. [1] Stewart and Love (1968). A general canonical correlation index. Psychological
       Bulletin 70.

    Examples
    --------
    >>> from sklearn.datasets import load_linnerud
    >>> from skcrl import LinearCCA
    >>> from skcrl.inspection import summary
    >>> exercise, physiology = load_linnerud(return_X_y=True, as_frame=True)
    >>> cca = LinearCCA(2, reg=0).fit(physiology, exercise)
    >>> report = summary(cca, physiology, exercise)
    >>> report.x.redundancy.round(4)
    array([0.2854, 0.0099])
    >>> report.to_frame("x").round(4).loc["Waist"]
                coefficients  loadings  cross_loadings  multiple
    linearcca0        1.5793    0.9254          0.7363    0.5421
    linearcca1       -1.1806    0.3777          0.0757    0.5478

    The same without the effect of the pulse:

    >>> pulse, body = physiology[["Pulse"]], physiology[["Weight", "Waist"]]
    >>> partial = LinearCCA(2, reg=0).fit(body, exercise, covariates=pulse)
    >>> summary(partial, body, exercise, covariates=pulse).x.redundancy.round(4)
    array([0.3515, 0.0168])
    """
    given = X, y
    if covariates is not None:
        checked = covariates_in_memory(covariates, X, y)
    X, y = check_arrays(X, y)
    for name, view in (("X", X), ("y", y)):
        require_squares(view, name)
    codes = codes_beside(estimator, *given, covariates, "summary")
    Zx, Zy = (np.asarray(Z, np.float64) for Z in codes)
    if covariates is not None:
        X, y = (
            adjusted_columns(estimator, side, view, checked)
            for side, view in (("x", X), ("y", y))
        )
    return CanonicalSummary(
        column_correlations(Zx, Zy),
        _view_summary(estimator, "x", given[0], X, Zx, Zy),
        _view_summary(estimator, "y", given[1], y, Zy, Zx),
        component_names(estimator, Zx.shape[1]),
    )


def _view_summary(estimator, side, given, view, Z, other):
    """Summary of a view with its own codes and those of the other."""
    columns = unit_columns(view)
    loadings, cross_loadings = (
        columns.T @ unit_columns(Z),
        columns.T @ unit_columns(other),
    )
    own, multiple = (
        np.cumsum((columns.T @ _in_turn(codes)) ** 2, axis=1) for codes in (Z, other)
    )
    alike = columns.any(axis=0) / max(1, columns.any(axis=0).sum())
    variances = np.mean(centred(view) ** 2, axis=0)
    raw = variances / max(variances.sum(), np.finfo(np.float64).tiny)
    return ViewSummary(
        feature_names(side, given, view),
        _coefficients(estimator, side, view, Z),
        loadings,
        cross_loadings,
        multiple,
        alike @ loadings**2,
        alike @ cross_loadings**2,
        alike @ own,
        alike @ multiple,
        raw @ loadings**2,
        raw @ cross_loadings**2,
    )


def _coefficients(estimator, side, view, Z):
    """Standardised coefficients, or None if the columns alone do not give the codes."""
    columns, codes = unit_columns(view), unit_columns(Z)
    weights = getattr(estimator, f"{side}_weights_", None)
    if weights is not None and weights.shape == (view.shape[1], Z.shape[1]):
        lengths, units = (
            np.linalg.norm(centred(entries), axis=0) for entries in (view, Z)
        )
        weights = to_numpy(weights) * lengths[:, None] / np.where(units > 0, units, 1)
        if _give(columns, weights, codes):
            return weights
    if view.shape[1] < len(view):
        # Codes may be linear in the columns without such weights, for example after
        # steps such as a StandardScaler.
        weights, _, rank, _ = np.linalg.lstsq(columns, codes)
        if rank == view.shape[1] and _give(columns, weights, codes):
            return weights
    return None


def _give(columns, weights, codes):
    """Whether the columns with these weights give the codes."""
    return bool((np.linalg.norm(codes - columns @ weights, axis=0) < _ROUNDING).all())


def _in_turn(Z):
    """What each code adds to those before it, scaled to length 1, or 0 if nothing."""
    Z = unit_columns(Z)
    basis = np.zeros_like(Z)
    for j, code in enumerate(Z.T):
        for _ in range(2):  # the second pass removes the rounding error of the first
            code = code - basis @ (basis.T @ code)
        length = np.linalg.norm(code)
        if length > _ROUNDING:
            basis[:, j] = code / length
    return basis
