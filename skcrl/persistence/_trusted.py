"""Checks of fitted state that compiled routines of scikit-learn trust.

These routines read and write at the positions in this state, and beyond the end of an
array if the positions are wrong.
"""

from math import comb

from scipy.sparse import issparse


def check_trusted(estimator):
    """Raise an error for an estimator from a file whose state is not in order."""
    for name, check in _CHECKS.items():
        if name in vars(estimator):
            check(estimator, getattr(estimator, name))


def _check_words(vectorizer, columns):
    """Words, and the columns that they are counted in."""
    _require(
        type(columns) is dict
        and all(type(column) is int for column in columns.values())
        and sorted(columns.values()) == list(range(len(columns))),
        vectorizer,
        "the columns of words",
    )


def _check_labels(binarizer, columns):
    """Classes, and the columns that they have if these are known already."""
    classes = binarizer.classes_.tolist()
    expected = {name: column for column, name in enumerate(classes)}
    _require(
        len(expected) == len(classes) and columns in (None, expected),
        binarizer,
        "the columns of classes",
    )


def _check_one_hot(encoder, widths):
    """Columns of each feature of a OneHotEncoder."""
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
    """Whether they can be searched by halves, as those that are no objects are."""
    if categories.dtype == object:
        return True
    if len(categories) and categories[-1] != categories[-1]:
        categories = categories[:-1]  # NaN comes last
    return bool((categories[1:] > categories[:-1]).all())


def _check_support(machine, n_support):
    """Support vectors of a machine of libsvm, and what belongs to each."""
    vectors, support = machine.support_vectors_, machine.support_
    n_classes, n = len(n_support), len(support)
    n_pairs = comb(n_classes, 2)
    # Machines that do not classify count their vectors twice.
    total = n_support.sum() if "svc" in machine._impl else n_support[0]
    # Older versions of scikit-learn go by the parameter itself.
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


# By the attribute that is trusted.
_CHECKS = {
    "vocabulary_": _check_words,
    "_cached_dict": _check_labels,
    "_n_features_outs": _check_one_hot,
    "_n_support": _check_support,
}
