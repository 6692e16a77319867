"""Labels of rows: classes and groups."""

from datetime import date, datetime
from numbers import Number

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skcrl._arrays import untensored

# scikit-learn casts floats to integers to recognise classes. It cannot cast floats that
# are as large as this.
_LARGE = 2.0**63
# Labels of one of these kinds can be sorted.
_KINDS: tuple = (
    str,
    bytes,
    (Number, np.bool_),
    (datetime, np.datetime64),
    date,
    np.timedelta64,
)


def check_labels(labels, name):
    """An array of labels, in the shape that they came in.

    Parameters
    ----------
    labels : array-like
        Texts, numbers or dates. NumPy would turn labels of mixed kinds into texts.
    name : str
        Name of the argument, for errors.

    Raises
    ------
    ValueError
        If labels are missing, infinite, of different kinds, or of another kind.
    """
    labels = untensored(labels)
    if np.ma.is_masked(labels):
        _refuse_missing(name, np.argwhere(np.ma.getmaskarray(labels))[0])
    is_list = isinstance(labels, (list, tuple))
    array = _objects(labels) if is_list else np.asarray(labels)
    if array.dtype.kind in "OcV":
        _check_objects(array, name)
        array = np.asarray(labels) if is_list else array
    if array.dtype.kind in "fmM":
        missing = np.argwhere(np.isnan(array))
        if len(missing):
            _refuse_missing(name, missing[0])
    if array.dtype.kind == "f":
        large = np.argwhere(abs(array) >= _LARGE)
        if len(large):
            _refuse_large(name, large[0])
    return array


def _objects(labels):
    try:
        return np.array(labels, dtype=object)
    except ValueError:  # lists of different shapes
        array = np.empty(len(labels), dtype=object)
        array[:] = labels
        return array


def _check_objects(array, name):
    first = None
    for at, label in np.ndenumerate(array):
        if label is None or is_scalar_nan(label) or is_pandas_na(label):
            _refuse_missing(name, at)
        if label is np.ma.masked or type(label).__name__ == "NaTType":
            _refuse_missing(name, at)
        if isinstance(label, (float, np.floating)) and abs(float(label)) >= _LARGE:
            _refuse_large(name, at)
        kind = _kind(label)
        if kind is None:
            raise ValueError(
                f"{name} must hold labels that are texts, numbers or dates, got one of "
                f"type {type(label).__name__} in row {at[0] if at else 0}."
            )
        if first is None:
            first = kind, label
        elif kind != first[0]:
            raise ValueError(
                f"{name} holds labels of different kinds, {first[1]!r} and {label!r}: "
                "convert them to one type."
            )


def _kind(label):
    """Kind of labels that a label can be compared with; None if it is not a label."""
    if isinstance(label, (complex, np.complexfloating)):
        return None
    of_label = next((kind for kind in _KINDS if isinstance(label, kind)), None)
    if of_label is None and type(label).__name__ in ("Period", "Interval", "Timedelta"):
        return type(label)
    return of_label


def _refuse_large(name, at):
    raise ValueError(
        f"{name} holds a float in row {at[0] if len(at) else 0} that is infinite or as "
        f"large as {_LARGE:.3g}. Use smaller numbers or texts as labels."
    )


def _refuse_missing(name, at):
    raise ValueError(
        f"{name} holds no label in row {at[0] if len(at) else 0}. Leave out the rows "
        "without a label."
    )


def check_classes_of_rows(y):
    """Labels (n_samples,), one class for each row.

    Raises
    ------
    ValueError
        If `y` does not hold labels, if they are not classes, or if a row has several.
    """
    labels = column_or_1d(check_labels(y, "y"), warn=True)
    check_classification_targets(labels)
    return labels


def class_numbers(labels, classes, name):
    """Positions (n_samples,) of labels among the classes that were learned.

    Raises
    ------
    ValueError
        If a label is none of these classes.
    """
    position = {label: i for i, label in enumerate(classes.tolist())}
    distinct, which = np.unique(labels, return_inverse=True)
    unknown = [label for label in distinct.tolist() if label not in position]
    if unknown:
        raise ValueError(
            f"{name} holds the label {unknown[0]!r}, which is none of the "
            f"{len(classes)} classes of fit. Leave such rows out, or fit again."
        )
    return np.array([position[label] for label in distinct.tolist()], int)[which]
