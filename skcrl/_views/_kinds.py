"""The kinds of views, and how the kind of a view is found."""

from skcrl._views._dask import Dask
from skcrl._views._dense import Dense
from skcrl._views._sparse import Sparse
from skcrl._views._table import Table, require_rows
from skcrl._views._tensor import Tensor
from skcrl._views._texts import Texts

SPARSE = Sparse()

# The first kind that recognises a view is its kind. Dense recognises every view.
_KINDS = (Tensor(), Dask(), SPARSE, Texts(), Table(), Dense())


def kind_of(view, name="The view"):
    """Kind of a view, which knows what to do with its container.

    Raises ValueError, with the name of the view, if it has no rows or has to be
    computed first.
    """
    require_rows(view, name)
    return next(kind for kind in _KINDS if kind.recognises(view))


def common_kind(x, y):
    """Kind that adds up and projects two checked views together.

    Raises ValueError if one is a tensor, or a Dask array, and the other is not.
    """
    x_kind, y_kind = kind_of(x), kind_of(y)
    if x_kind.library != y_kind.library:
        raise ValueError(
            f"X is of type {type(x).__name__} and y of type {type(y).__name__}: "
            "convert one to the type of the other."
        )
    return SPARSE if SPARSE in (x_kind, y_kind) else x_kind
