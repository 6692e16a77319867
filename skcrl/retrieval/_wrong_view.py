"""A clear error if texts are passed as the view of numbers."""

from contextlib import contextmanager

from skcrl._views._texts import holds


@contextmanager
def told_of_texts(estimator, X, y):
    """Explain an error if texts were passed as the view that consists of numbers.

    The fitted estimator knows the width of a view of numbers, but not of texts.
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
                    f"{name} contains texts, but this view has {n_features} numbers "
                    f"per row: if the texts are the {remedy}."
                ) from error
        raise
