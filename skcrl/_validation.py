"""Validation of two views, and of the state that a failed call must not touch."""

import os
from contextlib import contextmanager
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._array_api import _is_numpy_namespace, get_namespace
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_array,
    check_memory,
    validate_data,
)

from skcrl._arrays import is_tensor, namespace, to_numpy, untensored
from skcrl._dask import aligned, check_dask, is_dask

# The largest number there is in float64.
MOST = float(np.finfo(np.float64).max)


def check_loaded(arrays):
    """Raise ValueError for fitted arrays that are not finite or of another shape.

    Parameters
    ----------
    arrays : dict of str to (array, shape)
        Each with the shape that it must be of.
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
    """`function` behind the cache that `memory` is, a path to, or None for none."""
    if isinstance(memory, os.PathLike):
        memory = os.fspath(memory)
    return check_memory(memory).cache(function)


def random_source(random_state):
    """RandomState to draw from; with None a fresh one, never NumPy's global."""
    if random_state is None:
        return np.random.RandomState()
    return check_random_state(random_state)


def check_pair(estimator, X, y, *, reset, min_samples=1):
    """Both views as float arrays with paired rows.

    Parameters
    ----------
    estimator : TwoViewTransformer
        With ``reset=True`` it learns the shapes and column names of both views, else
        the views must match what it learned.
    X : array-like of shape (n_samples, n_features_x)
    y : array-like of shape (n_samples, n_features_y) or (n_samples,)
    reset : bool
    min_samples : int, default=1

    Returns
    -------
    X, y : ndarray of shape (n_samples, ...), CSR array or Dask array
        In float32 where they came in float32, else in float64; Dask arrays as they
        are. A one-dimensional `y` is a column.
    """
    require_y(estimator, y)
    X = _check_x(estimator, X, reset=reset, ensure_min_samples=min_samples)
    y = _check_y(estimator, y, reset=reset, ensure_min_samples=min_samples)
    _require_same_library(X, y)
    if is_dask(X):
        return X, aligned(X, y)
    check_paired(X, y)
    return X, y


def complete_rows(estimator, X, y, has_x, has_y, *, min_samples):
    """Rows of validated views of which neither is missing, `min_samples` of them."""
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
    """Rows that weigh something, and their weights, or None if each weighs one."""
    if sample_weight is None:
        return X, y, None
    if np.isnan(X.shape[0]):
        raise ValueError(
            "sample_weight needs chunks of known lengths: call compute_chunk_sizes() "
            "on X and y."
        )
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    weighty = weights > 0
    if weighty.all() or is_dask(X):
        return X, y, weights
    return X[weighty], y[weighty], weights[weighty]


def require_samples(weights):
    """Raise ValueError unless weights stand for samples that can be counted."""
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not total > 1:
        raise ValueError(
            "sample_weight says how many samples each row stands for, and must add up "
            f"to more than 1, got {total:.3g}: multiply it by the number of samples."
        )
    if total == np.inf:
        raise ValueError("The sum of sample_weight overflows: scale the weights down.")


def per_view(name, value, is_valid, expected):
    """An (x, y) pair of valid values from `value`, one for both views or a pair."""
    pair = (value, value) if np.ndim(value) == 0 else tuple(value)
    if len(pair) != 2 or not all(map(is_valid, pair)):
        raise ValueError(
            f"`{name}` must be {expected}, or an (x, y) pair of such, got {value!r}."
        )
    return pair


def check_ridge(reg):
    """Ridge of either view."""
    return per_view("reg", reg, _is_ridge, "a finite number that is not negative")


def _is_ridge(value):
    return isinstance(value, Real) and value <= MOST and not value < 0


def check_paired(X, y):
    """Raise ValueError unless X and y have as many rows as each other."""
    n_x, n_y = _num_samples(X), _num_samples(y)
    if n_x != n_y:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[n_x, n_y]}. Rows of X and y must be paired."
        )


def check_view(estimator, view, side):
    """One view, `side` "x" or "y", as a float array of the width seen in fit."""
    check = _check_x if side == "x" else _check_y
    return check(estimator, view, reset=False)


def check_table(estimator, view, side, *, reset, allow_nd):
    """One view as a transformer is to have it, whose columns may be of any kind.

    Returns
    -------
    view : ndarray or CSR array of n_samples rows, or the data frame that it was
        Of any type, NaN among it; a one-dimensional `y` is a column.
    """
    check = _check_x if side == "x" else _check_y
    return check(
        estimator,
        view,
        reset=reset,
        leave_frame=True,
        dtype=None,
        accept_sparse="csr",
        allow_nd=allow_nd,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
    )


def holds(view, kind):
    """Whether a view is a flat array, series or list, with items of type `kind`."""
    if not isinstance(view, (list, tuple)):
        dtype_kind = getattr(getattr(view, "dtype", None), "kind", "O")
        is_flat = len(getattr(view, "shape", ())) == 1
        if not is_flat or dtype_kind not in "OSTU" or is_tensor(view):
            return False
    return any(isinstance(item, kind) for item in view)


def check_available(estimator, X, y, *, reset=False, min_samples=1):
    """Views of which rows, or all of one, may be missing.

    Returns
    -------
    X, y : ndarray, CSR array or None
        As from `check_pair`; a row that is missing is all NaN.
    has_x, has_y : ndarray of bool, shape (n_samples,)
    """
    if X is None and y is None:
        raise ValueError("X and y are both None: pass at least one view.")
    if is_dask(X) or is_dask(y):
        raise ValueError(
            "Dask arrays go into fit, partial_fit, transform, transform_y and predict "
            "alone: map other methods over the blocks of rows, with map_blocks."
        )
    checks = {
        "reset": reset,
        "ensure_min_samples": min_samples,
        "ensure_all_finite": "allow-nan",
    }
    if X is not None:
        X = _check_x(estimator, X, **checks)
    if y is not None:
        y = _check_y(estimator, y, **checks)
    if X is not None and y is not None:
        _require_same_library(X, y)
        check_paired(X, y)
    n_samples = (y if X is None else X).shape[0]
    has_x, has_y = _present(X, "X", n_samples), _present(y, "y", n_samples)
    nowhere = np.flatnonzero(~(has_x | has_y))
    if len(nowhere):
        raise ValueError(
            f"{len(nowhere)} samples are missing in both views, the first is row "
            f"{nowhere[0]}: drop them."
        )
    return X, y, has_x, has_y


def _require_same_library(X, y):
    if is_dask(X) != is_dask(y) or is_tensor(X) != is_tensor(y):
        raise ValueError(
            f"X is of type {type(X).__name__} and y of type {type(y).__name__}: "
            "convert one to the type of the other."
        )


def _check_x(estimator, X, *, reset, leave_frame=False, **checks):
    if estimator._accepts_dask and is_dask(X):
        check_dask(X, "X")
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    elif leave_frame and hasattr(X, "columns"):
        _check_size(estimator, X, checks["ensure_min_samples"])
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    else:
        checks = _array_checks(estimator, X, "x", checks)
        X = validate_data(estimator, X, reset=reset, **checks)
    _check_sample_shape(estimator, X, "X", reset)
    return _as_csr_array(X)


def _check_y(estimator, y, *, reset, leave_frame=False, **checks):
    names = _column_names(y)
    if leave_frame and hasattr(y, "columns"):
        _check_size(estimator, y, checks["ensure_min_samples"])
    elif not (estimator._accepts_dask and is_dask(y)):
        checks = _array_checks(estimator, y, "y", checks)
        y = check_array(
            y, ensure_2d=False, input_name="y", estimator=estimator, **checks
        )
    is_1d = len(y.shape) == 1
    y = y[:, None] if is_1d else y
    if is_dask(y):
        check_dask(y, "y")
    if y.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={y.shape}) as y, the second view, "
            f"while a minimum of 1 is required by {type(estimator).__name__}."
        )
    if reset:
        estimator.y_n_features_in_ = y.shape[1]
        estimator._y_is_1d = is_1d
        vars(estimator).pop("y_feature_names_in_", None)
        if names is not None:
            estimator.y_feature_names_in_ = names
    elif y.shape[1] != estimator.y_n_features_in_:
        raise ValueError(
            f"y has {y.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.y_n_features_in_} features as the second view."
        )
    _check_sample_shape(estimator, y, "y", reset)
    expected = getattr(estimator, "y_feature_names_in_", None)
    if names is not None and expected is not None and list(names) != list(expected):
        raise ValueError(
            "The feature names of y should match those that were passed during fit: "
            f"got {list(names)}, expected {list(expected)}."
        )
    return _as_csr_array(y)


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
        raise ValueError(
            f"{'X' if side == 'x' else 'y'} holds texts, and {name} takes numbers: "
            f"give ViewPipeline({name}(...), {side}=TfidfVectorizer()), say."
        )


def float_types(view):
    """Types that views may have, of the library of `view`; the first is the default."""
    xp, _ = get_namespace(view)
    return [xp.float64, xp.float32]


def _array_checks(estimator, view, side, checks):
    xp, under_array_api = get_namespace(view)
    if under_array_api and not (
        _is_numpy_namespace(xp) or (estimator._accepts_tensors and is_tensor(view))
    ):
        takes = "NumPy arrays" + " and torch tensors" * estimator._accepts_tensors
        raise ValueError(
            f"{type(estimator).__name__} takes {takes}, got {type(view).__module__}."
            f"{type(view).__name__} under array_api_dispatch: convert it."
        )
    checks = {
        "dtype": float_types(view),
        "accept_sparse": "csr" if estimator._accepts_sparse else False,
        "allow_nd": estimator._takes_any_shape(side),
        **checks,
    }
    if checks["dtype"] is not None:  # None lets a step make numbers of anything
        _refuse_texts(estimator, view, side)
    return checks


def _check_sample_shape(estimator, view, name, reset):
    """Learn the shape of a sample, of one dimension or more, or compare with it."""
    if reset:
        shapes = getattr(estimator, "_sample_shapes", {})
        estimator._sample_shapes = {**shapes, name.lower(): tuple(view.shape[1:])}
    expected = estimator._sample_shapes[name.lower()]
    if view.shape[1:] != expected:
        raise ValueError(
            f"{name} has samples of shape {view.shape[1:]}, but "
            f"{type(estimator).__name__} is expecting {expected}."
        )


def _as_csr_array(view):
    return sparse.csr_array(view) if sparse.issparse(view) else view


def _present(view, name, n_samples):
    """Which rows of `view` are there; a row that is NaN in part is an error."""
    if view is None:
        return np.zeros(n_samples, dtype=bool)
    if sparse.issparse(view):
        if np.isnan(view.data).any():
            raise ValueError(
                f"Input {name} contains NaN and is sparse: missing rows can be marked "
                "in a dense array only."
            )
        return np.ones(n_samples, dtype=bool)
    rows = view.reshape(n_samples, -1)
    # The minimum of a row is NaN if any of it is, and costs no array as large as view.
    gaps = np.flatnonzero(np.isnan(to_numpy(namespace(rows).amin(rows, 1))))
    partly = gaps[~np.isnan(to_numpy(rows[gaps])).all(axis=1)]
    if len(partly):
        raise ValueError(
            f"{name} has rows that are NaN in part, the first is row {partly[0]}: a "
            "row is either complete or, if that view is missing, NaN throughout."
        )
    present = np.ones(n_samples, dtype=bool)
    present[gaps] = False
    return present


def _column_names(y):
    """Names of the columns of a data frame if all are strings, else None."""
    columns = getattr(y, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.asarray(list(columns), dtype=object)
