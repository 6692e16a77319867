"""Texts that were passed for a view of numbers, and belong to the other view."""

from contextlib import contextmanager

from skcrl._views._texts import holds


@contextmanager
def told_of_texts(estimator, X, y):
    """Say of an error that a view of numbers was given texts, and the other takes them.

    The fitted estimator knows the width of views of numbers, and none of texts.
    """
    try:
        yield
    except ValueError as error:
        n_x = getattr(estimator, "n_features_in_", None)
        n_y = getattr(estimator, "y_n_features_in_", None)
        for name, view, n_features, of_other, remedy in (
            ("X", X, n_x, n_y, "second view, pass them as y, as in y=texts"),
            ("y", y, n_y, n_x, "first view, pass them as X, as in X=texts"),
        ):
            is_of_numbers = n_features is not None and of_other is None
            if is_of_numbers and view is not None and holds(view, str):
                raise ValueError(
                    f"{name} holds texts, and this view is of {n_features} numbers a "
                    f"row: if the texts are the {remedy}."
                ) from error
        raise
