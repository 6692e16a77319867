"""Which targets are relevant to which queries, as sparse rows of a block of queries."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, column_or_1d

from skcrl._labels import check_labels
from skcrl._views import kind_of


class ByMatrix(NamedTuple):
    """Relevance as a matrix of bool or of gains, dense or CSR."""

    matrix: Any  # ndarray or csr_array, (n_queries, n_targets)

    def rows(self, block):
        """Relevance to the queries in the slice `block`, CSR (n_block, n_targets)."""
        return sparse.csr_array(self.matrix[block])

    def counts(self):
        """Number of relevant targets of each query."""
        return (self.matrix != 0).sum(axis=1)

    def swapped(self):
        """Relevance of the queries to the targets."""
        matrix = self.matrix.T
        return ByMatrix(matrix.tocsr() if sparse.issparse(matrix) else matrix)


class ByClass(NamedTuple):
    """Relevance of equal classes, numbered from 0; the full matrix never exists."""

    query_classes: np.ndarray  # (n_queries,)
    target_classes: np.ndarray  # (n_targets,)

    def rows(self, block):
        """Relevance to the queries in the slice `block`, CSR (n_block, n_targets)."""
        n_classes = 1 + max(self.query_classes.max(), self.target_classes.max())
        of_queries = _indicators(self.query_classes[block], n_classes)
        return of_queries @ _indicators(self.target_classes, n_classes).T.tocsr()

    def counts(self):
        """Number of relevant targets of each query."""
        n_classes = 1 + self.query_classes.max()
        return np.bincount(self.target_classes, minlength=n_classes)[self.query_classes]

    def swapped(self):
        """Relevance of the queries to the targets."""
        return ByClass(self.target_classes, self.query_classes)


def check_relevance(relevant, n_queries, n_targets):
    """Relevance from what users pass as `relevant`."""
    if relevant is None:
        if n_queries != n_targets:
            raise ValueError(
                "Without `relevant`, query i belongs to target i, so the numbers of "
                f"queries and targets must be equal, got {n_queries} and {n_targets}. "
                "Pass `relevant`."
            )
        return ByMatrix(sparse.eye_array(n_queries, dtype=bool, format="csr"))
    if isinstance(relevant, tuple):
        return _by_class(relevant, n_queries, n_targets)
    return _by_matrix(relevant, n_queries, n_targets)


def check_gains(relevant, n_queries, n_targets):
    """Relevance with gains, from what users pass as `relevant`."""
    if relevant is None or isinstance(relevant, tuple):
        return check_relevance(relevant, n_queries, n_targets)
    gains = _matrix(relevant, n_queries, n_targets)
    if gains.dtype.kind not in "biuf":
        raise ValueError(f"`relevant` must hold gains, got {gains.dtype}.")
    gains = _canonical(gains)
    values = gains.data if sparse.issparse(gains) else gains
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(
            "`relevant` must hold gains that are finite and not negative, got "
            f"{values[~(np.isfinite(values) & (values >= 0))][0]}. Use 0 for targets "
            "that are not relevant."
        )
    return ByMatrix(gains)


def check_all_have_relevant(relevance, queries_name):
    """Raise ValueError if some query has no relevant target."""
    lost = np.flatnonzero(relevance.counts() == 0)
    if len(lost):
        raise ValueError(
            f"query {lost[0]} has no relevant target. Leave out such queries "
            f"({len(lost)} in {queries_name}), or add targets for them."
        )


def check_classes(classes, n_rows, name):
    """Check that there is one class for each of `n_rows` rows."""
    classes = check_array(
        check_labels(classes, name), ensure_2d=False, dtype=None, input_name=name
    )
    classes = column_or_1d(classes)
    if len(classes) != n_rows:
        raise ValueError(
            f"{name} must hold one class for each of {n_rows} rows, got {len(classes)}."
        )
    return classes


def _by_class(relevant, n_queries, n_targets):
    if len(relevant) != 2:
        raise ValueError(
            "A tuple as `relevant` must be (query_classes, target_classes), got "
            f"{len(relevant)} items."
        )
    query_classes = check_classes(relevant[0], n_queries, "query_classes")
    target_classes = check_classes(relevant[1], n_targets, "target_classes")
    if (query_classes.dtype.kind in "OSU") != (target_classes.dtype.kind in "OSU"):
        raise ValueError(
            "query_classes and target_classes must be of the same kind, got "
            f"{query_classes.dtype} and {target_classes.dtype}."
        )
    both = np.concatenate([query_classes, target_classes])
    numbers = np.unique(both, return_inverse=True)[1]
    return ByClass(numbers[:n_queries], numbers[n_queries:])


def _by_matrix(relevant, n_queries, n_targets):
    relevant = _matrix(relevant, n_queries, n_targets)
    if relevant.dtype != bool:
        raise ValueError(
            f"`relevant` must be boolean, got {relevant.dtype}: compare it with a "
            "threshold, as in relevant > 0."
        )
    return ByMatrix(_canonical(relevant))


def _matrix(relevant, n_queries, n_targets):
    if not sparse.issparse(relevant):
        relevant = np.asarray(kind_of(relevant, "`relevant`").values(relevant))
    if relevant.shape != (n_queries, n_targets):
        raise ValueError(
            "`relevant` must be a tuple (query_classes, target_classes) or a matrix "
            f"of shape ({n_queries}, {n_targets}), a row per query and a column per "
            f"target, got shape {relevant.shape}."
        )
    return relevant


def _canonical(matrix):
    """The matrix, dense, or CSR without zeros and without duplicate entries."""
    if not sparse.issparse(matrix):
        return matrix
    matrix = sparse.csr_array(matrix, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _indicators(numbers, n_classes):
    """CSR (len(numbers), n_classes), True where a row is of a class."""
    n_rows = len(numbers)
    return sparse.csr_array(
        (np.ones(n_rows, dtype=bool), numbers, np.arange(n_rows + 1)),
        shape=(n_rows, n_classes),
    )
