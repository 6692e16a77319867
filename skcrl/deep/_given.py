"""The training data, made from whatever the user passes."""

import numpy as np
from torch.utils.data import DataLoader

from skcrl._arrays import untensored
from skcrl._validation import (
    NAMES,
    check_view,
    check_weights_beside,
    require_samples,
)
from skcrl._views import check_beside, kind_of
from skcrl.deep._dask_rows import DaskRows
from skcrl.deep._data import PairDataset, require_float32
from skcrl.deep._loaded import LoadedPairs, is_dataset
from skcrl.deep._net_params import loader_settings
from skcrl.metrics._relevance import check_classes


def checked_pairs(estimator, X, y, sample_weight, groups, reset):
    """The first view, the data set to train on, and groups as numbers."""
    if y is None:
        _refuse_pairs(X)
    check_beside(X, sample_weight, "sample_weight")
    check_beside(X, groups, "groups")
    X, y, *present = estimator._check_views(X, y, reset=reset)
    if groups is not None:
        groups = _check_groups(groups, X.shape[0])
    weights = check_weights_beside(X, sample_weight)
    if weights is not None:
        require_samples(weights)
    _require_some_paired(estimator, present)
    return X, _pairs(estimator, X, y, weights, present), groups


def _refuse_pairs(X):
    """Raise ValueError for pairs that come neither as arrays nor as a Dataset."""
    if isinstance(X, DataLoader):
        raise ValueError(
            "X is a DataLoader, but fit makes a DataLoader of its own: pass "
            "loader.dataset, and pass settings of the loader in net_params, such as "
            '{"iterator_train__num_workers": 2}.'
        )
    if isinstance(X, list) and X and isinstance(X[0], tuple):
        raise ValueError(
            "X is a list of pairs: pass a torch Dataset of pairs, or two arrays. A "
            "search such as GridSearchCV turns a Dataset without a shape into a list; "
            "the page on data that memory does not hold shows a Dataset with a shape."
        )


def checked_validation(estimator, validation):
    """The user's validation set, or None."""
    if validation is None:
        return None
    if estimator.validation_fraction:
        raise ValueError(
            f"validation_fraction={estimator.validation_fraction} sets rows aside for "
            "validation, but a validation set was passed to fit too: use one of them."
        )
    is_pair = isinstance(validation, tuple | list) and len(validation) == 2
    if not is_pair and not is_dataset(validation):
        raise ValueError(
            "validation must be a pair (X, y) of views, or a torch Dataset of "
            f"pairs, got {type(validation).__name__}."
        )
    try:
        if not is_pair:
            return _loaded_validation(estimator, validation)
        return _pairs(estimator, *estimator._check_pair(*validation))
    except ValueError as error:
        raise ValueError(f"validation is refused: {error}") from error


def loaded_pairs(estimator, dataset, reset):
    """Pairs of a torch Dataset; the first pair shows the shapes."""
    data = LoadedPairs(dataset, loader_settings(estimator.net_params))
    check_samples(estimator, data, reset)
    return data


def check_samples(estimator, loaded, reset):
    """Check the first samples of a Dataset as views, and set the types of samples."""
    for side, sample in loaded.samples.items():
        given = sample[:, 0] if side == "y" and reset and loaded.y_is_1d else sample
        check_view(estimator, given.numpy(), side, reset=reset)
    loaded.keep_types(estimator._integer_sides)


def content_of(data, groups):
    """The arrays that a training depends on, or texts that identify them, by name."""
    content = {**data.content(), "groups": groups}
    if data.validation is not None:
        held = data.validation.content()
        content |= {f"{name} of validation": value for name, value in held.items()}
    return content


def require_pairs_alone(dataset, y, sample_weight=None, groups=None):
    """Raise ValueError for arguments that cannot come with a torch Dataset of pairs."""
    if y is not None:
        raise ValueError(
            "A torch Dataset gives both views, as pairs (x, y): call fit(dataset), "
            "without y."
        )
    for name, given in (("sample_weight", sample_weight), ("groups", groups)):
        if given is not None:
            raise ValueError(
                f"{name} can be used with arrays, but not with a torch Dataset. "
                "Instead of weights, let the Dataset return a pair as many times as "
                "its weight says, for example by torch.utils.data.Subset; instead of "
                "groups, let it return equal views for samples that belong together."
            )


def require_views(views):
    """Raise ValueError for a torch Dataset where only arrays are accepted."""
    for side, view in views.items():
        if is_dataset(view):
            raise ValueError(
                f"{NAMES[side]} is a torch Dataset, which only fit, partial_fit, "
                "transform, transform_y and score accept: pass an array."
            )


def dask_type(estimator, view, side):
    """Type that the rows of a Dask array are converted to."""
    if side in estimator._integer_sides:
        return np.int64
    return np.float32 if view.dtype == np.float32 else np.float64


def _pairs(estimator, X, y, weights=None, present=()):
    """Data set of the rows of two validated views."""
    has_x, has_y = present or (None, None)
    views = {"x": untensored(X), "y": untensored(y)}
    for side, view in views.items():
        if kind_of(view).library == "dask":
            views[side] = _dask_rows(estimator, view, side)
        else:
            require_float32(view, NAMES[side])
    return PairDataset.from_arrays(views["x"], views["y"], has_x, has_y, weights)


def _loaded_validation(estimator, dataset):
    held = loaded_pairs(estimator, dataset, reset=False)
    if held.is_stream:
        raise ValueError(
            "samples of an iterable dataset cannot be addressed by number: pass a "
            "map-style dataset, with __len__ and __getitem__."
        )
    return held


def _dask_rows(estimator, view, side):
    """Rows of a Dask array, block by block."""
    if np.isnan(view.shape[0]):
        raise ValueError(
            f"{NAMES[side]} is a Dask array with chunks of unknown lengths: call its "
            "method compute_chunk_sizes() first."
        )
    return DaskRows(view, NAMES[side], dask_type(estimator, view, side))


def _require_some_paired(estimator, present):
    """Raise ValueError unless some samples have both views."""
    if present and not (present[0] & present[1]).any():
        raise ValueError(
            f"All {len(present[0])} samples are missing one view: "
            f"{type(estimator).__name__} needs some that have both."
        )


def _check_groups(groups, n_samples):
    """Groups as numbers, one for each row."""
    groups = check_classes(groups, n_samples, "groups")
    return np.unique(groups, return_inverse=True)[1]
