"""Classifiers that users give, judged before and after they learn."""

from sklearn.base import clone, is_clusterer, is_outlier_detector, is_regressor


def require_classifier(classifier, name="classifier"):
    """Raise ValueError for what is no classifier."""
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
                f"{name} must be a classifier, and {classifier!r} is a {kind}."
            )


def learned(classifier, codes, labels, name="classifier", **params):
    """The classifier, fitted; what it can do may be known after fit only."""
    fitted = clone(classifier).fit(codes, labels, **params)
    if not (hasattr(fitted, "predict") and hasattr(fitted, "classes_")):
        raise ValueError(
            f"{name} must be a classifier, and {classifier!r} learned no classes to "
            "predict."
        )
    return fitted
