"""Checks of fitted state that compiled routines of scikit-learn trust.

These routines read and write at the positions that the state holds. If the positions
are wrong, they read and write beyond the end of an array.
"""

from math import comb

from scipy.sparse import issparse


def check_trusted(estimator):
    """Raise an error if an estimator from a file has a state that is not valid."""
    for name, check in _CHECKS.items():
        if name in vars(estimator):
            check(estimator, getattr(estimator, name))


def _check_words(vectorizer, columns):
    """Check the columns in which words are counted."""
    _require(
        type(columns) is dict
        and all(type(column) is int for column in columns.values())
        and sorted(columns.values()) == list(range(len(columns))),
        vectorizer,
        "the columns of words",
    )


def _check_labels(binarizer, columns):
    """Check the columns of classes, if these are known already."""
    classes = binarizer.classes_.tolist()
    expected = {name: column for column, name in enumerate(classes)}
    _require(
        len(expected) == len(classes) and columns in (None, expected),
        binarizer,
        "the columns of classes",
    )


def _check_one_hot(encoder, widths):
    """Check the columns of each feature of a OneHotEncoder."""
    _require(
        widths == encoder._compute_n_features_outs(), encoder, "the widths of features"
    )
    nothing = [None] * len(encoder.categories_)
    dropped, rare, places = encoder._drop_idx_after_grouping, nothing, nothing
    if encoder._infrequent_enabled:
        rare = encoder._infrequent_indices
        places = encoder._default_to_infrequent_mappings
    of_features = zip(
        encoder.categories_,
        nothing if dropped is None else dropped,
        rare,
        places,
        strict=True,
    )
    for categories, drop, together, place in of_features:
        n = len(categories)
        fits = _are_ascending(categories) and (drop is None or 0 <= drop < n)
        if place is not None:
            n_kept = n + 1 - together.size
            fits &= place.shape == (n,) and place.min() >= 0 and place.max() < n_kept
        _require(fits, encoder, "the columns of categories")


def _are_ascending(categories):
    """Whether categories are sorted for a binary search, which objects do not need."""
    if categories.dtype == object:
        return True
    if len(categories) and categories[-1] != categories[-1]:
        categories = categories[:-1]  # NaN comes last
    return bool((categories[1:] > categories[:-1]).all())


def _check_support(machine, n_support):
    """Check the support vectors of a libsvm estimator, and what belongs to each."""
    vectors, support = machine.support_vectors_, machine.support_
    n_classes, n = len(n_support), len(support)
    n_pairs = comb(n_classes, 2)
    # Estimators that do not classify have the number of their vectors twice.
    total = n_support.sum() if "svc" in machine._impl else n_support[0]
    # Older versions of scikit-learn use the parameter itself.
    gives_shares = getattr(machine, "_effective_probability", machine.probability)
    sizes = {n_pairs} if gives_shares else {0, n_pairs}
    if machine.kernel == "precomputed":
        are_samples = ((0 <= support) & (support < machine.shape_fit_[0])).all()
        are_vectors = are_samples and not machine._sparse
    else:
        are_vectors = vectors.shape == (n, machine.n_features_in_)
    _require(
        n_classes >= 2
        and are_vectors
        and issparse(vectors) == machine._sparse
        and (n_support >= 0).all()
        and total == n
        and machine._dual_coef_.shape == (n_classes - 1, n)
        and machine._dual_coef_.size == (n_classes - 1) * n
        and machine._intercept_.shape == (n_pairs,)
        and all(len(p) in sizes for p in (machine._probA, machine._probB)),
        machine,
        "the support vectors",
    )


def _require(is_right, estimator, what):
    if not is_right:
        raise ValueError(
            f"{what} of its {type(estimator).__name__} do not fit together"
        )


# The check of each attribute that is trusted.
_CHECKS = {
    "vocabulary_": _check_words,
    "_cached_dict": _check_labels,
    "_n_features_outs": _check_one_hot,
    "_n_support": _check_support,
}
