"""Checks of classifiers that users pass, before and after they are fitted."""

from sklearn.base import clone, is_clusterer, is_outlier_detector, is_regressor


def require_classifier(classifier, name="classifier"):
    """Raise ValueError if `classifier` is not a classifier."""
    if isinstance(classifier, type) or not hasattr(classifier, "fit"):
        raise ValueError(
            f"{name} must be a classifier such as LinearSVC(), got {classifier!r}."
        )
    for is_other, kind in (
        (is_regressor, "regressor"),
        (is_clusterer, "clusterer"),
        (is_outlier_detector, "outlier detector"),
    ):
        if is_other(classifier):
            raise ValueError(
                f"{name} must be a classifier, got the {kind} {classifier!r}."
            )


def learned(classifier, codes, labels, name="classifier", **params):
    """A fitted copy of the classifier.

    Some classifiers have `predict` and `classes_` only after fit, so these are checked
    here.
    """
    fitted = clone(classifier).fit(codes, labels, **params)
    if not (hasattr(fitted, "predict") and hasattr(fitted, "classes_")):
        raise ValueError(
            f"{name} must be a classifier, but {classifier!r} learned no classes that "
            "it could predict."
        )
    return fitted
