"""Views as torch tensors."""

from skcrl._arrays import is_tensor, to_numpy
from skcrl._views._dense import Dense


class Tensor(Dense):
    """Tensors. Estimators fitted to them under array_api_dispatch store tensors."""

    library = "torch"

    def recognises(self, view):
        """Whether a view is a tensor."""
        return is_tensor(view)

    def numbers(self, view, name):
        """The tensor's values as an array."""
        return to_numpy(view)

    def gaps(self, view):
        """Which rows of a tensor are missing; None if no row is missing."""
        return super().gaps(to_numpy(view))

    def holds_integers(self, view):
        """Whether the tensor holds integers."""
        kind = str(view.dtype).removeprefix("torch.")
        return kind.startswith(("int", "uint"))

    def take_columns(self, view, columns):
        """Columns by positions, in any order, or a mask."""
        if isinstance(columns, slice) and (columns.step or 1) < 0:
            columns = list(range(view.shape[1]))[columns]
        return super().take_columns(view, columns)
