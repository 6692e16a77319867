"""Clear errors if a view is passed as the other one, or as one row."""

from contextlib import contextmanager

import numpy as np

from skcrl._views._texts import holds


@contextmanager
def told_of_wrong_views(estimator, X, y):
    """Explain an error if a view was passed as the other one, or as a single row.

    The fitted estimator knows the width of a view of numbers, but not of texts.
    """
    try:
        yield
    except ValueError as error:
        n_x = getattr(estimator, "n_features_in_", None)
        n_y = getattr(estimator, "y_n_features_in_", None)
        for name, view, n_features, of_other, other in (
            ("X", X, n_x, n_y, "second view, pass them as y, as in y="),
            ("y", y, n_y, n_x, "first view, pass them as X, as in X="),
        ):
            if view is None or n_features is None:
                continue
            if of_other is None and holds(view, str):
                raise ValueError(
                    f"{name} contains texts, but this view has {n_features} numbers "
                    f"per row: if the texts are the {other}texts."
                ) from error
            shape = _shape(view)
            # The error of scikit-learn says the same of a one-dimensional X.
            is_row = len(shape) == 1 and n_features > 1 and not holds(view, str)
            if name == "y" and is_row:
                raise ValueError(
                    f"y is one-dimensional, but the second view has {n_features} "
                    "features. If y is a single row, reshape it by y.reshape(1, -1)."
                ) from error
            is_other = len(shape) == 2 and shape[1] == of_other != n_features
            if is_other:
                raise ValueError(
                    f"{error} The other view has {shape[1]} features: if these rows "
                    f"are the {other}rows."
                ) from error
        raise


def _shape(view):
    """Shape of a view, () for what has none."""
    if hasattr(view, "shape"):
        return tuple(view.shape)
    try:
        return np.shape(view)
    except ValueError:  # rows of different lengths
        return ()
