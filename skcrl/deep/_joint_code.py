"""Base class of estimators with one joint code, where zeros mean a missing view."""

from skcrl.deep._pretraining import pretrain
from skcrl.deep._two_view import BaseDeepTwoView


class BaseJointCode(BaseDeepTwoView):
    """Encodes one view alone, or both, by one module with ``encode(x, y)``."""

    _trains_on_unpaired = True

    def _prepare(self, net, data):
        if self.pretraining_epochs > 0:
            pretrain(net, data, self.pretraining_epochs, self.pretraining_noise)

    def _encode(self, view, side):
        return self._join(view, None) if side == "x" else self._join(None, view)

    def _join(self, X, y):
        return self.net_.evaluate("encode", X, y)

    def _decode(self, codes, side):
        return self.net_.evaluate("decode", codes, side=side)

    def _reconstructed_in_training(self, X, y):
        yield "X", X, self._reconstruct(X, y, "x")
        yield "y", y, self._reconstruct(X, y, "y")

    def _reconstruct(self, X, y, to):
        return self._decode(self._join(X, y), to)
