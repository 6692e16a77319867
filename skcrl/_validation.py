"""Validation of views and parameters; a failed call leaves an estimator as it was."""

import os
from contextlib import contextmanager
from math import isfinite
from numbers import Integral, Number, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._array_api import _is_numpy_namespace, get_namespace
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _get_feature_names,
    _num_samples,
    check_array,
    check_memory,
)

from skcrl._arrays import untensored
from skcrl._views import check_paired, common_kind, kind_of
from skcrl._views._dask import aligned, check_dask
from skcrl._views._texts import holds

# Names of the two sides in errors.
NAMES = {"x": "X", "y": "y"}
# Types that a view keeps.
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
# Valid values of `n_jobs`, for `validate_params`. joblib overflows for far larger ones.
N_JOBS = [Interval(Integral, -(2**15), 2**15, closed="both"), None]


def check_loaded(arrays):
    """Raise ValueError if a fitted array is not finite or has the wrong shape.

    Parameters
    ----------
    arrays : dict of str to (array, shape)
        Arrays by name, each with the shape that it must have.
    """
    for name, (array, shape) in arrays.items():
        array = untensored(array)
        if array.dtype.kind != "f" or array.shape != shape:
            raise ValueError(
                f"its {name} is {array.dtype} of shape {array.shape}, not numbers of "
                f"shape {shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"its {name} is not finite")


def check_loaded_integers(flags):
    """Raise ValueError if `flags` do not say which views hold integers."""
    if not isinstance(flags, dict) or any(
        side not in NAMES or not isinstance(flag, bool) for side, flag in flags.items()
    ):
        raise ValueError("it does not say in which views integers are looked up")


@contextmanager
def restored_on_error(estimator):
    """Give `estimator` its attributes back if the block raises.

    The block may rebind attributes but must not change fitted arrays in place.
    """
    attributes = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(attributes)
        raise


def cached(function, memory):
    """`function` with a joblib cache: `memory` is the cache, its path, or None."""
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    return check_memory(memory).cache(function)


def random_source(random_state):
    """RandomState to draw from; with None a new one, and never NumPy's global one."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def check_pair(estimator, X, y, *, reset, min_samples=1):
    """Both views as float arrays with paired rows.

    Parameters
    ----------
    estimator : TwoViewTransformer
        With ``reset=True`` it learns the shapes and column names of both views.
        Otherwise the views must match what it learned.
    X : array-like of shape (n_samples, n_features_x)
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
    reset : bool
    min_samples : int, default=1

    Returns
    -------
    X, y : ndarray of shape (n_samples, ...), CSR array or Dask array; CSC arrays too
        where the estimator takes them
        They are float32 if they came as float32, and float64 otherwise. Dask arrays
        stay as they are. A one-dimensional `y` becomes a column.
    """
    require_y(estimator, y)
    checks = {"reset": reset, "ensure_min_samples": min_samples}
    if _accepts_gaps(estimator):
        checks["ensure_all_finite"] = "allow-nan"
    x_array = _check_numbers(estimator, X, "x", **checks)
    y_array = _check_numbers(estimator, y, "y", **checks)
    if common_kind(x_array, y_array).library == "dask":
        return x_array, aligned(x_array, y_array)
    check_paired(X, y)
    return x_array, y_array


def complete_rows(estimator, X, y, has_x, has_y, *, min_samples):
    """Rows of validated views in which no view is missing, at least `min_samples`."""
    complete = has_x & has_y
    n_complete = complete.sum()
    if n_complete < min_samples:
        raise ValueError(
            f"Found {n_complete} sample(s) with both views, while a minimum of "
            f"{min_samples} is required by {type(estimator).__name__}."
        )
    return (X, y) if complete.all() else (X[complete], y[complete])


def require_y(estimator, y):
    """Raise ValueError if there is no second view."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, "
            "but the target y is None: y is the second view."
        )


def check_weights(X, y, sample_weight):
    """Rows with a weight above 0.

    Returns
    -------
    X, y : as they came, without rows of weight 0
        Dask arrays keep these rows.
    weights : ndarray of shape (n_kept,) or None
        None if all weights are 1.
    kept : ndarray of bool of shape (n_samples,) or slice
        Index of the rows that are left.
    """
    everything = slice(None)
    weights = check_weights_beside(X, sample_weight)
    if weights is None or kind_of(X).library == "dask" or (weights > 0).all():
        return X, y, weights, everything
    kept = weights > 0
    return X[kept], y[kept], weights[kept], kept


def check_weights_beside(X, sample_weight):
    """Weights (n_samples,) of the rows of X; None if all are 1."""
    if sample_weight is None:
        return None
    if np.isnan(X.shape[0]):
        raise ValueError(
            "sample_weight needs chunks of known lengths: call compute_chunk_sizes() "
            "on X and y."
        )
    if isinstance(sample_weight, Number):
        sample_weight = np.full(X.shape[0], sample_weight)
    weights = kind_of(sample_weight, "sample_weight").numbers(
        sample_weight, "sample_weight"
    )
    weights = _check_sample_weight(
        weights, X, dtype=np.float64, ensure_non_negative=True
    )
    with np.errstate(over="ignore"):
        if not isfinite(float(weights.sum())):
            raise ValueError(
                "The sum of sample_weight overflows. The weights say how many samples "
                "each row stands for. Divide all of them by the same number."
            )
    return None if (weights == 1).all() else weights


def require_samples(weights):
    """Raise ValueError unless weights add up to more than 1."""
    total = weights.sum()
    if not total > 1:
        raise ValueError(
            "sample_weight says how many samples each row stands for, and must add up "
            f"to more than 1, got {total:.3g}: multiply it by the number of samples."
        )


def per_view(name, value, is_valid, expected):
    """An (x, y) pair of valid values; `value` is such a pair, or one for both views."""
    pair = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(pair) != 2 or not all(map(is_valid, pair)):
        raise ValueError(
            f"`{name}` must be {expected}, or an (x, y) pair of these, got {value!r}."
        )
    return pair


def check_ridge(reg):
    """Ridges of both views, checked."""
    return per_view("reg", reg, _is_ridge, "a finite number that is not negative")


def check_positive_ridge(reg):
    """Positive ridges of both views, checked, for covariances that may be singular."""
    return check_positive_pair("reg", reg)


def check_positive_pair(name, value):
    """Positive numbers of both views, checked."""
    return per_view(name, value, _is_positive, "a finite positive number")


def is_finite(value):
    """Whether a parameter is a finite number that fits into float64."""
    try:
        return isinstance(value, Real) and isfinite(float(value))
    except OverflowError:  # a whole number that is too large
        return False


def _is_ridge(value):
    return is_finite(value) and value >= 0


def _is_positive(value):
    return is_finite(value) and value > 0


def check_view(estimator, view, side, reset=False):
    """One view, `side` "x" or "y", as a float array of the width seen in fit."""
    if not _accepts_gaps(estimator):
        return _check_numbers(estimator, view, side, reset=reset)
    view = _check_numbers(
        estimator, view, side, reset=reset, ensure_all_finite="allow-nan"
    )
    nowhere = np.flatnonzero(kind_of(view).missing_rows(view))
    if len(nowhere):
        raise ValueError(
            f"{len(nowhere)} rows of {NAMES[side]} hold only NaN, the first is row "
            f"{nowhere[0]}, so they have no codes of their own. Drop them, or pass "
            "both views to transform_joint, reconstruct or impute."
        )
    return view


def check_table(estimator, view, side, *, reset, allow_nd):
    """One view for a transformer; its columns may be of any kind.

    Returns
    -------
    view : ndarray or CSR array of n_samples rows, or the given data frame
        It may have any type, and may hold NaN. A one-dimensional `y` becomes a column.
    """
    name, min_samples = NAMES[side], 2 if reset else 1
    kind = kind_of(view, name)
    _check_names(estimator, view, side, reset)
    if hasattr(view, "columns"):
        _check_size(estimator, view, min_samples)
    else:
        _refuse_namespace(estimator, view)
        view = check_array(
            kind.values(view),
            dtype=None,
            accept_sparse="csr" if estimator._accepts_sparse else False,
            ensure_2d=side == "x",
            allow_nd=allow_nd,
            ensure_all_finite="allow-nan",
            ensure_min_samples=min_samples,
            estimator=estimator,
            input_name=name,
        )
    return _check_shape(estimator, view, side, reset)


def check_available(estimator, X, y, *, reset=False, min_samples=1):
    """Views in which rows may be missing, or one of which may be missing.

    Returns
    -------
    X, y : ndarray, CSR array or None
        As from `check_pair`. A missing row holds only NaN. Other rows may hold some NaN
        if the estimator accepts gaps.
    has_x, has_y : ndarray of bool, shape (n_samples,)
    """
    views = {side: view for side, view in (("x", X), ("y", y)) if view is not None}
    if not views:
        raise ValueError("X and y are both None: pass at least one view.")
    if any(kind_of(v, NAMES[side]).library == "dask" for side, v in views.items()):
        raise ValueError(
            "Only fit, partial_fit, transform, transform_y and predict take Dask "
            "arrays. Apply other methods to the blocks of rows, with map_blocks."
        )
    arrays = {
        side: _check_numbers(
            estimator,
            view,
            side,
            reset=reset,
            ensure_min_samples=min_samples,
            ensure_all_finite="allow-nan",
        )
        for side, view in views.items()
    }
    if len(arrays) == 2:
        common_kind(**arrays)
        check_paired(X, y)
    n_samples = next(iter(arrays.values())).shape[0]
    present = {
        side: ~kind_of(array).missing_rows(array)
        if _accepts_gaps(estimator)
        else kind_of(array).present_rows(array, NAMES[side])
        for side, array in arrays.items()
    }
    has_x, has_y = (
        present.get(side, np.zeros(n_samples, dtype=bool)) for side in NAMES
    )
    require_samples_somewhere(has_x | has_y)
    return arrays.get("x"), arrays.get("y"), has_x, has_y


def require_samples_somewhere(there):
    """Raise ValueError if there are samples that both views lack."""
    nowhere = np.flatnonzero(~there)
    if len(nowhere):
        raise ValueError(
            f"{len(nowhere)} samples are missing in both views, the first is row "
            f"{nowhere[0]}: drop them."
        )


def _accepts_gaps(estimator):
    """Whether single cells of views may be missing."""
    return getattr(estimator, "_accepts_gaps", False)


def float_types(view):
    """Types that views may have, in the library of `view`; the first is the default."""
    xp, _ = get_namespace(view)
    return [xp.float64, xp.float32]


def _check_numbers(estimator, view, side, *, reset, **checks):
    """One view as floats; with ``reset=True`` `estimator` learns its shape and names.

    Both views are checked here. Further `checks` are arguments of scikit-learn's
    check_array.
    """
    n_least = checks.get("ensure_min_samples", 1)
    if not reset and _is_in_order(estimator, view, side, n_least):
        return view
    name = NAMES[side]
    kind = kind_of(view, name)
    _check_names(estimator, view, side, reset)
    if kind.library == "dask" and estimator._accepts_dask:
        column = view[:, None] if side == "y" and view.ndim == 1 else view
        check_dask(column, name, allow_nd=estimator._takes_any_shape(side))
        _number_types(estimator, view, side, reset)
        return _check_shape(estimator, view, side, reset)
    _refuse_texts(estimator, view, side)
    if not _refuse_namespace(estimator, view):
        view = kind.numbers(view, name)
    # scikit-learn adds up all values. The sum of huge values overflows.
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            view = check_array(
                view,
                dtype=_number_types(estimator, view, side, reset),
                accept_sparse=estimator._accepts_sparse
                and getattr(estimator, "_sparse_formats", "csr"),
                ensure_2d=side == "x",
                allow_nd=estimator._takes_any_shape(side),
                estimator=estimator,
                input_name=name,
                **checks,
            )
    except ValueError:
        if "ensure_all_finite" not in checks:
            _refuse_missing(estimator, view, side)
        raise
    return _check_shape(estimator, view, side, reset)


def _is_in_order(estimator, view, side, n_least):
    """Whether a view is an array that no check can change or refuse.

    Then the checks of scikit-learn are left out. They would take longer than it takes
    to encode one row.
    """
    prefix = "" if side == "x" else "y_"
    learned = vars(estimator)
    if (
        type(view) is not np.ndarray
        or view.dtype not in _FLOATS
        or view.ndim < 2
        or len(view) < n_least
        or view.shape[1:] != learned.get("_sample_shapes", {}).get(side)
        or view.shape[1] != learned.get(f"{prefix}n_features_in_")
        or f"{prefix}feature_names_in_" in learned  # which an array lacks
        or estimator._integers.get(side)
    ):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return isfinite(view.sum())  # if not, perhaps only the sum overflows


def _number_types(estimator, view, side, reset):
    """The `dtype` of a view for check_array; some estimators keep integers."""
    keeps = estimator._keeps_integers(side)
    are_integers = keeps and kind_of(view).holds_integers(view)
    if reset and are_integers != estimator._integers.get(side, False):
        estimator._integers = {**estimator._integers, side: are_integers}
    if not estimator._integers.get(side):
        return float_types(view)
    if not are_integers:
        raise ValueError(
            f"{NAMES[side]} held integers in fit, which your own encoder looks up, but "
            "now it does not. Convert it to integers, for example with astype(int)."
        )
    return "numeric"


def _refuse_missing(estimator, view, side):
    """Raise ValueError if a dense view holds NaN; say where and what to do.

    scikit-learn's own error recommends classifiers. Everything else that may be wrong
    is left to scikit-learn.
    """
    if sparse.issparse(view) or np.ndim(view) == 0:
        return
    values = np.asarray(view) if kind_of(view).library == "numpy" else np.zeros(1)
    missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(1, bool)
    if not missing.any():
        return
    row, *place = (int(i) for i in np.argwhere(missing)[0])
    where = f"row {row}"
    if place:
        prefix = "" if side == "x" else "y_"
        names = getattr(estimator, f"{prefix}feature_names_in_", range(place[0] + 1))
        where += f", column {names[place[0]]!r}"
    if getattr(estimator, "_of_one_view", False):
        remedy = "Drop such rows, or fill the gaps with SimpleImputer() in a Pipeline"
    elif missing[row].all() and getattr(estimator, "_trains_on_unpaired", False):
        remedy = (
            "A row of NaN is a missing view. Pass only the rows that are present, or "
            "let impute fill the others from the second view"
        )
    elif missing[row].all():
        # Estimators with this parameter train on such rows if it is above 0.
        is_at_zero = getattr(estimator, "reconstruction_weight", None) == 0
        raise_it = "raise reconstruction_weight above 0, " if is_at_zero else ""
        remedy = (
            "A row of NaN is a missing view, which no imputer can fill. Drop the row "
            f"from both views, {raise_it}or use CorrNet, MultimodalAutoencoder, "
            "ProbabilisticCCA or TiedBidirectional, which train on the views that are "
            "present, or SelfLearning, which finds pairs among such rows and fits "
            f"{type(estimator).__name__} to them"
        )
    else:
        remedy = (
            "Drop such rows from both views, or fill the gaps, by SimpleImputer() as a "
            "step of make_view_pipeline, or take ProbabilisticCCA, which fills them "
            "from both views"
        )
    raise ValueError(
        f"Input {NAMES[side]} contains NaN, first in {where}, and "
        f"{type(estimator).__name__} needs all values. {remedy}."
    ) from None


def _check_names(estimator, view, side, reset):
    """Learn the names of the columns of a view, or compare them with those of fit."""
    if side == "x":
        _check_feature_names(estimator, view, reset=reset)
        return
    try:
        names = _get_feature_names(view)
    except TypeError as error:  # names of several types; the error says X
        raise TypeError(str(error).replace("X.columns", "y.columns")) from None
    if reset:
        vars(estimator).pop("y_feature_names_in_", None)
        if names is not None:
            estimator.y_feature_names_in_ = names
    expected = getattr(estimator, "y_feature_names_in_", None)
    if names is not None and expected is not None and list(names) != list(expected):
        raise ValueError(
            "The feature names of y should match those that were passed during fit: "
            f"got {list(names)}, expected {list(expected)}."
        )


def _check_shape(estimator, view, side, reset):
    """Learn the shape of the samples of a view, or compare it with that of fit.

    Returns the view; a one-dimensional `y` becomes a column.
    """
    name = NAMES[side]
    if side == "y":
        if reset:
            estimator._y_is_1d = len(view.shape) == 1
        view = view[:, None] if len(view.shape) == 1 else view
    if view.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={view.shape}) as {name}, while a "
            f"minimum of 1 is required by {type(estimator).__name__}."
        )
    if side == "x":
        _check_n_features(estimator, view, reset=reset)
    elif reset:
        estimator.y_n_features_in_ = view.shape[1]
    elif view.shape[1] != estimator.y_n_features_in_:
        raise ValueError(
            f"y has {view.shape[1]} features, but {type(estimator).__name__} is "
            f"expecting {estimator.y_n_features_in_} features as the second view."
        )
    if reset:
        shapes = getattr(estimator, "_sample_shapes", {})
        estimator._sample_shapes = {**shapes, side: tuple(view.shape[1:])}
    expected = estimator._sample_shapes[side]
    if view.shape[1:] != expected:
        raise ValueError(
            f"{name} has samples of shape {view.shape[1:]}, but "
            f"{type(estimator).__name__} is expecting {expected}."
        )
    if not sparse.issparse(view):
        return view
    return sparse.csc_array(view) if view.format == "csc" else sparse.csr_array(view)


def _check_size(estimator, frame, min_samples):
    """Raise scikit-learn's ValueError for a frame of too few rows or no columns."""
    n_samples, n_features = _num_samples(frame), len(frame.columns)
    for n, minimum, what in (
        (n_samples, min_samples, "sample"),
        (n_features, 1, "feature"),
    ):
        if n < minimum:
            raise ValueError(
                f"Found array with {n} {what}(s) (shape={(n_samples, n_features)}) "
                f"while a minimum of {minimum} is required by "
                f"{type(estimator).__name__}."
            )


def _refuse_texts(estimator, view, side):
    if holds(view, str):
        name = type(estimator).__name__
        labels = (
            " If they are labels that you want to predict, use CrossViewClassifier, "
            "which learns from both views and the labels."
        )
        raise ValueError(
            f"{NAMES[side]} holds strings, but {name} takes numbers. If they are "
            f"categories, encode them with OneHotEncoder. If they are texts, use for "
            f"example ViewPipeline({name}(...), {side}=TfidfVectorizer())."
            f"{labels if side == 'y' else ''}"
        )


def check_codes(codes, n_components):
    """Codes of one view as floats, from which the view will be reconstructed."""
    kind = kind_of(codes, "X")
    if not _is_foreign(codes):
        codes = kind.numbers(codes, "X")
    with np.errstate(over="ignore", invalid="ignore"):  # as in _check_numbers
        codes = check_array(codes, dtype=float_types(codes), input_name="X")
    if codes.shape[1] != n_components:
        raise ValueError(
            f"Codes must be of shape (n_samples, {n_components}), got {codes.shape}."
        )
    return codes


def _is_foreign(view):
    """Whether scikit-learn leaves a view in its own library, which is not NumPy."""
    xp, under_array_api = get_namespace(view)
    return under_array_api and not _is_numpy_namespace(xp)


def _refuse_namespace(estimator, view):
    """Whether to compute in a library of the view that is not NumPy.

    Raises ValueError if the estimator cannot.
    """
    if not _is_foreign(view):
        return False
    if estimator._accepts_tensors and kind_of(view).library == "torch":
        return True
    takes = "NumPy arrays" + " and torch tensors" * estimator._accepts_tensors
    raise ValueError(
        f"{type(estimator).__name__} takes {takes}, got {type(view).__module__}."
        f"{type(view).__name__} under array_api_dispatch: convert it."
    )
