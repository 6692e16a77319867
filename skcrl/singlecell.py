"""Two-view learning on AnnData and MuData, without importing these packages.

Any object with ``X``, ``layers``, ``obsm``, ``obs_names`` and ``var_names`` works.
Values are used as they are: transform counts to logarithms of counts per 10,000 first.
"""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.validation import check_array

from skcrl._columns import unit_rows
from skcrl._views import kind_of
from skcrl.linear._diagonal import diagonal_cca, row_moments

__all__ = ["align", "embed"]

_ESTIMATOR = {"estimator": [HasMethods(["transform_y", "transform_joint"])]}


class Alignment(NamedTuple):
    """What :func:`align` returns.

    Attributes
    ----------
    genes : ndarray of str of shape (n_genes,)
        Genes that were used, in their order in the first data set.
    singular_values : ndarray of shape (n_components,)
        Strength of each component, relative to the first.
    """

    genes: np.ndarray
    singular_values: np.ndarray


@validate_params(
    {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "weighted": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def align(
    x: Any,
    y: Any,
    n_components: int = 30,
    *,
    x_layer: str | None = None,
    y_layer: str | None = None,
    weighted: bool = True,
    key_added: str = "X_cca",
) -> Alignment:
    r"""Embed the cells of two data sets in one space, by the genes that both measure.

    Use it to integrate two data sets of different cells. Here genes are the samples,
    and the cells of each data set are the columns of a view. First each gene is scaled
    to mean 0 and variance 1 within its data set, which removes differences between the
    batches that all cells share. Then each cell is scaled over the genes, as in Seurat
    [1]_. With the resulting matrices :math:`A` and :math:`B` of genes by cells, the
    codes of the cells are the leading singular vectors in
    :math:`A^\top B \approx U \operatorname{diag}(s) V^\top`, those of linear CCA with
    ``shrinkage=1``. Codes have length one; compare them by their cosine. Cells that
    :func:`~skcrl.retrieval.mutual_nearest_neighbors` pairs are the anchors of [2]_.

    Sparse data stay sparse: the matrices :math:`A` and :math:`B` are never computed.

    Parameters
    ----------
    x, y : AnnData
        Data sets of n_x and n_y cells. Genes are matched by ``var_names``, in the order
        of `x`. Genes that are in one data set only, or that do not vary in one, are
        left out. Pass about 2,000 of the most variable genes: the time grows with the
        cube of their number.
    n_components : int, default=30
        Number of components, less than the number of genes.
    x_layer, y_layer : str or None, default=None
        Layer to use instead of ``X``, for example logarithms of counts per 10,000.
    weighted : bool, default=True
        Whether to multiply each component by its singular value before codes are scaled
        to length one. Then components of noise have almost no influence. Seurat does
        not do this, so one component too many counts there as much as the first.
    key_added : str, default="X_cca"
        Name under which the codes are stored: ``x.obsm[key_added]`` of shape (n_x,
        n_components) and ``y.obsm[key_added]`` of shape (n_y, n_components), in float32
        if the data are in float32.

    Returns
    -------
    alignment : Alignment
        The genes that were used, and the strength of each component.

    Raises
    ------
    ValueError
        If the data are not finite numbers, if two genes have the same name, if a layer
        does not exist, if fewer than two genes vary in both data sets, or if
        `n_components` is not less than their number or is above the number of cells of
        a data set. Nothing is then changed.

    References
    ----------
    .. [1] Butler, Hoffman, Smibert, Papalexi and Satija (2018). Integrating single-cell
       transcriptomic data across different conditions, technologies, and species.
       Nature Biotechnology 36.
    .. [2] Stuart, Butler, Hoffman et al. (2019). Comprehensive integration of
       single-cell data. Cell 177.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from skcrl.singlecell import align
    >>> rng = np.random.default_rng(0)
    >>> types = rng.standard_normal((3, 100))  # three types of cells, 100 genes
    >>> def cells(n):  # AnnData(values) does the same
    ...     values = types[rng.integers(0, 3, n)] + rng.standard_normal((n, 100))
    ...     names = [f"gene {i}" for i in range(100)]
    ...     return SimpleNamespace(X=values, var_names=names, layers={}, obsm={})
    >>> x, y = cells(60), cells(80)
    >>> align(x, y, 4).singular_values.round(1)
    array([1. , 0.8, 0.1, 0.1])
    >>> x.obsm["X_cca"].shape, y.obsm["X_cca"].shape
    ((60, 4), (80, 4))
    """
    X, Y = _values(x, x_layer, "x"), _values(y, y_layer, "y")
    x_place, y_place = _places(x.var_names, "x"), _places(y.var_names, "y")
    shared = [name for name in x_place if name in y_place]
    if not shared:
        raise ValueError(
            "x and y have no gene in common: the first gene of x is "
            f"{next(iter(x_place))!r}, the first of y {next(iter(y_place))!r}. Genes "
            "are matched by var_names: use the same kind of names in both."
        )
    X = _columns(X, [x_place[name] for name in shared])
    Y = _columns(Y, [y_place[name] for name in shared])
    varies = np.logical_and(*(row_moments(view.T)[1] > 0 for view in (X, Y)))
    X, Y = (_columns(view, np.flatnonzero(varies)) for view in (X, Y))
    if X.shape[1] < 2:
        raise ValueError(
            f"x and y have {len(shared)} genes in common, of which {X.shape[1]} vary "
            "in both, but at least 2 are needed."
        )
    bound = min(X.shape[1] - 1, X.shape[0], Y.shape[0])
    if n_components > bound:
        raise ValueError(
            f"`n_components` must be at most {bound}, got {n_components}: "
            f"{X.shape[1]} genes vary in both x and y, and they have {X.shape[0]} and "
            f"{Y.shape[0]} cells."
        )
    left, singular_values, right = diagonal_cca(X.T, Y.T, n_components)
    for data, view, codes in ((x, X, left), (y, Y, right)):
        if weighted:
            codes *= singular_values
        data.obsm[key_added] = unit_rows(codes, out=codes).astype(view.dtype)
    return Alignment(np.array(shared)[varies], singular_values)


def embed(
    mdata: Any,
    estimator: Any,
    x: str = "rna",
    y: str = "prot",
    *,
    x_layer: str | None = None,
    y_layer: str | None = None,
    key_added: str = "X_cca",
) -> Any:
    """Fit a two-view estimator to two modalities of the same cells, and keep the codes.

    Cells are matched by their names. The estimator is fitted to the cells that have
    both modalities. Then every cell gets a code for each modality that it has.

    Parameters
    ----------
    mdata : MuData
        Data with the modalities in ``mdata.mod``.
    estimator : two-view estimator
        Two-view estimator, such as :class:`~skcrl.LinearCCA`, or a
        :class:`~skcrl.ViewPipeline` with preprocessing steps such as scaling. This
        object itself is fitted.
    x, y : str, default="rna", "prot"
        Names of the modalities that are the first and the second view.
    x_layer, y_layer : str or None, default=None
        Layer to use instead of ``X``.
    key_added : str, default="X_cca"
        Name under which the codes are stored. ``mdata.mod[x].obsm[key_added]`` has the
        codes of the first view, and ``mdata.mod[y].obsm[key_added]`` those of the
        second. ``mdata.obsm[key_added]`` has the joint codes by ``transform_joint``,
        computed from one modality for cells that miss the other, and NaN for cells that
        have neither.

    Returns
    -------
    estimator : two-view estimator
        The given estimator, fitted. ``estimator.transform`` encodes the first modality
        of new cells, which must have the same columns as `mdata` in the same order.

    Raises
    ------
    ValueError
        If a modality or a layer does not exist, two cells have the same name, fewer
        than two cells have both modalities, or the estimator refuses the data. Nothing
        is then changed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from skcrl import LinearCCA
    >>> from skcrl.singlecell import embed
    >>> rng = np.random.default_rng(0)
    >>> state = rng.standard_normal((100, 2))
    >>> names = [f"cell {i}" for i in range(100)]
    >>> def modality(n_features):  # AnnData in earnest, and MuData below
    ...     values = state @ rng.standard_normal((2, n_features))
    ...     values += 0.5 * rng.standard_normal(values.shape)
    ...     return SimpleNamespace(X=values, obs_names=names, layers={}, obsm={})
    >>> mod = {"rna": modality(20), "prot": modality(6)}
    >>> mdata = SimpleNamespace(mod=mod, obs_names=names, obsm={})
    >>> embed(mdata, LinearCCA(2)).correlations_.round(2)
    array([0.99, 0.98])
    >>> mdata.mod["rna"].obsm["X_cca"].shape, mdata.obsm["X_cca"].shape
    ((100, 2), (100, 2))
    """
    validate_parameter_constraints(_ESTIMATOR, {"estimator": estimator}, "embed")
    if x == y:
        raise ValueError(f"x and y are both {x!r}: pass two different modalities.")
    for name in (x, y):
        if name not in mdata.mod:
            raise ValueError(
                f"mdata has no modality {name!r}: it has {list(mdata.mod)}."
            )
    sides = {x: x_layer, y: y_layer}
    X, Y = (_values(mdata.mod[name], layer, name) for name, layer in sides.items())
    x_place, y_place = (_places(mdata.mod[name].obs_names, name) for name in sides)
    both = [name for name in x_place if name in y_place]
    if len(both) < 2:
        raise ValueError(
            f"Found {len(both)} cell(s) in both {x!r} and {y!r}, while a minimum of 2 "
            "is required. Cells are matched by obs_names."
        )
    estimator.fit(
        _rows(X, [x_place[name] for name in both]),
        _rows(Y, [y_place[name] for name in both]),
    )
    x_codes = np.asarray(estimator.transform(X))
    y_codes = np.asarray(estimator.transform_y(Y))
    joint = _joint_codes(estimator, X, Y, x_place, y_place, mdata.obs_names)
    mdata.mod[x].obsm[key_added] = x_codes
    mdata.mod[y].obsm[key_added] = y_codes
    mdata.obsm[key_added] = joint
    return estimator


def _joint_codes(estimator, X, Y, x_place, y_place, names):
    """Joint codes of cells by name, from the modalities that each cell has."""
    x_rows, y_rows = (
        np.array([place.get(str(name), -1) for name in names])
        for place in (x_place, y_place)
    )
    joint = None
    for has_x, has_y in ((True, True), (True, False), (False, True)):
        cells = np.flatnonzero(((x_rows >= 0) == has_x) & ((y_rows >= 0) == has_y))
        if len(cells) == 0:
            continue
        codes = np.asarray(
            estimator.transform_joint(
                _rows(X, x_rows[cells]) if has_x else None,
                _rows(Y, y_rows[cells]) if has_y else None,
            )
        )
        if joint is None:
            joint = np.full((len(names), codes.shape[1]), np.nan, codes.dtype)
        joint[cells] = codes
    return joint


def _values(data, layer, name):
    """Cells by features of a data set, as floats."""
    if layer is not None and layer not in data.layers:
        raise ValueError(
            f"{name} has no layer {layer!r}: its layers are {list(data.layers)}."
        )
    values = data.X if layer is None else data.layers[layer]
    if values is None:
        raise ValueError(f"{name} has no X: pass the name of one of its layers.")
    return check_array(
        kind_of(values, name).numbers(values, name),
        accept_sparse=("csr", "csc"),
        dtype=[np.float64, np.float32],
        ensure_min_samples=2,
        input_name=name,
    )


def _places(names, data):
    """Position of each name; ValueError if a name occurs twice."""
    places: dict[str, int] = {}
    for i, name in enumerate(map(str, names)):
        if name in places:
            raise ValueError(
                f"{data} has the name {name!r} at positions {places[name]} and {i}: "
                "make names unique, by var_names_make_unique() or "
                "obs_names_make_unique()."
            )
        places[name] = i
    return places


def _columns(values, columns):
    """Return the given columns, without a copy if these are all columns in order."""
    everything = np.array_equal(columns, np.arange(values.shape[1]))
    return values if everything else values[:, columns]


def _rows(values, rows):
    """Return the given rows, without a copy if these are all rows in order."""
    everything = np.array_equal(rows, np.arange(values.shape[0]))
    return values if everything else values[rows]
