"""What the estimators with one encoder a view and a linear projection share."""

from abc import abstractmethod
from math import prod

import numpy as np

from skcrl import _linalg, _moments
from skcrl._arrays import following, untensored
from skcrl._decoder import LinearDecoder
from skcrl.deep._base import BaseDeepTwoView
from skcrl.deep._users_modules import try_module
from skcrl.deep.modules._hidden_layers import hidden_layers

# Rows of a batch for each component, which CCA of the batch needs, and their bounds.
_ROWS_PER_COMPONENT = 20
_FEWEST_ROWS, _MOST_ROWS = 200, 2000
# Share of the mean variance of the codes; it only steadies the inverse.
_DECODER_RIDGE = 1e-6


class BaseTwoBranch(BaseDeepTwoView):
    """Codes that are linear projections of the outputs of a TwoBranch.

    A final class answers one more question: which projections follow from the
    moments of the encoded training views.
    """

    @abstractmethod
    def _projection(self, m):
        """CCASolution with the projections for outputs of these moments."""

    def _check_parameters(self):
        if self.batch_norm and self.optimizer == "lbfgs":
            raise ValueError(
                "batch_norm=True keeps running statistics of batches, which "
                "optimizer='lbfgs' would update at every evaluation of the same one: "
                "choose another optimizer, or batch_norm=False."
            )

    def _dense_layers(self):
        """What the module is to know of the dense encoders."""
        hidden = hidden_layers(self.hidden_layer_sizes)
        return {
            **{
                f"{side}_widths": (prod(shape), *hidden[side], self.n_components)
                for side, shape in self._sample_shapes.items()
            },
            "activation": self.activation,
            "batch_norm": self.batch_norm,
        }

    def _batch_rows(self, n_rows):
        k = self.n_components
        enough = max(n_rows // 100, _FEWEST_ROWS, _ROWS_PER_COMPONENT * k)
        return min(enough, max(_MOST_ROWS, 4 * k))

    def _check_net(self, net, X, y):
        for view, side in ((X, "x"), (y, "y")):
            rows, k = view[:2], self.n_components
            codes = try_module(net, "encode", f"{side}_encoder", rows, side, (k,))
            if side in net.module_.decoders:
                shape = view.shape[1:]
                try_module(net, "decode", f"{side}_decoder", codes, side, shape)

    def _finish(self, X, y, weights):
        given = X
        X, y = untensored(X), untensored(y)
        x_codes = finite(self._outputs(X, "x"))
        y_codes = finite(self._outputs(y, "y"))
        m = _moments.moments(x_codes, y_codes, weights=weights)
        solution = self._projection(m)
        self.x_mean_ = following(m.x_mean, given)
        self.y_mean_ = following(m.y_mean, given)
        self.x_weights_ = following(solution.x_weights, given)
        self.y_weights_ = following(solution.y_weights, given)
        self.correlations_ = following(
            _linalg.code_correlations(
                _moments.covariances(m), solution.x_weights, solution.y_weights
            ),
            given,
        )
        self.rank_ = solution.rank
        codes = np.hstack(
            [
                (x_codes - m.x_mean) @ solution.x_weights,
                (y_codes - m.y_mean) @ solution.y_weights,
            ]
        )
        # Decoders start from the encoder's output; without one, codes give the view.
        decoders = self.net_.module_.decoders
        self._decoders = _fit_decoders(
            codes,
            x_codes if "x" in decoders else X,
            y_codes if "y" in decoders else y,
            weights,
        )

    def _outputs(self, view, side):
        return self.net_.evaluate("encode", view, side=side)

    def _encode(self, view, side):
        outputs = self._outputs(untensored(view), side)
        mean, weights = self._projection_of(side)
        codes = _moments.project(outputs, mean, weights, out=outputs)
        return following(codes, view)

    def _projection_of(self, side):
        mean, weights = (
            getattr(self, f"{side}_mean_"),
            getattr(self, f"{side}_weights_"),
        )
        return untensored(mean), untensored(weights)

    def _decode(self, codes, side):
        return self._decode_to(side, **{f"{side}_codes": codes})

    def _fitted_arrays(self):
        k = self.n_components_
        arrays: dict[str, tuple] = super()._fitted_arrays()
        arrays["correlations_"] = self.correlations_, (k,)
        for side in ("x", "y"):
            has_decoder = side in self.net_.module_.decoders
            p = k if has_decoder else prod(self._sample_shapes[side])
            arrays |= {
                f"{side}_weights_": (getattr(self, f"{side}_weights_"), (k, k)),
                f"{side}_mean_": (getattr(self, f"{side}_mean_"), (k,)),
                **self._decoders[side].arrays(f"decoder of {side}", k, p),
            }
        return arrays

    def _rebuild(self, X, y, to):
        return self._decode_to(
            to,
            x_codes=None if X is None else self._encode(X, "x"),
            y_codes=None if y is None else self._encode(y, "y"),
        )

    def _decode_to(self, to, x_codes=None, y_codes=None):
        target = self._decoders[to].decode(untensored(x_codes), untensored(y_codes))
        if to in self.net_.module_.decoders:
            rebuilt = self.net_.evaluate("decode", target, side=to)
        else:
            rebuilt = target.reshape(len(target), *self._sample_shapes[to])
        return following(rebuilt, y_codes if x_codes is None else x_codes)


def finite(outputs):
    """Outputs of an encoder, which must be finite."""
    if not np.isfinite(outputs).all():
        raise FloatingPointError("an output of an encoder is not finite")
    return outputs


def _fit_decoders(codes, x, y, weights):
    """Ridge regressions from centred codes to views, or to encoders' outputs."""
    n = len(codes) if weights is None else weights.sum()
    scale = 1.0 / max(n - 1, 1)
    weighed = codes if weights is None else codes * weights[:, None]
    code_cov = _moments.inner(weighed, codes) * scale

    def mean(target):
        if weights is None:
            return target.mean(axis=0, dtype=np.float64)
        return _moments.inner(weights[:, None], target)[0] / n

    def towards(target):
        target = target.reshape(len(target), -1) if target.ndim > 2 else target
        return {
            "mean": mean(target),
            # The networks are float32, and views of texts wide: half the memory.
            "cross_cov": (_moments.inner(weighed, target) * scale).astype(np.float32),
        }

    ridge = _DECODER_RIDGE * code_cov.diagonal().mean()
    to_x = LinearDecoder.fit(code_cov=code_cov, ridge=ridge, **towards(x))
    return {"x": to_x, "y": to_x._replace(**towards(y))}
